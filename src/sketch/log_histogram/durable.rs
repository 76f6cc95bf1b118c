//! A histogram as bytes: what is known of all numbers, then the buckets of either sign, runs of zeros short.

use super::{LogHistogram, Side};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::sketch::counters::Counters;

/// The exponent of infinity: buckets of finite numbers lie below it.
const EXPONENTS: u32 = 0x7ff;

impl LogHistogram {
    /// Writes what the histogram holds.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.resolution as u8);
        writer.u64(self.count);
        if self.count == 0 {
            return;
        }
        writer.u64(self.zeros);
        // Of the two zeros always the same: which one came first or last does not matter.
        writer.f64(self.min + 0.0);
        writer.f64(self.max + 0.0);
        writer.bool(self.integers);
        for side in [&self.negative, &self.positive] {
            let (first, last) = side.occupied().unwrap_or((0, 0));
            let len = if side.occupied().is_some() { last - first + 1 } else { 0 };
            writer.u64(u64::from(len));
            if len > 0 {
                writer.u64(u64::from(first));
                writer.bool(side.collapsed);
                let skipped = (first - side.first) as usize;
                writer.counters(side.counters.iter().skip(skipped).take(len as usize));
            }
        }
    }

    /// Reads what a histogram of this accuracy or a coarser one wrote; what this one holds does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes hold none, [`ErrorKind::LimitExceeded`] if it is finer than this one.
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let resolution = u32::from(reader.u8()?);
        if resolution == 0 {
            return Err(reader.corrupt("a histogram has at least two buckets per doubling"));
        }
        if resolution > self.resolution {
            let message = format!("a histogram of 2^{resolution} buckets per doubling is finer than the 2^{} asked for", self.resolution);
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut read = LogHistogram {
            resolution,
            positive: Side::default(),
            negative: Side::default(),
            zeros: 0,
            count: reader.u64()?,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            integers: true,
            parts: None,
        };
        if read.count == 0 {
            return Ok(read);
        }
        read.zeros = reader.u64()?;
        (read.min, read.max, read.integers) = (reader.f64()?, reader.f64()?, reader.bool()?);
        read.negative = read.decode_side(reader)?;
        read.positive = read.decode_side(reader)?;
        let counted = read.negative.counters.iter().chain(read.positive.counters.iter()).fold(read.zeros, u64::saturating_add);
        if counted != read.count || !read.ends_agree() || !read.integers_agree() {
            return Err(reader.corrupt("the buckets of a histogram do not agree with its count, its ends or its integers"));
        }
        Ok(read)
    }

    /// Whether the smallest and the largest number lie in the outermost buckets. Bounds would cross otherwise.
    fn ends_agree(&self) -> bool {
        let within = |number: f64, (low, high): (f64, f64)| low <= number && number <= high;
        let negated = |(low, high): (f64, f64)| (-high, -low);
        let zero = (self.zeros > 0).then_some((0.0, 0.0));
        let edges = |side: &Side, bucket: Option<(u32, u64)>| bucket.map(|(bucket, _)| self.edges(side, bucket));
        let (negative, positive) = (&self.negative, &self.positive);
        let lowest = edges(negative, negative.descending().next()).map(negated).or(zero);
        let highest = edges(positive, positive.descending().next()).or(zero);
        let lowest = lowest.or_else(|| edges(positive, positive.ascending().next()));
        let highest = highest.or_else(|| edges(negative, negative.ascending().next()).map(negated));
        let agree = |number: f64, edges: Option<(f64, f64)>| edges.is_some_and(|edges| within(number, edges));
        agree(self.min, lowest) && agree(self.max, highest) && self.min <= self.max
    }

    /// Whether each bucket has an integer in it, if all numbers are integers.
    fn integers_agree(&self) -> bool {
        let has_integer = |side: &Side| {
            side.ascending().all(|(bucket, _)| {
                let (low, high) = self.edges(side, bucket);
                low.ceil() <= high
            })
        };
        let ends = self.min.fract() == 0.0 && self.max.fract() == 0.0;
        !self.integers || (ends && has_integer(&self.negative) && has_integer(&self.positive))
    }

    fn decode_side(&self, reader: &mut Reader<'_>) -> Result<Side, Error> {
        let len = reader.u64()?;
        if len == 0 {
            return Ok(Side::default());
        }
        let (first, collapsed) = (reader.u64()?, reader.bool()?);
        if len > u64::from(self.buckets_max()) || first.saturating_add(len) > u64::from(EXPONENTS << self.resolution) {
            return Err(reader.corrupt(&format!("{len} buckets from {first} on are more than a histogram has")));
        }
        let mut counters = Counters::zeros(len as usize);
        reader.counters(len as usize, |index, count| counters.add(index, count))?;
        if counters.at(0) == 0 || counters.at(len as usize - 1) == 0 {
            return Err(reader.corrupt("the outer buckets of a histogram are empty"));
        }
        Ok(Side { first: first as u32, counters, collapsed })
    }

    /// Halves the resolution as often as the relative error stays within `accuracy`; whether that changed anything.
    pub(crate) fn coarsen_within(&mut self, accuracy: f64) -> bool {
        let before = self.resolution;
        while self.resolution > 1 && super::accuracy_of(self.resolution - 1) <= accuracy && self.coarsen().is_ok() {}
        self.resolution < before
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram;
    use super::*;
    use proptest::prelude::*;

    fn encoded(histogram: &LogHistogram) -> Vec<u8> {
        let mut writer = Writer::new();
        histogram.encode(&mut writer);
        writer.into_bytes()
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![Just(0.0), -300.0..300.0f64, any::<f64>().prop_filter("finite", |number| number.is_finite())]
    }

    fn quantiles(histogram: &LogHistogram) -> String {
        let quantiles: Vec<_> = (0..=20).map(|step| histogram.quantile(f64::from(step) / 20.0)).collect();
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

        /// A merge is what one histogram of all numbers would hold, to the byte, wherever the numbers lie.
        #[test]
        fn a_merge_is_the_histogram_of_all(left in prop::collection::vec(number(), 0..8), right in prop::collection::vec(number(), 0..8)) {
            let mut merged = histogram(&left);
            merged.merge(&histogram(&right)).unwrap();
            prop_assert_eq!(encoded(&merged), encoded(&histogram(&[left, right].concat())));
        }

        #[test]
        fn any_bytes_give_a_histogram_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
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
