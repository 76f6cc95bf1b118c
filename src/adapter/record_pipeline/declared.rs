//! A declared pipeline over a stream's records.

use super::tracer::Tracer;
use super::{RecordPipeline, at};
use crate::engine::{Control, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::formats::clf;
use crate::formats::format::Format;
use crate::formats::json_fields::path_of;
use crate::formats::payload::PayloadDecoder;
use crate::query::PipelineSpec;
use crate::record::{Record, Sequence};
use crate::row::{Row, Value};
use crate::rows::{CompileOptions, RowEmission, RowPipeline};
use crate::time::Timestamp;
use std::num::NonZeroU64;
use std::sync::Arc;

/// The name of the field that has the key of a record: the partition key in Kinesis, the key in
/// Kafka.
const KEY: &str = "_key";

/// The name of the object whose members are the headers of a record of Kafka.
const HEADERS: &str = "_headers";

/// A pipeline declared as text, over a stream's records. A payload is one JSON object, or one line
/// if the specification's `format` is `clf`, `vhost` or `lines`.
///
/// An empty payload is treated like an empty line of a file: it is a record of `lines`, and is
/// skipped in the other formats.
///
/// The field `_key` is the partition key of the record, unless the payload has a field of this
/// name. The field `_headers.trace` is the header `trace` of a record of Kafka in the same way.
///
/// Event times come from the specification's `time`; without it they are the arrival times, and a
/// record without an arrival time is a dead letter. With `strict = true` a record that cannot be
/// decoded or aggregated is an error instead of a dead letter.
///
/// # Example
/// ```
/// use streamgauge::adapter::{Declared, RecordPipeline};
/// use streamgauge::rows::CompileOptions;
/// use streamgauge::query::PipelineSpec;
///
/// let spec = PipelineSpec::from_toml("window = \"1m\"\ngroup = \"country\"\nagg = \"count\"\n", "hits.toml")?;
/// let hits = Declared::compile(&spec, CompileOptions::default())?;
/// assert_eq!(hits.pipeline().fields(), ["country"]);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Debug)]
pub struct Declared {
    pipeline: RowPipeline,
    decoder: PayloadDecoder,
    /// True if the specification names the format.
    format_is_given: bool,
    row: Row,
    /// The field that has the key of a record.
    key_slot: Option<usize>,
    /// The fields that have headers of a record, and the names of these headers.
    headers: Vec<(usize, Arc<str>)>,
    /// The number of further parts of the record so far.
    parts: u64,
    tracer: Option<Tracer>,
}

impl Declared {
    /// Compiles the specification for a stream: every record has an arrival time, and `strict`
    /// comes from the specification.
    ///
    /// # Errors
    /// Those of [`PipelineSpec::compile`]; [`ErrorKind::InvalidArgument`] for a `format` that
    /// records of a stream cannot have.
    pub fn compile(spec: &PipelineSpec, mut options: CompileOptions) -> Result<Self, Error> {
        options.arrival_times = true;
        options.strict = spec.strict.unwrap_or(options.strict);
        let format = spec.input_format()?;
        let is_given = spec.format.is_some() || format != Format::Auto;
        let pipeline = spec.compile(&options)?;
        let decoder = PayloadDecoder::new(format, pipeline.fields(), &options.limits)?;
        let row = pipeline.new_row();
        let key_slot = pipeline.fields().iter().position(|field| field == KEY);
        let fields = pipeline.fields().iter().enumerate();
        let headers = fields.filter_map(|(slot, field)| Some((slot, header_of(field)?))).collect();
        Ok(Declared {
            pipeline,
            decoder,
            format_is_given: is_given,
            row,
            key_slot,
            headers,
            parts: 0,
            tracer: None,
        })
    }

    /// Sets who is told of every Nth record what became of it, and why: see [`RowPipeline::trace`].
    /// Default: nobody.
    #[must_use]
    pub fn traced(mut self, every: NonZeroU64, take: impl FnMut(&str) + Send + 'static) -> Self {
        self.tracer = Some(Tracer::new(every, Box::new(take)));
        self
    }

    #[cold]
    fn trace(&mut self, record: &Record, taken: &Result<Outcome<Error>, Error>) {
        let (Some(tracer), Ok(outcome)) = (&mut self.tracer, taken) else { return };
        let (pipeline, row, position) = (&self.pipeline, &self.row, &record.position);
        tracer.count(|| {
            let text = pipeline.trace(row, record.arrival, outcome);
            match outcome {
                // It begins with the position.
                Outcome::DeadLetter(_) => text,
                _ => format!("{}:{}: {text}", position.shard, position.sequence.number),
            }
        });
    }

    /// Returns the pipeline: its fields, columns and explanation.
    pub fn pipeline(&self) -> &RowPipeline {
        &self.pipeline
    }

    /// Applies a record with its own position, or with that of the record before it.
    #[inline(always)]
    fn take(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
    ) -> Result<Outcome<Error>, Error> {
        match self.decoder.decode(&record.data, &mut self.row) {
            Ok(true) => {}
            Ok(false) => return Ok(self.skip_blank(shard, sequence)),
            Err(error) => return self.undecodable(shard, record, sequence, error),
        }
        if let Some(slot) = self.key_slot
            && !record.partition_key.is_empty()
        {
            set_text(&mut self.row, slot, &record.partition_key);
        }
        for (slot, name) in &self.headers {
            if let Some(value) = record.headers.value(name) {
                set_text(&mut self.row, *slot, value);
            }
        }
        let outcome = self
            .pipeline
            .push(shard, &mut self.row, record.arrival, sequence)
            .map_err(|error| self.refused(record, error))?;
        Ok(outcome.map_dead_letter(|reason| {
            self.refused(record, Error::new(ErrorKind::InvalidRecord, reason))
        }))
    }

    #[cold]
    fn skip_blank(&mut self, shard: Shard, sequence: Option<&Sequence>) -> Outcome<Error> {
        if let Some(sequence) = sequence {
            self.pipeline.set_applied(shard, sequence);
        }
        Outcome::Blank
    }

    #[cold]
    fn undecodable(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
        error: Error,
    ) -> Result<Outcome<Error>, Error> {
        let is_access_log = || clf::parse(record.data.trim_ascii_end()).is_ok();
        let error = match self.format_is_given {
            true => error,
            false if is_access_log() => Error::new(
                error.kind(),
                format!("{error}; it is a line of an access log: say format = \"clf\""),
            ),
            false => Error::new(
                error.kind(),
                format!("{error}; the pipeline names no format, so records are read as jsonl"),
            ),
        };
        let error = at(record, error);
        if self.is_strict() {
            return Err(error);
        }
        self.pipeline.skip_dead_letter(shard, sequence, Some(record.arrival));
        Ok(Outcome::DeadLetter(error))
    }

    /// Returns why a row was refused, with its position.
    #[cold]
    fn refused(&self, record: &Record, error: Error) -> Error {
        match error.is_about_record()
            && !record.is_arrival_known()
            && self.pipeline.takes_arrival_times()
        {
            true => {
                let message = "the record has no arrival time, which is its event time as the \
                               pipeline names no field as time";
                at(record, Error::new(error.kind(), message))
            }
            false => at(record, error),
        }
    }
}

/// Sets a field to a text that comes with the record, unless the payload has a field of this name.
/// Bytes that are not UTF-8 are missing.
fn set_text(row: &mut Row, slot: usize, text: &[u8]) {
    if let (Value::Missing, Ok(text)) = (row.value(slot), std::str::from_utf8(text)) {
        row.set_unescaped(slot, text);
    }
}

/// Returns the name of the header that a field is: `_headers.trace` or `/_headers/trace`.
fn header_of(field: &str) -> Option<Arc<str>> {
    if let Some(name) = field.strip_prefix(HEADERS).and_then(|rest| rest.strip_prefix('.')) {
        return Some(name.into());
    }
    match &path_of(field).ok()?[..] {
        [object, name] if object == HEADERS => Some(name.as_str().into()),
        _ => None,
    }
}

impl Control for Declared {
    fn control(&self) -> &dyn Control {
        self.pipeline.control()
    }

    fn control_mut(&mut self) -> &mut dyn Control {
        self.pipeline.control_mut()
    }
}

impl RecordPipeline for Declared {
    type Emission = RowEmission;

    fn headers(&self) -> Vec<Arc<str>> {
        self.headers.iter().map(|(_, name)| name.clone()).collect()
    }

    fn push(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error> {
        let sequence = &record.position.sequence;
        let taken = match self.pipeline.is_duplicate(shard, sequence) {
            true => Ok(Outcome::Duplicate),
            false => {
                self.parts = 0;
                self.pipeline.set_position(sequence, 0);
                self.take(shard, record, Some(sequence))
            }
        };
        if self.tracer.is_some() {
            self.trace(record, &taken);
        }
        taken
    }

    fn push_part(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error> {
        self.parts += 1;
        self.pipeline.set_position(&record.position.sequence, self.parts);
        let taken = self.take(shard, record, None);
        // A part that a limit refused comes again.
        self.parts -= u64::from(taken.is_err());
        if self.tracer.is_some() {
            self.trace(record, &taken);
        }
        taken
    }

    fn skip_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    ) {
        if !sequence.is_some_and(|sequence| self.pipeline.is_duplicate(shard, sequence)) {
            self.pipeline.skip_dead_letter(shard, sequence, arrival);
        }
    }

    fn next_emission(&mut self) -> Result<Option<RowEmission>, Error> {
        self.pipeline.next_emission()
    }
}
