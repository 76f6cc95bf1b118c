//! Decimal numbers as written, without conversion to binary floating point.

/// Exponents are clamped to this, which is far beyond any accepted number.
const EXPONENT_MAX: i64 = 1_000_000_000;

/// A decimal number as written: sign, digits before and after the point, exponent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
    /// True if the text has neither a point nor an exponent.
    integer: bool,
}

impl<'a> Decimal<'a> {
    /// Reads `[+-] digits [. digits] [e [+-] digits]` with at least one digit before the exponent.
    /// Returns `None` for any other text.
    pub(crate) fn scan(text: &'a str) -> Option<Self> {
        let (negative, rest) = split_sign(text.as_bytes());
        let (whole, rest) = split_digits(rest);
        let (fraction, rest, point) = match rest {
            [b'.', after @ ..] => {
                let (fraction, rest) = split_digits(after);
                (fraction, rest, true)
            }
            _ => (&rest[..0], rest, false),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => return Some(Decimal { negative, whole, fraction, exponent: 0, integer: !point }),
            [b'e' | b'E', after @ ..] => scan_exponent(after)?,
            _ => return None,
        };
        Some(Decimal { negative, whole, fraction, exponent, integer: false })
    }

    /// Returns true if the number is written as an integer: without a point and without an
    /// exponent.
    pub(crate) fn is_written_as_integer(&self) -> bool {
        self.integer
    }

    /// Returns true if there is a minus sign, even in front of zero.
    pub(crate) fn is_negative(&self) -> bool {
        self.negative
    }

    /// Returns the significant digits without zeros at either end, as ASCII in two parts. Both
    /// parts are empty for zero.
    pub(crate) fn digits(&self) -> (&'a [u8], &'a [u8]) {
        let fraction = trim_end(self.fraction);
        let whole = if fraction.is_empty() { trim_end(self.whole) } else { self.whole };
        let whole = trim_start(whole);
        let fraction = if whole.is_empty() { trim_start(fraction) } else { fraction };
        (whole, fraction)
    }

    /// Returns true if the value is an integer, however it is written.
    pub(crate) fn is_whole(&self) -> bool {
        // Decides for most numbers with a fraction.
        if self.exponent == 0 && self.fraction.last().is_some_and(|digit| *digit != b'0') {
            return false;
        }
        let (whole, fraction) = self.digits();
        // True if the significant digits end before the point.
        self.magnitude()
            .is_none_or(|magnitude| (whole.len() + fraction.len()) as i64 <= magnitude + 1)
    }

    /// Returns the value as an integer, however it is written. Returns `None` if the value is not
    /// an integer or has more than 128 bits.
    pub(crate) fn integer(&self) -> Option<i128> {
        let Some(magnitude) = self.magnitude() else { return Some(0) };
        if magnitude > 38 || !self.is_whole() {
            return None;
        }
        let (whole, fraction) = self.digits();
        let mut digits = whole.iter().chain(fraction);
        let sign = if self.negative { -1 } else { 1 };
        (0..=magnitude).try_fold(0i128, |value, _| {
            let digit = digits.next().map_or(0, |digit| i128::from(digit - b'0'));
            value.checked_mul(10)?.checked_add(sign * digit)
        })
    }

    /// Returns the power of ten of the first significant digit: 2 for 123, -1 for 0.5. Returns
    /// `None` for zero.
    pub(crate) fn magnitude(&self) -> Option<i64> {
        let whole = trim_start(self.whole);
        let place = if whole.is_empty() {
            let fraction = trim_start(self.fraction);
            if fraction.is_empty() {
                return None;
            }
            -1 - (self.fraction.len() - fraction.len()) as i64
        } else {
            whole.len() as i64 - 1
        };
        Some(place + self.exponent)
    }

    /// Returns the largest integer that is not above `self * 10^power`; `None` outside the range of
    /// `i64`.
    pub(crate) fn scaled_floor(&self, power: i64) -> Option<i64> {
        let Some(magnitude) = self.magnitude() else { return Some(0) };
        let magnitude = magnitude + power;
        if magnitude > 19 {
            return None;
        }
        let (whole, fraction) = self.digits();
        let mut digits = whole.iter().chain(fraction);
        let mut value = 0i128;
        // At most twenty digits, so it cannot overflow.
        for _ in 0..magnitude + 1 {
            value = value * 10 + digits.next().map_or(0, |digit| i128::from(digit - b'0'));
        }
        if self.negative {
            // Any digits that are left are not all zero, because there are no zeros at the end.
            value = -value - i128::from(digits.next().is_some());
        }
        i64::try_from(value).ok()
    }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits
        .iter()
        .fold(0i64, |size, digit| (size * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX));
    Some(if negative { -size } else { size })
}

fn trim_start(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

fn trim_end(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    &digits[..digits.len() - zeros]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn floor(text: &str, power: i64) -> Option<i64> {
        Decimal::scan(text).unwrap().scaled_floor(power)
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for wrong in [
            "", "-", "+", ".", "e5", "1e", "1e+", "1_000", "0x10", "1 ", " 1", "inf", "NaN",
            "1.2.3", "--1", "1e5.0", "١",
        ] {
            assert_eq!(Decimal::scan(wrong), None, "{wrong:?}");
        }
        for right in
            ["0", "-0", "+5", ".5", "5.", "1E5", "1e-5", "00012", "123456789012345678901234567890"]
        {
            assert!(Decimal::scan(right).is_some(), "{right:?}");
        }
    }

    #[test]
    fn digits_and_magnitude_do_not_depend_on_the_way_of_writing() {
        let parts = |text| {
            let decimal = Decimal::scan(text).unwrap();
            let (whole, fraction) = decimal.digits();
            (decimal.magnitude(), [whole, fraction].concat())
        };
        for text in ["1200", "1.2e3", "0.0012e6", "001200.00", "12e+2", "120000e-2"] {
            assert_eq!(parts(text), (Some(3), b"12".to_vec()), "{text}");
        }
        assert_eq!(parts("0.000"), (None, Vec::new()));
        assert_eq!(parts("100.5"), (Some(2), b"1005".to_vec()));
        assert_eq!(parts("0.05"), (Some(-2), b"5".to_vec()));
    }

    #[test]
    fn scaling_floors() {
        assert_eq!(floor("1700000000.123", 3), Some(1_700_000_000_123));
        assert_eq!(floor("-0.0001", 3), Some(-1));
        assert_eq!(floor("-1.5", 0), Some(-2));
        assert_eq!(floor("-1", 3), Some(-1000));
        assert_eq!(floor("1999", -3), Some(1));
        assert_eq!(floor("-1999", -3), Some(-2));
        assert_eq!(floor("-1", -6), Some(-1));
        assert_eq!(floor("1.7e9", 3), Some(1_700_000_000_000));
        assert_eq!(floor("9223372036854775807", 0), Some(i64::MAX));
        assert_eq!(floor("-9223372036854775808", 0), Some(i64::MIN));
        assert_eq!(floor("9223372036854775808", 0), None);
        assert_eq!(floor("1e999999999999", 0), None);
        assert_eq!(floor("-1e-999999999999", 0), Some(-1));
        assert_eq!(floor("0e999999999999", 3), Some(0));
    }

    proptest! {
        #[test]
        fn scaling_agrees_with_integer_division(value: i64, power in -18i64..=0) {
            let expected = i128::from(value).div_euclid(10i128.pow((-power) as u32));
            prop_assert_eq!(floor(&value.to_string(), power).map(i128::from), Some(expected));
        }

        #[test]
        fn arbitrary_text_is_no_danger(text: String) {
            if let Some(decimal) = Decimal::scan(&text) {
                decimal.scaled_floor(3);
            }
        }
    }
}
