//! Answers of a declared pipeline as JSON Lines.

use super::Sink;
use crate::adapter::record_pipeline::Declared;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::error::{Error, ErrorKind};
use crate::spec::JsonLines;
use std::io::Write;

/// Writes answers as [`JsonLines`], the same bytes as `streamgauge run --output json` writes, and flushes after every drain.
#[derive(Debug)]
pub struct JsonLinesSink<W> {
    lines: JsonLines,
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> JsonLinesSink<W> {
    /// The sink of a pipeline's answers.
    pub fn new(pipeline: &Declared, out: W) -> Self {
        JsonLinesSink { lines: JsonLines::new(pipeline.pipeline()), out, buffer: Vec::new() }
    }
}

impl<W: Write> Sink<Declared> for JsonLinesSink<W> {
    fn drain(&mut self, pipeline: &mut Declared) -> Result<u64, Error> {
        let mut emissions = 0;
        let failed = |error| Error::new(ErrorKind::Io, "cannot write the answers").with_source(error);
        while let Some(emission) = pipeline.next_emission()? {
            self.buffer.clear();
            self.lines.append(&emission, &mut self.buffer);
            self.out.write_all(&self.buffer).map_err(failed)?;
            emissions += 1;
        }
        self.out.flush().map_err(failed)?;
        Ok(emissions)
    }
}
