//! The range of event times that a specification keeps: its keys `since` and `until`.

use crate::error::Error;
use crate::query::literal::Operator;
use crate::query::pipeline_spec::PipelineSpec;
use crate::row::{TimeFormat, Value};
use crate::time::Timestamp;

/// Returns the bounds of the event time that the keys `since` and `until` stand for. `missing` says
/// how to name its field.
///
/// # Errors
/// The key and what is wrong with it: a value that is no time, a range without a time in it, and a
/// specification without an event time.
pub(super) fn bounds(
    spec: &PipelineSpec,
    missing: &str,
) -> Result<Vec<(Operator, Timestamp)>, (&'static str, Error)> {
    let read = |key, text: &Option<String>| {
        let read = text.as_deref().map(read_time).transpose().map_err(|error| (key, error))?;
        if read.is_some() && spec.time.is_none() {
            let message = format!("name the field that holds the event time by {missing}");
            return Err((key, Error::invalid(message)));
        }
        Ok(read)
    };
    let (since, until) = (read("since", &spec.since)?, read("until", &spec.until)?);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let message = format!("no time is from {since} on and before {until}");
        return Err(("until", Error::invalid(message)));
    }
    let bounds = [(Operator::GreaterOrEqual, since), (Operator::Less, until)];
    Ok(bounds.into_iter().filter_map(|(operator, time)| Some((operator, time?))).collect())
}

fn read_time(text: &str) -> Result<Timestamp, Error> {
    TimeFormat::Auto.read(Value::Untyped(text)).map_err(|why| {
        let relative = if text.ends_with("ago") { "; `2h ago` is for flags alone" } else { "" };
        Error::invalid(format!("{text:?} {why}{relative}"))
    })
}
