//! The value of an [`Answer`] in a row of the answer.
//!
//! What has no value is null: an operand of another kind, a division by zero, an overflow. There is
//! no record that could be a dead letter.

use super::span::Span;
use crate::query::aggregates::{Answer, Column, Scalar};
use crate::query::expression::{Op, Type};
use crate::row::{Number, OutputValue, TopValue, key};
use crate::window::Window;
use std::cmp::Ordering;

/// A row of the answer, while it is made.
pub(super) struct RowValues<'a> {
    /// The values of the aggregates.
    pub(super) calls: &'a [OutputValue],
    /// `None` in the row `(other)`, and without groups.
    pub(super) key: Option<&'a [u8]>,
    pub(super) group_fields: usize,
    pub(super) columns: &'a [Column],
    pub(super) window: Option<Window>,
}

impl RowValues<'_> {
    /// Returns the value of an expression.
    pub(super) fn value(&self, answer: &Answer) -> OutputValue {
        match answer {
            Answer::Call(index) => self.calls.get(*index).cloned().unwrap_or(OutputValue::Null),
            Answer::Column(index) => match self.columns.get(*index) {
                Some(column) => self.value(&column.answer),
                None => OutputValue::Null,
            },
            Answer::Histogram(buckets) => self.histogram(buckets),
            Answer::Group(index) => self.group(*index),
            Answer::Null => OutputValue::Null,
            Answer::Bool(value) => OutputValue::Bool(*value),
            Answer::Number(number) => (*number).into(),
            Answer::Text(text) => OutputValue::Text(text.to_string()),
            Answer::Not(of) => truth(self.truth(of).map(|value| !value)),
            Answer::IsNull(of) => OutputValue::Bool(self.value(of) == OutputValue::Null),
            Answer::Many(op, parts) => truth(self.many(*op, parts)),
            Answer::In(of, list) => truth(self.is_in(of, list)),
            Answer::Between(parts) => truth(self.is_between(parts)),
            Answer::Case { of, arms, otherwise } => {
                self.case(of.as_deref(), arms, otherwise.as_deref())
            }
            Answer::Cast(to, of) => cast(*to, self.value(of)),
            Answer::Neg(of) => output(span_of(&self.value(of)).and_then(Span::negated)),
            Answer::Binary(op, sides) => self.binary(*op, sides),
            Answer::Scalar(scalar, args) => self.scalar(*scalar, args),
        }
    }

    /// Returns true or false, or `None` for null and what is no truth value.
    pub(super) fn truth(&self, answer: &Answer) -> Option<bool> {
        match self.value(answer) {
            OutputValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    fn histogram(&self, buckets: &[(Box<str>, usize)]) -> OutputValue {
        let row = |(name, index): &(Box<str>, usize)| {
            let count = match self.calls.get(*index) {
                Some(OutputValue::Integer(count)) => u64::try_from(*count).unwrap_or(u64::MAX),
                _ => 0,
            };
            let key = OutputValue::Text(name.to_string());
            TopValue { key, count, lower: count, upper: count, guaranteed: true }
        };
        OutputValue::Top(buckets.iter().map(row).collect())
    }

    fn group(&self, index: usize) -> OutputValue {
        match (self.key, self.group_fields) {
            (None, _) => OutputValue::Other,
            (Some(bytes), 1) => key::decode(bytes),
            (Some(bytes), _) => {
                let mut parts = key::decode_parts(bytes);
                if index < parts.len() { parts.swap_remove(index) } else { OutputValue::Null }
            }
        }
    }

    /// Stops at the first part that decides.
    fn many(&self, op: Op, parts: &[Answer]) -> Option<bool> {
        let decides = op == Op::Or;
        let mut all_known = true;
        for part in parts {
            match self.truth(part) {
                Some(value) if value == decides => return Some(decides),
                Some(_) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(!decides)
    }

    fn is_in(&self, of: &Answer, list: &[Answer]) -> Option<bool> {
        let value = self.value(of);
        let mut all_known = value != OutputValue::Null;
        for item in list {
            match order(&value, &self.value(item)) {
                Some(Ordering::Equal) => return Some(true),
                Some(_) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(false)
    }

    fn is_between(&self, [of, low, high]: &[Answer; 3]) -> Option<bool> {
        let value = self.value(of);
        let low = order(&value, &self.value(low)).map(Ordering::is_ge);
        let high = order(&value, &self.value(high)).map(Ordering::is_le);
        match (low, high) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    fn case(
        &self,
        of: Option<&Answer>,
        arms: &[(Answer, Answer)],
        otherwise: Option<&Answer>,
    ) -> OutputValue {
        let of = of.map(|of| self.value(of));
        let holds = |when: &Answer| match &of {
            Some(of) => order(of, &self.value(when)) == Some(Ordering::Equal),
            None => self.truth(when) == Some(true),
        };
        let arm = arms.iter().find(|(when, _)| holds(when)).map(|(_, then)| then);
        arm.or(otherwise).map_or(OutputValue::Null, |answer| self.value(answer))
    }

    fn binary(&self, op: Op, [left, right]: &[Answer; 2]) -> OutputValue {
        let (left, right) = (self.value(left), self.value(right));
        if op == Op::Distinct {
            let is_null = |value: &OutputValue| *value == OutputValue::Null;
            return match (is_null(&left), is_null(&right)) {
                (true, true) => OutputValue::Bool(false),
                (false, false) => truth(order(&left, &right).map(Ordering::is_ne)),
                _ => OutputValue::Bool(true),
            };
        }
        if let Some(holds) = holds_of(op) {
            return truth(order(&left, &right).map(holds));
        }
        if op == Op::Concat {
            return match (&left, &right) {
                (OutputValue::Null, _) | (_, OutputValue::Null) => OutputValue::Null,
                _ => OutputValue::Text(format!("{left}{right}")),
            };
        }
        match (span_of(&left), span_of(&right)) {
            (Some(left), Some(right)) => output(left.combined(op, right)),
            _ => OutputValue::Null,
        }
    }

    fn scalar(&self, scalar: Scalar, args: &[Answer]) -> OutputValue {
        let value = |index: usize| {
            args.get(index).map_or(OutputValue::Null, |argument| self.value(argument))
        };
        let span = |index: usize| span_of(&value(index));
        match scalar {
            Scalar::Coalesce => {
                let mut values = args.iter().map(|argument| self.value(argument));
                values.find(|value| *value != OutputValue::Null).unwrap_or(OutputValue::Null)
            }
            Scalar::NullIf => {
                let first = value(0);
                match order(&first, &value(1)) {
                    Some(Ordering::Equal) => OutputValue::Null,
                    _ => first,
                }
            }
            Scalar::Greatest | Scalar::Least => {
                let spans = args.iter().filter_map(|argument| span_of(&self.value(argument)));
                output(spans.reduce(|a, b| a.extreme(b, scalar == Scalar::Greatest)))
            }
            Scalar::Rate => output(self.rate(span(0))),
            Scalar::Power => {
                output(span(0).zip(span(1)).and_then(|(base, exponent)| base.power(exponent)))
            }
            Scalar::Round if args.len() == 2 => match span(1).map(|decimals| decimals.value) {
                Some(Number::Int(decimals)) => {
                    let decimals = decimals.clamp(-400, 400) as i32;
                    output(span(0).and_then(|span| span.applied(scalar, decimals)))
                }
                _ => OutputValue::Null,
            },
            _ => output(span(0).and_then(|span| span.applied(scalar, 0))),
        }
    }

    /// Returns a value per second of the window.
    fn rate(&self, value: Option<Span>) -> Option<Span> {
        let window = self.window?;
        let length = window.end().as_millis().checked_sub(window.start().as_millis())?;
        let seconds = match length % 1000 {
            0 => Number::Int(i128::from(length / 1000)),
            _ => Number::Float(length as f64 / 1000.0),
        };
        value?.combined(Op::Div, Span::exact(seconds))
    }
}

fn truth(value: Option<bool>) -> OutputValue {
    value.map_or(OutputValue::Null, OutputValue::Bool)
}

fn output(span: Option<Span>) -> OutputValue {
    span.map_or(OutputValue::Null, Span::output)
}

/// Returns the number that a value is, or that its text spells.
fn span_of(value: &OutputValue) -> Option<Span> {
    Some(match value {
        OutputValue::Integer(integer) => Span::exact(Number::Int(*integer)),
        OutputValue::Float(float) if float.is_finite() => Span::exact(Number::Float(*float)),
        OutputValue::Decimal(text) | OutputValue::Text(text) => {
            Span::exact(Number::parse(text).ok()?)
        }
        OutputValue::Estimate { value, lower, upper } => {
            Span { value: *value, bounds: Some((*lower, *upper)) }
        }
        _ => return None,
    })
}

/// Returns the test of an order that a comparison is.
fn holds_of(op: Op) -> Option<fn(Ordering) -> bool> {
    Some(match op {
        Op::Eq => Ordering::is_eq,
        Op::Ne => Ordering::is_ne,
        Op::Lt => Ordering::is_lt,
        Op::Le => Ordering::is_le,
        Op::Gt => Ordering::is_gt,
        Op::Ge => Ordering::is_ge,
        _ => return None,
    })
}

/// Returns the order of two values; `None` if one is null or their kinds differ. Text beside a
/// number is the number that it spells.
fn order(left: &OutputValue, right: &OutputValue) -> Option<Ordering> {
    use OutputValue::{Bool, Other, Text};
    match (left, right) {
        (Text(a), Text(b)) => Some(a.cmp(b)),
        (Bool(a), Bool(b)) => Some(a.cmp(b)),
        (Other, Text(b)) => Some("(other)".cmp(b)),
        (Text(a), Other) => Some(a.as_str().cmp("(other)")),
        _ => Some(span_of(left)?.value.cmp(&span_of(right)?.value)),
    }
}

fn cast(to: Type, value: OutputValue) -> OutputValue {
    let span = span_of(&value);
    match (to, &value) {
        (_, OutputValue::Null) => OutputValue::Null,
        (Type::Text, _) => OutputValue::Text(value.to_string()),
        (Type::Bool, OutputValue::Bool(_)) => value,
        (Type::Bool, OutputValue::Text(text)) => match text.as_str() {
            "true" => OutputValue::Bool(true),
            "false" => OutputValue::Bool(false),
            _ => OutputValue::Null,
        },
        (Type::Bool, _) => truth(span.map(|span| span.value != Number::Int(0))),
        (Type::Number, _) => output(span),
        (Type::Float, _) => match span {
            Some(Span { value, bounds: None }) => OutputValue::Float(value.to_f64()),
            _ => output(span),
        },
        (Type::Int, OutputValue::Bool(value)) => OutputValue::Integer(i128::from(*value)),
        (Type::Int, _) => {
            let rounded = span.and_then(|span| span.applied(Scalar::Round, 0));
            output(rounded.map(|span| Span { value: Number::of_whole(span.value), ..span }))
        }
        (Type::Time | Type::Duration, _) => OutputValue::Null,
    }
}
