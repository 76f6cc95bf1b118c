//! The event time of a specification: a field, a name of `let`, or an expression.

use super::compile_options::CompileOptions;
use super::evaluate::{Condition, Values, each_name};
use super::parsed::Parsed;
use super::time_range;
use crate::error::Error;
use crate::query::aggregates::parse_field;
use crate::query::expression::{Ast, Id, field_text, parse};
use crate::query::field::Fields;
use crate::query::literal::Operator;
use crate::query::pipeline_spec::PipelineSpec;
use crate::row::TimeFormat;
use crate::row::time_field::TimeField;
use crate::time::Timestamp;

/// The event time of a specification, before values have slots.
pub(super) struct EventTime {
    of: TimeOf,
    format: Option<TimeFormat>,
    /// The bounds of the event times that are kept.
    range: Vec<(Operator, Timestamp)>,
}

enum TimeOf {
    Field(String),
    Computed(Ast, Id),
}

impl PipelineSpec {
    /// Reads the keys of the event time.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) and
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) with the key.
    pub(super) fn event_time(
        &self,
        parsed: &Parsed,
        options: &CompileOptions,
    ) -> Result<Option<EventTime>, Error> {
        let range = time_range::bounds(self, &options.missing("time", "FIELD"));
        let range = range.map_err(|(key, error)| error.at(options.written(key)))?;
        let format = self.compile_time_format(options)?;
        let Some(text) = &self.time else {
            return self.no_event_time(format.is_some(), options).map(|()| None);
        };
        let of = time_of(text, parsed).map_err(|error| error.at(options.written("time")))?;
        Ok(Some(EventTime { of, format, range }))
    }

    /// Refuses what a pipeline without an event time cannot have.
    fn no_event_time(&self, has_format: bool, options: &CompileOptions) -> Result<(), Error> {
        let missing = options.missing("time", "FIELD");
        if has_format {
            let given = options.written("time_format");
            return Err(Error::invalid(format!(
                "{given} is given, but no time: name the field that holds the event time by \
                 {missing}"
            )));
        }
        if self.has_windows() && !options.arrival_times {
            let message = format!(
                "a window needs an event time: name the field that holds it by {missing}; in an \
                 access log it is the field time; only the records of a stream do without, by \
                 their time of arrival"
            );
            return Err(Error::invalid(message));
        }
        Ok(())
    }

    /// The format of the event time, if one is given, with the year of times that have none.
    fn compile_time_format(&self, options: &CompileOptions) -> Result<Option<TimeFormat>, Error> {
        let at = |key| move |error: Error| error.at(options.written(key));
        let format = self.time_format.as_deref().map(str::parse).transpose();
        let format: Option<TimeFormat> = format.map_err(at("time_format"))?;
        let until = match (&format, self.year) {
            (None | Some(TimeFormat::Auto | TimeFormat::Syslog(_)), Some(year)) => {
                last_moment(year).map_err(at("year"))?
            }
            (Some(TimeFormat::Syslog(_)), None) => options.written_until.ok_or_else(|| {
                let missing = options.missing("year", "YEAR");
                let message = format!("times without a year need it: give it by {missing}");
                Error::invalid(message).at(options.written("time_format"))
            })?,
            (Some(other), Some(_)) => {
                let message =
                    format!("times in the format {other} have their year, and take no other");
                return Err(Error::invalid(message).at(options.written("year")));
            }
            (_, None) => return Ok(format),
        };
        Ok(Some(TimeFormat::Syslog(Some(until))))
    }
}

impl EventTime {
    /// Returns the conditions on a plain field that the range stands for.
    pub(super) fn conditions(&self) -> Vec<String> {
        let TimeOf::Field(name) = &self.of else { return Vec::new() };
        let field = field_text(name);
        let condition = |(operator, bound): &(Operator, Timestamp)| {
            format!("{field} {} '{bound}'", sign(*operator))
        };
        self.range.iter().map(condition).collect()
    }

    /// Returns the words of the range of a time that is computed, by which a state knows it again.
    pub(super) fn words(&self) -> String {
        match &self.of {
            TimeOf::Field(_) => String::new(),
            TimeOf::Computed(..) => {
                let bounds = self.range.iter();
                bounds
                    .map(|(operator, bound)| format!("time {} {bound}; ", sign(*operator)))
                    .collect()
            }
        }
    }

    /// Gives slots to the fields that the time is read or computed of. Returns the field, if it is
    /// a plain one.
    pub(super) fn add_fields(&self, parsed: &Parsed, fields: &mut Fields) -> Option<TimeField> {
        match &self.of {
            TimeOf::Field(name) => {
                let format = self.format.clone().unwrap_or_default();
                Some(TimeField::new(fields.slot(name), format))
            }
            TimeOf::Computed(ast, id) => {
                parsed.add_fields(ast, *id, fields);
                None
            }
        }
    }

    /// Returns the fields that the time is read or computed of.
    pub(super) fn fields(&self, parsed: &Parsed) -> Vec<String> {
        let mut fields = Fields::default();
        self.add_fields(parsed, &mut fields);
        fields.names().to_vec()
    }

    /// Lowers a time that is computed, and adds the conditions of its range. Returns the slot that
    /// has it; `None` for a plain field.
    ///
    /// # Errors
    /// Those of [`Values::event_time`].
    pub(super) fn lower(
        &self,
        values: &mut Values,
        filter: &mut Vec<Condition>,
    ) -> Result<Option<TimeField>, Error> {
        let TimeOf::Computed(ast, id) = &self.of else { return Ok(None) };
        let field = values.event_time((ast, *id), self.format.clone())?;
        let conditions = self.range.iter();
        filter.extend(conditions.map(|bound| Condition::of_time(&field, *bound, &values.names)));
        Ok(Some(field))
    }
}

/// Returns what holds the event time. A name of `let` stands for its expression.
fn time_of(text: &str, parsed: &Parsed) -> Result<TimeOf, Error> {
    let (ast, id) = match parse_field(text) {
        Ok(name) => match parsed.expression(&name) {
            Some((ast, id)) => (ast.clone(), id),
            None => return Ok(TimeOf::Field(name)),
        },
        // What is no expression either is told as what is no field.
        Err(error) => parse(text).map_err(|_| error)?,
    };
    let mut has_field = false;
    each_name(&ast, id, &mut |_| has_field = true);
    if !has_field {
        let why = format!(
            "{} has no field: a field, or an expression of fields, holds the event time",
            ast.written(id)
        );
        return Err(ast.error(id, why));
    }
    Ok(TimeOf::Computed(ast, id))
}

fn sign(operator: Operator) -> &'static str {
    if operator == Operator::Less { "<" } else { ">=" }
}

/// Returns the last millisecond of a year.
fn last_moment(year: u64) -> Result<Timestamp, Error> {
    let next = i16::try_from(year).ok().filter(|year| (1..9999).contains(year));
    let next = next.and_then(|year| jiff::civil::date(year + 1, 1, 1).at(0, 0, 0, 0).into());
    let start = next.and_then(|next| jiff::tz::Offset::UTC.to_timestamp(next).ok());
    start.map(|start| Timestamp::from_millis(start.as_millisecond() - 1)).ok_or_else(|| {
        Error::invalid(format!("{year} is no year of such times: give one from 1 to 9998"))
    })
}
