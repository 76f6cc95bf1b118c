//! The shards of an engine, and the last applied position of each.

use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::hash::Map;
use crate::record::{Sequence, SequenceNumber, ShardId};

/// A shard of one engine: a handle that is cheap to copy, returned by
/// [`Control::open_shard`](super::Control::open_shard).
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
/// let shard = pipeline.open_shard(ShardId::new("shard-0"))?;
/// pipeline.push_to(shard, None, "a line")?;
/// // The handle of the name, whenever it is asked for. After `restore` ask again.
/// assert_eq!(pipeline.open_shard(ShardId::new("shard-0"))?, shard);
/// assert_ne!(pipeline.open_shard(ShardId::new("shard-1"))?, shard);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shard(pub(super) u32);

impl Shard {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Names and last applied positions, by the shard's index.
#[derive(Clone, Debug, Default)]
pub(super) struct Shards {
    by_name: Map<ShardId, Shard>,
    names: Vec<ShardId>,
    applied: Vec<Option<Sequence>>,
    /// The shard without a name, for records that are pushed without a shard.
    unnamed: Option<Shard>,
}

impl Shards {
    pub(super) fn find(&self, id: &ShardId) -> Option<Shard> {
        self.by_name.get(id).copied()
    }

    /// Returns the shard without a name, if it is open.
    #[inline]
    pub(super) fn unnamed(&self) -> Option<Shard> {
        self.unnamed
    }

    pub(super) fn insert(&mut self, id: ShardId, index: usize) -> Shard {
        // The caller checks `Limits::shards_max`. More than 2^32 shards do not fit in memory.
        let shard = Shard(index as u32);
        if id.as_str().is_empty() {
            self.unnamed = Some(shard);
        }
        self.by_name.insert(id.clone(), shard);
        self.names.push(id);
        self.applied.resize(index + 1, None);
        shard
    }

    /// Returns true if a record at this position was applied before.
    pub(super) fn is_applied(&self, shard: Shard, sequence: &Sequence) -> bool {
        self.applied(shard).is_some_and(|last| sequence <= last)
    }

    /// Returns the last applied position.
    pub(super) fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.applied.get(shard.index())?.as_ref()
    }

    pub(super) fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        if let Some(last) = self.applied.get_mut(shard.index()) {
            *last = Some(sequence.clone());
        }
    }

    /// Returns the name of a shard.
    pub(super) fn name(&self, index: usize) -> Option<&ShardId> {
        self.names.get(index)
    }

    /// Returns all shards, in the order of opening.
    pub(super) fn names(&self) -> &[ShardId] {
        &self.names
    }

    /// Encodes the name of a shard and its last applied position.
    pub(super) fn encode_shard(&self, index: usize, writer: &mut Writer) {
        writer.bytes(self.name(index).map_or("", ShardId::as_str).as_bytes());
        let applied = self.applied.get(index).and_then(Option::as_ref);
        writer.bool(applied.is_some());
        if let Some(sequence) = applied {
            writer.bytes(sequence.number.as_str().as_bytes());
            writer.u64(sequence.sub);
        }
    }

    /// Decodes a shard.
    pub(super) fn decode_shard(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let id = ShardId::new(reader.text()?);
        if self.find(&id).is_some() {
            return Err(reader.corrupt(&format!("the shard {id:?} is there twice")));
        }
        let shard = self.insert(id, self.names.len());
        if reader.bool()? {
            let number: SequenceNumber = reader.text()?.parse().map_err(|error: Error| {
                reader.corrupt("not a sequence number").with_source(error)
            })?;
            let sub = reader.u64()?;
            self.set_applied(shard, &Sequence { number, sub });
        }
        Ok(())
    }
}
