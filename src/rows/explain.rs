//! Explains a pipeline and its cost before it runs.

use super::group_memory::GroupMemory;
use super::row_aggregate::{Plan, StateSpec, TOP_ROWS_MIN};
use crate::aggregate::{DEFAULT_ACCURACY, DISTINCT_EXACT_MAX, DISTINCT_PRECISION, distinct_errors};
use crate::engine::EngineOptions;
use crate::query::aggregates::{Answer, Answers, Function};
use crate::sketch::LogHistogram;
use std::fmt;
use std::time::Duration;

/// The explanation of a pipeline and its cost. `Display` writes a few lines.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// Size and slide of the windows, of calendar windows the longest and the shortest; `None`
    /// without windows.
    pub windows: Option<(Duration, Duration)>,
    /// Calendar windows and windows of each group in words; `None` for others.
    pub words: Option<String>,
    /// Panes of a window. A record goes into one pane.
    pub panes_per_window: u64,
    /// Maximum windows of a record.
    pub windows_per_record: u64,
    /// Maximum groups per pane; `None` without groups.
    pub groups_max: Option<usize>,
    /// Minimum bytes of one group's state, approximately: with empty sketches.
    pub group_bytes_min: usize,
    /// Maximum bytes of one group's state, approximately.
    pub group_bytes_max: usize,
    /// Maximum panes that are held until windows fire, each with its own groups; `None` if the
    /// out-of-orderness is unbounded and the number depends on the length of the input.
    pub panes_held_max: Option<u64>,
    /// Maximum bytes of one group in a snapshot, approximately: whole, and made as small as
    /// [`snapshot_within`](crate::engine::Control::snapshot_within) can.
    pub group_written_max: (usize, usize),
    /// The limit of the state in bytes:
    /// [`Limits::state_bytes_max`](crate::Limits::state_bytes_max).
    pub state_bytes_max: usize,
    /// Each column with the accuracy of its numbers.
    pub columns: Vec<(String, String)>,
    /// A sentence on `max_delay` and late records in this pipeline.
    pub lateness: String,
    /// The lookups that expressions use, each with its rows and its bytes of memory. They are not
    /// part of the state.
    pub lookups: Vec<(String, usize, usize)>,
    memory: GroupMemory,
}

/// Assumed bytes of a key of unknown length.
const KEY_BYTES: usize = 64;

impl Explanation {
    pub(super) fn new(
        engine: &EngineOptions,
        plan: &Plan,
        (answers, group_fields): (&Answers, usize),
        lateness: String,
    ) -> Self {
        let windows = engine.windows.size_and_slide();
        let group_bytes =
            |bytes: fn(&StateSpec) -> usize| plan.states.iter().map(bytes).sum::<usize>() + 64;
        Explanation {
            windows,
            words: engine.windows.words(),
            panes_per_window: engine.windows.panes_per_window(),
            windows_per_record: engine.windows.windows_per_record(),
            groups_max: (group_fields > 0).then_some(engine.limits.groups_max),
            group_bytes_min: group_bytes(state_bytes_min),
            group_bytes_max: group_bytes(state_bytes_max),
            group_written_max: (
                written_max(plan, |written| written.0),
                written_max(plan, |written| written.1),
            ),
            panes_held_max: panes_held_max(engine),
            state_bytes_max: engine.limits.state_bytes_max,
            columns: answers
                .columns
                .iter()
                .map(|column| (column.name.clone(), worth_of(&column.answer, answers)))
                .collect(),
            lateness,
            lookups: Vec::new(),
            memory: GroupMemory::of(&plan.states, engine.windows.is_per_group()),
        }
    }

    /// Returns the bytes that a number of groups is expected to take in one pane, or in a session
    /// of each, if each has this number of records. The true number is between half and twice as
    /// many, unless many records of a group have the same key in a top-k or a distinct count: then
    /// it is less.
    ///
    /// # Example
    /// ```
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::CompileOptions;
    /// let text = "group = \"user\"\nagg = \"count, p99(latency_ms)\"";
    /// let pipeline = PipelineSpec::from_toml(text, "a.toml")?.compile(&CompileOptions::default())?;
    /// let expected = |records| pipeline.explain().expected_bytes(1_000_000, records);
    /// assert!(expected(1) < 300_000_000 && expected(1) < expected(100));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn expected_bytes(&self, groups: usize, records: u64) -> usize {
        groups.saturating_mul(self.memory.bytes(records))
    }

    /// Explains rows that are passed on with these columns, instead of aggregates.
    pub(super) fn pass_on<'a>(&mut self, columns: impl Iterator<Item = &'a String>) {
        self.words = Some("none; each record is passed on as a row".into());
        self.lateness = "none; a row is given when its record comes".into();
        let worth = |name: &String| (name.clone(), "of each record".into());
        self.columns = columns.map(worth).collect();
    }

    /// Returns the maximum bytes of the whole state, approximately: groups times panes times the
    /// bytes of a group, or the limit if that is lower.
    fn state_bytes_worst(&self) -> usize {
        let groups = self.groups_max.unwrap_or(1);
        let panes = self.panes_held_max.unwrap_or(u64::MAX).max(1);
        let bytes = self
            .group_bytes_max
            .saturating_mul(groups)
            .saturating_mul(usize::try_from(panes).unwrap_or(usize::MAX));
        bytes.min(self.state_bytes_max)
    }
}

/// Tells if a snapshot fits into a number of bytes for any records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fit {
    /// The whole state fits.
    Whole,
    /// It fits after sketches are made smaller, with wider bounds.
    Reduced,
    /// It may not fit: more groups or panes are possible than there is room for.
    Unsure,
}

impl Explanation {
    /// Returns the maximum bytes of a snapshot, approximately: whole, and made as small as
    /// possible. Returns `None` if the number of panes depends on the length of the input. Keys
    /// count with up to 64 bytes.
    pub fn snapshot_bytes_max(&self) -> Option<(usize, usize)> {
        let panes = usize::try_from(self.panes_held_max?).unwrap_or(usize::MAX);
        // Plus one for (other).
        let groups = self.groups_max.map_or(1, |groups| groups.saturating_add(1));
        let all = |group: usize| {
            group
                .saturating_mul(groups)
                .saturating_add(PANE_WRITTEN)
                .saturating_mul(panes)
                .saturating_add(ENVELOPE_WRITTEN)
        };
        Some((all(self.group_written_max.0), all(self.group_written_max.1)))
    }

    /// Tells if a snapshot fits into this number of bytes: the result of
    /// [`snapshot_within`](crate::engine::Control::snapshot_within), known before the first record.
    pub fn fit(&self, bytes_max: usize) -> Fit {
        match self.snapshot_bytes_max() {
            Some((whole, _)) if whole <= bytes_max => Fit::Whole,
            Some((_, reduced)) if reduced <= bytes_max => Fit::Reduced,
            _ => Fit::Unsure,
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fit::Whole => "fits whole",
            Fit::Reduced => "fits, with sketches made smaller if need be",
            Fit::Unsure => {
                "may not fit: fewer groups (limit_groups), a shorter window or a longer \
                            slide make it smaller"
            }
        })
    }
}

/// Bytes of an envelope and everything except panes: positions of a few shards, counts.
const ENVELOPE_WRITTEN: usize = 4096;

/// Bytes of a pane beside its groups.
const PANE_WRITTEN: usize = 16;

fn written_max(plan: &Plan, form: fn((usize, usize)) -> usize) -> usize {
    let states: usize = plan.states.iter().map(|state| form(state_written_max(state))).sum();
    states.saturating_add(KEY_BYTES + 8)
}

/// Returns the maximum bytes of a state in a snapshot: whole and in its smallest form.
fn state_written_max(state: &StateSpec) -> (usize, usize) {
    let same = |bytes| (bytes, bytes);
    // A key, its count and its error; and the filter's cells for each counter.
    let row = KEY_BYTES + 20;
    let filter = 48;
    match state {
        StateSpec::Sum(..) => same(400),
        StateSpec::Squares(..) => same(900),
        StateSpec::MinBy(..) | StateSpec::MaxBy(..) => same(2 * KEY_BYTES + 40),
        StateSpec::First(..) | StateSpec::Last(..) | StateSpec::Min(..) | StateSpec::Max(..) => {
            same(KEY_BYTES + 20)
        }
        // Both signs: all buckets that may have numbers, each with the distance to the previous
        // one; or two for each possible doubling.
        StateSpec::Histogram(..) => {
            (64 + 2 * histogram_buckets_max() * 5, 64 + 2 * 2 * DOUBLINGS * 3)
        }
        StateSpec::Buckets(..) => same(64 + 2 * 2 * DOUBLINGS * 3),
        StateSpec::Distinct(..) => {
            ((DISTINCT_EXACT_MAX * 9).max(1 << DISTINCT_PRECISION) + 64, 128)
        }
        StateSpec::Top(..) | StateSpec::Heaviest(..) => {
            let counters = counters_max(state);
            (
                counters.saturating_mul(2 * row + filter).saturating_add(64),
                counters.min(TOP_ROWS_MIN) * (2 * row + filter) + 64,
            )
        }
        _ => same(20),
    }
}

/// Returns the number of counters of a top-k; 0 of any other state.
fn counters_max(state: &StateSpec) -> usize {
    match state {
        StateSpec::Top(_, top) => top.counters_max(),
        StateSpec::Heaviest(_, top) => top.counters_max(),
        _ => 0,
    }
}

/// Doublings between the smallest and the largest double.
const DOUBLINGS: usize = 2098;

/// Returns the number of buckets of a percentile's histogram that may have numbers, for each sign.
fn histogram_buckets_max() -> usize {
    LogHistogram::with_accuracy(DEFAULT_ACCURACY).map_or(0, |histogram| histogram.buckets_max())
}

/// Bytes of a state in Lambda's tumbling window, in base64: 1 MB minus room for its envelope.
const LAMBDA_STATE_BYTES: usize = 900_000 / 4 * 3;

/// Returns the panes between the oldest window that has not fired and the newest record, plus the
/// same number of merges of them.
fn panes_held_max(engine: &EngineOptions) -> Option<u64> {
    if let Some(length) = engine.windows.schedule().group_window_length() {
        // Those of one group that can still get records, and the one of the latest record.
        let held = u64::try_from(engine.out_of_orderness?.as_millis()).unwrap_or(u64::MAX);
        return Some((held / length.unsigned_abs()).saturating_add(2));
    }
    if let Some(parts) = engine.windows.schedule().row_parts() {
        return Some(parts as u64);
    }
    let Some((size, slide)) = engine.windows.size_and_slide() else { return Some(1) };
    let held =
        size.saturating_add(engine.out_of_orderness?).saturating_add(engine.allowed_lateness);
    let slides = u64::try_from(held.as_millis().div_ceil(slide.as_millis().max(1)))
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let panes = match engine.windows.panes_per_window() {
        1 => return Some(slides),
        panes if size.as_millis() % slide.as_millis().max(1) == 0 => slides.saturating_add(panes),
        panes => slides.saturating_mul(2).saturating_add(panes),
    };
    Some(panes)
}

fn state_bytes_min(state: &StateSpec) -> usize {
    const CELL: usize = 48;
    match state {
        StateSpec::Squares(..) => CELL + 240,
        StateSpec::Histogram(..) | StateSpec::Buckets(..) => CELL + size_of::<LogHistogram>(),
        StateSpec::Distinct(..) => CELL + 64,
        StateSpec::Top(..) | StateSpec::Heaviest(..) => CELL + 200,
        _ => CELL,
    }
}

fn state_bytes_max(state: &StateSpec) -> usize {
    let held = match state {
        StateSpec::MinBy(..) | StateSpec::MaxBy(..) => 2 * KEY_BYTES + 40,
        StateSpec::First(..) | StateSpec::Last(..) | StateSpec::Min(..) | StateSpec::Max(..) => {
            KEY_BYTES
        }
        // Both signs, with the negative one in a box; entries of a list that may have twice the
        // needed capacity.
        StateSpec::Histogram(..) => 2 * histogram_buckets_max() * 24 + 128,
        // Both signs, two buckets for each possible doubling.
        StateSpec::Buckets(..) => 2 * 2 * DOUBLINGS * 24 + 128,
        StateSpec::Distinct(..) => (DISTINCT_EXACT_MAX * 20).max(1 << DISTINCT_PRECISION),
        // Twice as many rows as counters, and the filter.
        StateSpec::Top(..) | StateSpec::Heaviest(..) => {
            counters_max(state).saturating_mul(2 * (75 + KEY_BYTES) + 64)
        }
        _ => 0,
    };
    state_bytes_min(state).saturating_add(held)
}

/// Returns the accuracy of a column's numbers.
fn worth_of(answer: &Answer, answers: &Answers) -> String {
    if let Answer::Call(index) = answer {
        return answers.calls.get(*index).map_or_else(String::new, worth);
    }
    "computed for each row of the answer; with bounds where an aggregate in it has bounds".into()
}

/// Returns the accuracy of an aggregate's numbers.
fn worth(function: &Function) -> String {
    match function {
        Function::Count | Function::CountOf(_) => "exact".into(),
        Function::Sum(_) => "exact for integers; floats are summed exactly and rounded once".into(),
        Function::Mean(_) => "the exact mean, rounded".into(),
        Function::Variance(_) | Function::Stddev(_) => {
            "of the sample (n - 1), from exact sums, rounded".into()
        }
        Function::Min(_) | Function::Max(_) => {
            "exact; numbers come before truth values, times and other text".into()
        }
        Function::First(_) => "exact; of equal event times the record that came first".into(),
        Function::Last(_) => "exact; of equal event times the record that came last".into(),
        Function::MinBy(..) | Function::MaxBy(..) => {
            "exact; of equal values the largest for max_by, the smallest for min_by".into()
        }
        Function::Frequency(..) => "exact: the one value is counted".into(),
        Function::Quantile(..) => format!("nearest rank; {}", histogram_worth()),
        Function::Median(_) => {
            format!("the middle value, or the mean of the two; {}", histogram_worth())
        }
        Function::Buckets(_) => "exact counts; two buckets for each doubling".into(),
        Function::Distinct(_) => format!(
            "exact up to {DISTINCT_EXACT_MAX} distinct values, then HyperLogLog: {:.1} to {:.1} % \
             either way, with 95 % confidence for each answer",
            100.0 * distinct_errors(DISTINCT_PRECISION).start(),
            100.0 * distinct_errors(DISTINCT_PRECISION).end()
        ),
        Function::Top { counters, .. } => format!(
            "exact up to {counters} distinct values, then each count is at most 1/{} of all records too high, with certain bounds for all of them at once",
            counters.saturating_add(1)
        ),
    }
}

/// Returns the accuracy of a value of a histogram.
fn histogram_worth() -> String {
    format!(
        "within {} % of the value, with certain bounds, while the numbers of each sign are in at \
         most {} buckets of 0.8 %; past \
             that all buckets are joined in pairs, and the bounds tell the larger error",
        DEFAULT_ACCURACY * 100.0,
        histogram_buckets_max()
    )
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |size: Duration, slide: Duration| match &self.words {
            Some(words) => words.clone(),
            None if size == slide => format!("{size:?} each"),
            None => format!("{size:?} every {slide:?}"),
        };
        match self.windows {
            None => {
                let words = self.words.as_deref().unwrap_or("one over everything");
                writeln!(f, "windows: {words}")?
            }
            Some((size, slide)) if self.panes_per_window == 1 && self.windows_per_record == 1 => {
                writeln!(f, "windows: {}, one pane a window", words(size, slide))?
            }
            Some((size, slide)) => writeln!(
                f,
                "windows: {}; {} panes a window, a record goes into one pane and is in up to {} \
                 windows, a slide costs at most \
                 3 merges for each pane that enters (amortised)",
                words(size, slide),
                self.panes_per_window,
                self.windows_per_record
            )?,
        }
        writeln!(f, "late records: {}", self.lateness)?;
        let (least, most) = (Bytes(self.group_bytes_min), Bytes(self.group_bytes_max));
        match self.groups_max {
            None => writeln!(f, "state: {least} to {most} a pane")?,
            Some(groups) => writeln!(
                f,
                "state: {least} to {most} a group and pane, at most {groups} groups a pane; the \
                 rest is (other)"
            )?,
        }
        match self.panes_held_max {
            None => writeln!(
                f,
                "panes held: those that the input spans, since nothing is answered before its end"
            )?,
            Some(panes) => writeln!(
                f,
                "panes held: at most {panes}, between the oldest window that waits and the latest \
                 record"
            )?,
        }
        writeln!(
            f,
            "memory at worst: {} (the limit is {})",
            Bytes(self.state_bytes_worst()),
            Bytes(self.state_bytes_max)
        )?;
        if let Some((whole, reduced)) = self.snapshot_bytes_max() {
            writeln!(
                f,
                "snapshot at worst: {}, or {} with sketches made smaller; in Lambda's state of a \
                 window it {}",
                Bytes(whole),
                Bytes(reduced),
                self.fit(LAMBDA_STATE_BYTES)
            )?;
        }
        for (name, rows, bytes) in &self.lookups {
            let bytes = Bytes(*bytes);
            writeln!(f, "lookup {name}: {rows} rows, {bytes} of memory, beside the state")?;
        }
        writeln!(f, "columns:")?;
        self.columns.iter().try_for_each(|(name, worth)| writeln!(f, "  {name}: {worth}"))
    }
}

/// A number of bytes for people.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut unit = "B";
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            value /= 1024.0;
            unit = larger;
        }
        if unit == "B" || value >= 100.0 {
            write!(f, "{value:.0} {unit}")
        } else {
            write!(f, "{value:.1} {unit}")
        }
    }
}
