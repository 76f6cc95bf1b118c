//! Arithmetic of numbers: integers exact in 128 bits, floats as IEEE but always finite.

use super::why::WhyKind;
use crate::query::expression::Op;
use crate::row::Number;

/// The common case of a number in 16 bytes, which are returned in registers. Whatever does not fit,
/// or cannot be computed, is computed once more by the exact path.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Quick {
    Null,
    Int(i64),
    Float(f64),
    Again,
}

impl Quick {
    /// Returns the number as the exact path has it; `Err` if the exact path has to compute it.
    #[inline]
    pub(super) fn exact(self) -> Result<Option<Number>, Again> {
        match self {
            Quick::Null => Ok(None),
            Quick::Int(integer) => Ok(Some(Number::Int(i128::from(integer)))),
            Quick::Float(float) => Ok(Some(Number::Float(float))),
            Quick::Again => Err(Again),
        }
    }
}

impl From<Option<Number>> for Quick {
    #[inline]
    fn from(number: Option<Number>) -> Self {
        match number {
            None => Quick::Null,
            Some(Number::Int(integer)) => i64::try_from(integer).map_or(Quick::Again, Quick::Int),
            Some(Number::Float(float)) => Quick::Float(float),
        }
    }
}

/// The exact path has to compute a number.
pub(super) struct Again;

/// Computes with two short integers. A division by zero is left to the exact path, which counts it.
#[inline]
pub(super) fn quick_integers(op: Op, a: i64, b: i64) -> Quick {
    let short = (a | b) >> 32 == 0;
    let result = match op {
        Op::Add => a.checked_add(b),
        Op::Sub => a.checked_sub(b),
        Op::Mul => a.checked_mul(b),
        _ if b == 0 => return Quick::Again,
        // A division of 32 bits takes a fraction of one of 64, and most operands fit.
        Op::IntDiv if short => Some(i64::from(a as u32 / b as u32)),
        Op::Rem if short => Some(i64::from(a as u32 % b as u32)),
        Op::IntDiv => a.checked_div(b),
        Op::Rem => a.checked_rem(b),
        _ => return finite(a as f64 / b as f64),
    };
    result.map_or(Quick::Again, Quick::Int)
}

/// Computes with two numbers of which one is a float.
#[inline]
pub(super) fn quick_floats(op: Op, a: f64, b: f64) -> Quick {
    match op {
        Op::Add => finite(a + b),
        Op::Sub => finite(a - b),
        Op::Mul => finite(a * b),
        _ if b == 0.0 => Quick::Again,
        Op::Div => finite(a / b),
        Op::IntDiv => finite((a / b).trunc()),
        _ => finite(a % b),
    }
}

/// A finite float, without a sign if it is zero.
#[inline]
fn finite(float: f64) -> Quick {
    if float.is_finite() { Quick::Float(float + 0.0) } else { Quick::Again }
}

/// The exact result of an operation; `None` for a division by zero.
pub(super) fn exact(op: Op, a: Number, b: Number) -> Result<Option<Number>, WhyKind> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => exact_integers(op, a, b),
        _ => exact_floats(op, a.to_f64(), b.to_f64()),
    }
}

fn exact_integers(op: Op, a: i128, b: i128) -> Result<Option<Number>, WhyKind> {
    let result = match op {
        Op::Add => a.checked_add(b),
        Op::Sub => a.checked_sub(b),
        Op::Mul => a.checked_mul(b),
        _ if b == 0 => return Ok(None),
        Op::IntDiv => a.checked_div(b),
        // What `checked_rem` refuses is the smallest integer by -1, without a rest.
        Op::Rem => Some(a.checked_rem(b).unwrap_or(0)),
        _ => return exact_floats(op, a as f64, b as f64),
    };
    result.map(|result| Some(Number::Int(result))).ok_or(WhyKind::Overflow)
}

fn exact_floats(op: Op, a: f64, b: f64) -> Result<Option<Number>, WhyKind> {
    if b == 0.0 && matches!(op, Op::Div | Op::IntDiv | Op::Rem) {
        return Ok(None);
    }
    match quick_floats(op, a, b) {
        Quick::Float(float) => Ok(Some(Number::Float(float))),
        _ => Err(WhyKind::Infinite),
    }
}

/// Returns a float as a number; null if it is NaN, which means that the function has no value there.
pub(super) fn float(result: f64) -> Result<Option<Number>, WhyKind> {
    match result {
        nan if nan.is_nan() => Ok(None),
        float if float.is_finite() => Ok(Some(Number::Float(float + 0.0))),
        _ => Err(WhyKind::Infinite),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPS: [Op; 6] = [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::IntDiv, Op::Rem];

    #[test]
    fn integers_do_not_wrap() {
        let exact = |op, a, b| super::exact(op, Number::Int(a), Number::Int(b));
        assert_eq!(exact(Op::Add, i128::MAX, 1), Err(WhyKind::Overflow));
        assert_eq!(exact(Op::IntDiv, i128::MIN, -1), Err(WhyKind::Overflow));
        assert_eq!(exact(Op::Rem, i128::MIN, -1), Ok(Some(Number::Int(0))));
        assert_eq!(exact(Op::IntDiv, -7, 2), Ok(Some(Number::Int(-3))));
        assert_eq!(exact(Op::Rem, -7, 2), Ok(Some(Number::Int(-1))));
        assert_eq!(exact(Op::Div, 7, 2), Ok(Some(Number::Float(3.5))));
        assert_eq!(exact(Op::Div, 7, 0), Ok(None));
        assert_eq!(
            super::exact(Op::Mul, Number::Float(1e308), Number::Int(10)),
            Err(WhyKind::Infinite)
        );
        assert_eq!(quick_integers(Op::IntDiv, i64::MIN, -1), Quick::Again);
        assert_eq!(quick_integers(Op::Add, i64::MAX, 1), Quick::Again);
    }

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![-5i64..5, any::<i32>().prop_map(i64::from), any::<i64>()]
    }

    proptest! {
        #[test]
        fn the_quick_path_has_the_exact_result(a in integer(), b in integer(), op in 0usize..6) {
            let (op, wide) = (OPS[op], |i| Number::Int(i128::from(i)));
            if let Ok(quick) = quick_integers(op, a, b).exact() {
                prop_assert_eq!(exact(op, wide(a), wide(b)), Ok(quick));
            }
            if let Ok(quick) = quick_floats(op, a as f64 / 8.0, b as f64).exact() {
                let exact = exact(op, Number::Float(a as f64 / 8.0), Number::Float(b as f64));
                prop_assert_eq!(exact, Ok(quick));
            }
        }
    }
}
