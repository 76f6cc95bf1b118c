//! A top-k of a few keys as a list of them.

use super::{Held, push_exactly};
use crate::aggregate::{Aggregate, TopK, TopKByWeight};
use crate::error::Error;
use crate::key::ByteKey;
use crate::rows::row_aggregate::source::{Itself, WeightedKey};
use crate::sketch::SpaceSaving;
use crate::time::Timestamp;

/// Maximum of the keys that are held in a list.
const KEYS_MAX: usize = 12;

/// An aggregate that gives keys weights.
pub(in crate::rows::row_aggregate) trait Weighted<R: ?Sized>:
    Aggregate<R, Accumulator = SpaceSaving<[u8]>>
{
    /// Returns the key of a record and its weight.
    fn weighted<'r>(&self, record: &'r R) -> Option<(&'r [u8], u64)>;

    /// Returns the maximum number of keys whose counts are exact.
    fn exact_max(&self) -> usize;
}

impl Weighted<[u8]> for TopK<Itself> {
    #[inline]
    fn weighted<'r>(&self, key: &'r [u8]) -> Option<(&'r [u8], u64)> {
        Some((key, 1))
    }

    fn exact_max(&self) -> usize {
        self.counters_max()
    }
}

impl<'a> Weighted<WeightedKey<'a>> for TopKByWeight<Itself, Itself> {
    #[inline]
    fn weighted<'r>(&self, record: &'r WeightedKey<'a>) -> Option<(&'r [u8], u64)> {
        record.weighted()
    }

    fn exact_max(&self) -> usize {
        self.counters_max()
    }
}

/// The keys of a top-k with their counts, in the order in which they came, or the top-k.
#[derive(Clone, Debug)]
#[expect(clippy::box_collection, reason = "a cell has two words, a vector three")]
pub(crate) enum FewKeys {
    None,
    Few(Box<Vec<(ByteKey, u64)>>),
    Whole(Box<SpaceSaving<[u8]>>),
}

impl FewKeys {
    fn keys(&self) -> &[(ByteKey, u64)] {
        match self {
            FewKeys::Few(keys) => keys,
            FewKeys::None | FewKeys::Whole(_) => &[],
        }
    }

    /// Returns the sum of all counts, unless it passes 64 bits.
    fn total(&self) -> Option<u64> {
        self.keys().iter().try_fold(0u64, |total, (_, count)| total.checked_add(*count))
    }

    /// Adds a key of a weight above 0. Returns false and changes nothing if there is no room for
    /// it.
    fn add_here(&mut self, (key, weight): (&[u8], u64), keys_max: usize) -> bool {
        match self {
            FewKeys::None if keys_max > 0 => {
                *self = FewKeys::Few(Box::new(vec![(key.into(), weight)]));
                true
            }
            FewKeys::None | FewKeys::Whole(_) => false,
            FewKeys::Few(keys) => {
                if let Some((_, count)) = keys.iter_mut().find(|(kept, _)| kept.is(key)) {
                    *count = count.saturating_add(weight);
                    return true;
                }
                if keys.len() >= keys_max {
                    return false;
                }
                push_exactly(keys, (key.into(), weight), keys_max);
                true
            }
        }
    }

    fn add_weighted<R: ?Sized, G: Weighted<R>>(
        &mut self,
        aggregate: &G,
        (key, weight): (&[u8], u64),
    ) {
        let keys_max = KEYS_MAX.min(aggregate.exact_max());
        if weight > 0 && !self.add_here((key, weight), keys_max) {
            Held::<R, G>::whole(self, aggregate).add(key, weight);
        }
    }

    fn top_of<R: ?Sized, G: Weighted<R>>(&self, aggregate: &G) -> SpaceSaving<[u8]> {
        let mut top = aggregate.init();
        self.keys().iter().for_each(|(key, count)| top.add(key, *count));
        top
    }
}

impl<R: ?Sized, G: Weighted<R>> Held<R, G> for FewKeys {
    #[inline]
    fn init(_: &G) -> Self {
        FewKeys::None
    }

    fn of(aggregate: &G, accumulator: SpaceSaving<[u8]>) -> Self {
        let is_few = accumulator.len() <= KEYS_MAX
            && accumulator.is_exact()
            && accumulator.capacity() == aggregate.exact_max();
        let mut held = FewKeys::None;
        if is_few {
            for row in accumulator.top(KEYS_MAX) {
                held.add_weighted::<R, G>(aggregate, (&row.key, row.count));
            }
        }
        // Anything else than its rows, such as counts past 64 bits, is known to the accumulator.
        match is_few && held.total() == Some(accumulator.total()) {
            true => held,
            false => FewKeys::Whole(Box::new(accumulator)),
        }
    }

    #[inline]
    fn whole(&mut self, aggregate: &G) -> &mut SpaceSaving<[u8]> {
        if !matches!(self, FewKeys::Whole(_)) {
            *self = FewKeys::Whole(Box::new(self.top_of(aggregate)));
        }
        match self {
            FewKeys::Whole(top) => top,
            _ => unreachable!("the top-k was made above"),
        }
    }

    fn read<T>(&self, aggregate: &G, read: impl FnOnce(&SpaceSaving<[u8]>) -> T) -> T {
        match self {
            FewKeys::Whole(top) => read(top),
            few => read(&few.top_of(aggregate)),
        }
    }

    fn heap_bytes(&self, _: &G) -> usize {
        match self {
            FewKeys::None => 0,
            FewKeys::Few(keys) => {
                let own: usize = keys.iter().map(|(key, _)| key.heap_bytes()).sum();
                size_of_val(&**keys) + size_of_val(keys.as_slice()) + own
            }
            FewKeys::Whole(top) => top.resident_bytes(),
        }
    }

    #[inline]
    fn add(&mut self, aggregate: &G, record: &R, time: Timestamp) {
        if let FewKeys::Whole(top) = self {
            return aggregate.add(top, record, time);
        }
        if let Some(weighted) = aggregate.weighted(record) {
            self.add_weighted::<R, G>(aggregate, weighted);
        }
    }

    fn merge(&mut self, aggregate: &G, from: &Self) -> Result<(), Error> {
        if matches!(self, FewKeys::Whole(_)) || matches!(from, FewKeys::Whole(_)) {
            return Held::<R, G>::read(from, aggregate, |from| {
                Held::<R, G>::whole(self, aggregate).merge(from)
            });
        }
        for (key, count) in from.keys() {
            self.add_weighted::<R, G>(aggregate, (key, *count));
        }
        Ok(())
    }
}
