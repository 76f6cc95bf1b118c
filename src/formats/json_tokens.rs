//! The tokens of JSON (RFC 8259): the ends of strings, numbers and literals, and the meaning of
//! escapes.
//!
//! Strings are scanned sixteen bytes at a time in a vector register, numbers eight at a time in a
//! word.

use std::fmt;
use wide::i8x16;

/// The reason why a line is not a record, and the position of the error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JsonError {
    /// What is wrong.
    pub what: &'static str,
    /// The offset of the offending byte in the scanned bytes.
    pub at: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

pub(super) fn error<T>(what: &'static str, at: usize) -> Result<T, JsonError> {
    Err(JsonError { what, at })
}

const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// Returns a mask of the bytes at which a string stops, the first byte in the lowest bit: quotes,
/// backslashes and control characters.
#[inline(always)]
pub(super) fn string_stops(bytes: &[u8; 16]) -> u32 {
    // With bit 1 flipped a quote comes before the space, as control characters do. With the other
    // bits flipped too, these bytes come last, and bytes from 0x80 on are negative. Then one signed
    // comparison finds them all.
    const TURN: u8 = !0x82;
    const BEFORE: i8 = (b'#' ^ TURN) as i8;
    let turned = signed(bytes) ^ i8x16::splat(TURN as i8);
    let backslashes = signed(bytes).simd_eq(i8x16::splat(b'\\' as i8));
    (turned.simd_gt(i8x16::splat(BEFORE)) | backslashes).to_bitmask()
}

/// Returns a mask of the bytes at which an integer stops, the first byte in the lowest bit: all
/// bytes but digits.
#[inline(always)]
pub(super) fn digit_stops(bytes: &[u8; 16]) -> u32 {
    // Moves the digits to the smallest signed bytes, so that one comparison separates them from all
    // others.
    const DOWN: u8 = 0x80 - b'0';
    let others = (signed(bytes) + i8x16::splat(DOWN as i8))
        .simd_gt(i8x16::splat(b'9'.wrapping_add(DOWN) as i8));
    others.to_bitmask()
}

#[inline(always)]
fn signed(bytes: &[u8; 16]) -> i8x16 {
    i8x16::new(bytes.map(|byte| byte as i8))
}

/// Returns the first offset from `at` on with a quote, a backslash or a control character, or the
/// end.
#[inline(always)]
pub(super) fn string_stop(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|ahead| ahead.first_chunk::<16>()) {
        let hits = string_stops(chunk);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += 16;
    }
    while bytes.get(at).is_some_and(|byte| *byte >= b' ' && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

/// Returns the first offset from `at` on that is not a digit.
#[inline(always)]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    const OVER_NINE: u64 = u64::from_le_bytes([0x76; 8]);
    while let Some(chunk) = bytes.get(at..).and_then(|ahead| ahead.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk) ^ ZEROS;
        // 0x76 + 10 sets the high bit. A byte carries into the next one only if it is itself not a
        // digit.
        let hits = (word.wrapping_add(OVER_NINE) | word) & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// Scans a string from the byte after its opening quote. Returns the offset of the closing quote,
/// and true if there are escapes.
#[inline(always)]
pub(super) fn string(bytes: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    let at = string_stop(bytes, start);
    match bytes.get(at) {
        Some(b'"') => Ok((at, false)),
        _ => string_with_escapes(bytes, at),
    }
}

fn string_with_escapes(bytes: &[u8], mut at: usize) -> Result<(usize, bool), JsonError> {
    let mut escaped = false;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => (_, at) = escape(bytes, at, 0)?,
            Some(b'\n') | None => return error("a string that is not closed", at),
            Some(_) => return error("a control character in a string", at),
        }
        escaped = true;
        at = string_stop(bytes, at);
    }
}

/// Returns the character of the escape at `at`, and the offset after it. `base` is added to the
/// offset of an error.
fn escape(bytes: &[u8], at: usize, base: usize) -> Result<(char, usize), JsonError> {
    let plain = match bytes.get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(bytes, at, base),
        _ => return error("an unknown escape in a string", base + at),
    };
    Ok((plain, at + 2))
}

fn unicode_escape(bytes: &[u8], at: usize, base: usize) -> Result<(char, usize), JsonError> {
    let Some(unit) = hex4(bytes, at + 2) else {
        return error("\\u without four hexadecimal digits", base + at);
    };
    if let Some(plain) = char::from_u32(unit) {
        return Ok((plain, at + 6));
    }
    // A surrogate: the first half of a pair, followed directly by the second, or an error.
    let second = if bytes.get(at + 6..at + 8) == Some(b"\\u") { hex4(bytes, at + 8) } else { None };
    match second {
        Some(second @ 0xdc00..=0xdfff) if unit < 0xdc00 => {
            let whole = 0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
            // Two halves in their ranges always form a scalar value.
            Ok((char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER), at + 12))
        }
        _ => error("a lone surrogate in a string", base + at),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .iter()
        .try_fold(0, |unit, byte| Some(unit << 4 | char::from(*byte).to_digit(16)?))
}

/// Unescapes a checked string into `text`. `base` is the offset of the string in the source.
#[cold]
pub(super) fn unescape(raw: &[u8], base: usize, text: &mut String) -> Result<(), JsonError> {
    text.clear();
    let mut at = 0;
    while at < raw.len() {
        let stop = string_stop(raw, at);
        match raw.get(at..stop).map(std::str::from_utf8) {
            Some(Ok(plain)) => text.push_str(plain),
            _ => return error("not UTF-8", base + at),
        }
        at = stop;
        if at < raw.len() {
            let (plain, next) = escape(raw, at, base)?;
            text.push(plain);
            at = next;
        }
    }
    Ok(())
}

/// Scans a string, number or literal. Returns the offset after it.
#[inline(always)]
pub(super) fn scalar(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    match bytes.get(at) {
        Some(b'"') => Ok(string(bytes, at + 1)?.0 + 1),
        Some(b'-' | b'0'..=b'9') => number(bytes, at),
        Some(b't') => literal(bytes, at, b"true"),
        Some(b'f') => literal(bytes, at, b"false"),
        Some(b'n') => literal(bytes, at, b"null"),
        _ => error("expected a value", at),
    }
}

fn literal(bytes: &[u8], at: usize, text: &'static [u8]) -> Result<usize, JsonError> {
    if bytes[at..].starts_with(text) { Ok(at + text.len()) } else { error("expected a value", at) }
}

/// Scans a number by the grammar of RFC 8259, section 6. Returns the offset after it.
#[inline(always)]
pub(super) fn number(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let first = start + usize::from(bytes.get(start) == Some(&b'-'));
    let end = match bytes.get(first) {
        Some(b'0') => first + 1,
        Some(b'1'..=b'9') => digits_end(bytes, first + 1),
        _ => return error("expected a digit", first),
    };
    match bytes.get(end) {
        Some(b'.' | b'e' | b'E') => number_with_fraction(bytes, end),
        _ => Ok(end),
    }
}

fn number_with_fraction(bytes: &[u8], mut at: usize) -> Result<usize, JsonError> {
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = some_digits(bytes, at + 1 + usize::from(signed))?;
    }
    Ok(at)
}

fn some_digits(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    let end = digits_end(bytes, at);
    if end == at { error("expected a digit", at) } else { Ok(end) }
}
