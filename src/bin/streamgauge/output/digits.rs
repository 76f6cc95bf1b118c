//! Numbers as people read them.

/// A count with a comma between thousands.
pub(crate) fn count(count: u64) -> String {
    with_separators(&count.to_string())
}

/// A number with a comma between the thousands in front of its point. What is not plain digits stays as it is.
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

#[cfg(test)]
mod tests {
    use super::*;

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
