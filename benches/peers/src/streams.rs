//! Deterministic streams. A stream is a list of ranks (0 is the heaviest); its keys are bijections
//! of the ranks, so that the true counts are known by rank and answers can be read back.

use std::fmt::Write;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

const MIX: [u64; 2] = [0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB];

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(MIX[0]);
    z = (z ^ (z >> 27)).wrapping_mul(MIX[1]);
    z ^ (z >> 31)
}

/// Zipf's law by rejection-inversion (Hörmann and Derflinger 1996), for an exponent other than 1.
struct Zipf {
    n: f64,
    s: f64,
    first: f64,
    last: f64,
    cut: f64,
}

impl Zipf {
    fn new(n: u32, s: f64) -> Self {
        let h = |x: f64| (x.powf(1.0 - s) - 1.0) / (1.0 - s);
        let n = f64::from(n);
        let cut = 2.0 - Zipf::inverse(h(2.5) - 2f64.powf(-s), s);
        Zipf { n, s, first: h(1.5) - 1.0, last: h(n + 0.5), cut }
    }

    fn inverse(x: f64, s: f64) -> f64 {
        (1.0 + x * (1.0 - s)).powf(1.0 / (1.0 - s))
    }

    fn sample(&self, random: &mut Random) -> u32 {
        loop {
            let u = self.last + random.unit() * (self.first - self.last);
            let x = Zipf::inverse(u, self.s);
            let k = (x + 0.5).floor().clamp(1.0, self.n);
            let h = ((k + 0.5).powf(1.0 - self.s) - 1.0) / (1.0 - self.s);
            if k - x <= self.cut || u >= h - k.powf(-self.s) {
                return k as u32 - 1;
            }
        }
    }
}

/// The integer key of a rank.
pub fn key(rank: u32) -> u64 {
    mix(u64::from(rank) + 1)
}

const SECTIONS: [&str; 8] = ["shop", "blog", "api/v2", "news", "img", "user", "search", "p"];
const PAGES: [&str; 16] = [
    "red-shoes", "item", "tea", "new-arrivals", "bike", "lamp", "sale", "top", "winter-coat", "a", "toy", "garden", "phone-case", "mug",
    "desk", "kids",
];
const ID: u32 = 0x9E37_79B1;

/// The URL-like key of a rank: 20 to 40 bytes, ending in 8 hexadecimal digits from which the rank
/// can be read back.
fn url(rank: u32, out: &mut String) {
    let h = key(rank);
    let query = ["", "id=", "page-", "ref?q="][(h >> 7 & 3) as usize];
    let _ = write!(out, "/{}/{}/{query}{:08x}", SECTIONS[(h & 7) as usize], PAGES[(h >> 3 & 15) as usize], rank.wrapping_mul(ID));
}

/// The rank of a URL-like key.
pub fn rank_of_url(url: &str) -> u32 {
    // Newton's iteration for the inverse of an odd number modulo 2^32.
    let inverse = (0..5).fold(ID, |x, _| x.wrapping_mul(2u32.wrapping_sub(ID.wrapping_mul(x))));
    u32::from_str_radix(&url[url.len() - 8..], 16).unwrap_or(0).wrapping_mul(inverse)
}

/// The records of a stream: ranks, both kinds of keys, and the true counts.
pub struct Stream {
    pub name: String,
    pub integers: Vec<u64>,
    pub counts: Vec<u32>,
    text: String,
    ends: Vec<u32>,
}

impl Stream {
    /// `law` is the exponent of Zipf's law, or 0 for a uniform stream.
    pub fn new(law: f64, distinct: u32, records: usize, seed: u64) -> Stream {
        let mut random = Random(seed);
        let zipf = Zipf::new(distinct, if law == 0.0 { 0.5 } else { law });
        let mut counts = vec![0u32; distinct as usize];
        let mut text = String::with_capacity(records * 28);
        let (mut integers, mut ends) = (Vec::with_capacity(records), Vec::with_capacity(records));
        for _ in 0..records {
            let rank = if law == 0.0 { ((random.next() >> 32) * u64::from(distinct) >> 32) as u32 } else { zipf.sample(&mut random) };
            counts[rank as usize] += 1;
            integers.push(key(rank));
            url(rank, &mut text);
            ends.push(text.len() as u32);
        }
        let kind = if law == 0.0 { String::from("uniform") } else { format!("Zipf {law}") };
        Stream { name: format!("{kind}, {} M keys", f64::from(distinct) / 1e6), integers, counts, text, ends }
    }

    /// The URL-like keys, in order, cut before the clock starts.
    pub fn urls(&self) -> Vec<&str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| self.text.get(start as usize..end as usize).unwrap_or_default()).collect()
    }

    pub fn len(&self) -> usize {
        self.integers.len()
    }

    /// The URL-like key of a rank, for look-ups.
    pub fn url_of(rank: u32) -> String {
        let mut out = String::new();
        url(rank, &mut out);
        out
    }

    /// The ranks of the `k` largest true counts, ties by rank.
    pub fn true_top(&self, k: usize) -> Vec<u32> {
        let mut ranks: Vec<u32> = (0..self.counts.len() as u32).collect();
        ranks.sort_by_key(|&rank| (std::cmp::Reverse(self.counts[rank as usize]), rank));
        ranks.truncate(k);
        ranks
    }
}
