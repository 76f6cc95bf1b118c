//! One process that reads all partitions of a topic.

use super::read_topic::{ReadTopic, TopicEvent, shard_of};
use super::start::{self, Beginning};
use crate::adapter::worker::{
    Batch, Clock, ManyShards, ShardWork, StatefulProcessor, StreamStart, StreamWork, WholeStream,
};
use crate::error::{Error, ErrorKind};
use crate::record::{Record, ShardId};
use crate::store::Store;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long one step waits for records.
const WAIT: Duration = Duration::from_millis(200);

/// How often the partitions are listed, in milliseconds: a topic may get more of them.
const LIST_EVERY: i64 = 10_000;

/// Reads all partitions of a topic in this process, and computes one pipeline over them.
///
/// The state of the pipeline and the positions in all partitions are saved together, under the name
/// of the topic. After a crash the next process continues exactly there. If two processes have the
/// same state, the older one stops with [`ErrorKind::Conflict`].
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kafka::{TopicClient, TopicOptions, TopicProcessor};
/// use streamgauge::adapter::worker::{
///     PipelineWork, ProcessorOptions, StatefulProcessor, StreamStart, StreamWork, SystemClock,
/// };
/// use streamgauge::adapter::{Decoding, each};
/// use streamgauge::prelude::*;
/// use streamgauge::store::MemoryStore;
///
/// let hits = Pipeline::builder()
///     .event_time(|record: &Record| record.arrival)
///     .window(minutes(1))
///     .aggregate(count());
/// let decoding = Decoding::new(hits.build()?, |record: &Record| Ok::<_, Error>(record.clone()));
/// let work = StreamWork::new(PipelineWork::new(decoding, |_, _| {
///     Ok(Box::new(each(|hits: Emission<u64>| {
///         eprintln!("{:?}: {}", hits.window, hits.value);
///         Ok(())
///     })))
/// })?);
/// let processor =
///     StatefulProcessor::new(work, MemoryStore::new(), ProcessorOptions::default());
/// let mut options = TopicOptions::default();
/// options.brokers = "localhost:9092".to_owned();
/// let topic = TopicClient::connect("clicks", &options)?;
/// let mut clock = SystemClock;
/// let mut hits =
///     TopicProcessor::open("clicks", StreamStart::Latest, (topic, processor), &mut clock)?;
/// loop {
///     hits.step(&mut clock)?;
/// #   break;
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct TopicProcessor<T, W, S> {
    topic: T,
    name: String,
    stream: WholeStream<W, S>,
    partitions: BTreeMap<i32, OpenPartition>,
    listed_at: Timestamp,
    notes: Vec<String>,
}

#[derive(Debug)]
struct OpenPartition {
    shard: ShardId,
    is_at_end: bool,
}

impl<T: ReadTopic, W: ManyShards, S: Store> TopicProcessor<T, W, S> {
    /// Opens the topic: restores the state, finds the place in each partition, and saves the state
    /// once, so that a later process begins at the same places. `start` counts only if there is no
    /// state.
    ///
    /// # Errors
    /// Those of [`StatefulProcessor::open`], [`StatefulProcessor::process`] and [`ReadTopic`];
    /// [`ErrorKind::Mismatch`] if the topic does not have the positions of the state.
    pub fn open(
        name: &str,
        start: StreamStart,
        (topic, processor): (T, StatefulProcessor<StreamWork<W>, S>),
        clock: &mut dyn Clock,
    ) -> Result<Self, Error> {
        let mut opened = TopicProcessor {
            topic,
            name: name.to_owned(),
            stream: WholeStream::open(("topic", name), processor, clock)?,
            partitions: BTreeMap::new(),
            listed_at: clock.now(),
            notes: Vec::new(),
        };
        let listed = opened.topic.partitions()?;
        opened.stream.process(&Batch::default(), clock)?;
        let mut position = opened.stream.work_mut().position()?;
        let is_first = position.initial.is_empty() && position.shards.is_empty();
        let beginning = match is_first {
            true => Beginning::First(start),
            false => Beginning::Added,
        };
        if is_first {
            position.start = start;
            position.initial = listed.iter().map(|number| shard_of(name, *number)).collect();
        }
        opened.check_all_there(&listed, position.shards.keys())?;
        opened.begin(&listed, beginning)?;
        opened.stream.work_mut().begin(&position);
        opened.shut_down(clock)?;
        Ok(opened)
    }

    fn check_all_there<'a>(
        &self,
        listed: &[i32],
        mut known: impl Iterator<Item = &'a ShardId>,
    ) -> Result<(), Error> {
        let is_missing = |shard: &&ShardId| {
            !listed.iter().any(|number| shard_of(&self.name, *number) == **shard)
        };
        match known.find(is_missing) {
            None => Ok(()),
            Some(shard) => {
                let message = "the state has this partition, and the topic does not: was it \
                               created again? Use another --state for it";
                Err(Error::new(ErrorKind::Mismatch, message).at(shard))
            }
        }
    }

    /// Opens partitions, and reads them from their places.
    fn begin(&mut self, numbers: &[i32], beginning: Beginning) -> Result<(), Error> {
        let mut places = Vec::new();
        let known = self.stream.work_mut().position()?.shards;
        // The watermark of an added partition begins where those of the others are, so that a
        // partition without records does not open windows again.
        let others: Vec<ShardId> = known.keys().cloned().collect();
        for number in numbers {
            let shard = shard_of(&self.name, *number);
            let applied = known.get(&shard).and_then(Option::as_ref);
            let place = start::find(&mut self.topic, (&self.name, *number), applied, beginning)?;
            let work = self.stream.work_mut();
            let parents = if known.contains_key(&shard) { &[] } else { &others[..] };
            work.open_shard(&shard, parents, None)?;
            if let Some(before) = start::before(place.next) {
                work.select(&shard);
                work.skip_to(&before)?;
            }
            self.notes.extend(place.note);
            places.push((*number, place.next));
            self.partitions.insert(*number, OpenPartition { shard, is_at_end: false });
        }
        self.topic.begin(&places)
    }

    /// Waits for records, for at most 200 ms, and processes them. Call it again and again.
    ///
    /// # Errors
    /// Any error ends the run: [`ErrorKind::Conflict`] if another process has taken the topic over,
    /// those of the topic, the pipeline, the sink and the store. The state is as it was saved last.
    pub fn step(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        let events = self.topic.poll(WAIT)?;
        let mut is_quiet = true;
        for event in events {
            match event {
                TopicEvent::Records(number, records) => {
                    is_quiet = false;
                    self.take(number, records, clock)?;
                }
                TopicEvent::AtEnd(number) => {
                    if let Some(open) = self.partitions.get_mut(&number) {
                        open.is_at_end = true;
                    }
                    is_quiet = false;
                    self.take(number, Vec::new(), clock)?;
                }
                TopicEvent::Note(note) => self.notes.push(note),
                TopicEvent::Assigned(_) | TopicEvent::Revoked(_) | TopicEvent::Lost(_) => {}
            }
        }
        if is_quiet {
            self.tick(clock)?;
        }
        self.list_if_due(clock)
    }

    /// Processes records of a partition.
    fn take(
        &mut self,
        number: i32,
        records: Vec<Record>,
        clock: &mut dyn Clock,
    ) -> Result<(), Error> {
        let Some(open) = self.partitions.get_mut(&number) else { return Ok(()) };
        open.is_at_end &= records.is_empty();
        let millis_behind_latest = open.is_at_end.then_some(0);
        let batch = Batch { records, millis_behind_latest, ..Batch::default() };
        self.stream.process_of(&open.shard, &batch, clock)
    }

    /// Lets the clock work while no records come.
    fn tick(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        let at_end = self.partitions.iter().find(|(_, open)| open.is_at_end);
        let number = at_end.or_else(|| self.partitions.iter().next()).map(|(number, _)| *number);
        number.map_or(Ok(()), |number| self.take(number, Vec::new(), clock))
    }

    /// Looks for partitions that were added to the topic.
    fn list_if_due(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        let now = clock.now();
        if now.as_millis().saturating_sub(self.listed_at.as_millis()) < LIST_EVERY {
            return Ok(());
        }
        self.listed_at = now;
        // A broker that does not answer now may answer the next time.
        let Ok(listed) = self.topic.partitions() else { return Ok(()) };
        let added: Vec<i32> =
            listed.into_iter().filter(|number| !self.partitions.contains_key(number)).collect();
        if added.is_empty() {
            return Ok(());
        }
        self.begin(&added, Beginning::Added)?;
        let names: Vec<String> = added.iter().map(i32::to_string).collect();
        self.notes.push(format!("{}: partitions were added: {}", self.name, names.join(", ")));
        self.shut_down(clock)
    }

    /// Emits the complete answers and saves, before the process ends.
    ///
    /// # Errors
    /// Those of [`step`](TopicProcessor::step).
    pub fn shut_down(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        self.stream.shut_down(clock)
    }

    /// Emits all windows as they are, complete or not: for a process without durable state, whose
    /// open windows would be lost. Saves nothing, and nothing may be read after it.
    ///
    /// # Errors
    /// Those of the pipeline and of the sink.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.stream.finish()
    }

    /// Returns what an operator should know of the time since the last call.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Returns the number of records that were delivered to this process.
    pub fn records(&self) -> u64 {
        self.stream.records()
    }

    /// Returns the number of records that could not be decoded or aggregated in this process.
    pub fn dead_letters(&self) -> u64 {
        self.stream.dead_letters()
    }

    /// Returns the number of partitions that are read, and of those that were read to their end.
    pub fn partitions(&self) -> (usize, usize) {
        let at_end = self.partitions.values().filter(|open| open.is_at_end).count();
        (self.partitions.len(), at_end)
    }
}
