//! What a specification does not say.

use super::lookup::Lookup;
use crate::aggregate::Overflow;
use crate::error::Error;
use crate::hash::Seed;
use crate::limits::Limits;
use crate::time::{Timestamp, parse_duration};
use std::time::Duration;

/// What a specification does not say: what the input is like, and what the caller wants of the
/// engine.
///
/// # Example
/// ```
/// use streamgauge::rows::CompileOptions;
/// let mut options = CompileOptions::default();
/// options.bounded_input = true;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Whether the input is known to end, as regular files do: `max_delay` is then unbounded unless
    /// given, so that no record is late. Default: it is not, and `max_delay` is 10 s unless given.
    pub bounded_input: bool,
    /// Whether every record has an arrival time, so that a pipeline with windows can do without a
    /// time field, and `max_ahead` is 1 h unless given. Default: none has.
    pub arrival_times: bool,
    /// After how long without a record the other shards stop waiting for a shard. Default: never.
    pub idle_after: Option<Duration>,
    /// Whether windows without a record, between windows that are emitted, are emitted too.
    /// Default: they are not.
    pub emit_empty: bool,
    /// Whether a record that cannot be aggregated is an error that leaves it untaken, in the place
    /// of a dead letter: for a source that delivers it again. Default: it is a dead letter.
    pub strict: bool,
    /// What becomes of groups past the limit. Default: their records share the group `(other)`.
    pub groups_overflow: Overflow,
    /// The caps; `limit_groups` of the specification replaces [`Limits::groups_max`].
    pub limits: Limits,
    /// The keys of the specification that a command line gave as flags. An error then names such a
    /// flag, as in `--max-delay`, and asks for what is missing by its flag. Default: `None`, the
    /// specification is from a file or a program, and errors name its keys.
    pub flags: Option<Vec<&'static str>>,
    /// When the last record was written, such as the time at which a file was last modified: event
    /// times without a year are of the year before it. Default: unknown, and the time format
    /// `syslog` needs the key `year`.
    pub written_until: Option<Timestamp>,
    /// The greatest number of buckets of each sign of the histograms that rows have beside their
    /// percentiles, see [`RowEmission::histograms`](super::RowEmission::histograms). Default: rows
    /// have none.
    pub histograms: Option<usize>,
    /// The reference data that expressions look up, see [`Lookup`]. Default: none.
    pub lookups: Vec<Lookup>,
    /// The seed of the sketches' hash. Default: the public one; give a secret one where keys come
    /// from outside.
    pub seed: Seed,
}

impl CompileOptions {
    /// A key of the specification, as the user has written it: a flag of a command line, or the
    /// key.
    pub(super) fn written(&self, key: &str) -> String {
        match &self.flags {
            Some(flags) if flags.contains(&key) => flag(key),
            _ => key.to_owned(),
        }
    }

    /// How to give a key that is missing, with a value such as `FIELD`.
    pub(super) fn missing(&self, key: &str, value: &str) -> String {
        match &self.flags {
            Some(_) => format!("{} {value}", flag(key)),
            None => format!("{key} = \"{value}\""),
        }
    }

    pub(super) fn duration(
        &self,
        key: &str,
        text: Option<&str>,
    ) -> Result<Option<Duration>, Error> {
        text.map(|text| parse_duration(text).map_err(|error| error.at(self.written(key))))
            .transpose()
    }
}

/// `--max-delay` for `max_delay`.
fn flag(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}
