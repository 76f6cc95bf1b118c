//! The names that expressions use: fields of the record, and names that `let` gives.

use super::regular::{REGEXES_MAX, regular};
use super::tree::Pattern;
use super::why::Shared;
use crate::query::expression::{Ast, Id, Node};
use crate::query::field::Fields;
use crate::row::null::Nulls;
use crate::row::time_field::TimeField;
use crate::rows::lookup::Lookups;
use std::sync::Arc;

/// The kind of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::rows) enum Kind {
    /// Null and nothing else.
    Null,
    /// That of the field, row by row. What uses the value says how it is read.
    Field,
    Bool,
    Number,
    Text,
    Time,
    /// Milliseconds.
    Duration,
}

impl Kind {
    /// Returns the kind as the subject of a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Field => "a field",
            Kind::Bool => "true or false",
            Kind::Number => "a number",
            Kind::Text => "text",
            Kind::Time => "a time",
            Kind::Duration => "a duration",
        }
    }

    /// Returns the kind of what is one or the other; `None` if they are two kinds.
    pub(super) fn joined(self, other: Kind) -> Option<Kind> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Kind::Null, other) | (other, Kind::Null) => Some(other),
            (Kind::Field, other) | (other, Kind::Field) => Some(other),
            _ => None,
        }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Named {
    pub(super) slot: usize,
    pub(super) kind: Kind,
    /// True for a field of the record, false for a value that is computed.
    pub(super) is_field: bool,
}

/// A name that `let` gives to an expression.
#[derive(Debug)]
struct Let {
    name: String,
    named: Named,
}

/// The names of a pipeline, and what is known of their use.
#[derive(Debug)]
pub(in crate::rows) struct Names {
    pub(in crate::rows) fields: Fields,
    lets: Vec<Let>,
    /// The field that holds the event time.
    pub(super) time: Option<TimeField>,
    pub(in crate::rows) shared: Arc<Shared>,
    /// As `shared`, but nobody asks how much was counted: for `try_cast`.
    pub(super) silent: Arc<Shared>,
    regexes: usize,
    /// The reference data.
    pub(in crate::rows) lookups: Lookups,
    /// The slots of fields that expressions read as numbers, and otherwise.
    pub(in crate::rows) numbers: Vec<usize>,
    pub(in crate::rows) others: Vec<usize>,
    /// The slots of computed values that the expression reads which is lowered now.
    pub(super) reads: Vec<usize>,
}

impl Names {
    pub(in crate::rows) fn new(fields: Fields, time: Option<TimeField>, nulls: Nulls) -> Self {
        Names {
            fields,
            lets: Vec::new(),
            time,
            silent: Arc::new(Shared::new(nulls.clone())),
            shared: Arc::new(Shared::new(nulls)),
            regexes: 0,
            lookups: Lookups::default(),
            numbers: Vec::new(),
            others: Vec::new(),
            reads: Vec::new(),
        }
    }

    /// Gives a name to a value. It must be new.
    pub(super) fn add_let(&mut self, name: &str, named: Named) {
        self.lets.push(Let { name: name.into(), named });
    }

    /// Returns true if a name was given to a value.
    pub(super) fn has_let(&self, name: &str) -> bool {
        self.lets.iter().any(|known| known.name == name)
    }

    /// Returns what a name stands for.
    pub(super) fn named(&self, name: &str) -> Named {
        match self.lets.iter().find(|known| known.name == name) {
            Some(known) => known.named,
            // Every field has its slot before an expression is lowered.
            None => Named {
                slot: self.fields.find(name).unwrap_or(usize::MAX),
                kind: Kind::Field,
                is_field: true,
            },
        }
    }

    /// Compiles a regular expression; `None` if the pipeline has too many.
    pub(super) fn pattern(&mut self, text: &str) -> Option<Result<Pattern, regex::Error>> {
        let index = self.regexes;
        self.regexes += 1;
        (index < REGEXES_MAX).then(|| regular(text).map(|regex| Pattern { index, regex }))
    }
}

/// Calls `take` for each name of a field below a node.
pub(in crate::rows) fn each_name(ast: &Ast, id: Id, take: &mut dyn FnMut(&str)) {
    if let Node::Field(name) = ast.node(id) {
        take(name);
    }
    ast.each_child(id, &mut |child| each_name(ast, child, take));
}
