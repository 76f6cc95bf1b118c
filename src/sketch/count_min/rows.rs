//! The hot loops, for the common depths and narrow counters.

/// Maximum number of rows: a confidence of 1 - e^-16.
pub(super) const DEPTH_MAX: usize = 16;

/// The counters of a hash. The common depths have code of their own.
pub(super) struct Rows<'a> {
    pub(super) bits: u32,
    pub(super) multipliers: &'a [u64; DEPTH_MAX],
}

/// A loop over hashes with one variable per row, and the minimum of their counters as a tree. It
/// takes 6.5 ns per update instead of 20 (4096 x 5, without the hash).
///
/// Which rows hold the minimum is unpredictable, so a branch on it is mispredicted. The compiler
/// turns short chains of comparisons into conditional moves, and long chains into branches. Nothing
/// changed that: an array of rows, a minimum from the first to the last, hints that a choice is
/// unpredictable, and masks instead of choices all took 18 to 21 ns.
macro_rules! raise_least {
    ($name:ident, ($($row:ident $cell:ident $multiplier:ident),+), $least:expr) => {
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
                let least: fn($($cell: u32),+) -> u32 = $least;
                let raised = least($(*$cell),+).wrapping_add(weight);
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

    raise_least!(raise_least_of_3, (a first x, b second y, c third z), |a, b, c| a.min(b).min(c));
    raise_least!(raise_least_of_4, (a first x, b second y, c third z, d fourth u), |a, b, c, d| a.min(b).min(c.min(d)));
    raise_least!(raise_least_of_5, (a first x, b second y, c third z, d fourth u, e fifth v), |a, b, c, d, e| a.min(b).min(c.min(d)).min(e));
}
