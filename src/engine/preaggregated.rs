//! Blocks of records that any thread aggregates outside of the engine, to be merged into it.

use super::core::records_between_checks;
use super::{Engine, Shard};
use crate::aggregate::{Aggregate, Growth};
use crate::error::Error;
use crate::time::Timestamp;
use crate::window::{Pane, Place, Schedule};
use std::marker::PhantomData;

/// Records of more panes than this are not preaggregated: merging them would cost as much as it
/// saves.
const PANES_MAX: usize = 16;

/// Maximum bytes of accumulators per record for which preaggregation pays off. A group takes 200 to
/// 500 bytes, so there should be several records per group.
const BYTES_PER_RECORD_MAX: usize = 64;

/// The part of an engine that another thread needs to preaggregate records.
pub(crate) struct Preaggregation<R: ?Sized, A> {
    aggregate: A,
    schedule: Schedule,
    lateness: i64,
    record: PhantomData<fn(&R)>,
}

/// The accumulators of some records of one shard, by pane.
#[derive(Debug)]
pub(crate) struct Preaggregated<T> {
    panes: Vec<(Pane, T)>,
    /// The index of the last used pane.
    last: usize,
    records: usize,
    /// The earliest event time of an added record.
    earliest: i64,
    /// The latest event time of all records, [skipped](Preaggregated::skip) ones included.
    latest: i64,
}

impl<T> Preaggregated<T> {
    pub(crate) fn new() -> Self {
        Preaggregated {
            panes: Vec::new(),
            last: 0,
            records: 0,
            earliest: i64::MAX,
            latest: i64::MIN,
        }
    }

    /// Returns the number of records.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Skips a record that is not added. `time` is its event time, if that moves a watermark.
    pub(crate) fn skip(&mut self, time: Option<Timestamp>) {
        self.latest = self.latest.max(time.map_or(i64::MIN, Timestamp::as_millis));
    }

    fn position(&self, time: i64) -> Option<usize> {
        match self.panes.get(self.last) {
            Some((pane, _)) if pane.contains(time) => Some(self.last),
            _ => self.panes.iter().position(|(pane, _)| pane.contains(time)),
        }
    }
}

impl<R: ?Sized, A: Aggregate<R>> Preaggregation<R, A> {
    /// Adds a record. Returns false, and adds nothing, if only the engine can decide on it, or if
    /// it needs one pane too many.
    #[inline]
    pub(crate) fn add(
        &self,
        to: &mut Preaggregated<A::Accumulator>,
        record: &R,
        time: Timestamp,
    ) -> bool {
        let millis = time.as_millis();
        let Some(index) = to.position(millis).or_else(|| self.open(to, millis)) else {
            return false;
        };
        let Some((_, accumulator)) = to.panes.get_mut(index) else { return false };
        if self.aggregate.try_add(accumulator, record, time).is_err() {
            return false;
        }
        to.last = index;
        to.records += 1;
        (to.earliest, to.latest) = (to.earliest.min(millis), to.latest.max(millis));
        true
    }

    #[cold]
    fn open(&self, to: &mut Preaggregated<A::Accumulator>, time: i64) -> Option<usize> {
        match self.schedule.place(time, self.lateness) {
            Place::In(pane) if to.panes.len() < PANES_MAX => {
                to.panes.push((pane, self.aggregate.init()));
                Some(to.panes.len() - 1)
            }
            _ => None,
        }
    }

    /// Returns true if merging the accumulators probably costs much less than adding the records.
    pub(crate) fn pays(&self, of: &Preaggregated<A::Accumulator>) -> bool {
        let bytes: usize =
            of.panes.iter().map(|(_, accumulator)| self.aggregate.state_bytes(accumulator)).sum();
        bytes <= of.records.saturating_mul(BYTES_PER_RECORD_MAX)
    }
}

impl<R: ?Sized, A: Aggregate<R> + Clone> Engine<R, A> {
    /// Returns the part of this engine that another thread needs to preaggregate records.
    pub(crate) fn preaggregation(&self) -> Preaggregation<R, A> {
        Preaggregation {
            aggregate: self.aggregate.clone(),
            schedule: self.schedule.clone(),
            lateness: self.lateness,
            record: PhantomData,
        }
    }
}

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Merges all of these records, which come next on the shard, or none of them. Returns true if
    /// they were merged. That needs that pushing them one by one would only add them: none is late
    /// or refused, nothing fires, and no measurement is due before the last of them. The state then
    /// equals the state after pushing them one by one, if the merge of the aggregate is exact; the
    /// caller must know that.
    ///
    /// # Errors
    /// Those of a merge. Some of the records are then merged.
    pub(crate) fn push_preaggregated(
        &mut self,
        shard: Shard,
        records: &Preaggregated<A::Accumulator>,
    ) -> Result<bool, Error>
    where
        A: Growth<R>,
    {
        if self.emit_empty {
            // Gaps between records are checked record by record.
            return Ok(records.records == 0 && records.latest == i64::MIN);
        }
        if records.records == 0 {
            // The watermark of a skipped record may complete windows.
            if records.latest != i64::MIN {
                self.watermarks.observe(shard.index(), records.latest);
            }
            return Ok(true);
        }
        if !self.adds_only(shard, records) || !self.measures_alike(records) {
            return Ok(false);
        }
        let mut panes: Vec<&(Pane, A::Accumulator)> = records.panes.iter().collect();
        panes.sort_unstable_by_key(|(pane, _)| pane.start);
        for &(pane, ref accumulator) in panes {
            let slot = match self.panes.find(pane) {
                Some(slot) => slot,
                None => self.open_pane(pane)?,
            };
            if let Some(into) = self.panes.in_slot(slot) {
                self.aggregate.merge(into, accumulator)?;
            }
            if let Some(stacks) = &mut self.stacks {
                stacks.touch(pane.start);
            }
        }
        self.watermarks.observe(shard.index(), records.latest);
        self.stats.applied = self.stats.applied.saturating_add(records.records as u64);
        Ok(true)
    }

    /// Counts `records` towards the next measurement of the state. If the measurement is due inside
    /// this block, measures now and returns true, provided that a measurement at the exact record
    /// would have the same next due record and the same result. Otherwise returns false and changes
    /// nothing.
    fn measures_alike(&mut self, records: &Preaggregated<A::Accumulator>) -> bool
    where
        A: Growth<R>,
    {
        let count = records.records as u64;
        if let Some(left) = self.until_check.checked_sub(count) {
            self.until_check = left;
            return true;
        }
        let accumulated = self.accumulated_bytes();
        let least = accumulated + self.pending.bytes();
        let mut most = least;
        for (pane, accumulator) in &records.panes {
            let own = self.panes.find(*pane).and_then(|slot| self.panes.in_slot(slot));
            most += own.map_or_else(
                || 2 * self.aggregate.state_bytes(accumulator),
                |own| self.aggregate.growth_max(own, accumulator),
            );
        }
        let interval = records_between_checks(least, self.limits.state_bytes_max);
        let since = count - self.until_check;
        if most > self.limits.state_bytes_max
            || interval != records_between_checks(most, self.limits.state_bytes_max)
            || since > interval
        {
            return false;
        }
        (self.measured, self.stats.state_bytes) = (accumulated, least as u64);
        self.until_check = interval - since;
        true
    }

    /// Returns true if pushing the records one by one would only add them to panes.
    fn adds_only(&mut self, shard: Shard, records: &Preaggregated<A::Accumulator>) -> bool {
        let due = self.firing.is_due(self.watermarks.overall());
        if due || !self.watermarks.is_settled(shard.index()) {
            return false;
        }
        let Some(first) = records.panes.iter().map(|(pane, _)| *pane).min_by_key(|pane| pane.start)
        else {
            return true;
        };
        // No watermark of these or the skipped records completes or closes a window of these
        // records.
        let quiet = self.quiet();
        let until = quiet.end.min(self.watermarks.time_reaching(self.wakes_at(first)));
        if records.earliest < quiet.start
            || until <= records.latest
            || self.wakes_at(first) <= self.watermarks.overall()
        {
            return false;
        }
        // Looking up a pane marks it as recently used, and records are then added to it without a
        // check. So panes of waiting windows are not looked up.
        let new = records.panes.iter().filter(|(pane, _)| self.panes.find(*pane).is_none()).count();
        new <= self.limits.panes_max.saturating_sub(self.panes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Hints, group_by};
    use crate::engine::{Control, EngineOptions};
    use crate::record::ShardId;

    /// State whose size does not grow.
    #[derive(Clone)]
    struct Counts;

    impl Aggregate<u32> for Counts {
        type Accumulator = [u64; 8];
        type Output = u64;

        fn init(&self) -> [u64; 8] {
            [0; 8]
        }

        fn add(&self, counts: &mut [u64; 8], _: &u32, _: Timestamp) {
            counts[0] += 1;
        }

        fn merge(&self, into: &mut [u64; 8], from: &[u64; 8]) -> Result<(), Error> {
            into[0] += from[0];
            Ok(())
        }

        fn output(&self, counts: &[u64; 8]) -> u64 {
            counts[0]
        }

        fn hints(&self) -> Hints {
            Hints::NOTHING
        }
    }

    /// With twice as many groups the state would be measured at other intervals. It is measured in
    /// every second or every fourth block.
    #[test]
    fn blocks_of_known_groups_are_merged_at_any_size_of_the_state() {
        for groups in [1, 500, 1000, 1500, 1900] {
            let mut engine =
                Engine::new(group_by(|key: &u32| key, Counts), EngineOptions::default()).unwrap();
            let shard = engine.open_shard(ShardId::new("")).unwrap();
            let records = || (0..2000).map(|n| n % groups);
            for key in records() {
                engine.push(shard, &key, Timestamp::from_millis(0)).unwrap();
            }
            let apart = engine.preaggregation();
            for _ in 0..8 {
                let mut block = Preaggregated::new();
                assert!(records().all(|key| apart.add(
                    &mut block,
                    &key,
                    Timestamp::from_millis(0)
                )));
                assert!(engine.push_preaggregated(shard, &block).unwrap(), "{groups} groups");
            }
            assert_eq!(engine.stats().applied, 9 * 2000);
        }
    }

    /// The state is measured within the block. Its table may have doubled until then, and after
    /// that it would be measured half as often.
    #[test]
    fn a_block_that_may_change_the_next_measurement_is_added_record_by_record() {
        let mut engine =
            Engine::new(group_by(|key: &u32| key, Counts), EngineOptions::default()).unwrap();
        let shard = engine.open_shard(ShardId::new("")).unwrap();
        let known = 0..1700;
        for key in known.clone() {
            engine.push(shard, &key, Timestamp::from_millis(0)).unwrap();
        }
        let apart = engine.preaggregation();
        let mut block = Preaggregated::new();
        assert!(known.clone().chain(known).chain(1700..1900).all(|key| apart.add(
            &mut block,
            &key,
            Timestamp::from_millis(0)
        )));
        assert!(!engine.push_preaggregated(shard, &block).unwrap());
        assert_eq!(engine.stats().applied, 1700, "none of the block was merged");
    }
}
