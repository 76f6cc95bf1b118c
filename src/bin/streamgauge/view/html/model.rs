//! The answers as charts and tables need them: windows in order, groups by their size, columns.

use crate::view::answers::{Answer, Answers, Place, identity};
use crate::view::columns::{Column, Values};
use crate::view::numbers::bounds;
use crate::view::times::{Zone, words};
use std::collections::{BTreeMap, HashMap};
use streamgauge::Timestamp;
use streamgauge::row::{Number, OutputValue};

/// A window whose input ends before this share of its length from its end is cut short.
const CUT_SHARE: f64 = 0.1;

/// A number of a window, ready to be drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Point {
    /// The index of the window.
    pub(super) window: usize,
    /// The middle of the window, from 0 to 1 over the whole time.
    pub(super) x: f64,
    pub(super) value: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// The answers of a group, by window.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    pub(super) keys: &'a [OutputValue],
    pub(super) rows: Vec<&'a Answer>,
    /// What groups are ordered by, the largest first.
    pub(super) size: f64,
}

/// What is known of the answers beside them.
#[derive(Debug)]
pub(super) struct Source {
    /// The aggregates of columns whose names do not say them.
    pub(super) expressions: HashMap<String, String>,
    pub(super) zone: Zone,
    /// The time of the last record, if that is known.
    pub(super) latest: Option<Timestamp>,
}

/// The answers of a page.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) columns: Vec<Column>,
    pub(super) group_names: &'a [String],
    /// The time zone that times are shown in.
    pub(super) zone: &'a Zone,
    pub(super) groups: Vec<Group<'a>>,
    /// Start and end of all windows, in order; none without windows.
    pub(super) windows: Vec<Place>,
    /// Windows before this index are not cut short by the end of the input.
    pub(super) whole: usize,
    /// True if windows overlap, so that their values cannot be added.
    pub(super) overlapping: bool,
    /// The least distance between the starts of two windows.
    pub(super) spacing: i64,
    /// The first start and the last end of all windows.
    pub(super) time: (i64, i64),
    indices: HashMap<Place, usize>,
}

impl<'a> Model<'a> {
    pub(super) fn new(answers: &'a Answers, source: &'a Source, columns_max: usize) -> Self {
        let rows: Vec<&Answer> = answers.rows().collect();
        let mut columns = Column::all(&answers.columns, &source.expressions, &rows);
        columns.truncate(columns_max);
        let places: BTreeMap<Place, bool> = rows.iter().fold(BTreeMap::new(), |mut all, row| {
            if let Some(window) = row.window {
                let place = (window.start().as_millis(), window.end().as_millis());
                *all.entry(place).or_insert(true) &= row.is_complete;
            }
            all
        });
        let whole = places.iter().rev().take_while(|(place, complete)| {
            !**complete || source.latest.is_some_and(|latest| is_cut(**place, latest))
        });
        let whole = places.len() - whole.count();
        let windows: Vec<Place> = places.into_keys().collect();
        let indices = windows.iter().enumerate().map(|(index, place)| (*place, index)).collect();
        let pairs = || windows.windows(2).map(|pair| (pair[0], pair[1]));
        let start = windows.first().map_or(0, |place| place.0);
        let end = windows.iter().map(|place| place.1).max().unwrap_or(start);
        let mut model = Model {
            time: (start, end.max(start.saturating_add(1))),
            columns,
            group_names: &answers.group_names,
            zone: &source.zone,
            groups: Vec::new(),
            whole,
            overlapping: pairs().any(|(one, next)| next.0 < one.1),
            spacing: pairs()
                .map(|(one, next)| next.0.saturating_sub(one.0))
                .filter(|gap| *gap > 0)
                .min()
                .unwrap_or(1),
            windows,
            indices,
        };
        model.groups = model.grouped(&rows);
        model
    }

    fn grouped(&self, rows: &[&'a Answer]) -> Vec<Group<'a>> {
        let mut groups: BTreeMap<String, Vec<&'a Answer>> = BTreeMap::new();
        for row in rows {
            groups.entry(identity(&row.group)).or_default().push(row);
        }
        let mut groups: Vec<Group<'a>> = groups
            .into_values()
            .filter_map(|rows| {
                let (keys, size) = (&rows.first()?.group, self.size_of(&rows));
                Some(Group { keys, rows, size })
            })
            .collect();
        // Stable: groups of one size stay in the order of their keys.
        groups.sort_by(|a, b| b.size.total_cmp(&a.size));
        groups
    }

    /// The sum of the measure of sizes over windows, or its mean where it cannot be added.
    fn size_of(&self, rows: &[&Answer]) -> f64 {
        let Some(column) = self.measure() else { return rows.len() as f64 };
        let sum: f64 =
            rows.iter().filter_map(|row| bounds(column.of(row))).map(|value| value.0).sum();
        match column.is_additive() && !self.overlapping {
            true => sum,
            false => sum / rows.len().max(1) as f64,
        }
    }

    /// Returns the columns that lines are drawn of.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.is_drawn())
    }

    /// Returns the columns with a value in a cell.
    pub(super) fn cells(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.values != Values::Tops)
    }

    /// Returns the columns of most frequent values.
    pub(super) fn tops(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.values == Values::Tops)
    }

    /// Returns the column that groups are ordered by: the first that can be added.
    pub(super) fn measure(&self) -> Option<&Column> {
        self.drawn().find(|column| column.is_additive()).or_else(|| self.drawn().next())
    }

    pub(super) fn is_grouped(&self) -> bool {
        !self.group_names.is_empty()
    }

    /// Returns true if values of several windows can be compared.
    pub(super) fn is_over_time(&self) -> bool {
        self.windows.len() > 1
    }

    /// Returns true if the column's values can be added over windows.
    pub(super) fn is_summed(&self, column: &Column) -> bool {
        column.is_additive() && !self.overlapping
    }

    /// Returns the length of the windows in words, if all have one length.
    pub(super) fn length_words(&self) -> Option<String> {
        let mut lengths = self.windows.iter().map(|place| place.1.saturating_sub(place.0));
        let length = lengths.next()?;
        lengths.all(|other| other == length).then(|| words(length))
    }

    /// Returns the index of a row's window; 0 without windows.
    pub(super) fn window_of(&self, row: &Answer) -> usize {
        let place = row.window.map(|window| (window.start().as_millis(), window.end().as_millis()));
        place.and_then(|place| self.indices.get(&place)).copied().unwrap_or_default()
    }

    /// Returns the middle of a window, from 0 to 1 over the whole time.
    pub(super) fn middle_of(&self, window: usize) -> f64 {
        let (start, end) = self.time;
        let place = self.windows.get(window).copied().unwrap_or((start, end));
        let middle = (place.0 as f64 + place.1 as f64) / 2.0;
        (middle - start as f64) / (end as f64 - start as f64)
    }

    /// Returns the numbers of a column that can be drawn.
    pub(super) fn points(&self, rows: &[&Answer], column: &Column) -> Vec<Point> {
        let point = |row: &&Answer| {
            let (value, lower, upper) = bounds(column.of(row))?;
            let window = self.window_of(row);
            Some(Point { window, x: self.middle_of(window), value, lower, upper })
        };
        rows.iter().filter_map(point).collect()
    }

    /// Returns true if the line between two windows is broken, as a window between them is missing.
    pub(super) fn is_gap(&self, before: usize, after: usize) -> bool {
        match (self.windows.get(before), self.windows.get(after)) {
            (Some(before), Some(after)) => {
                2 * after.0.saturating_sub(before.0) > self.spacing.saturating_mul(3)
            }
            _ => false,
        }
    }
}

fn is_cut((start, end): Place, latest: Timestamp) -> bool {
    let missing = end.saturating_sub(latest.as_millis()) as f64;
    missing > CUT_SHARE * (end.saturating_sub(start) as f64)
}

/// Returns the sum of the values of a column, exact if all are integers.
pub(super) fn sum<'a>(rows: impl Iterator<Item = &'a Answer>, column: &Column) -> Number {
    let (mut integers, mut floats, mut is_float) = (0i128, 0f64, false);
    for row in rows {
        let value = match column.of(row) {
            OutputValue::Integer(integer) => Number::Int(*integer),
            OutputValue::Float(float) => Number::Float(*float),
            OutputValue::Estimate { value, .. } => *value,
            _ => continue,
        };
        floats += value.to_f64();
        match value {
            Number::Int(integer) => {
                let sum = integers.checked_add(integer);
                (integers, is_float) = (sum.unwrap_or_default(), is_float || sum.is_none());
            }
            Number::Float(_) => is_float = true,
        }
    }
    if is_float { Number::Float(floats) } else { Number::Int(integers) }
}
