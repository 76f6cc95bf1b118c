//! Arithmetic with bounds: a number, and between which numbers the true one certainly is.
//!
//! Integers are exact in 128 bits. Floats are rounded once for each operation, and a bound that is
//! not exact is moved outwards by one float, so that it still holds. What has no result (division
//! by zero, overflow) is `None`, which a column shows as null.

use crate::query::aggregates::Scalar;
use crate::query::expression::Op;
use crate::row::number::rounded_product;
use crate::row::{Number, OutputValue};

/// A number and its bounds. An exact number has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) value: Number,
    /// The lower and the upper bound; an infinite one means that nothing is known.
    pub(super) bounds: Option<(Number, Number)>,
}

/// Bounds that say nothing.
const NO_BOUNDS: (Number, Number) =
    (Number::Float(f64::NEG_INFINITY), Number::Float(f64::INFINITY));

impl Span {
    pub(super) fn exact(value: Number) -> Self {
        Span { value, bounds: None }
    }

    /// Returns the span as a value of a column.
    pub(super) fn output(self) -> OutputValue {
        match self.bounds {
            None => self.value.into(),
            Some((lower, upper)) => OutputValue::Estimate { value: self.value, lower, upper },
        }
    }

    /// Returns true if the bounds are the number itself: its computation rounds as that of an exact
    /// number does.
    fn is_tight(self) -> bool {
        self.edges() == (self.value, self.value)
    }

    /// Returns the bounds; those of an exact number are the number itself.
    fn edges(self) -> (Number, Number) {
        self.bounds.unwrap_or((self.value, self.value))
    }

    pub(super) fn negated(self) -> Option<Span> {
        let zero = Span::exact(Number::Int(0));
        zero.combined(Op::Sub, self)
    }

    /// Returns the result of an arithmetic operator.
    pub(super) fn combined(self, op: Op, other: Span) -> Option<Span> {
        let value = calculated(op, self.value, other.value)?;
        if self.bounds.is_none() && other.bounds.is_none() {
            return Some(Span::exact(value));
        }
        if self.is_tight() && other.is_tight() {
            return Some(Span { value, bounds: Some((value, value)) });
        }
        let bounds = bounds_of(op, self.edges(), other.edges());
        Some(Span { value, bounds: Some(bounds.unwrap_or(NO_BOUNDS)) })
    }

    /// Returns the result of a function that never falls, which may round by one float.
    fn rising(self, function: impl Fn(Number) -> Option<Number>, is_exact: bool) -> Option<Span> {
        let value = function(self.value)?;
        let Some((lower, upper)) = self.bounds else { return Some(Span::exact(value)) };
        if self.is_tight() {
            return Some(Span { value, bounds: Some((value, value)) });
        }
        let edge = |edge: Number, outwards: fn(f64) -> f64, none: f64| match function(edge) {
            Some(Number::Float(float)) if !is_exact => Number::Float(outwards(outwards(float))),
            Some(number) => number,
            None => Number::Float(none),
        };
        let lower = edge(lower, f64::next_down, f64::NEG_INFINITY);
        let upper = edge(upper, f64::next_up, f64::INFINITY);
        Some(Span { value, bounds: Some((lower, upper)) })
    }

    /// Returns the result of a function of one number. `decimals` is the second argument of
    /// `round`.
    pub(super) fn applied(self, scalar: Scalar, decimals: i32) -> Option<Span> {
        let float =
            |function: fn(f64) -> f64| move |number: Number| finite(function(number.to_f64()));
        let whole = |function: fn(f64) -> f64| {
            move |number: Number| match number {
                Number::Int(_) => Some(number),
                Number::Float(value) => finite(function(value)),
            }
        };
        match scalar {
            Scalar::Ceil => self.rising(whole(f64::ceil), true),
            Scalar::Floor => self.rising(whole(f64::floor), true),
            Scalar::Round => self.rising(|number| rounded(number, decimals), true),
            Scalar::Sign => self.rising(|number| Some(Number::Int(sign(number))), true),
            Scalar::Sqrt => self.rising(float(f64::sqrt), false),
            Scalar::Ln => self.rising(float(f64::ln), false),
            Scalar::Exp => self.rising(float(f64::exp), false),
            Scalar::Abs => self.absolute(),
            _ => None,
        }
    }

    fn absolute(self) -> Option<Span> {
        let absolute = |number: Number| match sign(number) {
            -1 => calculated(Op::Sub, Number::Int(0), number),
            _ => Some(number),
        };
        let value = absolute(self.value)?;
        let Some((lower, upper)) = self.bounds else { return Some(Span::exact(value)) };
        let (low, high) = (absolute(lower)?, absolute(upper)?);
        let least = if sign(lower) * sign(upper) <= 0 { Number::Int(0) } else { low.min(high) };
        Some(Span { value, bounds: Some((least, low.max(high))) })
    }

    /// Returns the power; its bounds are known if it rises with the base.
    pub(super) fn power(self, exponent: Span) -> Option<Span> {
        let by = exponent.value.to_f64();
        let power = |number: Number| finite(number.to_f64().powf(by));
        let is_rising = exponent.bounds.is_none() && by > 0.0 && sign(self.edges().0) >= 0;
        if is_rising {
            return self.rising(power, false);
        }
        let value = power(self.value)?;
        let is_exact = self.bounds.is_none() && exponent.bounds.is_none();
        Some(Span { value, bounds: (!is_exact).then_some(NO_BOUNDS) })
    }

    /// Returns the smaller or the larger of two.
    pub(super) fn extreme(self, other: Span, is_greatest: bool) -> Span {
        let pick = |a: Number, b: Number| if is_greatest { a.max(b) } else { a.min(b) };
        let value = pick(self.value, other.value);
        if self.bounds.is_none() && other.bounds.is_none() {
            return Span::exact(value);
        }
        let ((low, high), (other_low, other_high)) = (self.edges(), other.edges());
        Span { value, bounds: Some((pick(low, other_low), pick(high, other_high))) }
    }
}

/// Returns a float as a number, if it is finite.
fn finite(float: f64) -> Option<Number> {
    // Zero has no sign.
    float.is_finite().then_some(Number::Float(float + 0.0))
}

fn sign(number: Number) -> i128 {
    match number {
        Number::Int(integer) => integer.signum(),
        Number::Float(0.0) => 0,
        Number::Float(float) => float.signum() as i128,
    }
}

/// Returns a number rounded to a number of decimals, half away from zero.
fn rounded(number: Number, decimals: i32) -> Option<Number> {
    match number {
        Number::Int(_) if decimals >= 0 => Some(number),
        _ => {
            let scale = 10f64.powi(decimals);
            let scaled = rounded_product(number.to_f64(), scale);
            // A float this large has no decimals.
            if scaled.is_finite() { finite(scaled / scale) } else { Some(number) }
        }
    }
}

/// Returns the result of an arithmetic operator, or `None` if it is undefined.
pub(super) fn calculated(op: Op, left: Number, right: Number) -> Option<Number> {
    if let (Number::Int(a), Number::Int(b)) = (left, right) {
        let exact = match op {
            Op::Add => a.checked_add(b),
            Op::Sub => a.checked_sub(b),
            Op::Mul => a.checked_mul(b),
            Op::IntDiv => a.checked_div(b),
            Op::Rem => a.checked_rem(b),
            _ => return quotient(a as f64, b as f64),
        };
        return exact.map(Number::Int);
    }
    let (a, b) = (left.to_f64(), right.to_f64());
    match op {
        Op::Add => finite(a + b),
        Op::Sub => finite(a - b),
        Op::Mul => finite(a * b),
        Op::IntDiv => quotient(a, b).map(|number| Number::Float(number.to_f64().trunc())),
        Op::Rem if b != 0.0 => finite(a % b),
        Op::Rem => None,
        _ => quotient(a, b),
    }
}

fn quotient(a: f64, b: f64) -> Option<Number> {
    if b == 0.0 { None } else { finite(a / b) }
}

/// Returns the bounds of the result, or `None` if nothing is known of it.
fn bounds_of(
    op: Op,
    (low, high): (Number, Number),
    (other_low, other_high): (Number, Number),
) -> Option<(Number, Number)> {
    let corners = match op {
        Op::Add => [(low, other_low), (high, other_high)].to_vec(),
        Op::Sub => [(low, other_high), (high, other_low)].to_vec(),
        Op::Div | Op::IntDiv if sign(other_low) * sign(other_high) <= 0 => return None,
        Op::Mul | Op::Div | Op::IntDiv => {
            [low, high].iter().flat_map(|a| [(*a, other_low), (*a, other_high)]).collect()
        }
        // A remainder jumps.
        _ => return None,
    };
    let mut bounds: Option<(Number, Number)> = None;
    for (a, b) in corners {
        let (down, up) = enclosed(op, a, b)?;
        let (least, most) = bounds.unwrap_or((down, up));
        bounds = Some((least.min(down), most.max(up)));
    }
    bounds
}

/// Returns numbers between which the exact result of two numbers is.
fn enclosed(op: Op, left: Number, right: Number) -> Option<(Number, Number)> {
    let result = match calculated(op, left, right) {
        Some(number) => number,
        None => {
            // One of them may be infinite.
            let (a, b) = (left.to_f64(), right.to_f64());
            let float = match op {
                Op::Add => a + b,
                Op::Sub => a - b,
                Op::Mul => a * b,
                _ => a / b,
            };
            return (!float.is_nan()).then_some((
                Number::Float(if float > 0.0 { f64::MAX } else { f64::NEG_INFINITY }),
                Number::Float(if float > 0.0 { f64::INFINITY } else { f64::MIN }),
            ));
        }
    };
    let Number::Float(float) = result else { return Some((result, result)) };
    if op == Op::IntDiv {
        return Some((Number::Float(float - 1.0), Number::Float(float + 1.0)));
    }
    if is_exact(op, (left, right), float) {
        return Some((result, result));
    }
    // Operands that are wide integers are rounded, too.
    let down = float.next_down().next_down();
    let up = float.next_up().next_up();
    Some((Number::Float(down), Number::Float(up)))
}

/// Returns true if the float is the exact result.
fn is_exact(op: Op, (left, right): (Number, Number), result: f64) -> bool {
    let (a, b) = (left.to_f64(), right.to_f64());
    if Number::of_float(a) != left.narrowed() || Number::of_float(b) != right.narrowed() {
        return false;
    }
    match op {
        Op::Add | Op::Sub => {
            let b = if op == Op::Sub { -b } else { b };
            let part = result - a;
            (a - (result - part)) + (b - part) == 0.0
        }
        Op::Mul => a.mul_add(b, -result) == 0.0 && (result == 0.0 || result.is_normal()),
        Op::Div => result.mul_add(b, -a) == 0.0 && (result == 0.0 || result.is_normal()),
        _ => false,
    }
}
