//! Rows of a block, prepared by any thread, to be pushed in their order by one.

use super::preparer::{Preparation, RowPreparer};
use crate::engine::{Batch, Outcome};
use crate::row::Block;
use crate::row::Number;
use crate::row::Row;
use crate::row::Value;
use crate::row::number::PreparedNumber;
use crate::row::span::KeyBytes;
use crate::row::span::Span;
use crate::time::Timestamp;
use std::ops::Range;

/// What a [`RowPreparer`] made of the rows of one block, in the order in which the pipeline takes
/// them: about 8 bytes a row, 16 more for each number and 12 for each key, and the block. It is
/// written by one thread and read by another, and what that costs grows with its bytes.
#[derive(Debug)]
pub(crate) struct PreparedRows {
    /// Has the block and the bytes of all rows, and takes the values of one after the other.
    row: Row,
    /// The event times of the records. So many of each of the following are one record's.
    times: Vec<Timestamp>,
    numbers: Vec<Packed>,
    /// The integers that are not short.
    wide: Vec<i128>,
    keys: Vec<KeyBytes>,
    tests: Vec<bool>,
    groups: Vec<KeyBytes>,
    strides: Strides,
    /// The rows that are no records.
    gaps: Vec<Gap>,
    /// How many rows there are.
    len: usize,
    taken: Taken,
    /// The first row that has the field, by slot; `usize::MAX` if none does.
    first_with: Vec<usize>,
    /// The slots that no row has had yet.
    unseen: Vec<usize>,
    /// The same rows as the other queries take them.
    pub(in crate::rows) others: Vec<PreparedRows>,
    /// What became of the last row taken, if that is to be told once all queries have taken it.
    pub(in crate::rows) told: Option<Outcome<String>>,
}

/// How much a record has in each column.
#[derive(Clone, Copy, Debug)]
struct Strides {
    numbers: usize,
    keys: usize,
    tests: usize,
    /// One, or 0 without groups.
    groups: usize,
}

/// Rows between two records that hold no record.
#[derive(Debug)]
struct Gap {
    /// The records before it.
    records: usize,
    rows: NoRecords,
}

#[derive(Debug)]
enum NoRecords {
    /// Rows that did not pass the filter, all of this event time where that moves a watermark: so
    /// any number of these can be taken at a time.
    Filtered(usize, Option<Timestamp>),
    /// One that cannot be aggregated, for this reason, and its event time if that can be read.
    DeadLetter(Box<str>, Option<Timestamp>),
}

/// How many were taken.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    rows: usize,
    records: usize,
    gaps: usize,
}

/// What is to be taken next.
pub(in crate::rows) enum NextRows {
    /// So many records, each to be [loaded](PreparedRows::load).
    Records(usize),
    /// So many that did not pass the filter, and the latest event time of those that move a
    /// watermark.
    Filtered(usize, Option<Timestamp>),
    /// One that cannot be aggregated, for this reason, and its event time if that can be read.
    DeadLetter(Box<str>, Option<Timestamp>),
}

/// A prepared number in 16 bytes, a third of its own.
#[derive(Clone, Copy, Debug)]
enum Packed {
    Missing,
    Int(i64),
    Float(f64),
    /// An integer that is not short, by its index.
    Wide(usize),
    /// A value that is no number.
    Ordered(KeyBytes),
}

impl PreparedRows {
    /// Room for rows of this pipeline.
    pub(crate) fn new(preparer: &RowPreparer) -> Self {
        let (plan, slots) = (&preparer.plan, preparer.slots());
        PreparedRows {
            row: Row::new(0),
            times: Vec::new(),
            numbers: Vec::new(),
            wide: Vec::new(),
            keys: Vec::new(),
            tests: Vec::new(),
            groups: Vec::new(),
            strides: Strides {
                numbers: plan.numbers.len(),
                keys: plan.keys.len(),
                tests: plan.tests.len(),
                groups: usize::from(!preparer.group_slots.is_empty()),
            },
            gaps: Vec::new(),
            len: 0,
            taken: Taken::default(),
            first_with: vec![usize::MAX; slots],
            unseen: (0..slots).collect(),
            others: preparer.others.iter().map(|other| PreparedRows::new(other)).collect(),
            told: None,
        }
    }

    /// Starts with the rows of another block: none.
    pub(crate) fn begin(&mut self, block: &Block) {
        self.row.begin_in(block);
        self.row.begin_prepared(self.strides.numbers, self.strides.keys, self.strides.tests);
        self.times.clear();
        self.numbers.clear();
        self.wide.clear();
        self.keys.clear();
        self.tests.clear();
        self.groups.clear();
        self.gaps.clear();
        (self.len, self.taken) = (0, Taken::default());
        self.first_with.fill(usize::MAX);
        self.unseen.clear();
        self.unseen.extend(0..self.first_with.len());
        self.told = None;
        self.others.iter_mut().for_each(|other| other.begin(block));
    }

    /// Prepares a row of the block and adds it.
    #[inline]
    pub(crate) fn add(&mut self, preparer: &RowPreparer, row: &mut Row, arrival: Timestamp) {
        if !self.unseen.is_empty() {
            self.look_for_unseen(row);
        }
        if !self.others.is_empty() {
            return self.add_to_all(preparer, row, arrival);
        }
        let preparation = preparer.prepare(row, arrival);
        self.add_as(preparation, row);
    }

    /// Prepares a row for all queries and adds it.
    #[inline(never)]
    fn add_to_all(&mut self, preparer: &RowPreparer, row: &mut Row, arrival: Timestamp) {
        self.add_as(preparer.prepare_shared(row, arrival), row);
        for (other, preparer) in self.others.iter_mut().zip(&preparer.others) {
            other.add_as(preparer.prepare_shared(row, arrival), row);
        }
    }

    #[inline(always)]
    fn add_as(&mut self, preparation: Preparation, row: &Row) {
        match preparation {
            Preparation::Record(time) => self.add_record(row, time),
            Preparation::Filtered(time) => self.add_filtered(time),
            Preparation::DeadLetter(reason, time) => {
                self.gaps.push(Gap {
                    records: self.times.len(),
                    rows: NoRecords::DeadLetter(reason, time),
                });
            }
        }
        self.len += 1;
    }

    #[inline]
    fn add_record(&mut self, row: &Row, time: Timestamp) {
        let prepared = row.prepared();
        self.times.push(time);
        for &number in &prepared.numbers {
            let packed = match number {
                PreparedNumber::Missing => Packed::Missing,
                PreparedNumber::Short(integer) => Packed::Int(integer),
                PreparedNumber::Other(Number::Float(float)) => Packed::Float(float),
                PreparedNumber::Other(Number::Int(integer)) => self.widened(integer),
                PreparedNumber::Ordered(key) => Packed::Ordered(self.taken_over(key, row)),
            };
            self.numbers.push(packed);
        }
        self.tests.extend(prepared.tests.iter());
        for &key in &prepared.keys {
            let key = self.taken_over(key, row);
            self.keys.push(key);
        }
        if self.strides.groups > 0 {
            let group = self.taken_over(prepared.group, row);
            self.groups.push(group);
        }
    }

    #[cold]
    fn widened(&mut self, integer: i128) -> Packed {
        self.wide.push(integer);
        Packed::Wide(self.wide.len() - 1)
    }

    fn add_filtered(&mut self, time: Option<Timestamp>) {
        let records = self.times.len();
        match self.gaps.last_mut() {
            Some(Gap { records: before, rows: NoRecords::Filtered(rows, latest) })
                if *before == records && time == *latest =>
            {
                *rows += 1;
            }
            _ => self.gaps.push(Gap { records, rows: NoRecords::Filtered(1, time) }),
        }
    }

    /// A key as it is found once the row is gone: its bytes are in the block, or are copied.
    #[inline]
    fn taken_over(&mut self, key: KeyBytes, row: &Row) -> KeyBytes {
        let (span, bytes) = match key {
            KeyBytes::Missing | KeyBytes::Source(_) => return key,
            KeyBytes::Unescaped(span) => (span, row.unescaped()),
            KeyBytes::Encoded(span) => (span, row.prepared().encoded.as_slice()),
        };
        let all = &mut self.row.prepared_mut().encoded;
        let start = all.len();
        all.extend_from_slice(span.bytes(bytes));
        KeyBytes::Encoded(Span::of(start..all.len()))
    }

    #[cold]
    fn look_for_unseen(&mut self, row: &Row) {
        let PreparedRows { unseen, first_with, len, .. } = self;
        unseen.retain(|&slot| {
            let missing = row.value(slot) == Value::Missing;
            if !missing && let Some(first) = first_with.get_mut(slot) {
                *first = *len;
            }
            missing
        });
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many rows a pipeline has taken, with all of its queries.
    pub(crate) fn taken(&self) -> usize {
        self.others.iter().map(|other| other.taken.rows).fold(self.taken.rows, usize::min)
    }

    /// How many rows the query of these rows has taken.
    pub(in crate::rows) fn taken_here(&self) -> usize {
        self.taken.rows
    }

    /// Whether a row that was taken, or any other up to the last that was, has the field.
    pub(crate) fn has_seen(&self, slot: usize) -> bool {
        self.first_with.get(slot).is_some_and(|first| *first < self.taken())
    }

    /// What is to be taken next, up to the row `until`; `None` if nothing is. It counts as taken
    /// then, but for records, which are [told](PreparedRows::take_records) when they are.
    pub(in crate::rows) fn next(&mut self, until: usize) -> Option<NextRows> {
        let rows = until.min(self.len).checked_sub(self.taken.rows).filter(|rows| *rows > 0)?;
        let records_end = match self.gaps.get_mut(self.taken.gaps) {
            Some(gap) if gap.records == self.taken.records => return Some(self.next_of_gap(rows)),
            Some(gap) => gap.records,
            None => self.times.len(),
        };
        Some(NextRows::Records(rows.min(records_end - self.taken.records)))
    }

    fn next_of_gap(&mut self, rows: usize) -> NextRows {
        let index = self.taken.gaps;
        let next = match self.gaps.get_mut(index).map(|gap| &mut gap.rows) {
            Some(NoRecords::Filtered(filtered, latest)) => {
                let filtered_now = rows.min(*filtered);
                *filtered -= filtered_now;
                self.taken.gaps += usize::from(*filtered == 0);
                NextRows::Filtered(filtered_now, *latest)
            }
            Some(NoRecords::DeadLetter(reason, time)) => {
                self.taken.gaps += 1;
                NextRows::DeadLetter(std::mem::take(reason), *time)
            }
            None => NextRows::Filtered(0, None),
        };
        self.taken.rows += if let NextRows::Filtered(rows, _) = next { rows } else { 1 };
        next
    }

    /// Notes that `records` more records were taken.
    pub(in crate::rows) fn take_records(&mut self, records: usize) {
        self.taken.rows += records;
        self.taken.records += records;
    }

    /// Returns the event time of the record `ahead` places after the last one taken, and the row
    /// with what was prepared of it.
    #[inline(always)]
    pub(in crate::rows) fn load(&mut self, ahead: usize) -> Option<(Timestamp, &Row)> {
        let record = self.taken.records + ahead;
        let time = *self.times.get(record)?;
        let PreparedRows { row, wide, strides, .. } = self;
        let into = row.prepared_mut();
        let unpack = |packed: &Packed| match *packed {
            Packed::Missing => PreparedNumber::Missing,
            Packed::Int(integer) => PreparedNumber::Short(integer),
            Packed::Float(float) => PreparedNumber::Other(Number::Float(float)),
            Packed::Wide(index) => wide.get(index).copied().map(Number::Int).into(),
            Packed::Ordered(key) => PreparedNumber::Ordered(key),
        };
        take_columns((&self.numbers, strides.numbers), record, &mut into.numbers, unpack);
        take_columns((&self.keys, strides.keys), record, &mut into.keys, |key| *key);
        take_columns((&self.tests, strides.tests), record, &mut into.tests, |passes| *passes);
        take_columns(
            (&self.groups, strides.groups),
            record,
            std::slice::from_mut(&mut into.group),
            |group| *group,
        );
        Some((time, row))
    }
}

/// The given number of records that come after those taken.
pub(in crate::rows) struct Upcoming<'a>(
    pub(in crate::rows) &'a mut PreparedRows,
    pub(in crate::rows) usize,
);

impl Batch<Row> for Upcoming<'_> {
    #[inline]
    fn times(&self) -> &[Timestamp] {
        let Upcoming(rows, records) = self;
        rows.times.get(rows.taken.records..rows.taken.records + records).unwrap_or_default()
    }

    #[inline]
    fn each(
        &mut self,
        range: Range<usize>,
        mut take: impl FnMut(&Row, Timestamp) -> bool,
    ) -> usize {
        let mut taken = 0;
        for ahead in range {
            match self.0.load(ahead) {
                Some((time, row)) if take(row, time) => taken += 1,
                _ => break,
            }
        }
        taken
    }

    #[inline]
    fn pass(&mut self, taken: usize) {
        self.0.take_records(taken);
        self.1 -= taken;
    }
}

/// Unpacks the values of one record from columns with `stride` values a record. They are copied one
/// by one: a call to copy that few at once takes longer.
#[inline(always)]
fn take_columns<P, T>(
    (columns, stride): (&[P], usize),
    record: usize,
    into: &mut [T],
    unpack: impl Fn(&P) -> T,
) {
    match stride {
        // Most have nothing in most columns, or one thing.
        0 => {}
        1 => {
            if let (Some(packed), Some(into)) = (columns.get(record), into.first_mut()) {
                *into = unpack(packed);
            }
        }
        _ => {
            let packed = columns.get(record * stride..).unwrap_or_default();
            into.iter_mut().zip(packed).for_each(|(into, packed)| *into = unpack(packed));
        }
    }
}
