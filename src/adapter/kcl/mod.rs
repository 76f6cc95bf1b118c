//! The protocol of the Kinesis Client Library's MultiLangDaemon.
//!
//! The daemon starts one child process for each shard that it leases and talks to it over standard
//! input and output: one JSON object a line, strictly request and answer. [`Message`] is what it
//! says, [`Reply`] what the child answers, [`Session`] the conversation: it answers each message
//! once, waits for the answer to a checkpoint, and ends at the end of input, which is legal at any
//! moment.
//!
//! Written to what the daemon 3.1.3 and 2.5.4 was observed to say; the messages are those of AWS's
//! `software.amazon.kinesis.multilang.messages`.
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
mod clock;
mod lines;
mod merger_work;
mod pipeline_work;
mod processor;
mod protocol;
mod session;
mod shard_state;
mod shard_store;
mod stateful;
mod wire;

pub use checkpointer::Checkpointer;
pub use clock::{Clock, SystemClock};
pub use lines::{LINE_BYTES_MAX, LineReader};
pub use merger_work::{AnswerSink, MergerState, MergerWork, Merging};
pub use pipeline_work::PipelineWork;
pub use processor::{End, RecordProcessor, run};
pub use protocol::{
    Action, Batch, CheckpointAnswer, CheckpointError, Message, Reply, ShutdownReason, StartingPoint,
};
pub use session::{Checkpointed, Session};
pub use shard_state::{Phase, ShardState};
pub use stateful::{OnDeadLetter, ProcessorOptions, StatefulProcessor, Work};
pub use wire::MESSAGE_RECORDS_MAX;
