//! Refusals: specifications, records, and groups past a limit.

use super::{Hit, answer, fold, hits, merged};
use proptest::prelude::*;
use streamgauge::aggregate::*;
use streamgauge::codec::Writer;
use streamgauge::{ErrorKind, Seed, Timestamp};

fn hit(url: &str, latency: f64) -> Hit {
    let (country, url) = (String::from("DE"), url.to_string());
    Hit { time: 0, country, url, status: 200, bytes: 1, change: -1, latency, load: latency as f32 }
}

fn refused(aggregate: impl Aggregate<Hit>) -> String {
    let error = aggregate.validate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    error.to_string()
}

#[test]
fn bad_specifications_are_refused_with_the_value_and_the_range() {
    let url = |hit: &Hit| hit.bytes;
    assert_eq!(refused(top_k_value(0, url)), "a top k of 0 rows; at least 1");
    assert_eq!(
        refused(top_k_value(10, url).counters(9)),
        "9 counters for the top 10; from 10 to 67108864"
    );
    assert!(refused(quantile(1.5, |hit: &Hit| hit.latency)).contains("1.5"));
    assert!(refused(quantile(f64::NAN, |hit: &Hit| hit.latency)).contains("NaN"));
    assert!(refused(quantile(0.5, |hit: &Hit| hit.latency).accuracy(0.0)).contains('0'));
    assert!(refused(distinct_value(url).precision(9)).contains('9'));
    assert!(refused(distinct_value(url).exact_up_to(1 << 30)).contains("1073741824"));
    assert!(refused(frequency_value(url, 1).error(0.0, 0.99)).contains('0'));
    assert!(refused(group_by_value(url, count()).groups_max(0)).contains("groups_max of 0"));
}

#[test]
fn wrappers_check_the_aggregates_inside() {
    let bad = || top_k_value(0, |hit: &Hit| hit.bytes);
    refused((count(), bad()));
    refused(filtered(|_: &Hit| true, bad()));
    refused(group_by_value(|hit: &Hit| hit.bytes, (bad(),)));
    (count(), group_by_value(|hit: &Hit| hit.bytes, count())).validate().unwrap();
}

#[test]
fn a_specification_without_validation_does_not_panic() {
    let hits = [hit("/a", 1.0), hit("/b", 2.0)];
    answer(&top_k(0, |hit: &Hit| hit.url.as_str()).counters(0), &hits);
    answer(&distinct(|hit: &Hit| hit.url.as_str()).precision(255).exact_up_to(0), &hits);
    answer(&quantile(f64::NAN, |hit: &Hit| hit.latency), &hits);
    answer(&group_by(|hit: &Hit| hit.url.as_str(), count()).groups_max(0), &hits);
}

/// The reason why an aggregate refuses a record.
type Refusal<'a> = &'a dyn Fn(&Hit) -> Option<ErrorKind>;

#[test]
fn floats_that_are_not_numbers_make_dead_letters() {
    let kind = |aggregate: Refusal<'_>, latency| aggregate(&hit("/a", latency));
    macro_rules! check {
        ($aggregate:expr) => {
            &|hit: &Hit| $aggregate.check(None, hit).err().map(|error| error.kind())
        };
    }
    let all: [Refusal<'_>; 7] = [
        check!(sum(|hit: &Hit| hit.latency)),
        check!(sum(|hit: &Hit| hit.load)),
        check!(mean(|hit: &Hit| hit.latency)),
        check!(variance(|hit: &Hit| hit.latency)),
        check!(quantile(0.5, |hit: &Hit| hit.latency)),
        check!((count(), stddev(|hit: &Hit| hit.latency))),
        check!(group_by(|hit: &Hit| hit.url.as_str(), sum(|hit: &Hit| hit.latency))),
    ];
    for aggregate in all {
        assert_eq!(kind(aggregate, f64::NAN), Some(ErrorKind::InvalidRecord));
        assert_eq!(kind(aggregate, f64::NEG_INFINITY), Some(ErrorKind::InvalidRecord));
        assert_eq!(kind(aggregate, 1.0), None);
    }
    let extremum = check!(max(|hit: &Hit| hit.latency));
    assert_eq!(kind(extremum, f64::NAN), Some(ErrorKind::InvalidRecord));
    assert_eq!(kind(extremum, f64::INFINITY), None, "an infinity has its place in the order");
    let kept_out =
        check!(filtered(|hit: &Hit| hit.latency.is_finite(), sum(|hit: &Hit| hit.latency)));
    assert_eq!(kind(kept_out, f64::NAN), None);
}

/// Asserts that `try_add` equals `check` followed by `add`: the same refusals, and the same state.
/// Returns the memory of both states.
fn tries_in_one_step_as_in_two(aggregate: &impl Aggregate<Hit>, hits: &[Hit]) -> [usize; 2] {
    let (mut one, mut two) = (aggregate.init(), aggregate.init());
    for hit in hits {
        let time = Timestamp::from_millis(hit.time);
        let expected =
            aggregate.check(Some(&two), hit).map(|()| aggregate.add(&mut two, hit, time));
        let tried = aggregate.try_add(&mut one, hit, time);
        assert_eq!(
            tried.map_err(|error| error.to_string()),
            expected.map_err(|error| error.to_string())
        );
        let bytes = |accumulator| {
            let mut writer = Writer::new();
            aggregate.persistence().unwrap().encode(accumulator, &mut writer).unwrap();
            writer.into_bytes()
        };
        assert_eq!(bytes(&one), bytes(&two));
    }
    [one, two].map(|accumulator| aggregate.state_bytes(&accumulator))
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn check_and_try_add_refuse_the_same_records(
        mut hits in hits(),
        nans: [prop::sample::Index; 9],
        groups in 1usize..12,
    ) {
        for nan in nans {
            let at = nan.index(hits.len().max(1));
            hits.get_mut(at).into_iter().for_each(|hit| hit.latency = f64::NAN);
        }
        let latency = |hit: &Hit| hit.latency;
        tries_in_one_step_as_in_two(&filtered(|hit: &Hit| hit.status > 300, sum(latency)), &hits);
        for overflow in [Overflow::Other, Overflow::Error] {
            let by_url = group_by(|hit: &Hit| hit.url.as_str(), (count(), sum(latency)))
                .groups_max(groups)
                .overflow(overflow);
            tries_in_one_step_as_in_two(&by_url, &hits);
            tries_in_one_step_as_in_two(&(count(), by_url), &hits);
            let tops = group_by(
                |hit: &Hit| hit.url.as_str(),
                top_k(1, |hit: &Hit| hit.country.as_str()).counters(2),
            );
            // No group is moved, so both tables have the same size.
            let [one, two] = tries_in_one_step_as_in_two(
                &group_by(|hit: &Hit| hit.country.as_str(), tops),
                &hits,
            );
            assert_eq!(one, two);
            tries_in_one_step_as_in_two(
                &group_by(
                    |hit: &Hit| hit.country.as_str(),
                    tops.groups_max(groups).overflow(overflow),
                ),
                &hits,
            );
            // Groups that cannot share an accumulator.
            let few =
                group_by(|hit: &Hit| &hit.bytes, count()).groups_max(2).overflow(Overflow::Error);
            tries_in_one_step_as_in_two(
                &group_by(|hit: &Hit| hit.url.as_str(), few).groups_max(groups).overflow(overflow),
                &hits,
            );
        }
    }
}

#[test]
fn a_group_past_the_limit_can_be_an_error() {
    let by_url =
        group_by(|hit: &Hit| hit.url.as_str(), count()).groups_max(2).overflow(Overflow::Error);
    let full = fold(&by_url, &[hit("/a", 1.0), hit("/b", 1.0)]);
    assert!(by_url.check(Some(&full), &hit("/a", 1.0)).is_ok(), "a known group goes on");
    assert_eq!(
        by_url.check(Some(&full), &hit("/c", 1.0)).unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );

    let mut into = full.clone();
    let error =
        by_url.merge(&mut into, &fold(&by_url, &[hit("/a", 1.0), hit("/c", 1.0)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "more than 2 groups; raise groups_max, or let the rest share Overflow::Other"
    );
    assert_eq!(by_url.output(&into), by_url.output(&full), "a refused merge changes nothing");
    by_url.merge(&mut into, &full).unwrap();
    assert_eq!(by_url.output(&into).find("/a"), Some(&2));
}

#[test]
fn an_inner_limit_holds_inside_a_tuple_and_a_group() {
    let inner =
        group_by(|hit: &Hit| hit.url.as_str(), count()).groups_max(1).overflow(Overflow::Error);
    let outer = (count(), group_by(|hit: &Hit| hit.country.as_str(), inner));
    let full = fold(&outer, &[hit("/a", 1.0)]);
    assert!(outer.check(Some(&full), &hit("/a", 1.0)).is_ok());
    assert_eq!(
        outer.check(Some(&full), &hit("/b", 1.0)).unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );
    let elsewhere = Hit { country: String::from("FR"), ..hit("/b", 1.0) };
    assert!(outer.check(Some(&full), &elsewhere).is_ok());
}

#[test]
fn a_group_that_cannot_join_other_is_kept_and_no_new_one_is_opened() {
    // The shared accumulator may hold only one URL, so not all groups past the limit can be moved
    // there.
    let inner =
        group_by(|hit: &Hit| hit.url.as_str(), count()).groups_max(1).overflow(Overflow::Error);
    let by_bytes = group_by(|hit: &Hit| &hit.bytes, inner).groups_max(1);
    let hits: Vec<Hit> =
        (0..4).rev().map(|bytes| Hit { bytes, ..hit(&format!("/{bytes}"), 1.0) }).collect();
    // 3 is kept until 2 comes, and then moved. 1 causes the move of 2, which is refused, so 2
    // stays.
    let accumulator = fold(&by_bytes, &hits[..3]);
    let groups = by_bytes.output(&accumulator);
    assert_eq!(groups.iter().map(|(bytes, _)| *bytes).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        groups.other.as_ref().map(|other| (other.records, other.value.len())),
        Some((1, 1)),
        "no record is lost"
    );
    assert_eq!(
        by_bytes.check(Some(&accumulator), &hits[3]).unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );
    assert!(by_bytes.check(Some(&accumulator), &hits[2]).is_ok(), "a known group goes on");
}

#[test]
fn sketches_of_different_seeds_do_not_merge() {
    let public = top_k(3, |hit: &Hit| hit.url.as_str());
    let secret = public.seeded(Seed::new(7));
    let mut into = fold(&public, &[hit("/a", 1.0)]);
    assert_eq!(
        public.merge(&mut into, &fold(&secret, &[hit("/a", 1.0)])).unwrap_err().kind(),
        ErrorKind::Mismatch
    );
}

proptest! {
    #![proptest_config(crate::cases(200))]

    /// With limits below 4 there is never a group more than the limit.
    #[test]
    fn groups_take_the_same_memory_added_or_merged(
        hits in hits(),
        cut: prop::sample::Index,
        groups in prop_oneof![1usize..4, Just(1000)],
    ) {
        let by_url = group_by(|hit: &Hit| hit.url.as_str(), (count(), sum(|hit: &Hit| hit.bytes)))
            .groups_max(groups);
        let (before, after) = hits.split_at(cut.index(hits.len() + 1));
        let parts = merged(&by_url, fold(&by_url, before), &fold(&by_url, after));
        prop_assert_eq!(by_url.state_bytes(&parts), by_url.state_bytes(&fold(&by_url, &hits)));
    }
}

#[test]
fn groups_take_memory_in_proportion() {
    let by_url = group_by(|hit: &Hit| hit.url.as_str(), count());
    let bytes = |n: usize| {
        let hits: Vec<Hit> = (0..n).map(|n| hit(&format!("/some/page/{n:08}"), 1.0)).collect();
        by_url.state_bytes(&fold(&by_url, &hits))
    };
    // A key of 20 bytes with a pointer of 16, two counts of 8, and the table's control byte and
    // free slots.
    assert!((50_000..200_000).contains(&bytes(1000)), "{}", bytes(1000));
    assert!((500_000..2_000_000).contains(&bytes(10_000)), "{}", bytes(10_000));
    let inner = group_by(|hit: &Hit| hit.country.as_str(), top_k(3, |hit: &Hit| hit.url.as_str()));
    let hits: Vec<Hit> = (0..1000).map(|n| hit(&format!("/some/page/{n:08}"), 1.0)).collect();
    assert!(
        inner.state_bytes(&fold(&inner, &hits)) > 50_000,
        "what an inner sketch holds is counted"
    );
}
