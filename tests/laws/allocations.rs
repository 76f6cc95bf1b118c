//! Updating a known key does not allocate.

use super::Hit;
use streamgauge::Timestamp;
use streamgauge::aggregate::*;

fn hits() -> Vec<Hit> {
    let hit = |n: u64| Hit {
        time: 0,
        country: ["AT", "DE", "FR"][n as usize % 3].to_string(),
        url: format!("/page/{}", n % 50),
        status: 200,
        bytes: n,
        change: -(n as i64),
        latency: n as f64 * 0.1,
        load: n as f32,
    };
    (0..1000).map(hit).collect()
}

fn allocates<A: Aggregate<Hit>>(name: &str, aggregate: A) {
    let hits = hits();
    let mut accumulator = super::fold(&aggregate, &hits);
    let info = allocation_counter::measure(|| {
        for hit in &hits {
            aggregate.check(Some(&accumulator), hit).unwrap();
            aggregate.add(&mut accumulator, hit, Timestamp::from_millis(1));
        }
    });
    assert_eq!(info.count_total, 0, "{name}");
}

#[test]
fn the_counter_counts() {
    assert_eq!(
        allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1)))).count_total,
        1
    );
}

#[test]
fn known_keys_are_updated_without_allocating() {
    allocates(
        "group_by",
        group_by(|hit: &Hit| hit.country.as_str(), (count(), sum(|hit: &Hit| hit.bytes))),
    );
    allocates(
        "group_by, nested",
        group_by(|hit: &Hit| hit.country.as_str(), group_by(|hit: &Hit| hit.url.as_str(), count())),
    );
    allocates(
        "group_by, pairs",
        group_by(|hit: &Hit| hit.country.as_str(), count()).and_by(|hit: &Hit| hit.url.as_str()),
    );
    allocates(
        "group_by, triples",
        group_by(|hit: &Hit| hit.country.as_str(), sum(|hit: &Hit| hit.bytes))
            .and_by(|hit: &Hit| &hit.status)
            .and_by_value(|hit: &Hit| hit.bytes % 7),
    );
    allocates(
        "top_k and distinct, pairs",
        (
            top_k(10, |hit: &Hit| hit.url.as_str()).and_by(|hit: &Hit| hit.country.as_str()),
            distinct(|hit: &Hit| hit.url.as_str()).and_by(|hit: &Hit| hit.country.as_str()),
        ),
    );
    allocates(
        "group_by_value",
        group_by_value(|hit: &Hit| hit.bytes % 7, mean(|hit: &Hit| hit.change)),
    );
    allocates("top_k", top_k(10, |hit: &Hit| hit.url.as_str()));
    allocates(
        "top_k of groups",
        group_by(|hit: &Hit| hit.country.as_str(), top_k(10, |hit: &Hit| hit.url.as_str())),
    );
    allocates("distinct", distinct(|hit: &Hit| hit.url.as_str()));
    allocates("distinct, a sketch", distinct(|hit: &Hit| hit.url.as_str()).exact_up_to(10));
    allocates("frequency", frequency(|hit: &Hit| hit.url.as_str(), "/page/1"));
    allocates("quantile", quantile(0.99, |hit: &Hit| hit.latency));
    allocates(
        "moments",
        (
            sum(|hit: &Hit| hit.latency),
            variance(|hit: &Hit| hit.latency),
            stddev(|hit: &Hit| hit.bytes),
        ),
    );
    allocates(
        "histograms and weights",
        (
            histogram(|hit: &Hit| hit.latency, [1.0, 10.0]),
            log_histogram(|hit: &Hit| hit.latency),
            top_k_by_weight(10, |hit: &Hit| hit.url.as_str(), |hit: &Hit| hit.bytes),
            bool_or(|hit: &Hit| hit.status >= 500),
            max_by(|hit: &Hit| hit.bytes, |hit: &Hit| hit.latency),
        ),
    );
    allocates(
        "extrema",
        (min(|hit: &Hit| hit.latency), max(|hit: &Hit| hit.load), last(|hit: &Hit| hit.bytes)),
    );
}
