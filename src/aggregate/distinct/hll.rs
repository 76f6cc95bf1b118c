//! The sketch of a distinct count: DataSketches' HyperLogLog behind our own bytes, limits and errors.
//!
//! Its decoder is only given bytes that were made here, of values that were checked here. What is written is what the answer depends on, the
//! registers or the coupons, not its running estimate, which depends on the order of the records.

use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use datasketches::hll::{HllSketch, HllType, HllUnion};

/// Precisions that are offered: below the first the stated bounds were not measured, past the last a sketch takes over 256 KB.
pub(super) const PRECISION_MIN: u8 = 10;
pub(super) const PRECISION_MAX: u8 = 18;

/// Where DataSketches' serial form (version 1) has the registers of its HLL mode, and the coupons of its list and set modes.
const REGISTERS_AT: usize = 40;
const LIST_AT: usize = 8;
const SET_AT: usize = 12;

/// The largest value of a register: 6 bits.
const REGISTER_MAX: u8 = 63;

/// Registers that differ from the smallest by this or more are written as exceptions.
const NIBBLE_MAX: u8 = 15;

/// A HyperLogLog sketch of distinct keys.
#[derive(Clone, Debug)]
pub(super) struct Hll {
    union: Box<HllUnion>,
    /// So many distinct keys there are for certain: they were counted before the sketch took over.
    certain: u64,
}

/// The modes of a sketch that keeps keys' coupons, in DataSketches' numbering; with registers instead it is in mode 2.
enum Mode {
    List,
    Set,
}

impl Hll {
    pub(super) fn new(precision: u8, certain: u64) -> Self {
        let precision = precision.clamp(PRECISION_MIN, PRECISION_MAX);
        let union = HllUnion::new(precision).expect("4 to 21 is the range of a union");
        Hll { union: Box::new(union), certain }
    }

    /// Adds a key's hash.
    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        // As the sketch hashes it the same way on every platform: `u64::hash` feeds the bytes of memory order.
        self.union.update_value(hash.to_le());
    }

    /// Adds the keys of another; the result has the lower of both precisions.
    pub(super) fn merge(&mut self, other: &Hll) {
        self.union.update(&other.union.to_sketch(HllType::Hll8));
        self.certain = self.certain.max(other.certain);
    }

    /// As many keys are certain, from an exact count that was merged.
    pub(super) fn raise_certain(&mut self, keys: u64) {
        self.certain = self.certain.max(keys);
    }

    pub(super) fn certain(&self) -> u64 {
        self.certain
    }

    pub(super) fn precision(&self) -> u8 {
        self.union.lg_config_k()
    }

    pub(super) fn estimate(&self) -> f64 {
        self.union.composite_estimate()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<HllUnion>() + self.union.estimated_size()
    }

    /// Brings the sketch to a lower precision.
    pub(super) fn lower_to(&mut self, precision: u8) {
        let mut lower = Hll::new(precision, self.certain);
        lower.merge(self);
        *self = lower;
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let serial = self.union.to_sketch(HllType::Hll8).serialize();
        writer.u64(self.certain);
        writer.u8(self.precision());
        let Some(mode) = serial.get(7) else { return };
        match mode & 3 {
            0 => {
                writer.u8(0);
                encode_coupons(serial.get(LIST_AT..).unwrap_or_default(), writer);
            }
            1 => {
                writer.u8(1);
                // The size of its table, which decides when it becomes registers.
                writer.u8(serial.get(4).copied().unwrap_or(0));
                encode_coupons(serial.get(SET_AT..).unwrap_or_default(), writer);
            }
            _ => {
                writer.u8(2);
                encode_registers(serial.get(REGISTERS_AT..).unwrap_or_default(), writer);
            }
        }
    }

    /// Reads a sketch of at most this precision.
    pub(super) fn decode(reader: &mut Reader<'_>, precision_max: u8) -> Result<Self, Error> {
        let certain = reader.u64()?;
        let precision = reader.u8()?;
        if !(PRECISION_MIN..=PRECISION_MAX).contains(&precision) {
            return Err(reader.corrupt(&format!("a precision of {precision}; from {PRECISION_MIN} to {PRECISION_MAX}")));
        }
        if precision > precision_max {
            let message = format!("a distinct count of precision {precision} is finer than the {precision_max} asked for");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let serial = match reader.u8()? {
            0 => coupons_serial(reader, precision, Mode::List)?,
            1 => coupons_serial(reader, precision, Mode::Set)?,
            2 => registers_serial(reader, precision)?,
            other => return Err(reader.corrupt(&format!("{other} is no mode of a distinct count"))),
        };
        let sketch = HllSketch::deserialize(&serial).map_err(|error| reader.corrupt(&format!("no distinct count: {error}")))?;
        let mut hll = Hll::new(precision, certain);
        hll.union.update(&sketch);
        Ok(hll)
    }
}

/// Coupons ascending, each as its distance to the one before.
fn encode_coupons(serial: &[u8], writer: &mut Writer) {
    let mut coupons: Vec<u32> = serial.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect();
    coupons.retain(|coupon| *coupon != 0);
    coupons.sort_unstable();
    writer.usize(coupons.len());
    let mut last = 0;
    for coupon in coupons {
        writer.u64(u64::from(coupon - last));
        last = coupon;
    }
}

/// DataSketches' bytes of a list or a set of coupons.
fn coupons_serial(reader: &mut Reader<'_>, precision: u8, mode: Mode) -> Result<Vec<u8>, Error> {
    let (is_set, lg_table) = match mode {
        Mode::Set => (true, reader.u8()?),
        _ => (false, 3),
    };
    let count = reader.count(1)?;
    // A table of a set is at most three quarters full and at most an eighth of the registers.
    let fits = if is_set { (5..=precision - 3).contains(&lg_table) && count * 4 <= 3 << lg_table } else { count <= 8 };
    if !fits {
        return Err(reader.corrupt(&format!("{count} coupons do not fit a table of 2^{lg_table}")));
    }
    let flags = 8 | if count == 0 { 4 } else { 0 };
    let (ints, mode, listed) = if is_set { (3, 1, 0) } else { (2, 0, count as u8) };
    let mut serial = vec![ints, 1, 7, precision, lg_table, flags, listed, 2 << 2 | mode];
    if is_set {
        serial.extend_from_slice(&(count as u32).to_le_bytes());
    }
    let mut last = 0u32;
    for _ in 0..count {
        let step = u32::try_from(reader.u64()?).ok().filter(|step| *step > 0);
        last = step.and_then(|step| last.checked_add(step)).ok_or_else(|| reader.corrupt("coupons do not ascend"))?;
        serial.extend_from_slice(&last.to_le_bytes());
    }
    Ok(serial)
}

/// Half a byte a register: its distance to the smallest one; and those that are too far from it.
fn encode_registers(registers: &[u8], writer: &mut Writer) {
    let least = registers.iter().copied().min().unwrap_or(0);
    let nibble = |register: u8| (register - least).min(NIBBLE_MAX);
    let far = || registers.iter().enumerate().filter(|(_, register)| *register - least >= NIBBLE_MAX);
    writer.u8(least);
    let packed: Vec<u8> =
        registers.chunks(2).map(|pair| pair.iter().rev().fold(0, |byte, register| byte << 4 | nibble(*register))).collect();
    writer.raw(&packed);
    writer.usize(far().count());
    let mut last = 0;
    for (slot, register) in far() {
        writer.usize(slot - last);
        writer.u8(*register);
        last = slot;
    }
}

/// DataSketches' bytes of registers.
fn registers_serial(reader: &mut Reader<'_>, precision: u8) -> Result<Vec<u8>, Error> {
    let least = reader.u8()?;
    let packed = reader.raw(1 << (precision - 1))?;
    let mut registers: Vec<u8> = packed.iter().flat_map(|byte| [byte & 15, byte >> 4]).map(|nibble| nibble.saturating_add(least)).collect();
    let mut slot = 0usize;
    for index in 0..reader.count(2)? {
        let step = reader.usize()?;
        slot = slot.saturating_add(step);
        let register = reader.u8()?;
        let far = register.checked_sub(least).is_some_and(|distance| distance >= NIBBLE_MAX);
        match registers.get_mut(slot) {
            Some(place) if far && *place == least.saturating_add(NIBBLE_MAX) && (index == 0 || step > 0) => *place = register,
            _ => return Err(reader.corrupt("an outlying register is out of place")),
        }
    }
    if registers.iter().any(|register| *register > REGISTER_MAX) {
        return Err(reader.corrupt(&format!("a register is over {REGISTER_MAX}")));
    }
    let sum = |range: std::ops::Range<u8>| -> f64 {
        registers.iter().filter(|register| range.contains(register)).map(|register| 0.5f64.powi(i32::from(*register))).sum()
    };
    let zeros = registers.iter().filter(|register| **register == 0).count() as u32;
    let mut serial = vec![10, 1, 7, precision, 0, 16, 0, 2 << 2 | 2];
    serial.extend_from_slice(&0f64.to_le_bytes());
    serial.extend_from_slice(&sum(0..32).to_le_bytes());
    serial.extend_from_slice(&sum(32..64).to_le_bytes());
    serial.extend_from_slice(&zeros.to_le_bytes());
    serial.extend_from_slice(&0u32.to_le_bytes());
    serial.extend_from_slice(&registers);
    Ok(serial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hll(precision: u8, keys: std::ops::Range<u64>) -> Hll {
        let mut hll = Hll::new(precision, 1);
        keys.for_each(|key| hll.add(crate::hash::hash_u64(crate::hash::Seed::new(3), key)));
        hll
    }

    fn encoded(hll: &Hll) -> Vec<u8> {
        let mut writer = Writer::new();
        hll.encode(&mut writer);
        writer.into_bytes()
    }

    fn state(hll: &Hll) -> String {
        format!("{} {:x} {}", hll.precision(), hll.estimate().to_bits(), hll.certain())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_sketch_that_was_read_goes_on_as_the_one_that_was_written(
            precision in 10u8..15,
            keys in prop_oneof![0u64..40, 0u64..4000, 0u64..40_000],
            more in 0u64..3000,
        ) {
            let mut written = hll(precision, 0..keys);
            let bytes = encoded(&written);
            let mut reader = Reader::new(&bytes);
            let mut read = Hll::decode(&mut reader, precision).unwrap();
            reader.finish().unwrap();
            prop_assert_eq!(encoded(&read), bytes);
            let other = hll(precision, keys / 2..keys + more);
            for sketch in [&mut written, &mut read] {
                prop_assert!(sketch.precision() == precision);
                sketch.merge(&other);
                (0..more).for_each(|key| sketch.add(key));
            }
            prop_assert_eq!(state(&read), state(&written));
            prop_assert_eq!(encoded(&read), encoded(&written));
        }

        #[test]
        fn any_bytes_give_a_sketch_or_an_error(head in prop::collection::vec(0u8..20, 2..8), tail in prop::collection::vec(any::<u8>(), 0..600)) {
            let bytes = [&[1], &head[..], &tail].concat();
            if let Ok(mut read) = Hll::decode(&mut Reader::new(&bytes), 12) {
                read.add(7);
                read.merge(&hll(10, 0..5));
                read.estimate();
            }
        }
    }

    #[test]
    fn registers_take_half_a_byte() {
        let bytes = encoded(&hll(14, 0..1_000_000));
        assert!(bytes.len() < (1 << 13) + 100, "{}", bytes.len());
    }

    #[test]
    fn a_lower_precision_is_what_it_would_have_been_from_the_start() {
        let mut lowered = hll(14, 0..50_000);
        lowered.lower_to(11);
        assert_eq!(state(&lowered), state(&hll(11, 0..50_000)));
    }

    #[test]
    fn registers_that_are_too_large_are_refused_and_not_shifted_by() {
        let mut bytes = encoded(&hll(10, 0..10_000));
        bytes[3] = 200;
        assert_eq!(Hll::decode(&mut Reader::new(&bytes), 12).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
