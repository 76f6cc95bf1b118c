//! Keys in the order of their bytes, for what is written down.

use crate::key::Key;
use std::borrow::Borrow;

/// The bytes of many keys, to be visited in ascending order.
///
/// Cost: O(n log n) comparisons of 8 bytes each, as a rule: what all keys share is left out of the comparison.
pub(crate) struct SortedKeys {
    arena: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    /// The 8 bytes after what all keys share, as a number that orders as they do.
    prefix: u64,
    start: usize,
    end: usize,
    index: usize,
}

impl SortedKeys {
    /// Takes in keys; each is known by its index from then on.
    pub(crate) fn new<'a, K: Key + ?Sized>(keys: impl Iterator<Item = &'a K::Owned>) -> Self {
        let mut sorted = SortedKeys { arena: Vec::new(), entries: Vec::with_capacity(keys.size_hint().0) };
        for (index, key) in keys.enumerate() {
            let start = sorted.arena.len();
            Borrow::<K>::borrow(key).with_bytes(|bytes| sorted.arena.extend_from_slice(bytes));
            sorted.entries.push(Entry { prefix: 0, start, end: sorted.arena.len(), index });
        }
        sorted.sort();
        sorted
    }

    /// The keys' bytes and indices, in ascending order of the bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.entries.iter().map(|entry| (bytes_of(&self.arena, entry), entry.index))
    }

    fn sort(&mut self) {
        let SortedKeys { arena, entries } = self;
        let Some((first, rest)) = entries.split_first() else { return };
        let first = bytes_of(arena, first);
        let shared = rest
            .iter()
            .fold(first.len(), |shared, entry| first.iter().take(shared).zip(bytes_of(arena, entry)).take_while(|(a, b)| a == b).count());
        for entry in entries.iter_mut() {
            let tail = bytes_of(arena, entry).get(shared..).unwrap_or_default();
            let mut prefix = [0; 8];
            prefix.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
            entry.prefix = u64::from_be_bytes(prefix);
        }
        entries.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| bytes_of(arena, a).cmp(bytes_of(arena, b))));
    }
}

fn bytes_of<'a>(arena: &'a [u8], entry: &Entry) -> &'a [u8] {
    arena.get(entry.start..entry.end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_in_the_order_of_their_bytes(shared in "[a-c]{0,12}", tails in prop::collection::vec("[a-b\u{0}]{0,12}", 0..60)) {
            let keys: Vec<String> = tails.iter().map(|tail| format!("{shared}{tail}")).collect();
            let sorted = SortedKeys::new::<String>(keys.iter());
            let mut expected = keys.clone();
            expected.sort();
            let seen: Vec<&[u8]> = sorted.iter().map(|(bytes, _)| bytes).collect();
            prop_assert_eq!(seen, expected.iter().map(|key| key.as_bytes()).collect::<Vec<_>>());
            prop_assert!(sorted.iter().all(|(bytes, index)| keys[index].as_bytes() == bytes));
        }
    }
}
