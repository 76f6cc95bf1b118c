//! The row of a lease, as KCL 3 writes it.

use super::table::{self, Condition, Item, Update, Value};
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::record::{Sequence, SequenceNumber, ShardId};
use std::collections::BTreeSet;
use std::fmt;

pub(super) const OWNER: &str = "leaseOwner";
pub(super) const COUNTER: &str = "leaseCounter";
pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const SUB_SEQUENCE: &str = "checkpointSubSequenceNumber";
pub(super) const SWITCHES: &str = "ownerSwitchesSinceCheckpoint";
/// The previous owner, while a lease is handed over. It still has the lease.
pub(super) const HANDING_OVER: &str = "checkpointOwner";
pub(super) const CHILDREN: &str = "childShardIds";
pub(super) const THROUGHPUT: &str = "throughputKBps";
pub(super) const PENDING: [&str; 3] =
    ["pendingCheckpoint", "pendingCheckpointSubSequenceNumber", "pendingCheckpointState"];
const PARENTS: &str = "parentShardId";
const HASH_START: &str = "startingHashKey";
const HASH_END: &str = "endingHashKey";

/// How far a shard was processed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum LeaseCheckpoint {
    TrimHorizon,
    Latest,
    /// From a time that each worker knows from its settings.
    AtTime,
    /// Up to and including this record.
    After(Sequence),
    /// To its end.
    ShardEnd,
}

impl LeaseCheckpoint {
    fn parse(text: &str, sub: u64) -> Option<Self> {
        Some(match text {
            "TRIM_HORIZON" => LeaseCheckpoint::TrimHorizon,
            "LATEST" => LeaseCheckpoint::Latest,
            "AT_TIMESTAMP" => LeaseCheckpoint::AtTime,
            "SHARD_END" => LeaseCheckpoint::ShardEnd,
            number => {
                let number: SequenceNumber = number.parse().ok()?;
                LeaseCheckpoint::After(Sequence { number, sub })
            }
        })
    }

    /// Returns the sub-sequence number of the row.
    pub(super) fn sub(&self) -> u64 {
        match self {
            LeaseCheckpoint::After(sequence) => sequence.sub,
            _ => 0,
        }
    }
}

impl fmt::Display for LeaseCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeaseCheckpoint::TrimHorizon => "TRIM_HORIZON",
            LeaseCheckpoint::Latest => "LATEST",
            LeaseCheckpoint::AtTime => "AT_TIMESTAMP",
            LeaseCheckpoint::ShardEnd => "SHARD_END",
            LeaseCheckpoint::After(sequence) => sequence.number.as_str(),
        })
    }
}

/// The row of a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lease {
    /// The name of the shard.
    pub(super) key: String,
    /// The worker that has the lease, or gets it once a hand-over is done.
    pub(super) owner: Option<String>,
    /// The worker that hands the lease over, and has it until then.
    pub(super) handing_over: Option<String>,
    /// Raised by each write of the owner.
    pub(super) counter: u64,
    pub(super) checkpoint: LeaseCheckpoint,
    pub(super) parents: BTreeSet<String>,
    pub(super) children: BTreeSet<String>,
    pub(super) range: Option<HashRange>,
}

impl Lease {
    /// Creates the lease of a shard that nobody has.
    pub(super) fn new(shard: &ShardId, checkpoint: LeaseCheckpoint) -> Self {
        Lease {
            key: shard.as_str().to_owned(),
            owner: None,
            handing_over: None,
            counter: 0,
            checkpoint,
            parents: BTreeSet::new(),
            children: BTreeSet::new(),
            range: None,
        }
    }

    /// Returns the change by which a worker that does not use the lease gives it away: back, on to
    /// the worker that it was to be handed over to, or to the one that was to hand it over. `None`
    /// if the row does not bear its name.
    pub(super) fn release(&self, worker: &str) -> Option<Update> {
        let (owner, handing_over) = (self.owner.as_deref()?, self.handing_over.as_deref());
        let update = match handing_over {
            None if owner == worker => Update::default()
                .raise(COUNTER)
                .remove(OWNER)
                .only_if(Condition::Is(COUNTER, Value::number(self.counter))),
            Some(holder) if holder == worker => {
                Update::default().raise(COUNTER).raise(SWITCHES).remove(HANDING_OVER)
            }
            // The counter is the holder's, who may not have noticed yet.
            Some(holder) if owner == worker => {
                Update::default().set(OWNER, Value::text(holder)).remove(HANDING_OVER)
            }
            _ => return None,
        };
        Some(
            update
                .only_if(Condition::Is(OWNER, Value::text(owner)))
                .only_if(Condition::is_text(HANDING_OVER, handing_over)),
        )
    }

    /// Reads a row, which may be anybody's.
    ///
    /// # Errors
    /// The reason why it is not the row of a lease, in words.
    pub(super) fn from_item(key: &str, item: &Item) -> Result<Self, String> {
        let counter = table::integer(item, COUNTER)
            .ok_or_else(|| format!("{COUNTER} is missing or not an integer"))?;
        let sub = match item.get(SUB_SEQUENCE) {
            None => 0,
            Some(_) => table::integer(item, SUB_SEQUENCE)
                .ok_or_else(|| format!("{SUB_SEQUENCE} is not an integer"))?,
        };
        let text = table::text(item, CHECKPOINT)
            .ok_or_else(|| format!("{CHECKPOINT} is missing or not a text"))?;
        let checkpoint = LeaseCheckpoint::parse(text, sub)
            .ok_or_else(|| format!("{CHECKPOINT} is {:?}", shortened(text)))?;
        let range = match (table::text(item, HASH_START), table::text(item, HASH_END)) {
            (Some(start), Some(end)) => {
                Some(HashRange::parse(start, end).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        Ok(Lease {
            key: key.to_owned(),
            owner: worker(item, OWNER)?,
            handing_over: worker(item, HANDING_OVER)?,
            counter,
            checkpoint,
            parents: texts(item, PARENTS),
            children: texts(item, CHILDREN),
            range,
        })
    }

    /// Returns the row of a lease that nobody has.
    pub(super) fn to_item(&self) -> Item {
        let mut item = Item::new();
        let mut put = |name: &str, value| item.insert(name.to_owned(), value);
        put(COUNTER, Value::number(self.counter));
        put(CHECKPOINT, Value::text(self.checkpoint.to_string()));
        put(SUB_SEQUENCE, Value::number(self.checkpoint.sub()));
        put(SWITCHES, Value::number(0));
        if let Some(range) = &self.range {
            put(HASH_START, Value::text(range.start.to_string()));
            put(HASH_END, Value::text(range.end.to_string()));
        }
        if !self.parents.is_empty() {
            put(PARENTS, Value::Texts(self.parents.clone()));
        }
        item
    }

    /// Returns the worker that has the lease at present.
    pub(super) fn holder(&self) -> Option<&str> {
        self.handing_over.as_deref().or(self.owner.as_deref())
    }

    pub(super) fn is_ended(&self) -> bool {
        self.checkpoint == LeaseCheckpoint::ShardEnd
    }
}

fn worker(item: &Item, name: &str) -> Result<Option<String>, String> {
    match item.get(name) {
        None => Ok(None),
        Some(Value::Text(worker)) => Ok(Some(worker.clone())),
        Some(_) => Err(format!("{name} is not a text")),
    }
}

fn texts(item: &Item, name: &str) -> BTreeSet<String> {
    match item.get(name) {
        Some(Value::Texts(texts)) => texts.clone(),
        _ => BTreeSet::new(),
    }
}

/// Returns the beginning of a foreign text, for a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
