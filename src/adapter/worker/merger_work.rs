//! The second stage: merges records that are partials.

use super::batch::Batch;
use super::many_shards::{ManyShards, OpenShard};
use super::shard_work::ShardWork;
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::merger::{Merged, Merger, MergerControl};
use crate::record::{Record, Sequence, SequenceNumber, ShardId};
#[cfg(feature = "spec")]
use crate::rows::{MergedRow, RowMerger};
use crate::snapshot::Partial;
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// What a state begins with.
const ONE_SHARD: u8 = 0;
const ONE_SHARD_READ: u8 = 1;
const MANY_SHARDS: u8 = 2;

/// A merger of partials: [`Merger`], or `RowMerger` (feature `spec`) for declared pipelines.
pub trait Merging: MergerControl {
    /// The answer for a window, or for a row of it.
    type Answer;

    /// Returns the next answer.
    ///
    /// # Errors
    /// Those of [`Merger::next_merged`].
    fn next_answer(&mut self) -> Result<Option<Self::Answer>, Error>;
}

impl<R: ?Sized, A: Aggregate<R>> Merging for Merger<R, A> {
    type Answer = Merged<A::Output>;

    fn next_answer(&mut self) -> Result<Option<Self::Answer>, Error> {
        self.next_merged()
    }
}

#[cfg(feature = "spec")]
impl Merging for RowMerger {
    type Answer = MergedRow;

    fn next_answer(&mut self) -> Result<Option<MergedRow>, Error> {
        self.next_row()
    }
}

/// Receives the answers of a merger. A function of an answer implements it; another type may
/// collect answers until [`flush`](AnswerSink::flush).
pub trait AnswerSink<T> {
    /// Receives an answer. It may have come before, or be a later revision of an earlier one.
    ///
    /// # Errors
    /// The answer cannot be written. It comes again after the next start.
    fn put(&mut self, answer: T) -> Result<(), Error>;

    /// Returns after all answers are safe.
    ///
    /// # Errors
    /// The answers cannot be written.
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<T, F: FnMut(T) -> Result<(), Error>> AnswerSink<T> for F {
    fn put(&mut self, answer: T) -> Result<(), Error> {
        self(answer)
    }
}

type OpenAnswers<T> = Box<dyn FnMut(&ShardId) -> Result<Box<dyn AnswerSink<T>>, Error>>;

/// Merges partials that are the records of a shard, as a
/// [`PartialSink`](crate::adapter::PartialSink) writes them into a stream, and passes on the merged
/// windows.
///
/// The partition key of the partials must be the window, so that all partials of a window come on
/// one shard. Deadlines follow the clock, and stop while the shard is behind.
///
/// # Reshards
/// An ended shard emits all of its windows, complete or not, and hands its partials over to all
/// shards that follow. The shard that gets further partials of a window emits the window again,
/// with all partials and the next revision.
pub struct MergerWork<M: Merging> {
    merger: M,
    fresh: Bytes,
    open_answers: OpenAnswers<M::Answer>,
    shard: Option<ShardId>,
    answers: Option<Box<dyn AnswerSink<M::Answer>>>,
    applied: Option<Sequence>,
    /// The last applied record of each shard, if it follows many at once.
    shards: Option<BTreeMap<ShardId, Option<Sequence>>>,
}

impl<M: Merging> MergerWork<M> {
    /// Creates the work from a merger without partials, and a function that opens the place of the
    /// answers once the shard is known.
    pub fn new(
        merger: M,
        open_answers: impl FnMut(&ShardId) -> Result<Box<dyn AnswerSink<M::Answer>>, Error> + 'static,
    ) -> Self {
        let fresh = merger.snapshot();
        MergerWork {
            merger,
            fresh,
            open_answers: Box::new(open_answers),
            shard: None,
            answers: None,
            applied: None,
            shards: None,
        }
    }

    /// Returns the merger.
    pub fn merger(&self) -> &M {
        &self.merger
    }

    fn apply_record(
        &mut self,
        record: &Record,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        let sequence = &record.position.sequence;
        if self.applied.as_ref().is_some_and(|applied| sequence <= applied) {
            return Ok(());
        }
        let added = Partial::from_bytes(record.data.clone())
            .and_then(|partial| self.merger.add(&partial, now));
        if let Err(error) = added {
            match error.kind() {
                ErrorKind::Corrupt | ErrorKind::Mismatch => dead_letter(
                    error.at(format_args!("{}:{}", record.position.shard, sequence.number)),
                ),
                _ => return Err(error),
            }
        }
        self.applied = Some(sequence.clone());
        Ok(())
    }
}

impl<M: Merging> ShardWork for MergerWork<M> {
    fn open(&mut self, shard: &ShardId) -> Result<(), Error> {
        self.answers = Some((self.open_answers)(shard)?);
        self.shard = Some(shard.clone());
        Ok(())
    }

    fn restore(&mut self, state: Option<&Bytes>) -> Result<(), Error> {
        let state = state.map(MergerState::from_bytes).transpose()?;
        let state = state.unwrap_or_else(|| MergerState {
            applied: None,
            shards: BTreeMap::new(),
            merger: self.fresh.clone(),
        });
        self.merger.restore(state.merger)?;
        self.applied = state.applied;
        self.shards = self.shards.is_some().then_some(state.shards);
        Ok(())
    }

    fn adopt(&mut self, handed_over: &Bytes) -> Result<(), Error> {
        self.merger.absorb(handed_over.clone())
    }

    fn skip_to(&mut self, sequence: &Sequence) -> Result<(), Error> {
        self.applied = Some(sequence.clone());
        Ok(())
    }

    fn apply(
        &mut self,
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        // Rejected deliveries that came before were dead letters then.
        for rejected in batch
            .rejected
            .iter()
            .filter(|rejected| rejected.sequence.is_none() || rejected.sequence > self.applied)
        {
            dead_letter(Error::new(ErrorKind::InvalidRecord, rejected.error.to_string()));
        }
        batch.records.iter().try_for_each(|record| self.apply_record(record, now, dead_letter))?;
        self.applied = self.applied.take().max(batch.last_rejected());
        Ok(())
    }

    fn advance(&mut self, now: Timestamp) -> Result<bool, Error> {
        let was_due = self.merger.is_due();
        self.merger.advance(now);
        Ok(!was_due && self.merger.is_due())
    }

    fn is_ahead(&self) -> bool {
        false
    }

    fn emit(&mut self) -> Result<(), Error> {
        let Some(answers) = &mut self.answers else { return Ok(()) };
        while let Some(answer) = self.merger.next_answer()? {
            answers.put(answer)?;
        }
        answers.flush()
    }

    fn state(&mut self) -> Result<Bytes, Error> {
        let state = MergerState {
            applied: self.applied.clone(),
            shards: self.shards.clone().unwrap_or_default(),
            merger: self.merger.snapshot(),
        };
        Ok(state.to_bytes())
    }

    fn hand_over(&mut self) -> Result<Vec<Bytes>, Error> {
        self.merger.finish();
        self.emit()?;
        Ok(vec![self.merger.snapshot()])
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn applied(&self) -> Option<&Sequence> {
        self.applied.as_ref()
    }
}

impl<M: Merging> ManyShards for MergerWork<M> {
    fn open_source(&mut self, source: &ShardId) -> Result<(), Error> {
        self.shards.get_or_insert_default();
        self.open(source)
    }

    fn open_shard(&mut self, id: &ShardId, _: &[ShardId]) -> Result<(), Error> {
        self.shards.get_or_insert_default().entry(id.clone()).or_default();
        Ok(())
    }

    /// The position stays: it says that the shard was read.
    fn close_shard(&mut self, _: &ShardId) -> Result<(), Error> {
        Ok(())
    }

    fn skip_shard_to(&mut self, id: &ShardId, sequence: &Sequence) -> Result<(), Error> {
        self.shards.get_or_insert_default().insert(id.clone(), Some(sequence.clone()));
        Ok(())
    }

    fn positions(&mut self) -> Result<BTreeMap<ShardId, Option<Sequence>>, Error> {
        Ok(self.shards.clone().unwrap_or_default())
    }

    fn apply_to(
        &mut self,
        (id, _): (&ShardId, Option<&HashRange>),
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<bool, Error> {
        let position = |work: &mut Self| work.shards.as_mut()?.get_mut(id).map(std::mem::take);
        self.applied = position(self).flatten();
        let applied = self.apply(batch, now, dead_letter);
        let last = self.applied.take();
        self.shards.get_or_insert_default().insert(id.clone(), last);
        applied.map(|()| !batch.records.is_empty())
    }

    /// Deadlines stop while any shard is behind.
    fn advance_all(
        &mut self,
        open: &mut BTreeMap<ShardId, OpenShard>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        match open.values().any(|shard| shard.is_behind) {
            true => Ok(false),
            false => self.advance(now),
        }
    }

    fn finish(&mut self) {
        self.merger.finish();
    }
}

/// The saved state of a [`MergerWork`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MergerState {
    /// The last applied position.
    pub applied: Option<Sequence>,
    /// That of each shard, if there are several.
    pub shards: BTreeMap<ShardId, Option<Sequence>>,
    /// The state of the merger.
    pub merger: Bytes,
}

impl MergerState {
    /// Decodes untrusted bytes. The bytes of the merger are checked when it is restored.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not such a state.
    pub fn from_bytes(state: &Bytes) -> Result<Self, Error> {
        let mut reader = Reader::new(state);
        let kind = reader.u8()?;
        let applied = match kind {
            ONE_SHARD_READ => Some(sequence(&mut reader)?),
            ONE_SHARD | MANY_SHARDS => None,
            other => {
                let message = format!("the state of a merger is of the kind {other}");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
        };
        let mut shards = BTreeMap::new();
        if kind == MANY_SHARDS {
            for _ in 0..reader.count(2)? {
                let id = ShardId::new(reader.text()?);
                let read = reader.bool()?.then(|| sequence(&mut reader)).transpose()?;
                shards.insert(id, read);
            }
        }
        let merger = state.slice_ref(reader.bytes()?);
        reader.finish()?;
        Ok(MergerState { applied, shards, merger })
    }

    fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::new();
        match (&self.applied, self.shards.is_empty()) {
            (Some(applied), _) => {
                writer.u8(ONE_SHARD_READ);
                write_sequence(applied, &mut writer);
            }
            (None, true) => writer.u8(ONE_SHARD),
            (None, false) => {
                writer.u8(MANY_SHARDS);
                writer.usize(self.shards.len());
                for (id, read) in &self.shards {
                    writer.bytes(id.as_str().as_bytes());
                    writer.bool(read.is_some());
                    read.iter().for_each(|read| write_sequence(read, &mut writer));
                }
            }
        }
        writer.bytes(&self.merger);
        writer.into_bytes().into()
    }
}

fn sequence(reader: &mut Reader<'_>) -> Result<Sequence, Error> {
    let number: SequenceNumber = reader.text()?.parse()?;
    Ok(Sequence { number, sub: reader.u64()? })
}

fn write_sequence(sequence: &Sequence, writer: &mut Writer) {
    writer.bytes(sequence.number.as_str().as_bytes());
    writer.u64(sequence.sub);
}

impl<M: Merging> fmt::Debug for MergerWork<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergerWork")
            .field("shard", &self.shard)
            .field("applied", &self.applied)
            .finish_non_exhaustive()
    }
}
