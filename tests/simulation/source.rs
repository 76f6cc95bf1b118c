//! The stream: shards with ordered records, one checkpoint each, and child shards.

use super::{Answers, Random};
use std::collections::BTreeMap;
use streamgauge::prelude::*;
use streamgauge::window::Session;

#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// The producer's name of the record, which is the same when it sends the record again.
    pub(super) id: String,
    pub(super) time: i64,
    pub(super) group: String,
    pub(super) value: i64,
}

pub(super) struct ShardLog {
    pub(super) name: String,
    /// The parents, which end before the shard begins.
    pub(super) parents: Vec<usize>,
    /// The time that its parents had reached.
    from: i64,
    /// Sequence numbers and records.
    pub(super) records: Vec<(u64, Hit)>,
    /// The number of records that were checkpointed.
    pub(super) checkpoint: usize,
}

impl ShardLog {
    /// Creates a shard that follows others and has one record, with a time after all of theirs.
    #[cfg(feature = "kcl")]
    pub(super) fn last(parents: Vec<usize>, time: i64) -> Self {
        let hit = Hit { id: String::from("last"), time, group: String::from("last"), value: 0 };
        ShardLog {
            name: String::from("shardId-last"),
            parents,
            from: time,
            records: vec![(1, hit)],
            checkpoint: 0,
        }
    }
}

pub(super) struct Stream {
    pub(super) shards: Vec<ShardLog>,
    pub(super) size: i64,
    pub(super) slide: i64,
    /// True if the windows are sessions of each group, with the size as their gap.
    pub(super) sessions: bool,
    /// How far a record may be behind the latest record of its shard.
    pub(super) disorder: i64,
    /// True if the producer sends records again.
    pub(super) retries: bool,
    pub(super) reshards: u64,
    pub(super) retried: u64,
}

impl Stream {
    pub(super) fn new(random: &mut Random) -> Self {
        let slide = 1 + random.below(30) as i64;
        let size = if random.chance(50) { slide } else { 1 + random.below(60) as i64 };
        let mut stream = Stream {
            shards: vec![],
            size,
            slide,
            sessions: random.chance(30),
            disorder: random.below(25) as i64,
            retries: random.chance(40),
            reshards: 0,
            retried: 0,
        };
        let first = 1 + random.below(3);
        (0..first).for_each(|_| stream.open(random, vec![], 0));
        // Splits and merges of shards that have no child yet.
        for _ in 0..random.below(3) {
            let leaves: Vec<usize> = (0..stream.shards.len())
                .filter(|shard| stream.children(*shard).is_empty())
                .collect();
            let parent = leaves[random.below(leaves.len())];
            let other = leaves[random.below(leaves.len())];
            let last = |shard: usize| {
                stream.shards[shard]
                    .records
                    .iter()
                    .map(|(_, hit)| hit.time)
                    .fold(stream.shards[shard].from, i64::max)
            };
            let from = last(parent).max(last(other));
            if parent != other {
                stream.open(random, vec![parent, other], from);
            } else {
                (0..2).for_each(|_| stream.open(random, vec![parent], from));
            }
            stream.reshards += 1;
        }
        stream
    }

    fn open(&mut self, random: &mut Random, parents: Vec<usize>, from: i64) {
        let shard = self.shards.len();
        let (mut time, mut sequence) = (from, random.next() % 1000);
        let mut records: Vec<(u64, Hit)> = vec![];
        for index in 0..random.below(40) {
            time += random.below(8) as i64 + if random.chance(3) { 200 } else { 0 };
            sequence += 1 + random.next() % 5;
            let again = (self.retries && random.chance(10) && index > 0)
                .then(|| records[random.below(index)].1.clone());
            self.retried += u64::from(again.is_some());
            // A record that is sent again comes late and may be outside the disorder: it must be
            // recognised, not aggregated.
            let hit = again.unwrap_or_else(|| Hit {
                id: format!("{shard}/{index}"),
                // Never before the first record of the parents' children, so that a child's records
                // are within the disorder of them.
                time: (time - random.below(self.disorder as usize + 1) as i64)
                    .max(from - self.disorder),
                group: format!("group-{}", random.below(4)),
                value: random.below(1000) as i64 - 500,
            });
            records.push((sequence, hit));
        }
        self.shards.push(ShardLog {
            name: format!("shardId-{shard:012}"),
            parents,
            from,
            records,
            checkpoint: 0,
        });
    }

    pub(super) fn children(&self, shard: usize) -> Vec<usize> {
        (0..self.shards.len())
            .filter(|child| self.shards[*child].parents.contains(&shard))
            .collect()
    }

    pub(super) fn windows(&self) -> Windows {
        let (size, slide) = (millis(self.size as u64), millis(self.slide as u64));
        match self.sessions {
            true => Session::new(size).unwrap().into(),
            false => Sliding::new(size, slide).unwrap().into(),
        }
    }

    /// Computed by sorting the records of each group.
    fn expected_sessions(&self) -> Answers {
        let hits = self.shards.iter().flat_map(|shard| &shard.records).map(|(_, hit)| hit);
        let hits: BTreeMap<&str, &Hit> = hits.map(|hit| (hit.id.as_str(), hit)).collect();
        let mut hits: Vec<&Hit> = hits.into_values().collect();
        hits.sort_by_key(|hit| (&hit.group, hit.time));
        let mut answers = Answers::new();
        for session in hits.chunk_by(|before, after| {
            before.group == after.group && after.time < before.time + self.size
        }) {
            let (first, last) = (session[0], session[session.len() - 1]);
            let sum = session.iter().map(|hit| i128::from(hit.value)).sum();
            let groups = answers.entry((first.time, last.time + self.size)).or_default();
            groups.insert(first.group.clone(), (session.len() as u64, sum));
        }
        answers
    }

    /// Computed by trying every window for every record.
    pub(super) fn expected(&self) -> Answers {
        if self.sessions {
            return self.expected_sessions();
        }
        let mut answers = Answers::new();
        let mut seen = std::collections::BTreeSet::new();
        for (_, hit) in self.shards.iter().flat_map(|shard| &shard.records) {
            if !seen.insert(&hit.id) {
                continue;
            }
            for start in (hit.time - self.size + 1)..=hit.time {
                if start.rem_euclid(self.slide) == 0 {
                    let groups = answers.entry((start, start + self.size)).or_default();
                    let (count, sum) = groups.entry(hit.group.clone()).or_default();
                    *count += 1;
                    *sum += i128::from(hit.value);
                }
            }
        }
        answers
    }
}
