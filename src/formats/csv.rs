//! CSV and TSV according to RFC 4180, in one pass without copying.
//!
//! The first record that is not blank is the header. A field that begins with a quote is quoted: it
//! may contain delimiters, line ends and doubled quotes, and text after its closing quote belongs
//! to it. A quote anywhere else is an ordinary byte. Lines end with `\n` or `\r\n`; blank lines are
//! ignored. The `csv` crate, the oracle of the tests, does all of this in the same way. Two rules
//! are stricter, because a guess would shift columns or swallow records:
//! - a record with more or fewer fields than the header is a dead letter;
//! - if a quote is not closed within the limit of a record, or before the end of the input, its
//!   line is a dead letter, and decoding continues at the next line.
//!
//! TSV as databases write it has no quotes, so a quote in TSV is an ordinary byte. There are two
//! exceptions: a file whose header has a quoted field is quoted like CSV; and a field is quoted if
//! its quotes are on one line, at its beginning and its end, with a tab or a doubled quote between
//! them.
//!
//! Values are untyped: CSV does not distinguish text from numbers.

use crate::error::{Error, ErrorKind};
use crate::formats::beginning::Beginning;
use crate::formats::csv_dialect::{CsvDialect, CsvSyntax, with_decimal_point};
use crate::formats::decode_error::DecodeError;
use crate::formats::names;
use crate::row::Row;
use std::ops::Range;

/// The meaning of a quote at the beginning of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quoting {
    /// The field is quoted: RFC 4180.
    Csv,
    /// The field is quoted only if its line is unambiguous, as in TSV.
    Certain,
}

/// Decodes CSV records into rows.
#[derive(Clone, Debug)]
pub struct CsvDecoder {
    syntax: CsvSyntax,
    quoting: Quoting,
    /// True if the first record is the header.
    header: bool,
    decimal_comma: bool,
    /// For each column of the header, the first slot that it fills. `also` may contain more slots.
    slots: Vec<Option<usize>>,
    /// Further slots of a column, if a pipeline names a field twice.
    also: Vec<(usize, usize)>,
    scratch: String,
    /// True if the last record had a quoted field, so that it may span lines.
    quoted: bool,
}

impl CsvDecoder {
    /// Creates a decoder for these fields, by slot, of records with this header.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a field that the header does not have, which names the
    /// nearest one, or for a field that it has twice.
    pub fn new<S: AsRef<str>>(
        header: &[String],
        fields: &[S],
        delimiter: u8,
    ) -> Result<Self, Error> {
        let mut decoder = CsvDecoder {
            syntax: delimiter.into(),
            quoting: Quoting::Csv,
            header: true,
            decimal_comma: false,
            slots: vec![None; header.len()],
            also: Vec::new(),
            scratch: String::new(),
            quoted: false,
        };
        for (slot, field) in fields.iter().enumerate() {
            let field = field.as_ref();
            let mut columns = header
                .iter()
                .enumerate()
                .filter(|(_, name)| *name == field)
                .map(|(column, _)| column);
            let column =
                columns.next().ok_or_else(|| names::unknown(field, header, "the header has"))?;
            if let Some(other) = columns.next() {
                let message = format!(
                    "the header has the field {field:?} twice, as columns {} and {}",
                    column + 1,
                    other + 1
                );
                return Err(Error::invalid(message));
            }
            match decoder.slots[column] {
                None => decoder.slots[column] = Some(slot),
                Some(_) => decoder.also.push((column, slot)),
            }
        }
        Ok(decoder)
    }

    /// Sets the dialect.
    pub(crate) fn with_dialect(mut self, dialect: CsvDialect) -> Self {
        self.syntax = dialect.into();
        (self.header, self.decimal_comma) = (dialect.header, dialect.decimal_comma);
        self
    }

    /// Returns true if the first record is the header.
    pub(crate) fn has_header(&self) -> bool {
        self.header
    }

    /// Returns the length of a blank or comment line at the start of the bytes, including its line
    /// end.
    #[inline]
    pub(crate) fn passed_line(&self, bytes: &[u8]) -> Option<usize> {
        passed_line(bytes, self.syntax)
    }

    /// Sets the meaning of quotes.
    pub(crate) fn with_quoting(mut self, quoting: Quoting) -> Self {
        self.quoting = quoting;
        self
    }

    /// Decodes the record at `start` of `bytes`, which must be the row's source, into the row.
    /// Returns the offset after its line end.
    ///
    /// # Errors
    /// The decode error, and the offset at which decoding continues.
    pub(crate) fn record(
        &mut self,
        bytes: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<usize, (DecodeError, usize)> {
        let (mut at, mut column) = (start, 0);
        self.quoted = false;
        loop {
            let end = if is_quote(bytes, at, self.syntax) {
                match self.set_after_quote(bytes, (at, column), row) {
                    Some(end) => end,
                    None => {
                        return Err((
                            DecodeError::QuoteNotClosed { field: column + 1 },
                            line_end(bytes, start) + 1,
                        ));
                    }
                }
            } else {
                let end = field_stop(bytes, at, self.syntax.delimiter);
                self.set(bytes, column, without_return(bytes, at, end), row);
                end
            };
            column += 1;
            at = end + 1;
            if bytes.get(end) != Some(&self.syntax.delimiter) {
                break;
            }
        }
        let at = at.min(bytes.len());
        if column == self.slots.len() {
            Ok(at)
        } else {
            Err((DecodeError::FieldCount { found: column, expected: self.slots.len() }, at))
        }
    }

    /// Returns the number of lines of the last record, given its bytes.
    pub(crate) fn lines_of(&self, record: &[u8]) -> u64 {
        if self.quoted { memchr::memchr_iter(b'\n', record).count().max(1) as u64 } else { 1 }
    }

    #[inline]
    fn set(&mut self, bytes: &[u8], column: usize, range: Range<usize>, row: &mut Row) {
        let Some(Some(slot)) = self.slots.get(column) else { return };
        if self.decimal_comma && with_decimal_point(&bytes[range.clone()], &mut self.scratch) {
            row.set_unescaped(*slot, &self.scratch);
            for (_, slot) in self.also.iter().filter(|(other, _)| *other == column) {
                row.set_unescaped(*slot, &self.scratch);
            }
            return;
        }
        row.set_untyped(*slot, range.clone());
        for (_, slot) in self.also.iter().filter(|(other, _)| *other == column) {
            row.set_untyped(*slot, range.clone());
        }
    }

    /// Sets the field that begins with a quote at `at`. Returns the offset of the byte that ends
    /// it, or `None` if the quote is not closed.
    #[inline]
    fn set_after_quote(
        &mut self,
        bytes: &[u8],
        (at, column): (usize, usize),
        row: &mut Row,
    ) -> Option<usize> {
        match self.quoting.field(bytes, at, self.syntax) {
            Some(field) => {
                self.quoted |= self.quoting == Quoting::Csv;
                self.set_quoted(bytes, &field, column, row);
                Some(field.end)
            }
            None if self.quoting == Quoting::Csv => None,
            None => {
                let end = field_stop(bytes, at, self.syntax.delimiter);
                self.set(bytes, column, without_return(bytes, at, end), row);
                Some(end)
            }
        }
    }

    fn set_quoted(&mut self, bytes: &[u8], field: &QuotedField, column: usize, row: &mut Row) {
        let Some(Some(slot)) = self.slots.get(column) else { return };
        if field.is_plain() {
            return self.set(bytes, column, field.inside.clone(), row);
        }
        field.write_text(bytes, self.syntax.quote, &mut self.scratch);
        row.set_unescaped(*slot, &self.scratch);
        for (_, slot) in self.also.iter().filter(|(other, _)| *other == column) {
            row.set_unescaped(*slot, &self.scratch);
        }
    }
}

/// A quoted field.
struct QuotedField {
    /// The text between the quotes.
    inside: Range<usize>,
    /// The text after the closing quote, up to `end` without a carriage return.
    tail: Range<usize>,
    /// True if there are doubled quotes.
    doubled: bool,
    /// The offset of the delimiter or newline after the field, or of the end.
    end: usize,
}

impl QuotedField {
    fn is_plain(&self) -> bool {
        !self.doubled && self.tail.is_empty()
    }

    /// Writes the field's text with single quotes for doubled ones. Replaces bytes that are not
    /// UTF-8, because the caller refuses such a record in any case.
    fn write_text(&self, bytes: &[u8], quote: u8, text: &mut String) {
        text.clear();
        let mut rest = String::from_utf8_lossy(&bytes[self.inside.clone()]).into_owned();
        if self.doubled {
            let one = char::from(quote);
            rest = rest.replace(&format!("{one}{one}"), &one.to_string());
        }
        text.push_str(&rest);
        text.push_str(&String::from_utf8_lossy(&bytes[self.tail.clone()]));
    }
}

/// Finds the quoted field whose opening quote is at `open_at`; `None` if it is not closed.
fn quoted_field(bytes: &[u8], open_at: usize, syntax: CsvSyntax) -> Option<QuotedField> {
    let (mut at, mut doubled) = (open_at + 1, false);
    let close_at = loop {
        let quote_at = at + memchr::memchr(syntax.quote, bytes.get(at..)?)?;
        if bytes.get(quote_at + 1) != Some(&syntax.quote) {
            break quote_at;
        }
        doubled = true;
        at = quote_at + 2;
    };
    let end = field_stop(bytes, close_at + 1, syntax.delimiter);
    Some(QuotedField {
        inside: open_at + 1..close_at,
        tail: without_return(bytes, close_at + 1, end),
        doubled,
        end,
    })
}

impl Quoting {
    /// Finds the quoted field whose opening quote is at `open_at`; `None` if it is not closed or is
    /// not a quoted field.
    #[inline]
    fn field(self, bytes: &[u8], open_at: usize, syntax: CsvSyntax) -> Option<QuotedField> {
        match self {
            Quoting::Csv => quoted_field(bytes, open_at, syntax),
            Quoting::Certain => {
                let line = &bytes[..line_end(bytes, open_at)];
                let field = quoted_field(line, open_at, syntax)?;
                let is_needed = field.doubled
                    || memchr::memchr(syntax.delimiter, &bytes[field.inside.clone()]).is_some();
                (field.tail.is_empty() && is_needed).then_some(field)
            }
        }
    }
}

/// Returns the meaning of quotes in text with this header. In TSV it is [`Quoting::Certain`],
/// unless the header has a quoted field.
pub(crate) fn quoting(bytes: &[u8], syntax: CsvSyntax) -> Quoting {
    let delimiter = syntax.delimiter;
    if !syntax.certain {
        return Quoting::Csv;
    }
    let line = &bytes[..line_end(bytes, 0)];
    let (mut at, mut is_quoted) = (0, false);
    loop {
        let end = if is_quote(line, at, syntax) {
            let Some(field) = quoted_field(line, at, syntax).filter(|field| field.tail.is_empty())
            else {
                return Quoting::Certain;
            };
            is_quoted = true;
            field.end
        } else {
            field_stop(line, at, delimiter)
        };
        at = end + 1;
        if end == line.len() {
            return if is_quoted { Quoting::Csv } else { Quoting::Certain };
        }
    }
}

/// Returns the range without the carriage return of a `\r\n` at its end.
#[inline]
fn without_return(bytes: &[u8], start: usize, end: usize) -> Range<usize> {
    let before_newline = bytes.get(end).is_none_or(|byte| *byte == b'\n');
    if before_newline && end > start && bytes.get(end - 1) == Some(&b'\r') {
        start..end - 1
    } else {
        start..end
    }
}

/// Returns the first offset from `at` on with the delimiter or a newline, or the end.
#[inline]
fn field_stop(bytes: &[u8], mut at: usize, delimiter: u8) -> usize {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    const NEWLINES: u64 = u64::from_le_bytes([b'\n'; 8]);
    let delimiters = u64::from_le_bytes([delimiter; 8]);
    // Most fields are short: for them a word in a register is faster than a call of memchr.
    while let Some(chunk) = bytes.get(at..).and_then(|ahead| ahead.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let hits = ((word ^ delimiters).wrapping_sub(ONES) | (word ^ NEWLINES).wrapping_sub(ONES))
            & !word
            & HIGHS;
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

/// Returns the fields of the first record as text, and the offset after its line end. `None` if a
/// quote is not closed.
pub(crate) fn first_record(
    bytes: &[u8],
    syntax: CsvSyntax,
    quoting: Quoting,
) -> Option<(Vec<String>, usize)> {
    let delimiter = syntax.delimiter;
    let (mut fields, mut at) = (Vec::new(), 0);
    let mut text = String::new();
    loop {
        let quoted =
            if is_quote(bytes, at, syntax) { quoting.field(bytes, at, syntax) } else { None };
        let end = if let Some(field) = quoted {
            field.write_text(bytes, syntax.quote, &mut text);
            fields.push(text.clone());
            field.end
        } else if quoting == Quoting::Csv && is_quote(bytes, at, syntax) {
            return None;
        } else {
            let end = field_stop(bytes, at, delimiter);
            fields
                .push(String::from_utf8_lossy(&bytes[without_return(bytes, at, end)]).into_owned());
            end
        };
        at = end + 1;
        if bytes.get(end) != Some(&delimiter) {
            return Some((fields, at.min(bytes.len())));
        }
    }
}

/// The end of the whole records in the bytes read so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cut {
    /// The offset after the last whole record.
    pub(crate) end: usize,
    /// True if the record after it is longer than the limit.
    pub(crate) too_long: bool,
}

/// Finds the end of the last whole record.
///
/// A record longer than `record_bytes_max` ends the search before it, closed or not. Records
/// without a quote are skipped line by line and not measured; their length is checked when they are
/// decoded.
pub(crate) fn cut(bytes: &[u8], syntax: CsvSyntax, record_bytes_max: usize) -> Cut {
    let mut start = 0;
    loop {
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(quote_at) = memchr::memchr(syntax.quote, rest) else {
            let end = memchr::memrchr(b'\n', rest).map_or(start, |newline| start + newline + 1);
            return Cut { end, too_long: bytes.len() - end > record_bytes_max };
        };
        start += memchr::memrchr(b'\n', &rest[..quote_at]).map_or(0, |newline| newline + 1);
        let Some(next) = record_end(bytes, start, syntax) else {
            return Cut { end: start, too_long: bytes.len() - start > record_bytes_max };
        };
        if next - 1 - start > record_bytes_max {
            return Cut { end: start, too_long: true };
        }
        start = next;
    }
}

/// Returns the offset after the newline that ends the record at `start`; `None` if the record
/// goes on past the bytes.
fn record_end(bytes: &[u8], start: usize, syntax: CsvSyntax) -> Option<usize> {
    if syntax.is_comment(bytes, start) {
        return Some(start + memchr::memchr(b'\n', &bytes[start..])? + 1);
    }
    let mut at = start;
    loop {
        let end = match bytes.get(at) {
            Some(_) if is_quote(bytes, at, syntax) => quoted_field(bytes, at, syntax)?.end,
            _ => field_stop(bytes, at, syntax.delimiter),
        };
        at = end + 1;
        if *bytes.get(end)? == b'\n' {
            return Some(at);
        }
    }
}

/// The header of an input, after blank lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HeaderLine {
    pub(crate) names: Vec<String>,
    pub(crate) quoting: Quoting,
}

/// Reads the header at the beginning of an input. Returns `Ok(None)` if it needs more bytes.
/// Without a record the list of names is empty.
///
/// # Errors
/// [`ErrorKind::Parse`] if the header is longer than the examined bytes, has a quote that is not
/// closed, is not UTF-8, has a carriage return that is not part of a line end, or is a comment.
pub(crate) fn header(
    beginning: Beginning<'_>,
    dialect: CsvDialect,
) -> Result<Option<HeaderLine>, Error> {
    let syntax = CsvSyntax::from(dialect);
    let mut bytes = beginning.bytes;
    while let Some(len) = passed_line(bytes, syntax) {
        bytes = &bytes[len..];
    }
    let quoting = quoting(bytes, syntax);
    if bytes.is_empty() {
        return Ok(beginning.is_all().then(|| HeaderLine { names: Vec::new(), quoting }));
    }
    let unreadable = |what: &str| {
        Err(Error::new(ErrorKind::Parse, format!("the header line cannot be read: {what}")))
    };
    let record = first_record(bytes, syntax, quoting);
    let ends = record.as_ref().is_some_and(|(_, len)| bytes.get(len - 1) == Some(&b'\n'));
    if !ends && !beginning.is_all() {
        return Ok(None);
    }
    let Some((names, len)) = record else { return unreadable("a quote is not closed") };
    if simdutf8::basic::from_utf8(&bytes[..len]).is_err() {
        return unreadable("it is not UTF-8: iconv -f ENCODING -t UTF-8 FILE | streamgauge run");
    }
    if !ends && !beginning.is_whole {
        return unreadable(&format!("it is longer than {} bytes", bytes.len()));
    }
    if !dialect.header {
        let names = (1..=names.len()).map(|column| format!("c{column}")).collect();
        return Ok(Some(HeaderLine { names, quoting }));
    }
    if let Some(way_out) = stray_return(&names) {
        return unreadable(&format!(
            "it has a carriage return (\\r) that is not part of a line end: {way_out}"
        ));
    }
    if let [name] = &names[..]
        && name.starts_with('#')
        && name.contains(' ')
    {
        return unreadable("it is a comment: --comment '#' passes over such lines");
    }
    Ok(Some(HeaderLine { names, quoting }))
}

/// Returns the command that repairs a header with a carriage return that does not end a line;
/// `None` if there is no such carriage return.
fn stray_return(names: &[String]) -> Option<&'static str> {
    let is_stray = |name: &&String| name.split("\r\n").any(|part| part.contains('\r'));
    let stray = names.iter().find(is_stray)?;
    let is_at_end =
        names.last() == Some(stray) && stray.trim_end_matches('\r').find('\r').is_none();
    Some(if is_at_end {
        "tr -d '\\r' < FILE | streamgauge run"
    } else {
        "tr '\\r' '\\n' < FILE | streamgauge run"
    })
}

/// Returns the bytes after leading blank lines.
pub(crate) fn without_blank_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(len) = blank_line(bytes) {
        bytes = &bytes[len..];
    }
    bytes
}

/// Returns the length of a blank line at the start of the bytes, including its line end.
pub(crate) fn blank_line(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// Returns the length of a blank or comment line at the start of the bytes, including its line end.
/// A comment line without an end is not passed over.
#[inline]
pub(super) fn passed_line(bytes: &[u8], syntax: CsvSyntax) -> Option<usize> {
    if syntax.is_comment(bytes, 0) {
        return memchr::memchr(b'\n', bytes).map(|end| end + 1);
    }
    blank_line(bytes)
}

/// Returns true if a quoted field begins at `at`, where a field begins.
#[inline]
fn is_quote(bytes: &[u8], at: usize, syntax: CsvSyntax) -> bool {
    bytes.get(at) == Some(&syntax.quote) && syntax.quote != 0
}
