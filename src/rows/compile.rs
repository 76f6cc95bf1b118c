//! From the written pipeline to one that runs.

use super::answers::AnswerPlan;
use super::comparison::{compare_with_event_time, marked_slots};
use super::compile_options::CompileOptions;
use super::evaluate::{Condition, Names, Values};
use super::event_time::EventTime;
use super::explain::Explanation;
use super::lookup::Lookups;
use super::parsed::Parsed;
use super::row_aggregate::{Plan, RowAggregate};
use super::row_pipeline::{Parts, RowPipeline};
use super::select::Select;
use super::unnest::Unnest;
use crate::aggregate::Aggregate;
use crate::engine::{Engine, EngineOptions};
use crate::error::{Error, ErrorKind};
use crate::query::aggregates::{
    Answer, Answers, Column, Function, Slots, canonical_list, parse_field, parse_group,
};
use crate::query::expression::{Ast, Id};
use crate::query::field::Fields;
use crate::query::null_list::parse_nulls;
use crate::query::pipeline_spec::PipelineSpec;
use crate::query::token::Tokens;
use crate::record::MAX_AHEAD_DEFAULT;
use crate::row::TimeFormat;
use crate::row::null::Nulls;
use crate::row::time_field::TimeField;
use crate::rows::RowForm;
use crate::time::{parse_duration, whole_millis};
use crate::window::{TimeZone, Windows};
use std::time::Duration;

/// The out-of-orderness of input that does not end, unless the specification has one.
const MAX_DELAY_DEFAULT: Duration = Duration::from_secs(10);

/// Names that the JSON form of an answer uses itself.
const TAKEN_NAMES: [&str; 4] = ["window", "group", "revision", "complete"];

/// The same of the rows of a query that has a name.
const TAKEN_NAME_OF_QUERY: &str = "query";

/// What a specification asks of records, before it is known how it is computed.
struct Asked {
    values: Values,
    filter: Vec<Condition>,
    filter_slots: usize,
    time: Option<TimeField>,
    /// The fields that the event time is read or computed of.
    time_fields: Vec<String>,
    /// Names and slots of what is grouped by.
    group: Vec<(String, usize)>,
    answers: Answers,
    nulls: Nulls,
    unnest: Option<Unnest>,
    /// Names and slots of the columns of rows that are passed on.
    select: Option<Vec<(String, usize)>>,
    /// The conditions and names in canonical spelling.
    words: String,
}

impl PipelineSpec {
    /// Checks the specification and makes the pipeline that runs it. Without `agg` it counts.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if an expression, a predicate, a duration or a
    /// time format cannot be read;
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the parts do not go
    /// together. Each names the key.
    pub fn compile(&self, options: &CompileOptions) -> Result<RowPipeline, Error> {
        let queries = self.each_query()?;
        if self.queries.is_none() {
            return self.compile_query(options, Fields::default());
        }
        if queries.len() > options.limits.queries_max {
            let (count, max) = (queries.len(), options.limits.queries_max);
            let message = format!(
                "query: there are {count} tables [[query]], over the limit of {max} \
                 (Limits::queries_max): split them into several pipelines"
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        // No flag says which query it is for, so errors name keys.
        let options = CompileOptions { flags: None, ..options.clone() };
        let at = |query: &PipelineSpec, error: Error| {
            error.at(format!("query {}", query.name.as_deref().unwrap_or_default()))
        };
        // A field has the same slot in all queries, so every record is decoded once.
        let mut fields = Fields::default();
        for query in &queries {
            let asked = query.compile_asked(&options, fields).map_err(|error| at(query, error))?;
            fields = asked.values.names.fields;
        }
        let compiled = queries.iter().map(|query| {
            query.compile_query(&options, fields.clone()).map_err(|error| at(query, error))
        });
        RowPipeline::of_several(compiled.collect::<Result<_, _>>()?)
    }

    /// Makes the pipeline of one query. `fields` are those that have a slot already.
    fn compile_query(
        &self,
        options: &CompileOptions,
        fields: Fields,
    ) -> Result<RowPipeline, Error> {
        let asked = self.compile_asked(options, fields)?;
        let zone = self.time_zone(options)?;
        let mut engine_options = self.engine_options(options, zone.clone())?;
        engine_options.name = self.words(&asked.words);
        let mut plan = Plan::of(&asked.answers.calls, options.seed);
        let read = asked.select.as_ref().unwrap_or(&asked.group);
        let marked = marked_slots(&asked.values.names, &plan, read, &asked.nulls);
        let windows = engine_options.windows.clone();
        let explanation = self.explained(&asked, &plan, &engine_options);
        let Asked {
            values,
            filter,
            filter_slots,
            time,
            time_fields,
            group,
            answers,
            nulls,
            unnest,
            select,
            ..
        } = asked;
        let rows_max = engine_options.limits.pending_bytes_max;
        let select = select.map(|columns| Select::new(columns, self.name.clone(), rows_max));
        let kinds: Vec<_> = plan.kinds().collect();
        let mut form = self.form(&group, zone);
        let histograms = options.histograms.map(|max| plan.add_histograms(&answers.columns, max));
        form.histograms = histograms.unwrap_or_default();
        let answers = AnswerPlan::new(answers, &kinds, form)
            .map_err(|error| error.at(options.written("agg")))?;
        let aggregate = match group.is_empty() {
            true => RowAggregate::plain(plan.columns()),
            false => RowAggregate::grouped(
                plan.columns(),
                (engine_options.limits.groups_max, options.groups_overflow),
                windows.is_per_group(),
            ),
        };
        aggregate.validate()?;
        let late = !engine_options.allowed_lateness.is_zero() && !windows.is_global();
        let revised = late || self.early_interval(options)?.is_some();
        self.check_answers((&answers, revised), &windows, options)?;
        let key_bytes_max = engine_options.limits.key_bytes_max;
        let engine = Engine::new(aggregate, engine_options)?;
        Ok(RowPipeline::new(Parts {
            values,
            filter,
            filter_slots,
            time,
            time_fields,
            group,
            answers,
            plan,
            nulls,
            marked,
            engine,
            windows,
            revised,
            key_bytes_max,
            max_ahead: self.max_ahead(options)?,
            explanation,
            unnest,
            select,
        }))
    }

    /// Returns what all rows have in common. `group` has the names and slots of the groups.
    fn form(&self, group: &[(String, usize)], zone: Option<TimeZone>) -> RowForm {
        let group = group.iter().map(|(name, _)| name.clone()).collect();
        RowForm { query: self.name.clone(), group, zone, ..RowForm::default() }
    }

    /// Refuses columns and rows that windows of this kind cannot have. `revised` is true if a
    /// window can be answered more than once.
    fn check_answers(
        &self,
        (answers, revised): (&AnswerPlan, bool),
        windows: &Windows,
        options: &CompileOptions,
    ) -> Result<(), Error> {
        // A group that has changed is answered without the others of its window.
        if self.limit.is_some() && revised && (windows.is_per_group() || windows.is_of_rows()) {
            let why = format!(
                "{}: late records and early answers change windows of single groups, so that no \
                 row is known to be among the first: leave out {} and {}, or the limit",
                options.written("limit"),
                options.written("lateness"),
                options.written("emit_early"),
            );
            return Err(Error::invalid(why));
        }
        if !answers.needs_window() {
            return Ok(());
        }
        if windows.is_of_rows() && !self.has_times(options) {
            let missing = options.missing("time", "FIELD");
            let why = format!("rate needs the times of records: name their field by {missing}");
            return Err(Error::invalid(why));
        }
        if windows.is_global() {
            let missing = options.missing("window", "DURATION");
            let why = format!("rate needs a window: give its size by {missing}");
            return Err(Error::invalid(why));
        }
        Ok(())
    }

    /// Returns the explanation of what is asked.
    fn explained(&self, asked: &Asked, plan: &Plan, engine: &EngineOptions) -> Explanation {
        let Asked { values, answers, group, select, .. } = asked;
        let late = self.late_words(engine);
        let mut explanation = Explanation::new(engine, plan, (answers, group.len()), late);
        explanation.lookups = values.names.lookups.sizes();
        if let Some(columns) = select {
            explanation.pass_on(columns.iter().map(|(name, _)| name));
        }
        explanation
    }

    /// Returns how often open windows are answered before they are complete; `None` for never. The
    /// caller's clock decides when: see [`Control::fire_early`](crate::Control::fire_early).
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if `emit_early` is no duration,
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is 0.
    pub fn early_interval(&self, options: &CompileOptions) -> Result<Option<Duration>, Error> {
        match options.duration("emit_early", self.emit_early.as_deref())? {
            Some(Duration::ZERO) => {
                let why = "an answer every 0 ms; at least 1 ms";
                Err(Error::invalid(why).at(options.written("emit_early")))
            }
            interval => Ok(interval),
        }
    }

    /// By how many milliseconds an event time may lie ahead of the arrival time.
    fn max_ahead(&self, options: &CompileOptions) -> Result<Option<i64>, Error> {
        let length = match self.max_ahead.as_deref() {
            None => options.arrival_times.then_some(MAX_AHEAD_DEFAULT),
            Some("off") => None,
            text => options.duration("max_ahead", text)?,
        };
        length.map(|length| whole_millis(length, "max_ahead")).transpose()
    }

    fn compile_asked(&self, options: &CompileOptions, fields: Fields) -> Result<Asked, Error> {
        let at = |key| move |error: Error| error.at(options.written(key));
        self.check_select().map_err(|(key, error)| at(key)(error))?;
        let unnest = self.unnest.as_deref().map(parse_field).transpose().map_err(at("unnest"))?;
        let mut parsed = Parsed::default();
        parsed.add_lets(self.lets.as_deref().unwrap_or_default()).map_err(at("let"))?;
        parsed.add_filter(self.filter.as_deref().unwrap_or_default()).map_err(at("where"))?;
        let event_time = self.event_time(&parsed, options)?;
        let time_fields = event_time.as_ref().map(|time| time.fields(&parsed)).unwrap_or_default();
        let range = event_time.as_ref().map(EventTime::conditions).unwrap_or_default();
        parsed.add_filter(&range).map_err(at("time"))?;
        // The filter's fields get the first slots: they are read first.
        let mut fields = fields;
        parsed.add_filter_fields(&mut fields);
        let filter_slots = fields.names().len();
        let mut time = event_time.as_ref().and_then(|time| time.add_fields(&parsed, &mut fields));
        if let Some(field) = &unnest {
            fields.slot(field);
        }
        parsed.add_let_fields(&mut fields);
        // Every field has its slot before a value is computed into one behind them. So groups and
        // aggregates are parsed twice.
        let mut fields_of = |ast: &Ast, id: Id| {
            parsed.add_fields(ast, id, &mut fields);
            Ok(0)
        };
        let group = self.compile_group(&mut fields_of, options)?;
        let group_names: Vec<String> = group.into_iter().map(|(name, _)| name).collect();
        self.compile_select(&mut fields_of, options)?;
        self.compile_answers((&mut fields_of, &group_names), options)?;
        let nulls = parse_nulls(self.null.as_deref()).map_err(at("null"))?;
        let unnest = unnest.map(|field| Unnest::new(&field, &fields, &options.limits));
        let unnest = unnest.transpose().map_err(at("unnest"))?;
        let mut names = Names::new(fields, time.clone(), nulls.clone());
        names.lookups = Lookups::new(&options.lookups).map_err(at("lookup"))?;
        let mut values = Values::new(names);
        parsed.lower_lets(&mut values).map_err(at("let"))?;
        let mut filter = parsed.lower_filter(&mut values).map_err(at("where"))?;
        let mut words = parsed.words();
        if let Some(event_time) = &event_time {
            let computed = event_time.lower(&mut values, &mut filter).map_err(at("time"))?;
            time = computed.or(time);
            words += &event_time.words();
        }
        let mut slots = |ast: &Ast, id: Id| values.slot(ast, id);
        let group = self.compile_group(&mut slots, options)?;
        let select = self.compile_select(&mut slots, options)?;
        let mut answers = self.compile_answers((&mut slots, &group_names), options)?;
        if let Some(time) = &time {
            compare_with_event_time(&mut answers.calls, time);
        }
        words += &values.names.lookups.words();
        Ok(Asked {
            values,
            filter,
            filter_slots,
            time,
            time_fields,
            group,
            answers,
            nulls,
            words,
            unnest,
            select,
        })
    }

    /// The names and slots of what is grouped by.
    fn compile_group(
        &self,
        slots: &mut Slots<'_>,
        options: &CompileOptions,
    ) -> Result<Vec<(String, usize)>, Error> {
        let mut group: Vec<(String, usize)> = Vec::new();
        for text in self.group.iter().flatten() {
            let more =
                parse_group(text, slots).map_err(|error| error.at(options.written("group")))?;
            for (name, slot) in more {
                if group.iter().any(|(known, _)| *known == name) {
                    return Err(Error::invalid(format!(
                        "{}: the field {name:?} is named twice",
                        options.written("group")
                    )));
                }
                group.push((name, slot));
            }
        }
        Ok(group)
    }

    /// Returns true if rows have a member of this name already.
    fn is_taken(&self, name: &str) -> bool {
        TAKEN_NAMES.contains(&name) || self.name.is_some() && name == TAKEN_NAME_OF_QUERY
    }

    /// The names and slots of the columns of rows that are passed on.
    fn compile_select(
        &self,
        slots: &mut Slots<'_>,
        options: &CompileOptions,
    ) -> Result<Option<Vec<(String, usize)>>, Error> {
        let Some(texts) = &self.select else { return Ok(None) };
        let at = |error: Error| error.at(options.written("select"));
        let mut columns: Vec<(String, usize)> = Vec::new();
        for text in texts {
            for (name, slot) in parse_group(text, slots).map_err(at)? {
                let is_known = columns.iter().any(|(known, _)| *known == name);
                if is_known || self.is_taken(&name) {
                    let why = format!("a row has {name:?} already: give another name with \"as\"");
                    return Err(at(Error::invalid(why)));
                }
                columns.push((name, slot));
            }
        }
        Ok(Some(columns))
    }

    fn compile_answers(
        &self,
        (slots, groups): (&mut Slots<'_>, &[String]),
        options: &CompileOptions,
    ) -> Result<Answers, Error> {
        let mut answers = Answers::default();
        let at = |key| move |error: Error| error.at(options.written(key));
        for text in self.agg.iter().flatten() {
            answers.add_columns(text, slots).map_err(at("agg"))?;
        }
        if answers.columns.is_empty() {
            answers.calls.push(Function::Count);
            answers.columns.push(Column { name: "count".into(), answer: Answer::Call(0) });
        }
        for (index, column) in answers.columns.iter().enumerate() {
            let name = &column.name;
            if answers.columns.iter().take(index).any(|earlier| earlier.name == *name) {
                let message = format!(
                    "there are two columns {name:?}; give one another name, as in {name} as other"
                );
                return Err(Error::invalid(message).at(options.written("agg")));
            }
            if self.is_taken(name) {
                let message = format!(
                    "a column cannot be named {name:?}, which answers have already; choose another \
                     name with \"as\""
                );
                return Err(Error::invalid(message).at(options.written("agg")));
            }
        }
        for text in self.having.iter().flatten() {
            answers.add_having(text, groups, slots).map_err(at("having"))?;
        }
        for text in self.sort.iter().flatten() {
            answers.add_sort(text, groups, slots).map_err(at("sort"))?;
        }
        answers.limit = self.row_limit(&answers, options)?;
        Ok(answers)
    }

    /// How many rows of a window are given.
    fn row_limit(
        &self,
        answers: &Answers,
        options: &CompileOptions,
    ) -> Result<Option<usize>, Error> {
        let Some(limit) = self.limit else { return Ok(None) };
        let written = options.written("limit");
        if answers.sort.is_empty() {
            let missing = options.missing("sort", "COLUMN");
            let why = format!("{written} {limit} of which rows? Give their order by {missing}");
            return Err(Error::invalid(why));
        }
        if limit == 0 {
            return Err(Error::invalid(format!("{written} of 0: at least 1 row is needed")));
        }
        Ok(Some(usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    fn engine_options(
        &self,
        options: &CompileOptions,
        zone: Option<TimeZone>,
    ) -> Result<EngineOptions, Error> {
        let mut limits = options.limits.clone();
        if let Some(groups) = self.limit_groups {
            limits.groups_max = usize::try_from(groups).unwrap_or(usize::MAX);
            if groups == 0 {
                return Err(Error::invalid(format!(
                    "{} of 0: at least 1 group is needed",
                    options.written("limit_groups")
                )));
            }
        }
        let out_of_orderness = match self.max_delay.as_deref() {
            None if options.bounded_input => None,
            None => Some(MAX_DELAY_DEFAULT),
            Some("unbounded") => None,
            Some(text) => {
                Some(parse_duration(text).map_err(|error| error.at(options.written("max_delay")))?)
            }
        };
        Ok(EngineOptions {
            windows: self.windows(options, zone)?,
            out_of_orderness,
            allowed_lateness: options
                .duration("lateness", self.lateness.as_deref())?
                .unwrap_or_default(),
            idle_after: options.idle_after,
            strict: options.strict,
            emit_empty: options.emit_empty,
            recent_ids: None,
            name: String::new(),
            limits,
        })
    }

    /// What is computed: by these words a snapshot knows the pipeline again. They are the same
    /// however it is written, in one entry or in several, with or without what is the default. What
    /// may change between two runs (delay, lateness, how far ahead a time may be, limits, output)
    /// is not among them: it says which records are waited for or trusted, and whoever corrects it
    /// is to keep the state.
    fn words(&self, parsed: &str) -> String {
        let list = |entries: &Option<Vec<String>>| {
            let entries = entries.iter().flatten();
            entries.map(|text| canonical_list(text)).collect::<Vec<_>>().join(", ")
        };
        let time_format = self
            .time_format
            .as_deref()
            .filter(|format| format.parse().ok() != Some(TimeFormat::default()));
        let (time, group, agg) =
            (self.time.as_deref().map(canonical_list), list(&self.group), list(&self.agg));
        let nulls = self.null.iter().flatten().map(|text| Tokens::canonical(text));
        let nulls = nulls.collect::<Vec<_>>().join(", ");
        let mut words = Vec::new();
        words.extend(self.name.as_ref().map(|name| format!("query {name}; ")));
        words.extend(time.map(|time| format!("time {time}; ")));
        words.extend(time_format.map(|format| format!("time format {format}; ")));
        words.extend(self.year.map(|year| format!("year {year}; ")));
        words.extend(self.null.as_ref().map(|_| format!("null {nulls}; ")));
        words.extend(
            self.unnest.as_deref().map(|unnest| format!("unnest {}; ", canonical_list(unnest))),
        );
        words.push(parsed.to_owned());
        words.extend((!group.is_empty()).then(|| format!("group {group}; ")));
        words.push(match &self.select {
            Some(_) => format!("select {}; ", list(&self.select)),
            None => format!("agg {}; ", if agg.is_empty() { "count" } else { &agg }),
        });
        words.concat()
    }

    /// What late and `max_delay` mean for a run.
    fn late_words(&self, engine: &EngineOptions) -> String {
        if engine.windows.is_global() {
            return "the one window is answered at the end of the input; no record is late".into();
        }
        if engine.windows.is_of_rows() {
            let why = "a window is answered with its last record, or as it is at the end of the \
                       input; no record is late";
            return why.into();
        }
        let given = if self.max_delay.is_some() { "" } else { " (the default here)" };
        let Some(delay) = engine.out_of_orderness else {
            return format!(
                "max_delay unbounded{given}: windows are answered at the end of the input, and no \
                 record is late"
            );
        };
        let lateness = engine.allowed_lateness;
        let late = match lateness.is_zero() {
            true => "a record that comes later than that for all of its windows is late: counted, \
                     and not in any answer"
                .to_string(),
            false => format!(
                "records up to {lateness:?} later than that are still added, each answering its \
                 windows again with the revision raised; later ones are late: counted, and not in \
                 any answer"
            ),
        };
        format!(
            "max_delay {delay:?}{given}: a window is answered when a record comes that is {delay:?} past its end, in every shard; {late}"
        )
    }
}
