//! `streamgauge lambda`: a pipeline file as a Lambda function behind an event source mapping.

use crate::failure::Failure;
use std::env;
use std::path::Path;
use streamgauge::ErrorKind;
use streamgauge::adapter::lambda::run_from_environment;

/// The text of `streamgauge lambda --help`.
pub(crate) const HELP: &str = "\
It takes no options: Lambda gives a function its settings as environment variables.

  STREAMGAUGE_PIPELINE     the pipeline file (TOML or JSON), as for `streamgauge run --pipeline`
  STREAMGAUGE_MODE         tumbling (default): Lambda's own tumbling window, state in the event
                           store: any window, the state of each shard in STREAMGAUGE_STATE
                           stateless: each batch on its own
  STREAMGAUGE_STATE        mode store: a directory, or s3://BUCKET/PREFIX (feature object-store)
  STREAMGAUGE_STATE_BYTES  mode tumbling: maximum bytes of the state; default 900000, at most
                           1000000
  STREAMGAUGE_IDLE         mode store: time without records after which a scheduled event answers
                           the open windows of a shard; default 1m
  STREAMGAUGE_PACKING      kpl (default), whole, lines, logs or log-events: how payloads are
                           unpacked
  STREAMGAUGE_PARTIALS     a directory or s3://BUCKET/PREFIX: save partials there, to be merged,
                           and print no answers
  STREAMGAUGE_OUT          s3://BUCKET/PREFIX (feature object-store), firehose:STREAM (feature
                           firehose), kafka:TOPIC (feature kafka) or DIR/: the answers go there,
                           and are not printed
  STREAMGAUGE_OUTPUT       with STREAMGAUGE_OUT: json (default) or parquet (feature parquet)
  STREAMGAUGE_SOURCE       1: begin each line of the answers with its stream and shard
  STREAMGAUGE_LATE         1: print each late record to standard error, with its event time; 0 \
  (default):
                           print their number in each invocation
  STREAMGAUGE_CAPTURE      a file, or s3://BUCKET/PREFIX: copy each event there, for \
  `run --replay`
  STREAMGAUGE_CAPTURE_BYTES  maximum bytes of these copies; default 10000000
  STREAMGAUGE_METRICS      a namespace: print metrics of each invocation for CloudWatch
  STREAMGAUGE_SEED         the secret seed of distinct counts and top-k, up to 16 hexadecimal digits
  STREAMGAUGE_SEED_FILE    the file of the seed

Answers go to standard output, the same lines as those of `streamgauge run --output json`; dead
letters and errors go to standard error. A binary with the name bootstrap runs this without an
argument. docs/LAMBDA.md has the settings of the event source mapping for each guarantee.";

/// Returns true if the binary was started under the name that Lambda uses for a custom runtime.
pub(crate) fn is_bootstrap() -> bool {
    env::args_os()
        .next()
        .is_some_and(|name| Path::new(&name).file_name().is_some_and(|name| name == "bootstrap"))
}

/// Runs the function until Lambda ends the process.
///
/// # Errors
/// Wrong usage: settings, or a pipeline file that cannot be read; a failed run, also without
/// Lambda.
pub(crate) fn run() -> Result<(), Failure> {
    run_from_environment().map_err(|error| match error.kind() {
        ErrorKind::Parse => Failure::usage(&error),
        _ => Failure::run(&error),
    })
}
