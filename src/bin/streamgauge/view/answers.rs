//! The answers that a page is made of, kept until its end in bounded memory.

use std::collections::BTreeMap;
use streamgauge::Window;
use streamgauge::row::{Number, OutputValue, TopValue};

/// Approximate bytes of the answers that a page is made of, at most. Past that the oldest windows
/// are left out.
pub(super) const ANSWERS_BYTES_MAX: usize = 256 << 20;

/// An answer of a window and a group.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Answer {
    /// The window; `None` without windows.
    pub(crate) window: Option<Window>,
    /// The keys of the group, in the order of [`Answers::group_names`].
    pub(crate) group: Vec<OutputValue>,
    /// Of the answers of one window and group the one with the highest revision counts.
    pub(crate) revision: u32,
    /// False for a window that the end of a run has cut short.
    pub(crate) is_complete: bool,
    /// True if there is no such answer any more.
    pub(crate) is_retracted: bool,
    /// The values, in the order of [`Answers::columns`]; at the end there may be fewer.
    pub(crate) values: Vec<OutputValue>,
}

/// Start and end of a window; the lowest start and the highest end without windows.
pub(super) type Place = (i64, i64);

/// The place of an answer without windows.
const EVERYTHING: Place = (i64::MIN, i64::MAX);

/// One window's groups are too many to be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooManyGroups;

/// The answers of a run: of each window and group the latest.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    /// The fields of the grouping.
    pub(crate) group_names: Vec<String>,
    /// The names of the columns.
    pub(crate) columns: Vec<String>,
    windows: BTreeMap<Place, BTreeMap<String, Answer>>,
    bytes: usize,
    bytes_max: usize,
    /// The last window that was left out, and how many were.
    left_out: Option<(Place, usize)>,
}

impl Answers {
    pub(crate) fn new(group_names: Vec<String>, columns: Vec<String>) -> Self {
        Answers {
            group_names,
            columns,
            windows: BTreeMap::new(),
            bytes: 0,
            bytes_max: ANSWERS_BYTES_MAX,
            left_out: None,
        }
    }

    /// Takes an answer. Past the limit the oldest windows are left out.
    ///
    /// # Errors
    /// The groups of one window pass the limit alone.
    pub(crate) fn take(&mut self, answer: Answer) -> Result<(), TooManyGroups> {
        let place = place(answer.window);
        if self.left_out.is_some_and(|(last, _)| place <= last) {
            return Ok(());
        }
        let name = identity(&answer.group);
        let rows = self.windows.entry(place).or_default();
        let known = rows.get(&name);
        if known.is_some_and(|known| known.revision > answer.revision) {
            return Ok(());
        }
        self.bytes -= known.map_or(0, |known| bytes_of(&name, known));
        self.bytes += bytes_of(&name, &answer);
        rows.insert(name, answer);
        while self.bytes > self.bytes_max {
            self.leave_out_oldest()?;
        }
        Ok(())
    }

    fn leave_out_oldest(&mut self) -> Result<(), TooManyGroups> {
        if self.windows.len() < 2 {
            return Err(TooManyGroups);
        }
        if let Some((place, rows)) = self.windows.pop_first() {
            let before = self.left_out.map_or(0, |(_, count)| count);
            self.left_out = Some((place, before + 1));
            self.bytes -= rows.iter().map(|(name, row)| bytes_of(name, row)).sum::<usize>();
        }
        Ok(())
    }

    /// Returns the number of windows that were left out.
    pub(super) fn left_out(&self) -> usize {
        self.left_out.map_or(0, |(_, count)| count)
    }

    /// Returns the answers that hold, by window and then by group.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Answer> {
        self.windows.values().flat_map(BTreeMap::values).filter(|answer| !answer.is_retracted)
    }
}

/// Returns start and end of a window.
pub(super) fn place(window: Option<Window>) -> Place {
    window.map_or(EVERYTHING, |window| (window.start().as_millis(), window.end().as_millis()))
}

/// Returns the name of a group in memory: two groups have one only if their keys are equal.
pub(super) fn identity(group: &[OutputValue]) -> String {
    let mut name = String::new();
    for key in group {
        let kind = match key {
            OutputValue::Text(_) => 't',
            OutputValue::Null => 'n',
            OutputValue::Other => 'o',
            OutputValue::List(_) => 'l',
            _ => 'v',
        };
        let key = match key {
            OutputValue::List(keys) => identity(keys),
            key => key.to_string(),
        };
        name.push(kind);
        name.push_str(&format!("{}:", key.len()));
        name.push_str(&key);
    }
    name
}

/// Approximate bytes of an answer in memory.
pub(super) fn bytes_of(name: &str, answer: &Answer) -> usize {
    let values: usize = answer.group.iter().chain(&answer.values).map(value_bytes).sum();
    2 * size_of::<String>() + name.len() + size_of::<Answer>() + values
}

fn value_bytes(value: &OutputValue) -> usize {
    let behind = match value {
        OutputValue::Text(text) | OutputValue::Decimal(text) => text.len(),
        OutputValue::Top(rows) => rows.iter().map(top_bytes).sum(),
        OutputValue::List(keys) => keys.iter().map(value_bytes).sum(),
        _ => 0,
    };
    size_of::<OutputValue>() + behind
}

fn top_bytes(row: &TopValue) -> usize {
    size_of::<TopValue>() + value_bytes(&row.key)
}

/// Returns a value as its JSON would be read: a number that JSON has not is missing, and one that
/// is no integer of 128 bits is the nearest float. A bound that is not known is infinite.
pub(super) fn as_read(value: OutputValue) -> OutputValue {
    let is_nan = |number: Number| number.to_f64().is_nan();
    match value {
        OutputValue::Float(float) if !float.is_finite() => OutputValue::Null,
        OutputValue::Decimal(text) => text
            .parse::<f64>()
            .ok()
            .filter(|float| float.is_finite())
            .map_or(OutputValue::Null, OutputValue::Float),
        OutputValue::Estimate { value, lower, upper }
            if value.to_f64().is_infinite() || [value, lower, upper].into_iter().any(is_nan) =>
        {
            OutputValue::Null
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use streamgauge::Timestamp;

    fn answer(minute: i64, group: &str, revision: u32, count: i128) -> Answer {
        let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
        Answer {
            window: Some(Window::new(at(minute), at(minute + 1))),
            group: vec![OutputValue::Text(group.to_owned())],
            revision,
            is_complete: true,
            is_retracted: false,
            values: vec![OutputValue::Integer(count)],
        }
    }

    fn empty() -> Answers {
        Answers::new(vec!["g".to_owned()], vec!["count".to_owned()])
    }

    fn counts(answers: &Answers) -> Vec<String> {
        answers.rows().map(|row| row.values[0].to_string()).collect()
    }

    #[test]
    fn s202_the_highest_revision_counts_and_retracted_rows_vanish() {
        let mut answers = empty();
        for (revision, count) in [(0, 1), (2, 3), (1, 2)] {
            answers.take(answer(0, "a", revision, count)).unwrap();
        }
        answers.take(answer(0, "b", 0, 7)).unwrap();
        assert_eq!(counts(&answers), ["3", "7"]);
        let mut gone = answer(0, "b", 1, 0);
        (gone.is_retracted, gone.values) = (true, Vec::new());
        answers.take(gone).unwrap();
        // What it took back does not come again.
        answers.take(answer(0, "b", 0, 7)).unwrap();
        assert_eq!(counts(&answers), ["3"]);
    }

    #[test]
    fn different_keys_are_different_groups() {
        let text = |text: &str| OutputValue::Text(text.to_owned());
        let groups = [
            vec![OutputValue::Null],
            vec![text("")],
            vec![text("null")],
            vec![OutputValue::Integer(1)],
            vec![text("1")],
            vec![OutputValue::Other],
            vec![text("(other)")],
            vec![text("a"), text("b")],
            vec![text("at1:b"), text("")],
            vec![OutputValue::List(vec![text("a"), text("b")])],
            vec![OutputValue::List(vec![text("a, b")])],
        ];
        let names: std::collections::BTreeSet<String> =
            groups.iter().map(|group| identity(group)).collect();
        assert_eq!(names.len(), groups.len());
    }

    proptest! {
        #[test]
        fn s203_past_the_limit_the_newest_windows_are_kept(
            minutes in proptest::collection::vec((0i64..30, 0u8..3), 1..200),
            kept in 3usize..20,
        ) {
            let mut answers = empty();
            let one = bytes_of("t1:0", &answer(0, "0", 0, 0));
            answers.bytes_max = kept * one;
            for (index, (minute, group)) in minutes.iter().enumerate() {
                answers.take(answer(*minute, &group.to_string(), index as u32, 0)).unwrap();
                prop_assert!(answers.bytes <= answers.bytes_max);
            }
            let left: Vec<&Answer> = answers.rows().collect();
            prop_assert_eq!(left.len() * one, answers.bytes);
            let last = minutes.iter().map(|(minute, _)| *minute).max().unwrap();
            prop_assert_eq!(place(left.last().unwrap().window).0, last * 60_000);
            if answers.left_out() == 0 {
                let all: std::collections::BTreeSet<_> = minutes.iter().collect();
                prop_assert_eq!(left.len(), all.len());
            }
        }
    }
}
