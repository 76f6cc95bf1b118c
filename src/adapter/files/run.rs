//! A run over several inputs: each is a shard, and all are opened before the first record is read.

use crate::adapter::files::beginning::{Begun, begin, check_fields};
use crate::adapter::files::blocks::{
    BLOCK_BYTES, BUFFERS_PER_THREAD, BlockReader, Piece, SHARED_BLOCK_BYTES,
};
use crate::adapter::files::buffers::Buffers;
use crate::adapter::files::fetcher::{Fetched, Fetcher};
use crate::adapter::files::options::FilesOptions;
use crate::adapter::files::prepared::{OwnBlocks, PreparedPiece, Preparing};
use crate::adapter::files::row_sink::{RowSink, RowsOnly, TakeBlocks};
use crate::adapter::files::source::Input;
use crate::adapter::files::stats::{FileStats, FilesStats};
use crate::adapter::files::taking::Taking;
use crate::error::Error;
use crate::formats::decode::{Decoder, Framing, Records};
use crate::formats::json_scan::JsonScanner;
use crate::parallel::{Helpers, in_order};
use crate::record::ShardId;
use crate::row::Block;
use crate::row::Row;
use crate::rows::RowPreparer;
use std::sync::Arc;

/// Reads all inputs into the sink, one after the other, and returns the counts.
///
/// Before the first record it checks that every input can be opened and that, for regular files,
/// the format has all fields that the sink needs. Memory: a few blocks, plus one record up to the
/// limit.
///
/// # Errors
/// - An input that does not exist, is a directory, or may not be read. Nothing has been read then.
/// - A field that a header or a format lacks. The message names the most similar one.
/// - An input that is certainly not lines of UTF-8 text, or whose JSON is not one object a line.
///   The message names its kind, and what to do.
/// - Damaged or truncated compressed data. All whole records before the damage have been read.
/// - Any error of the sink.
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
    let mut stats = FilesStats::default();
    run_into::<S, RowsOnly>((inputs, options), sink, &mut stats).map(|()| stats)
}

/// Like [`run`], for a sink that may apply the rows of a block together. `stats` has the counts,
/// also after an error.
pub(super) fn run_into<S: RowSink, B: TakeBlocks<S>>(
    (inputs, options): (Vec<Input>, &FilesOptions),
    sink: &mut S,
    stats: &mut FilesStats,
) -> Result<(), Error> {
    let fields = sink.fields().to_vec();
    // A name that no format can have is reported before anything is opened.
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
        let resume_at = sink.resume_at(file, &reader.source().opened(format.clone()))?;
        sink.beginning(file, format, reader.peek()?.bytes);
        if let Some(note) = note {
            sink.note(file, &note)?;
        }
        let fetcher = Fetcher::new(reader, &decoder, resume_at);
        let taking = Taking { file, stats, sink };
        let tail =
            FileRun { fetcher, decoder, row: &mut row, taking }.read::<B>(helpers.as_ref())?;
        match tail {
            Some(tail) if options.defer_tails && sink.defers_tail(file) => tails.push((file, tail)),
            tail => {
                let mut taking = Taking { file, stats, sink };
                let bytes = tail.as_ref().map_or(0, |tail| tail.bytes);
                tail.map_or(Ok(()), |tail| tail.read(&mut row, &mut taking))?;
                taking.counts().offset += bytes;
                sink.close_shard(file)?;
            }
        }
        sink.pause(stats)?;
    }
    if options.defer_tails {
        sink.before_tails(stats)?;
    }
    for (file, tail) in tails {
        tail.read(&mut row, &mut Taking { file, stats, sink })?;
        sink.close_shard(file)?;
        sink.pause(stats)?;
    }
    Ok(())
}

/// Returns the shard with the input's name. A file that is given twice is two shards.
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

/// The rest of an input after its last whole record.
struct Tail {
    block: Block,
    decoder: Decoder,
    framed: Framing,
    /// Its bytes in the input.
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
    /// Reads the whole records of the input, on the helper threads if that pays off. Returns the
    /// last line if it has no end.
    fn read<B: TakeBlocks<S>>(mut self, helpers: Option<&Helpers>) -> Result<Option<Tail>, Error> {
        // Bytes that arrive slowly are processed at once. A single block is processed before a
        // thread has started.
        let alone = self.fetcher.reader().source().is_interactive()
            || self.fetcher.reader().has_ended()
            || self.decoder.has_directives();
        match (helpers.filter(|_| !alone), B::preparer(self.taking.sink)) {
            (Some(helpers), Some(preparer)) => self.read_on::<B>(helpers, preparer),
            _ => self.read_alone::<B>(),
        }
    }

    fn read_alone<B: TakeBlocks<S>>(self) -> Result<Option<Tail>, Error> {
        let FileRun { mut fetcher, mut decoder, row, mut taking } = self;
        let mut own = B::preparer(taking.sink).map(OwnBlocks::new);
        while let Some(fetched) = fetcher.next() {
            taking.begin(&fetched);
            if let Some(line) = fetcher.passed_directive() {
                decoder.directive(&line);
            }
            match &fetched.piece {
                Ok(Piece::Tail(block)) => {
                    taking.counts().offset = fetcher.offset();
                    let bytes = fetcher.reader().tail_bytes();
                    return Ok(Some(Tail { bytes, ..Tail::of(block, &fetched, decoder) }));
                }
                Ok(Piece::Block(block)) => {
                    let (records, with) = (fetched.records(block), (&mut decoder, &mut *row));
                    match own.as_mut().filter(|_| B::gains_by_blocks(taking.sink)) {
                        Some(own) => {
                            own.prepared(records, with, |made| taking.prepared::<B>(block, made))?
                        }
                        None => taking.block(records, with)?,
                    }
                }
                _ => taking.other(&fetched)?,
            }
            taking.end(&fetched)?;
        }
        // This also holds if all of it was skipped.
        taking.counts().offset = fetcher.offset();
        Ok(None)
    }

    /// Like [`read_alone`](FileRun::read_alone), with the same result: the blocks are decoded and
    /// prepared on several threads, and applied in order on this one.
    fn read_on<B: TakeBlocks<S>>(
        self,
        helpers: &Helpers,
        preparer: Arc<RowPreparer>,
    ) -> Result<Option<Tail>, Error> {
        let FileRun { mut fetcher, mut decoder, row, mut taking } = self;
        fetcher.reader().keep_buffers(helpers.threads());
        let preparing = Preparing::new(
            decoder.clone(),
            preparer,
            row.slots(),
            helpers.threads() * BUFFERS_PER_THREAD,
        );
        // For a block that is read again, to be processed row by row.
        let mut buffers = Buffers::new(1);
        let mut tail = None;
        in_order(
            helpers,
            &preparing,
            || fetcher.find_next(),
            |PreparedPiece { mut fetched, mut made }| {
                taking.begin(&fetched);
                let preaggregated = match &made.preaggregated {
                    Some(rows) => taking.preaggregated::<B>(rows, &preparing.preaggregating)?,
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
                            taking.prepared::<B>(block, &mut made)?
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

#[cfg(test)]
mod tests;
