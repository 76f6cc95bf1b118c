//! Windows of a number of records.

use super::Windows;
use super::row_rule::RowRule;
use crate::error::Error;

/// Maximum number of parts of a window. A group has an accumulator for each, and an answer merges
/// them.
const PARTS_MAX: usize = 1000;

/// Windows of a number of records of each group: the first `n` records, the next `n`, and so on; or
/// the last `n` records at every further record.
///
/// The records of a group count in the order in which they are pushed, whatever their event times
/// are, so none is late and a window is complete with its last record. Windows of a group are
/// [numbered](super::Window::number) from 1. One that is open at the end of the input is answered
/// with the records that it has. Groups are those of [`group_by`](crate::aggregate::group_by()) if
/// it is the whole aggregate; otherwise all records are one group. A group stays in the state.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::window::Rows;
/// let mut pipeline = Pipeline::builder()
///     .window(Rows::new(2)?)
///     .aggregate(group_by(|word: &&str| *word, count()))
///     .build()?;
/// let answers: Vec<_> = pipeline
///     .over(["a", "b", "a", "a"])
///     .map(|found| (found.window.and_then(|window| window.number()), found.value.rows))
///     .collect();
/// assert_eq!(
///     answers,
///     [
///         (Some(1), vec![("a".into(), 2)]),
///         (Some(1), vec![("b".into(), 1)]), // open at the end
///         (Some(2), vec![("a".into(), 1)]),
///     ]
/// );
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rows(RowRule);

impl Rows {
    /// Creates windows of `rows` records.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for 0 records.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Rows;
    /// assert!(Rows::new(100).is_ok());
    /// assert_eq!(Rows::new(0).unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// ```
    pub fn new(rows: u64) -> Result<Self, Error> {
        match rows {
            0 => Err(Error::invalid("a window of 0 records; at least 1 record")),
            rows => Ok(Rows(RowRule { rows, every: rows, timed: true })),
        }
    }

    /// Answers after every `every` records of a group, of its last records. The first windows of a
    /// group have fewer records.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if `every` is 0, or more
    /// than the records of a window, or if a window would consist of more than 1,000 parts, each of
    /// the greatest number of records that divides both.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Rows;
    /// let mut pipeline = Pipeline::builder()
    ///     .window(Rows::new(3)?.every(1)?)
    ///     .aggregate(sum(|n: &u64| *n))
    ///     .build()?;
    /// let sums: Vec<_> = pipeline.over([1, 10, 100, 1000]).map(|found| found.value).collect();
    /// assert_eq!(sums, [1, 11, 111, 1110]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn every(self, every: u64) -> Result<Self, Error> {
        let rows = self.0.rows;
        if !(1..=rows).contains(&every) {
            return Err(Error::invalid(format!(
                "an answer every {every} records of windows of {rows}: from 1 to {rows}"
            )));
        }
        let rule = RowRule { every, ..self.0 };
        if rule.parts() > PARTS_MAX {
            return Err(Error::invalid(format!(
                "windows of {rows} records, answered every {every} records, consist of more than \
                 {PARTS_MAX} parts: answer less often"
            )));
        }
        Ok(Rows(rule))
    }
}

impl From<Rows> for Windows {
    fn from(rows: Rows) -> Self {
        Windows::of_rows(rows.0)
    }
}
