//! The laws, for every aggregate.

use super::{Order, hits, obeys};
use proptest::prelude::*;
use proptest::sample::Index;
use streamgauge::aggregate::*;

use super::Hit;

proptest! {
    #![proptest_config(crate::cases(80))]

    #[test]
    fn s25_counts_and_sums_keep_the_laws(hits in hits(), at: [Index; 2]) {
        let case = (&hits[..], &at);
        obeys("count", &count(), Order::Irrelevant, case);
        obeys("sum of u64", &sum(|hit: &Hit| hit.bytes), Order::Irrelevant, case);
        obeys("sum of i64", &sum(|hit: &Hit| hit.change), Order::Irrelevant, case);
        obeys("sum of f64", &sum(|hit: &Hit| hit.latency), Order::Irrelevant, case);
        obeys("sum of f32", &sum(|hit: &Hit| hit.load), Order::Irrelevant, case);
        obeys(
            "sum of what may be \
                   missing",
            &sum(|hit: &Hit| (hit.status < 300).then_some(hit.latency)),
            Order::Irrelevant,
            case,
        );
        obeys(
            "if_present",
            &if_present(
                |hit: &Hit| (hit.status < 300).then_some(hit.url.as_str()),
                (count(), distinct(|url: &str| url)),
            ),
            Order::Irrelevant,
            case,
        );
        obeys(
            "filtered",
            &filtered(|hit: &Hit| hit.status >= 500, (count(), sum(|hit: &Hit| hit.latency))),
            Order::Irrelevant,
            case,
        );
    }

    #[test]
    fn s25_moments_keep_the_laws(hits in hits(), at: [Index; 2]) {
        let case = (&hits[..], &at);
        obeys("mean of u64", &mean(|hit: &Hit| hit.bytes), Order::Irrelevant, case);
        obeys("mean of f64", &mean(|hit: &Hit| hit.latency), Order::Irrelevant, case);
        obeys("variance of u64", &variance(|hit: &Hit| hit.bytes), Order::Irrelevant, case);
        obeys("variance of i64", &variance(|hit: &Hit| hit.change), Order::Irrelevant, case);
        obeys("variance of f64", &variance(|hit: &Hit| hit.latency), Order::Irrelevant, case);
        obeys("stddev of f32", &stddev(|hit: &Hit| hit.load), Order::Irrelevant, case);
    }

    #[test]
    fn s25_extrema_and_ends_keep_the_laws(hits in hits(), at: [Index; 2]) {
        let case = (&hits[..], &at);
        obeys("min", &min(|hit: &Hit| hit.latency), Order::Irrelevant, case);
        obeys("max", &max(|hit: &Hit| hit.change), Order::Irrelevant, case);
        obeys("first", &first(|hit: &Hit| hit.url.clone()), Order::DecidesTies, case);
        obeys("last", &last(|hit: &Hit| hit.url.clone()), Order::DecidesTies, case);
    }

    #[test]
    fn s25_sketches_keep_the_laws(hits in hits(), at: [Index; 2]) {
        let case = (&hits[..], &at);
        obeys("distinct, exact", &distinct(|hit: &Hit| hit.url.as_str()), Order::Irrelevant, case);
        obeys(
            "distinct, overflowing",
            &distinct(|hit: &Hit| hit.url.as_str()).exact_up_to(9).precision(10),
            Order::Irrelevant,
            case,
        );
        obeys(
            "distinct, never \
                   exact",
            &distinct_value(|hit: &Hit| hit.bytes).exact_up_to(0),
            Order::Irrelevant,
            case,
        );
        obeys("quantile", &quantile(0.9, |hit: &Hit| hit.bytes), Order::Irrelevant, case);
        obeys(
            "quantiles",
            &quantiles([0.0, 0.5, 1.0], |hit: &Hit| hit.load).accuracy(0.02),
            Order::Irrelevant,
            case,
        );
        obeys("top_k", &top_k(3, |hit: &Hit| hit.url.as_str()), Order::Irrelevant, case);
        obeys(
            "top_k_value",
            &top_k_value(3, |hit: &Hit| hit.status / 100),
            Order::Irrelevant,
            case,
        );
        obeys(
            "frequency",
            &frequency(|hit: &Hit| hit.url.as_str(), "/page/1").error(0.05, 0.9),
            Order::Irrelevant,
            case,
        );
        obeys(
            "frequency_value",
            &frequency_value(|hit: &Hit| hit.status / 100, 4).error(0.05, 0.9),
            Order::Irrelevant,
            case,
        );
        obeys(
            "frequencies",
            &frequencies(|hit: &Hit| hit.url.as_str()).error(0.1, 0.9),
            Order::Irrelevant,
            case,
        );
    }

    #[test]
    fn s25_ranks_buckets_and_weights_keep_the_laws(hits in hits(), at: [Index; 2]) {
        ranks_buckets_and_weights((&hits, &at));
    }

    #[test]
    fn s25_groups_keep_the_laws(hits in hits(), at: [Index; 2]) {
        let case = (&hits[..], &at);
        let totals = || (count(), sum(|hit: &Hit| hit.bytes), mean(|hit: &Hit| hit.latency));
        obeys(
            "by country",
            &group_by(|hit: &Hit| hit.country.as_str(), totals()),
            Order::Irrelevant,
            case,
        );
        obeys("by status", &group_by(|hit: &Hit| &hit.status, count()), Order::Irrelevant, case);
        obeys(
            "by class",
            &group_by_value(|hit: &Hit| (hit.country.clone(), hit.status / 100), count()),
            Order::Irrelevant,
            case,
        );
        obeys(
            "by pair",
            &group_by(|hit: &Hit| hit.country.as_str(), totals())
                .and_by(|hit: &Hit| hit.url.as_str())
                .groups_max(7),
            Order::Irrelevant,
            case,
        );
        obeys(
            "by triple",
            &group_by_value(|hit: &Hit| hit.bytes % 3, totals())
                .and_by(|hit: &Hit| hit.url.as_str())
                .and_by(|hit: &Hit| &hit.status),
            Order::Irrelevant,
            case,
        );
        obeys(
            "top pairs",
            &top_k(3, |hit: &Hit| hit.country.as_str()).and_by(|hit: &Hit| hit.url.as_str()),
            Order::Irrelevant,
            case,
        );
        obeys(
            "top of groups",
            &group_by(|hit: &Hit| hit.country.as_str(), top_k(2, |hit: &Hit| hit.url.as_str())),
            Order::Irrelevant,
            case,
        );
        let nested = group_by(
            |hit: &Hit| hit.country.as_str(),
            group_by(|hit: &Hit| hit.url.as_str(), totals()).groups_max(5),
        );
        obeys("groups of groups", &nested, Order::Irrelevant, case);
        obeys(
            "first of groups",
            &group_by(|hit: &Hit| hit.country.as_str(), first(|hit: &Hit| hit.bytes)),
            Order::DecidesTies,
            case,
        );
    }

    #[test]
    fn s25_groups_past_the_limit_keep_the_laws(
        hits in hits(),
        at: [Index; 2],
        groups in 1usize..12,
    ) {
        let case = (&hits[..], &at);
        let totals = (
            count(),
            sum(|hit: &Hit| hit.latency),
            max(|hit: &Hit| hit.bytes),
            distinct(|hit: &Hit| hit.country.as_str()),
        );
        obeys(
            "limited by url",
            &group_by(|hit: &Hit| hit.url.as_str(), totals).groups_max(groups),
            Order::Irrelevant,
            case,
        );
        let inner = group_by(|hit: &Hit| hit.url.as_str(), count()).groups_max(groups);
        obeys(
            "limited twice",
            &group_by(|hit: &Hit| &hit.status, inner).groups_max(groups),
            Order::Irrelevant,
            case,
        );
    }

    #[test]
    fn s25_tuples_keep_the_laws(hits in hits(), at: [Index; 2]) {
        let twelve = (
            count(),
            sum(|hit: &Hit| hit.bytes),
            min(|hit: &Hit| hit.load),
            max(|hit: &Hit| hit.load),
            mean(|hit: &Hit| hit.change),
            variance(|hit: &Hit| hit.latency),
            stddev(|hit: &Hit| hit.bytes),
            distinct(|hit: &Hit| hit.country.as_str()),
            quantile(0.5, |hit: &Hit| hit.load),
            top_k(1, |hit: &Hit| hit.country.as_str()),
            filtered(|hit: &Hit| hit.status < 300, count()),
            group_by(|hit: &Hit| hit.country.as_str(), count()),
        );
        obeys("twelve", &twelve, Order::Irrelevant, (&hits, &at));
        obeys("one", &(count(),), Order::Irrelevant, (&hits, &at));
    }
}

fn ranks_buckets_and_weights(case: (&[Hit], &[Index; 2])) {
    let any = Order::Irrelevant;
    let url = |hit: &Hit| hit.url.clone();
    obeys("max_by", &max_by(url, |hit: &Hit| hit.status / 100), any, case);
    let loaded = |hit: &Hit| (hit.status > 200).then_some(hit.load);
    obeys("min_by", &min_by(|hit: &Hit| hit.latency, loaded), any, case);
    let large = |hit: &Hit| (hit.status > 150).then_some(hit.bytes > 900);
    obeys("bool_and", &bool_and(|hit: &Hit| hit.status < 500), any, case);
    obeys("bool_or", &bool_or(large), any, case);
    obeys("histogram", &histogram(|hit: &Hit| hit.change, [-500, 0, 500]), any, case);
    obeys("log_histogram", &log_histogram(|hit: &Hit| hit.latency), any, case);
    let top = top_k_by_weight(3, |hit: &Hit| hit.url.as_str(), |hit: &Hit| hit.status);
    obeys("top_k_by_weight", &top, any, case);
}
