//! A running declared pipeline.

use super::answers::{AnswerPlan, ValueType};
use super::evaluate::{Condition, NullCounts, Values};
use super::explain::Explanation;
use super::fast::preparer::{Preparation, RowPreparer};
use super::intake::Intake;
use super::pending_rows::PendingRows;
use super::row_aggregate::{ColumnKind, Plan, RowAggregate};
use super::select::Select;
use super::unnest::Unnest;
use crate::engine::{Control, Emission, Engine, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::record::Sequence;
use crate::row::Row;
use crate::row::null::Nulls;
use crate::row::time_field::TimeField;
use crate::rows::{RowEmission, RowForm};
use crate::time::Timestamp;
use crate::window::{TimeZone, Windows};
use std::fmt;
use std::sync::Arc;

/// A compiled [`PipelineSpec`](crate::query::PipelineSpec): rows in, emissions out.
///
/// A specification with tables `query` has several queries. Each gets every row, and their rows of
/// answers come out together, see [`queries`](RowPipeline::queries). What the pipeline itself
/// returns of one query, such as its [columns](RowPipeline::columns), is that of the first.
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
    pub(super) columns: Vec<OutputColumn>,
    pub(super) answers: Arc<AnswerPlan>,
    pub(super) windows: Windows,
    pub(super) revised: bool,
    pub(super) explanation: Explanation,
    /// True if late prepared rows are reported one by one.
    pub(super) hands_out_late: bool,
    /// The remaining rows of the current emission.
    pub(super) pending: PendingRows,
    /// What reads records that are not given as rows.
    pub(super) intake: Option<Box<Intake>>,
    /// The fields that the event time is read or computed of.
    pub(super) time_fields: Vec<String>,
    /// The array of each record whose elements are records.
    pub(super) unnest: Option<Box<Unnest>>,
    /// The pipelines of the other queries, which get every row, too.
    pub(super) others: Vec<RowPipeline>,
    /// The number of queries, from the first on, that have the row which the next one refused.
    pub(super) have_row: usize,
    /// True if the query has taken rows that another one has still to take, so that its answers
    /// wait.
    pub(super) is_ahead: bool,
    /// The rows of records that are passed on, instead of answers.
    pub(super) select: Option<Box<Select>>,
}

/// The parts of a pipeline.
pub(super) struct Parts {
    /// The fields, and what is computed of them.
    pub(super) values: Values,
    pub(super) filter: Vec<Condition>,
    /// The slots of the filter's fields are those below this.
    pub(super) filter_slots: usize,
    pub(super) time: Option<TimeField>,
    pub(super) time_fields: Vec<String>,
    /// Names and slots of the grouped fields.
    pub(super) group: Vec<(String, usize)>,
    pub(super) answers: AnswerPlan,
    pub(super) plan: Plan,
    pub(super) nulls: Nulls,
    /// The slots of the fields whose markers of missing values are applied before anything is
    /// evaluated.
    pub(super) marked: Vec<usize>,
    pub(super) engine: Engine<Row, RowAggregate>,
    pub(super) windows: Windows,
    pub(super) revised: bool,
    pub(super) key_bytes_max: usize,
    /// How many milliseconds an event time may be ahead of the arrival time.
    pub(super) max_ahead: Option<i64>,
    pub(super) explanation: Explanation,
    pub(super) unnest: Option<Unnest>,
    pub(super) select: Option<Select>,
}

/// A column of the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: ColumnKind,
    /// The type of its values, or of its estimates, where the query says it.
    pub values: Option<ValueType>,
}

impl RowPipeline {
    pub(super) fn new(parts: Parts) -> Self {
        let group_slots: Vec<_> = parts.group.into_iter().map(|(_, slot)| slot).collect();
        let selected = parts.select.as_ref().map_or(&[][..], Select::slots);
        let columns = match &parts.select {
            Some(select) => plain_columns(&select.form().columns),
            None => parts.answers.output_columns(),
        };
        let Parts { values, filter, filter_slots, time, plan, .. } = parts;
        let Parts { key_bytes_max, nulls, marked, .. } = parts;
        // A record that does not pass the filter needs its time, too: it moves the watermark.
        let time_slot = time.as_ref().map(|time| time.slot);
        let conditions = filter.iter().flat_map(|condition| condition.reads.iter().copied());
        let early = conditions.chain(time_slot).collect::<Vec<_>>();
        let late = plan.slots().chain(group_slots.iter().chain(selected).copied());
        let late = late.chain(time_slot).collect::<Vec<_>>();
        let (names, computed) = values.ordered(&early, &late);
        let (fields, shared) = (names.fields, names.shared);
        let moving_times = parts.engine.moving_times();
        let preaggregation = (parts.select.is_none()
            && parts.engine.aggregate().preaggregates()
            && !parts.engine.is_per_group()
            && !parts.engine.is_of_rows())
        .then(|| parts.engine.preaggregation());
        RowPipeline {
            preparer: Arc::new(RowPreparer {
                fields,
                computed,
                filter,
                filter_slots,
                shared,
                time,
                group_slots,
                plan,
                key_bytes_max,
                max_ahead: parts.max_ahead,
                nulls,
                marked,
                moving_times,
                preaggregation,
                others: Vec::new(),
            }),
            engine: parts.engine,
            columns,
            answers: Arc::new(parts.answers),
            windows: parts.windows,
            revised: parts.revised,
            explanation: parts.explanation,
            hands_out_late: false,
            pending: PendingRows::default(),
            intake: None,
            time_fields: parts.time_fields,
            unnest: parts.unnest.map(Box::new),
            others: Vec::new(),
            have_row: 0,
            is_ahead: false,
            select: parts.select.map(Box::new),
        }
    }

    /// Returns the fields to read, by slot: names, or JSON pointers, which begin with `/`. Those of
    /// the filter come first. They are those of all queries.
    pub fn fields(&self) -> &[String] {
        self.preparer.fields.names()
    }

    /// Returns the fields that the event time is read or computed of; empty if it is the arrival
    /// time.
    pub fn time_fields(&self) -> &[String] {
        &self.time_fields
    }

    /// Returns the number of slots of the filter's fields. These are the first slots. It is 0 if
    /// there are several queries, each with a filter of its own.
    pub fn filter_slots(&self) -> usize {
        if self.others.is_empty() { self.preparer.filter_slots() } else { 0 }
    }

    /// Returns a row with a slot for each field, to be reused for every record.
    pub fn new_row(&self) -> Row {
        Row::new(self.preparer.slots())
    }

    /// Returns the grouped fields; empty without groups.
    pub fn group_names(&self) -> &[String] {
        &self.form().group
    }

    /// Returns the columns of the answer.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// Returns the windows.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Returns what all rows of the answer have in common.
    pub fn form(&self) -> &Arc<RowForm> {
        self.select.as_ref().map_or_else(|| self.answers.form(), |select| select.form())
    }

    /// Returns the time zone that the times of windows are shown in; `None` for UTC.
    pub fn time_zone(&self) -> Option<&TimeZone> {
        self.form().zone.as_ref()
    }

    /// Returns true if a window can be answered more than once, because it accepts late records.
    pub fn is_revised(&self) -> bool {
        self.revised || self.others.iter().any(RowPipeline::is_revised)
    }

    /// Returns true if a row that was given can be retracted by a later revision of its window:
    /// a condition on rows may cease to hold, or the row may fall behind others past the limit.
    pub fn retracts(&self) -> bool {
        self.answers.retracts() || self.others.iter().any(RowPipeline::retracts)
    }

    /// Returns how often expressions were null though the fields they read have values, in all
    /// records that were prepared so far.
    pub fn null_counts(&self) -> NullCounts {
        let others = self.others.iter().map(RowPipeline::null_counts);
        others.fold(self.preparer.shared.counts(), |mut all, other| {
            all.other_kind = all.other_kind.saturating_add(other.other_kind);
            all.divisions_by_zero = all.divisions_by_zero.saturating_add(other.divisions_by_zero);
            all
        })
    }

    /// Returns the explanation of the pipeline and its cost, for use before it runs.
    pub fn explain(&self) -> &Explanation {
        &self.explanation
    }

    /// Adds a row. `arrival` is its event time if the specification names no time field. With a
    /// `sequence`, a row that is not after the last one of its shard is a duplicate.
    ///
    /// A row of a known group allocates nothing.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit that the user
    /// chose to be an error. A strict pipeline returns
    /// [`ErrorKind::InvalidRecord`](crate::ErrorKind::InvalidRecord) for a row that cannot be
    /// aggregated. After an error the row is not added.
    #[inline]
    pub fn push(
        &mut self,
        shard: Shard,
        row: &mut Row,
        arrival: Timestamp,
        sequence: Option<&Sequence>,
    ) -> Result<Outcome<String>, Error> {
        if let Some(sequence) = sequence
            && self.is_duplicate(shard, sequence)
        {
            return Ok(Outcome::Duplicate);
        }
        if let (Some(select), Some(sequence)) = (&mut self.select, sequence) {
            select.set_position(sequence, 0);
        }
        match self.unnest.is_none() {
            true => self.push_row(shard, row, (arrival, sequence)),
            false => self.push_elements(shard, row, (arrival, sequence)),
        }
    }

    /// Adds a row that is a whole record, or an element of one.
    #[inline]
    pub(super) fn push_row(
        &mut self,
        shard: Shard,
        row: &mut Row,
        (arrival, sequence): (Timestamp, Option<&Sequence>),
    ) -> Result<Outcome<String>, Error> {
        if !self.others.is_empty() {
            return self.push_to_all(shard, row, (arrival, sequence));
        }
        let preparation = self.preparer.prepare(row, arrival);
        self.push_as(preparation, (shard, row, sequence))
    }

    /// Adds a row of which it is known what it is to the pipeline.
    #[inline(always)]
    pub(super) fn push_as(
        &mut self,
        preparation: Preparation,
        (shard, row, sequence): (Shard, &Row, Option<&Sequence>),
    ) -> Result<Outcome<String>, Error> {
        match preparation {
            Preparation::Record(time) if self.select.is_some() => {
                self.push_selected(shard, row, (time, sequence))
            }
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

    /// Returns why the last dead letter was refused.
    pub(super) fn refusal(&self) -> String {
        self.engine.refusal().map_or_else(String::new, Error::to_string)
    }

    /// Adds a prepared row.
    #[inline]
    pub(super) fn push_record(
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

    /// Returns true if a row at this position was added before, and counts it as a duplicate. The
    /// row need not be decoded then.
    pub(crate) fn is_duplicate(&mut self, shard: Shard, sequence: &Sequence) -> bool {
        // A record of which a part was added comes again for its rest. Queries take a record one
        // after the other, so what the last one has, all have.
        !self.engine.is_applied_in_part()
            && self.others.iter_mut().rev().all(|other| other.engine.is_duplicate(shard, sequence))
            && self.engine.is_duplicate(shard, sequence)
    }

    /// Returns true if the specification names no time field, so that a row's event time is its
    /// arrival time.
    pub(crate) fn takes_arrival_times(&self) -> bool {
        self.preparer.time.is_none()
    }

    /// Counts a record that could not be decoded, and marks its position as processed. If the
    /// specification names no time field, the record's arrival time, if it has one, moves the
    /// watermark.
    pub(crate) fn skip_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    ) {
        let time = arrival.filter(|_| self.preparer.time.is_none());
        for engine in self.engines_mut() {
            engine.skip(shard, sequence, Outcome::DeadLetter(()), time);
        }
    }

    /// Returns the next row of the answer: by window end, then start, then group ascending.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if a window merged from its
    /// panes exceeds a limit that the user chose to be an error.
    pub fn next_emission(&mut self) -> Result<Option<RowEmission>, Error> {
        let mut row = RowEmission::of_form(self.answers.form());
        Ok(self.fill_next(&mut row)?.then_some(row))
    }

    /// Fills `row` with the next row of the answer, as [`next_emission`](Self::next_emission), and
    /// returns true. Returns false if no row waits. Rows of many groups take the memory of the row
    /// before.
    ///
    /// # Errors
    /// Those of [`next_emission`](Self::next_emission).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::{CompileOptions, RowEmission};
    /// let spec = PipelineSpec::from_toml("group = \"country\"\nagg = \"count\"", "hits.toml")?;
    /// let mut hits = spec.compile(&CompileOptions::default())?;
    /// let shard = hits.open_shard(ShardId::new("requests"))?;
    /// for country in ["FR", "DE", "FR"] {
    ///     hits.push_fields(shard, &[("country", &country)], Timestamp::from_millis(0), None)?;
    /// }
    /// hits.finish();
    /// let (mut row, mut text) = (RowEmission::default(), String::new());
    /// while hits.fill_next(&mut row)? {
    ///     text += &format!("{} {} ", row.group[0], row.values[0]);
    /// }
    /// assert_eq!(text, "DE 1 FR 2 ");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fill_next(&mut self, row: &mut RowEmission) -> Result<bool, Error> {
        Ok(self.fill_own(row)? || self.fill_next_of_others(row)?)
    }

    /// Leaves the groups of the last answers in memory until the pipeline is dropped: to drop many
    /// groups one by one takes time, which is spared where the process ends.
    #[cfg(feature = "files")]
    pub(crate) fn keep_last_answers(&mut self) {
        self.pending.keep_last();
        self.others.iter_mut().for_each(RowPipeline::keep_last_answers);
    }

    /// Fills `row` with the next row of this query's answer.
    pub(super) fn fill_own(&mut self, row: &mut RowEmission) -> Result<bool, Error> {
        if self.is_ahead {
            return Ok(false);
        }
        if self.select.is_some() {
            return Ok(self.next_selected()?.map(|next| *row = next).is_some());
        }
        if !self.engine.is_handing_out() {
            // The state was restored in between, so the remaining rows belong to the old state.
            self.pending.clear();
        }
        let filled =
            self.pending.fill(&self.answers, row, || match self.engine.is_per_group() {
                // Each is of few groups.
                true => Ok(self.engine.next_emission()?.map(|found| {
                    let Emission { window, revision, retracted, value } = found;
                    Emission { window, revision, retracted, value: value.into() }
                })),
                false => {
                    self.engine.next_emission_with(|aggregate, content| aggregate.answered(content))
                }
            })?;
        self.engine.set_handing_out(!self.pending.is_empty());
        Ok(filled)
    }
}

fn plain_columns(names: &[String]) -> Vec<OutputColumn> {
    let column =
        |name: &String| OutputColumn { name: name.clone(), kind: ColumnKind::Plain, values: None };
    names.iter().map(column).collect()
}

impl fmt::Debug for RowPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowPipeline { preparer, columns, windows, .. } = self;
        f.debug_struct("RowPipeline")
            .field("fields", &preparer.fields)
            .field("group", &self.group_names())
            .field("columns", columns)
            .field("windows", windows)
            .finish_non_exhaustive()
    }
}
