//! The field that holds the event time.

use super::time_format::TimeFormat;
use std::ops::Range;

/// The field that holds the event time.
#[derive(Clone, Debug)]
pub(crate) struct TimeField {
    pub(crate) slot: usize,
    pub(crate) format: TimeFormat,
    /// The integers that are milliseconds in this format. Most times are, and need no other check.
    millis: Range<i64>,
}

impl TimeField {
    pub(crate) fn new(slot: usize, format: TimeFormat) -> Self {
        TimeField { slot, millis: format.usual_millis(), format }
    }

    /// Returns true if an integer is milliseconds in this format.
    #[inline(always)]
    pub(super) fn is_usual(&self, integer: i64) -> bool {
        self.millis.contains(&integer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Row, Value};

    #[test]
    fn an_integer_of_a_row_is_the_time_that_its_text_is() {
        let auto = TimeField::new(0, TimeFormat::Auto);
        let mut row = Row::new(1);
        for text in [
            "0",
            "20240102",
            "20240132",
            "20240102030405",
            "202401020304",
            "1700000000123",
            "999999999999",
            "10000000000000",
        ] {
            row.begin(&bytes::Bytes::from_static(text.as_bytes()));
            row.set_integer(0, 0, text.len(), || text.parse().unwrap());
            assert_eq!(
                row.event_time(&auto),
                TimeFormat::Auto.read(Value::Untyped(text)),
                "{text}"
            );
        }
    }
}
