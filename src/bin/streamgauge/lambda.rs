//! `streamgauge lambda`: a pipeline file as a Lambda function behind a Kinesis event source mapping.

use crate::failure::Failure;
use crate::settings::read_pipeline;
use std::env;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;
use streamgauge::adapter::lambda::{self, DeadLetter, Emf, Handler, Packing};
use streamgauge::adapter::logs::LogPayload;
use streamgauge::adapter::{Declared, JsonLinesSink, PartialSink, Sink};
use streamgauge::spec::CompileOptions;
use streamgauge::store::{self, PartialStore};
use streamgauge::time::parse_duration;
use streamgauge::{Error, Seed};

/// What is said in `streamgauge lambda --help`.
pub(crate) const HELP: &str = "\
It takes no options: Lambda gives a function its settings as environment variables.

  STREAMGAUGE_PIPELINE     the pipeline file (TOML or JSON), as for `streamgauge run --pipeline`
  STREAMGAUGE_MODE         tumbling (default): Lambda's own tumbling window, state in the event
                           store: any window, the state of each shard in STREAMGAUGE_STATE
                           stateless: each batch by itself
  STREAMGAUGE_STATE        mode store: a directory, or s3://BUCKET/PREFIX (feature object-store)
  STREAMGAUGE_STATE_BYTES  mode tumbling: how large the state may become; default 900000
  STREAMGAUGE_IDLE         mode store: when a scheduled event answers the open windows of a shard
                           without records; default 1m
  STREAMGAUGE_PACKING      kpl (default), whole, logs or log-events: how payloads are taken apart
  STREAMGAUGE_PARTIALS     a directory or s3://BUCKET/PREFIX: keep partials to be merged there, and
                           print no answers
  STREAMGAUGE_SOURCE       1: begin each line of the answers with its stream and shard
  STREAMGAUGE_METRICS      a namespace: print metrics of each invocation for CloudWatch
  STREAMGAUGE_SEED         the secret seed of sketches, 64 bits in hexadecimal

Answers go to standard output, the same lines as `streamgauge run --output json` writes; dead
letters and errors go to standard error. A binary that is named bootstrap runs this by itself.
docs/LAMBDA.md has the settings of the event source mapping and what each guarantee needs.";

/// The settings.
struct Settings {
    mode: Mode,
    packing: Packing,
    partials: Option<String>,
    with_source: bool,
    metrics: Option<String>,
    seed: Option<Seed>,
}

enum Mode {
    Tumbling { state_bytes_max: Option<usize> },
    Store { place: String, idle: Option<std::time::Duration> },
    Stateless,
}

/// Whether the binary is started under the name that Lambda starts a custom runtime by.
pub(crate) fn is_bootstrap() -> bool {
    env::args_os().next().is_some_and(|name| Path::new(&name).file_name().is_some_and(|name| name == "bootstrap"))
}

/// Runs the function until Lambda ends the process.
///
/// # Errors
/// Wrong usage: settings, or a pipeline file that is none; a failed run, also where there is no Lambda.
pub(crate) fn run() -> Result<(), Failure> {
    let settings = Settings::from(|name| env::var(name).ok().filter(|value| !value.is_empty())).map_err(|error| Failure::usage(&error))?;
    let path = env::var_os("STREAMGAUGE_PIPELINE")
        .ok_or_else(|| Failure::Usage("STREAMGAUGE_PIPELINE is not set: name the pipeline file".into()))?;
    let spec = read_pipeline(Path::new(&path))?;
    let mut options = CompileOptions::default();
    // A batch, and a window of Lambda's, ends: nothing in it need be late.
    options.bounded_input = !matches!(settings.mode, Mode::Store { .. });
    options.seed = settings.seed.unwrap_or_default();
    let pipeline = Declared::compile(&spec, options).map_err(|error| Failure::usage(&error))?;
    match &settings.partials {
        None => {
            let out: BufWriter<Stdout> = BufWriter::new(io::stdout());
            let sink = JsonLinesSink::new(&pipeline, out).with_source(settings.with_source);
            serve(pipeline, sink, settings)
        }
        Some(place) => {
            let store = store::open(place).map_err(|error| Failure::usage(&error.at("STREAMGAUGE_PARTIALS")))?;
            serve(pipeline, PartialSink::new(PartialStore::new(store)), settings)
        }
    }
}

fn serve<S: Sink<Declared> + Send + 'static>(pipeline: Declared, sink: S, settings: Settings) -> Result<(), Failure> {
    let handler = Handler::new(pipeline, sink).map_err(|error| Failure::usage(&error))?;
    let handler = handler.packing(settings.packing).on_dead_letter(tell);
    let handler = match settings.mode {
        Mode::Tumbling { state_bytes_max: None } => handler.tumbling(),
        Mode::Tumbling { state_bytes_max: Some(bytes) } => handler.tumbling().state_bytes_max(bytes),
        Mode::Stateless => handler.stateless(),
        Mode::Store { place, idle } => {
            let store = store::open(&place).map_err(|error| Failure::usage(&error.at("STREAMGAUGE_STATE")))?;
            let handler = handler.stored(store);
            match idle {
                None => handler,
                Some(idle) => handler.idle_after(idle),
            }
        }
    };
    let handler = match settings.metrics {
        None => handler,
        Some(namespace) => {
            let name = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
            let mut metrics = Emf::new(namespace, io::stdout()).dimension("FunctionName", name);
            // Metrics that cannot be written are no reason to fail a batch whose answers were.
            handler.on_invocation(move |invocation| drop(metrics.write(invocation)))
        }
    };
    lambda::run(handler).map_err(|error| Failure::run(&error))
}

/// Writes a dead letter as one JSON line to standard error.
fn tell(letter: &DeadLetter<'_>) {
    let mut line = serde_json::to_vec(letter).unwrap_or_default();
    line.push(b'\n');
    // Where standard error is closed there is nobody to tell.
    let _ = io::stderr().write_all(&line);
}

impl Settings {
    /// Reads the settings from variables.
    fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, Error> {
        let duration = |name: &str| variable(name).map(|text| parse_duration(&text).map_err(|error| error.at(name))).transpose();
        let mode = match variable("STREAMGAUGE_MODE").as_deref() {
            None | Some("tumbling") => Mode::Tumbling { state_bytes_max: bytes(&variable)? },
            Some("stateless") => Mode::Stateless,
            Some("store") => {
                let place = variable("STREAMGAUGE_STATE").ok_or_else(|| {
                    invalid("STREAMGAUGE_MODE is store, but STREAMGAUGE_STATE is not set: name a directory or s3://BUCKET/PREFIX")
                })?;
                Mode::Store { place, idle: duration("STREAMGAUGE_IDLE")? }
            }
            Some(other) => return Err(invalid(&format!("STREAMGAUGE_MODE is {other:?}: use tumbling, store or stateless"))),
        };
        if variable("STREAMGAUGE_STATE").is_some() && !matches!(mode, Mode::Store { .. }) {
            return Err(invalid("STREAMGAUGE_STATE is set, but only STREAMGAUGE_MODE=store keeps a state there"));
        }
        let packing = match variable("STREAMGAUGE_PACKING").as_deref() {
            None | Some("kpl") => Packing::Kpl,
            Some("whole") => Packing::Whole,
            Some("logs") => Packing::CloudWatchLogs(LogPayload::Message),
            Some("log-events") => Packing::CloudWatchLogs(LogPayload::Event),
            Some(other) => return Err(invalid(&format!("STREAMGAUGE_PACKING is {other:?}: use kpl, whole, logs or log-events"))),
        };
        let with_source = match variable("STREAMGAUGE_SOURCE").as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => return Err(invalid(&format!("STREAMGAUGE_SOURCE is {other:?}: use 1 or 0"))),
        };
        let (partials, metrics) = (variable("STREAMGAUGE_PARTIALS"), variable("STREAMGAUGE_METRICS"));
        Ok(Settings { mode, packing, partials, with_source, metrics, seed: variable("STREAMGAUGE_SEED").map(seed).transpose()? })
    }
}

fn bytes(variable: &impl Fn(&str) -> Option<String>) -> Result<Option<usize>, Error> {
    let read = |text: String| text.parse().map_err(|_| invalid(&format!("STREAMGAUGE_STATE_BYTES is {text:?}, not a number of bytes")));
    variable("STREAMGAUGE_STATE_BYTES").map(read).transpose()
}

/// The message never shows the seed.
fn seed(text: String) -> Result<Seed, Error> {
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    u64::from_str_radix(digits, 16).map(Seed::new).map_err(|_| invalid("STREAMGAUGE_SEED is not a number of up to 16 hexadecimal digits"))
}

fn invalid(message: &str) -> Error {
    Error::new(streamgauge::ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::from(find).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused_with_what_would() {
        for (variables, words) in [
            (&[("STREAMGAUGE_MODE", "windowed")][..], "use tumbling, store or stateless"),
            (&[("STREAMGAUGE_MODE", "store")], "STREAMGAUGE_STATE is not set"),
            (&[("STREAMGAUGE_STATE", "s3://b/p")], "only STREAMGAUGE_MODE=store"),
            (&[("STREAMGAUGE_STATE_BYTES", "1 MB")], "not a number of bytes"),
            (&[("STREAMGAUGE_PACKING", "zip")], "use kpl, whole, logs or log-events"),
            (&[("STREAMGAUGE_SOURCE", "yes")], "use 1 or 0"),
            (&[("STREAMGAUGE_MODE", "store"), ("STREAMGAUGE_STATE", "x"), ("STREAMGAUGE_IDLE", "10")], "STREAMGAUGE_IDLE"),
        ] {
            let error = settings(variables).err().unwrap();
            assert!(error.contains(words), "{error}");
        }
        let error = settings(&[("STREAMGAUGE_SEED", "secret")]).err().unwrap();
        assert!(error.contains("hexadecimal") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn without_settings_it_is_lambdas_own_window() {
        let settings = settings(&[]).unwrap();
        assert!(matches!(settings.mode, Mode::Tumbling { state_bytes_max: None }) && settings.packing == Packing::Kpl);
    }
}
