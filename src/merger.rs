//! Windows of many sources, merged into one.

mod control;

pub use control::MergerControl;

use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::snapshot::{Envelope, EnvelopeWriter, Kind, Partial, Tag};
use crate::time::{Timestamp, whole_millis};
use crate::window::Window;
use bytes::Bytes;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// When a merged window is complete, and how much is kept. Each field has a default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MergerOptions {
    /// How many sources there are: a window is complete when so many have given a final partial.
    /// `None`, the default: that is not known, and the deadline decides.
    pub sources: Option<usize>,
    /// How long after its first partial, by the caller's clock, a window is given without the
    /// sources that are missing; `None`, the default: it is waited for. A source without a record
    /// in a window gives no partial of it, so give a deadline where that happens.
    pub deadline: Option<Duration>,
    /// How long after a window was given, by the caller's clock, partials of it are still taken,
    /// each giving it again. Default: one hour.
    pub retention: Duration,
    /// Windows that are kept at most; default 10,000.
    pub windows_max: usize,
    /// Sources of a window that are kept at most; default 10,000.
    pub sources_max: usize,
    /// Bytes of all partials that are kept at most; default 1 GiB.
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

/// What became of a partial. None of these is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Added {
    /// It is the first of its source and window.
    New,
    /// It took the place of one of a lower revision.
    Replaced,
    /// It was there already, or one of a higher revision was.
    Known,
    /// Its window was given and dropped, or is so much older than what is kept that it counts as
    /// dropped.
    Late,
}

/// A window merged of the partials of several sources.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Merged<V> {
    /// The window, or `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// 0 for the first answer of this window, 1 for the next, and so on.
    pub revision: u32,
    /// How many sources are in it.
    pub sources: usize,
    /// Whether all sources that were expected have given their final partial.
    pub complete: bool,
    /// What the aggregate says of all sources' records.
    pub value: V,
}

/// Windows order by end, then start; the global one comes last.
type Place = (i64, i64);

/// Merges partials of one pipeline: *replaces* per source and *adds* across sources, so that the
/// answer does not depend on the order in which partials come or on how often. Exact aggregates
/// give what one stream of all records would; sketches are within their stated bounds.
///
/// No clock is read: the caller tells the time.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
///
/// let pipeline = || Pipeline::builder().event_time(|at: &i64| Timestamp::from_millis(*at)).window(Tumbling::new(seconds(10))?).aggregate(count()).build();
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
    /// For its aggregate and its identity; it takes no records.
    engine: Engine<R, A>,
    options: MergerOptions,
    deadline: Option<i64>,
    retention: i64,
    windows: BTreeMap<Place, Merging>,
    /// The windows that were dropped last, of those after `dropped_to`.
    dropped: BTreeSet<Place>,
    /// Windows up to this one count as dropped.
    dropped_to: Option<Place>,
    /// The caller's clock before which no window is to be dropped.
    drop_at: i64,
    now: i64,
    bytes: usize,
    finished: bool,
    late: u64,
}

#[derive(Clone, Debug)]
struct Merging {
    partials: BTreeMap<String, Partial>,
    /// The caller's clock at the first partial.
    first_at: i64,
    /// The last revision given and the caller's clock then.
    given: Option<(u32, i64)>,
    /// Whether a partial has come since.
    changed: bool,
}

/// What a merger's state says beside its windows.
struct Clock {
    now: i64,
    late: u64,
    dropped: BTreeSet<Place>,
    dropped_to: Option<Place>,
}

impl<R: ?Sized, A: Aggregate<R>> Merger<R, A> {
    /// A merger of partials of the engine's pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a duration is not whole milliseconds, or if neither
    /// sources nor a deadline say when a window is complete; [`ErrorKind::Unsupported`] if the
    /// aggregate cannot be written down.
    pub fn new(engine: Engine<R, A>, options: MergerOptions) -> Result<Self, Error> {
        if options.sources.is_none() && options.deadline.is_none() {
            return Err(Error::invalid(
                "a merger needs a number of sources or a deadline to know when a window is complete",
            ));
        }
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
        })
    }

    fn check_room(&self, place: Place, replaced: bool, more: usize) -> Result<(), Error> {
        let sources = self.windows.get(&place).map(|merging| merging.partials.len());
        let message = if sources.is_none() && self.windows.len() >= self.options.windows_max {
            format!(
                "{} windows are being merged, as many as windows_max allows",
                self.windows.len()
            )
        } else if !replaced && sources.is_some_and(|sources| sources >= self.options.sources_max) {
            format!(
                "a window has {} sources, as many as sources_max allows",
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
        self.windows.retain(|place, merging| {
            let kept_to = merging.kept_to(retention);
            let is_over = now > kept_to;
            if is_over {
                dropped.push(*place);
                freed += merging.bytes();
            } else {
                self.drop_at = self.drop_at.min(kept_to.saturating_add(1));
            }
            !is_over
        });
        self.bytes -= freed;
        dropped.into_iter().for_each(|place| self.remember_dropped(place));
    }

    fn remember_dropped(&mut self, place: Place) {
        if self.is_dropped(place) {
            return;
        }
        self.dropped.insert(place);
        while self.dropped.len() > self.options.windows_max {
            self.dropped_to = self.dropped_to.max(self.dropped.pop_first());
        }
    }

    fn is_dropped(&self, place: Place) -> bool {
        self.dropped_to.is_some_and(|to| place <= to) || self.dropped.contains(&place)
    }

    /// The next window that is complete or past its deadline, or that has changed since it was
    /// given: by window end, then start.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] if the merged window passes a limit of the aggregate that the
    /// user chose to be an error. That window is skipped until a further partial of it comes;
    /// the next call goes on after it.
    pub fn next_merged(&mut self) -> Result<Option<Merged<A::Output>>, Error> {
        let due =
            self.windows.iter().find(|(_, merging)| merging.changed && self.is_due_now(merging));
        let Some((&place, merging)) = due else { return Ok(None) };
        let merged = self.merge(merging);
        if let Some(merging) = self.windows.get_mut(&place) {
            merging.changed = false;
            if let Ok(merged) = &merged {
                merging.given = Some((merged.revision, self.now));
            }
            self.drop_at = self.drop_at.min(merging.kept_to(self.retention).saturating_add(1));
        }
        merged.map(Some)
    }

    fn merge(&self, merging: &Merging) -> Result<Merged<A::Output>, Error> {
        let mut accumulator = self.engine.aggregate().init();
        // In the order of the sources' names, whatever order they came in.
        for partial in merging.partials.values() {
            self.engine.aggregate().merge(&mut accumulator, &self.decode(partial)?)?;
        }
        Ok(Merged {
            window: merging.partials.values().next().and_then(Partial::window),
            revision: merging.given.map_or(0, |(revision, _)| revision.saturating_add(1)),
            sources: merging.partials.len(),
            complete: self.is_complete(merging),
            value: self.engine.aggregate().output(&accumulator),
        })
    }

    fn is_due_now(&self, merging: &Merging) -> bool {
        let waited = self.now.saturating_sub(merging.first_at);
        let past_deadline = self.deadline.is_some_and(|deadline| waited >= deadline);
        self.finished || past_deadline || merging.given.is_some() || self.is_complete(merging)
    }

    fn is_complete(&self, merging: &Merging) -> bool {
        let finals = merging.partials.values().filter(|partial| partial.is_final()).count();
        self.options.sources.is_some_and(|sources| finals >= sources)
    }

    /// The engine that knows the pipeline.
    pub fn engine(&self) -> &Engine<R, A> {
        &self.engine
    }

    /// What a merger's state says beside its windows.
    fn decode_clock(&self, bytes: &Bytes) -> Result<Clock, Error> {
        let envelope = Envelope::parse(bytes)?;
        envelope.check(bytes, Kind::Merger, &self.engine.identity())?;
        let mut reader = envelope.section(bytes, Tag::Clock)?;
        let (now, late, has_dropped) = (reader.i64()?, reader.u64()?, reader.bool()?);
        let dropped_to = Some(decode_place(&mut reader)?).filter(|_| has_dropped);
        reader.finish()?;
        let mut dropped = BTreeSet::new();
        if envelope.has(Tag::Dropped) {
            let mut reader = envelope.section(bytes, Tag::Dropped)?;
            for _ in 0..reader.count(2)? {
                dropped.insert(decode_place(&mut reader)?);
            }
            reader.finish()?;
        }
        Ok(Clock { now, late, dropped, dropped_to })
    }

    /// The windows of a merger's state, and the bytes of their partials.
    fn decode_all(&self, bytes: &Bytes) -> Result<(BTreeMap<Place, Merging>, usize), Error> {
        let envelope = Envelope::parse(bytes)?;
        envelope.check(bytes, Kind::Merger, &self.engine.identity())?;
        let mut reader = envelope.section(bytes, Tag::Partials)?;
        let mut windows = BTreeMap::new();
        let mut room = self.options.bytes_max;
        for _ in 0..reader.count(4)? {
            let (place, merging) = self.decode_window(&mut reader, bytes, &mut room)?;
            if windows.len() >= self.options.windows_max || windows.insert(place, merging).is_some()
            {
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
    ) -> Result<(Place, Merging), Error> {
        let (first_at, changed) = (reader.i64()?, reader.bool()?);
        let given = match reader.bool()? {
            true => Some((
                u32::try_from(reader.u64()?)
                    .map_err(|_| reader.corrupt("a revision is over 32 bits"))?,
                reader.i64()?,
            )),
            false => None,
        };
        let mut merging = Merging { partials: BTreeMap::new(), first_at, given, changed };
        let mut place = None;
        for _ in 0..reader.count(2)? {
            let partial = Partial::from_bytes(all.slice_ref(reader.bytes()?))?;
            partial.envelope().check(partial.bytes(), Kind::Partial, &self.engine.identity())?;
            self.decode(&partial)?;
            let here = place_of(partial.window());
            let Some(rest) = room.checked_sub(partial.bytes().len()) else {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    "the partials take more bytes than bytes_max allows",
                ));
            };
            *room = rest;
            if *place.get_or_insert(here) != here
                || merging.partials.insert(partial.source().to_owned(), partial).is_some()
            {
                return Err(
                    reader.corrupt("partials of one window are of several, or of one source twice")
                );
            }
        }
        place
            .map(|place| (place, merging))
            .ok_or_else(|| reader.corrupt("a window without partials"))
    }
}

// A method that were not here would call itself without end.
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
        let place = place_of(partial.window());
        if !self.windows.contains_key(&place) && self.is_dropped(place) {
            self.late = self.late.saturating_add(1);
            return Ok(Added::Late);
        }
        let known =
            self.windows.get(&place).and_then(|merging| merging.partials.get(partial.source()));
        if known.is_some_and(|known| !partial.supersedes(known)) {
            return Ok(Added::Known);
        }
        let (replaced, freed) = (known.is_some(), known.map_or(0, |known| known.bytes().len()));
        self.check_room(place, replaced, partial.bytes().len().saturating_sub(freed))?;
        self.decode(partial)?;
        self.bytes = self.bytes + partial.bytes().len() - freed;
        let first_at = self.now;
        let fresh = || Merging { partials: BTreeMap::new(), first_at, given: None, changed: false };
        let merging = self.windows.entry(place).or_insert_with(fresh);
        merging.partials.insert(partial.source().to_owned(), partial.clone());
        merging.changed = true;
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
        self.windows.values().any(|merging| merging.changed && self.is_due_now(merging))
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
            encode_place(writer, self.dropped_to.unwrap_or_default());
        });
        envelope.section(Tag::Partials, |writer| {
            writer.usize(self.windows.len());
            self.windows.values().for_each(|merging| merging.encode(writer));
        });
        if !self.dropped.is_empty() {
            envelope.section(Tag::Dropped, |writer| {
                writer.usize(self.dropped.len());
                self.dropped.iter().for_each(|place| encode_place(writer, *place));
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
        for (place, other) in windows {
            match merged.entry(place) {
                Entry::Vacant(_) if self.is_dropped(place) => late += other.partials.len() as u64,
                Entry::Vacant(vacant) => drop(vacant.insert(other)),
                Entry::Occupied(mut known) => known.get_mut().absorb(other),
            }
        }
        let total = merged.values().map(Merging::bytes).sum::<usize>();
        let sources = merged.values().map(|merging| merging.partials.len()).max().unwrap_or(0);
        if merged.len() > self.options.windows_max
            || sources > self.options.sources_max
            || total > self.options.bytes_max
        {
            let message = format!(
                "{} windows with up to {sources} sources and {total} bytes are over what the options allow",
                merged.len()
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        (self.windows, self.bytes, self.drop_at) = (merged, total, i64::MIN);
        // It is one clock: had it stood still here, what is given next would count as given long
        // ago.
        (self.now, self.late) = (self.now.max(clock.now), self.late.saturating_add(late));
        self.dropped_to = self.dropped_to.max(clock.dropped_to);
        clock.dropped.into_iter().for_each(|place| self.remember_dropped(place));
        Ok(())
    }
}

impl Merging {
    /// The caller's clock up to which the window is kept: it was given, or could not be, and no
    /// partial has come since.
    fn kept_to(&self, retention: i64) -> i64 {
        let settled_at = self.given.map_or(self.first_at, |(_, at)| at);
        if self.changed { i64::MAX } else { settled_at.saturating_add(retention) }
    }

    fn bytes(&self) -> usize {
        self.partials.values().map(|partial| partial.bytes().len()).sum()
    }

    fn absorb(&mut self, other: Merging) {
        let mut union = self.partials.clone();
        for (source, partial) in &other.partials {
            match union.get(source) {
                Some(known) if !partial.supersedes(known) => {}
                _ => drop(union.insert(source.clone(), partial.clone())),
            }
        }
        let given = self.given.max(other.given);
        // What was said last, on one side or on both, is to be said of all.
        let revision = |given: Option<(u32, i64)>| given.map(|(revision, _)| revision);
        let lacks = |side: &Merging| {
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

/// Returns true if both are the same partials.
fn same(one: &BTreeMap<String, Partial>, other: &BTreeMap<String, Partial>) -> bool {
    one.len() == other.len()
        && one.iter().all(|(source, partial)| {
            other.get(source).is_some_and(|known| known.bytes() == partial.bytes())
        })
}

fn encode_place(writer: &mut Writer, (end, start): Place) {
    writer.i64(end);
    writer.i64(start);
}

fn decode_place(reader: &mut Reader<'_>) -> Result<Place, Error> {
    Ok((reader.i64()?, reader.i64()?))
}

fn place_of(window: Option<Window>) -> Place {
    window.map_or((i64::MAX, i64::MIN), |window| {
        (window.end().as_millis(), window.start().as_millis())
    })
}
