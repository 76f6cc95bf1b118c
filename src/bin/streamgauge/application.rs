//! `streamgauge kinesis --application`: one of several processes that read a stream.

use crate::failure::Failure;
use crate::kinesis::connect;
use crate::kinesis_arguments::{KinesisArguments, StreamArguments};
use crate::session::watch;
use crate::settings::duration;
use crate::shared_stream::SharedStream;
use std::sync::Arc;
use streamgauge::Error;
use streamgauge::adapter::kinesis::{Application, ApplicationOptions};

/// Shares the shards of the stream with the other workers, until a signal.
///
/// # Errors
/// Wrong usage, a failed run, or the signal.
pub(crate) fn run(name: &str, arguments: KinesisArguments) -> Result<(), Failure> {
    let interrupt = watch(false)?;
    let options = options(&arguments)?;
    let KinesisArguments { stream, packing, input, pipeline, output, .. } = arguments;
    let shared = SharedStream::new("--application", (input, pipeline, output), packing)?;
    let worker = options.worker.clone();
    let failed = |error: Error| Failure::run(&error);
    let application = Application::open(name, connect(&stream)?, options);
    let application = application.map_err(failed)?;
    shared.say(&format!("streamgauge: {name}: this worker is {worker}\n"));
    application.run(|| shared.processor(), || interrupt.signal().is_some()).map_err(failed)?;
    let Some(signal) = interrupt.signal() else { return Ok(()) };
    let left = "the state is saved, and other workers continue from there";
    shared.say(&format!("note: stopped by {}: {left}\n", signal.name()));
    Err(Failure::Interrupted(signal))
}

fn options(arguments: &KinesisArguments) -> Result<ApplicationOptions, Failure> {
    let sharing = &arguments.sharing;
    let StreamArguments { region, .. } = &arguments.stream;
    let mut options = ApplicationOptions::default();
    (options.start, options.packing) = (arguments.from, arguments.packing);
    options.failover = duration("--failover", &sharing.failover)?;
    (options.tables.endpoint, options.tables.region) =
        (sharing.lease_endpoint.clone(), region.clone());
    if let Some(worker) = &sharing.worker {
        options.worker.clone_from(worker);
    }
    if arguments.output.quiet {
        options.on_note = Arc::new(|_| {});
    }
    Ok(options)
}
