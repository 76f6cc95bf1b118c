//! The writer and reader of snapshot bytes: little-endian, variable-length integers, every length
//! checked before it is believed.
//!
//! The encoding is documented in docs/FORMAT.md. A [`Reader`] never panics, never reads past its
//! bytes, and lets nobody allocate by a length that the bytes present could not fill:
//! [`Reader::count`] refuses it first.

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

    /// Counters, most of them small and many of them 0: each as an integer, and a run of zeros as 0
    /// and its length less 1. Their number is for the reader to know.
    pub(crate) fn counters(&mut self, counters: impl Iterator<Item = u64>) {
        let mut zeros = 0u64;
        for counter in counters {
            if counter == 0 {
                zeros += 1;
                continue;
            }
            self.zeros(zeros);
            zeros = 0;
            self.u64(counter);
        }
        self.zeros(zeros);
    }

    /// The same of counters that are not 0, each with its index; the indices ascend, and the last
    /// counter is the last of all.
    pub(crate) fn counters_at(&mut self, counters: impl Iterator<Item = (u64, u64)>) {
        let mut next = 0;
        for (index, counter) in counters {
            self.zeros(index - next);
            self.u64(counter);
            next = index + 1;
        }
    }

    fn zeros(&mut self, zeros: u64) {
        if zeros > 0 {
            self.u8(0);
            self.u64(zeros - 1);
        }
    }

    /// What `write` writes, behind its length.
    pub fn section<T>(&mut self, write: impl FnOnce(&mut Writer) -> T) -> T {
        let mut inner = Writer::new();
        let result = write(&mut inner);
        self.bytes(&inner.bytes);
        result
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
                return if byte == 0 && shift > 0 {
                    Err(self.corrupt("an integer has a needless byte"))
                } else {
                    Ok(value)
                };
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

    /// How many items follow, each of at least `item_bytes_min` (1 or more) bytes: never more than
    /// the bytes left can hold.
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize, Error> {
        let count = self.usize()?;
        if count > self.rest.len() / item_bytes_min.max(1) {
            return Err(self.corrupt(&format!(
                "{count} items cannot be in the {} bytes left",
                self.rest.len()
            )));
        }
        Ok(count)
    }

    /// So many [counters](Writer::counters), each that is not 0 given to `put` with its index.
    pub(crate) fn counters(
        &mut self,
        count: usize,
        mut put: impl FnMut(usize, u64),
    ) -> Result<(), Error> {
        let (mut index, mut after_zeros) = (0usize, false);
        while index < count {
            match self.u64()? {
                // Two runs of zeros are one.
                0 if after_zeros => return Err(self.corrupt("a run of zeros follows another")),
                0 => {
                    let run = self.usize()?;
                    if run >= count - index {
                        return Err(self.corrupt("more counters than there are"));
                    }
                    index += run + 1;
                    after_zeros = true;
                }
                counter => {
                    put(index, counter);
                    index += 1;
                    after_zeros = false;
                }
            }
        }
        Ok(())
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.count(1)?;
        self.raw(length)
    }

    /// UTF-8 text behind its length.
    pub fn text(&mut self) -> Result<&'a str, Error> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes)
            .map_err(|error| self.corrupt("a text is not UTF-8").with_source(error))
    }

    /// A reader of the bytes behind their length.
    pub fn section(&mut self) -> Result<Reader<'a>, Error> {
        self.bytes().map(Reader::new)
    }

    /// Fails if bytes are left over.
    pub fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.corrupt(&format!("{} bytes are left over", self.rest.len())))
        }
    }
}

/// How many bytes a front-coded key may borrow of the keys before it for each byte of its own and
/// theirs: bytes that are read never grow by more than this and one.
const BORROWED_PER_BYTE: usize = 16;

/// From these numbers on, what a key shares and what it adds are written behind the first byte.
const SHARED_ESCAPE: usize = 31;
const ADDED_ESCAPE: usize = 7;

/// Writes byte strings in ascending order, each as what it shares with the one before it and what
/// it adds ("front coding").
///
/// A byte holds both lengths where they are below 31 and 7. What is shared is never more than 16
/// times what has been added so far, so that a reader's memory is bounded by the bytes it was
/// given.
#[derive(Clone, Debug, Default)]
pub struct FrontWriter {
    previous: Vec<u8>,
    credit: usize,
}

impl FrontWriter {
    /// A writer before its first key.
    pub fn new() -> Self {
        FrontWriter::default()
    }

    /// Writes a key, which must be greater than the one before it.
    pub fn write(&mut self, writer: &mut Writer, key: &[u8]) {
        let alike = shared_prefix(&self.previous, key);
        let shared = alike.min(self.credit);
        let added = key.get(shared..).unwrap_or_default();
        writer.u8((shared.min(SHARED_ESCAPE) << 3 | added.len().min(ADDED_ESCAPE)) as u8);
        if shared >= SHARED_ESCAPE {
            writer.usize(shared - SHARED_ESCAPE);
        }
        if added.len() >= ADDED_ESCAPE {
            writer.usize(added.len() - ADDED_ESCAPE);
        }
        writer.raw(added);
        self.credit = credit_after(self.credit, shared, added.len());
        self.previous.truncate(shared);
        self.previous.extend_from_slice(added);
    }
}

/// How many bytes two byte strings share at their beginning: 8 at a time.
pub(crate) fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let alike = 8 * chunks.take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(alike..).unwrap_or_default(), b.get(alike..).unwrap_or_default());
    alike + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Reads what a [`FrontWriter`] wrote.
#[derive(Clone, Debug, Default)]
pub struct FrontReader {
    current: Vec<u8>,
    credit: usize,
    begun: bool,
}

impl FrontReader {
    /// A reader before its first key.
    pub fn new() -> Self {
        FrontReader::default()
    }

    /// The next key.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] where the bytes hold none, or one that is not greater than the one
    /// before it, or one that could have been written shorter.
    pub fn read(&mut self, reader: &mut Reader<'_>) -> Result<&[u8], Error> {
        let lengths = usize::from(reader.u8()?);
        let shared = match lengths >> 3 {
            SHARED_ESCAPE => reader.usize()?.saturating_add(SHARED_ESCAPE),
            shared => shared,
        };
        let added = match lengths & ADDED_ESCAPE {
            ADDED_ESCAPE => reader.usize()?.saturating_add(ADDED_ESCAPE),
            added => added,
        };
        let added = reader.raw(added)?;
        let Some(replaced) = self.current.get(shared..).filter(|_| shared <= self.credit) else {
            return Err(reader.corrupt("a key shares more than the ones before it have"));
        };
        let shared_all =
            replaced.first().is_none_or(|old| Some(old) != added.first()) || shared == self.credit;
        let ascends = added > replaced || !self.begun;
        if !ascends || !shared_all {
            return Err(reader.corrupt("keys are not in ascending order"));
        }
        self.begun = true;
        self.credit = credit_after(self.credit, shared, added.len());
        self.current.truncate(shared);
        self.current.extend_from_slice(added);
        Ok(&self.current)
    }
}

fn credit_after(credit: usize, shared: usize, added: usize) -> usize {
    credit.saturating_sub(shared).saturating_add(added.saturating_mul(BORROWED_PER_BYTE))
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
        fn front_coded_keys_come_back(keys in prop::collection::btree_set(prop::collection::vec(0u8..4, 0..40), 0..50)) {
            let (mut writer, mut front) = (Writer::new(), FrontWriter::new());
            keys.iter().for_each(|key| front.write(&mut writer, key));
            let bytes = writer.into_bytes();
            let (mut reader, mut front) = (Reader::new(&bytes), FrontReader::new());
            for key in &keys {
                prop_assert_eq!(front.read(&mut reader).unwrap(), &key[..]);
            }
            reader.finish().unwrap();
        }

        #[test]
        fn counters_come_back(counters in prop::collection::vec(prop_oneof![3 => Just(0u64), 1 => 0u64..300, 1 => any::<u64>()], 0..60)) {
            let mut writer = Writer::new();
            writer.counters(counters.iter().copied());
            let bytes = writer.into_bytes();
            if counters.last().is_some_and(|last| *last > 0) {
                let mut sparse = Writer::new();
                sparse.counters_at((0..).zip(counters.iter().copied()).filter(|(_, counter)| *counter > 0));
                prop_assert_eq!(sparse.as_bytes(), &bytes);
            }
            let (mut reader, mut read) = (Reader::new(&bytes), vec![0; counters.len()]);
            reader.counters(counters.len(), |index, counter| read[index] = counter).unwrap();
            reader.finish().unwrap();
            prop_assert_eq!(read, counters);
        }

        /// Whatever is read as keys is what writing the keys gives, and is in order.
        #[test]
        fn front_coding_has_one_form(bytes in prop::collection::vec(prop_oneof![0u8..34, any::<u8>()], 0..64)) {
            let (mut reader, mut front) = (Reader::new(&bytes), FrontReader::new());
            let (mut writer, mut again) = (Writer::new(), FrontWriter::new());
            let mut last: Option<Vec<u8>> = None;
            let mut end = 0;
            while let Ok(key) = front.read(&mut reader) {
                prop_assert!(last.as_deref().is_none_or(|last| last < key));
                again.write(&mut writer, key);
                last = Some(key.to_vec());
                end = bytes.len() - reader.remaining();
            }
            prop_assert_eq!(writer.as_bytes(), &bytes[..end]);
        }

        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            type Read = fn(&mut Reader<'_>) -> bool;
            let reads: [Read; 5] = [|r| r.u64().is_ok(), |r| r.i128().is_ok(), |r| r.text().is_ok(), |r| r.section().is_ok(), |r| r.count(3).is_ok()];
            for read in reads {
                let mut reader = Reader::new(&bytes);
                while read(&mut reader) && reader.remaining() > 0 {}
            }
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
    fn keys_that_share_much_do_not_blow_up() {
        let (mut writer, mut front) = (Writer::new(), FrontWriter::new());
        let long = vec![b'a'; 10_000];
        let keys = (0..1000u32).map(|n| [&long[..], &n.to_be_bytes()].concat());
        let total: usize = keys
            .map(|key| {
                front.write(&mut writer, &key);
                key.len()
            })
            .sum();
        assert!(total <= (BORROWED_PER_BYTE + 1) * writer.len());
    }

    #[test]
    fn an_integer_has_one_encoding() {
        assert_eq!(Reader::new(&[0x80, 0x00]).u64().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Reader::new(&[0xff; 20]).u128().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
