//! Answers in JSON Lines, as the command writes them, read back.
//!
//! Columns that are not known yet are taken as they are: numbers, objects with `value`, `lower` and
//! `upper`, lists of objects with `key` and `count`; anything else is shown as its text.

use super::limits::COLUMNS_MAX;
use crate::view::answers::{Answer, Answers};
use crate::view::times::Zone;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;
use streamgauge::row::{Number, OutputValue, TopValue};
use streamgauge::{Timestamp, Window};

/// Characters of a value that is shown as its text.
const TEXT_CHARS: usize = 1_000;

/// Reads answers line by line.
#[derive(Debug)]
pub(crate) struct AnswersReader {
    answers: Answers,
    /// The index of each column.
    columns: HashMap<String, usize>,
    /// True after the first answer.
    has_read: bool,
    /// The query that the answers are of, if they are of one of several.
    query: Option<String>,
    /// True if the answers have windows.
    is_windowed: bool,
    /// The offset from UTC in the first window.
    offset: Option<Offset>,
    /// Answers that were read.
    pub(crate) rows: u64,
}

impl AnswersReader {
    pub(crate) fn new() -> Self {
        AnswersReader {
            answers: Answers::new(Vec::new(), Vec::new()),
            columns: HashMap::new(),
            has_read: false,
            query: None,
            is_windowed: false,
            offset: None,
            rows: 0,
        }
    }

    /// Returns the answers.
    pub(crate) fn into_answers(self) -> Answers {
        self.answers
    }

    /// Returns the time zone of the answers as far as they tell it.
    pub(crate) fn zone(&self) -> Zone {
        self.offset.map_or_else(|| Zone::named(None), Zone::fixed)
    }

    /// Takes the answer of a line.
    ///
    /// # Errors
    /// A line that is no answer, or one of another pipeline; what is wrong with it.
    pub(crate) fn take(&mut self, line: &str) -> Result<(), String> {
        let line: Line = serde_json::from_str(line)
            .map_err(|error| format!("is not an object of JSON: {error}"))?;
        let mut answer = Answer {
            window: None,
            group: Vec::new(),
            revision: 0,
            is_complete: true,
            is_retracted: false,
            values: Vec::new(),
        };
        let (mut has_window, mut names, mut query) = (false, Vec::new(), None);
        for (name, value) in line.0 {
            let json = value.get();
            match name.as_str() {
                // Behind the window it is a column of that name.
                "query" if !has_window => query = Some(parsed(&name, json)?),
                "window" => {
                    let (found, offset) = window(json)?.unzip();
                    (answer.window, has_window) = (found, true);
                    self.offset = self.offset.or(offset);
                }
                "group" => (names, answer.group) = group(json)?,
                "revision" => answer.revision = parsed(&name, json)?,
                "complete" => answer.is_complete = parsed(&name, json)?,
                "retracted" => answer.is_retracted = parsed(&name, json)?,
                _ => self.set(&mut answer, &name, value_of(json))?,
            }
        }
        if !has_window {
            return Err("is no answer: it has no \"window\"".to_owned());
        }
        self.check_query(query)?;
        self.check_pipeline(&answer, names)?;
        self.rows += 1;
        self.answers.take(answer).map_err(|_| {
            "has one group too many: the groups of one window are more than a page keeps".to_owned()
        })
    }

    fn set(&mut self, answer: &mut Answer, name: &str, value: OutputValue) -> Result<(), String> {
        let next = self.columns.len();
        let index = match self.columns.get(name) {
            Some(index) => *index,
            None if next >= COLUMNS_MAX => {
                return Err(format!("has one column too many: {COLUMNS_MAX} are the most"));
            }
            None => {
                self.columns.insert(name.to_owned(), next);
                self.answers.columns.push(name.to_owned());
                next
            }
        };
        if answer.values.len() <= index {
            answer.values.resize(index + 1, OutputValue::Null);
        }
        answer.values[index] = value;
        Ok(())
    }

    /// Answers of several queries have different columns, so a page has those of one.
    fn check_query(&mut self, query: Option<String>) -> Result<(), String> {
        if !self.has_read {
            self.query = query;
            return Ok(());
        }
        let name = |query: &Option<String>| match query {
            Some(name) => format!("of the query {name}"),
            None => "of no query".to_owned(),
        };
        match query == self.query {
            true => Ok(()),
            false => Err(format!(
                "is {}, and the first answer {}: a page shows one query, so choose its lines, such \
                 as by grep '^{{\"query\":\"NAME\"'",
                name(&query),
                name(&self.query)
            )),
        }
    }

    fn check_pipeline(&mut self, answer: &Answer, names: Vec<String>) -> Result<(), String> {
        let is_windowed = answer.window.is_some();
        if !self.has_read {
            (self.has_read, self.is_windowed) = (true, is_windowed);
            self.answers.group_names = names;
            return Ok(());
        }
        let list = |names: &[String]| match names {
            [] => "no groups".to_owned(),
            names => format!("groups by {}", names.join(", ")),
        };
        if names != self.answers.group_names {
            let (found, first) = (list(&names), list(&self.answers.group_names));
            return Err(format!("is of another pipeline: it has {found}, the first one {first}"));
        }
        if is_windowed != self.is_windowed {
            return Err("is of another pipeline: some answers have a window, and others have none"
                .to_owned());
        }
        Ok(())
    }
}

/// The fields of a line, in their order.
struct Line(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LineVisitor).map(Line)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}

fn parsed<'a, T: Deserialize<'a>>(name: &str, json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("has a wrong {name:?}: {error}"))
}

#[derive(Deserialize)]
struct WindowJson {
    #[serde(default)]
    start: String,
    #[serde(default)]
    end: String,
    number: Option<u64>,
}

/// Returns the window, and the offset from UTC that its start is written with.
fn window(json: &str) -> Result<Option<(Window, Offset)>, String> {
    let Some(WindowJson { start, end, number }) = parsed("window", json)? else { return Ok(None) };
    if number.is_some() {
        return Err("has a window of a number of rows, and a page shows windows of time".to_owned());
    }
    let wrong = |error: jiff::Error| format!("has a wrong \"window\": {error}");
    let time = |text: &str| {
        let time: jiff::Timestamp = text.parse().map_err(wrong)?;
        Ok::<_, String>(Timestamp::from_millis(time.as_millisecond()))
    };
    let offset = Pieces::parse(&start).map_err(wrong)?.to_numeric_offset();
    let (start, end) = (time(&start)?, time(&end)?);
    match start < end {
        true => Ok(Some((Window::new(start, end), offset.unwrap_or(Offset::UTC)))),
        false => Err("has a window that ends before it starts".to_owned()),
    }
}

fn group(json: &str) -> Result<(Vec<String>, Vec<OutputValue>), String> {
    let fields: Option<Line> = parsed("group", json)?;
    let fields = fields.map_or_else(Vec::new, |line| line.0);
    let keys: Vec<OutputValue> = fields.iter().map(|(_, value)| value_of(value.get())).collect();
    let is_other = |key: &OutputValue| matches!(key, OutputValue::Text(text) if text == "(other)");
    let keys = match !keys.is_empty() && keys.iter().all(is_other) {
        true => vec![OutputValue::Other; keys.len()],
        false => keys,
    };
    Ok((fields.into_iter().map(|(name, _)| name).collect(), keys))
}

#[derive(Deserialize)]
struct EstimateJson<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow)]
    lower: &'a RawValue,
    #[serde(borrow)]
    upper: &'a RawValue,
}

#[derive(Deserialize)]
struct TopJson<'a> {
    #[serde(borrow)]
    key: &'a RawValue,
    count: u64,
    lower: Option<u64>,
    upper: Option<u64>,
    guaranteed: Option<bool>,
}

/// Returns a value of JSON, which may be of a kind that is not known.
fn value_of(json: &str) -> OutputValue {
    match json.as_bytes().first() {
        Some(b'n') => OutputValue::Null,
        Some(b't') => OutputValue::Bool(true),
        Some(b'f') => OutputValue::Bool(false),
        Some(b'"') => serde_json::from_str(json).map_or(OutputValue::Null, OutputValue::Text),
        Some(b'{') => estimate(json).unwrap_or_else(|| as_text(json)),
        Some(b'[') => top(json).or_else(|| list(json)).unwrap_or_else(|| as_text(json)),
        _ => number(json).map_or(OutputValue::Null, OutputValue::from),
    }
}

/// Returns several values as one key, unless there are others inside of them.
fn list(json: &str) -> Option<OutputValue> {
    let values: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let is_simple = values.iter().all(|value| !value.get().starts_with(['[', '{']));
    is_simple.then(|| OutputValue::List(values.iter().map(|value| value_of(value.get())).collect()))
}

fn as_text(json: &str) -> OutputValue {
    OutputValue::Text(json.chars().take(TEXT_CHARS).collect())
}

fn number(json: &str) -> Option<Number> {
    let integer = || json.parse().ok().map(Number::Int);
    let float = || json.parse::<f64>().ok().filter(|float| float.is_finite()).map(Number::Float);
    integer().or_else(float)
}

/// Returns an estimate. A missing bound is unknown. Returns `None` without a value.
fn estimate(json: &str) -> Option<OutputValue> {
    let EstimateJson { value, lower, upper } = serde_json::from_str(json).ok()?;
    let bound = |bound: &RawValue, unknown: f64| match bound.get() {
        "null" => Some(Number::Float(unknown)),
        json => number(json),
    };
    let (lower, upper) = (bound(lower, f64::NEG_INFINITY)?, bound(upper, f64::INFINITY)?);
    match value.get() {
        "null" => Some(OutputValue::Null),
        json => Some(OutputValue::Estimate { value: number(json)?, lower, upper }),
    }
}

fn top(json: &str) -> Option<OutputValue> {
    let rows: Vec<TopJson<'_>> = serde_json::from_str(json).ok()?;
    let row = |row: &TopJson<'_>| TopValue {
        key: value_of(row.key.get()),
        count: row.count,
        lower: row.lower.unwrap_or(row.count),
        upper: row.upper.unwrap_or(row.count),
        guaranteed: row.guaranteed.unwrap_or(true),
    };
    Some(OutputValue::Top(rows.iter().map(row).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Result<Answers, String> {
        let mut reader = AnswersReader::new();
        lines.iter().try_for_each(|line| reader.take(line))?;
        Ok(reader.into_answers())
    }

    const WINDOW: &str =
        r#""window":{"start":"2024-01-01T00:00:00.000Z","end":"2024-01-01T00:01:00.000Z"}"#;

    #[test]
    fn values_are_what_was_written() {
        let line = format!(
            r#"{{{WINDOW},"group":{{"a":null}},"revision":3,"count":12,"x":1.5,
                "p":{{"value":5,"lower":4,"upper":6.5}},
                "t":[{{"key":"k","count":3,"lower":2,"upper":3,"guaranteed":false}}],
                "l":["a",1],"b":{{"value":5,"lower":null,"upper":7}},
                "later":{{"buckets":[1]}},"big":123456789012345678901234567890}}"#
        );
        let answers = read(&[&line]).unwrap();
        assert_eq!(answers.columns, ["count", "x", "p", "t", "l", "b", "later", "big"]);
        assert_eq!(answers.group_names, ["a"]);
        let row = answers.rows().next().unwrap();
        let top = TopValue {
            key: OutputValue::Text("k".into()),
            count: 3,
            lower: 2,
            upper: 3,
            guaranteed: false,
        };
        let expected = [
            OutputValue::Integer(12),
            OutputValue::Float(1.5),
            OutputValue::Estimate {
                value: Number::Int(5),
                lower: Number::Int(4),
                upper: Number::Float(6.5),
            },
            OutputValue::Top(vec![top]),
            OutputValue::List(vec![OutputValue::Text("a".into()), OutputValue::Integer(1)]),
            OutputValue::Estimate {
                value: Number::Int(5),
                lower: Number::Float(f64::NEG_INFINITY),
                upper: Number::Int(7),
            },
            OutputValue::Text(r#"{"buckets":[1]}"#.into()),
            OutputValue::Integer(123_456_789_012_345_678_901_234_567_890),
        ];
        assert_eq!((row.revision, row.values.as_slice()), (3, &expected[..]));
    }

    #[test]
    fn what_is_no_answer_is_refused_with_the_reason() {
        let grouped = format!(r#"{{{WINDOW},"group":{{"a":1}},"count":1}}"#);
        let plain = format!(r#"{{{WINDOW},"count":1}}"#);
        let cases = [
            (vec!["[]"], "is not an object of JSON"),
            (vec![r#"{"count":1}"#], "it has no \"window\""),
            (vec![r#"{"window":{"start":"x","end":"y"}}"#], "has a wrong \"window\""),
            (vec![&grouped, &plain], "it has no groups, the first one groups by a"),
            (vec![&plain, r#"{"window":null,"count":1}"#], "others have none"),
        ];
        for (lines, reason) in cases {
            let error = read(&lines).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn lines_from_outside_never_panic(
            line in r#"\{("window":null,|"[a-z]*":[\[\]{}0-9e"a-z:,.-]{0,20},){0,4}"count":1\}"#,
        ) {
            drop(read(&[&line]));
        }
    }
}
