//! `streamgauge capture`: copies what passes through a pipe.

use crate::copy::{CaptureArguments, Copied, CopyArguments};
use crate::failure::Failure;
use crate::interrupt::Stream;
use crate::progress::Bar;
use crate::session::watch;
use crate::standard_output::StandardOutput;
use std::io::{Read, Write};
use std::path::Path;
use streamgauge::adapter::capture::{CaptureKind, Header};

/// Bytes that are read from a pipe at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Passes standard input on, and copies it.
///
/// # Errors
/// A file that cannot be opened, an input that cannot be read, or a reader that has gone.
pub(crate) fn run(arguments: &CaptureArguments) -> Result<(), Failure> {
    let copy = CopyArguments {
        capture: Some(arguments.file.clone()),
        capture_bytes: arguments.capture_bytes,
        ..CopyArguments::default()
    };
    let interrupt = watch(false)?;
    let capture =
        copy.open(&Header::new(CaptureKind::Pipe)).map_err(|error| Failure::usage(&error))?;
    let (_, input) = Stream::new(Path::new("-"), &interrupt);
    let Some(capture) = capture else { return Ok(()) };
    let mut input = Copied { input, capture };
    let mut out = StandardOutput::new(&Bar::default())?;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) => {
                return Err(match interrupt.signal() {
                    Some(signal) => Failure::Interrupted(signal),
                    None => Failure::Run(format!("standard input cannot be read: {error}")),
                });
            }
        };
        let written = out.write_all(&buffer[..read]).and_then(|()| out.flush());
        written.map_err(|error| Failure::output(&error))?;
    }
}
