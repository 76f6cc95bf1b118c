//! Options of a [`StatefulProcessor`](super::StatefulProcessor).

use crate::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// Receives the reason of each record that could not be decoded or aggregated.
pub type OnDeadLetter = Box<dyn FnMut(&Error)>;

/// How often state is saved, and who gets reports. Each field has a default.
#[non_exhaustive]
pub struct ProcessorOptions {
    /// Number of records after which answers are emitted, the state is saved and a checkpoint is
    /// taken, at the end of a batch. Default: 100,000.
    pub every_records: u64,
    /// Time after which the same happens, at the next batch. Default: 10 s.
    pub every: Duration,
    /// How long a process only answers its source after another process has taken its shard over,
    /// until the source reports the lost lease. Then it ends with an error. Ending at once would
    /// end the other shards of the same source, as with the KCL's daemon. Default: 60 s.
    pub stale_after: Duration,
    /// True if a checkpoint ahead of the state in the store is an error. It means that state was
    /// lost, or that the application had checkpoints before it had state. Default: a note.
    pub require_state: bool,
    /// Receives notes for an operator. Default: standard error.
    pub on_note: Box<dyn FnMut(&str)>,
    /// Receives the reason of each record that could not be decoded or aggregated. Default: the
    /// first ten are notes.
    pub on_dead_letter: Option<OnDeadLetter>,
}

impl Default for ProcessorOptions {
    fn default() -> Self {
        ProcessorOptions {
            every_records: 100_000,
            every: Duration::from_secs(10),
            stale_after: Duration::from_secs(60),
            require_state: false,
            on_note: Box::new(|note| {
                // If standard error is closed, there is no other place to report to.
                let _ = writeln!(io::stderr(), "streamgauge: {note}");
            }),
            on_dead_letter: None,
        }
    }
}

impl fmt::Debug for ProcessorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorOptions")
            .field("every_records", &self.every_records)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
