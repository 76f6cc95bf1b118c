//! A store that can lose its last write, or not tell whether the write happened.

use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use streamgauge::prelude::*;
use streamgauge::store::{MemoryStore, Store, Version, VersionedBytes};

pub(super) struct FaultyStore {
    inner: MemoryStore,
    /// The content of each key before its last save.
    before: RefCell<BTreeMap<String, Option<Bytes>>>,
    /// The result of the next save.
    pub(super) fault: Cell<Fault>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The save happens, but the answer is lost.
    Unanswered,
    /// The save does not happen.
    Refused,
}

impl FaultyStore {
    pub(super) fn new() -> Self {
        FaultyStore {
            inner: MemoryStore::new(),
            before: RefCell::default(),
            fault: Cell::new(Fault::None),
        }
    }

    pub(super) fn load(&self, key: &str) -> Option<VersionedBytes> {
        self.inner.load(key).unwrap()
    }

    pub(super) fn save(
        &self,
        key: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, Error> {
        let fault = self.fault.replace(Fault::None);
        let unknown = || Error::new(ErrorKind::Io, "the connection was lost");
        if fault == Fault::Refused {
            return Err(unknown());
        }
        let old = self.load(key).map(|stored| stored.bytes);
        let version = self.inner.save(key, bytes, expected)?;
        self.before.borrow_mut().insert(key.to_owned(), old);
        if fault == Fault::Unanswered { Err(unknown()) } else { Ok(version) }
    }

    /// Undoes the last save of the key, like a disk that lied about it.
    pub(super) fn lose_last_write(&self, key: &str) -> bool {
        let Some(before) = self.before.borrow_mut().remove(key) else { return false };
        let version = self.load(key).map(|stored| stored.version);
        match before {
            Some(bytes) => drop(self.inner.save(key, bytes, version.as_ref()).unwrap()),
            None => self.inner.delete(key).unwrap(),
        }
        true
    }
}
