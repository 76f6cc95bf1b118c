//! Numbers of records: integers that stay integers, and floats.

use super::decimal::Decimal;
use super::digits::digits;
use super::span::KeyBytes;
use super::value::Value;
use std::cmp::Ordering;
use std::fmt;

/// A number of a record.
///
/// A whole number of up to 128 bits is an integer, however it is written: 1, 1.0 and 1e0 are equal.
/// Any other number is the nearest `f64`, which is never NaN, infinite or negative zero. Numbers
/// compare by value, exactly: 9007199254740993 is not 9007199254740992.0.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// An integer.
    Int(i128),
    /// A finite float.
    Float(f64),
}

/// A number of a record, ready for addition. A number of up to 64 bits does not need 128-bit
/// operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum PreparedNumber {
    /// The field is missing.
    #[default]
    Missing,
    /// An integer of up to 64 bits, as nearly all are.
    Short(i64),
    /// Any number.
    Other(Number),
    /// A value that is not a number but can be ordered: the position of the bytes that order it.
    Ordered(KeyBytes),
}

impl From<Option<Number>> for PreparedNumber {
    fn from(number: Option<Number>) -> Self {
        match number {
            None => PreparedNumber::Missing,
            Some(Number::Int(integer)) if i64::try_from(integer).is_ok() => {
                PreparedNumber::Short(integer as i64)
            }
            Some(number) => PreparedNumber::Other(number),
        }
    }
}

impl From<PreparedNumber> for Option<Number> {
    #[inline]
    fn from(prepared: PreparedNumber) -> Self {
        match prepared {
            PreparedNumber::Missing | PreparedNumber::Ordered(_) => None,
            PreparedNumber::Short(integer) => Some(Number::Int(i128::from(integer))),
            PreparedNumber::Other(number) => Some(number),
        }
    }
}

/// The reason why text is not a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotANumber {
    /// The text is something else.
    Other,
    /// The text means "not a number".
    Nan,
    /// The text is a number with thousands separators, or with a comma as the decimal point.
    Separated,
    /// The number is too large for an `f64`, such as 1e999.
    OutOfRange,
    /// The value need not be a number, but as a key it takes this many bytes, more than the limit.
    TooLong(usize),
}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotANumber::TooLong(bytes) => return write!(f, "takes {bytes} bytes as a key, over the \
                                                            limit of keys"),
            NotANumber::Other => "is not a number",
            NotANumber::Nan => "is not a number, and it is missing only if it is listed as null",
            NotANumber::Separated => {
                "is not a number that can be read: write it without thousands separators and with a decimal point, as in 1234.5"
            }
            NotANumber::OutOfRange => "is out of range: the largest number is \
                                       1.7976931348623157e308",
        })
    }
}

impl Number {
    /// Parses a number. Spaces around it do not matter.
    #[inline]
    pub(crate) fn parse(text: &str) -> Result<Number, NotANumber> {
        match parse_short(text.as_bytes()) {
            Some(integer) => Ok(Number::Int(i128::from(integer))),
            None => Number::parse_any(text.trim_ascii()),
        }
    }

    fn parse_any(text: &str) -> Result<Number, NotANumber> {
        let Some(decimal) = Decimal::scan(text) else { return Err(why_not_a_number(text)) };
        if decimal.is_written_as_integer()
            && let Ok(integer) = text.parse::<i128>()
        {
            return Ok(Number::Int(integer));
        }
        if let Some(integer) = decimal.integer() {
            return Ok(Number::Int(integer));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Number::of_float(float)),
            Ok(_) => Err(NotANumber::OutOfRange),
            Err(_) => Err(NotANumber::Other),
        }
    }

    /// Returns a finite float as a number.
    pub(crate) fn of_float(float: f64) -> Number {
        // A whole float below 2^127 becomes an integer.
        if float.fract() == 0.0 && float.abs() < INTEGERS_END {
            Number::Int(float as i128)
        } else {
            Number::Float(float)
        }
    }

    /// Returns a whole number as an integer, if 128 bits hold it.
    pub(crate) fn of_whole(number: Number) -> Number {
        match number {
            Number::Float(float) => Number::of_float(float),
            integer => integer,
        }
    }

    /// Returns the number in the form that aggregates add: an integer of up to 64 bits in
    /// magnitude, of which a sum of 128 bits can hold 2^63, or else the nearest float.
    #[inline]
    pub(crate) fn narrowed(self) -> Number {
        match self {
            Number::Int(integer) if integer.unsigned_abs() > u128::from(u64::MAX) => {
                Number::Float(integer as f64)
            }
            narrow => narrow,
        }
    }

    /// Returns the nearest float.
    #[inline]
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Int(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }
}

/// Parses up to 18 digits after an optional minus, the form of most numbers.
#[inline]
fn parse_short(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', rest @ ..] => digits(rest).map(|value| -value),
        text => digits(text),
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(&b),
            (Number::Float(a), Number::Float(b)) => a.total_cmp(&b),
            (Number::Int(a), Number::Float(b)) => compare(a, b),
            (Number::Float(a), Number::Int(b)) => compare(b, a).reverse(),
        }
    }
}

/// 2^127. From here on a float is larger than every i128; below it truncation is exact.
const INTEGERS_END: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// Compares an integer and a float exactly.
fn compare(integer: i128, float: f64) -> Ordering {
    if float >= INTEGERS_END {
        return Ordering::Less;
    }
    if float < -INTEGERS_END {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    integer.cmp(&(whole as i128)).then_with(|| whole.total_cmp(&float))
}

/// Writes the shortest text that reads back as the same number. A whole float has a point, as in
/// `12.0`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(integer) => write!(f, "{integer}"),
            // The form that JSON writers use: plain digits if they are short, otherwise an
            // exponent.
            Number::Float(float) => write!(f, "{float:?}"),
        }
    }
}

/// Returns the reason why text that is not a decimal is not a number.
#[cold]
fn why_not_a_number(text: &str) -> NotANumber {
    if ["NaN", "nan", "NAN"].contains(&text.trim_start_matches(['+', '-'])) {
        return NotANumber::Nan;
    }
    let together: String = text.chars().filter(|c| !",_' ".contains(*c)).collect();
    let separated = together.len() < text.len() && text.ends_with(|c: char| c.is_ascii_digit());
    // A second point is a thousands separator.
    match separated
        && Decimal::scan(&together.replacen(
            '.',
            "",
            together.matches('.').count().saturating_sub(1),
        ))
        .is_some()
    {
        true => NotANumber::Separated,
        false => NotANumber::Other,
    }
}

/// Returns the number of a field that must be a number; `None` if the field is missing. Text that
/// spells a number is that number.
#[inline]
pub(crate) fn number_of(value: Value<'_>) -> Result<Option<Number>, NotANumber> {
    match value {
        Value::Missing | Value::Untyped("") => Ok(None),
        Value::Number(text) | Value::Untyped(text) | Value::Text(text) => {
            Number::parse(text).map(Some)
        }
        Value::Integer(integer) => Ok(Some(Number::Int(i128::from(integer)))),
        Value::Float(float) => Ok(Some(Number::of_float(float))),
        Value::Bool(_) | Value::Json(_) => Err(NotANumber::Other),
    }
}

/// Returns `x * unit` as an integer, where `unit` is a power of ten. Halves are rounded away from
/// zero, but what is only near a half is not one: 0.015 is a little less, and so is `0.015 * 100`,
/// which the remainder of the product tells.
pub(crate) fn rounded_product(x: f64, unit: f64) -> f64 {
    let product = x * unit;
    let is_below_half =
        product.fract().abs() == 0.5 && unit >= 1.0 && x.mul_add(unit, -product) * x.signum() < 0.0;
    if is_below_half { product.trunc() } else { product.round() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_rounded_by_their_exact_value() {
        for (x, rounded) in [
            (0.015, 1.0),
            (-0.015, -1.0),
            (0.285, 28.0),
            (1.005, 100.0),
            (2.345, 235.0),
            (0.125, 13.0),
            (-0.125, -13.0),
            (0.025, 3.0),
            (0.0, 0.0),
        ] {
            assert_eq!(rounded_product(x, 100.0), rounded, "{x}");
        }
        assert_eq!(rounded_product(250.0, 0.01), 3.0);
    }
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_integers_and_the_rest_is_finite() {
        let shown = |text| Number::parse(text).map(|number| format!("{number:?}"));
        assert_eq!(shown("12").unwrap(), "Int(12)");
        assert_eq!(shown("-0").unwrap(), "Int(0)");
        assert_eq!(shown("-0.0").unwrap(), "Int(0)");
        for one in ["1e0", "1.0", "1", "10e-1", "0.1e1", "+1.000", "001"] {
            assert_eq!(shown(one).unwrap(), "Int(1)", "{one}");
        }
        assert_eq!(shown("-1.5").unwrap(), "Float(-1.5)");
        assert_eq!(shown("9007199254740993.0").unwrap(), "Int(9007199254740993)");
        assert_eq!(
            shown("-170141183460469231731687303715884105728.0").unwrap(),
            "Int(-170141183460469231731687303715884105728)"
        );
        assert_eq!(shown("1e-999").unwrap(), "Int(0)", "too near to zero to be another number");
        assert_eq!(shown(" 7 ").unwrap(), "Int(7)");
        assert_eq!(shown("007").unwrap(), "Int(7)");
        assert_eq!(shown("18446744073709551616").unwrap(), "Int(18446744073709551616)");
        assert_eq!(shown("1000000000000000000000000000000000000000").unwrap(), "Float(1e39)");
        assert_eq!(shown("1e999"), Err(NotANumber::OutOfRange));
        for (wrong, why) in [
            ("NaN", NotANumber::Nan),
            (" -nan ", NotANumber::Nan),
            ("1,234", NotANumber::Separated),
            ("1,5", NotANumber::Separated),
            ("1.234.567,89", NotANumber::Separated),
            ("-1 234", NotANumber::Separated),
            ("1_000", NotANumber::Separated),
            ("2024-01-02 00:00:00", NotANumber::Other),
            ("1, 2, 3 and 4", NotANumber::Other),
            ("12ms", NotANumber::Other),
            ("inf", NotANumber::Other),
            ("Infinity", NotANumber::Other),
            ("abc", NotANumber::Other),
            ("", NotANumber::Other),
            ("0x1", NotANumber::Other),
        ] {
            assert_eq!(shown(wrong), Err(why), "{wrong}");
        }
    }

    #[test]
    fn comparison_of_integers_with_floats_is_exact() {
        let parse = |text| Number::parse(text).unwrap();
        assert!(parse("9007199254740993") > parse("9007199254740992.0"));
        assert!(parse("-9007199254740993") < parse("-9007199254740992.0"));
        assert_eq!(parse("1"), parse("1.0"));
        assert_eq!(parse("0"), parse("-0.0"));
        assert!(
            parse("1") < parse("1.5") && parse("-1") > parse("-1.5") && parse("0") > parse("-0.5")
        );
        assert!(
            parse("170141183460469231731687303715884105727")
                < parse("170141183460469231731687303715884105728.0")
        );
        assert!(
            parse("-170141183460469231731687303715884105728")
                == parse("-170141183460469231731687303715884105728.0")
        );
        assert!(parse("5") > parse("-1e300") && parse("5") < parse("1e300"));
    }

    #[test]
    fn text_is_a_number_where_one_is_asked_for() {
        for value in [Value::Number("12"), Value::Text("12"), Value::Untyped(" 12.0 ")] {
            assert_eq!(number_of(value), Ok(Some(Number::Int(12))));
        }
        assert_eq!(
            (number_of(Value::Missing), number_of(Value::Untyped(""))),
            (Ok(None), Ok(None))
        );
        for value in [Value::Text(""), Value::Untyped("NA"), Value::Bool(true), Value::Json("[1]")]
        {
            assert_eq!(number_of(value), Err(NotANumber::Other));
        }
    }

    proptest! {
        #[test]
        fn reading_agrees_with_the_standard_library(
            float in any::<f64>().prop_filter("finite", |f| f.is_finite()),
            integer: i128,
        ) {
            let number = Number::parse(&format!("{float:?}")).unwrap();
            prop_assert_eq!(number.to_f64(), float);
            prop_assert_eq!(
                matches!(number, Number::Int(_)),
                float.fract() == 0.0 && float.abs() < INTEGERS_END
            );
            let Number::Int(back) = Number::parse(&integer.to_string()).unwrap() else {
                panic!("an integer")
            };
            prop_assert_eq!(back, integer);
        }

        #[test]
        fn order_is_total_and_agrees_with_integers(
            a in -1000i64..1000,
            b in -1000i64..1000,
            quarters in 0i64..4,
        ) {
            // Quarters are exact in binary, so the test compares in units of quarters.
            let float = Number::Float((b * 4 + quarters) as f64 / 4.0);
            prop_assert_eq!(
                Number::Int(i128::from(a)).cmp(&float),
                (a * 4).cmp(&(b * 4 + quarters))
            );
            prop_assert_eq!(
                float.cmp(&Number::Int(i128::from(a))),
                (b * 4 + quarters).cmp(&(a * 4))
            );
        }
    }
}
