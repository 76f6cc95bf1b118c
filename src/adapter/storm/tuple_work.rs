//! A pipeline over tuples, each of which counts once if it has an id.

use super::tuple_state::{self, Ids, OutRow, Outbox, hash_of};
use crate::adapter::worker::{Batch, PipelineWork, ShardWork};
use crate::adapter::{RecordPipeline, Rejected, Sink};
use crate::error::Error;
use crate::record::{Record, Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

/// Default of the number of ids.
pub(super) const IDS_MAX_DEFAULT: usize = 100_000;

/// The place that a sink writes its rows to: each line is the value of a tuple.
#[derive(Clone, Debug, Default)]
pub struct RowBuffer(Rc<RefCell<Vec<u8>>>);

impl Write for RowBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a [`RecordPipeline`] over the tuples of a task, for a [`Bolt`](super::Bolt).
///
/// The id of a tuple is the [`partition_key`](Record::partition_key) of its record, empty if it has
/// none. A tuple whose id is among the last ones is not applied again. The rows that it completed
/// are sent again.
pub struct TupleWork<P> {
    inner: PipelineWork<P>,
    ids: Ids,
    ids_max: usize,
    outbox: Outbox,
    buffer: RowBuffer,
    /// The id of the last tuple of the batch that was applied for the first time.
    anchor: Option<u128>,
    /// The tuples of the batch that a strict pipeline refused, and why.
    refused: Vec<(Sequence, Error)>,
    repeated: u64,
}

impl<P: RecordPipeline> TupleWork<P> {
    /// Creates the work of a pipeline without shards. `sink` makes the sink of its answers, which
    /// writes one line for each row; `with` sets the options of the work.
    ///
    /// # Errors
    /// Those of [`PipelineWork::new`].
    pub fn new(
        pipeline: P,
        mut sink: impl FnMut(RowBuffer) -> Box<dyn Sink<P>> + 'static,
        with: impl FnOnce(PipelineWork<P>) -> PipelineWork<P>,
    ) -> Result<Self, Error> {
        let buffer = RowBuffer::default();
        let rows = buffer.clone();
        let inner = with(PipelineWork::new(pipeline, move |_, _| Ok(sink(rows.clone())))?);
        Ok(TupleWork {
            inner,
            ids: Ids::default(),
            ids_max: IDS_MAX_DEFAULT,
            outbox: Outbox::default(),
            buffer,
            anchor: None,
            refused: Vec::new(),
            repeated: 0,
        })
    }

    /// Sets the number of tuples whose ids are kept, 16 bytes each in every saved state. Default:
    /// 100,000. It should be more than all tuples that the task gets while a tuple is on its way:
    /// the message timeout of the topology, for each time that it may come again.
    #[must_use]
    pub fn ids_max(mut self, ids: usize) -> Self {
        self.ids_max = ids;
        self
    }

    /// Returns the number of tuples in this process that came again.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Returns the rows to be sent.
    pub(super) fn take_rows(&mut self) -> Vec<OutRow> {
        self.outbox.take()
    }

    /// Returns the tuples of the last batch that were refused.
    pub(super) fn take_refused(&mut self) -> Vec<(Sequence, Error)> {
        std::mem::take(&mut self.refused)
    }

    /// Applies one tuple, or one that could not be read.
    fn apply_one(
        &mut self,
        tuple: Result<&Record, &Rejected>,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        let id = match tuple {
            Ok(record) if !record.partition_key.is_empty() => Some(hash_of(&record.partition_key)),
            _ => None,
        };
        if let Some(id) = id.filter(|id| self.ids.contains(*id)) {
            self.repeated += 1;
            self.outbox.send_again(id);
            return Ok(());
        }
        let applied = self.inner.applied().map_or(0, |applied| {
            // The numbers are those that were given here.
            applied.number.as_str().parse::<u64>().unwrap_or(u64::MAX)
        });
        let sequence = Sequence::new(applied.saturating_add(1));
        let mut one = Batch { millis_behind_latest: Some(0), ..Batch::default() };
        let delivered = match tuple {
            Ok(record) => {
                let mut copy = record.clone();
                copy.position.sequence = sequence;
                one.records.push(copy);
                Some(&record.position.sequence)
            }
            Err(rejected) => {
                one.rejected.push(Rejected {
                    index: 0,
                    records_before: 0,
                    shard: None,
                    sequence: Some(sequence),
                    arrival: rejected.arrival,
                    data: Bytes::new(),
                    error: Error::new(rejected.error.kind(), rejected.error.to_string()),
                });
                rejected.sequence.as_ref()
            }
        };
        match self.inner.apply(&one, now, dead_letter) {
            Err(error) if error.is_about_record() => {
                self.refused.extend(delivered.cloned().map(|delivered| (delivered, error)));
                return Ok(());
            }
            applied => applied?,
        }
        if let Some(id) = id {
            self.ids.insert(id, self.ids_max);
            self.anchor = Some(id);
        }
        Ok(())
    }
}

impl<P: RecordPipeline> ShardWork for TupleWork<P> {
    fn open(&mut self, shard: &ShardId) -> Result<(), Error> {
        self.inner.open(shard)
    }

    fn restore(&mut self, state: Option<&Bytes>) -> Result<(), Error> {
        let Some(state) = state else {
            (self.ids, self.outbox) = Default::default();
            return self.inner.restore(None);
        };
        let (ids, outbox, snapshot) = tuple_state::read(state, self.ids_max)?;
        (self.ids, self.outbox) = (ids, outbox);
        self.inner.restore(Some(&snapshot))
    }

    fn adopt(&mut self, handed_over: &Bytes) -> Result<(), Error> {
        self.inner.adopt(handed_over)
    }

    fn apply(
        &mut self,
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        self.anchor = None;
        let mut rejected = batch.rejected.iter().peekable();
        for (index, record) in batch.records.iter().enumerate() {
            while let Some(next) = rejected.next_if(|rejected| rejected.records_before <= index) {
                self.apply_one(Err(next), now, dead_letter)?;
            }
            self.apply_one(Ok(record), now, dead_letter)?;
        }
        rejected.try_for_each(|rejected| self.apply_one(Err(rejected), now, dead_letter))
    }

    fn advance(&mut self, now: Timestamp) -> Result<bool, Error> {
        self.inner.advance(now)
    }

    /// Rows leave the process after the state is saved, which has them. So no answer depends on
    /// something that is not saved.
    fn is_ahead(&self) -> bool {
        false
    }

    /// Puts the rows into the state. The bolt sends them after it is saved.
    fn emit(&mut self) -> Result<(), Error> {
        self.inner.emit()?;
        let lines = Bytes::from(std::mem::take(&mut *self.buffer.0.borrow_mut()));
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.outbox.push(self.anchor, Bytes::copy_from_slice(line));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Bytes, Error> {
        let snapshot = self.inner.state()?;
        Ok(tuple_state::write(&self.ids, &mut self.outbox, &snapshot))
    }

    fn hand_over(&mut self) -> Result<Vec<Bytes>, Error> {
        self.inner.hand_over()
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn applied(&self) -> Option<&Sequence> {
        self.inner.applied()
    }

    fn skip_to(&mut self, sequence: &Sequence) -> Result<(), Error> {
        self.inner.skip_to(sequence)
    }

    fn late(&self) -> (u64, bool) {
        self.inner.late()
    }
}

impl<P: fmt::Debug> fmt::Debug for TupleWork<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TupleWork")
            .field("inner", &self.inner)
            .field("ids_max", &self.ids_max)
            .finish_non_exhaustive()
    }
}
