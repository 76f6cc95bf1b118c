//! Many records at a time, where nothing but adding is to be done.

use super::{Engine, Shard};
use crate::aggregate::Aggregate;
use crate::time::Timestamp;
use std::ops::Range;

/// Fewer records than this in a row in one pane are not worth to be treated as a stretch.
const SHORT: usize = 8;

/// Records of different panes that are taken before a stretch is looked for again.
const MIXED: usize = 64;

/// What a batch begins with.
enum Stretch {
    /// So many records of one pane, which were added.
    Of(usize),
    /// Records that change panes often; none was added.
    Short,
}

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Takes records from the front of a batch for as long as each goes into a pane that was used lately and changes nothing else: no window fires, for the first
    /// time or again, no record is refused, nothing is to be measured. How many were taken; what stopped it is for [`push`](Engine::push) to decide.
    ///
    /// The state is then the one after pushing as many one by one.
    pub(crate) fn push_run(&mut self, shard: Shard, records: &[R], times: &[Timestamp]) -> usize
    where
        R: Sized,
    {
        if self.firing.is_due(self.watermarks.overall()) || !self.watermarks.is_settled(shard.index()) {
            return 0;
        }
        let quiet = self.quiet();
        let until_check = usize::try_from(self.until_check).unwrap_or(usize::MAX);
        let length = records.len().min(times.len()).min(until_check);
        let mut taken = 0;
        while let (Some(records), Some(times)) = (records.get(taken..length), times.get(taken..length)) {
            let added = match self.add_stretch(records, times, &quiet) {
                Stretch::Of(added) => added,
                Stretch::Short => self.add_mixed(records, times, &quiet),
            };
            if added == 0 {
                break;
            }
            taken += added;
        }
        if let Some(latest) = times.get(..taken).and_then(|times| times.iter().max()) {
            // The watermark rises with the latest time alone, whatever came before it.
            self.watermarks.observe(shard.index(), latest.as_millis());
            self.until_check -= taken as u64;
            self.stats.applied = self.stats.applied.saturating_add(taken as u64);
        }
        taken
    }

    /// The event times of records that make nothing fire: no window for the first time, as the watermark stays below where something is due; and none
    /// again, as their panes are in none that has fired.
    pub(super) fn quiet(&self) -> Range<i64> {
        let from = if self.lateness > 0 { self.schedule.first_time_from(self.firing.fired_to()) } else { i64::MIN };
        from..self.watermarks.time_reaching(self.firing.wake_at())
    }

    /// Adds those records from the front that go into the pane of the first, while they are quiet and not refused.
    fn add_stretch(&mut self, records: &[R], times: &[Timestamp], quiet: &Range<i64>) -> Stretch
    where
        R: Sized,
    {
        let Some(first) = times.first() else { return Stretch::Of(0) };
        let Some((pane, accumulator)) = self.panes.recent(first.as_millis()) else { return Stretch::Of(0) };
        let stretch = pane.start.max(quiet.start)..pane.end.min(quiet.end);
        let stays = |time: &Timestamp| stretch.contains(&time.as_millis());
        if !times.iter().take(SHORT).all(stays) {
            return Stretch::Short;
        }
        let mut added = 0;
        for (record, time) in records.iter().zip(times) {
            if !stays(time) || self.aggregate.check(Some(accumulator), record).is_err() {
                break;
            }
            self.aggregate.add(accumulator, record, *time);
            added += 1;
        }
        if added > 0
            && let Some(stacks) = &mut self.stacks
        {
            stacks.touch(pane.start);
        }
        Stretch::Of(added)
    }

    /// Adds a number of records from the front that go into panes that were used lately, while they are quiet and not refused.
    fn add_mixed(&mut self, records: &[R], times: &[Timestamp], quiet: &Range<i64>) -> usize
    where
        R: Sized,
    {
        let times = times.get(..MIXED).unwrap_or(times);
        let (Some(first), Some(earliest)) = (times.first(), times.iter().min()) else { return 0 };
        let Some(mut neighbours) = self.panes.neighbours(first.as_millis(), earliest.as_millis()) else { return 0 };
        let known = neighbours.from.max(quiet.start)..neighbours.to.min(quiet.end);
        let mut added = 0;
        for (record, time) in records.iter().zip(times) {
            if !known.contains(&time.as_millis()) {
                break;
            }
            let Some(accumulator) = neighbours.around(time.as_millis()) else { break };
            if self.aggregate.check(Some(accumulator), record).is_err() {
                break;
            }
            self.aggregate.add(accumulator, record, *time);
            added += 1;
        }
        if let Some(stacks) = self.stacks.as_mut().filter(|stacks| stacks.covers(earliest.as_millis())) {
            // The earliest record tells about all.
            times.iter().take(added).min().into_iter().for_each(|time| stacks.touch(time.as_millis()));
        }
        added
    }
}
