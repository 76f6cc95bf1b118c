//! `streamgauge streams`: the streams of an account.

mod advice;
mod arguments;
mod sample;
mod scale;
mod show;

pub(crate) use arguments::StreamsArguments;

use crate::failure::Failure;
use crate::session::say;
use crate::settings::duration;
use arguments::{Action, CreateArguments, DescribeArguments, PlaceArguments, WaitArguments};
use sample::{Sample, open_shards};
use show::{Shown, show};
use std::time::{Duration, Instant};
use streamgauge::Error;
use streamgauge::adapter::kinesis::{ClientOptions, StreamClient, Streams};
use streamgauge::adapter::worker::SystemClock;

/// Time between two looks at the status of a stream.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a stream's status is when it can be used.
const ACTIVE: &str = "ACTIVE";

/// Runs the action in each region. A region that fails does not keep the others from their turn.
///
/// # Errors
/// Wrong usage, or what failed in a region.
pub(crate) fn run(arguments: StreamsArguments) -> Result<(), Failure> {
    match arguments.action {
        Action::List(arguments) => show_all(&arguments.place, false, list),
        Action::Describe(arguments) => {
            let length = arguments.sample.as_deref().map(|text| duration("--sample", text));
            let length = length.transpose()?;
            show_all(&arguments.place, true, |region| describe(region, &arguments, length))
        }
        Action::Create(arguments) => {
            let timeout = duration("--timeout", &arguments.timeout)?;
            each_region(&arguments.place, |region| create(region, &arguments, timeout))
        }
        Action::Wait(arguments) => {
            let timeout = duration("--timeout", &arguments.timeout)?;
            let WaitArguments { name, place, .. } = &arguments;
            each_region(place, |region| wait_until_active(&region.streams, name, timeout))
        }
        Action::Scale(arguments) => {
            each_region(&arguments.place, |region| scale::scale(region, &arguments))
        }
    }
}

/// The streams of one region.
struct Region {
    streams: Streams,
    options: ClientOptions,
}

impl Region {
    fn name(&self) -> String {
        self.streams.region().unwrap_or("-").to_owned()
    }

    /// Returns a client of one stream.
    fn stream(&self, name: &str) -> Result<StreamClient, Failure> {
        let client = StreamClient::connect_with(name, self.options.clone());
        client.map_err(|error| Failure::run(&error))
    }
}

/// Runs an action in each region.
fn each_region(
    place: &PlaceArguments,
    mut action: impl FnMut(&Region) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let regions: Vec<Option<&String>> = match place.region.as_slice() {
        [] => vec![None],
        named => named.iter().map(Some).collect(),
    };
    let mut failed = Vec::new();
    for region in &regions {
        let mut options = ClientOptions::default();
        (options.region, options.endpoint) = (region.cloned(), place.endpoint.clone());
        let streams = Streams::connect(options.clone()).map_err(|error| Failure::run(&error))?;
        match action(&Region { streams, options }) {
            Ok(()) => {}
            Err(Failure::Run(message)) => failed.push(match region {
                Some(region) => format!("{region}: {message}"),
                None => message,
            }),
            Err(other) => return Err(other),
        }
    }
    let Some(last) = failed.pop() else { return Ok(()) };
    failed.iter().for_each(|message| say(&format!("error: {message}\n")));
    Err(Failure::Run(last))
}

/// Shows what is found in each region.
fn show_all(
    place: &PlaceArguments,
    with_shards: bool,
    mut find: impl FnMut(&Region) -> Result<Vec<Shown>, Failure>,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    let found = each_region(place, |region| {
        all.append(&mut find(region)?);
        Ok(())
    });
    show(&all, place.output, with_shards).map_err(|error| Failure::output(&error))?;
    found
}

fn list(region: &Region) -> Result<Vec<Shown>, Failure> {
    let failed = |error: Error| Failure::run(&error);
    let mut all = Vec::new();
    for name in region.streams.names().map_err(failed)? {
        let stream = region.streams.summary(&name).map_err(failed)?;
        all.push(Shown { region: region.name(), stream, shards: Vec::new(), sample: None });
    }
    Ok(all)
}

fn describe(
    region: &Region,
    arguments: &DescribeArguments,
    length: Option<Duration>,
) -> Result<Vec<Shown>, Failure> {
    let name = &arguments.name;
    let stream = region.streams.summary(name).map_err(|error| Failure::run(&error))?;
    let mut client = region.stream(name)?;
    let mut shards = Vec::new();
    let sample = match length {
        Some(length) => Some(Sample::take(&mut client, length, &mut SystemClock)?),
        None => {
            shards = open_shards(&mut client, &mut SystemClock)?;
            None
        }
    };
    Ok(vec![Shown { region: region.name(), stream, shards, sample }])
}

fn create(region: &Region, arguments: &CreateArguments, timeout: Duration) -> Result<(), Failure> {
    let shards = arguments.shards.map(std::num::NonZeroU32::get);
    let created = region.streams.create(&arguments.name, shards);
    created.map_err(|error| Failure::run(&error))?;
    match arguments.no_wait {
        true => Ok(()),
        false => wait_until_active(&region.streams, &arguments.name, timeout),
    }
}

/// Waits until the status of a stream is ACTIVE.
fn wait_until_active(streams: &Streams, name: &str, timeout: Duration) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let stream = streams.summary(name).map_err(|error| Failure::run(&error))?;
        if stream.status == ACTIVE {
            return Ok(());
        }
        if begin.elapsed() >= timeout {
            return Err(Failure::Run(format!(
                "the stream {name} is {} after {} s: wait longer with --timeout",
                stream.status,
                timeout.as_secs(),
            )));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
