//! The project's files as tidy reads them: paths, lines, and Rust source without comments, strings
//! and tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the project.
pub(crate) struct SourceFile {
    /// The path relative to the root of the project, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns all files below `folder` whose name ends with one of the endings, ordered by path.
pub(crate) fn files_below(folder: &str, endings: &[&str]) -> Vec<SourceFile> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    let wanted =
        |path: &PathBuf| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending));
    let mut files: Vec<SourceFile> =
        paths.into_iter().filter(wanted).map(|path| read(&path)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn read(path: &Path) -> SourceFile {
    let relative = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{relative}: {error}"));
    SourceFile { path: relative, text }
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let generated = matches!(
            name.as_str(),
            "target" | ".git" | "node_modules" | "corpus" | "artifacts" | "__pycache__"
        );
        match path.is_dir() {
            true if generated => {}
            true => collect(&path, into),
            false => into.push(path),
        }
    }
}

impl SourceFile {
    /// Returns the text before the file's own tests.
    pub(crate) fn before_tests(&self) -> &str {
        // Such a file is a module of tests as a whole.
        let is_test = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        if self.path.starts_with("src/") && is_test {
            return "";
        }
        match self.text.find("#[cfg(test)]\nmod ") {
            Some(at) => &self.text[..at],
            None => &self.text,
        }
    }

    /// Returns the code before the tests, line by line, without comments and with blanks inside
    /// string and character literals.
    pub(crate) fn code_lines(&self) -> Vec<String> {
        without_comments_and_strings(self.before_tests()).lines().map(str::to_owned).collect()
    }
}

/// Removes every comment and blanks the inside of every literal. Keeps the lines.
pub(crate) fn without_comments_and_strings(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let token = &rest[..length];
        let is_comment = token.starts_with("//") || token.starts_with("/*");
        let is_literal = token.len() > 1
            && (token.ends_with('"') || token.ends_with('\'') || token.ends_with('#'));
        match (is_comment, is_literal) {
            (true, _) => out.extend(token.chars().filter(|c| *c == '\n')),
            (false, true) => out.extend(token.chars().map(|c| if c == '\n' { '\n' } else { '_' })),
            (false, false) => out.push_str(token),
        }
        rest = &rest[length..];
    }
    out
}

/// Returns the length of the comment, literal, word or single character at the start of the text.
fn token_length(text: &str, first: char) -> usize {
    let up_to = |end: Option<usize>| end.unwrap_or(text.len());
    if text.starts_with("//") {
        return up_to(text.find('\n'));
    }
    if text.starts_with("/*") {
        return up_to(text.find("*/").map(|at| at + 2));
    }
    if let Some(length) = raw_string_length(text) {
        return length;
    }
    if first == '"' || text.starts_with("b\"") {
        return quoted_length(text, '"');
    }
    if first == '\'' {
        return character_length(text);
    }
    if first.is_alphanumeric() || first == '_' {
        return up_to(text.find(|c: char| !c.is_alphanumeric() && c != '_'));
    }
    first.len_utf8()
}

/// `r"..."`, `r#"..."#`, `br"..."`.
fn raw_string_length(text: &str) -> Option<usize> {
    let after_r = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    let body = after_r[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let opening = text.len() - body.len();
    Some(body.find(&closing).map_or(text.len(), |at| opening + at + closing.len()))
}

fn quoted_length(text: &str, quote: char) -> usize {
    let opening = text.find(quote).map_or(0, |at| at + 1);
    let mut escaped = false;
    for (at, c) in text[opening..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return opening + at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal, or only the quote of a lifetime.
fn character_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => quoted_length(text, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// A function as tidy measures it.
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of `fn`, counted from 1.
    pub(crate) line: usize,
    /// The number of lines from `fn` to the closing brace.
    pub(crate) lines: usize,
    /// The number of parameters without `self`.
    pub(crate) parameters: usize,
    /// The depth of nested control structures.
    pub(crate) nesting: usize,
}

/// Finds every function with a body by rustfmt's indentation: it ends at the first `}` with the
/// indentation of its first line.
pub(crate) fn functions(lines: &[String]) -> Vec<Function> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", &line[..indent]);
        let signature_end = lines[index..]
            .iter()
            .position(|l| l.ends_with('{') || l.ends_with(';') || l.ends_with('}'));
        let opens = signature_end.is_some_and(|at| lines[index + at].ends_with('{'));
        let close = lines[index + 1..].iter().position(|l| l.trim_end() == closing);
        let length =
            if opens { close.map_or(1, |at| at + 2) } else { signature_end.map_or(1, |at| at + 1) };
        let body = &lines[index..index + length];
        found.push(Function {
            name,
            line: index + 1,
            lines: length,
            parameters: parameters(body),
            nesting: nesting(body),
        });
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let only_qualifiers = before.split_whitespace().all(|word| {
        matches!(word, "pub" | "const" | "async" | "extern" | "pub(crate)" | "pub(super)")
            || word.starts_with("pub(")
    });
    let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (only_qualifiers && !name.is_empty()).then_some(name)
}

fn parameters(body: &[String]) -> usize {
    let text = body.join(" ");
    let after_name = text.split_once("fn ").map_or("", |(_, after)| after);
    let Some(open) = parameter_list_start(after_name) else { return 0 };
    let mut depth = 0usize;
    let mut names = 0;
    let mut previous = ' ';
    let mut chars = after_name[open..].chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '(' | '[' | '<' => depth += 1,
            '>' if previous == '-' => {}
            ')' | ']' | '>' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            // A parameter is `name: type`; `::` is a path.
            ':' if depth == 1 && previous != ':' && chars.peek() != Some(&':') => names += 1,
            _ => {}
        }
        previous = c;
    }
    names
}

/// Returns the offset of `(` after the generic parameters.
fn parameter_list_start(after_name: &str) -> Option<usize> {
    let mut depth = 0i32;
    let mut previous = ' ';
    for (at, c) in after_name.char_indices() {
        match c {
            '(' if depth == 0 => return Some(at),
            '<' => depth += 1,
            '>' if previous != '-' => depth -= 1,
            _ => {}
        }
        previous = c;
    }
    None
}

/// Returns the depth of the deepest stack of `if`, `match`, `for`, `while` and `loop` blocks. An
/// `else if` is no deeper than its `if`.
fn nesting(body: &[String]) -> usize {
    let mut open: Vec<usize> = Vec::new();
    let mut deepest = 0;
    for line in body {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.is_empty() {
            continue;
        }
        if text.starts_with('}') {
            open.retain(|at| *at < indent);
        }
        let control = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| CONTROL.contains(&word));
        if control && text.ends_with('{') && !text.contains("impl ") {
            open.push(indent);
            deepest = deepest.max(open.len());
        }
    }
    deepest
}

const CONTROL: [&str; 5] = ["if", "match", "for", "while", "loop"];

#[test]
fn comments_and_strings_are_removed_line_by_line() {
    let source = "let a = \"// no { \\\" comment\"; // yes\nlet b = 'x'; /* two\n\
                  lines */ let c: &'a str = r#\"}\"#;\n";
    let plain = without_comments_and_strings(source);
    assert_eq!(plain.lines().count(), 3);
    assert!(
        !plain.contains("comment")
            && !plain.contains("yes")
            && !plain.contains("two")
            && !plain.contains('}'),
        "{plain}"
    );
    assert!(plain.contains("let b") && plain.contains("&'a str"), "{plain}");
}

#[test]
fn functions_are_measured() {
    let source = "\
impl A {
    pub(crate) fn long<F: Fn(u8) -> u8>(&self, a: std::Vec<(u8, B::C)>, f: F) -> u8 {
        for x in a {
            if x {
                return 1;
            } else if y {
                return 2;
            }
        }
        0
    }
    fn short(self) {}
}
";
    let lines: Vec<String> = source.lines().map(str::to_owned).collect();
    let found = functions(&lines);
    assert_eq!(found.len(), 2);
    let long = &found[0];
    assert_eq!(
        (long.name.as_str(), long.line, long.lines, long.parameters, long.nesting),
        ("long", 2, 10, 2, 2)
    );
    assert_eq!((found[1].lines, found[1].parameters), (1, 0));
}
