//! What of a row an aggregate is of: every source hands over a record of its own kind, or nothing
//! where the row has none.

use super::extreme::OrderedValue;
use crate::aggregate::{KeptValue, KeyOf, ValueOf, Wide};
use crate::key::ByteKey;
use crate::row::number::PreparedNumber;
use crate::row::{Number, Row};
use std::cmp::Ordering;
use std::fmt;

/// All rows.
#[derive(Clone, Copy)]
pub(crate) struct AllRows;

/// The rows that pass a test, by its index in the plan.
#[derive(Clone, Copy)]
pub(crate) struct TestAt(pub(super) usize);

/// A number of the row, by its index in the plan.
#[derive(Clone, Copy)]
pub(crate) struct NumberAt(pub(super) usize);

/// A number of which only the order counts, which other values have, too.
#[derive(Clone, Copy)]
pub(crate) struct OrderAt(pub(super) usize);

/// A key of the row, by its index in the plan.
#[derive(Clone, Copy)]
pub(crate) struct KeyAt(pub(super) usize);

/// A key of the row, and the value that it is ranked by.
#[derive(Clone, Copy)]
pub(crate) struct RankedKeyAt(pub(super) KeyAt, pub(super) OrderAt);

/// A key of the row, and the number that its sum grows by.
#[derive(Clone, Copy)]
pub(crate) struct WeightedKeyAt(pub(super) KeyAt, pub(super) NumberAt);

/// A key of a row and the value that it is ranked by.
#[derive(Clone, Copy)]
pub(crate) struct RankedKey<'a> {
    key: &'a [u8],
    by: OrderedValue<'a>,
}

/// A key of a row and the number that its sum grows by.
#[derive(Clone, Copy)]
pub(crate) struct WeightedKey<'a> {
    key: &'a [u8],
    weight: Number,
}

impl<'a> WeightedKey<'a> {
    #[cfg(test)]
    pub(super) fn new(key: &'a [u8], weight: u64) -> Self {
        WeightedKey { key, weight: Number::Int(i128::from(weight)) }
    }

    /// Returns the key and its weight, or `None` if the number is no weight.
    #[inline]
    pub(super) fn weighted(&self) -> Option<(&'a [u8], u64)> {
        self.weight.to_weight().map(|weight| (self.key, weight))
    }
}

impl AllRows {
    #[inline]
    pub(super) fn with(self, row: &Row, f: impl FnOnce(&Row)) {
        f(row);
    }
}

impl TestAt {
    #[inline]
    pub(super) fn with(self, row: &Row, f: impl FnOnce(&Row)) {
        if row.passes(self.0) {
            f(row);
        }
    }
}

impl NumberAt {
    #[inline]
    pub(super) fn with(self, row: &Row, f: impl FnOnce(&Number)) {
        if let Some(number) = Option::<Number>::from(*row.number(self.0)) {
            f(&number);
        }
    }

    /// The number, if it is an integer as short as nearly all are.
    #[inline]
    pub(super) fn short(self, row: &Row) -> Option<i64> {
        match row.number(self.0) {
            PreparedNumber::Short(integer) => Some(*integer),
            _ => None,
        }
    }
}

impl OrderAt {
    #[inline]
    pub(super) fn with(self, row: &Row, f: impl FnOnce(&OrderedValue<'_>)) {
        f(&match row.number(self.0) {
            PreparedNumber::Missing => return,
            PreparedNumber::Short(integer) => OrderedValue::Short(*integer),
            PreparedNumber::Other(number) => OrderedValue::Number(*number),
            PreparedNumber::Ordered(key) => OrderedValue::Bytes(row.order(*key)),
        });
    }
}

impl KeyAt {
    #[inline]
    pub(super) fn with(self, row: &Row, f: impl FnOnce(&[u8])) {
        if let Some(key) = row.key(self.0) {
            f(key);
        }
    }
}

impl RankedKeyAt {
    #[inline]
    pub(super) fn with(self, row: &Row, f: impl FnOnce(&RankedKey<'_>)) {
        let RankedKeyAt(key, order) = self;
        key.with(row, |key| order.with(row, |by| f(&RankedKey { key, by: *by })));
    }
}

impl WeightedKeyAt {
    #[inline]
    pub(super) fn with(self, row: &Row, f: impl FnOnce(&WeightedKey<'_>)) {
        let WeightedKeyAt(key, number) = self;
        key.with(row, |key| number.with(row, |weight| f(&WeightedKey { key, weight: *weight })));
    }
}

impl fmt::Display for RankedKeyAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.0, self.1)
    }
}

impl fmt::Display for WeightedKeyAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.0, self.1)
    }
}

/// As the argument of an aggregate in words; nothing of all rows.
macro_rules! displayed {
    ($($source:ident),*) => {$(
        impl fmt::Display for $source {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
displayed!(TestAt, NumberAt, OrderAt, KeyAt);

impl fmt::Display for AllRows {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// A record that is nothing but the number or the key that is aggregated.
#[derive(Clone, Copy)]
pub(crate) struct Itself;

impl KeyOf<[u8]> for Itself {
    type Key = [u8];
    type Borrowed<'r> = &'r [u8];

    #[inline]
    fn key<'r>(&self, key: &'r [u8]) -> &'r [u8] {
        key
    }
}

impl<'a> KeyOf<WeightedKey<'a>> for Itself {
    type Key = [u8];
    type Borrowed<'r>
        = &'r [u8]
    where
        WeightedKey<'a>: 'r;

    #[inline]
    fn key<'r>(&self, record: &'r WeightedKey<'a>) -> &'r [u8] {
        record.key
    }
}

impl<'a> ValueOf<WeightedKey<'a>> for Itself {
    type Value = Number;

    #[inline]
    fn value(&self, record: &WeightedKey<'a>) -> Number {
        record.weight
    }
}

/// The value that a key is ranked by.
#[derive(Clone, Copy)]
pub(crate) struct ItsRank;

impl<'a> ValueOf<RankedKey<'a>> for ItsRank {
    type Value = OrderedValue<'a>;

    #[inline]
    fn value(&self, record: &RankedKey<'a>) -> OrderedValue<'a> {
        record.by
    }
}

/// A key that may be kept as the value of the best record.
#[derive(Clone, Copy)]
pub(crate) struct KeyValue<'a>(&'a [u8]);

impl KeptValue for KeyValue<'_> {
    type Owned = Box<[u8]>;

    fn into_owned(self) -> Box<[u8]> {
        self.0.into()
    }

    #[inline]
    fn order_with(&self, kept: &Box<[u8]>) -> Ordering {
        self.0.cmp(kept)
    }
}

impl<'a> ValueOf<RankedKey<'a>> for Itself {
    type Value = KeyValue<'a>;

    #[inline]
    fn value(&self, record: &RankedKey<'a>) -> KeyValue<'a> {
        KeyValue(record.key)
    }
}

impl ValueOf<[u8]> for Itself {
    type Value = ByteKey;

    #[inline]
    fn value(&self, key: &[u8]) -> ByteKey {
        key.into()
    }
}

impl ValueOf<Number> for Itself {
    type Value = Number;

    #[inline]
    fn value(&self, number: &Number) -> Number {
        *number
    }
}

impl<'a> ValueOf<OrderedValue<'a>> for Itself {
    type Value = OrderedValue<'a>;

    #[inline]
    fn value(&self, value: &OrderedValue<'a>) -> OrderedValue<'a> {
        *value
    }
}
