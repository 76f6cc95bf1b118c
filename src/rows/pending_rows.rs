//! The rows of an emission, handed out one by one.

use super::answers::{AnswerPlan, AnswerRows, Rows};
use super::row_aggregate::Answered;
use crate::engine::Emission;
use crate::error::Error;
use crate::key::ByteKey;
use crate::row::OutputValue;
use crate::row::key;
use crate::rows::RowEmission;

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
            Rows::Walked(_, positions) => positions.len() > 0,
        };
        !has_rows && self.other.is_none() && self.retracted.len() == 0 && !self.is_rest_retracted
    }

    fn next(&mut self, plan: &AnswerPlan) -> Option<RowEmission> {
        let form = plan.form();
        let (group, mut values) = match self.next_row(plan) {
            Some(row) => row,
            None => self.next_rest(form.group.len())?,
        };
        let Emission { window, revision, retracted, .. } = self.emission;
        if retracted {
            values.clear();
        }
        Some(RowEmission { window, revision, group, values, form: form.clone() })
    }

    /// The group and the values of the next row.
    fn next_row(&mut self, plan: &AnswerPlan) -> Option<(Vec<OutputValue>, Vec<OutputValue>)> {
        let fields = plan.form().group.len();
        match &mut self.rows {
            Rows::None => None,
            Rows::One(values) => {
                let row = (Vec::new(), std::mem::take(values));
                self.rows = Rows::None;
                Some(row)
            }
            Rows::Made(rows) => {
                let (key, values) = rows.next()?;
                Some((group_values(&key, fields), values))
            }
            Rows::Walked(walk, positions) => {
                let (key, calls) = walk.row(positions.next()?)?;
                let values = plan.columns(&self.emission, Some(key), calls);
                Some((group_values(key, fields), values))
            }
        }
    }

    /// The group of the next row after those of the answer, and its values: none if it is
    /// retracted.
    fn next_rest(&mut self, fields: usize) -> Option<(Vec<OutputValue>, Vec<OutputValue>)> {
        let rest = vec![OutputValue::Other; fields];
        if let Some(values) = self.other.take() {
            return Some((rest, values));
        }
        if let Some(key) = self.retracted.next() {
            return Some((group_values(&key, fields), Vec::new()));
        }
        std::mem::take(&mut self.is_rest_retracted).then_some((rest, Vec::new()))
    }
}

/// Returns the values of the grouped fields.
pub(super) fn group_values(key: &[u8], fields: usize) -> Vec<OutputValue> {
    match fields {
        // One field is its own key, several are a tuple.
        1 => vec![key::decode(key)],
        _ => key::decode_parts(key),
    }
}

/// The rest of the emission that is being handed out, if there is one.
#[derive(Default)]
pub(super) struct PendingRows(Option<Pending>);

impl PendingRows {
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(Pending::is_empty)
    }

    /// The next row of the answer, of a further emission where none is left.
    ///
    /// # Errors
    /// Those of fetching it.
    pub(super) fn next<T: Into<Answered>>(
        &mut self,
        plan: &AnswerPlan,
        mut fetch: impl FnMut() -> Result<Option<Emission<T>>, Error>,
    ) -> Result<Option<RowEmission>, Error> {
        loop {
            if let Some(row) = self.0.as_mut().and_then(|pending| pending.next(plan)) {
                return Ok(Some(row));
            }
            let Some(Emission { window, revision, retracted, value }) = fetch()? else {
                self.0 = None;
                return Ok(None);
            };
            let emission = Emission { window, revision, retracted, value: () };
            let rows = plan.rows(&emission, value.into());
            self.0 = Some(Pending::new(emission, rows));
        }
    }
}
