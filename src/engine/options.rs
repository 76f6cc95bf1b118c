//! Options for time, lateness and limits.

use super::RecentIds;
use crate::error::Error;
use crate::limits::Limits;
use crate::time::whole_millis;
use crate::window::{Global, Windows};
use std::time::Duration;

/// Options for time, lateness and limits. Each field has a default.
///
/// # Example
/// ```
/// use streamgauge::engine::{Engine, EngineOptions};
/// use streamgauge::prelude::*;
/// let mut options = EngineOptions::default();
/// assert!(options.windows.is_global()); // one window over everything
/// options.windows = Sliding::new(minutes(5), seconds(10))?.into();
/// options.out_of_orderness = Some(seconds(5));
/// options.name = "hits, v2".into();
/// let engine = Engine::<str, _>::new(count(), options)?;
/// assert!(engine.description().starts_with("hits, v2: count"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineOptions {
    /// The windows; default: one over everything.
    pub windows: Windows,
    /// How far a record may be behind the latest one of its shard without being late; `None` means
    /// any time, so that nothing fires before the end of the input and no record is late. Default:
    /// 0.
    pub out_of_orderness: Option<Duration>,
    /// How long after its firing a window accepts late records. Each of them emits the window
    /// again. Default: 0.
    pub allowed_lateness: Duration,
    /// How long a shard may have no record, by the clock of
    /// [`Control::advance`](super::Control::advance), until the other shards stop waiting for it;
    /// `None` means for ever. Default: `None`.
    pub idle_after: Option<Duration>,
    /// True if windows without a record, between windows that are emitted, are emitted too. A
    /// record with more than [`Limits::panes_max`] empty windows between its windows and all others
    /// is then a dead letter. Default: false.
    pub emit_empty: bool,
    /// True if a record that cannot be aggregated is an error instead of a dead letter, for a
    /// source that delivers it again. Default: false.
    pub strict: bool,
    /// Recognises records that a producer has sent again, by an identity: see
    /// [`Engine::is_repeated`](super::Engine::is_repeated). Default: none.
    pub recent_ids: Option<RecentIds>,
    /// A name and version of the pipeline, part of its fingerprint: state saved with another name
    /// is refused. Change it when closures change in meaning. Default: empty.
    pub name: String,
    /// The limits.
    pub limits: Limits,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            windows: Global.into(),
            out_of_orderness: Some(Duration::ZERO),
            allowed_lateness: Duration::ZERO,
            idle_after: None,
            emit_empty: false,
            strict: false,
            recent_ids: None,
            name: String::new(),
            limits: Limits::default(),
        }
    }
}

/// The durations of the options in milliseconds.
pub(super) struct Spans {
    pub(super) out_of_orderness: Option<i64>,
    pub(super) lateness: i64,
    pub(super) idle_after: Option<i64>,
}

impl EngineOptions {
    pub(super) fn spans(&self) -> Result<Spans, Error> {
        Ok(Spans {
            out_of_orderness: self
                .out_of_orderness
                .map(|length| whole_millis(length, "an out-of-orderness"))
                .transpose()?,
            lateness: whole_millis(self.allowed_lateness, "an allowed lateness")?,
            idle_after: self
                .idle_after
                .map(|length| whole_millis(length, "an idle time-out"))
                .transpose()?,
        })
    }
}
