//! A sink that keeps all it is told, for targets that read whole files.

use streamgauge::adapter::files::{DeadLetter, FilesOptions, FilesStats, Format, Input, Refusal, RowSink, run};
use streamgauge::row::{Row, Value};
use streamgauge::{Error, Limits, ShardId};

/// A record's values, or the line, reason and bytes of a dead letter.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Row(Vec<String>),
    Dead(u64, String, Vec<u8>),
}

struct Recorder {
    fields: Vec<String>,
    events: Vec<Event>,
    notes: Vec<String>,
}

impl RowSink for Recorder {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn open_shard(&mut self, _: usize, _: ShardId) -> Result<(), Error> {
        Ok(())
    }

    fn row(&mut self, _: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
        let text = |slot| match row.value(slot) {
            Value::Missing | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => String::new(),
            Value::Number(text) | Value::Text(text) | Value::Untyped(text) | Value::Json(text) => text.to_owned(),
        };
        self.events.push(Event::Row((0..row.slots()).map(text).collect()));
        Ok(None)
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        self.events.push(Event::Dead(letter.line, letter.reason.to_owned(), letter.bytes.to_vec()));
        Ok(())
    }

    fn note(&mut self, _: usize, note: &str) -> Result<(), Error> {
        self.notes.push(note.to_owned());
        Ok(())
    }

    fn pause(&mut self, _: &FilesStats) -> Result<(), Error> {
        Ok(())
    }

    fn close_shard(&mut self, _: usize) -> Result<(), Error> {
        Ok(())
    }
}

/// What comes of an input: events, notes, and why it was not read to its end.
pub(crate) type Told = (Vec<Event>, Vec<String>, Result<(), String>);

/// All that comes of an input, read in blocks of this size.
pub(crate) fn told(input: Input, format: Format, fields: &[&str], block_bytes: usize) -> Told {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    let mut recorder = Recorder { fields, events: Vec::new(), notes: Vec::new() };
    let mut options = FilesOptions::with_format(format);
    options.block_bytes = Some(block_bytes);
    options.limits = Limits::default();
    options.limits.record_bytes_max = 200;
    let result = run(vec![input], &options, &mut recorder).map(drop).map_err(|error| error.to_string());
    (recorder.events, recorder.notes, result)
}

/// All that comes of a file's bytes, read in blocks of this size; nothing if they are certainly not
/// lines of text.
#[allow(dead_code, reason = "one of the targets looks at errors, too")]
pub(crate) fn events(bytes: &[u8], format: Format, fields: &[&str], block_bytes: usize) -> Vec<Event> {
    told(Input::from_reader("in", std::io::Cursor::new(bytes.to_vec())), format, fields, block_bytes).0
}
