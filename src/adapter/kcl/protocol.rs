//! The messages of the MultiLangDaemon and the answers to them.

use crate::adapter::worker::Batch;
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, SequenceNumber, ShardId};
use std::fmt;

/// What the daemon asks for: the word in a message's `action`, and in the `responseFor` of the
/// answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The first message.
    Initialize,
    /// Records.
    ProcessRecords,
    /// The answer to a checkpoint: the one message that is not answered.
    Checkpoint,
    /// The shard is another worker's now.
    LeaseLost,
    /// The shard has no more records.
    ShardEnded,
    /// The daemon is about to shut down.
    ShutdownRequested,
    /// Leasing ended, in the protocol before `leaseLost` and `shardEnded`.
    Shutdown,
}

const ACTIONS: [(Action, &str); 7] = [
    (Action::Initialize, "initialize"),
    (Action::ProcessRecords, "processRecords"),
    (Action::Checkpoint, "checkpoint"),
    (Action::LeaseLost, "leaseLost"),
    (Action::ShardEnded, "shardEnded"),
    (Action::ShutdownRequested, "shutdownRequested"),
    (Action::Shutdown, "shutdown"),
];

impl Action {
    /// The action's name in the protocol.
    pub fn as_str(self) -> &'static str {
        ACTIONS.iter().find(|(action, _)| *action == self).map_or("", |(_, name)| name)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        ACTIONS.iter().find(|(_, known)| *known == name).map(|(action, _)| *action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the daemon starts to read a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StartingPoint {
    /// After the record that was checkpointed last.
    After(Sequence),
    /// At the oldest record of the stream.
    TrimHorizon,
    /// At the records that arrive from now on.
    Latest,
    /// At a time that the daemon's properties name.
    AtTimestamp,
    /// Something that this version does not know, or nothing.
    Other(Box<str>),
}

/// A message of the daemon.
#[derive(Debug)]
#[non_exhaustive]
pub enum Message {
    /// The first message: which shard the child is for.
    Initialize {
        /// The shard.
        shard: ShardId,
        /// Where its records start: where to look for the state of it.
        from: StartingPoint,
    },
    /// Records of the shard; they may be redelivered ones, after a restart. The daemon has taken
    /// apart those that the KPL aggregated, unless it was told not to.
    ProcessRecords(Batch),
    /// The answer to [`Reply::Checkpoint`].
    Checkpoint(CheckpointAnswer),
    /// The shard is another worker's now: a checkpoint is refused from here on, and what is emitted
    /// the other one may emit as well.
    LeaseLost,
    /// The shard was split or merged and is at its end. The child must checkpoint without a number
    /// now, or the daemon never starts on the shards that follow.
    ShardEnded,
    /// The daemon is about to shut down or hands the shard over: the last chance to checkpoint.
    ShutdownRequested,
    /// What daemons before 2.0 say for the two above.
    Shutdown(ShutdownReason),
}

/// Why an old daemon ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ShutdownReason {
    /// `TERMINATE`: the shard is at its end, and the child must checkpoint.
    Terminate,
    /// `ZOMBIE`: the lease is lost, and a checkpoint is refused.
    Zombie,
    /// Anything else.
    Other(Box<str>),
}

/// What the daemon says of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointAnswer {
    /// The sequence number as it was asked for; `None` for "all that I was given".
    pub sequence: Option<Box<str>>,
    /// The sub-sequence number as it was asked for.
    pub sub: Option<u64>,
    /// Why the checkpoint was not taken; `None` if it was.
    pub error: Option<CheckpointError>,
}

/// Why the daemon did not take a checkpoint: the simple name of a Java exception.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CheckpointError {
    /// `ThrottlingException`: the lease table is busy.
    Throttling,
    /// `KinesisClientLibDependencyException`: the lease table could not be reached.
    Dependency,
    /// `ShutdownException`: the lease is lost or the daemon shuts down.
    Shutdown,
    /// `InvalidStateException`: no checkpoint can be taken now, as in `initialize` and after
    /// `leaseLost`, or the lease table is gone.
    InvalidState,
    /// Any other name, such as `IllegalArgumentException`: a number that was not delivered, or is
    /// before the last checkpoint.
    Other(Box<str>),
}

impl CheckpointError {
    /// The error of that name.
    pub fn from_name(name: &str) -> Self {
        match name {
            "ThrottlingException" => CheckpointError::Throttling,
            "KinesisClientLibDependencyException" => CheckpointError::Dependency,
            "ShutdownException" => CheckpointError::Shutdown,
            "InvalidStateException" => CheckpointError::InvalidState,
            other => CheckpointError::Other(other.into()),
        }
    }

    /// The name of the exception.
    pub fn name(&self) -> &str {
        match self {
            CheckpointError::Throttling => "ThrottlingException",
            CheckpointError::Dependency => "KinesisClientLibDependencyException",
            CheckpointError::Shutdown => "ShutdownException",
            CheckpointError::InvalidState => "InvalidStateException",
            CheckpointError::Other(name) => name,
        }
    }

    /// Whether the same checkpoint may be taken a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, CheckpointError::Throttling | CheckpointError::Dependency)
    }

    /// Whether no checkpoint of this process will be taken any more.
    pub fn is_final(&self) -> bool {
        matches!(self, CheckpointError::Shutdown | CheckpointError::InvalidState)
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Message {
    /// What the message asks for.
    pub fn action(&self) -> Action {
        match self {
            Message::Initialize { .. } => Action::Initialize,
            Message::ProcessRecords(_) => Action::ProcessRecords,
            Message::Checkpoint(_) => Action::Checkpoint,
            Message::LeaseLost => Action::LeaseLost,
            Message::ShardEnded => Action::ShardEnded,
            Message::ShutdownRequested => Action::ShutdownRequested,
            Message::Shutdown(_) => Action::Shutdown,
        }
    }
}

/// What the child says to the daemon.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// The message is dealt with. Each message but [`Message::Checkpoint`] is answered so, once;
    /// another action than the one that is waiting makes the daemon exit.
    Status {
        /// The action of the message.
        response_for: Action,
    },
    /// A checkpoint is to be taken; the daemon answers with [`Message::Checkpoint`].
    Checkpoint {
        /// Up to which record; `None` for all that the child was given.
        sequence: Option<SequenceNumber>,
        /// Up to which user record of an aggregated one.
        sub: Option<u64>,
    },
}

impl Reply {
    /// A checkpoint up to a record, or up to all that was given.
    pub fn checkpoint(upto: Option<&Sequence>) -> Self {
        Reply::Checkpoint {
            sequence: upto.map(|upto| upto.number.clone()),
            sub: upto.map(|upto| upto.sub),
        }
    }
}

impl Message {
    /// The error about a message that came out of turn.
    #[cold]
    pub(super) fn out_of_turn(&self, expected: &str) -> Error {
        Error::new(
            ErrorKind::Parse,
            format!("the daemon says {} where {expected} was due", self.action()),
        )
    }
}
