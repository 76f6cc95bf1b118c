//! What is kept of the numbers that others widen to.

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
