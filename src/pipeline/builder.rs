//! The builder of a pipeline: every knob with its default, checked once.

use super::Pipeline;
use super::event_time::ByClosure;
use super::stages::Stages;
use crate::aggregate::Aggregate;
use crate::engine::{Engine, EngineOptions, RecentIds};
use crate::error::Error;
use crate::key::Key;
use crate::limits::Limits;
use crate::time::Timestamp;
use crate::window::IntoWindows;
use std::time::Duration;

/// Declares a [`Pipeline`] over records of type `R`. Without an [`aggregate`](Builder::aggregate)
/// it cannot be built.
///
/// Every call overwrites what an earlier one of the same name set, except
/// [`filter`](Builder::filter), which adds.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder()
///     .filter(|byte: &u64| *byte > 0)
///     .filter(|byte| *byte < 100) // added to the filter above
///     .window(minutes(1))
///     .window(Global) // instead of the minutes above
///     .aggregate(sum(|byte: &u64| *byte))
///     .build()?;
/// assert_eq!(pipeline.over([0, 7, 8, 100]).map(|emission| emission.value).last(), Some(15));
/// # Ok::<(), Error>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct Builder<R: ?Sized, A = Undeclared> {
    stages: Stages<R>,
    options: EngineOptions,
    aggregate: A,
    /// Why the windows that were given cannot be.
    refused: Option<Error>,
}

/// Stands for the aggregate that is not declared yet.
///
/// # Example
/// ```compile_fail
/// use streamgauge::prelude::*;
/// let pipeline = Pipeline::builder::<str>().build(); // nothing to compute: does not compile
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Undeclared;

impl Pipeline<(), ()> {
    /// Declares a pipeline.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// // The default: one window over everything, without an event time.
    /// let mut pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let counts: Vec<u64> = pipeline.over(["a", "b"]).map(|emission| emission.value).collect();
    /// assert_eq!(counts, [2]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn builder<R: ?Sized>() -> Builder<R> {
        Builder::new()
    }
}

impl<R: ?Sized> Builder<R, Undeclared> {
    pub(super) fn new() -> Self {
        Builder {
            stages: Stages::default(),
            options: EngineOptions::default(),
            aggregate: Undeclared,
            refused: None,
        }
    }
}

impl<R: ?Sized, A> Builder<R, A> {
    /// Sets the function that reads the event time of a record. Windows need it.
    ///
    /// It is called for every record. The time of a record that a filter drops moves the watermark,
    /// too.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// struct Hit { seconds: i64 }
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|hit: &Hit| Timestamp::from_seconds(hit.seconds).unwrap_or(Timestamp::MAX))
    ///     .window(minutes(1))
    ///     .aggregate(count())
    ///     .build()?;
    /// assert_eq!(pipeline.push(&Hit { seconds: 59 })?, Outcome::Applied);
    /// // No window can be given around the end of time.
    /// assert_eq!(pipeline.push(&Hit { seconds: i64::MAX })?, Outcome::DeadLetter(()));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn event_time(mut self, time: impl Fn(&R) -> Timestamp + Send + Sync + 'static) -> Self {
        self.stages.event_time = Some(Box::new(ByClosure(time)));
        self
    }

    /// Keeps only the records for which `keep` returns true. With several filters, all of them must
    /// return true. A record that does not pass is counted, and its event time moves the watermark
    /// as that of any record, so that no window stays open for it.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|(at, _): &(i64, u16)| Timestamp::from_millis(*at))
    ///     .filter(|(_, status)| *status < 500)
    ///     .window(seconds(10))
    ///     .aggregate(count())
    ///     .build()?;
    /// pipeline.push(&(1_000, 200))?;
    /// // Not counted in a window, but its time completes the window before it.
    /// assert_eq!(pipeline.push(&(10_000, 503))?, Outcome::Filtered);
    /// assert_eq!(pipeline.next_emission()?.map(|emission| emission.value), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn filter(mut self, keep: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self {
        self.stages.filters.push(Box::new(keep));
        self
    }

    /// Sets how far the event time of a record may be behind the latest one of its shard before the
    /// record can be late. Default: 0.
    ///
    /// A window fires later by this length of event time. With a larger value fewer records are
    /// late, and more panes are open.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .out_of_orderness(seconds(5))
    ///     .window(seconds(10))
    ///     .aggregate(count())
    ///     .build()?;
    /// pipeline.push(&14_999)?;
    /// assert_eq!(pipeline.push(&9_999)?, Outcome::Applied); // 5 s behind: the window is open
    /// pipeline.push(&15_000)?; // completes [0 s, 10 s)
    /// assert!(matches!(pipeline.push(&9_999)?, Outcome::Late(_)));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn out_of_orderness(mut self, length: Duration) -> Self {
        self.options.out_of_orderness = Some(length);
        self
    }

    /// Waits for every record: nothing fires before
    /// [`finish`](crate::engine::Control::finish), no record is late, and all panes stay open until
    /// then. The answer equals that of a batch query.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .unbounded_out_of_orderness()
    ///     .window(seconds(10))
    ///     .aggregate(count())
    ///     .build()?;
    /// let emissions = pipeline.over([3_600_000, 1_000, 2_000]);
    /// let counts: Vec<u64> = emissions.map(|emission| emission.value).collect();
    /// assert_eq!(counts, [2, 1]); // an hour behind, and not late
    /// # Ok::<(), Error>(())
    /// ```
    pub fn unbounded_out_of_orderness(mut self) -> Self {
        self.options.out_of_orderness = None;
        self
    }

    /// Sets how long, in event time, a window accepts late records after it has fired. Each of them
    /// emits the window again, with the next revision. Default: 0.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .allowed_lateness(minutes(1))
    ///     .window(seconds(10))
    ///     .aggregate(count())
    ///     .build()?;
    /// let emissions = pipeline.over([1_000, 10_000, 2_000]);
    /// let found: Vec<(u32, u64)> = emissions.map(|found| (found.revision, found.value)).collect();
    /// // The first window twice: with the record in time, and again with the late one.
    /// assert_eq!(found, [(0, 1), (1, 2), (0, 1)]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn allowed_lateness(mut self, length: Duration) -> Self {
        self.options.allowed_lateness = length;
        self
    }

    /// Sets the time without a record, filtered ones included, after which the other shards stop
    /// waiting for a shard. It is measured by the clock given to
    /// [`advance`](crate::engine::Control::advance). Default: never.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .idle_after(seconds(30))
    ///     .window(seconds(10))
    ///     .aggregate(count())
    ///     .build()?;
    /// let busy = pipeline.open_shard(ShardId::new("busy"))?;
    /// pipeline.open_shard(ShardId::new("silent"))?;
    /// pipeline.advance(Timestamp::from_millis(0));
    /// pipeline.push_to(busy, None, &1_000)?;
    /// pipeline.advance(Timestamp::from_millis(31_000));
    /// pipeline.push_to(busy, None, &10_000)?;
    /// // Without `idle_after` the silent shard would hold the window open.
    /// assert_eq!(pipeline.next_emission()?.map(|emission| emission.value), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn idle_after(mut self, length: Duration) -> Self {
        self.options.idle_after = Some(length);
        self
    }

    /// The windows: a length of time for tumbling ones, [`Tumbling`](crate::window::Tumbling),
    /// [`Sliding`](crate::window::Sliding) or [`Global`](crate::window::Global). Default: `Global`,
    /// one over everything. A length that no window can have is an error of
    /// [`build`](Builder::build).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|millis: &i64| Timestamp::from_millis(*millis))
    ///     .window(minutes(1))
    ///     .aggregate(count())
    ///     .build()?;
    /// let found = pipeline.over([0, 59_999, 60_000]);
    /// let counts: Vec<u64> = found.map(|emission| emission.value).collect();
    /// assert_eq!(counts, [2, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn window(mut self, windows: impl IntoWindows) -> Self {
        match windows.into_windows() {
            Ok(windows) => (self.options.windows, self.refused) = (windows, None),
            Err(error) => self.refused = Some(error),
        }
        self
    }

    /// Sets whether windows without a record, between windows that are emitted, are emitted too.
    /// Default: false.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .emit_empty(true)
    ///     .window(seconds(10))
    ///     .aggregate(count())
    ///     .build()?;
    /// let counts: Vec<u64> = pipeline.over([1_000, 31_000]).map(|found| found.value).collect();
    /// assert_eq!(counts, [1, 0, 0, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn emit_empty(mut self, emit: bool) -> Self {
        self.options.emit_empty = emit;
        self
    }

    /// Sets whether a record that cannot be aggregated is an error, instead of a dead letter. The
    /// record is not taken then: for a source that delivers it again. Default: false.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let numbers = |strict| {
    ///     Pipeline::builder().strict(strict).aggregate(sum(|number: &f64| *number)).build()
    /// };
    /// assert_eq!(numbers(false)?.push(&f64::NAN)?, Outcome::DeadLetter(()));
    /// assert_eq!(numbers(true)?.push(&f64::NAN).unwrap_err().kind(), ErrorKind::InvalidRecord);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn strict(mut self, strict: bool) -> Self {
        self.options.strict = strict;
        self
    }

    /// Recognises a record that a producer has sent again under a new sequence number, by an
    /// identity that the producer gave it. A record whose identity is known is counted as a
    /// duplicate and not aggregated. [`RecentIds`] tells how many identities are remembered, and
    /// how rarely two of them are confused.
    ///
    /// `identity` is called after the filters. Filter out records without a unique identity: of
    /// those that share one, only the first counts.
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::RecentIds;
    /// use streamgauge::prelude::*;
    /// struct Order { id: String, amount: u64 }
    /// let mut pipeline = Pipeline::builder()
    ///     .deduplicate_by(|order: &Order| order.id.as_str(), RecentIds::new(100_000, 1e-9)?)
    ///     .aggregate(sum(|order: &Order| order.amount))
    ///     .build()?;
    /// assert_eq!(pipeline.push(&Order { id: "a7".into(), amount: 10 })?, Outcome::Applied);
    /// // The producer has sent it again. Only the identity counts, not the rest of the record.
    /// assert_eq!(pipeline.push(&Order { id: "a7".into(), amount: 99 })?, Outcome::Duplicate);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn deduplicate_by<K, F>(mut self, identity: F, recent: RecentIds) -> Self
    where
        K: Key + ?Sized + 'static,
        F: for<'a> Fn(&'a R) -> &'a K + Send + Sync + 'static,
    {
        let seed = recent.seed();
        self.stages.identity = Some(Box::new(move |record| identity(record).stable_hash(seed)));
        self.options.recent_ids = Some(recent);
        self
    }

    /// A name and version, as in `"hits by country, v2"`, part of the pipeline's fingerprint: state
    /// that was saved under another name is refused. What a closure does cannot be compared, so
    /// change the name when a closure changes in meaning. Default: empty.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pipeline = |name| Pipeline::builder::<str>().name(name).aggregate(count()).build();
    /// let saved = pipeline("errors, v1")?.snapshot()?;
    /// assert!(pipeline("errors, v1")?.restore(&saved).is_ok());
    /// let refused = pipeline("errors, v2")?.restore(&saved).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Mismatch);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = name.into();
        self
    }

    /// Sets the limits of panes, shards and bytes. Default: those of [`Limits::default`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut limits = Limits::default();
    /// limits.panes_max = 2;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .unbounded_out_of_orderness()
    ///     .window(seconds(10))
    ///     .limits(limits)
    ///     .aggregate(count())
    ///     .build()?;
    /// pipeline.push_batch(&[0, 10_000])?;
    /// // A third window is open: an error, instead of memory without a bound.
    /// assert_eq!(pipeline.push(&20_000).unwrap_err().kind(), ErrorKind::LimitExceeded);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Sets a function that is called with every record that is too late for all of its windows,
    /// and with its event time.
    ///
    /// # Example
    /// ```
    /// use std::sync::mpsc;
    /// use streamgauge::prelude::*;
    /// let (sender, late) = mpsc::channel();
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .window(seconds(10))
    ///     .on_late(move |record, _| sender.send(*record).expect("the receiver is open"))
    ///     .aggregate(count())
    ///     .build()?;
    /// pipeline.push_batch(&[1_000, 10_000, 2_000])?;
    /// assert_eq!(late.try_iter().collect::<Vec<i64>>(), [2_000]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn on_late(mut self, sink: impl FnMut(&R, Timestamp) + Send + 'static) -> Self {
        self.stages.on_late = Some(Box::new(sink));
        self
    }

    /// Sets the aggregate that each window computes from its records: one, or a tuple of up to 12.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .aggregate((count(), mean(|millis: &u32| *millis), max(|millis: &u32| *millis)))
    ///     .build()?;
    /// let answer = pipeline.over([10, 20, 60]).next().map(|emission| emission.value);
    /// assert_eq!(answer, Some((3, Some(30.0), Some(60))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn aggregate<B: Aggregate<R>>(self, aggregate: B) -> Builder<R, B> {
        Builder { stages: self.stages, options: self.options, aggregate, refused: self.refused }
    }
}

impl<R: ?Sized, A: Aggregate<R>> Builder<R, A> {
    /// The pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if a duration is not whole
    /// milliseconds, zero or too long, if a parameter of an aggregate is out of its range, or if
    /// there are windows and no event time.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let windows = Pipeline::builder::<str>().window(minutes(1)).aggregate(count()).build();
    /// assert!(windows.err().is_some_and(|error| error.message().contains("need an event time")));
    /// let top = Pipeline::builder().aggregate(top_k(0, |line: &str| line)).build();
    /// assert_eq!(top.err().map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
    /// ```
    pub fn build(self) -> Result<Pipeline<R, A>, Error> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let mut options = self.options;
        if self.stages.event_time.is_none() {
            if !options.windows.is_global() && !options.windows.is_of_rows() {
                return Err(Error::invalid(
                    "windows need an event time: call event_time(|record| ...) before build()",
                ));
            }
            options.windows = options.windows.untimed();
        }
        let engine = Engine::new(self.aggregate, options)?;
        Ok(Pipeline::from_parts(self.stages, engine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::count;
    use crate::window::Tumbling;

    #[test]
    fn a_length_of_time_for_windows_is_checked_by_build() {
        let refused = |size: Duration| {
            let time = |millis: &i64| Timestamp::from_millis(*millis);
            let built =
                Pipeline::builder().event_time(time).window(size).aggregate(count()).build();
            built.err().map(|error| error.to_string())
        };
        assert_eq!(refused(Duration::from_millis(1)), None);
        for size in [Duration::ZERO, Duration::from_micros(1500), Duration::MAX] {
            let expected = Tumbling::new(size).err().map(|error| error.to_string());
            assert!(expected.is_some());
            assert_eq!(refused(size), expected, "{size:?}");
        }
    }
}
