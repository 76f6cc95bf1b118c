//! A web access log from a seed: the same seed and count give the same bytes.
//!
//! Shared by the example `generate`, the benches and the tests, which include it by its path.
//! Records spread evenly over half an hour from 2024-01-01, up to five seconds out of order; URLs
//! follow Zipf's law with exponent 1.1 over a million, countries with 1.0 over forty, users with
//! 0.6 over two million; latencies are about log-normal.

use std::io::{self, Write};

/// The fields of one request.
pub(crate) struct Hit {
    /// Event time in milliseconds since the Unix epoch.
    pub(crate) ts: i64,
    /// Eight hexadecimal digits name the user.
    pub(crate) user: u32,
    /// The first part of the path.
    pub(crate) section: &'static str,
    /// The second part of the path: the page's rank.
    pub(crate) page: usize,
    /// An ISO 3166 code.
    pub(crate) country: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// From 1 to 30,000.
    pub(crate) latency_ms: u64,
    /// Of the answer.
    pub(crate) bytes: u64,
}

/// How hits are written.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// One JSON object a line.
    JsonLines,
    /// CSV under a header.
    Csv,
    /// The combined log format.
    Combined,
}

impl Layout {
    /// The layout that a file's extension asks for.
    pub(crate) fn of_extension(extension: &str) -> Option<Layout> {
        match extension {
            "jsonl" => Some(Layout::JsonLines),
            "csv" => Some(Layout::Csv),
            "log" => Some(Layout::Combined),
            _ => None,
        }
    }
}

/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;
const SPAN_MS: i64 = 30 * 60 * 1000;
const JITTER_MS: u64 = 5000;

#[rustfmt::skip]
const COUNTRIES: [&str; 40] = [
    "US", "IN", "CN", "BR", "DE", "GB", "JP", "FR", "RU", "ID", "MX", "IT", "TR", "KR", "ES", "CA", "PL", "NL", "VN", "PH",
    "AU", "AR", "EG", "PK", "NG", "UA", "TH", "CO", "ZA", "SE", "BE", "CH", "AT", "NO", "DK", "FI", "IE", "PT", "GR", "CZ",
];
#[rustfmt::skip]
const SECTIONS: [&str; 16] = [
    "products", "articles", "news", "search", "cart", "users", "api/v1/items", "blog",
    "docs", "help", "media", "images", "videos", "static", "category", "forum",
];

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Zipf's law by its cumulative distribution.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(ranks: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=ranks)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|value| *value /= sum);
        Zipf(cumulative)
    }

    fn sample(&self, unit: f64) -> usize {
        self.0.partition_point(|value| *value < unit).min(self.0.len() - 1)
    }
}

/// The hits of a log of `count` records.
pub(crate) fn hits(count: u64, seed: u64) -> impl Iterator<Item = Hit> {
    let (urls, countries, users) =
        (Zipf::new(1_000_000, 1.1), Zipf::new(COUNTRIES.len(), 1.0), Zipf::new(2_000_000, 0.6));
    let mut random = Random(seed);
    (0..count).map(move |index| {
        let jitter = (random.next() % (2 * JITTER_MS + 1)) as i64 - JITTER_MS as i64;
        let ts = (START_MS + (index as i64 * SPAN_MS) / count as i64 + jitter).max(START_MS);
        let user =
            ((users.sample(random.unit()) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32;
        let page = urls.sample(random.unit());
        let country = COUNTRIES[countries.sample(random.unit())];
        let status = match random.next() % 1000 {
            0..900 => 200,
            900..930 => 304,
            930..950 => 301,
            950..985 => 404,
            985..990 => 403,
            990..997 => 500,
            _ => 503,
        };
        // The sum of four uniform numbers, scaled to variance one, is near enough to a normal one.
        let normal =
            (random.unit() + random.unit() + random.unit() + random.unit() - 2.0) * 1.732_050_8;
        let latency_ms = (3.6 + 0.9 * normal).exp().clamp(1.0, 30_000.0) as u64;
        let bytes = 200 + (random.next() % 256) * (1 + (random.next() % 64) * (random.next() % 8));
        let section = SECTIONS[(page.wrapping_mul(2_654_435_761) >> 7) & 15];
        Hit { ts, user, section, page, country, status, latency_ms, bytes }
    })
}

/// Writes a log of `count` records.
pub(crate) fn write(out: &mut impl Write, layout: Layout, count: u64, seed: u64) -> io::Result<()> {
    if let Layout::Csv = layout {
        out.write_all(b"ts,user_id,url,country,status,latency_ms,bytes\n")?;
    }
    for hit in hits(count, seed) {
        let Hit { ts, user, section, page, country, status, latency_ms, bytes } = hit;
        match layout {
            Layout::JsonLines => writeln!(
                out,
                "{{\"ts\":{ts},\"user_id\":\"u{user:08x}\",\"url\":\"/{section}/{page:07}/index.html\",\"country\":\"{country}\",\
                 \"status\":{status},\"latency_ms\":{latency_ms},\"bytes\":{bytes}}}"
            )?,
            Layout::Csv => {
                writeln!(
                    out,
                    "{ts},u{user:08x},/{section}/{page:07}/index.html,{country},{status},{latency_ms},{bytes}"
                )?;
            }
            Layout::Combined => {
                let [a, b, c, d] = user.to_be_bytes();
                // All hits lie in the first hour of the day.
                let seconds = (ts - START_MS) / 1000;
                writeln!(
                    out,
                    "{a}.{b}.{c}.{d} - - [01/Jan/2024:00:{:02}:{:02} +0000] \"GET /{section}/{page:07}/index.html HTTP/1.1\" \
                     {status} {bytes} \"-\" \"Mozilla/5.0 ({country})\"",
                    seconds / 60,
                    seconds % 60
                )?;
            }
        }
    }
    Ok(())
}
