//! Records whose array elements are records of their own.

use super::fast::preparer::Preparation;
use super::row_pipeline::RowPipeline;
use super::unnest::Unnest;
use crate::engine::{Control, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::record::Sequence;
use crate::row::Row;
use crate::time::Timestamp;
use std::iter::once;

impl RowPipeline {
    /// Adds the elements of a record, all of them or none. Returns the outcome that says most: that
    /// the first dead letter is one, then that an element is late, then that one was applied.
    ///
    /// # Errors
    /// As [`push`](RowPipeline::push). If a limit refuses an element, the elements before it stay
    /// added, and the same record must come again for the rest.
    pub(super) fn push_elements(
        &mut self,
        shard: Shard,
        row: &mut Row,
        position: (Timestamp, Option<&Sequence>),
    ) -> Result<Outcome<String>, Error> {
        let Some(mut unnest) = self.unnest.take() else {
            return self.push_row(shard, row, position);
        };
        let outcome = self.push_each(&mut unnest, (shard, row), position);
        self.unnest = Some(unnest);
        outcome
    }

    fn push_each(
        &mut self,
        unnest: &mut Unnest,
        (shard, row): (Shard, &mut Row),
        (arrival, sequence): (Timestamp, Option<&Sequence>),
    ) -> Result<Outcome<String>, Error> {
        let elements = match unnest.begin(row) {
            Ok(elements) => elements,
            Err(reason) if self.is_strict() => {
                return Err(Error::new(ErrorKind::InvalidRecord, reason));
            }
            Err(reason) => {
                self.skip_dead_letter(shard, sequence, None);
                return Ok(Outcome::DeadLetter(reason));
            }
        };
        if elements == 0 {
            self.preparer.shared.count_without_elements();
            sequence.into_iter().for_each(|sequence| self.set_applied(shard, sequence));
            return Ok(Outcome::Blank);
        }
        if self.is_strict() {
            self.check_each(unnest, row, arrival)?;
        }
        let first = if self.engine.is_applied_in_part() { unnest.next } else { 0 };
        let mut all = Outcome::Filtered;
        for element in first..elements {
            unnest.set(element, row);
            self.selects_mut().for_each(|select| select.set_element(element));
            let sequence = sequence.filter(|_| element == 0);
            match self.push_row(shard, row, (arrival, sequence)) {
                Ok(outcome) => all = telling_most(all, outcome),
                Err(error) => {
                    self.engine.set_applied_in_part(element > 0 || self.have_row > 0);
                    unnest.next = element;
                    return Err(error);
                }
            }
        }
        self.engine.set_applied_in_part(false);
        Ok(all)
    }

    /// Checks all elements before the first is added.
    fn check_each(
        &self,
        unnest: &mut Unnest,
        row: &mut Row,
        arrival: Timestamp,
    ) -> Result<(), Error> {
        let mut element = 0;
        while unnest.set(element, row) {
            for preparer in once(&self.preparer).chain(&self.preparer.others) {
                if let Preparation::DeadLetter(reason, _) = preparer.prepare_shared(row, arrival) {
                    return Err(Error::new(ErrorKind::InvalidRecord, reason));
                }
            }
            element += 1;
        }
        Ok(())
    }

    /// Puts the next row of a record into `row`: without an array that is unnested the record
    /// itself, as the only one. Returns false if there is no further one.
    ///
    /// # Errors
    /// The reason if the value is not an array.
    #[cfg(feature = "files")]
    pub(crate) fn next_row(&mut self, row: &mut Row, index: usize) -> Result<bool, String> {
        let Some(unnest) = &mut self.unnest else { return Ok(index == 0) };
        if index == 0 && unnest.begin(row)? == 0 {
            self.preparer.shared.count_without_elements();
        }
        let exists = unnest.set(index, row);
        self.selects_mut().for_each(|select| select.set_element(index));
        Ok(exists)
    }

    /// Adds a row of [`next_row`](RowPipeline::next_row).
    ///
    /// # Errors
    /// As [`push`](RowPipeline::push).
    #[cfg(feature = "files")]
    #[inline]
    pub(crate) fn push_next_row(
        &mut self,
        shard: Shard,
        row: &mut Row,
        arrival: Timestamp,
    ) -> Result<Outcome<String>, Error> {
        self.push_row(shard, row, (arrival, None))
    }

    /// Returns true if other threads may prepare rows: each record is one, and is aggregated.
    #[cfg(feature = "files")]
    pub(crate) fn is_prepared(&self) -> bool {
        self.unnest.is_none() && !self.passes_on()
    }

    /// Returns true if a record can be several rows.
    #[cfg(feature = "files")]
    pub(crate) fn unnests(&self) -> bool {
        self.unnest.is_some()
    }
}

/// Returns which of two outcomes of a record's elements says more.
fn telling_most(one: Outcome<String>, other: Outcome<String>) -> Outcome<String> {
    let rank = |outcome: &Outcome<String>| match outcome {
        Outcome::DeadLetter(_) => 4,
        Outcome::Late(_) => 3,
        Outcome::Applied => 2,
        Outcome::BetweenWindows => 1,
        _ => 0,
    };
    if rank(&other) > rank(&one) { other } else { one }
}
