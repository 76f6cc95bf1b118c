//! Numbers in a form for people.

/// Returns a count with a comma between thousands.
pub(crate) fn count(count: u64) -> String {
    with_separators(&count.to_string())
}

/// Returns a number with a comma between the thousands before its point. Text other than plain
/// digits is unchanged.
pub(crate) fn with_separators(number: &str) -> String {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    if whole.len() < 4 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut text = String::with_capacity(number.len() + whole.len() / 3);
    text.push_str(&number[..number.len() - digits.len()]);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// Significant digits of a float in a table.
pub(super) const DIGITS: usize = 6;

/// Significant digits of a float if there is little room.
const DIGITS_NARROW: usize = 4;

/// Returns a float rounded to `digits` significant digits, without trailing zeros.
pub(crate) fn rounded(float: f64, digits: usize) -> String {
    if float == 0.0 || !(1e-4..1e15).contains(&float.abs()) {
        let text = format!("{float:.*e}", digits.saturating_sub(1));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = match mantissa.contains('.') {
            true => mantissa.trim_end_matches('0').trim_end_matches('.'),
            false => mantissa,
        };
        return if float == 0.0 { "0".to_owned() } else { format!("{mantissa}e{exponent}") };
    }
    // Digits before the point, from -3 to 15.
    let whole = float.abs().log10().floor() as i32 + 1;
    let decimals = usize::try_from(i32::try_from(digits).unwrap_or(i32::MAX).saturating_sub(whole))
        .unwrap_or(0);
    let text = format!("{float:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Returns a number with fewer digits after its point, if it has some.
pub(super) fn with_fewer_digits(number: &str) -> String {
    match (number.contains('.') && !number.contains('e')).then(|| value(number)).flatten() {
        Some(float) => with_separators(&rounded(float, DIGITS_NARROW)),
        None => number.to_owned(),
    }
}

/// Returns a number in at most `width` columns, in thousands, millions and so on if it is too long.
/// Returns `None` if that is too long as well.
pub(super) fn abbreviated(number: &str, width: usize) -> Option<String> {
    let (mark, digits) = number.strip_prefix('~').map_or(("", number), |digits| ("~", digits));
    let mut float = value(digits)?;
    for unit in ["", "k", "M", "G", "T", "P", "E"] {
        if float.abs() < 999.5 {
            let texts = (0..=2).rev().map(|decimals| format!("{mark}{float:.decimals$}{unit}"));
            return texts.into_iter().find(|text| text.len() <= width);
        }
        float /= 1000.0;
    }
    None
}

fn value(number: &str) -> Option<f64> {
    number.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_six_digits() {
        let shown = [
            0.0,
            1.0,
            278.499_102_3,
            -0.000_123_456_78,
            1_234_567.8,
            1e15,
            1e300,
            5e-324,
            999_999.9,
            0.1,
        ];
        let expected = [
            "0",
            "1",
            "278.499",
            "-0.000123457",
            "1234568",
            "1e15",
            "1e300",
            "4.94066e-324",
            "1000000",
            "0.1",
        ];
        assert_eq!(shown.map(|float| rounded(float, DIGITS)), expected);
    }

    #[test]
    fn a_number_without_room_is_rounded_and_then_abbreviated() {
        let few =
            ["506.033", "-0.000123457", "1,234.5", "181,708,636", "4.94066e-324", "true", "999.9"]
                .map(with_fewer_digits);
        assert_eq!(
            few,
            ["506", "-0.0001235", "1,234", "181,708,636", "4.94066e-324", "true", "999.9"]
        );
        let short = [
            "181,708,636",
            "~181,708,636",
            "1,234",
            "999,999",
            "-1,000,000",
            "506.033",
            "true",
            "1e300",
        ]
        .map(|number| abbreviated(number, 6));
        let expected = ["181.7M", "~182M", "1.23k", "1.00M", "-1.00M", "506.03"]
            .map(|text| Some(text.to_owned()));
        assert_eq!(short[..6], expected);
        assert_eq!(short[6..], [None, None]);
    }

    #[test]
    fn thousands_are_separated_and_nothing_else_is() {
        let cases = [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-123456", "-123,456"),
            ("1234567.1234", "1,234,567.1234"),
            ("0.123456", "0.123456"),
            ("1e300", "1e300"),
            ("4.94066e-324", "4.94066e-324"),
            ("true", "true"),
            ("", ""),
        ];
        for (number, text) in cases {
            assert_eq!(with_separators(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }
}
