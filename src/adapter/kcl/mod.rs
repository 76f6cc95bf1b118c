//! The protocol of the Kinesis Client Library's MultiLangDaemon.
//!
//! The daemon starts one child process for each shard that it leases. It talks to the child over
//! standard input and output: one JSON object a line, strictly request and answer. A [`Message`]
//! comes from the daemon, a [`Reply`] from the child. A [`Session`] is the conversation: it answers
//! each message once, waits for the answer to a checkpoint, and ends at the end of input, which is
//! legal at any moment.
//!
//! Written after the observed behaviour of the daemons 3.1.3 and 2.5.4. The messages are those of
//! AWS's `software.amazon.kinesis.multilang.messages`.
//!
//! [`run`] passes the messages of a session to a [`RecordProcessor`]. [`StatefulProcessor`] is the
//! ready-made one: the loop with state in a store that all sources with shards share
//! ([`worker`](crate::adapter::worker)).
//!
//! # Example
//! ```
//! use streamgauge::adapter::kcl::{Checkpointed, Message, Session};
//! let input = br#"{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}
//! {"action":"shardEnded"}
//! {"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}
//! "#;
//! let mut output = Vec::new();
//! let mut session = Session::new(&input[..], &mut output);
//! while let Some(message) = session.read()? {
//!     if matches!(message, Message::ShardEnded) {
//!         assert_eq!(session.checkpoint(None)?, Checkpointed::Done);
//!     }
//!     session.answer()?;
//! }
//! assert_eq!(output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 3);
//! # Ok::<(), streamgauge::Error>(())
//! ```

mod checkpointer;
mod processor;
mod protocol;
mod session;
mod stateful;
mod wire;

pub use crate::adapter::worker::{
    AnswerSink, Batch, Clock, MergerWork, Merging, OnDeadLetter, PipelineWork, ProcessorOptions,
    ShardWork, StatefulProcessor, SystemClock,
};
pub use checkpointer::Checkpointer;
pub use processor::{End, RecordProcessor, run};
pub use protocol::{
    Action, CheckpointAnswer, CheckpointError, Message, Reply, ShutdownReason, StartingPoint,
};
pub use session::{Checkpointed, Session};
