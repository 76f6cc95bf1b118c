use super::{Random, SHAPES, counts, failures_credible, stream, trials};
use proptest::prelude::*;
use streamgauge::sketch::CountMin;
use streamgauge::{ErrorKind, Seed};

#[test]
fn estimates_err_upwards_only_and_within_epsilon_at_the_stated_confidence() {
    for (width, depth, conservative) in
        [(64, 1, false), (64, 2, false), (32, 3, false), (128, 4, false), (64, 2, true)]
    {
        let mut failures = 0;
        for trial in 0..trials() {
            let mut random = Random(trial);
            let records = stream(SHAPES[trial as usize % SHAPES.len()], 500, 1500, &mut random);
            let sketch =
                CountMin::with_shape(width, depth).unwrap().seeded(Seed::new(random.next()));
            let mut sketch = if conservative { sketch.conservative() } else { sketch };
            sketch.add_batch(&records);
            let counts = counts(&records);
            for (key, &count) in &counts {
                let estimate = sketch.estimate(key);
                assert!(
                    estimate.upper >= count && estimate.value == estimate.upper,
                    "key {key} of trial {trial}: {estimate:?} for {count}"
                );
            }
            // One key per trial, so that the trials are independent. Some keys are absent.
            let probe = random.below(600);
            failures +=
                u64::from(sketch.estimate(&probe).lower > counts.get(&probe).copied().unwrap_or(0));
        }
        let p = (-(depth as f64)).exp();
        let credible = failures_credible(trials(), p);
        assert!(
            failures <= credible,
            "{width} x {depth}: {failures} of {} beyond the bound, {credible} are credible",
            trials()
        );
    }
}

#[test]
fn shapes_out_of_range_are_refused_with_the_value() {
    for (width, depth) in [(0, 1), (1, 1), (3, 1), (4, 0), (4, 17), (1 << 30, 2)] {
        let error = CountMin::with_shape(width, depth).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{width} x {depth}");
    }
    for (epsilon, confidence) in [
        (0.0, 0.9),
        (1.0, 0.9),
        (f64::NAN, 0.9),
        (0.1, 0.0),
        (0.1, 1.0),
        (0.1, f64::NAN),
        (1e-12, 0.9),
    ] {
        assert_eq!(
            CountMin::with_error(epsilon, confidence).unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{epsilon} {confidence}"
        );
    }
    let sketch = CountMin::with_error(0.001, 0.99).unwrap();
    assert_eq!((sketch.width(), sketch.depth()), (4096, 5));
    assert!(sketch.epsilon() <= 0.001 && sketch.confidence() >= 0.99);
}

#[test]
fn counts_saturate_and_report_it() {
    let mut sketch = CountMin::with_shape(16, 3).unwrap();
    sketch.add("a", u64::MAX - 1);
    assert!(!sketch.saturated());
    assert_eq!(sketch.estimate("a").upper, u64::MAX - 1);
    sketch.add("a", 5);
    assert!(sketch.saturated());
    assert_eq!(sketch.estimate("a").upper, u64::MAX);
    let other = sketch.clone();
    assert_eq!(sketch.subtract(&other).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn sketches_of_different_shapes_are_refused_and_unchanged() {
    let mut sketch = CountMin::with_shape(16, 3).unwrap();
    sketch.add("a", 2);
    for other in [
        CountMin::with_shape(32, 3).unwrap(),
        CountMin::with_shape(16, 4).unwrap(),
        CountMin::with_shape(16, 3).unwrap().seeded(Seed::new(1)),
        CountMin::with_shape(16, 3).unwrap().conservative(),
    ] {
        assert_eq!(sketch.merge(&other).unwrap_err().kind(), ErrorKind::Mismatch);
        assert_eq!(sketch.subtract(&other).unwrap_err().kind(), ErrorKind::Mismatch);
    }
    let mut unseen = CountMin::with_shape(16, 3).unwrap();
    unseen.add("b", 1);
    assert_eq!(sketch.subtract(&unseen).unwrap_err().kind(), ErrorKind::Mismatch);
    assert_eq!((sketch.total(), sketch.estimate("a").upper), (2, 2));
}

/// Everything observable of a sketch: the estimates of all keys, and the total.
fn shown(sketch: &CountMin) -> (u64, Vec<u64>) {
    (sketch.total(), (0u64..64).map(|key| sketch.estimate(&key).upper).collect())
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn merged_parts_equal_the_whole_and_a_part_can_be_subtracted(
        records in prop::collection::vec((0u64..64, prop_oneof![0u64..5, 4_294_967_290u64..4_294_967_300]), 0..200),
        cut in 0usize..200,
        depth in 1usize..7,
    ) {
        let fresh = || CountMin::with_shape(32, depth).unwrap();
        let fill = |records: &[(u64, u64)]| {
            let mut sketch = fresh();
            records.iter().for_each(|(key, weight)| sketch.add(key, *weight));
            sketch
        };
        let (left, right) = records.split_at(cut.min(records.len()));
        let (whole, mut merged, part) = (fill(&records), fill(left), fill(right));
        merged.merge(&part).unwrap();
        prop_assert_eq!(shown(&merged), shown(&whole));
        merged.subtract(&part).unwrap();
        prop_assert_eq!(shown(&merged), shown(&fill(left)));
    }

    #[test]
    fn a_folded_sketch_is_one_of_half_the_width(
        records in prop::collection::vec(0u64..64, 0..300),
        depth in 1usize..6,
    ) {
        let mut wide = CountMin::with_shape(64, depth).unwrap();
        let mut narrow = CountMin::with_shape(32, depth).unwrap();
        wide.add_batch(&records);
        narrow.add_batch(&records);
        let before = wide.epsilon();
        wide.fold_in_half().unwrap();
        prop_assert_eq!(shown(&wide), shown(&narrow));
        prop_assert_eq!(wide.epsilon(), 2.0 * before);
    }

    #[test]
    fn batches_of_any_size_and_single_updates_agree(
        records in prop::collection::vec(0u64..64, 0..300),
        batch in 1usize..70,
        depth in 1usize..7,
        conservative: bool,
    ) {
        let fresh = || {
            let sketch = CountMin::with_shape(32, depth).unwrap();
            if conservative { sketch.conservative() } else { sketch }
        };
        let (mut single, mut batched) = (fresh(), fresh());
        records.iter().for_each(|key| single.add(key, 1));
        records.chunks(batch).for_each(|chunk| batched.add_batch(chunk));
        prop_assert_eq!(shown(&single), shown(&batched));
    }
}

#[test]
fn a_table_past_the_cache_counts_as_a_small_one() {
    let mut large = CountMin::with_shape(1 << 17, 4).unwrap();
    let mut random = Random(5);
    let records = stream(super::Shape::Zipf, 5000, 20_000, &mut random);
    large.add_batch(&records);
    let counts = counts(&records);
    let right = counts.iter().filter(|(key, count)| large.estimate(*key).upper == **count).count();
    // Four rows of 131,072: two of 5,000 keys almost never share all four counters.
    assert_eq!(right, counts.len());
}
