//! The public items of the library, listed in `public_api.txt`, so that no change to them goes
//! unnoticed.

use super::source::{SourceFile, files_below, root};
use std::fs;

const LIST: &str = "tests/tidy/public_api.txt";

/// Every public item with its signature, by file. The lint `unreachable_pub` is denied, so what is
/// `pub` can be reached from outside.
#[test]
fn the_public_items_are_those_of_the_list() {
    let mut listed = String::new();
    for file in files_below("src", &[".rs"]) {
        if !file.path.starts_with("src/bin/") {
            for item in public_items(&file) {
                listed.push_str(&format!("{}: {item}\n", file.path));
            }
        }
    }
    let path = root().join(LIST);
    if std::env::var_os("STREAMGAUGE_LIST_PUBLIC_API").is_some() {
        fs::write(&path, &listed).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let added = listed.lines().filter(|line| !known.lines().any(|other| other == *line));
    let removed = known.lines().filter(|line| !listed.lines().any(|other| other == *line));
    let changes: Vec<String> = added
        .map(|line| format!("+ {line}"))
        .chain(removed.map(|line| format!("- {line}")))
        .collect();
    assert!(
        changes.is_empty(),
        "the public interface has changed: say so in CHANGELOG.md, then write {LIST} again with \
         STREAMGAUGE_LIST_PUBLIC_API=1 cargo test --test suite tidy\n{}",
        changes.join("\n")
    );
}

/// The signatures of the public items of a file, up to their body.
fn public_items(file: &SourceFile) -> Vec<String> {
    let lines = file.code_lines();
    let mut items = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_item = line.trim_start().strip_prefix("pub ").is_some_and(|rest| {
            let word = rest.split_whitespace().next().unwrap_or_default();
            ["fn", "const", "struct", "enum", "trait", "type", "mod"].contains(&word)
        });
        if is_item {
            let signature = lines[index..].join(" ");
            let end = signature.find(['{', ';']).unwrap_or(signature.len());
            let words: Vec<&str> = signature[..end].split_whitespace().collect();
            items.push(words.join(" "));
        }
    }
    items
}
