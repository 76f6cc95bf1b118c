//! Names of the columns of a line, and of parts of columns, by which a pipeline asks for them.
//!
//! The parts of a line are found by the decoder of its format. Here they get their names: those of
//! the format's own documentation first, then, where they are free, the names that the same things
//! have in access logs (`host`, `time`, `method`, `path`, `status`, `bytes`, `referer`, `agent`).

use super::names;
use super::request::split_request;
use crate::error::Error;
use crate::row::Row;
use std::ops::Range;

/// What of a column a field is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Whole,
    /// Of a request line: its first word.
    Method,
    /// The text between method and protocol.
    Path,
    /// As `Path`, without the scheme and the host of a whole URL.
    UrlPath,
    /// The last word, if it begins with `HTTP/`.
    Protocol,
    /// The text before the last colon, such as the address of `10.0.0.1:8080`.
    Host,
    /// The text after the last colon.
    Port,
    /// From the beginning of the column before it: a date and the time of day after it.
    FromPrevious,
}

/// The names of columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    names: Vec<(String, usize, Part)>,
}

/// A field that a pipeline asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WantedColumn {
    slot: usize,
    column: usize,
    part: Part,
}

impl Columns {
    /// Returns true if there is a column or part with this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|(known, _, _)| known == name)
    }

    /// Names a column or a part of it, unless the name is taken.
    pub(super) fn name(&mut self, name: &str, column: usize, part: Part) {
        if !self.has(name) {
            self.names.push((name.to_owned(), column, part));
        }
    }

    /// Names the parts of a request line.
    pub(super) fn name_request(&mut self, column: usize, path: Part) {
        self.name("method", column, Part::Method);
        self.name("path", column, path);
        self.name("protocol", column, Part::Protocol);
    }

    /// Returns the column of each field, by slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that no column
    /// has. `have` introduces the list of those that they have.
    pub(super) fn wanted<S: AsRef<str>>(
        &self,
        fields: &[S],
        have: &str,
    ) -> Result<Vec<WantedColumn>, Error> {
        let all: Vec<&str> = self.names.iter().map(|(name, _, _)| name.as_str()).collect();
        let find = |(slot, field): (usize, &S)| {
            let found = self.names.iter().find(|(name, _, _)| name == field.as_ref());
            found
                .map(|(_, column, part)| WantedColumn { slot, column: *column, part: *part })
                .ok_or_else(|| names::unknown(field.as_ref(), &all, have))
        };
        fields.iter().enumerate().map(find).collect()
    }

    /// As [`wanted`](Columns::wanted), leaving out fields that no column has.
    pub(super) fn known<S: AsRef<str>>(&self, fields: &[S]) -> Vec<WantedColumn> {
        let found = |(slot, field): (usize, &S)| {
            let (_, column, part) =
                self.names.iter().find(|(name, _, _)| name == field.as_ref())?;
            Some(WantedColumn { slot, column: *column, part: *part })
        };
        fields.iter().enumerate().filter_map(found).collect()
    }
}

/// Sets the wanted fields of a line that begins at `start` in the row's source. `-` and nothing are
/// missing values.
pub(super) fn set_columns(
    wanted: &[WantedColumn],
    (line, start): (&[u8], usize),
    ranges: &[Range<usize>],
    row: &mut Row,
) {
    for field in wanted {
        let Some(range) = ranges.get(field.column) else { continue };
        let range = match field.part {
            Part::FromPrevious => {
                let Some(before) = field.column.checked_sub(1).and_then(|at| ranges.get(at)) else {
                    continue;
                };
                // A date and a time of day with a tab between them.
                if line.get(before.end) == Some(&b'\t') && !is_missing(&line[range.clone()]) {
                    let text = String::from_utf8_lossy(&line[before.start..range.end]);
                    row.set_unescaped(field.slot, &text.replace('\t', " "));
                    continue;
                }
                before.start..range.end
            }
            part => part_of(line, range, part),
        };
        if !is_missing(&line[range.clone()]) {
            row.set_untyped(field.slot, start + range.start..start + range.end);
        }
    }
}

fn is_missing(text: &[u8]) -> bool {
    matches!(text, b"" | b"-")
}

fn part_of(line: &[u8], range: &Range<usize>, part: Part) -> Range<usize> {
    let last_colon = || {
        memchr::memrchr(b':', &line[range.clone()]).map_or(range.end, |colon| range.start + colon)
    };
    match part {
        Part::Whole | Part::FromPrevious => range.clone(),
        Part::Host => range.start..last_colon(),
        Part::Port => (last_colon() + 1).min(range.end)..range.end,
        Part::Method | Part::Path | Part::Protocol => {
            let [method, path, protocol] = split_request(line, range);
            match part {
                Part::Method => method,
                Part::Path => path,
                _ => protocol,
            }
        }
        Part::UrlPath => {
            let [_, url, _] = split_request(line, range);
            let text = &line[url.clone()];
            let Some(scheme) = memchr::memmem::find(text, b"://") else { return url };
            let host_at = scheme + 3;
            let slash = memchr::memchr(b'/', &text[host_at..]).map(|slash| host_at + slash);
            slash.map_or(0..0, |slash| url.start + slash..url.end)
        }
    }
}
