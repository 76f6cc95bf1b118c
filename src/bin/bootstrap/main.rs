//! The binary that Lambda starts: `streamgauge lambda` and nothing else, and so a smaller file to
//! start.

use std::io::{self, Write};
use std::process::ExitCode;
use streamgauge::adapter::lambda::run_from_environment;

fn main() -> ExitCode {
    match run_from_environment() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
