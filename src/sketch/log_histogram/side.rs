//! The buckets of one sign: a run of counters for buckets that are close, a sorted list for others.

use crate::sketch::counters::Counters;
use std::iter;
use std::ops::Range;

/// Up to this number of entries the side is a list. A run has at least as many entries.
const LIST_MIN: usize = 32;

/// Counters that a run may spend per entry that it saves, if there are few entries and if there are
/// many. An entry takes 12 bytes and a counter 4. But a run is faster, so it may take more memory,
/// up to the allowed number of buckets.
const COUNTERS_PER_ENTRY: (usize, usize) = (64, 8);

/// The share of the allowed buckets that a run leaves free for later entries, until the next choice
/// of a run.
const SPARE_SHARE: usize = 16;

/// A bucket and its count. 12 bytes instead of 16.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(4))]
pub(super) struct Entry {
    pub(super) bucket: i32,
    pub(super) count: u64,
}

/// The buckets of one sign that have numbers.
///
/// A typical record finds its counter in the run with one subtraction. A bucket far from the others
/// costs a list entry instead of all counters in between. The division into run and list follows
/// from the history, and no answer depends on it.
///
/// There are two states. Either there is no run, and the list has one entry per bucket. Or run and
/// list together have at most as many places as buckets are allowed, so that adding a record need
/// not count the buckets.
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// The bucket of the run's first counter.
    first: i32,
    run: Counters,
    /// The buckets outside the run, in ascending order, each with a count above 0.
    others: Vec<Entry>,
    /// The length of the list at which a new run is chosen.
    arrange_past: u32,
    /// The bucket that also counts smaller magnitudes. Only in state that an earlier version wrote.
    floor: Option<i32>,
}

impl Default for Side {
    fn default() -> Self {
        Side {
            first: 0,
            run: Counters::zeros(0),
            others: Vec::new(),
            arrange_past: LIST_MIN as u32,
            floor: None,
        }
    }
}

impl Side {
    /// Creates a side of ascending entries. There is no run if they are more than `buckets_max`.
    pub(super) fn of(entries: Vec<Entry>, buckets_max: usize, floor: Option<i32>) -> Side {
        let saved = densest(&entries, buckets_max);
        let Some((first, last)) = ends(&entries, &saved) else {
            let arrange_past = arrange_past(entries.len(), 0);
            return Side { others: entries, arrange_past, floor, ..Side::default() };
        };
        let mut run = Counters::zeros((last - first) as usize + 1);
        let mut others = Vec::with_capacity(entries.len() - saved.len());
        for (index, entry) in entries.into_iter().enumerate() {
            match saved.contains(&index) {
                true => run.add((entry.bucket - first) as usize, entry.count),
                false => others.push(entry),
            }
        }
        Side { first, arrange_past: arrange_past(others.len(), run.len()), run, others, floor }
    }

    /// Adds to a bucket of the run. Returns false and changes nothing if the bucket is not in the
    /// run.
    #[inline]
    pub(super) fn add_to_run(&mut self, bucket: i32, weight: u64) -> bool {
        let index = bucket.wrapping_sub(self.first) as u32 as usize;
        if index >= self.run.len() {
            return false;
        }
        self.run.add(index, weight);
        true
    }

    /// Adds to a bucket. O(log of the list), and O(list) for a new bucket, amortised over the
    /// choices of a run.
    pub(super) fn add(&mut self, bucket: i32, weight: u64, buckets_max: usize) {
        let bucket = self.floor.map_or(bucket, |floor| bucket.max(floor));
        if self.add_to_run(bucket, weight) {
            return;
        }
        match self.others.binary_search_by_key(&bucket, |entry| entry.bucket) {
            Ok(index) => {
                if let Some(entry) = self.others.get_mut(index) {
                    entry.count = entry.count.saturating_add(weight);
                }
            }
            Err(index) => {
                self.others.insert(index, Entry { bucket, count: weight });
                self.arrange_if_due(buckets_max);
            }
        }
    }

    /// Chooses a new run if the list has become long.
    fn arrange_if_due(&mut self, buckets_max: usize) {
        let places = self.run.len() + self.others.len();
        if self.others.len() > self.arrange_past as usize
            || (places > buckets_max && self.run.len() > 0)
        {
            *self = Side::of(self.ascending().collect(), buckets_max, self.floor);
        }
    }

    /// Returns true if more buckets than allowed have numbers.
    #[inline]
    pub(super) fn has_more_than(&self, buckets_max: usize) -> bool {
        self.others.len() > buckets_max
    }

    pub(super) fn floor(&self) -> Option<i32> {
        self.floor
    }

    /// Returns the entries below the run and the entries above it.
    fn around_run(&self) -> (&[Entry], &[Entry]) {
        self.others.split_at(self.others.partition_point(|entry| entry.bucket < self.first))
    }

    fn run_entries(&self) -> impl DoubleEndedIterator<Item = Entry> + '_ {
        let entry = |index| Entry { bucket: self.first + index as i32, count: self.run.at(index) };
        (0..self.run.len()).map(entry).filter(|entry| entry.count > 0)
    }

    /// Returns all buckets that have numbers, by magnitude.
    pub(super) fn ascending(&self) -> impl DoubleEndedIterator<Item = Entry> + '_ {
        let (below, above) = self.around_run();
        below.iter().copied().chain(self.run_entries()).chain(above.iter().copied())
    }

    /// Returns the first and the last bucket that have numbers.
    pub(super) fn occupied(&self) -> Option<(i32, i32)> {
        let mut entries = self.ascending();
        let first = entries.next()?.bucket;
        Some((first, entries.next_back().map_or(first, |last| last.bucket)))
    }

    /// Returns the bucket of the number at a rank, counted from 1 by magnitude. `None` past the
    /// last.
    pub(super) fn at_rank(&self, rank: u64) -> Option<i32> {
        let (below, above) = self.around_run();
        let mut before = 0u64;
        let reaches = |entries: &[Entry], before: &mut u64| {
            let reached = entries.iter().find(|entry| {
                *before = before.saturating_add(entry.count);
                *before >= rank
            });
            reached.map(|entry| entry.bucket)
        };
        if let Some(bucket) = reaches(below, &mut before) {
            return Some(bucket);
        }
        if let Some(index) = self.run.reaches(rank - before) {
            return Some(self.first + index as i32);
        }
        before = before.saturating_add(self.run.total());
        reaches(above, &mut before)
    }

    /// Adds the counts of `other`. The result may have more buckets than allowed: see
    /// [`has_more_than`](Side::has_more_than).
    pub(super) fn merge(&mut self, other: &Side, buckets_max: usize) {
        if self.floor != other.floor {
            return self.merge_by_floor(other, buckets_max);
        }
        if self.run.len() == 0 && self.others.is_empty() {
            *self = other.clone();
            return;
        }
        if other.run.len() > 0 && !self.merge_run(other, buckets_max) {
            self.merge_entries(&other.run_entries().collect::<Vec<_>>(), buckets_max);
        }
        self.merge_entries(&other.others, buckets_max);
    }

    /// Adds the run of `other` to this run. Returns false and changes nothing if the two are too
    /// far from each other.
    fn merge_run(&mut self, other: &Side, buckets_max: usize) -> bool {
        let mut place = self.place_of(other);
        if place.is_none() && self.cover(other, buckets_max) {
            place = self.place_of(other);
        }
        let Some((start, range)) = place else { return false };
        self.run.add_range(start, &other.run, range);
        true
    }

    /// Returns where the run of `other` fits into this run, if there is room for all its counters
    /// above 0: the index of the first of them here, and their range there.
    fn place_of(&self, other: &Side) -> Option<(usize, Range<usize>)> {
        let fits = |start: usize, range: Range<usize>| {
            let end = start.checked_add(range.len())?;
            (end <= self.run.len()).then_some((start, range))
        };
        let start = |bucket: i32| bucket.wrapping_sub(self.first) as u32 as usize;
        fits(start(other.first), 0..other.run.len()).or_else(|| {
            let (low, high) = other.run_ends()?;
            fits(start(low), (low - other.first) as usize..(high - other.first) as usize + 1)
        })
    }

    /// Returns the first and the last bucket of the run that have numbers.
    fn run_ends(&self) -> Option<(i32, i32)> {
        Some((self.run_entries().next()?.bucket, self.run_entries().next_back()?.bucket))
    }

    /// Extends the run so that it covers the run of `other`. Returns false and changes nothing if
    /// most of the new run would be a gap between the two, or if it would have too many counters.
    fn cover(&mut self, other: &Side, buckets_max: usize) -> bool {
        let Some((low, high)) = other.run_ends() else { return false };
        let own = self.run.len() as i32;
        let (start, end) = match own {
            0 => (low, high + 1),
            _ => (low.min(self.first), (high + 1).max(self.first + own)),
        };
        let len = (end - start) as usize;
        let both = self.run.len() + (high + 1 - low) as usize;
        if len > 2 * both || len + self.others.len() > buckets_max {
            return false;
        }
        let at = if own == 0 { 0 } else { (self.first - start) as usize };
        self.run = self.run.moved(0..self.run.len(), at, len);
        self.first = start;
        let from = self.others.partition_point(|entry| entry.bucket < start);
        let to = self.others.partition_point(|entry| entry.bucket < end);
        self.others
            .drain(from..to)
            .for_each(|entry| self.run.add((entry.bucket - start) as usize, entry.count));
        true
    }

    /// Adds ascending entries.
    fn merge_entries(&mut self, entries: &[Entry], buckets_max: usize) {
        if entries.len() <= LIST_MIN {
            return entries
                .iter()
                .for_each(|entry| self.add(entry.bucket, entry.count, buckets_max));
        }
        let outside: Vec<Entry> = entries
            .iter()
            .filter(|entry| !self.add_to_run(entry.bucket, entry.count))
            .copied()
            .collect();
        self.others = merged(self.others.iter().copied(), outside.into_iter());
        self.arrange_if_due(buckets_max);
    }

    /// Adds a side with another `floor`.
    #[cold]
    fn merge_by_floor(&mut self, other: &Side, buckets_max: usize) {
        let floor = self.floor.max(other.floor);
        let raised = |entry: Entry| Entry {
            bucket: floor.map_or(entry.bucket, |floor| entry.bucket.max(floor)),
            ..entry
        };
        let (own, others) =
            (gathered(self.ascending().map(raised)), gathered(other.ascending().map(raised)));
        *self = Side::of(merged(own.into_iter(), others.into_iter()), buckets_max, floor);
    }

    /// Subtracts the counts of a part. Returns false if the part has a number that is not here; the
    /// side must then be discarded.
    pub(super) fn subtract(&mut self, part: &Side) -> bool {
        let place = self.place_of(part);
        // Few empty entries are removed one by one, many in one pass.
        let few = (place.is_some() || part.run.len() == 0) && part.others.len() <= LIST_MIN;
        let covered = match place {
            Some((start, range)) => self.run.take_range(start, &part.run, range),
            None => part.run_entries().all(|entry| self.take(entry, few)),
        };
        let taken = covered && part.others.iter().all(|entry| self.take(*entry, few));
        if !few {
            self.others.retain(|entry| entry.count > 0);
        }
        taken
    }

    /// Subtracts from a bucket. Removes a list entry with a count of 0 if `removes` is true;
    /// otherwise the caller must remove it.
    fn take(&mut self, part: Entry, removes: bool) -> bool {
        let index = part.bucket.wrapping_sub(self.first) as u32 as usize;
        if index < self.run.len() {
            return self.run.take(index, part.count);
        }
        let Ok(index) = self.others.binary_search_by_key(&part.bucket, |entry| entry.bucket) else {
            return false;
        };
        let Some(entry) = self.others.get_mut(index) else { return false };
        let rest = entry.count.checked_sub(part.count);
        entry.count = rest.unwrap_or(0);
        if removes && entry.count == 0 {
            self.others.remove(index);
        }
        rest.is_some()
    }

    /// Returns the side at a resolution lower by `bits`: 2^bits neighbours become one bucket.
    pub(super) fn coarsened(&self, bits: u32, buckets_max: usize) -> Side {
        let joined = self.ascending().map(|entry| Entry { bucket: entry.bucket >> bits, ..entry });
        Side::of(gathered(joined), buckets_max, self.floor.map(|floor| floor >> bits))
    }

    /// Returns the bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.run.heap_bytes() + self.others.capacity() * size_of::<Entry>()
    }
}

/// Returns the length of the list at which the next run is chosen, given the length of the list
/// after the last choice. It is twice that length plus a share of the run, because a choice reads
/// all counters of the run. So all choices together have a constant cost per entry.
fn arrange_past(len: usize, run: usize) -> u32 {
    LIST_MIN.max(2 * len).max(run / 64) as u32
}

/// Returns ascending entries, one per bucket. `entries` may repeat a bucket but must not descend.
pub(super) fn gathered(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut gathered: Vec<Entry> = Vec::new();
    for entry in entries {
        match gathered.last_mut() {
            Some(last) if last.bucket == entry.bucket => {
                last.count = last.count.saturating_add(entry.count)
            }
            _ => gathered.push(entry),
        }
    }
    gathered
}

/// Merges two ascending lists of entries.
fn merged(left: impl Iterator<Item = Entry>, right: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    gathered(iter::from_fn(|| match (left.peek(), right.peek()) {
        (Some(a), Some(b)) if b.bucket < a.bucket => right.next(),
        (None, _) => right.next(),
        _ => left.next(),
    }))
}

/// Returns the first and the last bucket of a range of entries; `None` if the range is empty.
fn ends(entries: &[Entry], range: &Range<usize>) -> Option<(i32, i32)> {
    let entries = entries.get(range.clone())?;
    Some((entries.first()?.bucket, entries.last()?.bucket))
}

/// Returns the entries to store as a run: the adjacent entries whose value, in counters, exceeds
/// the counters of the run most. The range is empty if a run does not pay, or would leave too
/// little room for later buckets.
fn densest(entries: &[Entry], buckets_max: usize) -> Range<usize> {
    if entries.len() <= LIST_MIN || entries.len() > buckets_max {
        return 0..0;
    }
    let worth =
        (buckets_max / entries.len()).clamp(COUNTERS_PER_ENTRY.1, COUNTERS_PER_ENTRY.0) as i64;
    let (mut best, mut most) = (0..0, 0);
    let (mut start, mut gain, mut before) = (0, 0, None::<i32>);
    for (index, bucket) in entries.iter().map(|entry| entry.bucket).enumerate() {
        let counters = before.map_or(1, |before| i64::from(bucket - before));
        before = Some(bucket);
        gain += worth - counters;
        if gain < worth - 1 {
            (start, gain) = (index, worth - 1);
        }
        if gain > most {
            (best, most) = (start..index + 1, gain);
        }
    }
    let counters = ends(entries, &best).map_or(0, |(first, last)| (last - first) as usize + 1);
    let places = counters + entries.len() - best.len();
    let pays = best.len() >= LIST_MIN && places + buckets_max / SPARE_SHARE <= buckets_max;
    if pays { best } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Small enough that run, list and refusal all occur.
    const BUCKETS_MAX: usize = 200;

    type Counts = BTreeMap<i32, u64>;

    fn side(counts: &[(i32, u64)]) -> (Side, Counts) {
        let (mut side, mut reference) = (Side::default(), Counts::new());
        for &(bucket, weight) in counts {
            side.add(bucket, weight, BUCKETS_MAX);
            *reference.entry(bucket).or_insert(0) += weight;
        }
        (side, reference)
    }

    fn listed(side: &Side) -> Vec<(i32, u64)> {
        side.ascending().map(|entry| (entry.bucket, entry.count)).collect()
    }

    /// Asserts that the side has exactly these counts, and keeps to one of its two states.
    fn holds(side: &Side, reference: &Counts) -> Result<(), TestCaseError> {
        let expected: Vec<(i32, u64)> =
            reference.iter().map(|(bucket, count)| (*bucket, *count)).collect();
        prop_assert_eq!(listed(side), expected);
        prop_assert!(side.run.len() == 0 || side.run.len() + side.others.len() <= BUCKETS_MAX);
        prop_assert_eq!(side.has_more_than(BUCKETS_MAX), reference.len() > BUCKETS_MAX);
        prop_assert_eq!(
            side.occupied(),
            reference.first_key_value().zip(reference.last_key_value()).map(|(a, b)| (*a.0, *b.0))
        );
        let mut before = 0;
        for (bucket, count) in reference {
            prop_assert_eq!(side.at_rank(before + 1), Some(*bucket));
            before += count;
            prop_assert_eq!(side.at_rank(before), Some(*bucket));
        }
        prop_assert_eq!(side.at_rank(before + 1), None);
        Ok(())
    }

    /// Counts close to each other, in two clusters, or anywhere.
    fn counts() -> impl Strategy<Value = Vec<(i32, u64)>> {
        let bucket = prop_oneof![4 => 0..80i32, 2 => 900..960i32, 1 => -200_000..200_000i32];
        prop::collection::vec((bucket, 1..4u64), 0..250)
    }

    proptest! {
        #[test]
        fn a_side_holds_what_an_ordered_map_holds(
            left in counts(),
            right in counts(),
            bits in 0u32..12,
        ) {
            let ((mut side_left, mut reference), (side_right, other)) = (side(&left), side(&right));
            holds(&side_left, &reference)?;
            side_left.merge(&side_right, BUCKETS_MAX);
            other
                .iter()
                .for_each(|(bucket, count)| *reference.entry(*bucket).or_insert(0) += count);
            holds(&side_left, &reference)?;
            let mut coarse = Counts::new();
            reference
                .iter()
                .for_each(|(bucket, count)| *coarse.entry(bucket >> bits).or_insert(0) += count);
            holds(&side_left.coarsened(bits, BUCKETS_MAX), &coarse)?;
            prop_assert!(side_left.subtract(&side_right));
            holds(&side_left, &side(&left).1)?;
            if !left.is_empty() {
                let absent = side(&[(300_000, 1)]).0;
                prop_assert!(
                    !side_left.clone().subtract(&absent) && !absent.clone().subtract(&side_left)
                );
            }
        }
    }

    #[test]
    fn a_run_holds_what_is_close_and_the_list_what_is_far() {
        let close: Vec<(i32, u64)> = (0..100).map(|bucket| (bucket * 2, 1)).collect();
        let mut side = Side::default();
        close
            .iter()
            .chain(&[(500_000, 1), (-500_000, 1)])
            .for_each(|(bucket, weight)| side.add(*bucket, *weight, 8192));
        assert!(
            side.run.len() >= 60 && side.others.len() <= 2 + LIST_MIN,
            "{} and {}",
            side.run.len(),
            side.others.len()
        );
        side.add(-7, 1, 8192);
        assert_eq!((side.occupied(), side.at_rank(2)), (Some((-500_000, 500_000)), Some(-7)));
        let (few, _) = self::side(&[(0, 1), (500_000, 1)]);
        assert!(few.heap_bytes() <= 64, "{}", few.heap_bytes());
    }
}
