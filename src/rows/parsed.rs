//! The conditions and names of a specification, from text to what is evaluated.

use super::evaluate::{Condition, Values, each_name};
use crate::error::Error;
use crate::query::expression::{Ast, Id, parse};
use crate::query::field::Fields;
use crate::query::lets::parse_let;

/// A name and its expression.
struct Let {
    name: String,
    ast: Ast,
    id: Id,
}

/// The conditions and names of a specification, parsed.
#[derive(Default)]
pub(super) struct Parsed {
    filter: Vec<(Ast, Id)>,
    lets: Vec<Let>,
}

impl Parsed {
    /// Parses the names of `let`. A name is that of one expression, and of no field that is used in
    /// it or before it.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column.
    pub(super) fn add_lets(&mut self, texts: &[String]) -> Result<(), Error> {
        for text in texts {
            let (name, ast, id) = parse_let(text)?;
            if self.lets.iter().any(|known| known.name == name) {
                return Err(ast.error(id, format!("the name {name} is given twice")));
            }
            let mut is_field = false;
            let mut look = |used: &str| is_field |= used == name;
            self.lets.iter().for_each(|known| each_name(&known.ast, known.id, &mut look));
            each_name(&ast, id, &mut look);
            if is_field {
                let why = format!("{name} is a field already: choose another name");
                return Err(ast.error(id, why));
            }
            self.lets.push(Let { name, ast, id });
        }
        Ok(())
    }

    /// Parses the conditions of `where`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column.
    pub(super) fn add_filter(&mut self, texts: &[String]) -> Result<(), Error> {
        for text in texts {
            self.filter.push(parse(text)?);
        }
        Ok(())
    }

    /// Gives slots to the fields of conditions, and of the names that these use.
    pub(super) fn add_filter_fields(&self, fields: &mut Fields) {
        self.filter.iter().for_each(|(ast, id)| self.add_fields(ast, *id, fields));
    }

    /// Gives slots to the fields of all names.
    pub(super) fn add_let_fields(&self, fields: &mut Fields) {
        self.lets.iter().for_each(|known| self.add_fields(&known.ast, known.id, fields));
    }

    /// Gives slots to the fields below a node, and to those of the names that it uses.
    pub(super) fn add_fields(&self, ast: &Ast, id: Id, fields: &mut Fields) {
        let (mut used, mut next) = (vec![(ast, id)], 0);
        while let Some((ast, id)) = used.get(next).copied() {
            next += 1;
            each_name(ast, id, &mut |name| {
                let Some(known) = self.lets.iter().find(|known| known.name == name) else {
                    fields.slot(name);
                    return;
                };
                // A name may be used often, and is looked at once.
                if !used.iter().any(|(ast, _)| std::ptr::eq(*ast, &known.ast)) {
                    used.push((&known.ast, known.id));
                }
            });
        }
    }

    /// Returns the expression of a name that `let` gives.
    pub(super) fn expression(&self, name: &str) -> Option<(&Ast, Id)> {
        let known = self.lets.iter().find(|known| known.name == name)?;
        Some((&known.ast, known.id))
    }

    /// Returns the names and conditions in canonical spelling, by which a state knows them again.
    pub(super) fn words(&self) -> String {
        let lets = self
            .lets
            .iter()
            .map(|Let { name, ast, id }| format!("let {name} = {}; ", ast.canonical(*id)));
        // The number tells that null is not kept: states of before are of another question.
        let filter =
            self.filter.iter().map(|(ast, id)| format!("where/2 {}; ", ast.canonical(*id)));
        lets.chain(filter).collect()
    }

    /// Lowers the names.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column.
    pub(super) fn lower_lets(&self, values: &mut Values) -> Result<(), Error> {
        let mut lets = self.lets.iter();
        lets.try_for_each(|known| values.add_let(&known.name, (&known.ast, known.id)))
    }

    /// Lowers the conditions.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if one is not a condition.
    pub(super) fn lower_filter(&self, values: &mut Values) -> Result<Vec<Condition>, Error> {
        self.filter.iter().map(|(ast, id)| values.condition(ast, *id)).collect()
    }
}
