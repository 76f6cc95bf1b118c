//! The open windows of all groups, where each group has its own, and the answers that wait to be
//! fetched.
//!
//! A table finds a group by its hash, and has its windows by their start. Timers have the hash of a
//! group and a time at or before the end of one of its windows. A record that extends a session
//! moves no timer: the timer is set again when the old end has come. So a record costs one search
//! of the table, and a timer is touched at most once in the length of a gap.
//!
//! A complete window stays for the allowed lateness. A record that comes for it then changes what
//! was answered: see [`Agenda::settle`].

mod adoption;
mod closing;
mod encoding;

use super::pending::check_room;
use super::{Emission, Outcome};
use crate::aggregate::{Aggregate, Partition, Parts, PartsVisitor};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::time::Timestamp;
use crate::window::{ByStart, GroupWindows as Kind, Schedule, Timers, Window};
use hashbrown::HashTable;
use smallvec::smallvec;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// Encodes an accumulator.
pub(super) type Encode<'a, T> = &'a mut dyn FnMut(&T, &mut Writer) -> Result<(), Error>;

/// Decodes an accumulator.
pub(super) type Decode<'a, T> = &'a mut dyn FnMut(Reader<'_>) -> Result<T, Error>;

/// The windows of all groups, whatever the parts of the aggregate are.
pub(super) trait GroupWindows<R: ?Sized, A: Aggregate<R>>: Send + Sync {
    /// Adds a record to its window, and opens the window if necessary.
    fn place(
        &mut self,
        engine: &Placing<'_, A>,
        record: &R,
        time: Timestamp,
    ) -> Result<Outcome, Error>;

    /// Looks up the group of a record, so that it is in the cache.
    fn touch(&self, aggregate: &A, record: &R);

    /// Adds windows that began in another engine.
    fn adopt(
        &mut self,
        engine: &Placing<'_, A>,
        window: Window,
        accumulator: A::Accumulator,
    ) -> Result<(), Error>;

    /// Returns the number of windows.
    fn len(&self) -> usize;

    /// Returns true if an answer waits to be fetched.
    fn has_answers(&self) -> bool;

    /// Gives emissions from now on, unless partials were fetched.
    fn give_emissions(&mut self);

    /// Gives partials from now on, unless emissions were fetched.
    fn give_partials(&mut self);

    /// Returns an error if an emission was fetched of a window that may still change.
    fn check_partials(&mut self) -> Result<(), Error>;

    /// Returns a watermark at or before the next one at which there is something to do; the first
    /// of all while an answer waits.
    fn wakes_at(&self) -> i64;

    /// Makes the answers of the windows that are complete, and drops those that no record can
    /// change any more.
    fn close_due(&mut self, watermark: i64);

    /// Makes answers of the open windows that have changed.
    fn answer_open(&mut self);

    /// Returns the next answer.
    fn next_emission(&mut self, aggregate: &A) -> Result<Option<Emission<A::Output>>, Error>;

    /// Returns the next answer, with an accumulator as its value.
    fn next_accumulator(
        &mut self,
        aggregate: &A,
    ) -> Result<Option<Emission<A::Accumulator>>, Error>;

    /// Returns the approximate bytes of all windows and answers.
    fn bytes(&self, aggregate: &A) -> usize;

    /// Writes the windows and answers.
    fn encode(
        &self,
        aggregate: &A,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error>;

    /// Returns the windows and answers that [`encode`](GroupWindows::encode) wrote.
    fn decode(
        &self,
        reader: Reader<'_>,
        engine: (&A, &Limits),
        decode: Decode<'_, A::Accumulator>,
    ) -> Result<Box<dyn GroupWindows<R, A>>, Error>;
}

/// What the engine knows when a record is placed.
pub(super) struct Placing<'a, A> {
    pub(super) aggregate: &'a A,
    pub(super) watermark: i64,
    pub(super) limits: &'a Limits,
}

/// A time, and the hash of the group.
type Timer = (i64, u64);

/// A window of a group.
#[derive(Clone, Debug)]
struct OpenWindow<T> {
    end: i64,
    /// The time of its timer.
    timer: i64,
    /// The number of answers that hold of it.
    answered: u32,
    /// True if a record came since it was answered.
    changed: bool,
    /// True if it was answered as complete, and is kept for late records.
    is_complete: bool,
    part: T,
}

/// A group that has windows. Aligned, so that a search fetches one line of the cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Group<K, T> {
    hash: u64,
    key: K,
    windows: ByStart<OpenWindow<T>>,
}

impl<K, T> Group<K, T> {
    /// Returns the start of the window that has this timer.
    fn with_timer(&self, kind: Kind, (timer, hash): Timer, is_complete: bool) -> Option<i64> {
        if self.hash != hash {
            return None;
        }
        let (start, window) = kind.that_ended_at(&self.windows, timer)?;
        (window.timer == timer && window.is_complete == is_complete).then_some(start)
    }
}

/// What is to be said of windows that begin and end together.
#[derive(Clone, Debug)]
struct GroupAnswer<K, T> {
    start: i64,
    end: i64,
    revision: u32,
    /// True if an earlier answer does not hold any more, because the window has become longer.
    retracted: bool,
    /// The bytes that were copied for it: 0 if the windows are closed.
    copied: usize,
    parts: Parts<K, T>,
}

/// When windows are due, and what was said of them.
#[derive(Clone, Debug)]
struct Agenda<K, T> {
    kind: Kind,
    /// The allowed lateness.
    lateness: i64,
    /// Of windows that are not complete: at or before their end.
    ends: Timers,
    /// Of complete ones: at or before their end, from which the allowed lateness counts.
    closings: Timers,
    answers: VecDeque<GroupAnswer<K, T>>,
    /// The bytes that were copied for answers.
    copied: usize,
    /// True if a window may stay after it was answered, or such an answer waits.
    is_unsettled: bool,
    gives: Gives,
    /// Windows that are closed, as long as it is unknown whether partials are fetched.
    closed: Vec<GroupAnswer<K, T>>,
}

/// What is fetched of windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gives {
    /// Nothing was fetched so far.
    Unknown,
    /// Rows: each answer, which may be taken back.
    Emissions,
    /// Partials, which cannot be taken back: one for each window, when it closes.
    Partials,
}

/// Windows of groups whose keys and parts are those of `P`.
struct WindowTable<P, K, T> {
    table: HashTable<Group<K, T>>,
    /// The number of windows.
    len: usize,
    agenda: Agenda<K, T>,
    parts: PhantomData<fn() -> P>,
}

impl<P, K, T> WindowTable<P, K, T> {
    fn new(kind: Kind, lateness: i64) -> Self {
        let timers = || Timers::new(kind.length());
        let agenda = Agenda {
            kind,
            lateness,
            ends: timers(),
            closings: timers(),
            answers: VecDeque::new(),
            copied: 0,
            is_unsettled: false,
            gives: Gives::Unknown,
            closed: Vec::new(),
        };
        WindowTable { table: HashTable::new(), len: 0, agenda, parts: PhantomData }
    }
}

/// Makes the table for the parts of an aggregate.
struct NewTable {
    kind: Kind,
    lateness: i64,
}

impl<R: ?Sized, A: Aggregate<R>> PartsVisitor<R, A> for NewTable {
    type Output = Box<dyn GroupWindows<R, A>>;

    fn visit<P: Partition<R, A>>(self) -> Self::Output {
        Box::new(WindowTable::<P, P::Key, P::Part>::new(self.kind, self.lateness))
    }
}

/// Returns the windows of groups, if they are of that kind.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for options that such windows do not have.
pub(super) fn group_windows<R: ?Sized, A: Aggregate<R>>(
    aggregate: &A,
    schedule: &Schedule,
    lateness: i64,
    emit_empty: bool,
) -> Result<Option<Box<dyn GroupWindows<R, A>>>, Error> {
    let Schedule::OfGroups(kind) = schedule else { return Ok(None) };
    if emit_empty {
        return Err(Error::invalid(
            "windows of each group are never empty: emit_empty is not for them",
        ));
    }
    Ok(Some(aggregate.visit_parts(NewTable { kind: *kind, lateness })))
}

impl<P, K: Clone, T: Clone> WindowTable<P, K, T> {
    /// Adds a record to its window, and opens the window if necessary.
    fn place_record<R: ?Sized, A: Aggregate<R>>(
        &mut self,
        engine: &Placing<'_, A>,
        (record, time): (&R, Timestamp),
    ) -> Result<Outcome, Error>
    where
        P: Partition<R, A, Key = K, Part = T>,
    {
        let (at, hash) = (time.as_millis(), P::hash(engine.aggregate, record));
        let kind = self.agenda.kind;
        let copied = (self.agenda.answers.len(), self.agenda.copied);
        check_room(copied, engine.limits, engine.limits.state_bytes_max)?;
        let group =
            self.table.find_mut(hash, |group| P::is_of(engine.aggregate, &group.key, record));
        let Some(group) = group else {
            return self.open::<R, A>(engine, hash, (record, time));
        };
        if let ByStart::One(start, window) = &mut group.windows
            && (*start..window.end).contains(&at)
            && !window.is_complete
            && window.answered == 0
        {
            // As with most records: nothing is joined, and no answer changes.
            P::add(engine.aggregate, &mut window.part, (record, time))?;
            (window.end, window.changed) = (kind.grown((*start, window.end), at).1, true);
            return Ok(Outcome::Applied);
        }
        let Some((start, _)) = kind.first_around(&group.windows, |window| window.end, at) else {
            return self.open::<R, A>(engine, hash, (record, time));
        };
        let placed = Placed { hash, watermark: engine.watermark };
        let answers = self.agenda.answers.len();
        match kind.next_around(&group.windows, start, at) {
            None => {
                let add = |part: &mut T| P::add(engine.aggregate, part, (record, time));
                self.agenda.extend((group, start), at, placed, add)?;
            }
            Some(next) => {
                let join = |part: &mut T, other: &T| {
                    P::merge(engine.aggregate, part, other)?;
                    P::add(engine.aggregate, part, (record, time))
                };
                self.agenda.join((group, start, next), at, placed, join)?;
                self.len -= 1;
            }
        }
        self.agenda.weigh(answers, |key, part| P::heap_bytes(engine.aggregate, key, part));
        Ok(Outcome::Applied)
    }

    /// Opens a window with a record, unless the record is late.
    fn open<R: ?Sized, A: Aggregate<R>>(
        &mut self,
        engine: &Placing<'_, A>,
        hash: u64,
        (record, time): (&R, Timestamp),
    ) -> Result<Outcome, Error>
    where
        P: Partition<R, A, Key = K, Part = T>,
    {
        let Placing { aggregate, watermark, limits } = *engine;
        let at = time.as_millis();
        let end = at + self.agenda.kind.length();
        if end - 1 + self.agenda.lateness <= watermark {
            return Ok(Outcome::Late(time));
        }
        let part = P::open(aggregate, record, time)?;
        check_number(self.len, limits)?;
        self.len += 1;
        let window =
            OpenWindow { end, timer: end, answered: 0, changed: true, is_complete: false, part };
        self.agenda.ends.push(end, hash);
        let known = |group: &Group<K, T>| P::is_of(aggregate, &group.key, record);
        let placed = Placed { hash, watermark };
        match self.table.find_mut(hash, known) {
            Some(group) => {
                group.windows.insert(at, window);
                self.agenda.settle(group, at, placed);
            }
            None => {
                let key = P::key(aggregate, record);
                let group = Group { hash, key, windows: ByStart::One(at, window) };
                let hash_of = |group: &Group<K, T>| group.hash;
                let mut entry = self.table.insert_unique(hash, group, hash_of);
                self.agenda.settle(entry.get_mut(), at, placed);
            }
        }
        Ok(Outcome::Applied)
    }
}

/// Where and when a record was placed.
#[derive(Clone, Copy)]
struct Placed {
    hash: u64,
    watermark: i64,
}

impl<K: Clone, T: Clone> Agenda<K, T> {
    /// Adds a record to the window that starts at `start`.
    #[inline]
    fn extend(
        &mut self,
        (group, start): (&mut Group<K, T>, i64),
        at: i64,
        placed: Placed,
        add: impl FnOnce(&mut T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(window) = group.windows.get_mut(start) else { return Ok(()) };
        let before = (start, window.end);
        let bounds = self.kind.grown(before, at);
        let moves = bounds != before;
        let kept = (moves && window.answered > 0).then(|| window.part.clone());
        add(&mut window.part)?;
        (window.end, window.changed) = (bounds.1, true);
        if let Some(part) = kept {
            let answered = std::mem::take(&mut window.answered);
            self.retract(before, answered, (group.key.clone(), part));
        }
        if bounds.0 != start
            && let Some(window) = group.windows.remove(start)
        {
            group.windows.insert(bounds.0, window);
        }
        self.settle(group, bounds.0, placed);
        Ok(())
    }

    /// Joins two sessions with a record that belongs to both.
    #[cold]
    fn join(
        &mut self,
        (group, first, second): (&mut Group<K, T>, i64, i64),
        at: i64,
        placed: Placed,
        join: impl FnOnce(&mut T, &T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(mut part) = group.windows.get_mut(first).map(|one| one.part.clone()) else {
            return Ok(());
        };
        let Some(other) = group.windows.get_mut(second) else { return Ok(()) };
        // The first one is still there if this fails.
        join(&mut part, &other.part)?;
        let (Some(one), Some(other)) = (group.windows.remove(first), group.windows.remove(second))
        else {
            return Ok(());
        };
        let bounds = self.kind.grown((first.min(second), one.end.max(other.end)), at);
        // One timer is enough. That of a window that is not complete comes first.
        let (timer, is_complete) = match one.is_complete {
            true => (other.timer, other.is_complete),
            false => (one.timer, false),
        };
        for (start, window) in [(first, one), (second, other)] {
            if window.answered > 0 {
                let part = (group.key.clone(), window.part);
                self.retract((start, window.end), window.answered, part);
            }
        }
        let (answered, changed, end) = (0, true, bounds.1);
        let window = OpenWindow { end, timer, answered, changed, is_complete, part };
        group.windows.insert(bounds.0, window);
        self.settle(group, bounds.0, placed);
        Ok(())
    }

    /// Counts the heap bytes of the answers from `first` on, which are copies.
    fn weigh(&mut self, first: usize, heap_bytes: impl Fn(&K, &T) -> usize) {
        for answer in self.answers.iter_mut().skip(first) {
            let heap = answer.parts.iter().map(|(key, part)| heap_bytes(key, part)).sum::<usize>();
            answer.copied += heap;
            self.copied += heap;
        }
    }

    /// Takes an answer back, because the window has become longer.
    fn retract(&mut self, (start, end): (i64, i64), answered: u32, part: (K, T)) {
        let copied = size_of::<GroupAnswer<K, T>>();
        self.copied += copied;
        let (revision, retracted, parts) = (answered, true, smallvec![part]);
        self.answers.push_back(GroupAnswer { start, end, revision, retracted, copied, parts });
    }

    /// Called after a record came to a window. A window that is complete is answered, for the first
    /// time or again. One that is not complete any more waits for its end.
    #[inline]
    fn settle(&mut self, group: &mut Group<K, T>, start: i64, placed: Placed) {
        // A window is complete only within the allowed lateness: otherwise it is closed by now.
        if self.lateness > 0 {
            self.settle_late(group, start, placed);
        }
    }

    #[cold]
    fn settle_late(&mut self, group: &mut Group<K, T>, start: i64, placed: Placed) {
        let Some(window) = group.windows.get_mut(start) else { return };
        if window.end - 1 > placed.watermark {
            if std::mem::take(&mut window.is_complete) {
                window.timer = window.end;
                self.ends.push(window.end, placed.hash);
            }
            return;
        }
        if !std::mem::replace(&mut window.is_complete, true) {
            window.timer = window.end;
            self.closings.push(window.end, placed.hash);
        }
        let answer = self.answer_of((&group.key, start), window);
        self.answers.extend(answer);
    }

    /// Returns the next answer of a window that stays, if such answers are fetched.
    fn answer_of(
        &mut self,
        (key, start): (&K, i64),
        window: &mut OpenWindow<T>,
    ) -> Option<GroupAnswer<K, T>> {
        if self.gives == Gives::Partials {
            return None;
        }
        let (revision, end) = (window.answered, window.end);
        window.answered = window.answered.saturating_add(1);
        window.changed = false;
        self.is_unsettled = true;
        let copied = size_of::<GroupAnswer<K, T>>();
        self.copied += copied;
        let parts = smallvec![(key.clone(), window.part.clone())];
        Some(GroupAnswer { start, end, revision, retracted: false, copied, parts })
    }
}

/// Returns an error if no window can be opened.
fn check_number(open: usize, limits: &Limits) -> Result<(), Error> {
    if open < limits.groups_max.min(u32::MAX as usize) {
        return Ok(());
    }
    let message = format!(
        "{open} windows of groups are open, as many as Limits::groups_max allows; a shorter out-of-orderness closes them sooner"
    );
    Err(Error::new(ErrorKind::LimitExceeded, message))
}
