//! The hot loops: a shape in one of the common depths, and narrow counters.

use super::DEPTH_MAX;

/// Where the counters of a hash are: the common depths are worth code of their own.
pub(super) struct Rows<'a> {
    pub(super) bits: u32,
    pub(super) multipliers: &'a [u64; DEPTH_MAX],
}

/// A loop over hashes with one name for each row.
///
/// The counters are looked up once and held by reference until all are written. Looked up again for the write, by index and in arrays of rows, an
/// update took 20 ns instead of 6.5 (4096 x 5, without the hash): the compiler then checks and branches its way through each row twice.
macro_rules! raise_least {
    ($name:ident, $($row:ident $cell:ident $multiplier:ident),+) => {
        pub(super) fn $name(&self, cells: &mut [u32], hashes: &[u64], weight: u32) {
            let (width, shift) = (1 << self.bits, 64 - self.bits);
            let [$($multiplier),+] = self.first();
            let mut rest = cells;
            $(
                let Some(($row, others)) = rest.split_at_mut_checked(width) else { return };
                rest = others;
            )+
            debug_assert!(rest.is_empty());
            for &hash in hashes {
                let ($(Some($cell)),+) = ($($row.get_mut((hash.wrapping_mul($multiplier) >> shift) as usize)),+) else { return };
                let raised = u32::MAX$(.min(*$cell))+.wrapping_add(weight);
                $(*$cell = (*$cell).max(raised);)+
            }
        }
    };
}

impl Rows<'_> {
    #[inline(always)]
    fn first<const DEPTH: usize>(&self) -> [u64; DEPTH] {
        std::array::from_fn(|row| self.multipliers.get(row).copied().unwrap_or(1))
    }

    #[inline(always)]
    pub(super) fn raise<const DEPTH: usize>(&self, cells: &mut [u32], hashes: &[u64], weight: u32) {
        let (multipliers, bits) = (self.first::<DEPTH>(), self.bits);
        for &hash in hashes {
            for (row, multiplier) in multipliers.into_iter().enumerate() {
                let place = (row << bits) + (hash.wrapping_mul(multiplier) >> (64 - bits)) as usize;
                if let Some(cell) = cells.get_mut(place) {
                    *cell = cell.wrapping_add(weight);
                }
            }
        }
    }

    raise_least!(raise_least_of_3, a first x, b second y, c third z);
    raise_least!(raise_least_of_4, a first x, b second y, c third z, d fourth u);
    raise_least!(raise_least_of_5, a first x, b second y, c third z, d fourth u, e fifth v);
}
