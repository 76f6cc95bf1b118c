//! From the values of aggregates to the rows of an answer: arithmetic, which rows there are, and in
//! which order.
//!
//! All of it is done when a window is answered, and none of it is in the state.

mod evaluate;
mod order;
mod span;
#[cfg(test)]
mod tests;
mod value_type;

pub use value_type::ValueType;

use super::row_aggregate::{Answered, ColumnKind, GroupWalk, RowAnswer};
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
use std::ops::Range;
use std::sync::Arc;
use value_type::type_of;

/// What rows are made of the values of aggregates.
#[derive(Debug)]
pub(super) struct AnswerPlan {
    form: Arc<RowForm>,
    columns: Vec<Column>,
    kinds: Vec<ColumnKind>,
    types: Vec<Option<ValueType>>,
    having: Vec<Answer>,
    sort: Vec<SortKey>,
    limit: Option<usize>,
    /// Whether the columns are the aggregates, in their order, and every row is given.
    is_plain: bool,
    /// The aggregates that conditions and the order need. What follows them among the values of
    /// aggregates is given as it is, behind the columns.
    asked: Vec<bool>,
}

/// The rows of an emission, and what an earlier revision gave and does not hold any more.
#[derive(Default)]
pub(super) struct AnswerRows {
    pub(super) rows: Rows,
    /// The row of the groups past the limit.
    pub(super) other: Option<Vec<OutputValue>>,
    /// The groups whose rows do not hold, if earlier revisions may have given them.
    pub(super) retracted: Vec<ByteKey>,
    /// Whether the row of all records, or the row `(other)`, does not hold either.
    pub(super) is_rest_retracted: bool,
}

/// The rows of groups, or the one row of a pipeline without groups.
#[derive(Default)]
pub(super) enum Rows {
    #[default]
    None,
    One(Vec<OutputValue>),
    Made(std::vec::IntoIter<(ByteKey, Vec<OutputValue>)>),
    /// The rows of all groups, which are made when they are asked for, by their positions.
    All(Box<GroupWalk>, Range<usize>),
    /// As `All`, of some groups or in another order.
    Walked(Box<GroupWalk>, std::vec::IntoIter<usize>),
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
        let types =
            columns.iter().map(|column| type_of(&column.answer, &calls, &columns)).collect();
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
        let conditions = || having.iter().chain(sort.iter().map(|key| &key.answer));
        let is_asked = |index| conditions().any(|answer| asks(answer, index, &columns));
        let asked = (0..calls.len()).map(is_asked).collect();
        Ok(AnswerPlan { form, columns, kinds, types, having, sort, limit, is_plain, asked })
    }

    /// Returns what all rows have in common.
    pub(super) fn form(&self) -> &Arc<RowForm> {
        &self.form
    }

    /// Returns the columns of the answer.
    pub(super) fn output_columns(&self) -> Vec<OutputColumn> {
        let named = self.columns.iter().zip(self.kinds.iter().zip(&self.types));
        let column = |(column, (kind, values)): (&Column, (&ColumnKind, &Option<ValueType>))| {
            OutputColumn { name: column.name.clone(), kind: *kind, values: *values }
        };
        named.map(column).collect()
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
    pub(super) fn rows(&self, emission: &Emission<()>, answer: Answered) -> AnswerRows {
        match answer {
            Answered::Whole(RowAnswer::Plain(values)) => match self.row(emission, None, values) {
                Some(values) => AnswerRows { rows: Rows::One(values), ..Default::default() },
                None => {
                    AnswerRows { is_rest_retracted: emission.revision > 0, ..Default::default() }
                }
            },
            Answered::Whole(RowAnswer::Grouped(groups)) => self.grouped(emission, groups),
            Answered::Walk(walk) => self.walked(emission, walk),
        }
    }

    fn grouped(
        &self,
        emission: &Emission<()>,
        Groups { rows, other }: Groups<ByteKey, Vec<OutputValue>>,
    ) -> AnswerRows {
        let other = other.map(|other| other.value);
        if self.is_plain {
            let rows = Rows::Made(rows.into_iter());
            return AnswerRows { rows, other, ..Default::default() };
        }
        let is_revision = emission.revision > 0;
        let mut retracted = Vec::new();
        let mut ordered = order::Ordered::new(&self.sort, self.limit, is_revision);
        for (key, calls) in rows {
            let row = self.values(emission, Some(&key), &calls);
            if self.holds(&row) {
                let columns = self.columns_of(&row);
                let by = self.sort.iter().map(|sort| row.value(&sort.answer));
                ordered.push((key.clone(), columns), by);
            } else if is_revision {
                retracted.push(key);
            }
        }
        let (rows, cut) = ordered.finish();
        retracted.extend(cut.into_iter().map(|(key, _)| key));
        self.with_rest(emission, (Rows::Made(rows.into_iter()), retracted), other)
    }

    /// Orders many groups by their positions. Their rows are made when they are asked for.
    fn walked(&self, emission: &Emission<()>, walk: Box<GroupWalk>) -> AnswerRows {
        let other = walk.other();
        if self.having.is_empty() && self.sort.is_empty() && self.limit.is_none() {
            let positions = 0..walk.len();
            let rows = Rows::All(walk, positions);
            return self.with_rest(emission, (rows, Vec::new()), other);
        }
        let is_revision = emission.revision > 0;
        let mut retracted = Vec::new();
        let mut ordered = order::Ordered::new(&self.sort, self.limit, is_revision);
        for position in 0..walk.len() {
            let Some((key, calls)) = walk.row_of(position, &self.asked) else { continue };
            let row = self.values(emission, Some(key), &calls);
            if self.holds(&row) {
                ordered.push(position, self.sort.iter().map(|sort| row.value(&sort.answer)));
            } else if is_revision {
                retracted.push(key.into());
            }
        }
        let (positions, cut) = ordered.finish();
        retracted.extend(cut.into_iter().filter_map(|at| walk.key(at)).map(ByteKey::from));
        self.with_rest(emission, (Rows::Walked(walk, positions.into_iter()), retracted), other)
    }

    /// Adds the row `(other)`, and sorts the groups that do not hold.
    fn with_rest(
        &self,
        emission: &Emission<()>,
        (rows, mut retracted): (Rows, Vec<ByteKey>),
        other: Option<Vec<OutputValue>>,
    ) -> AnswerRows {
        retracted.sort_unstable();
        let had_other = other.is_some();
        let other = other.and_then(|calls| self.row(emission, None, calls));
        let is_rest_retracted = had_other && other.is_none() && emission.revision > 0;
        AnswerRows { rows, other, retracted, is_rest_retracted }
    }

    fn values<'a>(
        &'a self,
        emission: &Emission<()>,
        key: Option<&'a [u8]>,
        calls: &'a [OutputValue],
    ) -> RowValues<'a> {
        let AnswerPlan { columns, form, .. } = self;
        RowValues { calls, key, group_fields: form.group.len(), columns, window: emission.window }
    }

    /// Returns the columns of a row, or `None` if a condition is not true.
    fn row(
        &self,
        emission: &Emission<()>,
        key: Option<&[u8]>,
        calls: Vec<OutputValue>,
    ) -> Option<Vec<OutputValue>> {
        let holds = self.is_plain || self.holds(&self.values(emission, key, &calls));
        holds.then(|| self.columns(emission, key, calls))
    }

    /// Returns true if all conditions on rows are true.
    fn holds(&self, row: &RowValues<'_>) -> bool {
        self.having.iter().all(|condition| row.truth(condition) == Some(true))
    }

    /// Returns the columns of a row whose aggregates have these values.
    pub(super) fn columns(
        &self,
        emission: &Emission<()>,
        key: Option<&[u8]>,
        calls: Vec<OutputValue>,
    ) -> Vec<OutputValue> {
        match self.is_plain {
            true => calls,
            false => self.columns_of(&self.values(emission, key, &calls)),
        }
    }

    fn columns_of(&self, row: &RowValues<'_>) -> Vec<OutputValue> {
        let columns = self.columns.iter().zip(&self.kinds);
        let columns = columns.map(|(column, kind)| of_kind(row.value(&column.answer), *kind));
        columns.chain(row.calls.iter().skip(self.asked.len()).cloned()).collect()
    }
}

/// Returns true if an expression needs the aggregate of this index.
fn asks(answer: &Answer, index: usize, columns: &[Column]) -> bool {
    answer.any(&|answer| match answer {
        Answer::Call(call) => *call == index,
        Answer::Column(column) => {
            columns.get(*column).is_some_and(|column| asks(&column.answer, index, columns))
        }
        _ => false,
    })
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
