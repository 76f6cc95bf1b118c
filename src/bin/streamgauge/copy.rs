//! What is read is copied: the arguments for that, and the input of a pipe that is copied.

use crate::failure::Failure;
use crate::interrupt::{Interrupt, Stream};
use crate::standard_error::say;
use clap::Args;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use streamgauge::Error;
use streamgauge::adapter::Declared;
use streamgauge::adapter::capture::{Capture, CaptureKind, Header};
use streamgauge::adapter::files::Input;
use streamgauge::adapter::worker::{Clock, SystemClock};
use streamgauge::query::PipelineSpec;

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
    /// Say of every Nth record what became of it, and why: which condition it did not fulfil, its
    /// time, windows and group, by how much it was late, or why it is a dead letter
    #[arg(long, value_name = "N")]
    pub(crate) trace: Option<NonZeroU64>,
    /// Append what --trace says to a file. Default: standard error
    #[arg(long, value_name = "FILE", requires = "trace")]
    pub(crate) trace_to: Option<PathBuf>,
}

/// Receives what became of a record.
pub(crate) type Trace = Box<dyn FnMut(&str) + Send>;

impl CopyArguments {
    /// Returns of every how many records one is traced, and who is told, if somebody is. Begins
    /// with the conditions and their numbers.
    ///
    /// # Errors
    /// Several queries; a file that cannot be opened.
    pub(crate) fn tracer(
        &self,
        spec: &PipelineSpec,
    ) -> Result<Option<(NonZeroU64, Trace)>, Failure> {
        let Some(every) = self.trace else { return Ok(None) };
        if spec.queries.is_some() || spec.unnest.is_some() {
            return Err(Failure::Usage(String::from(
                "--trace follows records of one query without unnest: try it with one alone",
            )));
        }
        let mut tell: Trace = match &self.trace_to {
            None => Box::new(|text| say(&format!("{text}\n"))),
            Some(path) => {
                let opened = File::options().create(true).append(true).open(path);
                let failed = |error: io::Error| format!("--trace-to {}: {error}", path.display());
                let mut file = opened.map_err(|error| Failure::Usage(failed(error)))?;
                Box::new(move |text| drop(file.write_all(format!("{text}\n").as_bytes())))
            }
        };
        for (index, text) in spec.filter.iter().flatten().enumerate() {
            tell(&format!("condition {}: {text}", index + 1));
        }
        Ok(Some((every, tell)))
    }

    /// Gives a pipeline over a stream the tracer, if there is to be one.
    ///
    /// # Errors
    /// Those of [`tracer`](CopyArguments::tracer).
    pub(crate) fn traced(
        &self,
        pipeline: Declared,
        spec: &PipelineSpec,
    ) -> Result<Declared, Failure> {
        Ok(match self.tracer(spec)? {
            Some((every, tell)) => pipeline.traced(every, tell),
            None => pipeline,
        })
    }

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
