//! The answers of aggregates as values of a column.

use super::extreme::Extreme;
use crate::key::ByteKey;
use crate::row::{Number, OutputValue, TopValue, key};
use crate::sketch::{Bucket, Estimate, TopRow};

/// What the values of a column are. Any may also be
/// [`OutputValue::Null`](crate::row::OutputValue::Null).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ColumnKind {
    /// A number, text or truth value.
    Plain,
    /// [`OutputValue::Estimate`](crate::row::OutputValue::Estimate).
    Estimate,
    /// [`OutputValue::Top`](crate::row::OutputValue::Top).
    Top,
}

/// What an aggregate answers, as the values of a column.
pub(super) trait Answer {
    /// What the values are.
    const KIND: ColumnKind;

    fn value(self) -> OutputValue;
}

impl Answer for u64 {
    const KIND: ColumnKind = ColumnKind::Plain;

    fn value(self) -> OutputValue {
        OutputValue::Integer(i128::from(self))
    }
}

impl Answer for f64 {
    const KIND: ColumnKind = ColumnKind::Plain;

    fn value(self) -> OutputValue {
        OutputValue::Float(self)
    }
}

impl Answer for Number {
    const KIND: ColumnKind = ColumnKind::Plain;

    fn value(self) -> OutputValue {
        self.into()
    }
}

impl Answer for Extreme {
    const KIND: ColumnKind = ColumnKind::Plain;

    fn value(self) -> OutputValue {
        self.number().map_or_else(key::decode, OutputValue::from)
    }
}

/// A key.
impl Answer for ByteKey {
    const KIND: ColumnKind = ColumnKind::Plain;

    fn value(self) -> OutputValue {
        key::decode(&self)
    }
}

/// A key.
impl Answer for Box<[u8]> {
    const KIND: ColumnKind = ColumnKind::Plain;

    fn value(self) -> OutputValue {
        key::decode(&self)
    }
}

impl Answer for Estimate<f64> {
    const KIND: ColumnKind = ColumnKind::Estimate;

    fn value(self) -> OutputValue {
        let [value, lower, upper] = [self.value, self.lower, self.upper].map(Number::Float);
        OutputValue::Estimate { value, lower, upper }
    }
}

impl Answer for Estimate<u64> {
    const KIND: ColumnKind = ColumnKind::Estimate;

    fn value(self) -> OutputValue {
        let [value, lower, upper] =
            [self.value, self.lower, self.upper].map(|count| Number::Int(i128::from(count)));
        OutputValue::Estimate { value, lower, upper }
    }
}

impl Answer for Vec<TopRow<ByteKey>> {
    const KIND: ColumnKind = ColumnKind::Top;

    fn value(self) -> OutputValue {
        let row = |row: TopRow<ByteKey>| TopValue {
            key: key::decode(&row.key),
            count: row.count,
            lower: row.lower,
            upper: row.upper,
            guaranteed: row.guaranteed,
        };
        OutputValue::Top(self.into_iter().map(row).collect())
    }
}

impl Answer for Vec<Bucket> {
    const KIND: ColumnKind = ColumnKind::Top;

    fn value(self) -> OutputValue {
        let row = |bucket: Bucket| {
            let (key, count) = (OutputValue::Text(range_of(&bucket)), bucket.count);
            TopValue { key, count, lower: count, upper: count, guaranteed: true }
        };
        OutputValue::Top(self.into_iter().map(row).collect())
    }
}

/// Returns the name of a bucket, in the form of those of a histogram with given bounds.
fn range_of(Bucket { lower, upper, .. }: &Bucket) -> String {
    let [low, high] = [*lower, *upper].map(Number::of_float);
    match (lower.is_finite(), upper.is_finite()) {
        (true, true) if lower == upper => low.to_string(),
        (true, true) => format!("{low} to {high}"),
        (true, false) => format!(">= {low}"),
        (false, _) => format!("<= {high}"),
    }
}

/// Returns the rows of a top-k whose keys are tuples.
pub(super) fn top_of_tuples(rows: Vec<TopRow<ByteKey>>) -> OutputValue {
    let keys: Vec<OutputValue> =
        rows.iter().map(|row| OutputValue::List(key::decode_parts(&row.key))).collect();
    match rows.value() {
        OutputValue::Top(mut rows) => {
            rows.iter_mut().zip(keys).for_each(|(row, key)| row.key = key);
            OutputValue::Top(rows)
        }
        other => other,
    }
}

impl<A: Answer> Answer for Option<A> {
    const KIND: ColumnKind = A::KIND;

    fn value(self) -> OutputValue {
        self.map_or(OutputValue::Null, A::value)
    }
}
