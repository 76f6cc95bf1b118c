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
#[must_use = "a builder does nothing before `build`"]
pub struct Builder<R: ?Sized, A = Undeclared> {
    stages: Stages<R>,
    options: EngineOptions,
    aggregate: A,
    /// Why the windows that were given cannot be.
    refused: Option<Error>,
}

/// Stands for the aggregate that is not declared yet.
#[derive(Clone, Copy, Debug)]
pub struct Undeclared;

impl Pipeline<(), ()> {
    /// Declares a pipeline.
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
    /// How the event time of a record is found. Must be given if there are windows.
    ///
    /// Asked of every record, also of those that the filters drop: their times move the watermark,
    /// too.
    pub fn event_time(mut self, time: impl Fn(&R) -> Timestamp + Send + Sync + 'static) -> Self {
        self.stages.event_time = Some(Box::new(ByClosure(time)));
        self
    }

    /// Lets only records through for which `keep` is true; several filters must all be. A record
    /// that does not pass is counted, and its event time moves the watermark as that of any record,
    /// so that it does not hold windows open.
    pub fn filter(mut self, keep: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self {
        self.stages.filters.push(Box::new(keep));
        self
    }

    /// By how much a record may come behind the latest one of its shard and still be waited for.
    /// Default: 0.
    ///
    /// A window fires that much later in event time. Larger loses less to lateness and holds more
    /// panes open.
    pub fn out_of_orderness(mut self, length: Duration) -> Self {
        self.options.out_of_orderness = Some(length);
        self
    }

    /// Waits for any record, however late: nothing fires before [`finish`](crate::engine::Control::finish),
    /// nothing is late, and all panes stay open until then. The answer is that of a batch query.
    pub fn unbounded_out_of_orderness(mut self) -> Self {
        self.options.out_of_orderness = None;
        self
    }

    /// How long, in event time, after a window has fired late records still go into it, each
    /// emitting it again with a higher revision. Default: 0.
    pub fn allowed_lateness(mut self, length: Duration) -> Self {
        self.options.allowed_lateness = length;
        self
    }

    /// After how long without a record, filtered ones included, by the clock given to
    /// [`advance`](crate::engine::Control::advance), the other shards stop waiting for a shard. Default: never.
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
    /// let counts: Vec<u64> = pipeline.over([0, 59_999, 60_000]).map(|found| found.value).collect();
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

    /// Whether windows without a record, between windows that are emitted, are emitted too.
    /// Default: they are not.
    pub fn emit_empty(mut self, emit: bool) -> Self {
        self.options.emit_empty = emit;
        self
    }

    /// Whether a record that cannot be aggregated is an error that leaves it untaken, in the place
    /// of a dead letter: for a source that delivers it again. Default: it is a dead letter.
    pub fn strict(mut self, strict: bool) -> Self {
        self.options.strict = strict;
        self
    }

    /// Recognises records that a producer has sent again under a new sequence number, by an
    /// identity that the producer gave them: one that is known is counted as a duplicate and passed
    /// over. What is remembered, and how seldom a record is mistaken for another, is said by
    /// [`RecentIds`].
    ///
    /// Asked after the filters. Records without a unique identity must be filtered out: of those
    /// that share one only the first counts.
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
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = name.into();
        self
    }

    /// The caps.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Is handed every record that comes too late for all of its windows, with its event time.
    pub fn on_late(mut self, sink: impl FnMut(&R, Timestamp) + Send + 'static) -> Self {
        self.stages.on_late = Some(Box::new(sink));
        self
    }

    /// What is computed of the records of a window: one aggregate, or a tuple of up to 12.
    pub fn aggregate<B: Aggregate<R>>(self, aggregate: B) -> Builder<R, B> {
        Builder { stages: self.stages, options: self.options, aggregate, refused: self.refused }
    }
}

impl<R: ?Sized, A: Aggregate<R>> Builder<R, A> {
    /// The pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if a duration is not whole
    /// milliseconds, zero or too long, if a parameter of an aggregate is out of its range, or if there
    /// are windows and no event time.
    pub fn build(self) -> Result<Pipeline<R, A>, Error> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        if self.stages.event_time.is_none() && !self.options.windows.is_global() {
            return Err(Error::invalid(
                "windows need an event time: call event_time(|record| ...) before build()",
            ));
        }
        let engine = Engine::new(self.aggregate, self.options)?;
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
