//! From the written pipeline to one that runs.

use super::explain::Explanation;
use super::expression::{Column, Function, parse_columns, parse_fields};
use super::field::Fields;
use super::pipeline_spec::PipelineSpec;
use super::predicate::Predicate;
use super::row_aggregate::{Plan, RowAggregate};
use super::row_pipeline::{Parts, RowPipeline};
use super::time_format::TimeField;
use crate::aggregate::{Aggregate, Overflow};
use crate::engine::{Engine, EngineOptions};
use crate::error::Error;
use crate::hash::Seed;
use crate::limits::Limits;
use crate::time::parse_duration;
use crate::window::{Global, Sliding, Tumbling, Windows};
use std::time::Duration;

/// The out-of-orderness of input that does not end, unless the specification has one.
const MAX_DELAY_DEFAULT: Duration = Duration::from_secs(10);

/// Names that the JSON form of an answer uses itself.
const TAKEN_NAMES: [&str; 3] = ["window", "group", "revision"];

/// What a specification does not say: what the input is like, and what the caller wants of the engine.
///
/// # Example
/// ```
/// use streamgauge::spec::CompileOptions;
/// let mut options = CompileOptions::default();
/// options.bounded_input = true;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Whether the input is known to end, as regular files do: `max_delay` is then unbounded unless given, so that no record is late.
    /// Default: it is not, and `max_delay` is 10 s unless given.
    pub bounded_input: bool,
    /// Whether every record has an arrival time, so that a pipeline with windows can do without a time field. Default: none has.
    pub arrival_times: bool,
    /// After how long without a record the other shards stop waiting for a shard. Default: never.
    pub idle_after: Option<Duration>,
    /// Whether windows without a record, between windows with some, are emitted too. Default: they are not.
    pub emit_empty: bool,
    /// Whether a record that cannot be aggregated is an error that leaves it untaken, in the place of a dead letter: for a source that delivers it again.
    /// Default: it is a dead letter.
    pub strict: bool,
    /// What becomes of groups past the limit. Default: their records share the group `(other)`.
    pub groups_overflow: Overflow,
    /// The caps; `limit_groups` of the specification replaces [`Limits::groups_max`].
    pub limits: Limits,
    /// The seed of the sketches' hash. Default: the public one; give a secret one where keys come from outside.
    pub seed: Seed,
}

impl PipelineSpec {
    /// Checks the specification and makes the pipeline that runs it. Without `agg` it counts.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if an expression, a predicate, a duration or a time format cannot be read;
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the
    /// parts do not go together. Each names the key.
    pub fn compile(&self, options: &CompileOptions) -> Result<RowPipeline, Error> {
        let mut fields = Fields::default();
        // The filter's fields get the first slots: they are read first.
        let filter = self.compile_filter(&mut fields)?;
        let time = self.compile_time(&mut fields, options)?;
        let group = self.compile_group(&mut fields)?;
        let columns = self.compile_columns(&mut fields)?;
        let engine_options = self.engine_options(options)?;
        let plan = Plan::of(&columns, options.seed);
        let explanation = Explanation::new(&engine_options, &plan, (&columns, group.len()), self.late_words(&engine_options));
        let aggregate = match group.is_empty() {
            true => RowAggregate::plain(plan.columns()),
            false => RowAggregate::grouped(plan.columns(), engine_options.limits.groups_max, options.groups_overflow),
        };
        aggregate.validate()?;
        let windows = engine_options.windows;
        let revised = !engine_options.allowed_lateness.is_zero() && !windows.is_global();
        let key_bytes_max = engine_options.limits.key_bytes_max;
        let engine = Engine::new(aggregate, engine_options)?;
        Ok(RowPipeline::new(Parts { fields, filter, time, group, columns, plan, engine, windows, revised, key_bytes_max, explanation }))
    }

    fn compile_filter(&self, fields: &mut Fields) -> Result<Vec<Predicate>, Error> {
        let texts = self.filter.iter().flatten();
        texts.map(|text| Predicate::parse(text, fields).map_err(|error| error.at("where"))).collect()
    }

    fn compile_time(&self, fields: &mut Fields, options: &CompileOptions) -> Result<Option<TimeField>, Error> {
        let format = self.time_format.as_deref().map(str::parse).transpose().map_err(|error: Error| error.at("time_format"))?;
        let Some(text) = &self.time else {
            if format.is_some() {
                return Err(Error::invalid("time_format is given, but no time: name the field that holds the event time"));
            }
            if self.window.is_some() && !options.arrival_times {
                return Err(Error::invalid("a window needs an event time: name the field that holds it as time"));
            }
            return Ok(None);
        };
        match parse_fields(text).map_err(|error| error.at("time"))?.as_slice() {
            [name] => Ok(Some(TimeField::new(fields.slot(name), format.unwrap_or_default()))),
            names => Err(Error::invalid(format!("time: one field holds the event time, not {}", names.len()))),
        }
    }

    /// The names of the fields to group by, and their slots.
    fn compile_group(&self, fields: &mut Fields) -> Result<Vec<(String, usize)>, Error> {
        let mut group: Vec<(String, usize)> = Vec::new();
        for text in self.group.iter().flatten() {
            for name in parse_fields(text).map_err(|error| error.at("group"))? {
                if group.iter().any(|(known, _)| *known == name) {
                    return Err(Error::invalid(format!("group: the field {name:?} is named twice")));
                }
                let slot = fields.slot(&name);
                group.push((name, slot));
            }
        }
        Ok(group)
    }

    fn compile_columns(&self, fields: &mut Fields) -> Result<Vec<Column>, Error> {
        let mut columns: Vec<Column> = Vec::new();
        for text in self.agg.iter().flatten() {
            columns.extend(parse_columns(text, fields).map_err(|error| error.at("agg"))?);
        }
        if columns.is_empty() {
            columns.push(Column { name: "count".into(), function: Function::Count });
        }
        for (index, column) in columns.iter().enumerate() {
            let name = &column.name;
            if columns.iter().take(index).any(|earlier| earlier.name == *name) {
                return Err(Error::invalid(format!("agg: there are two columns {name:?}; give one another name with \"as\"")));
            }
            if TAKEN_NAMES.contains(&name.as_str()) {
                return Err(Error::invalid(format!("agg: a column cannot be named {name:?}, which every answer has; choose another name")));
            }
        }
        Ok(columns)
    }

    fn engine_options(&self, options: &CompileOptions) -> Result<EngineOptions, Error> {
        let mut limits = options.limits.clone();
        if let Some(groups) = self.limit_groups {
            limits.groups_max = usize::try_from(groups).unwrap_or(usize::MAX);
            if groups == 0 {
                return Err(Error::invalid("limit_groups of 0; at least 1 group is needed"));
            }
        }
        let out_of_orderness = match self.max_delay.as_deref() {
            None if options.bounded_input => None,
            None => Some(MAX_DELAY_DEFAULT),
            Some("unbounded") => None,
            Some(text) => Some(parse_duration(text).map_err(|error| error.at("max_delay"))?),
        };
        Ok(EngineOptions {
            windows: self.windows()?,
            out_of_orderness,
            allowed_lateness: duration("lateness", self.lateness.as_deref())?.unwrap_or_default(),
            idle_after: options.idle_after,
            strict: options.strict,
            emit_empty: options.emit_empty,
            recent_ids: None,
            name: self.words(),
            limits,
        })
    }

    /// What is computed, as it is written: by these words a snapshot knows the pipeline again. What may change between two runs (delay,
    /// lateness, limits, output) is not among them.
    fn words(&self) -> String {
        let list = |name: &str, entries: &Option<Vec<String>>| entries.iter().flatten().map(|entry| format!("{name} {entry}; ")).collect();
        let one = |name: &str, entry: &Option<String>| entry.iter().map(|entry| format!("{name} {entry}; ")).collect();
        let parts: [String; 5] = [
            one("time", &self.time),
            one("time format", &self.time_format),
            list("where", &self.filter),
            list("group", &self.group),
            list("agg", &self.agg),
        ];
        parts.concat()
    }

    fn windows(&self) -> Result<Windows, Error> {
        let every = duration("every", self.every.as_deref())?;
        let offset = duration("offset", self.offset.as_deref())?;
        let Some(size) = duration("window", self.window.as_deref())? else {
            let given = [("every", every.is_some()), ("offset", offset.is_some())];
            return match given.iter().find(|(_, given)| *given) {
                Some((key, _)) => Err(Error::invalid(format!("{key} is given, but no window: give its size as window"))),
                None => Ok(Global.into()),
            };
        };
        let offset = offset.unwrap_or_default();
        match every {
            None => Ok(Tumbling::new(size).map_err(|error| error.at("window"))?.offset(offset).into()),
            Some(every) => Ok(Sliding::new(size, every).map_err(|error| error.at("window, every"))?.offset(offset).into()),
        }
    }

    /// What late and `max_delay` mean for a run.
    fn late_words(&self, engine: &EngineOptions) -> String {
        if engine.windows.is_global() {
            return "the one window is answered at the end of the input; no record is late".into();
        }
        let given = if self.max_delay.is_some() { "" } else { " (the default here)" };
        let Some(delay) = engine.out_of_orderness else {
            return format!("max_delay unbounded{given}: windows are answered at the end of the input, and no record is late");
        };
        let lateness = engine.allowed_lateness;
        let late = match lateness.is_zero() {
            true => "a record that comes later than that for all of its windows is late: counted, and not in any answer".to_string(),
            false => format!(
                "records up to {lateness:?} later than that are still added, each answering its windows anew with the revision raised; later ones are late: counted, and not in any answer"
            ),
        };
        format!(
            "max_delay {delay:?}{given}: a window is answered when a record comes that is {delay:?} past its end, in every shard; {late}"
        )
    }
}

fn duration(key: &str, text: Option<&str>) -> Result<Option<Duration>, Error> {
    text.map(|text| parse_duration(text).map_err(|error| error.at(key))).transpose()
}
