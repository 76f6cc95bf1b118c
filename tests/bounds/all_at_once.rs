//! What holds for all keys of an answer at once, on adversarial streams.

use super::space_saving::keeps_its_promises;
use super::{Random, counts, failures_credible, trials};
use streamgauge::aggregate::{Aggregate, distinct};
use streamgauge::sketch::{CountMin, Estimate, SpaceSaving};
use streamgauge::{Seed, Timestamp};

/// Keys of the adaptive adversary.
const KEYS: u64 = 60;

/// A stream whose next record depends on the sketch: most often the key without a row whose upper
/// bound is the highest, so that it pushes out another one, and otherwise the key of the last row.
fn adaptive_stream(sketch: &mut SpaceSaving<u64>, random: &mut Random) -> Vec<u64> {
    let attack = |sketch: &SpaceSaving<u64>, random: &mut Random| match random.below(4) {
        0 => random.below(KEYS),
        1 => sketch.top(usize::MAX).last().map_or(0, |row| row.key),
        _ => {
            let upper = |key: &u64| {
                let estimate = sketch.estimate(key);
                (estimate.lower == 0, estimate.upper, random.0 ^ key)
            };
            (0..KEYS).max_by_key(upper).unwrap_or(0)
        }
    };
    (0..300)
        .map(|_| {
            random.next();
            let key = attack(sketch, random);
            sketch.add(&key, 1);
            key
        })
        .collect()
}

#[test]
fn s298_bounds_of_a_top_hold_for_all_keys_against_an_adversary_who_sees_the_sketch() {
    for trial in 0..trials() {
        let mut random = Random(trial);
        let capacity = 1 + random.below(20) as usize;
        let mut sketch =
            SpaceSaving::<u64>::with_capacity(capacity).unwrap().seeded(Seed::new(random.next()));
        let records = adaptive_stream(&mut sketch, &mut random);
        keeps_its_promises(&sketch, &counts(&records))
            .unwrap_or_else(|what| panic!("trial {trial}, {capacity}: {what}"));
    }
}

/// The number of keys that are looked up at once.
const PROBES: u64 = 10;

#[test]
fn s299_lower_bounds_of_ten_keys_hold_at_once_with_the_stated_confidence() {
    let (width, depth) = (64, 4);
    // The hardest stream for this width: as many equally frequent keys as fit such that one of them
    // in the counter of a key is already too much. A row fails with a probability of 0.30, and the
    // bound allows 0.37.
    let keys = (width as f64 / std::f64::consts::E) as u64;
    let (mut failures, mut allowed) = (0, 0.0);
    for trial in 0..trials() {
        let mut random = Random(trial);
        let mut sketch =
            CountMin::with_shape(width, depth).unwrap().seeded(Seed::new(random.next()));
        let first = random.next() >> 1;
        (first..first + keys).for_each(|key| sketch.add(&key, 100));
        let low = (first..first + keys).find(|key| sketch.estimate(key).upper < 100);
        assert_eq!(low, None, "an upper bound of trial {trial}");
        // These never came.
        let mut probes = first + keys..first + keys + PROBES;
        failures += u64::from(probes.any(|key| sketch.estimate(&key).lower > 0));
        allowed = 1.0 - sketch.confidence_of_all(PROBES);
    }
    let credible = failures_credible(trials(), allowed);
    assert!(failures <= credible, "{failures} of {}, {credible} are credible", trials());
    assert!(failures as f64 >= trials() as f64 * allowed / 8.0, "{failures}: not hard enough");
}

#[test]
fn s299_keys_that_depend_on_the_seed_break_the_lower_bound_and_not_the_upper_one() {
    let target = 7u64;
    let empty = CountMin::with_shape(16, 2).unwrap();
    let collides = |key: &u64| {
        let mut sketch = empty.clone();
        sketch.add(key, 1);
        sketch.estimate(&target).upper == 1
    };
    let key = (8..100_000u64).find(collides).unwrap();
    let mut sketch = empty.clone();
    sketch.add(&key, 1000);
    let estimate = sketch.estimate(&target);
    assert!(estimate.lower > 0, "it never came: {estimate:?}");
}

/// Keys as an adversary who does not know the seed may choose them.
fn key(shape: u64, number: u64) -> u64 {
    match shape {
        0 => number,
        1 => number << 32,
        2 => number.reverse_bits(),
        _ => number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
    }
}

/// The number of distinct counts that are answered at once.
const ANSWERS: u64 = 10;

/// The answer and the true count of one of several groups, whose keys arrive in merged parts.
fn distinct_answer(random: &mut Random) -> (Estimate<u64>, u64) {
    let keys =
        distinct(|key: &u64| key).precision(10).exact_up_to(64).seeded(Seed::new(random.next()));
    let (count, shape) = (100 + random.below(4000), random.below(4));
    let mut parts = [keys.init(), keys.init(), keys.init()];
    for number in 0..count {
        // Some keys come in two parts.
        let part = (random.next() % 3) as usize;
        for part in [part, (number % 3) as usize] {
            keys.add(&mut parts[part], &key(shape, number), Timestamp::from_millis(0));
        }
    }
    let [mut all, second, third] = parts;
    keys.merge(&mut all, &third).unwrap();
    keys.merge(&mut all, &second).unwrap();
    (keys.output(&all), count)
}

/// Returns true if the count is in the interval, stretched by this factor.
fn holds(estimate: &Estimate<u64>, count: u64, stretch: f64) -> bool {
    let value = estimate.value as f64;
    let end = |end: u64| value + (end as f64 - value) * stretch;
    (end(estimate.lower)..=end(estimate.upper)).contains(&(count as f64))
}

#[test]
fn s370_intervals_of_distinct_counts_hold_for_one_and_wider_ones_for_ten_at_once() {
    let (mut outside, mut outside_of_wide) = (0, 0);
    for trial in 0..trials() {
        let mut random = Random(trial);
        let answers: Vec<_> = (0..ANSWERS).map(|_| distinct_answer(&mut random)).collect();
        outside +=
            answers.iter().filter(|(answer, count)| !holds(answer, *count, 1.0)).count() as u64;
        outside_of_wide +=
            u64::from(answers.iter().any(|(answer, count)| !holds(answer, *count, 1.5)));
    }
    let credible = failures_credible(ANSWERS * trials(), 0.05);
    assert!(outside <= credible, "{outside} outside of their intervals, {credible} are credible");
    let credible = failures_credible(trials(), 0.05);
    assert!(
        outside_of_wide <= credible,
        "{outside_of_wide} times one of ten outside of a wide interval, {credible} are credible"
    );
    assert!(outside > 0, "the intervals could be narrower");
}
