//! Fits a state into a number of bytes.
//!
//! One number decides: the *tolerance*, the error that every sketch may have, as a share of its
//! total (top-k, frequency) or of its value (distinct, quantile). A sketch with a larger error
//! stays as it is. A finer sketch is made as coarse as the tolerance allows. So the sketch that
//! loses least is reduced first, and no sketch becomes bad while another could be reduced at less
//! cost.

use crate::aggregate::Reductions;
use crate::error::{Error, ErrorKind};

/// Exponent of the first tolerance tried: 2^-20, a millionth.
const FINEST_EXPONENT: f64 = -20.0;

/// Tolerances per doubling: each is 9 % above the one before.
const STEPS_PER_DOUBLING: usize = 8;

/// The last tolerance is 2^-2, a quarter.
const STEPS: usize = 18 * STEPS_PER_DOUBLING;

fn tolerance(step: usize) -> f64 {
    (FINEST_EXPONENT + step as f64 / STEPS_PER_DOUBLING as f64).exp2()
}

/// Returns the encoding with the smallest tolerance at which it fits. Finds it by bisection.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`] if it fits at no tolerance, and the errors of `encode`.
pub(crate) fn least_tolerance(
    bytes_max: usize,
    mut encode: impl FnMut(f64) -> Result<(Vec<u8>, Reductions), Error>,
) -> Result<(Vec<u8>, Reductions), Error> {
    let mut best = encode(tolerance(STEPS))?;
    if best.0.len() > bytes_max {
        let message = format!(
            "the state takes {} bytes in its smallest form, over the {bytes_max} it is to fit; \
             fewer groups, a shorter window or a longer \
             slide make it smaller",
            best.0.len()
        );
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    // Fits at step `fits`. No step below `too_large` is known to fit.
    let (mut too_large, mut fits) = (0, STEPS);
    while too_large < fits {
        let step = too_large + (fits - too_large) / 2;
        let tried = encode(tolerance(step))?;
        if tried.0.len() <= bytes_max {
            (best, fits) = (tried, step);
        } else {
            too_large = step + 1;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state that needs `1 / tolerance` bytes.
    fn encode(tolerance: f64) -> Result<(Vec<u8>, Reductions), Error> {
        Ok((vec![0; (1.0 / tolerance) as usize], Reductions::new(tolerance, 0)))
    }

    #[test]
    fn the_smallest_tolerance_that_fits_is_found() {
        for bytes_max in [4, 5, 1000, 12_345, 1 << 20] {
            let (bytes, reductions) = least_tolerance(bytes_max, encode).unwrap();
            assert!(
                bytes.len() <= bytes_max && bytes.len() * 11 / 10 + 1 >= bytes_max,
                "{} of {bytes_max}",
                bytes.len()
            );
            assert!(reductions.tolerance > 0.0);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(least_tolerance(3, encode).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
