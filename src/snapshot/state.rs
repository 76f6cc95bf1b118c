//! An engine's state as bytes.

use super::format::{Envelope, Identity, Kind};
use crate::error::Error;
use bytes::Bytes;
use std::fmt;

/// The whole state of an engine as bytes: open panes, watermarks, the position reached in each
/// shard, counters, and emissions that were not yet fetched.
///
/// Made by [`Control::snapshot`](crate::engine::Control::snapshot), to be kept in a
/// [`Store`](crate::store::Store) or wherever the caller likes. The bytes are described in
/// docs/FORMAT.md. A snapshot is read by the version that wrote it and by every later one, on any
/// machine.
///
/// The checksum finds damage; it does not find malice. Whoever can write to the store can change
/// the answers.
#[derive(Clone)]
pub struct Snapshot {
    bytes: Bytes,
    envelope: Envelope,
}

impl Snapshot {
    /// Takes over bytes that may be anything. Checks magic, version, lengths and checksum; copies
    /// nothing and allocates nothing that grows with them. What is inside is checked by `restore`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if they are no streamgauge bytes, of a
    /// newer version, cut short or damaged; [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if
    /// they hold something else than a snapshot.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Snapshot, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        envelope.check_kind(Kind::Snapshot)?;
        Ok(Snapshot { bytes, envelope })
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes, given away.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The fingerprint of the pipeline whose state it is.
    pub fn fingerprint(&self) -> u64 {
        self.envelope.pipeline
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Refuses the state of another pipeline.
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

/// How long so many bytes are in base64 with padding, as Lambda's state is.
pub const fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// How many bytes fit into so many characters of base64 with padding: the budget for
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
