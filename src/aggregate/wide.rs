//! The sums and moments of the wide number types.

use super::exact_sum::ExactSum;
use super::number::{IntegerSum, Wide};
use super::variance::{FloatMoments, IntegerMoments};

impl Wide for i128 {
    type Sum = IntegerSum;
    type Moments = IntegerMoments;

    #[inline]
    fn to_weight(self) -> Option<u64> {
        u64::try_from(self).ok()
    }
}

impl Wide for f64 {
    type Sum = ExactSum;
    type Moments = FloatMoments;

    #[inline]
    fn to_weight(self) -> Option<u64> {
        // 2^64, past the largest weight.
        const END: f64 = 18_446_744_073_709_551_616.0;
        (self.fract() == 0.0 && (0.0..END).contains(&self)).then_some(self as u64)
    }
}
