//! The encoding of a histogram: the properties of all numbers, then the buckets of either sign,
//! with runs of zeros in short form.

use super::bucket::{end, first_normal, subnormal_buckets};
use super::side::{Entry, Side, gathered};
use super::{LogHistogram, edges};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};

/// Numbering of a side's first bucket: its number as it is.
const PLAIN: u8 = 0;

/// Numbering: as it is, and the first bucket also counts smaller magnitudes.
const FLOOR: u8 = 1;

/// Numbering: from the bucket of the smallest double, for a side with magnitudes below 2^-1022.
const SUBNORMAL: u8 = 2;

impl LogHistogram {
    /// Writes the content of the histogram.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// use streamgauge::sketch::LogHistogram;
    /// let mut latencies = LogHistogram::with_accuracy(0.01)?;
    /// latencies.add(12.5, 3)?;
    /// let mut writer = Writer::new();
    /// latencies.encode(&mut writer);
    /// let bytes = writer.into_bytes();
    /// let read = LogHistogram::with_accuracy(0.01)?.decode(&mut Reader::new(&bytes))?;
    /// assert_eq!(read.quantile(0.5), latencies.quantile(0.5));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.resolution);
        writer.u64(self.count);
        if self.count == 0 {
            return;
        }
        writer.u64(self.zeros);
        // Always the same of the two zeros, because the order of records must not matter.
        writer.f64(self.min + 0.0);
        writer.f64(self.max + 0.0);
        writer.bool(self.integers);
        match &self.negative {
            Some(negative) => negative.encode(self.bits(), writer),
            None => writer.u64(0),
        }
        self.positive.encode(self.bits(), writer);
    }

    /// Reads a histogram of this accuracy or a coarser one. The content of `self` does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes hold no histogram, [`ErrorKind::LimitExceeded`] if it is
    /// finer than this one.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// use streamgauge::sketch::LogHistogram;
    /// let mut writer = Writer::new();
    /// LogHistogram::with_accuracy(0.1)?.encode(&mut writer);
    /// let bytes = writer.into_bytes();
    /// // A coarser histogram is accepted, as after a reduction, and damaged bytes are not.
    /// assert!(LogHistogram::with_accuracy(0.01)?.decode(&mut Reader::new(&bytes)).is_ok());
    /// assert!(LogHistogram::with_accuracy(0.01)?.decode(&mut Reader::new(b"")).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let resolution = reader.u8()?;
        if resolution == 0 {
            return Err(reader.corrupt("a histogram has at least two buckets per doubling"));
        }
        if resolution > self.resolution_asked {
            let asked = self.resolution_asked;
            let message = format!(
                "a histogram of 2^{resolution} buckets per doubling is finer than the 2^{asked} \
                 asked for"
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut read = LogHistogram::empty(resolution, self.resolution_asked);
        read.count = reader.u64()?;
        if read.count == 0 {
            return Ok(read);
        }
        read.zeros = reader.u64()?;
        (read.min, read.max, read.integers) = (reader.f64()?, reader.f64()?, reader.bool()?);
        let negative = read.decode_side(reader)?;
        read.negative = negative.occupied().map(|_| Box::new(negative));
        read.positive = read.decode_side(reader)?;
        let entries = read.sides().flat_map(Side::ascending);
        let counted = entries.fold(read.zeros, |sum, entry| sum.saturating_add(entry.count));
        if counted != read.count || !read.ends_agree() || !read.integers_agree() {
            return Err(reader.corrupt(
                "the buckets of a histogram do not agree with its count, its ends or its integers",
            ));
        }
        Ok(read)
    }

    /// Returns the existing sides.
    fn sides(&self) -> impl Iterator<Item = &Side> {
        self.negative.as_deref().into_iter().chain([&self.positive])
    }

    /// Returns true if the smallest and the largest number are in the outermost buckets. Otherwise
    /// bounds could cross.
    fn ends_agree(&self) -> bool {
        let within = |number: f64, (low, high): (f64, f64)| low <= number && number <= high;
        let negated = |(low, high): (f64, f64)| (-high, -low);
        let zero = (self.zeros > 0).then_some((0.0, 0.0));
        let outer = |side: &Side| {
            side.occupied().map(|(first, last)| (self.edges(side, first), self.edges(side, last)))
        };
        let (negative, positive) =
            (self.negative.as_deref().and_then(outer), outer(&self.positive));
        let lowest =
            negative.map(|(_, last)| negated(last)).or(zero).or(positive.map(|(first, _)| first));
        let highest =
            positive.map(|(_, last)| last).or(zero).or(negative.map(|(first, _)| negated(first)));
        let agree = |number: f64, edges: Option<(f64, f64)>| {
            edges.is_some_and(|edges| within(number, edges))
        };
        agree(self.min, lowest) && agree(self.max, highest) && self.min <= self.max
    }

    /// Returns true if each bucket contains an integer, or not all numbers are integers.
    fn integers_agree(&self) -> bool {
        let has_integer = |side: &Side| {
            side.ascending().all(|entry| {
                let (low, high) = self.edges(side, entry.bucket);
                low.ceil() <= high
            })
        };
        let ends = self.min.fract() == 0.0 && self.max.fract() == 0.0;
        !self.integers || (ends && self.sides().all(has_integer))
    }

    fn decode_side(&self, reader: &mut Reader<'_>) -> Result<Side, Error> {
        let len = reader.u64()?;
        if len == 0 {
            return Ok(Side::default());
        }
        let (number, numbering) = (reader.u64()?, reader.u8()?);
        let offset = if numbering == SUBNORMAL { subnormal_buckets(self.bits()) } else { 0 };
        let places = (end(self.bits()) + offset) as u64;
        if numbering > SUBNORMAL || len > places || number > places - len {
            return Err(reader.corrupt(&format!(
                "{len} buckets from {number} on, numbered by {numbering}, do not fit a histogram"
            )));
        }
        let (first, buckets_max) = (number as i32 - offset, self.buckets_max());
        let mut entries: Vec<Entry> = Vec::new();
        reader.counters(len as usize, |index, count| {
            // One bucket more than allowed is enough to refuse the side.
            if entries.len() <= buckets_max {
                entries.push(Entry { bucket: first + index as i32, count });
            }
        })?;
        if entries.len() > buckets_max {
            return Err(
                reader.corrupt(&format!("a histogram has at most {buckets_max} buckets of a sign"))
            );
        }
        let outer =
            entries.first().zip(entries.last()).map(|(first, last)| (first.bucket, last.bucket));
        if outer != Some((first, first + (len as i32 - 1))) {
            return Err(reader.corrupt("the outer buckets of a histogram are empty"));
        }
        let is_possible = |(low, high): (f64, f64)| low <= high && high > 0.0;
        if !entries.iter().all(|entry| is_possible(edges(entry.bucket, self.bits()))) {
            return Err(reader.corrupt("a bucket of a histogram has no number in it"));
        }
        Ok(self.side_of(entries, numbering))
    }

    /// Creates the side of decoded entries.
    fn side_of(&self, mut entries: Vec<Entry>, numbering: u8) -> Side {
        let first = entries.first().map_or(0, |entry| entry.bucket);
        let mut floor = (numbering == FLOOR).then_some(first);
        let normal = first_normal(self.bits());
        if numbering != SUBNORMAL && first < normal {
            // An earlier version did not separate the doublings below 2^-1022.
            floor = Some(normal - 1);
            entries = gathered(
                entries
                    .into_iter()
                    .map(|entry| Entry { bucket: entry.bucket.max(normal - 1), ..entry }),
            );
        }
        Side::of(entries, self.buckets_max(), floor)
    }

    /// Halves the resolution while the relative error stays within `accuracy`. Returns true if the
    /// histogram changed.
    pub(crate) fn coarsen_within(&mut self, accuracy: f64) -> bool {
        let before = self.resolution;
        while self.resolution > 1
            && super::accuracy_of(self.bits() - 1) <= accuracy
            && self.coarsen().is_ok()
        {}
        self.resolution < before
    }
}

impl Side {
    fn encode(&self, bits: u32, writer: &mut Writer) {
        let Some((first, last)) = self.occupied() else { return writer.u64(0) };
        let (offset, numbering) = match self.floor() {
            Some(_) => (0, FLOOR),
            None if first < first_normal(bits) => (subnormal_buckets(bits), SUBNORMAL),
            None => (0, PLAIN),
        };
        writer.u64((last - first + 1) as u64);
        writer.u64((first + offset) as u64);
        writer.u8(numbering);
        writer.counters_at(
            self.ascending().map(|entry| ((entry.bucket - first) as u64, entry.count)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::bucket::bucket_of;
    use super::super::histogram;
    use super::*;
    use proptest::prelude::*;

    fn encoded(histogram: &LogHistogram) -> Vec<u8> {
        let mut writer = Writer::new();
        histogram.encode(&mut writer);
        writer.into_bytes()
    }

    /// The bytes that an earlier version wrote for `count` numbers from `min` to `max`, the last of
    /// them in a bucket of its own.
    fn earlier(count: u64, (min, max): (f64, f64), (first, numbering): (i32, u8)) -> LogHistogram {
        let mut writer = Writer::new();
        writer.u8(5);
        writer.u64(count);
        writer.u64(0);
        [min, max].into_iter().for_each(|end| writer.f64(end));
        writer.bool(false);
        writer.u64(0);
        let last = bucket_of(max, 5);
        writer.u64((last - first + 1) as u64);
        writer.u64(first as u64);
        writer.u8(numbering);
        writer.counters_at([(0, count - 1), ((last - first) as u64, 1)].into_iter());
        let bytes = writer.into_bytes();
        let read = histogram(&[]).decode(&mut Reader::new(&bytes)).unwrap();
        if numbering == FLOOR {
            assert_eq!(encoded(&read), bytes);
        }
        read
    }

    #[test]
    fn magnitudes_that_an_earlier_version_did_not_tell_apart_keep_bounds_that_hold() {
        let floor = earlier(3, (1e-300, 8.0), (bucket_of(1.0, 5), FLOOR));
        let median = floor.quantile(0.5).unwrap();
        assert!(median.lower == 1e-300 && (1.0..1.04).contains(&median.upper), "{median:?}");
        // A number below the first bucket is counted in the first bucket, because it could be on
        // either side of the numbers there.
        let newer = histogram(&[1e-100, 5.0, -2.0]);
        let (mut left, mut right, mut added) = (floor.clone(), newer.clone(), floor.clone());
        left.merge(&newer).unwrap();
        right.merge(&floor).unwrap();
        [1e-100, 5.0, -2.0].iter().for_each(|number| added.add(*number, 1).unwrap());
        assert!(encoded(&left) == encoded(&right) && encoded(&left) == encoded(&added));
        let third = left.quantile(0.5).unwrap();
        assert!(third.lower == 0.0 && (1.0..1.04).contains(&third.upper), "{third:?}");
        left.coarsen().unwrap();
        assert_eq!(left.quantile(0.5).unwrap().lower, 0.0);
        left.prepare();
        assert!(!left.subtracts() && !left.subtract(&newer));
        // Below 2^-1022 all buckets had the same absolute width.
        let tiny = f64::from_bits(3 << 47 | 5);
        let subnormal = earlier(4, (tiny, 8.0), (3, PLAIN));
        let median = subnormal.quantile(0.5).unwrap();
        assert!(
            median.lower == tiny && median.upper < f64::MIN_POSITIVE && median.upper > 1e-308,
            "{median:?}"
        );
        assert_eq!(
            encoded(&subnormal),
            encoded(&histogram(&[]).decode(&mut Reader::new(&encoded(&subnormal))).unwrap())
        );
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(0.0),
            -300.0..300.0f64,
            any::<f64>().prop_filter("finite", |number| number.is_finite())
        ]
    }

    fn quantiles(histogram: &LogHistogram) -> String {
        let quantiles: Vec<_> =
            (0..=20).map(|step| histogram.quantile(f64::from(step) / 20.0)).collect();
        format!("{quantiles:?} {:?} {}", histogram.min(), histogram.accuracy())
    }

    proptest! {
        #[test]
        fn a_histogram_that_was_read_goes_on_as_the_one_that_was_written(
            before in prop::collection::vec(number(), 0..60),
            after in prop::collection::vec(number(), 0..30),
            coarser in 0u32..3,
        ) {
            let mut written = histogram(&before);
            (0..coarser).for_each(|_| written.coarsen().unwrap());
            let bytes = encoded(&written);
            let mut reader = Reader::new(&bytes);
            let mut read = histogram(&[]).decode(&mut reader).unwrap();
            reader.finish().unwrap();
            prop_assert_eq!(encoded(&read), bytes);
            for number in after {
                written.add(number, 1).unwrap();
                read.add(number, 1).unwrap();
            }
            prop_assert_eq!(quantiles(&read), quantiles(&written));
            prop_assert_eq!(encoded(&read), encoded(&written));
        }

        /// A merge equals one histogram of all numbers, byte by byte, for all numbers.
        #[test]
        fn a_merge_is_the_histogram_of_all(
            left in prop::collection::vec(number(), 0..8),
            right in prop::collection::vec(number(), 0..8),
        ) {
            let mut merged = histogram(&left);
            merged.merge(&histogram(&right)).unwrap();
            prop_assert_eq!(encoded(&merged), encoded(&histogram(&[left, right].concat())));
        }

        #[test]
        fn any_bytes_give_a_histogram_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            if let Ok(mut read) = histogram(&[]).decode(&mut Reader::new(&bytes)) {
                read.add(-1.5, 1).unwrap();
                read.add(1e300, 1).unwrap();
                let other = read.clone();
                read.merge(&other).unwrap();
                quantiles(&read);
            }
        }
    }
}
