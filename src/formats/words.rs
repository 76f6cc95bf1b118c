//! Lines of words in a fixed order: the logs of AWS services, and W3C extended logs.
//!
//! Words are separated by spaces. A word that begins with a quote extends to the first quote that
//! is not escaped and has a space, or the end of the line, after it: so doubled quotes are text. In
//! some logs a word may also be in brackets.

use super::columns::{Columns, Part, WantedColumn, set_columns};
use super::decode_error::DecodeError;
use crate::error::Error;
use crate::row::Row;
use std::ops::Range;

/// What a word must look like, so that a line of another format is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// Three digits, or `-`.
    Status,
    /// Digits with an optional sign and fraction, or `-`.
    Number,
    /// `YYYY-MM-DDT...`
    IsoTime,
    /// Letters, digits and `_`.
    Word,
}

impl Check {
    fn holds(self, text: &[u8]) -> bool {
        let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        match self {
            Check::Status => text == b"-" || text.len() == 3 && digits(text),
            Check::Number => {
                let unsigned = text.strip_prefix(b"-").unwrap_or(text);
                text == b"-" || unsigned.split(|byte| *byte == b'.').take(3).all(digits)
            }
            Check::IsoTime => {
                matches!(text, [y @ .., b'Z'] if y.len() >= 19 && y[4] == b'-' && y[10] == b'T')
            }
            Check::Word => text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
        }
    }
}

/// A format of lines of words.
#[derive(Debug)]
pub(super) struct WordsFormat {
    /// What a line is, for errors: `line of an ALB log`.
    pub(super) line: &'static str,
    pub(super) columns: &'static [&'static str],
    /// Number of columns that every line has; writers add further ones in the course of years.
    pub(super) columns_min: usize,
    /// True if a word can be in brackets.
    pub(super) brackets: bool,
    pub(super) checks: &'static [(usize, Check)],
    /// Names of parts, and the names that access logs use.
    pub(super) also: &'static [(&'static str, &'static str, Part)],
}

impl WordsFormat {
    /// Returns the names of the columns.
    pub(super) fn names(&self) -> Columns {
        let mut columns = Columns::default();
        for (column, name) in self.columns.iter().enumerate() {
            columns.name(name, column, Part::Whole);
        }
        for (name, column, part) in self.also {
            if let Some(column) = self.columns.iter().position(|known| known == column) {
                columns.name(name, column, *part);
            }
        }
        columns
    }

    /// Finds the words of a line.
    ///
    /// # Errors
    /// What makes it no line of this format.
    pub(super) fn split(
        &self,
        line: &[u8],
        words: &mut Vec<Range<usize>>,
    ) -> Result<(), DecodeError> {
        let refused = |what| DecodeError::LogLine { line: self.line, what };
        split_words(line, self.brackets, words)
            .ok_or(refused("a quote or a bracket is not closed"))?;
        // A quote that was not escaped has ended a word too early, and shifted those after it.
        let is_cut = |word: &Range<usize>| {
            let is_open = word.start > 0 && matches!(line[word.start - 1], b'"' | b'[');
            !is_open && memchr::memchr(b'"', &line[word.clone()]).is_some()
        };
        if words.iter().any(is_cut) {
            return Err(refused("quotes are not escaped, so where a word ends is not clear"));
        }
        if words.len() < self.columns_min {
            return Err(refused("it has too few words"));
        }
        let fits = |(column, check): &(usize, Check)| {
            words.get(*column).is_none_or(|word| check.holds(&line[word.clone()]))
        };
        if !self.checks.iter().all(fits) {
            return Err(refused("a time, a status or a number is not where it should be"));
        }
        Ok(())
    }
}

/// Decodes lines of words into rows.
#[derive(Clone, Debug)]
pub(crate) struct WordsDecoder {
    format: &'static WordsFormat,
    wanted: Vec<WantedColumn>,
    words: Vec<Range<usize>>,
}

impl WordsDecoder {
    /// # Errors
    /// As [`Columns::wanted`].
    pub(super) fn new<S: AsRef<str>>(
        format: &'static WordsFormat,
        fields: &[S],
    ) -> Result<Self, Error> {
        let have = format!("a {} has", format.line);
        let wanted = format.names().wanted(fields, &have)?;
        Ok(WordsDecoder { format, wanted, words: Vec::new() })
    }

    /// Sets the fields of the line, which begins at `start` in the row's source.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<(), DecodeError> {
        self.format.split(line, &mut self.words)?;
        set_columns(&self.wanted, (line, start), &self.words, row);
        Ok(())
    }
}

/// Finds the words of a line. Returns `None` if a quote or bracket is not closed.
pub(super) fn split_words(
    line: &[u8],
    brackets: bool,
    words: &mut Vec<Range<usize>>,
) -> Option<()> {
    words.clear();
    let mut at = 0;
    while at < line.len() {
        let (word, end) = match line[at] {
            b' ' => {
                at += 1;
                continue;
            }
            b'"' => quoted_word(line, at)?,
            b'[' if brackets => {
                let close = at + memchr::memchr(b']', &line[at..])?;
                (at + 1..close, close + 1)
            }
            _ => {
                let end = memchr::memchr(b' ', &line[at..]).map_or(line.len(), |end| at + end);
                (at..end, end)
            }
        };
        words.push(word);
        at = end;
    }
    Some(())
}

/// Returns the text in the quotes that open at `at`, and the offset after them.
fn quoted_word(line: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let mut from = at + 1;
    loop {
        let found = from + memchr::memchr2(b'"', b'\\', line.get(from..)?)?;
        if line[found] == b'"' && line.get(found + 1).is_none_or(|byte| *byte == b' ') {
            return Some((at + 1..found, found + 1));
        }
        // An escaped byte ends no word.
        from = found + if line[found] == b'\\' { 2 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Words that were written with quotes where they need them are those that are found.
        #[test]
        fn words_round_trip(texts in proptest::collection::vec("[a-z\\[\\]\\-:/ ]{0,8}", 1..8)) {
            let write = |text: &String| match text.is_empty() || text.contains([' ', '[', '"']) {
                true => format!("\"{text}\""),
                false => text.clone(),
            };
            let line = texts.iter().map(write).collect::<Vec<_>>().join(" ");
            let mut words = Vec::new();
            prop_assert_eq!(split_words(line.as_bytes(), true, &mut words), Some(()));
            let found: Vec<&str> = words.iter().map(|word| &line[word.clone()]).collect();
            prop_assert_eq!(found, texts);
        }

        #[test]
        fn any_line_is_no_danger(line: Vec<u8>, near in "[a\" \\\\\\[\\]]{0,20}") {
            for line in [&line[..], near.as_bytes()] {
                let mut words = Vec::new();
                if split_words(line, true, &mut words).is_some() {
                    prop_assert!(
                        words.iter().all(|word| word.start <= word.end && word.end <= line.len())
                    );
                }
            }
        }
    }
}
