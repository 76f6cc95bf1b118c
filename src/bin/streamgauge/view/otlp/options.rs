//! Where metrics are pushed to, from the flag and the standard variables of the environment.

use super::limits::{EVERY, REPLY_TIME_MAX};
use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The value of the flag that stands for the place that the environment names.
const OF_ENVIRONMENT: &str = "env";

/// The place of a receiver on this machine.
const DEFAULT_PLACE: &str = "http://localhost:4318";

/// The path of metrics, below the place of a receiver.
const METRICS_PATH: &str = "v1/metrics";

/// Where and how metrics are pushed.
#[derive(Clone)]
pub(crate) struct OtlpOptions {
    pub(super) place: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The attributes of the resource, each name once.
    pub(super) resource: Vec<(String, String)>,
    pub(super) every: Duration,
    pub(super) reply_time_max: Duration,
}

/// Headers can be secrets.
impl fmt::Debug for OtlpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpOptions").field("place", &self.place).finish_non_exhaustive()
    }
}

impl FromStr for OtlpOptions {
    type Err = String;

    fn from_str(place: &str) -> Result<Self, String> {
        OtlpOptions::new(place, |name| std::env::var(name).ok())
    }
}

impl OtlpOptions {
    /// Returns the options of a place. `variable` returns a variable of the environment.
    ///
    /// # Errors
    /// A place that is not an address of HTTP, or a variable with a wrong value.
    pub(super) fn new(
        place: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        // An empty variable is as one that is not set.
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        // The standard has a variable for all signals, and one for metrics before it.
        let of_metrics = |name: &str| {
            let names = [
                format!("OTEL_EXPORTER_OTLP_METRICS_{name}"),
                format!("OTEL_EXPORTER_OTLP_{name}"),
            ];
            names.into_iter().find_map(|name| Some((variable(&name)?, name)))
        };
        let place = match place {
            OF_ENVIRONMENT => match variable("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") {
                Some(whole) => uri(&whole)?,
                None => {
                    let place = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
                    uri(&below(place.as_deref().unwrap_or(DEFAULT_PLACE)))?
                }
            },
            place => uri(&below(place))?,
        };
        let headers =
            of_metrics("HEADERS").map(|(text, name)| headers(&name, &text)).transpose()?;
        let millis = |found: Option<(String, String)>, default| match found {
            Some((text, name)) => positive_millis(&name, &text),
            None => Ok(default),
        };
        let interval = "OTEL_METRIC_EXPORT_INTERVAL";
        let interval = variable(interval).map(|text| (text, interval.to_owned()));
        Ok(OtlpOptions {
            place,
            headers: headers.unwrap_or_default(),
            resource: resource(variable)?,
            every: millis(interval, EVERY)?,
            reply_time_max: millis(of_metrics("TIMEOUT"), REPLY_TIME_MAX)?,
        })
    }

    /// Returns the host and the port.
    pub(super) fn address(&self) -> (&str, u16) {
        let host = self.place.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (host, self.place.port_u16().unwrap_or(80))
    }
}

/// Returns the place of metrics below that of a receiver.
fn below(place: &str) -> String {
    format!("{}/{METRICS_PATH}", place.trim().trim_end_matches('/'))
}

fn uri(text: &str) -> Result<Uri, String> {
    let wrong = || format!("{text:?} is not an address such as {DEFAULT_PLACE}");
    let uri: Uri = text.trim().parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) if !host.is_empty() => Ok(uri),
        (Some("https"), _) => Err(format!(
            "{text}: there is no TLS: push to a collector on this machine or in this network, \
             which sends the metrics on"
        )),
        _ => Err(wrong()),
    }
}

/// Returns the pairs of a list such as `a=1,b=2`, whose values are percent-encoded.
fn pairs(name: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), value.into_owned()))
    };
    let pairs = parts.map(|part| pair(part).ok_or_else(|| wrong(name)));
    pairs.collect()
}

/// The value is not shown: headers can be secrets.
fn wrong(name: &str) -> String {
    format!("{name} is not a list such as name=value,other=value with percent-encoded values")
}

fn headers(name: &str, text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let header = |(key, value): (String, String)| {
        let mut value = HeaderValue::from_str(&value).map_err(|_| wrong(name))?;
        value.set_sensitive(true);
        Ok((HeaderName::from_str(&key).map_err(|_| wrong(name))?, value))
    };
    pairs(name, text)?.into_iter().map(header).collect()
}

/// Returns the attributes of the resource.
fn resource(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, String> {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let given = variable(name).map(|text| pairs(name, &text)).transpose()?.unwrap_or_default();
    let service = "service.name";
    let mut attributes: Vec<(String, String)> = Vec::new();
    let of_service = variable("OTEL_SERVICE_NAME").map(|value| (service.to_owned(), value));
    let default = (service.to_owned(), "streamgauge".to_owned());
    for (key, value) in of_service.into_iter().chain(given).chain([default]) {
        if attributes.iter().all(|(known, _)| *known != key) {
            attributes.push((key, value));
        }
    }
    Ok(attributes)
}

fn positive_millis(name: &str, text: &str) -> Result<Duration, String> {
    let millis = text.trim().parse().ok().filter(|millis| *millis > 0);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{name}={text} is not a number of milliseconds above 0"))
}
