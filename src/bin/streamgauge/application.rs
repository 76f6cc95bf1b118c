//! `streamgauge kinesis --application`: one of several processes that read a stream.

use crate::failure::Failure;
use crate::kcl::merger_options;
use crate::kinesis::{connect, consumer};
use crate::kinesis_arguments::{KinesisArguments, StreamArguments};
use crate::session::watch;
use crate::settings::duration;
use crate::shared_stream::SharedStream;
use crate::standard_error::say;
use std::sync::Arc;
use streamgauge::Error;
use streamgauge::adapter::kinesis::{Application, ApplicationOptions};

/// Shares the shards of the stream with the other workers, until a signal.
///
/// # Errors
/// Wrong usage, a failed run, or the signal.
pub(crate) fn run(name: &str, arguments: KinesisArguments) -> Result<(), Failure> {
    let interrupt = watch(false)?;
    let mut options = options(&arguments)?;
    let KinesisArguments { stream, unpacking, input, pipeline, output, merging, .. } = arguments;
    if arguments.merge && output.out.is_none() {
        return Err(Failure::Usage(String::from(
            "--merge needs --out DIR: the answers of each shard's partials get a file there",
        )));
    }
    let merging = arguments.merge.then(|| merger_options(&merging)).transpose()?;
    let shared = SharedStream::new("--application", (input, pipeline, output), unpacking.packing)?;
    let worker = options.worker.clone();
    let failed = |error: Error| Failure::run(&error);
    if let Some(merging) = &merging {
        shared.merger(merging).map_err(|error| Failure::usage(&error))?;
    }
    let client = connect(&stream)?;
    options.consumer = consumer(&client, arguments.fan_out.as_deref())?;
    let application = Application::open(name, client, options);
    let application = application.map_err(failed)?;
    shared.say(&format!("streamgauge: {name}: this worker is {worker}\n"));
    let is_stopping = || interrupt.signal().is_some();
    let done = match &merging {
        Some(merging) => application.run(|| shared.merger(merging), is_stopping),
        None => application.run(|| shared.processor(), is_stopping),
    };
    done.map_err(failed)?;
    let Some(signal) = interrupt.signal() else { return Ok(()) };
    let left = "the state is saved, and other workers continue from there";
    shared.say(&format!("note: stopped by {}: {left}\n", signal.name()));
    Err(Failure::Interrupted(signal))
}

fn options(arguments: &KinesisArguments) -> Result<ApplicationOptions, Failure> {
    let sharing = &arguments.sharing;
    let StreamArguments { region, .. } = &arguments.stream;
    let mut options = ApplicationOptions::default();
    (options.start, options.packing) = (arguments.from, arguments.unpacking.packing);
    options.failover = duration("--failover", &sharing.failover)?;
    (options.tables.endpoint, options.tables.region) =
        (sharing.lease_endpoint.clone(), region.clone());
    if let Some(worker) = &sharing.worker {
        options.worker.clone_from(worker);
    }
    options.on_note = match arguments.output.quiet {
        true => Arc::new(|_| {}),
        false => Arc::new(|note| say(&format!("streamgauge: {note}\n"))),
    };
    Ok(options)
}
