//! How the accumulator of an aggregate is held in a cell of a group: in two words. Many groups have
//! one or two records, so the first values of an aggregate that grows are held themselves, without
//! memory on the heap. More values make the accumulator.

mod few_hashes;
mod few_keys;
mod few_numbers;
mod short_sum;

pub(super) use few_hashes::FewHashes;
pub(super) use few_keys::FewKeys;
pub(super) use few_numbers::FewNumbers;
pub(super) use short_sum::ShortSum;

use crate::aggregate::{Aggregate, Invertible};
use crate::error::Error;
use crate::time::Timestamp;

/// A form of the accumulator of an aggregate. It has the answers, the merges and the bytes of the
/// accumulator, which can be made of it at any time.
pub(super) trait Held<R: ?Sized, G: Aggregate<R>> {
    /// True if the accumulator may be made smaller than it is.
    const SHRINKS: bool = true;

    /// Returns the form of an accumulator without records.
    #[inline]
    fn init(aggregate: &G) -> Self
    where
        Self: Sized,
    {
        Self::of(aggregate, aggregate.init())
    }

    /// Returns the form of an accumulator.
    fn of(aggregate: &G, accumulator: G::Accumulator) -> Self;

    /// Returns the accumulator, to be changed.
    fn whole(&mut self, aggregate: &G) -> &mut G::Accumulator;

    /// Calls `read` with the accumulator.
    fn read<T>(&self, aggregate: &G, read: impl FnOnce(&G::Accumulator) -> T) -> T;

    /// Returns the answer of the accumulator.
    fn output(&self, aggregate: &G) -> G::Output {
        self.read(aggregate, |accumulator| aggregate.output(accumulator))
    }

    /// Returns the bytes on the heap.
    fn heap_bytes(&self, aggregate: &G) -> usize;

    /// Adds a record.
    #[inline]
    fn add(&mut self, aggregate: &G, record: &R, time: Timestamp) {
        aggregate.add(self.whole(aggregate), record, time);
    }

    /// Merges the accumulator of another form. If it refuses, nothing changes.
    fn merge(&mut self, aggregate: &G, from: &Self) -> Result<(), Error> {
        from.read(aggregate, |from| aggregate.merge(self.whole(aggregate), from))
    }

    /// As [`Invertible::prepare`].
    fn prepare(&mut self, aggregate: &G, inverse: &dyn Invertible<R, G::Accumulator>) {
        inverse.prepare(self.whole(aggregate));
    }

    /// As [`Invertible::subtract`].
    fn subtract(
        &mut self,
        aggregate: &G,
        inverse: &dyn Invertible<R, G::Accumulator>,
        part: &Self,
    ) -> bool {
        part.read(aggregate, |part| inverse.subtract(self.whole(aggregate), part))
    }
}

/// An accumulator of two words.
#[derive(Clone, Debug)]
pub(crate) struct Inline<A>(pub(super) A);

impl<R: ?Sized, G: Aggregate<R>> Held<R, G> for Inline<G::Accumulator> {
    const SHRINKS: bool = false;

    fn of(_: &G, accumulator: G::Accumulator) -> Self {
        Inline(accumulator)
    }

    #[inline]
    fn whole(&mut self, _: &G) -> &mut G::Accumulator {
        &mut self.0
    }

    fn read<T>(&self, _: &G, read: impl FnOnce(&G::Accumulator) -> T) -> T {
        read(&self.0)
    }

    fn heap_bytes(&self, aggregate: &G) -> usize {
        aggregate.state_bytes(&self.0).saturating_sub(size_of::<G::Accumulator>())
    }
}

/// An accumulator in a box.
#[derive(Clone, Debug)]
pub(crate) struct Boxed<A>(pub(super) Box<A>);

impl<R: ?Sized, G: Aggregate<R>> Held<R, G> for Boxed<G::Accumulator> {
    fn of(_: &G, accumulator: G::Accumulator) -> Self {
        Boxed(Box::new(accumulator))
    }

    #[inline]
    fn whole(&mut self, _: &G) -> &mut G::Accumulator {
        &mut self.0
    }

    fn read<T>(&self, _: &G, read: impl FnOnce(&G::Accumulator) -> T) -> T {
        read(&self.0)
    }

    fn heap_bytes(&self, aggregate: &G) -> usize {
        aggregate.state_bytes(&self.0)
    }
}

/// Adds an item to a short list, which is never longer than `len_max`. The list grows by half, and
/// has no more room than that.
fn push_exactly<T>(list: &mut Vec<T>, item: T, len_max: usize) {
    if list.len() == list.capacity() {
        let more = list.len().div_ceil(2).clamp(1, len_max.saturating_sub(list.len()).max(1));
        list.reserve_exact(more);
    }
    list.push(item);
}

#[cfg(test)]
mod tests {
    use super::super::source::{Itself, WeightedKey};
    use super::*;
    use crate::aggregate::{Distinct, Mean, Quantile, TopK, TopKByWeight};
    use crate::codec::{Reader, Writer};
    use crate::row::Number;
    use proptest::prelude::*;
    use std::fmt::Debug;

    const TIME: Timestamp = Timestamp::from_millis(0);

    fn bytes<R: ?Sized, G: Aggregate<R>>(aggregate: &G, accumulator: &G::Accumulator) -> Vec<u8> {
        let mut writer = Writer::new();
        aggregate.persistence().unwrap().encode(accumulator, &mut writer).unwrap();
        writer.into_bytes()
    }

    fn held_bytes<R: ?Sized, G: Aggregate<R>, H: Held<R, G>>(aggregate: &G, held: &H) -> Vec<u8> {
        held.read(aggregate, |accumulator| bytes(aggregate, accumulator))
    }

    /// Adds parts, merges them and subtracts the first one, in this form and without it.
    fn agrees<R: ?Sized, G, H: Held<R, G>>(aggregate: &G, parts: &[Vec<&R>])
    where
        G: Aggregate<R, Output: PartialEq + Debug>,
    {
        let init = || H::init(aggregate);
        assert_eq!(held_bytes(aggregate, &init()), bytes(aggregate, &aggregate.init()));
        let (mut merged, mut whole) = (init(), aggregate.init());
        let (mut prepared, mut subtracted) = (init(), aggregate.init());
        let inverse = aggregate.inverse().unwrap();
        prepared.prepare(aggregate, inverse);
        inverse.prepare(&mut subtracted);
        let mut first = None;
        for part in parts {
            let (mut held, mut plain) = (init(), aggregate.init());
            for record in part {
                held.add(aggregate, record, TIME);
                aggregate.add(&mut plain, record, TIME);
                assert_eq!(held_bytes(aggregate, &held), bytes(aggregate, &plain));
                assert_eq!(held.output(aggregate), aggregate.output(&plain));
            }
            let saved = bytes(aggregate, &plain);
            let read = aggregate.persistence().unwrap().decode(&mut Reader::new(&saved)).unwrap();
            assert_eq!(held_bytes(aggregate, &H::of(aggregate, read)), saved, "read again");
            merged.merge(aggregate, &held).unwrap();
            aggregate.merge(&mut whole, &plain).unwrap();
            assert_eq!(held_bytes(aggregate, &merged), bytes(aggregate, &whole));
            prepared.merge(aggregate, &held).unwrap();
            aggregate.merge(&mut subtracted, &plain).unwrap();
            first.get_or_insert((held, plain));
        }
        let Some((held, plain)) = first else { return };
        let is_taken = prepared.subtract(aggregate, inverse, &held);
        assert_eq!(is_taken, inverse.subtract(&mut subtracted, &plain));
        if is_taken {
            assert_eq!(held_bytes(aggregate, &prepared), bytes(aggregate, &subtracted));
        }
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            4 => (-9i64..99).prop_map(|integer| Number::Int(i128::from(integer))),
            2 => (0u8..40).prop_map(|tenths| Number::of_float(f64::from(tenths) / 10.0)),
            1 => (i64::MAX - 3..=i64::MAX).prop_map(|integer| Number::Int(i128::from(integer))),
            1 => Just(Number::Float(-0.0)),
        ]
    }

    fn parts<T: Debug>(record: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<Vec<T>>> {
        prop::collection::vec(prop::collection::vec(record, 0..20), 0..5)
    }

    fn borrowed<T>(parts: &[Vec<T>]) -> Vec<Vec<&T>> {
        parts.iter().map(|part| part.iter().collect()).collect()
    }

    fn record((key, weight): &(String, u64)) -> WeightedKey<'_> {
        WeightedKey::new(key.as_bytes(), *weight)
    }

    proptest! {
        #[test]
        fn s295_few_numbers_are_a_histogram_and_a_short_sum_is_a_mean(
            parts in parts(number()),
            percent in 0u32..=100,
        ) {
            let (aggregate, q) = (Quantile::new(0.5, Itself), f64::from(percent) / 100.0);
            for numbers in &parts {
                let mut few = <FewNumbers as Held<Number, _>>::init(&aggregate);
                for number in numbers {
                    few.add(&aggregate, number, TIME);
                    let expected = few.read(&aggregate, |histogram| histogram.quantile(q));
                    prop_assert_eq!(few.quantile(&aggregate, q), expected);
                }
            }
            agrees::<Number, _, FewNumbers>(&Quantile::new(0.5, Itself), &borrowed(&parts));
            agrees::<Number, _, ShortSum>(&Mean::new(Itself), &borrowed(&parts));
        }

        #[test]
        fn s295_few_keys_are_a_top_k_and_a_distinct_count(
            parts in parts(("[a-p]{1,2}|[a-p]{40}", prop_oneof![0u64..9, Just(u64::MAX)])),
            counters in 1usize..20,
            exact_max in 0usize..20,
        ) {
            let keys: Vec<Vec<&[u8]>> = parts
                .iter()
                .map(|part| part.iter().map(|(key, _)| key.as_bytes()).collect())
                .collect();
            let top = TopK::new(100, Itself).counters(counters);
            agrees::<[u8], _, FewKeys>(&top, &keys);
            let distinct = Distinct::new(Itself).exact_up_to(exact_max);
            agrees::<[u8], _, FewHashes>(&distinct, &keys);
            let weighted: Vec<Vec<WeightedKey<'_>>> =
                parts.iter().map(|part| part.iter().map(record).collect()).collect();
            let top = TopKByWeight::new(top, Itself);
            agrees::<WeightedKey<'_>, _, FewKeys>(&top, &borrowed(&weighted));
        }
    }
}
