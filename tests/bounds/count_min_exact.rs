//! A count-min that stores its keys while they fit: it is exact until then, and after that equals a
//! sketch from the start.

use proptest::prelude::*;
use std::collections::BTreeMap;
use streamgauge::ErrorKind;
use streamgauge::codec::{Reader, Writer};
use streamgauge::sketch::{CountMin, Estimate};

type Records = Vec<(String, u64)>;

/// Few or many keys of many lengths; a weight may be 0 and may need 64 bits.
fn records() -> impl Strategy<Value = Records> {
    let key = (0u32..30, 0usize..40).prop_map(|(n, length)| format!("/{n:0>length$}"));
    prop::collection::vec((key, prop_oneof![0u64..5, 4_294_967_290u64..4_294_967_300]), 0..60)
}

fn shape(budget: usize, conservative: bool) -> CountMin {
    let sketch = CountMin::with_shape(32, 4).unwrap().exact_within(budget);
    if conservative { sketch.conservative() } else { sketch }
}

fn filled(empty: &CountMin, records: &[(String, u64)]) -> CountMin {
    let mut sketch = empty.clone();
    records.iter().for_each(|(key, weight)| sketch.add(key.as_str(), *weight));
    sketch
}

fn bytes(sketch: &CountMin) -> Vec<u8> {
    let mut writer = Writer::new();
    sketch.encode(&mut writer);
    writer.into_bytes()
}

fn reloaded(empty: &CountMin, sketch: &CountMin) -> CountMin {
    let written = bytes(sketch);
    let mut reader = Reader::new(&written);
    let read = empty.decode(&mut reader).unwrap();
    reader.finish().unwrap();
    assert_eq!(bytes(&read), written);
    read
}

fn counts(records: &[(String, u64)]) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for (key, weight) in records.iter().filter(|(_, weight)| *weight > 0) {
        *counts.entry(key.as_str()).or_insert(0) += weight;
    }
    counts
}

/// Returns true if the keys fit according to the documentation.
fn fits(counts: &BTreeMap<&str, u64>, budget: usize) -> bool {
    budget > 0 && counts.keys().map(|key| 56 + key.len() + key.len() / 4).sum::<usize>() <= budget
}

/// Asserts that counts are exact if the keys fit, and otherwise never below the truth.
fn keeps_its_promises(
    sketch: &CountMin,
    records: &[(String, u64)],
    budget: usize,
) -> Result<(), TestCaseError> {
    let counts = counts(records);
    prop_assert_eq!(sketch.total(), counts.values().sum::<u64>());
    prop_assert_eq!(
        sketch.is_exact(),
        fits(&counts, budget),
        "{} keys in {}",
        counts.len(),
        budget
    );
    for (key, count) in counts.into_iter().chain([("absent", 0)]) {
        let estimate = sketch.estimate(key);
        prop_assert!(estimate.upper >= count, "{}: {:?} for {}", key, estimate, count);
        prop_assert!(
            !sketch.is_exact() || estimate == Estimate::exact(count),
            "{}: {:?} for {}",
            key,
            estimate,
            count
        );
    }
    Ok(())
}

fn budget() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 1usize..3000, Just(1 << 40)]
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn counts_are_exact_while_the_keys_fit_and_a_sketch_of_all_records_after_that(
        parts in prop::collection::vec((records(), any::<bool>()), 1..5),
        order in prop::collection::vec(any::<prop::sample::Index>(), 4),
        budget in budget(),
    ) {
        let empty = shape(budget, false);
        let all: Records = parts.iter().flat_map(|(records, _)| records.clone()).collect();
        let whole = filled(&empty, &all);
        keeps_its_promises(&whole, &all, budget)?;
        if !whole.is_exact() {
            prop_assert_eq!(bytes(&whole), bytes(&filled(&shape(0, false), &all)));
        }
        // Merged in any order, written and read in between.
        let mut sketches: Vec<CountMin> = parts
            .iter()
            .map(|(records, reload)| {
                let sketch = filled(&empty, records);
                if *reload { reloaded(&empty, &sketch) } else { sketch }
            })
            .collect();
        let mut order = order.into_iter();
        while sketches.len() > 1 {
            let from = sketches.pop().unwrap();
            let into = order.next().unwrap().index(sketches.len());
            sketches[into].merge(&from).unwrap();
            sketches[into] = reloaded(&empty, &sketches[into]);
        }
        prop_assert_eq!(bytes(&sketches[0]), bytes(&whole));
    }

    #[test]
    fn batches_of_any_size_and_snapshots_at_any_place_give_the_same_bytes(
        records in records(),
        batch in 1usize..50,
        cut in any::<prop::sample::Index>(),
        budget in budget(),
        conservative: bool,
    ) {
        let empty = shape(budget, conservative);
        let keys: Vec<&str> = records.iter().map(|(key, _)| key.as_str()).collect();
        let mut single = empty.clone();
        keys.iter().for_each(|key| single.add(*key, 1));
        let mut batched = empty.clone();
        keys.chunks(batch).for_each(|keys| batched.add_batch(keys.iter().copied()));
        prop_assert_eq!(bytes(&batched), bytes(&single));
        let (before, after) = keys.split_at(cut.index(keys.len() + 1));
        let mut resumed = empty.clone();
        resumed.add_batch(before.iter().copied());
        resumed = reloaded(&empty, &resumed);
        resumed.add_batch(after.iter().copied());
        prop_assert_eq!(bytes(&resumed), bytes(&single));
    }

    #[test]
    fn a_conservative_sketch_is_never_below_the_truth_after_any_merge(
        left in records(),
        right in records(),
        budget in budget(),
    ) {
        let empty = shape(budget, true);
        let mut merged = filled(&empty, &left);
        merged.merge(&filled(&empty, &right)).unwrap();
        keeps_its_promises(&merged, &[left, right].concat(), budget)?;
    }

    #[test]
    fn a_part_can_be_subtracted_after_the_change_to_a_sketch(
        left in records(),
        right in records(),
        budget in budget(),
    ) {
        let empty = shape(budget, false);
        let part = filled(&empty, &right);
        let mut rest = filled(&empty, &[left.clone(), right].concat());
        let stays_exact = rest.is_exact();
        rest.subtract(&part).unwrap();
        let expected = filled(&if stays_exact { empty.clone() } else { shape(0, false) }, &left);
        prop_assert_eq!(bytes(&rest), bytes(&expected));
        // Subtracting records that it does not contain fails and changes nothing.
        let mut more = filled(&empty, &left);
        more.add("/never seen", 1);
        prop_assert_eq!(rest.subtract(&more).unwrap_err().kind(), ErrorKind::Mismatch);
        prop_assert_eq!(bytes(&rest), bytes(&expected));
    }

    #[test]
    fn a_fold_before_the_change_is_a_fold_after_it(
        before in records(),
        after in records(),
        budget in budget(),
    ) {
        let empty = shape(budget, false);
        let all = [before.clone(), after.clone()].concat();
        let mut early = filled(&empty, &before);
        early.fold_in_half().unwrap();
        early = reloaded(&empty, &early);
        after.iter().for_each(|(key, weight)| early.add(key.as_str(), *weight));
        let mut late = filled(&empty, &all);
        late.fold_in_half().unwrap();
        prop_assert_eq!(bytes(&early), bytes(&late));
        keeps_its_promises(&early, &all, budget)?;
    }

    #[test]
    fn any_bytes_behind_the_mark_of_exact_counts_give_a_sketch_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let bytes = [&[0, 5], &bytes[..]].concat();
        if let Ok(mut read) = shape(500, false).decode(&mut Reader::new(&bytes)) {
            read.add("a", 1);
            assert!(read.estimate("a").upper >= 1);
        }
    }
}

#[test]
fn an_integer_of_another_width_has_the_same_count() {
    let mut counts = CountMin::with_shape(64, 3).unwrap().exact_within(1000);
    counts.add(&5u8, 7);
    assert_eq!(counts.estimate(&5u8), Estimate::exact(7));
    let wider = counts.estimate(&5u64);
    assert!(wider.lower <= 7 && 7 <= wider.upper, "{wider:?}");
    counts.add(&5u64, 1);
    assert_eq!(
        (counts.is_exact(), counts.estimate(&5u8).upper, counts.estimate(&5u64).upper),
        (false, 8, 8)
    );
}

#[test]
fn exact_counts_take_the_memory_of_their_keys() {
    let mut counts = CountMin::with_error(0.001, 0.99).unwrap().exact_within(80_000);
    let empty = counts.resident_bytes();
    assert!(empty < 512, "{empty}");
    counts.add("/a", 1);
    assert!(counts.resident_bytes() < empty + 256);
    let mut keys = 0;
    while counts.is_exact() {
        assert!(counts.resident_bytes() <= empty + 80_000);
        counts.add(format!("/product/{keys:08}").as_str(), 1);
        keys += 1;
    }
    assert!(keys > 900, "{keys}");
    let saturated = |weight| {
        let mut counts = CountMin::with_shape(16, 3).unwrap().exact_within(1000);
        counts.add("a", u64::MAX - 1);
        counts.add("a", weight);
        (counts.saturated(), counts.estimate("a"))
    };
    assert_eq!(saturated(0), (false, Estimate::exact(u64::MAX - 1)));
    assert_eq!(saturated(9), (true, Estimate::exact(u64::MAX)));
}
