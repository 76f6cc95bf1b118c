//! `check`, `completions` and `man`.

use super::{Folder, command, run_of, streamgauge};
use std::process::{Command, Stdio};

#[test]
fn a_pipeline_file_is_explained_without_input() {
    let folder = Folder::new("check");
    let right = folder.file("right.toml", "window = \"1m\"\nagg = [\"count\", \"p99(ms)\"]\n");
    let run = streamgauge(&["check", &right]);
    run.succeeded();
    assert!(run.stdout.starts_with(&right), "{}", run.stdout);
    for words in ["windows: 60s each", "count: exact", "p99(ms): nearest rank"] {
        assert!(run.stdout.contains(words), "{words:?} is not in {}", run.stdout);
    }
    assert_eq!(run.stderr, "");
}

#[test]
fn every_wrong_file_is_named_with_its_error() {
    let folder = Folder::new("check_wrong");
    let right = folder.file("right.toml", "agg = \"count\"\n");
    let key = folder.file("key.toml", "\nwindwo = \"1m\"\n");
    let aggregate = folder.file("aggregate.toml", "agg = \"sun(bytes)\"\n");
    let format = folder.file("format.toml", "format = \"jsonk\"\n");
    let run = streamgauge(&["check", &key, &aggregate, &right, &format, &folder.path("none.toml")]);
    let wrong = format!("{key}:2: unknown key \"windwo\" (did you mean \"window\"?)");
    let hints = ["aggregate.toml: agg: column 1", "did you mean \"sum\"?", "format.toml: format"];
    run.failed(2, &[&wrong, "none.toml: the pipeline file cannot be read"]).says(&hints);
    assert!(run.stdout.contains("count: exact"), "a right file is also explained");
}

#[test]
fn completions_name_the_subcommands_and_flags() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = streamgauge(&["completions", shell]);
        run.succeeded();
        for word in ["inspect", "max-delay", "dead-letters"] {
            assert!(run.stdout.contains(word), "{shell} has no {word}");
        }
    }
    streamgauge(&["completions", "sh"]).failed(2, &["bash"]);
}

#[test]
#[cfg(unix)]
fn bash_accepts_the_completions() {
    let script = streamgauge(&["completions", "bash"]).stdout;
    let ask = "COMP_WORDS=(streamgauge run --max-); COMP_CWORD=2; \
               _streamgauge streamgauge --max- run; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", &format!("{script}\n{ask}")]).output().unwrap();
    let reply = run_of(output).stdout;
    assert_eq!(reply.split_whitespace().collect::<Vec<_>>(), ["--max-delay", "--max-ahead"]);
}

#[test]
fn the_manual_has_a_section_for_each_subcommand() {
    let page = streamgauge(&["man"]).succeeded().stdout.clone();
    assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    for section in ["run", "top", "merge", "inspect", "finish", "kcl", "storm", "check"] {
        let heading = format!(".SH \"STREAMGAUGE {}\"", section.to_uppercase());
        assert!(page.contains(&heading), "no {heading}");
    }
}

#[test]
fn a_closed_output_causes_no_panic() {
    let mut child =
        command(&["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}
