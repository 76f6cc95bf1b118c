//! What the lowering of a text needs.

use super::{Answers, Slots};
use crate::error::Error;
use crate::query::expression::{Ast, Id, Node};

/// The names that an expression may use beside its aggregates.
#[derive(Clone, Copy)]
pub(super) enum Names<'a> {
    /// None: it is a column.
    Aggregates,
    /// The columns and these groups: it is a condition or an order.
    Columns(&'a [String]),
}

/// Lowers the expressions of one text.
pub(super) struct Lowering<'a, 's> {
    pub(super) ast: &'a mut Ast,
    pub(super) answers: &'a mut Answers,
    pub(super) slots: &'a mut Slots<'s>,
    pub(super) names: Names<'a>,
}

impl Lowering<'_, '_> {
    /// Returns the slot of an expression over a record.
    pub(super) fn slot(&mut self, id: Id) -> Result<usize, Error> {
        (self.slots)(self.ast, id)
    }

    /// Adds a node that no text stands for, at the place of another one.
    pub(super) fn add(&mut self, at: Id, node: Node) -> Result<Id, Error> {
        let place = self.ast.place(at);
        self.ast.add((place.start as usize, place.end as usize), node)
    }
}
