//! Lines that a regular expression takes apart: its named groups are the fields.
//!
//! The expression is searched for in the line, in time linear in the line's length. A line in which
//! it is not found is a dead letter. A group that took no part, or took nothing, is a missing
//! value.

use super::decode_error::DecodeError;
use super::names;
use crate::error::{Error, ErrorKind};
use crate::row::Row;
use regex::{CaptureLocations, Regex, RegexBuilder};

/// Maximum bytes of a compiled expression, and of its lazily built automata.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Decodes the lines of a regular expression into rows.
#[derive(Clone, Debug)]
pub(crate) struct RegexDecoder {
    regex: Regex,
    /// The group of each slot.
    groups: Vec<usize>,
    locations: CaptureLocations,
}

impl RegexDecoder {
    /// Creates a decoder of these fields, by slot.
    ///
    /// # Errors
    /// As [`compile`], and for a field that is no group.
    pub(crate) fn new<S: AsRef<str>>(text: &str, fields: &[S]) -> Result<Self, Error> {
        let regex = compile(text)?;
        let groups: Vec<(usize, &str)> = regex
            .capture_names()
            .enumerate()
            .filter_map(|(group, name)| Some((group, name?)))
            .collect();
        let known: Vec<&str> = groups.iter().map(|(_, name)| *name).collect();
        let find = |field: &S| {
            let group = groups.iter().find(|(_, name)| *name == field.as_ref());
            group.map(|(group, _)| *group).ok_or_else(|| {
                names::unknown(field.as_ref(), &known, "the expression has the groups")
            })
        };
        let groups = fields.iter().map(find).collect::<Result<_, _>>()?;
        Ok(RegexDecoder { locations: regex.capture_locations(), regex, groups })
    }

    /// Sets the fields of the line, which begins at `start` in the row's source.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<(), DecodeError> {
        let Ok(text) = simdutf8::basic::from_utf8(line) else { return Err(DecodeError::NotUtf8) };
        if self.regex.captures_read(&mut self.locations, text).is_none() {
            let what = "the expression is not found in it";
            return Err(DecodeError::LogLine { line: "line of --regex", what });
        }
        for (slot, group) in self.groups.iter().enumerate() {
            if let Some((from, to)) = self.locations.get(*group).filter(|(from, to)| from < to) {
                row.set_untyped(slot, start + from..start + to);
            }
        }
        Ok(())
    }
}

/// Compiles an expression with named groups.
///
/// # Errors
/// [`ErrorKind::Parse`] if it is no regular expression, is too large, or has no named group.
pub(super) fn compile(text: &str) -> Result<Regex, Error> {
    let built =
        RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build();
    let regex = built.map_err(|error| {
        let message = format!("not a regular expression that can be used: {error}");
        Error::new(ErrorKind::Parse, message)
    })?;
    match regex.capture_names().flatten().next() {
        Some(_) => Ok(regex),
        None => {
            let message = "no group of the expression has a name, such as (?<status>\\d+)";
            Err(Error::new(ErrorKind::Parse, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_needs_a_named_group_and_is_bounded() {
        for (text, words) in [
            ("(\\d+)", "no group"),
            ("(?<a>", "not a regular expression"),
            ("(?<a>(\\w{100}){100})", "not a regular expression"),
        ] {
            let error = compile(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(RegexDecoder::new("(?<a>x)", &["b"]).is_err());
    }
}
