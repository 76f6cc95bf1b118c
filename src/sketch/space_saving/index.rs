//! From a key's hash to its row: open addressing with linear probing over 8-byte slots.
//!
//! A slot holds 32 bits of the hash and the row's number. The place is the top of those 32 bits, so the table grows and is rebuilt
//! without looking at a key. The hash is keyed at random per process: nothing here reaches an answer, and keys chosen against a
//! public seed spread as any others do.

/// Slots of a new table.
const SLOTS_MIN: usize = 8;

/// Slots that hold 32 bits of hash above a row number plus 1; 0 is an empty one.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: Vec<u64>,
    shift: u32,
}

/// What a search found.
pub(super) enum Found {
    /// The row of the key.
    Row(usize),
    /// The empty slot where it would be.
    Vacant(usize),
}

impl Index {
    /// The row that has this hash and that `same` says is the key's.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, same: impl Fn(usize) -> bool) -> Found {
        let tag = hash >> 32;
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = self.home(tag);
        while let Some(&slot) = self.slots.get(place) {
            if slot == 0 {
                return Found::Vacant(place);
            }
            if slot >> 32 == tag {
                let row = slot as u32 as usize - 1;
                if same(row) {
                    return Found::Row(row);
                }
            }
            place = (place + 1) & mask;
        }
        // Only a table without slots gets here: a full one is never left.
        Found::Vacant(0)
    }

    #[inline(always)]
    fn home(&self, tag: u64) -> usize {
        (tag >> self.shift) as usize
    }

    /// Enters row number `rows` (the count of rows before it) at the vacant place that [`find`](Index::find) gave.
    #[inline]
    pub(super) fn enter(&mut self, place: usize, hash: u64, rows: usize) {
        let slot = (hash >> 32) << 32 | (rows as u64 + 1);
        // Three quarters full: linear probing stays short, at 2 to 8 hash bits more than a slot number needs.
        if (rows + 1) * 4 > self.slots.len() * 3 {
            self.grow();
            self.place(slot);
        } else if let Some(vacant) = self.slots.get_mut(place) {
            *vacant = slot;
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        self.shift = 32 - slots.trailing_zeros();
        old.into_iter().filter(|&slot| slot != 0).for_each(|slot| self.place(slot));
    }

    /// Puts a slot in the first vacant place from its home on; there is one, as the table is never full.
    fn place(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut place = self.home(slot >> 32);
        while self.slots.get(place).is_some_and(|&other| other != 0) {
            place = (place + 1) & mask;
        }
        if let Some(vacant) = self.slots.get_mut(place) {
            *vacant = slot;
        }
    }

    /// Renumbers the rows: `renumbered[old]` is the new number, or `None` if the row is gone.
    pub(super) fn renumber(&mut self, renumbered: &[Option<u32>]) {
        let mut kept = vec![0; self.slots.len()];
        let mut count = 0;
        for &slot in &self.slots {
            let row = (slot as u32 as usize).wrapping_sub(1);
            let new = renumbered.get(row).copied().flatten();
            // Which slots are kept is noise: written always and counted if kept, so that no branch depends on it.
            if let Some(next) = kept.get_mut(count) {
                *next = slot >> 32 << 32 | (u64::from(new.unwrap_or(0)) + 1);
            }
            count += usize::from(new.is_some());
        }
        self.slots.fill(0);
        kept.into_iter().take(count).for_each(|slot| self.place(slot));
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }
}
