//! `max_by`, truth values, histograms and weighted tops against oracles that keep every record, and
//! their state written down and read.

use super::{Hit, answer, fold, hits};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use streamgauge::aggregate::*;
use streamgauge::codec::{Reader, Writer};
use streamgauge::prelude::{ErrorKind, Timestamp};

/// A number with many ties, missing in some records.
fn rank(hit: &Hit) -> Option<u64> {
    (!hit.status.is_multiple_of(7)).then_some(hit.bytes % 3)
}

fn weight(hit: &Hit) -> Option<u32> {
    (!hit.status.is_multiple_of(7)).then_some((hit.bytes % 1000) as u32)
}

/// Checks that the state of all records reads back, and that no part of its bytes makes a panic.
fn reads_back<A: Aggregate<Hit, Output: Debug>>(aggregate: &A, hits: &[Hit]) {
    let persistence = aggregate.persistence().unwrap();
    let state = fold(aggregate, hits);
    let written = |state: &A::Accumulator| {
        let mut writer = Writer::new();
        persistence.encode(state, &mut writer).unwrap();
        writer.into_bytes()
    };
    let bytes = written(&state);
    let mut reader = Reader::new(&bytes);
    let read = persistence.decode(&mut reader).unwrap();
    reader.finish().unwrap();
    let answers = [&state, &read].map(|state| format!("{:?}", aggregate.output(state)));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(written(&read), bytes);
    for length in 0..bytes.len() {
        let mut reader = Reader::new(&bytes[..length]);
        let read = persistence.decode(&mut reader);
        drop(read); // a value or an error, and no panic
    }
}

proptest! {
    #![proptest_config(crate::cases(60))]

    #[test]
    fn s113_pairs_of_the_number_and_the_value_are_compared(
        hits in hits(),
    ) {
        ranks(&hits);
    }

    #[test]
    fn truth_values_are_those_of_all_records_that_have_one(
        hits in hits(),
        parts in 1u16..9,
    ) {
        truths(&hits, parts);
    }

    #[test]
    fn s114_a_number_is_in_the_bucket_from_its_lower_bound_on(
        hits in hits(),
        bounds in prop::collection::btree_set(0u64..1100, 1..8),
    ) {
        given_buckets(&hits, &bounds);
    }

    #[test]
    fn s114_every_number_is_in_one_bucket_of_a_log_histogram(
        hits in hits(),
        coarse in any::<bool>(),
    ) {
        log_buckets(&hits, coarse);
    }

    #[test]
    fn s115_weights_are_summed_exactly_or_within_bounds(
        hits in hits(),
        counters in 3usize..60,
    ) {
        weights(&hits, counters);
    }
}

fn ranks(hits: &[Hit]) {
    let ranked = || hits.iter().filter_map(|hit| Some((rank(hit)?, hit)));
    let url = |hit: &Hit| hit.url.clone();
    let largest = ranked().max_by_key(|(by, hit)| (*by, hit.url.clone()));
    assert_eq!(answer(&max_by(url, rank), hits), largest.map(|(_, hit)| hit.url.clone()));
    let smallest = ranked().min_by_key(|(by, hit)| (*by, hit.bytes));
    let bytes = |hit: &Hit| hit.bytes;
    assert_eq!(answer(&min_by(bytes, rank), hits), smallest.map(|(_, hit)| hit.bytes));
    let mut turned = hits.to_vec();
    turned.reverse();
    assert_eq!(answer(&max_by(url, rank), &turned), answer(&max_by(url, rank), hits));
    reads_back(&max_by(url, rank), hits);
    reads_back(&min_by(|hit: &Hit| hit.latency, |hit: &Hit| hit.load), hits);
}

fn truths(hits: &[Hit], parts: u16) {
    let value =
        |hit: &Hit| (!hit.status.is_multiple_of(7)).then_some(!hit.status.is_multiple_of(parts));
    let values: Vec<bool> = hits.iter().filter_map(value).collect();
    let any = (!values.is_empty()).then(|| values.iter().any(|value| *value));
    let all = (!values.is_empty()).then(|| values.iter().all(|value| *value));
    assert_eq!(answer(&(bool_or(value), bool_and(value)), hits), (any, all));
    reads_back(&(bool_or(value), bool_and(value)), hits);
}

fn given_buckets(hits: &[Hit], bounds: &BTreeSet<u64>) {
    let sizes = |hit: &Hit| (!hit.status.is_multiple_of(7)).then_some(hit.bytes);
    let counted = histogram(sizes, bounds.iter().copied());
    let found = answer(&counted, hits);
    assert_eq!(found.buckets().count(), bounds.len() + 1);
    for (lower, upper, count) in found.buckets() {
        let is_in = |size: &u64| {
            lower.is_none_or(|lower| lower <= *size) && upper.is_none_or(|upper| *size < upper)
        };
        assert_eq!(count, hits.iter().filter_map(sizes).filter(is_in).count() as u64);
    }
    reads_back(&counted, hits);
}

fn log_buckets(hits: &[Hit], coarse: bool) {
    let counted = log_histogram(|hit: &Hit| hit.latency).accuracy(if coarse { 0.2 } else { 0.01 });
    let buckets = answer(&counted, hits);
    for bucket in &buckets {
        let is_in = |hit: &&Hit| match hit.latency {
            0.0 => bucket.lower == 0.0 && bucket.upper == 0.0,
            x if x < 0.0 => bucket.lower < x && x <= bucket.upper,
            x => bucket.lower <= x && x < bucket.upper,
        };
        assert_eq!(bucket.count, hits.iter().filter(is_in).count() as u64, "{:?}", bucket);
    }
    assert!(buckets.windows(2).all(|pair| pair[0].upper <= pair[1].lower));
    if coarse {
        let is_bound = |bound: f64| bound == 0.0 || [1.0, 1.5].contains(&mantissa(bound.abs()));
        assert!(buckets.iter().all(|bucket| is_bound(bucket.lower) && is_bound(bucket.upper)));
    }
    assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), hits.len() as u64);
    reads_back(&counted, hits);
}

/// Returns a positive double divided by a power of two, from 1 to below 2.
fn mantissa(mut x: f64) -> f64 {
    while x.is_finite() && x >= 2.0 {
        x /= 2.0;
    }
    while x < 1.0 {
        x *= 2.0;
    }
    x.min(1.5)
}

fn weights(hits: &[Hit], counters: usize) {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for hit in hits {
        *sums.entry(&hit.url).or_default() += u64::from(weight(hit).unwrap_or(0));
    }
    sums.retain(|_, sum| *sum > 0);
    let total: u64 = sums.values().sum();
    let top = top_k_by_weight(3, |hit: &Hit| hit.url.as_str(), weight);
    let mut ranked: Vec<(&str, u64)> = sums.iter().map(|(url, sum)| (*url, *sum)).collect();
    ranked.sort_by_key(|&(url, sum)| (Reverse(sum), url));
    ranked.truncate(3);
    let exact = answer(&top, hits);
    let rows: Vec<(&str, u64)> = exact.iter().map(|row| (&*row.key, row.count)).collect();
    assert_eq!(rows, ranked);
    assert!(exact.iter().all(|row| row.is_exact() && row.guaranteed));
    for row in answer(&top.counters(counters), hits) {
        let sum = sums.get(&*row.key).copied().unwrap_or(0);
        assert!(row.lower <= sum && sum <= row.upper, "{:?} of {}", row, sum);
        assert!(row.upper - row.lower <= total / counters as u64, "{:?} of {}", row, total);
    }
    reads_back(&top, hits);
    reads_back(&top.counters(counters), hits);
}

#[test]
fn s114_bounds_that_do_not_ascend_are_refused() {
    let refused = |bounds: &[f64]| {
        let counted = histogram(|x: &f64| *x, bounds.iter().copied());
        counted.validate().unwrap_err().kind()
    };
    let many: Vec<f64> = (0..1001).map(f64::from).collect();
    for bounds in
        [&[][..], &[1.0, 1.0], &[2.0, 1.0], &[0.0, -0.0], &[f64::NAN], &[1.0, f64::INFINITY], &many]
    {
        assert_eq!(refused(bounds), ErrorKind::InvalidArgument, "{bounds:?}");
    }
    let zero = histogram(|x: &f64| *x, [0.0]);
    let mut state = zero.init();
    zero.add(&mut state, &-0.0, Timestamp::from_millis(0));
    assert_eq!(zero.output(&state).counts, [0, 1], "-0.0 is 0");
}

#[test]
fn s115_a_weight_that_is_no_whole_number_is_a_dead_letter() {
    fn refused<V: MaybeNumber + Clone>(weight: V) -> bool {
        let top =
            top_k_by_weight(1, |(key, _): &(u8, V)| key, |(_, weight): &(u8, V)| weight.clone());
        let record = (1, weight);
        match top.check(None, &record) {
            Ok(()) => false,
            Err(error) => error.kind() == ErrorKind::InvalidRecord,
        }
    }
    assert!(refused(-1i64) && refused(0.5) && refused(-1.0) && refused(f64::NAN) && refused(1e20));
    assert!(!refused(u64::MAX) && !refused(3.0) && !refused(None::<f64>) && !refused(0u8));
}

#[test]
fn s113_nan_has_no_rank() {
    let hottest = max_by(|x: &f64| *x, |x: &f64| *x);
    assert_eq!(hottest.check(None, &f64::NAN).unwrap_err().kind(), ErrorKind::InvalidRecord);
    let mut writer = Writer::new();
    let persistence = hottest.persistence().unwrap();
    persistence.encode(&Some((f64::NAN, 1.0)), &mut writer).unwrap();
    assert!(persistence.decode(&mut Reader::new(&writer.into_bytes())).is_err());
}
