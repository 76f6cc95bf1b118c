use super::{Random, SHAPES, counts, stream, trials};
use proptest::prelude::*;
use std::collections::BTreeMap;
use streamgauge::sketch::SpaceSaving;
use streamgauge::{ErrorKind, Seed};

/// Checks everything that the documentation promises of a sketch, given the true counts.
pub(super) fn keeps_its_promises(
    sketch: &SpaceSaving<u64>,
    counts: &BTreeMap<u64, u64>,
) -> Result<(), String> {
    let total: u64 = counts.values().sum();
    let error_max = total / (sketch.capacity() as u64 + 1);
    if sketch.total() != total || sketch.error_max() > error_max {
        return Err(format!(
            "total {} of {total}, error {} of {error_max}",
            sketch.total(),
            sketch.error_max()
        ));
    }
    if sketch.len() > 2 * sketch.capacity() {
        return Err(format!("{} rows", sketch.len()));
    }
    let rows: BTreeMap<u64, u64> =
        sketch.top(usize::MAX).iter().map(|row| (row.key, row.count)).collect();
    for key in counts.keys().copied().chain(1_000_000..1_000_010) {
        let count = counts.get(&key).copied().unwrap_or(0);
        let estimate = sketch.estimate(&key);
        if !(estimate.lower..=estimate.upper).contains(&count) {
            return Err(format!("key {key}: {estimate:?} for {count}"));
        }
        if rows.contains_key(&key) && estimate.upper - estimate.lower > sketch.error_max() {
            return Err(format!("key {key}: {estimate:?} is wider than {}", sketch.error_max()));
        }
        if count > error_max && !rows.contains_key(&key) {
            return Err(format!(
                "key {key} came {count} times, more than {error_max}, and has no row"
            ));
        }
        if sketch.is_exact() && estimate.lower != estimate.upper {
            return Err(format!("key {key}: {estimate:?} of an exact sketch"));
        }
    }
    let mut ranked: Vec<(u64, u64)> = counts.iter().map(|(&key, &count)| (key, count)).collect();
    ranked.sort_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
    for k in [1, 3, 10] {
        for row in sketch.guaranteed_top(k) {
            if !ranked.iter().take(k).any(|&(key, _)| key == row.key) {
                return Err(format!(
                    "{row:?} is guaranteed among {k} and is not: {:?}",
                    &ranked[..k.min(ranked.len())]
                ));
            }
        }
    }
    Ok(())
}

/// Everything observable of a sketch: total, largest error, rows, and the upper bounds of keys with
/// or without a row.
type Shown = (u64, u64, Vec<(u64, u64, u64)>, Vec<u64>);

/// Returns everything observable of a sketch.
fn shown(sketch: &SpaceSaving<u64>) -> Shown {
    let rows = sketch.top(usize::MAX).iter().map(|row| (row.key, row.lower, row.upper)).collect();
    (
        sketch.total(),
        sketch.error_max(),
        rows,
        (0..600).map(|key| sketch.estimate(&key).upper).collect(),
    )
}

#[test]
fn bounds_hold_for_any_stream_capacity_and_seed() {
    for trial in 0..trials() {
        let mut random = Random(trial);
        let shape = SHAPES[trial as usize % SHAPES.len()];
        let records = stream(shape, 500, 1500, &mut random);
        let capacity = 1 + random.below(60) as usize;
        let mut sketch =
            SpaceSaving::<u64>::with_capacity(capacity).unwrap().seeded(Seed::new(random.next()));
        sketch.add_batch(&records);
        keeps_its_promises(&sketch, &counts(&records))
            .unwrap_or_else(|what| panic!("trial {trial}, {shape:?}, {capacity}: {what}"));
    }
}

#[test]
fn bounds_hold_after_any_merge_tree_and_any_shrinking() {
    for trial in 0..trials() {
        let mut random = Random(trial);
        let mut capacity = 4 + random.below(60) as usize;
        let (mut shards, mut all) = (Vec::new(), Vec::new());
        for shard in 0..2 + random.below(15) {
            let (distinct, length) = (20 + random.below(500), random.below(800));
            let records =
                stream(SHAPES[shard as usize % SHAPES.len()], distinct, length, &mut random);
            let mut sketch = SpaceSaving::<u64>::with_capacity(capacity).unwrap();
            sketch.add_batch(&records);
            shards.push(sketch);
            all.extend(records);
        }
        while shards.len() > 1 {
            let from = shards.swap_remove(random.below(shards.len() as u64) as usize);
            let into = random.below(shards.len() as u64) as usize;
            shards[into].merge(&from).unwrap();
            if random.below(8) == 0 {
                capacity = capacity.div_ceil(2);
                shards.iter_mut().for_each(|shard| shard.shrink_to(capacity).unwrap());
            }
        }
        let merged = shards.pop().unwrap();
        // The promise is for the smallest capacity that any part ever had.
        keeps_its_promises(&merged, &counts(&all))
            .unwrap_or_else(|what| panic!("trial {trial}: {what}"));
    }
}

#[test]
fn a_fresh_sketch_is_tiny_whatever_its_capacity() {
    let sketch = SpaceSaving::<str>::with_capacity(65_536).unwrap();
    assert!(sketch.resident_bytes() < 256, "{}", sketch.resident_bytes());
    assert!(sketch.is_exact() && sketch.is_empty() && sketch.top(10).is_empty());
}

#[test]
fn sketches_of_different_shapes_are_refused() {
    for capacity in [0, (1 << 26) + 1] {
        assert_eq!(
            SpaceSaving::<u64>::with_capacity(capacity).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
    let mut sketch = SpaceSaving::<u64>::with_capacity(4).unwrap();
    sketch.add(&1, 2);
    let seeded = SpaceSaving::with_capacity(4).unwrap().seeded(Seed::new(1));
    for other in [SpaceSaving::with_capacity(5).unwrap(), seeded] {
        assert_eq!(sketch.merge(&other).unwrap_err().kind(), ErrorKind::Mismatch);
    }
    assert_eq!(shown(&sketch).0, 2);
}

#[test]
fn counts_saturate_and_report_it() {
    let mut sketch = SpaceSaving::<str>::with_capacity(1).unwrap();
    sketch.add("a", u64::MAX - 1);
    sketch.add("b", 0);
    assert!(!sketch.saturated() && sketch.len() == 1);
    sketch.add("a", 5);
    assert!(sketch.saturated());
    sketch.add("b", 7);
    sketch.add("c", 7);
    sketch.add("d", 7);
    assert_eq!(sketch.estimate("a").upper, u64::MAX);
    let copy = sketch.clone();
    sketch.merge(&copy).unwrap();
    assert_eq!((sketch.estimate("a").upper, sketch.total()), (u64::MAX, u64::MAX));
}

#[test]
fn equal_counts_are_ordered_by_key() {
    let mut sketch = SpaceSaving::<str>::with_capacity(10).unwrap();
    ["d", "b", "c", "a", "c"].iter().for_each(|key| sketch.add(key, 1));
    let keys: Vec<String> = sketch.top(3).iter().map(|row| row.key.to_string()).collect();
    assert_eq!(keys, ["c", "a", "b"]);
    assert!(
        sketch.top(3).iter().all(|row| row.guaranteed),
        "an exact answer is certain, ties by key included"
    );
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn weighted_updates_keep_the_bounds(
        records in prop::collection::vec((0u64..100, prop_oneof![0u64..4, 0u64..1000, 1u64 << 33..1 << 34]), 0..600),
        capacity in 1usize..20,
    ) {
        let mut sketch = SpaceSaving::<u64>::with_capacity(capacity).unwrap();
        let mut counts = BTreeMap::new();
        for (key, weight) in &records {
            sketch.add(key, *weight);
            *counts.entry(*key).or_insert(0) += weight;
        }
        if let Err(what) = keeps_its_promises(&sketch, &counts) {
            prop_assert!(false, "{}", what);
        }
    }

    #[test]
    fn bounds_hold_past_the_largest_count(
        capacity in 1usize..4,
        adds in prop::collection::vec((0usize..2, 0u64..12, 0u32..64, any::<u64>()), 1..80),
        merges in 1usize..4,
    ) {
        let mut shards = [0, 1].map(|_| SpaceSaving::<u64>::with_capacity(capacity).unwrap());
        let mut counts = [BTreeMap::<u64, u64>::new(), BTreeMap::new()];
        let add = |counts: &mut BTreeMap<u64, u64>, key: u64, weight: u64| {
            let count = counts.entry(key).or_default();
            *count = count.saturating_add(weight);
        };
        for (shard, key, shift, weight) in adds {
            // Weights of any size.
            shards[shard].add(&key, weight >> shift);
            add(&mut counts[shard], key, weight >> shift);
        }
        for merge in 0..merges {
            let (from, from_counts) = (shards[merge % 2].clone(), counts[merge % 2].clone());
            shards[1 - merge % 2].merge(&from).unwrap();
            from_counts
                .into_iter()
                .for_each(|(key, count)| add(&mut counts[1 - merge % 2], key, count));
        }
        for (shard, counts) in shards.iter().zip(&counts) {
            for key in 0..12 {
                let (count, estimate) =
                    (counts.get(&key).copied().unwrap_or(0), shard.estimate(&key));
                prop_assert!(
                    (estimate.lower..=estimate.upper).contains(&count),
                    "key {key}: {estimate:?} for {count}"
                );
            }
        }
    }

    #[test]
    fn batches_of_any_size_and_single_updates_agree(
        records in prop::collection::vec(prop_oneof![0u64..20, 0u64..400], 0..3000),
        batch in 1usize..150,
        capacity in 1usize..80,
    ) {
        let fresh = || SpaceSaving::<u64>::with_capacity(capacity).unwrap();
        let (mut single, mut batched) = (fresh(), fresh());
        records.iter().for_each(|key| single.add(key, 1));
        records.chunks(batch).for_each(|chunk| batched.add_batch(chunk));
        prop_assert_eq!(shown(&single), shown(&batched));
        let bytes = |sketch: &SpaceSaving<u64>| {
            let mut writer = streamgauge::codec::Writer::new();
            sketch.encode(&mut writer);
            writer.into_bytes()
        };
        prop_assert_eq!(bytes(&single), bytes(&batched));
    }

    #[test]
    fn while_the_keys_fit_it_is_an_exact_map_however_it_is_merged(
        records in prop::collection::vec((0u64..30, 0u64..9), 0..300),
        cuts in prop::collection::vec(0usize..300, 0..4),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(records.len())).collect();
        cuts.sort_unstable();
        let mut merged = SpaceSaving::<u64>::with_capacity(30).unwrap();
        let mut start = 0;
        for end in cuts.into_iter().chain([records.len()]) {
            let mut part = SpaceSaving::with_capacity(30).unwrap();
            records[start..end].iter().for_each(|(key, weight)| part.add(key, *weight));
            merged.merge(&part).unwrap();
            start = end;
        }
        let mut counts = BTreeMap::new();
        records
            .iter()
            .filter(|(_, weight)| *weight > 0)
            .for_each(|(key, weight)| *counts.entry(*key).or_insert(0u64) += weight);
        let mut expected: Vec<(u64, u64, u64)> =
            counts.iter().map(|(&key, &count)| (key, count, count)).collect();
        expected.sort_by_key(|&(key, count, _)| (std::cmp::Reverse(count), key));
        prop_assert!(merged.is_exact());
        prop_assert_eq!(shown(&merged).2, expected);
    }
}
