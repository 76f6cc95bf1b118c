//! A pipeline at work.

use super::event_time::EventTime;
use super::{Builder, Over};
use crate::aggregate::Aggregate;
use crate::engine::{Emission, Engine, Outcome, Shard, Stats};
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::snapshot::{Partial, Reductions, Snapshot};
use crate::time::Timestamp;
use std::borrow::Borrow;

type Filter<R> = Box<dyn Fn(&R) -> bool + Send + Sync>;
type Identity<R> = Box<dyn Fn(&R) -> u64 + Send + Sync>;
type LateSink<R> = Box<dyn FnMut(&R, Timestamp) + Send>;

/// Records whose event times are taken at once: enough that asking for them costs nothing, and few
/// enough to stay in the cache.
const BATCH: usize = 512;

/// Only the one window over everything can do without a time, and any will do.
const NO_TIME: Timestamp = Timestamp::from_millis(0);

/// What stands before the engine.
pub(super) struct Stages<R: ?Sized> {
    pub(super) event_time: Option<Box<dyn EventTime<R>>>,
    pub(super) filters: Vec<Filter<R>>,
    /// The stable hash of what identifies a record.
    pub(super) identity: Option<Identity<R>>,
    pub(super) on_late: Option<LateSink<R>>,
}

impl<R: ?Sized> Default for Stages<R> {
    fn default() -> Self {
        Stages { event_time: None, filters: Vec::new(), identity: None, on_late: None }
    }
}

impl<R: ?Sized> Stages<R> {
    #[inline]
    fn keeps(&self, record: &R) -> bool {
        self.filters.iter().all(|keep| keep(record))
    }

    /// How many records from the front pass the filters.
    fn kept(&self, records: &[R]) -> usize
    where
        R: Sized,
    {
        match self.filters.is_empty() {
            // As most are; to ask each record nothing would be a fifth of what it costs.
            true => records.len(),
            false => records.iter().take_while(|record| self.keeps(record)).count(),
        }
    }

    #[inline]
    fn tell_late(&mut self, outcome: Outcome, record: &R, time: Timestamp) {
        if outcome == Outcome::Late
            && let Some(sink) = &mut self.on_late
        {
            sink(record, time);
        }
    }

    #[inline]
    fn time_of(&self, record: &R) -> Timestamp {
        match &self.event_time {
            Some(time) => time.of(record),
            None => NO_TIME,
        }
    }

    /// The times of records, into a list.
    fn times_of(&self, records: &[R], times: &mut Vec<Timestamp>)
    where
        R: Sized,
    {
        times.clear();
        match &self.event_time {
            Some(time) => time.of_all(records, times),
            None => times.resize(records.len(), NO_TIME),
        }
    }
}

/// A declared aggregation over records of type `R`, ready to run: over an iterator
/// ([`over`](Pipeline::over)), or driven by hand ([`push`](Pipeline::push),
/// [`advance`](Pipeline::advance), [`drain`](Pipeline::drain), [`finish`](Pipeline::finish)).
///
/// Its type names the aggregate: return `Pipeline<Hit, impl Aggregate<Hit, Output = u64>>`, or
/// [`boxed`](Pipeline::boxed) it and store a [`BoxedPipeline<Hit, u64>`](super::BoxedPipeline).
pub struct Pipeline<R: ?Sized, A: Aggregate<R>> {
    stages: Stages<R>,
    engine: Engine<R, A>,
    /// The shard of records that are pushed without one.
    default_shard: Option<Shard>,
    /// The event times of the records of a batch.
    times: Vec<Timestamp>,
    /// What ended [`over`](Pipeline::over) early.
    pub(super) failure: Option<Error>,
}

impl Pipeline<(), ()> {
    /// Declares a pipeline.
    pub fn builder<R: ?Sized>() -> Builder<R> {
        Builder::new()
    }
}

impl<R: ?Sized, A: Aggregate<R>> Pipeline<R, A> {
    pub(super) fn from_parts(stages: Stages<R>, engine: Engine<R, A>) -> Self {
        Pipeline { stages, engine, default_shard: None, times: Vec::new(), failure: None }
    }

    /// Runs over records and gives the emissions as they come, lazily; at the end of the records
    /// every window is complete.
    ///
    /// Records that cannot be aggregated are counted as dead letters and passed over. Should a
    /// limit be passed that the user chose to be an error, the emissions end early and
    /// [`failure`](Pipeline::failure) says why.
    pub fn over<I>(&mut self, records: I) -> Over<'_, R, A, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: Borrow<R>,
    {
        Over::new(self, records.into_iter())
    }

    /// Why the last [`over`](Pipeline::over) ended before its records did, if so.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Takes a record. What it completes is to be fetched by [`drain`](Pipeline::drain).
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit, as of
    /// [`Engine::push`]; the record is not taken then.
    #[inline]
    pub fn push(&mut self, record: &R) -> Result<Outcome, Error> {
        let shard = self.default_shard()?;
        self.push_to(shard, None, record)
    }

    #[inline]
    fn default_shard(&mut self) -> Result<Shard, Error> {
        match self.default_shard {
            Some(shard) => Ok(shard),
            None => self.open_default_shard(),
        }
    }

    #[cold]
    fn open_default_shard(&mut self) -> Result<Shard, Error> {
        let shard = self.engine.open_shard(ShardId::new(""))?;
        self.default_shard = Some(shard);
        Ok(shard)
    }

    /// Takes records in order. What they complete waits to be fetched by
    /// [`drain`](Pipeline::drain): see [`Engine::push`].
    ///
    /// # Errors
    /// As [`push`](Pipeline::push); the records before the one that was refused are taken, and
    /// [`stats`](Pipeline::stats) counts them.
    pub fn push_batch(&mut self, records: &[R]) -> Result<(), Error>
    where
        R: Sized,
    {
        if self.stages.identity.is_some() {
            return records.iter().try_for_each(|record| self.push(record).map(|_| ()));
        }
        let mut times = std::mem::take(&mut self.times);
        let taken =
            records.chunks(BATCH).try_for_each(|records| self.push_chunk(records, &mut times));
        self.times = times;
        taken
    }

    /// Takes records in order, stretches of those that pass the filters at a time.
    fn push_chunk(&mut self, mut records: &[R], times: &mut Vec<Timestamp>) -> Result<(), Error>
    where
        R: Sized,
    {
        let shard = self.default_shard()?;
        loop {
            let (stretch, rest) = records.split_at(self.stages.kept(records));
            self.push_stretch(shard, stretch, times)?;
            // What ended the stretch did not pass.
            let Some((dropped, rest)) = rest.split_first() else { return Ok(()) };
            self.pass_over(shard, None, Outcome::Filtered, dropped);
            records = rest;
        }
    }

    /// Takes records that passed the filters.
    fn push_stretch(
        &mut self,
        shard: Shard,
        records: &[R],
        times: &mut Vec<Timestamp>,
    ) -> Result<(), Error>
    where
        R: Sized,
    {
        self.stages.times_of(records, times);
        let Pipeline { engine, stages, .. } = self;
        let mut batch = (records, times.as_slice());
        while !batch.0.is_empty() {
            engine.push_batch(shard, &mut batch, |record, time, outcome| {
                stages.tell_late(outcome, record, time);
                true
            })?;
        }
        Ok(())
    }

    /// Takes a record of a shard, which may know its place there: one that is not after the last
    /// one taken is a duplicate.
    ///
    /// # Errors
    /// As [`push`](Pipeline::push).
    #[inline]
    pub fn push_to(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        record: &R,
    ) -> Result<Outcome, Error> {
        if sequence.is_some_and(|sequence| self.engine.is_duplicate(shard, sequence)) {
            return Ok(Outcome::Duplicate);
        }
        if !self.stages.keeps(record) {
            self.pass_over(shard, sequence, Outcome::Filtered, record);
            return Ok(Outcome::Filtered);
        }
        let identity = self.stages.identity.as_ref().map(|identity| identity(record));
        if identity.is_some_and(|identity| self.engine.is_repeated(identity)) {
            self.pass_over(shard, sequence, Outcome::Duplicate, record);
            return Ok(Outcome::Duplicate);
        }
        let time = self.stages.time_of(record);
        let outcome = match sequence {
            Some(sequence) => self.engine.push_at(shard, sequence, record, time)?,
            None => self.engine.push(shard, record, time)?,
        };
        if let Some(identity) = identity
            && outcome != Outcome::DeadLetter
        {
            self.engine.remember(identity);
        }
        self.stages.tell_late(outcome, record, time);
        Ok(outcome)
    }

    /// Counts a record that is not to be aggregated. Its event time moves the watermark as that of
    /// any record.
    fn pass_over(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        outcome: Outcome,
        record: &R,
    ) {
        let time = self.engine.moves_watermark().then(|| self.stages.time_of(record));
        self.engine.pass_over(shard, sequence, outcome, time);
    }

    /// Follows a shard. Open all shards that are to be waited for before the first record: see
    /// [`Engine::open_shard`].
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::shards_max`](crate::Limits::shards_max).
    pub fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        self.engine.open_shard(id)
    }

    /// Follows a shard that goes on where others ended, as after a reshard: see
    /// [`Engine::open_child_shard`].
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::shards_max`](crate::Limits::shards_max).
    pub fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        self.engine.open_child_shard(id, parents)
    }

    /// Takes over a window of a shard that has ended: see [`Engine::inherit`].
    ///
    /// # Errors
    /// As [`Engine::inherit`].
    pub fn inherit(&mut self, partial: &Partial) -> Result<(), Error> {
        self.engine.inherit(partial)
    }

    /// No record of the shard before `time` is expected any more: see [`Engine::reach`].
    pub fn reach(&mut self, shard: Shard, time: Timestamp) {
        self.engine.reach(shard, time);
    }

    /// Whether an emission may be complete: see [`Engine::is_due`].
    pub fn is_due(&self) -> bool {
        self.engine.is_due()
    }

    /// The last place of a shard that was taken: where a source that starts again goes on after.
    pub fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.engine.applied(shard)
    }

    /// The shard has ended: the watermark does not wait for it any more.
    pub fn close_shard(&mut self, shard: Shard) {
        self.engine.close_shard(shard);
    }

    /// The caller's clock has come to `now`; before records that came at `now` are pushed. Judges
    /// which shards are idle.
    pub fn advance(&mut self, now: Timestamp) {
        self.engine.advance(now);
    }

    /// The input has ended: every window is complete. [`drain`](Pipeline::drain) gives them.
    pub fn finish(&mut self) {
        self.engine.finish();
    }

    /// Further records go to another pipeline, and no more come here: see
    /// [`Engine::hand_over`](crate::engine::Engine::hand_over).
    pub fn hand_over(&mut self) {
        self.engine.hand_over();
    }

    /// Answers every open window as it stands now, without closing it: see [`Engine::answer_open`].
    ///
    /// # Errors
    /// As [`Engine::answer_open`].
    pub fn answer_open(&mut self) -> Result<(), Error> {
        self.engine.answer_open()
    }

    /// The next emission that is complete.
    ///
    /// # Errors
    /// As [`Engine::next_emission`].
    pub fn next_emission(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        self.engine.next_emission()
    }

    /// The emissions that are complete, by window end, then start. An error is the last item.
    pub fn drain(&mut self) -> impl Iterator<Item = Result<Emission<A::Output>, Error>> {
        let mut failed = false;
        std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let next = self.engine.next_emission().transpose();
            failed = matches!(next, Some(Err(_)));
            next
        })
    }

    /// The whole state as bytes: see [`Engine::snapshot`].
    ///
    /// # Errors
    /// As [`Engine::snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        self.engine.snapshot()
    }

    /// The state in at most `bytes_max` bytes: see [`Engine::snapshot_within`].
    ///
    /// # Errors
    /// As [`Engine::snapshot_within`].
    pub fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        self.engine.snapshot_within(bytes_max)
    }

    /// Replaces the state by the one that a snapshot of this pipeline holds: see
    /// [`Engine::restore`]. Shard handles are void; open the shards again.
    ///
    /// # Errors
    /// As [`Engine::restore`]; the state is then as it was.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.engine.restore(snapshot)?;
        self.default_shard = None;
        Ok(())
    }

    /// The next window that is complete, as a [`Partial`] of this source: see
    /// [`Engine::next_partial`].
    ///
    /// # Errors
    /// As [`Engine::next_partial`].
    pub fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        self.engine.next_partial(source)
    }

    /// Returns true if a record passes the filters.
    pub(crate) fn keeps(&self, record: &R) -> bool {
        self.stages.keeps(record)
    }

    /// The event time of a record.
    pub(crate) fn time_of(&self, record: &R) -> Timestamp {
        self.stages.time_of(record)
    }

    pub(crate) fn engine_mut(&mut self) -> &mut Engine<R, A> {
        &mut self.engine
    }

    /// The engine inside, given away: what stands before it (event time, filters, the late sink) is
    /// dropped.
    pub fn into_engine(self) -> Engine<R, A> {
        self.engine
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// The engine inside.
    pub fn engine(&self) -> &Engine<R, A> {
        &self.engine
    }
}
