//! The log of a command without the feature `log`: standard error has plain lines.

use clap::Args;

/// No flags.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {}

/// There is nothing to start.
pub(crate) fn start(_: &LogArguments) {}

/// Returns false: there is no log.
pub(crate) fn take(_: &str) -> bool {
    false
}
