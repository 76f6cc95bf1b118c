//! `streamgauge kafka`: a topic in one process, or in the processes of a group.

use crate::failure::Failure;
use crate::kafka_arguments::{KafkaArguments, TopicArguments, property};
use crate::output::digits;
use crate::session::watch;
use crate::shared_stream::SharedStream;
use crate::stream_run::{Source, StreamRun};
use std::fs;
use streamgauge::Error;
use streamgauge::adapter::Declared;
use streamgauge::adapter::kafka::{GroupMember, TopicClient, TopicOptions, TopicProcessor};
use streamgauge::adapter::worker::{PipelineWork, StreamStart, SystemClock};
use streamgauge::store::Store;

type Processor = TopicProcessor<TopicClient, PipelineWork<Declared>, Box<dyn Store>>;

/// Reads the topic until a signal.
///
/// # Errors
/// Wrong usage, a failed run, a reader that has gone, or the signal.
pub(crate) fn run(arguments: KafkaArguments) -> Result<(), Failure> {
    let KafkaArguments { topic, from, packing, input, pipeline, output, copy } = arguments;
    let options = options(&topic)?;
    if options.group.is_some() {
        let shared = SharedStream::new("--consumer-group", (input, pipeline, output), packing)?;
        return share(&topic.topic, (&options, from), &shared);
    }
    let (run, processor) = StreamRun::prepare((input, pipeline, output, copy), packing)?;
    let client = TopicClient::connect(&topic.topic, &options);
    let client = client.map_err(|error| Failure::usage(&error))?;
    let opened = TopicProcessor::open(&topic.topic, from, (client, processor), &mut SystemClock);
    run.read(&topic.topic, opened.map_err(|error| Failure::run(&error))?)
}

/// Shares the partitions of the topic with the other members of the group, until a signal.
fn share(
    topic: &str,
    (options, from): (&TopicOptions, StreamStart),
    shared: &SharedStream,
) -> Result<(), Failure> {
    let interrupt = watch(false)?;
    let client = TopicClient::connect(topic, options).map_err(|error| Failure::usage(&error))?;
    let is_stopping = |notes: &[String]| {
        notes.iter().for_each(|note| shared.say(&format!("streamgauge: {note}\n")));
        interrupt.signal().is_some()
    };
    let done = GroupMember::new(client).run(from, || shared.processor(), is_stopping);
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
    if let Some(path) = &topic.config {
        let failed = |what: String| Failure::Usage(format!("--config {}: {what}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The line may be a secret, so it is not repeated.
            let parsed = property(line);
            options
                .properties
                .push(parsed.map_err(|use_it| failed(format!("line {}: {use_it}", index + 1)))?);
        }
    }
    options.properties.extend(topic.properties.iter().cloned());
    Ok(options)
}

impl Source for Processor {
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
