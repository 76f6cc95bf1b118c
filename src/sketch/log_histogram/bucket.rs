//! Conversion between magnitudes and bucket numbers.
//!
//! Bucket numbers have the order of the magnitudes in them. A number is the exponent of a double
//! and the first bits of its mantissa, cut from its binary form. Doubles below 2^-1022 have fewer
//! mantissa bits. Their doublings have the numbers below exponent 1, down to -51 for the smallest
//! double.

/// Explicit bits of a double's mantissa.
const MANTISSA_BITS: u32 = 52;

/// The number of doublings of magnitudes below 2^-1022.
const SUBNORMAL_DOUBLINGS: i32 = 52;

/// The exponent of infinity: buckets of finite numbers are below it.
const EXPONENTS: i32 = 0x7ff;

/// Returns the bucket of a magnitude of at least 2^-1022: positive doubles have the order of their
/// bits.
#[inline]
pub(super) fn bucket_of_normal(magnitude: f64, resolution: u32) -> i32 {
    (magnitude.to_bits() >> (MANTISSA_BITS - resolution)) as i32
}

/// Returns the bucket of any magnitude above 0.
#[inline]
pub(super) fn bucket_of(magnitude: f64, resolution: u32) -> i32 {
    if magnitude >= f64::MIN_POSITIVE {
        return bucket_of_normal(magnitude, resolution);
    }
    // The product with 2^52 is exact and has all bits of a mantissa.
    let scaled = magnitude * (1u64 << MANTISSA_BITS) as f64;
    bucket_of_normal(scaled, resolution) - subnormal_buckets(resolution)
}

/// Returns the number of buckets of magnitudes below 2^-1022 that are below bucket 0.
pub(super) fn subnormal_buckets(resolution: u32) -> i32 {
    SUBNORMAL_DOUBLINGS << resolution
}

/// Returns the first bucket whose magnitudes have all bits of a mantissa.
pub(super) fn first_normal(resolution: u32) -> i32 {
    1 << resolution
}

/// Returns the number after the last bucket.
pub(super) fn end(resolution: u32) -> i32 {
    EXPONENTS << resolution
}

/// Returns the smallest and the largest magnitude of a bucket. The first is above the second if the
/// bucket contains no double.
pub(super) fn edges(bucket: i32, resolution: u32) -> (f64, f64) {
    let last = lowest_bits(bucket + 1, resolution) - 1;
    (f64::from_bits(lowest_bits(bucket, resolution)), f64::from_bits(last))
}

/// Returns the smallest magnitude above a bucket; infinity above the last one.
pub(super) fn next_edge(bucket: i32, resolution: u32) -> f64 {
    f64::from_bits(lowest_bits(bucket + 1, resolution))
}

/// Returns the bits of the smallest magnitude that is not below the bucket.
fn lowest_bits(bucket: i32, resolution: u32) -> u64 {
    let shift = MANTISSA_BITS - resolution;
    if bucket >= first_normal(resolution) {
        return (bucket as u64) << shift;
    }
    // The bits of a double below 2^-1022 are its multiple of the smallest double.
    let scaled = f64::from_bits(((bucket + subnormal_buckets(resolution)) as u64) << shift);
    (scaled / f64::MIN_POSITIVE).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every positive double is between the edges of its bucket, and the neighbours of the edges
    /// are in other buckets.
    fn holds(bits: u64, resolution: u32) {
        let magnitude = f64::from_bits(bits);
        let bucket = bucket_of(magnitude, resolution);
        let (low, high) = edges(bucket, resolution);
        assert!(low <= magnitude && magnitude <= high, "{magnitude:e} in {low:e} to {high:e}");
        assert_eq!(
            (bucket_of(low, resolution), bucket_of(high, resolution)),
            (bucket, bucket),
            "{magnitude:e}"
        );
        assert!(high / low - 1.0 <= 1.0 / f64::from(1u32 << resolution), "{low:e} to {high:e}");
        assert!(-subnormal_buckets(resolution) < bucket && bucket < end(resolution));
        for coarser in 1..resolution {
            assert_eq!(bucket >> coarser, bucket_of(magnitude, resolution - coarser));
        }
    }

    #[test]
    fn the_ends_of_the_doubles_and_of_the_subnormal_ones_have_buckets() {
        let normal = f64::MIN_POSITIVE.to_bits();
        for resolution in 1..=13 {
            for bits in (1..600)
                .chain(normal - 600..normal + 600)
                .chain(f64::MAX.to_bits() - 9..=f64::MAX.to_bits())
            {
                holds(bits, resolution);
            }
        }
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_magnitudes(
            bits in 1..=f64::MAX.to_bits(),
            small in 0u32..52,
            resolution in 1u32..=13,
        ) {
            holds(bits, resolution);
            holds((1 << small) | (bits & ((1 << small) - 1)), resolution);
        }
    }
}
