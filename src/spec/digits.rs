//! Short runs of ASCII digits: what most numbers and times of a log are made of.

/// As many digits as an `i64` holds whatever they are.
pub(super) const DIGITS_MAX: usize = 18;

/// The value of ASCII digits; `None` if there are none, or more than [`DIGITS_MAX`], or anything else among them.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_are_read_as_the_standard_library_reads_them(text in "[0-9]{0,20}|[-+0-9a/:]{1,6}") {
            let expected = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= DIGITS_MAX;
            prop_assert_eq!(digits(text.as_bytes()), expected.then(|| text.parse().unwrap()));
        }
    }
}
