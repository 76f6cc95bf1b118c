//! What receives the rows of answers: lines, files or a service.

use crate::error::Error;
use crate::rows::RowEmission;

/// Receives the rows of answers.
pub trait RowOutput {
    /// Sets whether the rows to come are of complete windows. Default: true.
    fn set_complete(&mut self, complete: bool);

    /// Sets the source of the rows to come, such as a shard, so that rows of several sources can be
    /// told from each other. Rows that are held must have been [flushed](RowOutput::flush).
    /// Default: none.
    fn set_source(&mut self, source: &str);

    /// Receives a row. It may be held until the next flush.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if rows cannot be written.
    fn push(&mut self, row: &RowEmission) -> Result<(), Error>;

    /// Writes the rows that are held, so that they are as safe as the output promises. More may
    /// follow.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if they cannot be written.
    fn flush(&mut self) -> Result<(), Error>;

    /// Writes the rows that are held, and the end of the output.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if they cannot be written.
    fn finish(&mut self) -> Result<(), Error> {
        self.flush()
    }
}

impl<O: RowOutput + ?Sized> RowOutput for Box<O> {
    fn set_complete(&mut self, complete: bool) {
        (**self).set_complete(complete);
    }

    fn set_source(&mut self, source: &str) {
        (**self).set_source(source);
    }

    fn push(&mut self, row: &RowEmission) -> Result<(), Error> {
        (**self).push(row)
    }

    fn flush(&mut self) -> Result<(), Error> {
        (**self).flush()
    }

    fn finish(&mut self) -> Result<(), Error> {
        (**self).finish()
    }
}
