//! What a program can give as the value of a field.

use super::number::Number;
use super::value::Value;

mod sealed {
    pub trait Sealed {}
}

/// A value of a field that a program gives by name: a number, a truth value, text, an `Option` of
/// these, or any [`Value`]. `None` is a missing value. Sealed.
///
/// # Example
/// ```
/// use streamgauge::row::{FieldValue, Value};
/// let fields: [(&str, &dyn FieldValue); 3] =
///     [("country", &"DE"), ("status", &404), ("bytes", &None::<u64>)];
/// fields[1].1.with(&mut |value| assert_eq!(value, Value::Number("404")));
/// fields[2].1.with(&mut |value| assert_eq!(value, Value::Missing));
/// ```
pub trait FieldValue: sealed::Sealed {
    /// Calls `f` with the value.
    fn with(&self, f: &mut dyn FnMut(Value<'_>));
}

macro_rules! field_values {
    ($($kind:ty: $value:ident, $f:ident => $with:expr;)*) => {$(
        impl sealed::Sealed for $kind {}

        impl FieldValue for $kind {
            fn with(&self, $f: &mut dyn FnMut(Value<'_>)) {
                let $value = self;
                $with
            }
        }
    )*};
}
field_values! {
    Value<'_>: value, f => f(*value);
    bool: value, f => f(Value::Bool(*value));
    str: value, f => f(Value::Text(value));
    String: value, f => f(Value::Text(value));
    f32: value, f => f64::from(*value).with(f);
    f64: value, f => match value.is_finite() {
        true => f(Value::Number(&Number::of_float(*value).to_string())),
        // Text that is no number, so that the record is a dead letter where a number is needed.
        false => f(Value::Text(&value.to_string())),
    };
}

macro_rules! integer_values {
    ($($integer:ty),*) => {
        field_values! {
            $($integer: value, f => f(Value::Number(&value.to_string()));)*
        }
    };
}
integer_values!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

impl<T: FieldValue + ?Sized> sealed::Sealed for &T {}

impl<T: FieldValue + ?Sized> FieldValue for &T {
    fn with(&self, f: &mut dyn FnMut(Value<'_>)) {
        T::with(self, f);
    }
}

impl<T: FieldValue> sealed::Sealed for Option<T> {}

impl<T: FieldValue> FieldValue for Option<T> {
    fn with(&self, f: &mut dyn FnMut(Value<'_>)) {
        match self {
            Some(value) => value.with(f),
            None => f(Value::Missing),
        }
    }
}
