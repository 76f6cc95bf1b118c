//! A missing number or part is skipped, as if the record were not there.

use super::{Hit, answer, hits};
use proptest::prelude::*;
use std::fmt::Debug;
use streamgauge::aggregate::*;
use streamgauge::prelude::*;

fn is_there(hit: &Hit) -> bool {
    !hit.status.is_multiple_of(3)
}

fn bytes(hit: &Hit) -> Option<u64> {
    is_there(hit).then_some(hit.bytes)
}

fn latency(hit: &Hit) -> Option<f64> {
    is_there(hit).then_some(hit.latency)
}

fn url(hit: &Hit) -> Option<&str> {
    is_there(hit).then_some(hit.url.as_str())
}

/// Checks that `sparse` of all records has the answer of `plain` of the records with a value, and
/// that one reads the state of the other.
fn skips<A, B>(sparse: &A, plain: &B, hits: &[Hit])
where
    A: Aggregate<Hit, Output: Debug>,
    B: Aggregate<Hit, Output = A::Output>,
{
    let present: Vec<Hit> = hits.iter().filter(|hit| is_there(hit)).cloned().collect();
    assert_eq!(format!("{:?}", answer(sparse, hits)), format!("{:?}", answer(plain, &present)));
    let words = plain.persistence().unwrap().describe();
    assert_eq!(sparse.persistence().unwrap().describe(), words);
}

proptest! {
    #![proptest_config(crate::cases(50))]

    #[test]
    fn s22_a_missing_number_is_skipped_by_typed_aggregates(hits in hits()) {
        skips(&sum(bytes), &sum(|hit: &Hit| hit.bytes), &hits);
        skips(&sum(latency), &sum(|hit: &Hit| hit.latency), &hits);
        skips(&mean(bytes), &mean(|hit: &Hit| hit.bytes), &hits);
        skips(&mean(latency), &mean(|hit: &Hit| hit.latency), &hits);
        skips(&min(bytes), &min(|hit: &Hit| hit.bytes), &hits);
        skips(&max(latency), &max(|hit: &Hit| hit.latency), &hits);
        skips(&variance(bytes), &variance(|hit: &Hit| hit.bytes), &hits);
        skips(&stddev(latency), &stddev(|hit: &Hit| hit.latency), &hits);
        skips(&quantile(0.5, bytes), &quantile(0.5, |hit: &Hit| hit.bytes), &hits);
        skips(
            &quantiles([0.1, 0.9], latency),
            &quantiles([0.1, 0.9], |hit: &Hit| hit.latency),
            &hits,
        );
    }

    #[test]
    fn s22_a_missing_key_is_skipped_by_if_present(hits in hits()) {
        let present: Vec<Hit> = hits.iter().filter(|hit| is_there(hit)).cloned().collect();
        let users = answer(&if_present(url, distinct(|url: &str| url)), &hits);
        prop_assert_eq!(users, answer(&distinct(|hit: &Hit| hit.url.as_str()), &present));
        let top = answer(&if_present(url, top_k(3, |url: &str| url)), &hits);
        prop_assert_eq!(top, answer(&top_k(3, |hit: &Hit| hit.url.as_str()), &present));
        let groups = answer(&if_present(url, group_by(|url: &str| url, count())), &hits);
        prop_assert_eq!(groups, answer(&group_by(|hit: &Hit| hit.url.as_str(), count()), &present));
    }
}

#[test]
fn s22_nan_is_a_dead_letter_and_a_missing_number_is_not() {
    let numbers = (sum(|x: &Option<f64>| *x), min(|x: &Option<f64>| *x));
    let mut pipeline = Pipeline::builder().aggregate(numbers).build().unwrap();
    assert_eq!(pipeline.push(&None).unwrap(), Outcome::Applied);
    assert_eq!(pipeline.push(&Some(f64::NAN)).unwrap(), Outcome::DeadLetter(()));
    assert_eq!(pipeline.push(&Some(1.5)).unwrap(), Outcome::Applied);
    pipeline.finish();
    assert_eq!(pipeline.next_emission().unwrap().unwrap().value, (1.5, Some(1.5)));
}
