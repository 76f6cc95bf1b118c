//! From a block of whole records to rows, one record at a time.
//!
//! A decoder needs nothing but its block: where blocks begin and end, and how lines are numbered across them, is the reader's
//! business. So blocks can be decoded by several threads, each with a decoder of its own, and put in order afterwards.

use crate::adapter::files::clf::ClfDecoder;
use crate::adapter::files::csv::{self, CsvDecoder};
use crate::adapter::files::flaw::Flaw;
use crate::adapter::files::json_scan::{JsonScanner, Scanned};
use crate::adapter::files::names;
use crate::error::Error;
use crate::spec::{Block, Row};

/// Where decoding stands in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cursor {
    /// The offset of the next record.
    pub(crate) offset: usize,
    /// Lines before it in the block.
    pub(crate) lines: u64,
}

/// What the next bytes of a block were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decoded {
    /// A record; the row holds it.
    Record,
    /// A blank line, which does not count as a record.
    Blank,
    /// Something that is not a record.
    Flawed(Flaw),
}

/// A decoder of any format.
#[derive(Clone, Debug)]
pub(crate) enum Decoder {
    JsonLines(Box<JsonScanner>),
    Csv(CsvDecoder),
    Clf(ClfDecoder),
    Lines(LineDecoder),
}

impl Decoder {
    /// Decodes the record at the cursor and moves the cursor after it.
    #[inline]
    pub(crate) fn next(&mut self, block: &Block, cursor: &mut Cursor, row: &mut Row) -> Decoded {
        match self {
            Decoder::JsonLines(scanner) => json(scanner, block, cursor, row),
            Decoder::Csv(decoder) => csv_record(decoder, block, cursor, row),
            Decoder::Clf(decoder) => {
                row.begin_in(block);
                let (start, end) = next_line(block, cursor);
                let line = &block.as_bytes()[start..end];
                if line.trim_ascii().is_empty() {
                    return Decoded::Blank;
                }
                decoder.line(line, start, row).map_or_else(Decoded::Flawed, |()| Decoded::Record)
            }
            Decoder::Lines(decoder) => {
                row.begin_in(block);
                let (start, end) = next_line(block, cursor);
                (0..decoder.slots).for_each(|slot| row.set_untyped(slot, start..end));
                Decoded::Record
            }
        }
    }
}

fn json(scanner: &mut JsonScanner, block: &Block, cursor: &mut Cursor, row: &mut Row) -> Decoded {
    let (bytes, start) = (block.as_bytes(), cursor.offset);
    cursor.lines += 1;
    let (end, decoded) = match scanner.scan(block, start, row) {
        Ok(Scanned::Record(end)) => (end, Decoded::Record),
        Ok(Scanned::Blank(end)) => (end, Decoded::Blank),
        Err(flaw) => {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end);
            (end, Decoded::Flawed(Flaw::json(flaw, start)))
        }
    };
    cursor.offset = (end + 1).min(bytes.len());
    decoded
}

fn csv_record(decoder: &mut CsvDecoder, block: &Block, cursor: &mut Cursor, row: &mut Row) -> Decoded {
    let (bytes, start) = (block.as_bytes(), cursor.offset);
    row.begin_in(block);
    if let Some(len) = csv::blank_line(&bytes[start..]) {
        (cursor.offset, cursor.lines) = (start + len, cursor.lines + 1);
        return Decoded::Blank;
    }
    let (next, decoded) = match decoder.record(bytes, start, row) {
        Ok(next) => (next, Decoded::Record),
        Err((flaw, next)) => (next.min(bytes.len()), Decoded::Flawed(flaw)),
    };
    cursor.offset = next;
    cursor.lines += decoder.lines_of(&bytes[start..next]);
    decoded
}

/// Takes the next line off the block; returns its range without the line end.
fn next_line(block: &Block, cursor: &mut Cursor) -> (usize, usize) {
    let (bytes, start) = (block.as_bytes(), cursor.offset);
    let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end);
    cursor.offset = (end + 1).min(bytes.len());
    cursor.lines += 1;
    let returned = end > start && bytes[end - 1] == b'\r';
    (start, end - usize::from(returned))
}

/// Plain lines: the one field `line`, untyped, without its line end. An empty line is a record too.
#[derive(Clone, Debug)]
pub(crate) struct LineDecoder {
    slots: usize,
}

impl LineDecoder {
    /// A decoder for these fields, all of which must be `line`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for any other name.
    pub(crate) fn new<S: AsRef<str>>(fields: &[S]) -> Result<Self, Error> {
        match fields.iter().find(|field| field.as_ref() != "line") {
            Some(other) => Err(names::unknown(other.as_ref(), &["line"], "plain lines have")),
            None => Ok(LineDecoder { slots: fields.len() }),
        }
    }
}
