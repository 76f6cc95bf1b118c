//! A declared pipeline over a stream's records.

use super::{RecordPipeline, Taken, at};
use crate::adapter::formats::clf;
use crate::adapter::formats::format::Format;
use crate::adapter::formats::payload::PayloadDecoder;
use crate::engine::{Shard, Stats};
use crate::error::{Error, ErrorKind};
use crate::record::{Record, Sequence, ShardId};
use crate::snapshot::{Partial, Reductions, Snapshot};
use crate::spec::{CompileOptions, PipelineSpec, Row, RowEmission, RowOutcome, RowPipeline};
use crate::time::Timestamp;

/// A pipeline that is declared as text, over a stream's records. A payload is one JSON object, or
/// one line if the specification's `format` says `clf`, `vhost` or `lines`.
///
/// A payload that is empty is what an empty line of a file would be: a record of `lines`, and
/// passed over in the other formats.
///
/// Event times are those of the specification's `time`, or the arrival times without it; a record
/// without an arrival time is then a dead letter. With `strict = true` a record that cannot be
/// decoded or aggregated is an error, instead of a dead letter.
///
/// # Example
/// ```
/// use streamgauge::adapter::{Declared, RecordPipeline};
/// use streamgauge::spec::{CompileOptions, PipelineSpec};
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
    /// Whether the specification names the format.
    format_is_given: bool,
    row: Row,
}

impl Declared {
    /// Compiles the specification for a stream: every record has an arrival time, and `strict` is
    /// the specification's.
    ///
    /// # Errors
    /// As [`PipelineSpec::compile`]; [`ErrorKind::InvalidArgument`] for a `format` that records of
    /// a stream cannot have.
    pub fn compile(spec: &PipelineSpec, mut options: CompileOptions) -> Result<Self, Error> {
        options.arrival_times = true;
        options.strict = spec.strict.unwrap_or(options.strict);
        let format: Format = spec
            .format
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: Error| error.at("format"))?
            .unwrap_or_default();
        let pipeline = spec.compile(&options)?;
        let decoder = PayloadDecoder::new(format, pipeline.fields(), &options.limits)?;
        Ok(Declared {
            row: pipeline.new_row(),
            pipeline,
            decoder,
            format_is_given: spec.format.is_some(),
        })
    }

    /// The pipeline: its fields, columns and explanation.
    pub fn pipeline(&self) -> &RowPipeline {
        &self.pipeline
    }

    /// Takes a record; at its place, or at that of the record before it.
    #[inline(always)]
    fn take(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
    ) -> Result<Taken, Error> {
        match self.decoder.decode(&record.data, &mut self.row) {
            Ok(true) => {}
            Ok(false) => return Ok(self.pass_over_blank(shard, sequence)),
            Err(error) => return self.undecodable(shard, record, sequence, error),
        }
        let outcome = self
            .pipeline
            .push(shard, &mut self.row, record.arrival, sequence)
            .map_err(|error| self.refused(record, error))?;
        Ok(match outcome {
            RowOutcome::Applied => Taken::Applied,
            RowOutcome::Filtered => Taken::Filtered,
            RowOutcome::Late(time) => Taken::Late(time),
            RowOutcome::Duplicate => Taken::Duplicate,
            RowOutcome::BetweenWindows => Taken::BetweenWindows,
            RowOutcome::DeadLetter(reason) => Taken::DeadLetter(
                self.refused(record, Error::new(ErrorKind::InvalidRecord, reason)),
            ),
        })
    }

    #[cold]
    fn pass_over_blank(&mut self, shard: Shard, sequence: Option<&Sequence>) -> Taken {
        if let Some(sequence) = sequence {
            self.pipeline.set_applied(shard, sequence);
        }
        Taken::Blank
    }

    #[cold]
    fn undecodable(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
        error: Error,
    ) -> Result<Taken, Error> {
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
        self.pipeline.pass_over_dead_letter(shard, sequence, Some(record.arrival));
        Ok(Taken::DeadLetter(error))
    }

    /// Why a row was not taken, with its place.
    #[cold]
    fn refused(&self, record: &Record, error: Error) -> Error {
        match error.is_about_record()
            && !record.is_arrival_known()
            && self.pipeline.takes_arrival_times()
        {
            true => {
                let message = "the record has no arrival time, which is its event time as the pipeline names no field as time";
                at(record, Error::new(error.kind(), message))
            }
            false => at(record, error),
        }
    }
}

impl RecordPipeline for Declared {
    type Emission = RowEmission;

    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        self.pipeline.open_shard(id)
    }

    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        self.pipeline.open_child_shard(id, parents)
    }

    fn close_shard(&mut self, shard: Shard) {
        self.pipeline.close_shard(shard);
    }

    fn push(&mut self, shard: Shard, record: &Record) -> Result<Taken, Error> {
        let sequence = &record.position.sequence;
        if self.pipeline.is_duplicate(shard, sequence) {
            return Ok(Taken::Duplicate);
        }
        self.take(shard, record, Some(sequence))
    }

    fn push_part(&mut self, shard: Shard, record: &Record) -> Result<Taken, Error> {
        self.take(shard, record, None)
    }

    fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        self.pipeline.set_applied(shard, sequence);
    }

    fn pass_over_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    ) {
        if !sequence.is_some_and(|sequence| self.pipeline.is_duplicate(shard, sequence)) {
            self.pipeline.pass_over_dead_letter(shard, sequence, arrival);
        }
    }

    fn is_strict(&self) -> bool {
        self.pipeline.is_strict()
    }

    fn inherit(&mut self, partial: &Partial) -> Result<(), Error> {
        self.pipeline.inherit(partial)
    }

    fn reach(&mut self, shard: Shard, time: Timestamp) {
        self.pipeline.reach(shard, time);
    }

    fn is_due(&self) -> bool {
        self.pipeline.is_due()
    }

    fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.pipeline.applied(shard)
    }

    fn last_record(&self, shard: Shard) -> Option<Timestamp> {
        self.pipeline.last_record(shard)
    }

    fn advance(&mut self, now: Timestamp) {
        self.pipeline.advance(now);
    }

    fn finish(&mut self) {
        self.pipeline.finish();
    }

    fn hand_over(&mut self) {
        self.pipeline.hand_over();
    }

    fn answer_open(&mut self) -> Result<(), Error> {
        self.pipeline.answer_open()
    }

    fn next_emission(&mut self) -> Result<Option<RowEmission>, Error> {
        self.pipeline.next_emission()
    }

    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        self.pipeline.next_partial(source)
    }

    fn watermark(&self) -> Option<Timestamp> {
        self.pipeline.watermark()
    }

    fn stats(&self) -> Stats {
        self.pipeline.stats()
    }

    fn fingerprint(&self) -> u64 {
        self.pipeline.fingerprint()
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        self.pipeline.snapshot()
    }

    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        self.pipeline.snapshot_within(bytes_max)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.pipeline.restore(snapshot)
    }
}
