//! The function of reference data.

use super::super::lowering::Lowering;
use super::super::names::Kind;
use super::super::tree::{Any, LookupTree, Typed};
use super::function::{Function, Gives};
use crate::error::Error;
use crate::nearest::nearest;
use crate::query::expression::{Id, Node};
use crate::rows::lookup::Table;
use std::sync::Arc;

/// The name of the function.
pub(in crate::rows::evaluate) const LOOKUP: &str = "lookup";

/// The only function of this file.
pub(super) static FUNCTIONS: &[Function] = &[Function {
    names: &[LOOKUP],
    arguments: "name, key, column",
    count: (3, 3),
    gives: Gives::Kind(Kind::Field),
    help: "The column of reference data in the row that has the key; null if none has it.",
    // A call is computed into a slot before the expression that has it: see `Values::slot`.
    lower: |_, _| Ok(Typed::Any(Any::Missing)),
}];

impl Lowering<'_> {
    /// Lowers a call of `lookup`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if there is no such reference
    /// data, or it has no such column.
    pub(in crate::rows::evaluate) fn lookup(&mut self, id: Id) -> Result<LookupTree, Error> {
        self.called(id)?;
        let (name, key, column) = match self.ast.node(id) {
            Node::Call { args, .. } => match **args {
                [name, key, column] => (name, key, column),
                _ => (id, id, id),
            },
            _ => (id, id, id),
        };
        let table = self.lookup_named(name)?;
        let wanted = self.literal_text(column, "the name of a column")?;
        let Some(index) = table.columns().iter().position(|known| known == wanted) else {
            let all = table.columns();
            let hint = nearest(wanted, all.iter().map(String::as_str));
            let why = format!("there is no column '{wanted}'{hint}; there are {}", all.join(", "));
            return Err(self.ast.error(column, why));
        };
        self.begin(key)?;
        Ok(LookupTree { table, column: index, key: self.any_text(key)? })
    }

    /// Returns the reference data that a name stands for.
    fn lookup_named(&mut self, id: Id) -> Result<Arc<Table>, Error> {
        let name = self.literal_text(id, "the name of a lookup")?;
        if let Some(table) = self.names.lookups.use_table(name) {
            return Ok(table);
        }
        let hint = nearest(name, self.names.lookups.names());
        let why = format!(
            "there is no lookup '{name}'{hint}; the key lookup names its file, as in \
             {name}=FILE:KEY"
        );
        Err(self.ast.error(id, why))
    }
}
