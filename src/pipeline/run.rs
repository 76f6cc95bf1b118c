//! A pipeline at work.

use super::stages::Stages;
use crate::aggregate::Aggregate;
use crate::engine::{Control, Emission, Engine, Outcome, Shard};
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;

/// Records whose event times are taken at once: enough that asking for them costs nothing, and few
/// enough to stay in the cache.
const BATCH: usize = 512;

/// A declared aggregation over records of type `R`, ready to run: over an iterator
/// ([`over`](Pipeline::over)), or driven by hand ([`push`](Pipeline::push),
/// [`advance`](Control::advance), [`drain`](Pipeline::drain), [`finish`](Control::finish)). Its
/// shards, its clock and its state are those of the engine inside: see [`Control`].
///
/// Its type names the aggregate: return `Pipeline<Hit, impl Aggregate<Hit, Output = u64>>`, or
/// [`boxed`](Pipeline::boxed) it and store a [`BoxedPipeline<Hit, u64>`](super::BoxedPipeline).
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// /// A pipeline whose type names its records and its answer, and hides the rest.
/// fn errors() -> Result<Pipeline<str, impl Aggregate<str, Output = u64>>, Error> {
///     Pipeline::builder().filter(|line: &str| line.contains("ERROR")).aggregate(count()).build()
/// }
/// let mut pipeline = errors()?;
/// pipeline.push("ERROR disk full")?;
/// pipeline.push("INFO start")?;
/// pipeline.finish();
/// assert_eq!(pipeline.next_emission()?.map(|emission| emission.value), Some(1));
/// # Ok::<(), Error>(())
/// ```
pub struct Pipeline<R: ?Sized, A: Aggregate<R>> {
    stages: Stages<R>,
    engine: Engine<R, A>,
    /// The event times of the records of a batch.
    times: Vec<Timestamp>,
    /// What ended [`over`](Pipeline::over) early.
    pub(super) failure: Option<Error>,
}

impl<R: ?Sized, A: Aggregate<R>> Pipeline<R, A> {
    pub(super) fn from_parts(stages: Stages<R>, engine: Engine<R, A>) -> Self {
        Pipeline { stages, engine, times: Vec::new(), failure: None }
    }

    /// Returns the error that ended the last [`over`](Pipeline::over) before the end of its
    /// records, if there was one.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let hosts = group_by_value(|host: &u32| *host, count());
    /// let hosts = hosts.groups_max(2).overflow(Overflow::Error);
    /// let mut pipeline = Pipeline::builder().aggregate(hosts).build()?;
    /// assert_eq!(pipeline.over([1, 2, 3]).count(), 0); // the third group ends it
    /// assert_eq!(pipeline.failure().map(|error| error.kind()), Some(ErrorKind::LimitExceeded));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Takes a record. [`drain`](Pipeline::drain) returns the windows that it completes.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit, as of
    /// [`Engine::push`]; the record is not taken then.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// assert_eq!(pipeline.push(&1_000)?, Outcome::Applied);
    /// assert_eq!(pipeline.push(&12_000)?, Outcome::Applied);
    /// // The window [0 s, 10 s) is complete.
    /// assert_eq!(pipeline.push(&2_000)?, Outcome::Late(Timestamp::from_millis(2_000)));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn push(&mut self, record: &R) -> Result<Outcome, Error> {
        let shard = self.default_shard()?;
        self.push_to(shard, None, record)
    }

    /// The shard of records that are pushed without one.
    #[inline]
    fn default_shard(&mut self) -> Result<Shard, Error> {
        match self.engine.unnamed_shard() {
            Some(shard) => Ok(shard),
            None => self.engine.open_shard(ShardId::new("")),
        }
    }

    /// Takes records in order. [`drain`](Pipeline::drain) returns the windows that they complete:
    /// see [`Engine::push`].
    ///
    /// # Errors
    /// As [`push`](Pipeline::push); the records before the one that was refused are taken, and
    /// [`stats`](Control::stats) counts them.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline =
    ///     Pipeline::builder().strict(true).aggregate(sum(|number: &f64| *number)).build()?;
    /// assert!(pipeline.push_batch(&[1.0, 2.0, f64::NAN, 4.0]).is_err());
    /// // The two before the refused one are in: go on after them.
    /// assert_eq!(pipeline.stats().applied, 2);
    /// pipeline.push_batch(&[4.0])?;
    /// pipeline.finish();
    /// assert_eq!(pipeline.next_emission()?.map(|emission| emission.value), Some(7.0));
    /// # Ok::<(), Error>(())
    /// ```
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
            self.skip(shard, None, Outcome::Filtered, dropped);
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
            engine.push_batch(shard, &mut batch, |record, outcome| {
                stages.tell_late(outcome, record);
                true
            })?;
        }
        Ok(())
    }

    /// Takes a record of a shard, with its position there if it has one. A record whose position is
    /// not after the last one taken is a duplicate.
    ///
    /// # Errors
    /// As [`push`](Pipeline::push).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// let shard = pipeline.open_shard(ShardId::new("shard-0"))?;
    /// let at = |number: u64| Sequence::new(number);
    /// assert_eq!(pipeline.push_to(shard, Some(&at(7)), "a")?, Outcome::Applied);
    /// assert_eq!(pipeline.push_to(shard, Some(&at(7)), "a")?, Outcome::Duplicate); // sent again
    /// assert_eq!(pipeline.push_to(shard, Some(&at(6)), "b")?, Outcome::Duplicate); // not after 7
    /// assert_eq!(pipeline.applied(shard), Some(&at(7)));
    /// # Ok::<(), Error>(())
    /// ```
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
            self.skip(shard, sequence, Outcome::Filtered, record);
            return Ok(Outcome::Filtered);
        }
        let identity = self.stages.identity.as_ref().map(|identity| identity(record));
        if identity.is_some_and(|identity| self.engine.is_repeated(identity)) {
            self.skip(shard, sequence, Outcome::Duplicate, record);
            return Ok(Outcome::Duplicate);
        }
        let time = self.stages.time_of(record);
        let outcome = match sequence {
            Some(sequence) => self.engine.push_at(shard, sequence, record, time)?,
            None => self.engine.push(shard, record, time)?,
        };
        if let Some(identity) = identity
            && outcome != Outcome::DeadLetter(())
        {
            self.engine.remember(identity);
        }
        self.stages.tell_late(outcome, record);
        Ok(outcome)
    }

    /// Counts a record that is not to be aggregated. Its event time moves the watermark as that of
    /// any record.
    fn skip(&mut self, shard: Shard, sequence: Option<&Sequence>, outcome: Outcome, record: &R) {
        let time = self.engine.moves_watermark().then(|| self.stages.time_of(record));
        self.engine.skip(shard, sequence, outcome, time);
    }

    /// Returns the next emission that is complete, or `None` if none is.
    ///
    /// # Errors
    /// As [`Engine::next_emission`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// pipeline.push_batch(&[1_000, 2_000, 10_000])?;
    /// let first = pipeline.next_emission()?.expect("the first window is complete");
    /// assert_eq!((first.value, first.revision), (2, 0));
    /// assert_eq!(pipeline.next_emission()?, None); // the second one is open
    /// # Ok::<(), Error>(())
    /// ```
    pub fn next_emission(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        self.engine.next_emission()
    }

    /// Returns the emissions that are complete, by window end, then start. An error is the last
    /// item.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// pipeline.push_batch(&[1_000, 11_000, 21_000])?;
    /// let mut counts = Vec::new();
    /// for emission in pipeline.drain() {
    ///     counts.push(emission?.value);
    /// }
    /// assert_eq!(counts, [1, 1]); // the window of the last record is not complete
    /// # Ok::<(), Error>(())
    /// ```
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

    /// Returns the engine inside. The event time, the filters and the function for late records are
    /// dropped.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pipeline = Pipeline::builder().filter(|line: &str| !line.is_empty()).aggregate(count());
    /// let mut engine = pipeline.build()?.into_engine();
    /// let shard = engine.open_shard(ShardId::new("shard-0"))?;
    /// // The filter is gone, and the caller says the event time.
    /// assert_eq!(engine.push(shard, "", Timestamp::from_millis(0))?, Outcome::Applied);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn into_engine(self) -> Engine<R, A> {
        self.engine
    }

    /// Returns the engine inside, for what [`Control`] does not have.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let builder = Pipeline::builder::<str>().unbounded_out_of_orderness();
    /// let pipeline = builder.aggregate(count()).build()?;
    /// assert!(!pipeline.engine().moves_watermark());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn engine(&self) -> &Engine<R, A> {
        &self.engine
    }
}

impl<R: ?Sized, A: Aggregate<R>> Control for Pipeline<R, A> {
    fn control(&self) -> &dyn Control {
        &self.engine
    }

    fn control_mut(&mut self) -> &mut dyn Control {
        &mut self.engine
    }
}
