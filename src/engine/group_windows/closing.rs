//! Which windows of groups are complete, and their answers.

use super::{
    Decode, Emission, Encode, Gives, Group, GroupAnswer, GroupWindows, OpenWindow, Placing, Timer,
    WindowTable,
};
use crate::aggregate::{Aggregate, Partition, Parts};
use crate::codec::{Reader, Writer};
use crate::engine::Outcome;
use crate::error::Error;
use crate::limits::Limits;
use crate::time::Timestamp;
use crate::window::{ByStart, Window};
use hashbrown::hash_table::OccupiedEntry;
use smallvec::{SmallVec, smallvec};

/// Timers that are looked up together.
const TOGETHER: usize = 64;

impl<P, K: Clone, T: Clone> WindowTable<P, K, T> {
    /// Makes the answers of windows that are complete at this watermark, and drops those that no
    /// record can change any more.
    pub(super) fn close_at(&mut self, watermark: i64) {
        let (to, kind) = (watermark.saturating_add(1), self.agenda.kind);
        let mut due = Vec::new();
        while self.agenda.ends.first().is_some_and(|end| end <= to) {
            let timers: SmallVec<[Timer; TOGETHER]> =
                std::iter::from_fn(|| self.agenda.ends.pop(to)).take(TOGETHER).collect();
            // The groups are fetched from memory at the same time.
            let places = timers.iter().map(|timer| {
                let is_wanted =
                    |group: &Group<K, T>| group.with_timer(kind, *timer, false).is_some();
                self.table.find_bucket_index(timer.1, is_wanted)
            });
            let places: SmallVec<[Option<usize>; TOGETHER]> = places.collect();
            // Timers without a place are those of windows that were joined.
            for (timer, place) in timers.into_iter().zip(places) {
                due.extend(place.and_then(|place| self.complete(timer, place)));
            }
        }
        self.answer(due);
        if self.agenda.closings.first().is_some() {
            self.drop_due(watermark);
        }
    }

    /// Returns the answer of a window whose timer is due; `None` if it has become longer.
    fn complete(&mut self, timer: Timer, place: usize) -> Option<GroupAnswer<K, T>> {
        let agenda = &mut self.agenda;
        let is_wanted = |group: &Group<K, T>| group.with_timer(agenda.kind, timer, false).is_some();
        let place = match self.table.get_bucket(place).is_some_and(is_wanted) {
            true => place,
            // Two groups have the same hash.
            false => self.table.find_bucket_index(timer.1, is_wanted)?,
        };
        let mut entry = self.table.get_bucket_entry(place).ok()?;
        let group = entry.get_mut();
        let start = group.with_timer(agenda.kind, timer, false)?;
        let (timer, hash) = timer;
        let window = group.windows.get_mut(start)?;
        if window.end > timer {
            window.timer = window.end;
            agenda.ends.push(window.end, hash);
            return None;
        }
        if agenda.lateness > 0 {
            (window.is_complete, window.timer) = (true, window.end);
            agenda.closings.push(window.end, hash);
            return agenda.answer_of((&group.key, start), window);
        }
        let (key, window) = taken(entry, start)?;
        self.len -= 1;
        Some(window.last_answer(key, start))
    }

    /// Drops the complete windows that no record can change any more.
    fn drop_due(&mut self, watermark: i64) {
        let kind = self.agenda.kind;
        let to = watermark.saturating_sub(self.agenda.lateness).saturating_add(1);
        let mut due = Vec::new();
        while let Some(timer) = self.agenda.closings.pop(to) {
            let is_wanted = |group: &Group<K, T>| group.with_timer(kind, timer, true).is_some();
            let Ok(mut entry) = self.table.find_entry(timer.1, is_wanted) else { continue };
            let group = entry.get_mut();
            let Some(start) = group.with_timer(kind, timer, true) else { continue };
            let Some(window) = group.windows.get_mut(start) else { continue };
            if window.end > timer.0 {
                window.timer = window.end;
                self.agenda.closings.push(window.end, timer.1);
                continue;
            }
            let Some((key, window)) = taken(entry, start) else { continue };
            self.len -= 1;
            // A partial is given when no record can change it any more.
            match (window.answered, self.agenda.gives) {
                (0, _) => due.push(window.last_answer(key, start)),
                (_, Gives::Unknown) => {
                    let window = OpenWindow { answered: 0, ..window };
                    self.agenda.closed.push(window.last_answer(key, start));
                }
                _ => {}
            }
        }
        self.answer(due);
    }

    /// Adds answers that are made at once, by window end, then start. Those of one window and
    /// revision are one answer.
    fn answer(&mut self, mut answers: Vec<GroupAnswer<K, T>>) {
        // Mostly they come by end, and few end together.
        match answers.is_sorted_by_key(|answer| answer.end) {
            true => answers
                .chunk_by_mut(|one, other| one.end == other.end)
                .for_each(|same| same.sort_by_key(|answer| (answer.start, answer.revision))),
            false => answers.sort_by_key(|answer| (answer.end, answer.start, answer.revision)),
        }
        let place = |of: &GroupAnswer<K, T>| (of.start, of.end, of.revision);
        let mut answers = answers.into_iter();
        let Some(mut last) = answers.next() else { return };
        for answer in answers {
            if place(&last) == place(&answer) {
                last.copied += answer.copied;
                last.parts.extend(answer.parts);
            } else {
                self.agenda.answers.push_back(std::mem::replace(&mut last, answer));
            }
        }
        self.agenda.answers.push_back(last);
    }

    /// Returns the next answer, as what `make` makes of its parts.
    fn next<V>(
        &mut self,
        make: impl FnOnce(Parts<K, T>) -> Result<V, Error>,
    ) -> Result<Option<Emission<V>>, Error> {
        let Some(answer) = self.agenda.answers.pop_front() else { return Ok(None) };
        self.agenda.copied -= answer.copied;
        let GroupAnswer { start, end, revision, retracted, parts, .. } = answer;
        let window = Window::new(Timestamp::from_millis(start), Timestamp::from_millis(end));
        Ok(Some(Emission { window: Some(window), revision, retracted, value: make(parts)? }))
    }
}

impl<R, A, P> GroupWindows<R, A> for WindowTable<P, P::Key, P::Part>
where
    R: ?Sized,
    A: Aggregate<R>,
    P: Partition<R, A>,
{
    #[inline]
    fn place(
        &mut self,
        engine: &Placing<'_, A>,
        record: &R,
        time: Timestamp,
    ) -> Result<Outcome, Error> {
        self.place_record(engine, (record, time))
    }

    #[inline]
    fn touch(&self, aggregate: &A, record: &R) {
        let known = |group: &Group<P::Key, P::Part>| P::is_of(aggregate, &group.key, record);
        let found = self.table.find(P::hash(aggregate, record), known);
        std::hint::black_box(found.is_some_and(|group| group.windows.is_empty()));
    }

    fn adopt(
        &mut self,
        engine: &Placing<'_, A>,
        window: Window,
        accumulator: A::Accumulator,
    ) -> Result<(), Error> {
        self.adopt_all(engine, window, accumulator)
    }

    fn len(&self) -> usize {
        self.len
    }

    fn has_answers(&self) -> bool {
        !self.agenda.answers.is_empty()
    }

    fn give_emissions(&mut self) {
        if self.agenda.gives == Gives::Unknown {
            (self.agenda.gives, self.agenda.closed) = (Gives::Emissions, Vec::new());
        }
    }

    fn give_partials(&mut self) {
        if self.agenda.gives != Gives::Unknown {
            return;
        }
        // What was answered but not fetched is given when it is closed.
        self.agenda.gives = Gives::Partials;
        self.agenda.answers.retain(|answer| answer.copied == 0);
        self.agenda.copied = 0;
        let windows = self.table.iter_mut().flat_map(|group| group.windows.iter_mut());
        windows.for_each(|(_, window)| window.answered = 0);
        let closed = std::mem::take(&mut self.agenda.closed);
        self.answer(closed);
    }

    fn check_partials(&mut self) -> Result<(), Error> {
        let mut answers = self.agenda.answers.iter();
        self.agenda.is_unsettled = self.agenda.is_unsettled
            && (answers.any(|answer| answer.retracted || answer.revision > 0)
                || self.windows().any(|(_, _, window)| window.answered > 0));
        match self.agenda.is_unsettled {
            true => Err(Error::invalid(
                "a window of a group that was answered early has no partial: it may become longer",
            )),
            false => Ok(()),
        }
    }

    #[inline]
    fn wakes_at(&self) -> i64 {
        if self.has_answers() {
            return i64::MIN;
        }
        let ends = self.agenda.ends.first().map_or(i64::MAX, |end| end - 1);
        let closes = |end: i64| (end - 1).saturating_add(self.agenda.lateness);
        ends.min(self.agenda.closings.first().map_or(i64::MAX, closes))
    }

    fn close_due(&mut self, watermark: i64) {
        self.close_at(watermark);
    }

    fn answer_open(&mut self) {
        let mut answers = Vec::new();
        for group in self.table.iter_mut() {
            for (start, window) in group.windows.iter_mut() {
                if window.changed && !window.is_complete {
                    answers.extend(self.agenda.answer_of((&group.key, start), window));
                }
            }
        }
        self.answer(answers);
    }

    fn next_emission(&mut self, aggregate: &A) -> Result<Option<Emission<A::Output>>, Error> {
        self.next(|parts| P::output(aggregate, parts))
    }

    fn next_accumulator(
        &mut self,
        aggregate: &A,
    ) -> Result<Option<Emission<A::Accumulator>>, Error> {
        self.next(|parts| P::join(aggregate, parts))
    }

    fn bytes(&self, aggregate: &A) -> usize {
        let own = self.table.len() * size_of::<Group<P::Key, P::Part>>()
            + self.len.saturating_sub(self.table.len())
                * size_of::<(i64, OpenWindow<P::Part>)>()
            // A timer of each.
            + self.len * size_of::<(i64, u64)>()
            + (self.agenda.answers.len() + self.agenda.closed.len())
 * size_of::<GroupAnswer<P::Key, P::Part>>();
        let windows = self.windows().map(|(key, _, window)| (key, &window.part));
        let answers = self.agenda.answers.iter().chain(&self.agenda.closed);
        let answers = answers.flat_map(|answer| &answer.parts);
        let all = windows.chain(answers.map(|(key, part)| (key, part)));
        own + all.map(|(key, part)| P::heap_bytes(aggregate, key, part)).sum::<usize>()
    }

    fn encode(
        &self,
        aggregate: &A,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error> {
        self.encode_all(aggregate, writer, encode)
    }

    fn decode(
        &self,
        reader: Reader<'_>,
        (aggregate, limits): (&A, &Limits),
        decode: Decode<'_, A::Accumulator>,
    ) -> Result<Box<dyn GroupWindows<R, A>>, Error> {
        let mut read =
            WindowTable::<P, P::Key, P::Part>::new(self.agenda.kind, self.agenda.lateness);
        read.decode_all(reader, (aggregate, limits), decode)?;
        Ok(Box::new(read))
    }
}

/// Closes a window.
fn taken<K: Clone, T>(
    mut entry: OccupiedEntry<'_, Group<K, T>>,
    start: i64,
) -> Option<(K, OpenWindow<T>)> {
    let group = entry.get_mut();
    if let ByStart::One(..) = &group.windows {
        let (group, _) = entry.remove();
        return Some((group.key, group.windows.into_one()?));
    }
    let window = group.windows.remove(start)?;
    let key = group.key.clone();
    if group.windows.is_empty() {
        entry.remove();
    }
    Some((key, window))
}

impl<T> OpenWindow<T> {
    /// Returns the answer of a window that is closed.
    fn last_answer<K>(self, key: K, start: i64) -> GroupAnswer<K, T> {
        let OpenWindow { end, answered: revision, part, .. } = self;
        let (retracted, copied, parts) = (false, 0, smallvec![(key, part)]);
        GroupAnswer { start, end, revision, retracted, copied, parts }
    }
}

impl<P, K, T> WindowTable<P, K, T> {
    /// Returns all windows with their keys and starts, in no particular order.
    pub(super) fn windows(&self) -> impl Iterator<Item = (&K, i64, &OpenWindow<T>)> {
        self.table.iter().flat_map(|group| {
            group.windows.iter().map(|(start, window)| (&group.key, start, window))
        })
    }
}
