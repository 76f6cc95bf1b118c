//! The interval around a sketch's estimate, as wide as the sketch's information allows.
//!
//! With n keys on m registers, let y be n / m. A register is at most u with the probability
//! exp(-y 2^-u), so its Fisher information about y is the sum of 4^-u / (e^x (e^x - 1)) over all u,
//! where x is y 2^-u. The inverse of y^2 m times that is the relative squared error of an estimator
//! that uses all of it, for a Poisson number of keys. Such a number has a relative squared error of
//! 1/n of its own; the number of keys is fixed, so that part is subtracted.
//!
//! Measured in 4,000 trials each at precisions 10, 12 and 14 with 0.05 to 64 keys a register: the
//! error of the composite estimator is within 3 % of that, and 5 % above it at half a key a
//! register. So the interval is a little wider than the 1.96 standard errors of a normal
//! distribution. It held in 95.3 % of the trials or more.

/// Standard errors from the estimate to either end.
const DEVIATIONS: f64 = 2.05;

/// More terms change no answer: a register has at most 62 values.
const TERMS: i32 = 80;

/// Returns the relative standard error of an estimate of this many keys.
///
/// Only operations that have the same result on every platform are used: e^x - 1 is computed for
/// the smallest x and then, from term to term, for twice the x.
fn standard_error(keys: f64, precision: u8) -> f64 {
    let registers = 2f64.powi(i32::from(precision));
    let mut x = keys / registers * 2f64.powi(-TERMS);
    let mut grown = x * (1.0 + x / 2.0);
    let mut information = 0.0;
    for _ in 0..TERMS {
        information += x * x / ((grown + 1.0) * grown);
        x *= 2.0;
        grown *= grown + 2.0;
    }
    (1.0 / (registers * information) - 1.0 / keys).max(0.0).sqrt()
}

/// Returns how far an interval reaches from its estimate, as a share of it: with few keys and with
/// many.
#[cfg(feature = "spec")]
pub(crate) fn distinct_errors(precision: u8) -> std::ops::RangeInclusive<f64> {
    let deviations = DEVIATIONS / 2f64.powi(i32::from(precision)).sqrt();
    deviations * 0.5f64.sqrt()..=deviations * 1.0367
}

/// Returns e^x for an x from 0 to 0.1, without the platform's function.
fn exp_of_small(x: f64) -> f64 {
    1.0 + x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0))))
}

/// Returns the interval of an estimate by 2^`precision` registers, rounded outwards.
pub(super) fn interval(estimate: f64, precision: u8) -> (u64, u64) {
    // No registers give an estimate above 2^64, unless they were made up.
    let error = standard_error(estimate.clamp(1.0, 2f64.powi(64)), precision);
    let factor = exp_of_small(DEVIATIONS * error);
    ((estimate / factor - 0.5).floor() as u64, (estimate * factor + 0.5).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_has_its_known_limits() {
        for precision in 10..=18 {
            let registers = 2f64.powi(i32::from(precision));
            // Few keys lose information only where two share a register: 1 / sqrt(2 m).
            let few = standard_error(registers / 1000.0, precision) * registers.sqrt();
            assert!((few - 0.5f64.sqrt()).abs() < 0.001, "{few}");
            // Many keys: sqrt(ln 2 / (pi^2 / 6 - 1)), the constant of a maximum likelihood.
            let many = standard_error(registers * 1000.0, precision) * registers.sqrt();
            assert!((many - 1.0367).abs() < 0.001, "{many}");
        }
        assert!((exp_of_small(0.07) - 0.07f64.exp()).abs() < 1e-9);
    }

    #[test]
    fn any_estimate_has_an_interval_around_it() {
        for estimate in [0.0, 0.4, 1.0, 7.0, 1e3, 1e6, 1e12, 1e19, 1e300, f64::INFINITY] {
            for precision in [10, 14, 18, 26] {
                let (lower, upper) = interval(estimate, precision);
                let value = estimate.round() as u64;
                assert!(lower <= value && value <= upper, "{estimate}: {lower} to {upper}");
            }
        }
    }
}
