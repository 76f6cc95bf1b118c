//! A pipeline file as a Lambda function that is configured by environment variables. The command
//! `streamgauge lambda` and the binary `bootstrap` run it.

use super::{Emf, Handler, Invocation, run};
use crate::adapter::capture::{Capture, CaptureKind, Header};
use crate::adapter::lookup_files::read_lookups;
#[cfg(any(
    feature = "firehose",
    feature = "kafka",
    feature = "object-store",
    feature = "parquet"
))]
use crate::adapter::output::{AnswerFilesOptions, open_rows};
use crate::adapter::output::{
    AnswerFormat, JsonLinesSink, PartialSink, RowOutput, RowSink, Sink, is_open_ended,
};
use crate::adapter::pipeline_file::read_pipeline;
use crate::adapter::record_pipeline::Declared;
use crate::adapter::seed::seed_from_environment;
use crate::adapter::{Packing, came_late};
use crate::engine::Control;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::record::ShardId;
use crate::rows::{CompileOptions, RowPipeline};
use crate::store::{self, PartialStore};
use crate::time::parse_duration;
use std::env;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// The size of a capture, unless `STREAMGAUGE_CAPTURE_BYTES` says another.
const CAPTURE_BYTES_MAX: u64 = 10_000_000;

/// The settings from the environment.
struct FunctionSettings {
    mode: ModeSetting,
    packing: Packing,
    partials: Option<String>,
    /// Where the answers go, and their format, unless they are printed.
    out: Option<(String, AnswerFormat)>,
    with_source: bool,
    metrics: Option<String>,
    /// True if late records are printed.
    late: bool,
    /// Where the events are copied to, and how many bytes at most.
    capture: Option<(String, u64)>,
}

enum ModeSetting {
    Tumbling { state_bytes_max: Option<usize> },
    Store { place: String, idle: Option<Duration> },
    Stateless,
}

/// Runs the pipeline file named by `STREAMGAUGE_PIPELINE` as a Lambda function until Lambda ends
/// the process. Further `STREAMGAUGE_...` variables configure it (see docs/LAMBDA.md). Answers go
/// to standard output as [`JsonLines`](crate::rows::JsonLines). Dead letters and errors go to
/// standard error.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] and [`ErrorKind::Parse`] for wrong settings or a wrong pipeline
/// file; [`ErrorKind::Io`] for a file that cannot be read; and the errors of [`run`].
pub fn run_from_environment() -> Result<(), Error> {
    let seed = seed_from_environment()?;
    let settings =
        FunctionSettings::from(|name| env::var(name).ok().filter(|value| !value.is_empty()))?;
    let path = env::var_os("STREAMGAUGE_PIPELINE")
        .ok_or_else(|| invalid("STREAMGAUGE_PIPELINE is not set: name the pipeline file"))?;
    let spec = read_pipeline(Path::new(&path))?;
    // A batch or a tumbling window of Lambda ends, so its records need not be late.
    let bounded_input = !matches!(settings.mode, ModeSetting::Store { .. });
    let options = CompileOptions {
        bounded_input,
        seed: seed.unwrap_or_default(),
        lookups: read_lookups(&spec, &Limits::default())?,
        ..CompileOptions::default()
    };
    let pipeline = Declared::compile(&spec, options)?;
    if spec.emit_early.is_some() {
        return Err(invalid(
            "emit_early needs a process that runs on: in Lambda the windows of idle shards are \
             answered early by STREAMGAUGE_MODE=store with a schedule and STREAMGAUGE_IDLE",
        ));
    }
    if !pipeline.has_partials() && (bounded_input || settings.partials.is_some()) {
        return Err(invalid(
            "windows of a number of rows go over many batches: they need STREAMGAUGE_MODE=store, \
             without STREAMGAUGE_PARTIALS",
        ));
    }
    // One type of sink, so that the handler is compiled once: the binary has to be small.
    let sink: Box<dyn Sink<Declared> + Send> = match (&settings.partials, &settings.out) {
        (None, None) => {
            let out: BufWriter<Stdout> = BufWriter::new(io::stdout());
            Box::new(JsonLinesSink::new(out).with_source(settings.with_source))
        }
        (None, Some((place, format))) => {
            let rows = open_out(place, *format, pipeline.pipeline());
            let rows = rows.map_err(|error| error.at("STREAMGAUGE_OUT"))?;
            Box::new(RowSink::new(rows).with_source(true))
        }
        (Some(place), _) => {
            let checked = pipeline.pipeline().check_merges();
            checked.map_err(|error| error.at("STREAMGAUGE_PARTIALS"))?;
            let store = store::open(place).map_err(|error| error.at("STREAMGAUGE_PARTIALS"))?;
            Box::new(PartialSink::new(PartialStore::new(store)))
        }
    };
    serve(pipeline, sink, settings)
}

/// Opens the place of the answers.
#[cfg(any(feature = "firehose", feature = "kafka", feature = "object-store", feature = "parquet"))]
fn open_out(
    place: &str,
    format: AnswerFormat,
    pipeline: &RowPipeline,
) -> Result<Box<dyn RowOutput + Send>, Error> {
    let options = AnswerFilesOptions { format, ..AnswerFilesOptions::default() };
    open_rows(place, pipeline, options)
}

/// Refuses the place of the answers. The smallest binary has no files of answers: a function has
/// no disk that lasts.
#[cfg(not(any(
    feature = "firehose",
    feature = "kafka",
    feature = "object-store",
    feature = "parquet"
)))]
fn open_out(
    place: &str,
    _: AnswerFormat,
    _: &RowPipeline,
) -> Result<Box<dyn RowOutput + Send>, Error> {
    let message = format!(
        "{place}: this was built without places of answers; build it with the feature \
         object-store or firehose"
    );
    Err(Error::new(ErrorKind::Unsupported, message))
}

fn serve(
    pipeline: Declared,
    sink: Box<dyn Sink<Declared> + Send>,
    settings: FunctionSettings,
) -> Result<(), Error> {
    let handler = Handler::new(pipeline, sink)?
        .packing(settings.packing)
        .on_dead_letter(|letter| tell(letter));
    let handler = match &settings.capture {
        Some((place, bytes_max)) => {
            let opened = Capture::open(place, *bytes_max, &settings.header());
            let mut capture = opened.map_err(|error| error.at("STREAMGAUGE_CAPTURE"))?;
            handler.on_event(move |at, event| capture.event(at, event))
        }
        None => handler,
    };
    let handler = if settings.late { handler.on_late(|record| tell(record)) } else { handler };
    let handler = match settings.mode {
        ModeSetting::Tumbling { state_bytes_max: None } => handler.tumbling(),
        ModeSetting::Tumbling { state_bytes_max: Some(bytes) } => handler
            .tumbling()
            .state_bytes_max(bytes)
            .map_err(|error| error.at("STREAMGAUGE_STATE_BYTES"))?,
        ModeSetting::Stateless => handler.stateless(),
        ModeSetting::Store { place, idle } => {
            let store = store::open(&place).map_err(|error| error.at("STREAMGAUGE_STATE"))?;
            let handler = handler.stored(store);
            match idle {
                None => handler,
                Some(idle) => handler.idle_after(idle),
            }
        }
    };
    let mut metrics = settings.metrics.map(|namespace| {
        let name = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        Emf::new(namespace, io::stdout()).dimension("FunctionName", name)
    });
    let printed = settings.late;
    run(handler.on_invocation(move |invocation| {
        if let Some(metrics) = &mut metrics {
            // A batch whose answers were written does not fail because of its metrics.
            drop(metrics.write(invocation));
        }
        if let Some(note) = late_note(invocation, printed) {
            tell(&note);
        }
    }))
}

/// Returns the note about the late records of an invocation.
fn late_note(invocation: &Invocation, printed: bool) -> Option<serde_json::Value> {
    let late = invocation.late;
    let hint = if printed { "" } else { "; STREAMGAUGE_LATE=1 prints them" };
    let note =
        format!("{}: max_delay says how long such records are waited for{hint}", came_late(late));
    (late > 0).then(|| serde_json::json!({ "shard": invocation.shard.as_ref().map(ShardId::as_str), "late": late, "note": note }))
}

/// Writes a dead letter, a late record or a note as one JSON line to standard error.
fn tell(letter: &impl serde::Serialize) {
    let mut line = serde_json::to_vec(letter).unwrap_or_default();
    line.push(b'\n');
    // If standard error is closed, there is no other place to report to.
    let _ = io::stderr().write_all(&line);
}

impl FunctionSettings {
    /// Reads the settings from variables.
    fn from(variable: impl Fn(&str) -> Option<String>) -> Result<FunctionSettings, Error> {
        let duration = |name: &str| {
            variable(name)
                .map(|text| parse_duration(&text).map_err(|error| error.at(name)))
                .transpose()
        };
        let mode = match variable("STREAMGAUGE_MODE").as_deref() {
            None | Some("tumbling") => ModeSetting::Tumbling {
                state_bytes_max: bytes("STREAMGAUGE_STATE_BYTES", &variable)?,
            },
            Some("stateless") => ModeSetting::Stateless,
            Some("store") => {
                let place = variable("STREAMGAUGE_STATE").ok_or_else(|| {
                    invalid(
                        "STREAMGAUGE_MODE is store, but STREAMGAUGE_STATE is not set: name a \
                             directory or s3://BUCKET/PREFIX",
                    )
                })?;
                ModeSetting::Store { place, idle: duration("STREAMGAUGE_IDLE")? }
            }
            Some(other) => {
                return Err(invalid(&format!(
                    "STREAMGAUGE_MODE is {other:?}: use tumbling, store or stateless"
                )));
            }
        };
        for (name, is_used, needed) in [
            (
                "STREAMGAUGE_STATE",
                matches!(mode, ModeSetting::Store { .. }),
                "store keeps a state there",
            ),
            (
                "STREAMGAUGE_IDLE",
                matches!(mode, ModeSetting::Store { .. }),
                "store answers the windows of idle shards",
            ),
            (
                "STREAMGAUGE_STATE_BYTES",
                matches!(mode, ModeSetting::Tumbling { .. }),
                "tumbling has a budget for its state",
            ),
        ] {
            if !is_used && variable(name).is_some() {
                return Err(invalid(&format!("{name} is set, but only STREAMGAUGE_MODE={needed}")));
            }
        }
        let packing = variable("STREAMGAUGE_PACKING")
            .map(|text| text.parse().map_err(|error: Error| error.at("STREAMGAUGE_PACKING")));
        let packing = packing.transpose()?.unwrap_or_default();
        let switch = |name: &str| match variable(name).as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(invalid(&format!("{name} is {other:?}: use 1 or 0"))),
        };
        let (with_source, late) = (switch("STREAMGAUGE_SOURCE")?, switch("STREAMGAUGE_LATE")?);
        let (partials, metrics) =
            (variable("STREAMGAUGE_PARTIALS"), variable("STREAMGAUGE_METRICS"));
        let capture_bytes = bytes("STREAMGAUGE_CAPTURE_BYTES", &variable)?;
        let capture = variable("STREAMGAUGE_CAPTURE")
            .map(|place| (place, capture_bytes.unwrap_or(CAPTURE_BYTES_MAX)));
        if let (None, Some(_)) = (&capture, capture_bytes) {
            return Err(invalid(
                "STREAMGAUGE_CAPTURE_BYTES is set, but STREAMGAUGE_CAPTURE names no file",
            ));
        }
        let out = out(&variable)?;
        Ok(FunctionSettings { mode, packing, partials, out, with_source, metrics, late, capture })
    }

    /// Returns the first line of a capture: what a replay must know of the settings.
    fn header(&self) -> Header {
        let mut header = Header::new(CaptureKind::Lambda).packing(self.packing);
        header.with_source = self.with_source;
        let (mode, idle) = match &self.mode {
            ModeSetting::Tumbling { .. } => ("tumbling", None),
            ModeSetting::Store { idle, .. } => ("store", *idle),
            ModeSetting::Stateless => ("stateless", None),
        };
        header.mode = Some(mode.to_owned());
        header.idle_after = idle.map(|idle| idle.as_millis() as u64);
        header
    }
}

/// Returns the place of the answers and their format.
fn out(
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, AnswerFormat)>, Error> {
    let output = variable("STREAMGAUGE_OUTPUT");
    let Some(place) = variable("STREAMGAUGE_OUT") else {
        return match output {
            None => Ok(None),
            Some(_) => Err(invalid(
                "STREAMGAUGE_OUTPUT is set, but STREAMGAUGE_OUT is not: name s3://BUCKET/PREFIX, \
                 firehose:STREAM or a directory",
            )),
        };
    };
    if variable("STREAMGAUGE_PARTIALS").is_some() {
        return Err(invalid(
            "STREAMGAUGE_OUT and STREAMGAUGE_PARTIALS are both set: partials are merged before \
             there are answers, so use one of them",
        ));
    }
    if !is_open_ended(&place) {
        return Err(invalid(&format!(
            "STREAMGAUGE_OUT is {place:?}: a function has no end, so it needs s3://BUCKET/PREFIX, \
             firehose:STREAM or a directory, whose name ends with /"
        )));
    }
    let format = output.as_deref().unwrap_or("json").parse::<AnswerFormat>();
    let format = format.map_err(|error| error.at("STREAMGAUGE_OUTPUT"))?;
    Ok(Some((place, format)))
}

fn bytes<N: FromStr>(
    name: &str,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Option<N>, Error> {
    let read = |text: String| {
        text.parse().map_err(|_| invalid(&format!("{name} is {text:?}, not a number of bytes")))
    };
    variable(name).map(read).transpose()
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<FunctionSettings, String> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        FunctionSettings::from(find).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_that_do_not_fit_are_refused_with_a_remedy() {
        for (variables, words) in [
            (&[("STREAMGAUGE_MODE", "windowed")][..], "use tumbling, store or stateless"),
            (&[("STREAMGAUGE_MODE", "store")], "STREAMGAUGE_STATE is not set"),
            (&[("STREAMGAUGE_STATE", "s3://b/p")], "only STREAMGAUGE_MODE=store"),
            (&[("STREAMGAUGE_STATE_BYTES", "1 MB")], "not a number of bytes"),
            (
                &[("STREAMGAUGE_PACKING", "zip")],
                "STREAMGAUGE_PACKING: \"zip\" is not a packing: use kpl, whole, lines, logs or \
                 log-events",
            ),
            (&[("STREAMGAUGE_IDLE", "1m")], "only STREAMGAUGE_MODE=store"),
            (
                &[("STREAMGAUGE_MODE", "stateless"), ("STREAMGAUGE_STATE_BYTES", "5000")],
                "only STREAMGAUGE_MODE=tumbling",
            ),
            (&[("STREAMGAUGE_SOURCE", "yes")], "use 1 or 0"),
            (&[("STREAMGAUGE_CAPTURE_BYTES", "10")], "STREAMGAUGE_CAPTURE names no file"),
            (
                &[("STREAMGAUGE_CAPTURE", "c"), ("STREAMGAUGE_CAPTURE_BYTES", "1 MB")],
                "not a number of bytes",
            ),
            (&[("STREAMGAUGE_OUTPUT", "json")], "STREAMGAUGE_OUT is not: name s3://"),
            (&[("STREAMGAUGE_OUT", "hits.jsonl")], "a function has no end"),
            (
                &[("STREAMGAUGE_OUT", "s3://b/p"), ("STREAMGAUGE_OUTPUT", "csv")],
                "STREAMGAUGE_OUTPUT: \"csv\" is not an output of files: use json or parquet",
            ),
            (
                &[("STREAMGAUGE_OUT", "s3://b/p"), ("STREAMGAUGE_PARTIALS", "s3://b/q")],
                "use one of them",
            ),
            (&[("STREAMGAUGE_LATE", "late.jsonl")], "use 1 or 0"),
            (
                &[
                    ("STREAMGAUGE_MODE", "store"),
                    ("STREAMGAUGE_STATE", "x"),
                    ("STREAMGAUGE_IDLE", "10"),
                ],
                "STREAMGAUGE_IDLE",
            ),
        ] {
            let error = settings(variables).err().unwrap();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn late_records_of_an_invocation_are_reported_in_one_line() {
        assert_eq!(late_note(&Invocation::default(), false), None);
        let invocation =
            Invocation { late: 3, shard: Some(ShardId::new("s")), ..Invocation::default() };
        let note = late_note(&invocation, false).unwrap();
        assert_eq!((&note["shard"], &note["late"]), (&"s".into(), &3.into()));
        assert!(
            note["note"].as_str().unwrap().starts_with("3 records came late and are in no window"),
            "{note}"
        );
        assert!(note["note"].as_str().unwrap().contains("STREAMGAUGE_LATE=1"));
        assert!(
            !late_note(&invocation, true).unwrap()["note"]
                .as_str()
                .unwrap()
                .contains("STREAMGAUGE_LATE")
        );
    }

    #[test]
    fn the_default_mode_is_lambdas_own_window() {
        let settings = settings(&[]).unwrap();
        assert!(
            matches!(settings.mode, ModeSetting::Tumbling { state_bytes_max: None })
                && settings.packing == Packing::Kpl
        );
    }
}
