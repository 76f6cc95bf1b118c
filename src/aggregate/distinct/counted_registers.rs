//! The registers of a HyperLogLog sketch from which keys can be subtracted.
//!
//! A register holds the largest value of its coupons. Here each register also counts its coupons by
//! value, so that the next value is known when the last coupon of the largest value is removed. A
//! register is one word. Most keys need only this word.

use super::hll::estimate_of;
use crate::hash::Map;
use crate::sketch::prefetch::prefetch;

/// Values up to this one are counted in a byte of the register's word. Half of all coupons have the
/// value 1, a quarter have 2, and so on; one in 128 has a value above 7.
const BYTES_MAX: u8 = 7;

/// The number of coupons whose registers are prefetched before the first of them is changed.
/// Otherwise each would be a cache miss, one after another.
const BATCH: usize = 32;

/// The registers with all their coupons.
#[derive(Clone, Debug)]
pub(super) struct CountedRegisters {
    /// For each register its largest value, or 0 if it is empty, and the number of its coupons with
    /// the values 1 to 7. A byte of 255 means 255 or more.
    words: Vec<[u8; 8]>,
    /// By register and value: the coupons of larger values, and those that do not fit into the
    /// byte.
    further: Map<(u32, u8), u32>,
    /// The number of registers with each largest value.
    of_value: [u32; 64],
    /// The number of different pairs of a register and a value.
    coupons: usize,
}

impl CountedRegisters {
    pub(super) fn new(precision: u8) -> Self {
        let mut of_value = [0; 64];
        of_value[0] = 1 << precision;
        CountedRegisters {
            words: vec![[0; 8]; 1 << precision],
            further: Map::default(),
            of_value,
            coupons: 0,
        }
    }

    #[inline]
    fn register(&self, address: u32) -> usize {
        address as usize & (self.words.len() - 1)
    }

    /// Adds coupons.
    pub(super) fn raise_all(&mut self, coupons: impl Iterator<Item = (u32, u8)>) {
        self.in_batches(coupons, |registers, coupon| {
            registers.raise(coupon);
            true
        });
    }

    /// Removes each of the coupons once. Returns false if one is missing; the coupons after it may
    /// then still be there.
    pub(super) fn lower_all(&mut self, coupons: impl Iterator<Item = (u32, u8)>) -> bool {
        self.in_batches(coupons, CountedRegisters::lower)
    }

    #[inline]
    fn in_batches(
        &mut self,
        coupons: impl Iterator<Item = (u32, u8)>,
        mut change: impl FnMut(&mut Self, (u32, u8)) -> bool,
    ) -> bool {
        let mut coupons = coupons.fuse();
        let mut batch = [(0, 0); BATCH];
        loop {
            let mut filled = 0;
            for (place, coupon) in batch.iter_mut().zip(&mut coupons) {
                prefetch(&self.words, self.register(coupon.0));
                *place = coupon;
                filled += 1;
            }
            if !batch.iter().take(filled).all(|coupon| change(self, *coupon)) {
                return false;
            }
            if filled < BATCH {
                return true;
            }
        }
    }

    /// Adds a coupon: an address and a value from 1 to 63.
    #[inline]
    pub(super) fn raise(&mut self, (address, value): (u32, u8)) {
        let register = self.register(address);
        let word = &mut self.words[register];
        let new = if value <= BYTES_MAX && word[usize::from(value)] < u8::MAX {
            word[usize::from(value)] += 1;
            word[usize::from(value)] == 1
        } else {
            let count = self.further.entry((register as u32, value)).or_insert(0);
            *count = count.saturating_add(1);
            *count == 1 && value > BYTES_MAX
        };
        self.coupons += usize::from(new);
        if value > word[0] {
            self.of_value[usize::from(word[0])] -= 1;
            self.of_value[usize::from(value)] += 1;
            word[0] = value;
        }
    }

    /// Removes a coupon once. Returns false if it is missing.
    #[inline]
    fn lower(&mut self, (address, value): (u32, u8)) -> bool {
        let register = self.register(address);
        let word = &mut self.words[register];
        if value <= BYTES_MAX && word[usize::from(value)] < u8::MAX {
            let Some(rest) = word[usize::from(value)].checked_sub(1) else { return false };
            word[usize::from(value)] = rest;
            if rest == 0 {
                self.gone(register, value);
            }
            return true;
        }
        self.lower_further(register, value)
    }

    #[cold]
    fn lower_further(&mut self, register: usize, value: u8) -> bool {
        let place = (register as u32, value);
        match self.further.get_mut(&place) {
            Some(1) => {
                self.further.remove(&place);
                if value > BYTES_MAX {
                    self.gone(register, value);
                }
            }
            Some(count) => *count -= 1,
            None if value > BYTES_MAX => return false,
            None => self.words[register][usize::from(value)] -= 1,
        }
        true
    }

    /// Called after the last coupon of this value was removed.
    #[inline]
    fn gone(&mut self, register: usize, value: u8) {
        self.coupons -= 1;
        if value == self.words[register][0] {
            let next = (1..value).rev().find(|value| self.has(register, *value)).unwrap_or(0);
            self.words[register][0] = next;
            self.of_value[usize::from(value)] -= 1;
            self.of_value[usize::from(next)] += 1;
        }
    }

    fn has(&self, register: usize, value: u8) -> bool {
        if value > BYTES_MAX {
            self.further.contains_key(&(register as u32, value))
        } else {
            self.words[register][usize::from(value)] > 0
        }
    }

    /// Returns the number of different pairs of a register and a value. There are at least as many
    /// keys.
    pub(super) fn coupons(&self) -> usize {
        self.coupons
    }

    /// Returns the sketch's estimate.
    pub(super) fn estimate(&self) -> f64 {
        estimate_of(&self.of_value)
    }

    /// Returns the registers of the sketch.
    pub(super) fn largest(&self) -> impl Iterator<Item = u8> {
        self.words.iter().map(|word| word[0])
    }

    /// Returns the bytes in memory.
    pub(super) fn resident_bytes(&self) -> usize {
        let further = self.further.capacity() / 7 * 8 * (size_of::<((u32, u8), u32)>() + 1);
        size_of::<Self>() + self.words.capacity() * size_of::<u64>() + further
    }
}
