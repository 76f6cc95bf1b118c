//! The two hashes of the crate. No other file names a hash function.
//!
//! *Stable*: [`hash_bytes`] and [`hash_u64`] return the same value in every version, on every
//! platform and CPU. Everything that is stored, or merged across machines, uses them with a
//! [`Seed`].
//!
//! *In memory*: `Map` is a hash map with a randomly keyed hash, which is fast and safe against
//! chosen keys: `ahash` for long bytes, two folded multiplications for integers and short bytes.
//! These hashes are never stored, and no result that a user sees depends on their order.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A hash map inside one process. It is randomly keyed and never stored. Results never depend on
/// its iteration order.
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, HashKeys>;

/// The random keys of one map's hash: see [`KeyedHasher`].
#[derive(Clone)]
pub(crate) struct HashKeys {
    key: u64,
    multiplier: u64,
}

impl Default for HashKeys {
    /// Draws new keys for every map. If two maps had the same keys, inserting the keys of one map
    /// in its iteration order would fill neighbouring slots of the other, and merging would become
    /// quadratic.
    fn default() -> Self {
        static MAPS: AtomicU64 = AtomicU64::new(0);
        let secrets = secrets();
        let map = MAPS.fetch_add(1, Ordering::Relaxed);
        HashKeys { key: fold(map ^ secrets.first, secrets.second), multiplier: secrets.multiplier }
    }
}

impl BuildHasher for HashKeys {
    type Hasher = KeyedHasher;

    #[inline]
    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher { state: self.key, multiplier: self.multiplier }
    }
}

/// A hasher for maps in memory.
///
/// - An integer costs two folded 64 x 64 -> 128 bit multiplications, the first by a secret.
/// - Up to 16 bytes cost the same: the front is multiplied by the back, both mixed with secrets, as
///   in `ahash` and wyhash.
/// - More bytes cost `ahash` with a secret.
///
/// Without the two secrets nobody can say which integers collide, and no set of integers collides
/// under all secrets. One multiplication would be enough for that. But under one secret in a
/// hundred, it maps integers in even steps to only an eighth of the slots.
pub(crate) struct KeyedHasher {
    state: u64,
    multiplier: u64,
}

impl KeyedHasher {
    #[inline]
    fn take(&mut self, value: u64) {
        self.state = fold(self.state ^ value, self.multiplier);
    }
}

impl Hasher for KeyedHasher {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        if let Some((front, back)) = short_words(bytes) {
            // The length separates keys with the same two words, such as "aa" and "aaa".
            let state =
                self.state.wrapping_add((bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            self.state = fold(state ^ front, self.multiplier ^ back);
        } else {
            let mut hasher = secrets().bytes.build_hasher();
            hasher.write(bytes);
            self.take(hasher.finish());
        }
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.take(u64::from(value));
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.take(u64::from(value));
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.take(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.take(value);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.take(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        fold(self.state, 0xe703_7ed1_a0b4_28db)
    }
}

/// Returns the front and the back of at most 16 bytes as two words, which overlap if there are
/// fewer than 16. Two different keys of the same length never give the same two words.
#[inline(always)]
pub(crate) fn short_words(bytes: &[u8]) -> Option<(u64, u64)> {
    match bytes.len() {
        0 => Some((0, 0)),
        1..4 => {
            let ends = |at: usize| bytes.get(at).map_or(0, |byte| u64::from(*byte));
            Some((ends(0) << 8 | ends(bytes.len() / 2), ends(bytes.len() - 1)))
        }
        4..8 => Some((
            u32::from_le_bytes(*bytes.first_chunk()?).into(),
            u32::from_le_bytes(*bytes.last_chunk()?).into(),
        )),
        8..=16 => Some((
            u64::from_le_bytes(*bytes.first_chunk()?),
            u64::from_le_bytes(*bytes.last_chunk()?),
        )),
        _ => None,
    }
}

/// The secrets of the hashes of maps in memory.
struct Secrets {
    first: u64,
    second: u64,
    multiplier: u64,
    bytes: ahash::RandomState,
}

fn secrets() -> &'static Secrets {
    static SECRETS: OnceLock<Secrets> = OnceLock::new();
    SECRETS.get_or_init(|| {
        let random = ahash::RandomState::new();
        // Odd numbers: multiplication by an odd number loses no bit of a key.
        Secrets {
            first: random.hash_one(1),
            second: random.hash_one(2) | 1,
            multiplier: random.hash_one(3) | 1,
            bytes: random,
        }
    })
}

/// The seed of a sketch's stable hash.
///
/// Sketches can be merged only if their seeds are equal. The default seed is public, so whoever
/// chooses the keys can search for collisions offline. If keys come from outside, use a secret seed
/// that all processes of a deployment share.
///
/// A seed is a secret: `Debug` prints its [fingerprint](Seed::fingerprint) and never the seed.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::sketch::CountMin;
/// // In a service: read from a secret that all processes share.
/// let secret = Seed::new(0x9e37_79b9_7f4a_7c15);
/// let mut ours = CountMin::with_error(0.01, 0.99)?.seeded(secret);
/// let theirs = CountMin::with_error(0.01, 0.99)?; // the public seed
/// assert_eq!(ours.merge(&theirs).unwrap_err().kind(), ErrorKind::Mismatch);
/// assert!(!format!("{secret:?}").contains("9e3779b9"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(u64);

impl Seed {
    /// The public seed, which is the default of all sketches.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::sketch::SpaceSaving;
    /// assert_eq!(SpaceSaving::<str>::with_capacity(10)?.seed(), Seed::PUBLIC);
    /// # Ok::<(), Error>(())
    /// ```
    pub const PUBLIC: Seed = Seed(0x5374_7265_616d_4761);

    /// Creates a seed. Every value is good; a random value is best.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let (ours, theirs) = (Seed::new(1), Seed::new(2));
    /// assert_ne!("key".stable_hash(ours), "key".stable_hash(theirs));
    /// ```
    pub const fn new(seed: u64) -> Self {
        Seed(seed)
    }

    /// Returns a number that differs for different seeds and does not reveal the seed. It may be
    /// stored.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Seed;
    /// // Two processes compare these in a log, without a word about the secret.
    /// assert_eq!(Seed::new(42).fingerprint(), Seed::new(42).fingerprint());
    /// assert_ne!(Seed::new(42).fingerprint(), Seed::new(43).fingerprint());
    /// ```
    pub fn fingerprint(self) -> u64 {
        // Two rounds under a constant seed: xxh3 is not a cryptographic hash, so this hides the
        // seed from eyes, not from an attacker who can enumerate 2^64 seeds.
        let once = xxhash_rust::xxh3::xxh3_64_with_seed(&self.0.to_le_bytes(), 0x6669_6e67);
        xxhash_rust::xxh3::xxh3_64_with_seed(&once.to_le_bytes(), 0x7072_696e)
    }
}

impl Default for Seed {
    fn default() -> Self {
        Seed::PUBLIC
    }
}

/// Parses 1 to 16 hexadecimal digits, with or without `0x` in front. The error never contains the
/// text.
impl FromStr for Seed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // The standard library accepts a sign; a seed has none.
        let number =
            if digits.starts_with('+') { None } else { u64::from_str_radix(digits, 16).ok() };
        let message =
            "not a seed: write up to 16 hexadecimal digits, for example from `openssl rand -hex 8`";
        number.map(Seed).ok_or_else(|| Error::new(ErrorKind::Parse, message))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed(fingerprint {:016x})", self.fingerprint())
    }
}

/// Returns a seed that is drawn at random once per process, for tables that live only in memory and
/// whose order nobody sees.
pub(crate) fn process_seed() -> Seed {
    static SEED: OnceLock<Seed> = OnceLock::new();
    *SEED.get_or_init(|| Seed(ahash::RandomState::new().hash_one(0u64)))
}

/// Returns the stable hash of bytes: XXH3, 64 bits, seeded.
///
/// # Example
/// ```
/// use streamgauge::hash::{Seed, hash_bytes};
/// // The same on every machine and in every version.
/// assert_eq!(hash_bytes(Seed::new(0), b""), 0x2d06_8005_38d3_94c2);
/// assert_ne!(hash_bytes(Seed::new(1), b""), hash_bytes(Seed::new(0), b""));
/// ```
#[inline]
pub fn hash_bytes(seed: Seed, bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed.0)
}

/// Returns the stable hash of bytes in 128 bits: XXH3, unseeded. It identifies a content. It is not
/// safe against an attacker who searches for a collision.
pub(crate) fn hash_bytes_wide(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}

/// Returns the stable hash of an integer: two folded 64 x 64 -> 128 bit multiplications, as in
/// wyhash.
///
/// # Example
/// ```
/// use streamgauge::hash::{Seed, hash_u64};
/// use streamgauge::Key;
/// // The hash of every integer key, of any width. It is not that of the integer's bytes.
/// assert_eq!(hash_u64(Seed::PUBLIC, 7), 7u8.stable_hash(Seed::PUBLIC));
/// ```
#[inline]
pub fn hash_u64(seed: Seed, value: u64) -> u64 {
    let once = fold(
        value ^ 0xa076_1d64_78bd_642f ^ seed.0,
        0xe703_7ed1_a0b4_28db ^ seed.0.rotate_left(32),
    );
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
        assert_eq!(
            hash_bytes(Seed::new(0), b""),
            0x2d06_8005_38d3_94c2,
            "XXH3 of nothing, from its specification"
        );
        assert_ne!(hash_bytes(Seed::new(1), b"/a"), hash_bytes(Seed::new(2), b"/a"));
        assert_ne!(hash_u64(Seed::new(1), 7), hash_u64(Seed::new(2), 7));
    }

    /// Integers that differ in a few bits, anywhere, must spread over slots (the low bits) and tags
    /// (the high bits) as if at random.
    #[test]
    fn integers_of_any_pattern_spread_over_a_map() {
        const KEYS: u64 = 4096;
        let patterns: [fn(u64) -> u64; 6] = [
            |n| n,
            |n| n << 20,
            |n| n << 52,
            |n| n.reverse_bits(),
            |n| n.wrapping_mul(0x0001_0001_0001_0001),
            |n| u64::MAX - n * 4096,
        ];
        for pattern in patterns {
            let state = HashKeys::default();
            let (mut places, mut tags) = (vec![0u32; KEYS as usize], [0u32; 128]);
            for hash in (0..KEYS).map(|n| state.hash_one(pattern(n))) {
                places[(hash % KEYS) as usize] += 1;
                tags[(hash >> 57) as usize] += 1;
            }
            // At random 63 % of the slots are used, 2589 plus or minus 30. More than 16 keys
            // share a slot once in 10^10. A tag has 32 keys plus or minus 6.
            let taken = places.iter().filter(|keys| **keys > 0).count();
            assert!(
                taken > 2350 && places.iter().all(|keys| *keys <= 16),
                "{taken} places of {KEYS}"
            );
            assert!(tags.iter().all(|keys| *keys < 90), "{tags:?}");
        }
    }

    /// Short bytes of any length and pattern must spread as integers do, also when two lengths are
    /// mixed.
    #[test]
    fn short_bytes_spread_over_a_map() {
        const KEYS: usize = 4096;
        for length in 1..=17 {
            let state = HashKeys::default();
            // Counts in the first 1, 2, 3 ... bytes; the other bytes are the same in all keys.
            let keys = (0..KEYS).map(|n| {
                (0..length)
                    .map(|at| if at < 4 { b'!' + (n >> (3 * at) & 7) as u8 } else { b'x' })
                    .collect::<Vec<u8>>()
            });
            let distinct: std::collections::BTreeSet<Vec<u8>> = keys.collect();
            let hashes: Vec<u64> =
                distinct.iter().map(|key| state.hash_one(key.as_slice())).collect();
            let (mut places, mut tags) = (vec![0u32; KEYS], [0u32; 128]);
            for hash in &hashes {
                places[*hash as usize % KEYS] += 1;
                tags[(hash >> 57) as usize] += 1;
            }
            let share = distinct.len() as f64 / KEYS as f64;
            let taken = places.iter().filter(|keys| **keys > 0).count() as f64;
            assert!(
                taken > (1.0 - (-share).exp()) * KEYS as f64 * 0.9
                    && places.iter().all(|keys| *keys <= 16),
                "{length}: {taken} places"
            );
            assert!(tags.iter().all(|keys| *keys < 90), "{length}: {tags:?}");
        }
        let lengths: std::collections::BTreeSet<u64> = (0..=40)
            .map(|length| {
                HashKeys { key: 1, multiplier: 3 }.hash_one(vec![b'a'; length].as_slice())
            })
            .collect();
        assert_eq!(lengths.len(), 41, "keys of one byte, repeated, differ by their lengths");
        let texts: std::collections::BTreeSet<u64> = (0..=40)
            .map(|length| HashKeys { key: 1, multiplier: 3 }.hash_one("a".repeat(length)))
            .collect();
        assert_eq!(texts.len(), 41, "texts, whose length is not hashed before them, too");
    }

    #[test]
    fn every_map_has_keys_of_its_own() {
        let [one, two] = [HashKeys::default(), HashKeys::default()];
        assert_ne!(one.hash_one(7u64), two.hash_one(7u64));
        assert_ne!(one.hash_one("a"), two.hash_one("a"));
        assert_eq!(one.hash_one("a"), one.clone().hash_one(String::from("a")));
    }

    #[test]
    fn a_seed_is_up_to_16_hexadecimal_digits_and_its_refusal_does_not_show_it() {
        assert_eq!("00ff".parse::<Seed>().unwrap(), Seed::new(255));
        assert_eq!("0xFFffFFffFFffFFff".parse::<Seed>().unwrap(), Seed::new(u64::MAX));
        for text in ["", "0x", "secret", "+beef", "-1", " beef", "10000000000000000"] {
            let error = text.parse::<Seed>().unwrap_err().to_string();
            assert!(
                error.contains("hexadecimal") && (text.len() < 3 || !error.contains(text)),
                "{error}"
            );
        }
    }

    #[test]
    fn debug_does_not_print_the_seed() {
        let shown = format!("{:?}", Seed::new(123_456_789));
        assert!(!shown.contains("123456789") && !shown.contains("75bcd15"), "{shown}");
    }
}
