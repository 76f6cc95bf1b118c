//! Decodes a block of whole records into rows, one record at a time.
//!
//! A decoder needs only its block. The reader decides where blocks begin and end and numbers their
//! lines. So several threads can decode blocks, each with its own decoder, and the results can be
//! put in order afterwards.

use crate::error::Error;
use crate::formats::aws_logs::{self, VpcDecoder};
use crate::formats::clf::ClfDecoder;
use crate::formats::csv::CsvDecoder;
use crate::formats::decode_error::DecodeError;
use crate::formats::format::Format;
use crate::formats::json_scan::{JsonScanner, ScannedLine, TemplateMatch};
use crate::formats::line_pattern::PatternDecoder;
use crate::formats::log_format;
use crate::formats::logfmt::LogfmtDecoder;
use crate::formats::names;
use crate::formats::regex_line::RegexDecoder;
use crate::formats::w3c::W3cDecoder;
use crate::formats::words::WordsDecoder;
use crate::row::Block;
use crate::row::Row;

/// The position of a decoder in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cursor {
    /// The offset of the next record.
    pub(crate) offset: usize,
    /// The number of lines before it in the block.
    pub(crate) lines: u64,
}

/// The properties of a block's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Framing {
    /// True if the next record is the header.
    pub(crate) header: bool,
    /// Maximum bytes of a record.
    pub(crate) record_bytes_max: usize,
}

/// The position of a record, or of bytes that are not a record, in its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordSpan {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The number of lines before it in the block.
    pub(crate) lines: u64,
}

/// The records of a block from an offset on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    pub(crate) block: &'a Block,
    pub(crate) from: usize,
    pub(crate) framed: Framing,
}

/// A block with properties that are read once for all of its records.
#[derive(Clone, Copy, Debug)]
struct OpenBlock<'a> {
    block: &'a Block,
    bytes: &'a [u8],
    is_text: bool,
}

impl<'a> OpenBlock<'a> {
    fn of(block: &'a Block) -> Self {
        OpenBlock { block, bytes: block.as_bytes(), is_text: block.is_text() }
    }
}

/// Receives the records of a block, one after another.
pub(crate) trait TakeRecords {
    /// The reason to stop.
    type Stop;

    /// Receives a record, which is in the row.
    fn record(&mut self, row: &mut Row, place: RecordSpan) -> Result<(), Self::Stop>;

    /// Receives bytes that could not be decoded.
    fn undecodable(&mut self, error: DecodeError, place: RecordSpan) -> Result<(), Self::Stop>;
}

impl Records<'_> {
    /// Decodes the records one after another into the row and passes each to `take`, until `take`
    /// stops. Returns the number of lines.
    #[inline(always)]
    pub(crate) fn decode<T: TakeRecords>(
        self,
        decoder: &mut Decoder,
        row: &mut Row,
        take: &mut T,
    ) -> Result<u64, T::Stop> {
        let (block, mut framed) = (OpenBlock::of(self.block), self.framed);
        let mut cursor = Cursor { offset: self.from, lines: 0 };
        if let Decoder::JsonLines(scanner) = decoder {
            scanner.begin_block();
        }
        while cursor.offset < block.bytes.len() {
            let start = cursor;
            let record = decoder.next_record(block, &mut framed, &mut cursor, row);
            let place = RecordSpan { start: start.offset, end: cursor.offset, lines: start.lines };
            match record {
                Some(Ok(())) => take.record(row, place)?,
                Some(Err(error)) => take.undecodable(error, place)?,
                None => {}
            }
        }
        Ok(cursor.lines)
    }
}

/// The result of decoding the next bytes of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DecodeResult {
    /// A record, which is in the row.
    Record,
    /// A blank line, which does not count as a record.
    Blank,
    /// Bytes that are not a record.
    Error(DecodeError),
}

/// A decoder of any format.
#[derive(Clone, Debug)]
pub(crate) enum Decoder {
    /// Separate from the others because most inputs have this format. One comparison selects it,
    /// where a choice among all formats is an indirect jump for each record.
    JsonLines(Box<JsonScanner>),
    Other(OtherDecoder),
}

/// A decoder of any format but JSON Lines.
#[derive(Clone, Debug)]
pub(crate) enum OtherDecoder {
    Csv(CsvDecoder),
    Clf(ClfDecoder),
    Logfmt(LogfmtDecoder),
    W3c(W3cDecoder),
    Words(WordsDecoder),
    Vpc(VpcDecoder),
    Pattern(PatternDecoder),
    Regex(Box<RegexDecoder>),
    Lines(LineDecoder),
}

impl Decoder {
    /// Creates the decoder of a format whose records say nothing about each other. Returns `None`
    /// for a format that needs the beginning of the input.
    ///
    /// # Errors
    /// A field that the format does not have.
    pub(crate) fn of_records(
        format: &Format,
        fields: &[String],
        depth_max: usize,
    ) -> Result<Option<Decoder>, Error> {
        let decoder = match format {
            Format::JsonLines => Decoder::JsonLines(Box::new(JsonScanner::new(fields, depth_max)?)),
            Format::Clf => ClfDecoder::new(fields)?.into(),
            Format::Vhost => ClfDecoder::with_vhost(fields)?.into(),
            Format::Lines => LineDecoder::new(fields)?.into(),
            Format::Logfmt => LogfmtDecoder::new(fields)?.into(),
            Format::Alb => aws_logs::alb(fields)?.into(),
            Format::S3 => aws_logs::s3(fields)?.into(),
            Format::Server(text) => log_format::decoder(text, fields)?.into(),
            Format::Pattern(text) => PatternDecoder::of_names(text, fields)?.into(),
            Format::Regex(text) => RegexDecoder::new(text, fields)?.into(),
            Format::Auto
            | Format::Csv
            | Format::Tsv
            | Format::Separated(_)
            | Format::Dialect(_)
            | Format::W3c
            | Format::Vpc => return Ok(None),
        };
        Ok(Some(decoder))
    }

    /// Decodes the record at the cursor and moves the cursor after it. Returns `Ok` if the record
    /// is in the row, an error if it could not be decoded, and `None` for a blank line and for the
    /// header.
    pub(crate) fn record(
        &mut self,
        block: &Block,
        framing: &mut Framing,
        cursor: &mut Cursor,
        row: &mut Row,
    ) -> Option<Result<(), DecodeError>> {
        self.next_record(OpenBlock::of(block), framing, cursor, row)
    }

    #[inline(always)]
    fn next_record(
        &mut self,
        block: OpenBlock<'_>,
        framing: &mut Framing,
        cursor: &mut Cursor,
        row: &mut Row,
    ) -> Option<Result<(), DecodeError>> {
        let (bytes, start) = (block.bytes, *cursor);
        let decoded = self.next(block, cursor, row);
        if decoded == DecodeResult::Blank || std::mem::take(&mut framing.header) {
            return None;
        }
        let record = &bytes[start.offset..cursor.offset];
        if record.len() - 1 > framing.record_bytes_max {
            first_line_only(bytes, start, cursor);
            return Some(Err(DecodeError::TooLong { limit: framing.record_bytes_max }));
        }
        // Nearly all blocks are completely UTF-8. In any other block each record is checked again.
        if !block.is_text && simdutf8::basic::from_utf8(record).is_err() {
            return Some(Err(DecodeError::NotUtf8));
        }
        match decoded {
            DecodeResult::Error(error) => Some(Err(error)),
            _ => Some(Ok(())),
        }
    }

    /// Decodes the record at the cursor and moves the cursor after it.
    #[inline(always)]
    fn next(&mut self, block: OpenBlock<'_>, cursor: &mut Cursor, row: &mut Row) -> DecodeResult {
        match self {
            Decoder::JsonLines(scanner) => json(scanner, block, cursor, row),
            Decoder::Other(decoder) => decoder.next(block, cursor, row),
        }
    }
}

impl Decoder {
    /// Returns true if the first record of an input is its header.
    pub(crate) fn has_header(&self) -> bool {
        match self {
            Decoder::Other(OtherDecoder::Csv(decoder)) => decoder.has_header(),
            Decoder::Other(OtherDecoder::Vpc(decoder)) => decoder.has_header(),
            _ => false,
        }
    }

    /// Returns true if lines that are no records change how the lines after them are decoded.
    pub(crate) fn has_directives(&self) -> bool {
        matches!(self, Decoder::Other(OtherDecoder::W3c(_)))
    }

    /// Takes such a line, which was passed over.
    pub(crate) fn directive(&mut self, line: &[u8]) {
        if let Decoder::Other(OtherDecoder::W3c(decoder)) = self {
            decoder.directive(line);
        }
    }
}

impl From<CsvDecoder> for Decoder {
    fn from(decoder: CsvDecoder) -> Self {
        Decoder::Other(OtherDecoder::Csv(decoder))
    }
}

impl From<ClfDecoder> for Decoder {
    fn from(decoder: ClfDecoder) -> Self {
        Decoder::Other(OtherDecoder::Clf(decoder))
    }
}

impl From<LogfmtDecoder> for Decoder {
    fn from(decoder: LogfmtDecoder) -> Self {
        Decoder::Other(OtherDecoder::Logfmt(decoder))
    }
}

impl From<W3cDecoder> for Decoder {
    fn from(decoder: W3cDecoder) -> Self {
        Decoder::Other(OtherDecoder::W3c(decoder))
    }
}

impl From<WordsDecoder> for Decoder {
    fn from(decoder: WordsDecoder) -> Self {
        Decoder::Other(OtherDecoder::Words(decoder))
    }
}

impl From<VpcDecoder> for Decoder {
    fn from(decoder: VpcDecoder) -> Self {
        Decoder::Other(OtherDecoder::Vpc(decoder))
    }
}

impl From<PatternDecoder> for Decoder {
    fn from(decoder: PatternDecoder) -> Self {
        Decoder::Other(OtherDecoder::Pattern(decoder))
    }
}

impl From<RegexDecoder> for Decoder {
    fn from(decoder: RegexDecoder) -> Self {
        Decoder::Other(OtherDecoder::Regex(Box::new(decoder)))
    }
}

impl From<LineDecoder> for Decoder {
    fn from(decoder: LineDecoder) -> Self {
        Decoder::Other(OtherDecoder::Lines(decoder))
    }
}

impl OtherDecoder {
    /// Decodes the record at the cursor and moves the cursor after it.
    #[inline(never)]
    fn next(&mut self, block: OpenBlock<'_>, cursor: &mut Cursor, row: &mut Row) -> DecodeResult {
        match self {
            OtherDecoder::Csv(decoder) => csv_record(decoder, block, cursor, row),
            OtherDecoder::Clf(decoder) => {
                line_record((block, cursor), row, |line, start, row| decoder.line(line, start, row))
            }
            OtherDecoder::Logfmt(decoder) => {
                line_record((block, cursor), row, |line, start, row| decoder.line(line, start, row))
            }
            OtherDecoder::Words(decoder) => {
                line_record((block, cursor), row, |line, start, row| decoder.line(line, start, row))
            }
            OtherDecoder::Vpc(decoder) => {
                line_record((block, cursor), row, |line, start, row| decoder.line(line, start, row))
            }
            OtherDecoder::Pattern(decoder) => {
                line_record((block, cursor), row, |line, start, row| decoder.line(line, start, row))
            }
            OtherDecoder::Regex(decoder) => {
                line_record((block, cursor), row, |line, start, row| decoder.line(line, start, row))
            }
            OtherDecoder::W3c(decoder) => {
                if block.bytes[cursor.offset..].starts_with(b"#") {
                    let (start, end) = next_line(block, cursor);
                    decoder.directive(&block.bytes[start..end]);
                    return DecodeResult::Blank;
                }
                line_record((block, cursor), row, |line, start, row| decoder.line(line, start, row))
            }
            OtherDecoder::Lines(decoder) => {
                row.begin_in(block.block);
                let (start, end) = next_line(block, cursor);
                (0..decoder.slots).for_each(|slot| row.set_untyped(slot, start..end));
                DecodeResult::Record
            }
        }
    }
}

/// Moves the cursor back to the end of the record's first line. If a record is too long, only its
/// first line is given up, as the block reader does.
fn first_line_only(bytes: &[u8], start: Cursor, cursor: &mut Cursor) {
    let end = memchr::memchr(b'\n', &bytes[start.offset..])
        .map_or(bytes.len(), |end| start.offset + end + 1);
    *cursor = Cursor { offset: end, lines: start.lines + 1 };
}

#[inline(always)]
fn json(
    scanner: &mut JsonScanner,
    block: OpenBlock<'_>,
    cursor: &mut Cursor,
    row: &mut Row,
) -> DecodeResult {
    match scanner.follow(block.block, block.bytes, cursor.offset, row) {
        Ok(end) => {
            *cursor = Cursor { offset: end + 1, lines: cursor.lines + 1 };
            DecodeResult::Record
        }
        Err(followed) => json_on(scanner, (block.bytes, followed), cursor, row),
    }
}

/// Decodes a line that differs from the one before it.
#[inline(never)]
fn json_on(
    scanner: &mut JsonScanner,
    (bytes, followed): (&[u8], TemplateMatch),
    cursor: &mut Cursor,
    row: &mut Row,
) -> DecodeResult {
    let start = cursor.offset;
    let (end, decoded) = match scanner.scan_on(bytes, followed, row) {
        Ok(ScannedLine::Record(end)) => (end, DecodeResult::Record),
        Ok(ScannedLine::Blank(end)) => (end, DecodeResult::Blank),
        Err(error) => {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end);
            (end, DecodeResult::Error(DecodeError::json(error, start)))
        }
    };
    *cursor = Cursor { offset: (end + 1).min(bytes.len()), lines: cursor.lines + 1 };
    decoded
}

fn csv_record(
    decoder: &mut CsvDecoder,
    block: OpenBlock<'_>,
    cursor: &mut Cursor,
    row: &mut Row,
) -> DecodeResult {
    let (bytes, start) = (block.bytes, cursor.offset);
    row.begin_in(block.block);
    if let Some(len) = decoder.passed_line(&bytes[start..]) {
        (cursor.offset, cursor.lines) = (start + len, cursor.lines + 1);
        return DecodeResult::Blank;
    }
    let (next, decoded) = match decoder.record(bytes, start, row) {
        Ok(next) => (next, DecodeResult::Record),
        Err((error, next)) => (next.min(bytes.len()), DecodeResult::Error(error)),
    };
    cursor.offset = next;
    cursor.lines += decoder.lines_of(&bytes[start..next]);
    decoded
}

/// Decodes the next line, which is a record unless it is blank.
#[inline]
fn line_record(
    (block, cursor): (OpenBlock<'_>, &mut Cursor),
    row: &mut Row,
    mut decode: impl FnMut(&[u8], usize, &mut Row) -> Result<(), DecodeError>,
) -> DecodeResult {
    row.begin_in(block.block);
    let (start, end) = next_line(block, cursor);
    let line = &block.bytes[start..end];
    if line.trim_ascii().is_empty() {
        return DecodeResult::Blank;
    }
    decode(line, start, row).map_or_else(DecodeResult::Error, |()| DecodeResult::Record)
}

/// Moves the cursor after the next line of the block. Returns the range of the line without its
/// end.
fn next_line(block: OpenBlock<'_>, cursor: &mut Cursor) -> (usize, usize) {
    let (bytes, start) = (block.bytes, cursor.offset);
    let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end);
    cursor.offset = (end + 1).min(bytes.len());
    cursor.lines += 1;
    let returned = end > start && bytes[end - 1] == b'\r';
    (start, end - usize::from(returned))
}

/// Plain lines: one untyped field `line`, without the line end. An empty line is a record too.
#[derive(Clone, Debug)]
pub(crate) struct LineDecoder {
    slots: usize,
}

impl LineDecoder {
    /// Creates a decoder for these fields, all of which must be `line`.
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
