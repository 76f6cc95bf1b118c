//! An engine's state as bytes.

use super::format::{Envelope, Identity, Kind, Tag};
use crate::error::Error;
use bytes::Bytes;
use std::fmt;

/// The whole state of an engine as bytes: open panes, watermarks, the position in each shard,
/// counters, and emissions not yet fetched.
///
/// [`Control::snapshot`](crate::engine::Control::snapshot) creates it. A
/// [`Store`](crate::store::Store) or any other place can hold it. docs/FORMAT.md describes the
/// bytes. The version that wrote a snapshot and every later one can read it, on any machine.
///
/// The checksum detects damage, not manipulation. Whoever can write to the store can change the
/// answers.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let pipeline = || Pipeline::builder().aggregate(count()).build();
/// let mut before = pipeline()?;
/// before.push("a")?;
/// let saved = before.snapshot()?;
/// before.push("lost")?; // after the snapshot: the source delivers it again
///
/// let mut after = pipeline()?;
/// after.restore(&saved)?;
/// after.push("b")?;
/// after.finish();
/// assert_eq!(after.next_emission()?.map(|emission| emission.value), Some(2));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Snapshot {
    bytes: Bytes,
    envelope: Envelope,
}

impl Snapshot {
    /// Checks and takes untrusted bytes. Checks magic, version, lengths and checksum. Copies
    /// nothing and allocates nothing that grows with the bytes. `restore` checks the content.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if they are not streamgauge bytes, or are
    /// of a newer version, truncated or damaged.
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if they are not a snapshot.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let bytes = Pipeline::builder::<str>().aggregate(count()).build()?.snapshot()?.into_bytes();
    /// assert!(Snapshot::from_bytes(bytes.clone()).is_ok());
    /// let truncated = Snapshot::from_bytes(bytes.slice(..bytes.len() - 1)).unwrap_err();
    /// assert_eq!(truncated.kind(), ErrorKind::Corrupt);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Snapshot, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        envelope.check_kind(Kind::Snapshot)?;
        Ok(Snapshot { bytes, envelope })
    }

    /// Returns the bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(distinct(|user: &str| user)).build()?;
    /// let empty = pipeline.snapshot()?.bytes().len();
    /// for user in 0..1_000 {
    ///     pipeline.push(user.to_string().as_str())?;
    /// }
    /// assert!(pipeline.snapshot()?.bytes().len() < empty + 9_000); // 8 bytes per exact key
    /// # Ok::<(), Error>(())
    /// ```
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the bytes and consumes the snapshot.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::store::{MemoryStore, Store};
    /// let (store, pipeline) = (MemoryStore::new(), Pipeline::builder::<str>().aggregate(count()));
    /// let pipeline = pipeline.build()?;
    /// store.save("lines", pipeline.snapshot()?.into_bytes(), None)?;
    /// let stored = store.load("lines")?.expect("it was saved");
    /// assert_eq!(Snapshot::from_bytes(stored.bytes)?.fingerprint(), pipeline.fingerprint());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Returns the fingerprint of the pipeline.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let lines = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let users = Pipeline::builder().aggregate(distinct(|user: &str| user)).build()?;
    /// let saved = lines.snapshot()?;
    /// assert_eq!(saved.fingerprint(), lines.fingerprint());
    /// assert_ne!(saved.fingerprint(), users.fingerprint()); // `users` would refuse it
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fingerprint(&self) -> u64 {
        self.envelope.pipeline
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Returns the snapshots of the queries that this one is of.
    pub(crate) fn queries(&self) -> Result<Vec<Snapshot>, Error> {
        let mut reader = self.envelope.section(&self.bytes, Tag::Queries)?;
        let mut queries = Vec::new();
        for _ in 0..reader.count(1)? {
            let bytes = self.bytes.slice_ref(reader.bytes()?);
            queries.push(Snapshot::from_bytes(bytes)?);
        }
        reader.finish()?;
        Ok(queries)
    }

    /// Fails if the state belongs to another pipeline.
    pub(crate) fn check(&self, identity: &Identity) -> Result<(), Error> {
        self.envelope.check(&self.bytes, Kind::Snapshot, identity)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Snapshot({} bytes of pipeline {:016x})",
            self.bytes.len(),
            self.envelope.pipeline
        )
    }
}

/// Returns the length of this many bytes in base64 with padding, the form of Lambda's state.
///
/// # Example
/// ```
/// use streamgauge::snapshot::base64_len;
/// assert_eq!([0, 1, 3, 4].map(base64_len), [0, 4, 4, 8]); // in steps of 3 bytes
/// ```
pub const fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Returns how many bytes fit into this many characters of base64 with padding: the budget for
/// [`snapshot_within`](crate::engine::Control::snapshot_within).
///
/// # Example
/// ```
/// use streamgauge::snapshot::{base64_len, bytes_in_base64};
/// assert_eq!(bytes_in_base64(1_000_000), 750_000);
/// assert_eq!(base64_len(750_000), 1_000_000);
/// ```
pub const fn bytes_in_base64(characters: usize) -> usize {
    characters / 4 * 3
}
