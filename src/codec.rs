//! The writer and reader of snapshot bytes: little-endian, variable-length integers, every length checked before it is believed.
//!
//! The encoding is documented in docs/FORMAT.md. A [`Reader`] never panics, never reads past its bytes, and lets nobody allocate by a
//! length that the bytes present could not fill: [`Reader::count`] refuses it first.

use crate::error::{Error, ErrorKind};

/// Writes values one after the other into a growing buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Writer::default()
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A truth value, as one byte.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// 8 bytes, little-endian.
    pub fn fixed_u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// A float by its bits, 8 bytes.
    pub fn f64(&mut self, value: f64) {
        self.fixed_u64(value.to_bits());
    }

    /// An integer in groups of 7 bits, the lowest first (LEB128): 1 byte below 128, at most 10.
    pub fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// As [`u64`](Writer::u64), for 128 bits: at most 19 bytes.
    pub fn u128(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// A signed integer, small ones of either sign short (zigzag).
    pub fn i64(&mut self, value: i64) {
        self.u64((value << 1) as u64 ^ (value >> 63) as u64);
    }

    /// As [`i64`](Writer::i64), for 128 bits.
    pub fn i128(&mut self, value: i128) {
        self.u128((value << 1) as u128 ^ (value >> 127) as u128);
    }

    /// A length or an index.
    pub fn usize(&mut self, value: usize) {
        self.u64(value as u64);
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.usize(bytes.len());
        self.raw(bytes);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What `write` writes, behind its length.
    pub fn section<T>(&mut self, write: impl FnOnce(&mut Writer) -> T) -> T {
        let mut inner = Writer::new();
        let result = write(&mut inner);
        self.bytes(&inner.bytes);
        result
    }

    /// Byte strings in ascending order, each as the length it shares with the one before it and the rest ("front coding").
    /// `previous` is the one before, empty for the first.
    pub fn front_coded(&mut self, previous: &[u8], bytes: &[u8]) {
        let shared = previous.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        self.usize(shared);
        self.bytes(bytes.get(shared..).unwrap_or_default());
    }
}

/// Reads values one after the other from bytes that may be anything.
///
/// Every method fails with [`ErrorKind::Corrupt`] where the bytes do not hold what is asked for.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// All of the bytes, to tell where reading failed.
    length: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, length: bytes.len() }
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// An error that says where reading stands.
    #[cold]
    pub fn corrupt(&self, why: &str) -> Error {
        let at = self.length - self.rest.len();
        Error::new(ErrorKind::Corrupt, format!("{why} (at byte {at} of {})", self.length))
    }

    /// So many bytes as they are.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(length) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.corrupt(&format!("the bytes end where {length} more are needed"))),
        }
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Error> {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                Ok(*byte)
            }
            None => Err(self.corrupt("the bytes end too early")),
        }
    }

    /// A truth value.
    pub fn bool(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.corrupt(&format!("{other} is neither 0 nor 1"))),
        }
    }

    /// 8 bytes, little-endian.
    pub fn fixed_u64(&mut self) -> Result<u64, Error> {
        let bytes = self.raw(8)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A float by its bits.
    pub fn f64(&mut self) -> Result<f64, Error> {
        self.fixed_u64().map(f64::from_bits)
    }

    /// An integer in groups of 7 bits.
    pub fn u64(&mut self) -> Result<u64, Error> {
        match u64::try_from(self.u128()?) {
            Ok(value) => Ok(value),
            Err(_) => Err(self.corrupt("an integer has more than 64 bits")),
        }
    }

    /// An integer of up to 128 bits in groups of 7 bits.
    pub fn u128(&mut self) -> Result<u128, Error> {
        let mut value = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            if shift == 126 && bits > 3 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                // One encoding for each value: bytes that differ mean values that differ.
                return if byte == 0 && shift > 0 { Err(self.corrupt("an integer has a needless byte")) } else { Ok(value) };
            }
        }
        Err(self.corrupt("an integer has more than 128 bits"))
    }

    /// A signed integer (zigzag).
    pub fn i64(&mut self) -> Result<i64, Error> {
        self.u64().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A signed integer of 128 bits (zigzag).
    pub fn i128(&mut self) -> Result<i128, Error> {
        self.u128().map(|value| (value >> 1) as i128 ^ -((value & 1) as i128))
    }

    /// An index or a size that is not a length of what follows.
    pub fn usize(&mut self) -> Result<usize, Error> {
        match usize::try_from(self.u64()?) {
            Ok(value) => Ok(value),
            Err(_) => Err(self.corrupt("a number does not fit this machine")),
        }
    }

    /// How many items follow, each of at least `item_bytes_min` (1 or more) bytes: never more than the bytes left can hold.
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize, Error> {
        let count = self.usize()?;
        if count > self.rest.len() / item_bytes_min.max(1) {
            return Err(self.corrupt(&format!("{count} items cannot be in the {} bytes left", self.rest.len())));
        }
        Ok(count)
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.count(1)?;
        self.raw(length)
    }

    /// UTF-8 text behind its length.
    pub fn text(&mut self) -> Result<&'a str, Error> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| self.corrupt("a text is not UTF-8").with_source(error))
    }

    /// A reader of the bytes behind their length.
    pub fn section(&mut self) -> Result<Reader<'a>, Error> {
        self.bytes().map(Reader::new)
    }

    /// The next of front-coded byte strings: `current` holds the one before, and then this one. Fails unless it is greater, or the
    /// first.
    pub fn front_coded(&mut self, current: &mut Vec<u8>, first: bool) -> Result<(), Error> {
        let shared = self.usize()?;
        let rest = self.bytes()?;
        let ascends = match current.get(shared..) {
            None => return Err(self.corrupt("a key shares more than the one before it has")),
            // The shared part is as long as it can be, and the next byte is greater: the key is.
            Some(old) => match (old.first(), rest.first()) {
                (Some(old), Some(new)) => old < new,
                (None, Some(_)) => true,
                (_, None) => first,
            },
        };
        if !ascends {
            return Err(self.corrupt("keys are not in ascending order"));
        }
        current.truncate(shared);
        current.extend_from_slice(rest);
        Ok(())
    }

    /// Fails if bytes are left over.
    pub fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.corrupt(&format!("{} bytes are left over", self.rest.len()))) }
    }
}

/// The checksum at the end of whatever is written down: XXH3, 64 bits. It finds damage, not malice.
pub fn checksum(bytes: &[u8]) -> u64 {
    crate::hash::hash_bytes(crate::hash::Seed::new(0), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(a: u64, b: i64, c: u128, d: i128, e: f64, f: bool, text: String) {
            let mut writer = Writer::new();
            writer.u64(a);
            writer.i64(b);
            writer.u128(c);
            writer.i128(d);
            writer.f64(e);
            writer.bool(f);
            writer.bytes(text.as_bytes());
            writer.section(|inner| inner.fixed_u64(a));
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.u64().unwrap(), a);
            prop_assert_eq!(reader.i64().unwrap(), b);
            prop_assert_eq!(reader.u128().unwrap(), c);
            prop_assert_eq!(reader.i128().unwrap(), d);
            prop_assert_eq!(reader.f64().unwrap().to_bits(), e.to_bits());
            prop_assert_eq!(reader.bool().unwrap(), f);
            prop_assert_eq!(reader.text().unwrap(), text);
            prop_assert_eq!(reader.section().unwrap().fixed_u64().unwrap(), a);
            reader.finish().unwrap();
        }

        #[test]
        fn front_coded_keys_come_back(keys in prop::collection::btree_set(prop::collection::vec(0u8..4, 0..6), 0..50)) {
            let mut writer = Writer::new();
            let mut previous: &[u8] = &[];
            for key in &keys {
                writer.front_coded(previous, key);
                previous = key;
            }
            let bytes = writer.into_bytes();
            let (mut reader, mut current) = (Reader::new(&bytes), vec![]);
            for (index, key) in keys.iter().enumerate() {
                reader.front_coded(&mut current, index == 0).unwrap();
                prop_assert_eq!(&current, key);
            }
            reader.finish().unwrap();
        }

        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            type Read = fn(&mut Reader<'_>) -> bool;
            let reads: [Read; 5] = [|r| r.u64().is_ok(), |r| r.i128().is_ok(), |r| r.text().is_ok(), |r| r.section().is_ok(), |r| r.count(3).is_ok()];
            for read in reads {
                let mut reader = Reader::new(&bytes);
                while read(&mut reader) && reader.remaining() > 0 {}
            }
            let (mut reader, mut key) = (Reader::new(&bytes), vec![]);
            while reader.front_coded(&mut key, false).is_ok() {}
        }
    }

    #[test]
    fn a_length_that_the_bytes_cannot_fill_is_refused_before_anything_is_allocated() {
        let mut writer = Writer::new();
        writer.u64(u64::MAX);
        let bytes = writer.into_bytes();
        assert_eq!(Reader::new(&bytes).bytes().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Reader::new(&[3, 0, 0, 0]).count(2).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn an_integer_has_one_encoding() {
        assert_eq!(Reader::new(&[0x80, 0x00]).u64().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Reader::new(&[0xff; 20]).u128().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
