//! The failures of the command, with their exit codes.

use crate::interrupt::Signal;
use std::io;
use std::process::ExitCode;
use streamgauge::{Error, ErrorKind};

/// Why the command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line or the pipeline file is wrong: exit code 2.
    Usage(String),
    /// The run failed: exit code 1.
    Run(String),
    /// The reader of the output has gone: a quiet end with exit code 0.
    ClosedPipe,
    /// A signal stopped the run: exit code 130 or 143.
    Interrupted(Signal),
}

impl Failure {
    /// Returns the failure for a wrong command line or pipeline.
    pub(crate) fn usage(error: &Error) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// Returns the failure for an error of the run. If an output failed because its reader has
    /// gone, it is a quiet end.
    pub(crate) fn run(error: &Error) -> Failure {
        let io =
            std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        match io {
            Some(source)
                if error.kind() == ErrorKind::Io && source.kind() == io::ErrorKind::BrokenPipe =>
            {
                Failure::ClosedPipe
            }
            // The command line needs something that the input does not have, such as a field that
            // is missing in a header.
            _ if error.kind() == ErrorKind::InvalidArgument => Failure::usage(error),
            _ => Failure::Run(error.to_string()),
        }
    }

    /// Returns the failure for an error of writing to standard output, or to files, whose errors
    /// name them.
    pub(crate) fn output(error: &io::Error) -> Failure {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return Failure::run(error);
        }
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Run(format!("cannot write to standard output: {error}")),
        }
    }

    /// Returns the message for standard error, if there is one.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Failure::Usage(message) | Failure::Run(message) => Some(message),
            Failure::ClosedPipe | Failure::Interrupted(_) => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Run(_) => ExitCode::from(1),
            Failure::ClosedPipe => ExitCode::SUCCESS,
            Failure::Interrupted(signal) => ExitCode::from(signal.exit_code()),
        }
    }
}
