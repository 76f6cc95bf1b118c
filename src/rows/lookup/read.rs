//! From the bytes of a file to the rows of a lookup.

use super::table::Table;
use crate::error::{Error, ErrorKind};
use crate::formats::csv::{CsvDecoder, blank_line, first_record, quoting};
use crate::formats::names::unknown;
use crate::hash::{Seed, hash_bytes};
use crate::limits::Limits;
use crate::row::json_array::with_value;
use crate::row::{Block, Row, Value};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Maximum bytes of a lookup, whatever the limits say: positions in its text have 32 bits, and keys
/// are there twice.
const BYTES_MAX: usize = 1 << 30;

/// Maximum number of columns.
const COLUMNS_MAX: usize = 1_000;

/// Reads CSV with a header, or TSV.
pub(super) fn read_csv(
    (bytes, delimiter): (&[u8], u8),
    key: &str,
    limits: &Limits,
) -> Result<Table, Error> {
    let text = text(bytes, limits)?.as_bytes();
    let mut place = Place { at: 0, line: 1 };
    place.pass_blank_lines(text);
    let rest = text.get(place.at..).unwrap_or_default();
    let quoting = quoting(rest, delimiter.into());
    let Some((header, length)) = first_record(rest, delimiter.into(), quoting) else {
        return Err(wrong(place.line, "the quote of a name is not closed"));
    };
    let decoder = CsvDecoder::new(&header, &header, delimiter);
    let decoder = decoder.map_err(|error| wrong(place.line, error.message()))?;
    let mut decoder = decoder.with_quoting(quoting);
    let mut table = table(header, (bytes, key))?;
    let (mut row, block) =
        (Row::new(table.columns().len()), Block::from(Bytes::copy_from_slice(text)));
    place.advance(text, place.at + length);
    while place.at < text.len() {
        row.begin_in(&block);
        let end = decoder.record(text, place.at, &mut row);
        let end = end.map_err(|(error, _)| wrong(place.line, error))?;
        check_rows(&table, place.line, limits)?;
        for slot in 0..row.slots() {
            table.push(place.line, row.value(slot))?;
        }
        table.end_row(place.line)?;
        place.advance(text, end);
    }
    Ok(table)
}

/// Reads JSON Lines. The columns are the members of all objects.
pub(super) fn read_json_lines(bytes: &[u8], key: &str, limits: &Limits) -> Result<Table, Error> {
    let lines = text(bytes, limits)?.lines().zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    let mut columns = BTreeSet::new();
    for (text, line) in lines.clone() {
        columns.extend(members(text, line)?.into_keys());
        if columns.len() > COLUMNS_MAX {
            let message = format!("line {line}: there are more than {COLUMNS_MAX} columns");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
    }
    let mut table = table(columns.into_iter().collect(), (bytes, key))?;
    for (text, line) in lines {
        check_rows(&table, line, limits)?;
        let object = members(text, line)?;
        for column in 0..table.columns().len() {
            let member = table.columns().get(column).and_then(|name| object.get(name));
            match member {
                Some(member) => with_value(member.get(), |value| table.push(line, value))?,
                None => table.push(line, Value::Missing)?,
            }
        }
        table.end_row(line)?;
    }
    Ok(table)
}

/// Returns the members of a JSON object.
fn members(text: &str, line: u32) -> Result<BTreeMap<String, &RawValue>, Error> {
    serde_json::from_str(text).map_err(|error| {
        wrong(line, format!("column {}: a JSON object is expected", error.column()))
    })
}

/// A position in a text.
struct Place {
    at: usize,
    line: u32,
}

impl Place {
    /// Goes to the end of a record, and past the blank lines behind it.
    fn advance(&mut self, text: &[u8], end: usize) {
        let passed = text.get(self.at..end).unwrap_or_default();
        // A text of `BYTES_MAX` has fewer lines than 2^32.
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u32;
        self.at = end;
        self.pass_blank_lines(text);
    }

    fn pass_blank_lines(&mut self, text: &[u8]) {
        while let Some(length) = blank_line(text.get(self.at..).unwrap_or_default()) {
            self.at += length;
            self.line += 1;
        }
    }
}

/// Returns the text without a byte order mark.
fn text<'b>(bytes: &'b [u8], limits: &Limits) -> Result<&'b str, Error> {
    let limit = limits.lookup_bytes_max.min(BYTES_MAX);
    if bytes.len() > limit {
        let found = bytes.len();
        let message = format!("takes {found} bytes, over the limit of {limit} bytes for a lookup");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        wrong(lines as u32 + 1, "the text is not UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Creates an empty table with these columns, for the bytes that its rows come from.
fn table(columns: Vec<String>, (bytes, key): (&[u8], &str)) -> Result<Table, Error> {
    let Some(column) = columns.iter().position(|name| name == key) else {
        return Err(unknown(key, &columns, "the columns are"));
    };
    let fingerprint = hash_bytes(Seed::new(hash_bytes(Seed::new(0), key.as_bytes())), bytes);
    Ok(Table::new(columns, column, fingerprint))
}

fn check_rows(table: &Table, line: u32, limits: &Limits) -> Result<(), Error> {
    let limit = limits.lookup_rows_max;
    if table.rows() < limit {
        return Ok(());
    }
    let message = format!("line {line}: a lookup has at most {limit} rows");
    Err(Error::new(ErrorKind::LimitExceeded, message))
}

fn wrong(line: u32, why: impl Display) -> Error {
    Error::new(ErrorKind::Parse, format!("line {line}: {why}"))
}
