//! Functions of numbers, and functions of values of any kind.

use super::super::arithmetic::{exact, float};
use super::super::lowering::Lowering;
use super::super::names::Kind;
use super::super::number::whole;
use super::super::tree::{Num, OfNumber, OfNumbers, Typed};
use super::super::why::WhyKind;
use super::function::{Call, Function, Gives};
use crate::error::Error;
use crate::query::expression::Op;
use crate::row::Number;
use crate::row::number::rounded_product;

type Result1 = Result<Option<Number>, WhyKind>;

/// Declares functions of one number.
macro_rules! of_one_number {
    ($($names:expr, $help:literal, $function:expr;)*) => {
        [$(Function {
            names: &$names,
            arguments: "x",
            count: (1, 1),
            gives: Gives::Kind(Kind::Number),
            help: $help,
            lower: |lowering, call| of_number(lowering, call, $function),
        },)*]
    };
}

const OF_ONE_NUMBER: [Function; 11] = of_one_number![
    ["abs"], "The number without its sign.", |x| match x {
        Number::Int(integer) => integer.checked_abs().map(int).ok_or(WhyKind::Overflow),
        Number::Float(x) => float(x.abs()),
    };
    ["ceil", "ceiling"], "The least integer that is not below x.", |x| rounded(x, f64::ceil);
    ["floor"], "The largest integer that is not above x.", |x| rounded(x, f64::floor);
    ["trunc"], "x without its fraction.", |x| rounded(x, f64::trunc);
    ["sign"], "-1, 0 or 1.", |x| Ok(int(x.cmp(&Number::Int(0)) as i128));
    ["sqrt"], "The square root; null below zero.", |x| float(x.to_f64().sqrt());
    ["cbrt"], "The cube root.", |x| float(x.to_f64().cbrt());
    ["ln"], "The natural logarithm; null for zero and below.", |x| logarithm(x, f64::ln);
    ["log", "log10"], "The logarithm to base 10; null for zero and below.", |x| {
        logarithm(x, f64::log10)
    };
    ["log2"], "The logarithm to base 2; null for zero and below.", |x| logarithm(x, f64::log2);
    ["exp"], "e to the power of x.", |x| float(x.to_f64().exp());
];

const OTHERS: [Function; 8] = [
    Function {
        names: &["round"],
        arguments: "x [, digits]",
        count: (1, 2),
        gives: Gives::Kind(Kind::Number),
        help: "x rounded to this number of decimals; halves go away from zero.",
        lower: |lowering, call| match call.optional(1) {
            None => of_number(lowering, call, |x| rounded(x, f64::round)),
            Some(_) => of_numbers(lowering, call, round),
        },
    },
    Function {
        names: &["power", "pow"],
        arguments: "x, y",
        count: (2, 2),
        gives: Gives::Kind(Kind::Number),
        help: "x to the power of y, as a float.",
        lower: |lowering, call| {
            of_numbers(lowering, call, |x, y| float(x.to_f64().powf(y.to_f64())))
        },
    },
    Function {
        names: &["mod"],
        arguments: "x, y",
        count: (2, 2),
        gives: Gives::Kind(Kind::Number),
        help: "The rest of a division, with the sign of x; null if y is zero.",
        lower: |lowering, call| of_numbers(lowering, call, |x, y| exact(Op::Rem, x, y)),
    },
    Function {
        names: &["width_bucket"],
        arguments: "x, low, high, n",
        count: (4, 4),
        gives: Gives::Kind(Kind::Number),
        help: "Which of n equal parts of low to high x is in; 0 below, n + 1 from high on.",
        lower: |lowering, call| {
            let mut num = |index| lowering.num(call.arg(index));
            let of = Box::new([num(0)?, num(1)?, num(2)?, num(3)?]);
            Ok(Typed::Num(Num::Bucket(of, lowering.place(call.id))))
        },
    },
    of_any("coalesce", "a, b ...", (1, usize::MAX), "The first value that is not null."),
    Function {
        gives: Gives::Ordered,
        ..of_any("greatest", "a, b ...", (1, usize::MAX), "The largest value that is not null.")
    },
    Function {
        gives: Gives::Ordered,
        ..of_any("least", "a, b ...", (1, usize::MAX), "The smallest value that is not null.")
    },
    Function {
        gives: Gives::First,
        ..of_any("nullif", "a, b", (2, 2), "Null if a = b, and otherwise a.")
    },
];

/// All functions of this file.
pub(super) static FUNCTIONS: &[Function] = &concat();

const fn concat() -> [Function; 19] {
    let [a, b, c, d, e, f, g, h, i, j, k] = OF_ONE_NUMBER;
    let [l, m, n, o, p, q, r, s] = OTHERS;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s]
}

/// A function of values of any kind, which is lowered where its kind is known.
const fn of_any(
    name: &'static str,
    arguments: &'static str,
    count: (usize, usize),
    help: &'static str,
) -> Function {
    let names: &'static [&'static str] = match name.as_bytes() {
        b"coalesce" => &["coalesce"],
        b"greatest" => &["greatest"],
        b"least" => &["least"],
        _ => &["nullif"],
    };
    let gives = Gives::Arguments;
    Function {
        names,
        arguments,
        count,
        gives,
        help,
        lower: |lowering, call| lowering.typed(call.id),
    }
}

fn of_number(
    lowering: &mut Lowering<'_>,
    call: Call<'_>,
    function: OfNumber,
) -> Result<Typed, Error> {
    let of = Box::new(lowering.num(call.arg(0))?);
    Ok(Typed::Num(Num::OfNumber(function, of, lowering.place(call.id))))
}

fn of_numbers(
    lowering: &mut Lowering<'_>,
    call: Call<'_>,
    function: OfNumbers,
) -> Result<Typed, Error> {
    let of = Box::new((lowering.num(call.arg(0))?, lowering.num(call.arg(1))?));
    Ok(Typed::Num(Num::OfNumbers(function, of, lowering.place(call.id))))
}

fn int(integer: i128) -> Option<Number> {
    Some(Number::Int(integer))
}

fn rounded(number: Number, round: fn(f64) -> f64) -> Result1 {
    match number {
        Number::Float(float) => Ok(Some(whole(Number::Float(round(float))))),
        integer => Ok(Some(integer)),
    }
}

fn logarithm(number: Number, of: fn(f64) -> f64) -> Result1 {
    if number > Number::Int(0) { float(of(number.to_f64())) } else { Ok(None) }
}

/// Rounds to digits behind the point, or before it with a minus. Halves are rounded away from zero.
fn round(number: Number, digits: Number) -> Result1 {
    let digits = match digits {
        Number::Int(digits) => digits.clamp(-400, 400) as i32,
        Number::Float(digits) => digits.round().clamp(-400.0, 400.0) as i32,
    };
    match number {
        Number::Int(_) if digits >= 0 => Ok(Some(number)),
        Number::Int(integer) => Ok(int(match 10i128.checked_pow(digits.unsigned_abs()) {
            None => 0,
            Some(unit) => {
                let rest = integer % unit;
                let half = rest.unsigned_abs() >= unit.unsigned_abs() / 2;
                let step = if half { unit * integer.signum() } else { 0 };
                return (integer - rest).checked_add(step).map(int).ok_or(WhyKind::Overflow);
            }
        })),
        Number::Float(x) => {
            let unit = 10f64.powi(digits);
            let scaled = rounded_product(x, unit) / unit;
            // Where the unit is out of range, all digits are there, or none.
            let rounded = if scaled.is_finite() {
                scaled
            } else if digits > 0 {
                x
            } else {
                0.0
            };
            float(rounded)
        }
    }
}
