//! The values that `min` and `max` compare: numbers, and whatever else has an order.

use super::mixed::read_number;
use crate::aggregate::Ranked;
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;
use crate::key::ByteKey;
use crate::row::Number;
use std::cmp::Ordering;

/// A value of a row that has an order. Any number comes before any other value.
#[derive(Clone, Copy)]
pub(crate) enum OrderedValue<'a> {
    /// An integer, as short as nearly all are.
    Short(i64),
    Number(Number),
    /// The bytes that order a value that is no number.
    Bytes(&'a [u8]),
}

/// An [`OrderedValue`] that is kept, in the room of two words.
#[derive(Clone, Debug)]
pub(crate) enum Extreme {
    Short(i64),
    Float(f64),
    Wide(Box<i128>),
    Bytes(Box<ByteKey>),
}

impl Extreme {
    fn of(number: Number) -> Self {
        match number {
            Number::Float(float) => Extreme::Float(float),
            Number::Int(integer) => i64::try_from(integer)
                .map_or_else(|_| Extreme::Wide(Box::new(integer)), Extreme::Short),
        }
    }

    fn value(&self) -> OrderedValue<'_> {
        match self {
            Extreme::Short(integer) => OrderedValue::Short(*integer),
            Extreme::Float(float) => OrderedValue::Number(Number::Float(*float)),
            Extreme::Wide(integer) => OrderedValue::Number(Number::Int(**integer)),
            Extreme::Bytes(bytes) => OrderedValue::Bytes(bytes),
        }
    }

    /// The number, or the bytes of the value that is no number.
    pub(super) fn number(&self) -> Result<Number, &[u8]> {
        self.value().number()
    }
}

impl<'a> OrderedValue<'a> {
    fn number(self) -> Result<Number, &'a [u8]> {
        match self {
            OrderedValue::Short(integer) => Ok(Number::Int(i128::from(integer))),
            OrderedValue::Number(number) => Ok(number),
            OrderedValue::Bytes(bytes) => Err(bytes),
        }
    }

    #[inline(never)]
    fn rank_any(self, kept: &Extreme) -> Ordering {
        match (self.number(), kept.number()) {
            (Ok(new), Ok(kept)) => new.cmp(&kept),
            (Err(new), Err(kept)) => new.cmp(kept),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
        }
    }
}

impl Ranked for OrderedValue<'_> {
    type Kept = Extreme;

    #[inline]
    fn rank(&self, kept: &Extreme) -> Ordering {
        match (self, kept) {
            (OrderedValue::Short(new), Extreme::Short(kept)) => new.cmp(kept),
            (OrderedValue::Bytes(new), Extreme::Bytes(kept)) => (*new).cmp(&***kept),
            _ => self.rank_any(kept),
        }
    }

    #[inline]
    fn keep(self) -> Extreme {
        match self {
            OrderedValue::Short(integer) => Extreme::Short(integer),
            OrderedValue::Number(number) => Extreme::of(number),
            OrderedValue::Bytes(bytes) => Extreme::Bytes(Box::new(bytes.into())),
        }
    }

    fn rank_kept(new: &Extreme, kept: &Extreme) -> Ordering {
        new.value().rank(kept)
    }

    fn is_nan(_kept: &Extreme) -> bool {
        false
    }
}

/// Beside the kinds of numbers: a value that is no number.
const KIND_BYTES: u8 = 2;

impl Durable for Extreme {
    fn write(&self, writer: &mut Writer) {
        match self.number() {
            Ok(number) => number.write(writer),
            Err(bytes) => {
                writer.u8(KIND_BYTES);
                writer.bytes(bytes);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match reader.u8()? {
            KIND_BYTES => reader.bytes().map(|bytes| Extreme::Bytes(Box::new(bytes.into()))),
            kind => read_number(kind, reader).map(Extreme::of),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Extreme::Short(_) | Extreme::Float(_) => 0,
            Extreme::Wide(integer) => size_of_val(&**integer),
            Extreme::Bytes(bytes) => size_of_val(&**bytes) + bytes.heap_bytes(),
        }
    }
}
