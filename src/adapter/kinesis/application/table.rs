//! The tables of an application, as the protocol uses them.

use crate::error::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The attributes of a row without its key.
pub(super) type Item = BTreeMap<String, Value>;

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Text(String),
    /// A number, as its digits.
    Number(String),
    Texts(BTreeSet<String>),
    Map(Item),
    List(Vec<Value>),
    /// A value of a type that the protocol does not write.
    Other,
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Value::Text(text.into())
    }

    pub(super) fn number(number: impl fmt::Display) -> Self {
        Value::Number(number.to_string())
    }
}

/// Returns the text of an attribute.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// Returns the number of an attribute, if it is an integer without a sign.
pub(super) fn integer(item: &Item, name: &str) -> Option<u64> {
    match item.get(name) {
        Some(Value::Number(digits)) => digits.parse().ok(),
        _ => None,
    }
}

/// The kind of a row. It decides in which table the row is, and under which key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// One row for each shard.
    Lease,
    /// One row for each worker: the time of its last report.
    Worker,
    /// The leader, and the state of migrations.
    Coordinator,
}

/// A condition on the present row. A row that does not exist has no attributes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    /// The row exists.
    Exists,
    /// The attribute has this value.
    Is(&'static str, Value),
    /// The row does not have the attribute.
    Lacks(&'static str),
}

impl Condition {
    /// The attribute is this text, or is missing.
    pub(super) fn is_text(name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => Condition::Is(name, Value::text(text)),
            None => Condition::Lacks(name),
        }
    }
}

/// A change of one row, which happens only if all conditions hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Update {
    pub(super) set: Vec<(&'static str, Value)>,
    /// Attributes that are raised by one; a missing one becomes 1.
    pub(super) raise: Vec<&'static str>,
    pub(super) remove: Vec<&'static str>,
    pub(super) conditions: Vec<Condition>,
}

impl Update {
    pub(super) fn set(mut self, name: &'static str, value: Value) -> Self {
        self.set.push((name, value));
        self
    }

    pub(super) fn raise(mut self, name: &'static str) -> Self {
        self.raise.push(name);
        self
    }

    pub(super) fn remove(mut self, name: &'static str) -> Self {
        self.remove.push(name);
        self
    }

    pub(super) fn only_if(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}

/// Why a call did not succeed.
#[derive(Debug)]
pub(super) enum TableError {
    /// A condition does not hold. It may have held before: a client that repeats a call whose
    /// answer was lost finds the row as the first call left it.
    Refused,
    /// Too many calls. Nothing was changed.
    Throttled,
    /// The answer was lost, so the change may have happened.
    Unknown(Error),
    /// No repetition helps, for example because of a missing permission.
    Fatal(Error),
}

/// The rows of one application. A call may have happened even if it fails with
/// [`TableError::Unknown`].
pub(super) trait LeaseTable {
    /// Returns the present content of a row.
    fn get(&self, kind: Kind, key: &str) -> Result<Option<Item>, TableError>;

    /// Returns all rows of a kind with their keys. Rows that change meanwhile may be returned as
    /// they were before.
    fn scan(&self, kind: Kind) -> Result<Vec<(String, Item)>, TableError>;

    /// Returns the keys of the leases of a worker, as they were some time ago.
    fn owned_by(&self, worker: &str) -> Result<Vec<String>, TableError>;

    /// Creates a row, if no row has this key.
    fn create(&self, kind: Kind, key: &str, item: Item) -> Result<(), TableError>;

    /// Changes a row. Without a condition it creates a missing row.
    fn update(&self, kind: Kind, key: &str, update: &Update) -> Result<(), TableError>;

    /// Deletes a row if the conditions hold.
    fn delete(&self, kind: Kind, key: &str, conditions: &[Condition]) -> Result<(), TableError>;
}

impl<T: LeaseTable + ?Sized> LeaseTable for &T {
    fn get(&self, kind: Kind, key: &str) -> Result<Option<Item>, TableError> {
        (**self).get(kind, key)
    }

    fn scan(&self, kind: Kind) -> Result<Vec<(String, Item)>, TableError> {
        (**self).scan(kind)
    }

    fn owned_by(&self, worker: &str) -> Result<Vec<String>, TableError> {
        (**self).owned_by(worker)
    }

    fn create(&self, kind: Kind, key: &str, item: Item) -> Result<(), TableError> {
        (**self).create(kind, key, item)
    }

    fn update(&self, kind: Kind, key: &str, update: &Update) -> Result<(), TableError> {
        (**self).update(kind, key, update)
    }

    fn delete(&self, kind: Kind, key: &str, conditions: &[Condition]) -> Result<(), TableError> {
        (**self).delete(kind, key, conditions)
    }
}
