//! The rows of an emission, handed out one by one.

use super::row_aggregate::RowAnswer;
use crate::engine::Emission;
use crate::error::Error;
use crate::key::ByteKey;
use crate::row::OutputValue;
use crate::row::key;
use crate::rows::RowEmission;

/// An emission of groups, handed out row by row.
struct Pending {
    emission: Emission<()>,
    /// The one row of a pipeline without groups.
    plain: Option<Vec<OutputValue>>,
    rows: std::vec::IntoIter<(ByteKey, Vec<OutputValue>)>,
    other: Option<Vec<OutputValue>>,
}

impl Pending {
    fn new(emission: Emission<()>, answer: RowAnswer) -> Self {
        match answer {
            RowAnswer::Plain(values) => {
                Pending { emission, plain: Some(values), rows: Vec::new().into_iter(), other: None }
            }
            RowAnswer::Grouped(groups) => Pending {
                emission,
                plain: None,
                rows: groups.rows.into_iter(),
                other: groups.other.map(|other| other.value),
            },
        }
    }

    fn is_empty(&self) -> bool {
        self.plain.is_none() && self.rows.len() == 0 && self.other.is_none()
    }

    fn next(&mut self, group_fields: usize) -> Option<RowEmission> {
        if let Some(values) = self.plain.take() {
            return Some(RowEmission {
                window: self.emission.window,
                revision: self.emission.revision,
                group: Vec::new(),
                values,
            });
        }
        let (group, values) = match self.rows.next() {
            // One field is its own key, several are a tuple.
            Some((key, values)) if group_fields == 1 => (vec![key::decode(&key)], values),
            Some((key, values)) => (key::decode_parts(&key), values),
            None => (vec![OutputValue::Other; group_fields], self.other.take()?),
        };
        Some(RowEmission {
            window: self.emission.window,
            revision: self.emission.revision,
            group,
            values,
        })
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
        group_fields: usize,
        mut fetch: impl FnMut() -> Result<Option<Emission<RowAnswer>>, Error>,
    ) -> Result<Option<RowEmission>, Error> {
        loop {
            if let Some(row) = self.0.as_mut().and_then(|pending| pending.next(group_fields)) {
                return Ok(Some(row));
            }
            let Some(Emission { window, revision, value }) = fetch()? else {
                self.0 = None;
                return Ok(None);
            };
            self.0 = Some(Pending::new(Emission { window, revision, value: () }, value));
        }
    }
}
