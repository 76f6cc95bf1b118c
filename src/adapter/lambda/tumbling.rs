//! Tumbling mode: the state travels in the event and in the reply.

use super::batch::ShardBatch;
use super::core::Core;
use super::{Reply, State, TumblingWindow};
use crate::adapter::output::Sink;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::error::Error;
use crate::record::{SequenceNumber, ShardId};
use crate::snapshot::Snapshot;

/// Lambda ends a window early if its state is over 1 MB.
pub(super) const STATE_BYTES_LIMIT: usize = 1_000_000;

/// Leaves room for other bytes that Lambda may count.
const STATE_BYTES_MAX: usize = 900_000;

#[derive(Debug)]
pub(super) struct Tumbling {
    /// Maximum bytes of the state as JSON.
    pub(super) state_bytes_max: usize,
}

impl Default for Tumbling {
    fn default() -> Self {
        Tumbling { state_bytes_max: STATE_BYTES_MAX }
    }
}

impl Tumbling {
    /// The answers of the last invocation of a window cover all of its records since `since`. That
    /// is the window's first record, unless Lambda ended the window early before. In that case the
    /// partials get another source, and both add up.
    pub(super) fn handle<P: RecordPipeline, S: Sink<P>>(
        &self,
        core: &mut Core<P, S>,
        batch: &ShardBatch,
        window: &TumblingWindow,
    ) -> Result<Reply, Error> {
        let since = begin(core, window)?.or_else(|| batch.first().cloned());
        let shard = core.pipeline.open_shard(ShardId::new(batch.source.as_str()))?;
        let source = match &since {
            Some(since) => format!("{}:{since}", batch.source),
            None => batch.source.clone(),
        };
        let stop = core.apply(shard, batch, Some(&source))?;
        let is_last = stop.is_none() && (window.is_final || window.is_terminated_early);
        if is_last {
            core.pipeline.finish();
        }
        core.drain(&source)?;
        let state = match since {
            Some(since) if !is_last => self.state(core, &since)?,
            _ => State::default(),
        };
        core.invocation.state_bytes = state.json().len() as u64;
        Ok(core.reply(stop).with_state(state))
    }

    fn state<P: RecordPipeline, S: Sink<P>>(
        &self,
        core: &mut Core<P, S>,
        since: &SequenceNumber,
    ) -> Result<State, Error> {
        let room = State::room(self.state_bytes_max, since);
        let (snapshot, reductions) = core
            .pipeline
            .snapshot_within(room)
            .map_err(|error| error.at("the state of the window"))?;
        core.invocation.reductions =
            Some(reductions).filter(|reductions| reductions.bytes_after < reductions.bytes_before);
        Ok(State::carrying(snapshot.bytes(), since))
    }
}

/// Begins with the current state of the window. Returns the number of its first record, if it has
/// one.
fn begin<P: RecordPipeline, S: Sink<P>>(
    core: &mut Core<P, S>,
    window: &TumblingWindow,
) -> Result<Option<SequenceNumber>, Error> {
    let at = |error: Error| {
        error.at(format_args!("the state of the window {} of {}", window.window, window.shard))
    };
    let Some(carried) = window.state.carried().map_err(at)? else {
        core.begin(None)?;
        return Ok(None);
    };
    let snapshot = Snapshot::from_bytes(carried.snapshot).map_err(at)?;
    core.begin(Some(&snapshot)).map_err(at)?;
    Ok(carried.since)
}
