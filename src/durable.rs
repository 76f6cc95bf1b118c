//! Values that a snapshot stores unchanged: numbers, text, times, and pairs of such values.

use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::key::ByteKey;
use crate::time::Timestamp;
use std::cmp::Ordering;

/// A value that can be written into a snapshot and read back. Used by
/// [`first`](crate::aggregate::first) and [`last`](crate::aggregate::last).
///
/// Implemented for integers, floats, `bool`, `char`, text, bytes, [`Timestamp`], and for options,
/// pairs and triples of such values.
///
/// # Laws
/// - `read` of the bytes that `write` wrote returns an equal value and consumes exactly those
///   bytes.
/// - `read` of any other bytes returns a value or an error. It never panics, and never allocates by
///   a length that it has not checked ([`Reader::count`], [`Reader::bytes`]).
/// - The bytes have the same meaning in every version and on every platform.
///
/// # Example
/// ```
/// use streamgauge::codec::{Reader, Writer};
/// use streamgauge::durable::Durable;
/// let mut writer = Writer::new();
/// (7u32, String::from("DE")).write(&mut writer);
/// let bytes = writer.into_bytes();
/// assert_eq!(<(u32, String)>::read(&mut Reader::new(&bytes))?, (7, String::from("DE")));
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub trait Durable: Sized {
    /// The name of the type, which never changes. It is part of a pipeline's description. Default:
    /// `"value"`.
    const NAME: &'static str = "value";

    /// Writes the value.
    fn write(&self, writer: &mut Writer);

    /// Reads a value.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the bytes hold no such value.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error>;

    /// Bytes that the value holds on the heap. Default: 0.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Compares with another value, in an order in which no two different values are equal.
    /// Default: that of the bytes that [`write`](Durable::write) writes. Numbers, text and times
    /// have their own order.
    fn order(&self, other: &Self) -> Ordering {
        let [own, other] = [self, other].map(|value| {
            let mut writer = Writer::new();
            value.write(&mut writer);
            writer.into_bytes()
        });
        own.cmp(&other)
    }
}

macro_rules! durable_integers {
    ($($integer:ty => $write:ident as $wide:ty),*) => {$(
        impl Durable for $integer {
            const NAME: &'static str = stringify!($integer);

            fn write(&self, writer: &mut Writer) {
                writer.$write(*self as $wide);
            }

            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                let value = reader.$write()?;
                <$integer>::try_from(value).map_err(|_| reader.corrupt(concat!("an integer does not fit ", stringify!($integer))))
            }
        }
    )*};
}
durable_integers!(u8 => u64 as u64, u16 => u64 as u64, u32 => u64 as u64, u64 => u64 as u64, usize => u64 as u64, u128 => u128 as u128);
durable_integers!(i8 => i64 as i64, i16 => i64 as i64, i32 => i64 as i64, i64 => i64 as i64, isize => i64 as i64, i128 => i128 as i128);

impl Durable for f64 {
    const NAME: &'static str = "f64";

    fn write(&self, writer: &mut Writer) {
        writer.f64(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.f64()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

impl Durable for f32 {
    const NAME: &'static str = "f32";

    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.to_bits().to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let bytes = reader.raw(4)?;
        Ok(f32::from_bits(bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))))
    }

    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

impl Durable for bool {
    const NAME: &'static str = "bool";

    fn write(&self, writer: &mut Writer) {
        writer.bool(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.bool()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Durable for char {
    const NAME: &'static str = "char";

    fn write(&self, writer: &mut Writer) {
        writer.u64(u64::from(u32::from(*self)));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let value = reader.u64()?;
        u32::try_from(value)
            .ok()
            .and_then(char::from_u32)
            .ok_or_else(|| reader.corrupt("not a Unicode character"))
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Durable for String {
    const NAME: &'static str = "text";

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.as_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.text().map(Into::into)
    }

    fn heap_bytes(&self) -> usize {
        self.len()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Durable for Box<str> {
    const NAME: &'static str = "text";

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.as_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.text().map(Into::into)
    }

    fn heap_bytes(&self) -> usize {
        self.len()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Durable for Vec<u8> {
    const NAME: &'static str = "bytes";

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.bytes().map(Into::into)
    }

    fn heap_bytes(&self) -> usize {
        self.len()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Durable for Box<[u8]> {
    const NAME: &'static str = "bytes";

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.bytes().map(Into::into)
    }

    fn heap_bytes(&self) -> usize {
        self.len()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Durable for ByteKey {
    const NAME: &'static str = "bytes";

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.bytes().map(ByteKey::from)
    }

    fn heap_bytes(&self) -> usize {
        ByteKey::heap_bytes(self)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Durable for Timestamp {
    const NAME: &'static str = "time";

    fn write(&self, writer: &mut Writer) {
        writer.i64(self.as_millis());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.i64().map(Timestamp::from_millis)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl<T: Durable> Durable for Option<T> {
    fn write(&self, writer: &mut Writer) {
        writer.bool(self.is_some());
        if let Some(value) = self {
            value.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if reader.bool()? { T::read(reader).map(Some) } else { Ok(None) }
    }

    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Some(own), Some(other)) => own.order(other),
            _ => self.is_some().cmp(&other.is_some()),
        }
    }
}

macro_rules! durable_tuple {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Durable),+> Durable for ($($part,)+) {
            fn write(&self, writer: &mut Writer) {
                $(self.$index.write(writer);)+
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                Ok(($($part::read(reader)?,)+))
            }

            fn heap_bytes(&self) -> usize {
                0 $(+ self.$index.heap_bytes())+
            }

            fn order(&self, other: &Self) -> Ordering {
                Ordering::Equal $(.then_with(|| self.$index.order(&other.$index)))+
            }
        }
    };
}
durable_tuple!(A 0, B 1);
durable_tuple!(A 0, B 1, C 2);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Wide = (i64, (u128, i128, char), (Option<f32>, String, bool));

    proptest! {
        #[test]
        fn what_is_written_is_read(value: Wide, bytes: Vec<u8>, small: (u8, i16, u32)) {
            let mut writer = Writer::new();
            (value.clone(), bytes.clone(), small).write(&mut writer);
            let written = writer.into_bytes();
            let mut reader = Reader::new(&written);
            let read = <(Wide, Vec<u8>, (u8, i16, u32))>::read(&mut reader).unwrap();
            reader.finish().unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{:?}", (value, bytes, small)));
        }
    }

    #[test]
    fn an_integer_that_does_not_fit_is_refused() {
        assert!(u8::read(&mut Reader::new(&[0x80, 2])).is_err());
        assert!(char::read(&mut Reader::new(&[0x80, 0xb0, 3])).is_err());
    }
}
