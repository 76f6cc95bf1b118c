//! Evaluation of numbers: quickly in 64 bits, and exactly in 128 where that does not do.

use super::arithmetic::{Quick, exact, float, quick_floats, quick_integers};
use super::tree::{Case, Extreme, Num, Reading, Step};
use super::why::{Why, WhyKind};
use crate::query::expression::Op;
use crate::row::{Number, Row};

type Exact = Result<Option<Number>, Why>;

impl<T> Case<T> {
    /// Returns the value of the first arm whose condition is true.
    #[inline]
    pub(super) fn chosen(&self, row: &Row) -> Result<&T, Why> {
        for (condition, value) in &self.arms {
            if condition.eval(row)? == Some(true) {
                return Ok(value);
            }
        }
        Ok(&self.otherwise)
    }
}

impl Num {
    /// Returns the number; `None` for null.
    #[inline]
    pub(super) fn eval(&self, row: &Row) -> Exact {
        self.quick(row).exact().or_else(|_| self.exact(row))
    }

    /// Returns the number if it is easily computed.
    pub(super) fn quick(&self, row: &Row) -> Quick {
        match self {
            Num::Field(Reading { slot, .. }) | Num::Computed(slot) => quick_field(row, *slot),
            Num::ByConst(op, left, constant, _) => {
                let left = match &**left {
                    Num::Field(Reading { slot, .. }) => quick_field(row, *slot),
                    left => left.quick(row),
                };
                match left {
                    Quick::Int(left) => quick_integers(*op, left, *constant),
                    Quick::Float(left) => quick_floats(*op, left, *constant as f64),
                    other => other,
                }
            }
            Num::Arithmetic(op, operands, _) => {
                match (operands.0.quick(row), operands.1.quick(row)) {
                    (Quick::Int(a), Quick::Int(b)) => quick_integers(*op, a, b),
                    (Quick::Again, _) | (_, Quick::Again) => Quick::Again,
                    (Quick::Null, _) | (_, Quick::Null) => Quick::Null,
                    (Quick::Float(a), Quick::Float(b)) => quick_floats(*op, a, b),
                    (Quick::Float(a), Quick::Int(b)) => quick_floats(*op, a, b as f64),
                    (Quick::Int(a), Quick::Float(b)) => quick_floats(*op, a as f64, b),
                }
            }
            Num::Case(case) => match case.chosen(row) {
                Ok(value) => value.quick(row),
                Err(_) => Quick::Again,
            },
            Num::Const(number) => Some(*number).into(),
            Num::Null => Quick::Null,
            _ => Quick::Again,
        }
    }

    /// Returns the number, with integers of up to 128 bits.
    pub(super) fn exact(&self, row: &Row) -> Exact {
        match self {
            Num::Null => Ok(None),
            Num::Const(number) => Ok(Some(*number)),
            Num::Field(reading) => reading.number(row),
            Num::Computed(slot) => Ok(computed(row, *slot)),
            Num::ByConst(op, left, constant, step) => {
                let right = Number::Int(i128::from(*constant));
                step.compute(*op, (left.exact(row)?, Some(right)))
            }
            Num::Arithmetic(op, operands, step) => {
                step.compute(*op, (operands.0.exact(row)?, operands.1.exact(row)?))
            }
            Num::Case(case) => case.chosen(row)?.exact(row),
            Num::Coalesce(parts) => {
                for part in parts {
                    if let Some(number) = part.exact(row)? {
                        return Ok(Some(number));
                    }
                }
                Ok(None)
            }
            Num::Extreme(extreme, parts) => {
                extreme.of(parts.iter().map(|part| part.exact(row)), Number::cmp)
            }
            other => other.of_other_type(row),
        }
    }

    /// Returns the result of a function.
    fn of_other_type(&self, row: &Row) -> Exact {
        match self {
            Num::OfNumber(function, of, place) => match of.eval(row)? {
                Some(number) => function(number).map_err(|kind| kind.at(*place)),
                None => Ok(None),
            },
            Num::OfNumbers(function, of, place) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(a), Some(b)) => function(a, b).map_err(|kind| kind.at(*place)),
                _ => Ok(None),
            },
            Num::Duration(reading) => reading.duration(row),
            Num::Bucket(of, place) => bucket(of, row, *place),
            Num::OfText(function, of, place) => match of.eval(row)? {
                Some(text) => function(&text).map_err(|kind| kind.at(*place)),
                None => Ok(None),
            },
            Num::Position(of) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(part), Some(text)) => Ok(Some(int(position(&part, &text)))),
                _ => Ok(None),
            },
            Num::OfTruth(of) => Ok(of.eval(row)?.map(|truth| int(i64::from(truth)))),
            Num::Epoch(of, unit) => Ok(of.eval(row)?.map(|millis| match millis % unit {
                0 => int(millis / unit),
                _ => Number::Float(millis as f64 / *unit as f64),
            })),
            Num::Part(part, of, zone) => {
                Ok(of.eval(row)?.and_then(|millis| part.of(millis, zone)).map(int))
            }
            Num::Difference(of, place) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(a), Some(b)) => match a.checked_sub(b) {
                    Some(millis) => Ok(Some(int(millis))),
                    None => Err(WhyKind::TimeOutOfRange.at(*place)),
                },
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }
}

#[inline(always)]
fn quick_field(row: &Row, slot: usize) -> Quick {
    row.integer(slot).map_or(Quick::Again, Quick::Int)
}

fn int(integer: i64) -> Number {
    Number::Int(i128::from(integer))
}

/// Returns a number that was computed before.
pub(super) fn computed(row: &Row, slot: usize) -> Option<Number> {
    crate::row::number::number_of(row.value(slot)).ok().flatten()
}

impl Step {
    fn compute(&self, op: Op, operands: (Option<Number>, Option<Number>)) -> Exact {
        let (Some(a), Some(b)) = operands else { return Ok(None) };
        let result = exact(op, a, b).map_err(|kind| kind.at(self.place))?;
        if result.is_none() {
            self.shared.count_division_by_zero();
        }
        Ok(result)
    }
}

impl Extreme {
    /// Returns the extreme of values of which some are null.
    pub(super) fn of<T>(
        self,
        values: impl Iterator<Item = Result<Option<T>, Why>>,
        compare: impl Fn(&T, &T) -> std::cmp::Ordering,
    ) -> Result<Option<T>, Why> {
        let mut extreme = None;
        for value in values {
            let Some(value) = value? else { continue };
            extreme = match extreme {
                None => Some(value),
                Some(known) => {
                    let order = compare(&value, &known);
                    let replaces = match self {
                        Extreme::Greatest => order.is_gt(),
                        Extreme::Least => order.is_lt(),
                    };
                    Some(if replaces { value } else { known })
                }
            };
        }
        Ok(extreme)
    }
}

/// The place of a text in another, in characters from 1; 0 if it is not there.
fn position(part: &str, text: &str) -> i64 {
    match text.find(part) {
        Some(start) => text.get(..start).map_or(0, |before| before.chars().count() as i64 + 1),
        None => 0,
    }
}

/// `width_bucket(v, low, high, n)`: 0 below `low`, from 1 to n, and n + 1 from `high` on.
fn bucket(of: &[Num; 4], row: &Row, place: u16) -> Exact {
    let [value, low, high, count] = of;
    let values = (value.eval(row)?, low.eval(row)?, high.eval(row)?, count.eval(row)?);
    let (Some(value), Some(low), Some(high), Some(count)) = values else { return Ok(None) };
    let (Number::Int(buckets), true) = (whole(count), low < high) else { return Ok(None) };
    if buckets < 1 {
        return Ok(None);
    }
    if value < low {
        return Ok(Some(int(0)));
    }
    if value >= high {
        return Ok(Some(Number::Int(buckets.saturating_add(1))));
    }
    let exactly = match (value, low, high) {
        (Number::Int(value), Number::Int(low), Number::Int(high)) => value
            .checked_sub(low)
            .and_then(|above| above.checked_mul(buckets))
            .zip(high.checked_sub(low))
            .map(|(above, width)| above / width + 1),
        _ => None,
    };
    if let Some(bucket) = exactly {
        return Ok(Some(Number::Int(bucket)));
    }
    let (value, low, high) = (value.to_f64(), low.to_f64(), high.to_f64());
    let bucket = ((value - low) / (high - low) * buckets as f64).floor() + 1.0;
    let bucket = float(bucket.min(buckets as f64)).map_err(|kind| kind.at(place))?;
    Ok(bucket.map(whole))
}

/// Returns a float that is an integer as one.
pub(super) fn whole(number: Number) -> Number {
    match number {
        Number::Float(float) => Number::of_float(float),
        integer => integer,
    }
}
