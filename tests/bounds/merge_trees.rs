//! About sixteen shards, merged along any tree, with sketches that are reduced, written and read in
//! between: the true value stays inside the bounds.

use super::{Random, SHAPES, stream};
use std::collections::BTreeMap;
use streamgauge::codec::{Reader, Writer};
use streamgauge::sketch::{CountMin, SpaceSaving};
use streamgauge::{Key, Seed};

/// Returns the number of trees.
fn trees() -> u64 {
    if std::env::var_os("STREAMGAUGE_FULL").is_some_and(|value| value == "1") { 1000 } else { 100 }
}

/// A part of all records, in both sketches.
struct Part<K: Key + ?Sized> {
    top: SpaceSaving<K>,
    counts: CountMin,
}

/// The random choices of one tree.
struct Tree {
    random: Random,
    capacity: usize,
    counts: CountMin,
    seed: Seed,
}

impl Tree {
    fn new(trial: u64) -> Tree {
        let mut random = Random(trial);
        let capacity = 1 + random.below(120) as usize;
        let seed = if trial.is_multiple_of(2) { Seed::PUBLIC } else { Seed::new(random.next()) };
        let bytes = random.below(40_000) as usize;
        let counts = CountMin::with_shape(256 << random.below(3), 1 + random.below(5) as usize)
            .unwrap()
            .seeded(seed)
            .exact_within(bytes);
        Tree { random, capacity, counts, seed }
    }

    fn part<K: Key + ?Sized>(&self) -> Part<K> {
        let top = SpaceSaving::with_capacity(self.capacity).unwrap().seeded(self.seed);
        Part { top, counts: self.counts.clone() }
    }

    /// Returns the part, sometimes after encoding and decoding it.
    fn perhaps_reloaded<K: Key + ?Sized>(&mut self, part: Part<K>) -> Part<K> {
        if self.random.below(2) == 0 {
            return part;
        }
        let mut writer = Writer::new();
        part.top.encode(&mut writer);
        part.counts.encode(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let empty = self.part::<K>();
        let read = Part {
            top: empty.top.decode(&mut reader).unwrap(),
            counts: empty.counts.decode(&mut reader).unwrap(),
        };
        reader.finish().unwrap();
        read
    }

    /// Sometimes all parts lose half of their counters or of their width, and sometimes one part
    /// loses rows as when a state must fit.
    fn perhaps_shrunk<K: Key + ?Sized>(&mut self, parts: &mut [Part<K>]) {
        match self.random.below(12) {
            0 => {
                self.capacity = self.capacity.div_ceil(2);
                parts.iter_mut().for_each(|part| part.top.shrink_to(self.capacity).unwrap());
            }
            1 if self.counts.width() > 32 => {
                self.counts.fold_in_half().unwrap();
                parts.iter_mut().for_each(|part| part.counts.fold_in_half().unwrap());
            }
            2 => {
                let at = self.random.below(parts.len() as u64) as usize;
                parts[at].top.cut_to(self.capacity);
            }
            _ => {}
        }
    }

    /// Chooses the two parts to merge: any two, neighbours from the left, or always the first and
    /// another.
    fn pair(&mut self, shape: u64, parts: usize) -> (usize, usize) {
        match shape % 3 {
            0 => (
                self.random.below(parts as u64) as usize,
                self.random.below(parts as u64 - 1) as usize,
            ),
            1 => (0, parts - 2),
            _ => (1, 0),
        }
    }
}

/// Merges shards of random sizes along a random tree. Returns the result and the true counts.
fn merged<K: Key + ?Sized>(
    trial: u64,
    key: impl Fn(u64) -> K::Owned,
) -> (Part<K>, BTreeMap<K::Owned, u64>) {
    let mut tree = Tree::new(trial);
    let (mut parts, mut truth) = (Vec::new(), BTreeMap::new());
    for shard in 0..12 + tree.random.below(9) {
        let (distinct, length) = (1 + tree.random.below(400), tree.random.below(500));
        let mut part = tree.part::<K>();
        for number in stream(
            SHAPES[(trial + shard) as usize % SHAPES.len()],
            distinct,
            length,
            &mut tree.random,
        ) {
            let owned = key(number);
            let weight = if tree.random.below(50) == 0 { tree.random.below(1000) } else { 1 };
            part.top.add(std::borrow::Borrow::borrow(&owned), weight);
            part.counts.add::<K>(std::borrow::Borrow::borrow(&owned), weight);
            *truth.entry(owned).or_insert(0) += weight;
        }
        parts.push(tree.perhaps_reloaded(part));
    }
    while parts.len() > 1 {
        let (from, into) = tree.pair(trial, parts.len());
        let from = parts.remove(from);
        parts[into].top.merge(&from.top).unwrap();
        parts[into].counts.merge(&from.counts).unwrap();
        let part = parts.remove(into);
        let part = tree.perhaps_reloaded(part);
        parts.insert(into, part);
        tree.perhaps_shrunk(&mut parts);
    }
    (parts.remove(0), truth)
}

/// Checks every key, stored or not, and every row of the answer.
fn contains_the_truth<K: Key + ?Sized>(
    part: &Part<K>,
    truth: &BTreeMap<K::Owned, u64>,
    absent: &K,
) -> Result<(), String> {
    let total: u64 = truth.values().sum();
    if (part.top.total(), part.counts.total()) != (total, total) {
        return Err(format!("{:?} of {total}", (part.top.total(), part.counts.total())));
    }
    for (key, &count) in truth {
        let (top, counts) = (
            part.top.estimate(std::borrow::Borrow::borrow(key)),
            part.counts.estimate::<K>(std::borrow::Borrow::borrow(key)),
        );
        if !(top.lower..=top.upper).contains(&count)
            || counts.upper < count
            || (part.counts.is_exact() && !counts.is_exact())
        {
            return Err(format!("{key:?} came {count} times: {top:?}, {counts:?}"));
        }
    }
    if part.top.estimate(absent).lower > 0
        || (part.counts.is_exact() && part.counts.estimate(absent).upper > 0)
    {
        return Err(String::from("a key that never came has a count"));
    }
    let mut ranked: Vec<(u64, &K::Owned)> =
        truth.iter().map(|(key, &count)| (count, key)).collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    ranked.truncate(10);
    for row in part.top.top(10) {
        let count = truth.get::<K::Owned>(&row.key).copied().unwrap_or(0);
        if !(row.lower..=row.upper).contains(&count)
            || (row.guaranteed && !ranked.iter().any(|(_, key)| **key == row.key))
        {
            return Err(format!("{row:?} for {count}, {ranked:?}"));
        }
    }
    Ok(())
}

#[test]
fn the_truth_is_in_every_row_after_any_tree_of_merges_and_snapshots() {
    for trial in 0..trees() {
        let held = if trial % 4 < 2 {
            let (part, truth) = merged::<u64>(trial, |number| number);
            contains_the_truth(&part, &truth, &u64::MAX)
        } else {
            let (part, truth) =
                merged::<str>(trial, |number| format!("/shop/{}/item/{number}", number % 7).into());
            contains_the_truth(&part, &truth, "/nowhere")
        };
        held.unwrap_or_else(|what| panic!("tree {trial}: {what}"));
    }
}
