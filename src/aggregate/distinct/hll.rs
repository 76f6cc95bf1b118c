//! The sketch of a distinct count: the HyperLogLog of DataSketches, with our own encoding, limits
//! and errors.
//!
//! Few keys are stored as DataSketches' coupons. After that this module keeps registers itself:
//! adding a key is a hash and a maximum, and merging is a maximum of bytes. It does without the
//! running sums of DataSketches, whose estimate depends on the order of the records. DataSketches'
//! estimator is called when an answer is needed.
//!
//! DataSketches' decoder receives only bytes that were built here from checked values. The encoding
//! holds what the answer depends on: the registers or the coupons.

use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use datasketches::hll::{HllSketch, HllType, HllUnion};

/// The allowed precisions. Below the first the stated bounds were not measured. Above the last a
/// sketch takes more than 256 KB.
pub(super) const PRECISION_MIN: u8 = 10;
pub(super) const PRECISION_MAX: u8 = 18;

/// The offsets of the registers (HLL mode) and of the coupons (list and set mode) in DataSketches'
/// serial form, version 1.
const REGISTERS_AT: usize = 40;
const LIST_AT: usize = 8;
const SET_AT: usize = 12;

/// The largest value of a register: 6 bits.
const REGISTER_MAX: u8 = 63;

/// Registers that differ from the smallest one by at least this are written as exceptions.
const NIBBLE_MAX: u8 = 15;

/// The bits of a coupon that are its address. The bits above them are its value.
const ADDRESS_BITS: u32 = 26;

/// A HyperLogLog sketch of distinct keys.
#[derive(Clone, Debug)]
pub(super) struct Hll {
    form: Form,
    /// The number of distinct keys that is certain, because they were counted before the sketch
    /// began.
    certain: u64,
}

#[derive(Clone, Debug)]
enum Form {
    /// Up to [`coupons_max`] different coupons.
    Coupons(Box<HllUnion>),
    /// The largest value of the coupons of each address, reduced to the bits that the number of
    /// registers needs.
    Registers(Box<[u8]>),
}

/// The modes in which a sketch stores coupons, in DataSketches' numbering. Mode 2 stores registers.
enum Mode {
    List,
    Set,
}

/// Returns the maximum number of coupons of a sketch: three quarters of an eighth of its registers.
pub(super) fn coupons_max(precision: u8) -> usize {
    3 << (precision - 5)
}

/// Returns DataSketches' coupon of a key's hash: the address of a register, and the value to which
/// it is raised, from 1 to 63.
///
/// It is MurmurHash3 (x64, 128 bits) of 8 bytes with DataSketches' seed. The value is the number of
/// leading zeros of one half, plus 1.
#[inline]
pub(super) fn coupon(hash: u64) -> (u32, u8) {
    const SEED: u64 = 9001;
    const LEN: u64 = 8;
    let mixed = hash
        .wrapping_mul(0x87c3_7b91_1142_53d5)
        .rotate_left(31)
        .wrapping_mul(0x4cf5_ad43_2745_937f);
    let high = SEED ^ LEN;
    let low = (SEED ^ mixed ^ LEN).wrapping_add(high);
    let high = high.wrapping_add(low);
    let (low, high) = (finished(low), finished(high));
    let low = low.wrapping_add(high);
    let high = high.wrapping_add(low);
    (low as u32 & ((1 << ADDRESS_BITS) - 1), high.leading_zeros().min(62) as u8 + 1)
}

/// The last step of MurmurHash3.
#[inline]
fn finished(mut half: u64) -> u64 {
    half ^= half >> 33;
    half = half.wrapping_mul(0xff51_afd7_ed55_8ccd);
    half ^= half >> 33;
    half = half.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    half ^ (half >> 33)
}

#[inline]
fn raise(registers: &mut [u8], (address, value): (u32, u8)) {
    let mask = registers.len().wrapping_sub(1);
    if let Some(register) = registers.get_mut(address as usize & mask) {
        *register = value.max(*register);
    }
}

impl Hll {
    pub(super) fn new(precision: u8, certain: u64) -> Self {
        let precision = precision.clamp(PRECISION_MIN, PRECISION_MAX);
        let union = HllUnion::new(precision).expect("4 to 21 is the range of a union");
        Hll { form: Form::Coupons(Box::new(union)), certain }
    }

    /// Creates a sketch of keys from their hashes.
    pub(super) fn of(
        precision: u8,
        certain: u64,
        hashes: impl Iterator<Item = u64> + Clone,
    ) -> Self {
        let mut sketch = Hll::new(precision, certain);
        let mut registers = zeros(sketch.precision());
        hashes.clone().for_each(|hash| raise(&mut registers, coupon(hash)));
        if registers.iter().filter(|register| **register > 0).count()
            > coupons_max(sketch.precision())
        {
            // This many addresses are more coupons than a sketch stores.
            sketch.form = Form::Registers(registers);
        } else {
            hashes.for_each(|hash| sketch.add(hash));
        }
        sketch
    }

    /// Creates the sketch with these registers, at least one of which is not 0.
    pub(super) fn of_registers(registers: Box<[u8]>, certain: u64) -> Self {
        Hll { form: Form::Registers(registers), certain }
    }

    /// Adds a key's hash.
    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        match &mut self.form {
            Form::Registers(registers) => raise(registers, coupon(hash)),
            Form::Coupons(union) => {
                // The sketch then hashes it in the same way on every platform: `u64::hash` passes
                // the bytes in memory order.
                union.update_value(hash.to_le());
                self.take_over();
            }
        }
    }

    /// Takes the registers from DataSketches, if it has changed to registers.
    fn take_over(&mut self) {
        if let Form::Coupons(union) = &self.form
            // A table of coupons takes at most half as many bytes.
            && union.estimated_size() == 1 << union.lg_config_k()
        {
            let serial = union.to_sketch(HllType::Hll8).serialize();
            self.form = Form::Registers(serial.get(REGISTERS_AT..).unwrap_or_default().into());
        }
    }

    /// Adds the keys of another sketch. The result has the lower of both precisions.
    pub(super) fn merge(&mut self, other: &Hll) {
        self.certain = self.certain.max(other.certain);
        match (&mut self.form, &other.form) {
            (Form::Coupons(union), Form::Coupons(other)) => {
                union.update(&other.to_sketch(HllType::Hll8));
                self.take_over();
            }
            (Form::Coupons(union), Form::Registers(other)) => {
                let mut registers = other.clone();
                lower_registers(&mut registers, union.lg_config_k());
                coupons_of(union).into_iter().for_each(|coupon| raise(&mut registers, coupon));
                self.form = Form::Registers(registers);
            }
            (Form::Registers(registers), Form::Coupons(other)) => {
                coupons_of(other).into_iter().for_each(|coupon| raise(registers, coupon));
            }
            (Form::Registers(registers), Form::Registers(other)) => {
                lower_registers(registers, precision_of(other));
                merge_registers(registers, other);
            }
        }
    }

    /// Returns the registers, if the sketch has changed to registers.
    pub(super) fn registers(&self) -> Option<&[u8]> {
        match &self.form {
            Form::Registers(registers) => Some(registers),
            Form::Coupons(_) => None,
        }
    }

    /// Raises the number of certain keys to `keys`, from an exact count that was merged.
    pub(super) fn raise_certain(&mut self, keys: u64) {
        self.certain = self.certain.max(keys);
    }

    pub(super) fn certain(&self) -> u64 {
        self.certain
    }

    pub(super) fn precision(&self) -> u8 {
        match &self.form {
            Form::Coupons(union) => union.lg_config_k(),
            Form::Registers(registers) => precision_of(registers),
        }
    }

    /// Returns the estimate, and a precision at which registers would tell keys apart no better
    /// than this sketch does.
    pub(super) fn estimate(&self) -> (f64, u8) {
        match &self.form {
            Form::Coupons(union) => (union.composite_estimate(), ADDRESS_BITS as u8),
            Form::Registers(registers) => {
                (estimate_of(&occurrences(registers)), precision_of(registers))
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match &self.form {
            Form::Coupons(union) => size_of::<HllUnion>() + union.estimated_size(),
            Form::Registers(registers) => registers.len(),
        }
    }

    /// Lowers the precision of the sketch.
    pub(super) fn lower_to(&mut self, precision: u8) {
        let mut lower = Hll::new(precision, self.certain);
        lower.merge(self);
        *self = lower;
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u64(self.certain);
        writer.u8(self.precision());
        match &self.form {
            Form::Registers(registers) => {
                writer.u8(2);
                encode_registers(registers, writer);
            }
            Form::Coupons(union) => {
                let serial = union.to_sketch(HllType::Hll8).serialize();
                let is_set = is_set(&serial);
                writer.u8(u8::from(is_set));
                if is_set {
                    // The size of the table, which decides when the sketch changes to registers.
                    writer.u8(serial.get(4).copied().unwrap_or(0));
                }
                encode_coupons(&serial, writer);
            }
        }
    }

    /// Reads a sketch of at most this precision.
    pub(super) fn decode(reader: &mut Reader<'_>, precision_max: u8) -> Result<Self, Error> {
        let certain = reader.u64()?;
        let precision = reader.u8()?;
        if !(PRECISION_MIN..=PRECISION_MAX).contains(&precision) {
            return Err(reader.corrupt(&format!(
                "a precision of {precision}; from {PRECISION_MIN} to {PRECISION_MAX}"
            )));
        }
        if precision > precision_max {
            let message = format!(
                "a distinct count of precision {precision} is finer than the {precision_max} asked \
                 for"
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut hll = Hll::new(precision, certain);
        let serial = match reader.u8()? {
            0 => coupons_serial(reader, precision, Mode::List)?,
            1 => coupons_serial(reader, precision, Mode::Set)?,
            2 => {
                let registers = decode_registers(reader, precision)?;
                if registers.iter().any(|register| *register > 0) {
                    hll.form = Form::Registers(registers.into());
                }
                return Ok(hll);
            }
            other => {
                return Err(reader.corrupt(&format!("{other} is not a mode of a distinct count")));
            }
        };
        let sketch = HllSketch::deserialize(&serial)
            .map_err(|error| reader.corrupt(&format!("not a distinct count: {error}")))?;
        if let Form::Coupons(union) = &mut hll.form {
            union.update(&sketch);
        }
        hll.take_over();
        Ok(hll)
    }
}

fn zeros(precision: u8) -> Box<[u8]> {
    vec![0; 1 << precision].into()
}

fn precision_of(registers: &[u8]) -> u8 {
    registers.len().trailing_zeros() as u8
}

/// Halves the registers down to a precision, if theirs is higher. Each step removes the highest bit
/// of the address.
fn lower_registers(registers: &mut Box<[u8]>, precision: u8) {
    if registers.len() > 1 << precision {
        let mut lower = zeros(precision);
        merge_registers(&mut lower, registers);
        *registers = lower;
    }
}

/// Raises the registers to those of `from`, whose precision is at least as high.
pub(super) fn merge_registers(into: &mut [u8], from: &[u8]) {
    for part in from.chunks(into.len().max(1)) {
        into.iter_mut().zip(part).for_each(|(into, from)| *into = (*into).max(*from));
    }
}

/// Returns the number of registers with each value.
fn occurrences(registers: &[u8]) -> [u32; 64] {
    // A byte can count this many registers, so that bytes are compared and counted many at once.
    const CHUNK: usize = 128;
    let mut of_value = [0; 64];
    let mut left = registers.len() as u32;
    for (value, count) in (0u8..).zip(&mut of_value) {
        if left == 0 {
            break;
        }
        let alike = |chunk: &[u8]| {
            chunk.iter().fold(0, |alike, register| alike + u8::from(*register == value))
        };
        *count = registers.chunks(CHUNK).map(|chunk| u32::from(alike(chunk))).sum();
        left -= *count;
    }
    of_value
}

/// Returns the estimate, given the number of registers with each value.
pub(super) fn estimate_of(of_value: &[u32; 64]) -> f64 {
    // A sum of powers of two that spans fewer than 53 bits is exact in any order.
    let inverse = |range: std::ops::Range<usize>| -> f64 {
        range
            .map(|value| f64::from(of_value[value]) * f64::from_bits((1023 - value as u64) << 52))
            .sum()
    };
    let registers: u32 = of_value.iter().sum();
    let mut serial = vec![10, 1, 7, registers.trailing_zeros() as u8, 0, 16, 0, 2 << 2 | 2];
    serial.reserve_exact(REGISTERS_AT + registers as usize);
    serial.extend_from_slice(&0f64.to_le_bytes());
    serial.extend_from_slice(&inverse(0..32).to_le_bytes());
    serial.extend_from_slice(&inverse(32..64).to_le_bytes());
    serial.extend_from_slice(&of_value[0].to_le_bytes());
    // The estimator reads only these sums and no register, so the registers may be zeros.
    serial.resize(REGISTERS_AT + registers as usize, 0);
    HllSketch::deserialize(&serial).map_or(0.0, |sketch| sketch.composite_estimate())
}

/// Returns true if DataSketches' bytes are those of a set of coupons, not of a list.
fn is_set(serial: &[u8]) -> bool {
    serial.get(7).is_some_and(|mode| mode & 3 == 1)
}

/// Returns the coupons in DataSketches' bytes of a list or a set.
fn raw_coupons(serial: &[u8]) -> impl Iterator<Item = u32> {
    let coupons = serial.get(if is_set(serial) { SET_AT } else { LIST_AT }..).unwrap_or_default();
    coupons
        .chunks_exact(4)
        .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .filter(|coupon| *coupon != 0)
}

/// Returns the coupons of a sketch that stores coupons.
fn coupons_of(union: &HllUnion) -> Vec<(u32, u8)> {
    let serial = union.to_sketch(HllType::Hll8).serialize();
    raw_coupons(&serial)
        .map(|raw| (raw & ((1 << ADDRESS_BITS) - 1), (raw >> ADDRESS_BITS) as u8))
        .collect()
}

/// Writes ascending coupons, each as its distance to the one before.
fn encode_coupons(serial: &[u8], writer: &mut Writer) {
    let mut coupons: Vec<u32> = raw_coupons(serial).collect();
    coupons.sort_unstable();
    writer.usize(coupons.len());
    let mut last = 0;
    for coupon in coupons {
        writer.u64(u64::from(coupon - last));
        last = coupon;
    }
}

/// Reads coupons into DataSketches' bytes of a list or a set.
fn coupons_serial(reader: &mut Reader<'_>, precision: u8, mode: Mode) -> Result<Vec<u8>, Error> {
    let (is_set, lg_table) = match mode {
        Mode::Set => (true, reader.u8()?),
        _ => (false, 3),
    };
    let count = reader.count(1)?;
    // The table of a set is at most three quarters full and has at most an eighth of the registers.
    let fits = if is_set {
        (5..=precision - 3).contains(&lg_table) && count * 4 <= 3 << lg_table
    } else {
        count <= 8
    };
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
        last = step
            .and_then(|step| last.checked_add(step))
            .ok_or_else(|| reader.corrupt("coupons do not ascend"))?;
        serial.extend_from_slice(&last.to_le_bytes());
    }
    Ok(serial)
}

/// Writes half a byte per register, its distance to the smallest one, and then the registers that
/// are too far from it.
fn encode_registers(registers: &[u8], writer: &mut Writer) {
    let least = registers.iter().copied().min().unwrap_or(0);
    let nibble = |register: u8| (register - least).min(NIBBLE_MAX);
    let far =
        || registers.iter().enumerate().filter(|(_, register)| *register - least >= NIBBLE_MAX);
    writer.u8(least);
    let packed: Vec<u8> = registers
        .chunks(2)
        .map(|pair| pair.iter().rev().fold(0, |byte, register| byte << 4 | nibble(*register)))
        .collect();
    writer.raw(&packed);
    writer.usize(far().count());
    let mut last = 0;
    for (slot, register) in far() {
        writer.usize(slot - last);
        writer.u8(*register);
        last = slot;
    }
}

/// Reads the bytes of [`encode_registers`].
fn decode_registers(reader: &mut Reader<'_>, precision: u8) -> Result<Vec<u8>, Error> {
    let least = reader.u8()?;
    let packed = reader.raw(1 << (precision - 1))?;
    let mut registers: Vec<u8> = packed
        .iter()
        .flat_map(|byte| [byte & 15, byte >> 4])
        .map(|nibble| nibble.saturating_add(least))
        .collect();
    let mut slot = 0usize;
    for index in 0..reader.count(2)? {
        let step = reader.usize()?;
        slot = slot.saturating_add(step);
        let register = reader.u8()?;
        let far = register.checked_sub(least).is_some_and(|distance| distance >= NIBBLE_MAX);
        match registers.get_mut(slot) {
            Some(place)
                if far
                    && *place == least.saturating_add(NIBBLE_MAX)
                    && (index == 0 || step > 0) =>
            {
                *place = register
            }
            _ => return Err(reader.corrupt("an outlying register is out of place")),
        }
    }
    if registers.iter().any(|register| *register > REGISTER_MAX) {
        return Err(reader.corrupt(&format!("a register is over {REGISTER_MAX}")));
    }
    Ok(registers)
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
        format!("{} {:x} {}", hll.precision(), hll.estimate().0.to_bits(), hll.certain())
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
        fn any_bytes_give_a_sketch_or_an_error(
            head in prop::collection::vec(0u8..20, 2..8),
            tail in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let bytes = [&[1], &head[..], &tail].concat();
            if let Ok(mut read) = Hll::decode(&mut Reader::new(&bytes), 12) {
                read.add(7);
                read.merge(&hll(10, 0..5));
                read.estimate();
            }
        }
    }

    proptest! {
        #[test]
        fn coupons_are_those_of_data_sketches(hash: u64) {
            let mut theirs = HllSketch::new(21, HllType::Hll8).unwrap();
            theirs.update(hash.to_le());
            let (address, value) = coupon(hash);
            prop_assert_eq!(
                raw_coupons(&theirs.serialize()).collect::<Vec<_>>(),
                [u32::from(value) << ADDRESS_BITS | address]
            );
        }

        /// Our registers, whatever their history, compared with those of DataSketches.
        #[test]
        fn registers_and_estimates_are_those_of_data_sketches(
            precision in 10u8..15,
            keys in prop_oneof![0u64..700, 0u64..90_000],
            at in 0.0f64..1.0,
        ) {
            let hash = |key| crate::hash::hash_u64(crate::hash::Seed::new(3), key);
            let mut theirs = HllUnion::new(precision).unwrap();
            (0..keys).for_each(|key| theirs.update_value(hash(key).to_le()));
            let cut = (at * keys as f64) as u64;
            let mut merged = hll(precision, 0..cut);
            merged.merge(&hll(precision, cut..keys));
            for ours in
                [&merged, &hll(precision, 0..keys), &Hll::of(precision, 1, (0..keys).map(hash))]
            {
                prop_assert_eq!(ours.estimate().0, theirs.composite_estimate());
                let serial = theirs.to_sketch(HllType::Hll8).serialize();
                match ours.registers() {
                    Some(registers) => prop_assert_eq!(registers, &serial[REGISTERS_AT..]),
                    None => prop_assert!(serial[7] & 3 < 2),
                }
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
        assert_eq!(
            Hll::decode(&mut Reader::new(&bytes), 12).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
}
