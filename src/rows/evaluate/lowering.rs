//! From the syntax tree to typed trees.
//!
//! The type of a field is what its use asks for. Everything that is wrong whatever records come is
//! an error here, with its column. What does not depend on the record is computed here.

use super::names::{Kind, Named, Names};
use super::source::Source;
use super::tree::{Any, Case, Extreme, Pattern, Reading, Step};
use super::why::Shared;
use crate::error::Error;
use crate::query::expression::{Ast, Id, Node};
use crate::query::literal::Operator;
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of nodes that are lowered. Some nodes are lowered several times, such as the
/// value of `between`.
const LOWERED_MAX: usize = 50_000;

/// Maximum depth of the recursion. Sums and joined texts of any length are no depth.
const DEPTH_MAX: usize = 200;

/// The lowering of one expression.
#[derive(Debug)]
pub(super) struct Lowering<'a> {
    pub(super) ast: &'a Ast,
    pub(super) names: &'a mut Names,
    pub(super) source: Source,
    pub(super) kinds: HashMap<Id, Kind>,
    constants: HashMap<Id, bool>,
    lowered: usize,
    depth: usize,
    /// True inside of a condition, where a value of another kind is null.
    pub(super) lenient: bool,
    /// What counts values of another kind.
    pub(super) shared: Arc<Shared>,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(ast: &'a Ast, names: &'a mut Names) -> Self {
        Lowering {
            ast,
            source: Source::default(),
            kinds: HashMap::new(),
            constants: HashMap::new(),
            lowered: 0,
            depth: 0,
            lenient: false,
            shared: names.shared.clone(),
            names,
        }
    }

    /// Finds out the kinds of all values below a node, from the leaves up.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if parts do not fit together.
    pub(super) fn begin(&mut self, root: Id) -> Result<Kind, Error> {
        let (mut found, mut next) = (vec![root], 0);
        while let Some(id) = found.get(next).copied() {
            next += 1;
            self.ast.each_child(id, &mut |child| found.push(child));
        }
        // A node comes after its children.
        found.sort_unstable();
        found.dedup();
        for id in found {
            self.kind(id)?;
            self.is_constant(id);
        }
        self.kind(root)
    }

    /// Lowers a node in a recursion of bounded depth.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if the expression is too large.
    pub(super) fn nested<T>(
        &mut self,
        id: Id,
        lower: fn(&mut Self, Id) -> Result<T, Error>,
    ) -> Result<T, Error> {
        (self.lowered, self.depth) = (self.lowered + 1, self.depth + 1);
        if self.lowered > LOWERED_MAX || self.depth > DEPTH_MAX {
            return Err(self.ast.error(id, "the expression is too large: split it with let"));
        }
        let lowered = lower(self, id);
        self.depth -= 1;
        lowered
    }

    /// Returns the index of a node's place.
    pub(super) fn place(&mut self, id: Id) -> u16 {
        self.source.add(self.ast.column(id), self.ast.written(id), None)
    }

    pub(super) fn step(&mut self, id: Id) -> Step {
        Step { place: self.place(id), shared: self.shared.clone() }
    }

    /// Returns the reading of a field as a number, a time or a duration.
    pub(super) fn reading(&mut self, id: Id, slot: usize) -> Reading {
        let place = self.source.add(self.ast.column(id), self.ast.written(id), Some(slot));
        Reading { slot, place, lenient: self.lenient, shared: self.shared.clone() }
    }

    /// Returns what a node stands for, if it is a name.
    pub(super) fn named(&mut self, id: Id) -> Option<Named> {
        let Node::Field(name) = self.ast.node(id) else { return None };
        let named = self.names.named(name);
        if !named.is_field {
            self.names.reads.push(named.slot);
        }
        Some(named)
    }

    /// Lowers the inside of a condition.
    pub(super) fn leniently<T>(
        &mut self,
        lower: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let before = std::mem::replace(&mut self.lenient, true);
        let lowered = lower(self);
        self.lenient = before;
        lowered
    }

    /// As [`leniently`](Lowering::leniently), without counting.
    pub(super) fn silently<T>(
        &mut self,
        lower: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let silent = self.names.silent.clone();
        let before = std::mem::replace(&mut self.shared, silent);
        let lowered = self.leniently(lower);
        self.shared = before;
        lowered
    }

    /// Returns true if a node is the same for all records.
    pub(super) fn is_constant(&mut self, id: Id) -> bool {
        if let Some(known) = self.constants.get(&id) {
            return *known;
        }
        let mut constant = !matches!(self.ast.node(id), Node::Field(_));
        let mut children = Vec::new();
        self.ast.each_child(id, &mut |child| children.push(child));
        for child in children {
            constant = constant && self.is_constant(child);
        }
        self.constants.insert(id, constant);
        constant
    }

    /// Returns the text of a node that has to be text in quotes.
    pub(super) fn literal_text(&self, id: Id, what: &str) -> Result<&'a str, Error> {
        let ast: &'a Ast = self.ast;
        match ast.node(id) {
            Node::Text(text) => Ok(text),
            _ => {
                let written = ast.written(id);
                Err(ast.error(id, format!("{what} is text in quotes, as in 'abc', not {written}")))
            }
        }
    }

    /// Compiles a regular expression that is text in quotes.
    pub(super) fn pattern(&mut self, id: Id) -> Result<Pattern, Error> {
        let text = self.literal_text(id, "a regular expression")?;
        match self.names.pattern(text) {
            None => Err(self
                .ast
                .error(id, "a pipeline has at most 100 regular expressions, and this is one more")),
            Some(Err(error)) => Err(self
                .ast
                .error(id, "this is not a regular expression that can be used")
                .with_source(error)),
            Some(Ok(pattern)) => Ok(pattern),
        }
    }

    /// Lowers all nodes of a list.
    pub(super) fn each<T>(
        &mut self,
        ids: &[Id],
        lower: fn(&mut Self, Id) -> Result<T, Error>,
    ) -> Result<Box<[T]>, Error> {
        ids.iter().map(|id| lower(self, *id)).collect()
    }

    /// Lowers `case`, or a function that is one: `nullif(a, b)`.
    pub(super) fn choice<T>(
        &mut self,
        id: Id,
        lower: fn(&mut Self, Id) -> Result<T, Error>,
        null: fn() -> T,
    ) -> Result<Box<Case<T>>, Error> {
        let ast = self.ast;
        let (mut arms, otherwise) = match ast.node(id) {
            Node::Case { of, arms, otherwise } => {
                let mut lowered = Vec::new();
                for (when, then) in arms {
                    let condition = match of {
                        None => self.truth(*when)?,
                        Some(of) => self.leniently(|l| l.compare(Operator::Equal, *of, *when))?,
                    };
                    lowered.push((condition, lower(self, *then)?));
                }
                (lowered, *otherwise)
            }
            Node::Call { args, .. } => match &**args {
                [value, null_value] => {
                    let equal =
                        self.leniently(|l| l.compare(Operator::Equal, *value, *null_value))?;
                    (vec![(equal, null())], Some(*value))
                }
                _ => (Vec::new(), None),
            },
            _ => (Vec::new(), None),
        };
        arms.shrink_to_fit();
        let otherwise = match otherwise {
            Some(otherwise) => lower(self, otherwise)?,
            None => null(),
        };
        Ok(Box::new(Case { arms: arms.into(), otherwise }))
    }

    /// Lowers a value whose kind is that of a field.
    pub(super) fn any(&mut self, id: Id) -> Result<Any, Error> {
        self.nested(id, Self::any_of)
    }

    fn any_of(&mut self, id: Id) -> Result<Any, Error> {
        let ast = self.ast;
        match ast.node(id) {
            Node::Field(_) => {
                let slot = self.named(id).map_or(usize::MAX, |named| named.slot);
                self.names.others.push(slot);
                Ok(Any::Field(slot))
            }
            Node::Call { name, args, .. } if &**name == "coalesce" => {
                Ok(Any::Coalesce(self.each(args, Self::any)?))
            }
            Node::Call { name, args, .. } if &**name == "greatest" => {
                Ok(Any::Extreme(Extreme::Greatest, self.each(args, Self::any)?))
            }
            Node::Call { name, args, .. } if &**name == "least" => {
                Ok(Any::Extreme(Extreme::Least, self.each(args, Self::any)?))
            }
            Node::Case { .. } | Node::Call { .. } => {
                Ok(Any::Case(self.choice(id, Self::any, || Any::Missing)?))
            }
            _ => Ok(Any::Missing),
        }
    }

    /// Creates an error that a value is of another kind than what is needed.
    #[cold]
    pub(super) fn wrong_kind(&self, id: Id, kind: Kind, needed: Kind) -> Error {
        let written = self.ast.written(id);
        let hint = match (kind, needed) {
            (Kind::Text, Kind::Number) => format!("; write cast({written} as double)"),
            (Kind::Number | Kind::Time | Kind::Bool, Kind::Text) => {
                format!("; write cast({written} as text)")
            }
            (Kind::Number, Kind::Time) => format!("; write to_timestamp({written}) for seconds"),
            (Kind::Time, Kind::Number) => format!("; write epoch({written}) for seconds"),
            (Kind::Number, Kind::Duration) => {
                format!("; write {written} * interval '1' second for seconds")
            }
            (Kind::Text, Kind::Duration) => format!("; write cast({written} as interval)"),
            (Kind::Duration, Kind::Text) => format!("; write cast({written} as text)"),
            (Kind::Text, Kind::Time) => format!("; write cast({written} as timestamp)"),
            _ => String::new(),
        };
        let why =
            format!("{written} is {}, and {} is needed here{hint}", kind.words(), needed.words());
        self.ast.error(id, why)
    }
}
