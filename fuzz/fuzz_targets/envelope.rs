//! Foreign content in an envelope that is whole, so that the search is not stopped by the checksum.

use streamgauge::hash::{Seed, hash_bytes};
use streamgauge::prelude::*;

/// Something for every aggregate, with sketches so small that they overflow.
pub fn aggregate() -> impl Aggregate<u64, Output: std::fmt::Debug> {
    let sketches = (
        top_k_value(2, |n: &u64| n % 16).counters(3),
        distinct(|n: &u64| n).exact_up_to(4).precision(10),
        quantile(0.5, |n: &u64| *n as f64 - 100.0).accuracy(0.1),
        frequency(|n: &u64| n, &7).error(0.3, 0.8),
        group_by_value(|n: &u64| format!("group {}", n % 4), (count(), top_k(1, |n: &u64| n).counters(2))).groups_max(3),
    );
    let numbers = (
        sum(|n: &u64| *n),
        sum(|n: &u64| *n as f64 / 3.0),
        mean(|n: &u64| *n),
        variance(|n: &u64| *n),
        stddev(|n: &u64| *n as f64 * 1e200),
        min(|n: &u64| *n),
        first(|n: &u64| n.to_string()),
        last(|n: &u64| *n),
    );
    (sketches, numbers)
}

/// An envelope like `whole`, with its description, and `sections` instead of the rest.
#[allow(dead_code, reason = "each target uses what it needs")]
pub fn around(whole: &[u8], sections: &[u8]) -> Vec<u8> {
    // The description is the first section: a tag, a length below 2^14 in one byte or two, the
    // text.
    let length = usize::from(whole[35] & 0x7f) | usize::from(whole[36]) << 7;
    let (length, at) = if whole[35] < 0x80 { (usize::from(whole[35]), 36) } else { (length, 37) };
    let mut bytes = [&whole[..26], &[0; 8], &whole[34..at + length], sections].concat();
    let body = bytes.len() as u64 - 34;
    bytes[26..34].copy_from_slice(&body.to_le_bytes());
    let sum = hash_bytes(Seed::new(0), &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// The sections after the description: what goes into a corpus.
#[allow(dead_code, reason = "each target uses what it needs")]
pub fn sections(whole: &[u8]) -> Vec<u8> {
    let empty = around(whole, &[]).len();
    whole[empty - 8..whole.len() - 8].to_vec()
}
