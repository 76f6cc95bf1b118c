//! Subtraction of merged parts, while all counts are exact.
//!
//! A merge that supports subtraction remembers, for each part, the rows to which it was added.
//! Subtracting the part then looks up no key, which would be a cache miss each. Rows with a count
//! of 0 are *dead*. They stay in the table and may get a count again, until there are many of them
//! and other keys reuse them.

use super::SpaceSaving;
use super::parts::Parts;
use crate::key::Key;

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Makes this sketch the first part of a merge from which parts can be
    /// [subtracted](SpaceSaving::subtract). From now on only [`merge`](SpaceSaving::merge) may add
    /// to it.
    pub(crate) fn prepare(&mut self) {
        self.bury();
        let mut parts = Parts::default();
        parts.enter((0..self.rows.len() as u32).collect());
        self.parts = Some(Box::new(parts));
    }

    /// Returns true if parts can be subtracted and all counts are exact.
    pub(crate) fn subtracts(&self) -> bool {
        self.parts.is_some() && self.is_exact() && !self.saturated()
    }

    /// Subtracts `part`, which must be the oldest merged part that is still included. All answers
    /// are then those of a sketch that never contained it. Returns false if that is not possible;
    /// the sketch must then be discarded. O(rows of the part), amortised.
    pub(crate) fn subtract(&mut self, part: &Self) -> bool {
        if !self.subtracts() || !part.is_exact() {
            return false;
        }
        let Some(parts) = &mut self.parts else { return false };
        let Some(places) =
            parts.places.pop_front().filter(|places| places.len() == part.rows.len())
        else {
            return false;
        };
        for ((&count, &tag), place) in part.rows.counts().iter().zip(part.rows.tags()).zip(places) {
            let Some(rest) = self.rows.take(place as usize, tag, count) else { return false };
            parts.dead += usize::from(rest == 0);
        }
        self.total = self.total.saturating_sub(part.total);
        // Many more keys left than came.
        if self.dead() > self.rows.len() / 2 {
            self.bury();
        }
        true
    }

    /// Returns the number of dead rows.
    pub(super) fn dead(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.dead)
    }

    /// Removes dead rows, if there are any.
    pub(super) fn bury(&mut self) {
        if self.dead() > 0 {
            self.bury_dead();
        }
    }

    /// Removes all rows with a count of 0. O(rows).
    pub(super) fn bury_dead(&mut self) {
        let stays: Vec<bool> = self.rows.counts().iter().map(|&count| count > 0).collect();
        if let Some(parts) = &mut self.parts {
            let mut kept = 0;
            let number = |stays: &bool| {
                kept += u32::from(*stays);
                if *stays { kept - 1 } else { u32::MAX }
            };
            let numbers: Vec<u32> = stays.iter().map(number).collect();
            for place in parts.places.iter_mut().flatten() {
                *place = numbers.get(*place as usize).copied().unwrap_or(u32::MAX);
            }
            parts.dead = 0;
        }
        self.keep_rows(&stays, |_, _| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Keys that come and go, so that rows die, get a count again, and are removed.
        #[test]
        fn a_queue_of_parts_says_what_its_merge_says(
            parts in prop::collection::vec(prop::collection::vec(0u8..40, 0..12), 1..40),
            length in 1usize..8,
            capacity in 8usize..40,
        ) {
            let part = |keys: &Vec<u8>| {
                let mut part = SpaceSaving::<str>::with_capacity(capacity).unwrap();
                keys.iter().for_each(|key| part.add(&format!("/{key}"), 1 + u64::from(key % 3)));
                part
            };
            let parts: Vec<_> = parts.iter().map(part).collect();
            let told = |sketch: &SpaceSaving<str>| {
                let mut writer = crate::codec::Writer::new();
                sketch.encode(&mut writer);
                let tops: Vec<_> =
                    [0, 1, 3, usize::MAX].into_iter().map(|k| sketch.top(k)).collect();
                let estimates: Vec<_> =
                    (0..40).map(|key| sketch.estimate(&format!("/{key}"))).collect();
                format!(
                    "{tops:?} {estimates:?} {} {} \
                                 {:?}",
                    sketch.len(),
                    sketch.total(),
                    writer.into_bytes()
                )
            };
            let mut sliding = parts[0].clone();
            sliding.prepare();
            for (end, part) in parts.iter().enumerate() {
                let start = (end + 1).saturating_sub(length);
                if start > 0 {
                    prop_assert!(sliding.subtract(&parts[start - 1]));
                }
                if end > 0 {
                    sliding.merge(part).unwrap();
                }
                let mut merged = parts[start].clone();
                parts[start + 1..=end].iter().for_each(|part| merged.merge(part).unwrap());
                if !sliding.subtracts() {
                    prop_assert!(!merged.is_exact());
                    return Ok(());
                }
                prop_assert_eq!(told(&sliding), told(&merged));
                prop_assert_eq!(told(&sliding.clone()), told(&merged));
                let mut onward = parts[0].clone();
                onward.merge(&sliding).unwrap();
                merged.merge(&parts[0]).unwrap();
                prop_assert_eq!(told(&onward), told(&merged));
            }
        }
    }

    /// Heap keys that never come back: other keys reuse their rows, so the table does not grow.
    #[test]
    fn rows_of_keys_that_left_are_given_to_others() {
        let part = |number: usize| {
            let mut part = SpaceSaving::<str>::with_capacity(1000).unwrap();
            (0..10 + number % 7)
                .for_each(|key| part.add(&format!("{number}{}", "x".repeat(key)), 1));
            part
        };
        let mut sliding = part(0);
        sliding.prepare();
        for number in 1..300 {
            if number >= 6 {
                assert!(sliding.subtract(&part(number - 6)));
            }
            sliding.merge(&part(number)).unwrap();
            assert_eq!(
                sliding.key_bytes,
                sliding.rows.keys().iter().map(|key| key.len()).sum::<usize>()
            );
            // Six parts of at most 16 keys, with an eighth dead, and one part that found no dead
            // row.
            assert!(
                sliding.rows.len() <= 6 * 16 * 8 / 7 + 16,
                "{} rows at {number}",
                sliding.rows.len()
            );
        }
    }

    #[test]
    fn what_was_not_merged_is_not_taken_out() {
        let part = |keys: &[&str]| {
            let mut part = SpaceSaving::<str>::with_capacity(9).unwrap();
            keys.iter().for_each(|key| part.add(key, 1));
            part
        };
        assert!(!part(&["a"]).subtract(&part(&["a"])), "it was not prepared");
        let sliding = || {
            let mut sliding = part(&["a", "b"]);
            sliding.prepare();
            sliding.merge(&part(&["b", "c"])).unwrap();
            sliding
        };
        assert!(sliding().subtract(&part(&["a", "b"])));
        assert!(!sliding().subtract(&part(&["b", "c"])), "not the first");
        assert!(!sliding().subtract(&part(&["a"])));
        assert!(!sliding().subtract(&part(&["a", "a", "b", "b"])));
    }
}
