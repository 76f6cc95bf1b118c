//! Buffers that blocks are read into, one after the other.

use crate::row::Block;
use std::thread::ThreadId;

/// A block that was handed out: once nobody points into it any more its buffer can be filled again.
struct Spare {
    /// The thread that filled it, in whose cache it is.
    thread: ThreadId,
    block: Block,
}

/// Buffers that go round: one is taken again as soon as no row and no block points into it, by the
/// thread that filled it before.
pub(super) struct Buffers {
    spare: Vec<Spare>,
    max: usize,
}

impl Buffers {
    /// The largest number of buffers that are kept.
    pub(super) fn new(max: usize) -> Self {
        Buffers { spare: Vec::new(), max }
    }

    /// Returns a buffer of `len` bytes: one of this thread's that nobody points into any more, or a
    /// new one.
    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        let thread = std::thread::current().id();
        // The one that was used last is most likely still in a cache.
        while let Some(index) =
            self.spare.iter().rposition(|spare| spare.thread == thread && spare.block.is_unique())
        {
            // One that a long record made large is let go.
            let mut spare = self.spare.remove(index).block.into_vec().unwrap_or_default();
            if (len..=2 * len).contains(&spare.capacity()) {
                spare.resize(len, 0);
                return spare;
            }
        }
        vec![0; len]
    }

    /// Keeps the buffer of a block that is handed out.
    pub(super) fn keep(&mut self, block: &Block) {
        if self.spare.len() < self.max {
            self.spare.push(Spare { thread: std::thread::current().id(), block: block.clone() });
        }
    }
}
