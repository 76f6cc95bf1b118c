//! Several inputs as one: each a shard, all opened before the first record is read.

use crate::adapter::files::beginning::{Begun, begin, check_fields};
use crate::adapter::files::blocks::{
    BLOCK_BYTES, BUFFERS_PER_THREAD, BlockReader, Piece, SHARED_BLOCK_BYTES,
};
use crate::adapter::files::buffers::Buffers;
use crate::adapter::files::fetcher::{Fetched, Fetcher};
use crate::adapter::files::late::{LateRecord, Refusal};
use crate::adapter::files::options::FilesOptions;
use crate::adapter::files::preaggregated::{PreaggregatedBlock, Preaggregating};
use crate::adapter::files::prepared::{Made, PreparedPiece, Preparing};
use crate::adapter::files::source::{Input, Opened};
use crate::adapter::files::stats::{FileStats, FilesStats};
use crate::error::Error;
use crate::formats::decode::{Decoder, Framing, OtherDecoder, RecordSpan, Records, TakeRecords};
use crate::formats::decode_error::{DEAD_LETTER_BYTES_MAX, DeadLetter, DecodeError};
use crate::formats::format::Format;
use crate::formats::json_scan::JsonScanner;
use crate::parallel::{Helpers, in_order};
use crate::record::ShardId;
use crate::row::Block;
use crate::row::Row;
use crate::rows::{PreaggregatedRows, PreparedRows, RowPreparer};
use std::sync::Arc;

/// What takes the records: a compiled pipeline, usually.
///
/// An error from any of its methods ends the run and is returned by [`run`].
pub trait RowSink {
    /// The fields to read, by slot: names, or JSON pointers where they begin with `/`.
    fn fields(&self) -> &[String];

    /// An input exists. Called for every input, in order, before the first record of any: so the
    /// watermark of a file that is read later holds back those read before it, and nothing in it is
    /// late for having been read last.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn open_shard(&mut self, file: usize, shard: ShardId) -> Result<(), Error>;

    /// Takes a record of the input `file`. `Ok(Some(refusal))` says that it was not taken, and is
    /// to be handed out: to [`dead_letter`](RowSink::dead_letter) or [`late`](RowSink::late).
    ///
    /// # Errors
    /// Whatever ends the run.
    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error>;

    /// The part of the work that other threads may do, for a sink that is a pipeline: [`run`] then
    /// decodes and prepares records on [`FilesOptions::threads`] and gives them to
    /// [`prepared`](RowSink::prepared), or aggregated by block to
    /// [`preaggregated`](RowSink::preaggregated). Event times of rows without a time field are the
    /// epoch. Default: none, and every record comes to [`row`](RowSink::row).
    fn preparer(&self) -> Option<Arc<RowPreparer>> {
        None
    }

    /// Takes records of the input `file` that the [`preparer`](RowSink::preparer) prepared, from
    /// the first that was not taken on and up to the row `until`, or to the first that it refuses:
    /// its index, and the refusal. It is handed out, and the rest is given again. Called only where
    /// there is a preparer. One that takes none, as the default, ends the run.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn prepared(
        &mut self,
        file: usize,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Refusal)>, Error> {
        let _ = (file, rows, until);
        Ok(None)
    }

    /// Takes all records of a block of the input `file`, which the [`preparer`](RowSink::preparer)
    /// prepared and aggregated; or says that it takes none of them, as the default does, and is
    /// given them one by one.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn preaggregated(&mut self, file: usize, rows: &PreaggregatedRows) -> Result<bool, Error> {
        let _ = (file, rows);
        Ok(false)
    }

    /// Takes a record that is none. An error, such as for the first one of a strict run, ends the
    /// run.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error>;

    /// Takes a record that came late, of a sink that [hands such out](Refusal::Late). Default:
    /// nothing more is done about it.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        let _ = record;
        Ok(())
    }

    /// Called between blocks of a few hundred kilobytes, and at the end of each input: time to
    /// drain emissions and to show progress.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error>;

    /// Where the input is to be read from: the [`FileStats::offset`] at which an earlier run
    /// stopped, whose records are passed over. Asked when the input is opened to be read. Default:
    /// 0, its beginning.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn resume_at(&mut self, file: usize, opened: &Opened<'_>) -> Result<u64, Error> {
        let _ = (file, opened);
        Ok(0)
    }

    /// Returns true if a last record of the input that has no line end is kept back, where
    /// [`FilesOptions::defer_tails`] says so. Default: it is.
    fn defers_tail(&self, file: usize) -> bool {
        let _ = file;
        true
    }

    /// The format of the input, and its first bytes, which a message can quote. Called before its
    /// first record. Default: they are not looked at.
    fn beginning(&mut self, file: usize, format: Format, bytes: &[u8]) {
        let _ = (file, format, bytes);
    }

    /// Says how the input is read where that is not certain, in a sentence whose subject is the
    /// input: `is read as plain lines:`, why, and how to choose. Called before its first record.
    /// Default: nobody is told.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn note(&mut self, file: usize, note: &str) -> Result<(), Error> {
        let _ = (file, note);
        Ok(())
    }

    /// Every input has been read but for the tails that [`FilesOptions::defer_tails`] kept back,
    /// which come now. Called with that option only.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn before_tails(&mut self, stats: &FilesStats) -> Result<(), Error> {
        let _ = stats;
        Ok(())
    }

    /// The input has been read to its end: it holds no watermark back any more.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn close_shard(&mut self, file: usize) -> Result<(), Error>;
}

/// Reads all inputs into the sink, one after the other, and says what was read.
///
/// Before the first record it makes sure that every input can be opened and, for regular files,
/// that the format has all of the fields that the sink asks for. Memory is that of a few blocks,
/// plus one record up to the limit.
///
/// # Errors
/// - An input that is not there, is a directory, or may not be read: nothing has been read then.
/// - A field that a header or a format lacks, naming the nearest one.
/// - An input that is certainly not lines of text in UTF-8, or whose JSON is not an object a line,
///   naming what it is and what to do.
/// - Damaged or truncated compressed data, after all whole records in front of the damage have been
///   taken.
/// - What the sink returned.
///
/// # Example
/// ```
/// use streamgauge::adapter::files::{DeadLetter, FilesOptions, FilesStats, Input, Refusal, RowSink, run};
/// use streamgauge::row::{Row, Value};
/// use streamgauge::{Error, ShardId};
///
/// struct Countries { fields: Vec<String>, seen: Vec<String> }
///
/// impl RowSink for Countries {
///     fn fields(&self) -> &[String] { &self.fields }
///     fn open_shard(&mut self, _: usize, _: ShardId) -> Result<(), Error> { Ok(()) }
///     fn row(&mut self, _: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
///         match row.value(0) {
///             Value::Text(country) => self.seen.push(country.to_owned()),
///             _ => return Ok(Some(Refusal::DeadLetter("no country".to_owned()))),
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
pub fn run<S: RowSink>(
    inputs: Vec<Input>,
    options: &FilesOptions,
    sink: &mut S,
) -> Result<FilesStats, Error> {
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
    let mut tails = Vec::new();
    let helpers =
        options.threads.filter(|threads| threads.get() > 1).map(Helpers::new).transpose()?;
    for (file, input) in inputs.into_iter().enumerate() {
        stats.files.push(FileStats { name: input.name(), ..FileStats::default() });
        let source = input.open(&options.limits)?;
        let block_bytes = options.block_bytes.unwrap_or(if helpers.is_some() {
            SHARED_BLOCK_BYTES
        } else {
            BLOCK_BYTES
        });
        let mut reader = BlockReader::new(source, block_bytes, options.limits.record_bytes_max);
        let Begun { format, decoder, note } = begin(&mut reader, options, &fields)?;
        let resume_at = sink.resume_at(file, &reader.source().opened(format))?;
        sink.beginning(file, format, reader.peek()?.bytes);
        if let Some(note) = note {
            sink.note(file, &note)?;
        }
        let fetcher = Fetcher::new(
            reader,
            matches!(decoder, Decoder::Other(OtherDecoder::Csv(_))),
            resume_at,
        );
        let taking = Taking { file, stats: &mut stats, sink };
        let tail = FileRun { fetcher, decoder, row: &mut row, taking }.read(helpers.as_ref())?;
        match tail {
            Some(tail) if options.defer_tails && sink.defers_tail(file) => tails.push((file, tail)),
            tail => {
                let mut taking = Taking { file, stats: &mut stats, sink };
                let bytes = tail.as_ref().map_or(0, |tail| tail.bytes);
                tail.map_or(Ok(()), |tail| tail.read(&mut row, &mut taking))?;
                taking.counts().offset += bytes;
                sink.close_shard(file)?;
            }
        }
        sink.pause(&stats)?;
    }
    if options.defer_tails {
        sink.before_tails(&stats)?;
    }
    for (file, tail) in tails {
        tail.read(&mut row, &mut Taking { file, stats: &mut stats, sink })?;
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

/// The reading of one input.
struct FileRun<'a, S> {
    fetcher: Fetcher,
    decoder: Decoder,
    row: &'a mut Row,
    taking: Taking<'a, S>,
}

/// What an input ends with after its whole records.
struct Tail {
    block: Block,
    decoder: Decoder,
    framed: Framing,
    /// Its bytes as they were in the input.
    bytes: u64,
}

impl Tail {
    fn of(block: &Block, fetched: &Fetched, decoder: Decoder) -> Self {
        Tail { block: block.clone(), decoder, framed: fetched.framed, bytes: 0 }
    }

    fn read<S: RowSink>(mut self, row: &mut Row, taking: &mut Taking<'_, S>) -> Result<(), Error> {
        taking.block(
            Records { block: &self.block, from: 0, framed: self.framed },
            (&mut self.decoder, row),
        )
    }
}

impl<S: RowSink> FileRun<'_, S> {
    /// Reads the input's whole records, on so many threads where that pays; gives what it ends with
    /// after them.
    fn read(mut self, helpers: Option<&Helpers>) -> Result<Option<Tail>, Error> {
        // What comes bit by bit is worked on at once, and what is one block is done before a thread
        // has started.
        let alone =
            self.fetcher.reader().source().is_interactive() || self.fetcher.reader().has_ended();
        match (helpers.filter(|_| !alone), self.taking.sink.preparer()) {
            (Some(helpers), Some(preparer)) => self.read_on(helpers, preparer),
            _ => self.read_alone(),
        }
    }

    fn read_alone(self) -> Result<Option<Tail>, Error> {
        let FileRun { mut fetcher, mut decoder, row, mut taking } = self;
        while let Some(fetched) = fetcher.next() {
            taking.begin(&fetched);
            match &fetched.piece {
                Ok(Piece::Tail(block)) => {
                    taking.counts().offset = fetcher.offset();
                    let bytes = fetcher.reader().tail_bytes();
                    return Ok(Some(Tail { bytes, ..Tail::of(block, &fetched, decoder) }));
                }
                Ok(Piece::Block(block)) => {
                    taking.block(fetched.records(block), (&mut decoder, row))?
                }
                _ => taking.other(&fetched)?,
            }
            taking.end(&fetched)?;
        }
        // Also where all of it was passed over.
        taking.counts().offset = fetcher.offset();
        Ok(None)
    }

    /// As [`read_alone`](FileRun::read_alone), to the byte: the blocks are decoded and prepared on
    /// several threads, and taken in order on this one.
    fn read_on(self, helpers: &Helpers, preparer: Arc<RowPreparer>) -> Result<Option<Tail>, Error> {
        let FileRun { mut fetcher, mut decoder, row, mut taking } = self;
        fetcher.reader().keep_buffers(helpers.threads());
        let preparing = Preparing::new(
            decoder.clone(),
            preparer,
            row.slots(),
            helpers.threads() * BUFFERS_PER_THREAD,
        );
        // For a block that is read once more, to be taken row by row.
        let mut buffers = Buffers::new(1);
        let mut tail = None;
        in_order(
            helpers,
            &preparing,
            || fetcher.find_next(),
            |PreparedPiece { mut fetched, mut made }| {
                taking.begin(&fetched);
                let preaggregated = match &made.preaggregated {
                    Some(rows) => taking.preaggregated(rows, &preparing.preaggregating)?,
                    None => false,
                };
                if !preaggregated {
                    fetched.read(&mut buffers);
                    match &fetched.piece {
                        Ok(Piece::Tail(block)) => {
                            tail = Some(Tail::of(block, &fetched, decoder.clone()));
                            return Ok(());
                        }
                        Ok(Piece::Block(block)) if made.preaggregated.is_none() => {
                            taking.prepared(block, &mut made)?
                        }
                        Ok(Piece::Block(block)) => {
                            taking.block(fetched.records(block), (&mut decoder, row))?
                        }
                        _ => taking.other(&fetched)?,
                    }
                }
                taking.end(&fetched)?;
                drop(fetched);
                preparing.give_back(made);
                Ok(())
            },
        )?;
        taking.counts().offset = fetcher.offset();
        let bytes = fetcher.reader().tail_bytes();
        Ok(tail.map(|tail| Tail { bytes, ..tail }))
    }
}

/// What takes the records of one input, in their order.
struct Taking<'a, S> {
    file: usize,
    stats: &'a mut FilesStats,
    sink: &'a mut S,
}

impl<S: RowSink> Taking<'_, S> {
    fn counts(&mut self) -> &mut FileStats {
        // `run` has pushed the counts of this input before reading it.
        &mut self.stats.files[self.file]
    }

    /// A piece is about to be taken.
    fn begin(&mut self, fetched: &Fetched) {
        let counts = self.counts();
        counts.lines += fetched.passed_lines;
        (counts.bytes_read, counts.bytes_decompressed) =
            (fetched.bytes_read, fetched.bytes_decompressed);
    }

    /// A piece has been taken: says how far the input has come.
    fn end(&mut self, fetched: &Fetched) -> Result<(), Error> {
        self.counts().offset = fetched.offset;
        self.sink.pause(self.stats)
    }

    /// Decodes the records of a block and takes them one by one.
    fn block(
        &mut self,
        records: Records<'_>,
        (decoder, row): (&mut Decoder, &mut Row),
    ) -> Result<(), Error> {
        let first_line = self.counts().lines;
        let mut rows = RowByRow { block: records.block, first_line, taken: 0, taking: self };
        let lines = records.decode(decoder, row, &mut rows);
        let taken = rows.taken;
        self.counts().records += taken;
        self.counts().lines += lines?;
        Ok(())
    }

    /// Takes what was aggregated of a block, or nothing of it.
    fn preaggregated(
        &mut self,
        block: &PreaggregatedBlock,
        of: &Preaggregating,
    ) -> Result<bool, Error> {
        let taken = self.sink.preaggregated(self.file, &block.rows)?;
        of.tell(taken);
        if taken {
            self.counts().records += block.rows.len() as u64;
            self.counts().lines += block.lines;
        }
        Ok(taken)
    }

    /// Takes what was prepared of a block.
    fn prepared(&mut self, block: &Block, made: &mut Made) -> Result<(), Error> {
        let first_line = self.counts().lines;
        let mut flawed = made.flawed.iter();
        loop {
            let next = flawed.next();
            let until = next.map_or(made.rows.len(), |flawed| flawed.rows);
            while made.rows.taken() < until {
                let before = made.rows.taken();
                let refused = self.sink.prepared(self.file, &mut made.rows, until)?;
                let taken = made.rows.taken() - before;
                if taken == 0 {
                    return Err(Error::invalid(
                        "a sink has a preparer and takes no prepared records",
                    ));
                }
                self.counts().records += (taken - usize::from(refused.is_some())) as u64;
                if let Some((index, refusal)) = refused {
                    let place = made
                        .places
                        .get(index)
                        .ok_or_else(|| Error::invalid("a sink refuses a row that there is not"))?;
                    self.refused(first_line, *place, (&refusal, block))?;
                }
            }
            match next {
                Some(flawed) => self.dead_letter_at(
                    first_line,
                    flawed.place,
                    (&flawed.flaw.to_string(), block),
                )?,
                None => break,
            }
        }
        self.counts().lines += made.lines;
        Ok(())
    }

    /// Takes a piece that is not a block: a line that is too long, or the failure of the input.
    #[cold]
    fn other(&mut self, fetched: &Fetched) -> Result<(), Error> {
        match &fetched.piece {
            Ok(Piece::Block(_) | Piece::Unread(_) | Piece::Tail(_)) => Ok(()),
            // A header longer than the limit has been read already, when the decoder was made.
            Ok(Piece::TooLong { .. }) if fetched.framed.header => {
                self.counts().lines += 1;
                Ok(())
            }
            Ok(Piece::TooLong { head, .. }) => {
                let line = self.counts().lines + 1;
                self.counts().lines = line;
                self.dead_letter(
                    line,
                    &DecodeError::TooLong { limit: fetched.framed.record_bytes_max }.to_string(),
                    head,
                )
            }
            Err(error) => {
                let (records, bytes) = (self.counts().records, fetched.bytes_decompressed);
                Err(Error::new(
                    error.kind(),
                    format!("{error}; read before it: {records} records, {bytes} bytes"),
                ))
            }
        }
    }

    /// A record of a block whose first line comes after so many of its input, which the sink did
    /// not take.
    #[cold]
    fn refused(
        &mut self,
        first_line: u64,
        place: RecordSpan,
        (refusal, block): (&Refusal, &Block),
    ) -> Result<(), Error> {
        match *refusal {
            Refusal::DeadLetter(ref reason) => {
                self.dead_letter_at(first_line, place, (reason, block))
            }
            Refusal::Late { time, watermark } => {
                let bytes = shown(&block.as_bytes()[place.start..place.end]);
                let line = first_line + place.lines + 1;
                self.counts().records += 1;
                self.sink.late(&LateRecord {
                    file: &self.stats.files[self.file].name,
                    line,
                    time,
                    watermark,
                    bytes,
                })
            }
        }
    }

    /// A dead letter of a block whose first line comes after so many of its input.
    #[cold]
    fn dead_letter_at(
        &mut self,
        first_line: u64,
        place: RecordSpan,
        (reason, block): (&str, &Block),
    ) -> Result<(), Error> {
        self.dead_letter(
            first_line + place.lines + 1,
            reason,
            &block.as_bytes()[place.start..place.end],
        )
    }

    #[cold]
    fn dead_letter(&mut self, line: u64, reason: &str, bytes: &[u8]) -> Result<(), Error> {
        let counts = self.counts();
        counts.records += 1;
        counts.dead_letters += 1;
        let letter = DeadLetter {
            file: &self.stats.files[self.file].name,
            line,
            reason,
            bytes: shown(bytes),
        };
        self.sink.dead_letter(&letter)
    }
}

/// What is handed out of a record's bytes.
fn shown(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    &bytes[..bytes.len().min(DEAD_LETTER_BYTES_MAX)]
}

/// Takes the records of a block one by one.
struct RowByRow<'t, 'a, S> {
    block: &'t Block,
    /// Lines of the input before the block.
    first_line: u64,
    /// Records that were taken and are yet to be counted.
    taken: u64,
    taking: &'t mut Taking<'a, S>,
}

impl<S: RowSink> TakeRecords for RowByRow<'_, '_, S> {
    type Stop = Error;

    #[inline(always)]
    fn record(&mut self, row: &mut Row, place: RecordSpan) -> Result<(), Error> {
        if let Some(refusal) = self.taking.sink.row(self.taking.file, row)? {
            return self.taking.refused(self.first_line, place, (&refusal, self.block));
        }
        self.taken += 1;
        Ok(())
    }

    #[cold]
    fn undecodable(&mut self, flaw: DecodeError, place: RecordSpan) -> Result<(), Error> {
        self.taking.dead_letter_at(self.first_line, place, (&flaw.to_string(), self.block))
    }
}
