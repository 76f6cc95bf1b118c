//! The answers of a declared pipeline to any output of rows.

use super::Sink;
use super::row_output::RowOutput;
use crate::adapter::record_pipeline::{Declared, RecordPipeline};
use crate::error::Error;

/// Passes the answers of a pipeline on to an output, and flushes it after each drain.
#[derive(Debug)]
pub struct RowSink<O> {
    output: O,
    with_source: bool,
}

impl<O: RowOutput> RowSink<O> {
    /// Creates the sink of an output.
    pub fn new(output: O) -> Self {
        RowSink { output, with_source: false }
    }

    /// Sets whether the output is told the source of the rows. Default: false.
    #[must_use]
    pub fn with_source(mut self, with: bool) -> Self {
        self.with_source = with;
        self
    }
}

impl<O: RowOutput> Sink<Declared> for RowSink<O> {
    fn drain(&mut self, pipeline: &mut Declared, source: &str) -> Result<u64, Error> {
        if self.with_source {
            self.output.set_source(source);
        }
        let mut rows = 0;
        while let Some(row) = pipeline.next_emission()? {
            self.output.push(&row)?;
            rows += 1;
        }
        self.output.flush()?;
        Ok(rows)
    }
}
