//! `streamgauge streams`: the streams of an account.

mod advice;
mod arguments;
mod figures;
mod sample;
mod scale;
mod show;

pub(crate) use arguments::StreamsArguments;

use crate::failure::Failure;
use crate::session::say;
use crate::settings::duration;
use arguments::{Action, CreateArguments, FiguresArguments, PlaceArguments, WaitArguments};
use sample::{Sample, open_shards};
use show::{Shown, show};
use std::time::{Duration, Instant};
use streamgauge::adapter::kinesis::{
    ClientOptions, CloudWatch, StreamClient, StreamMetrics, Streams,
};
use streamgauge::adapter::worker::{Clock, SystemClock};
use streamgauge::{Error, ShardId, Timestamp};

/// Time between two looks at the status of a stream.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long shards are sampled that CloudWatch has no figures of.
const FALLBACK_SAMPLE: Duration = Duration::from_secs(10);

/// How much of the past CloudWatch is asked for at most.
const LAST_MAX: Duration = Duration::from_secs(86_400);

/// What a stream's status is when it can be used.
const ACTIVE: &str = "ACTIVE";

/// Runs the action in each region. A region that fails does not keep the others from their turn.
///
/// # Errors
/// Wrong usage, or what failed in a region.
pub(crate) fn run(arguments: StreamsArguments) -> Result<(), Failure> {
    match arguments.action {
        Action::List(arguments) => {
            let past = past(&arguments.figures, &arguments.place)?;
            show_all(&arguments.place, false, |region| list(region, past.as_ref()))
        }
        Action::Describe(arguments) => {
            let length = arguments.sample.as_deref().map(|text| duration("--sample", text));
            let length = length.transpose()?;
            let past = past(&arguments.figures, &arguments.place)?;
            show_all(&arguments.place, true, |region| {
                describe(region, &arguments.name, (length, past.as_ref()))
            })
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

/// What CloudWatch is asked for: its address, if that is given, and how much of the past.
struct Past {
    endpoint: Option<String>,
    length: Duration,
}

fn past(figures: &FiguresArguments, place: &PlaceArguments) -> Result<Option<Past>, Failure> {
    let Some(endpoint) = &figures.cloudwatch else { return Ok(None) };
    if endpoint.is_none() && place.endpoint.is_some() {
        return Err(Failure::Usage(
            "--endpoint is the address of Kinesis only: give that of CloudWatch, too, by \
             --cloudwatch=URL"
                .to_owned(),
        ));
    }
    let length = duration("--last", &figures.last)?;
    if !(Duration::from_secs(60)..=LAST_MAX).contains(&length) {
        return Err(Failure::Usage(format!("--last {}: give 1m to 1d", figures.last)));
    }
    Ok(Some(Past { endpoint: endpoint.clone(), length }))
}

impl Past {
    fn connect(&self, region: &Region) -> Result<CloudWatch, Failure> {
        let mut options = region.options.clone();
        options.endpoint = self.endpoint.clone();
        CloudWatch::connect(options).map_err(|error| Failure::run(&error))
    }

    fn metrics(
        &self,
        cloud_watch: &mut CloudWatch,
        stream: (&str, &[ShardId]),
    ) -> Result<StreamMetrics, Failure> {
        let now = SystemClock.now();
        let length = i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX);
        let from = Timestamp::from_millis(now.as_millis().saturating_sub(length));
        cloud_watch.stream_metrics(stream, (from, now)).map_err(|error| {
            Failure::Run(format!(
                "{error}. The command needs the permission cloudwatch:GetMetricData; without \
                 --cloudwatch it does not ask CloudWatch"
            ))
        })
    }
}

fn list(region: &Region, past: Option<&Past>) -> Result<Vec<Shown>, Failure> {
    let failed = |error: Error| Failure::run(&error);
    let mut cloud_watch = past.map(|past| past.connect(region)).transpose()?;
    let mut all = Vec::new();
    for name in region.streams.names().map_err(failed)? {
        let stream = region.streams.summary(&name).map_err(failed)?;
        let metrics = match (past, &mut cloud_watch) {
            (Some(past), Some(client)) => Some(past.metrics(client, (&name, &[]))?),
            _ => None,
        };
        let region = region.name();
        all.push(Shown { region, stream, shards: Vec::new(), sample: None, metrics });
    }
    Ok(all)
}

fn describe(
    region: &Region,
    name: &str,
    (length, past): (Option<Duration>, Option<&Past>),
) -> Result<Vec<Shown>, Failure> {
    let stream = region.streams.summary(name).map_err(|error| Failure::run(&error))?;
    let mut client = region.stream(name)?;
    let shards = open_shards(&mut client, &mut SystemClock)?;
    let metrics = match past {
        Some(past) => {
            let ids: Vec<ShardId> = shards.iter().map(|shard| shard.id.clone()).collect();
            Some(past.metrics(&mut past.connect(region)?, (name, &ids))?)
        }
        None => None,
    };
    let has_no_shards = metrics.as_ref().is_some_and(|metrics| metrics.shards.is_empty());
    let sample = match length.or(has_no_shards.then_some(FALLBACK_SAMPLE)) {
        Some(length) => Some(Sample::take(&mut client, length, &mut SystemClock)?),
        None => None,
    };
    Ok(vec![Shown { region: region.name(), stream, shards, sample, metrics }])
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
