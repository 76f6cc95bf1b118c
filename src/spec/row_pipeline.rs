//! A declared pipeline that runs.

use super::explain::Explanation;
use super::expression::{Column, Function};
use super::field::Fields;
use super::finished_rows::FinishedRows;
use super::null::Nulls;
use super::output::RowEmission;
use super::pending_rows::PendingRows;
use super::preaggregated_rows::PreaggregatedRows;
use super::predicate::Predicate;
use super::prepared_rows::{NextRows, PreparedRows, Upcoming};
use super::preparer::{Preparation, RowPreparer};
use super::row::Row;
use super::row_aggregate::{Plan, RowAggregate};
use super::time_format::TimeField;
use crate::engine::{Engine, Outcome, Shard, Stats};
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, ShardId};
use crate::snapshot::{Reductions, Snapshot};
use crate::time::Timestamp;
use crate::window::Windows;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// A compiled [`PipelineSpec`](super::PipelineSpec): rows in, emissions out.
///
/// # Example
/// ```
/// use streamgauge::spec::{CompileOptions, PipelineSpec, Row, RowOutcome};
/// use streamgauge::{ShardId, Timestamp};
///
/// let spec = PipelineSpec::from_toml("group = \"country\"\nagg = \"count, sum(bytes) as bytes\"\n", "hits.toml")?;
/// let mut pipeline = spec.compile(&CompileOptions::default())?;
/// assert_eq!(pipeline.fields(), ["country", "bytes"]);
///
/// let shard = pipeline.open_shard(ShardId::new("hits.csv"))?;
/// let mut row = pipeline.new_row();
/// row.begin(&bytes::Bytes::from_static(b"DE,200"));
/// row.set_untyped(0, 0..2);
/// row.set_untyped(1, 3..6);
/// assert_eq!(pipeline.push(shard, &mut row, Timestamp::from_millis(0), None)?, RowOutcome::Applied);
///
/// pipeline.finish();
/// let emission = pipeline.next_emission()?.expect("one window, one group");
/// assert_eq!(emission.group[0].to_string(), "DE");
/// assert_eq!(emission.values[1].to_string(), "200");
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct RowPipeline {
    preparer: Arc<RowPreparer>,
    engine: Engine<Row, RowAggregate>,
    group_names: Vec<String>,
    columns: Vec<OutputColumn>,
    windows: Windows,
    revised: bool,
    explanation: Explanation,
    /// Whether prepared rows that are late are told one by one.
    hands_out_late: bool,
    /// The rest of the emission that is being handed out.
    pending: PendingRows,
}

/// What a pipeline is made of.
pub(super) struct Parts {
    pub(super) fields: Fields,
    pub(super) filter: Vec<Predicate>,
    pub(super) time: Option<TimeField>,
    /// Names and slots of the fields to group by.
    pub(super) group: Vec<(String, usize)>,
    pub(super) columns: Vec<Column>,
    pub(super) plan: Plan,
    pub(super) nulls: Nulls,
    /// The slots of the fields whose markers of missing values count before anything is read.
    pub(super) marked: Vec<usize>,
    pub(super) engine: Engine<Row, RowAggregate>,
    pub(super) windows: Windows,
    pub(super) revised: bool,
    pub(super) key_bytes_max: usize,
    /// By how many milliseconds an event time may lie ahead of the arrival time.
    pub(super) max_ahead: Option<i64>,
    pub(super) explanation: Explanation,
}

/// A column of the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
}

/// What the values of a column are. Any may also be
/// [`OutputValue::Null`](super::OutputValue::Null).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ColumnKind {
    /// A number, text or truth value.
    Plain,
    /// [`OutputValue::Estimate`](super::OutputValue::Estimate).
    Estimate,
    /// [`OutputValue::Top`](super::OutputValue::Top).
    Top,
}

/// What became of a row. None of these is an error; each is counted in [`Stats`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RowOutcome {
    /// It was added to its window or windows.
    Applied,
    /// It did not pass the filter.
    Filtered,
    /// All of its windows had closed; with its event time.
    Late(Timestamp),
    /// Its position is not after the last one taken of its shard.
    Duplicate,
    /// It lies between two windows.
    BetweenWindows,
    /// It cannot be aggregated, for this reason, which names the field and its value.
    DeadLetter(String),
}

impl RowPipeline {
    pub(super) fn new(parts: Parts) -> Self {
        let (group_names, group_slots) = parts.group.into_iter().unzip();
        let columns = parts.columns.into_iter().map(OutputColumn::of).collect();
        let Parts { fields, filter, time, plan, key_bytes_max, nulls, marked, .. } = parts;
        let moving_times = parts.engine.moving_times();
        let preaggregation =
            parts.engine.aggregate().preaggregates().then(|| parts.engine.preaggregation());
        RowPipeline {
            preparer: Arc::new(RowPreparer {
                fields,
                filter,
                time,
                group_slots,
                plan,
                key_bytes_max,
                max_ahead: parts.max_ahead,
                nulls,
                marked,
                moving_times,
                preaggregation,
            }),
            engine: parts.engine,
            group_names,
            columns,
            windows: parts.windows,
            revised: parts.revised,
            explanation: parts.explanation,
            hands_out_late: false,
            pending: PendingRows::default(),
        }
    }

    /// The fields to read, by slot; those of the filter come first. Names, or JSON pointers where
    /// they begin with `/`.
    pub fn fields(&self) -> &[String] {
        self.preparer.fields.names()
    }

    /// The slots of the filter's fields are those below this.
    pub fn filter_slots(&self) -> usize {
        self.preparer.filter_slots()
    }

    /// A row with a slot for each field, to be filled again for every record.
    pub fn new_row(&self) -> Row {
        Row::new(self.preparer.slots())
    }

    /// The fields grouped by; empty without groups.
    pub fn group_names(&self) -> &[String] {
        &self.group_names
    }

    /// The columns of the answer.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// The windows.
    pub fn windows(&self) -> Windows {
        self.windows
    }

    /// Whether a window can be answered more than once, since late records still go into it.
    pub fn is_revised(&self) -> bool {
        self.revised
    }

    /// What the pipeline will do, and what it may cost: to be read before it runs.
    pub fn explain(&self) -> &Explanation {
        &self.explanation
    }

    /// Follows a shard, from the beginning; the handle of one that is followed already.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::shards_max`](crate::Limits::shards_max).
    pub fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        self.engine.open_shard(id)
    }

    /// Follows a shard that goes on where others ended, as after a reshard: see
    /// [`Engine::open_child_shard`].
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::shards_max`](crate::Limits::shards_max).
    pub fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        self.engine.open_child_shard(id, parents)
    }

    /// The shard has ended: the watermark does not wait for it any more.
    pub fn close_shard(&mut self, shard: Shard) {
        self.engine.close_shard(shard);
    }

    /// A shard that had ended goes on after all: see [`Engine::reopen_shard`].
    pub fn reopen_shard(&mut self, shard: Shard) {
        self.engine.reopen_shard(shard);
    }

    /// All rows of the shard up to this place have been given: see [`Engine::set_applied`].
    pub fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        self.engine.set_applied(shard, sequence);
    }

    /// Takes a row. `arrival` is its event time if the specification names no time field; with a
    /// `sequence`, a row that is not after the last one taken of its shard is a duplicate.
    ///
    /// A row whose group is known allocates nothing.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit that the user
    /// chose to be an error; of a strict pipeline,
    /// [`ErrorKind::InvalidRecord`](crate::ErrorKind::InvalidRecord) for a row that cannot be
    /// aggregated. The row is not taken then.
    #[inline]
    pub fn push(
        &mut self,
        shard: Shard,
        row: &mut Row,
        arrival: Timestamp,
        sequence: Option<&Sequence>,
    ) -> Result<RowOutcome, Error> {
        if let Some(sequence) = sequence
            && self.engine.is_duplicate(shard, sequence)
        {
            return Ok(RowOutcome::Duplicate);
        }
        match self.preparer.prepare(row, arrival) {
            Preparation::Record(time) => self.push_record(shard, row, time, sequence),
            Preparation::Filtered(time) => {
                self.engine.pass_over(shard, sequence, Outcome::Filtered, time);
                Ok(RowOutcome::Filtered)
            }
            Preparation::DeadLetter(reason, _) if self.engine.is_strict() => {
                Err(Error::new(ErrorKind::InvalidRecord, reason))
            }
            Preparation::DeadLetter(reason, time) => {
                self.engine.pass_over(shard, sequence, Outcome::DeadLetter, time);
                Ok(RowOutcome::DeadLetter(reason.into()))
            }
        }
    }

    /// The part of [`push`](RowPipeline::push) that any thread can do.
    pub fn preparer(&self) -> Arc<RowPreparer> {
        self.preparer.clone()
    }

    /// Takes the rows that this pipeline's [`preparer`](RowPipeline::preparer) prepared, from the
    /// first one that was not taken on and up to the row `until`, or to the first one that becomes
    /// a dead letter, or is late where [that is to be told](RowPipeline::hand_out_late): its index,
    /// and its outcome. Up to one that completes a window, too, so that the window can be fetched.
    /// The rest of [`push`](RowPipeline::push), for records without sequence numbers; what became
    /// of them shows in [`stats`](RowPipeline::stats).
    ///
    /// # Errors
    /// As [`push`](RowPipeline::push), for the row that comes after those
    /// [taken](PreparedRows::taken).
    pub fn push_prepared(
        &mut self,
        shard: Shard,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, RowOutcome)>, Error> {
        while let Some(next) = rows.next(until) {
            let told = match next {
                NextRows::Records(records) => self.push_records(shard, rows, records)?,
                NextRows::Filtered(rows, latest) => {
                    self.engine.pass_over_filtered(shard, rows, latest);
                    None
                }
                NextRows::DeadLetter(reason, _) if self.engine.is_strict() => {
                    return Err(Error::new(ErrorKind::InvalidRecord, reason));
                }
                NextRows::DeadLetter(reason, time) => {
                    self.engine.pass_over(shard, None, Outcome::DeadLetter, time);
                    Some(RowOutcome::DeadLetter(reason.into()))
                }
            };
            if let Some(outcome) = told {
                return Ok(Some((rows.taken() - 1, outcome)));
            }
            if self.engine.is_due() {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Takes all of the rows that were aggregated apart, or none: false where only pushing one
    /// after the other can say what is to become of each, as when a window fires in between. The
    /// state is then the one after pushing them so, but for which `state_bytes` were measured.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit that the user
    /// chose to be an error.
    pub fn push_preaggregated(
        &mut self,
        shard: Shard,
        rows: &PreaggregatedRows,
    ) -> Result<bool, Error> {
        let taken = self.engine.push_preaggregated(shard, &rows.records)?;
        if taken {
            // Their times are among those of the records.
            self.engine.pass_over_filtered(shard, rows.filtered, None);
        }
        Ok(taken)
    }

    /// Whether [`push_prepared`](RowPipeline::push_prepared) tells of each row that is late, as it
    /// does of a dead letter. Default: late rows are counted only.
    pub fn hand_out_late(&mut self, hand_out: bool) {
        self.hands_out_late = hand_out;
    }

    /// Takes the next so many records, or as many as there are up to one that is to be told of.
    fn push_records(
        &mut self,
        shard: Shard,
        rows: &mut PreparedRows,
        records: usize,
    ) -> Result<Option<RowOutcome>, Error> {
        let (hands_out_late, mut told) = (self.hands_out_late, None);
        self.engine.push_batch(shard, &mut Upcoming(rows, records), |_, time, outcome| {
            told = (outcome == Outcome::DeadLetter || outcome == Outcome::Late && hands_out_late)
                .then_some((outcome, time));
            told.is_none()
        })?;
        Ok(told.map(|(outcome, time)| match outcome {
            Outcome::Late => RowOutcome::Late(time),
            _ => RowOutcome::DeadLetter(self.refusal()),
        }))
    }

    /// Why the last record that became a dead letter could not be taken.
    fn refusal(&self) -> String {
        self.engine.refusal().map_or_else(String::new, Error::to_string)
    }

    /// Takes a prepared row.
    #[inline]
    fn push_record(
        &mut self,
        shard: Shard,
        row: &Row,
        time: Timestamp,
        sequence: Option<&Sequence>,
    ) -> Result<RowOutcome, Error> {
        let outcome = match sequence {
            None => self.engine.push(shard, row, time)?,
            Some(sequence) => self.engine.push_at(shard, sequence, row, time)?,
        };
        Ok(match outcome {
            Outcome::Applied => RowOutcome::Applied,
            Outcome::Filtered => RowOutcome::Filtered,
            Outcome::Late => RowOutcome::Late(time),
            Outcome::Duplicate => RowOutcome::Duplicate,
            Outcome::BetweenWindows => RowOutcome::BetweenWindows,
            Outcome::DeadLetter => RowOutcome::DeadLetter(self.refusal()),
        })
    }

    /// Whether a row at this place was taken before; if so it is counted as a duplicate, and need
    /// not be decoded.
    pub fn is_duplicate(&mut self, shard: Shard, sequence: &Sequence) -> bool {
        self.engine.is_duplicate(shard, sequence)
    }

    /// Returns true if the specification names no time field, so that a row's event time is its
    /// arrival time.
    pub fn takes_arrival_times(&self) -> bool {
        self.preparer.time.is_none()
    }

    /// Whether a row that cannot be aggregated is an error: see
    /// [`CompileOptions::strict`](super::CompileOptions::strict).
    pub fn is_strict(&self) -> bool {
        self.engine.is_strict()
    }

    /// Counts a record that could not be decoded, and takes its place as reached. If the
    /// specification names no time field, the record moves the watermark by its arrival time, where
    /// it has one.
    pub fn pass_over_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    ) {
        let time = arrival.filter(|_| self.preparer.time.is_none());
        self.engine.pass_over(shard, sequence, Outcome::DeadLetter, time);
    }

    /// The caller's clock at the last row of the shard whose event time could be read: see
    /// [`Engine::last_record`].
    pub fn last_record(&self, shard: Shard) -> Option<Timestamp> {
        self.engine.last_record(shard)
    }

    /// The caller's clock has come to `now`. Judges which shards are idle.
    pub fn advance(&mut self, now: Timestamp) {
        self.engine.advance(now);
    }

    /// No record of the shard before `time` is expected any more: see
    /// [`Engine::reach`](crate::engine::Engine::reach).
    pub fn reach(&mut self, shard: Shard, time: Timestamp) {
        self.engine.reach(shard, time);
    }

    /// The input has ended: every window is complete.
    pub fn finish(&mut self) {
        self.engine.finish();
    }

    /// Takes out the windows that are to come after [`finish`](RowPipeline::finish), in two to
    /// `parts` parts for as many threads, or none: see [`Engine::split_finished`]. What this
    /// pipeline still gives itself comes before theirs.
    pub fn split_finished(&mut self, parts: NonZeroUsize) -> Vec<FinishedRows> {
        let group_fields = self.group_names.len();
        self.engine
            .split_finished(parts)
            .into_iter()
            .map(|part| FinishedRows::new(part, group_fields))
            .collect()
    }

    /// Further records go to another pipeline, and no more come here: see
    /// [`Engine::hand_over`](crate::engine::Engine::hand_over).
    pub fn hand_over(&mut self) {
        self.engine.hand_over();
    }

    /// Answers every open window as it stands now, without closing it: see [`Engine::answer_open`].
    ///
    /// # Errors
    /// As [`Engine::answer_open`].
    pub fn answer_open(&mut self) -> Result<(), Error> {
        self.engine.answer_open()
    }

    /// The next row of the answer: by window end, then start, then group ascending.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if a window merged of its
    /// panes passes a limit that the user chose to be an error.
    pub fn next_emission(&mut self) -> Result<Option<RowEmission>, Error> {
        self.pending.next(self.group_names.len(), || self.engine.next_emission())
    }

    /// Event times up to and including this one are taken as complete; `None` before there is such
    /// a time.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.engine.watermark()
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// The last place of a shard that was taken: where a source that starts again goes on after.
    pub fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.engine.applied(shard)
    }

    /// The stable hash of what the pipeline computes: see [`Engine::fingerprint`].
    pub fn fingerprint(&self) -> u64 {
        self.engine.fingerprint()
    }

    /// The whole state as bytes: see [`Engine::snapshot`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) while the rows of a window
    /// are being fetched: fetch them all first.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        self.check_fetched()?;
        self.engine.snapshot()
    }

    /// The state in at most `bytes_max` bytes: see [`Engine::snapshot_within`].
    ///
    /// # Errors
    /// As [`snapshot`](RowPipeline::snapshot);
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if the smallest form does not
    /// fit.
    pub fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        self.check_fetched()?;
        self.engine.snapshot_within(bytes_max)
    }

    /// Replaces the state by the one that a snapshot of this pipeline holds: see
    /// [`Engine::restore`]. Shard handles are void; open the shards again.
    ///
    /// # Errors
    /// As [`Engine::restore`]; the state is then as it was.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.engine.restore(snapshot)?;
        self.pending = PendingRows::default();
        Ok(())
    }

    /// What a state is compared with before it is read.
    #[cfg(feature = "files")]
    pub(crate) fn identity(&self) -> crate::snapshot::Identity {
        self.engine.identity()
    }

    pub(super) fn engine(&self) -> &Engine<Row, RowAggregate> {
        &self.engine
    }

    pub(super) fn engine_mut(&mut self) -> &mut Engine<Row, RowAggregate> {
        &mut self.engine
    }

    pub(super) fn into_parts(self) -> (Engine<Row, RowAggregate>, Vec<String>, Vec<OutputColumn>) {
        (self.engine, self.group_names, self.columns)
    }

    fn check_fetched(&self) -> Result<(), Error> {
        match self.pending.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid(
                "the rows of a window are being fetched: fetch them all before a snapshot is taken",
            )),
        }
    }
}

impl fmt::Debug for RowPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowPipeline { preparer, group_names, columns, windows, .. } = self;
        f.debug_struct("RowPipeline")
            .field("fields", &preparer.fields)
            .field("group", group_names)
            .field("columns", columns)
            .field("windows", windows)
            .finish_non_exhaustive()
    }
}

impl OutputColumn {
    fn of(column: Column) -> Self {
        let kind = match column.function {
            Function::Quantile(..) | Function::Distinct(_) | Function::Frequency(..) => {
                ColumnKind::Estimate
            }
            Function::Top { .. } => ColumnKind::Top,
            _ => ColumnKind::Plain,
        };
        OutputColumn { name: column.name, kind }
    }
}
