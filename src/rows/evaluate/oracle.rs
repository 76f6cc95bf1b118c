//! Typed trees against a slow evaluator of dynamic values.

use super::lowering::Lowering;
use super::names::{Names, each_name};
use super::tests::row_of;
use super::tree::{Num, Text, Truth};
use super::why::Why;
use crate::query::expression::parse;
use crate::query::field::Fields;
use crate::row::null::Nulls;
use crate::row::{Number, Row, Value};
use proptest::prelude::*;

/// An expression of the oracle whose value is a number.
#[derive(Clone, Debug)]
enum N {
    Int(i128),
    Eighths(i64),
    Field(usize),
    Arithmetic(&'static str, Box<(N, N)>),
    Neg(Box<N>),
    Case(Box<(B, N, N)>),
    Coalesce(Box<(N, N)>),
    Greatest(Box<(N, N)>),
    Abs(Box<N>),
    Length(Box<T>),
    ToInt(Box<N>),
}

/// An expression of the oracle whose value is text.
#[derive(Clone, Debug)]
enum T {
    Literal(String),
    Field(usize),
    Concat(Box<(T, T)>),
    Upper(Box<T>),
    Case(Box<(B, T, T)>),
    Substr(Box<T>, i64, i64),
    Split(Box<T>, i64),
    OfNumber(Box<N>),
}

/// A condition of the oracle.
#[derive(Clone, Debug)]
enum B {
    Numbers(&'static str, Box<(N, N)>),
    Texts(&'static str, Box<(T, T)>),
    And(Vec<B>),
    Or(Vec<B>),
    Not(Box<B>),
    NumberIsNull(Box<N>),
    In(Box<N>, Vec<N>),
    Between(Box<(N, N, N)>),
    StartsWith(Box<T>, String),
}

/// A number of the oracle: an integer, or a float.
#[derive(Clone, Copy, PartialEq, Debug)]
enum D {
    Int(i128),
    Float(f64),
}

/// An error of the oracle: the record is a dead letter.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Dead;

type Slow<X> = Result<Option<X>, Dead>;

const NUMBERS: usize = 3;

/// 2^127: floats below are integers of 128 bits.
const INTEGERS_END: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl N {
    fn text(&self) -> String {
        match self {
            N::Int(integer) => format!("({integer})"),
            N::Eighths(eighths) => format!("({:?})", *eighths as f64 / 8.0),
            N::Field(slot) => format!("n{slot}"),
            N::Arithmetic(op, of) => format!("({} {op} {})", of.0.text(), of.1.text()),
            N::Neg(of) => format!("(- {})", of.text()),
            N::Case(of) => {
                format!("case when {} then {} else {} end", of.0.text(), of.1.number(), of.2.text())
            }
            N::Coalesce(of) => format!("coalesce({}, {})", of.0.number(), of.1.text()),
            N::Greatest(of) => format!("greatest({}, {})", of.0.number(), of.1.text()),
            N::Abs(of) => format!("abs({})", of.text()),
            N::Length(of) => format!("length({})", of.text()),
            N::ToInt(of) => format!("cast({} as int)", of.text()),
        }
    }

    /// The text of an expression that is a number, and not a field of any kind.
    fn number(&self) -> String {
        match self {
            N::Field(_) => format!("({} + 0)", self.text()),
            other => other.text(),
        }
    }

    fn value(&self, row: &Row, strict: bool) -> Slow<D> {
        Ok(match self {
            N::Int(integer) => Some(D::Int(*integer)),
            N::Eighths(eighths) => Some(D::Float(*eighths as f64 / 8.0)),
            N::Field(slot) => return field(row.value(*slot), strict),
            N::Arithmetic(op, of) => match (of.0.value(row, strict)?, of.1.value(row, strict)?) {
                (Some(a), Some(b)) => return arithmetic(op, a, b),
                _ => None,
            },
            N::Neg(of) => match of.value(row, strict)? {
                Some(a) => return arithmetic("-", D::Int(0), a),
                None => None,
            },
            N::Case(of) => match of.0.value(row)? {
                Some(true) => return of.1.value(row, strict),
                _ => return of.2.value(row, strict),
            },
            N::Coalesce(of) => match of.0.value(row, strict)? {
                None => return of.1.value(row, strict),
                found => found,
            },
            N::Greatest(of) => match (of.0.value(row, strict)?, of.1.value(row, strict)?) {
                (Some(a), Some(b)) => Some(if order(a, b).is_lt() { b } else { a }),
                (a, b) => a.or(b),
            },
            N::Abs(of) => match of.value(row, strict)? {
                Some(D::Int(integer)) => Some(D::Int(integer.checked_abs().ok_or(Dead)?)),
                Some(D::Float(float)) => Some(D::Float(float.abs())),
                None => None,
            },
            N::Length(of) => {
                of.value(row, strict)?.map(|text| D::Int(text.chars().count() as i128))
            }
            N::ToInt(of) => match of.value(row, strict)? {
                Some(D::Float(float)) => {
                    let whole = float.round_ties_even();
                    match whole.abs() < INTEGERS_END {
                        true => Some(D::Int(whole as i128)),
                        false if strict => return Err(Dead),
                        false => None,
                    }
                }
                integer => integer,
            },
        })
    }
}

fn field(value: Value<'_>, strict: bool) -> Slow<D> {
    let text = match value {
        Value::Missing | Value::Untyped("" | "NA") => return Ok(None),
        Value::Number(text) | Value::Untyped(text) | Value::Text(text) => text.trim(),
        _ => return if strict { Err(Dead) } else { Ok(None) },
    };
    match (text.parse::<i128>(), text.parse::<f64>()) {
        (Ok(integer), _) => Ok(Some(D::Int(integer))),
        (_, Ok(float)) if float.fract() == 0.0 => Ok(Some(D::Int(float as i128))),
        (_, Ok(float)) => Ok(Some(D::Float(float))),
        _ if strict => Err(Dead),
        _ => Ok(None),
    }
}

fn float(number: D) -> f64 {
    match number {
        D::Int(integer) => integer as f64,
        D::Float(float) => float,
    }
}

fn arithmetic(op: &str, a: D, b: D) -> Slow<D> {
    if matches!(op, "/" | "//" | "%") && float(b) == 0.0 {
        return Ok(None);
    }
    if let (D::Int(a), D::Int(b)) = (a, b)
        && op != "/"
    {
        let result = match op {
            "+" => a.checked_add(b),
            "-" => a.checked_sub(b),
            "*" => a.checked_mul(b),
            "//" => a.checked_div(b),
            _ => a.checked_rem(b),
        };
        return result.map(|result| Some(D::Int(result))).ok_or(Dead);
    }
    let (a, b) = (float(a), float(b));
    let result = match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "//" => (a / b).trunc(),
        _ => a % b,
    };
    if result.is_finite() { Ok(Some(D::Float(result + 0.0))) } else { Err(Dead) }
}

/// The order of numbers; integers beside floats exactly, by way of their decimal digits.
fn order(a: D, b: D) -> std::cmp::Ordering {
    match (a, b) {
        (D::Int(a), D::Int(b)) => a.cmp(&b),
        (D::Float(a), D::Float(b)) => a.partial_cmp(&b).unwrap(),
        (D::Int(a), D::Float(b)) if b.abs() < INTEGERS_END => {
            let whole = b.floor();
            a.cmp(&(whole as i128)).then(if whole < b {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Equal
            })
        }
        (D::Int(_), D::Float(b)) => 0.0.partial_cmp(&b).unwrap(),
        (a, b) => order(b, a).reverse(),
    }
}

impl T {
    fn text(&self) -> String {
        match self {
            T::Literal(text) => quoted(text),
            T::Field(slot) => format!("s{slot}"),
            T::Concat(of) => format!("({} || {})", of.0.text(), of.1.text()),
            T::Upper(of) => format!("upper({})", of.text()),
            T::Case(of) => {
                format!("case when {} then {} else {} end", of.0.text(), of.1.made(), of.2.text())
            }
            T::Substr(of, start, length) => format!("substr({}, {start}, {length})", of.text()),
            T::Split(of, part) => format!("split_part({}, '/', {part})", of.text()),
            T::OfNumber(of) => format!("cast({} as text)", of.number()),
        }
    }

    /// The text of an expression that is text, and not a field of any kind.
    fn made(&self) -> String {
        match self {
            T::Field(_) => format!("({} || '')", self.text()),
            other => other.text(),
        }
    }

    fn value(&self, row: &Row, strict: bool) -> Slow<String> {
        Ok(match self {
            T::Literal(text) => Some(text.clone()),
            T::Field(slot) => match row.value(NUMBERS + slot) {
                Value::Text(text) => Some(text.to_owned()),
                _ => None,
            },
            T::Concat(of) => match (of.0.value(row, strict)?, of.1.value(row, strict)?) {
                (Some(a), Some(b)) => Some(a + &b),
                _ => None,
            },
            T::Upper(of) => of.value(row, strict)?.map(|text| text.to_uppercase()),
            T::Case(of) => match of.0.value(row)? {
                Some(true) => return of.1.value(row, strict),
                _ => return of.2.value(row, strict),
            },
            T::Substr(of, start, length) => of.value(row, strict)?.map(|text| {
                let last = start + length;
                let numbered = text.chars().zip(1..);
                numbered.filter(|(_, at)| at >= start && *at < last).map(|(c, _)| c).collect()
            }),
            T::Split(of, part) => of
                .value(row, strict)?
                .map(|text| text.split('/').nth(*part as usize - 1).unwrap_or_default().to_owned()),
            T::OfNumber(of) => of.value(row, strict)?.map(|number| match number {
                D::Int(integer) => integer.to_string(),
                D::Float(float) if float.fract() == 0.0 && float.abs() < INTEGERS_END => {
                    (float as i128).to_string()
                }
                D::Float(float) => format!("{float:?}"),
            }),
        })
    }
}

impl B {
    fn text(&self) -> String {
        let joined = |parts: &[B], word: &str| {
            parts.iter().map(|part| format!("({})", part.text())).collect::<Vec<_>>().join(word)
        };
        match self {
            B::Numbers(op, of) => match (&of.0, &of.1) {
                // A field beside a literal is compared with it as it is.
                (N::Field(_), N::Int(_) | N::Eighths(_))
                | (N::Int(_) | N::Eighths(_), N::Field(_)) => {
                    format!("{} {op} {}", of.0.text(), of.1.text())
                }
                _ => format!("{} {op} {}", of.0.number(), of.1.number()),
            },
            B::Texts(op, of) => format!("{} {op} {}", of.0.made(), of.1.made()),
            B::And(parts) => joined(parts, " and "),
            B::Or(parts) => joined(parts, " or "),
            B::Not(of) => format!("not ({})", of.text()),
            B::NumberIsNull(of) => format!("{} is null", of.number()),
            B::In(of, list) => {
                let list: Vec<String> = list.iter().map(N::number).collect();
                format!("{} in ({})", of.number(), list.join(", "))
            }
            B::Between(of) => {
                format!("{} between {} and {}", of.0.number(), of.1.number(), of.2.number())
            }
            B::StartsWith(of, text) => {
                format!("{} like {}", of.text(), quoted(&format!("{text}%")))
            }
        }
    }

    fn value(&self, row: &Row) -> Slow<bool> {
        let holds = |op: &str, order: std::cmp::Ordering| match op {
            "=" => order.is_eq(),
            "<>" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        };
        let compared = |op: &str, a: &N, b: &N| -> Slow<bool> {
            let (a, b) = (a.value(row, false)?, b.value(row, false)?);
            Ok(a.zip(b).map(|(a, b)| holds(op, order(a, b))))
        };
        match self {
            B::Numbers(op, of) => compared(op, &of.0, &of.1),
            B::Texts(op, of) => {
                let (a, b) = (of.0.value(row, false)?, of.1.value(row, false)?);
                Ok(a.zip(b).map(|(a, b)| holds(op, a.cmp(&b))))
            }
            B::And(parts) => decided(parts.iter().map(|part| part.value(row)), false),
            B::Or(parts) => decided(parts.iter().map(|part| part.value(row)), true),
            B::Not(of) => Ok(of.value(row)?.map(|truth| !truth)),
            B::NumberIsNull(of) => Ok(Some(of.value(row, false)?.is_none())),
            B::In(of, list) => decided(list.iter().map(|item| compared("=", of, item)), true),
            B::Between(of) => {
                let bounds = [(">=", &of.1), ("<=", &of.2)];
                decided(bounds.into_iter().map(|(op, bound)| compared(op, &of.0, bound)), false)
            }
            B::StartsWith(of, text) => {
                Ok(of.value(row, false)?.map(|of| of.starts_with(text.as_str())))
            }
        }
    }
}

/// The first part that is `decisive` decides; otherwise null does.
fn decided(parts: impl Iterator<Item = Slow<bool>>, decisive: bool) -> Slow<bool> {
    let mut result = Some(!decisive);
    for part in parts {
        match part? {
            Some(truth) if truth == decisive => return Ok(Some(decisive)),
            Some(_) => {}
            None => result = None,
        }
    }
    Ok(result)
}

fn number() -> BoxedStrategy<N> {
    number_of_depth(3)
}

fn number_of_depth(depth: u32) -> BoxedStrategy<N> {
    let leaf = prop_oneof![
        (-3i128..4).prop_map(N::Int),
        any::<i64>().prop_map(|integer| N::Int(integer.into())),
        any::<i128>().prop_map(|integer| N::Int(integer / 4)),
        (-40i64..40).prop_map(N::Eighths),
        (0..NUMBERS).prop_map(N::Field),
        (0..NUMBERS).prop_map(N::Field),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = move || number_of_depth(depth - 1);
    let op = prop::sample::select(vec!["+", "-", "*", "/", "//", "%"]);
    let pair = move || (inner(), inner()).prop_map(Box::new);
    prop_oneof![
        2 => leaf,
        4 => (op, pair()).prop_map(|(op, of)| N::Arithmetic(op, of)),
        1 => inner().prop_map(|of| N::Neg(Box::new(of))),
        1 => (truth_of_depth(depth - 1), inner(), inner()).prop_map(|of| N::Case(Box::new(of))),
        1 => pair().prop_map(N::Coalesce),
        1 => pair().prop_map(N::Greatest),
        1 => inner().prop_map(|of| N::Abs(Box::new(of))),
        1 => inner().prop_map(|of| N::ToInt(Box::new(of))),
        1 => text_of_depth(depth - 1).prop_map(|of| N::Length(Box::new(of))),
    ]
    .boxed()
}

fn text_of_depth(depth: u32) -> BoxedStrategy<T> {
    let leaf = prop_oneof![
        "[ab/é']{0,4}".prop_map(T::Literal),
        (0usize..2).prop_map(T::Field),
        (0usize..2).prop_map(T::Field),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = move || text_of_depth(depth - 1);
    prop_oneof![
        2 => leaf,
        1 => (inner(), inner()).prop_map(|of| T::Concat(Box::new(of))),
        1 => inner().prop_map(|of| T::Upper(Box::new(of))),
        1 => (truth_of_depth(depth - 1), inner(), inner()).prop_map(|of| T::Case(Box::new(of))),
        1 => (inner(), 1i64..4, 0i64..4).prop_map(|(of, start, length)| T::Substr(Box::new(of), start, length)),
        1 => (inner(), 1i64..4).prop_map(|(of, part)| T::Split(Box::new(of), part)),
        1 => number_of_depth(depth - 1).prop_map(|of| T::OfNumber(Box::new(of))),
    ]
    .boxed()
}

fn truth_of_depth(depth: u32) -> BoxedStrategy<B> {
    let operator = || prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let numbers = move || number_of_depth(depth.saturating_sub(1).min(1));
    let texts = move || text_of_depth(depth.saturating_sub(1).min(1));
    let leaf = prop_oneof![
        4 => (operator(), numbers(), numbers()).prop_map(|(op, a, b)| B::Numbers(op, Box::new((a, b)))),
        2 => (operator(), texts(), texts()).prop_map(|(op, a, b)| B::Texts(op, Box::new((a, b)))),
        1 => numbers().prop_map(|of| B::NumberIsNull(Box::new(of))),
        1 => (numbers(), prop::collection::vec(numbers(), 1..4)).prop_map(|(of, list)| B::In(Box::new(of), list)),
        1 => (numbers(), numbers(), numbers()).prop_map(|of| B::Between(Box::new(of))),
        1 => (texts(), "[ab/]{0,2}").prop_map(|(of, text)| B::StartsWith(Box::new(of), text)),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = move || truth_of_depth(depth - 1);
    prop_oneof![
        2 => leaf,
        1 => prop::collection::vec(inner(), 2..4).prop_map(B::And),
        1 => prop::collection::vec(inner(), 2..4).prop_map(B::Or),
        1 => inner().prop_map(|of| B::Not(Box::new(of))),
    ]
    .boxed()
}

/// A value of a field, with how it is written: as nothing, a number, untyped text, or text.
fn written() -> impl Strategy<Value = (u8, String)> {
    prop_oneof![
        Just((0, String::new())),
        (-3i64..4).prop_map(|integer| (1, integer.to_string())),
        any::<i64>().prop_map(|integer| (1, integer.to_string())),
        any::<i128>().prop_map(|integer| (2, integer.to_string())),
        (-40i64..40).prop_map(|eighths| (2, format!("{:?}", eighths as f64 / 8.0))),
        Just((3, "abc".to_owned())),
        Just((2, "NA".to_owned())),
        Just((3, " 7 ".to_owned())),
    ]
}

fn rows() -> impl Strategy<Value = Row> {
    let texts = prop_oneof![Just(None), "[abAB/é']{0,6}".prop_map(Some)];
    let both = (prop::collection::vec(written(), NUMBERS), prop::collection::vec(texts, 2));
    both.prop_map(|(numbers, texts)| {
        let number = |(kind, text): &'_ (u8, String)| -> Value<'_> {
            let text: &str = text;
            // The text lives as long as the test.
            let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
            match kind {
                0 => Value::Missing,
                1 => Value::Number(text),
                2 => Value::Untyped(text),
                _ => Value::Text(text),
            }
        };
        let text = |text: &Option<String>| match text {
            None => Value::Missing,
            Some(text) => Value::Text(Box::leak(text.clone().into_boxed_str())),
        };
        let values: Vec<Value<'_>> =
            numbers.iter().map(number).chain(texts.iter().map(text)).collect();
        row_of(&values)
    })
}

/// Lowers an expression over the fields n0, n1, n2, s0 and s1.
fn lowered<X>(
    text: &str,
    lower: fn(&mut Lowering<'_>, crate::query::expression::Id) -> Result<X, crate::error::Error>,
) -> X {
    let (ast, id) = parse(text).unwrap_or_else(|error| panic!("{error}"));
    let mut fields = Fields::default();
    for name in ["n0", "n1", "n2", "s0", "s1"] {
        fields.slot(name);
    }
    each_name(&ast, id, &mut |name| assert!(fields.find(name).is_some()));
    let mut names = Names::new(fields, None, Nulls::Usual);
    lower(&mut Lowering::new(&ast, &mut names), id).unwrap_or_else(|error| panic!("{error}"))
}

fn same_number(number: Result<Option<Number>, Why>) -> Slow<D> {
    let number = number.map_err(|_| Dead)?;
    Ok(number.map(|number| match number {
        Number::Int(integer) => D::Int(integer),
        Number::Float(float) => D::Float(float),
    }))
}

#[test]
fn the_two_zeros_of_floats_are_equal() {
    for text in ["-0.0 in (0.0)", "-(0.0) = 0.0", "0.0 = -0.0", "-0.0 = 0", "not -0.0 < 0.0"] {
        let tree: Truth = lowered(text, |lowering, id| lowering.truth(id));
        assert!(matches!(tree.eval(&Row::new(5)), Ok(Some(true))), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_agree_with_a_slow_evaluator(expression in number(), row in rows()) {
        let text = expression.text();
        let tree: Num = lowered(&text, |lowering, id| lowering.num(id));
        let expected = expression.value(&row, true);
        prop_assert_eq!(same_number(tree.eval(&row)), expected, "{}", text);
        prop_assert_eq!(same_number(tree.exact(&row)), expected, "{}", text);
        if let Ok(quick) = tree.quick(&row).exact() {
            prop_assert_eq!(same_number(Ok(quick)), expected, "{}", text);
        }
    }

    #[test]
    fn texts_agree_with_a_slow_evaluator(expression in text_of_depth(3), row in rows()) {
        let text = expression.text();
        let tree: Text = lowered(&text, |lowering, id| lowering.text(id));
        let found = tree.eval(&row).map(|found| found.map(String::from)).map_err(|_| Dead);
        prop_assert_eq!(found, expression.value(&row, true), "{}", text);
    }

    #[test]
    fn truths_agree_with_a_slow_evaluator(expression in truth_of_depth(3), row in rows()) {
        let text = expression.text();
        let tree: Truth = lowered(&text, |lowering, id| lowering.truth(id));
        prop_assert_eq!(tree.eval(&row).map_err(|_| Dead), expression.value(&row), "{}", text);
    }
}
