//! Merges the windows of many sources into one answer per window.

mod control;

pub use control::MergerControl;

use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::engine::{Control, Engine};
use crate::error::{Error, ErrorKind};
use crate::snapshot::{Envelope, EnvelopeWriter, Kind, Partial, Tag};
use crate::time::{Timestamp, whole_millis};
use crate::window::Window;
use bytes::Bytes;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Options of a merger: when a merged window is complete, and limits. Each field has a default.
///
/// # Example
/// ```
/// use streamgauge::merger::{Merger, MergerOptions};
/// use streamgauge::prelude::*;
/// let pipeline = || Pipeline::builder::<str>().aggregate(count()).build();
/// let mut options = MergerOptions::default();
/// // When would a window be complete?
/// assert!(Merger::new(pipeline()?.into_engine(), options.clone()).is_err());
/// options.sources = Some(8);
/// options.deadline = Some(seconds(30)); // whichever comes first
/// assert!(Merger::new(pipeline()?.into_engine(), options).is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MergerOptions {
    /// The number of sources. A window is complete when this many sources have sent a final
    /// partial. Default: `None`, the number is unknown and only the deadline decides.
    pub sources: Option<usize>,
    /// The time after the first partial, by the caller's clock, at which a window is answered
    /// without the missing sources. Default: `None`, the window waits for all sources. A source
    /// with no record in a window sends no partial of it, so set a deadline if that can happen.
    pub deadline: Option<Duration>,
    /// The time after the answer of a window, by the caller's clock, during which further partials
    /// are still accepted. Each of them gives the next revision of the answer. Default: one hour.
    pub retention: Duration,
    /// Maximum number of windows in memory. Default: 10,000.
    pub windows_max: usize,
    /// Maximum number of sources of one window. Default: 10,000.
    pub sources_max: usize,
    /// Maximum bytes of all partials in memory. Default: 1 GiB.
    pub bytes_max: usize,
}

impl Default for MergerOptions {
    fn default() -> Self {
        MergerOptions {
            sources: None,
            deadline: None,
            retention: Duration::from_secs(3600),
            windows_max: 10_000,
            sources_max: 10_000,
            bytes_max: 1 << 30,
        }
    }
}

/// The outcome of adding a partial. None of them is an error.
///
/// # Example
/// ```
/// use streamgauge::merger::{Added, Merger, MergerControl, MergerOptions};
/// use streamgauge::prelude::*;
/// # let pipeline = || Pipeline::builder().aggregate(count()).build();
/// # let mut options = MergerOptions::default();
/// # options.sources = Some(2);
/// # let mut merger = Merger::new(pipeline()?.into_engine(), options)?;
/// # let mut source = pipeline()?;
/// # source.push("a line")?;
/// # source.finish();
/// let partial = source.next_partial("shard-0")?.expect("the input has ended");
/// let now = Timestamp::from_millis(0);
/// assert_eq!(merger.add(&partial, now)?, Added::New);
/// assert_eq!(merger.add(&partial, now)?, Added::Known); // delivered twice, counted once
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Added {
    /// The partial is the first of its source and window.
    New,
    /// The partial replaced one with a lower revision.
    Replaced,
    /// The same partial, or one with a higher revision, was already there.
    Known,
    /// The window of the partial was answered and dropped, or is so much older than the windows in
    /// memory that it counts as dropped.
    Late,
}

/// An answer for one window, merged from the partials of several sources.
///
/// # Example
/// ```
/// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
/// use streamgauge::prelude::*;
/// # let pipeline = || Pipeline::builder().aggregate(count()).build();
/// let mut options = MergerOptions::default();
/// options.sources = Some(2);
/// options.deadline = Some(seconds(30));
/// # let mut merger = Merger::new(pipeline()?.into_engine(), options)?;
/// # let mut source = pipeline()?;
/// # source.push("a line")?;
/// # source.finish();
/// # let partial = source.next_partial("shard-0")?.expect("the input has ended");
/// merger.add(&partial, Timestamp::from_millis(0))?;
/// assert_eq!(merger.next_merged()?, None); // the second source is missing
/// merger.advance(Timestamp::from_millis(30_000));
/// let merged = merger.next_merged()?.expect("the deadline has passed");
/// assert_eq!((merged.value, merged.sources, merged.complete), (1, 1, false));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Merged<V> {
    /// The window, or `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// 0 for the first answer of this window, 1 for the second, and so on.
    pub revision: u32,
    /// The number of sources in the answer.
    pub sources: usize,
    /// True if all expected sources have sent their final partial.
    pub complete: bool,
    /// The output of the aggregate over the records of all sources.
    pub value: V,
}

/// End and start of a window in milliseconds. This is the order of answers: by end, then start. The
/// global window comes last.
type WindowOrder = (i64, i64);

/// Merges partials of one pipeline. A partial *replaces* an earlier one of the same source and is
/// *added* to the partials of other sources, so the answer does not depend on the order or the
/// number of deliveries. Exact aggregates equal one run over all records; sketches keep their
/// documented bounds.
///
/// The merger reads no clock: the caller passes the time.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
///
/// let pipeline = || {
///     Pipeline::builder()
///         .event_time(|at: &i64| Timestamp::from_millis(*at))
///         .window(seconds(10))
///         .aggregate(count())
///         .build()
/// };
/// let mut options = MergerOptions::default();
/// options.sources = Some(2);
/// let mut merger = Merger::new(pipeline()?.into_engine(), options)?;
///
/// let now = Timestamp::from_millis(0);
/// for (source, records) in [("shard-0", vec![1_000, 2_000]), ("shard-1", vec![3_000])] {
///     let mut pipeline = pipeline()?;
///     pipeline.push_batch(&records)?;
///     pipeline.finish();
///     while let Some(partial) = pipeline.next_partial(source)? {
///         merger.add(&partial, now)?;
///     }
/// }
/// let merged = merger.next_merged()?.expect("both sources have given their window");
/// assert_eq!((merged.value, merged.sources, merged.complete), (3, 2, true));
/// # Ok::<(), Error>(())
/// ```
pub struct Merger<R: ?Sized, A: Aggregate<R>> {
    /// Provides the aggregate and the fingerprint of the pipeline. It receives no records.
    engine: Engine<R, A>,
    options: MergerOptions,
    deadline: Option<i64>,
    retention: i64,
    windows: BTreeMap<WindowOrder, WindowState>,
    /// The windows after `dropped_to` that were dropped last.
    dropped: BTreeSet<WindowOrder>,
    /// This window and all windows before it count as dropped.
    dropped_to: Option<WindowOrder>,
    /// No window has to be dropped before this time of the caller's clock.
    drop_at: i64,
    now: i64,
    bytes: usize,
    finished: bool,
    late: u64,
    /// The number of sources, once windows of groups have been merged.
    merged_sources: usize,
}

#[derive(Clone, Debug)]
struct WindowState {
    partials: BTreeMap<String, Partial>,
    /// The caller's clock when the first partial came.
    first_at: i64,
    /// The last revision answered, and the caller's clock at that time.
    given: Option<(u32, i64)>,
    /// True if a partial has come since the last answer.
    changed: bool,
}

/// The part of a merger's state that is not its windows.
struct Clock {
    now: i64,
    late: u64,
    dropped: BTreeSet<WindowOrder>,
    dropped_to: Option<WindowOrder>,
}

impl<R: ?Sized, A: Aggregate<R>> Merger<R, A> {
    /// Creates a merger of partials of the engine's pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a duration is not a whole number of milliseconds, or if
    /// the options have neither a number of sources nor a deadline. [`ErrorKind::Unsupported`] if
    /// the aggregate has no encoding.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerOptions};
    /// use streamgauge::prelude::*;
    /// let mut options = MergerOptions::default();
    /// options.sources = Some(2);
    /// options.retention = std::time::Duration::from_nanos(1); // not whole milliseconds
    /// let pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let refused = Merger::new(pipeline.into_engine(), options).err();
    /// assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new(engine: Engine<R, A>, options: MergerOptions) -> Result<Self, Error> {
        if options.sources.is_none() && options.deadline.is_none() {
            return Err(Error::invalid(
                "a merger needs a number of sources or a deadline to know when a window is \
                 complete",
            ));
        }
        engine.check_merges()?;
        engine.aggregate().persistence()?;
        Ok(Merger {
            engine,
            deadline: options
                .deadline
                .map(|length| whole_millis(length, "a deadline"))
                .transpose()?,
            retention: whole_millis(options.retention, "a retention")?,
            options,
            windows: BTreeMap::new(),
            dropped: BTreeSet::new(),
            dropped_to: None,
            drop_at: i64::MAX,
            now: i64::MIN,
            bytes: 0,
            finished: false,
            late: 0,
            merged_sources: 0,
        })
    }

    fn check_room(&self, order: WindowOrder, replaced: bool, more: usize) -> Result<(), Error> {
        let sources = self.windows.get(&order).map(|state| state.partials.len());
        let message = if sources.is_none() && self.windows.len() >= self.options.windows_max {
            format!("there are already {} windows, the maximum of windows_max", self.windows.len())
        } else if !replaced && sources.is_some_and(|sources| sources >= self.options.sources_max) {
            format!(
                "a window already has {} sources, the maximum of sources_max",
                self.options.sources_max
            )
        } else if self.bytes.saturating_add(more) > self.options.bytes_max {
            format!("the partials take over the {} bytes of bytes_max", self.options.bytes_max)
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }

    fn decode(&self, partial: &Partial) -> Result<A::Accumulator, Error> {
        let mut reader = partial.envelope().section(partial.bytes(), Tag::Accumulator)?;
        let accumulator = self.engine.aggregate().persistence()?.decode(&mut reader)?;
        reader.finish()?;
        Ok(accumulator)
    }

    fn drop_old(&mut self) {
        let (now, retention) = (self.now, self.retention);
        self.drop_at = i64::MAX;
        let (mut dropped, mut freed) = (Vec::new(), 0);
        self.windows.retain(|order, state| {
            let kept_to = state.kept_to(retention);
            let is_over = now > kept_to;
            if is_over {
                dropped.push(*order);
                freed += state.bytes();
            } else {
                self.drop_at = self.drop_at.min(kept_to.saturating_add(1));
            }
            !is_over
        });
        self.bytes -= freed;
        dropped.into_iter().for_each(|order| self.remember_dropped(order));
    }

    fn remember_dropped(&mut self, order: WindowOrder) {
        if self.is_dropped(order) {
            return;
        }
        self.dropped.insert(order);
        while self.dropped.len() > self.options.windows_max {
            self.dropped_to = self.dropped_to.max(self.dropped.pop_first());
        }
    }

    fn is_dropped(&self, order: WindowOrder) -> bool {
        self.dropped_to.is_some_and(|to| order <= to) || self.dropped.contains(&order)
    }

    /// Returns the next window, by end and then start, that is complete, is past its deadline, or
    /// has changed since its last answer.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a duration is not a whole number of milliseconds, or if
    /// the options have neither a number of sources nor a deadline. [`ErrorKind::Unsupported`] if
    /// the aggregate has no encoding.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let pipeline = || Pipeline::builder().aggregate(count()).build();
    /// # let mut options = MergerOptions::default();
    /// # options.sources = Some(2);
    /// # let mut merger = Merger::new(pipeline()?.into_engine(), options)?;
    /// # let partial = |name: &str| {
    /// #     let mut source = pipeline()?;
    /// #     source.push("a line")?;
    /// #     source.finish();
    /// #     Ok::<_, Error>(source.next_partial(name)?.expect("the input has ended"))
    /// # };
    /// let now = Timestamp::from_millis(0);
    /// merger.add(&partial("shard-0")?, now)?;
    /// merger.finish(); // no more partials are expected: answer what is there
    /// let first = merger.next_merged()?.expect("one source has sent its window");
    /// assert_eq!((first.revision, first.value), (0, 1));
    /// merger.add(&partial("shard-1")?, now)?; // more than was expected
    /// let second = merger.next_merged()?.expect("the window has changed");
    /// assert_eq!((second.revision, second.value), (1, 2));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn next_merged(&mut self) -> Result<Option<Merged<A::Output>>, Error> {
        if self.engine.is_per_group() {
            return self.next_of_groups();
        }
        let due = self.windows.iter().find(|(_, state)| state.changed && self.is_due_now(state));
        let Some((&order, state)) = due else { return Ok(None) };
        let merged = self.merge(state);
        if let Some(state) = self.windows.get_mut(&order) {
            state.changed = false;
            if let Ok(merged) = &merged {
                state.given = Some((merged.revision, self.now));
            }
            self.drop_at = self.drop_at.min(state.kept_to(self.retention).saturating_add(1));
        }
        merged.map(Some)
    }

    /// Returns the next window of a group. Those of one group that overlap are joined, whatever
    /// source they are from, so they are answered when all partials are there.
    fn next_of_groups(&mut self) -> Result<Option<Merged<A::Output>>, Error> {
        if !self.finished {
            return Ok(None);
        }
        if self.windows.values().any(|state| state.changed) {
            let mut sources = BTreeSet::new();
            for state in self.windows.values_mut() {
                for partial in state.partials.values().filter(|_| state.changed) {
                    self.engine.adopt(partial)?;
                }
                (state.changed, state.given) = (false, Some((0, self.now)));
                sources.extend(state.partials.keys());
            }
            self.merged_sources = sources.len();
            self.engine.finish();
        }
        let sources = self.merged_sources;
        Ok(self.engine.next_emission()?.map(|found| Merged {
            window: found.window,
            revision: found.revision,
            sources,
            complete: self.options.sources.is_some_and(|expected| sources >= expected),
            value: found.value,
        }))
    }

    fn merge(&self, state: &WindowState) -> Result<Merged<A::Output>, Error> {
        let mut accumulator = self.engine.aggregate().init();
        // In the order of source names, so that the order of arrival does not matter.
        for partial in state.partials.values() {
            self.engine.aggregate().merge(&mut accumulator, &self.decode(partial)?)?;
        }
        Ok(Merged {
            window: state.partials.values().next().and_then(Partial::window),
            revision: state.given.map_or(0, |(revision, _)| revision.saturating_add(1)),
            sources: state.partials.len(),
            complete: self.is_complete(state),
            value: self.engine.aggregate().output(&accumulator),
        })
    }

    fn is_due_now(&self, state: &WindowState) -> bool {
        let waited = self.now.saturating_sub(state.first_at);
        let past_deadline = self.deadline.is_some_and(|deadline| waited >= deadline);
        self.finished || past_deadline || state.given.is_some() || self.is_complete(state)
    }

    fn is_complete(&self, state: &WindowState) -> bool {
        let finals = state.partials.values().filter(|partial| partial.is_final()).count();
        self.options.sources.is_some_and(|sources| finals >= sources)
    }

    /// Returns the engine of the pipeline.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let mut options = MergerOptions::default();
    /// # options.sources = Some(2);
    /// let pipeline = Pipeline::builder::<str>().name("lines").aggregate(count()).build()?;
    /// let fingerprint = pipeline.fingerprint();
    /// let merger = Merger::new(pipeline.into_engine(), options)?;
    /// assert_eq!(merger.engine().fingerprint(), fingerprint); // that of the partials it accepts
    /// # Ok::<(), Error>(())
    /// ```
    pub fn engine(&self) -> &Engine<R, A> {
        &self.engine
    }

    /// Decodes the part of a merger's state that is not its windows.
    fn decode_clock(&self, bytes: &Bytes) -> Result<Clock, Error> {
        let envelope = Envelope::parse(bytes)?;
        envelope.check(bytes, Kind::Merger, &self.engine.identity())?;
        let mut reader = envelope.section(bytes, Tag::Clock)?;
        let (now, late, has_dropped) = (reader.i64()?, reader.u64()?, reader.bool()?);
        let dropped_to = Some(decode_order(&mut reader)?).filter(|_| has_dropped);
        reader.finish()?;
        let mut dropped = BTreeSet::new();
        if envelope.has(Tag::Dropped) {
            let mut reader = envelope.section(bytes, Tag::Dropped)?;
            for _ in 0..reader.count(2)? {
                dropped.insert(decode_order(&mut reader)?);
            }
            reader.finish()?;
        }
        Ok(Clock { now, late, dropped, dropped_to })
    }

    /// Decodes the windows of a merger's state and adds up the bytes of their partials.
    fn decode_all(
        &self,
        bytes: &Bytes,
    ) -> Result<(BTreeMap<WindowOrder, WindowState>, usize), Error> {
        let envelope = Envelope::parse(bytes)?;
        envelope.check(bytes, Kind::Merger, &self.engine.identity())?;
        let mut reader = envelope.section(bytes, Tag::Partials)?;
        let mut windows = BTreeMap::new();
        let mut room = self.options.bytes_max;
        for _ in 0..reader.count(4)? {
            let (order, state) = self.decode_window(&mut reader, bytes, &mut room)?;
            if windows.len() >= self.options.windows_max || windows.insert(order, state).is_some() {
                return Err(reader.corrupt("too many windows, or one twice"));
            }
        }
        reader.finish()?;
        Ok((windows, self.options.bytes_max - room))
    }

    fn decode_window(
        &self,
        reader: &mut Reader<'_>,
        all: &Bytes,
        room: &mut usize,
    ) -> Result<(WindowOrder, WindowState), Error> {
        let (first_at, changed) = (reader.i64()?, reader.bool()?);
        let given = match reader.bool()? {
            true => Some((
                u32::try_from(reader.u64()?)
                    .map_err(|_| reader.corrupt("a revision is over 32 bits"))?,
                reader.i64()?,
            )),
            false => None,
        };
        let mut state = WindowState { partials: BTreeMap::new(), first_at, given, changed };
        let mut order = None;
        for _ in 0..reader.count(2)? {
            let partial = Partial::from_bytes(all.slice_ref(reader.bytes()?))?;
            partial.envelope().check(partial.bytes(), Kind::Partial, &self.engine.identity())?;
            self.decode(&partial)?;
            let here = order_of(partial.window());
            let Some(rest) = room.checked_sub(partial.bytes().len()) else {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    "the partials take more bytes than bytes_max allows",
                ));
            };
            *room = rest;
            if *order.get_or_insert(here) != here
                || state.partials.insert(partial.source().to_owned(), partial).is_some()
            {
                return Err(
                    reader.corrupt("partials of one window are of several, or of one source twice")
                );
            }
        }
        order.map(|order| (order, state)).ok_or_else(|| reader.corrupt("a window without partials"))
    }
}

// Every method must be here: the provided methods call `control()`, which is this object.
#[deny(clippy::missing_trait_methods)]
impl<R: ?Sized, A: Aggregate<R>> MergerControl for Merger<R, A> {
    fn control(&self) -> &dyn MergerControl {
        self
    }

    fn control_mut(&mut self) -> &mut dyn MergerControl {
        self
    }

    fn add(&mut self, partial: &Partial, now: Timestamp) -> Result<Added, Error> {
        self.advance(now);
        partial.envelope().check(partial.bytes(), Kind::Partial, &self.engine.identity())?;
        let order = order_of(partial.window());
        if !self.windows.contains_key(&order) && self.is_dropped(order) {
            self.late = self.late.saturating_add(1);
            return Ok(Added::Late);
        }
        let known = self.windows.get(&order).and_then(|state| state.partials.get(partial.source()));
        if known.is_some_and(|known| !partial.supersedes(known)) {
            return Ok(Added::Known);
        }
        let (replaced, freed) = (known.is_some(), known.map_or(0, |known| known.bytes().len()));
        self.check_room(order, replaced, partial.bytes().len().saturating_sub(freed))?;
        self.decode(partial)?;
        self.bytes = self.bytes + partial.bytes().len() - freed;
        let first_at = self.now;
        let fresh =
            || WindowState { partials: BTreeMap::new(), first_at, given: None, changed: false };
        let state = self.windows.entry(order).or_insert_with(fresh);
        state.partials.insert(partial.source().to_owned(), partial.clone());
        state.changed = true;
        Ok(if replaced { Added::Replaced } else { Added::New })
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now.as_millis());
        if self.now >= self.drop_at {
            self.drop_old();
        }
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    fn is_due(&self) -> bool {
        if self.engine.is_per_group() {
            let changed = self.windows.values().any(|state| state.changed);
            return self.finished && (changed || self.engine.is_due());
        }
        self.windows.values().any(|state| state.changed && self.is_due_now(state))
    }

    fn late(&self) -> u64 {
        self.late
    }

    fn kept(&self) -> (usize, usize) {
        (self.windows.len(), self.bytes)
    }

    fn snapshot(&self) -> Bytes {
        let mut envelope = EnvelopeWriter::new(Kind::Merger, &self.engine.identity());
        envelope.section(Tag::Clock, |writer| {
            writer.i64(self.now);
            writer.u64(self.late);
            writer.bool(self.dropped_to.is_some());
            encode_order(writer, self.dropped_to.unwrap_or_default());
        });
        envelope.section(Tag::Partials, |writer| {
            writer.usize(self.windows.len());
            self.windows.values().for_each(|state| state.encode(writer));
        });
        if !self.dropped.is_empty() {
            envelope.section(Tag::Dropped, |writer| {
                writer.usize(self.dropped.len());
                self.dropped.iter().for_each(|order| encode_order(writer, *order));
            });
        }
        envelope.finish().into()
    }

    fn restore(&mut self, bytes: Bytes) -> Result<(), Error> {
        let clock = self.decode_clock(&bytes)?;
        (self.windows, self.bytes) = self.decode_all(&bytes)?;
        (self.now, self.late, self.drop_at) = (clock.now, clock.late, i64::MIN);
        (self.dropped, self.dropped_to) = (clock.dropped, clock.dropped_to);
        Ok(())
    }

    fn absorb(&mut self, bytes: Bytes) -> Result<(), Error> {
        let (windows, _) = self.decode_all(&bytes)?;
        let clock = self.decode_clock(&bytes)?;
        let (mut merged, mut late) = (self.windows.clone(), 0);
        for (order, other) in windows {
            match merged.entry(order) {
                Entry::Vacant(_) if self.is_dropped(order) => late += other.partials.len() as u64,
                Entry::Vacant(vacant) => drop(vacant.insert(other)),
                Entry::Occupied(mut known) => known.get_mut().absorb(other),
            }
        }
        let total = merged.values().map(WindowState::bytes).sum::<usize>();
        let sources = merged.values().map(|state| state.partials.len()).max().unwrap_or(0);
        if merged.len() > self.options.windows_max
            || sources > self.options.sources_max
            || total > self.options.bytes_max
        {
            let message = format!(
                "{} windows with up to {sources} sources and {total} bytes are over what the \
                 options allow",
                merged.len()
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        (self.windows, self.bytes, self.drop_at) = (merged, total, i64::MIN);
        // Both mergers share one clock. Without this, the next answers would count as very old.
        (self.now, self.late) = (self.now.max(clock.now), self.late.saturating_add(late));
        self.dropped_to = self.dropped_to.max(clock.dropped_to);
        clock.dropped.into_iter().for_each(|order| self.remember_dropped(order));
        Ok(())
    }
}

impl WindowState {
    /// Returns the time of the caller's clock until which the window stays in memory. Counts from
    /// the last answer, or from the first partial if there is none. A window with unanswered
    /// partials is never dropped.
    fn kept_to(&self, retention: i64) -> i64 {
        let settled_at = self.given.map_or(self.first_at, |(_, at)| at);
        if self.changed { i64::MAX } else { settled_at.saturating_add(retention) }
    }

    fn bytes(&self) -> usize {
        self.partials.values().map(|partial| partial.bytes().len()).sum()
    }

    fn absorb(&mut self, other: WindowState) {
        let mut union = self.partials.clone();
        for (source, partial) in &other.partials {
            match union.get(source) {
                Some(known) if !partial.supersedes(known) => {}
                _ => drop(union.insert(source.clone(), partial.clone())),
            }
        }
        let given = self.given.max(other.given);
        // The last revision, from one side or both, must be followed by one that covers all
        // partials.
        let revision = |given: Option<(u32, i64)>| given.map(|(revision, _)| revision);
        let lacks = |side: &WindowState| {
            revision(side.given) == revision(given)
                && (side.changed || !same(&side.partials, &union))
        };
        self.changed = lacks(self) || lacks(&other);
        self.first_at = self.first_at.min(other.first_at);
        (self.given, self.partials) = (given, union);
    }

    fn encode(&self, writer: &mut Writer) {
        writer.i64(self.first_at);
        writer.bool(self.changed);
        writer.bool(self.given.is_some());
        if let Some((revision, at)) = self.given {
            writer.u64(u64::from(revision));
            writer.i64(at);
        }
        writer.usize(self.partials.len());
        self.partials.values().for_each(|partial| writer.bytes(partial.bytes()));
    }
}

/// Returns true if both maps hold the same partials.
fn same(one: &BTreeMap<String, Partial>, other: &BTreeMap<String, Partial>) -> bool {
    one.len() == other.len()
        && one.iter().all(|(source, partial)| {
            other.get(source).is_some_and(|known| known.bytes() == partial.bytes())
        })
}

fn encode_order(writer: &mut Writer, (end, start): WindowOrder) {
    writer.i64(end);
    writer.i64(start);
}

fn decode_order(reader: &mut Reader<'_>) -> Result<WindowOrder, Error> {
    Ok((reader.i64()?, reader.i64()?))
}

fn order_of(window: Option<Window>) -> WindowOrder {
    window.map_or((i64::MAX, i64::MIN), |window| {
        (window.end().as_millis(), window.start().as_millis())
    })
}
