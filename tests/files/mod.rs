//! The files adapter, from bytes to rows.

mod compressed;
mod csv;
mod detection;
mod dialects;
mod event_times;
mod json;
mod json_library;
#[path = "../../examples/generate/log.rs"]
#[allow(dead_code, reason = "the example writes more layouts than the tests read")]
mod log;
mod logs;
mod many;
mod queries;
mod real_log;
mod run_pipeline;

use std::io::Read;
use streamgauge::adapter::files::{
    DeadLetter, FilesOptions, FilesStats, Format, Input, Refusal, RowSink, run,
};
use streamgauge::row::{Row, Value};
use streamgauge::{Error, Limits, ShardId};

/// The calls of a sink, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Event {
    Open(usize, String),
    Row(usize, Vec<String>),
    Dead { file: String, line: u64, reason: String, bytes: Vec<u8> },
    Close(usize),
}

/// A sink that records all calls.
#[derive(Default)]
struct Recorder {
    fields: Vec<String>,
    events: Vec<Event>,
    /// How inputs are read where that is not certain.
    notes: Vec<String>,
    /// Records with this first value are refused.
    refused: Option<&'static str>,
}

impl Recorder {
    fn new(fields: &[&str]) -> Self {
        Recorder {
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            ..Recorder::default()
        }
    }

    fn rows(&self) -> Vec<Vec<&str>> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Row(_, values) => Some(values.iter().map(String::as_str).collect()),
                _ => None,
            })
            .collect()
    }

    /// Line and reason of each dead letter.
    fn dead(&self) -> Vec<(u64, &str)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Dead { line, reason, .. } => Some((*line, reason.as_str())),
                _ => None,
            })
            .collect()
    }
}

/// Returns a value with a letter for its type in front, so that tests see both.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::Missing => "-".to_owned(),
        Value::Bool(value) => format!("b{value}"),
        Value::Number(text) => format!("n{text}"),
        Value::Text(text) => format!("t{text}"),
        Value::Untyped(text) => format!("u{text}"),
        Value::Json(text) => format!("j{text}"),
        Value::Integer(_) | Value::Float(_) => panic!("no file has a computed value"),
    }
}

impl RowSink for Recorder {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn open_shard(&mut self, file: usize, shard: ShardId) -> Result<(), Error> {
        self.events.push(Event::Open(file, shard.to_string()));
        Ok(())
    }

    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
        let values: Vec<String> = (0..row.slots()).map(|slot| shown(row.value(slot))).collect();
        if self.refused.is_some_and(|refused| values.first().is_some_and(|value| value == refused))
        {
            return Ok(Some(Refusal::DeadLetter("refused".to_owned())));
        }
        self.events.push(Event::Row(file, values));
        Ok(None)
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        let DeadLetter { file, line, reason, bytes } = *letter;
        self.events.push(Event::Dead {
            file: file.to_owned(),
            line,
            reason: reason.to_owned(),
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    fn note(&mut self, _: usize, note: &str) -> Result<(), Error> {
        self.notes.push(note.to_owned());
        Ok(())
    }

    fn pause(&mut self, _: &FilesStats) -> Result<(), Error> {
        Ok(())
    }

    fn close_shard(&mut self, file: usize) -> Result<(), Error> {
        self.events.push(Event::Close(file));
        Ok(())
    }
}

/// A reader that returns a few bytes at a time, in sizes that repeat.
struct Trickle {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
}

impl Trickle {
    fn new(bytes: &[u8], sizes: &[usize]) -> Self {
        Trickle { bytes: bytes.to_vec(), at: 0, sizes: sizes.to_vec(), turn: 0 }
    }
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].max(1);
        self.turn += 1;
        let len = size.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

fn options(format: Format, block_bytes: usize, record_bytes_max: usize) -> FilesOptions {
    let mut limits = Limits::default();
    limits.record_bytes_max = record_bytes_max;
    let mut options = FilesOptions::with_format(format);
    options.limits = limits;
    options.block_bytes = Some(block_bytes);
    options
}

/// Reads bytes as one input named `in`.
fn read(format: Format, bytes: &[u8], fields: &[&str]) -> (Recorder, FilesStats) {
    let mut recorder = Recorder::new(fields);
    let stats = run(
        vec![Input::from_reader("in", std::io::Cursor::new(bytes.to_vec()))],
        &FilesOptions::with_format(format),
        &mut recorder,
    );
    let stats = stats.unwrap();
    assert_eq!(stats.dead_letters() as usize, recorder.dead().len());
    assert_eq!(stats.records() as usize, recorder.dead().len() + recorder.rows().len());
    (recorder, stats)
}

/// The error of reading bytes as one input named `in`.
fn error_of(format: Format, bytes: &[u8], fields: &[&str]) -> Error {
    let input = Input::from_reader("in", std::io::Cursor::new(bytes.to_vec()));
    run(vec![input], &FilesOptions::with_format(format), &mut Recorder::new(fields)).unwrap_err()
}
