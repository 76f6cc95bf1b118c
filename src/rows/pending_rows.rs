//! The rows of an emission, handed out one by one.

use super::answers::{AnswerPlan, AnswerRows, Rows};
use super::row_aggregate::Answered;
use crate::engine::Emission;
use crate::error::Error;
use crate::key::ByteKey;
use crate::row::OutputValue;
use crate::row::key;
use crate::rows::RowEmission;
use std::sync::Arc;

/// An emission of groups, handed out row by row.
struct Pending {
    emission: Emission<()>,
    rows: Rows,
    other: Option<Vec<OutputValue>>,
    /// Groups whose rows do not hold any more.
    retracted: std::vec::IntoIter<ByteKey>,
    /// Whether the row of all records, or the row `(other)`, does not hold any more.
    is_rest_retracted: bool,
}

impl Pending {
    fn new(emission: Emission<()>, answer: AnswerRows) -> Self {
        let AnswerRows { rows, other, retracted, is_rest_retracted } = answer;
        let retracted = retracted.into_iter();
        Pending { emission, rows, other, retracted, is_rest_retracted }
    }

    fn is_empty(&self) -> bool {
        let has_rows = match &self.rows {
            Rows::None => false,
            Rows::One(_) => true,
            Rows::Made(rows) => rows.len() > 0,
            Rows::All(_, positions) => !positions.is_empty(),
            Rows::Walked(_, positions) => positions.len() > 0,
        };
        !has_rows && self.other.is_none() && self.retracted.len() == 0 && !self.is_rest_retracted
    }

    /// Fills a row with the next one. Returns false after the last one.
    fn fill(&mut self, plan: &AnswerPlan, row: &mut RowEmission) -> bool {
        if self.fill_row(plan, row).or_else(|| self.fill_rest(plan, row)).is_none() {
            return false;
        }
        let Emission { window, revision, retracted, .. } = self.emission;
        if retracted {
            row.values.clear();
        }
        (row.window, row.revision) = (window, revision);
        if !Arc::ptr_eq(&row.form, plan.form()) {
            row.form = plan.form().clone();
        }
        true
    }

    /// Fills in the group and the values of the next row. Returns `None` after the last one.
    fn fill_row(&mut self, plan: &AnswerPlan, row: &mut RowEmission) -> Option<()> {
        let fields = plan.form().group.len();
        let (walk, position) = match &mut self.rows {
            Rows::None => return None,
            Rows::One(values) => {
                (row.group, row.values) = (Vec::new(), std::mem::take(values));
                self.rows = Rows::None;
                return Some(());
            }
            Rows::Made(rows) => {
                let (key, values) = rows.next()?;
                row.values = values;
                fill_group(&key, fields, &mut row.group);
                return Some(());
            }
            Rows::All(walk, positions) => (walk, positions.next()?),
            Rows::Walked(walk, positions) => (walk, positions.next()?),
        };
        let key = walk.fill(position, &mut row.values)?;
        row.values = plan.columns(&self.emission, Some(key), std::mem::take(&mut row.values));
        fill_group(key, fields, &mut row.group);
        Some(())
    }

    /// Fills in the group of the next row after those of the answer, and its values: none if it is
    /// retracted.
    fn fill_rest(&mut self, plan: &AnswerPlan, row: &mut RowEmission) -> Option<()> {
        let fields = plan.form().group.len();
        let values = self.other.take();
        if values.is_none()
            && let Some(key) = self.retracted.next()
        {
            fill_group(&key, fields, &mut row.group);
        } else if values.is_some() || std::mem::take(&mut self.is_rest_retracted) {
            row.group = vec![OutputValue::Other; fields];
        } else {
            return None;
        }
        row.values = values.unwrap_or_default();
        Some(())
    }
}

/// Returns the values of the grouped fields.
pub(super) fn group_values(key: &[u8], fields: usize) -> Vec<OutputValue> {
    let mut values = Vec::new();
    fill_group(key, fields, &mut values);
    values
}

/// Replaces the values of the grouped fields.
fn fill_group(key: &[u8], fields: usize, values: &mut Vec<OutputValue>) {
    match (fields, values.as_mut_slice()) {
        // One field is its own key, several are a tuple.
        (1, [value]) => key::decode_into(key, value),
        (1, _) => *values = vec![key::decode(key)],
        _ => *values = key::decode_parts(key),
    }
}

/// The rest of the emission that is being handed out, if there is one.
#[derive(Default)]
pub(super) struct PendingRows {
    pending: Option<Pending>,
    /// True if the groups of the last emission are dropped with the pipeline.
    keeps_last: bool,
}

impl PendingRows {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.as_ref().is_none_or(Pending::is_empty)
    }

    /// Drops the rows that are left.
    pub(super) fn clear(&mut self) {
        self.pending.take_if(|pending| !self.keeps_last || !pending.is_empty());
    }

    /// Leaves the groups of the last emission in memory after their rows were handed out.
    #[cfg(feature = "files")]
    pub(super) fn keep_last(&mut self) {
        self.keeps_last = true;
    }

    /// Returns the next row: see [`fill`](PendingRows::fill).
    ///
    /// # Errors
    /// Those of fetching an emission.
    pub(super) fn next<T: Into<Answered>>(
        &mut self,
        plan: &AnswerPlan,
        fetch: impl FnMut() -> Result<Option<Emission<T>>, Error>,
    ) -> Result<Option<RowEmission>, Error> {
        let mut row = RowEmission::of_form(plan.form());
        Ok(self.fill(plan, &mut row, fetch)?.then_some(row))
    }

    /// Fills a row with the next one of the answer, or of the next emission after its last.
    /// Returns false after the last one of all.
    ///
    /// # Errors
    /// Those of fetching an emission.
    pub(super) fn fill<T: Into<Answered>>(
        &mut self,
        plan: &AnswerPlan,
        row: &mut RowEmission,
        mut fetch: impl FnMut() -> Result<Option<Emission<T>>, Error>,
    ) -> Result<bool, Error> {
        loop {
            if self.pending.as_mut().is_some_and(|pending| pending.fill(plan, row)) {
                return Ok(true);
            }
            let Some(Emission { window, revision, retracted, value }) = fetch()? else {
                self.clear();
                return Ok(false);
            };
            let emission = Emission { window, revision, retracted, value: () };
            let rows = plan.rows(&emission, value.into());
            self.pending = Some(Pending::new(emission, rows));
        }
    }
}
