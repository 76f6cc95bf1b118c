//! What a query answers: aggregates, arithmetic over them, and which rows in which order.
//!
//! `count, sum(bytes * 8) as bits, 100.0 * count_if(status >= 500) / count(*) as error_pct`
//!
//! An argument of an aggregate is any expression over the fields of a record. The caller gives it
//! a slot of the row by [`Slots`]. What is around the aggregates is an [`Answer`], computed from
//! their values for each row of the answer.

mod answer;
mod call;
mod list;
mod lower;
mod lowering;
#[cfg(test)]
mod tests;

use super::expression::{Ast, Id};
use super::literal::Literal;
use crate::error::Error;

pub(crate) use answer::{Answer, Scalar};
pub(crate) use call::{is_aggregate, near_aggregate};
pub(crate) use list::{canonical_list, parse_field, parse_group};

/// Returns the slot of a row in which the value of an expression is.
pub(crate) type Slots<'a> = dyn FnMut(&Ast, Id) -> Result<usize, Error> + 'a;

/// What a query answers.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Answers {
    /// The aggregates that are computed, each once.
    pub(crate) calls: Vec<Function>,
    pub(crate) columns: Vec<Column>,
    /// Conditions on rows, all of which must be true.
    pub(crate) having: Vec<Answer>,
    /// The order of the rows of a window; rows that are equal by it are ordered by their group.
    pub(crate) sort: Vec<SortKey>,
    /// Maximum number of rows of a window.
    pub(crate) limit: Option<usize>,
}

/// A column of the answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Column {
    /// The name after `as`, or the canonical text of the expression.
    pub(crate) name: String,
    pub(crate) answer: Answer,
}

/// By what the rows of a window are ordered.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SortKey {
    pub(crate) answer: Answer,
    pub(crate) is_descending: bool,
}

/// The function that is computed. Its numbers are slots of fields.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Function {
    /// Counts records.
    Count,
    /// Counts records that have the field.
    CountOf(usize),
    Sum(usize),
    Mean(usize),
    Min(usize),
    Max(usize),
    Variance(usize),
    Stddev(usize),
    First(usize),
    Last(usize),
    /// Of one value, or of tuples of several.
    Distinct(Box<[usize]>),
    Quantile(usize, Percent),
    Median(usize),
    /// The count of each bucket of a histogram without given bounds.
    Buckets(usize),
    /// The first value where the second one is smallest.
    MinBy(usize, usize),
    /// The first value where the second one is largest.
    MaxBy(usize, usize),
    Top {
        k: usize,
        /// The key: one value, or a tuple of several.
        slots: Box<[usize]>,
        /// What is summed in place of counting.
        weight: Option<usize>,
        counters: usize,
    },
    /// Counts records in which the field is equal to the value.
    Frequency(usize, Literal),
}

/// The percentage of a percentile, in hundredths: 9,999 for p99.99. From 1 to 10,000.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Percent(u32);

impl Percent {
    /// Parses the text after the `p`: digits, and at most two decimals.
    fn parse(text: &str) -> Option<Percent> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "00"));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 3
            || fraction.is_empty()
            || fraction.len() > 2
            || !digits(whole)
            || !digits(fraction)
        {
            return None;
        }
        let hundredths =
            whole.parse::<u32>().ok()? * 100 + format!("{fraction:0<2}").parse::<u32>().ok()?;
        (1..=10_000).contains(&hundredths).then_some(Percent(hundredths))
    }

    /// Returns the percentage of a quantile, which has at most four decimals.
    fn of_quantile(quantile: f64) -> Option<Percent> {
        let hundredths = (quantile * 10_000.0).round();
        let is_exact = (quantile * 10_000.0 - hundredths).abs() < 1e-6;
        let is_inside = (1.0..=10_000.0).contains(&hundredths);
        (is_exact && is_inside).then_some(Percent(hundredths as u32))
    }

    /// Returns the quantile, from 0.0001 to 1.
    pub(crate) fn quantile(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}
