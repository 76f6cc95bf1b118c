//! Several inputs as one: each a shard, all opened before the first record is read.

use crate::adapter::files::blocks::{BLOCK_BYTES, BlockReader, Framing, Piece};
use crate::adapter::files::clf::ClfDecoder;
use crate::adapter::files::csv::{self, CsvDecoder};
use crate::adapter::files::decode::{Cursor, Decoded, Decoder, LineDecoder};
use crate::adapter::files::flaw::{DEAD_LETTER_BYTES_MAX, DeadLetter, Flaw};
use crate::adapter::files::format::Format;
use crate::adapter::files::json_scan::JsonScanner;
use crate::adapter::files::source::Input;
use crate::adapter::files::stats::{FileStats, FilesStats};
use crate::error::Error;
use crate::limits::Limits;
use crate::record::ShardId;
use crate::spec::{Block, Row};

/// What takes the records: a compiled pipeline, as a rule.
///
/// An error from any of its methods ends the run and is returned by [`run`].
pub trait RowSink {
    /// The fields to read, by slot: names, or JSON pointers where they begin with `/`.
    fn fields(&self) -> &[String];

    /// An input exists. Called for every input, in order, before the first record of any: so the watermark of a file that is read
    /// later holds back those read before it, and nothing in it is late for having been read last.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn open_shard(&mut self, file: usize, shard: ShardId) -> Result<(), Error>;

    /// Takes a record of the input `file`. `Ok(Some(reason))` refuses it: it becomes a dead letter.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<String>, Error>;

    /// Takes a record that is none. An error, such as for the first one of a strict run, ends the run.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error>;

    /// Called between blocks of a few hundred kilobytes, and at the end of each input: time to drain emissions and to show
    /// progress.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error>;

    /// The input has been read to its end: it holds no watermark back any more.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn close_shard(&mut self, file: usize) -> Result<(), Error>;
}

/// How inputs are read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FilesOptions {
    /// The format of all inputs; [`Format::Auto`], the default, decides for each on its own.
    pub format: Format,
    /// The caps on a record's bytes and nesting.
    pub limits: Limits,
    /// Bytes of a block; `None`, the default, is 256 KiB. Answers do not depend on it.
    pub block_bytes: Option<usize>,
}

impl FilesOptions {
    /// The defaults but for the format.
    pub fn with_format(format: Format) -> Self {
        FilesOptions { format, ..FilesOptions::default() }
    }
}

/// Reads all inputs into the sink, one after the other, and says what was read.
///
/// Before the first record it makes sure that every input can be opened and, for regular files, that the format has all of the
/// fields that the sink asks for. Memory is that of a few blocks, plus one record up to the limit.
///
/// # Errors
/// - An input that is not there, is a directory, or may not be read: nothing has been read then.
/// - A field that a header or a format lacks, naming the nearest one.
/// - Damaged or truncated compressed data, after all whole records in front of the damage have been taken.
/// - What the sink returned.
///
/// # Example
/// ```
/// use streamgauge::adapter::files::{DeadLetter, FilesOptions, FilesStats, Input, RowSink, run};
/// use streamgauge::spec::{Row, Value};
/// use streamgauge::{Error, ShardId};
///
/// struct Countries { fields: Vec<String>, seen: Vec<String> }
///
/// impl RowSink for Countries {
///     fn fields(&self) -> &[String] { &self.fields }
///     fn open_shard(&mut self, _: usize, _: ShardId) -> Result<(), Error> { Ok(()) }
///     fn row(&mut self, _: usize, row: &mut Row) -> Result<Option<String>, Error> {
///         match row.value(0) {
///             Value::Text(country) => self.seen.push(country.to_owned()),
///             _ => return Ok(Some("no country".to_owned())),
///         }
///         Ok(None)
///     }
///     fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
///         assert_eq!((letter.line, letter.reason), (2, "no country"));
///         Ok(())
///     }
///     fn pause(&mut self, _: &FilesStats) -> Result<(), Error> { Ok(()) }
///     fn close_shard(&mut self, _: usize) -> Result<(), Error> { Ok(()) }
/// }
///
/// let mut sink = Countries { fields: vec!["country".to_owned()], seen: Vec::new() };
/// let input = Input::from_reader("a.jsonl", &b"{\"country\":\"DE\"}\n{\"country\":null}\n"[..]);
/// let stats = run(vec![input], &FilesOptions::default(), &mut sink)?;
/// assert_eq!((stats.records(), stats.dead_letters(), sink.seen), (2, 1, vec!["DE".to_owned()]));
/// # Ok::<(), Error>(())
/// ```
pub fn run<S: RowSink>(inputs: Vec<Input>, options: &FilesOptions, sink: &mut S) -> Result<FilesStats, Error> {
    let fields = sink.fields().to_vec();
    // A name that no format can have is told before anything is opened.
    JsonScanner::new(&fields, options.limits.json_depth_max)?;
    for input in &inputs {
        input.check()?;
    }
    for input in &inputs {
        check_fields(input, options, &fields)?;
    }
    for (file, input) in inputs.iter().enumerate() {
        sink.open_shard(file, shard_id(&inputs, file, input))?;
    }
    let mut stats = FilesStats::default();
    let mut row = Row::new(fields.len());
    for (file, input) in inputs.into_iter().enumerate() {
        stats.files.push(FileStats { name: input.name(), ..FileStats::default() });
        let source = input.open()?;
        let mut reader = BlockReader::new(source, options.block_bytes.unwrap_or(BLOCK_BYTES), options.limits.record_bytes_max);
        let decoder = begin(&mut reader, options, &fields)?;
        FileRun { file, reader, decoder, row: &mut row, stats: &mut stats, sink }.read()?;
        sink.close_shard(file)?;
        sink.pause(&stats)?;
    }
    Ok(stats)
}

/// The input's name; the same file given twice is two shards.
fn shard_id(inputs: &[Input], file: usize, input: &Input) -> ShardId {
    let name = input.name();
    match inputs[..file].iter().filter(|earlier| earlier.name() == name).count() {
        0 => ShardId::new(name),
        earlier => ShardId::new(format!("{name}#{}", earlier + 1)),
    }
}

/// Looks at the beginning of a regular file: a field that its header lacks is told before anything is read. What is wrong with
/// its bytes is left to its reading.
fn check_fields(input: &Input, options: &FilesOptions, fields: &[String]) -> Result<(), Error> {
    let (Input::Path(path), Some(_)) = (input, input.size_bytes()) else { return Ok(()) };
    let source = Input::Path(path.clone()).open()?;
    let mut reader = BlockReader::new(source, options.block_bytes.unwrap_or(BLOCK_BYTES), options.limits.record_bytes_max);
    if reader.peek().is_err() {
        return Ok(());
    }
    begin(&mut reader, options, fields).map(drop)
}

/// Recognises the format, reads the header and makes the decoder of an input.
fn begin(reader: &mut BlockReader, options: &FilesOptions, fields: &[String]) -> Result<Decoder, Error> {
    let name = reader.source().name().to_owned();
    let bytes = reader.peek()?;
    let looks_like = Format::detect(bytes);
    let is_array = bytes.trim_ascii_start().starts_with(b"[");
    let empty = bytes.trim_ascii().is_empty() && reader.has_ended();
    let format = if options.format == Format::Auto { looks_like } else { options.format };
    let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
    let decoder = match format {
        // A file without a record lacks no field.
        // Unless lines were asked for, nothing but blank ones is nothing.
        _ if empty && options.format != Format::Lines => {
            JsonScanner::new(fields, options.limits.json_depth_max).map(|scanner| Decoder::JsonLines(Box::new(scanner)))
        }
        Format::JsonLines => JsonScanner::new(fields, options.limits.json_depth_max).map(|scanner| Decoder::JsonLines(Box::new(scanner))),
        Format::Clf => ClfDecoder::new(fields).map(Decoder::Clf),
        Format::Csv | Format::Tsv => {
            reader.set_framing(Framing::Csv { delimiter });
            csv_decoder(reader, fields, delimiter)
        }
        Format::Lines | Format::Auto => LineDecoder::new(fields).map(Decoder::Lines),
    };
    decoder.map_err(|error| explain(error, options.format, format, is_array).at(name))
}

/// Says what the file was taken for, when that may be the mistake.
fn explain(error: Error, asked: Format, format: Format, is_array: bool) -> Error {
    if asked != Format::Auto {
        return error;
    }
    let hint = if is_array {
        "; the file begins with '[': JSON is read as one object a line, not as an array"
    } else if format == Format::Lines {
        "; the file was taken for plain lines: name its format if it has another"
    } else {
        return error;
    };
    Error::new(error.kind(), format!("{}{hint}", error.message()))
}

fn csv_decoder(reader: &mut BlockReader, fields: &[String], delimiter: u8) -> Result<Decoder, Error> {
    let ended = reader.has_ended();
    match csv::header(reader.peek()?, delimiter, ended)? {
        Some((header, _)) => CsvDecoder::new(&header, fields, delimiter).map(Decoder::Csv),
        None => CsvDecoder::new::<&str>(&[], &[], delimiter).map(Decoder::Csv),
    }
}

/// The reading of one input.
struct FileRun<'a, S> {
    file: usize,
    reader: BlockReader,
    decoder: Decoder,
    row: &'a mut Row,
    stats: &'a mut FilesStats,
    sink: &'a mut S,
}

impl<S: RowSink> FileRun<'_, S> {
    fn read(mut self) -> Result<(), Error> {
        let mut header = matches!(self.decoder, Decoder::Csv(_));
        loop {
            let piece = match self.reader.next() {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.with_progress(&error)),
            };
            match piece {
                Piece::Block(block) => self.block(&block, std::mem::take(&mut header))?,
                // A header longer than the limit has been read already, when the decoder was made.
                Piece::TooLong { .. } if std::mem::take(&mut header) => self.counts().lines += 1,
                Piece::TooLong { head } => {
                    let flaw = Flaw::TooLong { limit: self.reader.record_bytes_max() };
                    let line = self.counts().lines + 1;
                    self.counts().lines = line;
                    self.dead_letter(line, &flaw.to_string(), &head)?;
                }
            }
            let (read, decompressed) = (self.reader.source().bytes_read(), self.reader.bytes_decompressed());
            let counts = self.counts();
            (counts.bytes_read, counts.bytes_decompressed) = (read, decompressed);
            self.sink.pause(self.stats)?;
        }
    }

    /// The error with what had been read when it came.
    #[cold]
    fn with_progress(&mut self, error: &Error) -> Error {
        let decompressed = self.reader.bytes_decompressed();
        let records = self.counts().records;
        Error::new(error.kind(), format!("{error}; read before it: {records} records, {decompressed} bytes"))
    }

    fn counts(&mut self) -> &mut FileStats {
        // `run` has pushed the counts of this input before reading it.
        let last = self.stats.files.len() - 1;
        &mut self.stats.files[last]
    }

    /// Decodes a block of whole records. Its first record is the header if `header` says so.
    fn block(&mut self, block: &Block, mut header: bool) -> Result<(), Error> {
        // Nearly all blocks are UTF-8 as a whole; only in one that is not each record is looked at again.
        let (bytes, utf8) = (block.as_bytes(), block.is_text());
        let limit = self.reader.record_bytes_max();
        let first_line = self.counts().lines;
        let mut cursor = Cursor::default();
        while cursor.offset < bytes.len() {
            let start = cursor;
            let decoded = self.decoder.next(block, &mut cursor, self.row);
            if decoded == Decoded::Blank || std::mem::take(&mut header) {
                continue;
            }
            let record = &bytes[start.offset..cursor.offset];
            let flaw = if record.len() - 1 > limit {
                first_line_only(bytes, start, &mut cursor);
                Some(Flaw::TooLong { limit })
            } else if !utf8 && simdutf8::basic::from_utf8(record).is_err() {
                Some(Flaw::NotUtf8)
            } else if let Decoded::Flawed(flaw) = decoded {
                Some(flaw)
            } else {
                None
            };
            let refused = match flaw {
                Some(flaw) => Some(flaw.to_string()),
                None => self.sink.row(self.file, self.row)?,
            };
            match refused {
                None => self.counts().records += 1,
                Some(reason) => self.dead_letter(first_line + start.lines + 1, &reason, &bytes[start.offset..cursor.offset])?,
            }
        }
        self.counts().lines += cursor.lines;
        Ok(())
    }

    #[cold]
    fn dead_letter(&mut self, line: u64, reason: &str, bytes: &[u8]) -> Result<(), Error> {
        let counts = self.counts();
        counts.records += 1;
        counts.dead_letters += 1;
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let letter = DeadLetter {
            file: &self.stats.files[self.stats.files.len() - 1].name,
            line,
            reason,
            bytes: &bytes[..bytes.len().min(DEAD_LETTER_BYTES_MAX)],
        };
        self.sink.dead_letter(&letter)
    }
}

/// Takes back all but the first line of a record: of one that is too long only that is given up, as the block reader does.
fn first_line_only(bytes: &[u8], start: Cursor, cursor: &mut Cursor) {
    let end = memchr::memchr(b'\n', &bytes[start.offset..]).map_or(bytes.len(), |end| start.offset + end + 1);
    *cursor = Cursor { offset: end, lines: start.lines + 1 };
}
