//! Declared pipelines over files.

use crate::adapter::files::last_rows::last_rows;
use crate::adapter::files::late::{LateRecord, Refusal};
use crate::adapter::files::observer::PipelineObserver;
use crate::adapter::files::options::FilesOptions;
use crate::adapter::files::pipelines::FilePipelines;
use crate::adapter::files::row_sink::{RowSink, TakeBlocks};
use crate::adapter::files::run::run_into;
use crate::adapter::files::source::{Input, Opened};
use crate::adapter::files::stats::FilesStats;
use crate::engine::{Control, Outcome};
use crate::error::{Error, ErrorKind};
use crate::formats::decode_error::DeadLetter;
use crate::formats::format::Format;
use crate::record::ShardId;
use crate::row::Row;
use crate::rows::{PreaggregatedRows, PreparedRows, RowEmission, RowPipeline, RowPreparer};
use crate::time::Timestamp;
use std::num::NonZeroU64;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Runs a pipeline over the inputs and answers every window: the command `streamgauge run` without
/// its output.
///
/// Complete windows come out while the inputs are read, the remaining ones at the end. Records of
/// regular files are decoded on [`FilesOptions::threads`] threads, and the windows at the end are
/// computed on them. The answer does not depend on that. Returns the counts of the inputs; the
/// counts of applied and late records are in the pipeline's [`stats`](Control::stats).
///
/// # Errors
/// - Those of [`run`](super::run), except errors of a sink. All records before damaged or truncated
///   data are answered before the error is returned.
/// - Those of [`RowPipeline::push`] and [`RowPipeline::next_emission`].
/// - Any error of the observer.
///
/// # Example
/// ```
/// use streamgauge::adapter::files::{FilesOptions, Input, PipelineObserver, run_pipeline};
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::rows::{CompileOptions, RowEmission};
/// use streamgauge::Error;
/// # let folder = std::env::temp_dir().join(format!("run-pipeline-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let (monday, tuesday) = (folder.join("monday.jsonl"), folder.join("tuesday.jsonl"));
/// # std::fs::write(&monday, "{\"country\":\"DE\",\"bytes\":10}\n{\"country\":\"FR\",\"bytes\":1}\n").unwrap();
/// # std::fs::write(&tuesday, "{\"country\":\"DE\",\"bytes\":5}\n").unwrap();
///
/// struct Print;
///
/// impl PipelineObserver for Print {
///     fn emission(&mut self, row: RowEmission) -> Result<(), Error> {
///         println!("{}: {} bytes", row.group[0], row.values[0]);
///         # assert!(matches!(row.values[0].to_string().as_str(), "15" | "1"));
///         Ok(())
///     }
/// }
///
/// let spec = PipelineSpec::from_toml("group = \"country\"\nagg = \"sum(bytes)\"\n", "bytes.toml")?;
/// let mut pipeline = spec.compile(&CompileOptions::default())?;
/// let inputs = vec![Input::from_argument(monday), Input::from_argument(tuesday)];
/// let read = run_pipeline(inputs, &FilesOptions::default(), &mut pipeline, &mut Print)?;
/// assert_eq!((read.records(), read.dead_letters()), (3, 0));
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), Error>(())
/// ```
pub fn run_pipeline<O: PipelineObserver>(
    inputs: Vec<Input>,
    options: &FilesOptions,
    pipeline: &mut RowPipeline,
    observer: &mut O,
) -> Result<FilesStats, Error> {
    let mut pipelines = FilePipelines::one(pipeline);
    let (stats, ended) = read_and_stop((inputs, options), &mut pipelines, observer);
    let damage = match ended {
        Ok(Ended::Stopped) => return Ok(stats),
        Ok(Ended::Whole) => None,
        Err(error) if error.kind() == ErrorKind::Corrupt => Some(error),
        Err(error) => return Err(error),
    };
    last_rows(pipeline, options.threads.unwrap_or(NonZeroUsize::MIN), |next| {
        let mut row = RowEmission::default();
        while !observer.should_stop() && next(&mut row)? {
            observer.emission(row.take())?;
        }
        Ok(())
    })?;
    damage.map_or(Ok(stats), Err)
}

/// Reads the inputs into pipelines and drains the complete windows, but not those that are open at
/// the end: the part of [`run_pipeline`] for a run that keeps its state, or whose inputs have
/// several pipelines. Returns the counts of the inputs.
///
/// # Errors
/// Those of [`run_pipeline`].
pub fn read_into<O: PipelineObserver>(
    inputs: Vec<Input>,
    options: &FilesOptions,
    pipelines: &mut FilePipelines<'_>,
    observer: &mut O,
) -> Result<FilesStats, Error> {
    let (stats, ended) = read_and_stop((inputs, options), pipelines, observer);
    ended.map(|_| stats)
}

/// How the reading of the inputs ended.
enum Ended {
    Whole,
    /// The observer stopped the run.
    Stopped,
}

fn read_and_stop<O: PipelineObserver>(
    (inputs, options): (Vec<Input>, &FilesOptions),
    pipelines: &mut FilePipelines<'_>,
    observer: &mut O,
) -> (FilesStats, Result<Ended, Error>) {
    pipelines.hand_out_late(observer.takes_late());
    let mut sink = PipelineSink::new(pipelines, observer, options.clock);
    let mut stats = FilesStats::default();
    let read = run_into::<_, Blocks>((inputs, options), &mut sink, &mut stats);
    let ended = match (read, sink.stopped) {
        (_, true) => Ok(Ended::Stopped),
        (Ok(()), false) => Ok(Ended::Whole),
        (Err(error), false) => Err(error),
    };
    (stats, ended)
}

/// Applies the records of a run to its pipelines.
pub(super) struct PipelineSink<'a, 'p, O> {
    pub(super) pipelines: &'a mut FilePipelines<'p>,
    pub(super) observer: &'a mut O,
    fields: Vec<String>,
    clock: Option<fn() -> Timestamp>,
    /// Of every how many records one is traced.
    trace_every: Option<NonZeroU64>,
    /// Records that could have been traced.
    seen: u64,
    /// True if the dead letter that comes next was traced as a row.
    was_row: bool,
    /// True if the observer has stopped the run.
    stopped: bool,
}

impl<'a, 'p, O: PipelineObserver> PipelineSink<'a, 'p, O> {
    pub(super) fn new(
        pipelines: &'a mut FilePipelines<'p>,
        observer: &'a mut O,
        clock: Option<fn() -> Timestamp>,
    ) -> Self {
        let fields = pipelines.fields().to_vec();
        let trace_every = observer.trace_every();
        PipelineSink {
            pipelines,
            observer,
            fields,
            clock,
            trace_every,
            seen: 0,
            was_row: false,
            stopped: false,
        }
    }

    /// Traces a record, if it is its turn.
    #[cold]
    fn trace(&mut self, name: &str, text: impl FnOnce() -> String) {
        let Some(every) = self.trace_every else { return };
        self.seen += 1;
        if self.seen.is_multiple_of(every.get()) {
            self.observer.trace(&format!("record {} of {name}: {}", self.seen, text()));
        }
    }

    /// Traces a row after its outcome is known.
    #[cold]
    fn trace_row(
        &mut self,
        file: usize,
        (row, arrival): (&Row, Timestamp),
        outcome: &Outcome<String>,
    ) -> Result<(), Error> {
        let name = self.pipelines.name(file).to_owned();
        let text = self.pipelines.of(file)?.0.trace(row, arrival, outcome);
        self.was_row = matches!(outcome, Outcome::DeadLetter(_));
        self.trace(&name, || text);
        Ok(())
    }

    /// Returns the reason if a record with this outcome is to be reported.
    #[cold]
    fn refusal(&mut self, file: usize, outcome: Outcome<String>) -> Result<Option<Refusal>, Error> {
        Ok(match outcome {
            Outcome::DeadLetter(reason) => {
                self.pipelines.count_refused();
                Some(Refusal::DeadLetter(reason))
            }
            Outcome::Late(time) if self.pipelines.hands_out_late() => {
                Some(Refusal::Late { time, watermark: self.pipelines.of(file)?.0.watermark() })
            }
            _ => None,
        })
    }

    /// Drains the complete windows before the next record is applied.
    #[cold]
    pub(super) fn drain(&mut self, file: usize) -> Result<(), Error> {
        let (pipeline, _) = self.pipelines.of(file)?;
        self.observer.drain(file, pipeline)
    }
}

impl<O: PipelineObserver> RowSink for PipelineSink<'_, '_, O> {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn open_shard(&mut self, _: usize, shard: ShardId) -> Result<(), Error> {
        self.pipelines.open(shard)
    }

    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
        self.pipelines.look_at(row);
        let arrival = self.clock.map_or(Timestamp::from_millis(0), |now| now());
        if self.pipelines.has_copy() {
            self.pipelines.push_copy(row, arrival)?;
        }
        let (pipeline, shard) = self.pipelines.of(file)?;
        let outcome = pipeline.push_next_row(shard, row, arrival)?;
        let due = pipeline.is_due();
        if self.trace_every.is_some() {
            self.trace_row(file, (row, arrival), &outcome)?;
        }
        let refusal = match outcome {
            Outcome::Applied | Outcome::Filtered => None,
            outcome => self.refusal(file, outcome)?,
        };
        self.pipelines.count_records(u64::from(refusal.is_none()));
        if due {
            self.drain(file)?;
        }
        Ok(refusal)
    }

    #[inline]
    fn at_line(&mut self, file: usize, line: u64) {
        self.pipelines.set_line(file, line);
    }

    #[inline]
    fn next_row(&mut self, file: usize, row: &mut Row, index: usize) -> Result<bool, Refusal> {
        self.pipelines.next_row(file, row, index)
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        if self.trace_every.is_some() && !std::mem::take(&mut self.was_row) {
            let text = || format!("dead letter in line {}: {}", letter.line, letter.reason);
            self.trace(letter.file, text);
        }
        self.pipelines.count_records(1);
        self.observer.dead_letter(letter)
    }

    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        self.pipelines.count_records(1);
        self.observer.late(record)
    }

    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error> {
        self.observer.progress(stats)?;
        self.drain(stats.files.len().saturating_sub(1))?;
        self.observer.pause(stats, self.pipelines)?;
        self.stopped = self.observer.should_stop();
        match self.stopped {
            true => Err(Error::new(ErrorKind::Io, "the observer has stopped the run")),
            false => Ok(()),
        }
    }

    fn resume_at(&mut self, file: usize, opened: &Opened<'_>) -> Result<u64, Error> {
        self.observer.resume_at(file, opened, self.pipelines)
    }

    fn beginning(&mut self, file: usize, format: Format, bytes: &[u8]) {
        self.observer.beginning(file, format, bytes);
    }

    fn note(&mut self, file: usize, note: &str) -> Result<(), Error> {
        self.observer.note(self.pipelines.name(file), note)
    }

    fn defers_tail(&self, file: usize) -> bool {
        // If another input continues the shard, a last line without an end is deferred.
        !self.pipelines.goes_on(file)
    }

    fn before_tails(&mut self, stats: &FilesStats) -> Result<(), Error> {
        if let Some(last) = stats.files.len().checked_sub(1) {
            self.drain(last)?;
        }
        self.observer.before_tails(self.pipelines)
    }

    fn close_shard(&mut self, file: usize) -> Result<(), Error> {
        self.pipelines.close(file);
        Ok(())
    }
}

/// Gives pipelines the rows of a block together.
struct Blocks;

impl<'a, 'p, O: PipelineObserver> TakeBlocks<PipelineSink<'a, 'p, O>> for Blocks {
    fn preparer(sink: &PipelineSink<'a, 'p, O>) -> Option<Arc<RowPreparer>> {
        // Records that are compared with the clock are applied one by one, when they are read.
        let one_by_one =
            sink.clock.is_some() || sink.trace_every.is_some() || sink.pipelines.has_copy();
        let pipeline = sink.pipelines.last();
        let pipeline = pipeline.filter(|pipeline| !one_by_one && pipeline.is_prepared());
        pipeline.map(RowPipeline::preparer)
    }

    fn gains_by_blocks(sink: &PipelineSink<'a, 'p, O>) -> bool {
        sink.pipelines.last().is_some_and(RowPipeline::is_spread)
    }

    fn prepared(
        sink: &mut PipelineSink<'a, 'p, O>,
        file: usize,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Refusal)>, Error> {
        let before = rows.taken();
        let refused = loop {
            let (pipeline, shard) = sink.pipelines.of(file)?;
            let told = pipeline.push_prepared(shard, rows, until)?;
            if pipeline.is_due() {
                sink.drain(file)?;
            }
            let refused = match told {
                Some((index, outcome)) => {
                    sink.refusal(file, outcome)?.map(|refusal| (index, refusal))
                }
                None => None,
            };
            if refused.is_some() || rows.taken() >= until {
                break refused;
            }
        };
        let taken = rows.taken() - before - usize::from(refused.is_some());
        sink.pipelines.count_records(taken as u64);
        sink.pipelines.see(|slot| rows.has_seen(slot));
        Ok(refused)
    }

    fn preaggregated(
        sink: &mut PipelineSink<'a, 'p, O>,
        file: usize,
        rows: &PreaggregatedRows,
    ) -> Result<bool, Error> {
        let (pipeline, shard) = sink.pipelines.of(file)?;
        let taken = pipeline.push_preaggregated(shard, rows)?;
        if taken {
            sink.pipelines.count_records(rows.len() as u64);
            sink.pipelines.see(|slot| rows.has_seen(slot));
        }
        Ok(taken)
    }
}
