//! What became of a row, in words: for a person who asks why a record is in no answer.

use super::evaluate::{Shared, shown};
use super::row_pipeline::RowPipeline;
use crate::engine::{Control, Outcome};
use crate::row::Row;
use crate::time::Timestamp;
use crate::window::Place;
use std::fmt::{Display, Write};

/// Windows that are named; the others are counted.
const WINDOWS_NAMED: usize = 3;

impl RowPipeline {
    /// Says what became of a row that was just added with this outcome, and why: the condition that
    /// did not hold, by its number from 1, and the fields that the conditions read; or the event
    /// time with the windows and the group; or by how much it was late.
    ///
    /// Of several queries it is the first one. Cost: that of evaluating the conditions again.
    pub fn trace<D: Display>(&self, row: &Row, arrival: Timestamp, outcome: &Outcome<D>) -> String {
        let mut text = String::new();
        // Writing text to a string does not fail.
        let _ = match outcome {
            Outcome::Applied => self.trace_applied(row, arrival, &mut text),
            Outcome::Filtered => self.trace_filtered(row, &mut text),
            Outcome::Late(time) => match self.watermark() {
                Some(watermark) => {
                    let by = watermark.as_millis().saturating_sub(time.as_millis());
                    write!(text, "late by {by} ms: time {time}, watermark {watermark}")
                }
                None => write!(text, "late: time {time}"),
            },
            Outcome::DeadLetter(reason) => write!(text, "dead letter: {reason}"),
            Outcome::Duplicate => write!(text, "duplicate: its position was applied before"),
            Outcome::BetweenWindows => {
                let time = self.time_of(row, arrival);
                write!(text, "between windows: time {}", time.unwrap_or(arrival))
            }
            Outcome::Blank => write!(text, "blank"),
        };
        text
    }

    fn time_of(&self, row: &Row, arrival: Timestamp) -> Option<Timestamp> {
        match &self.preparer.time {
            None => Some(arrival),
            Some(field) => row.event_time(field).ok(),
        }
    }

    fn trace_filtered(&self, row: &Row, text: &mut String) -> std::fmt::Result {
        let preparer = &self.preparer;
        // The conditions are evaluated again, and what they count was counted.
        let shared = Shared::new(preparer.nulls.clone());
        let failed = preparer.filter.iter().position(|condition| !condition.holds(row, &shared));
        match failed {
            Some(index) => write!(text, "filtered by condition {}", index + 1)?,
            None => text.push_str("filtered"),
        }
        let fields = self.fields().iter().take(preparer.filter_slots).enumerate();
        write_values(text, ": ", fields.map(|(slot, name)| (name.as_str(), slot)), row)
    }

    fn trace_applied(&self, row: &Row, arrival: Timestamp, text: &mut String) -> std::fmt::Result {
        text.push_str("applied");
        if let Some(time) = self.time_of(row, arrival) {
            if self.windows.are_timed() || self.preparer.time.is_some() {
                write!(text, ": time {time}")?;
            }
            self.trace_windows(time, text)?;
        }
        let names = self.group_names().iter().map(String::as_str);
        write_values(text, ", group ", names.zip(self.preparer.group_slots.iter().copied()), row)
    }

    fn trace_windows(&self, time: Timestamp, text: &mut String) -> std::fmt::Result {
        if self.windows.is_per_group() || self.windows.is_of_rows() {
            return write!(text, ", a window of its group");
        }
        let schedule = self.windows.schedule();
        let Place::In(pane) = schedule.place(time.as_millis(), 0) else { return Ok(()) };
        let (mut start, last) =
            (schedule.first_window_of(pane), schedule.last_window_of(pane.start));
        let mut named = 0;
        while start <= last && named < WINDOWS_NAMED {
            let Some(window) = schedule.window(start) else { return Ok(()) };
            write!(text, ", window {} to {}", window.start(), window.end())?;
            (start, named) = (schedule.next_window(start), named + 1);
        }
        let all = usize::try_from(self.windows.windows_per_record()).unwrap_or(usize::MAX);
        match all.saturating_sub(named) {
            more if start <= last && more > 0 => write!(text, " and about {more} more"),
            _ => Ok(()),
        }
    }
}

/// Writes values by name.
fn write_values<'a>(
    text: &mut String,
    before: &str,
    fields: impl Iterator<Item = (&'a str, usize)>,
    row: &Row,
) -> std::fmt::Result {
    for (index, (name, slot)) in fields.enumerate() {
        let between = if index == 0 { before } else { ", " };
        write!(text, "{between}{name} = {}", shown(row.value(slot)))?;
    }
    Ok(())
}
