//! `streamgauge check`: what pipeline files mean, or where they are wrong.

use crate::arguments::CheckArguments;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::session::explained;
use crate::standard_error::say;
use crate::standard_output::StandardOutput;
use std::io::Write;
use std::path::Path;
use streamgauge::Error;
use streamgauge::adapter::{read_lookups, read_pipeline};
use streamgauge::rows::CompileOptions;

/// Checks each file and explains those that are right.
///
/// # Errors
/// Wrong usage, if a file is wrong; the errors of the other files are on standard error by then.
pub(crate) fn run(arguments: &CheckArguments) -> Result<(), Failure> {
    let mut out = StandardOutput::new(&Bar::default())?;
    let mut wrong = Vec::new();
    for path in &arguments.pipelines {
        match explain(path) {
            Ok(explanation) => writeln!(out, "{}\n{explanation}", path.display())
                .map_err(|error| Failure::output(&error))?,
            Err(error) => wrong.push(error),
        }
    }
    out.flush().map_err(|error| Failure::output(&error))?;
    let Some(last) = wrong.pop() else { return Ok(()) };
    wrong.iter().for_each(|error| say(&format!("error: {error}\n")));
    Err(Failure::usage(&last))
}

/// Compiles the pipeline of a file as for a stream, whose records have arrival times.
fn explain(path: &Path) -> Result<String, Error> {
    let spec = read_pipeline(path)?;
    let name = path.display().to_string();
    spec.input_format().map_err(|error| error.at(&name))?;
    let mut options = CompileOptions::default();
    // Files say of which year their times are when they are read.
    options.written_until = Some(streamgauge::Timestamp::MAX);
    options.arrival_times = true;
    options.lookups = read_lookups(&spec, &options.limits).map_err(|error| error.at(&name))?;
    let pipeline = spec.compile(&options).map_err(|error| error.at(&name))?;
    Ok(explained(&pipeline))
}
