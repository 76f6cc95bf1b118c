//! A key of several parts is the tuple of its parts.

use super::{Hit, answer, fold, hits};
use proptest::prelude::*;
use std::fmt::Debug;
use streamgauge::aggregate::*;
use streamgauge::codec::Writer;

/// Checks that keys of borrowed parts have the answer, the description and the encoding of keys that
/// are cloned tuples.
fn same<A, B>(borrowed: &A, cloned: &B, hits: &[Hit])
where
    A: Aggregate<Hit, Output: Debug>,
    B: Aggregate<Hit, Output: Debug>,
{
    assert_eq!(format!("{:?}", answer(borrowed, hits)), format!("{:?}", answer(cloned, hits)));
    assert_eq!(state(borrowed, hits), state(cloned, hits));
}

fn state<A: Aggregate<Hit>>(aggregate: &A, hits: &[Hit]) -> (String, Vec<u8>) {
    let mut writer = Writer::new();
    let persistence = aggregate.persistence().unwrap();
    persistence.encode(&fold(aggregate, hits), &mut writer).unwrap();
    (persistence.describe(), writer.into_bytes())
}

proptest! {
    #![proptest_config(crate::cases(50))]

    #[test]
    fn s110_a_key_of_borrowed_parts_is_the_tuple_of_the_parts(hits in hits(), limit in 1usize..30) {
        let country = |hit: &Hit| hit.country.clone();
        let pairs = group_by(|hit: &Hit| hit.country.as_str(), count())
            .and_by(|hit: &Hit| hit.url.as_str());
        let cloned = group_by_value(move |hit: &Hit| (country(hit), hit.url.clone()), count());
        same(&pairs.groups_max(limit), &cloned.groups_max(limit), &hits);
        let triples = group_by(|hit: &Hit| &hit.status, count())
            .and_by(|hit: &Hit| hit.country.as_str())
            .and_by_value(|hit: &Hit| hit.bytes % 2);
        let cloned =
            group_by_value(move |hit: &Hit| (hit.status, country(hit), hit.bytes % 2), count());
        same(&triples.groups_max(limit), &cloned.groups_max(limit), &hits);
        let top =
            top_k(3, |hit: &Hit| hit.url.as_str()).and_by(|hit: &Hit| &hit.status).counters(5);
        let cloned = top_k_value(3, |hit: &Hit| (hit.url.clone(), hit.status)).counters(5);
        same(&top, &cloned, &hits);
        let views = distinct(|hit: &Hit| hit.url.as_str())
            .and_by(|hit: &Hit| hit.country.as_str())
            .exact_up_to(5);
        let cloned =
            distinct_value(move |hit: &Hit| (hit.url.clone(), country(hit))).exact_up_to(5);
        same(&views, &cloned, &hits);
    }
}
