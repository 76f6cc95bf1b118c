//! The type of a column's values, where the query says it.

use crate::query::aggregates::{Answer, Column, Function, Scalar};
use crate::query::expression::{Op, Type};

/// The type of all values of a column that are not missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ValueType {
    /// True or false.
    Bool,
    /// An integer.
    Integer,
    /// A float.
    Float,
    /// Text.
    Text,
}

/// Returns the type of an expression's values; `None` if it depends on the records.
pub(super) fn type_of(
    answer: &Answer,
    calls: &[Function],
    columns: &[Column],
) -> Option<ValueType> {
    match answer {
        Answer::Call(call) => calls.get(*call).and_then(type_of_call),
        Answer::Column(column) => {
            columns.get(*column).and_then(|column| type_of(&column.answer, calls, columns))
        }
        Answer::Cast(Type::Bool, _)
        | Answer::Not(_)
        | Answer::IsNull(_)
        | Answer::Many(..)
        | Answer::In(..)
        | Answer::Between(_) => Some(ValueType::Bool),
        Answer::Binary(op, _) if op.is_comparison() => Some(ValueType::Bool),
        Answer::Cast(Type::Int, _) => Some(ValueType::Integer),
        Answer::Cast(Type::Float, _)
        | Answer::Binary(Op::Div, _)
        | Answer::Scalar(Scalar::Sqrt | Scalar::Ln | Scalar::Exp | Scalar::Rate, _) => {
            Some(ValueType::Float)
        }
        Answer::Cast(Type::Text, _) | Answer::Binary(Op::Concat, _) => Some(ValueType::Text),
        _ => None,
    }
}

fn type_of_call(call: &Function) -> Option<ValueType> {
    match call {
        Function::Count
        | Function::CountOf(_)
        | Function::Distinct(_)
        | Function::Frequency(..) => Some(ValueType::Integer),
        Function::Mean(_)
        | Function::Variance(_)
        | Function::Stddev(_)
        | Function::Quantile(..)
        | Function::Median(_) => Some(ValueType::Float),
        _ => None,
    }
}
