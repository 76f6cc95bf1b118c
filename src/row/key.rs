//! Keys whose byte order is the order of their values.
//!
//! A value that a pipeline groups by, counts or ranks is encoded as bytes once. After that only
//! bytes are compared and hashed. Their order is: missing, numbers by value, false, true, text by
//! code point. Numbers are encoded as written, in decimal, so 1, 1.0 and 1e0 are one key and
//! 9007199254740993 is not 9007199254740992.
//!
//! | value | bytes |
//! |---|---|
//! | missing | `01` |
//! | negative number | `02`, the complement of the bytes of its positive after their tag, `FF` |
//! | zero | `03` |
//! | positive number | `04`, its power of ten + 0x8040 (two bytes, big-endian), its digits without zeros at the end |
//! | false, true | `05`, `06` |
//! | a time, only in `min` and `max` | `07`, its milliseconds + 2^63 (big-endian), its text |
//! | text that is empty or begins with a byte up to `08` | `08`, the text |
//! | other text | the text: nothing is copied |
//!
//! The key of a group of several fields is the keys of the fields one after another. Each has `00`
//! written as `00 FF` and ends with `00`, as in the tuple layer of FoundationDB
//! (<https://github.com/apple/foundationdb/blob/main/design/tuple.md>). No key begins with `FF`, so
//! byte order is the order of the tuples.

use super::decimal::Decimal;
use super::output::OutputValue;
use super::value::Value;
use crate::time::Timestamp;
use std::fmt::{self, Write};

const TAG_MISSING: u8 = 0x01;
const TAG_NEGATIVE: u8 = 0x02;
const TAG_ZERO: u8 = 0x03;
const TAG_POSITIVE: u8 = 0x04;
const TAG_FALSE: u8 = 0x05;
const TAG_TRUE: u8 = 0x06;
/// Used only in the order of extremes.
const TAG_TIME: u8 = 0x07;
const TAG_TEXT: u8 = 0x08;

/// The largest distance from zero of the power of ten of a number's first digit.
const MAGNITUDE_MAX: i64 = 0x7000;
/// Added to the power of ten. It makes the power positive, and common powers contain no zero byte.
const MAGNITUDE_BIAS: i64 = 0x8040;
/// Text of an untyped source that is an integer of at most this many digits is a number.
const UNTYPED_DIGITS_MAX: usize = 18;

/// The form of a value as a key.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum KeyForm<'a> {
    /// There is no value.
    Missing,
    /// Text that is its own key.
    Text(&'a str),
    /// Text that needs a tag in front.
    TaggedText(&'a str),
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Decimal<'a>),
    /// An integer that was computed.
    Integer(i64),
    /// A float that was computed.
    Float(f64),
    /// A number beyond 10^28,672 or nearer to zero than 10^-28,672.
    OutOfRange(&'a str),
}

impl<'a> KeyForm<'a> {
    /// Returns the key form of a value. Empty text of an untyped source counts as missing, because
    /// such a source has no other way to express it. Text of such a source is a number if it is an
    /// integer without leading zeros and of at most 18 digits.
    #[inline]
    pub(crate) fn of(value: Value<'a>) -> Self {
        match value {
            Value::Missing | Value::Untyped("") => KeyForm::Missing,
            Value::Bool(value) => KeyForm::Bool(value),
            Value::Untyped(text) if !is_canonical_integer(text.as_bytes()) => {
                KeyForm::of_text(text)
            }
            Value::Untyped(text) | Value::Number(text) => KeyForm::of_number(text),
            Value::Text(text) | Value::Json(text) => KeyForm::of_text(text),
            Value::Integer(integer) => KeyForm::Integer(integer),
            Value::Float(float) => KeyForm::Float(float),
        }
    }

    #[inline]
    fn of_text(text: &'a str) -> Self {
        if KeyForm::is_text_itself(text.as_bytes()) {
            KeyForm::Text(text)
        } else {
            KeyForm::TaggedText(text)
        }
    }

    /// Returns true if text with these bytes needs no tag in front.
    #[inline]
    pub(crate) fn is_text_itself(text: &[u8]) -> bool {
        text.first().is_some_and(|first| *first > TAG_TEXT)
    }

    /// Returns true if the first byte alone shows that text with these bytes is not a number.
    #[inline]
    pub(crate) fn is_no_number(text: &[u8]) -> bool {
        !matches!(text.first(), Some(b'-' | b'0'..=b'9'))
    }

    fn of_number(text: &'a str) -> Self {
        match Decimal::scan(text) {
            Some(decimal)
                if decimal.magnitude().is_none_or(|magnitude| magnitude.abs() <= MAGNITUDE_MAX) =>
            {
                KeyForm::Number(decimal)
            }
            Some(_) => KeyForm::OutOfRange(text),
            None => KeyForm::of_text(text),
        }
    }

    /// Appends the key's bytes.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            KeyForm::Missing => out.push(TAG_MISSING),
            KeyForm::Text(text) => out.extend_from_slice(text.as_bytes()),
            KeyForm::TaggedText(text) | KeyForm::OutOfRange(text) => {
                out.push(TAG_TEXT);
                out.extend_from_slice(text.as_bytes());
            }
            KeyForm::Bool(value) => out.push(if value { TAG_TRUE } else { TAG_FALSE }),
            KeyForm::Number(decimal) => write_number(decimal, out),
            KeyForm::Integer(integer) => write_integer(integer, out),
            KeyForm::Float(float) => write_displayed(format_args!("{float:?}"), out),
        }
    }

    /// Appends the key's bytes as a part of a tuple.
    pub(crate) fn write_part(self, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(out);
        if out[start..].contains(&0) {
            let part = out.split_off(start);
            for byte in part {
                out.push(byte);
                if byte == 0 {
                    out.push(0xFF);
                }
            }
        }
        out.push(0);
    }
}

/// Appends the bytes that order a time among other values, and equal times by their texts.
pub(crate) fn write_time(time: Timestamp, text: &str, out: &mut Vec<u8>) {
    out.push(TAG_TIME);
    out.extend_from_slice(&(time.as_millis() as u64 ^ (1 << 63)).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Returns true for an optional minus and digits without leading zeros, at most as many as always
/// fit into 64 bits.
fn is_canonical_integer(text: &[u8]) -> bool {
    match text {
        b"0" => true,
        [b'-', digits @ ..] | digits => {
            digits.first().is_some_and(|first| (b'1'..=b'9').contains(first))
                && digits.len() <= UNTYPED_DIGITS_MAX
                && digits.iter().all(u8::is_ascii_digit)
        }
    }
}

/// Appends a number that is not text yet: by its digits, on the stack.
fn write_displayed(number: fmt::Arguments<'_>, out: &mut Vec<u8>) {
    let mut text = ShortText { bytes: [0; 32], len: 0 };
    // The shortest digits of an `f64` with sign, point and exponent are 24 bytes.
    if text.write_fmt(number).is_ok()
        && let Some(decimal) = text.as_str().and_then(Decimal::scan)
    {
        write_number(decimal, out);
    }
}

/// A text of a few bytes on the stack.
struct ShortText {
    bytes: [u8; 32],
    len: usize,
}

impl ShortText {
    fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.len)?).ok()
    }
}

impl Write for ShortText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn write_number(decimal: Decimal<'_>, out: &mut Vec<u8>) {
    let Some(magnitude) = decimal.magnitude() else {
        out.push(TAG_ZERO);
        return;
    };
    let (whole, fraction) = decimal.digits();
    let digits = whole.iter().chain(fraction).copied();
    write_digits((decimal.is_negative(), magnitude), digits, out);
}

/// Appends a number by its digits without zeros at the end. `KeyForm::of_number` has checked that
/// the power of ten of the first of them fits.
fn write_digits(
    (is_negative, magnitude): (bool, i64),
    digits: impl Iterator<Item = u8>,
    out: &mut Vec<u8>,
) {
    let bytes = ((magnitude + MAGNITUDE_BIAS) as u16).to_be_bytes().into_iter().chain(digits);
    if is_negative {
        out.push(TAG_NEGATIVE);
        out.extend(bytes.map(|byte| !byte));
        // Above every complemented digit: if the digits of one number are a prefix of the other's,
        // the longer number is the smaller.
        out.push(0xFF);
    } else {
        out.push(TAG_POSITIVE);
        out.extend(bytes);
    }
}

fn write_integer(integer: i64, out: &mut Vec<u8>) {
    if integer == 0 {
        out.push(TAG_ZERO);
        return;
    }
    let (mut digits, mut start, mut rest) = ([b'0'; 20], 20, integer.unsigned_abs());
    for place in (0..digits.len()).rev() {
        if rest == 0 {
            break;
        }
        (digits[place], start, rest) = (b'0' + (rest % 10) as u8, place, rest / 10);
    }
    let digits = digits.get(start..).unwrap_or_default();
    let end = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    let significant = digits.iter().take(end).copied();
    write_digits((integer < 0, digits.len() as i64 - 1), significant, out);
}

/// Returns the value with this key. Bytes that are not a valid key are read as text.
pub(crate) fn decode(key: &[u8]) -> OutputValue {
    match key {
        [TAG_MISSING] => OutputValue::Null,
        [TAG_FALSE] => OutputValue::Bool(false),
        [TAG_TRUE] => OutputValue::Bool(true),
        [TAG_ZERO] => OutputValue::Integer(0),
        [TAG_POSITIVE, high, low, digits @ ..] => {
            decode_number(false, [*high, *low], digits.to_vec())
        }
        [TAG_NEGATIVE, high, low, digits @ .., 0xFF] => {
            decode_number(true, [!high, !low], digits.iter().map(|byte| !byte).collect())
        }
        [TAG_TIME, _, _, _, _, _, _, _, _, text @ ..] | [TAG_TEXT, text @ ..] | text => {
            OutputValue::Text(String::from_utf8_lossy(text).into_owned())
        }
    }
}

/// As [`decode`], into a value that had another key. Text takes the memory of that.
pub(crate) fn decode_into(key: &[u8], value: &mut OutputValue) {
    if KeyForm::is_text_itself(key)
        && let OutputValue::Text(known) = value
        && let Ok(text) = std::str::from_utf8(key)
    {
        known.clear();
        known.push_str(text);
    } else {
        *value = decode(key);
    }
}

/// Returns the values of this tuple.
pub(crate) fn decode_parts(tuple: &[u8]) -> Vec<OutputValue> {
    let mut values = Vec::new();
    let mut part = Vec::new();
    let mut bytes = tuple.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != 0 {
            part.push(byte);
        } else if bytes.next_if_eq(&0xFF).is_some() {
            part.push(0);
        } else {
            values.push(decode(&part));
            part.clear();
        }
    }
    values
}

fn decode_number(negative: bool, power: [u8; 2], digits: Vec<u8>) -> OutputValue {
    let magnitude = i64::from(u16::from_be_bytes(power)) - MAGNITUDE_BIAS;
    let sign = if negative { "-" } else { "" };
    let digits = String::from_utf8(digits).unwrap_or_default();
    // An integer of 128 bits has at most 39 digits.
    if (digits.len() as i64 - 1..39).contains(&magnitude)
        && let Ok(integer) =
            format!("{sign}{digits:0<width$}", width = magnitude as usize + 1).parse::<i128>()
    {
        return OutputValue::Integer(integer);
    }
    let first = digits.get(..1).unwrap_or_default();
    let rest = digits.get(1..).unwrap_or_default();
    let point = if rest.is_empty() { "" } else { "." };
    let scientific = format!("{sign}{first}{point}{rest}e{magnitude}");
    match scientific.parse::<f64>() {
        Ok(float) if is_shortest(float, &scientific) => OutputValue::Float(float),
        _ => OutputValue::Decimal(scientific),
    }
}

/// Returns true if `written` is the shortest decimal that reads back as this float.
fn is_shortest(float: f64, written: &str) -> bool {
    let shortest = format!("{float:e}");
    match (Decimal::scan(&shortest), Decimal::scan(written)) {
        (Some(a), Some(b)) => a.magnitude() == b.magnitude() && joined(a).eq(joined(b)),
        _ => false,
    }
}

fn joined(decimal: Decimal<'_>) -> impl Iterator<Item = &u8> {
    let (whole, fraction) = decimal.digits();
    whole.iter().chain(fraction)
}

#[cfg(test)]
mod tests {
    use super::super::number::Number;
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    /// A value that owns its text.
    #[derive(Clone, PartialEq, Debug)]
    enum Owned {
        Missing,
        Bool(bool),
        Number(String),
        Text(String),
        Untyped(String),
    }

    impl Owned {
        fn value(&self) -> Value<'_> {
            match self {
                Owned::Missing => Value::Missing,
                Owned::Bool(value) => Value::Bool(*value),
                Owned::Number(text) => Value::Number(text),
                Owned::Text(text) => Value::Text(text),
                Owned::Untyped(text) => Value::Untyped(text),
            }
        }

        fn key(&self) -> Vec<u8> {
            let mut out = Vec::new();
            KeyForm::of(self.value()).write(&mut out);
            out
        }

        /// The position in the order that the module documents.
        fn rank(&self) -> (u8, Option<Number>, bool, String) {
            match self {
                Owned::Missing => (0, None, false, String::new()),
                Owned::Number(text) => {
                    (1, Some(Number::parse(text).unwrap()), false, String::new())
                }
                Owned::Bool(value) => (2, None, *value, String::new()),
                Owned::Text(text) | Owned::Untyped(text) => (3, None, false, text.clone()),
            }
        }
    }

    fn owned() -> impl Strategy<Value = Owned> {
        prop_oneof![
            Just(Owned::Missing),
            any::<bool>().prop_map(Owned::Bool),
            any::<i64>().prop_map(|number| Owned::Number(number.to_string())),
            (-200i64..200).prop_map(|number| Owned::Number(number.to_string())),
            (-50i64..50, 0u32..3).prop_map(|(number, places)| Owned::Number(format!(
                "{}",
                number as f64 / 10f64.powi(places as i32)
            ))),
            (-50i64..50, -3i32..3)
                .prop_map(|(number, exponent)| Owned::Number(format!("{number}e{exponent}"))),
            "[\\x00-\\x0a]{0,3}".prop_map(Owned::Text),
            ".{0,6}".prop_map(Owned::Text),
        ]
    }

    fn tuple_key(tuple: &[Owned]) -> Vec<u8> {
        let mut out = Vec::new();
        tuple.iter().for_each(|value| KeyForm::of(value.value()).write_part(&mut out));
        out
    }

    fn tuple_order(a: &[Owned], b: &[Owned]) -> Ordering {
        a.iter().map(Owned::rank).cmp(b.iter().map(Owned::rank))
    }

    fn untyped(text: &str) -> Vec<u8> {
        Owned::Untyped(text.into()).key()
    }

    #[test]
    fn equal_numbers_are_one_key_however_they_are_written() {
        let one = Owned::Number("1".into()).key();
        for text in ["1.0", "1e0", "10e-1", "0.1e1", "1.000"] {
            assert_eq!(Owned::Number(text.into()).key(), one, "{text}");
        }
        assert_eq!(untyped("1"), one);
        assert_eq!(Owned::Number("-0.0".into()).key(), Owned::Number("0".into()).key());
        assert_ne!(
            Owned::Number("9007199254740993".into()).key(),
            Owned::Number("9007199254740992".into()).key()
        );
    }

    #[test]
    fn an_untyped_source_has_canonical_integers_text_and_missing() {
        assert_eq!(decode(&untyped("-12")), OutputValue::Integer(-12));
        for text in ["007", "1.5", "+1", "-", "-0", "1234567890123456789", "1e3", "NA"] {
            assert_eq!(decode(&untyped(text)), OutputValue::Text(text.into()));
        }
        assert_eq!(decode(&untyped("")), OutputValue::Null);
    }

    #[test]
    fn numbers_come_back_exactly() {
        let back = |text: &str| decode(&Owned::Number(text.into()).key());
        assert_eq!(back("0.1"), OutputValue::Float(0.1));
        assert_eq!(back("-2.5e10"), OutputValue::Integer(-25_000_000_000));
        assert_eq!(back("1e300"), OutputValue::Float(1e300));
        assert_eq!(
            back("-170141183460469231731687303715884105728"),
            OutputValue::Integer(i128::MIN)
        );
        assert_eq!(
            back("0.10000000000000000001"),
            OutputValue::Decimal("1.0000000000000000001e-1".into())
        );
        assert_eq!(back("1e999"), OutputValue::Decimal("1e999".into()));
        let mut out = Vec::new();
        KeyForm::of(Value::Number("1e99999")).write(&mut out);
        assert_eq!(KeyForm::of(Value::Number("1e99999")), KeyForm::OutOfRange("1e99999"));
    }

    proptest! {
        #[test]
        fn a_computed_number_has_the_key_of_its_text(integer: i64, short in -2000i64..2000, float: f64) {
            fn key(value: Value<'_>) -> Vec<u8> {
                let mut out = Vec::new();
                KeyForm::of(value).write(&mut out);
                out
            }
            for integer in [integer, short, short * 1000, integer / 1_000_000 * 1_000_000] {
                let text = integer.to_string();
                prop_assert_eq!(key(Value::Integer(integer)), key(Value::Number(&text)));
            }
            if float.is_finite() {
                let text = format!("{float:e}");
                prop_assert_eq!(key(Value::Float(float)), key(Value::Number(&text)));
            }
        }

        #[test]
        fn byte_order_is_value_order(a in owned(), b in owned()) {
            prop_assert_eq!(a.key().cmp(&b.key()), a.rank().cmp(&b.rank()), "{:?} {:?}", a, b);
        }

        #[test]
        fn byte_order_of_tuples_is_their_order(
            a in prop::collection::vec(owned(), 1..4),
            b in prop::collection::vec(owned(), 1..4),
        ) {
            prop_assert_eq!(
                tuple_key(&a).cmp(&tuple_key(&b)),
                tuple_order(&a, &b),
                "{:?} {:?}",
                a,
                b
            );
        }

        #[test]
        fn tuples_come_back(tuple in prop::collection::vec(owned(), 0..4)) {
            let singles: Vec<_> = tuple.iter().map(|value| decode(&value.key())).collect();
            prop_assert_eq!(decode_parts(&tuple_key(&tuple)), singles);
        }

        #[test]
        fn values_come_back(value in owned()) {
            let expected = match &value {
                Owned::Missing => OutputValue::Null,
                Owned::Bool(value) => OutputValue::Bool(*value),
                Owned::Text(text) | Owned::Untyped(text) => OutputValue::Text(text.clone()),
                Owned::Number(text) => match (Number::parse(text).unwrap(), decode(&value.key())) {
                    // A whole float is decoded as an integer, which is the same number.
                    (number, OutputValue::Integer(integer)) => {
                        prop_assert_eq!(number, Number::Int(integer));
                        OutputValue::Integer(integer)
                    }
                    (number, _) => number.into(),
                },
            };
            prop_assert_eq!(decode(&value.key()), expected);
        }

        #[test]
        fn any_bytes_decode_to_something(bytes: Vec<u8>, value in owned(), before in owned()) {
            for key in [bytes.clone(), value.key()] {
                let mut decoded = decode(&before.key());
                decode_into(&key, &mut decoded);
                prop_assert_eq!(decoded, decode(&key));
            }
            decode_parts(&bytes);
        }
    }
}
