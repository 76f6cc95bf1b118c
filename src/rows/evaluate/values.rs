//! The computed values of a pipeline, each in a slot of its own.

use super::expressions::{Computed, Condition};
use super::functions::LOOKUP;
use super::names::{Named, Names};
use super::why::Why;
use crate::error::Error;
use crate::query::expression::{Ast, Id, Node};
use crate::query::field::Fields;
use crate::row::Row;

/// The values that expressions of a pipeline compute. Equal expressions share a slot.
#[derive(Debug)]
pub(in crate::rows) struct Values {
    pub(in crate::rows) names: Names,
    /// The number of fields, behind which the slots of computed values are.
    fields: usize,
    computed: Vec<Computed>,
    /// The expressions in canonical spelling.
    known: Vec<(String, Named)>,
}

/// The computed values of a pipeline, in the order in which they are computed.
#[derive(Debug, Default)]
pub(in crate::rows) struct Ordered {
    /// Those that conditions need. The flag is true if something else needs the value, too.
    early: Vec<(Computed, bool)>,
    late: Vec<Computed>,
    /// The number of slots of a row.
    slots: usize,
}

/// The computed value for which a row is a dead letter, and why.
#[derive(Debug)]
pub(in crate::rows) struct Failure<'a> {
    computed: &'a Computed,
    why: Why,
}

impl Failure<'_> {
    /// Returns the sentence of the dead letter.
    #[cold]
    pub(in crate::rows) fn sentence(&self, row: &Row, fields: &Fields) -> String {
        self.computed.sentence(self.why, row, fields)
    }
}

impl Ordered {
    /// Returns true if nothing is computed.
    #[inline(always)]
    pub(in crate::rows) fn is_empty(&self) -> bool {
        self.early.is_empty() && self.late.is_empty()
    }

    /// Returns the expression of a slot as it was written.
    #[cold]
    pub(in crate::rows) fn written(&self, slot: usize) -> &str {
        let mut all = self.early.iter().map(|(computed, _)| computed).chain(&self.late);
        all.find(|computed| computed.slot == slot).map_or("", Computed::written)
    }

    /// Computes the values that conditions need. One that cannot be computed is null for them.
    /// Returns the first that something else needs, too.
    pub(in crate::rows) fn fill_early(&self, row: &mut Row) -> Option<Failure<'_>> {
        row.set_slots(self.slots);
        let mut first = None;
        for (computed, is_late) in &self.early {
            if let Err(why) = computed.fill(row)
                && *is_late
            {
                first.get_or_insert(Failure { computed, why });
            }
        }
        first
    }

    /// Computes the other values.
    ///
    /// # Errors
    /// The first that cannot be computed.
    #[inline]
    pub(in crate::rows) fn fill_late(&self, row: &mut Row) -> Result<(), Failure<'_>> {
        row.set_slots(self.slots);
        let mut values = self.late.iter();
        values.try_for_each(|computed| computed.fill(row).map_err(|why| Failure { computed, why }))
    }
}

impl Values {
    /// Creates values behind the fields of `names`, all of which must be known.
    pub(in crate::rows) fn new(names: Names) -> Self {
        let fields = names.fields.names().len();
        Values { names, fields, computed: Vec::new(), known: Vec::new() }
    }

    /// Returns the number of slots of a row.
    pub(in crate::rows) fn slots(&self) -> usize {
        self.fields + self.computed.len()
    }

    /// Returns the slot that has the value of an expression: of a field its own, and otherwise one
    /// that is computed.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the parts of the
    /// expression do not fit together.
    pub(in crate::rows) fn slot(&mut self, ast: &Ast, id: Id) -> Result<usize, Error> {
        self.named(ast, id).map(|named| named.slot)
    }

    /// Gives a name to an expression.
    ///
    /// # Errors
    /// As [`slot`](Values::slot).
    pub(in crate::rows) fn add_let(
        &mut self,
        name: &str,
        (ast, id): (&Ast, Id),
    ) -> Result<(), Error> {
        let named = self.named(ast, id)?;
        self.names.add_let(name, named);
        Ok(())
    }

    /// Lowers a condition.
    ///
    /// # Errors
    /// As [`slot`](Values::slot), and for an expression that is not a condition.
    pub(in crate::rows) fn condition(&mut self, ast: &Ast, id: Id) -> Result<Condition, Error> {
        let resolved = self.with_lookups(ast, id)?;
        Condition::of(resolved.as_ref().unwrap_or(ast), id, &mut self.names)
    }

    /// Returns the expression with a name in place of each call of `lookup`, whose value is
    /// computed into a slot of its own; `None` if there is no such call.
    fn with_lookups(&mut self, ast: &Ast, id: Id) -> Result<Option<Ast>, Error> {
        let (mut calls, mut next) = (vec![id], 0);
        while let Some(id) = calls.get(next).copied() {
            next += 1;
            ast.each_child(id, &mut |child| calls.push(child));
        }
        calls.retain(|id| matches!(ast.node(*id), Node::Call { name, .. } if &**name == LOOKUP));
        if calls.is_empty() {
            return Ok(None);
        }
        // A call in the key of another one comes before it.
        calls.sort_unstable();
        calls.dedup();
        let mut resolved = ast.clone();
        for id in calls {
            let name = resolved.canonical(id);
            if !self.names.has_let(&name) {
                let slot = self.slots();
                let computed = Computed::of_lookup((&resolved, id), slot, &mut self.names)?;
                self.names.add_let(&name, computed.named());
                self.computed.push(computed);
            }
            resolved.replace(id, Node::Field(name.into()));
        }
        Ok(Some(resolved))
    }

    /// Returns what an expression stands for.
    ///
    /// # Errors
    /// As [`slot`](Values::slot).
    pub(super) fn named(&mut self, ast: &Ast, id: Id) -> Result<Named, Error> {
        let resolved = self.with_lookups(ast, id)?;
        let ast = resolved.as_ref().unwrap_or(ast);
        if let Node::Field(name) = ast.node(id) {
            return Ok(self.names.named(name));
        }
        let canonical = ast.canonical(id);
        if let Some((_, named)) = self.known.iter().find(|(known, _)| *known == canonical) {
            return Ok(*named);
        }
        let computed = Computed::of((ast, id), self.slots(), &mut self.names)?;
        let named = computed.named();
        self.known.push((canonical, named));
        self.computed.push(computed);
        Ok(named)
    }

    /// Returns the values that the slots in `early` and `late` need, those of `early` first.
    pub(in crate::rows) fn ordered(self, early: &[usize], late: &[usize]) -> (Names, Ordered) {
        let (early, late) = (self.needed(early), self.needed(late));
        let mut ordered = Ordered { slots: self.slots(), ..Ordered::default() };
        for computed in self.computed {
            let is_late = late.contains(&computed.slot);
            if early.contains(&computed.slot) {
                ordered.early.push((computed, is_late));
            } else if is_late {
                ordered.late.push(computed);
            }
        }
        (self.names, ordered)
    }

    /// Returns the slots, and those that their values are computed of.
    fn needed(&self, slots: &[usize]) -> Vec<usize> {
        let mut needed = slots.to_vec();
        // A value is computed of earlier ones.
        for computed in self.computed.iter().rev() {
            if needed.contains(&computed.slot) {
                needed.extend(&computed.reads);
            }
        }
        needed
    }
}
