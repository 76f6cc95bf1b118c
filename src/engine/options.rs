//! How an engine is to treat time, lateness and limits.

use super::RecentIds;
use crate::error::Error;
use crate::limits::Limits;
use crate::time::whole_millis;
use crate::window::{Global, Windows};
use std::time::Duration;

/// How an engine is to treat time, lateness and limits. Each field has a default.
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
    /// By how much a record may come behind the latest one of its shard and still be waited for;
    /// `None`: by any time, so that nothing fires before the end of the input and no record is ever
    /// late. Default: 0.
    pub out_of_orderness: Option<Duration>,
    /// How long after a window has fired late records still go into it, each emitting it again.
    /// Default: 0.
    pub allowed_lateness: Duration,
    /// After how long without a record, by the clock given to
    /// [`Control::advance`](super::Control::advance), the other shards stop waiting for a shard;
    /// `None`: never. Default: never.
    pub idle_after: Option<Duration>,
    /// Whether windows without a record, between windows that are emitted, are emitted too. A
    /// record that leaves more than [`Limits::panes_max`] of them between its windows and all
    /// others is a dead letter. Default: they are not.
    pub emit_empty: bool,
    /// Whether a record that cannot be aggregated is an error that leaves it untaken, in the place
    /// of a dead letter: for a source that delivers it again. Default: it is a dead letter.
    pub strict: bool,
    /// Recognises records that a producer has sent again, by an identity: see
    /// [`Engine::is_repeated`](super::Engine::is_repeated). Default: none.
    pub recent_ids: Option<RecentIds>,
    /// A name and version of the pipeline, part of its fingerprint: state that was saved under
    /// another name is refused. Change it when closures change in meaning. Default: empty.
    pub name: String,
    /// The caps.
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
