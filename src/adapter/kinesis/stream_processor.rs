//! One process that reads all shards of a stream.

use super::read_stream::ReadStream;
use super::reader::{StreamEvent, StreamReader};
use crate::adapter::worker::{
    Batch, Clock, ManyShards, StatefulProcessor, StreamStart, StreamWork, WholeStream,
};
use crate::error::{Error, ErrorKind};
use crate::store::Store;
use crate::time::Timestamp;
use std::time::Duration;

/// Reads all shards of a stream in this process, and computes one pipeline over them.
///
/// The state of the pipeline and the positions in all shards are saved together, under the name of
/// the stream. After a crash the next process continues exactly there. If two processes have the
/// same state, the older one stops with [`ErrorKind::Conflict`].
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kinesis::{StreamClient, StreamProcessor, StreamReader};
/// use streamgauge::adapter::worker::{
///     PipelineWork, ProcessorOptions, StreamStart, StreamWork, SystemClock,
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
/// # use streamgauge::adapter::worker::StatefulProcessor;
/// let reader = StreamReader::new(StreamClient::connect("hits")?, 1);
/// let mut clock = SystemClock;
/// let mut hits = StreamProcessor::open("hits", StreamStart::Latest, (reader, processor), &mut clock)?;
/// loop {
///     hits.step(&mut clock)?;
/// #   break;
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct StreamProcessor<T, W, S> {
    reader: StreamReader<T>,
    stream: WholeStream<W, S>,
}

impl<T: ReadStream, W: ManyShards, S: Store> StreamProcessor<T, W, S> {
    /// Opens the stream: restores the state, lists the shards, and saves the state once, so that a
    /// later process begins at the same place. `start` counts only if there is no state.
    ///
    /// # Errors
    /// Those of [`StatefulProcessor::open`], [`StatefulProcessor::process`] and
    /// [`StreamReader::open`].
    pub fn open(
        stream: &str,
        start: StreamStart,
        (mut reader, processor): (StreamReader<T>, StatefulProcessor<StreamWork<W>, S>),
        clock: &mut dyn Clock,
    ) -> Result<Self, Error> {
        let mut stream = WholeStream::open(("stream", stream), processor, clock)?;
        let mut position = stream.work_mut().position()?;
        if position.shards.is_empty() && position.initial.is_empty() {
            check_start(start, clock.now())?;
            position.start = start;
        }
        reader.open(&mut position, clock)?;
        stream.work_mut().begin(&position);
        stream.process(&Batch::default(), clock)?;
        Ok(StreamProcessor { reader, stream })
    }

    /// Reads each shard whose turn has come, or sleeps for at most 200 ms if no turn has come, and
    /// processes what was read. Call it again and again.
    ///
    /// # Errors
    /// Any error ends the run: [`ErrorKind::Conflict`] if another process has taken the stream
    /// over, those of the reader, the pipeline, the sink and the store. The state is as it was
    /// saved last.
    pub fn step(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        for event in self.reader.poll(clock)? {
            match event {
                StreamEvent::Opened(shard) => {
                    self.stream.work_mut().open_shard(&shard.id, &shard.parents, shard.range)?
                }
                StreamEvent::Records(shard, batch) => {
                    self.stream.process_of(&shard, &batch, clock)?;
                }
                StreamEvent::Ended(shard) => self.stream.work_mut().close_shard(&shard)?,
            }
        }
        Ok(())
    }

    /// Emits the complete answers and saves, before the process ends.
    ///
    /// # Errors
    /// Those of [`step`](StreamProcessor::step).
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

    /// Returns the work.
    pub fn work(&self) -> &StreamWork<W> {
        self.stream.work()
    }

    /// Returns the number of records that were delivered to this process. One that the KPL
    /// aggregated counts as one.
    pub fn records(&self) -> u64 {
        self.stream.records()
    }

    /// Returns the number of records that could not be decoded or aggregated in this process.
    pub fn dead_letters(&self) -> u64 {
        self.stream.dead_letters()
    }

    /// Returns how far behind the end of the stream the reading is, if that is known.
    pub fn lag(&self) -> Option<Duration> {
        self.reader.lag()
    }

    /// Returns the reader.
    pub fn reader(&self) -> &StreamReader<T> {
        &self.reader
    }
}

/// Refuses a start in the future: the shards that follow until then would begin too early.
fn check_start(start: StreamStart, now: Timestamp) -> Result<(), Error> {
    match start {
        StreamStart::AtTime(time) if time > now => {
            let message = format!("the stream cannot begin at {time}, which is in the future");
            Err(Error::new(ErrorKind::InvalidArgument, message))
        }
        _ => Ok(()),
    }
}
