//! Access logs against a regular expression, written independently of the parser.

use super::{log, read};
use regex::Regex;
use streamgauge::adapter::files::Format;

const FIELDS: [&str; 11] = [
    "host", "ident", "user", "time", "method", "path", "protocol", "status", "bytes", "referer",
    "agent",
];
/// A thousand lines of a public sample log, and a few invented lines with forms that the sample
/// lacks.
const SAMPLE: &str = include_str!("../data/access_combined.log");
const MADE: &str = r#"2001:db8::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a?q=\"x\" HTTP/1.0" 200 2326 "http://r/\"" "A \"q\" B"
10.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "POST /a HTTP/2.0" 304 -
10.0.0.1 id - [10/Oct/2000:13:55:36 -0700] "GET /a b HTTP/1.1" 400 0 "-" "-"
"#;

fn by_regex(line: &str) -> Vec<String> {
    let quoted = r#"((?:[^"\\]|\\.)*)"#;
    let pattern = format!(
        r#"^(\S+) (\S+) (\S+) \[([^\]]+)\] "([A-Z]+) (.*?) (HTTP/[0-9.]+)" (\d+|-) (\d+|-)(?: "{quoted}" "{quoted}"?)?$"#
    );
    let captures = Regex::new(&pattern).unwrap().captures(line).unwrap_or_else(|| panic!("{line}"));
    let typed = |(index, field): (usize, &&str)| match captures
        .get(index + 1)
        .map(|found| found.as_str())
    {
        None | Some("-") => "-".to_owned(),
        Some(text) if matches!(*field, "status" | "bytes") => format!("n{text}"),
        Some(text) => format!("t{text}"),
    };
    FIELDS.iter().enumerate().map(typed).collect()
}

fn compare(text: &str) {
    let (got, _) = read(Format::Auto, text.as_bytes(), &FIELDS);
    assert_eq!(got.dead(), []);
    let expected: Vec<Vec<String>> = text.lines().map(by_regex).collect();
    assert_eq!(got.rows(), expected);
}

#[test]
fn a_real_log_is_read_as_a_regular_expression_reads_it() {
    assert_eq!(SAMPLE.lines().count(), 1000);
    compare(SAMPLE);
    compare(MADE);
    let mut generated = Vec::new();
    log::write(&mut generated, log::Layout::Combined, 500, 3).unwrap();
    compare(std::str::from_utf8(&generated).unwrap());
}

#[test]
fn a_line_in_another_format_is_a_dead_letter() {
    let text = format!(
        "{}\n\nnot a log line\n10.0.0.1 - - [x] \"GET / HTTP/1.1\" OK 5\n",
        MADE.trim_end()
    );
    let (got, _) = read(Format::Clf, text.as_bytes(), &["host"]);
    assert_eq!(got.rows().len(), 3);
    let expected = [
        (5, "not an access log line: no time in brackets"),
        (6, "not an access log line: no status of three digits"),
    ];
    assert_eq!(got.dead(), expected);
}
