//! The state of a whole stream in the store.
//!
//! ```text
//! magic     8 bytes  89 73 67 73 74 72 65 61
//! version   1 byte   1
//! start     1 byte   1 trim horizon, 2 latest, 3 at a time: then the time in ms
//! initial   count, and each shard as text
//! output    option of the bytes of the output file, and the checksum of their end
//! snapshot  bytes
//! ```
//! It is part of the state of a shard, whose checksum covers it.

use crate::adapter::output::OutputMark;
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

const MAGIC: [u8; 8] = *b"\x89sgstrea";
const VERSION: u8 = 1;
const WHAT: &str = "the state of a stream";

/// Where a stream begins that was not read before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StreamStart {
    /// With the oldest record that the stream still has.
    TrimHorizon,
    /// With the next record that arrives. The default.
    #[default]
    Latest,
    /// With the first record that arrived at this time or later.
    AtTime(Timestamp),
}

/// How far a stream was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StreamPosition {
    /// Where the initial shards begin.
    pub start: StreamStart,
    /// The shards that there were at the first start. Later ones begin with their oldest record.
    pub initial: BTreeSet<ShardId>,
    /// The shards that were opened so far, each with its last applied record.
    pub shards: BTreeMap<ShardId, Option<Sequence>>,
}

/// The state of a stream whose shards are read by one process, for programs that inspect it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StreamState {
    /// Where the initial shards begin.
    pub start: StreamStart,
    /// The shards that there were at the first start.
    pub initial: BTreeSet<ShardId>,
    /// The end of the output when this was saved, if it is a file.
    pub output: Option<OutputMark>,
    /// The [`Snapshot`](crate::Snapshot) of the pipeline, with the positions in all shards.
    pub snapshot: Bytes,
}

impl StreamState {
    pub(super) fn new(position: (StreamStart, &BTreeSet<ShardId>), snapshot: Bytes) -> Self {
        StreamState { start: position.0, initial: position.1.clone(), output: None, snapshot }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.raw(&MAGIC);
        writer.u8(VERSION);
        match self.start {
            StreamStart::TrimHorizon => writer.u8(1),
            StreamStart::Latest => writer.u8(2),
            StreamStart::AtTime(time) => {
                writer.u8(3);
                writer.i64(time.as_millis());
            }
        }
        writer.usize(self.initial.len());
        self.initial.iter().for_each(|shard| writer.bytes(shard.as_str().as_bytes()));
        writer.bool(self.output.is_some());
        if let Some(mark) = &self.output {
            writer.u64(mark.bytes);
            writer.fixed_u64(mark.end);
        }
        writer.bytes(&self.snapshot);
        writer.into_bytes().into()
    }

    /// Returns true if the bytes begin like the state of a stream.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Decodes untrusted bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not the state of a stream, or are of a newer version
    /// or cut short.
    pub fn from_bytes(bytes: &Bytes) -> Result<StreamState, Error> {
        let mut reader = Reader::new(bytes);
        reader.header(&MAGIC, VERSION, WHAT)?;
        let start = match reader.u8()? {
            1 => StreamStart::TrimHorizon,
            2 => StreamStart::Latest,
            3 => StreamStart::AtTime(Timestamp::from_millis(reader.i64()?)),
            other => {
                let message = format!("{WHAT} has a start {other}");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
        };
        let count = reader.count(1)?;
        let initial = (0..count)
            .map(|_| reader.text().map(ShardId::new))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let output = match reader.bool()? {
            true => Some(OutputMark { bytes: reader.u64()?, end: reader.fixed_u64()? }),
            false => None,
        };
        let snapshot = bytes.slice_ref(reader.bytes()?);
        reader.finish()?;
        Ok(StreamState { start, initial, output, snapshot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> impl Strategy<Value = StreamState> {
        let start = prop_oneof![
            Just(StreamStart::TrimHorizon),
            Just(StreamStart::Latest),
            any::<i64>().prop_map(|time| StreamStart::AtTime(Timestamp::from_millis(time)))
        ];
        let initial = prop::collection::btree_set("[a-z0-9-]{1,20}", 0..5)
            .prop_map(|names| names.into_iter().map(ShardId::new).collect());
        let mark = any::<(u64, u64)>().prop_map(|(bytes, end)| OutputMark { bytes, end });
        let snapshot = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        (start, initial, prop::option::of(mark), snapshot).prop_map(
            |(start, initial, output, snapshot)| StreamState { start, initial, output, snapshot },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(state in state()) {
            prop_assert_eq!(StreamState::from_bytes(&state.to_bytes()).unwrap(), state);
        }

        #[test]
        fn what_was_cut_is_refused(state in state(), at: prop::sample::Index) {
            let bytes = state.to_bytes();
            prop_assert!(StreamState::from_bytes(&bytes.slice(..at.index(bytes.len()))).is_err());
        }

        #[test]
        fn no_bytes_make_reading_panic(content: Vec<u8>) {
            let _ = StreamState::from_bytes(&[&MAGIC[..], &content].concat().into());
        }
    }
}
