//! A count of a few different keys as a list of their hashes.

use super::{Held, push_exactly};
use crate::aggregate::{Aggregate, Distinct, DistinctAccumulator};
use crate::error::Error;
use crate::rows::row_aggregate::source::Itself;
use crate::sketch::Estimate;
use crate::time::Timestamp;

/// Maximum of the hashes that are held in a list.
const HASHES_MAX: usize = 12;

/// The hashes of a few keys, or the accumulator of all keys.
#[derive(Clone, Debug)]
#[expect(clippy::box_collection, reason = "a cell has two words, a vector three")]
pub(crate) enum FewHashes {
    None,
    One(u64),
    Few(Box<Vec<u64>>),
    Whole(Box<DistinctAccumulator>),
}

impl FewHashes {
    fn hashes(&self) -> &[u64] {
        match self {
            FewHashes::None | FewHashes::Whole(_) => &[],
            FewHashes::One(hash) => std::slice::from_ref(hash),
            FewHashes::Few(hashes) => hashes,
        }
    }

    /// Adds a hash. Returns false and changes nothing if there is no room for it.
    fn add_here(&mut self, hash: u64, hashes_max: usize) -> bool {
        if let FewHashes::Whole(_) = self {
            return false;
        }
        if self.hashes().contains(&hash) {
            return true;
        }
        if self.hashes().len() >= hashes_max {
            return false;
        }
        match self {
            FewHashes::Few(hashes) => push_exactly(hashes, hash, hashes_max),
            FewHashes::One(first) => *self = FewHashes::Few(Box::new(vec![*first, hash])),
            _ => *self = FewHashes::One(hash),
        }
        true
    }

    fn add_hash(&mut self, aggregate: &Distinct<Itself>, hash: u64) {
        if !self.add_here(hash, HASHES_MAX.min(aggregate.exact_max())) {
            aggregate.add_hash(self.whole(aggregate), hash);
        }
    }

    /// Returns the accumulator of the hashes.
    fn accumulator(&self, aggregate: &Distinct<Itself>) -> DistinctAccumulator {
        let mut accumulator = Aggregate::<[u8]>::init(aggregate);
        self.hashes().iter().for_each(|hash| aggregate.add_hash(&mut accumulator, *hash));
        accumulator
    }
}

impl Held<[u8], Distinct<Itself>> for FewHashes {
    #[inline]
    fn init(_: &Distinct<Itself>) -> Self {
        FewHashes::None
    }

    fn of(aggregate: &Distinct<Itself>, accumulator: DistinctAccumulator) -> Self {
        let Some(hashes) = accumulator.few(HASHES_MAX) else {
            return FewHashes::Whole(Box::new(accumulator));
        };
        let mut held = FewHashes::None;
        hashes.for_each(|hash| held.add_hash(aggregate, hash));
        held
    }

    fn whole(&mut self, aggregate: &Distinct<Itself>) -> &mut DistinctAccumulator {
        if !matches!(self, FewHashes::Whole(_)) {
            *self = FewHashes::Whole(Box::new(self.accumulator(aggregate)));
        }
        match self {
            FewHashes::Whole(accumulator) => accumulator,
            _ => unreachable!("the accumulator was made above"),
        }
    }

    fn read<T>(
        &self,
        aggregate: &Distinct<Itself>,
        read: impl FnOnce(&DistinctAccumulator) -> T,
    ) -> T {
        match self {
            FewHashes::Whole(accumulator) => read(accumulator),
            few => read(&few.accumulator(aggregate)),
        }
    }

    fn output(&self, aggregate: &Distinct<Itself>) -> Estimate<u64> {
        match self {
            FewHashes::Whole(accumulator) => Aggregate::<[u8]>::output(aggregate, accumulator),
            few => Estimate::exact(few.hashes().len() as u64),
        }
    }

    fn heap_bytes(&self, aggregate: &Distinct<Itself>) -> usize {
        match self {
            FewHashes::None | FewHashes::One(_) => 0,
            FewHashes::Few(hashes) => size_of_val(&**hashes) + size_of_val(hashes.as_slice()),
            FewHashes::Whole(accumulator) => Aggregate::<[u8]>::state_bytes(aggregate, accumulator),
        }
    }

    #[inline]
    fn add(&mut self, aggregate: &Distinct<Itself>, key: &[u8], time: Timestamp) {
        match self {
            FewHashes::Whole(accumulator) => aggregate.add(accumulator, key, time),
            few => few.add_hash(aggregate, aggregate.hash_of(key)),
        }
    }

    fn merge(&mut self, aggregate: &Distinct<Itself>, from: &Self) -> Result<(), Error> {
        if matches!(self, FewHashes::Whole(_)) || matches!(from, FewHashes::Whole(_)) {
            return from.read(aggregate, |from| {
                Aggregate::<[u8]>::merge(aggregate, self.whole(aggregate), from)
            });
        }
        from.hashes().iter().for_each(|hash| self.add_hash(aggregate, *hash));
        Ok(())
    }
}
