//! How exact the columns are, in words.

use super::numbers::counted;
use crate::view::answers::Answer;
use crate::view::columns::{Column, Values};
use streamgauge::row::OutputValue;

/// Functions whose plain numbers are exact.
const EXACT: [&str; 12] = [
    "max_by",
    "min_by",
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "variance",
    "stddev",
    "first",
    "last",
    "frequency",
];

/// What the bounds of estimates are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bounds {
    /// They hold with a probability.
    Confidence,
    /// They hold, and are this close.
    Percentile,
    /// They hold.
    Certain,
}

fn bounds(column: &Column) -> Bounds {
    match column.function() {
        Some("distinct") => Bounds::Confidence,
        Some("median") => Bounds::Percentile,
        Some(name)
            if name.starts_with('p') && name[1..].starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Bounds::Percentile
        }
        _ => Bounds::Certain,
    }
}

/// Returns how many answers of a column there are, and how many of them are exact.
fn exact_answers<'a>(column: &Column, rows: impl Iterator<Item = &'a Answer>) -> (usize, usize) {
    let values = rows.map(|row| column.of(row)).filter(|value| **value != OutputValue::Null);
    values.fold((0, 0), |(all, exact), value| (all + 1, exact + usize::from(is_exact(value))))
}

fn is_exact(value: &OutputValue) -> bool {
    match value {
        OutputValue::Estimate { lower, upper, .. } => lower == upper,
        OutputValue::Top(rows) => rows.iter().all(|row| row.lower == row.upper),
        _ => true,
    }
}

/// Returns a few words for beside a chart; nothing if it is not known.
pub(super) fn briefly<'a>(column: &Column, rows: impl Iterator<Item = &'a Answer>) -> &'static str {
    if column.values != Values::Estimates {
        return if is_known(column) { "exact" } else { "" };
    }
    let (all, exact) = exact_answers(column, rows);
    match bounds(column) {
        Bounds::Percentile => "within 0.5 %",
        _ if all == exact => "exact",
        Bounds::Confidence => "95 % interval",
        Bounds::Certain => "bounds hold",
    }
}

fn is_known(column: &Column) -> bool {
    column.function().is_some_and(|name| EXACT.contains(&name))
}

/// Returns a sentence for the end of the page.
pub(super) fn in_full<'a>(
    column: &Column,
    rows: impl Iterator<Item = &'a Answer>,
    is_summed_up: bool,
) -> String {
    let (all, exact) = exact_answers(column, rows);
    let some = format!("Exact in {} of {} answers; else", counted(exact), counted(all));
    match (column.values, bounds(column)) {
        (Values::Estimates, Bounds::Percentile) => {
            "Value of nearest rank, within 0.5 %; the bounds hold.".to_owned()
        }
        (Values::Estimates, _) if all == exact => "Exact.".to_owned(),
        (Values::Estimates, Bounds::Confidence) => {
            let estimate = if exact > 0 { format!("{some} an") } else { "An".to_owned() };
            format!("{estimate} estimate whose interval holds the truth with 95 % confidence.")
        }
        (Values::Estimates, Bounds::Certain) => format!("{some} the bounds hold."),
        (Values::Tops, _) => {
            let own = match () {
                () if all == exact && all == 1 => "Exact.".to_owned(),
                () if all == exact => format!("Exact in all {} answers.", counted(all)),
                () => format!("{some} the bounds hold."),
            };
            own + if is_summed_up { " Over all windows: bounds that hold." } else { "" }
        }
        _ => plain(column).to_owned(),
    }
}

fn plain(column: &Column) -> &'static str {
    match column.function() {
        Some("sum") => "Exact for integers; floats are summed exactly and rounded once.",
        Some("mean") => "Summed exactly and rounded once.",
        _ if is_known(column) => "Exact.",
        _ => "As its aggregate is.",
    }
}
