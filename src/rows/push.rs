//! Records that a program gives to a declared pipeline in one call: as JSON, as a value of its own
//! types, or as fields by name.

use super::intake::Intake;
use super::row_pipeline::RowPipeline;
use crate::engine::{Control, Outcome, Shard};
use crate::error::Error;
use crate::record::Sequence;
use crate::row::FieldValue;
use crate::time::Timestamp;
use serde::Serialize;

impl RowPipeline {
    /// Takes a record that is one JSON object. Otherwise as [`push`](RowPipeline::push); bytes that
    /// are not one JSON object are a dead letter, and blank bytes are
    /// [`Blank`](Outcome::Blank).
    ///
    /// # Errors
    /// As [`push`](RowPipeline::push).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::CompileOptions;
    /// let spec = PipelineSpec::from_toml("where = \"status >= 500\"", "errors.toml")?;
    /// let mut errors = spec.compile(&CompileOptions::default())?;
    /// let shard = errors.open_shard(ShardId::new("requests"))?;
    /// let now = Timestamp::from_millis(0);
    /// errors.push_json(shard, br#"{"url":"/a","status":503}"#, now, None)?;
    /// errors.push_json(shard, br#"{"url":"/a","status":200}"#, now, None)?;
    /// let broken = errors.push_json(shard, b"oops", now, None)?;
    /// assert!(matches!(broken, Outcome::DeadLetter(reason) if reason.contains("invalid JSON")));
    /// errors.finish();
    /// let answer = errors.next_emission()?.expect("one answer over everything");
    /// assert_eq!(answer.values[0].to_string(), "1");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn push_json(
        &mut self,
        shard: Shard,
        json: &[u8],
        arrival: Timestamp,
        sequence: Option<&Sequence>,
    ) -> Result<Outcome<String>, Error> {
        self.push_read(shard, (arrival, sequence), |intake, _| intake.read_json(json))
    }

    /// Takes a record of a type of the program's own, by the JSON that it serializes to. Otherwise
    /// as [`push_json`](RowPipeline::push_json).
    ///
    /// # Errors
    /// As [`push`](RowPipeline::push).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::CompileOptions;
    /// #[derive(serde::Serialize)]
    /// struct Hit {
    ///     country: &'static str,
    ///     latency_ms: Option<u32>,
    /// }
    /// let text = "group = \"country\"\nagg = \"count, mean(latency_ms)\"";
    /// let spec = PipelineSpec::from_toml(text, "latency.toml")?;
    /// let mut latency = spec.compile(&CompileOptions::default())?;
    /// let shard = latency.open_shard(ShardId::new("requests"))?;
    /// for latency_ms in [Some(10), None, Some(20)] {
    ///     let hit = Hit { country: "DE", latency_ms };
    ///     latency.push_value(shard, &hit, Timestamp::from_millis(0), None)?;
    /// }
    /// latency.finish();
    /// let answer = latency.next_emission()?.expect("one group");
    /// assert_eq!(answer.values[1].to_string(), "15.0");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn push_value(
        &mut self,
        shard: Shard,
        value: &impl Serialize,
        arrival: Timestamp,
        sequence: Option<&Sequence>,
    ) -> Result<Outcome<String>, Error> {
        self.push_read(shard, (arrival, sequence), |intake, _| intake.read_value(value))
    }

    /// Takes a record of fields by their names, as [`fields`](RowPipeline::fields) lists them. A
    /// field that the pipeline does not read is ignored, and one that is not given is missing.
    /// Otherwise as [`push`](RowPipeline::push).
    ///
    /// # Errors
    /// As [`push`](RowPipeline::push).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::CompileOptions;
    /// let text = "group = \"country\"\nagg = \"count, sum(bytes)\"";
    /// let spec = PipelineSpec::from_toml(text, "traffic.toml")?;
    /// let mut traffic = spec.compile(&CompileOptions::default())?;
    /// let shard = traffic.open_shard(ShardId::new("requests"))?;
    /// let now = Timestamp::from_millis(0);
    /// traffic.push_fields(shard, &[("country", &"DE"), ("bytes", &1_500)], now, None)?;
    /// traffic.push_fields(shard, &[("country", &"DE"), ("bytes", &None::<u64>)], now, None)?;
    /// traffic.finish();
    /// let answer = traffic.next_emission()?.expect("one group");
    /// assert_eq!((answer.group[0].to_string(), answer.values[1].to_string()), ("DE".into(), "1500".into()));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn push_fields(
        &mut self,
        shard: Shard,
        fields: &[(&str, &dyn FieldValue)],
        arrival: Timestamp,
        sequence: Option<&Sequence>,
    ) -> Result<Outcome<String>, Error> {
        self.push_read(shard, (arrival, sequence), |intake, names| {
            intake.read_fields(names, fields)
        })
    }

    /// Reads a record into the row of the intake, and takes it.
    fn push_read(
        &mut self,
        shard: Shard,
        (arrival, sequence): (Timestamp, Option<&Sequence>),
        read: impl FnOnce(&mut Intake, &[String]) -> Result<bool, Error>,
    ) -> Result<Outcome<String>, Error> {
        if sequence.is_some_and(|sequence| self.is_duplicate(shard, sequence)) {
            return Ok(Outcome::Duplicate);
        }
        let mut intake = match self.intake.take() {
            Some(intake) => intake,
            None => Box::new(Intake::new(self.new_row(), self.fields(), self.engine.limits())?),
        };
        let outcome = match read(&mut intake, self.fields()) {
            Ok(true) => self.push(shard, &mut intake.row, arrival, sequence),
            Ok(false) => {
                sequence.into_iter().for_each(|sequence| self.set_applied(shard, sequence));
                Ok(Outcome::Blank)
            }
            Err(error) if self.is_strict() => Err(error),
            Err(error) => {
                self.skip_dead_letter(shard, sequence, Some(arrival));
                Ok(Outcome::DeadLetter(error.message().to_owned()))
            }
        };
        self.intake = Some(intake);
        outcome
    }
}
