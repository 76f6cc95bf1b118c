//! A row of an answer.

use crate::row::OutputValue;
use crate::sketch::ExponentialBuckets;
use crate::time::Timestamp;
use crate::window::{TimeZone, Window};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use std::sync::Arc;

/// What all rows of a pipeline's answers have in common.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct RowForm {
    /// The name of the query that the rows answer; `None` for a pipeline without queries.
    pub query: Option<String>,
    /// The names of the grouped fields; empty without groups.
    pub group: Vec<String>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The names of the columns of percentiles that have a histogram: see
    /// [`RowEmission::histograms`].
    pub histograms: Vec<String>,
    /// The time zone that the times of windows are shown in; `None` for UTC.
    pub zone: Option<TimeZone>,
}

/// The answer of one window for one group.
///
/// Rows come by window end, window start, then group ascending (missing, numbers, false, true,
/// text), the `(other)` row last.
///
/// Its serde form is the JSON object that the command writes, see [`JsonLines`](super::JsonLines).
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::rows::CompileOptions;
/// let spec = PipelineSpec::from_toml("group = \"country\"\nagg = \"count\"", "hits.toml")?;
/// let mut hits = spec.compile(&CompileOptions::default())?;
/// let shard = hits.open_shard(ShardId::new("requests"))?;
/// hits.push_fields(shard, &[("country", &"DE")], Timestamp::from_millis(0), None)?;
/// hits.finish();
/// let row = hits.next_emission()?.expect("one group");
/// let json = serde_json::to_string(&row).expect("values have a form in JSON");
/// assert_eq!(json, r#"{"window":null,"group":{"country":"DE"},"revision":0,"count":1}"#);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RowEmission {
    /// The window; `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// 0 for the first answer of this window, 1 for the next, and so on.
    pub revision: u32,
    /// The values of the grouped fields, in their order; empty for a pipeline without groups. All
    /// are [`OutputValue::Other`] in the row of the records whose groups were past the limit.
    pub group: Vec<OutputValue>,
    /// The values of the columns, in their order; empty if the row is
    /// [retracted](RowEmission::is_retracted).
    pub values: Vec<OutputValue>,
    /// The names of the grouped fields and of the columns, shared by all rows of a pipeline.
    pub form: Arc<RowForm>,
}

impl RowEmission {
    /// Creates a row without group and values.
    pub(super) fn of_form(form: &Arc<RowForm>) -> RowEmission {
        let (group, values) = (Vec::new(), Vec::new());
        RowEmission { window: None, revision: 0, group, values, form: form.clone() }
    }

    /// Takes the row. The one that stays has its form, and no group and no values.
    ///
    /// # Example
    /// ```
    /// use streamgauge::row::OutputValue;
    /// use streamgauge::rows::RowEmission;
    /// let mut row = RowEmission::default();
    /// row.values.push(OutputValue::Integer(7));
    /// let taken = row.take();
    /// assert_eq!((taken.values.len(), row.values.len()), (1, 0));
    /// ```
    #[must_use]
    pub fn take(&mut self) -> RowEmission {
        let RowEmission { window, revision, group, values, form } = self;
        let (group, values) = (std::mem::take(group), std::mem::take(values));
        RowEmission { window: *window, revision: *revision, group, values, form: form.clone() }
    }

    /// Returns true if the row retracts an earlier row of the same window and group, which no
    /// longer holds because its group is now past the limit. It has no values.
    pub fn is_retracted(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the numbers behind each column of percentiles, if the pipeline was compiled with
    /// [`CompileOptions::histograms`](super::CompileOptions::histograms). Percentiles of one field
    /// share them, under the name of the first of these columns.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::CompileOptions;
    /// let spec = PipelineSpec::from_toml("agg = 'p50(ms), p99(ms)'", "p.toml")?;
    /// let mut options = CompileOptions::default();
    /// options.histograms = Some(160);
    /// let mut pipeline = spec.compile(&options)?;
    /// let shard = pipeline.open_shard(ShardId::new("a"))?;
    /// pipeline.push_fields(shard, &[("ms", &12)], Timestamp::from_millis(0), None)?;
    /// pipeline.finish();
    /// let row = pipeline.next_emission()?.expect("the input has ended");
    /// let (name, buckets) = row.histograms().next().expect("a column of percentiles");
    /// assert_eq!((name, buckets.max, row.values.len()), ("p50(ms)", Some(12.0), 3));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn histograms(&self) -> impl Iterator<Item = (&str, &ExponentialBuckets)> {
        let beyond = self.values.iter().skip(self.form.columns.len());
        let named = self.form.histograms.iter().zip(beyond);
        named.filter_map(|(name, value)| match value {
            OutputValue::Histogram(buckets) => Some((name.as_str(), &**buckets)),
            _ => None,
        })
    }

    /// Returns true if this is the row of the records whose groups were past the limit.
    pub fn is_other(&self) -> bool {
        self.group.first() == Some(&OutputValue::Other)
    }
}

/// The JSON of a row: what `streamgauge run --output json` writes.
impl Serialize for RowEmission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RowLine { row: self, complete: true }.serialize(serializer)
    }
}

/// A row of a window that may not be complete.
pub(super) struct RowLine<'a> {
    pub(super) row: &'a RowEmission,
    pub(super) complete: bool,
}

impl Serialize for RowLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let RowEmission { revision, values, form, .. } = self.row;
        let mut row = serializer.serialize_map(None)?;
        serialize_key(self.row, &mut row)?;
        row.serialize_entry("revision", revision)?;
        if !self.complete {
            row.serialize_entry("complete", &false)?;
        }
        if self.row.is_retracted() {
            row.serialize_entry("retracted", &true)?;
        }
        for (name, value) in form.columns.iter().zip(values) {
            row.serialize_entry(name, value)?;
        }
        row.end()
    }
}

/// The key of a row: what it begins with.
pub(super) struct RowKey<'a>(pub(super) &'a RowEmission);

impl Serialize for RowKey<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut key = serializer.serialize_map(None)?;
        serialize_key(self.0, &mut key)?;
        key.end()
    }
}

fn serialize_key<M: SerializeMap>(row: &RowEmission, map: &mut M) -> Result<(), M::Error> {
    let RowEmission { window, group, form, .. } = row;
    if let Some(query) = &form.query {
        map.serialize_entry("query", query)?;
    }
    match (window, &form.zone) {
        (Some(window), Some(zone)) if window.is_timed() => {
            map.serialize_entry("window", &ZonedWindow { window: *window, zone })?;
        }
        _ => map.serialize_entry("window", window)?,
    }
    match form.group.is_empty() {
        true => Ok(()),
        false => map.serialize_entry("group", &Named(&form.group, group)),
    }
}

/// A window whose times are those of a time zone.
struct ZonedWindow<'a> {
    window: Window,
    zone: &'a TimeZone,
}

impl Serialize for ZonedWindow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |time: Timestamp| self.zone.display(time).to_string();
        let number = self.window.number();
        let fields = 2 + usize::from(number.is_some());
        let mut window = serializer.serialize_struct("Window", fields)?;
        window.serialize_field("start", &shown(self.window.start()))?;
        window.serialize_field("end", &shown(self.window.end()))?;
        if let Some(number) = number {
            window.serialize_field("number", &number)?;
        }
        window.end()
    }
}

/// Values with their names.
struct Named<'a>(&'a [String], &'a [OutputValue]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}
