//! From a block of whole records to rows, one record at a time.
//!
//! A decoder needs nothing but its block: where blocks begin and end, and how lines are numbered across them, is the reader's
//! business. So blocks can be decoded by several threads, each with a decoder of its own, and put in order afterwards.

use crate::adapter::formats::clf::ClfDecoder;
use crate::adapter::formats::csv::{self, CsvDecoder};
use crate::adapter::formats::flaw::Flaw;
use crate::adapter::formats::json_scan::{JsonScanner, Scanned};
use crate::adapter::formats::names;
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

/// What a block's records are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Framed {
    /// Whether the next record is the header.
    pub(crate) header: bool,
    /// The longest record that is let through, in bytes.
    pub(crate) record_bytes_max: usize,
}

/// Where in its block a record is, or what should have been one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Lines before it in the block.
    pub(crate) lines: u64,
}

/// The records of a block, from an offset on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    pub(crate) block: &'a Block,
    pub(crate) from: usize,
    pub(crate) framed: Framed,
}

impl Records<'_> {
    /// Decodes one after the other into the row and gives each to `take`, or what is wrong with it, until `take` refuses. Gives the lines.
    #[inline(always)]
    pub(crate) fn decode<E>(
        self,
        decoder: &mut Decoder,
        row: &mut Row,
        mut take: impl FnMut(&mut Row, Place, Result<(), Flaw>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let Records { block, from, mut framed } = self;
        let mut cursor = Cursor { offset: from, lines: 0 };
        while cursor.offset < block.as_bytes().len() {
            let start = cursor;
            if let Some(record) = decoder.record(block, &mut framed, &mut cursor, row) {
                take(row, Place { start: start.offset, end: cursor.offset, lines: start.lines }, record)?;
            }
        }
        Ok(cursor.lines)
    }
}

/// What the next bytes of a block were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Decoded {
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
    /// Decodes the record at the cursor and moves the cursor after it: the record is in the row, or what is wrong with it is said.
    /// `None` for a blank line, and for the header.
    #[inline(always)]
    pub(crate) fn record(&mut self, block: &Block, framing: &mut Framed, cursor: &mut Cursor, row: &mut Row) -> Option<Result<(), Flaw>> {
        let (bytes, start) = (block.as_bytes(), *cursor);
        let decoded = self.next(block, cursor, row);
        if decoded == Decoded::Blank || std::mem::take(&mut framing.header) {
            return None;
        }
        let record = &bytes[start.offset..cursor.offset];
        if record.len() - 1 > framing.record_bytes_max {
            first_line_only(bytes, start, cursor);
            return Some(Err(Flaw::TooLong { limit: framing.record_bytes_max }));
        }
        // Nearly all blocks are UTF-8 as a whole; only in one that is not each record is looked at again.
        if !block.is_text() && simdutf8::basic::from_utf8(record).is_err() {
            return Some(Err(Flaw::NotUtf8));
        }
        match decoded {
            Decoded::Flawed(flaw) => Some(Err(flaw)),
            _ => Some(Ok(())),
        }
    }

    /// Decodes the record at the cursor and moves the cursor after it.
    #[inline(always)]
    fn next(&mut self, block: &Block, cursor: &mut Cursor, row: &mut Row) -> Decoded {
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

/// Takes back all but the first line of a record: of one that is too long only that is given up, as the block reader does.
fn first_line_only(bytes: &[u8], start: Cursor, cursor: &mut Cursor) {
    let end = memchr::memchr(b'\n', &bytes[start.offset..]).map_or(bytes.len(), |end| start.offset + end + 1);
    *cursor = Cursor { offset: end, lines: start.lines + 1 };
}

fn json(scanner: &mut JsonScanner, block: &Block, cursor: &mut Cursor, row: &mut Row) -> Decoded {
    let (bytes, start) = (block.as_bytes(), cursor.offset);
    cursor.lines += 1;
    let (end, decoded) = match scanner.scan_in(block, bytes, start, row) {
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
