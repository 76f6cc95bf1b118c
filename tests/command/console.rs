//! The commands in the documents print what the documents show.
//!
//! A block of kind `console` holds commands, each behind `$ ` (its further lines behind `> `), and
//! below each command what it prints on standard output. The commands run in `examples/data`.
//! `STREAMGAUGE_WRITE_DOCUMENTS=1` writes what the commands print into the documents.

use super::project_file;
use std::fs;
use std::path::Path;
use std::process::Command;

const OPENING: &str = "```console";
const CLOSING: &str = "```";

/// A command of a block, with what the document shows below it.
struct Shown {
    script: String,
    output: String,
}

/// Splits the lines of a block into its commands.
fn commands(block: &[&str]) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    for line in block {
        let last = commands.last_mut();
        match (line.strip_prefix("$ "), line.strip_prefix("> "), last) {
            (Some(first), _, _) => {
                commands.push(Shown { script: first.to_owned(), output: String::new() });
            }
            (_, Some(more), Some(last)) if last.output.is_empty() => {
                last.script.push('\n');
                last.script.push_str(more);
            }
            (_, _, Some(last)) => {
                last.output.push_str(line);
                last.output.push('\n');
            }
            (_, _, None) => panic!("a block begins with a command: {line}"),
        }
    }
    commands
}

/// Runs a command in a shell that finds the binary under test as `streamgauge`.
fn output_of(script: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_streamgauge"));
    let folder = binary.parent().unwrap().to_string_lossy().into_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-ec", script])
        .current_dir(project_file("examples/data"))
        .env("PATH", format!("{folder}:{path}"))
        .env_remove("STREAMGAUGE_SEED")
        .env_remove("STREAMGAUGE_SEED_FILE")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the document with what its commands print now, and the number of its commands.
fn renewed(text: &str) -> (String, usize) {
    let (mut renewed, mut count) = (String::new(), 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        renewed.push_str(line);
        renewed.push('\n');
        if line != OPENING {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != CLOSING).collect();
        for command in commands(&block) {
            count += 1;
            renewed.push_str(&format!("$ {}\n", command.script.replace('\n', "\n> ")));
            renewed.push_str(&output_of(&command.script));
        }
        renewed.push_str(CLOSING);
        renewed.push('\n');
    }
    (renewed, count)
}

/// Checks all commands of a document, of which there are at least `least`.
fn check(document: &str, least: usize) {
    let path = project_file(document);
    let text = fs::read_to_string(&path).unwrap();
    let (renewed, count) = renewed(&text);
    assert!(count >= least, "{document} has {count} commands, not {least}");
    if std::env::var_os("STREAMGAUGE_WRITE_DOCUMENTS").is_some() {
        fs::write(&path, renewed).unwrap();
        return;
    }
    for (shown, now) in text.lines().zip(renewed.lines()) {
        assert_eq!(shown, now, "{document} shows the first line, the command prints the second");
    }
    assert_eq!(text, renewed, "{document} shows more or less than its commands print");
}

#[test]
#[cfg(unix)]
fn the_recipes_print_what_they_show() {
    check("docs/RECIPES.md", 40);
}

#[test]
#[cfg(unix)]
fn the_programs_of_kinesis_analytics_print_what_they_show() {
    check("docs/FROM_KDA_SQL.md", 17);
}
