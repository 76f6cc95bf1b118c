//! The answers that each window was given.
//!
//! An answer is recorded here before it is written out. So after a crash the next run knows which
//! answer may have been written. It gives the same answer again, or another one with a higher
//! revision. A window and a revision never have two different answers.

use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::row::OutputValue;
use crate::rows::RowPipeline;
use crate::snapshot::{Envelope, EnvelopeWriter, Kind, Tag};
use crate::time::Timestamp;
use crate::window::Window;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Maximum windows whose groups are kept if nothing is saved between runs. Late records do not come
/// for ever.
const WINDOWS_REMEMBERED_MAX: usize = 4096;

/// A window of a query: the number of the query, in the order of the pipeline, and the window.
pub type QueryWindow = (usize, Option<Window>);

/// End and start in milliseconds, `None` for the global window, and the number of the query.
type WindowKey = (Option<(i64, i64)>, usize);

/// The values of the fields that are grouped by.
type GroupValues = Vec<OutputValue>;

/// The last answer of a window.
#[derive(Clone, PartialEq, Debug, Default)]
struct Given {
    revision: u32,
    /// The hash of its rows.
    content: u64,
    /// True if it is known to have been written out.
    done: bool,
    /// The groups whose rows may be retracted later.
    groups: Vec<GroupValues>,
    /// The groups whose rows this answer retracts.
    gone: Vec<GroupValues>,
    /// For windows of groups: the names of the groups that this run has answered or retracted.
    told: Option<HashSet<String>>,
}

/// The answer that a window needs now.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Judgement {
    /// The revision.
    pub revision: u32,
    /// The groups whose rows no longer hold and must be retracted.
    pub retracted: Vec<Vec<OutputValue>>,
}

/// The answers of earlier runs and of this one.
#[derive(Debug, Default)]
pub struct RunAnswers {
    before: BTreeMap<WindowKey, Given>,
    now: BTreeMap<WindowKey, Given>,
    /// Windows that were answered before and have not changed.
    same: BTreeSet<WindowKey>,
    /// The ends up to which the windows of each query were complete when this run began. Their
    /// answers hold, unless they are given again.
    settled: Vec<Option<Timestamp>>,
    /// True if there is a new answer since the last save.
    changed: bool,
}

impl RunAnswers {
    /// Reads the answers that an earlier run of this pipeline [saved](RunAnswers::to_bytes).
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if streamgauge did not write the bytes, or
    /// they are damaged, [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if they belong to
    /// another pipeline or kind of state.
    pub fn from_bytes(bytes: impl Into<Bytes>, pipeline: &RowPipeline) -> Result<Self, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        envelope.check(&bytes, Kind::Answers, &pipeline.identity())?;
        let mut before = BTreeMap::new();
        let mut reader = envelope.section(&bytes, Tag::Given)?;
        read_given(&mut reader, 0, &mut before)?;
        reader.finish()?;
        if envelope.has(Tag::Queries) {
            let mut reader = envelope.section(&bytes, Tag::Queries)?;
            for query in 1..=reader.count(1)? {
                read_given(&mut reader, query, &mut before)?;
            }
            reader.finish()?;
        }
        Ok(RunAnswers { before, ..RunAnswers::default() })
    }

    /// Returns the answers that the next run needs. Windows up to `complete_to` cannot be answered
    /// again.
    pub fn to_bytes(&mut self, pipeline: &RowPipeline, complete_to: Option<Timestamp>) -> Bytes {
        let over = |place: &WindowKey| matches!((place.0, complete_to), (Some((end, _)), Some(watermark)) if end <= watermark.as_millis());
        self.before.retain(|place, _| !over(place));
        self.now.retain(|place, _| !over(place));
        self.changed = false;
        let older = self.before.iter().filter(|(place, _)| !self.now.contains_key(place));
        let all: BTreeMap<&WindowKey, &Given> = older.chain(&self.now).collect();
        let mut envelope = EnvelopeWriter::new(Kind::Answers, &pipeline.identity());
        let others = pipeline.queries().count().saturating_sub(1);
        envelope.section(Tag::Given, |writer| write_given(&all, 0, writer));
        if others > 0 {
            envelope.section(Tag::Queries, |writer| {
                writer.usize(others);
                (1..=others).for_each(|query| write_given(&all, query, writer));
            });
        }
        envelope.finish().into()
    }

    /// Returns true if there is a new answer since the last save.
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    /// Returns the groups of the window's last answer whose rows may be retracted.
    pub fn unsure(&self, window: QueryWindow) -> Vec<Vec<OutputValue>> {
        let place = place(window);
        let last = self.now.get(&place).or_else(|| self.before.get(&place));
        last.into_iter().flat_map(Given::unsure).cloned().collect()
    }

    /// Returns the answer that a window needs, where the engine has the revision `revision`.
    /// `content` is the hash of its rows, `groups` are those whose rows may be retracted later.
    /// Returns `None` if the window has been given that answer.
    pub fn judge(
        &mut self,
        window: QueryWindow,
        revision: u32,
        content: u64,
        groups: Vec<Vec<OutputValue>>,
    ) -> Option<Judgement> {
        let place = place(window);
        let Some(revision) = self.revision_of(&place, revision, content) else {
            self.same.insert(place);
            return None;
        };
        let last = self.now.get(&place).or_else(|| self.before.get(&place));
        let had = last.into_iter().flat_map(Given::unsure);
        let mut had = had.peekable();
        let hold: HashSet<String> =
            if had.peek().is_some() { groups.iter().map(name).collect() } else { HashSet::new() };
        let gone: Vec<GroupValues> =
            had.filter(|group| !hold.contains(&name(group))).cloned().collect();
        let given = Given { revision, content, groups, gone: gone.clone(), ..Given::default() };
        self.now.insert(place, given);
        self.changed = true;
        Some(Judgement { revision, retracted: gone })
    }

    /// As [`judge`](RunAnswers::judge), for windows of groups: an answer is of those groups of the
    /// window that have changed. `groups` are those whose rows hold, `gone` those whose rows it
    /// retracts itself.
    pub fn judge_groups(
        &mut self,
        window: QueryWindow,
        revision: u32,
        content: u64,
        (groups, gone): (Vec<Vec<OutputValue>>, Vec<Vec<OutputValue>>),
    ) -> Option<Judgement> {
        let place = place(window);
        let judged = self.revision_of(&place, revision, content);
        let before = self.before.get(&place);
        let mut given = self.now.remove(&place).unwrap_or_else(|| Given {
            revision: before.map_or(0, |before| before.revision),
            groups: before.into_iter().flat_map(Given::unsure).cloned().collect(),
            done: true,
            ..Given::default()
        });
        let names: HashSet<String> = groups.iter().chain(&gone).map(name).collect();
        given.groups.retain(|group| !names.contains(&name(group)));
        given.groups.extend(groups);
        given.gone.extend(gone);
        given.told.get_or_insert_default().extend(names);
        given.content = content;
        if let Some(revision) = judged {
            (given.revision, given.done, self.changed) = (revision, false, true);
        }
        self.now.insert(place, given);
        judged.map(|revision| Judgement { revision, retracted: Vec::new() })
    }

    /// Returns the revision of an answer, or `None` if an earlier run has written the same.
    fn revision_of(&self, place: &WindowKey, revision: u32, content: u64) -> Option<u32> {
        match self.before.get(place) {
            Some(given) if given.content == content && given.done => None,
            Some(given) if given.content == content => Some(given.revision),
            Some(given) => Some(given.revision.saturating_add(1).saturating_add(revision)),
            None => Some(revision),
        }
    }

    /// Retracts the rows of windows that have no rows any more: windows that were answered before
    /// with rows that may be retracted, and not again. All windows up to `end`, or all windows
    /// without it, must have been judged.
    pub fn take_back(&mut self, end: Option<Timestamp>) -> Vec<(QueryWindow, Judgement)> {
        let is_over = |place: &WindowKey| match (place.0, end) {
            (Some((window, _)), Some(end)) => window <= end.as_millis() && !self.is_settled(place),
            (None, Some(_)) => false,
            (_, None) => !self.is_settled(place),
        };
        let mut taken = Vec::new();
        for (place, given) in &self.before {
            if self.now.contains_key(place) || self.same.contains(place) || !is_over(place) {
                continue;
            }
            // A retraction of a run that was killed is repeated.
            let (gone, more) = match given.groups.is_empty() {
                true if given.done => continue,
                true => (given.gone.clone(), 0),
                false => (given.groups.iter().chain(&given.gone).cloned().collect(), 1),
            };
            if !gone.is_empty() {
                taken.push((*place, given.revision.saturating_add(more), gone));
            }
        }
        for (place, given) in &self.now {
            let Some(told) = given.told.as_ref().filter(|_| is_over(place)) else { continue };
            let untold = given.groups.iter().filter(|group| !told.contains(&name(group)));
            let gone: Vec<GroupValues> = untold.cloned().collect();
            if !gone.is_empty() {
                taken.push((*place, given.revision.saturating_add(1), gone));
            }
        }
        let judge = |(place, revision, gone): (WindowKey, u32, Vec<GroupValues>)| {
            let given = self.now.entry(place).or_default();
            let names: HashSet<String> = gone.iter().map(name).collect();
            given.groups.retain(|group| !names.contains(&name(group)));
            given.gone.extend(gone.iter().cloned());
            (given.revision, given.done) = (revision, false);
            self.changed = true;
            let window = place.0.map(|(end, start)| {
                Window::new(Timestamp::from_millis(start), Timestamp::from_millis(end))
            });
            ((place.1, window), Judgement { revision, retracted: gone })
        };
        taken.into_iter().map(judge).collect()
    }

    /// Windows that are complete in this state, from which the run continues, are not answered
    /// again, unless a late record comes. The others are.
    pub fn continue_from(&mut self, pipeline: &RowPipeline) {
        self.settled = pipeline.queries().map(|query| query.watermark()).collect();
    }

    fn is_settled(&self, (window, query): &WindowKey) -> bool {
        let watermark = self.settled.get(*query).copied().flatten();
        // A window is complete when the watermark has reached its last millisecond.
        let is_complete = |end: i64| watermark.is_some_and(|last| end - 1 <= last.as_millis());
        window.is_some_and(|(end, _)| is_complete(end))
    }

    /// Windows up to this end were complete before, and are not answered again.
    pub fn complete(&mut self, end: Timestamp) {
        self.before.retain(|place, given| {
            let over = place.0.is_some_and(|(window, _)| window <= end.as_millis());
            !over || given.groups.is_empty() && !given.done && !given.gone.is_empty()
        });
    }

    /// All answers so far have been written out.
    pub fn hand_out(&mut self) {
        for given in self.now.values_mut() {
            given.done = true;
            given.gone.clear();
        }
    }

    /// Forgets the oldest windows, if nothing is saved between runs.
    pub fn forget_old(&mut self) {
        while self.now.len() > WINDOWS_REMEMBERED_MAX {
            self.now.pop_first();
        }
    }
}

/// Returns a text that no other group has.
fn name(group: &GroupValues) -> String {
    format!("{group:?}")
}

fn place((query, window): QueryWindow) -> WindowKey {
    (window.map(|window| (window.end().as_millis(), window.start().as_millis())), query)
}

/// Writes the answers of a query.
fn write_given(all: &BTreeMap<&WindowKey, &Given>, query: usize, writer: &mut Writer) {
    let own = || all.iter().filter(|((_, of), _)| *of == query);
    writer.usize(own().count());
    for ((window, _), given) in own() {
        writer.bool(window.is_some());
        if let Some((end, start)) = window {
            writer.i64(*end);
            writer.i64(*start);
        }
        given.encode(writer);
    }
}

/// Reads the answers of a query.
fn read_given(
    reader: &mut Reader<'_>,
    query: usize,
    all: &mut BTreeMap<WindowKey, Given>,
) -> Result<(), Error> {
    for _ in 0..reader.count(13)? {
        let window = if reader.bool()? { Some((reader.i64()?, reader.i64()?)) } else { None };
        all.insert((window, query), Given::decode(reader)?);
    }
    Ok(())
}

impl Given {
    /// Returns the groups whose rows may be retracted, and those whose retraction may not have been
    /// written out.
    fn unsure(&self) -> impl Iterator<Item = &GroupValues> {
        self.groups.iter().chain(if self.done { &[][..] } else { &self.gone })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u64(u64::from(self.revision));
        writer.fixed_u64(self.content);
        writer.bool(self.done);
        for groups in [&self.groups, &self.gone] {
            writer.usize(groups.len());
            for group in groups {
                writer.usize(group.len());
                group.iter().for_each(|value| write_value(value, writer));
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let revision = u32::try_from(reader.u64()?)
            .map_err(|_| reader.corrupt("a revision is over 32 bits"))?;
        let (content, done) = (reader.fixed_u64()?, reader.bool()?);
        let [groups, gone] = [read_groups(reader)?, read_groups(reader)?];
        Ok(Given { revision, content, done, groups, gone, told: None })
    }
}

fn read_groups(reader: &mut Reader<'_>) -> Result<Vec<GroupValues>, Error> {
    let mut groups = Vec::new();
    for _ in 0..reader.count(1)? {
        let mut group = GroupValues::new();
        for _ in 0..reader.count(1)? {
            group.push(read_value(reader)?);
        }
        groups.push(group);
    }
    Ok(groups)
}

fn write_value(value: &OutputValue, writer: &mut Writer) {
    match value {
        OutputValue::Null => writer.u8(0),
        OutputValue::Bool(value) => {
            writer.u8(1);
            writer.bool(*value);
        }
        OutputValue::Integer(integer) => {
            writer.u8(2);
            writer.i128(*integer);
        }
        OutputValue::Float(float) => {
            writer.u8(3);
            writer.f64(*float);
        }
        OutputValue::Decimal(text) => {
            writer.u8(4);
            writer.bytes(text.as_bytes());
        }
        OutputValue::Other => writer.u8(6),
        // Groups are of the kinds above, or text.
        other => {
            writer.u8(5);
            writer.bytes(other.to_string().as_bytes());
        }
    }
}

fn read_value(reader: &mut Reader<'_>) -> Result<OutputValue, Error> {
    Ok(match reader.u8()? {
        0 => OutputValue::Null,
        1 => OutputValue::Bool(reader.bool()?),
        2 => OutputValue::Integer(reader.i128()?),
        3 => OutputValue::Float(reader.f64()?),
        4 => OutputValue::Decimal(reader.text()?.to_owned()),
        5 => OutputValue::Text(reader.text()?.to_owned()),
        6 => OutputValue::Other,
        other => return Err(reader.corrupt(&format!("{other} is not a kind of value"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::query::PipelineSpec;
    use crate::rows::CompileOptions;
    use proptest::prelude::*;

    fn pipeline() -> RowPipeline {
        PipelineSpec::default().compile(&CompileOptions::default()).unwrap()
    }

    const GLOBAL: QueryWindow = (0, None);

    fn window(start: i64) -> QueryWindow {
        let end = Timestamp::from_millis(start + 10);
        (0, Some(Window::new(Timestamp::from_millis(start), end)))
    }

    fn next(answers: &mut RunAnswers) -> RunAnswers {
        RunAnswers::from_bytes(answers.to_bytes(&pipeline(), None), &pipeline()).unwrap()
    }

    fn revision(
        answers: &mut RunAnswers,
        window: QueryWindow,
        revision: u32,
        content: u64,
    ) -> Option<u32> {
        answers.judge(window, revision, content, Vec::new()).map(|judgement| judgement.revision)
    }

    #[test]
    fn equal_answers_are_not_repeated_and_changed_ones_have_a_higher_revision() {
        let mut first = RunAnswers::default();
        assert_eq!(revision(&mut first, window(0), 0, 7), Some(0));
        first.hand_out();
        let mut second = next(&mut first);
        assert_eq!(revision(&mut second, window(0), 0, 7), None);
        assert_eq!(revision(&mut second, GLOBAL, 0, 1), Some(0));
        second.hand_out();
        let mut third = next(&mut second);
        assert_eq!(revision(&mut third, window(0), 0, 8), Some(1));
        assert_eq!(revision(&mut third, GLOBAL, 0, 1), None);
        assert_eq!(revision(&mut third, window(0), 1, 10), Some(2), "a late record");
    }

    #[test]
    fn s87_answers_possibly_written_before_a_crash_are_repeated_or_superseded() {
        let mut killed = RunAnswers::default();
        assert_eq!(revision(&mut killed, window(0), 0, 7), Some(0));
        assert!(killed.has_changed());
        let mut same = next(&mut killed);
        assert!(!killed.has_changed());
        assert_eq!(revision(&mut same, window(0), 0, 7), Some(0), "it may not have been written");
        let mut other = next(&mut killed);
        assert_eq!(revision(&mut other, window(0), 0, 8), Some(1), "it may have been written");
    }

    #[test]
    fn completed_windows_are_forgotten() {
        let mut answers = RunAnswers::default();
        for start in 0..3 {
            assert_eq!(revision(&mut answers, window(start * 10), 0, 1), Some(0));
        }
        answers.hand_out();
        let bytes = answers.to_bytes(&pipeline(), Some(Timestamp::from_millis(20)));
        let mut kept = RunAnswers::from_bytes(bytes, &pipeline()).unwrap();
        assert_eq!(
            [0, 10, 20].map(|start| revision(&mut kept, window(start), 0, 1)),
            [Some(0), Some(0), None]
        );
    }

    fn groups(names: &[&str]) -> Vec<GroupValues> {
        names.iter().map(|name| vec![OutputValue::Text((*name).to_owned())]).collect()
    }

    #[test]
    fn s236_an_answer_of_some_groups_says_nothing_of_the_others() {
        let judged =
            |answers: &mut RunAnswers, (revision, content), hold: &[&str], gone: &[&str]| {
                let told = (groups(hold), groups(gone));
                let judged = answers.judge_groups(window(0), revision, content, told);
                judged.map(|judged| (judged.revision, judged.retracted.len()))
            };
        let mut first = RunAnswers::default();
        assert_eq!(judged(&mut first, (0, 1), &["a", "b"], &[]), Some((0, 0)));
        assert_eq!(judged(&mut first, (1, 2), &[], &["b"]), Some((1, 0)));
        assert_eq!(first.take_back(None), []);
        first.hand_out();
        let mut second = next(&mut first);
        assert_eq!(judged(&mut second, (0, 3), &["c"], &[]), Some((2, 0)));
        // A run that is killed here forgets neither.
        let mut third = next(&mut second);
        let taken: Vec<_> = third.take_back(None).into_iter().map(|(_, of)| of).collect();
        assert_eq!(taken[0].retracted, groups(&["a", "c"]));
        let taken: Vec<_> = second.take_back(None).into_iter().map(|(_, of)| of).collect();
        assert_eq!(taken, [Judgement { revision: 3, retracted: groups(&["a"]) }]);
        assert_eq!(second.take_back(None), []);
    }

    #[test]
    fn s88_vanished_groups_are_retracted_until_the_retraction_is_written() {
        let retracted = |answers: &mut RunAnswers, content, names: &[&str]| {
            answers.judge(window(0), 0, content, groups(names)).unwrap().retracted
        };
        let mut first = RunAnswers::default();
        assert_eq!(retracted(&mut first, 1, &["m", "n"]), groups(&[]));
        first.hand_out();
        let mut second = next(&mut first);
        assert_eq!(retracted(&mut second, 2, &["a", "n"]), groups(&["m"]));
        let mut same = next(&mut second);
        assert_eq!(
            retracted(&mut same, 2, &["a", "n"]),
            groups(&["m"]),
            "the run before was killed"
        );
        let mut other = next(&mut second);
        assert_eq!(retracted(&mut other, 3, &["a", "b"]), groups(&["n", "m"]));
        second.hand_out();
        let mut third = next(&mut second);
        assert_eq!(
            retracted(&mut third, 3, &["m"]),
            groups(&["a", "n"]),
            "one that comes back is not"
        );
    }

    #[test]
    fn s89_every_flipped_bit_of_saved_answers_is_found() {
        let mut answers = RunAnswers::default();
        assert_eq!(
            answers
                .judge(window(0), 0, 7, vec![vec![OutputValue::Integer(4), OutputValue::Null]])
                .map(|judged| judged.revision),
            Some(0)
        );
        let bytes = answers.to_bytes(&pipeline(), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                RunAnswers::from_bytes(flipped, &pipeline()).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "bit {bit}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_answers_or_an_error(
            section in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut envelope = EnvelopeWriter::new(Kind::Answers, &pipeline().identity());
            envelope.section(Tag::Given, |writer| writer.raw(&section));
            if let Ok(mut answers) = RunAnswers::from_bytes(envelope.finish(), &pipeline()) {
                prop_assert!(!answers.to_bytes(&pipeline(), None).is_empty());
            }
        }
    }
}
