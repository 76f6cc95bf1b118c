//! The shards that an engine follows, and how far each has been applied.

use crate::hash::Map;
use crate::record::{Sequence, ShardId};

/// A shard of one engine: a handle that is cheap to copy, given out by [`Engine::open_shard`](super::Engine::open_shard).
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
    applied: Vec<Option<Sequence>>,
}

impl Shards {
    pub(super) fn find(&self, id: &ShardId) -> Option<Shard> {
        self.by_name.get(id).copied()
    }

    pub(super) fn insert(&mut self, id: ShardId, index: usize) -> Shard {
        // `Limits::shards_max` is checked by whoever counts; more than 2^32 shards do not fit in memory.
        let shard = Shard(index as u32);
        self.by_name.insert(id, shard);
        self.applied.resize(index + 1, None);
        shard
    }

    /// Whether a record at this place has been applied before.
    pub(super) fn is_applied(&self, shard: Shard, sequence: &Sequence) -> bool {
        self.applied(shard).is_some_and(|last| sequence <= last)
    }

    /// The last place applied.
    pub(super) fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.applied.get(shard.index())?.as_ref()
    }

    pub(super) fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        if let Some(last) = self.applied.get_mut(shard.index()) {
            *last = Some(sequence.clone());
        }
    }
}
