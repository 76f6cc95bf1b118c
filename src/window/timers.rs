//! Timers: times at which something is due, the earliest first.
//!
//! Timers of the same stretch of time are in one list, in no order, until it is their turn. So a
//! timer ahead costs little, and only those of the first stretch are kept sorted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// A time, and what is due then.
type Timer = (i64, u64);

/// The number of stretches whose lists are found by their number.
const STRETCHES: usize = 1024;

#[derive(Clone, Debug)]
pub(crate) struct Timers {
    /// The timers of the first stretch, latest first.
    near: Vec<Timer>,
    /// Those that were added later, of this stretch and from before it. Both are empty only if
    /// there is no timer.
    early: BinaryHeap<Reverse<Timer>>,
    near_stretch: i64,
    /// The timers of the next stretches.
    next: VecDeque<Vec<Timer>>,
    /// Timers further ahead, by stretch. They stay here when their stretch comes near.
    far: BTreeMap<i64, Vec<Timer>>,
    /// Lists without timers, to be filled again.
    spare: Vec<Vec<Timer>>,
    /// The length of a stretch is two to this power.
    stretch_bits: u32,
}

impl Timers {
    /// Creates timers that are mostly `reach` ahead of the first one.
    pub(crate) fn new(reach: i64) -> Self {
        Timers {
            near: Vec::new(),
            early: BinaryHeap::new(),
            near_stretch: 0,
            next: VecDeque::new(),
            far: BTreeMap::new(),
            spare: Vec::new(),
            // A few hundred stretches of a few hundred timers, where there are many timers.
            stretch_bits: (reach / 256).max(1).ilog2(),
        }
    }

    /// Adds a timer.
    #[inline]
    pub(crate) fn push(&mut self, time: i64, what: u64) {
        let stretch = time >> self.stretch_bits;
        if self.first().is_none() {
            self.near_stretch = stretch;
        }
        if stretch <= self.near_stretch {
            self.early.push(Reverse((time, what)));
            return;
        }
        match usize::try_from(stretch.abs_diff(self.near_stretch) - 1) {
            Ok(ahead) if ahead < STRETCHES => {
                while self.next.len() <= ahead {
                    self.next.push_back(self.spare.pop().unwrap_or_default());
                }
                if let Some(list) = self.next.get_mut(ahead) {
                    list.push((time, what));
                }
            }
            _ => self.far.entry(stretch).or_default().push((time, what)),
        }
    }

    /// Returns the time of the first timer.
    #[inline]
    pub(crate) fn first(&self) -> Option<i64> {
        let early = self.early.peek().map(|Reverse((time, _))| *time);
        let near = self.near.last().map(|(time, _)| *time);
        early.min(near).or(early).or(near)
    }

    /// Removes the first timer if its time is at or before `time`.
    #[inline]
    pub(crate) fn pop(&mut self, time: i64) -> Option<Timer> {
        if self.first()? > time {
            return None;
        }
        let early = self.early.peek().map(|Reverse(timer)| *timer);
        let first = match self.near.last() {
            Some(near) if early.is_none_or(|early| *near <= early) => self.near.pop(),
            _ => self.early.pop().map(|Reverse(timer)| timer),
        };
        if self.near.is_empty() && self.early.is_empty() {
            self.fetch();
        }
        first
    }

    /// Makes the next stretch that has timers the first one.
    #[cold]
    fn fetch(&mut self) {
        let skipped = self.next.iter().take_while(|list| list.is_empty()).count();
        let ahead = (skipped < self.next.len())
            .then(|| self.near_stretch.saturating_add_unsigned(skipped as u64 + 1));
        let far = self.far.first_key_value().map(|(stretch, _)| *stretch);
        let Some(stretch) = ahead.into_iter().chain(far).min() else {
            self.next.clear();
            return;
        };
        let passed = usize::try_from(stretch.abs_diff(self.near_stretch)).unwrap_or(usize::MAX);
        for mut list in self.next.drain(..passed.min(self.next.len())) {
            self.near.append(&mut list);
            if self.spare.len() < STRETCHES {
                self.spare.push(list);
            }
        }
        if far == Some(stretch) {
            self.near.extend(self.far.pop_first().into_iter().flat_map(|(_, list)| list));
        }
        self.near.sort_unstable_by(|one, other| other.cmp(one));
        self.near_stretch = stretch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Compares with a sorted set, for any length of the stretches.
        #[test]
        fn timers_come_in_order(
            reach in prop_oneof![1i64..10_000, Just(i64::MAX)],
            steps in prop::collection::vec((any::<i64>(), 0u32..63, any::<bool>()), 0..200),
        ) {
            let mut timers = Timers::new(reach);
            let mut model = std::collections::BTreeSet::new();
            for (what, (time, bits, pops)) in steps.into_iter().enumerate() {
                let time = time >> bits;
                if pops {
                    let first = model.first().copied().filter(|(first, _)| *first <= time);
                    first.map(|first| model.remove(&first));
                    prop_assert_eq!(timers.pop(time), first);
                } else {
                    model.insert((time, what as u64));
                    timers.push(time, what as u64);
                }
                prop_assert_eq!(timers.first(), model.first().map(|(time, _)| *time));
            }
        }
    }
}
