//! The buffers of blocks.

use crate::row::Block;
use std::thread::ThreadId;

/// A block that was returned. Its buffer can be reused as soon as nothing points into it.
struct Spare {
    /// The thread that filled the buffer and has it in its cache.
    thread: ThreadId,
    block: Block,
}

/// Buffers that are reused: as soon as no row and no block points into one, the thread that filled
/// it fills it again.
pub(super) struct Buffers {
    spare: Vec<Spare>,
    max: usize,
}

impl Buffers {
    /// Creates a pool of at most `max` buffers.
    pub(super) fn new(max: usize) -> Self {
        Buffers { spare: Vec::new(), max }
    }

    /// Returns a buffer of `len` bytes: a free one of this thread, or a new one.
    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        let thread = std::thread::current().id();
        // The buffer used last is most likely still in a cache.
        while let Some(index) =
            self.spare.iter().rposition(|spare| spare.thread == thread && spare.block.is_unique())
        {
            // A buffer that became large for a long record is freed.
            let mut spare = self.spare.remove(index).block.into_vec().unwrap_or_default();
            if (len..=2 * len).contains(&spare.capacity()) {
                spare.resize(len, 0);
                return spare;
            }
        }
        vec![0; len]
    }

    /// Keeps the buffer of a block that is returned to the caller.
    pub(super) fn keep(&mut self, block: &Block) {
        if self.spare.len() < self.max {
            self.spare.push(Spare { thread: std::thread::current().id(), block: block.clone() });
        }
    }
}
