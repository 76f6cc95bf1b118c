//! Records that are passed on as rows, one by one.

use super::emission::RowEmission;
use super::row_pipeline::RowPipeline;
use super::select::Select;
use crate::engine::{Control, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::record::Sequence;
use crate::row::Row;
use crate::time::Timestamp;
use std::iter::once;

impl RowPipeline {
    /// Returns true if a query passes records on as rows, instead of aggregating them.
    pub fn passes_on(&self) -> bool {
        self.select.is_some() || self.others.iter().any(RowPipeline::passes_on)
    }

    pub(super) fn selects_mut(&mut self) -> impl Iterator<Item = &mut Select> {
        let others = self.others.iter_mut().map(|other| &mut other.select);
        once(&mut self.select).chain(others).flatten().map(|select| &mut **select)
    }

    /// Fails if records are passed on, whose rows are never merged, and if there are several
    /// queries: partials are of one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn check_merges(&self) -> Result<(), Error> {
        if !self.others.is_empty() {
            return Err(Error::invalid(
                "the pipeline has several queries, and partials are of one: give each query a \
                 pipeline file and a place of its own",
            ));
        }
        match self.passes_on() {
            false => Ok(()),
            true => Err(Error::invalid(
                "select passes records on as rows, which are not merged, so there are no partials",
            )),
        }
    }

    /// Sets the position of the next record, if records are passed on. `part` counts the records
    /// of one position.
    pub(crate) fn set_position(&mut self, sequence: &Sequence, part: u64) {
        self.selects_mut().for_each(|select| select.set_position(sequence, part));
    }

    /// Sets the input and the line of the next record, if records are passed on.
    #[cfg(feature = "files")]
    pub(crate) fn set_line(&mut self, input: &str, line: u64) {
        self.selects_mut().for_each(|select| select.set_line(input, line));
    }

    /// Adds a prepared row, and the row that it is passed on as.
    pub(super) fn push_selected(
        &mut self,
        shard: Shard,
        row: &Row,
        (time, sequence): (Timestamp, Option<&Sequence>),
    ) -> Result<Outcome<String>, Error> {
        let Some(mut select) = self.select.take() else {
            return self.push_record(shard, row, time, sequence);
        };
        if !self.engine.is_handing_out() {
            // The state was restored in between, so the rows belong to the old state.
            select.clear();
        }
        let outcome = match (select.check_room(), select.values(row)) {
            (Err(error), _) => Err(error),
            (Ok(()), Ok(values)) => {
                let outcome = self.push_record(shard, row, time, sequence);
                if let Ok(Outcome::Applied) = outcome {
                    select.push(self.engine.shard_id(shard), values);
                    self.engine.set_handing_out(true);
                }
                outcome
            }
            (Ok(()), Err(slot)) => self.refuse_value(shard, slot, (time, sequence)),
        };
        self.select = Some(select);
        outcome
    }

    /// Makes a record a dead letter whose value has no form in a row.
    #[cold]
    fn refuse_value(
        &mut self,
        shard: Shard,
        slot: usize,
        (time, sequence): (Timestamp, Option<&Sequence>),
    ) -> Result<Outcome<String>, Error> {
        let reason = format!("{}: the number is out of range", self.preparer.name(slot));
        if self.engine.is_strict() {
            return Err(Error::new(ErrorKind::InvalidRecord, reason));
        }
        self.engine.skip(shard, sequence, Outcome::DeadLetter(()), Some(time));
        Ok(Outcome::DeadLetter(reason))
    }

    /// Returns the next row of a record that is passed on.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) fn next_selected(&mut self) -> Result<Option<RowEmission>, Error> {
        let is_current = self.engine.is_handing_out();
        let Some(select) = &mut self.select else { return Ok(None) };
        if !is_current {
            select.clear();
        }
        if let Some((row, is_more)) = select.next() {
            self.engine.set_handing_out(is_more);
            return Ok(Some(row));
        }
        self.engine.set_handing_out(false);
        // The count of all records is no row.
        while self.engine.next_emission()?.is_some() {}
        Ok(None)
    }
}
