//! A sink that keeps all it is told, for targets that read whole files.

use streamgauge::adapter::files::{DeadLetter, FilesOptions, FilesStats, Format, Input, Refusal, RowSink, run};
use streamgauge::spec::{Row, Value};
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
            Value::Missing | Value::Bool(_) => String::new(),
            Value::Number(text) | Value::Text(text) | Value::Untyped(text) => text.to_owned(),
        };
        self.events.push(Event::Row((0..row.slots()).map(text).collect()));
        Ok(None)
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        self.events.push(Event::Dead(letter.line, letter.reason.to_owned(), letter.bytes.to_vec()));
        Ok(())
    }

    fn pause(&mut self, _: &FilesStats) -> Result<(), Error> {
        Ok(())
    }

    fn close_shard(&mut self, _: usize) -> Result<(), Error> {
        Ok(())
    }
}

/// All that comes of a file's bytes, read in blocks of this size.
pub(crate) fn events(bytes: &[u8], format: Format, fields: &[&str], block_bytes: usize) -> Vec<Event> {
    let mut recorder = Recorder { fields: fields.iter().map(|field| (*field).to_owned()).collect(), events: Vec::new() };
    let mut options = FilesOptions::with_format(format);
    options.block_bytes = Some(block_bytes);
    options.limits = Limits::default();
    options.limits.record_bytes_max = 200;
    let input = Input::from_reader("in", std::io::Cursor::new(bytes.to_vec()));
    run(vec![input], &options, &mut recorder).expect("bytes in memory, under a header that has the fields");
    recorder.events
}
