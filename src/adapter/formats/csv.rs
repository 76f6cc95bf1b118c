//! CSV and TSV: RFC 4180, in one pass, without copying.
//!
//! The first record that is not blank is the header. A field that begins with a quote is quoted: it may hold delimiters, line
//! ends and doubled quotes; text after its closing quote belongs to it. A quote anywhere else is a byte like any other. Lines
//! end with `\n` or `\r\n`; blank ones are passed over. All that is as the `csv` crate does it, which is the oracle of the tests.
//! Two things are stricter, because guessing would shift columns or swallow records:
//! - a record with more or fewer fields than the header is a dead letter;
//! - a quote that is not closed within the limit of a record, or before the end of the input, makes its line a dead letter, and
//!   reading goes on at the next line.
//!
//! Values are untyped: CSV does not tell text from numbers.

use crate::adapter::formats::flaw::Flaw;
use crate::adapter::formats::names;
use crate::error::{Error, ErrorKind};
use crate::spec::Row;
use std::ops::Range;

/// Reads CSV records into rows.
#[derive(Clone, Debug)]
pub struct CsvDecoder {
    delimiter: u8,
    /// For each column of the header the first slot it fills, and whether there are more in `also`.
    slots: Vec<Option<usize>>,
    /// Further slots of the same column, when a pipeline names a field twice.
    also: Vec<(usize, usize)>,
    scratch: String,
    /// Whether the last record had a quoted field, so that it may span lines.
    quoted: bool,
}

impl CsvDecoder {
    /// A decoder for these fields, by slot, of records under this header.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a field that the header lacks, naming the nearest, or one that it has twice.
    pub fn new<S: AsRef<str>>(header: &[String], fields: &[S], delimiter: u8) -> Result<Self, Error> {
        let mut decoder =
            CsvDecoder { delimiter, slots: vec![None; header.len()], also: Vec::new(), scratch: String::new(), quoted: false };
        for (slot, field) in fields.iter().enumerate() {
            let field = field.as_ref();
            let mut columns = header.iter().enumerate().filter(|(_, name)| *name == field).map(|(column, _)| column);
            let column = columns.next().ok_or_else(|| names::unknown(field, header, "the header has"))?;
            if let Some(other) = columns.next() {
                let message = format!("the header has the field {field:?} twice, as columns {} and {}", column + 1, other + 1);
                return Err(Error::invalid(message));
            }
            match decoder.slots[column] {
                None => decoder.slots[column] = Some(slot),
                Some(_) => decoder.also.push((column, slot)),
            }
        }
        Ok(decoder)
    }

    /// Reads the record at `start` of `bytes`, which must hold the row's source, into the row; returns the offset after its line
    /// end.
    ///
    /// # Errors
    /// The flaw, and the offset at which reading goes on.
    pub(crate) fn record(&mut self, bytes: &[u8], start: usize, row: &mut Row) -> Result<usize, (Flaw, usize)> {
        let (mut at, mut column) = (start, 0);
        self.quoted = false;
        loop {
            let end = if bytes.get(at) == Some(&b'"') {
                self.quoted = true;
                match quoted_field(bytes, at, self.delimiter) {
                    Some(field) => {
                        self.set_quoted(bytes, &field, column, row);
                        field.end
                    }
                    None => return Err((Flaw::QuoteNotClosed { field: column + 1 }, line_end(bytes, start) + 1)),
                }
            } else {
                let end = field_stop(bytes, at, self.delimiter);
                self.set(column, without_return(bytes, at, end), row);
                end
            };
            column += 1;
            at = end + 1;
            if bytes.get(end) != Some(&self.delimiter) {
                break;
            }
        }
        let at = at.min(bytes.len());
        if column == self.slots.len() { Ok(at) } else { Err((Flaw::FieldCount { found: column, expected: self.slots.len() }, at)) }
    }

    /// How many lines the record read last took, given its bytes.
    pub(crate) fn lines_of(&self, record: &[u8]) -> u64 {
        if self.quoted { memchr::memchr_iter(b'\n', record).count().max(1) as u64 } else { 1 }
    }

    #[inline]
    fn set(&self, column: usize, range: Range<usize>, row: &mut Row) {
        let Some(Some(slot)) = self.slots.get(column) else { return };
        row.set_untyped(*slot, range.clone());
        for (_, slot) in self.also.iter().filter(|(other, _)| *other == column) {
            row.set_untyped(*slot, range.clone());
        }
    }

    fn set_quoted(&mut self, bytes: &[u8], field: &QuotedField, column: usize, row: &mut Row) {
        let Some(Some(slot)) = self.slots.get(column) else { return };
        if field.is_plain() {
            return self.set(column, field.inside.clone(), row);
        }
        field.write_text(bytes, &mut self.scratch);
        row.set_unescaped(*slot, &self.scratch);
        for (_, slot) in self.also.iter().filter(|(other, _)| *other == column) {
            row.set_unescaped(*slot, &self.scratch);
        }
    }
}

/// A quoted field.
struct QuotedField {
    /// Between the quotes.
    inside: Range<usize>,
    /// After the closing quote, up to `end` but for a carriage return.
    tail: Range<usize>,
    /// Whether there are doubled quotes.
    doubled: bool,
    /// The offset of the delimiter or newline after it, or of the end.
    end: usize,
}

impl QuotedField {
    fn is_plain(&self) -> bool {
        !self.doubled && self.tail.is_empty()
    }

    /// Writes the field's text with its doubled quotes made single. Bytes that are not UTF-8 are replaced: the caller refuses
    /// such a record anyway.
    fn write_text(&self, bytes: &[u8], text: &mut String) {
        text.clear();
        let mut rest = String::from_utf8_lossy(&bytes[self.inside.clone()]).into_owned();
        if self.doubled {
            rest = rest.replace("\"\"", "\"");
        }
        text.push_str(&rest);
        text.push_str(&String::from_utf8_lossy(&bytes[self.tail.clone()]));
    }
}

/// The quoted field whose opening quote is at `open_at`; `None` if it is not closed.
fn quoted_field(bytes: &[u8], open_at: usize, delimiter: u8) -> Option<QuotedField> {
    let (mut at, mut doubled) = (open_at + 1, false);
    let close_at = loop {
        let quote_at = at + memchr::memchr(b'"', bytes.get(at..)?)?;
        if bytes.get(quote_at + 1) != Some(&b'"') {
            break quote_at;
        }
        doubled = true;
        at = quote_at + 2;
    };
    let end = field_stop(bytes, close_at + 1, delimiter);
    Some(QuotedField { inside: open_at + 1..close_at, tail: without_return(bytes, close_at + 1, end), doubled, end })
}

/// The range without the carriage return of a `\r\n` at its end.
#[inline]
fn without_return(bytes: &[u8], start: usize, end: usize) -> Range<usize> {
    let before_newline = bytes.get(end).is_none_or(|byte| *byte == b'\n');
    if before_newline && end > start && bytes.get(end - 1) == Some(&b'\r') { start..end - 1 } else { start..end }
}

/// The first offset from `at` on with the delimiter or a newline, or the end.
#[inline]
fn field_stop(bytes: &[u8], mut at: usize, delimiter: u8) -> usize {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    const NEWLINES: u64 = u64::from_le_bytes([b'\n'; 8]);
    let delimiters = u64::from_le_bytes([delimiter; 8]);
    // Fields are short as a rule: a word at a time in a register beats a call of memchr.
    while let Some(chunk) = bytes.get(at..).and_then(|ahead| ahead.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let hits = ((word ^ delimiters).wrapping_sub(ONES) | (word ^ NEWLINES).wrapping_sub(ONES)) & !word & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| *byte != delimiter && *byte != b'\n') {
        at += 1;
    }
    at
}

fn line_end(bytes: &[u8], start: usize) -> usize {
    memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end)
}

/// The fields of the first record as text, and the offset after its line end; `None` if a quote is not closed.
pub(crate) fn first_record(bytes: &[u8], delimiter: u8) -> Option<(Vec<String>, usize)> {
    let (mut fields, mut at) = (Vec::new(), 0);
    let mut text = String::new();
    loop {
        let end = if bytes.get(at) == Some(&b'"') {
            let field = quoted_field(bytes, at, delimiter)?;
            field.write_text(bytes, &mut text);
            fields.push(text.clone());
            field.end
        } else {
            let end = field_stop(bytes, at, delimiter);
            fields.push(String::from_utf8_lossy(&bytes[without_return(bytes, at, end)]).into_owned());
            end
        };
        at = end + 1;
        if bytes.get(end) != Some(&delimiter) {
            return Some((fields, at.min(bytes.len())));
        }
    }
}

/// Whether the first record looks like a header of at least two columns; see [`Format::detect`](super::Format::detect).
pub(crate) fn has_header(bytes: &[u8], delimiter: u8) -> bool {
    let Some((header, next)) = first_record(bytes, delimiter) else { return false };
    let mut names: Vec<&str> = header.iter().map(|name| name.trim()).collect();
    let nameless = names.iter().skip(1).any(|name| name.is_empty());
    let binary = header.iter().any(|name| name.contains(|char: char| char.is_control() && char != '\n' && char != '\r'));
    if names.len() < 2 || nameless || binary {
        return false;
    }
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return false;
    }
    // The last record may be cut off by the end of the bytes that were looked at; it is not held against the header then.
    let second = bytes.get(next..).filter(|rest| memchr::memchr(b'\n', rest).is_some()).and_then(|rest| first_record(rest, delimiter));
    let as_wide = second.is_some_and(|(fields, _)| fields.len() == header.len());
    as_wide || !header.iter().any(|name| name.trim_start().starts_with(|c: char| c.is_ascii_digit()))
}

/// How far the records in the bytes read so far are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cut {
    /// The offset after the last whole record.
    pub(crate) end: usize,
    /// Whether the record there is known to be longer than the limit.
    pub(crate) too_long: bool,
}

/// Finds the end of the last whole record.
///
/// A record longer than `record_bytes_max` ends the search in front of it, whether it is closed or not. Records without a quote
/// are passed over a line at a time, and are not measured: their length is judged when they are decoded.
pub(crate) fn cut(bytes: &[u8], delimiter: u8, record_bytes_max: usize) -> Cut {
    let mut start = 0;
    loop {
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(quote_at) = memchr::memchr(b'"', rest) else {
            let end = memchr::memrchr(b'\n', rest).map_or(start, |newline| start + newline + 1);
            return Cut { end, too_long: bytes.len() - end > record_bytes_max };
        };
        start += memchr::memrchr(b'\n', &rest[..quote_at]).map_or(0, |newline| newline + 1);
        let Some(next) = record_end(bytes, start, delimiter) else {
            return Cut { end: start, too_long: bytes.len() - start > record_bytes_max };
        };
        if next - 1 - start > record_bytes_max {
            return Cut { end: start, too_long: true };
        }
        start = next;
    }
}

/// The offset after the newline that ends the record at `start`; `None` if there is none.
fn record_end(bytes: &[u8], start: usize, delimiter: u8) -> Option<usize> {
    let mut at = start;
    loop {
        let end = match bytes.get(at) {
            Some(b'"') => quoted_field(bytes, at, delimiter)?.end,
            _ => field_stop(bytes, at, delimiter),
        };
        at = end + 1;
        if *bytes.get(end)? == b'\n' {
            return Some(at);
        }
    }
}

/// The header of a file, and the offset of the first record; blank lines in front of it are passed over.
///
/// # Errors
/// [`ErrorKind::Parse`] if the header does not end within the bytes given although more are to come (`ended` is false), if its
/// quotes are not closed, or if it is not UTF-8.
pub(crate) fn header(bytes: &[u8], delimiter: u8, ended: bool) -> Result<Option<(Vec<String>, usize)>, Error> {
    let mut start = 0;
    while let Some(len) = blank_line(&bytes[start..]) {
        start += len;
    }
    if start == bytes.len() {
        return Ok(None);
    }
    let unreadable = |what: &str| Error::new(ErrorKind::Parse, format!("the header line cannot be read: {what}"));
    let (names, len) = first_record(&bytes[start..], delimiter).ok_or_else(|| unreadable("a quote is not closed"))?;
    if simdutf8::basic::from_utf8(&bytes[start..start + len]).is_err() {
        return Err(unreadable("it is not UTF-8"));
    }
    if !ended && bytes.get(start + len - 1) != Some(&b'\n') {
        return Err(unreadable(&format!("it is longer than {} bytes", bytes.len())));
    }
    Ok(Some((names, start + len)))
}

/// The length of a blank line at the start of the bytes, its line end included.
pub(crate) fn blank_line(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}
