//! `streamgauge storm`: the process that Storm's `ShellBolt` starts for each task of a bolt.

use crate::arguments::StormArguments;
use crate::early;
use crate::failure::Failure;
use crate::kcl::{dead_letters, late_records};
use crate::protocol_output;
use crate::settings::{duration, seed};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use streamgauge::adapter::storm::{Bolt, BoltOptions, Output, Reply, TupleWork, run as run_bolt};
use streamgauge::adapter::worker::{ProcessorOptions, SystemClock};
use streamgauge::adapter::{Declared, JsonLinesSink, read_lookups, read_pipeline};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::store;

const INPUT_BUFFER_BYTES: usize = 64 << 10;

/// Runs the task until Storm ends it.
///
/// # Errors
/// Wrong usage; a failed run: an unreadable message, a limit, a store that failed, or another
/// process that has the task.
pub(crate) fn run(arguments: &StormArguments) -> Result<(), Failure> {
    let spec = read_pipeline(&arguments.pipeline).map_err(|error| Failure::usage(&error))?;
    if !spec.has_windows() && spec.rows.is_none() && spec.select.is_none() {
        return Err(Failure::Usage(String::from(
            "a stream has no end, so the pipeline needs a window: window = \"1m\"",
        )));
    }
    if arguments.payload.is_none() && spec.format.as_deref().is_some_and(|it| it != "jsonl") {
        return Err(Failure::Usage(String::from(
            "the fields of a tuple are read as JSON: name the field that has a record in the \
             format of the pipeline, --payload FIELD",
        )));
    }
    let late = arguments.late.clone().or_else(|| spec.late.as_ref().map(PathBuf::from));
    let files = [
        ("dead_letters", spec.dead_letters.as_deref().map(Path::new)),
        ("--late", late.as_deref()),
    ];
    for (name, path) in files {
        if path.is_some_and(protocol_output::is_standard_output) {
            let message = format!("{name}: standard output carries Storm's protocol; give a file");
            return Err(Failure::Usage(message));
        }
    }
    let work = work(&spec, arguments, late.as_deref())?.ids_max(arguments.ids_max);
    let states =
        store::open(&arguments.state).map_err(|error| Failure::usage(&error.at("--state")))?;
    let mut reading = BoltOptions::default();
    (reading.payload, reading.id) = (arguments.payload.clone(), arguments.id.clone());
    let mut options = ProcessorOptions::default();
    if let Some(path) = &spec.dead_letters {
        options.on_dead_letter = Some(dead_letters(Path::new(path))?);
    }
    let failed = |error: io::Error| Failure::Run(format!("cannot take standard output: {error}"));
    let output = Output::new(protocol_output::take().map_err(failed)?);
    let notes = output.clone();
    options.on_note = Box::new(move |note| {
        // If Storm has gone, there is nobody to tell.
        let _ = notes.send(&[Reply::Log(format!("streamgauge: {note}"))]);
    });
    let input = BufReader::with_capacity(INPUT_BUFFER_BYTES, io::stdin());
    let ended = run_bolt(input, &output, |setup| {
        Bolt::open(setup, (work, states), (reading, options), SystemClock)
    });
    ended.map_err(|error| Failure::Run(error.to_string()))
}

fn work(
    spec: &PipelineSpec,
    arguments: &StormArguments,
    late: Option<&Path>,
) -> Result<TupleWork<Declared>, Failure> {
    let mut options = CompileOptions::default();
    options.seed = seed(arguments.seed_file.as_deref())?;
    options.lookups =
        read_lookups(spec, &options.limits).map_err(|error| Failure::usage(&error))?;
    let early = early::of_stream(spec, &options, None).map_err(|error| Failure::usage(&error))?;
    let pipeline = Declared::compile(spec, options).map_err(|error| Failure::usage(&error))?;
    let idle_after = arguments.idle_after.as_deref();
    let idle_after = idle_after.map(|text| duration("--idle-after", text)).transpose()?;
    let on_late = late.map(late_records).transpose()?;
    let sink = |rows| -> Box<dyn streamgauge::adapter::Sink<Declared>> {
        Box::new(JsonLinesSink::new(rows))
    };
    let work = TupleWork::new(pipeline, sink, |mut work| {
        if let Some(length) = idle_after {
            work = work.idle_after(length);
        }
        if let Some(interval) = early {
            work = work.emit_early(interval);
        }
        match on_late {
            Some(take) => work.on_late(take),
            None => work,
        }
    });
    work.map_err(|error| Failure::usage(&error))
}
