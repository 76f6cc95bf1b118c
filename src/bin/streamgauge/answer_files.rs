//! Answers in files, a Firehose stream or a topic of Kafka: the flag --out.

use crate::brokers::for_place;
use crate::failure::Failure;
use crate::output::OutputWriter;
use crate::session::Output;
use crate::settings::Settings;
use streamgauge::adapter::{AnswerFilesOptions, AnswerFormat, is_open_ended, open_rows};
use streamgauge::rows::RowPipeline;

/// Returns the writer of the place of --out, if it is given. With `per_window` each file has the
/// rows of one window.
///
/// # Errors
/// Wrong usage, or a place that cannot be written.
pub(crate) fn files(
    settings: &Settings,
    pipeline: &RowPipeline,
    per_window: bool,
) -> Result<Option<Output>, Failure> {
    let Some(place) = &settings.out else { return Ok(None) };
    if settings.published.is_some() {
        let message = "--serve and --otlp publish what goes to standard output, and --out sends it \
                       to files";
        return Err(Failure::Usage(message.to_owned()));
    }
    if settings.durable.state.is_some() {
        check_open_ended(place, "with --state later runs add files")?;
    }
    let mut options = AnswerFilesOptions::default();
    options.format = format(settings.spec.output.as_deref())?;
    options.per_window = per_window;
    let files = for_place(place, &mut options).and_then(|()| open_rows(place, pipeline, options));
    let files = files.map_err(|error| Failure::run(&error.at("--out")))?;
    Ok(Some(OutputWriter::Files(files)))
}

/// Refuses a place of one file.
///
/// # Errors
/// Wrong usage, with the reason.
pub(crate) fn check_open_ended(place: &str, why: &str) -> Result<(), Failure> {
    match is_open_ended(place) {
        true => Ok(()),
        false => Err(Failure::Usage(format!(
            "--out {place}: {why}, so it needs a directory, as in {place}/, or s3://BUCKET/PREFIX"
        ))),
    }
}

/// Returns the format of files that an output names; JSON Lines without a name.
///
/// # Errors
/// An output that is not for files.
pub(crate) fn format(output: Option<&str>) -> Result<AnswerFormat, Failure> {
    let parsed = output.unwrap_or("json").parse();
    parsed.map_err(|error: streamgauge::Error| Failure::usage(&error.at("--out")))
}
