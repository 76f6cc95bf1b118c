//! The state of a shard in the store.
//!
//! ```text
//! magic     8 bytes  89 73 67 73 68 61 72 64
//! version   1 byte   1
//! owner     varint   raised by every process that takes the shard over
//! phase     1 byte   1 claiming, 2 running, 3 ended
//! claiming: count of the parents that are to be claimed, each as text
//! running:  count of the parents that were claimed, each as text; the processor's state as bytes
//! ended:    option of the shard that has adopted it, as text; count of the states that it has
//!           handed over, each as bytes
//! checksum  8 bytes  XXH3 of all before it
//! ```

use crate::codec::{Reader, Writer, checksum};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;

const MAGIC: [u8; 8] = *b"\x89sgshard";
const VERSION: u8 = 1;
const WHAT: &str = "the state of a shard";
const CHECKSUM_BYTES: usize = 8;

/// The state of a shard in the store, for programs that inspect an application's state, such as
/// `streamgauge inspect`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ShardState {
    /// Raised by every process that takes the shard over, so that the next save of the previous
    /// process is refused.
    pub owner: u64,
    /// The phase of the shard.
    pub phase: Phase,
}

/// The phase of a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// A new shard that is about to adopt the windows of these ended shards. It adopts none of them
    /// before this is saved.
    Claiming {
        /// The names of the ended shards.
        parents: Vec<String>,
    },
    /// A running shard.
    Running {
        /// The ended shards whose windows it has adopted.
        parents: Vec<String>,
        /// The state of its [`ShardWork`](super::ShardWork): for a pipeline a
        /// [`Snapshot`](crate::Snapshot), for a merger a [`MergerState`](super::MergerState).
        state: Bytes,
    },
    /// The shard has ended.
    Ended {
        /// The shard that has adopted its windows, once there is one.
        adopted_by: Option<String>,
        /// The state of its open windows, until they are part of the adopter's state: for a
        /// pipeline one [`Partial`](crate::snapshot::Partial) each, for a merger its state.
        handed_over: Vec<Bytes>,
    },
}

impl ShardState {
    pub(super) fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.raw(&MAGIC);
        writer.u8(VERSION);
        writer.u64(self.owner);
        match &self.phase {
            Phase::Claiming { parents } => {
                writer.u8(1);
                write_texts(parents, &mut writer);
            }
            Phase::Running { parents, state } => {
                writer.u8(2);
                write_texts(parents, &mut writer);
                writer.bytes(state);
            }
            Phase::Ended { adopted_by, handed_over } => {
                writer.u8(3);
                writer.bool(adopted_by.is_some());
                adopted_by.iter().for_each(|adopter| writer.bytes(adopter.as_bytes()));
                writer.usize(handed_over.len());
                handed_over.iter().for_each(|state| writer.bytes(state));
            }
        }
        let mut bytes = writer.into_bytes();
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.into()
    }

    /// Returns true if the bytes begin like the state of a shard.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Decodes untrusted bytes. Copies only names.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not a shard's state, or are of a newer version, cut
    /// short or damaged.
    pub fn from_bytes(bytes: &Bytes) -> Result<ShardState, Error> {
        let corrupt = |message: &str| Error::new(ErrorKind::Corrupt, format!("{WHAT} {message}"));
        if !bytes.starts_with(&MAGIC) {
            return Err(corrupt("begins with something else"));
        }
        let covered = bytes.len().checked_sub(CHECKSUM_BYTES).map(|end| bytes.split_at(end));
        let Some((covered, sum)) = covered else { return Err(corrupt("is cut short")) };
        if Reader::new(sum).fixed_u64()? != checksum(covered) {
            return Err(corrupt("was damaged: the checksum does not match"));
        }
        let mut reader = Reader::new(covered);
        reader.header(&MAGIC, VERSION, WHAT)?;
        let owner = reader.u64()?;
        let phase = match reader.u8()? {
            1 => Phase::Claiming { parents: read_texts(&mut reader)? },
            2 => Phase::Running {
                parents: read_texts(&mut reader)?,
                state: bytes.slice_ref(reader.bytes()?),
            },
            3 => {
                let adopted_by =
                    if reader.bool()? { Some(reader.text()?.to_owned()) } else { None };
                let count = reader.count(1)?;
                let handed_over = (0..count)
                    .map(|_| reader.bytes().map(|state| bytes.slice_ref(state)))
                    .collect::<Result<_, _>>()?;
                Phase::Ended { adopted_by, handed_over }
            }
            other => return Err(corrupt(&format!("has a phase {other}"))),
        };
        reader.finish()?;
        Ok(ShardState { owner, phase })
    }
}

fn write_texts(texts: &[String], writer: &mut Writer) {
    writer.usize(texts.len());
    texts.iter().for_each(|text| writer.bytes(text.as_bytes()));
}

fn read_texts(reader: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    let count = reader.count(1)?;
    (0..count).map(|_| reader.text().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn phase() -> impl Strategy<Value = Phase> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        prop_oneof![
            any::<Vec<String>>().prop_map(|parents| Phase::Claiming { parents }),
            (any::<Vec<String>>(), bytes())
                .prop_map(|(parents, state)| Phase::Running { parents, state }),
            (any::<Option<String>>(), prop::collection::vec(bytes(), 0..4))
                .prop_map(|(adopted_by, handed_over)| Phase::Ended { adopted_by, handed_over }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(owner: u64, phase in phase()) {
            let state = ShardState { owner, phase };
            prop_assert_eq!(ShardState::from_bytes(&state.to_bytes()).unwrap(), state);
        }

        #[test]
        fn cut_or_damaged_bytes_are_refused(
            phase in phase(),
            at: prop::sample::Index,
            flip in 1u8..,
        ) {
            let bytes = ShardState { owner: 3, phase }.to_bytes();
            let at = at.index(bytes.len());
            prop_assert!(ShardState::from_bytes(&bytes.slice(..at)).is_err());
            let mut damaged = bytes.to_vec();
            damaged[at] ^= flip;
            prop_assert!(ShardState::from_bytes(&damaged.into()).is_err());
        }

        #[test]
        fn no_bytes_cause_a_panic(content: Vec<u8>) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(content);
            let sum = checksum(&bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
            let _ = ShardState::from_bytes(&bytes.into());
        }
    }
}
