//! Expressions at work: typed trees that are evaluated for each row.
//!
//! The syntax tree of [`query::expression`](crate::query::expression) has no types. It is lowered
//! once to trees that have one each: numbers, texts, conditions and times. A value that is computed
//! for a row goes into a slot of the row behind those of the fields, so that whatever reads fields
//! reads it, too.
//!
//! - A number is computed in 64 bits where that does, and otherwise once more in 128 bits. So
//!   exactness costs nothing where numbers are short.
//! - Where a number is needed and the value is no number, a condition reads it as null and counts
//!   it, and any other expression makes the row a dead letter.
//! - `and`, `or`, `case` and `coalesce` stop at the first part that decides.
//!
//! The trees hold no state, so any thread evaluates them. What evaluation needs besides, such as
//! room for the groups of a regular expression, is in the row.

mod any;
mod arithmetic;
mod calendar;
mod event_time;
mod expressions;
mod functions;
mod instant;
mod kinds;
mod like;
mod lower_number;
mod lower_text;
mod lower_truth;
mod lowering;
mod names;
mod number;
#[cfg(test)]
mod oracle;
mod regular;
mod source;
mod strings;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod truth;
mod values;
mod why;

pub(super) use expressions::Condition;
pub use functions::functions;
pub(super) use names::{Names, each_name};
pub(super) use source::shown;
pub(super) use values::{Failure, Ordered, Values};
pub use why::NullCounts;

pub(super) use why::Shared;
