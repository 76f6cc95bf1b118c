//! Our sketches, `datasketches` and an exact map: all three must agree where their bounds overlap.

use super::{Random, SHAPES, counts, stream};
use datasketches::countmin::CountMinSketch;
use datasketches::frequencies::FrequentItemsSketch;
use streamgauge::sketch::{CountMin, SpaceSaving};

#[test]
fn intervals_overlap_with_those_of_frequent_items_and_ours_are_narrower_in_sum() {
    for (seed, shape) in (1..).zip(SHAPES) {
        let records = stream(shape, 5000, 50_000, &mut Random(seed));
        let mut ours = SpaceSaving::<u64>::with_capacity(192).unwrap();
        let mut theirs = FrequentItemsSketch::<u64>::new(256).unwrap();
        ours.add_batch(&records);
        records.iter().for_each(|&key| theirs.update(key));
        assert_eq!(ours.total(), theirs.total_weight());
        let (mut our_width, mut their_width) = (0, 0);
        for (key, count) in counts(&records) {
            let estimate = ours.estimate(&key);
            let (lower, upper) = (theirs.lower_bound(&key), theirs.upper_bound(&key));
            assert!(
                estimate.lower <= count && count <= estimate.upper,
                "{shape:?}, key {key}: {estimate:?} for {count}"
            );
            assert!(
                estimate.lower <= upper && lower <= estimate.upper,
                "{shape:?}, key {key}: {estimate:?} and {lower}..={upper}"
            );
            our_width += estimate.upper - estimate.lower;
            their_width += upper - lower;
        }
        assert!(our_width <= their_width, "{shape:?}: {our_width} and {their_width}");
    }
}

#[test]
fn count_min_errs_no_more_than_a_peer_of_the_same_shape() {
    for (seed, shape) in (1..).zip(SHAPES) {
        let records = stream(shape, 20_000, 100_000, &mut Random(seed));
        let mut ours = CountMin::with_shape(1024, 4).unwrap();
        let mut theirs = CountMinSketch::<u64>::new(4, 1024).unwrap();
        ours.add_batch(&records);
        records.iter().for_each(|&key| theirs.update(key));
        let (mut our_error, mut their_error) = (0, 0);
        for (key, count) in counts(&records) {
            our_error += ours.estimate(&key).upper - count;
            their_error += theirs.estimate(key) - count;
        }
        // The same expectation; over 20,000 keys the sums are within a few per cent of it.
        assert!(
            our_error as f64 <= 1.1 * their_error as f64,
            "{shape:?}: {our_error} and {their_error}"
        );
    }
}
