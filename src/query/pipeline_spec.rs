//! The pipeline as text: one value that a file, the command line or a program creates.

use crate::error::{Error, ErrorKind};
use crate::formats::format::{Format, FormatKeys};
use crate::nearest::nearest;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// Declares the keys of a pipeline once: the field, the key in files, and the type of the value.
macro_rules! keys {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$doc:meta])* $field:ident $key:literal: $value:ty;)*
        }
    ) => {
        $(#[$about])*
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(rename = $key, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$value>,
            )*
        }

        const KEYS: &[&str] = &[$($key),*];

        impl $name {
            /// Returns the specification in which every key that `flags` has is replaced.
            pub fn overridden_by(self, flags: $name) -> $name {
                $name { $($field: flags.$field.or(self.$field),)* }
            }

            /// Returns the keys that are given, in the order of the documentation.
            ///
            /// # Example
            /// ```
            /// use streamgauge::query::PipelineSpec;
            /// let spec = PipelineSpec::from_toml("agg = 'count'\nwindow = '5m'", "hits.toml")?;
            /// assert_eq!(spec.given(), ["window", "agg"]);
            /// # Ok::<(), streamgauge::Error>(())
            /// ```
            pub fn given(&self) -> Vec<&'static str> {
                let keys = [$(($key, self.$field.is_some())),*];
                keys.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
            }

            /// Reads the value of a key, which is one of `KEYS`.
            fn take<'de, A: MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key {
                    $($key => self.$field = Some(<$value>::read(map)?),)*
                    _ => return Err(de::Error::unknown_field(key, KEYS)),
                }
                Ok(())
            }
        }
    };
}

keys! {
/// A pipeline as text. Its keys are the flags of the command `streamgauge run`, with underscores
/// for dashes. Every key is optional.
///
/// TOML, JSON and flags have the same keys. Keys that concern only the command (`output`,
/// `dead_letters`, `late`, `strict`, `explain`) are ignored elsewhere. Before
/// [`compile`](PipelineSpec::compile) only the names of the keys and the types of the values are
/// checked.
///
/// # Example
/// ```
/// use streamgauge::query::PipelineSpec;
/// let file = PipelineSpec::from_toml("window = \"5m\"\nagg = [\"count\", \"top(10, url)\"]\n", "hits.toml")?;
/// let mut flags = PipelineSpec::default();
/// flags.window = Some("1m".into());
/// let spec = file.overridden_by(flags);
/// assert_eq!(spec.window.as_deref(), Some("1m"));
///
/// let error = PipelineSpec::from_toml("\nwindwo = \"5m\"\n", "hits.toml").unwrap_err();
/// assert_eq!(error.to_string(), "hits.toml:2: unknown key \"windwo\" (did you mean \"window\"?)");
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[non_exhaustive]
PipelineSpec {
    /// The format of the records: `auto`, `jsonl`, `csv`, `tsv`, `clf`, `vhost`, `logfmt`, `w3c`,
    /// `alb`, `s3`, `vpc` or `lines`. Default: detected in files, JSON in streams.
    format "format": String;
    /// The character between the fields of CSV. Default: a comma.
    delimiter "delimiter": String;
    /// The character around quoted fields of CSV, or `none`. Default: `"`.
    quote "quote": String;
    /// The character with which comment lines of CSV begin. Default: there are none.
    comment "comment": String;
    /// True if CSV has no header: its columns are `c1`, `c2` and so on.
    no_header "no_header": bool;
    /// True if decimals in CSV have a comma, such as `1.234,5`.
    decimal_comma "decimal_comma": bool;
    /// The format string of nginx or Apache by which the records were written, instead of a
    /// `format`.
    log_format "log_format": String;
    /// A pattern of the records, such as `<time> [<level>] <message>`, instead of a `format`.
    pattern "pattern": String;
    /// A regular expression whose named groups are the fields, instead of a `format`.
    regex "regex": String;
    /// The field that holds the event time, a name of `let`, or an expression of fields. Default:
    /// the arrival time.
    time "time": String;
    /// The format of the event time, see [`TimeFormat`](crate::row::TimeFormat). Default: `auto`.
    time_format "time_format": String;
    /// The year of event times that are written without one, as syslog does. `time_format` is
    /// `syslog` then.
    year "year": u64;
    /// The event time from which records are kept, in any form that `time_format` `auto` reads.
    since "since": String;
    /// The event time before which records are kept, in any such form.
    until "until": String;
    /// The size of a window, such as `5m`, or by the calendar `1d`, `1w` (from Monday), `1mo`, `1q`
    /// or `1y`. Default: one window over everything.
    window "window": String;
    /// The interval between the starts of two windows. Default: the size of a window.
    every "every": String;
    /// The offset of all window starts from the multiples of `every`. Default: 0.
    offset "offset": String;
    /// Sessions instead of `window`: each group has windows that end when none of its records comes
    /// for this long, such as `30m`.
    session "session": String;
    /// Staggered windows instead of `window`: each group has windows of this size, which begin with
    /// its first record that is in none, such as `1m`.
    stagger "stagger": String;
    /// Windows of this number of records instead of `window`: of each group, in the order in which
    /// they come. With `every`, which is a number then, there is an answer after each `every`
    /// records of a group, over its last `rows` records.
    rows "rows": u64;
    /// The time zone, such as `Europe/Berlin`, that windows of days and longer begin and end in,
    /// and that the times of windows are shown in. Default: UTC.
    timezone "timezone": String;
    /// The out-of-orderness: how far a record may be behind the latest record of its shard without
    /// being late. `unbounded` means any distance. Default: unbounded for input that ends,
    /// otherwise 10 s.
    max_delay "max_delay": String;
    /// How far the event time of a record may be ahead of its arrival time. A record further ahead
    /// is a dead letter. `off` means any distance. Default: 1 h if every record has an arrival
    /// time, otherwise off.
    max_ahead "max_ahead": String;
    /// The allowed lateness: how long after a window has fired late records are still added to it.
    /// Default: 0.
    lateness "lateness": String;
    /// How often open windows are answered before they are complete, such as `10s`, by the clock:
    /// each such answer is a revision. Default: never.
    emit_early "emit_early": String;
    /// A field that is an array: each of its elements becomes a record of its own, in which the
    /// field is the element.
    unnest "unnest": String;
    /// Conditions, all of which must be true.
    filter "where": Vec<String>;
    /// Names for expressions, each as `NAME = EXPRESSION`. They can be used in all other
    /// expressions.
    lets "let": Vec<String>;
    /// Reference data for the function `lookup`, each as `NAME=FILE:KEY`: a file of CSV or JSON
    /// Lines and the column that is its key. Whoever runs the pipeline reads the files, for
    /// [`CompileOptions::lookups`](crate::rows::CompileOptions::lookups).
    lookups "lookup": Vec<String>;
    /// What to group by: fields or expressions. Each entry is one or several, separated by commas.
    group "group": Vec<String>;
    /// The aggregates, and arithmetic over them. Each entry is one or several, separated by commas.
    agg "agg": Vec<String>;
    /// What is passed on of each record, instead of aggregates: expressions. Each entry is one or
    /// several, separated by commas.
    select "select": Vec<String>;
    /// Conditions on rows of the answer, all of which must hold.
    having "having": Vec<String>;
    /// The order of the rows of a window, such as `bytes desc, country`. Each entry is one or
    /// several columns, separated by commas. Default: by group.
    sort "sort": Vec<String>;
    /// Maximum number of rows of a window, the first ones by `sort`.
    limit "limit": u64;
    /// Text that counts as a missing value in every field. Each entry is one marker or several,
    /// separated by commas. Default: the usual markers, in fields that are used as numbers.
    null "null": Vec<String>;
    /// Maximum number of distinct groups per window. Records of further groups go into the group
    /// `(other)`. Default: [`Limits::groups_max`](crate::Limits::groups_max).
    limit_groups "limit_groups": u64;
    /// The format in which the command writes answers: `table`, `json` or `csv`.
    output "output": String;
    /// The file to which the command writes dead letters.
    dead_letters "dead_letters": String;
    /// The file to which the command writes late records.
    late "late": String;
    /// True if the first dead letter ends the command's run.
    strict "strict": bool;
    /// True if the command explains the pipeline before it runs it.
    explain "explain": bool;
    /// The name of a query. Only a table `query` has one.
    name "name": String;
    /// Several queries over the same records, each with a name. The keys at the top concern all of
    /// them: see [`each_query`](PipelineSpec::each_query).
    queries "query": Vec<PipelineSpec>;
}
}

impl PipelineSpec {
    /// Parses a specification in TOML. `name` is the name of the file, for errors.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] with name and line, if the text is not TOML, has an unknown key, or has
    /// a value of the wrong type.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()
            });
            let place = line.map_or_else(|| name.to_string(), |line| format!("{name}:{line}"));
            Error::new(ErrorKind::Parse, first_line(error.message())).at(place)
        })
    }

    /// Parses a specification in JSON. `name` is the name of the file, for errors.
    ///
    /// # Errors
    /// As [`from_toml`](PipelineSpec::from_toml).
    pub fn from_json(text: &str, name: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            // The position is already in front of the message, so it is removed from its end.
            let message =
                message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            Error::new(ErrorKind::Parse, first_line(message)).at(format!("{name}:{}", error.line()))
        })
    }

    /// Returns the format of the records: see [`FormatKeys::format`].
    ///
    /// # Errors
    /// As [`FormatKeys::format`].
    pub fn input_format(&self) -> Result<Format, Error> {
        FormatKeys {
            format: self.format.as_deref(),
            delimiter: self.delimiter.as_deref(),
            quote: self.quote.as_deref(),
            comment: self.comment.as_deref(),
            no_header: self.no_header,
            decimal_comma: self.decimal_comma,
            log_format: self.log_format.as_deref(),
            pattern: self.pattern.as_deref(),
            regex: self.regex.as_deref(),
        }
        .format()
    }

    /// Returns true if there are windows of time: `window`, `session` or `stagger` is given, at the
    /// top or in all tables `query`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::query::PipelineSpec;
    /// let has_windows = |toml| Ok(PipelineSpec::from_toml(toml, "hits.toml")?.has_windows());
    /// assert!(has_windows("session = '30m'")?);
    /// assert!(!has_windows("group = 'country'")?);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn has_windows(&self) -> bool {
        let has_windows = self.window.is_some() || self.session.is_some() || self.stagger.is_some();
        let mut queries = self.queries.iter().flatten().peekable();
        has_windows || queries.peek().is_some() && queries.all(PipelineSpec::has_windows)
    }

    /// Returns true if every query has answers while input comes that has no end: windows, or rows
    /// that are passed on.
    ///
    /// # Example
    /// ```
    /// use streamgauge::query::PipelineSpec;
    /// let answers = |toml| Ok(PipelineSpec::from_toml(toml, "hits.toml")?.answers_streams());
    /// assert!(answers("rows = 100")?);
    /// assert!(!answers("group = 'country'")?);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn answers_streams(&self) -> bool {
        let of_all = self.has_windows() || self.rows.is_some() || self.select.is_some();
        let mut queries = self.queries.iter().flatten().peekable();
        of_all || queries.peek().is_some() && queries.all(PipelineSpec::answers_streams)
    }

    /// Returns the specification in TOML.
    ///
    /// # Errors
    /// None is known. An error of the TOML library is passed on.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|error| {
            Error::invalid("this specification cannot be written as TOML").with_source(error)
        })
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message)
}

/// The value of a key.
trait KeyValue: Sized {
    fn read<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error>;
}

macro_rules! plain_values {
    ($($value:ty),*) => {$(
        impl KeyValue for $value {
            fn read<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
                map.next_value()
            }
        }
    )*};
}
plain_values!(String, u64, bool);

impl KeyValue for Vec<PipelineSpec> {
    fn read<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        map.next_value()
    }
}

impl KeyValue for Vec<String> {
    fn read<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        map.next_value::<OneOrMany>().map(|entries| entries.0)
    }
}

/// A list, or one entry without brackets.
struct OneOrMany(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.into()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    entries.push(entry);
                }
                Ok(OneOrMany(entries))
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

/// The name of a key, as an index into `KEYS`.
struct Key(usize);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a key")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
                let found = KEYS.iter().position(|key| *key == name);
                found.map(Key).ok_or_else(|| {
                    let hint = nearest(&name.replace('-', "_"), KEYS.iter().copied());
                    let known = if hint.is_empty() {
                        format!("; the keys are {}", KEYS.join(", "))
                    } else {
                        String::new()
                    };
                    E::custom(format!("unknown key {name:?}{hint}{known}"))
                })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

impl<'de> Deserialize<'de> for PipelineSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = PipelineSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the keys of a pipeline")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PipelineSpec, A::Error> {
                let mut spec = PipelineSpec::default();
                let mut seen = vec![false; KEYS.len()];
                while let Some(Key(index)) = map.next_key()? {
                    let name = KEYS[index];
                    if std::mem::replace(&mut seen[index], true) {
                        return Err(de::Error::duplicate_field(name));
                    }
                    spec.take(name, &mut map)?;
                }
                Ok(spec)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: &str = r#"
format = "csv"
delimiter = ";"
log_format = "combined"
pattern = "<a> <b>"
regex = "(?<a>.)"
quote = "'"
comment = "%"
no_header = false
decimal_comma = true
time = "ts"
time_format = "ms"
year = 2024
since = "2024-01-02"
until = "2024-01-02"
window = "5m"
every = "10s"
offset = "0s"
session = "30m"
stagger = "1m"
rows = 100
timezone = "Europe/Berlin"
max_delay = "5s"
max_ahead = "2h"
lateness = "1m"
emit_early = "10s"
where = ["status >= 500"]
let = ["class = status // 100"]
lookup = "countries=countries.csv:code"
unnest = "tags"
group = "country,status"
agg = ["count", "sum(bytes) as bytes", "top(10, url)"]
select = "status, abs(bytes) as size"
having = "count > 1"
sort = ["bytes desc, country"]
limit = 10
null = ["NA, '-'", "none"]
limit_groups = 100
output = "json"
dead_letters = "bad.jsonl"
late = "late.jsonl"
strict = true
explain = false
name = "all"
[[query]]
name = "errors"
where = "status >= 500"
[[query]]
name = "hits"
"#;

    #[test]
    fn every_key_is_read_and_written() {
        let spec = PipelineSpec::from_toml(FULL, "full.toml").unwrap();
        assert_eq!(spec.group, Some(vec!["country,status".into()]));
        assert_eq!(spec.filter, Some(vec!["status >= 500".into()]));
        assert_eq!(spec.limit_groups, Some(100));
        let again = PipelineSpec::from_toml(&spec.to_toml().unwrap(), "again").unwrap();
        assert_eq!(again, spec);
        let json = serde_json::to_string(&spec).unwrap();
        let keys: Vec<String> =
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json)
                .unwrap()
                .keys()
                .cloned()
                .collect();
        assert_eq!(keys.len(), KEYS.len());
        assert_eq!(PipelineSpec::from_json(&json, "again").unwrap(), spec);
        assert_eq!(PipelineSpec::from_toml("", "empty").unwrap(), PipelineSpec::default());
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        let toml = |text: &str| PipelineSpec::from_toml(text, "p.toml").unwrap_err().to_string();
        assert_eq!(
            toml("window = \"1m\"\n\nagss = 1\n"),
            "p.toml:3: unknown key \"agss\" (did you mean \"agg\"?)"
        );
        assert_eq!(
            toml("time-format = \"ms\"\n"),
            "p.toml:1: unknown key \"time-format\" (did you mean \"time_format\"?)"
        );
        assert!(toml("colour = 1\n").contains("the keys are format, delimiter, "));
        assert!(
            toml("window = 5\n")
                .starts_with("p.toml:1: invalid type: integer `5`, expected a string"),
            "{}",
            toml("window = 5\n")
        );
        assert!(toml("a = [\n").starts_with("p.toml:"));
        assert!(toml("window = \"1m\"\nwindow = \"2m\"\n").starts_with("p.toml:2: "));
        let json = |text: &str| PipelineSpec::from_json(text, "p.json").unwrap_err().to_string();
        assert_eq!(
            json("{\n\"windwo\": \"1m\"}"),
            "p.json:2: unknown key \"windwo\" (did you mean \"window\"?)"
        );
        assert!(json("{\"window\": \"1m\", \"window\": \"1m\"}").contains("duplicate"));
        assert!(
            json("[1]")
                .starts_with("p.json:1: invalid type: sequence, expected the keys of a pipeline"),
            "{}",
            json("[1]")
        );
    }

    #[test]
    fn flags_override_the_file() {
        let file = PipelineSpec::from_toml(FULL, "full.toml").unwrap();
        assert_eq!(file.clone().overridden_by(PipelineSpec::default()), file);
        assert_eq!(PipelineSpec::default().overridden_by(file.clone()), file);
        let flags = PipelineSpec {
            window: Some("1m".into()),
            strict: Some(false),
            ..PipelineSpec::default()
        };
        let both = file.clone().overridden_by(flags);
        assert_eq!(
            (both.window.as_deref(), both.strict, both.every),
            (Some("1m"), Some(false), file.every)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_no_danger(text: String) {
            let _ = PipelineSpec::from_toml(&text, "p");
            let _ = PipelineSpec::from_json(&text, "p");
        }

        #[test]
        fn texts_survive_both_notations(texts in prop::collection::vec(".*", 1..4), number: u32) {
            let spec = PipelineSpec {
                time: texts.first().cloned(),
                agg: Some(texts),
                limit_groups: Some(number.into()),
                ..PipelineSpec::default()
            };
            prop_assert_eq!(
                &PipelineSpec::from_toml(&spec.to_toml().unwrap(), "p").unwrap(),
                &spec
            );
            prop_assert_eq!(
                &PipelineSpec::from_json(&serde_json::to_string(&spec).unwrap(), "p").unwrap(),
                &spec
            );
        }
    }
}
