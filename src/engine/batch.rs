//! Batches of records, for the parts of a batch that only need adding.

use super::{Engine, Outcome, Shard};
use crate::aggregate::{Aggregate, Reads};
use crate::error::Error;
use crate::time::Timestamp;
use crate::window::TwoStacks;
use std::ops::Range;

/// Fewer consecutive records of one pane than this are not worth a stretch.
const SHORT: usize = 8;

/// Maximum records of one stretch. All of their times are checked before the first is added, and
/// once more if one is refused.
const LONG: usize = 64;

/// Records of different panes that are added before the next attempt to find a stretch.
const MIXED: usize = 256;

/// Records that are pushed one by one after an attempt that added nothing, as with panes that come
/// and go, before the next attempt.
const SINGLY: usize = 8;

/// The remaining records of a batch, with their event times.
pub(crate) trait Batch<R: ?Sized> {
    /// Returns the event times of all remaining records.
    fn times(&self) -> &[Timestamp];

    /// Returns the event times of the records in the range.
    #[inline]
    fn times_of(&self, range: Range<usize>) -> &[Timestamp] {
        self.times().get(range).unwrap_or_default()
    }

    /// Passes the records in the range to `take` until it returns false. Returns the number of true
    /// results.
    fn each(&mut self, range: Range<usize>, take: impl FnMut(&R, Timestamp) -> bool) -> usize;

    /// Removes records from the front.
    fn pass(&mut self, taken: usize);
}

/// A batch of decoded records.
impl<R> Batch<R> for (&[R], &[Timestamp]) {
    #[inline]
    fn times(&self) -> &[Timestamp] {
        self.1
    }

    #[inline]
    fn each(&mut self, range: Range<usize>, mut take: impl FnMut(&R, Timestamp) -> bool) -> usize {
        let records = self.0.get(range.clone()).unwrap_or_default();
        let times = self.1.get(range).unwrap_or_default();
        let mut taken = 0;
        for (record, time) in records.iter().zip(times) {
            if !take(record, *time) {
                break;
            }
            taken += 1;
        }
        taken
    }

    #[inline]
    fn pass(&mut self, taken: usize) {
        *self = (self.0.get(taken..).unwrap_or_default(), self.1.get(taken..).unwrap_or_default());
    }
}

/// The beginning of a batch.
enum Stretch {
    /// This number of records of one pane, which were added.
    Of(usize),
    /// Records that change panes often. None was added.
    Short,
}

/// Records that are added together.
struct QuietRun {
    /// The event times that make nothing fire.
    quiet: Range<i64>,
    /// The latest event time of the added records.
    latest: i64,
}

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Applies the records of a batch as if they were pushed one by one, until one completes a
    /// window or `tell` returns false. `tell` gets the outcome of each record that was not simply
    /// added.
    ///
    /// # Errors
    /// Those of [`push`](Engine::push), for the record at the front of the batch.
    pub(crate) fn push_batch(
        &mut self,
        shard: Shard,
        batch: &mut impl Batch<R>,
        mut tell: impl FnMut(&R, Outcome) -> bool,
    ) -> Result<(), Error> {
        if self.is_per_group() {
            return self.push_batch_to_groups(shard, batch, tell);
        }
        while !batch.times().is_empty() {
            let taken = self.push_run(shard, batch);
            batch.pass(taken);
            // `push` decides on the record that stopped the run.
            for _ in 0..if taken == 0 { SINGLY } else { 1 }.min(batch.times().len()) {
                let mut told = Ok(true);
                batch.each(0..1, |record, time| {
                    told = self.push(shard, record, time).map(|outcome| tell(record, outcome));
                    true
                });
                let goes_on = told?;
                batch.pass(1);
                let is_due = self.firing.is_due(self.watermarks.overall());
                if !goes_on || is_due || self.has_row_answers() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Returns true if a batch is faster to add than its records, because the memory of the latest
    /// pane is far from the CPU.
    #[cfg(feature = "spec")]
    pub(crate) fn is_spread(&self) -> bool {
        let latest = self.panes.range(i64::MIN, i64::MAX).next_back();
        latest.is_some_and(|(_, accumulator)| self.aggregate.is_spread(accumulator))
    }

    /// Adds records from the front while each goes into a recently used pane and changes nothing
    /// else: no window fires, for the first time or again, no record is refused, and no measurement
    /// is due. Returns the number of added records. [`push`](Engine::push) decides on the record
    /// that stopped it.
    ///
    /// The state equals the state after pushing the same records one by one.
    fn push_run(&mut self, shard: Shard, batch: &mut impl Batch<R>) -> usize {
        if self.firing.is_due(self.watermarks.overall())
            || !self.watermarks.is_settled(shard.index())
        {
            return 0;
        }
        let mut run = QuietRun { quiet: self.quiet(), latest: i64::MIN };
        let until_check = usize::try_from(self.until_check).unwrap_or(usize::MAX);
        let length = batch.times().len().min(until_check);
        let mut taken = 0;
        while taken < length {
            let added = match self.add_stretch(batch, taken..length, &mut run) {
                Stretch::Of(added) => added,
                Stretch::Short => self.add_mixed(batch, taken..length, &mut run),
            };
            if added == 0 {
                break;
            }
            taken += added;
        }
        if taken > 0 {
            // The watermark depends only on the latest time, not on the times before it.
            self.watermarks.observe(shard.index(), run.latest);
            self.until_check -= taken as u64;
            self.stats.applied = self.stats.applied.saturating_add(taken as u64);
        }
        taken
    }

    /// Returns the range of event times that make nothing fire: the watermark stays below the next
    /// due time, so no window fires for the first time, and their panes are in no window that has
    /// fired or waits to be fetched, so none fires again.
    pub(super) fn quiet(&self) -> Range<i64> {
        let apart = self.lateness > 0 || self.firing.waits();
        let from =
            if apart { self.schedule.first_time_from(self.firing.due_to()) } else { i64::MIN };
        from..self.watermarks.time_reaching(self.firing.wake_at())
    }

    /// Adds records from the front that go into the pane of the first one, are quiet, and are not
    /// refused. Returns their number.
    // The loops over records are separate functions because of the registers. One call handles many
    // records.
    #[inline(never)]
    fn add_stretch(
        &mut self,
        batch: &mut impl Batch<R>,
        range: Range<usize>,
        run: &mut QuietRun,
    ) -> Stretch {
        let start = range.start;
        let times = batch.times_of(start..range.end.min(start + LONG));
        let Some(first) = times.first() else { return Stretch::Of(0) };
        let Some((pane, accumulator)) = self.panes.recent(first.as_millis()) else {
            return Stretch::Of(0);
        };
        let stretch = pane.start.max(run.quiet.start)..pane.end.min(run.quiet.end);
        // The check of times is separate from adding, because that loop often needs all registers.
        let (length, latest) = front_within(times, &stretch);
        if length < SHORT.min(times.len()) {
            return Stretch::Short;
        }
        let aggregate = &self.aggregate;
        if aggregate.is_spread(accumulator) {
            prefetch(aggregate, accumulator, (batch, start..start + length));
        }
        let added = batch.each(start..start + length, |record, time| {
            aggregate.try_add(accumulator, record, time).is_ok()
        });
        let latest = if added < length {
            front_within(batch.times_of(start..start + added), &stretch).1
        } else {
            latest
        };
        run.latest = run.latest.max(latest);
        if added > 0
            && let Some(stacks) = &mut self.stacks
        {
            stacks.touch(pane.start);
        }
        Stretch::Of(added)
    }

    /// Adds records from the front that go into recently used panes, are quiet, and are not
    /// refused. Returns their number.
    #[inline(never)]
    fn add_mixed(
        &mut self,
        batch: &mut impl Batch<R>,
        range: Range<usize>,
        run: &mut QuietRun,
    ) -> usize {
        let range = range.start..range.end.min(range.start + MIXED);
        let Some(first) = batch.times().get(range.start).map(|time| time.as_millis()) else {
            return 0;
        };
        // The stacks need to know about changed panes that have been merged. If the first record is
        // in none of these panes, neither are the others, and the loop need not keep track.
        let covered = self.stacks.as_ref().map_or(i64::MIN, TwoStacks::covered);
        let from = if first < covered { run.quiet.start } else { run.quiet.start.max(covered) };
        let Some(mut neighbours) = self.panes.neighbours(first, &(from..run.quiet.end)) else {
            return 0;
        };
        let aggregate = &self.aggregate;
        let mut latest = run.latest;
        let start = range.start;
        let added = batch.each(range, |record, time| {
            let Some(accumulator) = neighbours.around(time.as_millis()) else { return false };
            let takes = aggregate.try_add(accumulator, record, time).is_ok();
            if takes {
                latest = latest.max(time.as_millis());
            }
            takes
        });
        run.latest = latest;
        if first < covered
            && let Some(stacks) = &mut self.stacks
            && let Some(earliest) = batch.times_of(start..start + added).iter().min()
        {
            // The earliest record decides for all.
            stacks.touch(earliest.as_millis());
        }
        added
    }
}

/// Asks the CPU to load what adding the records in a range reads: first all places, so that their
/// cache misses overlap, then all rows.
#[inline(never)]
fn prefetch<R: ?Sized, A: Aggregate<R>>(
    aggregate: &A,
    accumulator: &A::Accumulator,
    (batch, range): (&mut impl Batch<R>, Range<usize>),
) {
    for reads in [Reads::Place, Reads::Row] {
        batch.each(range.clone(), |record, _| {
            aggregate.prefetch(accumulator, record, reads);
            true
        });
    }
}

/// Returns the number of times at the front that are in a range, and the latest of them; `i64::MIN`
/// without one.
fn front_within(times: &[Timestamp], within: &Range<i64>) -> (usize, i64) {
    let span = within.end.max(within.start).abs_diff(within.start);
    let mut latest = i64::MIN;
    for (at, time) in times.iter().enumerate() {
        let time = time.as_millis();
        // For a time before the range this is a very large number.
        if time.wrapping_sub(within.start) as u64 >= span {
            return (at, latest);
        }
        latest = latest.max(time);
    }
    (times.len(), latest)
}
