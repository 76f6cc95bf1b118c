//! State stores: they hold snapshots between processes.
//!
//! A [`Store`] stores bytes by key, and every save names the version that it replaces. So two
//! owners of one shard, which exist for some seconds after a lost lease, cannot overwrite each
//! other: the second save fails with [`ErrorKind::Conflict`], and its owner stops.
//!
//! | Store | For |
//! |---|---|
//! | [`MemoryStore`] | tests, and processes without durable state |
//! | [`DirectoryStore`] | one machine: one file per key, replaced atomically and synced |
//! | `ObjectStore` (feature `object-store`) | S3 and others, by conditional put |
//!
//! # Example
//! ```
//! use streamgauge::store::{MemoryStore, Store};
//! let store = MemoryStore::new();
//! let first = store.save("shard-0", b"state".as_slice().into(), None)?;
//! let stored = store.load("shard-0")?.expect("just saved");
//! assert_eq!((&stored.bytes[..], &stored.version), (&b"state"[..], &first));
//!
//! let second = store.save("shard-0", b"newer".as_slice().into(), Some(&first))?;
//! let stale = store.save("shard-0", b"other".as_slice().into(), Some(&first)).unwrap_err();
//! assert_eq!(stale.kind(), streamgauge::ErrorKind::Conflict);
//! # let _ = second;
//! # Ok::<(), streamgauge::Error>(())
//! ```

mod address;
mod directory;
mod memory;
#[cfg(feature = "spec")]
mod new_file;
#[cfg(feature = "object-store")]
mod object;
mod partials;

pub use address::open;
pub use directory::DirectoryStore;
pub use memory::MemoryStore;
#[cfg(feature = "spec")]
pub(crate) use new_file::{NewFile, WholeFiles};
#[cfg(feature = "object-store")]
pub use object::ObjectStore;
pub use partials::PartialStore;

use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use std::fmt;
use std::fmt::Write;
use std::ops::Deref;

/// A name of one content of a key: two saves of different bytes have different versions.
///
/// # Example
/// ```
/// use streamgauge::store::{MemoryStore, Store};
/// let store = MemoryStore::new();
/// let first = store.save("shard-0", b"one".as_slice().into(), None)?;
/// let second = store.save("shard-0", b"two".as_slice().into(), Some(&first))?;
/// assert_ne!(first, second);
/// assert_eq!(store.load("shard-0")?.map(|stored| stored.version), Some(second));
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// Creates a version from a name that a store returned.
    ///
    /// # Example
    /// ```
    /// use streamgauge::store::Version;
    /// // A store of your own wraps the name that its service gives, such as an ETag.
    /// assert_eq!(Version::new("\"5d41402a\"").as_str(), "\"5d41402a\"");
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Version(name.into())
    }

    /// Returns the name.
    ///
    /// # Example
    /// ```
    /// use streamgauge::store::{MemoryStore, Store, Version};
    /// let version = MemoryStore::new().save("shard-0", b"one".as_slice().into(), None)?;
    /// // Written down and read back, for example beside a checkpoint.
    /// assert_eq!(Version::new(version.as_str()), version);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a version that is the stable hash of the content.
    fn of(bytes: &[u8]) -> Self {
        Version(format!("{:032x}", crate::hash::hash_bytes_wide(bytes)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The content of a key in a store.
///
/// # Example
/// ```
/// use streamgauge::store::{MemoryStore, Store, VersionedBytes};
/// let store = MemoryStore::new();
/// store.save("shard-0", b"one".as_slice().into(), None)?;
/// let VersionedBytes { bytes, version } = store.load("shard-0")?.expect("it was saved");
/// let longer = [&bytes[..], b", two"].concat();
/// store.save("shard-0", longer.into(), Some(&version))?; // unless another owner has saved since
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionedBytes {
    /// The bytes.
    pub bytes: Bytes,
    /// The version of the bytes. Pass it to the save that replaces them.
    pub version: Version,
}

/// Stores bytes by key. After `save` returns, the bytes survive a crash, as far as the store
/// promises that.
///
/// A key is 1 to 80 bytes of text; `/` is an ordinary character.
///
/// # Example
/// ```
/// use bytes::Bytes;
/// use streamgauge::Error;
/// use streamgauge::store::{MemoryStore, Store};
/// /// Replaces the content of a key, whatever it is: for a key with one owner.
/// fn replace(store: &dyn Store, key: &str, bytes: Bytes) -> Result<(), Error> {
///     let present = store.load(key)?.map(|stored| stored.version);
///     store.save(key, bytes, present.as_ref())?;
///     Ok(())
/// }
/// let store = MemoryStore::new();
/// replace(&store, "lines", b"one".as_slice().into())?;
/// replace(&store, "lines", b"two".as_slice().into())?;
/// assert_eq!(store.load("lines")?.expect("it was saved").bytes, b"two".as_slice());
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub trait Store: Send + Sync {
    /// Returns the content of the key; `None` if the key does not exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be read. [`ErrorKind::InvalidArgument`] if the key is empty
    /// or too long; this holds for all methods.
    ///
    /// # Example
    /// ```
    /// use streamgauge::store::{MemoryStore, Store};
    /// let store = MemoryStore::new();
    /// assert!(store.load("shard-0")?.is_none()); // a first start, not an error
    /// store.save("shard-0", b"state".as_slice().into(), None)?;
    /// assert!(store.load("shard-0")?.is_some_and(|stored| stored.bytes == b"state".as_slice()));
    /// assert!(store.load(&"x".repeat(81)).is_err()); // 80 bytes at most
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error>;

    /// Replaces the expected version of the key (`None`: no content) by new bytes, completely or
    /// not at all.
    ///
    /// If the present version is not the expected one, this is a conflict, even if the present
    /// bytes equal the new bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the present version is another: another owner has saved, and this
    /// one must stop. [`ErrorKind::Io`] if it is unknown whether the bytes were saved: load again
    /// before the next save.
    ///
    /// # Example
    /// ```
    /// use streamgauge::ErrorKind;
    /// use streamgauge::store::{MemoryStore, Store};
    /// let store = MemoryStore::new();
    /// let first = store.save("shard-0", b"one".as_slice().into(), None)?;
    /// store.save("shard-0", b"two".as_slice().into(), Some(&first))?; // another owner
    /// // The first owner does not know of it, and must stop.
    /// let refused = store.save("shard-0", b"three".as_slice().into(), Some(&first)).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Conflict);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error>;

    /// Returns all keys that begin with the prefix, in ascending order.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if they cannot be read.
    ///
    /// # Example
    /// ```
    /// use streamgauge::store::{MemoryStore, Store};
    /// let store = MemoryStore::new();
    /// for key in ["us/shard-0", "eu/shard-1", "eu/shard-0"] {
    ///     store.save(key, b"state".as_slice().into(), None)?;
    /// }
    /// assert_eq!(store.list("eu/")?, ["eu/shard-0", "eu/shard-1"]);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Removes a key. Does nothing if the key does not exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be removed.
    ///
    /// # Example
    /// ```
    /// use streamgauge::store::{MemoryStore, Store};
    /// let store = MemoryStore::new();
    /// store.save("shard-0", b"state".as_slice().into(), None)?;
    /// store.delete("shard-0")?;
    /// store.delete("shard-0")?; // does nothing
    /// assert!(store.load("shard-0")?.is_none());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    fn delete(&self, key: &str) -> Result<(), Error>;
}

/// A store behind a pointer: `&S`, `Box<S>`, `Arc<S>`, `Box<dyn Store>`.
impl<P> Store for P
where
    P: Deref<Target: Store> + Send + Sync,
{
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        (**self).load(key)
    }

    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error> {
        (**self).save(key, bytes, expected)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        (**self).list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        (**self).delete(key)
    }
}

/// Maximum bytes of a key: escaped to three times the length and with an ending, it still fits into
/// 255 bytes of a file name.
const KEY_BYTES_MAX: usize = 80;

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a store's key of {} bytes, {key:?}; from 1 to {KEY_BYTES_MAX}",
            key.len()
        )));
    }
    Ok(())
}

#[cold]
fn conflict(key: &str, expected: Option<&Version>, found: Option<&Version>) -> Error {
    let words = |version: Option<&Version>| {
        version.map_or_else(|| String::from("nothing"), |version| format!("version {version}"))
    };
    let message = format!(
        "{key:?} holds {} where {} was expected: another owner has saved",
        words(found),
        words(expected)
    );
    Error::new(ErrorKind::Conflict, message)
}

/// Returns the name of the file: the escaped key and the ending.
fn file_name(key: &str, ending: &str) -> String {
    escaped(key) + ending
}

/// Returns a text as a part of a path: characters other than `a-z A-Z 0-9 . _ -` as `%` and two
/// hexadecimal digits.
pub(crate) fn escaped(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                name.push(char::from(byte))
            }
            _ => {
                let _ = write!(name, "%{byte:02x}");
            }
        }
    }
    name
}

/// Returns the key whose file has this name.
fn key_of(name: &str, ending: &str) -> Option<String> {
    let mut rest = name.strip_suffix(ending)?.bytes();
    let mut key = Vec::new();
    while let Some(byte) = rest.next() {
        key.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(rest.next()?)? << 4 | digit(rest.next()?)?) as u8
            }
            byte => byte,
        });
    }
    let key = String::from_utf8(key).ok()?;
    (file_name(&key, ending) == name && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = ".state";

    #[test]
    fn names_of_files_and_keys_name_each_other() {
        for key in ["shard-0", "a/b c", "%", "ß.state", ".."] {
            assert_eq!(key_of(&file_name(key, STATE), STATE).as_deref(), Some(key));
        }
        assert_eq!(file_name("..", STATE), "...state");
        assert_eq!(
            ["a.state.new", ".state", "a%2.state", "a%2F.state"].map(|name| key_of(name, STATE)),
            [None, None, None, None]
        );
    }
}
