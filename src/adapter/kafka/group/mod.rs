//! Several processes that share the partitions of a topic by a consumer group of Kafka.
//!
//! Each partition has its own pipeline and its own state. [`member::Member`] answers the group and
//! passes records on; a [`partition_run::PartitionRun`] is the way of one partition. Both are free
//! of threads, and the tests drive them through a simulated group; [`threads::Threads`] has a
//! thread for each partition.

mod beginning;
mod member;
mod order;
mod partition_run;
#[cfg(test)]
mod tests;
mod threads;

use self::member::Member;
use self::threads::Threads;
use super::client::TopicClient;
use crate::adapter::worker::{ShardWork, StatefulProcessor, StreamStart, SystemClock};
use crate::error::Error;
use crate::store::Store;
use std::thread;

/// Makes the processor of a partition, in any thread.
type Make<'a, W, S> = &'a (dyn Fn() -> Result<StatefulProcessor<W, S>, Error> + Sync);

/// One member of a consumer group: a process that reads some partitions of a topic, while other
/// members read the others.
///
/// Each partition has its own pipeline and its own state; the answers of a partition are for its
/// records, and partials give those over all partitions. A partition moves from one member to
/// another with its open windows: its state is saved before the group learns that it is free. All
/// members need the same store.
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kafka::{GroupMember, TopicClient, TopicOptions};
/// use streamgauge::adapter::worker::{
///     PipelineWork, ProcessorOptions, StatefulProcessor, StreamStart,
/// };
/// use streamgauge::adapter::{Decoding, each};
/// use streamgauge::prelude::*;
/// use streamgauge::store::DirectoryStore;
///
/// let mut options = TopicOptions::default();
/// (options.brokers, options.group) = ("localhost:9092".to_owned(), Some("hits".to_owned()));
/// let member = GroupMember::new(TopicClient::connect("clicks", &options)?);
/// let processor = || {
///     let hits = Pipeline::builder()
///         .event_time(|record: &Record| record.arrival)
///         .window(minutes(1))
///         .aggregate(count());
///     let decoding =
///         Decoding::new(hits.build()?, |record: &Record| Ok::<_, Error>(record.clone()));
///     let work = PipelineWork::new(decoding, |_, _| {
///         Ok(Box::new(each(|hits: Emission<u64>| {
///             eprintln!("{:?}: {}", hits.window, hits.value);
///             Ok(())
///         })))
///     })?;
///     let store = DirectoryStore::open("/mnt/shared/hits-state")?;
///     Ok(StatefulProcessor::new(work, store, ProcessorOptions::default()))
/// };
/// member.run(StreamStart::Latest, processor, |notes: &[String]| {
///     notes.iter().for_each(|note| eprintln!("{note}"));
///     false // true to stop
/// })?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct GroupMember {
    topic: TopicClient,
}

impl GroupMember {
    /// Creates a member from a client that was connected with a
    /// [group](super::TopicOptions::group).
    pub fn new(topic: TopicClient) -> Self {
        GroupMember { topic }
    }

    /// Works until `is_stopping` returns true: reads the partitions that the group gives, each with
    /// a thread of its own for the work. Then it saves, and leaves the group. `make` is called in
    /// the thread of each partition. `is_stopping` gets what an operator should know of the time
    /// since its last call. `start` counts for a topic that the application has never read.
    ///
    /// # Errors
    /// The first error of a partition or of the topic that no repetition helps against. What was
    /// saved stays saved, and other members continue from there.
    pub fn run<W: ShardWork, S: Store>(
        mut self,
        start: StreamStart,
        make: impl Fn() -> Result<StatefulProcessor<W, S>, Error> + Sync,
        mut is_stopping: impl FnMut(&[String]) -> bool,
    ) -> Result<(), Error> {
        let name = self.topic.topic().to_owned();
        beginning::settle(&mut self.topic, (&name, start), &make, &mut SystemClock)?;
        thread::scope(|scope| {
            let mut workers = Threads::new(scope, &name, &make);
            let mut member = Member::new(self.topic, &name);
            let mut run = || {
                loop {
                    if is_stopping(&member.take_notes()) {
                        member.leave(&mut workers);
                    }
                    if !member.step(&mut workers, &mut SystemClock)? {
                        return Ok(());
                    }
                }
            };
            run()
        })
    }
}
