use super::{Random, failures_credible, trials};
use streamgauge::aggregate::{Aggregate, distinct};
use streamgauge::{Seed, Timestamp};

#[test]
fn the_interval_holds_in_nineteen_of_twenty_trials() {
    let mut failures = 0;
    for trial in 0..trials() {
        let mut random = Random(trial);
        let keys = distinct(|key: &u64| key)
            .precision(10)
            .exact_up_to(64)
            .seeded(Seed::new(random.next()));
        let count = 100 + random.below(4000);
        let mut accumulator = keys.init();
        (0..count).for_each(|key| keys.add(&mut accumulator, &key, Timestamp::from_millis(0)));
        let estimate = keys.output(&accumulator);
        failures += u64::from(!(estimate.lower..=estimate.upper).contains(&count));
    }
    let credible = failures_credible(trials(), 0.05);
    assert!(
        failures <= credible,
        "{failures} of {} outside of the interval, {credible} are credible",
        trials()
    );
}

/// Returns the number of answers outside of their intervals, and the mean width of the intervals as
/// a share of the count.
fn measured(precision: u8, count: u64, trials: u64) -> (u64, f64) {
    let (mut outside, mut width) = (0, 0.0);
    for trial in 0..trials {
        let seed = Seed::new(Random(trial ^ (count << 20)).next());
        let keys = distinct(|key: &u64| key).precision(precision).exact_up_to(0).seeded(seed);
        let mut accumulator = keys.init();
        (0..count).for_each(|key| keys.add(&mut accumulator, &key, Timestamp::from_millis(0)));
        let estimate = keys.output(&accumulator);
        outside += u64::from(!(estimate.lower..=estimate.upper).contains(&count));
        width += (estimate.upper - estimate.lower) as f64 / count as f64 / trials as f64;
    }
    (outside, width)
}

#[test]
fn s370_the_interval_holds_at_every_load_of_the_registers() {
    // 4,000 trials at each load in the full run.
    let trials = trials() * 2 / 5;
    let precisions = if trials < 4000 { 10..=10 } else { 10..=14 };
    for precision in precisions.step_by(2) {
        for eighths in [1u64, 2, 4, 8, 16, 24, 32, 48, 128, 512] {
            let registers = 1u64 << precision;
            let (outside, width) = measured(precision, registers * eighths / 8, trials);
            println!(
                "2^{precision} registers, {} keys each: {:.2} % wide, {outside} of {trials} outside",
                eighths as f64 / 8.0,
                100.0 * width
            );
            let credible = failures_credible(trials, 0.05);
            assert!(outside <= credible, "{outside} outside, {credible} are credible");
            assert!(width * (registers as f64).sqrt() < 4.4, "{width} is wide");
        }
    }
}
