//! The sink: batches, and what became of their rows.

use super::client::FirehoseClient;
use super::put_record_batch::PutRecordBatch;
use crate::adapter::batch_call::{BatchCall, Sent, send};
use crate::adapter::output::lines_output::append_of_source;
use crate::adapter::output::row_output::RowOutput;
use crate::error::{Error, ErrorKind};
use crate::rows::{JsonLines, RowEmission};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// Maximum records of one PutRecordBatch call: Firehose's limit.
const RECORDS_MAX: usize = 500;

/// Maximum bytes of one call: Firehose's limit.
const CALL_BYTES_MAX: usize = 4 << 20;

/// Maximum bytes of a record: Firehose's limit, 1,000 KiB.
const RECORD_BYTES_MAX: usize = 1_000 << 10;

/// Counts of a [`FirehoseSink`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct FirehoseCounts {
    /// Records that the stream has accepted.
    pub accepted: u64,
    /// Records that were given up.
    pub refused: u64,
    /// PutRecordBatch calls.
    pub calls: u64,
    /// Records that were sent again.
    pub repeated: u64,
}

/// Receives records that were given up, with the reason.
type OnRefused = Box<dyn FnMut(Bytes, &str) -> Result<(), Error> + Send>;

/// Puts each row, as a line of JSON with its line feed, into a Firehose stream: up to 500 rows or
/// 4 MiB a call. Rows that are refused, for example because the stream is busy, are sent again, and
/// no others, up to 10 times with growing pauses; then they are given to
/// [`on_refused`](FirehoseSink::on_refused).
///
/// At most one call of rows is held, so that the source waits while the stream is slow. After a
/// crash, or a call whose reply was lost, a row may be in the stream twice: of several rows of one
/// window and group those with the highest revision count.
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::{FirehoseClient, FirehoseSink, RowOutput};
/// # let rows: Vec<streamgauge::rows::RowEmission> = Vec::new();
/// let mut sink = FirehoseSink::new(FirehoseClient::connect("answers")?);
/// for row in &rows {
///     sink.push(row)?;
/// }
/// sink.finish()?;
/// assert_eq!(sink.counts().accepted, rows.len() as u64);
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct FirehoseSink<C = FirehoseClient> {
    client: C,
    lines: JsonLines,
    source: Option<String>,
    held: Vec<Bytes>,
    held_bytes: usize,
    counts: FirehoseCounts,
    on_refused: OnRefused,
}

impl<C: PutRecordBatch> FirehoseSink<C> {
    /// Creates a sink with this client. A row that is given up is an error, unless
    /// [`on_refused`](FirehoseSink::on_refused) takes it.
    pub fn new(client: C) -> Self {
        FirehoseSink {
            client,
            lines: JsonLines::default(),
            source: None,
            held: Vec::new(),
            held_bytes: 0,
            counts: FirehoseCounts::default(),
            on_refused: Box::new(|_, reason| {
                let message = format!("Firehose has not accepted a row: {reason}");
                Err(Error::new(ErrorKind::Io, message))
            }),
        }
    }

    /// Sets the callback for rows that were given up.
    #[must_use]
    pub fn on_refused(
        mut self,
        take: impl FnMut(Bytes, &str) -> Result<(), Error> + Send + 'static,
    ) -> Self {
        self.on_refused = Box::new(take);
        self
    }

    /// Returns the counts.
    pub fn counts(&self) -> FirehoseCounts {
        self.counts
    }

    fn send(&mut self) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.held_bytes = 0;
        let batch = std::mem::take(&mut self.held);
        let Sent { accepted, refused, calls, repeated } =
            send(&mut Calls(&mut self.client), batch)?;
        self.counts.accepted += accepted.len() as u64;
        self.counts.calls += calls;
        self.counts.repeated += repeated;
        // All are counted, also if the first of them ends the run.
        self.counts.refused += refused.len() as u64;
        refused.into_iter().try_for_each(|(row, reason)| (self.on_refused)(row, &reason))
    }
}

impl<C: PutRecordBatch> RowOutput for FirehoseSink<C> {
    fn set_complete(&mut self, complete: bool) {
        self.lines.set_complete(complete);
    }

    fn set_source(&mut self, source: &str) {
        self.source = Some(source.to_owned());
    }

    fn push(&mut self, row: &RowEmission) -> Result<(), Error> {
        let mut line = Vec::with_capacity(256);
        append_of_source(self.lines, self.source.as_deref(), row, &mut line);
        if line.len() > RECORD_BYTES_MAX {
            self.counts.refused += 1;
            let bytes = line.len();
            let reason = format!("it takes {bytes} bytes, over the {RECORD_BYTES_MAX} of Firehose");
            return (self.on_refused)(line.into(), &reason);
        }
        if self.held.len() >= RECORDS_MAX || self.held_bytes + line.len() > CALL_BYTES_MAX {
            self.send()?;
        }
        self.held_bytes += line.len();
        self.held.push(line.into());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.send()
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.send()
    }
}

impl<C> fmt::Debug for FirehoseSink<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirehoseSink").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// The calls of a client as those of any service.
struct Calls<'a, C>(&'a mut C);

impl<C: PutRecordBatch> BatchCall<Bytes> for Calls<'_, C> {
    fn call(&mut self, records: &[Bytes]) -> Result<Vec<Option<String>>, Error> {
        self.0.put_record_batch(records)
    }

    fn pause(&mut self, length: Duration) {
        self.0.pause(length);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
