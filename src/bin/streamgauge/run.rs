//! `streamgauge run`: aggregates per window and group.

use crate::arguments::RunArguments;
use crate::failure::Failure;
use crate::last_written::dated;
use crate::replay;
use crate::settings::Settings;

/// Runs the pipeline that the arguments describe.
///
/// # Errors
/// Wrong usage, a failed run, or a reader that has gone.
pub(crate) fn run(arguments: RunArguments) -> Result<(), Failure> {
    let settings = Settings::new(arguments.input, arguments.pipeline, &arguments.output)?;
    replay::run_or_replay(&dated(settings)?)
}
