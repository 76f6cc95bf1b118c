//! The open windows of all groups, where each group has its own, and the answers of those that are
//! complete.
//!
//! A window is in a slot; a table finds the slots of a group by its hash, and a heap has for each
//! window a time at or before its end. A record that extends a session does not move it in the
//! heap: the window goes back into the heap when its old end has come. So a record costs one search
//! of the table, and an ordered structure is touched at most once in the length of a gap.

use crate::aggregate::PerGroup;
use crate::error::Error;
use crate::window::{GroupWindows as Kind, Schedule};
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// An open window of a group.
#[derive(Clone, Debug)]
pub(super) struct GroupWindow<T> {
    pub(super) start: i64,
    pub(super) end: i64,
    /// The time at which it is in the heap.
    timer: i64,
    hash: u64,
    /// Its last revision, if it was answered before its turn.
    pub(super) revision: Option<u32>,
    /// True if a record came since it was answered.
    pub(super) changed: bool,
    pub(super) accumulator: T,
}

/// Accumulators of groups whose windows begin and end together.
pub(super) type Parts<T> = SmallVec<[T; 1]>;

/// What is to be said of windows that begin and end together.
#[derive(Clone, Debug)]
pub(super) struct GroupAnswer<T> {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) revision: u32,
    /// True if an earlier answer does not hold any more, because the window has become longer.
    pub(super) retracted: bool,
    pub(super) parts: Parts<T>,
}

/// The windows of all groups.
#[derive(Clone, Debug)]
pub(super) struct GroupWindows<T> {
    pub(super) kind: Kind,
    slots: Vec<Option<GroupWindow<T>>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    heap: BinaryHeap<Reverse<(i64, u32)>>,
    pub(super) answers: VecDeque<GroupAnswer<T>>,
}

impl<T> GroupWindows<T> {
    pub(super) fn new(kind: Kind) -> Self {
        GroupWindows {
            kind,
            slots: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            heap: BinaryHeap::new(),
            answers: VecDeque::new(),
        }
    }

    /// Returns the number of open windows.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns the open windows, in no particular order.
    pub(super) fn open(&self) -> impl Iterator<Item = &GroupWindow<T>> {
        self.slots.iter().flatten()
    }

    /// Returns all accumulators.
    pub(super) fn accumulators(&self) -> impl Iterator<Item = &T> {
        let open = self.open().map(|window| &window.accumulator);
        open.chain(self.answers.iter().flat_map(|answer| &answer.parts))
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut GroupWindow<T>> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&GroupWindow<T>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Returns the slots of the windows of a hash that `is_wanted` accepts, the earliest window
    /// first.
    #[inline]
    pub(super) fn find(
        &self,
        hash: u64,
        is_wanted: impl Fn(&GroupWindow<T>) -> bool,
    ) -> SmallVec<[u32; 4]> {
        let slots = self.table.iter_hash(hash).copied();
        let mut found: SmallVec<[u32; 4]> =
            slots.filter(|slot| self.get(*slot).is_some_and(&is_wanted)).collect();
        if found.len() > 1 {
            let place = |slot: &u32| self.get(*slot).map(|window| (window.start, window.end));
            found.sort_unstable_by_key(place);
        }
        found
    }

    /// Calls `tell` with each open window.
    pub(super) fn each_open(&mut self, tell: impl FnMut(&mut GroupWindow<T>)) {
        self.slots.iter_mut().flatten().for_each(tell);
    }

    /// Opens a window.
    pub(super) fn insert(&mut self, (start, end): (i64, i64), hash: u64, accumulator: T) -> u32 {
        let window = GroupWindow {
            start,
            end,
            timer: end,
            hash,
            revision: None,
            changed: true,
            accumulator,
        };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
        };
        self.slots[slot as usize] = Some(window);
        let slots = &self.slots;
        self.table.insert_unique(hash, slot, |slot| {
            slots.get(*slot as usize).and_then(Option::as_ref).map_or(0, |window| window.hash)
        });
        self.heap.push(Reverse((end, slot)));
        slot
    }

    /// Closes a window.
    pub(super) fn remove(&mut self, slot: u32) -> Option<GroupWindow<T>> {
        let window = self.slots.get_mut(slot as usize)?.take()?;
        if let Ok(entry) = self.table.find_entry(window.hash, |known| *known == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(window)
    }

    /// Returns a time at or before the end of every window; `i64::MAX` if there is none.
    pub(super) fn first_end(&self) -> i64 {
        self.heap.peek().map_or(i64::MAX, |Reverse((end, _))| *end)
    }

    /// Closes all windows whose last millisecond the watermark has reached, and makes their
    /// answers.
    pub(super) fn close_due(&mut self, watermark: i64) {
        let mut due: Vec<GroupWindow<T>> = Vec::new();
        while self.first_end() - 1 <= watermark {
            let Some(Reverse((timer, slot))) = self.heap.pop() else { break };
            let Some(window) = self.get_mut(slot).filter(|window| window.timer == timer) else {
                // The slot has another window by now.
                continue;
            };
            if window.end > timer {
                window.timer = window.end;
                let end = window.end;
                self.heap.push(Reverse((end, slot)));
            } else if let Some(window) = self.remove(slot) {
                due.push(window);
            }
        }
        let answers = due.into_iter().map(|window| {
            let GroupWindow { start, end, revision, accumulator, .. } = window;
            let revision = revision.map_or(0, |last| last.saturating_add(1));
            let parts = Parts::from_iter([accumulator]);
            GroupAnswer { start, end, revision, retracted: false, parts }
        });
        self.answer(answers.collect());
    }

    /// Adds answers that are made at once, by window end, then start. Those of one window and
    /// revision are one answer.
    pub(super) fn answer(&mut self, mut answers: Vec<GroupAnswer<T>>) {
        answers.sort_by_key(|answer| (answer.end, answer.start, answer.revision));
        let place = |of: &GroupAnswer<T>| (of.start, of.end, of.revision, of.retracted);
        let mut answers = answers.into_iter();
        let Some(mut last) = answers.next() else { return };
        for answer in answers {
            if place(&last) == place(&answer) {
                last.parts.extend(answer.parts);
            } else {
                self.answers.push_back(std::mem::replace(&mut last, answer));
            }
        }
        self.answers.push_back(last);
    }
}

/// Returns the windows of groups, if they are of that kind.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for options that such windows do not have.
pub(super) fn group_windows<T>(
    schedule: &Schedule,
    lateness: i64,
    emit_empty: bool,
) -> Result<Option<Box<GroupWindows<T>>>, Error> {
    let Schedule::OfGroups(kind) = schedule else { return Ok(None) };
    if lateness > 0 {
        return Err(Error::invalid(
            "windows of each group (sessions, staggered windows) have an allowed lateness of 0: wait longer for late records by a larger \
             out-of-orderness (max_delay)",
        ));
    }
    if emit_empty {
        return Err(Error::invalid(
            "windows of each group are never empty: emit_empty is not for them",
        ));
    }
    Ok(Some(Box::new(GroupWindows::new(*kind))))
}

/// Returns the hash of the group of an accumulator; one for all records without groups.
pub(super) fn hash_of<R: ?Sized, T>(groups: Option<&dyn PerGroup<R, T>>, accumulator: &T) -> u64 {
    groups.map_or(0, |groups| groups.group_hash_of(accumulator))
}
