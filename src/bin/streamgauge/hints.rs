//! Hints on a run whose records lack a field, or are all dead letters.

use crate::output::digits::count;
use crate::output::printable;
use crate::settings::Settings;
use streamgauge::adapter::files::{Format, JsonNames};

/// Bytes of the beginnings of inputs that are kept for the names of their fields.
const BEGINNING_BYTES_MAX: usize = 64 << 10;

/// Characters of a reason that are shown.
const REASON_MAX: usize = 200;

/// Collects what the hints need.
#[derive(Default)]
pub(crate) struct Hints {
    /// The fields of the event time, and the flag or key that names them.
    time: (Vec<String>, &'static str),
    /// Whole lines of the first JSON inputs.
    beginning: Vec<u8>,
    /// Records that could be decoded but not aggregated.
    refused: u64,
    /// The reason of the first dead letter.
    first_reason: Option<String>,
    told: bool,
}

impl Hints {
    /// Creates the hints of a run. `time_fields` are those of the event time.
    pub(crate) fn new(settings: &Settings, time_fields: &[String]) -> Self {
        let written = if settings.flags.contains(&"time") { "--time" } else { "the key time" };
        Hints { time: (time_fields.to_vec(), written), ..Hints::default() }
    }

    /// Records the beginning of an input.
    pub(crate) fn look(&mut self, format: Format, bytes: &[u8]) {
        let room = BEGINNING_BYTES_MAX.saturating_sub(self.beginning.len());
        let bytes = &bytes[..bytes.len().min(room)];
        if format == Format::JsonLines
            && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
        {
            self.beginning.extend_from_slice(&bytes[..=end]);
        }
    }

    /// Records how many records could be decoded but not aggregated.
    pub(crate) fn set_refused(&mut self, refused: u64) {
        self.refused = refused;
    }

    /// Records the reason of the first dead letter.
    pub(crate) fn dead_letter(&mut self, reason: &str) {
        if self.first_reason.is_none() {
            self.first_reason = Some(printable(reason).chars().take(REASON_MAX).collect());
        }
    }

    /// Returns true if no early hint has been given.
    pub(crate) fn is_silent(&self) -> bool {
        !self.told
    }

    /// Returns the early hint of a run that has no aggregated record so far: that the event time is
    /// missing. Given once.
    pub(crate) fn early(&mut self, unseen: &[String], records: u64) -> Option<String> {
        self.told = true;
        self.missing_time(unseen)
            .map(|missing| format!("note: {} records so far, and {missing}\n", count(records)))
    }

    /// Explains why all of the records are dead letters.
    pub(crate) fn all_dead(&self, unseen: &[String], dead: u64) -> String {
        let all = format!("every record was a dead letter, {0} of {0}", count(dead));
        if let Some(missing) = self.missing_time(unseen) {
            return format!("{all}: {missing}");
        }
        let first = self.first_reason.as_deref().unwrap_or("no reason is known");
        match self.refused {
            0 => format!("{all}; the first: {first}: is it another format (--format)?"),
            _ => format!("{all}; the first: {first}"),
        }
    }

    /// Returns notes on fields that no record had. The fields of the first records are listed once.
    pub(crate) fn unseen(&self, unseen: &[String]) -> Vec<String> {
        let names = JsonNames::of(&self.beginning);
        let note = |(index, field): (usize, &String)| {
            let shown = printable(field);
            match names.is_empty() || index > 0 {
                _ if names.contains(field) => {
                    format!("note: field {shown:?} had no value in any record\n")
                }
                true => format!("note: field {shown:?} was in no record\n"),
                false => format!(
                    "note: field {shown:?} was in no record; the first records have {}\n",
                    names.instead_of(field)
                ),
            }
        };
        unseen.iter().enumerate().map(note).collect()
    }

    fn missing_time(&self, unseen: &[String]) -> Option<String> {
        // The fields of a record that could not be decoded are not known.
        let (fields, written) = &self.time;
        let field = fields.iter().find(|field| self.refused > 0 && unseen.contains(field))?;
        let names = JsonNames::of(&self.beginning);
        if names.contains(field) {
            let field = printable(field);
            return Some(format!("the field {field:?} that {written} names has no value in any"));
        }
        let have = if names.is_empty() {
            String::new()
        } else {
            format!("; they have {}", names.instead_of(field))
        };
        Some(format!("none has the field {:?} that {written} names{have}", printable(field)))
    }
}
