//! Lines that are fields with text between them: the format strings of nginx and Apache
//! ([`log_format`](super::log_format)), and patterns with `<names>`.
//!
//! A field extends to the first occurrence of the text after it; the last one to the end of the
//! line. A field in quotes extends to the first quote that is not escaped. What follows a field
//! must be there exactly, and all of the line must be used, or the line is a dead letter. So a
//! line costs one pass, whatever the pattern.

use super::columns::{Columns, Part, WantedColumn, set_columns};
use super::decode_error::DecodeError;
use crate::error::{Error, ErrorKind};
use crate::row::Row;
use std::ops::Range;

/// Maximum bytes of a pattern.
pub(super) const PATTERN_BYTES_MAX: usize = 16 << 10;
/// Maximum number of fields of a pattern.
const FIELDS_MAX: usize = 500;

/// How far a field extends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Extent {
    /// To the text after it.
    #[default]
    Until,
    /// To the text after it, which is not between the items of a list: `10.0.0.1, 10.0.0.2`.
    List,
}

/// What the text of a field must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Kind {
    #[default]
    Any,
    /// Three digits, or `-`.
    Status,
    /// Digits, or `-`.
    Digits,
}

/// A field of a pattern and the text after it.
#[derive(Clone, Debug, Default)]
pub(super) struct PatternField {
    /// Empty for a field that nobody asks for.
    pub(super) name: String,
    pub(super) extent: Extent,
    pub(super) kind: Kind,
    pub(super) after: String,
}

/// A pattern of lines.
#[derive(Clone, Debug, Default)]
pub(super) struct LinePattern {
    /// The text in front of the first field.
    pub(super) before: String,
    pub(super) fields: Vec<PatternField>,
}

impl LinePattern {
    /// Adds text after the last field.
    pub(super) fn text(&mut self, text: &str) {
        match self.fields.last_mut() {
            Some(field) => field.after.push_str(text),
            None => self.before.push_str(text),
        }
    }

    /// Adds a field.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if no text separates it from the field before it, or there are too many
    /// fields.
    pub(super) fn field(&mut self, field: PatternField) -> Result<(), Error> {
        let refused = |message| Err(Error::new(ErrorKind::Parse, message));
        if let Some(last) = self.fields.last().filter(|last| last.after.is_empty()) {
            let (last, next) = (shown(&last.name), shown(&field.name));
            return refused(format!(
                "there is no text between the fields {last} and {next}, so where one ends is not \
                 clear"
            ));
        }
        if self.fields.len() == FIELDS_MAX {
            return refused(format!("there are more than {FIELDS_MAX} fields"));
        }
        self.fields.push(field);
        Ok(())
    }

    /// Finds the fields of a line.
    fn split(&self, line: &[u8], ranges: &mut Vec<Range<usize>>) -> Result<(), DecodeError> {
        ranges.clear();
        let refused = |field, what| DecodeError::Pattern { field, what };
        if !line.starts_with(self.before.as_bytes()) {
            return Err(refused(1, "the text in front of it is not there"));
        }
        let (mut at, mut before) = (self.before.len(), self.before.as_bytes());
        for (index, field) in self.fields.iter().enumerate() {
            let after = field.after.as_bytes();
            let is_quoted = before.ends_with(b"\"") && after.starts_with(b"\"");
            let end = match (is_quoted, field.extent) {
                (true, _) => closing_quote(line, at),
                (false, _) if after.is_empty() => Some(line.len()),
                (false, Extent::Until) => {
                    memchr::memmem::find(&line[at..], after).map(|found| at + found)
                }
                (false, Extent::List) => end_of_list(line, at, after),
            };
            let Some(end) = end.filter(|end| line[*end..].starts_with(after)) else {
                return Err(refused(index + 1, "the text after it is not there"));
            };
            if !field.kind.holds(&line[at..end]) {
                return Err(refused(index + 1, "it is no number"));
            }
            ranges.push(at..end);
            (at, before) = (end + after.len(), after);
        }
        match at == line.len() {
            true => Ok(()),
            false => Err(refused(self.fields.len(), "the line goes on after the text behind it")),
        }
    }

    fn has_no_field(&self) -> bool {
        self.fields.iter().all(|field| field.name.is_empty())
    }
}

impl Kind {
    fn holds(self, text: &[u8]) -> bool {
        let is_digits = || !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        match self {
            Kind::Any => true,
            Kind::Status => text == b"-" || text.len() == 3 && is_digits(),
            Kind::Digits => text == b"-" || is_digits(),
        }
    }
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "_" } else { name }
}

/// Returns the offset of the first quote from `at` on that is not escaped.
fn closing_quote(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[found] == b'"' {
            return Some(found);
        }
        at = found + 2;
    }
}

/// Returns the first offset from `at` on of the text after a list. `, ` and ` : ` separate items of
/// the list, as nginx writes the addresses and times of several servers.
fn end_of_list(line: &[u8], at: usize, after: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(&line[at..], after).map(|found| at + found).find(|end| {
        let is_separator = line[at..*end].ends_with(b",")
            || line[*end..].starts_with(b" : ")
            || line[at..*end].ends_with(b" :");
        !(is_separator && after.starts_with(b" "))
    })
}

/// Decodes lines of a pattern into rows.
#[derive(Clone, Debug)]
pub(crate) struct PatternDecoder {
    pattern: LinePattern,
    wanted: Vec<WantedColumn>,
    ranges: Vec<Range<usize>>,
}

impl PatternDecoder {
    /// Creates a decoder of these fields, by slot.
    ///
    /// # Errors
    /// A field that the pattern does not have.
    pub(super) fn new<S: AsRef<str>>(
        pattern: LinePattern,
        columns: &Columns,
        fields: &[S],
    ) -> Result<Self, Error> {
        let wanted = columns.wanted(fields, "the format has")?;
        Ok(PatternDecoder { pattern, wanted, ranges: Vec::new() })
    }

    /// Creates a decoder of these fields, by slot, of the lines of a pattern with `<names>`.
    ///
    /// # Errors
    /// As [`parse_pattern`], and for a field that it does not have.
    pub(crate) fn of_names<S: AsRef<str>>(text: &str, fields: &[S]) -> Result<Self, Error> {
        let pattern = parse_pattern(text)?;
        let mut columns = Columns::default();
        for (column, field) in pattern.fields.iter().enumerate() {
            if !field.name.is_empty() {
                columns.name(&field.name, column, Part::Whole);
            }
        }
        PatternDecoder::new(pattern, &columns, fields)
    }

    /// Sets the fields of the line, which begins at `start` in the row's source.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<(), DecodeError> {
        self.pattern.split(line, &mut self.ranges)?;
        set_columns(&self.wanted, (line, start), &self.ranges, row);
        Ok(())
    }
}

/// Parses a pattern: `<name>` is a field, `<_>` one that is not wanted, `\<` and `\\` are the
/// characters themselves, and all else stands in the line as it is.
///
/// # Errors
/// [`ErrorKind::Parse`] with the column, for a name that is not closed, empty or given twice; for
/// fields without text between them; and for a pattern without a field.
pub(super) fn parse_pattern(text: &str) -> Result<LinePattern, Error> {
    let at = |rest: &str| text.len() - rest.len() + 1;
    let refused = |message: String| Error::new(ErrorKind::Parse, message);
    if text.len() > PATTERN_BYTES_MAX || text.contains(['\n', '\r']) {
        let what = "a pattern is one line of up to 16 KiB";
        return Err(refused(what.to_owned()));
    }
    let mut pattern = LinePattern::default();
    let mut rest = text;
    while let Some(special) = rest.find(['<', '\\']) {
        pattern.text(&rest[..special]);
        let from = &rest[special..];
        if let Some(escaped) = from.strip_prefix('\\') {
            let literal = if escaped.starts_with(['<', '\\']) { &escaped[..1] } else { "\\" };
            pattern.text(literal);
            rest =
                if literal == "\\" && !escaped.starts_with('\\') { escaped } else { &escaped[1..] };
            continue;
        }
        let Some(end) = from.find('>') else {
            return Err(refused(format!(
                "column {}: < begins the name of a field, and no > ends it; \\< is the character",
                at(from)
            )));
        };
        let name = &from[1..end];
        if name.is_empty() {
            return Err(refused(format!("column {}: a field needs a name, or _", at(from))));
        }
        let name = if name == "_" { "" } else { name };
        if !name.is_empty() && pattern.fields.iter().any(|field| field.name == name) {
            return Err(refused(format!("column {}: the field {name} is there twice", at(from))));
        }
        pattern
            .field(PatternField { name: name.to_owned(), ..PatternField::default() })
            .map_err(|error| refused(format!("column {}: {}", at(from), error.message())))?;
        rest = &from[end + 1..];
    }
    pattern.text(rest);
    match pattern.has_no_field() {
        true => Err(refused("there is no field in it, such as <status>".to_owned())),
        false => Ok(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split<'a>(pattern: &str, line: &'a str) -> Result<Vec<&'a str>, DecodeError> {
        let mut ranges = Vec::new();
        parse_pattern(pattern).unwrap().split(line.as_bytes(), &mut ranges)?;
        Ok(ranges.into_iter().map(|range| &line[range]).collect())
    }

    #[test]
    fn fields_are_what_stands_between_the_text() {
        let pattern = r#"<ip> - <user> [<time>] "<method> <path> <_>" <status>"#;
        let line = r#"192.0.2.7 - anna b [02/Jan/2024:03:04:05 +0000] "GET /a HTTP/1.1" 200"#;
        assert_eq!(
            split(pattern, line).unwrap(),
            ["192.0.2.7", "anna b", "02/Jan/2024:03:04:05 +0000", "GET", "/a", "HTTP/1.1", "200"]
        );
        assert_eq!(split(r#"m="<m>" <rest>"#, r#"m="a \" b" c d"#).unwrap(), [r#"a \" b"#, "c d"]);
        assert_eq!(split(r"\<<level>> \\<x>", r"<4> \y").unwrap(), ["4", "y"]);
        assert_eq!(split("a<x>b", "ab").unwrap(), [""]);
        for (pattern, line) in
            [("a<x>b", "xab"), ("a<x>b", "axbc"), ("<x> <y>", "xy"), ("\"<x>\"", "\"a\\\"")]
        {
            assert!(split(pattern, line).is_err(), "{pattern} {line}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_right_are_refused_with_the_column() {
        for (pattern, words) in [
            ("started", "no field"),
            ("<_> x", "no field"),
            ("<a><b>", "column 4: there is no text between the fields a and b"),
            ("<a> <a>", "column 5: the field a is there twice"),
            ("ab <c", "column 4: < begins"),
            ("<>", "column 1: a field needs a name"),
            ("<a>\n<b>", "one line"),
        ] {
            let error = parse_pattern(pattern).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    proptest! {
        /// Fields without the text between them are found again.
        #[test]
        fn fields_round_trip(texts in proptest::collection::vec("[a-z ]{0,6}", 1..8)) {
            let names: Vec<String> = (0..texts.len()).map(|at| format!("<f{at}>")).collect();
            let (pattern, line) = (names.join("|"), texts.join("|"));
            prop_assert_eq!(split(&pattern, &line).unwrap(), texts);
        }

        #[test]
        fn any_pattern_and_line_are_no_danger(pattern in "[<>a_\\\\\" \
                                                          ]{0,20}", line in "[a\\\\\" é]{0,20}") {
            if let Ok(parsed) = parse_pattern(&pattern) {
                let mut ranges = Vec::new();
                if parsed.split(line.as_bytes(), &mut ranges).is_ok() {
                    let mut whole = parsed.before.clone();
                    for (range, field) in ranges.iter().zip(&parsed.fields) {
                        whole += &line[range.clone()];
                        whole += &field.after;
                    }
                    prop_assert_eq!(whole, line);
                }
            }
        }
    }
}
