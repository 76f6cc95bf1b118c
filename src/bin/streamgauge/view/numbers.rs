//! Numbers on a page.

use super::text::key_html;
use crate::output::digits::{count, rounded, with_separators};
use streamgauge::row::{Number, OutputValue};

/// Significant digits of a number that is not whole.
const DIGITS: usize = 4;

/// Characters of text in a cell of numbers.
const TEXT_CHARS: usize = 32;

/// The sign of negative numbers, as wide as a digit.
const MINUS: char = '\u{2212}';

/// Units of a thousand, of a thousand of those, and so on.
const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];

/// Returns a count with commas between thousands.
pub(super) fn counted(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// Returns a number in full if it is whole, and otherwise with four digits or its whole part.
pub(super) fn number(number: Number) -> String {
    let text = match number {
        Number::Int(integer) => integer.to_string(),
        Number::Float(float) if float == float.trunc() && float.abs() < 1e15 => {
            format!("{}", float.trunc() as i64)
        }
        Number::Float(float) if float.is_infinite() => float.to_string().replace("inf", "∞"),
        Number::Float(float) => rounded(float, DIGITS),
    };
    signed(&with_separators(&text))
}

fn signed(text: &str) -> String {
    match text.strip_prefix('-') {
        Some("0") => "0".to_owned(),
        Some(digits) => format!("{MINUS}{digits}"),
        None => text.to_owned(),
    }
}

/// Returns a number with `digits` digits and a letter for its thousands.
pub(super) fn abbreviated(float: f64, digits: usize) -> String {
    let (mut size, mut unit) = (float.abs(), 0);
    // What would be rounded to a thousand is one of the next unit.
    let end = 1_000.0 - 0.5 * 10f64.powi(3 - digits as i32);
    while size >= end && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1_000.0, unit + 1);
    }
    let sign = if float < 0.0 { "-" } else { "" };
    signed(&format!("{sign}{}{}", rounded(size, digits), UNITS[unit]))
}

/// Returns the label of an axis.
pub(super) fn label(float: f64) -> String {
    abbreviated(float, 3)
}

/// Returns one end of a range.
pub(super) fn short(float: f64) -> String {
    if float.abs() < 1e6 { number(Number::Float(float)) } else { abbreviated(float, 4) }
}

/// Returns a share of one as a percentage.
pub(super) fn percent(share: f64, digits: usize) -> String {
    format!("{} %", rounded(100.0 * share, digits))
}

/// Returns a place in a drawing, with one decimal.
pub(super) fn place(float: f64) -> String {
    let text = format!("{float:.1}");
    match text.strip_suffix(".0").unwrap_or(&text) {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Returns a value and its bounds as markup.
pub(super) fn value_html(value: &OutputValue) -> String {
    match value {
        OutputValue::Null => "<i>null</i>".to_owned(),
        OutputValue::Integer(integer) => number(Number::Int(*integer)),
        OutputValue::Float(float) => number(Number::Float(*float)),
        OutputValue::Estimate { value, lower, upper } if lower == upper => number(*value),
        OutputValue::Estimate { value, lower, upper } => {
            format!("{}<i>{}–{}</i>", number(*value), number(*lower), number(*upper))
        }
        OutputValue::Top(_) => String::new(),
        text => key_html(text, TEXT_CHARS),
    }
}

/// The largest number that is drawn: twice it can be told from its half.
const DRAWN_MAX: f64 = 1e300;

/// Returns a number and its bounds, ready to be drawn.
pub(super) fn bounds(value: &OutputValue) -> Option<(f64, f64, f64)> {
    let drawn = |float: f64| float.clamp(-DRAWN_MAX, DRAWN_MAX);
    let one = |float: f64| Some((drawn(float), drawn(float), drawn(float)));
    match value {
        OutputValue::Integer(integer) => one(*integer as f64),
        OutputValue::Float(float) => one(*float),
        OutputValue::Estimate { value, lower, upper } => {
            // A bound that is not known is not drawn.
            let value = drawn(value.to_f64());
            let bound = |bound: f64| if bound.is_finite() { drawn(bound) } else { value };
            Some((value, bound(lower.to_f64()), bound(upper.to_f64())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_parts_are_never_rounded() {
        let shown =
            [276.5, 1_234.567_8, 0.123456, -0.5, 36.0, 1_234_567.8, 0.00001234, -0.0, 999.96]
                .map(|float| number(Number::Float(float)));
        let expected =
            ["276.5", "1,235", "0.1235", "−0.5", "36", "1,234,568", "1.234e-5", "0", "1,000"];
        assert_eq!(shown, expected);
        assert_eq!(number(Number::Int(-1_234_567)), "−1,234,567");
    }

    #[test]
    fn labels_have_three_digits_and_a_letter() {
        let shown =
            [0.0, 20_000.0, 486_200_000.0, 999_600.0, -2_500.0, 0.25, 37.0, 1e18].map(label);
        assert_eq!(shown, ["0", "20k", "486M", "1M", "−2.5k", "0.25", "37", "1000P"]);
        assert_eq!(short(465_123_456.0), "465.1M");
        assert_eq!(short(33_438.0), "33,438");
    }

    #[test]
    fn values_have_their_bounds_beside_them() {
        let estimate = |value, lower, upper| OutputValue::Estimate {
            value: Number::Float(value),
            lower: Number::Int(lower),
            upper: Number::Int(upper),
        };
        assert_eq!(value_html(&estimate(276.5, 276, 277)), "276.5<i>276–277</i>");
        assert_eq!(value_html(&estimate(277.0, 277, 277)), "277");
        let unknown = OutputValue::Estimate {
            value: Number::Int(5),
            lower: Number::Float(f64::NEG_INFINITY),
            upper: Number::Int(7),
        };
        assert_eq!(value_html(&unknown), "5<i>−∞–7</i>");
        assert_eq!(value_html(&OutputValue::Null), "<i>null</i>");
        assert_eq!(value_html(&OutputValue::Text("<b>".into())), "<bdi>&lt;b&gt;</bdi>");
    }

    proptest! {
        #[test]
        fn a_place_has_one_decimal_at_most(float in -1e6..1e6f64) {
            let text = place(float);
            prop_assert!(text.split_once('.').is_none_or(|(_, decimals)| decimals.len() == 1));
            prop_assert!((text.parse::<f64>().unwrap() - float).abs() <= 0.051);
        }
    }
}
