//! The sums and moments of the wide number types.

use super::exact_sum::ExactSum;
use super::number::{IntegerSum, Wide};
use super::variance::{FloatMoments, IntegerMoments};

impl Wide for i128 {
    type Sum = IntegerSum;
    type Moments = IntegerMoments;
}

impl Wide for f64 {
    type Sum = ExactSum;
    type Moments = FloatMoments;
}
