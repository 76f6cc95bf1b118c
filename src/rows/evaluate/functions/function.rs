//! A function of the expression language.

use super::super::lowering::Lowering;
use super::super::names::Kind;
use super::super::tree::Typed;
use crate::error::Error;
use crate::query::expression::Id;

/// A function of the expression language.
#[derive(Debug)]
pub(in crate::rows) struct Function {
    /// The names; the first is the usual one.
    pub(in crate::rows) names: &'static [&'static str],
    /// The arguments as they are written in help, as in `s, start [, length]`.
    pub(in crate::rows) arguments: &'static str,
    /// The least and the largest number of arguments.
    pub(in crate::rows) count: (usize, usize),
    pub(in crate::rows) gives: Gives,
    /// A line of help.
    pub(in crate::rows) help: &'static str,
    pub(super) lower: fn(&mut Lowering<'_>, Call<'_>) -> Result<Typed, Error>,
}

/// The kind of what a function gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::rows) enum Gives {
    Kind(Kind),
    /// A time for a number that is computed, otherwise a number.
    Epoch,
    /// That of the first argument.
    First,
    /// That of all arguments.
    Arguments,
    /// That of all arguments, which have an order.
    Ordered,
}

/// A call: its node, and its arguments, whose number is right.
#[derive(Clone, Copy, Debug)]
pub(in crate::rows) struct Call<'a> {
    pub(super) id: Id,
    pub(super) args: &'a [Id],
}

impl Call<'_> {
    /// Returns an argument that every call has, or the call itself, which never happens.
    pub(super) fn arg(self, index: usize) -> Id {
        self.args.get(index).copied().unwrap_or(self.id)
    }

    /// Returns an argument that may be left out.
    pub(super) fn optional(self, index: usize) -> Option<Id> {
        self.args.get(index).copied()
    }
}
