//! The windows of all groups, where a window is a number of records, and the answers of those that
//! are complete.
//!
//! A group has the accumulators of its last parts (see [`RowRule::part`]). An answer is the merge
//! of the parts of its window, always from the first to the last, so that it does not depend on
//! where a run was interrupted.

use super::EngineOptions;
use crate::error::Error;
use crate::window::{RowRule, Schedule};
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// The records of a group.
#[derive(Clone, Debug)]
pub(super) struct RowGroup<T> {
    hash: u64,
    /// The number of its records so far.
    pub(super) records: u64,
    /// The last parts, oldest first. The last one may be incomplete.
    pub(super) parts: VecDeque<RowPart<T>>,
    /// The answer that its open window has had before its turn.
    pub(super) answered: Option<Answered>,
    /// True if a record came since the last answer.
    pub(super) changed: bool,
}

/// Consecutive records of a group.
#[derive(Clone, Debug)]
pub(super) struct RowPart<T> {
    pub(super) times: Times,
    pub(super) accumulator: T,
}

/// The earliest and the latest event time of records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Times {
    // The order of answers is by end, then start.
    pub(super) last: i64,
    pub(super) first: i64,
}

impl Times {
    pub(super) fn at(time: i64) -> Self {
        Times { last: time, first: time }
    }

    pub(super) fn with(self, other: Times) -> Self {
        Times { last: self.last.max(other.last), first: self.first.min(other.first) }
    }
}

/// What was said of a window before its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) times: Times,
    pub(super) revision: u32,
}

/// What is to be said of windows of the same times and number.
#[derive(Clone, Debug)]
pub(super) struct RowAnswer<T> {
    pub(super) times: Times,
    pub(super) number: u64,
    pub(super) revision: u32,
    /// True if an earlier answer does not hold any more, because the window has more records.
    pub(super) retracted: bool,
    /// Accumulators of different groups.
    pub(super) parts: SmallVec<[T; 1]>,
}

/// The windows of all groups. A group is known by its index.
#[derive(Clone, Debug)]
pub(super) struct RowWindows<T> {
    pub(super) rule: RowRule,
    groups: Vec<RowGroup<T>>,
    table: HashTable<usize>,
    pub(super) answers: VecDeque<RowAnswer<T>>,
    /// True if the open windows were answered at the end of the input.
    pub(super) ended: bool,
}

impl<T> RowWindows<T> {
    pub(super) fn new(rule: RowRule) -> Self {
        let (groups, table, answers) = (Vec::new(), HashTable::new(), VecDeque::new());
        RowWindows { rule, groups, table, answers, ended: false }
    }

    /// Returns the number of groups.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn groups(&self) -> &[RowGroup<T>] {
        &self.groups
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut RowGroup<T>> {
        self.groups.get_mut(index)
    }

    /// Returns all accumulators.
    pub(super) fn accumulators(&self) -> impl Iterator<Item = &T> {
        let parts = self.groups.iter().flat_map(|group| &group.parts);
        let answers = self.answers.iter().flat_map(|answer| &answer.parts);
        parts.map(|part| &part.accumulator).chain(answers)
    }

    /// Returns the group of a hash whose accumulators `is_wanted` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_wanted: impl Fn(&T) -> bool) -> Option<usize> {
        let is_group = |index: &usize| {
            let last = self.groups.get(*index).and_then(|group| group.parts.back());
            last.is_some_and(|part| is_wanted(&part.accumulator))
        };
        self.table.find(hash, is_group).copied()
    }

    /// Adds a group.
    pub(super) fn insert(&mut self, group: RowGroup<T>) {
        let (hash, index) = (group.hash, self.groups.len());
        self.groups.push(group);
        let groups = &self.groups;
        let hash_of = |index: &usize| groups.get(*index).map_or(0, |group| group.hash);
        self.table.insert_unique(hash, index, hash_of);
    }

    /// Adds answers that are made at once: what is taken back, then the answers by window end,
    /// start and number. Those of one window and revision are one answer.
    pub(super) fn answer(&mut self, mut answers: Vec<RowAnswer<T>>) {
        let place = |of: &RowAnswer<T>| (!of.retracted, of.times, of.number, of.revision);
        answers.sort_by_key(place);
        let mut last: Option<RowAnswer<T>> = None;
        for answer in answers {
            match &mut last {
                Some(same) if place(same) == place(&answer) => same.parts.extend(answer.parts),
                _ => self.answers.extend(last.replace(answer)),
            }
        }
        self.answers.extend(last);
    }
}

impl<T> RowGroup<T> {
    pub(super) fn new(hash: u64) -> Self {
        RowGroup { hash, records: 0, parts: VecDeque::new(), answered: None, changed: false }
    }

    /// Returns the number of the window that is open; the next one if none is.
    pub(super) fn open_window(&self, rule: RowRule) -> u64 {
        self.records / rule.step() + 1
    }

    /// Returns true if the open window has a record.
    pub(super) fn is_open(&self, rule: RowRule) -> bool {
        !self.records.is_multiple_of(rule.step())
    }

    /// Returns the last `count` parts, oldest first.
    pub(super) fn last_parts(&self, count: usize) -> impl Iterator<Item = &RowPart<T>> {
        self.parts.iter().skip(self.parts.len().saturating_sub(count))
    }
}

impl<T: Clone> RowGroup<T> {
    /// Returns what is to be said of a window: that an earlier answer does not hold, if the window
    /// has other times now, and the answer.
    pub(super) fn answers(&self, number: u64, (times, content): (Times, T)) -> Vec<RowAnswer<T>> {
        let answer = |times, revision, retracted| {
            let parts = SmallVec::from_iter([content.clone()]);
            RowAnswer { times, number, revision, retracted, parts }
        };
        let mut all = Vec::with_capacity(1);
        let revision = match self.answered {
            None => 0,
            Some(last) if last.times == times => last.revision.saturating_add(1),
            Some(last) => {
                all.push(answer(last.times, last.revision.saturating_add(1), true));
                0
            }
        };
        all.push(answer(times, revision, false));
        all
    }
}

/// Returns the windows, if they are of a number of records.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for options that such windows do not have.
pub(super) fn row_windows<T>(options: &EngineOptions) -> Result<Option<Box<RowWindows<T>>>, Error> {
    let Schedule::Rows(rule) = options.windows.schedule() else { return Ok(None) };
    if !options.allowed_lateness.is_zero() {
        return Err(Error::invalid(
            "windows of a number of rows have an allowed lateness of 0: no record is late for them",
        ));
    }
    if options.emit_empty {
        return Err(Error::invalid(
            "windows of a number of rows are never empty: emit_empty is not for them",
        ));
    }
    Ok(Some(Box::new(RowWindows::new(*rule))))
}
