//! The control of a pipeline, independent of its records and answers.

use super::{Engine, Shard, Stats};
use crate::aggregate::{Aggregate, description};
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::snapshot::{Partial, Reductions, Snapshot};
use crate::time::Timestamp;

/// Control of a pipeline: its shards, its clock, its end, its state. No method has the type of the
/// records or of the answers in its signature, so the trait is object-safe.
///
/// [`Engine`] implements every method. A pipeline that contains an engine returns it from
/// [`control`](Control::control) and [`control_mut`](Control::control_mut), and inherits all other
/// methods.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
///
/// /// Saves any pipeline, whatever it computes.
/// fn save(pipeline: &dyn Control) -> Result<(u64, Snapshot), Error> {
///     Ok((pipeline.stats().applied, pipeline.snapshot()?))
/// }
///
/// let mut lines = Pipeline::builder::<str>().aggregate(count()).build()?;
/// lines.push("a line")?;
/// let (applied, snapshot) = save(&lines)?;
/// assert_eq!(applied, 1);
///
/// let mut again: BoxedPipeline<str, u64> =
///     Pipeline::builder::<str>().aggregate(count()).build()?.boxed();
/// again.restore(&snapshot)?;
/// again.finish();
/// assert_eq!(again.next_emission()?.map(|emission| emission.value), Some(1));
/// # Ok::<(), Error>(())
/// ```
pub trait Control {
    /// The engine, which implements every method of this trait.
    fn control(&self) -> &dyn Control;

    /// The engine, which implements every method of this trait.
    fn control_mut(&mut self) -> &mut dyn Control;

    /// Follows a shard from its beginning, and returns its handle. Returns the known handle if the
    /// shard is followed already.
    ///
    /// A shard without a record holds the watermark back. Open all shards of an input before the
    /// first record, so that no window fires without them.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::shards_max`](crate::Limits::shards_max).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// let fast = pipeline.open_shard(ShardId::new("fast"))?;
    /// let slow = pipeline.open_shard(ShardId::new("slow"))?;
    /// pipeline.push_to(fast, None, &60_000)?;
    /// assert_eq!(pipeline.watermark(), None); // `slow` has no record yet
    /// assert_eq!(pipeline.push_to(slow, None, &1_000)?, Outcome::Applied); // and is not late
    /// # Ok::<(), Error>(())
    /// ```
    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        self.control_mut().open_shard(id)
    }

    /// Follows a shard that continues others, as after a reshard. Its watermark starts at the
    /// lowest watermark of its parents.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::shards_max`](crate::Limits::shards_max).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// let parent = pipeline.open_shard(ShardId::new("parent"))?;
    /// pipeline.push_to(parent, None, &60_000)?;
    /// let child = pipeline.open_child_shard(ShardId::new("child"), &[parent])?;
    /// pipeline.close_shard(parent);
    /// assert!(pipeline.watermark().is_some()); // the child starts where its parent ended
    /// assert!(matches!(pipeline.push_to(child, None, &1_000)?, Outcome::Late(_)));
    /// # Ok::<(), Error>(())
    /// ```
    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        self.control_mut().open_child_shard(id, parents)
    }

    /// Ends a shard: the watermark does not wait for it any more.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// let (one, two) = (ShardId::new("1"), ShardId::new("2"));
    /// let (one, two) = (pipeline.open_shard(one)?, pipeline.open_shard(two)?);
    /// pipeline.push_to(one, None, &1_000)?;
    /// pipeline.push_to(one, None, &10_000)?;
    /// assert_eq!(pipeline.drain().count(), 0); // the other shard holds the window open
    /// pipeline.close_shard(two);
    /// assert_eq!(pipeline.drain().count(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    fn close_shard(&mut self, shard: Shard) {
        self.control_mut().close_shard(shard);
    }

    /// Continues a shard that had ended, as for a file that has grown. The watermark waits for it
    /// again, and does not fall.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// let (one, two) = (ShardId::new("1"), ShardId::new("2"));
    /// let (one, two) = (pipeline.open_shard(one)?, pipeline.open_shard(two)?);
    /// pipeline.close_shard(two);
    /// pipeline.reopen_shard(two);
    /// pipeline.push_to(one, None, &10_000)?;
    /// assert_eq!(pipeline.watermark(), None); // it waits for the second shard again
    /// # Ok::<(), Error>(())
    /// ```
    fn reopen_shard(&mut self, shard: Shard) {
        self.control_mut().reopen_shard(shard);
    }

    /// Returns the names of all shards that are or were followed, in the order of opening.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// assert!(pipeline.shards().is_empty());
    /// let shard = pipeline.open_shard(ShardId::new("b"))?;
    /// pipeline.open_shard(ShardId::new("a"))?;
    /// pipeline.close_shard(shard);
    /// assert_eq!(pipeline.shards(), [ShardId::new("b"), ShardId::new("a")]); // ended ones, too
    /// # Ok::<(), Error>(())
    /// ```
    fn shards(&self) -> &[ShardId] {
        self.control().shards()
    }

    /// Returns the position of the last record taken from a shard. A source that starts again
    /// continues after it.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let shard = pipeline.open_shard(ShardId::new("shard-0"))?;
    /// assert_eq!(pipeline.applied(shard), None); // from the beginning
    /// pipeline.push_to(shard, Some(&Sequence::new(7)), "a line")?;
    /// assert_eq!(pipeline.applied(shard), Some(&Sequence::new(7)));
    /// # Ok::<(), Error>(())
    /// ```
    fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.control().applied(shard)
    }

    /// Declares that all records of the shard up to this position have been pushed: for a source
    /// that knows its position between records, but not that of each record.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let shard = pipeline.open_shard(ShardId::new("access.log"))?;
    /// pipeline.push_to(shard, None, "a line")?; // its own place is not known
    /// pipeline.set_applied(shard, &Sequence::new(7)); // the bytes that were read
    /// assert_eq!(pipeline.applied(shard), Some(&Sequence::new(7))); // part of a snapshot
    /// # Ok::<(), Error>(())
    /// ```
    fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        self.control_mut().set_applied(shard, sequence);
    }

    /// Returns the caller's clock at the last record of the shard whose event time could be read,
    /// or `None` if the clock was never set.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// let shard = pipeline.open_shard(ShardId::new("shard-0"))?;
    /// pipeline.push_to(shard, None, &1_000)?;
    /// assert_eq!(pipeline.last_record(shard), None); // no clock yet
    /// pipeline.advance(Timestamp::from_millis(777_000));
    /// pipeline.push_to(shard, None, &2_000)?; // the clock counts here, not the event time
    /// assert_eq!(pipeline.last_record(shard), Some(Timestamp::from_millis(777_000)));
    /// # Ok::<(), Error>(())
    /// ```
    fn last_record(&self, shard: Shard) -> Option<Timestamp> {
        self.control().last_record(shard)
    }

    /// Advances the caller's clock to `now`. Call it before records that came at `now` are pushed.
    /// It decides which shards are idle: those that had no record with a readable event time for
    /// the idle time-out.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .idle_after(seconds(30))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// let busy = pipeline.open_shard(ShardId::new("busy"))?;
    /// pipeline.open_shard(ShardId::new("silent"))?;
    /// pipeline.advance(Timestamp::from_millis(0));
    /// pipeline.push_to(busy, None, &1_000)?;
    /// assert_eq!(pipeline.watermark(), None);
    /// // A pipeline with `idle_after(seconds(30))`, a minute later by the caller's clock.
    /// pipeline.advance(Timestamp::from_millis(60_000));
    /// pipeline.push_to(busy, None, &2_000)?;
    /// assert!(pipeline.watermark().is_some());
    /// # Ok::<(), Error>(())
    /// ```
    fn advance(&mut self, now: Timestamp) {
        self.control_mut().advance(now);
    }

    /// Declares that the shard has no more records before `time`: its watermark rises to `time`
    /// less 1 ms, without regard to the out-of-orderness. For a shard that is known to be quiet. A
    /// record before `time` that comes later is late.
    ///
    /// Does nothing if the out-of-orderness is unbounded.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .out_of_orderness(minutes(5))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// let shard = pipeline.open_shard(ShardId::new("shard-0"))?;
    /// pipeline.push_to(shard, None, &1_000)?;
    /// // The source knows that the shard is quiet: no need to wait for the out-of-orderness.
    /// pipeline.advance_watermark(shard, Timestamp::from_millis(10_000));
    /// assert_eq!(pipeline.drain().count(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    fn advance_watermark(&mut self, shard: Shard, time: Timestamp) {
        self.control_mut().advance_watermark(shard, time);
    }

    /// Returns the latest event time of the records that came in this process, or `None` if none
    /// came. A filtered record counts only if its time [moves watermarks](Self::watermark), and a
    /// snapshot does not keep the time.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// assert_eq!(pipeline.latest_event_time(), None);
    /// pipeline.push_batch(&[12_000, 8_000])?;
    /// pipeline.finish();
    /// assert_eq!(pipeline.latest_event_time(), Some(Timestamp::from_millis(12_000)));
    /// # Ok::<(), Error>(())
    /// ```
    fn latest_event_time(&self) -> Option<Timestamp> {
        self.control().latest_event_time()
    }

    /// Returns the event time up to which, including it, records are complete. `None` before there
    /// is such a time.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .out_of_orderness(seconds(5))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// assert_eq!(pipeline.watermark(), None);
    /// pipeline.push(&12_000)?;
    /// // With an out-of-orderness of 5 s, times before 7 s are complete.
    /// assert_eq!(pipeline.watermark(), Some(Timestamp::from_millis(6_999)));
    /// # Ok::<(), Error>(())
    /// ```
    fn watermark(&self) -> Option<Timestamp> {
        self.control().watermark()
    }

    /// Ends the input: every window is complete.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// assert_eq!(pipeline.drain().count(), 0);
    /// pipeline.finish();
    /// assert_eq!(pipeline.drain().count(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    fn finish(&mut self) {
        self.control_mut().finish();
    }

    /// Returns true if windows can go to another engine as [partials](Control::next_partial). Those
    /// of a [number of records](crate::window::Rows) cannot: their records are one sequence.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Rows;
    /// let rows = Pipeline::builder::<str>().window(Rows::new(100)?).aggregate(count()).build()?;
    /// assert!(!rows.has_partials());
    /// # Ok::<(), Error>(())
    /// ```
    fn has_partials(&self) -> bool {
        self.control().has_partials()
    }

    /// Ends the input here, because another engine gets the further records. From now on
    /// [`next_partial`](Control::next_partial) returns the windows that were not returned before,
    /// for the other engine to [adopt](Control::adopt). Call it instead of
    /// [`finish`](Control::finish), after all complete windows are fetched. A window that was
    /// returned before gets no final partial, because records of the other engine may still go into
    /// it.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pipeline = || {
    ///     Pipeline::builder()
    ///         .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///         .window(seconds(10))
    ///         .aggregate(count())
    ///         .build()
    /// };
    /// let (mut parent, mut child) = (pipeline()?, pipeline()?);
    /// parent.push(&1_000)?; // its window is still open at the end of the shard
    /// parent.hand_over();
    /// while let Some(partial) = parent.next_partial("parent")? {
    ///     child.adopt(&partial)?;
    /// }
    /// child.push(&2_000)?;
    /// child.finish();
    /// assert_eq!(child.next_emission()?.map(|emission| emission.value), Some(2)); // of both
    /// # Ok::<(), Error>(())
    /// ```
    fn hand_over(&mut self) {
        self.control_mut().hand_over();
    }

    /// Adopts a window of a shard that has ended, as after a reshard: its records are part of
    /// this engine's answer for the window from now on.
    ///
    /// The partial comes from the ended shard's engine: from
    /// [`next_partial`](Control::next_partial) after [`hand_over`](Control::hand_over), once its
    /// complete windows are emitted. Its source and revision do not matter. Give each window of
    /// each parent to one engine, before that engine's first record.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) for a partial of another pipeline or
    /// seed, [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for bytes that are not an
    /// accumulator, [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the window
    /// has fired here, [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::panes_max`](crate::Limits::panes_max). After an error the engine is unchanged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut users = Pipeline::builder().aggregate(distinct(|user: &str| user)).build()?;
    /// let mut lines = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// users.push("ann")?;
    /// users.hand_over();
    /// let partial = users.next_partial("parent")?.expect("one window is open");
    /// // The window of another pipeline is refused.
    /// assert_eq!(lines.adopt(&partial).unwrap_err().kind(), ErrorKind::Mismatch);
    /// # Ok::<(), Error>(())
    /// ```
    fn adopt(&mut self, partial: &Partial) -> Result<(), Error> {
        self.control_mut().adopt(partial)
    }

    /// Returns true if an emission may be complete. False is a certain answer, true is not.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// assert!(!pipeline.is_due()); // certain: nothing to fetch
    /// pipeline.finish();
    /// assert!(pipeline.is_due());
    /// # Ok::<(), Error>(())
    /// ```
    fn is_due(&self) -> bool {
        self.control().is_due()
    }

    /// Fires every window that has a record and has not fired, in its current state: for a source
    /// that has become silent, where no later record completes the last windows. The windows stay
    /// open. They accept further records, and fire again at their end with a higher revision. A
    /// window that was fired early before and has no new records is skipped.
    ///
    /// The windows are computed when they are fetched. Fetch them before the next record; otherwise
    /// they are kept in memory until they are fetched.
    ///
    /// # Errors
    /// As [`Engine::next_emission`], and as [`Engine::push`] past
    /// [`Limits::pending_bytes_max`](crate::Limits::pending_bytes_max).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// pipeline.fire_early()?; // nothing has come for a while: show what there is
    /// let early = pipeline.next_emission()?.expect("the window has a record");
    /// assert_eq!((early.revision, early.value), (0, 1));
    /// pipeline.push("one more")?; // the window is still open
    /// pipeline.finish();
    /// let last = pipeline.next_emission()?.expect("the input has ended");
    /// assert_eq!((last.revision, last.value), (1, 2));
    /// # Ok::<(), Error>(())
    /// ```
    fn fire_early(&mut self) -> Result<(), Error> {
        self.control_mut().fire_early()
    }

    /// Returns the next complete window as a [`Partial`] of this source, to be merged with the
    /// partials of other sources. Call it instead of [`next_emission`](Engine::next_emission);
    /// order and revisions are the same. With an allowed lateness a window fires before it closes;
    /// then its last partial is returned when it closes.
    ///
    /// # Errors
    /// Those of [`Engine::next_emission`];
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the aggregate has no encoding.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// pipeline.finish();
    /// let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
    /// assert!(partial.is_final() && partial.source() == "shard-0");
    /// assert!(pipeline.next_partial("shard-0")?.is_none()); // a window is given once
    /// # Ok::<(), Error>(())
    /// ```
    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        self.control_mut().next_partial(source)
    }

    /// Returns the counts so far. `state_bytes` is that of the last measurement.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let builder = Pipeline::builder().filter(|line: &str| !line.is_empty());
    /// let mut pipeline = builder.aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// pipeline.push("")?;
    /// assert_eq!((pipeline.stats().applied, pipeline.stats().filtered), (1, 1));
    /// # Ok::<(), Error>(())
    /// ```
    fn stats(&self) -> Stats {
        self.control().stats()
    }

    /// Returns the approximate bytes of all accumulators, measured now. O(state).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(distinct(|user: &str| user)).build()?;
    /// pipeline.push("ann")?;
    /// let small = pipeline.state_bytes();
    /// for user in 0..1_000 {
    ///     pipeline.push(user.to_string().as_str())?;
    /// }
    /// assert!(pipeline.state_bytes() > small + 8 * 1_000); // 8 bytes and more per exact key
    /// # Ok::<(), Error>(())
    /// ```
    fn state_bytes(&self) -> usize {
        self.control().state_bytes()
    }

    /// Returns true if a record that cannot be aggregated is an error instead of a dead letter: see
    /// [`EngineOptions::strict`](super::EngineOptions::strict).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let lines = |strict| Pipeline::builder::<str>().strict(strict).aggregate(count()).build();
    /// assert!(lines(true)?.is_strict() && !lines(false)?.is_strict());
    /// # Ok::<(), Error>(())
    /// ```
    fn is_strict(&self) -> bool {
        self.control().is_strict()
    }

    /// Returns the error of the last record that became a dead letter.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(sum(|number: &f64| *number)).build()?;
    /// assert!(pipeline.refusal().is_none());
    /// assert_eq!(pipeline.push(&f64::NAN)?, Outcome::DeadLetter(()));
    /// assert!(pipeline.refusal().is_some_and(|error| error.message().contains("NaN")));
    /// # Ok::<(), Error>(())
    /// ```
    fn refusal(&self) -> Option<&Error> {
        self.control().refusal()
    }

    /// Returns what the pipeline computes, in words: its name, its windows and its aggregate. Only
    /// a pipeline with the same description can read its state.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pipeline = Pipeline::builder()
    ///     .name("users, v1")
    ///     .aggregate(distinct(|user: &str| user).exact_up_to(100))
    ///     .build()?;
    /// assert!(pipeline.description().starts_with("users, v1: distinct text, 100 exactly"));
    /// # Ok::<(), Error>(())
    /// ```
    fn description(&self) -> String {
        self.control().description()
    }

    /// Returns the stable hash of the [`description`](Control::description). Together with shard,
    /// window, group and revision it identifies an emission for ever.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let top = |k| Pipeline::builder().aggregate(top_k(k, |page: &str| page)).build();
    /// // The same in any process, on any machine.
    /// assert_eq!(top(10)?.fingerprint(), top(10)?.fingerprint());
    /// assert_ne!(top(10)?.fingerprint(), top(20)?.fingerprint());
    /// # Ok::<(), Error>(())
    /// ```
    fn fingerprint(&self) -> u64 {
        self.control().fingerprint()
    }

    /// Returns the whole state as bytes. A pipeline that is [restored](Control::restore) from it,
    /// and then gets the same records as this one, returns the same emissions, to the bit.
    ///
    /// It contains emissions that are complete and not fetched, but not those that were fetched.
    /// O(state).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the aggregate has no encoding:
    /// see [`Aggregate::persistence`]. [`ErrorKind::InvalidArgument`](crate::ErrorKind) while the
    /// rows of a declared pipeline's window are being fetched: fetch all of them first.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pipeline = || Pipeline::builder().aggregate(count()).build();
    /// let mut before = pipeline()?;
    /// before.push("a line")?;
    /// before.finish(); // complete, and not fetched
    /// let mut after = pipeline()?;
    /// after.restore(&before.snapshot()?)?;
    /// assert_eq!(after.next_emission()?.map(|emission| emission.value), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    fn snapshot(&self) -> Result<Snapshot, Error> {
        self.control().snapshot()
    }

    /// Returns the state in at most `bytes_max` bytes. If the whole state does not fit, sketches
    /// are made smaller: all of them to the same error, the smallest one that fits. The bounds of
    /// later answers include that error. An aggregate that is not a sketch stays exact.
    ///
    /// This pipeline does not change: only a pipeline that is restored from the snapshot is
    /// coarser. The cost is that of [`snapshot`](Control::snapshot), or about eight times as much
    /// if the whole state does not fit.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if the smallest form does not
    /// fit; otherwise those of [`snapshot`](Control::snapshot).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(top_k_value(3, |key: &u64| *key)).build()?;
    /// for record in 0..10_000 {
    ///     pipeline.push(&(record % 5_000))?;
    /// }
    /// let (snapshot, reductions) = pipeline.snapshot_within(10_000)?;
    /// assert!(snapshot.bytes().len() <= 10_000 && !reductions.is_empty());
    /// assert!(pipeline.snapshot_within(10).is_err()); // too few for any sketch
    /// # Ok::<(), Error>(())
    /// ```
    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        self.control().snapshot_within(bytes_max)
    }

    /// Replaces the state by that of a snapshot of this pipeline. Earlier shard handles become
    /// invalid: open the shards again.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if the snapshot belongs to another
    /// pipeline or seed, or was taken with a shorter allowed lateness, so that data is missing
    /// which this engine needs; [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for bytes that
    /// are not a state; [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit.
    /// After an error the state is unchanged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut lines = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// lines.push("a line")?;
    /// let mut users = Pipeline::builder().aggregate(distinct(|user: &str| user)).build()?;
    /// assert_eq!(users.restore(&lines.snapshot()?).unwrap_err().kind(), ErrorKind::Mismatch);
    /// assert_eq!(users.stats().applied, 0); // unchanged
    /// # Ok::<(), Error>(())
    /// ```
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.control_mut().restore(snapshot)
    }
}

// A method that is missing here would call itself without end.
#[deny(clippy::missing_trait_methods)]
impl<R: ?Sized, A: Aggregate<R>> Control for Engine<R, A> {
    fn control(&self) -> &dyn Control {
        self
    }

    fn control_mut(&mut self) -> &mut dyn Control {
        self
    }

    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        self.open_shard_at(id, i64::MIN)
    }

    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        let watermark = parents.iter().map(|parent| self.watermarks.of(parent.index())).min();
        self.open_shard_at(id, watermark.unwrap_or(i64::MIN))
    }

    fn close_shard(&mut self, shard: Shard) {
        self.watermarks.close(shard.index());
    }

    fn reopen_shard(&mut self, shard: Shard) {
        self.watermarks.reopen(shard.index());
    }

    fn shards(&self) -> &[ShardId] {
        self.shards.names()
    }

    fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.shards.applied(shard)
    }

    fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        self.shards.set_applied(shard, sequence);
    }

    fn last_record(&self, shard: Shard) -> Option<Timestamp> {
        self.watermarks.last_record(shard.index()).map(Timestamp::from_millis)
    }

    fn advance(&mut self, now: Timestamp) {
        self.watermarks.advance(now.as_millis());
    }

    fn advance_watermark(&mut self, shard: Shard, time: Timestamp) {
        self.watermarks.advance_to(shard.index(), time.as_millis().saturating_sub(1));
    }

    fn latest_event_time(&self) -> Option<Timestamp> {
        let latest = self.watermarks.latest();
        (latest != i64::MIN).then(|| Timestamp::from_millis(latest))
    }

    fn watermark(&self) -> Option<Timestamp> {
        let overall = self.watermarks.overall();
        (overall != i64::MIN).then(|| Timestamp::from_millis(overall))
    }

    fn finish(&mut self) {
        self.watermarks.finish();
    }

    fn hand_over(&mut self) {
        self.firing.forget_given();
        self.watermarks.finish();
    }

    fn adopt(&mut self, partial: &Partial) -> Result<(), Error> {
        self.add_partial(partial)
    }

    #[inline]
    fn is_due(&self) -> bool {
        self.handing_out
            || !self.pending.is_empty()
            || self.of_groups.as_ref().is_some_and(|windows| windows.has_answers())
            || self.has_row_answers()
            || self.firing.waits()
            || self.firing.is_due(self.watermarks.overall())
    }

    fn fire_early(&mut self) -> Result<(), Error> {
        self.fire_open_windows()
    }

    fn has_partials(&self) -> bool {
        !self.is_of_rows()
    }

    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        self.fire_partial(source)
    }

    fn stats(&self) -> Stats {
        let of_groups = self.of_groups.as_ref().map_or(0, |windows| windows.len());
        let of_rows = self.of_rows.as_ref().map_or(0, |windows| windows.len());
        Stats { open_panes: (self.panes.len() + of_groups + of_rows) as u64, ..self.stats }
    }

    fn state_bytes(&self) -> usize {
        self.accumulated_bytes() + self.pending.bytes()
    }

    fn is_strict(&self) -> bool {
        self.strict
    }

    fn refusal(&self) -> Option<&Error> {
        self.refusal.as_ref()
    }

    fn description(&self) -> String {
        let what = format!("{} over {}", description(&self.aggregate), self.schedule.describe());
        if self.name.is_empty() { what } else { format!("{}: {what}", self.name) }
    }

    fn fingerprint(&self) -> u64 {
        self.identity().fingerprint()
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        self.whole_snapshot()
    }

    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        self.reduced_snapshot(bytes_max)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.replace_state(snapshot)
    }
}
