//! The encoding of count-min: the width and the counters, with runs of zeros in short form; or,
//! while exact, the keys and their counts.

use super::{CountMin, ExactCounts};
use crate::codec::{FrontReader, FrontWriter, Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::sketch::counters::Counters;

/// This value instead of a width means that keys follow. No table has a width of 1.
const EXACT: u8 = 0;

/// Bytes of the hash that follows each key. The reader cannot compute it, because the hash depends
/// on the type of the key, which count-min does not know.
const HASH_BYTES: usize = size_of::<u64>();

impl CountMin {
    /// Writes the content of the sketch. The reader must know depth, seed and update rule. Equal
    /// contents give equal bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(1024, 3)?;
    /// counts.add("/a", 3);
    /// let mut writer = Writer::new();
    /// counts.encode(&mut writer);
    /// let bytes = writer.into_bytes();
    /// let read = CountMin::with_shape(1024, 3)?.decode(&mut Reader::new(&bytes))?;
    /// assert_eq!(read.estimate("/a"), counts.estimate("/a"));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn encode(&self, writer: &mut Writer) {
        match &self.exact {
            None => {
                writer.u8(self.bits as u8);
                writer.u64(self.total);
                writer.counters(self.cells.iter());
            }
            Some(exact) => {
                writer.u8(EXACT);
                writer.u8(self.bits as u8);
                encode_exact(exact, writer);
            }
        }
    }

    /// Reads a sketch of this shape and seed, or a folded one. The content of `self` does not
    /// matter.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes hold no such sketch, [`ErrorKind::LimitExceeded`] if it
    /// is wider than this one.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// use streamgauge::sketch::CountMin;
    /// let mut writer = Writer::new();
    /// CountMin::with_shape(1024, 3)?.encode(&mut writer);
    /// // Foreign bytes can be of any width. A wider table than the expected one is refused.
    /// let bytes = writer.into_bytes();
    /// assert!(CountMin::with_shape(512, 3)?.decode(&mut Reader::new(&bytes)).is_err());
    /// assert!(CountMin::with_shape(512, 3)?.decode(&mut Reader::new(b"noise")).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let first = reader.u8()?;
        let bits = u32::from(if first == EXACT { reader.u8()? } else { first });
        if bits == 0 {
            return Err(reader.corrupt("a count-min is at least 2 counters wide"));
        }
        if bits > self.bits {
            let message = format!(
                "a count-min of 2^{bits} counters a row is wider than the {} that are asked for",
                self.width()
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        if first == EXACT {
            // Exact counts that take more bytes than this sketch allows become a table.
            let empty = CountMin {
                cells: super::Counters::zeros(0),
                exact: Some(ExactCounts::new(self.exact_bytes)),
                bits,
                total: 0,
                ..*self
            };
            return decode_exact(empty, reader);
        }
        let total = reader.u64()?;
        let mut cells = Counters::zeros(self.depth << bits);
        reader.counters(self.depth << bits, |index, count| cells.add(index, count))?;
        Ok(CountMin { cells, exact: None, bits, total, ..*self })
    }

    /// As [`merge`](CountMin::merge), but if the widths differ the wider sketch is folded first.
    pub(crate) fn merge_folded(&mut self, other: &Self) -> Result<(), Error> {
        while self.bits > other.bits {
            self.fold_in_half()?;
        }
        if self.bits == other.bits {
            return self.merge(other);
        }
        let mut folded = other.clone();
        while folded.bits > self.bits {
            folded.fold_in_half()?;
        }
        self.merge(&folded)
    }

    /// Folds while the error stays within `epsilon` of the total. Exact counts become a table if
    /// the folded table takes fewer bytes. Returns true if the sketch changed.
    pub(crate) fn fold_within(&mut self, epsilon: f64) -> bool {
        let before = self.bits;
        let mut bits = before;
        while bits > 1 && 2.0 * super::epsilon(bits) <= epsilon {
            bits -= 1;
        }
        if let Some(exact) = &self.exact {
            // A counter takes at least one byte. A key takes its hash, a count and its own bytes.
            if exact.rows().len() * (HASH_BYTES + 2) <= self.depth << bits {
                return false;
            }
            self.bits = bits;
            self.spill();
            return true;
        }
        while self.bits > bits && self.fold_in_half().is_ok() {}
        self.bits < before
    }
}

fn encode_exact(exact: &ExactCounts, writer: &mut Writer) {
    let mut rows: Vec<(Vec<u8>, u64)> = exact
        .rows()
        .iter()
        .map(|row| ([exact.key(row), &row.hash.to_be_bytes()].concat(), row.count))
        .collect();
    rows.sort_unstable();
    writer.usize(rows.len());
    let mut front = FrontWriter::new();
    for (key, count) in &rows {
        front.write(writer, key);
        writer.u64(*count);
    }
}

fn decode_exact(mut sketch: CountMin, reader: &mut Reader<'_>) -> Result<CountMin, Error> {
    let rows = reader.count(2)?;
    let mut front = FrontReader::new();
    for _ in 0..rows {
        let Some((key, hash)) = front.read(reader)?.split_last_chunk::<HASH_BYTES>() else {
            return Err(reader.corrupt("a key without its hash"));
        };
        let hash = u64::from_be_bytes(*hash);
        let count = reader.u64()?;
        if count == 0 {
            return Err(reader.corrupt("a key that never came"));
        }
        if !sketch.exact.as_mut().is_some_and(|exact| exact.add(hash, key, count)) {
            sketch.spill();
            sketch.add_slowly(hash, count);
        }
        sketch.total = sketch.total.saturating_add(count);
    }
    if sketch.exact_bytes == 0 {
        sketch.spill();
    }
    Ok(sketch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch(keys: &[u8]) -> CountMin {
        let mut sketch = CountMin::with_shape(16, 3).unwrap();
        keys.iter().for_each(|key| sketch.add(key, 1 + u64::from(*key % 3) * 5_000_000_000));
        sketch
    }

    fn encoded(sketch: &CountMin) -> Vec<u8> {
        let mut writer = Writer::new();
        sketch.encode(&mut writer);
        writer.into_bytes()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(keys: Vec<u8>, folds in 0u32..4) {
            let mut written = sketch(&keys);
            (0..folds).for_each(|_| written.fold_in_half().unwrap());
            let bytes = encoded(&written);
            let mut reader = Reader::new(&bytes);
            let read = sketch(&[]).decode(&mut reader).unwrap();
            reader.finish().unwrap();
            prop_assert_eq!(encoded(&read), bytes);
            prop_assert!((0..=255u8).all(|key| read.estimate(&key) == written.estimate(&key)));
        }

        #[test]
        fn unequal_widths_merge_to_the_narrower(
            left: Vec<u8>,
            right: Vec<u8>,
            folds in 0u32..4,
            more in 0u32..4,
        ) {
            let folded = |keys: &[u8], times| {
                let mut sketch = sketch(keys);
                (0..times).for_each(|_| sketch.fold_in_half().unwrap());
                sketch
            };
            let mut merged = folded(&left, folds);
            merged.merge_folded(&folded(&right, more)).unwrap();
            let all = [left, right].concat();
            prop_assert_eq!(encoded(&merged), encoded(&folded(&all, folds.max(more))));
        }

        #[test]
        fn any_bytes_give_a_sketch_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(mut read) = sketch(&[]).decode(&mut Reader::new(&bytes)) {
                read.add(&1u8, 1);
                read.estimate(&1u8);
            }
        }
    }
}
