//! The engine's state, and the path of a record.

use super::firing::{FiredContent, Firing};
use super::group_windows::{GroupWindows, group_windows};
use super::pending::Pending;
use super::row_windows::{RowWindows, row_windows};
use super::shards::Shards;
use super::{Emission, EngineOptions, Outcome, RecentIds, Shard, Stats};
use crate::aggregate::Aggregate;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use crate::window::{Pane, Panes, Place, Schedule, TwoStacks, Watermarks};
use std::collections::BTreeMap;
use std::marker::PhantomData;
#[cfg(feature = "spec")]
use std::ops::RangeInclusive;

/// Accumulators of the windows of ended shards, by the start of the window.
pub(super) type Inherited<T> = BTreeMap<i64, T>;

/// Minimum records between two measurements of the state.
const CHECK_RECORDS_MIN: u64 = 4096;

/// Bytes of state per record between two measurements. The cost of measuring grows with the groups,
/// and a group takes about this number of bytes, so that measuring costs an amortised constant per
/// record. The number of records is rounded up.
const CHECK_BYTES_PER_RECORD: u64 = 64;

/// Maximum bytes that a record is expected to add to the state. Near the limit the state is
/// measured more often, so that it exceeds the limit by at most a quarter if that expectation
/// holds.
const GROWTH_BYTES: u64 = 1024;

/// A windowed aggregation over the records of any number of shards.
///
/// # Example
/// ```
/// use streamgauge::aggregate::count;
/// use streamgauge::engine::{Engine, EngineOptions};
/// use streamgauge::prelude::*;
///
/// let mut options = EngineOptions::default();
/// options.windows = Tumbling::new(seconds(10))?.into();
/// let mut engine = Engine::new(count(), options)?;
/// let shard = engine.open_shard(ShardId::new("shardId-000000000000"))?;
/// for (time, record) in [(1_000, "a"), (2_000, "b"), (12_000, "c")] {
///     engine.push(shard, record, Timestamp::from_millis(time))?;
/// }
/// let first = engine.next_emission()?.expect("the record at 12 s completes the first window");
/// assert_eq!(first.value, 2);
/// # Ok::<(), Error>(())
/// ```
pub struct Engine<R: ?Sized, A: Aggregate<R>> {
    pub(super) aggregate: A,
    pub(super) schedule: Schedule,
    /// The allowed lateness in milliseconds.
    pub(super) lateness: i64,
    pub(super) emit_empty: bool,
    pub(super) strict: bool,
    pub(super) limits: Limits,
    pub(super) panes: Panes<A::Accumulator>,
    /// `None` if a window is one pane, so that no merge is needed.
    pub(super) stacks: Option<TwoStacks<A::Accumulator>>,
    /// Windows of ended shards that continue here.
    pub(super) inherited: Inherited<A::Accumulator>,
    /// Instead of panes, where each group has windows of its own.
    pub(super) of_groups: Option<Box<dyn GroupWindows<R, A>>>,
    /// The number of records at the front of a batch whose groups were looked up.
    pub(super) touched: usize,
    /// Instead of panes, where a window is a number of records.
    pub(super) of_rows: Option<Box<RowWindows<A::Accumulator>>>,
    pub(super) watermarks: Watermarks,
    pub(super) firing: Firing,
    /// Answers that were computed but not fetched.
    pub(super) pending: Pending<A::Accumulator>,
    pub(super) stats: Stats,
    pub(super) shards: Shards,
    pub(super) name: String,
    pub(super) recent_ids: Option<RecentIds>,
    /// Records until the next measurement of the state.
    pub(super) until_check: u64,
    /// Bytes of the state at the last measurement, without the pending answers.
    pub(super) measured: usize,
    /// Why the last record became a dead letter.
    pub(super) refusal: Option<Error>,
    /// True while the last emission is being fetched row by row: see
    /// [`set_handing_out`](Engine::set_handing_out).
    pub(super) handing_out: bool,
    /// True while a record is applied in part: see
    /// [`set_applied_in_part`](Engine::set_applied_in_part).
    pub(super) applied_in_part: bool,
    pub(super) record: PhantomData<fn(&R)>,
}

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Creates an engine without shards or records.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a parameter of the aggregate is out of its range, or a
    /// duration of the options is not whole milliseconds or is over 73 million years.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let mut options = EngineOptions::default();
    /// options.allowed_lateness = std::time::Duration::from_micros(1_500); // 1.5 ms
    /// let refused = Engine::<str, _>::new(count(), options).err();
    /// assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
    /// ```
    pub fn new(aggregate: A, options: EngineOptions) -> Result<Self, Error> {
        aggregate.validate()?;
        let spans = options.spans()?;
        let schedule = options.windows.schedule().clone();
        let of_groups = group_windows(&aggregate, &schedule, spans.lateness, options.emit_empty)?;
        let of_rows = row_windows(&options)?;
        let stacks = (!schedule.window_is_pane()).then(TwoStacks::new);
        let until_check = records_between_checks(0, options.limits.state_bytes_max);
        Ok(Engine {
            aggregate,
            schedule,
            lateness: spans.lateness,
            emit_empty: options.emit_empty,
            strict: options.strict,
            limits: options.limits,
            panes: Panes::new(),
            stacks,
            inherited: Inherited::new(),
            of_groups,
            touched: 0,
            of_rows,
            watermarks: Watermarks::new(spans.out_of_orderness, spans.idle_after),
            firing: Firing::new(),
            pending: Pending::new(),
            stats: Stats::default(),
            shards: Shards::default(),
            name: options.name,
            recent_ids: options.recent_ids,
            until_check,
            measured: 0,
            refusal: None,
            handing_out: false,
            applied_in_part: false,
            record: PhantomData,
        })
    }

    /// Opens a shard whose watermark starts at `watermark`, unless it is open.
    pub(super) fn open_shard_at(&mut self, id: ShardId, watermark: i64) -> Result<Shard, Error> {
        if let Some(shard) = self.shards.find(&id) {
            return Ok(shard);
        }
        let index = self.watermarks.open(watermark, self.limits.shards_max)?;
        Ok(self.shards.insert(id, index))
    }

    /// Returns the shard without a name, if it is open.
    #[inline]
    pub(crate) fn unnamed_shard(&self) -> Option<Shard> {
        self.shards.unnamed()
    }

    /// Adds a record of a shard with its event time.
    ///
    /// Cost: a comparison of the time with the recently used panes, and the aggregate's own `add`;
    /// for a new pane O(log panes).
    ///
    /// Complete windows wait to be fetched by [`next_emission`](Engine::next_emission), and are
    /// computed then. If a record goes into a pane of such a window, the window is computed before
    /// the record is added: fetch often if records come out of order.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] past a limit, or past a limit of the aggregate that the user
    /// chose to be an error, for this record or for a window that is computed before it. A strict
    /// engine returns [`ErrorKind::InvalidRecord`] or [`ErrorKind::TimeOutOfRange`] for a record
    /// that cannot be aggregated. After an error the record is not added. Past
    /// [`Limits::pending_bytes_max`], fetch the complete windows and push the record again.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// # let mut options = EngineOptions::default();
    /// # options.windows = Tumbling::new(seconds(10))?.into();
    /// # let mut engine = Engine::<str, _>::new(count(), options)?;
    /// let [one, two] = [ShardId::new("1"), ShardId::new("2")];
    /// let (one, two) = (engine.open_shard(one)?, engine.open_shard(two)?);
    /// engine.push(one, "a", Timestamp::from_millis(1_000))?;
    /// engine.push(one, "b", Timestamp::from_millis(60_000))?;
    /// assert_eq!(engine.next_emission()?, None); // the first window waits for the other shard
    /// engine.push(two, "c", Timestamp::from_millis(10_000))?;
    /// assert_eq!(engine.next_emission()?.map(|emission| emission.value), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn push(&mut self, shard: Shard, record: &R, time: Timestamp) -> Result<Outcome, Error> {
        self.note_due();
        if self.until_check == 0 {
            self.check_state()?;
        }
        if self.add_to_recent(record, time) {
            self.watermarks.observe(shard.index(), time.as_millis());
            self.stats.applied = self.stats.applied.saturating_add(1);
            return Ok(Outcome::Applied);
        }
        self.push_elsewhere(shard, record, time)
    }

    /// Adds a record that is not simply added to a recently used pane.
    #[inline(never)]
    fn push_elsewhere(
        &mut self,
        shard: Shard,
        record: &R,
        time: Timestamp,
    ) -> Result<Outcome, Error> {
        let outcome = self.place(record, time)?;
        self.observe(shard, time);
        self.stats.count(&outcome);
        Ok(outcome)
    }

    /// Adds a record with its position in the shard. A record whose position is not after the last
    /// one is a duplicate and changes nothing.
    ///
    /// # Errors
    /// Those of [`push`](Engine::push).
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let mut engine = Engine::<str, _>::new(count(), EngineOptions::default())?;
    /// let shard = engine.open_shard(ShardId::new("shard-0"))?;
    /// let now = Timestamp::from_millis(0);
    /// assert_eq!(engine.push_at(shard, &Sequence::new(7), "a", now)?, Outcome::Applied);
    /// assert_eq!(engine.push_at(shard, &Sequence::new(7), "a", now)?, Outcome::Duplicate);
    /// // Numbers may leave gaps.
    /// assert_eq!(engine.push_at(shard, &Sequence::new(9), "b", now)?, Outcome::Applied);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn push_at(
        &mut self,
        shard: Shard,
        sequence: &Sequence,
        record: &R,
        time: Timestamp,
    ) -> Result<Outcome, Error> {
        if self.is_duplicate(shard, sequence) {
            return Ok(Outcome::Duplicate);
        }
        let outcome = self.push(shard, record, time)?;
        self.shards.set_applied(shard, sequence);
        Ok(outcome)
    }

    /// Returns true if a record at this position was added before, and counts it as a duplicate.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let mut engine = Engine::<str, _>::new(count(), EngineOptions::default())?;
    /// let shard = engine.open_shard(ShardId::new("shard-0"))?;
    /// engine.set_applied(shard, &Sequence::new(7));
    /// // Asked before the record is decoded, which is then not needed.
    /// assert!(engine.is_duplicate(shard, &Sequence::new(7)));
    /// assert!(!engine.is_duplicate(shard, &Sequence::new(8)));
    /// assert_eq!(engine.stats().duplicates, 1); // the question counts
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_duplicate(&mut self, shard: Shard, sequence: &Sequence) -> bool {
        let duplicate = self.shards.is_applied(shard, sequence);
        if duplicate {
            self.stats.count(&Outcome::Duplicate::<()>);
        }
        duplicate
    }

    /// Returns true if the identity, a stable hash, was [remembered](Engine::remember) recently.
    /// Always false without [`EngineOptions::recent_ids`], whose documentation bounds the
    /// probability of a wrong `true`. It counts nothing.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions, RecentIds};
    /// use streamgauge::prelude::*;
    /// let recent = RecentIds::new(1_000, 1e-9)?;
    /// let identity = |id: &str| id.stable_hash(Seed::PUBLIC);
    /// let mut options = EngineOptions::default();
    /// options.recent_ids = Some(recent);
    /// let mut engine = Engine::<str, _>::new(count(), options)?;
    /// engine.remember(identity("order 7"));
    /// assert!(engine.is_repeated(identity("order 7")));
    /// assert!(!engine.is_repeated(identity("order 8")));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_repeated(&self, identity: u64) -> bool {
        self.recent_ids.as_ref().is_some_and(|recent| recent.contains(identity))
    }

    /// Remembers the identity of a record that was added.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let mut engine = Engine::<str, _>::new(count(), EngineOptions::default())?;
    /// engine.remember(7);
    /// assert!(!engine.is_repeated(7)); // without `recent_ids` nothing is remembered
    /// # Ok::<(), Error>(())
    /// ```
    pub fn remember(&mut self, identity: u64) {
        if let Some(recent) = &mut self.recent_ids {
            recent.insert(identity);
        }
    }

    /// Counts a record that is not aggregated, because it did not pass a filter or could not be
    /// decoded. Its position counts as processed, and its event time moves the watermark of its
    /// shard like that of any record. The time is `None` if it cannot be read, or if [no time moves
    /// a watermark](Engine::moves_watermark).
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// # let mut options = EngineOptions::default();
    /// # options.windows = Tumbling::new(seconds(10))?.into();
    /// # let mut engine = Engine::<str, _>::new(count(), options)?;
    /// # let shard = engine.open_shard(ShardId::new("shard-0"))?;
    /// engine.push(shard, "a line", Timestamp::from_millis(1_000))?;
    /// // A record that did not pass a filter. Its time completes the window before it.
    /// let time = Timestamp::from_millis(10_000);
    /// engine.skip(shard, Some(&Sequence::new(8)), Outcome::Filtered, Some(time));
    /// assert_eq!(engine.next_emission()?.map(|emission| emission.value), Some(1));
    /// assert_eq!((engine.stats().filtered, engine.applied(shard)), (1, Some(&Sequence::new(8))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn skip(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        outcome: Outcome,
        time: Option<Timestamp>,
    ) {
        self.stats.count(&outcome);
        if let Some(time) = time {
            self.observe(shard, time);
        }
        if let Some(sequence) = sequence {
            self.shards.set_applied(shard, sequence);
        }
    }

    /// Counts records without sequence numbers that did not pass a filter. `latest` is the latest
    /// of their event times.
    #[cfg(feature = "spec")]
    pub(crate) fn skip_filtered(
        &mut self,
        shard: Shard,
        records: usize,
        latest: Option<Timestamp>,
    ) {
        self.stats.filtered = self.stats.filtered.saturating_add(records as u64);
        if let Some(time) = latest {
            self.observe(shard, time);
        }
    }

    /// Moves the watermark of a shard by the event time of a record. A time without a possible
    /// window around it moves nothing, and neither does a time so far from all others that too many
    /// empty windows would be emitted.
    pub(super) fn observe(&mut self, shard: Shard, time: Timestamp) {
        if self.schedule.range(self.lateness).contains(&time.as_millis()) && !self.is_far(time) {
            self.watermarks.observe(shard.index(), time.as_millis());
        }
    }

    /// Returns true if the event times of records move watermarks. They do unless the
    /// out-of-orderness is unbounded; then the time of a [skipped](Engine::skip) record need not be
    /// read.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let moves = |out_of_orderness| {
    ///     let mut options = EngineOptions::default();
    ///     options.out_of_orderness = out_of_orderness;
    ///     Ok(Engine::<str, _>::new(count(), options)?.moves_watermark())
    /// };
    /// assert!(moves(Some(seconds(5)))?);
    /// assert!(!moves(None)?); // waits for the end of the input
    /// # Ok::<(), Error>(())
    /// ```
    pub fn moves_watermark(&self) -> bool {
        self.watermarks.is_bounded()
    }

    /// Returns the event times that move a watermark; empty if none does.
    #[cfg(feature = "spec")]
    pub(crate) fn moving_times(&self) -> RangeInclusive<i64> {
        match self.moves_watermark() {
            true => self.schedule.range(self.lateness),
            false => RangeInclusive::new(0, -1),
        }
    }

    /// Returns the next emission, by window end, then start.
    ///
    /// A window is computed when it is fetched, so that the answers of a long input are never all
    /// in memory.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] if a window merged from its panes exceeds a limit that the user
    /// chose to be an error. The window then has no answer; its records stay in their other
    /// windows. The next call continues after it.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let mut engine = Engine::<str, _>::new(count(), EngineOptions::default())?;
    /// let shard = engine.open_shard(ShardId::new("shard-0"))?;
    /// engine.push(shard, "a line", Timestamp::from_millis(0))?;
    /// assert_eq!(engine.next_emission()?, None); // the global window ends with the input
    /// engine.finish();
    /// assert_eq!(engine.next_emission()?.map(|emission| emission.value), Some(1));
    /// assert_eq!(engine.next_emission()?, None);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn next_emission(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        if self.of_groups.is_some() {
            return self.next_group_emission();
        }
        self.next_emission_with(|aggregate, content| answer(aggregate, content.get()))
    }

    /// Returns the next emission, whose value is made by `make`.
    ///
    /// # Errors
    /// Those of [`next_emission`](Engine::next_emission).
    pub(crate) fn next_emission_with<T>(
        &mut self,
        make: impl FnOnce(&A, FiredContent<'_, A::Accumulator>) -> T,
    ) -> Result<Option<Emission<T>>, Error> {
        if self.of_groups.is_some() {
            return self.next_group_emission_with(make);
        }
        if self.of_rows.is_some() {
            return self.next_row_emission(make);
        }
        if let Some(fired) = self.pending.pop() {
            let content = fired.content.map_or(FiredContent::Empty, FiredContent::Merged);
            let value = make(&self.aggregate, content);
            return Ok(Some(self.emission(fired.start, fired.revision, value)));
        }
        let fired = self.fire_next(make)?;
        Ok(fired.map(|fired| self.emission(fired.start, fired.revision, fired.content)))
    }

    fn emission<T>(&mut self, start: i64, revision: u32, value: T) -> Emission<T> {
        self.stats.emitted = self.stats.emitted.saturating_add(1);
        Emission { window: self.schedule.window(start), revision, retracted: false, value }
    }

    /// Returns the approximate bytes of all accumulators, without those of pending answers.
    pub(super) fn accumulated_bytes(&self) -> usize {
        let merged = self.stacks.iter().flat_map(TwoStacks::accumulators);
        let of_groups = self.of_groups.as_ref().map_or(0, |windows| windows.bytes(&self.aggregate));
        let accumulators = self.panes.accumulators().chain(merged).chain(self.inherited.values());
        let of_rows = self.of_rows.iter().flat_map(|windows| windows.accumulators());
        let accumulators = accumulators.chain(of_rows);
        let bytes = accumulators.map(|accumulator| self.aggregate.state_bytes(accumulator));
        of_groups + bytes.sum::<usize>()
    }

    /// Returns the aggregate.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let latency = mean(|millis: &u32| *millis);
    /// let engine = Engine::new(latency, EngineOptions::default())?;
    /// assert_eq!(engine.aggregate().persistence()?.describe(), "mean of u32");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn aggregate(&self) -> &A {
        &self.aggregate
    }

    /// Returns the limits.
    #[cfg(feature = "spec")]
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Fast path: adds the record to a recently used pane. Returns false if there is no such pane
    /// or the aggregate rejects the record.
    #[inline]
    fn add_to_recent(&mut self, record: &R, time: Timestamp) -> bool {
        let Some((pane, accumulator)) = self.panes.recent(time.as_millis()) else { return false };
        if self.aggregate.try_add(accumulator, record, time).is_err() {
            return false;
        }
        self.added(pane);
        true
    }

    /// Adds a record to its pane, and opens the pane if necessary.
    fn place(&mut self, record: &R, time: Timestamp) -> Result<Outcome, Error> {
        if self.of_groups.is_some() {
            return self.place_in_group(record, time);
        }
        if self.of_rows.is_some() {
            return self.place_in_rows(record, time);
        }
        let pane = match self.schedule.place(time.as_millis(), self.lateness) {
            Place::In(pane) => pane,
            Place::Between => return Ok(Outcome::BetweenWindows),
            Place::OutOfRange => {
                return self.refuse(Error::new(ErrorKind::TimeOutOfRange, out_of_range(time)));
            }
        };
        if self.closes_at(pane.start) <= self.watermarks.overall() {
            return Ok(Outcome::Late(time));
        }
        if self.firing.waits() {
            self.fire_due_before(pane)?;
        }
        let found = self.panes.find(pane);
        let known = found.and_then(|slot| self.panes.in_slot(slot));
        if let Err(error) = self.aggregate.check(known.as_deref(), record) {
            return self.refuse(error);
        }
        let slot = match found {
            Some(slot) => slot,
            None => match self.check_gap(pane) {
                Ok(()) => self.open_pane(pane)?,
                Err(error) => return self.refuse(error),
            },
        };
        if let Some(accumulator) = self.panes.in_slot(slot) {
            self.aggregate.add(accumulator, record, time);
        }
        self.added(pane);
        Ok(Outcome::Applied)
    }

    /// Opens a pane, and returns its slot.
    pub(super) fn open_pane(&mut self, pane: Pane) -> Result<i64, Error> {
        if self.panes.len() >= self.limits.panes_max && self.firing.waits() {
            // Panes that are open only for waiting windows can be closed.
            self.fire_due()?;
        }
        if self.panes.len() >= self.limits.panes_max {
            let message = format!(
                "{} panes are open, as many as Limits::panes_max allows; a shorter out-of-orderness closes panes sooner",
                self.panes.len()
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        if !self.firing.waits() {
            self.pass_empty();
        }
        let slot = self.panes.open(pane, self.aggregate.init());
        self.wake_for(pane);
        Ok(slot)
    }

    /// Updates the state after a record went into a pane.
    #[inline(always)]
    fn added(&mut self, pane: Pane) {
        self.until_check = self.until_check.saturating_sub(1);
        if let Some(stacks) = &mut self.stacks {
            stacks.touch(pane.start);
        }
        if self.lateness > 0 {
            self.fire_again_with(pane);
        }
    }

    /// Classifies an error of `check`: a record that cannot be aggregated is a dead letter, any
    /// other error is returned to the caller.
    #[cold]
    pub(super) fn refuse(&mut self, error: Error) -> Result<Outcome, Error> {
        match error.kind() {
            ErrorKind::InvalidRecord | ErrorKind::TimeOutOfRange if !self.strict => {
                self.refusal = Some(error);
                Ok(Outcome::DeadLetter(()))
            }
            _ => Err(error),
        }
    }

    /// Measures the state against its limit.
    #[cold]
    pub(super) fn check_state(&mut self) -> Result<(), Error> {
        self.measured = self.accumulated_bytes();
        let bytes = self.measured + self.pending.bytes();
        self.stats.state_bytes = bytes as u64;
        if bytes > self.limits.state_bytes_max {
            let message = format!(
                "the state takes about {bytes} bytes, over the {} of Limits::state_bytes_max; fewer groups, fewer counters or a shorter \
                 out-of-orderness make it smaller",
                self.limits.state_bytes_max
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        self.until_check = records_between_checks(bytes, self.limits.state_bytes_max);
        Ok(())
    }
}

/// Returns the number of records until a state of this size is measured again, under a limit of
/// `bytes_max`. It is a power of two, so that it does not depend on a few bytes.
pub(super) fn records_between_checks(bytes: usize, bytes_max: usize) -> u64 {
    let amortised =
        (bytes as u64 / CHECK_BYTES_PER_RECORD).max(CHECK_RECORDS_MIN).next_power_of_two();
    let room = bytes_max.saturating_sub(bytes).max(bytes_max / 4) as u64 / GROWTH_BYTES;
    amortised.min(1 << room.max(1).ilog2())
}

/// Returns the answer of an accumulator; without one, that of no records.
pub(super) fn answer<R: ?Sized, A: Aggregate<R>>(
    aggregate: &A,
    accumulator: Option<&A::Accumulator>,
) -> A::Output {
    match accumulator {
        Some(accumulator) => aggregate.output(accumulator),
        None => aggregate.output(&aggregate.init()),
    }
}

/// Returns the encoded accumulator; without one, that of no records.
pub(super) fn answer_bytes<R: ?Sized, A: Aggregate<R>>(
    aggregate: &A,
    accumulator: Option<&A::Accumulator>,
) -> Result<Vec<u8>, Error> {
    let mut writer = crate::codec::Writer::new();
    let persistence = aggregate.persistence()?;
    match accumulator {
        Some(accumulator) => persistence.encode(accumulator, &mut writer)?,
        None => persistence.encode(&aggregate.init(), &mut writer)?,
    }
    Ok(writer.into_bytes())
}

pub(super) fn out_of_range(time: Timestamp) -> String {
    format!("event time {time} is so far from the epoch that a window around it cannot be given")
}
