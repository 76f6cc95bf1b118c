//! The loop of every source whose records come in shards, for any transport: apply records, emit
//! answers, save the state, checkpoint.
//!
//! [`StatefulProcessor`] is the loop of one shard. A [`ShardWork`] is its computation:
//! [`PipelineWork`] or [`MergerWork`]; [`StreamWork`] is that of all shards of a stream. The loop
//! saves state in a [`Store`](crate::store::Store), detects that another process has taken the
//! shard over, hands the open windows of an ended shard over to a new one, and lets the clock
//! complete the windows of a quiet shard.
//!
//! An adapter makes a [`Batch`] from the deliveries of its transport, implements [`Checkpoint`],
//! and calls the processor, as [`kcl`](crate::adapter::kcl) does for the KCL's daemon. Users of
//! such an adapter do not need this module: the adapter re-exports what they need.
//!
//! # Example
//! A source of your own, which remembers its checkpoint:
//! ```
//! use std::time::Duration;
//! use streamgauge::adapter::worker::{
//!     Batch, Checkpoint, CheckpointOutcome, Clock, PipelineWork, ProcessorOptions,
//!     StatefulProcessor, SystemClock,
//! };
//! use streamgauge::adapter::{Decoding, each};
//! use streamgauge::prelude::*;
//! use streamgauge::store::MemoryStore;
//!
//! #[derive(Default)]
//! struct Source {
//!     clock: SystemClock,
//!     checkpoint: Option<Sequence>,
//! }
//!
//! impl Checkpoint for Source {
//!     fn clock(&mut self) -> &mut dyn Clock {
//!         &mut self.clock
//!     }
//!     fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
//!         self.checkpoint = upto.cloned();
//!         Ok(CheckpointOutcome::Accepted)
//!     }
//! }
//!
//! let hits = Pipeline::builder()
//!     .event_time(|record: &Record| record.arrival)
//!     .window(Tumbling::new(minutes(1))?)
//!     .aggregate(count());
//! let decoding = Decoding::new(hits.build()?, |record: &Record| Ok::<_, Error>(record.clone()));
//! let work = PipelineWork::new(decoding, |_, _| {
//!     Ok(Box::new(each(|emission: Emission<u64>| {
//!         assert_eq!(emission.value, 2, "two records in the first minute");
//!         Ok(())
//!     })))
//! })?;
//! let mut options = ProcessorOptions::default();
//! options.every = Duration::ZERO;
//! let (mut source, shard) = (Source::default(), ShardId::new("shard-0"));
//! let mut processor = StatefulProcessor::new(work, MemoryStore::new(), options);
//! processor.open(&shard, source.checkpoint.as_ref(), source.clock.now())?;
//!
//! let record = |number: u64, minute: i64| {
//!     let sequence = Sequence { number: number.into(), sub: 0 };
//!     Record {
//!         partition_key: "key".into(),
//!         data: "hit".into(),
//!         arrival: Timestamp::from_millis(minute * 60_000),
//!         position: Position { shard: shard.clone(), sequence },
//!         headers: Default::default(),
//!     }
//! };
//! let mut batch = Batch::default();
//! batch.records = vec![record(1, 0), record(2, 0), record(3, 1)];
//! processor.process(&batch, &mut source)?;
//! assert_eq!(source.checkpoint, Some(Sequence { number: 3u64.into(), sub: 0 }));
//! # Ok::<(), Error>(())
//! ```

mod batch;
mod checkpoint;
mod clock;
mod many_shards;
mod merger_work;
mod options;
mod pipeline_work;
mod processor;
mod shard_state;
mod shard_store;
mod shard_work;
mod stream_state;
mod stream_work;
#[cfg(any(feature = "kafka", feature = "kinesis"))]
mod whole_stream;
mod work_call;

pub use batch::Batch;
pub use checkpoint::{Checkpoint, CheckpointOutcome, CheckpointRefusal};
pub use clock::{Clock, SystemClock};
pub use many_shards::{ManyShards, OpenShard};
pub use merger_work::{AnswerSink, MergerState, MergerWork, Merging};
pub use options::{OnDeadLetter, ProcessorOptions};
pub use pipeline_work::PipelineWork;
pub use processor::StatefulProcessor;
pub use shard_state::{Phase, ShardState};
pub use shard_work::ShardWork;
pub use stream_state::{StreamPosition, StreamStart, StreamState};
pub use stream_work::StreamWork;
#[cfg(any(feature = "kafka", feature = "kinesis"))]
pub(in crate::adapter) use whole_stream::WholeStream;
pub use work_call::WorkCall;
