//! Values in the text of a pipeline, and their comparison with values of records.
//!
//! - **A number** is compared with numbers and with text that spells a number, as numbers and
//!   exactly.
//! - **Text that spells a time** in a known format (a date, RFC 3339 and similar forms, the time of
//!   an access log) is compared as a time with text that spells one. Offsets count, and text
//!   without an offset is UTC. If the field is the pipeline's event time, the value is compared as
//!   a time, whatever its form, and the literal may be in the pipeline's own time format.
//! - **Other text** is compared with text as written, by code point. With a JSON number it is
//!   compared as a number if it spells one, so the form of the number does not matter.
//! - **`true` and `false`** are compared with booleans, and with text of an untyped source that
//!   spells one.
//!
//! A missing value makes every comparison false. With a value of another kind `!=` is true and
//! every other comparison is false.

use crate::row::Number;
use crate::row::TimeFormat;
use crate::row::Value;
use crate::row::number::number_of;
use crate::row::time_words::read_known;
use crate::time::Timestamp;
use std::cmp::Ordering;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Returns true if the operator holds for two values in this order.
    #[inline]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Operator::Equal => order.is_eq(),
            Operator::Unequal => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
        }
    }

    /// Returns the operator for the operands in reverse.
    pub(crate) fn flipped(self) -> Operator {
        match self {
            Operator::Less => Operator::Greater,
            Operator::LessOrEqual => Operator::GreaterOrEqual,
            Operator::Greater => Operator::Less,
            Operator::GreaterOrEqual => Operator::LessOrEqual,
            equality => equality,
        }
    }

    /// Returns true if the operator depends on which of two values is smaller.
    pub(crate) fn orders(self) -> bool {
        !matches!(self, Operator::Equal | Operator::Unequal)
    }
}

/// The value with which a field is compared.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Literal {
    Number(Number),
    Bool(bool),
    Text(TextLiteral),
}

/// Text in quotes, with the number and the time that it spells.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct TextLiteral {
    pub(crate) text: String,
    number: Option<Number>,
    /// The milliseconds of the time, if the text is a time in a known format.
    time: Option<i64>,
    /// The format of the event time and the time of the literal, if the field is the event time.
    event_time: Option<(TimeFormat, Timestamp)>,
}

impl Literal {
    /// Returns whether `value operator literal` holds; `None`, which is null, if the value is
    /// missing or cannot be compared with the literal.
    #[inline]
    pub(crate) fn compares(&self, operator: Operator, value: Value<'_>) -> Option<bool> {
        if value.is_missing() {
            return None;
        }
        let order = match self {
            Literal::Number(number) => number_of(value).ok()??.cmp(number),
            Literal::Text(text) => return text.compares(operator, value),
            Literal::Bool(literal) => bool_of(value)?.cmp(literal),
        };
        Some(operator.holds(order))
    }
}

impl TextLiteral {
    pub(crate) fn new(text: &str) -> Self {
        TextLiteral {
            text: text.into(),
            number: Number::parse(text).ok(),
            time: read_known(text.as_bytes()),
            event_time: None,
        }
    }

    /// Prepares the comparison with the event time, which has this format. Returns false if the
    /// literal is not a time.
    pub(crate) fn compare_as_event_time(&mut self, format: &TimeFormat) -> bool {
        // A few digits mean a year or a month rather than seconds of 1970.
        let too_short = self.number.is_some()
            && *format == TimeFormat::Auto
            && self.text.trim_ascii().len() < 8;
        let own = if too_short { None } else { format.read(Value::Text(&self.text)).ok() };
        self.event_time =
            own.or(self.time.map(Timestamp::from_millis)).map(|time| (format.clone(), time));
        self.event_time.is_some()
    }

    /// As [`Literal::compares`]. Everything but null is unequal to a text that it cannot be compared
    /// with.
    pub(crate) fn compares(&self, operator: Operator, value: Value<'_>) -> Option<bool> {
        match self.order(value) {
            _ if value.is_missing() => None,
            Some(order) => Some(operator.holds(order)),
            None if operator.orders() => None,
            None => Some(operator == Operator::Unequal),
        }
    }

    /// Returns true if only text that is spelled so is equal: the text is not a time.
    pub(crate) fn is_spelled_once(&self) -> bool {
        self.time.is_none() && self.event_time.is_none()
    }

    /// Returns the order of a value, which is not missing, and the literal; `None` if their kinds
    /// differ.
    #[inline]
    fn order(&self, value: Value<'_>) -> Option<Ordering> {
        if let Some((format, time)) = &self.event_time {
            return format.read(value).ok().map(|value| value.cmp(time));
        }
        match value {
            Value::Text(text) | Value::Untyped(text) => {
                match self.time.and_then(|time| Some((read_known(text.as_bytes())?, time))) {
                    Some((value, time)) => Some(value.cmp(&time)),
                    None => Some(text.cmp(&self.text)),
                }
            }
            Value::Number(_) | Value::Integer(_) | Value::Float(_) => {
                Some(number_of(value).ok()??.cmp(&self.number?))
            }
            Value::Bool(value) => Some(if value { "true" } else { "false" }.cmp(&self.text)),
            Value::Json(text) => Some(text.cmp(&self.text)),
            Value::Missing => None,
        }
    }
}

fn bool_of(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(value),
        Value::Untyped("true") => Some(true),
        Value::Untyped("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A literal whose comparisons are true or not.
    #[derive(PartialEq, Debug)]
    struct Compared(TextLiteral);

    impl Compared {
        fn compares(&self, operator: Operator, value: Value<'_>) -> bool {
            Literal::Text(self.0.clone()).compares(operator, value) == Some(true)
        }
    }

    fn text(text: &str) -> Compared {
        Compared(TextLiteral::new(text))
    }

    #[test]
    fn s93_times_compare_as_times_whatever_they_are_written_as() {
        let spellings = [
            "2025-10-26",
            "2025-10-26T02:00:00+02:00",
            "26/Oct/2025:00:00:00 +0000",
            "[25/Oct/2025:20:00:00 -0400]",
            "20251026T000000Z",
        ];
        let before = [
            "2025-10-25",
            "2025-10-26T01:59:59.999+02:00",
            "26/Oct/2025:01:00:00 +0200",
            "2025/10/25 23:59:59 UTC",
        ];
        for one in spellings {
            for other in spellings {
                assert!(
                    text(one).compares(Operator::Equal, Value::Text(other)),
                    "{other} == {one}"
                );
                assert!(
                    !text(one).compares(Operator::Less, Value::Untyped(other)),
                    "{other} < {one}"
                );
            }
            for earlier in before {
                assert!(
                    text(one).compares(Operator::Less, Value::Text(earlier)),
                    "{earlier} < {one}"
                );
                assert!(
                    text(earlier).compares(Operator::Greater, Value::Untyped(one)),
                    "{one} > {earlier}"
                );
            }
        }
        assert!(
            text("2025-10-26").compares(Operator::Less, Value::Text("1 November")),
            "text beside a time is compared as text"
        );
        assert!(!text("a").compares(Operator::Equal, Value::Text("2025-10-26")));
    }

    #[test]
    fn the_event_time_compares_as_its_format_says() {
        let bound = |format: &str, literal: &str| {
            let mut literal = TextLiteral::new(literal);
            literal.compare_as_event_time(&format.parse().unwrap()).then_some(Compared(literal))
        };
        let literal = bound("ms", "2025-10-26").unwrap();
        assert!(
            literal.compares(Operator::Equal, Value::Number("1761436800000"))
                && literal.compares(Operator::Less, Value::Text("1761436799999"))
        );
        assert!(
            !literal.compares(Operator::Less, Value::Text("soon"))
                && literal.compares(Operator::Unequal, Value::Text("soon"))
        );
        assert!(
            bound("%d.%m.%Y", "26.10.2025")
                .unwrap()
                .compares(Operator::GreaterOrEqual, Value::Untyped("01.11.2025"))
        );
        assert!(
            bound("%d.%m.%Y", "2025-10-26")
                .unwrap()
                .compares(Operator::Greater, Value::Untyped("01.11.2025"))
        );
        assert!(
            bound("auto", "1761436800")
                .unwrap()
                .compares(Operator::Equal, Value::Text("2025-10-26T00:00:00Z"))
        );
        for none in ["2025", "202510", "26/Okt/2025", "", "soon"] {
            assert_eq!(bound("auto", none), None, "{none}");
        }
    }
}
