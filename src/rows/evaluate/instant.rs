//! Evaluation of times, in milliseconds since the epoch.

use super::number::whole;
use super::tree::Instant;
use super::why::{Why, WhyKind};
use crate::row::time_words::read_known;
use crate::row::{Number, Row, TimeFormat, Value};

impl Instant {
    /// Returns the time; `None` for null.
    pub(super) fn eval(&self, row: &Row) -> Result<Option<i64>, Why> {
        match self {
            Instant::Null => Ok(None),
            Instant::Const(millis) => Ok(Some(*millis)),
            Instant::Field(reading, format) => match row.value(reading.slot) {
                value if value.is_missing() => Ok(None),
                value => match format.read(value) {
                    Ok(time) => Ok(Some(time.as_millis())),
                    Err(_) => reading.of_other_kind(row, WhyKind::NotATime).map(|()| None),
                },
            },
            Instant::Computed(slot) => Ok(match row.value(*slot) {
                Value::Text(text) => read_text(text),
                _ => None,
            }),
            Instant::Shift(of, forward, place) => {
                let (Some(time), Some(by)) = (of.0.eval(row)?, of.1.eval(row)?) else {
                    return Ok(None);
                };
                let Number::Int(by) = rounded(by) else { return Ok(None) };
                let time = i128::from(time);
                let moved = if *forward { time.checked_add(by) } else { time.checked_sub(by) };
                in_range(moved, *place).map(Some)
            }
            Instant::Trunc(unit, of, zone) => {
                Ok(of.eval(row)?.and_then(|millis| unit.start(millis, zone)))
            }
            Instant::OfNum(of, place) => match of.eval(row)? {
                Some(seconds) => in_range(millis_of(seconds), *place).map(Some),
                None => Ok(None),
            },
            Instant::OfText(of, place, lenient) => match of.eval(row)? {
                Some(text) => match read_text(&text) {
                    None if !lenient => Err(WhyKind::NotATime.at(*place)),
                    time => Ok(time),
                },
                None => Ok(None),
            },
            Instant::Case(case) => case.chosen(row)?.eval(row),
            Instant::Coalesce(parts) => {
                for part in parts {
                    if let Some(time) = part.eval(row)? {
                        return Ok(Some(time));
                    }
                }
                Ok(None)
            }
            Instant::Extreme(extreme, parts) => {
                extreme.of(parts.iter().map(|part| part.eval(row)), i64::cmp)
            }
        }
    }
}

/// Reads a time that is written as text.
pub(super) fn read_text(text: &str) -> Option<i64> {
    read_known(text.as_bytes())
        .or_else(|| TimeFormat::Auto.read(Value::Text(text)).ok().map(|time| time.as_millis()))
}

fn in_range(millis: Option<i128>, place: u16) -> Result<i64, Why> {
    let millis = millis.and_then(|millis| i64::try_from(millis).ok());
    millis.ok_or_else(|| WhyKind::TimeOutOfRange.at(place))
}

/// Returns seconds as milliseconds, rounded down.
fn millis_of(seconds: Number) -> Option<i128> {
    match whole(seconds) {
        Number::Int(seconds) => seconds.checked_mul(1000),
        Number::Float(seconds) => match Number::of_float((seconds * 1000.0).floor()) {
            Number::Int(millis) => Some(millis),
            Number::Float(_) => None,
        },
    }
}

fn rounded(number: Number) -> Number {
    match number {
        Number::Float(float) => Number::of_float(float.round()),
        integer => integer,
    }
}
