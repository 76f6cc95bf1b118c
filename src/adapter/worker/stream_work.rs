//! A pipeline or a merger over all shards of a stream.

use super::batch::Batch;
use super::many_shards::{ManyShards, OpenShard};
use super::shard_work::ShardWork;
use super::stream_state::{StreamPosition, StreamStart, StreamState};
use super::work_call::WorkCall;
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::adapter::output::ExactFile;
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Runs one pipeline over all shards of a stream: a window closes when all of them have passed it.
/// Or merges the partials of all shards. Its state is one: that of the work, the position in each
/// shard, and the end of the output.
///
/// A source opens each shard before the first record, a child before its parents are closed, and
/// says of which shard the next batch is.
pub struct StreamWork<W> {
    work: W,
    start: StreamStart,
    initial: BTreeSet<ShardId>,
    open: BTreeMap<ShardId, OpenShard>,
    /// The shard of the next batch.
    selected: Option<ShardId>,
    output: Option<ExactFile>,
}

impl<W: ManyShards> StreamWork<W> {
    /// Creates the work from that of a pipeline with its options, or of a merger. It opens no shard
    /// itself.
    pub fn new(work: W) -> Self {
        StreamWork {
            work,
            start: StreamStart::default(),
            initial: BTreeSet::new(),
            open: BTreeMap::new(),
            selected: None,
            output: None,
        }
    }

    /// Sets the file of the answers. When state is restored, the answers that were written after it
    /// was saved are cut off, and come again. So each answer is in the file once.
    #[must_use]
    pub fn output(mut self, file: ExactFile) -> Self {
        self.output = Some(file);
        self
    }

    /// Returns the work.
    pub fn work(&self) -> &W {
        &self.work
    }

    /// Returns how far the stream was read.
    ///
    /// # Errors
    /// Those of [`ManyShards::positions`].
    pub fn position(&mut self) -> Result<StreamPosition, Error> {
        let shards = self.work.positions()?;
        Ok(StreamPosition { start: self.start, initial: self.initial.clone(), shards })
    }

    /// Sets where the initial shards begin: part of the state from now on.
    pub fn begin(&mut self, position: &StreamPosition) {
        (self.start, self.initial) = (position.start, position.initial.clone());
    }

    /// Follows a shard. The watermark of one that continues others begins where theirs ended.
    ///
    /// # Errors
    /// Those of [`ManyShards::open_shard`].
    pub fn open_shard(
        &mut self,
        id: &ShardId,
        parents: &[ShardId],
        range: Option<HashRange>,
    ) -> Result<(), Error> {
        self.work.tell(WorkCall::OpenShard { shard: id, parents, range });
        self.work.open_shard(id, parents)?;
        let open = OpenShard { range, busy_at: None, is_behind: true };
        self.open.insert(id.clone(), open);
        Ok(())
    }

    /// Ends a shard. The shards that continue it are open.
    ///
    /// # Errors
    /// Those of [`ManyShards::close_shard`].
    pub fn close_shard(&mut self, id: &ShardId) -> Result<(), Error> {
        self.work.tell(WorkCall::CloseShard(id));
        self.open.remove(id);
        self.work.close_shard(id)
    }

    /// Says of which shard the next batch is.
    pub fn select(&mut self, id: &ShardId) {
        self.selected = Some(id.clone());
    }

    /// Ends the input, so that every window is complete. Nothing can be restored after that.
    pub fn finish(&mut self) {
        self.work.tell(WorkCall::Finish);
        self.work.finish();
    }
}

impl<W: ManyShards> ShardWork for StreamWork<W> {
    fn open(&mut self, stream: &ShardId) -> Result<(), Error> {
        self.work.open_source(stream)
    }

    fn restore(&mut self, state: Option<&Bytes>) -> Result<(), Error> {
        let Some(state) = state else { return self.work.restore(None) };
        self.work.tell(WorkCall::Restore(state));
        let state = StreamState::from_bytes(state)?;
        self.work.restore_silently(Some(&state.snapshot))?;
        (self.start, self.initial) = (state.start, state.initial);
        for id in self.open.keys() {
            self.work.open_shard(id, &[])?;
        }
        if let (Some(file), Some(mark)) = (&mut self.output, &state.output) {
            file.rewind(mark).map_err(output_failed)?;
        }
        Ok(())
    }

    fn adopt(&mut self, handed_over: &Bytes) -> Result<(), Error> {
        self.work.adopt(handed_over)
    }

    fn skip_to(&mut self, sequence: &Sequence) -> Result<(), Error> {
        let selected = self.selected.as_ref().filter(|id| self.open.contains_key(*id));
        let id = selected.ok_or_else(|| Error::invalid("no shard is open"))?;
        self.work.skip_shard_to(id, sequence)
    }

    fn apply(
        &mut self,
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        self.work.tell(WorkCall::Apply { shard: self.selected.as_ref(), batch, now });
        let selected = self.selected.as_ref().and_then(|id| Some((id, self.open.get_mut(id)?)));
        let Some((id, open)) = selected else {
            return match batch.deliveries() {
                0 => Ok(()),
                _ => Err(Error::invalid("records came of a shard that is not open")),
            };
        };
        open.is_behind = batch.is_behind();
        if self.work.apply_to((id, open.range.as_ref()), batch, now, dead_letter)? || open.is_behind
        {
            open.busy_at = Some(now);
        }
        Ok(())
    }

    fn advance(&mut self, now: Timestamp) -> Result<bool, Error> {
        self.work.tell(WorkCall::Advance(now));
        self.work.advance_all(&mut self.open, now)
    }

    fn is_ahead(&self) -> bool {
        self.work.is_ahead()
    }

    fn emit(&mut self) -> Result<(), Error> {
        self.work.emit()
    }

    fn state(&mut self) -> Result<Bytes, Error> {
        let mut state = StreamState::new((self.start, &self.initial), self.work.state()?);
        if let Some(file) = &mut self.output {
            state.output = Some(file.mark().map_err(output_failed)?);
        }
        Ok(state.to_bytes())
    }

    fn hand_over(&mut self) -> Result<Vec<Bytes>, Error> {
        self.work.hand_over()
    }

    fn is_shared(&self) -> bool {
        self.work.is_shared()
    }

    fn late(&self) -> (u64, bool) {
        self.work.late()
    }

    fn applied(&self) -> Option<&Sequence> {
        None
    }
}

fn output_failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "the end of the output cannot be found").with_source(error)
}

impl<W: fmt::Debug> fmt::Debug for StreamWork<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWork")
            .field("work", &self.work)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
