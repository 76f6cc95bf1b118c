//! The messages of the MultiLangDaemon, and the replies to them.

use crate::adapter::worker::Batch;
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, SequenceNumber, ShardId};
use std::fmt;

/// The request of a message: the word in its field `action`, and in the field `responseFor` of the
/// reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The first message.
    Initialize,
    /// Records.
    ProcessRecords,
    /// The answer to a checkpoint: the only message that gets no reply.
    Checkpoint,
    /// Another worker has the shard now.
    LeaseLost,
    /// The shard has no more records.
    ShardEnded,
    /// The daemon is about to shut down.
    ShutdownRequested,
    /// The end of a lease, in the protocol before `leaseLost` and `shardEnded`.
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
    /// Returns the name of the action in the protocol.
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
    /// After the record of the last checkpoint.
    After(Sequence),
    /// At the oldest record of the stream.
    TrimHorizon,
    /// At the records that arrive from now on.
    Latest,
    /// At a time that is set in the daemon's properties.
    AtTimestamp,
    /// A value that this version does not know, or no value.
    Other(Box<str>),
}

/// A message of the daemon.
#[derive(Debug)]
#[non_exhaustive]
pub enum Message {
    /// The first message: names the shard of the child.
    Initialize {
        /// The shard.
        shard: ShardId,
        /// The point from which the records of the shard come.
        from: StartingPoint,
    },
    /// Records of the shard. After a restart some may be delivered again. The daemon has already
    /// split records that the KPL aggregated, unless its properties say otherwise.
    ProcessRecords(Batch),
    /// The answer to [`Reply::Checkpoint`].
    Checkpoint(CheckpointAnswer),
    /// Another worker has the shard now. From here on every checkpoint is refused, and the other
    /// worker may emit the same answers.
    LeaseLost,
    /// The shard was split or merged, and has no more records. The child must checkpoint without a
    /// sequence number now, or the daemon never starts the child shards.
    ShardEnded,
    /// The daemon is about to shut down or to give the shard away: the last chance to checkpoint.
    ShutdownRequested,
    /// The message of daemons before 2.0 for the two cases above.
    Shutdown(ShutdownReason),
}

/// Why an old daemon ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ShutdownReason {
    /// `TERMINATE`: the shard has ended, and the child must checkpoint.
    Terminate,
    /// `ZOMBIE`: the lease is lost, and every checkpoint is refused.
    Zombie,
    /// Anything else.
    Other(Box<str>),
}

/// The daemon's answer to a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointAnswer {
    /// The sequence number of the request; `None` for a checkpoint of all records delivered.
    pub sequence: Option<Box<str>>,
    /// The sub-sequence number of the request.
    pub sub: Option<u64>,
    /// Why the checkpoint was refused; `None` if it was taken.
    pub error: Option<CheckpointError>,
}

/// Why the daemon refused a checkpoint: the simple name of a Java exception.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CheckpointError {
    /// `ThrottlingException`: the lease table is busy.
    Throttling,
    /// `KinesisClientLibDependencyException`: the lease table could not be reached.
    Dependency,
    /// `ShutdownException`: the lease is lost or the daemon shuts down.
    Shutdown,
    /// `InvalidStateException`: no checkpoint is possible in this state, as in `initialize` and
    /// after `leaseLost`; or the lease table is gone.
    InvalidState,
    /// Any other name, such as `IllegalArgumentException` for a sequence number that was not
    /// delivered or is before the last checkpoint.
    Other(Box<str>),
}

impl CheckpointError {
    /// Returns the error of that name.
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "ThrottlingException" => CheckpointError::Throttling,
            "KinesisClientLibDependencyException" => CheckpointError::Dependency,
            "ShutdownException" => CheckpointError::Shutdown,
            "InvalidStateException" => CheckpointError::InvalidState,
            other => CheckpointError::Other(other.into()),
        }
    }

    /// Returns the name of the exception.
    pub fn name(&self) -> &str {
        match self {
            CheckpointError::Throttling => "ThrottlingException",
            CheckpointError::Dependency => "KinesisClientLibDependencyException",
            CheckpointError::Shutdown => "ShutdownException",
            CheckpointError::InvalidState => "InvalidStateException",
            CheckpointError::Other(name) => name,
        }
    }

    /// Returns true if the same checkpoint may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, CheckpointError::Throttling | CheckpointError::Dependency)
    }

    /// Returns true if no later checkpoint of this process can succeed.
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
    /// Returns the action of the message.
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

/// A reply of the child to the daemon.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// The message has been processed. Each message except [`Message::Checkpoint`] gets this reply
    /// once. The name of another action makes the daemon exit.
    Status {
        /// The action of the message.
        response_for: Action,
    },
    /// Asks for a checkpoint. The daemon answers with [`Message::Checkpoint`].
    Checkpoint {
        /// The last record of the checkpoint; `None` for all records delivered.
        sequence: Option<SequenceNumber>,
        /// The last user record, inside an aggregated record.
        sub: Option<u64>,
    },
}

impl Reply {
    /// Returns the request for a checkpoint up to a record, or up to all records delivered.
    pub fn checkpoint(upto: Option<&Sequence>) -> Self {
        Reply::Checkpoint {
            sequence: upto.map(|upto| upto.number.clone()),
            sub: upto.map(|upto| upto.sub),
        }
    }
}

impl Message {
    /// Returns the error for a message that came out of turn.
    #[cold]
    pub(super) fn out_of_turn(&self, expected: &str) -> Error {
        Error::new(
            ErrorKind::Parse,
            format!("the daemon says {} where {expected} was due", self.action()),
        )
    }
}
