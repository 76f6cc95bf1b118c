//! What is read is copied: the arguments for that, and the input of a pipe that is copied.

use crate::failure::Failure;
use crate::interrupt::{Interrupt, Stream};
use clap::Args;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use streamgauge::Error;
use streamgauge::adapter::capture::{Capture, CaptureKind, Header};
use streamgauge::adapter::files::Input;
use streamgauge::adapter::worker::{Clock, SystemClock};

/// Copy what passes through a pipe.
#[derive(Debug, Args)]
#[command(after_long_help = CAPTURE_HELP)]
pub(crate) struct CaptureArguments {
    /// The file of the capture, which is continued
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The size of the file, at most. Everything is passed on, also what is not copied
    #[arg(long, value_name = "BYTES", default_value_t = BYTES_MAX)]
    pub(crate) capture_bytes: u64,
}

const CAPTURE_HELP: &str = "\
Passes standard input on to standard output, and writes a copy with the times
when it came to a file, up to a limit. Workers and functions write one
themselves: kinesis --capture, kcl --capture, STREAMGAUGE_CAPTURE. Each capture
can be run again, without the stream, by `streamgauge run --replay FILE`. It has
the records as they are, with all that is in them.

Examples:
  tail -f access.log | streamgauge capture sample.jsonl | streamgauge run ...
  streamgauge run --replay sample.jsonl --pipeline hits.toml

Exit codes: 0 the input has ended; 1 the file or the input failed.";

/// The size of a capture, unless the arguments say another.
const BYTES_MAX: u64 = 100_000_000;

/// Where a command copies to what it reads.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Debugging")]
pub(crate) struct CopyArguments {
    /// Copy what is read to a file, up to a limit, with positions and times: `run --replay FILE`
    /// repeats the run. The records are in it as they are
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,
    /// The size of the file of --capture, at most
    #[arg(long, value_name = "BYTES", default_value_t = BYTES_MAX, requires = "capture")]
    pub(crate) capture_bytes: u64,
}

impl CopyArguments {
    /// Opens the capture, if there is to be one.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(&self, header: &Header) -> Result<Option<Capture>, Error> {
        let open =
            |path: &PathBuf| Capture::open(&path.to_string_lossy(), self.capture_bytes, header);
        self.capture.as_ref().map(open).transpose().map_err(|error| error.at("--capture"))
    }

    /// Returns the input of a pipe, copied if it is to be.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn input(&self, path: &Path, interrupt: &Interrupt) -> Result<Input, Failure> {
        let capture =
            self.open(&Header::new(CaptureKind::Pipe)).map_err(|error| Failure::usage(&error))?;
        let (name, input) = Stream::new(path, interrupt);
        Ok(match capture {
            None => Input::from_reader(name, input),
            Some(capture) => Input::from_reader(name, Copied { input, capture }),
        })
    }
}

/// An input that is copied as it is read.
pub(crate) struct Copied<R> {
    pub(crate) input: R,
    pub(crate) capture: Capture,
}

impl<R: Read> Read for Copied<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.capture.chunk(SystemClock.now(), &buffer[..read]);
        Ok(read)
    }
}
