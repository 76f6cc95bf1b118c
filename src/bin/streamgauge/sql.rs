//! `streamgauge sql`: a statement, run as a pipeline or printed as one.

use crate::arguments::SqlArguments;
use crate::failure::Failure;
use crate::last_written::dated;
use crate::progress::Bar;
use crate::replay;
use crate::settings::Settings;
use crate::standard_output::StandardOutput;
use std::io::Write;
use std::path::{Path, PathBuf};
use streamgauge::query::SqlStatement;

/// Runs the statement over its files, or those that the arguments name. Flags replace what the
/// statement says.
///
/// # Errors
/// A statement that cannot be read, and those of [`run`](crate::run::run).
pub(crate) fn run(mut arguments: SqlArguments) -> Result<(), Failure> {
    let statement =
        SqlStatement::parse(&arguments.statement).map_err(|error| Failure::usage(&error))?;
    if arguments.input.files.is_empty() {
        arguments.input.files = statement.files.iter().map(PathBuf::from).collect();
    }
    if let Some(table) = statement.table.filter(|table| Path::new(table).is_file())
        && arguments.input.files.is_empty()
    {
        let why = format!("FROM {table}: the name of a file is in quotes, as in FROM '{table}'");
        return Err(Failure::Usage(why));
    }
    let to = arguments.to;
    let mut settings = Settings::new(arguments.input, arguments.pipeline, &arguments.output)?;
    settings.spec = statement.spec.overridden_by(settings.spec);
    if to.is_none() {
        return replay::run_or_replay(&dated(settings)?);
    }
    let toml = settings.spec.to_toml().map_err(|error| Failure::usage(&error))?;
    let mut out = StandardOutput::new(&Bar::default())?;
    let written = out.write_all(toml.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::output(&error))
}
