//! `streamgauge kinesis`: all shards of a stream in one process.

use crate::failure::Failure;
use crate::kinesis_arguments::{KinesisArguments, StreamArguments};
use crate::output::digits;
use crate::stream_run::{self, Source, StreamRun};
use std::time::{SystemTime, UNIX_EPOCH};
use streamgauge::Error;
use streamgauge::adapter::kinesis::{
    ClientOptions, Consumer, FanOut, ReadStream, StreamClient, StreamProcessor, StreamReader,
};
use streamgauge::adapter::worker::{ManyShards, StreamStart, SystemClock};
use streamgauge::store::Store;

type Processor<W> = StreamProcessor<Box<dyn ReadStream>, W, Box<dyn Store>>;

/// Reads the stream until a signal, alone or with other processes.
///
/// # Errors
/// Wrong usage, a failed run, a reader that has gone, or the signal.
pub(crate) fn run(arguments: KinesisArguments) -> Result<(), Failure> {
    #[cfg(feature = "dynamodb")]
    if let Some(name) = arguments.sharing.application.clone() {
        return crate::application::run(&name, arguments);
    }
    let KinesisArguments {
        stream, from, fan_out, unpacking, input, pipeline, output, copy, ..
    } = arguments;
    let place = (&stream, from, fan_out.as_deref());
    match arguments.merge {
        true => {
            let asked = (input, pipeline, output);
            let (run, processor) = StreamRun::prepare_merging(asked, &arguments.merging)?;
            read(&run, place, processor)
        }
        false => {
            let asked = (input, pipeline, output, copy);
            let (run, processor) = StreamRun::prepare(&stream.stream, asked, unpacking.packing)?;
            read(&run, place, processor)
        }
    }
}

fn read<W: ManyShards>(
    run: &StreamRun,
    (stream, from, fan_out): (&StreamArguments, StreamStart, Option<&str>),
    processor: stream_run::Processor<W>,
) -> Result<(), Failure> {
    let client = connect(stream)?;
    let transport: Box<dyn ReadStream> = match consumer(&client, fan_out)? {
        Some(arn) => Box::new(FanOut::new(Consumer::new(client, &arn))),
        None => Box::new(client),
    };
    let reader = StreamReader::new(transport, seed());
    let opened = StreamProcessor::open(&stream.stream, from, (reader, processor), &mut SystemClock);
    run.read(&stream.stream, opened.map_err(|error| Failure::run(&error))?)
}

/// Returns the ARN of the consumer that the command line names.
///
/// # Errors
/// The consumer cannot be found, or registered.
pub(crate) fn consumer(
    client: &StreamClient,
    name: Option<&str>,
) -> Result<Option<String>, Failure> {
    name.map(|name| match name.starts_with("arn:") {
        true => Ok(name.to_owned()),
        false => Consumer::register(client, name).map_err(|error| Failure::run(&error)),
    })
    .transpose()
}

/// Returns a client of the stream that the command line names.
///
/// # Errors
/// The client cannot be made.
pub(crate) fn connect(stream: &StreamArguments) -> Result<StreamClient, Failure> {
    let mut options = ClientOptions::default();
    (options.endpoint, options.region) = (stream.endpoint.clone(), stream.region.clone());
    StreamClient::connect_with(&stream.stream, options).map_err(|error| Failure::run(&error))
}

/// Returns a number that differs between processes, for the pauses.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (u64::from(std::process::id()) << 32)
}

impl<W: ManyShards> Source for Processor<W> {
    fn step(&mut self) -> Result<(), Error> {
        StreamProcessor::step(self, &mut SystemClock)
    }

    fn shut_down(&mut self) -> Result<(), Error> {
        StreamProcessor::shut_down(self, &mut SystemClock)
    }

    fn finish(&mut self) -> Result<(), Error> {
        StreamProcessor::finish(self)
    }

    fn records(&self) -> u64 {
        StreamProcessor::records(self)
    }

    fn dead_letters(&self) -> u64 {
        StreamProcessor::dead_letters(self)
    }

    fn progress(&self) -> String {
        let behind = match self.lag() {
            Some(lag) if lag.is_zero() => "at the end of the stream".to_owned(),
            Some(lag) => format!("{:.1} s behind the end of the stream", lag.as_secs_f64()),
            None => "the end of the stream is not known yet".to_owned(),
        };
        format!(
            "{} shards, {} records, {} dead letters, {behind}",
            self.reader().shards_open(),
            digits::count(StreamProcessor::records(self)),
            digits::count(StreamProcessor::dead_letters(self)),
        )
    }
}
