//! The rows of an emission, handed out one by one.

use super::answers::{AnswerPlan, AnswerRows};
use super::row_aggregate::RowAnswer;
use crate::engine::Emission;
use crate::error::Error;
use crate::key::ByteKey;
use crate::row::OutputValue;
use crate::row::key;
use crate::rows::{RowEmission, RowForm};
use std::sync::Arc;

/// An emission of groups, handed out row by row.
struct Pending {
    emission: Emission<()>,
    /// The one row of a pipeline without groups.
    plain: Option<Vec<OutputValue>>,
    rows: std::vec::IntoIter<(ByteKey, Vec<OutputValue>)>,
    other: Option<Vec<OutputValue>>,
    /// Groups whose rows do not hold any more.
    retracted: std::vec::IntoIter<ByteKey>,
    /// Whether the row of all records, or the row `(other)`, does not hold any more.
    is_rest_retracted: bool,
}

impl Pending {
    fn new(emission: Emission<()>, answer: AnswerRows) -> Self {
        let AnswerRows { rows, retracted, is_rest_retracted } = answer;
        let (plain, rows, other) = match rows {
            RowAnswer::Plain(values) => (Some(values), Vec::new(), None),
            RowAnswer::Grouped(groups) => {
                (None, groups.rows, groups.other.map(|other| other.value))
            }
        };
        let (rows, retracted) = (rows.into_iter(), retracted.into_iter());
        Pending { emission, plain, rows, other, retracted, is_rest_retracted }
    }

    fn is_empty(&self) -> bool {
        self.plain.is_none()
            && self.rows.len() == 0
            && self.other.is_none()
            && self.retracted.len() == 0
            && !self.is_rest_retracted
    }

    fn next(&mut self, form: &Arc<RowForm>) -> Option<RowEmission> {
        let (group, mut values) = self.next_values(form.group.len())?;
        let Emission { window, revision, retracted, .. } = self.emission;
        if retracted {
            values.clear();
        }
        Some(RowEmission { window, revision, group, values, form: form.clone() })
    }

    /// The group and the values of the next row; no values if it is retracted.
    fn next_values(&mut self, group_fields: usize) -> Option<(Vec<OutputValue>, Vec<OutputValue>)> {
        // One field is its own key, several are a tuple.
        let group = |key: &ByteKey| match group_fields {
            1 => vec![key::decode(key)],
            _ => key::decode_parts(key),
        };
        if let Some(values) = self.plain.take() {
            return Some((Vec::new(), values));
        }
        if let Some((key, values)) = self.rows.next() {
            return Some((group(&key), values));
        }
        let rest = vec![OutputValue::Other; group_fields];
        if let Some(values) = self.other.take() {
            return Some((rest, values));
        }
        if let Some(key) = self.retracted.next() {
            return Some((group(&key), Vec::new()));
        }
        std::mem::take(&mut self.is_rest_retracted).then_some((rest, Vec::new()))
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
    pub(super) fn next(
        &mut self,
        plan: &AnswerPlan,
        mut fetch: impl FnMut() -> Result<Option<Emission<RowAnswer>>, Error>,
    ) -> Result<Option<RowEmission>, Error> {
        loop {
            if let Some(row) = self.0.as_mut().and_then(|pending| pending.next(plan.form())) {
                return Ok(Some(row));
            }
            let Some(Emission { window, revision, retracted, value }) = fetch()? else {
                self.0 = None;
                return Ok(None);
            };
            let emission = Emission { window, revision, retracted, value: () };
            let rows = plan.rows(&emission, value);
            self.0 = Some(Pending::new(emission, rows));
        }
    }
}
