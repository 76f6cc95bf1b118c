//! State stores: where snapshots live between processes.
//!
//! A [`Store`] keeps bytes under keys, and every save says which version it replaces. So two owners
//! of one shard, as there are for seconds after a lost lease, cannot overwrite each other: the
//! second save fails with [`ErrorKind::Conflict`], and its owner stops.
//!
//! | Store | For |
//! |---|---|
//! | [`MemoryStore`] | tests, and processes that need no more |
//! | [`DirectoryStore`] | one machine: a file a key, replaced atomically and synced |
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

mod directory;
mod memory;
#[cfg(feature = "object-store")]
mod object;
mod partials;
mod place;

pub use directory::DirectoryStore;
pub use memory::MemoryStore;
#[cfg(feature = "object-store")]
pub use object::ObjectStore;
pub use partials::PartialStore;
pub use place::open;

use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use std::fmt;
use std::fmt::Write;
use std::ops::Deref;

/// Names one content of a key: two saves of different bytes have different versions.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// The version of that name, as a store gave it out.
    pub fn new(name: impl Into<String>) -> Self {
        Version(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A version that is the stable hash of the content.
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

/// What a store has under a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The bytes.
    pub bytes: Bytes,
    /// Their version, to be given to the save that replaces them.
    pub version: Version,
}

/// Keeps bytes under keys. What `save` returned from is there after a crash, as far as the store
/// promises any.
///
/// A key is 1 to 80 bytes of text; `/` is an ordinary character.
pub trait Store: Send + Sync {
    /// What is under the key; `None` if nothing is.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be read, [`ErrorKind::InvalidArgument`] for a key that is
    /// empty or too long, here and below.
    fn load(&self, key: &str) -> Result<Option<Stored>, Error>;

    /// Puts bytes under the key in place of the version that is expected there (`None`: nothing),
    /// whole or not at all.
    ///
    /// Saving the bytes that are there already, over whatever is expected, is a conflict as any
    /// other.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if something else is there: another owner has saved, and this one is
    /// to stop; [`ErrorKind::Io`] if it is not known whether the bytes are there: load again before
    /// the next save.
    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error>;

    /// All keys that begin with the prefix, ascending.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if they cannot be read.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Removes a key; one that is not there is removed already.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be removed.
    fn delete(&self, key: &str) -> Result<(), Error>;
}

/// A store behind a pointer: `&S`, `Box<S>`, `Arc<S>`, `Box<dyn Store>`.
impl<P> Store for P
where
    P: Deref<Target: Store> + Send + Sync,
{
    fn load(&self, key: &str) -> Result<Option<Stored>, Error> {
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

/// The most bytes of a key: three times as many, escaped, and an ending fit a file name of 255.
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

/// The file's name: the key, escaped, and the ending.
fn file_name(key: &str, ending: &str) -> String {
    let mut name = String::with_capacity(key.len() + ending.len());
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
    name + ending
}

/// The key whose file has this name.
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
