//! What a pipeline makes of one row, whatever came before it.

use crate::engine::Preaggregation;
use crate::query::field::Fields;
use crate::record::{ahead_words, is_ahead};
use crate::row::NotATime;
use crate::row::Row;
use crate::row::TimeFormat;
use crate::row::Value;
use crate::row::fields::{NotAKey, NumberReading};
use crate::row::null::Nulls;
use crate::row::time_field::TimeField;
use crate::rows::evaluate::{Condition, Failure, Ordered, Shared, shown};
use crate::rows::row_aggregate::{Plan, RowAggregate};
use crate::time::Timestamp;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The part of a [`RowPipeline`](super::RowPipeline) that looks at one row alone: filter, event
/// time, numbers and keys.
///
/// It holds no state, so any thread may do it, for any row, in any order;
/// [`PreparedRows`](super::PreparedRows) carry what it made to the pipeline.
pub(crate) struct RowPreparer {
    pub(in crate::rows) fields: Fields,
    pub(in crate::rows) computed: Ordered,
    pub(in crate::rows) filter: Vec<Condition>,
    /// The slots of the filter's fields are those below this.
    pub(in crate::rows) filter_slots: usize,
    /// What expressions count.
    pub(in crate::rows) shared: Arc<Shared>,
    pub(in crate::rows) time: Option<TimeField>,
    pub(in crate::rows) group_slots: Vec<usize>,
    pub(in crate::rows) plan: Plan,
    pub(in crate::rows) key_bytes_max: usize,
    /// By how many milliseconds an event time may lie ahead of the arrival time.
    pub(in crate::rows) max_ahead: Option<i64>,
    pub(in crate::rows) nulls: Nulls,
    /// The slots of the fields whose markers of missing values count before anything is read.
    pub(in crate::rows) marked: Vec<usize>,
    /// The event times that move a watermark; empty where none does, and the times of rows that do
    /// not pass the filter are not read.
    pub(in crate::rows) moving_times: RangeInclusive<i64>,
    /// `None` where rows cannot be aggregated apart: see [`RowAggregate::preaggregates`].
    pub(in crate::rows) preaggregation: Option<Preaggregation<Row, RowAggregate>>,
    /// Those of the other queries, which read the same fields.
    pub(in crate::rows) others: Vec<Arc<RowPreparer>>,
}

/// What a row is to the pipeline.
#[derive(Debug)]
pub(in crate::rows) enum Preparation {
    /// A record of this event time.
    Record(Timestamp),
    /// One that does not pass the filter, and its event time where that moves a watermark.
    Filtered(Option<Timestamp>),
    /// One that cannot be aggregated, for this reason, and its event time if that can be read.
    DeadLetter(Box<str>, Option<Timestamp>),
}

impl RowPreparer {
    /// Reads of the row what the pipeline needs. `arrival` is its event time if there is no time
    /// field.
    #[inline(always)]
    pub(in crate::rows) fn prepare(&self, row: &mut Row, arrival: Timestamp) -> Preparation {
        if !self.marked.is_empty() {
            row.clear_nulls(&self.marked, &self.nulls);
        }
        let early = if self.computed.is_empty() { None } else { self.computed.fill_early(row) };
        if !self.filter.iter().all(|condition| condition.holds(row, &self.shared)) {
            return Preparation::Filtered(if self.moving_times.is_empty() {
                None
            } else {
                self.moving_time(row, arrival)
            });
        }
        let time = match &self.time {
            None => arrival,
            Some(field) => match row.event_time(field) {
                Ok(time) if self.is_ahead(time, arrival) => {
                    return Preparation::DeadLetter(
                        self.refused(&self.refuse_ahead(field, time, arrival), row),
                        None,
                    );
                }
                Ok(time) => time,
                Err(why) => return Preparation::DeadLetter(self.no_time((why, early), row), None),
            },
        };
        if !self.computed.is_empty()
            && let Err(failure) = early.map_or_else(|| self.computed.fill_late(row), Err)
        {
            let sentence = failure.sentence(row, &self.fields);
            return Preparation::DeadLetter(sentence.into(), Some(time));
        }
        match self.read(row) {
            Ok(()) => Preparation::Record(time),
            Err(refusal) => Preparation::DeadLetter(self.refused(&refusal, row), Some(time)),
        }
    }

    /// As [`prepare`](RowPreparer::prepare), of a row that other queries read, too: what counts as
    /// missing here counts as what it is there.
    #[inline]
    pub(in crate::rows) fn prepare_shared(&self, row: &mut Row, arrival: Timestamp) -> Preparation {
        if self.marked.is_empty() {
            return self.prepare(row, arrival);
        }
        row.keep_fields(&self.marked);
        let preparation = self.prepare(row, arrival);
        row.give_back_fields(&self.marked);
        preparation
    }

    /// The event time of a row that does not pass the filter, if it can be read and moves a
    /// watermark.
    fn moving_time(&self, row: &Row, arrival: Timestamp) -> Option<Timestamp> {
        let time = match &self.time {
            None => arrival,
            Some(field) => {
                row.event_time(field).ok().filter(|time| !self.is_ahead(*time, arrival))?
            }
        };
        self.moving_times.contains(&time.as_millis()).then_some(time)
    }

    /// Returns the reason of a row without an event time: for one that is computed, the first value
    /// that could not be.
    #[cold]
    fn no_time(&self, (why, early): (NotATime, Option<Failure<'_>>), row: &Row) -> Box<str> {
        let Some(field) = &self.time else { return Box::default() };
        match early {
            Some(failure) if self.fields.name(field.slot).is_empty() => {
                failure.sentence(row, &self.fields).into()
            }
            _ => self.refused(&refuse_time(field, why), row),
        }
    }

    /// Returns true if the event time lies too far ahead of the arrival time.
    #[inline(always)]
    fn is_ahead(&self, time: Timestamp, arrival: Timestamp) -> bool {
        self.max_ahead.is_some_and(|max_ahead| is_ahead(time, arrival, max_ahead))
    }

    #[cold]
    fn refuse_ahead(&self, field: &TimeField, time: Timestamp, arrival: Timestamp) -> Refusal {
        Refusal::new(field.slot, ahead_words(time, arrival, self.max_ahead.unwrap_or_default()))
    }

    /// Reads of the row what the aggregates need, or says what is wrong with the row.
    #[inline(always)]
    fn read(&self, row: &mut Row) -> Result<(), Refusal> {
        let Plan { numbers, any_order, keys, tests, .. } = &self.plan;
        row.begin_prepared(numbers.len(), keys.len(), tests.len());
        let (nulls, time, bytes_max) = (&self.nulls, self.time.as_ref(), self.key_bytes_max);
        let reading = NumberReading { slots: numbers, any_order, nulls, time, bytes_max };
        row.prepare_numbers(&reading).map_err(|(slot, why)| Refusal::new(slot, why.to_string()))?;
        if !self.plan.weights.is_empty()
            && let Some(slot) = self.plan.wrong_weight(row)
        {
            let why = "is not a whole number of at least 0, as a weight is".into();
            return Err(Refusal::new(slot, why));
        }
        for (index, slots) in keys.iter().enumerate() {
            match **slots {
                [slot] => row
                    .prepare_key(index, slot, self.key_bytes_max)
                    .map_err(|why| self.refuse_key(slot, why))?,
                _ => row
                    .prepare_key_of(index, slots, self.key_bytes_max)
                    .map_err(|(slot, why)| self.refuse_key(slot, why))?,
            }
        }
        for (index, test) in tests.iter().enumerate() {
            let passes = test.passes(row);
            row.prepare_test(index, passes);
        }
        match self.group_slots.as_slice() {
            [] => {}
            [slot] => row
                .prepare_group(*slot, self.key_bytes_max)
                .map_err(|why| self.refuse_key(*slot, why))?,
            slots => row
                .prepare_group_of(slots, self.key_bytes_max)
                .map_err(|(slot, why)| self.refuse_key(slot, why))?,
        }
        Ok(())
    }

    #[cold]
    fn refuse_key(&self, slot: usize, why: NotAKey) -> Refusal {
        Refusal::new(
            slot,
            match why {
                NotAKey::OutOfRange => "is out of the range of numbers that can be keys".into(),
                NotAKey::TooLong(bytes) => format!(
                    "takes {bytes} bytes as a key, over the limit of {}",
                    self.key_bytes_max
                ),
            },
        )
    }

    /// Returns the name of a field, or the expression that is computed into a slot.
    #[cold]
    pub(in crate::rows) fn name(&self, slot: usize) -> &str {
        match self.fields.name(slot) {
            "" => self.computed.written(slot),
            name => name,
        }
    }

    /// A sentence with the field and its value, as in `bytes: "abc" is not a number`.
    #[cold]
    fn refused(&self, refusal: &Refusal, row: &Row) -> Box<str> {
        let Refusal { slot, why } = refusal;
        let name = self.name(*slot);
        let sentence = match row.value(*slot) {
            Value::Missing if self.fields.name(*slot).is_empty() => {
                format!("{name}: the value {why}")
            }
            Value::Missing | Value::Untyped("") => format!("{name}: the field {why}"),
            value => format!("{name}: {} {why}", shown(value)),
        };
        sentence.into()
    }

    /// The slots of the filter's fields are those below this.
    pub(in crate::rows) fn filter_slots(&self) -> usize {
        self.filter_slots
    }

    /// How many fields are read.
    pub(in crate::rows) fn slots(&self) -> usize {
        self.fields.names().len()
    }
}

impl fmt::Debug for RowPreparer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowPreparer").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// What is wrong with a field.
struct Refusal {
    slot: usize,
    why: String,
}

impl Refusal {
    #[cold]
    fn new(slot: usize, why: String) -> Self {
        Refusal { slot, why }
    }
}

#[cold]
fn refuse_time(field: &TimeField, why: NotATime) -> Refusal {
    let why = match why {
        NotATime::Missing => why.to_string(),
        _ => format!("{why} ({})", TimeWords(&field.format)),
    };
    Refusal::new(field.slot, why)
}

/// The format of times, in the words of an error.
struct TimeWords<'a>(&'a TimeFormat);

impl fmt::Display for TimeWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TimeFormat::Pattern(pattern) => write!(f, "time format {pattern:?}"),
            format => write!(f, "time format {format}"),
        }
    }
}
