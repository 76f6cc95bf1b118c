//! Conditions and computed values of a pipeline.

use super::lowering::Lowering;
use super::names::{Kind, Named, Names};
use super::source::Source;
use super::tree::{Truth, Typed};
use super::why::{Shared, Why};
use crate::error::Error;
use crate::query::expression::{Ast, Id};
use crate::query::field::Fields;
use crate::row::computed::TextPlace;
use crate::row::{Number, Row};

/// A condition that a row meets or not.
#[derive(Debug)]
pub(in crate::rows) struct Condition {
    tree: Truth,
    /// The slots of computed values that it reads.
    pub(in crate::rows) reads: Vec<usize>,
}

impl Condition {
    /// Lowers a condition.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the text is not an
    /// expression.
    pub(in crate::rows) fn of(ast: &Ast, id: Id, names: &mut Names) -> Result<Self, Error> {
        let mut lowering = Lowering::new(ast, names);
        lowering.begin(id)?;
        let tree = lowering.truth(id)?;
        Ok(Condition { tree, reads: std::mem::take(&mut names.reads) })
    }

    pub(super) fn new(tree: Truth, reads: Vec<usize>) -> Self {
        Condition { tree, reads }
    }

    /// Returns true if the condition is true for a row, and neither false nor null.
    #[inline]
    pub(in crate::rows) fn holds(&self, row: &Row, shared: &Shared) -> bool {
        self.tree.holds(row, shared)
    }
}

/// A value that is computed for each row, into a slot behind those of the fields.
#[derive(Debug)]
pub(in crate::rows) struct Computed {
    pub(in crate::rows) slot: usize,
    /// The slots of computed values that it reads.
    pub(super) reads: Vec<usize>,
    kind: Kind,
    tree: Typed,
    source: Source,
    written: Box<str>,
}

impl Computed {
    /// Lowers an expression whose value is computed into a slot.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if its parts do not fit
    /// together.
    pub(super) fn of((ast, id): (&Ast, Id), slot: usize, names: &mut Names) -> Result<Self, Error> {
        let mut lowering = Lowering::new(ast, names);
        let kind = lowering.begin(id)?;
        let tree = lowering.typed(id)?;
        let source = lowering.source;
        let written = ast.written(id).into();
        Ok(Computed { slot, reads: std::mem::take(&mut names.reads), kind, tree, source, written })
    }

    /// Lowers a call of `lookup`, whose value has the kind of a field.
    ///
    /// # Errors
    /// As [`of`](Computed::of); also if there is no such reference data or column.
    pub(super) fn of_lookup(
        (ast, id): (&Ast, Id),
        slot: usize,
        names: &mut Names,
    ) -> Result<Self, Error> {
        let mut lowering = Lowering::new(ast, names);
        let tree = Typed::Lookup(Box::new(lowering.lookup(id)?));
        let source = lowering.source;
        let reads = std::mem::take(&mut names.reads);
        let written = ast.written(id).into();
        Ok(Computed { slot, reads, kind: Kind::Field, tree, source, written })
    }

    /// Returns the expression as it was written.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// Returns what the value is, for those who read it by a name.
    pub(super) fn named(&self) -> Named {
        Named { slot: self.slot, kind: self.kind, is_field: false }
    }

    /// Computes the value and sets the slot. Allocates nothing for numbers, times and parts of the
    /// record's texts.
    ///
    /// # Errors
    /// The reason why there is no value. The slot is missing then.
    #[inline]
    pub(in crate::rows) fn fill(&self, row: &mut Row) -> Result<(), Why> {
        match &self.tree {
            Typed::Num(num) => {
                let quick = num.quick(row);
                if let super::arithmetic::Quick::Int(integer) = quick {
                    row.set_computed_integer(self.slot, integer);
                    return Ok(());
                }
                let number = match quick.exact() {
                    Ok(number) => Ok(number),
                    Err(_) => num.exact(row),
                };
                self.fill_number(row, number)
            }
            other => self.fill_other(other, row),
        }
    }

    fn fill_number(&self, row: &mut Row, number: Result<Option<Number>, Why>) -> Result<(), Why> {
        match number {
            Ok(Some(number)) => row.set_computed(self.slot, number),
            Ok(None) => row.set_missing(self.slot),
            Err(why) => {
                row.set_missing(self.slot);
                return Err(why);
            }
        }
        Ok(())
    }

    fn fill_other(&self, tree: &Typed, row: &mut Row) -> Result<(), Why> {
        row.set_missing(self.slot);
        match tree {
            Typed::Num(num) => {
                let number = num.eval(row);
                self.fill_number(row, number)?;
            }
            Typed::Any(any) => {
                if let Some(from) = any.slot(row)? {
                    row.copy_field(self.slot, from);
                }
            }
            Typed::Truth(truth) => {
                if let Some(truth) = truth.eval(row)? {
                    row.set_bool(self.slot, truth);
                }
            }
            Typed::Text(text) => {
                let mut scratch = row.take_scratch();
                let place = text.eval(row).map(|text| match text {
                    Some(text) => row.place_of(&text, &mut scratch),
                    None => TextPlace::Missing,
                });
                row.set_text_at(self.slot, *place.as_ref().unwrap_or(&TextPlace::Missing), scratch);
                place?;
            }
            Typed::Instant(instant) => {
                if let Some(millis) = instant.eval(row)? {
                    row.set_time_text(self.slot, millis);
                }
            }
            Typed::Lookup(lookup) => {
                let value = lookup.value(row)?;
                row.set_value(self.slot, value);
            }
        }
        Ok(())
    }

    /// Returns the sentence of a dead letter.
    #[cold]
    pub(in crate::rows) fn sentence(&self, why: Why, row: &Row, fields: &Fields) -> String {
        self.source.sentence(why, row, fields)
    }
}
