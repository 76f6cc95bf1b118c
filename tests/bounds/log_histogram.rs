use super::{Random, trials};
use proptest::prelude::*;
use streamgauge::ErrorKind;
use streamgauge::sketch::{LogHistogram, nearest_rank};

const QUANTILES: [f64; 11] = [0.0, 0.001, 0.01, 0.07, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

fn filled(accuracy: f64, values: &[f64]) -> LogHistogram {
    let mut histogram = LogHistogram::with_accuracy(accuracy).unwrap();
    values.iter().for_each(|value| histogram.add(*value, 1).unwrap());
    histogram
}

/// Everything observable of a histogram: every quantile's bounds, as bits.
fn shown(histogram: &LogHistogram) -> Vec<u64> {
    let quantiles = (0..=20).filter_map(|step| histogram.quantile(f64::from(step) / 20.0));
    let edges = [histogram.min(), histogram.max()].into_iter().flatten();
    quantiles
        .flat_map(|estimate| [estimate.lower, estimate.value, estimate.upper])
        .chain(edges)
        .map(f64::to_bits)
        .collect()
}

/// Checks the promises for each quantile: the true value is inside the bounds, and `value` is
/// within the accuracy.
fn keeps_its_promises(histogram: &LogHistogram, values: &[f64]) -> Result<(), String> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    for q in QUANTILES {
        let Some(estimate) = histogram.quantile(q) else {
            return if sorted.is_empty() { Ok(()) } else { Err(format!("no quantile {q}")) };
        };
        let truth = sorted[nearest_rank(q, sorted.len() as u64).unwrap() as usize - 1];
        if !(estimate.lower <= truth
            && truth <= estimate.upper
            && estimate.lower <= estimate.value
            && estimate.value <= estimate.upper)
        {
            return Err(format!("quantile {q}: {estimate:?} for {truth}"));
        }
        // One ulp for the rounding of the harmonic mean; next to 0 that is the smallest double.
        let accuracy = histogram.accuracy() * (1.0 + 1e-12);
        if (estimate.value - truth).abs() > accuracy * truth.abs() + f64::from_bits(1) {
            return Err(format!(
                "quantile {q}: {estimate:?} is off {truth} by more than {accuracy}"
            ));
        }
    }
    Ok(())
}

#[test]
fn quantiles_keep_bounds_and_accuracy_over_many_streams() {
    for trial in 0..trials() {
        let mut random = Random(trial);
        let accuracy = [0.1, 0.02, 0.005, 0.001][trial as usize % 4];
        let (spread, sign) = (random.unit() * 12.0, random.below(3));
        let count = 1 + random.below(2000);
        let values: Vec<f64> = (0..count)
            .map(|_| {
                let magnitude = (random.unit() * spread).exp();
                let value = if trial % 2 == 0 { magnitude.floor() } else { magnitude };
                if sign == 0 || (sign == 1 && random.below(2) == 0) { -value } else { value }
            })
            .collect();
        keeps_its_promises(&filled(accuracy, &values), &values)
            .unwrap_or_else(|what| panic!("trial {trial}: {what}"));
    }
}

#[test]
fn small_integers_are_exact() {
    let values: Vec<f64> = (1..=200).map(f64::from).collect();
    let histogram = filled(0.005, &values);
    for q in QUANTILES {
        let estimate = histogram.quantile(q).unwrap();
        assert!(estimate.is_exact(), "{q}: {estimate:?}");
        assert_eq!(estimate.value, nearest_rank(q, 200).unwrap() as f64);
    }
}

/// Returns a finite double with random bits.
fn any_bits(random: &mut Random) -> f64 {
    loop {
        let value = f64::from_bits(random.next());
        if value.is_finite() {
            return value;
        }
    }
}

/// The half per cent holds for any finite numbers, while they are in no more buckets than allowed.
#[test]
fn s29_any_finite_numbers_keep_half_a_per_cent() {
    for trial in 0..trials() {
        let mut random = Random(trial);
        let count = 1 + random.below(3000);
        let mixed = |random: &mut Random| match random.below(6) {
            0 => any_bits(random),
            1 => {
                f64::from_bits(random.below(1 << 52))
                    * if random.below(2) == 0 { 1.0 } else { -1.0 }
            }
            2 => [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 0.0, -0.0, 5e-324, 1e30]
                [random.below(7) as usize],
            3 => random.below(1000) as f64,
            4 => -random.unit() * 1e-9,
            _ => 10f64.powi(random.below(600) as i32 - 300) * random.unit(),
        };
        let values: Vec<f64> = match trial % 3 {
            0 => (0..count).map(|_| any_bits(&mut random)).collect(),
            1 => (0..count).map(|_| mixed(&mut random)).collect(),
            // Small values, and some sentinels.
            _ => (0..count)
                .map(|_| if random.below(50) == 0 { f64::MAX } else { random.unit() * 200.0 })
                .collect(),
        };
        let histogram = filled(0.005, &values);
        assert!(histogram.accuracy() <= 0.005, "trial {trial}: nothing was joined");
        keeps_its_promises(&histogram, &values)
            .unwrap_or_else(|what| panic!("trial {trial}: {what}"));
    }
}

#[test]
fn numbers_of_far_scales_take_a_bucket_each() {
    let histogram = filled(0.005, &[0.1, 1e300]);
    assert!(histogram.resident_bytes() <= 192, "{}", histogram.resident_bytes());
    let nano = filled(0.005, &[1e-9, 2e-9, 3e-9, 4e-9, 5e12]).quantile(0.6).unwrap();
    assert!((nano.value - 3e-9).abs() <= 0.005 * 3e-9, "{nano:?}");
    let values: Vec<f64> = (-300..300).map(|power| 10f64.powi(power)).collect();
    let mut reversed = values.clone();
    reversed.reverse();
    let (up, down) = (filled(0.005, &values), filled(0.005, &reversed));
    assert_eq!(shown(&up), shown(&down), "the order does not matter");
    keeps_its_promises(&up, &values).unwrap();
    assert!(up.resident_bytes() < 20_000, "{}", up.resident_bytes());
}

/// Returns the bytes of a histogram, which are its whole content.
fn encoded(histogram: &LogHistogram) -> Vec<u8> {
    let mut writer = streamgauge::codec::Writer::new();
    histogram.encode(&mut writer);
    writer.into_bytes()
}

/// If more buckets have numbers than allowed, neighbours are joined, evenly. The error is at most
/// twice what the numbers need, the histogram reports it, and nothing depends on the order of the
/// numbers or on merges.
#[test]
fn s29_joined_buckets_have_their_error_and_depend_only_on_the_numbers() {
    for trial in 0..(trials() / 20).max(3) {
        let mut random = Random(trial);
        let values: Vec<f64> = match trial % 3 {
            0 => (0..30_000).map(|_| any_bits(&mut random)).collect(),
            1 => (0..30_000).map(|_| any_bits(&mut random).abs()).collect(),
            // Close to each other but for the last numbers, which are those that are too many.
            _ => (0..20_000)
                .map(|at| {
                    if at < 17_000 {
                        (random.unit() * 40.0).exp()
                    } else {
                        any_bits(&mut random).abs()
                    }
                })
                .collect(),
        };
        let whole = filled(0.005, &values);
        assert!(
            whole.accuracy() > 0.005 && whole.accuracy() <= 0.2,
            "trial {trial}: {}",
            whole.accuracy()
        );
        // As `explain` says: an entry of 12 bytes per bucket, in lists with room for as many more.
        assert!(
            whole.resident_bytes() <= 2 * whole.buckets_max() * 24 + 256,
            "{}",
            whole.resident_bytes()
        );
        keeps_its_promises(&whole, &values).unwrap_or_else(|what| panic!("trial {trial}: {what}"));
        let mut shuffled = values.clone();
        (1..shuffled.len()).for_each(|at| shuffled.swap(at, random.below(at as u64 + 1) as usize));
        // Parts of any sizes, merged two at a time in any order.
        let mut parts = Vec::new();
        let mut rest = &shuffled[..];
        while !rest.is_empty() {
            let (part, others) = rest.split_at(1 + random.below(rest.len() as u64) as usize);
            parts.push(filled(0.005, part));
            rest = others;
        }
        while parts.len() > 1 {
            let part = parts.swap_remove(random.below(parts.len() as u64) as usize);
            let into = random.below(parts.len() as u64) as usize;
            parts[into].merge(&part).unwrap();
        }
        assert!(encoded(&parts[0]) == encoded(&whole), "trial {trial}");
        let read = filled(0.005, &[])
            .decode(&mut streamgauge::codec::Reader::new(&encoded(&whole)))
            .unwrap();
        assert!(
            encoded(&read) == encoded(&whole) && shown(&read) == shown(&whole),
            "trial {trial}"
        );
    }
}

/// A histogram with another accuracy joins past its own limit, whatever the other one contains.
#[test]
fn the_coarser_accuracy_sets_the_limit_of_a_merge() {
    let mut random = Random(1);
    let (left, right): (Vec<f64>, Vec<f64>) =
        (0..9000).map(|_| (any_bits(&mut random).abs(), (random.unit() * 9.0).exp())).unzip();
    let whole = filled(0.005, &[&left[..], &right[..]].concat());
    let (mut fine, coarse) = (filled(0.001, &left), filled(0.005, &right));
    assert!(fine.buckets_max() > coarse.buckets_max() && fine.accuracy() < 0.001);
    fine.merge(&coarse).unwrap();
    assert!(encoded(&fine) == encoded(&whole));
    let mut coarse = coarse;
    coarse.merge(&filled(0.001, &left)).unwrap();
    assert!(encoded(&coarse) == encoded(&whole));
}

#[test]
fn values_that_are_not_numbers_are_refused_and_change_nothing() {
    let mut histogram = filled(0.01, &[1.0]);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(histogram.add(value, 1).unwrap_err().kind(), ErrorKind::InvalidRecord);
    }
    histogram.add(5.0, 0).unwrap();
    assert_eq!((histogram.count(), histogram.max()), (1, Some(1.0)));
    for accuracy in [0.0, -1.0, 1.0, 1e-9, f64::NAN] {
        assert_eq!(
            LogHistogram::with_accuracy(accuracy).unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{accuracy}"
        );
    }
    let empty = LogHistogram::with_accuracy(0.01).unwrap();
    assert_eq!((empty.quantile(0.5), empty.min(), empty.max()), (None, None, None));
    assert_eq!(histogram.quantile(f64::NAN), None);
    assert_eq!(histogram.quantile(1.5), None);
}

#[test]
fn extreme_numbers_have_bounds() {
    let values = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 0.0, -0.0, 1.0];
    keeps_its_promises(&filled(0.005, &values), &values).unwrap();
    let zero = filled(0.005, &[-0.0, -0.0, -0.0]).quantile(0.5).unwrap();
    assert!(zero.value == 0.0 && zero.value.is_sign_positive());
}

#[test]
fn weights_count_and_saturate() {
    let mut histogram = LogHistogram::with_accuracy(0.01).unwrap();
    histogram.add(1.0, 98).unwrap();
    histogram.add(5.0, 1).unwrap();
    histogram.add(9.0, 1).unwrap();
    assert_eq!(histogram.quantile(0.98).unwrap().value, 1.0);
    assert_eq!(histogram.quantile(0.99).unwrap().value, 5.0);
    histogram.add(2.0, u64::MAX).unwrap();
    assert!(histogram.saturated());
    assert_eq!(histogram.quantile(0.5).unwrap().value, 2.0);
}

#[test]
fn ranks_are_those_of_the_decimal_number() {
    for n in [1u64, 7, 100, 1000, 12_345, u64::MAX] {
        for (digits, scale) in
            [(7u64, 100u64), (99, 100), (999, 1000), (9999, 10_000), (1, 3), (29, 100), (57, 100)]
        {
            if scale == 3 {
                continue;
            }
            let exact = (u128::from(digits) * u128::from(n)).div_ceil(u128::from(scale));
            assert_eq!(
                nearest_rank(digits as f64 / scale as f64, n).map(u128::from),
                Some(exact.max(1)),
                "{digits}/{scale} of {n}"
            );
        }
    }
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        (-1000i64..1000).prop_map(|n| n as f64),
        -1e6..1e6f64,
        (-100i32..100).prop_map(|power| 2f64.powi(power)),
        any::<f64>().prop_filter("finite", |x| x.is_finite()),
    ];
    prop::collection::vec(value, 0..60)
}

proptest! {
    #![proptest_config(crate::cases(60))]

    #[test]
    fn bounds_hold_for_any_numbers(values in values()) {
        if let Err(what) = keeps_its_promises(&filled(0.005, &values), &values) {
            prop_assert!(false, "{}", what);
        }
    }

    #[test]
    fn any_order_of_merges_gives_the_same_bytes(a in values(), b in values(), c in values()) {
        let whole = filled(0.01, &[a.clone(), b.clone(), c.clone()].concat());
        let (fa, fb, fc) = (filled(0.01, &a), filled(0.01, &b), filled(0.01, &c));
        let mut left = fa.clone();
        left.merge(&fb).unwrap();
        left.merge(&fc).unwrap();
        let mut right = fc;
        let mut inner = fb;
        inner.merge(&fa).unwrap();
        right.merge(&inner).unwrap();
        prop_assert_eq!(shown(&left), shown(&whole));
        prop_assert_eq!(shown(&right), shown(&whole));
    }

    #[test]
    fn a_coarsened_histogram_equals_a_coarser_one(a in values(), b in values()) {
        let mut fine = filled(0.005, &a);
        fine.coarsen().unwrap();
        let coarse = filled(0.0078, &a);
        prop_assert_eq!(fine.accuracy(), coarse.accuracy());
        prop_assert_eq!(shown(&fine), shown(&coarse));
        // A merge of different accuracies has the coarser one, in either direction.
        let whole = shown(&filled(0.0078, &[a.clone(), b.clone()].concat()));
        let (mut into_fine, mut into_coarse) = (filled(0.005, &b), coarse);
        into_fine.merge(&into_coarse).unwrap();
        into_coarse.merge(&filled(0.005, &b)).unwrap();
        prop_assert_eq!(shown(&into_fine), whole.clone());
        prop_assert_eq!(shown(&into_coarse), whole);
    }
}
