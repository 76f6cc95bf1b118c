//! The rows of a stream's pipeline on standard output.

use crate::output::OutputWriter;
use crate::session::Output;
use crate::view::Counts;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use streamgauge::adapter::{Declared, RecordPipeline, Sink};
use streamgauge::{Control, Error, ErrorKind};

/// The writer of the rows, which the command ends.
pub(crate) type SharedOutput = Rc<RefCell<Output>>;

/// What a screen needs to know of the pipeline.
#[derive(Clone, Copy)]
pub(crate) struct RowsOptions {
    /// The limit of the engine's state.
    pub(crate) state_bytes_max: u64,
    /// True if the screen shows open windows.
    pub(crate) looks_early: bool,
}

/// Writes rows to standard output as they come.
pub(crate) struct Rows<W>(pub(crate) Rc<RefCell<OutputWriter<W>>>, pub(crate) RowsOptions);

impl<W: Write> Sink<Declared> for Rows<W> {
    fn drain(&mut self, pipeline: &mut Declared, _: &str) -> Result<u64, Error> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Io, "cannot write the answers").with_source(error)
        };
        let mut rows = 0;
        while let Some(emission) = pipeline.next_emission()? {
            self.0.borrow_mut().emission(&emission).map_err(failed)?;
            rows += 1;
        }
        let mut output = self.0.borrow_mut();
        output.flush().map_err(failed)?;
        let options = self.1;
        if let Some(watcher) = output.watcher() {
            let (stats, before) = (pipeline.stats(), watcher.counts());
            watcher.tell(Counts {
                filtered: stats.filtered,
                late: stats.late,
                state_bytes: stats.state_bytes,
                state_bytes_max: options.state_bytes_max,
                latest: pipeline.latest_event_time(),
                ..before
            });
        }
        if let Some(live) = output.live().filter(|_| options.looks_early) {
            live.look_early(pipeline, Declared::next_emission)?;
        }
        Ok(rows)
    }
}
