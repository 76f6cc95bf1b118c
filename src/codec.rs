//! The writer and the reader of snapshot bytes: little-endian, with variable-length integers.
//!
//! docs/FORMAT.md documents the encoding. A [`Reader`] never panics and never reads past its bytes.
//! It checks every length before use: [`Reader::count`] refuses a length that the remaining bytes
//! cannot hold, so no caller allocates by it.

use crate::error::{Error, ErrorKind};

/// Writes values one after another into a growing buffer.
///
/// # Example
/// ```
/// use streamgauge::codec::{Reader, Writer};
/// // The state of an aggregate of your own: a count and a sum.
/// let mut writer = Writer::new();
/// writer.u64(3);
/// writer.f64(0.5);
/// let bytes = writer.into_bytes();
/// let mut reader = Reader::new(&bytes);
/// assert_eq!((reader.u64()?, reader.f64()?), (3, 0.5));
/// reader.finish()?;
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Creates an empty writer.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// assert!(Writer::new().into_bytes().is_empty()); // no header: the caller adds what it needs
    /// ```
    pub fn new() -> Self {
        Writer::default()
    }

    /// Returns the bytes written.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let mut writer = Writer::new();
    /// writer.u8(7);
    /// writer.bool(true);
    /// assert_eq!(writer.into_bytes(), [7, 1]);
    /// ```
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns the bytes written so far.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let mut writer = Writer::new();
    /// writer.u8(7);
    /// writer.u8(9);
    /// assert_eq!(writer.as_bytes(), [7, 9]);
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of bytes written so far.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let mut writer = Writer::new();
    /// writer.u64(127);
    /// assert_eq!(writer.len(), 1);
    /// writer.u64(128);
    /// assert_eq!(writer.len(), 3);
    /// ```
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns true if nothing has been written.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let mut writer = Writer::new();
    /// writer.raw(b""); // writes nothing, not even a length
    /// assert!(writer.is_empty());
    /// writer.bytes(b""); // writes the length 0
    /// assert!(!writer.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes one byte.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let mut writer = Writer::new();
    /// writer.u8(200);
    /// writer.u64(200); // short below 128 only
    /// assert_eq!(writer.into_bytes(), [200, 0xc8, 0x01]);
    /// ```
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Writes a boolean as one byte.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.bool(true);
    /// assert_eq!(writer.as_bytes(), [1]);
    /// assert!(Reader::new(&[2]).bool().is_err()); // only 0 and 1 are booleans
    /// ```
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Writes 8 bytes, little-endian.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let mut writer = Writer::new();
    /// writer.fixed_u64(1); // for hashes, whose values are never small
    /// assert_eq!(writer.into_bytes(), [1, 0, 0, 0, 0, 0, 0, 0]);
    /// ```
    pub fn fixed_u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// Writes the bits of a float, 8 bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.f64(-0.0);
    /// let read = Reader::new(writer.as_bytes()).f64()?;
    /// assert!(read == 0.0 && read.is_sign_negative()); // every bit is kept
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn f64(&mut self, value: f64) {
        self.fixed_u64(value.to_bits());
    }

    /// Writes an integer in groups of 7 bits, the lowest first (LEB128): 1 byte below 128, at most
    /// 10 bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let length = |value| {
    ///     let mut writer = Writer::new();
    ///     writer.u64(value);
    ///     writer.len()
    /// };
    /// assert_eq!([0, 127, 128, u64::MAX].map(length), [1, 1, 2, 10]);
    /// ```
    pub fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// Writes an integer of 128 bits as [`u64`](Writer::u64) does, in at most 19 bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.u128(u128::MAX);
    /// assert_eq!(writer.len(), 19);
    /// assert_eq!(Reader::new(writer.as_bytes()).u128()?, u128::MAX);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn u128(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// Writes a signed integer (zigzag): values near zero are short, whatever their sign.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Writer;
    /// let mut writer = Writer::new();
    /// [0, -1, 1, -64].into_iter().for_each(|value| writer.i64(value));
    /// assert_eq!(writer.into_bytes(), [0, 1, 2, 127]); // one byte each
    /// ```
    pub fn i64(&mut self, value: i64) {
        self.u64((value << 1) as u64 ^ (value >> 63) as u64);
    }

    /// Writes a signed integer of 128 bits as [`i64`](Writer::i64) does.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.i128(-1);
    /// assert_eq!(writer.len(), 1);
    /// assert_eq!(Reader::new(writer.as_bytes()).i128()?, -1);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn i128(&mut self, value: i128) {
        self.u128((value << 1) as u128 ^ (value >> 127) as u128);
    }

    /// Writes a length or an index.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.usize(300);
    /// assert_eq!(Reader::new(writer.as_bytes()).u64()?, 300); // the same on 32 and 64 bits
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn usize(&mut self, value: usize) {
        self.u64(value as u64);
    }

    /// Writes the length of the bytes, then the bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.bytes(b"key");
    /// writer.u8(9);
    /// assert_eq!(writer.as_bytes(), b"\x03key\x09");
    /// assert_eq!(Reader::new(writer.as_bytes()).bytes()?, b"key");
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.usize(bytes.len());
        self.raw(bytes);
    }

    /// Writes the bytes without their length.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.raw(b"MAGIC");
    /// assert_eq!(Reader::new(writer.as_bytes()).raw(5)?, b"MAGIC"); // the reader knows the length
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes counters, of which most are small and many are 0: each counter as an integer, and a
    /// run of zeros as 0 followed by its length minus 1. The reader must know the number of
    /// counters.
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

    /// Writes the same bytes as [`counters`](Writer::counters), given only the counters that are
    /// not 0, each with its index. Indices must ascend, and the last counter must be the last of
    /// all counters.
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

    /// Writes a section: its length, then everything that `write` writes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.section(|writer| {
    ///     writer.u8(1);
    ///     writer.u8(2); // written by a newer version
    /// });
    /// writer.u8(9);
    /// let mut reader = Reader::new(writer.as_bytes());
    /// assert_eq!(reader.section()?.u8()?, 1); // an older reader skips the rest of the section
    /// assert_eq!(reader.u8()?, 9);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn section<T>(&mut self, write: impl FnOnce(&mut Writer) -> T) -> T {
        let mut inner = Writer::new();
        let result = write(&mut inner);
        self.bytes(&inner.bytes);
        result
    }
}

/// Reads values one after another from untrusted bytes.
///
/// Every method returns [`ErrorKind::Corrupt`] if the bytes do not hold the requested value.
///
/// # Example
/// ```
/// use streamgauge::ErrorKind;
/// use streamgauge::codec::Reader;
/// // A length of 2^63 and no bytes: an error, not an allocation.
/// let mut reader = Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
/// assert_eq!(reader.bytes().unwrap_err().kind(), ErrorKind::Corrupt);
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// The length of the input, to report the position of an error.
    length: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader at the beginning of the bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(b"\x03key");
    /// let key: &'static [u8] = reader.bytes()?; // lives as long as the bytes, not as the reader
    /// assert_eq!(key, b"key");
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, length: bytes.len() }
    }

    /// Reads the magic number and the version that a saved state begins with. `what` names the
    /// state in errors.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes begin with something else, or are of another version.
    #[cfg(feature = "kcl")]
    pub(crate) fn header(&mut self, magic: &[u8; 8], version: u8, what: &str) -> Result<(), Error> {
        let corrupt = |words: &str| Error::new(ErrorKind::Corrupt, format!("{what} {words}"));
        if !self.rest.starts_with(magic) {
            return Err(corrupt("begins with something else"));
        }
        self.raw(magic.len())?;
        match self.u8()? {
            found if found == version => Ok(()),
            other => Err(corrupt(&format!(
                "is of version {other}, and only {version} can be read: use a newer streamgauge"
            ))),
        }
    }

    /// Returns the number of bytes not yet read.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(&[1, 2, 3]);
    /// reader.u8()?;
    /// assert_eq!(reader.remaining(), 2);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Creates an error that names the current position.
    ///
    /// # Example
    /// ```
    /// use streamgauge::ErrorKind;
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(&[1, 2, 3]);
    /// reader.u8()?;
    /// let error = reader.corrupt("the count is 0");
    /// assert_eq!(error.kind(), ErrorKind::Corrupt);
    /// assert!(error.message().contains("the count is 0"));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    #[cold]
    pub fn corrupt(&self, why: &str) -> Error {
        let at = self.length - self.rest.len();
        Error::new(ErrorKind::Corrupt, format!("{why} (at byte {at} of {})", self.length))
    }

    /// Reads `length` bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(b"MAGIC");
    /// assert!(reader.raw(6).is_err());
    /// assert_eq!(reader.raw(5)?, b"MAGIC"); // the failed read took nothing
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(length) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.corrupt(&format!("the bytes end where {length} more are needed"))),
        }
    }

    /// Reads one byte.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(&[7]);
    /// assert_eq!(reader.u8()?, 7);
    /// assert!(reader.u8().is_err()); // the end
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn u8(&mut self) -> Result<u8, Error> {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                Ok(*byte)
            }
            None => Err(self.corrupt("the bytes end too early")),
        }
    }

    /// Reads a boolean.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// assert!(Reader::new(&[1]).bool()?);
    /// assert!(Reader::new(&[7]).bool().is_err()); // one value has one encoding
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn bool(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.corrupt(&format!("{other} is neither 0 nor 1"))),
        }
    }

    /// Reads 8 bytes, little-endian.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// assert_eq!(Reader::new(&[1, 0, 0, 0, 0, 0, 0, 0]).fixed_u64()?, 1);
    /// assert!(Reader::new(&[1, 0, 0]).fixed_u64().is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn fixed_u64(&mut self) -> Result<u64, Error> {
        let bytes = self.raw(8)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Reads a float from its bits.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// // Every bit pattern is a float. Refuse a NaN if your state has none.
    /// assert!(Reader::new(&[0xff; 8]).f64()?.is_nan());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn f64(&mut self) -> Result<f64, Error> {
        self.fixed_u64().map(f64::from_bits)
    }

    /// Reads an integer in groups of 7 bits.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// assert_eq!(Reader::new(&[0xc8, 0x01]).u64()?, 200);
    /// assert!(Reader::new(&[0xc8]).u64().is_err()); // truncated
    /// assert!(Reader::new(&[0xff; 11]).u64().is_err()); // over 64 bits
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn u64(&mut self) -> Result<u64, Error> {
        match u64::try_from(self.u128()?) {
            Ok(value) => Ok(value),
            Err(_) => Err(self.corrupt("an integer has more than 64 bits")),
        }
    }

    /// Reads an integer of up to 128 bits in groups of 7 bits.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// assert_eq!(Reader::new(&[0xc8, 0x01]).u128()?, 200);
    /// assert!(Reader::new(&[0xff; 20]).u128().is_err()); // over 128 bits
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
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
                // Each value has exactly one encoding, so different bytes mean different values.
                return if byte == 0 && shift > 0 {
                    Err(self.corrupt("an integer has a needless byte"))
                } else {
                    Ok(value)
                };
            }
        }
        Err(self.corrupt("an integer has more than 128 bits"))
    }

    /// Reads a signed integer (zigzag).
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(&[0, 1, 2, 127]);
    /// assert_eq!([reader.i64()?, reader.i64()?, reader.i64()?, reader.i64()?], [0, -1, 1, -64]);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn i64(&mut self) -> Result<i64, Error> {
        self.u64().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads a signed integer of 128 bits (zigzag).
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// let mut writer = Writer::new();
    /// writer.i128(i128::MIN);
    /// assert_eq!(Reader::new(writer.as_bytes()).i128()?, i128::MIN);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn i128(&mut self) -> Result<i128, Error> {
        self.u128().map(|value| (value >> 1) as i128 ^ -((value & 1) as i128))
    }

    /// Reads an index or a size. Use [`count`](Reader::count) for the length of what follows.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// // The bytes do not bound it: allocate by `count`, never by this.
    /// assert_eq!(Reader::new(&[0xff, 0xff, 0x03]).usize()?, 65_535);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn usize(&mut self) -> Result<usize, Error> {
        match usize::try_from(self.u64()?) {
            Ok(value) => Ok(value),
            Err(_) => Err(self.corrupt("a number does not fit this machine")),
        }
    }

    /// Reads the number of the items that follow. Each item takes at least `item_bytes_min` (1 or
    /// more) bytes. Fails if the remaining bytes cannot hold the items.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// assert_eq!(Reader::new(&[2, 7, 8]).count(1)?, 2);
    /// assert!(Reader::new(&[3, 7, 8]).count(1).is_err()); // two bytes hold no three items
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
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

    /// Reads `count` [counters](Writer::counters) and calls `put` with the index and the value of
    /// each counter that is not 0.
    pub(crate) fn counters(
        &mut self,
        count: usize,
        mut put: impl FnMut(usize, u64),
    ) -> Result<(), Error> {
        let (mut index, mut after_zeros) = (0usize, false);
        while index < count {
            match self.u64()? {
                // The writer joins two runs of zeros into one.
                0 if after_zeros => return Err(self.corrupt("a run of zeros follows another")),
                0 => {
                    let run = self.usize()?;
                    if run >= count - index {
                        return Err(self.corrupt("a run of zeros passes the last counter"));
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

    /// Reads a length, then the bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// assert_eq!(Reader::new(b"\x03key").bytes()?, b"key");
    /// assert!(Reader::new(b"\x04key").bytes().is_err()); // one byte short
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.count(1)?;
        self.raw(length)
    }

    /// Reads a length, then UTF-8 text.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// assert_eq!(Reader::new(b"\x03key").text()?, "key");
    /// assert!(Reader::new(b"\x01\xff").text().is_err()); // not UTF-8
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn text(&mut self) -> Result<&'a str, Error> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes)
            .map_err(|error| self.corrupt("a text is not UTF-8").with_source(error))
    }

    /// Reads a length and returns a reader of the bytes that follow it.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(&[2, 7, 8, 9]);
    /// let mut section = reader.section()?;
    /// assert_eq!((section.u8()?, section.u8()?), (7, 8));
    /// assert!(section.u8().is_err()); // it cannot read past its end
    /// assert_eq!(reader.u8()?, 9);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn section(&mut self) -> Result<Reader<'a>, Error> {
        self.bytes().map(Reader::new)
    }

    /// Fails if there are bytes not yet read.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::Reader;
    /// let mut reader = Reader::new(&[7, 8]);
    /// reader.u8()?;
    /// assert!(reader.finish().is_err()); // a byte that nobody reads is damage
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.corrupt(&format!("{} bytes are left over", self.rest.len())))
        }
    }
}

/// Bytes that a front-coded key may share with the key before it, per byte that this key and the
/// keys before it have added. Decoded keys are therefore at most 17 times as long as their
/// encoding.
const BORROWED_PER_BYTE: usize = 16;

/// Lengths of the shared prefix and of the added bytes from these on follow the first byte.
const SHARED_ESCAPE: usize = 31;
const ADDED_ESCAPE: usize = 7;

/// Writes byte strings in ascending order. Each is written as the length of the prefix that it
/// shares with the string before it, and the bytes that it adds ("front coding").
///
/// One byte holds both lengths if they are below 31 and 7. The shared prefix is never more than 16
/// times the bytes added so far, so the input length bounds the memory of a reader.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrontWriter {
    previous: Vec<u8>,
    credit: usize,
}

impl FrontWriter {
    /// Creates a writer for the first key.
    pub(crate) fn new() -> Self {
        FrontWriter::default()
    }

    /// Writes a key, which must be greater than the key before it.
    pub(crate) fn write(&mut self, writer: &mut Writer, key: &[u8]) {
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

/// Returns the length of the common prefix of two byte strings. Compares 8 bytes at a time.
pub(crate) fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let alike = 8 * chunks.take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(alike..).unwrap_or_default(), b.get(alike..).unwrap_or_default());
    alike + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Reads the bytes that a [`FrontWriter`] wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrontReader {
    current: Vec<u8>,
    credit: usize,
    begun: bool,
}

impl FrontReader {
    /// Creates a reader for the first key.
    pub(crate) fn new() -> Self {
        FrontReader::default()
    }

    /// Reads the next key.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes hold no key, if the key is not greater than the key
    /// before it, or if it has a shorter encoding.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<&[u8], Error> {
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
            return Err(reader.corrupt("a key shares more bytes than the keys before it allow"));
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

/// Returns the checksum that ends all stored bytes: XXH3, 64 bits. It detects damage, not
/// manipulation.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    crate::hash::hash_bytes(crate::hash::Seed::new(0), bytes)
}

#[cfg(test)]
mod tests;
