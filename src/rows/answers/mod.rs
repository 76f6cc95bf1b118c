//! From the values of aggregates to the rows of an answer: arithmetic, which rows there are, and in
//! which order.
//!
//! All of it is done when a window is answered, and none of it is in the state.

mod evaluate;
mod order;
mod span;
#[cfg(test)]
mod tests;

use super::row_aggregate::{ColumnKind, RowAnswer};
use super::row_pipeline::OutputColumn;
use crate::aggregate::Groups;
use crate::engine::Emission;
use crate::error::Error;
use crate::key::ByteKey;
use crate::query::aggregates::{Answer, Answers, Column, Scalar, SortKey};
use crate::query::expression::Op;
use crate::row::{Number, OutputValue};
use crate::rows::RowForm;
use evaluate::RowValues;
use std::sync::Arc;

/// What rows are made of the values of aggregates.
#[derive(Debug)]
pub(super) struct AnswerPlan {
    form: Arc<RowForm>,
    columns: Vec<Column>,
    kinds: Vec<ColumnKind>,
    having: Vec<Answer>,
    sort: Vec<SortKey>,
    limit: Option<usize>,
    /// Whether the columns are the aggregates, in their order, and every row is given.
    is_plain: bool,
}

/// The rows of an emission.
#[derive(Debug)]
pub(super) struct AnswerRows {
    pub(super) rows: RowAnswer,
    /// The groups whose rows do not hold, if earlier revisions may have given them.
    pub(super) retracted: Vec<ByteKey>,
    /// Whether the row of all records, or the row `(other)`, does not hold either.
    pub(super) is_rest_retracted: bool,
}

impl AnswerPlan {
    /// Creates the plan of a query, whose aggregates have values of these kinds. The form has
    /// everything but the columns.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if an expression needs a
    /// single value where an aggregate has several, such as `top`.
    pub(super) fn new(
        answers: Answers,
        call_kinds: &[ColumnKind],
        form: RowForm,
    ) -> Result<Self, Error> {
        let Answers { calls, columns, having, sort, limit } = answers;
        let kinds: Vec<ColumnKind> =
            columns.iter().map(|column| kind_of(&column.answer, call_kinds, &columns)).collect();
        let computed = columns
            .iter()
            .filter(|column| !matches!(column.answer, Answer::Call(_) | Answer::Histogram(_)));
        let conditions = having.iter().chain(sort.iter().map(|key| &key.answer));
        for answer in computed.map(|column| &column.answer).chain(conditions) {
            let is_top = |answer: &Answer| match answer {
                Answer::Call(_) | Answer::Column(_) | Answer::Histogram(_) => {
                    kind_of(answer, call_kinds, &columns) == ColumnKind::Top
                }
                _ => false,
            };
            if answer.any(&is_top) {
                let why = "top and histogram have several values: they can be columns, but not a part of an \
                           expression, a condition or an order";
                return Err(Error::invalid(why));
            }
        }
        let is_same = calls.len() == columns.len()
            && columns
                .iter()
                .enumerate()
                .all(|(index, column)| column.answer == Answer::Call(index));
        let is_plain = is_same && having.is_empty() && sort.is_empty() && limit.is_none();
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let form = Arc::new(RowForm { columns: names, ..form });
        Ok(AnswerPlan { form, columns, kinds, having, sort, limit, is_plain })
    }

    /// Returns what all rows have in common.
    pub(super) fn form(&self) -> &Arc<RowForm> {
        &self.form
    }

    /// Returns the columns of the answer.
    pub(super) fn output_columns(&self) -> Vec<OutputColumn> {
        let named = self.columns.iter().zip(&self.kinds);
        named
            .map(|(column, kind)| OutputColumn { name: column.name.clone(), kind: *kind })
            .collect()
    }

    /// Returns true if a row that was given can cease to hold when its window is answered again.
    pub(super) fn retracts(&self) -> bool {
        !self.having.is_empty() || self.limit.is_some()
    }

    /// Returns true if an expression needs the length of the window.
    pub(super) fn needs_window(&self) -> bool {
        let is_rate = |answer: &Answer| matches!(answer, Answer::Scalar(Scalar::Rate, _));
        let columns = self.columns.iter().map(|column| &column.answer);
        let sorts = self.sort.iter().map(|key| &key.answer);
        columns.chain(&self.having).chain(sorts).any(|answer| answer.any(&is_rate))
    }

    /// Makes the rows of an emission.
    pub(super) fn rows(&self, emission: &Emission<()>, answer: RowAnswer) -> AnswerRows {
        let none = |rows| AnswerRows { rows, retracted: Vec::new(), is_rest_retracted: false };
        if self.is_plain {
            return none(answer);
        }
        let is_revision = emission.revision > 0;
        match answer {
            RowAnswer::Plain(values) => match self.row(emission, None, &values) {
                Some(values) => none(RowAnswer::Plain(values)),
                None => AnswerRows {
                    rows: RowAnswer::Grouped(Groups { rows: Vec::new(), other: None }),
                    retracted: Vec::new(),
                    is_rest_retracted: is_revision,
                },
            },
            RowAnswer::Grouped(groups) => self.grouped(emission, groups),
        }
    }

    fn grouped(
        &self,
        emission: &Emission<()>,
        groups: Groups<ByteKey, Vec<OutputValue>>,
    ) -> AnswerRows {
        let mut retracted = Vec::new();
        let mut ordered = order::Ordered::new(&self.sort, self.limit);
        for (key, values) in groups.rows {
            match self.row(emission, Some(&key), &values) {
                Some(columns) => {
                    let row = self.values(emission, Some(&key), &values);
                    let by = self.sort.iter().map(|sort| row.value(&sort.answer)).collect();
                    ordered.push(key, columns, by);
                }
                None => retracted.push(key),
            }
        }
        let (rows, cut) = ordered.finish();
        retracted.extend(cut);
        if emission.revision == 0 {
            retracted.clear();
        }
        retracted.sort_unstable();
        let had_other = groups.other.is_some();
        let other = groups.other.and_then(|mut other| {
            other.value = self.row(emission, None, &other.value)?;
            Some(other)
        });
        let is_rest_retracted = had_other && other.is_none() && emission.revision > 0;
        let rows = RowAnswer::Grouped(Groups { rows, other });
        AnswerRows { rows, retracted, is_rest_retracted }
    }

    fn values<'a>(
        &'a self,
        emission: &Emission<()>,
        key: Option<&'a ByteKey>,
        calls: &'a [OutputValue],
    ) -> RowValues<'a> {
        let AnswerPlan { columns, form, .. } = self;
        RowValues { calls, key, group_fields: form.group.len(), columns, window: emission.window }
    }

    /// Returns the columns of a row, or `None` if a condition is not true.
    fn row(
        &self,
        emission: &Emission<()>,
        key: Option<&ByteKey>,
        calls: &[OutputValue],
    ) -> Option<Vec<OutputValue>> {
        let row = self.values(emission, key, calls);
        if !self.having.iter().all(|condition| row.truth(condition) == Some(true)) {
            return None;
        }
        let columns = self.columns.iter().zip(&self.kinds);
        Some(columns.map(|(column, kind)| of_kind(row.value(&column.answer), *kind)).collect())
    }
}

/// Returns a number as an estimate where the column has estimates.
fn of_kind(value: OutputValue, kind: ColumnKind) -> OutputValue {
    let number = match value {
        OutputValue::Integer(integer) if kind == ColumnKind::Estimate => Number::Int(integer),
        OutputValue::Float(float) if kind == ColumnKind::Estimate => Number::Float(float),
        value => return value,
    };
    OutputValue::Estimate { value: number, lower: number, upper: number }
}

/// Returns what the values of an expression are.
fn kind_of(answer: &Answer, calls: &[ColumnKind], columns: &[Column]) -> ColumnKind {
    let of = |answer: &Answer| kind_of(answer, calls, columns);
    let any = |parts: &[Answer]| match parts.iter().any(|part| of(part) == ColumnKind::Estimate) {
        true => ColumnKind::Estimate,
        false => ColumnKind::Plain,
    };
    match answer {
        Answer::Call(index) => calls.get(*index).copied().unwrap_or(ColumnKind::Plain),
        Answer::Column(index) => {
            columns.get(*index).map_or(ColumnKind::Plain, |column| of(&column.answer))
        }
        Answer::Histogram(_) => ColumnKind::Top,
        Answer::Neg(inner) => of(inner),
        Answer::Cast(to, inner) if to.is_number() => of(inner),
        Answer::Binary(Op::Concat, _) => ColumnKind::Plain,
        Answer::Binary(op, sides) if !op.is_comparison() => any(&**sides),
        Answer::Scalar(_, args) => any(args),
        Answer::Case { arms, otherwise, .. } => {
            let results = arms.iter().map(|(_, then)| then).chain(otherwise.as_deref());
            match results.into_iter().any(|then| of(then) == ColumnKind::Estimate) {
                true => ColumnKind::Estimate,
                false => ColumnKind::Plain,
            }
        }
        _ => ColumnKind::Plain,
    }
}
