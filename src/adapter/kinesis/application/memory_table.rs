//! Tables in memory and a clock by hand, for unit tests.

use super::table::{self, Condition, Item, Kind, LeaseTable, TableError, Update, Value};
use super::time::{Moment, Time};
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// Tables in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryTable {
    rows: RefCell<BTreeMap<(Kind, String), Item>>,
    /// True if the next change happens, and its answer is lost.
    loses: Cell<bool>,
}

impl MemoryTable {
    pub(super) fn put(&self, kind: Kind, key: &str, item: Item) {
        self.rows.borrow_mut().insert((kind, key.to_owned()), item);
    }

    pub(super) fn lose_next_answer(&self) {
        self.loses.set(true);
    }

    fn answer(&self) -> Result<(), TableError> {
        match self.loses.replace(false) {
            true => Err(TableError::Unknown(Error::new(ErrorKind::Io, "the answer was lost"))),
            false => Ok(()),
        }
    }
}

/// Returns true if all conditions hold for a row.
pub(super) fn holds(row: Option<&Item>, conditions: &[Condition]) -> bool {
    conditions.iter().all(|condition| match condition {
        Condition::Exists => row.is_some(),
        Condition::Is(name, value) => row.and_then(|row| row.get(*name)) == Some(value),
        Condition::Lacks(name) => row.is_none_or(|row| !row.contains_key(*name)),
    })
}

/// Changes a row.
pub(super) fn apply(row: &mut Item, update: &Update) {
    for name in &update.raise {
        let number = table::integer(row, name).unwrap_or(0);
        row.insert((*name).to_owned(), Value::number(number.saturating_add(1)));
    }
    for (name, value) in &update.set {
        row.insert((*name).to_owned(), value.clone());
    }
    for name in &update.remove {
        row.remove(*name);
    }
}

impl LeaseTable for MemoryTable {
    fn get(&self, kind: Kind, key: &str) -> Result<Option<Item>, TableError> {
        Ok(self.rows.borrow().get(&(kind, key.to_owned())).cloned())
    }

    fn scan(&self, kind: Kind) -> Result<Vec<(String, Item)>, TableError> {
        let rows = self.rows.borrow();
        let of_kind = rows.iter().filter(|((other, _), _)| *other == kind);
        Ok(of_kind.map(|((_, key), item)| (key.clone(), item.clone())).collect())
    }

    fn owned_by(&self, worker: &str) -> Result<Vec<String>, TableError> {
        let leases = self.scan(Kind::Lease)?.into_iter();
        let is_mine = |item: &Item| table::text(item, super::lease::OWNER) == Some(worker);
        Ok(leases.filter(|(_, item)| is_mine(item)).map(|(key, _)| key).collect())
    }

    fn create(&self, kind: Kind, key: &str, item: Item) -> Result<(), TableError> {
        let name = (kind, key.to_owned());
        if self.rows.borrow().contains_key(&name) {
            return Err(TableError::Refused);
        }
        self.rows.borrow_mut().insert(name, item);
        self.answer()
    }

    fn update(&self, kind: Kind, key: &str, update: &Update) -> Result<(), TableError> {
        let name = (kind, key.to_owned());
        if !holds(self.rows.borrow().get(&name), &update.conditions) {
            return Err(TableError::Refused);
        }
        apply(self.rows.borrow_mut().entry(name).or_default(), update);
        self.answer()
    }

    fn delete(&self, kind: Kind, key: &str, conditions: &[Condition]) -> Result<(), TableError> {
        let name = (kind, key.to_owned());
        if !holds(self.rows.borrow().get(&name), conditions) {
            return Err(TableError::Refused);
        }
        self.rows.borrow_mut().remove(&name);
        self.answer()
    }
}

/// A clock that a test sets.
#[derive(Debug, Default)]
pub(super) struct HandTime {
    elapsed: Cell<Duration>,
    wall: Cell<i64>,
}

impl HandTime {
    pub(super) fn pass(&self, length: Duration) {
        self.elapsed.set(self.elapsed.get() + length);
    }

    pub(super) fn set_wall(&self, millis: i64) {
        self.wall.set(millis);
    }
}

impl Time for HandTime {
    fn now(&self) -> Moment {
        Moment { wall: Timestamp::from_millis(self.wall.get()), elapsed: self.elapsed.get() }
    }
}
