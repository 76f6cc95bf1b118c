//! Rows of a block, prepared by any thread, to be pushed in their order by one.

use super::block::Block;
use super::number::PreparedNumber;
use super::preparer::{Preparation, RowPreparer};
use super::row::{KeyBytes, Row, Span, Value};
use crate::time::Timestamp;

/// What a [`RowPreparer`] made of the rows of one block: about 100 bytes a row, and the block.
///
/// # Example
/// ```
/// use streamgauge::spec::{Block, CompileOptions, PipelineSpec, PreparedRows};
/// use streamgauge::{ShardId, Timestamp};
///
/// let spec = PipelineSpec::from_toml("group = \"country\"\nagg = \"count\"\n", "hits.toml")?;
/// let mut pipeline = spec.compile(&CompileOptions::default())?;
/// let shard = pipeline.open_shard(ShardId::new("hits.csv"))?;
///
/// // On any thread, with the preparer that the pipeline shares:
/// let preparer = pipeline.preparer();
/// let mut row = pipeline.new_row();
/// let mut rows = PreparedRows::new(&preparer);
/// let block = Block::from_vec(b"DE\nFR\nDE\n".to_vec());
/// rows.begin(&block);
/// for at in [0, 3, 6] {
///     row.begin_in(&block);
///     row.set_untyped(0, at..at + 2);
///     rows.add(&preparer, &mut row, Timestamp::from_millis(0));
/// }
///
/// // On the thread that has the pipeline:
/// for index in 0..rows.len() {
///     pipeline.push_prepared(shard, &mut rows, index)?;
/// }
/// assert_eq!(pipeline.stats().applied, 3);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Debug)]
pub struct PreparedRows {
    /// Has the block and the bytes of all rows, and takes the values of one after the other.
    row: Row,
    preparations: Vec<(Preparation, usize)>,
    /// Of the records, so many of each for one.
    numbers: Vec<PreparedNumber>,
    keys: Vec<KeyBytes>,
    present: Vec<bool>,
    groups: Vec<KeyBytes>,
    /// How many numbers, keys and presences a record has.
    strides: [usize; 3],
    /// The first row that has the field, by slot; `usize::MAX` if none does.
    first_with: Vec<usize>,
    /// The slots that no row has had yet.
    unseen: Vec<usize>,
}

impl PreparedRows {
    /// Room for rows of this pipeline.
    pub fn new(preparer: &RowPreparer) -> Self {
        let (plan, slots) = (&preparer.plan, preparer.slots());
        PreparedRows {
            row: Row::new(0),
            preparations: Vec::new(),
            numbers: Vec::new(),
            keys: Vec::new(),
            present: Vec::new(),
            groups: Vec::new(),
            strides: [plan.numbers.len(), plan.keys.len(), plan.present.len()],
            first_with: vec![usize::MAX; slots],
            unseen: (0..slots).collect(),
        }
    }

    /// Starts with the rows of another block: none.
    pub fn begin(&mut self, block: &Block) {
        self.row.begin_in(block);
        self.row.begin_prepared(self.strides[0], self.strides[1], self.strides[2]);
        self.preparations.clear();
        self.numbers.clear();
        self.keys.clear();
        self.present.clear();
        self.groups.clear();
        self.first_with.fill(usize::MAX);
        self.unseen = (0..self.first_with.len()).collect();
    }

    /// Prepares a row of the block and adds it.
    #[inline]
    pub fn add(&mut self, preparer: &RowPreparer, row: &mut Row, arrival: Timestamp) {
        if !self.unseen.is_empty() {
            self.look_for_unseen(row);
        }
        let preparation = preparer.prepare(row, arrival);
        if let Preparation::Record(_) = preparation {
            self.add_record(row);
        }
        self.preparations.push((preparation, self.groups.len().wrapping_sub(1)));
    }

    #[inline]
    fn add_record(&mut self, row: &Row) {
        let prepared = row.prepared();
        self.numbers.extend_from_slice(&prepared.numbers);
        self.present.extend_from_slice(&prepared.present);
        for &key in &prepared.keys {
            let key = self.taken_over(key, row);
            self.keys.push(key);
        }
        let group = self.taken_over(prepared.group, row);
        self.groups.push(group);
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
        let PreparedRows { unseen, first_with, preparations, .. } = self;
        unseen.retain(|&slot| {
            let missing = row.value(slot) == Value::Missing;
            if !missing && let Some(first) = first_with.get_mut(slot) {
                *first = preparations.len();
            }
            missing
        });
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.preparations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.preparations.is_empty()
    }

    /// Whether the row, or one before it in the block, has the field.
    pub fn has_seen(&self, index: usize, slot: usize) -> bool {
        self.first_with.get(slot).is_some_and(|first| *first <= index)
    }

    /// The row with what was prepared of this index, and what it is to the pipeline.
    #[inline]
    pub(super) fn load(&mut self, index: usize) -> Option<(&Preparation, &mut Row)> {
        let (preparation, record) = self.preparations.get(index)?;
        if let Preparation::Record(_) = preparation {
            let [numbers, keys, present] = self.strides;
            let into = self.row.prepared_mut();
            copy(&mut into.numbers, &self.numbers, record * numbers);
            copy(&mut into.keys, &self.keys, record * keys);
            copy(&mut into.present, &self.present, record * present);
            into.group = self.groups.get(*record).copied().unwrap_or_default();
        }
        Some((preparation, &mut self.row))
    }
}

#[inline]
fn copy<T: Copy>(into: &mut [T], from: &[T], start: usize) {
    if let Some(from) = from.get(start..start + into.len()) {
        into.copy_from_slice(from);
    }
}
