//! `streamgauge kafka`: a topic in one process, or in the processes of a group.

use crate::brokers;
use crate::failure::Failure;
use crate::kafka_arguments::{KafkaArguments, TopicArguments};
use crate::kcl::merger_options;
use crate::output::digits;
use crate::session::watch;
use crate::shared_stream::SharedStream;
use crate::stream_run::{self, Source, StreamRun};
use streamgauge::Error;
use streamgauge::adapter::kafka::{GroupMember, TopicClient, TopicOptions, TopicProcessor};
use streamgauge::adapter::worker::{
    ManyShards, ShardWork, StatefulProcessor, StreamStart, SystemClock,
};
use streamgauge::store::Store;

type Processor<W> = TopicProcessor<TopicClient, W, Box<dyn Store>>;

/// Reads the topic until a signal.
///
/// # Errors
/// Wrong usage, a failed run, a reader that has gone, or the signal.
pub(crate) fn run(arguments: KafkaArguments) -> Result<(), Failure> {
    let KafkaArguments { topic, from, unpacking, input, pipeline, output, copy, .. } = arguments;
    let mut options = options(&topic)?;
    brokers::set(&options);
    let topic = topic.topic.as_str();
    if options.group.is_some() {
        let asked = (input, pipeline, output);
        let shared = SharedStream::new("--consumer-group", asked, unpacking.packing)?;
        return match arguments.merge {
            true => {
                let merging = merger_options(&arguments.merging)?;
                shared.merger(&merging).map_err(|error| Failure::usage(&error))?;
                share((topic, &options, from), &shared, || shared.merger(&merging))
            }
            false => {
                options.headers = shared.headers().map_err(|error| Failure::usage(&error))?;
                share((topic, &options, from), &shared, || shared.processor())
            }
        };
    }
    match arguments.merge {
        true => {
            let asked = (input, pipeline, output);
            let (run, processor) = StreamRun::prepare_merging(asked, &arguments.merging)?;
            read(&run, (topic, &options, from), processor)
        }
        false => {
            let (run, processor) =
                StreamRun::prepare(topic, (input, pipeline, output, copy), unpacking.packing)?;
            options.headers.clone_from(&run.headers);
            read(&run, (topic, &options, from), processor)
        }
    }
}

fn read<W: ManyShards>(
    run: &StreamRun,
    (topic, options, from): (&str, &TopicOptions, StreamStart),
    processor: stream_run::Processor<W>,
) -> Result<(), Failure> {
    let client = TopicClient::connect(topic, options).map_err(|error| Failure::usage(&error))?;
    let opened = TopicProcessor::open(topic, from, (client, processor), &mut SystemClock);
    run.read(topic, opened.map_err(|error| Failure::run(&error))?)
}

/// Shares the partitions of the topic with the other members of the group, until a signal.
fn share<W: ShardWork>(
    (topic, options, from): (&str, &TopicOptions, StreamStart),
    shared: &SharedStream,
    make: impl Fn() -> Result<StatefulProcessor<W, Box<dyn Store>>, Error> + Sync,
) -> Result<(), Failure> {
    let interrupt = watch(false)?;
    let client = TopicClient::connect(topic, options).map_err(|error| Failure::usage(&error))?;
    let is_stopping = |notes: &[String]| {
        notes.iter().for_each(|note| shared.say(&format!("streamgauge: {note}\n")));
        interrupt.signal().is_some()
    };
    let done = GroupMember::new(client).run(from, make, is_stopping);
    done.map_err(|error| Failure::run(&error))?;
    let Some(signal) = interrupt.signal() else { return Ok(()) };
    let left = "the state is saved, and other members continue from there";
    shared.say(&format!("note: stopped by {}: {left}\n", signal.name()));
    Err(Failure::Interrupted(signal))
}

fn options(topic: &TopicArguments) -> Result<TopicOptions, Failure> {
    let mut options = TopicOptions::default();
    options.brokers.clone_from(&topic.brokers);
    options.group.clone_from(&topic.consumer_group);
    options.token_command.clone_from(&topic.token_command);
    if let Some(path) = &topic.config {
        options.read(path).map_err(|error| Failure::Usage(format!("--config {error}")))?;
    }
    options.properties.extend(topic.properties.iter().cloned());
    Ok(options)
}

impl<W: ManyShards> Source for Processor<W> {
    fn step(&mut self) -> Result<(), Error> {
        TopicProcessor::step(self, &mut SystemClock)
    }

    fn shut_down(&mut self) -> Result<(), Error> {
        TopicProcessor::shut_down(self, &mut SystemClock)
    }

    fn finish(&mut self) -> Result<(), Error> {
        TopicProcessor::finish(self)
    }

    fn records(&self) -> u64 {
        TopicProcessor::records(self)
    }

    fn dead_letters(&self) -> u64 {
        TopicProcessor::dead_letters(self)
    }

    fn progress(&self) -> String {
        let (partitions, at_end) = self.partitions();
        format!(
            "{partitions} partitions, {at_end} of them at their end, {} records, {} dead letters",
            digits::count(TopicProcessor::records(self)),
            digits::count(TopicProcessor::dead_letters(self)),
        )
    }

    fn take_notes(&mut self) -> Vec<String> {
        TopicProcessor::take_notes(self)
    }
}
