//! Answers as JSON Lines: one object a line for each window and group.

use super::row_pipeline::RowPipeline;
use crate::row::Number;
use crate::row::OutputValue;
use crate::row::TopValue;
use crate::rows::RowEmission;
use crate::time::Timestamp;
use crate::window::TimeZone;
use std::io;

/// Writes emissions as JSON Lines:
/// `{"window":{"start":"2013-01-01T10:00:00.000Z","end":"2013-01-01T11:00:00.000Z"},"group":{"country":"DE"},"revision":0,"count":12}`.
///
/// Times are those of the pipeline's [time zone](RowPipeline::time_zone), with its offset. `window` is
/// null without one, `group` is absent without groups, and the columns follow in their
/// order. A row that takes back an earlier one has `"retracted":true` and no columns. Equal answers
/// are equal bytes.
#[derive(Clone, Debug)]
pub struct JsonLines {
    /// The names, already in quotes.
    group: Vec<String>,
    columns: Vec<String>,
    /// Whether the windows of the rows are complete.
    complete: bool,
    zone: Option<TimeZone>,
}

impl JsonLines {
    /// A writer of this pipeline's emissions.
    pub fn new(pipeline: &RowPipeline) -> Self {
        let quoted = |name: &str| {
            let mut out = Vec::new();
            write_text(name, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        JsonLines {
            group: pipeline.group_names().iter().map(|name| quoted(name)).collect(),
            columns: pipeline.columns().iter().map(|column| quoted(&column.name)).collect(),
            complete: true,
            zone: pipeline.time_zone().cloned(),
        }
    }

    /// Whether the rows to come are of complete windows, as they are unless this says otherwise.
    /// Each of the others has `"complete":false`.
    pub fn set_complete(&mut self, complete: bool) {
        self.complete = complete;
    }

    /// Writes an emission and the end of its line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, emission: &RowEmission, out: &mut impl io::Write) -> io::Result<()> {
        let mut line = Vec::with_capacity(256);
        self.append(emission, &mut line);
        out.write_all(&line)
    }

    fn append_time(&self, time: Timestamp, line: &mut Vec<u8>) {
        match &self.zone {
            None => append(line, format_args!("{time}")),
            Some(zone) => append(line, format_args!("{}", zone.display(time))),
        }
    }

    /// Appends an emission and the end of its line.
    pub fn append(&self, emission: &RowEmission, line: &mut Vec<u8>) {
        match emission.window {
            Some(window) => {
                line.extend_from_slice(b"{\"window\":{\"start\":\"");
                self.append_time(window.start(), line);
                line.extend_from_slice(b"\",\"end\":\"");
                self.append_time(window.end(), line);
                line.extend_from_slice(b"\"}");
            }
            None => line.extend_from_slice(b"{\"window\":null"),
        }
        if !self.group.is_empty() {
            line.extend_from_slice(b",\"group\":{");
            for (index, (name, value)) in self.group.iter().zip(&emission.group).enumerate() {
                append(line, format_args!("{}{name}:", if index == 0 { "" } else { "," }));
                write_value(value, line);
            }
            line.push(b'}');
        }
        append(line, format_args!(",\"revision\":{}", emission.revision));
        if !self.complete {
            line.extend_from_slice(b",\"complete\":false");
        }
        if emission.is_retracted() {
            line.extend_from_slice(b",\"retracted\":true");
        }
        for (name, value) in self.columns.iter().zip(&emission.values) {
            append(line, format_args!(",{name}:"));
            write_value(value, line);
        }
        line.extend_from_slice(b"}\n");
    }
}

fn append(line: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = io::Write::write_fmt(line, arguments);
}

fn write_value(value: &OutputValue, line: &mut Vec<u8>) {
    match value {
        OutputValue::Null => line.extend_from_slice(b"null"),
        OutputValue::Bool(value) => append(line, format_args!("{value}")),
        OutputValue::Integer(integer) => append(line, format_args!("{integer}")),
        OutputValue::Float(float) => write_number(Number::Float(*float), line),
        OutputValue::Decimal(text) => line.extend_from_slice(text.as_bytes()),
        OutputValue::Text(text) => write_text(text, line),
        OutputValue::Other => line.extend_from_slice(b"\"(other)\""),
        OutputValue::Estimate { value, lower, upper } => {
            for (name, number) in
                [("{\"value\":", value), (",\"lower\":", lower), (",\"upper\":", upper)]
            {
                line.extend_from_slice(name.as_bytes());
                write_number(*number, line);
            }
            line.push(b'}');
        }
        OutputValue::Top(rows) => {
            line.push(b'[');
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    line.push(b',');
                }
                write_top(row, line);
            }
            line.push(b']');
        }
    }
}

fn write_top(row: &TopValue, line: &mut Vec<u8>) {
    line.extend_from_slice(b"{\"key\":");
    write_value(&row.key, line);
    let TopValue { count, lower, upper, guaranteed, .. } = row;
    append(
        line,
        format_args!(
            ",\"count\":{count},\"lower\":{lower},\"upper\":{upper},\"guaranteed\":{guaranteed}}}"
        ),
    );
}

/// A sum of floats can be past their range, which JSON has no number for: it is null then.
fn write_number(number: Number, line: &mut Vec<u8>) {
    match number {
        Number::Float(float) if !float.is_finite() => line.extend_from_slice(b"null"),
        number => append(line, format_args!("{number}")),
    }
}

fn write_text(text: &str, line: &mut Vec<u8>) {
    // Writing text to a vector does not fail.
    let _ = serde_json::to_writer(line, text);
}
