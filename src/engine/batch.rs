//! Many records at a time, where nothing but adding is to be done.

use super::{Engine, Outcome, Shard};
use crate::aggregate::Aggregate;
use crate::error::Error;
use crate::time::Timestamp;
use crate::window::TwoStacks;
use std::ops::Range;

/// Fewer records than this in a row in one pane are not worth to be treated as a stretch.
const SHORT: usize = 8;

/// Records of one pane that are taken at once. Their times are looked at before any is, and once
/// more where one is refused.
const LONG: usize = 64;

/// Records of different panes that are taken before a stretch is looked for again.
const MIXED: usize = 256;

/// Records that are taken one by one where none could be taken at once, as of panes that come and
/// go, before that is tried again.
const SINGLY: usize = 8;

/// The records of a batch that are still to be taken, with their event times.
pub(crate) trait Batch<R: ?Sized> {
    /// The event times of all.
    fn times(&self) -> &[Timestamp];

    /// The event times of those of the range.
    #[inline]
    fn times_of(&self, range: Range<usize>) -> &[Timestamp] {
        self.times().get(range).unwrap_or_default()
    }

    /// Gives `take` those of the range, until it says `false`; how many it said `true` of.
    fn each(&mut self, range: Range<usize>, take: impl FnMut(&R, Timestamp) -> bool) -> usize;

    /// So many were taken from the front.
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

/// What a batch begins with.
enum Stretch {
    /// So many records of one pane, which were added.
    Of(usize),
    /// Records that change panes often; none was added.
    Short,
}

/// Records that are taken at once.
struct Run {
    /// The event times of those that make nothing fire.
    quiet: Range<i64>,
    /// The latest event time of those that were taken.
    latest: i64,
}

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Takes the records of a batch, as pushing one after the other would, until one makes a window
    /// complete, or `tell` refuses: it is told what became of each that was not simply added.
    ///
    /// # Errors
    /// As [`push`](Engine::push), for the record that the batch then begins with.
    pub(crate) fn push_batch(
        &mut self,
        shard: Shard,
        batch: &mut impl Batch<R>,
        mut tell: impl FnMut(&R, Outcome) -> bool,
    ) -> Result<(), Error> {
        while !batch.times().is_empty() {
            let taken = self.push_run(shard, batch);
            batch.pass(taken);
            // What stopped it is decided by record.
            for _ in 0..if taken == 0 { SINGLY } else { 1 }.min(batch.times().len()) {
                let mut told = Ok(true);
                batch.each(0..1, |record, time| {
                    told = self.push(shard, record, time).map(|outcome| tell(record, outcome));
                    true
                });
                let goes_on = told?;
                batch.pass(1);
                if !goes_on || self.firing.is_due(self.watermarks.overall()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes records from the front of a batch for as long as each goes into a pane that was used
    /// lately and changes nothing else: no window fires, for the first time or again, no record is
    /// refused, nothing is to be measured. How many were taken; what stopped it is for
    /// [`push`](Engine::push) to decide.
    ///
    /// The state is then the one after pushing as many one by one.
    fn push_run(&mut self, shard: Shard, batch: &mut impl Batch<R>) -> usize {
        if self.firing.is_due(self.watermarks.overall())
            || !self.watermarks.is_settled(shard.index())
        {
            return 0;
        }
        let mut run = Run { quiet: self.quiet(), latest: i64::MIN };
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
            // The watermark rises with the latest time alone, whatever came before it.
            self.watermarks.observe(shard.index(), run.latest);
            self.until_check -= taken as u64;
            self.stats.applied = self.stats.applied.saturating_add(taken as u64);
        }
        taken
    }

    /// The event times of records that make nothing fire: no window for the first time, as the
    /// watermark stays below where something is due; and none again, as their panes are in none
    /// that has fired or waits to be fetched.
    pub(super) fn quiet(&self) -> Range<i64> {
        let apart = self.lateness > 0 || self.firing.waits();
        let from =
            if apart { self.schedule.first_time_from(self.firing.due_to()) } else { i64::MIN };
        from..self.watermarks.time_reaching(self.firing.wake_at())
    }

    /// Adds a number of records from the front that go into the pane of the first, while they are
    /// quiet and not refused.
    // The loops over records are functions of their own for the registers' sake; they are called
    // once for many records.
    #[inline(never)]
    fn add_stretch(
        &mut self,
        batch: &mut impl Batch<R>,
        range: Range<usize>,
        run: &mut Run,
    ) -> Stretch {
        let start = range.start;
        let times = batch.times_of(start..range.end.min(start + LONG));
        let Some(first) = times.first() else { return Stretch::Of(0) };
        let Some((pane, accumulator)) = self.panes.recent(first.as_millis()) else {
            return Stretch::Of(0);
        };
        let stretch = pane.start.max(run.quiet.start)..pane.end.min(run.quiet.end);
        // Apart from adding, a loop that often needs all registers for itself.
        let (length, latest) = front_within(times, &stretch);
        if length < SHORT.min(times.len()) {
            return Stretch::Short;
        }
        let aggregate = &self.aggregate;
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

    /// Adds a number of records from the front that go into panes that were used lately, while they
    /// are quiet and not refused.
    #[inline(never)]
    fn add_mixed(
        &mut self,
        batch: &mut impl Batch<R>,
        range: Range<usize>,
        run: &mut Run,
    ) -> usize {
        let range = range.start..range.end.min(range.start + MIXED);
        let Some(first) = batch.times().get(range.start).map(|time| time.as_millis()) else {
            return 0;
        };
        // Panes that have been merged are to be told of. Where the first record goes into none of
        // them the others do not either, so that the loop need not remember.
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
            // The earliest record tells about all.
            stacks.touch(earliest.as_millis());
        }
        added
    }
}

/// How many times at the front are within a range, and the latest of them; `i64::MIN` of none.
fn front_within(times: &[Timestamp], within: &Range<i64>) -> (usize, i64) {
    let span = within.end.max(within.start).abs_diff(within.start);
    let mut latest = i64::MIN;
    for (at, time) in times.iter().enumerate() {
        let time = time.as_millis();
        // Of a time before the first it is a very large number.
        if time.wrapping_sub(within.start) as u64 >= span {
            return (at, latest);
        }
        latest = latest.max(time);
    }
    (times.len(), latest)
}
