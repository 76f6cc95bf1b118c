//! The binary that Lambda starts: only `streamgauge lambda`, so that the file is smaller and starts
//! faster.

use std::io::{self, Write};
use std::process::ExitCode;
use streamgauge::adapter::lambda::run_from_environment;

fn main() -> ExitCode {
    match run_from_environment() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, there is no other place to report to.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
