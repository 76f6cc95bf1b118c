//! An aggregate of a user works everywhere a built-in one does, and the constructors are as short
//! as documented.

use super::{Hit, answer, hits};
use proptest::prelude::*;
use streamgauge::aggregate::*;
use streamgauge::{Error, ErrorKind, Timestamp};

/// The geometric mean of a positive number, as in the documentation of [`Aggregate`].
#[derive(Clone)]
struct GeometricMean;

impl Aggregate<Hit> for GeometricMean {
    type Accumulator = (u64, f64);
    type Output = Option<f64>;

    fn init(&self) -> (u64, f64) {
        (0, 0.0)
    }

    fn add(&self, (n, logs): &mut (u64, f64), hit: &Hit, _time: Timestamp) {
        *n += 1;
        *logs += f64::from(hit.status).ln();
    }

    fn merge(&self, into: &mut (u64, f64), from: &(u64, f64)) -> Result<(), Error> {
        into.0 += from.0;
        into.1 += from.1;
        Ok(())
    }

    fn output(&self, &(n, logs): &(u64, f64)) -> Option<f64> {
        (n > 0).then(|| (logs / n as f64).exp())
    }
}

proptest! {
    #![proptest_config(crate::cases(50))]

    #[test]
    fn a_custom_aggregate_works_in_tuples_filters_and_groups(hits in hits()) {
        let all = (
            count(),
            GeometricMean,
            filtered(|hit: &Hit| hit.status < 400, GeometricMean),
            group_by(|hit: &Hit| hit.country.as_str(), GeometricMean),
        );
        let (n, whole, _, groups) = answer(&all, &hits);
        prop_assert_eq!(whole.is_some(), n > 0);
        for (country, mean) in &groups {
            let logs: Vec<f64> = hits
                .iter()
                .filter(|hit| *hit.country == **country)
                .map(|hit| f64::from(hit.status).ln())
                .collect();
            let expected = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
            prop_assert!((mean.unwrap() - expected).abs() < 1e-9);
        }
    }
}

fn is_plain<T: Send + Sync + Clone>(_: &T) {}

#[test]
fn specifications_are_copy_and_send_like_their_closures() {
    let limit = 500;
    let all = (
        count(),
        sum(|hit: &Hit| hit.bytes),
        group_by(|hit: &Hit| hit.country.as_str(), top_k(10, |hit: &Hit| hit.url.as_str())),
        group_by(|hit: &Hit| &hit.status, GeometricMean),
        filtered(move |hit: &Hit| hit.status < limit, first(|hit: &Hit| hit.url.clone())),
        distinct_value(|hit: &Hit| (hit.country.clone(), hit.status)),
        frequency(|hit: &Hit| hit.url.as_bytes(), &b"/"[..]),
        quantiles([0.5, 0.99], |hit: &Hit| hit.latency),
        (min(|hit: &Hit| hit.load), mean(|hit: &Hit| hit.load), variance(|hit: &Hit| hit.load)),
    );
    is_plain(&all);
    is_plain(&Aggregate::<Hit>::init(&all));
}

/// Accepts at most three records.
#[derive(Clone)]
struct AtMostThree;

impl Aggregate<u64> for AtMostThree {
    type Accumulator = u64;
    type Output = u64;

    fn init(&self) -> u64 {
        0
    }

    fn check(&self, taken: Option<&u64>, _: &u64) -> Result<(), Error> {
        match taken {
            Some(3) => Err(Error::new(ErrorKind::InvalidRecord, "there are three")),
            _ => Ok(()),
        }
    }

    fn add(&self, taken: &mut u64, _: &u64, _: Timestamp) {
        *taken += 1;
    }

    fn merge(&self, into: &mut u64, from: &u64) -> Result<(), Error> {
        *into += from;
        Ok(())
    }

    fn output(&self, taken: &u64) -> u64 {
        *taken
    }
}

/// Four methods and a check are enough: no hint is needed that the check reads the accumulator.
#[test]
fn a_check_of_the_accumulator_is_called_in_every_group() {
    let aggregate = (count(), group_by_value(|n: &u64| n % 5, (AtMostThree, count())));
    let mut accumulator = aggregate.init();
    let time = Timestamp::from_millis(0);
    let taken = (0..100).filter(|n| aggregate.try_add(&mut accumulator, n, time).is_ok()).count();
    assert_eq!(taken, 15);
    let (count, groups) = aggregate.output(&accumulator);
    assert_eq!(count, 15);
    assert_eq!(groups.rows, (0..5).map(|key| (key, (3, 3))).collect::<Vec<_>>());
}
