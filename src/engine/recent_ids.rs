//! Recognises recent records by an identity of their own: for producers that send a record again
//! with a new sequence number.
//!
//! There are two Bloom filters. Identities go into the current one. When it is full, it becomes the
//! previous one, and an empty filter becomes the current one. So at least the last `ids` identities
//! are known, and at most twice as many, in a fixed number of bits.
//!
//! Source: Bloom, *Space/time trade-offs in hash coding with allowable errors* (1970); the bits by
//! double hashing after Kirsch and Mitzenmacher, *Less hashing, same performance* (2006).

use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::hash::{Seed, hash_u64};

/// Maximum identities.
const IDS_MAX: usize = 1 << 28;

/// Bits of a word.
const WORD: usize = 64;

/// A bounded memory of the identities of records.
///
/// It forgets none of the last `ids` identities. With a probability of at most
/// `false_positive_rate` it reports a new record as seen: such a record is lost, and counted as a
/// duplicate. It takes `2.9 ids log2(2 / rate)` bits, in memory and in a snapshot: 7.5 MB for a
/// million identities at one in a million.
///
/// # Example
/// ```
/// use streamgauge::engine::RecentIds;
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder()
///     .deduplicate_by(|line: &str| line, RecentIds::new(1000, 1e-9)?)
///     .aggregate(count())
///     .build()?;
/// for id in ["a", "b", "a"] {
///     pipeline.push(id)?;
/// }
/// assert_eq!((pipeline.stats().applied, pipeline.stats().duplicates), (2, 1));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RecentIds {
    ids: usize,
    seed: Seed,
    bits: usize,
    hashes: u32,
    current: Vec<u64>,
    previous: Vec<u64>,
    /// Identities in the current filter.
    count: usize,
}

impl RecentIds {
    /// Creates a memory of the last `ids` identities.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] unless `ids` is from 1 to 2^28 and the rate is in (0, 0.5].
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::RecentIds;
    /// assert!(RecentIds::new(1_000_000, 1e-6).is_ok()); // 7.5 MB
    /// assert!(RecentIds::new(0, 1e-6).is_err());
    /// assert!(RecentIds::new(1_000_000, 0.0).is_err()); // no filter is never wrong
    /// ```
    pub fn new(ids: usize, false_positive_rate: f64) -> Result<Self, Error> {
        if ids == 0 || ids > IDS_MAX {
            return Err(Error::invalid(format!(
                "{ids} identities to remember; from 1 to {IDS_MAX}"
            )));
        }
        if !(false_positive_rate > 0.0 && false_positive_rate <= 0.5) {
            return Err(Error::invalid(format!(
                "a false-positive rate of {false_positive_rate}; above 0 and at most 0.5"
            )));
        }
        // A record is searched in both filters, so each filter may err half as often.
        let doublings = (2.0 / false_positive_rate).log2();
        let bits_per_id = doublings / std::f64::consts::LN_2;
        let bits = (ids as f64 * bits_per_id).ceil() as usize;
        let words = bits.div_ceil(WORD);
        Ok(RecentIds {
            ids,
            seed: Seed::PUBLIC,
            bits: words * WORD,
            hashes: doublings.round().clamp(1.0, 64.0) as u32,
            current: vec![0; words],
            previous: vec![0; words],
            count: 0,
        })
    }

    /// Sets the seed; default [`Seed::PUBLIC`]. Use a secret seed if identities come from outside:
    /// with a public one, somebody can choose identities that fill the filters.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::RecentIds;
    /// use streamgauge::prelude::*;
    /// let pipeline = |seed| {
    ///     let recent = RecentIds::new(1_000, 1e-6)?.seeded(Seed::new(seed));
    ///     Pipeline::builder().deduplicate_by(|id: &str| id, recent).aggregate(count()).build()
    /// };
    /// let saved = pipeline(1)?.snapshot()?;
    /// // What is remembered is only read under its own seed.
    /// assert!(pipeline(1)?.restore(&saved).is_ok());
    /// assert_eq!(pipeline(2)?.restore(&saved).unwrap_err().kind(), ErrorKind::Mismatch);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// Returns true if an identity with this hash is known.
    pub(super) fn contains(&self, hash: u64) -> bool {
        let holds = |filter: &[u64]| {
            self.places(hash)
                .all(|bit| filter.get(bit / WORD).is_some_and(|word| word >> (bit % WORD) & 1 == 1))
        };
        holds(&self.current) || holds(&self.previous)
    }

    /// Remembers an identity by its hash.
    pub(super) fn insert(&mut self, hash: u64) {
        if self.count >= self.ids {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.fill(0);
            self.count = 0;
        }
        let places: smallvec::SmallVec<[usize; 64]> = self.places(hash).collect();
        for bit in places {
            if let Some(word) = self.current.get_mut(bit / WORD) {
                *word |= 1 << (bit % WORD);
            }
        }
        self.count += 1;
    }

    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let step = hash_u64(self.seed, hash) | 1;
        let bits = self.bits as u128;
        (0..u64::from(self.hashes)).map(move |index| {
            ((u128::from(hash.wrapping_add(index.wrapping_mul(step))) * bits) >> 64) as usize
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.fixed_u64(self.seed.fingerprint());
        writer.usize(self.ids);
        writer.usize(self.bits);
        writer.u64(u64::from(self.hashes));
        writer.usize(self.count);
        for filter in [&self.current, &self.previous] {
            // Words of half-full filters are dense, so they are not compressed.
            filter.iter().for_each(|word| writer.fixed_u64(*word));
        }
    }

    /// Decodes a memory of the same shape and seed.
    pub(super) fn decode(&self, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let shape = (reader.fixed_u64()?, reader.usize()?, reader.usize()?, reader.u64()?);
        if shape != (self.seed.fingerprint(), self.ids, self.bits, u64::from(self.hashes)) {
            let message = format!(
                "the snapshot remembers {} identities in {} bits, or under another seed than this \
                 pipeline",
                shape.1, shape.2
            );
            return Err(Error::new(ErrorKind::Mismatch, message));
        }
        let count = reader.usize()?;
        if count > self.ids {
            return Err(reader.corrupt("more identities than are remembered"));
        }
        let mut read = RecentIds { count, current: Vec::new(), previous: Vec::new(), ..*self };
        for filter in [&mut read.current, &mut read.previous] {
            let bytes = reader.raw(self.bits / 8)?;
            *filter = bytes
                .chunks_exact(8)
                .map(|word| word.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
                .collect();
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(id: u64) -> u64 {
        hash_u64(Seed::new(5), id)
    }

    #[test]
    fn the_last_ids_are_known_and_others_almost_never() {
        let mut recent = RecentIds::new(1000, 0.01).unwrap();
        let mut false_positives = 0;
        for id in 0..20_000 {
            false_positives += u32::from(recent.contains(hash(id)));
            recent.insert(hash(id));
            assert!((id.saturating_sub(999)..=id).step_by(97).all(|id| recent.contains(hash(id))));
        }
        // 1 % of 20,000 plus five standard deviations.
        assert!(false_positives < 270, "{false_positives}");
    }

    #[test]
    fn what_is_written_is_read() {
        let mut recent = RecentIds::new(100, 0.001).unwrap();
        (0..150).for_each(|id| recent.insert(hash(id)));
        let mut writer = Writer::new();
        recent.encode(&mut writer);
        let bytes = writer.into_bytes();
        let empty = RecentIds::new(100, 0.001).unwrap();
        let mut reader = Reader::new(&bytes);
        let read = empty.decode(&mut reader).unwrap();
        reader.finish().unwrap();
        assert_eq!(format!("{read:?}"), format!("{recent:?}"));
        assert_eq!(
            RecentIds::new(101, 0.001)
                .unwrap()
                .decode(&mut Reader::new(&bytes))
                .unwrap_err()
                .kind(),
            ErrorKind::Mismatch
        );
        assert_eq!(
            empty.seeded(Seed::new(1)).decode(&mut Reader::new(&bytes)).unwrap_err().kind(),
            ErrorKind::Mismatch
        );
    }

    #[test]
    fn shapes_out_of_range_are_refused() {
        for (ids, rate) in [(0, 0.1), (usize::MAX, 0.1), (1, 0.0), (1, 0.6), (1, f64::NAN)] {
            assert_eq!(RecentIds::new(ids, rate).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }
}
