//! Keys in the order of their bytes, for stored formats.

use crate::codec::shared_prefix;
use crate::key::Key;
use std::borrow::Borrow;

/// The bytes of many keys, at most 2^32, which can be visited in ascending order.
///
/// Cost: O(n log n) comparisons of 8 bytes, plus the length of the keys.
pub(crate) struct SortedKeys {
    arena: Vec<u8>,
    /// Where each key ends in the arena.
    ends: Vec<usize>,
    /// The indices of the keys in their order.
    order: Vec<u32>,
}

struct Entry {
    /// The 8 bytes to compare, as an integer with the same order.
    prefix: u64,
    index: u32,
}

impl SortedKeys {
    /// Copies and sorts the keys. The index of a key is its position in `keys`.
    pub(crate) fn new<'a, K: Key + ?Sized>(keys: impl Iterator<Item = &'a K::Owned>) -> Self {
        let (mut arena, mut ends) = (Vec::new(), Vec::with_capacity(keys.size_hint().0));
        for key in keys {
            Borrow::<K>::borrow(key).with_bytes(|bytes| arena.extend_from_slice(bytes));
            ends.push(arena.len());
        }
        let order = order_of(ends.len(), |index| bytes_of(&arena, &ends, index));
        SortedKeys { arena, ends, order }
    }

    /// Returns the bytes and the indices of the keys, in ascending order of the bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let SortedKeys { arena, ends, order } = self;
        order.iter().map(|&index| (bytes_of(arena, ends, index), index as usize))
    }
}

fn bytes_of<'a>(arena: &'a [u8], ends: &[usize], index: u32) -> &'a [u8] {
    let index = index as usize;
    let start = index.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied());
    let range = start.zip(ends.get(index).copied());
    range.and_then(|(start, end)| arena.get(start..end)).unwrap_or_default()
}

/// Fewer keys than this are sorted by comparing them.
const KEYS_MIN: usize = 64;

/// Returns the positions of the keys in their ascending order.
pub(crate) fn positions_in_order<K: Key + ?Sized>(keys: &[&K::Owned]) -> Vec<usize> {
    if K::HAS_ORDER_OF_BYTES && keys.len() >= KEYS_MIN {
        let sorted = SortedKeys::new::<K>(keys.iter().copied());
        return sorted.order.into_iter().map(|index| index as usize).collect();
    }
    let mut positions: Vec<usize> = (0..keys.len()).collect();
    positions.sort_unstable_by_key(|position| keys.get(*position));
    positions
}

/// Returns the indices of the keys in the ascending order of their bytes, given their number, at
/// most 2^32, and the bytes of each.
pub(crate) fn order_of<'a>(count: usize, bytes: impl Fn(u32) -> &'a [u8]) -> Vec<u32> {
    let mut entries: Vec<Entry> =
        (0..count).map(|index| Entry { prefix: 0, index: index as u32 }).collect();
    sort_from(&bytes, &mut entries, (0, LEVELS_MAX));
    entries.iter().map(|entry| entry.index).collect()
}

/// Maximum depth of recursion. Deeper, keys are compared byte by byte, so that no keys can overflow
/// the stack.
const LEVELS_MAX: usize = 64;

/// Runs shorter than this are compared byte by byte.
const RUN_MIN: usize = 8;

/// Sorts keys that share their first `depth` bytes. First sorts by the 8 bytes after the common
/// prefix of all keys, then sorts each run of keys for which these 8 bytes are equal. A comparison
/// therefore compares two adjacent integers, and no byte is compared twice.
fn sort_from<'a>(
    bytes: &impl Fn(u32) -> &'a [u8],
    entries: &mut [Entry],
    (depth, levels): (usize, usize),
) {
    if entries.len() < RUN_MIN || levels == 0 {
        let tail = |entry: &Entry| bytes(entry.index).get(depth..).unwrap_or_default();
        entries.sort_unstable_by(|a, b| tail(a).cmp(tail(b)));
        return;
    }
    let depth = depth + shared_from(bytes, entries, depth);
    for entry in entries.iter_mut() {
        let tail = bytes(entry.index).get(depth..).unwrap_or_default();
        let mut prefix = [0; 8];
        prefix.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
        entry.prefix = u64::from_be_bytes(prefix);
    }
    entries.sort_unstable_by_key(|entry| entry.prefix);
    for run in entries.chunk_by_mut(|a, b| a.prefix == b.prefix).filter(|run| run.len() > 1) {
        // A key that ends inside the 8 bytes is padded with zeros and may equal a longer key.
        if run.iter().any(|entry| bytes(entry.index).len() < depth + 8) {
            run.sort_unstable_by(|a, b| bytes(a.index).cmp(bytes(b.index)));
        } else {
            sort_from(bytes, run, (depth + 8, levels - 1));
        }
    }
}

/// Returns how many bytes after `depth` are the same in all keys.
fn shared_from<'a>(bytes: &impl Fn(u32) -> &'a [u8], entries: &[Entry], depth: usize) -> usize {
    let tail = |entry: &Entry| bytes(entry.index).get(depth..).unwrap_or_default();
    let Some((first, rest)) = entries.split_first() else { return 0 };
    let first = tail(first);
    rest.iter().fold(first.len(), |shared, entry| shared.min(shared_prefix(first, tail(entry))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_in_the_order_of_their_bytes(
            shared in "[a-c]{0,12}",
            tails in prop::collection::vec("[a-b\u{0}]{0,30}", 0..160),
        ) {
            let keys: Vec<String> = tails.iter().map(|tail| format!("{shared}{tail}")).collect();
            let sorted = SortedKeys::new::<String>(keys.iter());
            let mut expected = keys.clone();
            expected.sort();
            let seen: Vec<&[u8]> = sorted.iter().map(|(bytes, _)| bytes).collect();
            prop_assert_eq!(seen, expected.iter().map(|key| key.as_bytes()).collect::<Vec<_>>());
            prop_assert!(sorted.iter().all(|(bytes, index)| keys[index].as_bytes() == bytes));
            let borrowed: Vec<&String> = keys.iter().collect();
            let positions = positions_in_order::<String>(&borrowed);
            prop_assert!(positions.into_iter().map(|index| &keys[index]).eq(&expected));
        }
    }
}
