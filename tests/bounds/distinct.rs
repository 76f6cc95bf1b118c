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
