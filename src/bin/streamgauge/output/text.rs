//! Numbers as text, appended to a line without an allocation. The text is that of `Display` of a
//! [`Number`](streamgauge::row::Number).

use std::io::Write;

/// Whole floats below this have digits and `.0`: 2^53.
const WHOLE_END: f64 = 9_007_199_254_740_992.0;

/// Appends an integer.
pub(super) fn push_integer(line: &mut Vec<u8>, integer: i128) {
    let Ok(mut rest) = u64::try_from(integer.unsigned_abs()) else {
        // Writing to a vector does not fail.
        let _ = write!(line, "{integer}");
        return;
    };
    if integer < 0 {
        line.push(b'-');
    }
    // As most counts of many groups are.
    if rest < 10 {
        return line.push(b'0' + rest as u8);
    }
    // 2^64 has 20 digits.
    let mut digits = [0; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    line.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

/// Appends a float.
pub(super) fn push_float(line: &mut Vec<u8>, float: f64) {
    let whole = float as i64;
    let is_whole = whole as f64 == float && float.abs() < WHOLE_END;
    if is_whole && (float != 0.0 || float.is_sign_positive()) {
        push_integer(line, i128::from(whole));
        line.extend_from_slice(b".0");
    } else {
        // Writing to a vector does not fail.
        let _ = write!(line, "{float:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use streamgauge::row::Number;

    fn written(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        push(&mut line);
        String::from_utf8(line).unwrap()
    }

    proptest! {
        #[test]
        fn numbers_have_the_text_of_display(
            integer: i128,
            short: i64,
            float: f64,
            whole in -20_000_000_000_000_000i64..20_000_000_000_000_000,
        ) {
            for integer in [integer, i128::from(short), i128::from(short % 1000)] {
                prop_assert_eq!(written(|line| push_integer(line, integer)), integer.to_string());
            }
            for float in [float, whole as f64, whole as f64 / 2.0, 0.0, -0.0, 1e16, -1e-5] {
                let shown = Number::Float(float).to_string();
                prop_assert_eq!(written(|line| push_float(line, float)), shown);
            }
        }
    }
}
