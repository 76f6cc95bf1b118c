//! The two hashes of the crate, and the only file that names either.
//!
//! *Stable*: [`hash_bytes`] and [`hash_u64`] give the same value in every version, on every platform and CPU. Whatever is written
//! down or merged across machines hashes by them, under a [`Seed`].
//!
//! *In memory*: `Map` is a hash map under a randomly keyed `ahash`, fast and safe against chosen keys. Nothing of it is ever
//! persisted, and nothing that a user sees depends on its order.

use std::fmt;

/// A hash map for the inside of a process: randomly keyed, never persisted, never iterated into results unsorted.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, ahash::RandomState>;

/// The seed of a sketch's stable hash.
///
/// Sketches merge only under equal seeds. The default seed is public: whoever chooses the keys can then look for collisions
/// offline. Where keys come from outside, give a secret seed that all of a deployment's processes share.
///
/// A seed is a secret: `Debug` prints its [fingerprint](Seed::fingerprint) and never the seed itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(u64);

impl Seed {
    /// The public seed that sketches have unless they are given another.
    pub const PUBLIC: Seed = Seed(0x5374_7265_616d_4761);

    /// A seed of one's own; any value is good, a random one best.
    pub const fn new(seed: u64) -> Self {
        Seed(seed)
    }

    /// A number that tells two seeds apart and does not give the seed away; it may be written down.
    pub fn fingerprint(self) -> u64 {
        // Two rounds under a constant seed: xxh3 is not a cryptographic hash, so this hides the seed from eyes, not from an
        // attacker who can enumerate 2^64 seeds.
        let once = xxhash_rust::xxh3::xxh3_64_with_seed(&self.0.to_le_bytes(), 0x6669_6e67);
        xxhash_rust::xxh3::xxh3_64_with_seed(&once.to_le_bytes(), 0x7072_696e)
    }
}

impl Default for Seed {
    fn default() -> Self {
        Seed::PUBLIC
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed(fingerprint {:016x})", self.fingerprint())
    }
}

/// A seed that is drawn at random once per process: for tables that live in memory only and whose order nobody sees.
pub(crate) fn process_seed() -> Seed {
    static SEED: std::sync::OnceLock<Seed> = std::sync::OnceLock::new();
    *SEED.get_or_init(|| Seed(std::hash::BuildHasher::hash_one(&ahash::RandomState::new(), 0u64)))
}

/// The stable hash of bytes: XXH3, 64 bits, under the seed.
#[inline]
pub fn hash_bytes(seed: Seed, bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed.0)
}

/// The stable hash of bytes in 128 bits: XXH3, unseeded. Names a content; it does not stand up to someone who looks for a collision.
pub(crate) fn hash_bytes_wide(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}

/// The stable hash of an integer: two rounds of 64 x 64 -> 128 bit multiplication, folded (as in wyhash).
#[inline]
pub fn hash_u64(seed: Seed, value: u64) -> u64 {
    let once = fold(value ^ 0xa076_1d64_78bd_642f ^ seed.0, 0xe703_7ed1_a0b4_28db ^ seed.0.rotate_left(32));
    fold(once ^ 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_hashes_never_change() {
        // Written down when the format was fixed: a change here breaks every stored snapshot.
        assert_eq!(hash_bytes(Seed::new(0), b""), 0x2d06_8005_38d3_94c2, "XXH3 of nothing, from its specification");
        assert_ne!(hash_bytes(Seed::new(1), b"/a"), hash_bytes(Seed::new(2), b"/a"));
        assert_ne!(hash_u64(Seed::new(1), 7), hash_u64(Seed::new(2), 7));
    }

    #[test]
    fn debug_does_not_print_the_seed() {
        let shown = format!("{:?}", Seed::new(123_456_789));
        assert!(!shown.contains("123456789") && !shown.contains("75bcd15"), "{shown}");
    }
}
