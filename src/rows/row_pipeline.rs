//! A declared pipeline that runs.

use super::explain::Explanation;
use super::fast::preparer::{Preparation, RowPreparer};
use super::pending_rows::PendingRows;
use super::row_aggregate::{ColumnKind, Plan, RowAggregate};
use crate::engine::{Control, Engine, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::query::aggregates::Column;
use crate::query::field::Fields;
use crate::query::predicate::Predicate;
use crate::record::Sequence;
use crate::row::Row;
use crate::row::null::Nulls;
use crate::row::time_field::TimeField;
use crate::rows::RowEmission;
use crate::time::Timestamp;
use crate::window::Windows;
use std::fmt;
use std::sync::Arc;

/// A compiled [`PipelineSpec`](crate::query::PipelineSpec): rows in, emissions out.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::rows::CompileOptions;
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::row::Row;
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
/// assert_eq!(pipeline.push(shard, &mut row, Timestamp::from_millis(0), None)?, Outcome::Applied);
///
/// pipeline.finish();
/// let emission = pipeline.next_emission()?.expect("one window, one group");
/// assert_eq!(emission.group[0].to_string(), "DE");
/// assert_eq!(emission.values[1].to_string(), "200");
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct RowPipeline {
    pub(super) preparer: Arc<RowPreparer>,
    pub(super) engine: Engine<Row, RowAggregate>,
    pub(super) group_names: Vec<String>,
    pub(super) columns: Vec<OutputColumn>,
    pub(super) windows: Windows,
    pub(super) revised: bool,
    pub(super) explanation: Explanation,
    /// Whether prepared rows that are late are told one by one.
    pub(super) hands_out_late: bool,
    /// The rest of the emission that is being handed out.
    pub(super) pending: PendingRows,
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

impl RowPipeline {
    pub(super) fn new(parts: Parts) -> Self {
        let (group_names, group_slots) = parts.group.into_iter().unzip();
        let named = parts.columns.into_iter().zip(parts.plan.kinds());
        let columns =
            named.map(|(Column { name, .. }, kind)| OutputColumn { name, kind }).collect();
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
    ) -> Result<Outcome<String>, Error> {
        if let Some(sequence) = sequence
            && self.engine.is_duplicate(shard, sequence)
        {
            return Ok(Outcome::Duplicate);
        }
        match self.preparer.prepare(row, arrival) {
            Preparation::Record(time) => self.push_record(shard, row, time, sequence),
            Preparation::Filtered(time) => {
                self.engine.skip(shard, sequence, Outcome::Filtered, time);
                Ok(Outcome::Filtered)
            }
            Preparation::DeadLetter(reason, _) if self.engine.is_strict() => {
                Err(Error::new(ErrorKind::InvalidRecord, reason))
            }
            Preparation::DeadLetter(reason, time) => {
                self.engine.skip(shard, sequence, Outcome::DeadLetter(()), time);
                Ok(Outcome::DeadLetter(reason.into()))
            }
        }
    }

    /// Why the last record that became a dead letter could not be taken.
    pub(super) fn refusal(&self) -> String {
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
    ) -> Result<Outcome<String>, Error> {
        let outcome = match sequence {
            None => self.engine.push(shard, row, time)?,
            Some(sequence) => self.engine.push_at(shard, sequence, row, time)?,
        };
        Ok(outcome.map_dead_letter(|()| self.refusal()))
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

    /// Counts a record that could not be decoded, and takes its place as reached. If the
    /// specification names no time field, the record moves the watermark by its arrival time, where
    /// it has one.
    pub fn skip_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    ) {
        let time = arrival.filter(|_| self.preparer.time.is_none());
        self.engine.skip(shard, sequence, Outcome::DeadLetter(()), time);
    }

    /// The next row of the answer: by window end, then start, then group ascending.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if a window merged of its
    /// panes passes a limit that the user chose to be an error.
    pub fn next_emission(&mut self) -> Result<Option<RowEmission>, Error> {
        if !self.engine.is_handing_out() {
            // The state was restored in between: what is left is of the state before.
            self.pending = PendingRows::default();
        }
        let row = self.pending.next(self.group_names.len(), || self.engine.next_emission())?;
        self.engine.set_handing_out(!self.pending.is_empty());
        Ok(row)
    }

    /// What a state is compared with before it is read.
    #[cfg(feature = "files")]
    pub(crate) fn identity(&self) -> crate::snapshot::Identity {
        self.engine.identity()
    }

    pub(super) fn into_parts(self) -> (Engine<Row, RowAggregate>, Vec<String>, Vec<OutputColumn>) {
        (self.engine, self.group_names, self.columns)
    }
}

impl Control for RowPipeline {
    fn control(&self) -> &dyn Control {
        &self.engine
    }

    fn control_mut(&mut self) -> &mut dyn Control {
        &mut self.engine
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
