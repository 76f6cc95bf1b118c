//! What the engine does where a window is a number of records of a group.
//!
//! A record is never late, and a window is complete with its last record, so watermarks only tell
//! the end of the input.

use super::core::Engine;
use super::firing::{FiredContent, read_revision};
use super::group_windows::Encode;
use super::row_windows::{Answered, RowAnswer, RowGroup, RowPart, RowWindows, Times};
use super::{Emission, Outcome};
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use crate::window::{RowRule, Window};
use smallvec::SmallVec;

/// What to do with windows of rows instead of merging them.
const ONE_INPUT: &str = "windows of a number of rows are of one ordered input: they have no \
                         partials, and cannot be merged or continued elsewhere";

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Returns true if a window is a number of records.
    pub(crate) fn is_of_rows(&self) -> bool {
        self.of_rows.is_some()
    }

    /// Returns true if a window of a number of records is complete and was not fetched.
    #[inline]
    pub(super) fn has_row_answers(&self) -> bool {
        self.of_rows.as_ref().is_some_and(|windows| !windows.answers.is_empty())
    }

    /// Returns the error for those who want to merge windows of a number of records.
    pub(crate) fn check_merges(&self) -> Result<(), Error> {
        if self.is_of_rows() { Err(Error::invalid(ONE_INPUT)) } else { Ok(()) }
    }

    /// Adds a record to the windows of its group.
    pub(super) fn place_in_rows(&mut self, record: &R, time: Timestamp) -> Result<Outcome, Error> {
        if !self.schedule.range(0).contains(&time.as_millis()) {
            let message = super::core::out_of_range(time);
            return self.refuse(Error::new(ErrorKind::TimeOutOfRange, message));
        }
        let Some(windows) = &self.of_rows else { return Ok(Outcome::BetweenWindows) };
        let groups = self.aggregate.per_group();
        let hash = groups.map_or(0, |groups| groups.group_hash(record));
        let found = windows.find(hash, |accumulator| {
            groups.is_none_or(|groups| groups.is_of_group(accumulator, record))
        });
        let added = match found {
            Some(index) => self.add_to_rows(index, (record, time)),
            None => self.add_first_row(hash, (record, time)),
        };
        match added {
            Ok(()) => {
                self.until_check = self.until_check.saturating_sub(1);
                Ok(Outcome::Applied)
            }
            Err(error) => self.refuse(error),
        }
    }

    fn add_first_row(&mut self, hash: u64, (record, time): (&R, Timestamp)) -> Result<(), Error> {
        let known = self.of_rows.as_ref().map_or(0, |windows| windows.len());
        if known >= self.limits.groups_max {
            let message =
                format!("{known} groups have windows, as many as Limits::groups_max allows");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut group = RowGroup::new(hash);
        let Some(windows) = &mut self.of_rows else { return Ok(()) };
        let answers = add(&self.aggregate, (&mut group, windows.rule), (record, time))?;
        windows.insert(group);
        windows.ended = false;
        windows.answer(answers);
        Ok(())
    }

    #[inline]
    fn add_to_rows(&mut self, index: usize, record: (&R, Timestamp)) -> Result<(), Error> {
        let Some(windows) = &mut self.of_rows else { return Ok(()) };
        let rule = windows.rule;
        let Some(group) = windows.get_mut(index) else { return Ok(()) };
        let answers = add(&self.aggregate, (group, rule), record)?;
        windows.ended = false;
        if !answers.is_empty() {
            windows.answer(answers);
        }
        Ok(())
    }

    /// Answers the open windows, if the input has ended.
    pub(super) fn close_row_windows(&mut self) {
        let ended = self.of_rows.as_ref().is_some_and(|windows| windows.ended);
        if self.watermarks.overall() == i64::MAX && !ended {
            let closed = self.answer_rows(|_| true);
            if let (Ok(()), Some(windows)) = (closed, &mut self.of_rows) {
                windows.ended = true;
            }
        }
    }

    /// Answers the open windows that have changed.
    pub(super) fn answer_open_row_windows(&mut self) -> Result<(), Error> {
        self.answer_rows(|group| group.changed)
    }

    fn answer_rows(
        &mut self,
        is_wanted: impl Fn(&RowGroup<A::Accumulator>) -> bool,
    ) -> Result<(), Error> {
        let Some(windows) = &mut self.of_rows else { return Ok(()) };
        let (rule, mut answers) = (windows.rule, Vec::new());
        for index in 0..windows.len() {
            let Some(group) = windows.get_mut(index) else { continue };
            if !group.is_open(rule) || !is_wanted(group) {
                continue;
            }
            let number = group.open_window(rule);
            let parts = group.last_parts(rule.parts_of(number, group.records));
            let parts = parts.map(|part| (part.times, &part.accumulator));
            let Some(merged) = merged(&self.aggregate, parts)? else { continue };
            let said = group.answers(number, merged);
            if let Some(last) = said.last() {
                group.answered = Some(Answered { times: last.times, revision: last.revision });
                group.changed = false;
            }
            answers.extend(said);
        }
        windows.answer(answers);
        Ok(())
    }

    /// Returns the next emission: see [`next_emission_with`](Engine::next_emission_with).
    pub(super) fn next_row_emission<T>(
        &mut self,
        make: impl FnOnce(&A, FiredContent<'_, A::Accumulator>) -> T,
    ) -> Result<Option<Emission<T>>, Error> {
        self.note_due();
        let Some(windows) = &mut self.of_rows else { return Ok(None) };
        let is_timed = windows.rule.is_timed();
        let Some(found) = windows.answers.pop_front() else { return Ok(None) };
        let mut parts = found.parts.into_iter();
        let mut content = parts.next();
        if let Some(content) = &mut content {
            parts.try_for_each(|part| self.aggregate.merge(content, &part))?;
        }
        self.stats.emitted = self.stats.emitted.saturating_add(1);
        let time = Timestamp::from_millis;
        let times = (time(found.times.first), time(found.times.last.saturating_add(1)));
        Ok(Some(Emission {
            window: Some(Window::of_rows(found.number, is_timed.then_some(times))),
            revision: found.revision,
            retracted: found.retracted,
            value: make(&self.aggregate, content.map_or(FiredContent::Empty, FiredContent::Merged)),
        }))
    }

    /// Writes the windows and answers.
    pub(super) fn encode_row_windows(
        &self,
        windows: &RowWindows<A::Accumulator>,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error> {
        writer.bool(windows.ended);
        let mut groups: Vec<Vec<u8>> = Vec::new();
        for group in windows.groups() {
            let mut content = Writer::new();
            content.u64(group.records);
            content.bool(group.changed);
            content.bool(group.answered.is_some());
            if let Some(Answered { times, revision }) = group.answered {
                write_times(times, &mut content);
                content.u64(u64::from(revision));
            }
            content.usize(group.parts.len());
            for part in &group.parts {
                write_times(part.times, &mut content);
                content.section(|section| encode(&part.accumulator, section))?;
            }
            groups.push(content.into_bytes());
        }
        // In an order that does not depend on the history.
        groups.sort();
        writer.usize(groups.len());
        groups.iter().for_each(|group| writer.bytes(group));
        writer.usize(windows.answers.len());
        for answer in &windows.answers {
            write_times(answer.times, writer);
            writer.u64(answer.number);
            writer.u64(u64::from(answer.revision));
            writer.bool(answer.retracted);
            writer.usize(answer.parts.len());
            for part in &answer.parts {
                writer.section(|section| encode(part, section))?;
            }
        }
        Ok(())
    }

    /// Reads what [`encode_row_windows`](Engine::encode_row_windows) wrote.
    pub(super) fn decode_row_windows(
        &self,
        rule: RowRule,
        mut reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<Box<RowWindows<A::Accumulator>>, Error> {
        let mut windows = Box::new(RowWindows::new(rule));
        windows.ended = reader.bool()?;
        let groups = reader.count(6)?;
        if groups > self.limits.groups_max {
            let most = self.limits.groups_max;
            let message =
                format!("the snapshot has {groups} groups, over the {most} of Limits::groups_max");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        for _ in 0..groups {
            let group = self.decode_row_group(rule, reader.section()?, room)?;
            windows.insert(group);
        }
        for _ in 0..reader.count(6)? {
            let times = read_times(&mut reader)?;
            let number = reader.u64()?;
            let (revision, retracted) = (read_revision(&mut reader)?, reader.bool()?);
            let mut parts = SmallVec::new();
            for _ in 0..reader.count(1)? {
                parts.push(self.decode_accumulator(reader.section()?, room)?);
            }
            if number == 0 || parts.is_empty() {
                return Err(reader.corrupt("an answer has no number or no records"));
            }
            windows.answers.push_back(RowAnswer { times, number, revision, retracted, parts });
        }
        reader.finish()?;
        Ok(windows)
    }

    fn decode_row_group(
        &self,
        rule: RowRule,
        mut reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<RowGroup<A::Accumulator>, Error> {
        let (records, changed) = (reader.u64()?, reader.bool()?);
        let answered = match reader.bool()? {
            true => {
                let times = read_times(&mut reader)?;
                Some(Answered { times, revision: read_revision(&mut reader)? })
            }
            false => None,
        };
        let count = reader.count(3)?;
        let kept = usize::try_from(records.div_ceil(rule.part())).unwrap_or(usize::MAX);
        if count == 0 || count != kept.min(rule.parts()) {
            return Err(reader.corrupt("a group has not the parts of its records"));
        }
        let mut parts = Vec::new();
        for _ in 0..count {
            let times = read_times(&mut reader)?;
            let accumulator = self.decode_accumulator(reader.section()?, room)?;
            parts.push(RowPart { times, accumulator });
        }
        reader.finish()?;
        let groups = self.aggregate.per_group();
        let hash_of =
            |part: &RowPart<_>| groups.map_or(0, |groups| groups.group_hash_of(&part.accumulator));
        let hash = parts.last().map_or(0, hash_of);
        let mut group = RowGroup::new(hash);
        (group.records, group.parts) = (records, parts.into());
        (group.answered, group.changed) = (answered, changed);
        Ok(group)
    }
}

/// Adds a record to a group. Returns what is to be said of the window that it completes.
///
/// # Errors
/// Those of the aggregate. Nothing has changed then.
fn add<R: ?Sized, A: Aggregate<R>>(
    aggregate: &A,
    (group, rule): (&mut RowGroup<A::Accumulator>, RowRule),
    (record, time): (&R, Timestamp),
) -> Result<Vec<RowAnswer<A::Accumulator>>, Error> {
    let times = Times::at(if rule.is_timed() { time.as_millis() } else { 0 });
    let records = group.records + 1;
    let (begins, completes) =
        (group.records.is_multiple_of(rule.part()), records.is_multiple_of(rule.step()));
    if let Some(last) = group.parts.back_mut().filter(|_| !begins && !completes) {
        aggregate.try_add(&mut last.accumulator, record, time)?;
        last.times = last.times.with(times);
        (group.records, group.changed) = (records, true);
        return Ok(Vec::new());
    }
    // A new part or a clone, so that nothing changes if a merge fails.
    let mut part = match group.parts.back().filter(|_| !begins) {
        Some(last) => RowPart { times: last.times.with(times), ..last.clone() },
        None => RowPart { times, accumulator: aggregate.init() },
    };
    aggregate.try_add(&mut part.accumulator, record, time)?;
    let mut answers = Vec::new();
    if completes {
        let number = records / rule.step();
        let kept = group.parts.len() - usize::from(!begins);
        let before = rule.parts_of(number, records).saturating_sub(1).min(kept);
        let parts = group.parts.iter().take(kept).skip(kept - before).chain([&part]);
        let parts = parts.map(|part| (part.times, &part.accumulator));
        answers.extend(merged(aggregate, parts)?.map(|merged| group.answers(number, merged)));
    }
    if !begins {
        group.parts.pop_back();
    } else if group.parts.len() >= rule.parts() {
        group.parts.pop_front();
    }
    group.parts.push_back(part);
    (group.records, group.changed) = (records, !completes);
    if completes {
        group.answered = None;
    }
    Ok(answers.into_iter().flatten().collect())
}

/// Merges parts, oldest first.
fn merged<'a, R: ?Sized, A: Aggregate<R>>(
    aggregate: &A,
    mut parts: impl Iterator<Item = (Times, &'a A::Accumulator)>,
) -> Result<Option<(Times, A::Accumulator)>, Error>
where
    A::Accumulator: 'a,
{
    let Some((mut times, first)) = parts.next() else { return Ok(None) };
    let mut merged = first.clone();
    for (more, part) in parts {
        aggregate.merge(&mut merged, part)?;
        times = times.with(more);
    }
    Ok(Some((times, merged)))
}

fn write_times(times: Times, writer: &mut Writer) {
    writer.i64(times.first);
    writer.i64(times.last.wrapping_sub(times.first));
}

fn read_times(reader: &mut Reader<'_>) -> Result<Times, Error> {
    let first = reader.i64()?;
    let last = first.checked_add(reader.i64()?).filter(|last| *last >= first && *last < i64::MAX);
    let last = last.ok_or_else(|| reader.corrupt("a window ends before it starts"))?;
    Ok(Times { last, first })
}
