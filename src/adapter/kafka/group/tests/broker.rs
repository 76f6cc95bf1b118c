//! A topic and the coordinator of its group.

use super::World;
use crate::adapter::kafka::read_topic::TopicEvent;
use crate::adapter::simulation::{LAST_PAYLOAD, Random, START};
use crate::record::{Position, Record, Sequence, ShardId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A member that was silent for this time is no member any more.
const SESSION: i64 = 10_000;

/// A partition with all of its records, each with the time of its arrival.
pub(super) struct SimPartition {
    pub(super) opened: i64,
    pub(super) records: Vec<(i64, Record)>,
}

pub(super) struct Broker {
    pub(super) partitions: Vec<SimPartition>,
    pub(super) group: Group,
    /// The offset that was committed last for each partition.
    pub(super) committed: BTreeMap<i32, u64>,
}

/// The group, as its coordinator knows it.
#[derive(Debug)]
pub(super) struct Group {
    is_eager: bool,
    members: BTreeMap<String, SimMember>,
    /// The members and the number of partitions of the last assignment.
    assigned: Option<(Vec<String>, usize)>,
    /// What each member gets as soon as nobody has it.
    wanted: BTreeMap<i32, String>,
    last_owner: BTreeMap<i32, String>,
}

/// A member, as the coordinator knows it.
#[derive(Default, Debug)]
struct SimMember {
    heard: i64,
    /// What the member has, or has been given.
    owned: BTreeSet<i32>,
    /// Events that it has not got yet.
    events: Vec<Change>,
    /// The member owes an answer to the last event.
    is_answering: bool,
}

#[derive(Debug)]
enum Change {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
}

impl Broker {
    pub(super) fn new(random: &Random) -> Self {
        let end = 60_000 + random.below(120_000) as i64;
        let mut partitions = Vec::new();
        let initial = 1 + random.below(5);
        let added = random.below(3);
        for index in 0..initial + added {
            let opened = if index < initial { 0 } else { random.below(end as u64 / 2) as i64 };
            partitions.push(SimPartition { opened, records: Vec::new() });
        }
        // Kafka adds partitions in the order of their numbers.
        let mut opened: Vec<i64> = partitions.iter().map(|partition| partition.opened).collect();
        opened.sort_unstable();
        for (index, partition) in partitions.iter_mut().enumerate() {
            partition.opened = opened[index];
            fill(partition, index, end, random);
        }
        let group = Group {
            is_eager: random.chance(400),
            members: BTreeMap::new(),
            assigned: None,
            wanted: BTreeMap::new(),
            last_owner: BTreeMap::new(),
        };
        Broker { partitions, group, committed: BTreeMap::new() }
    }

    pub(super) fn open_partitions(&self, now: i64) -> Vec<i32> {
        let open = self.partitions.iter().filter(|partition| partition.opened <= now);
        (0..open.count() as i32).collect()
    }

    /// The coordinator does what the time wants.
    pub(super) fn turn(&mut self, world: &World) {
        let now = world.now.get();
        let silent = |member: &SimMember| now - member.heard > SESSION;
        let expired: Vec<String> = (self.group.members.iter())
            .filter(|(_, member)| silent(member))
            .map(|(name, _)| name.clone())
            .collect();
        for name in expired {
            self.group.members.remove(&name);
            world.note("expired");
        }
        let partitions = self.open_partitions(now);
        self.group.assign(&partitions, world);
    }

    /// A member sends a heartbeat, or joins. Returns its events.
    pub(super) fn hear(&mut self, name: &str, joined: &mut bool, world: &World) -> Vec<TopicEvent> {
        let now = world.now.get();
        if !self.group.members.contains_key(name) {
            self.group.members.insert(name.to_owned(), SimMember::default());
            if std::mem::replace(joined, true) {
                let member = self.group.members.entry(name.to_owned()).or_default();
                (member.heard, member.is_answering) = (now, true);
                world.note("lost partitions");
                // It learns that everything is lost.
                return vec![TopicEvent::Lost(Vec::new())];
            }
        }
        *joined = true;
        let Some(member) = self.group.members.get_mut(name) else { return Vec::new() };
        member.heard = now;
        if member.is_answering || member.events.is_empty() {
            return Vec::new();
        }
        member.is_answering = true;
        vec![match member.events.remove(0) {
            Change::Assigned(partitions) => TopicEvent::Assigned(partitions),
            Change::Revoked(partitions) => TopicEvent::Revoked(partitions),
        }]
    }

    /// A member has answered the last event.
    pub(super) fn answered(&mut self, name: &str, left: &[i32]) {
        if let Some(member) = self.group.members.get_mut(name) {
            member.is_answering = false;
            member.owned.retain(|partition| !left.contains(partition));
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.group.members.remove(name);
    }
}

impl Group {
    fn assign(&mut self, partitions: &[i32], world: &World) {
        let names: Vec<String> = self.members.keys().cloned().collect();
        let present = Some((names.clone(), partitions.len()));
        if self.assigned != present && !names.is_empty() {
            if self.assigned.as_ref().is_some_and(|(_, count)| *count < partitions.len()) {
                world.note("partition added");
            }
            world.note(if self.is_eager { "eager" } else { "cooperative" });
            self.assigned = present;
            let shift = world.random.below(names.len() as u64) as usize;
            self.wanted = partitions
                .iter()
                .map(|partition| {
                    let index = (*partition as usize + shift) % names.len();
                    (*partition, names[index].clone())
                })
                .collect();
            self.revoke();
        }
        self.give(world);
    }

    /// Takes away what other members should have; eagerly everything.
    fn revoke(&mut self) {
        let (is_eager, wanted) = (self.is_eager, &self.wanted);
        for (name, member) in &mut self.members {
            // What was not told yet is not given.
            member.events.retain(|event| match event {
                Change::Assigned(partitions) => {
                    member.owned.retain(|number| !partitions.contains(number));
                    false
                }
                Change::Revoked(_) => true,
            });
            let leaving = member.owned.iter().copied();
            let leaving: Vec<i32> =
                leaving.filter(|number| is_eager || wanted.get(number) != Some(name)).collect();
            if !leaving.is_empty() {
                member.events.push(Change::Revoked(leaving));
            }
        }
    }

    /// Gives what nobody has to the member that should have it. Eagerly, when everything is free.
    fn give(&mut self, world: &World) {
        let owned: BTreeSet<i32> =
            self.members.values().flat_map(|member| member.owned.iter().copied()).collect();
        let is_revoking = self.members.values().any(|member| {
            member.is_answering
                || member.events.iter().any(|event| matches!(event, Change::Revoked(_)))
        });
        if self.is_eager && is_revoking {
            return;
        }
        for (name, member) in &mut self.members {
            let free =
                self.wanted.iter().filter(|(number, to)| *to == name && !owned.contains(number));
            let free: Vec<i32> = free.map(|(number, _)| *number).collect();
            if free.is_empty() {
                continue;
            }
            for number in &free {
                if self.last_owner.insert(*number, name.clone()).is_some_and(|last| last != *name) {
                    world.note("moved");
                }
            }
            member.owned.extend(free.iter().copied());
            member.events.push(Change::Assigned(free));
        }
    }
}

fn fill(partition: &mut SimPartition, index: usize, end: i64, random: &Random) {
    let mut arrival = partition.opened + random.below(4_000) as i64;
    let mut offset = 0;
    while arrival < end {
        let data = random.payload(arrival);
        push(partition, (index, offset), arrival, data);
        offset += 1 + if random.chance(100) { random.below(3) } else { 0 };
        arrival += random.below(3_000) as i64;
    }
    push(partition, (index, offset), end, LAST_PAYLOAD.to_owned());
}

fn push(partition: &mut SimPartition, (index, offset): (usize, u64), arrival: i64, data: String) {
    let record = Record {
        partition_key: "k".into(),
        data: data.into(),
        arrival: Timestamp::from_millis(START + arrival),
        position: Position {
            shard: ShardId::new(format!("clicks-{index}")),
            sequence: Sequence::new(offset),
        },
        headers: Default::default(),
    };
    partition.records.push((arrival, record));
}
