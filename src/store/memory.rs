//! A store in memory, for tests and for processes without durable state.

use super::{Store, Version, VersionedBytes, check_key, conflict};
use crate::error::Error;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stores bytes in memory. They are lost when the process ends.
///
/// # Example
/// ```
/// use streamgauge::store::{MemoryStore, Store};
/// let store = MemoryStore::new();
/// let version = store.save("shard-0", b"state".as_slice().into(), None)?;
/// // An owner that does not know the present version cannot overwrite it.
/// assert!(store.save("shard-0", b"stale".as_slice().into(), None).is_err());
/// assert!(store.save("shard-0", b"newer".as_slice().into(), Some(&version)).is_ok());
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    content: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryStore {
    /// Creates an empty store.
    ///
    /// # Example
    /// ```
    /// use streamgauge::store::{MemoryStore, Store};
    /// let store = MemoryStore::new();
    /// assert!(store.load("shard-0")?.is_none() && store.list("")?.is_empty());
    /// store.delete("shard-0")?; // does nothing
    /// assert!(store.load("").is_err()); // a key has at least one byte
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn new() -> Self {
        MemoryStore::default()
    }

    fn content(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        // Each change is one call on the map, so a panicked thread leaves nothing half done.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        check_key(key)?;
        Ok(self
            .content()
            .get(key)
            .map(|bytes| VersionedBytes { bytes: bytes.clone(), version: Version::of(bytes) }))
    }

    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error> {
        check_key(key)?;
        let mut content = self.content();
        let found = content.get(key).map(|bytes| Version::of(bytes));
        if found.as_ref() != expected {
            return Err(conflict(key, expected, found.as_ref()));
        }
        let version = Version::of(&bytes);
        content.insert(key.to_owned(), bytes);
        Ok(version)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.content().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        check_key(key)?;
        self.content().remove(key);
        Ok(())
    }
}
