//! Every aggregate obeys the laws of [`Aggregate`], bit by bit, and agrees with a slow oracle that
//! stores all records.

mod allocations;
mod answers;
mod every;
mod limits;
mod missing;
mod oracles;
mod parts;
mod yours;

use proptest::prelude::*;
use proptest::sample::Index;
use std::fmt::Debug;
use streamgauge::{Aggregate, Timestamp};

/// A record with a field of every kind.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    time: i64,
    country: String,
    url: String,
    status: u16,
    bytes: u64,
    change: i64,
    latency: f64,
    load: f32,
}

/// Hits with few countries, some more URLs, repeated times, and numbers from the whole range.
fn hit() -> impl Strategy<Value = Hit> {
    let keys = (prop::sample::select(vec!["", "AT", "CH", "DE", "FR", "日"]), 0u32..40);
    let integers = (
        100u16..600,
        prop_oneof![0u64..1000, any::<u64>()],
        prop_oneof![-1000i64..1000, any::<i64>()],
    );
    let floats = (
        prop_oneof![(-1000i32..100_000).prop_map(|n| f64::from(n) * 0.1), finite()],
        -1000.0f32..1000.0,
    );
    (0i64..20, keys, integers, floats).prop_map(
        |(time, (country, url), (status, bytes, change), (latency, load))| Hit {
            time,
            country: country.to_string(),
            url: format!("/page/{}", url * url / 30),
            status,
            bytes,
            change,
            latency,
            load,
        },
    )
}

fn finite() -> impl Strategy<Value = f64> {
    any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("only finite numbers are aggregated", |x| x.is_finite())
}

fn hits() -> impl Strategy<Value = Vec<Hit>> {
    prop::collection::vec(hit(), 0..120)
}

/// Splits the records into three parts at any positions.
fn parts<'a>(hits: &'a [Hit], at: &[Index; 2]) -> [&'a [Hit]; 3] {
    let mut cuts = at.map(|cut| cut.index(hits.len() + 1));
    cuts.sort_unstable();
    let (left, rest) = hits.split_at(cuts[0]);
    let (middle, right) = rest.split_at(cuts[1] - cuts[0]);
    [left, middle, right]
}

/// Adds the records as an engine does.
fn fold_on<A: Aggregate<Hit>>(
    aggregate: &A,
    mut accumulator: A::Accumulator,
    hits: &[Hit],
) -> A::Accumulator {
    for hit in hits {
        aggregate
            .try_add(&mut accumulator, hit, Timestamp::from_millis(hit.time))
            .expect("all of these can be aggregated");
    }
    accumulator
}

/// Checks each record, and then adds it.
fn fold_in_two_steps<A: Aggregate<Hit>>(aggregate: &A, hits: &[Hit]) -> A::Accumulator {
    let mut accumulator = aggregate.init();
    for hit in hits {
        aggregate.check(Some(&accumulator), hit).expect("all of these can be aggregated");
        aggregate.add(&mut accumulator, hit, Timestamp::from_millis(hit.time));
    }
    accumulator
}

pub(crate) fn fold<A: Aggregate<Hit>>(aggregate: &A, hits: &[Hit]) -> A::Accumulator {
    fold_on(aggregate, aggregate.init(), hits)
}

pub(crate) fn answer<A: Aggregate<Hit>>(aggregate: &A, hits: &[Hit]) -> A::Output {
    aggregate.output(&fold(aggregate, hits))
}

fn merged<A: Aggregate<Hit>>(
    aggregate: &A,
    mut into: A::Accumulator,
    from: &A::Accumulator,
) -> A::Accumulator {
    aggregate.merge(&mut into, from).expect("equal specifications merge");
    into
}

/// Whether the order of records may affect the answer.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Irrelevant,
    DecidesTies,
}

/// Checks the laws. Answers are compared in printed form, which distinguishes -0.0 from 0.0 and
/// every float from its neighbour.
fn obeys<A: Aggregate<Hit, Output: Debug>>(
    name: &str,
    aggregate: &A,
    order: Order,
    (hits, at): (&[Hit], &[Index; 2]),
) {
    let shown = |accumulator: &A::Accumulator| format!("{:?}", aggregate.output(accumulator));
    let whole = fold(aggregate, hits);
    let expected = shown(&whole);
    let holds = |law: &str, accumulator: &A::Accumulator| {
        assert_eq!(shown(accumulator), expected, "{name}: {law}")
    };

    holds("output changes nothing", &whole);
    holds("checked, then added", &fold_in_two_steps(aggregate, hits));
    holds("identity from the left", &merged(aggregate, aggregate.init(), &whole));
    holds("identity from the right", &merged(aggregate, whole.clone(), &aggregate.init()));

    let [a, b, c] = parts(hits, at).map(|part| fold(aggregate, part));
    let left = merged(aggregate, merged(aggregate, a.clone(), &b), &c);
    let right = merged(aggregate, a.clone(), &merged(aggregate, b.clone(), &c));
    holds("replay, left to right", &left);
    holds("associativity", &right);

    let [x, y, z] = parts(hits, at);
    let mut resumed = fold(aggregate, x);
    aggregate.output(&resumed);
    resumed = fold_on(aggregate, resumed, y);
    let copy = resumed.clone();
    aggregate.output(&copy);
    holds("batches and early answers", &fold_on(aggregate, copy, z));
    holds("a merge, then more records", &fold_on(aggregate, merged(aggregate, a.clone(), &b), z));

    if let Some(inverse) = aggregate.inverse() {
        let mut rest = a.clone();
        inverse.prepare(&mut rest);
        rest = merged(aggregate, merged(aggregate, rest, &b), &c);
        holds("a merge that can be subtracted from", &rest);
        if inverse.is_exact(&rest) {
            assert!(
                inverse.subtract(&mut rest, &a) && inverse.subtract(&mut rest, &b),
                "{name}: what is exact can be subtracted"
            );
            if inverse.is_exact(&rest) {
                assert_eq!(shown(&rest), shown(&c), "{name}: inverse");
                holds(
                    "a subtraction, then merges",
                    &merged(aggregate, merged(aggregate, a.clone(), &b), &rest),
                );
                holds(
                    "merges into what was subtracted from",
                    &merged(aggregate, merged(aggregate, rest, &b), &a),
                );
            }
        }
    }

    if order == Order::Irrelevant {
        let mut turned = hits.to_vec();
        turned.reverse();
        turned.rotate_left(x.len());
        holds("permutation", &fold(aggregate, &turned));
        holds("merging in another order", &merged(aggregate, c, &merged(aggregate, b, &a)));
    }
    assert!(aggregate.state_bytes(&whole) >= size_of_val(&whole), "{name}: state_bytes");
}
