//! Short runs of ASCII digits: the form of most numbers and times of a log.

/// The largest number of digits that always fits into an `i64`.
pub(super) const DIGITS_MAX: usize = 18;

/// Returns the value of ASCII digits. Returns `None` if the text is empty, has more than
/// [`DIGITS_MAX`] bytes, or has other characters.
#[inline]
pub(super) fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    let mut value = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// Returns the [`digits`] at `start..end` of longer bytes. Usually needs no loop: it reads eight
/// bytes at a time into a register and masks the bytes before them.
#[inline]
pub(super) fn digits_at(bytes: &[u8], start: usize, end: usize) -> Option<i64> {
    let count = end.wrapping_sub(start);
    match (count, word_before(bytes, end), word_before(bytes, end.wrapping_sub(8))) {
        (1..=8, Some(last), _) => are_digits(last, count).then(|| last_digits(last, count)),
        (9..=16, Some(last), Some(first)) if are_digits(last, 8) => are_digits(first, count - 8)
            .then(|| last_digits(first, count - 8) * 100_000_000 + last_digits(last, 8)),
        _ => digits(bytes.get(start..end)?),
    }
}

/// Returns the value of the first 1 to 15 bytes, which must be digits.
#[inline(always)]
pub(crate) fn first_digits(bytes: &[u8; 16], count: usize) -> i64 {
    // Shifts the digits to the end of a word, with zeros before them and nothing after them.
    let at_end = |word: u64, count: usize| (word ^ ZEROS) << (64usize.wrapping_sub(8 * count) & 63);
    let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    if count <= 8 {
        return value_of(at_end(word(0), count));
    }
    let before = (count - 8) & 7;
    value_of(at_end(word(0), before)) * 100_000_000 + value_of(word(before) ^ ZEROS)
}

/// Returns the eight bytes before an offset as a word, the first of them lowest.
#[inline]
fn word_before(bytes: &[u8], end: usize) -> Option<u64> {
    let word = bytes.get(end.checked_sub(8)?..end)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*word))
}

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// Keeps the last 1 to 8 bytes of a word as digits, and sets zeros before them.
#[inline(always)]
fn alone(word: u64, count: usize) -> u64 {
    (word ^ ZEROS) & (u64::MAX << (64 - 8 * count))
}

/// Returns true if the last 1 to 8 bytes of a word are digits.
#[inline]
fn are_digits(word: u64, count: usize) -> bool {
    const OVER_NINE: u64 = u64::from_le_bytes([0x76; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let digits = alone(word, count);
    // 0x76 + 10 sets the high bit. A byte carries into the next one only if it is itself not a
    // digit.
    (digits.wrapping_add(OVER_NINE) | digits) & HIGHS == 0
}

/// Returns the value of the last 1 to 8 bytes of a word, which must be digits.
#[inline(always)]
fn last_digits(word: u64, count: usize) -> i64 {
    value_of(alone(word, count))
}

/// Returns the value of eight digits, the first of them in the lowest byte.
#[inline(always)]
fn value_of(digits: u64) -> i64 {
    // Joins neighbours: eight digits, then four numbers below 100, two below 10^4, one. Each step
    // needs one multiplication, which adds each number to ten, a hundred or ten thousand times the
    // one before it.
    let pairs = digits.wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000 << 32 | 1) >> 32) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_are_read_as_the_standard_library_reads_them(
            text in "[0-9]{0,20}|[-+0-9a/:]{1,6}",
        ) {
            let expected = !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && text.len() <= DIGITS_MAX;
            prop_assert_eq!(digits(text.as_bytes()), expected.then(|| text.parse().unwrap()));
        }

        #[test]
        fn digits_among_other_bytes_are_read_as_alone(
            before in ".{0,20}",
            text in "[0-9]{0,20}|[0-9]{1,17}[ -~]|[ -~][0-9]{0,17}|.{1,8}",
            after in ".{0,9}",
        ) {
            let (start, end) = (before.len(), before.len() + text.len());
            prop_assert_eq!(
                digits_at(format!("{before}{text}{after}").as_bytes(), start, end),
                digits(text.as_bytes())
            );
        }
    }

    #[test]
    fn up_to_fifteen_digits_are_read_without_looking_at_what_follows() {
        for count in 1..=15 {
            let text = "9876543210987654";
            let bytes = format!("{}{}", &text[..count], &",\"bytes\":1, \"x\""[..16 - count]);
            assert_eq!(
                first_digits(bytes.as_bytes().first_chunk().unwrap(), count),
                text[..count].parse::<i64>().unwrap()
            );
        }
    }

    #[test]
    fn an_impossible_range_has_no_digits() {
        assert_eq!(digits_at(b"12345678901234567890", 9, 8), None);
        assert_eq!(digits_at(b"12345678901234567890", 19, 21), None);
        assert_eq!(digits_at(b"", usize::MAX, 7), None);
    }
}
