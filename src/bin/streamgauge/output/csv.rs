//! Comma-separated values according to RFC 4180, with a header and line feeds.
//!
//! There is one line per window and group. If the pipeline has top columns, there is one line per
//! rank instead, on which the other columns are repeated. The bounds of approximate numbers are in
//! separate columns.
//!
//! Quotes separate values that are written alike, as in PostgreSQL's `COPY`: a missing value is
//! nothing between two commas, and empty text is `""`. Text that reads as a number, a boolean or
//! `(other)` is in quotes too. Numbers, booleans and times never are.

use super::cell::OTHER;
use super::sheet::{Shape, at_place};
use super::text::{push_float, push_integer};
use std::io::{self, Write};
use streamgauge::Window;
use streamgauge::row::{Number, OutputValue, TopValue};
use streamgauge::rows::{ColumnKind, RowEmission};

/// Writes emissions as CSV.
pub(crate) struct CsvWriter<W> {
    out: W,
    shape: Shape,
    has_header: bool,
    has_ranks: bool,
    /// The window of the last line, and its fields.
    window: Option<(Option<Window>, Vec<u8>)>,
    line: Vec<u8>,
}

impl<W: Write> CsvWriter<W> {
    pub(crate) fn new(out: W, shape: Shape) -> Self {
        let has_ranks = shape.has_ranks();
        CsvWriter { out, shape, has_header: false, has_ranks, window: None, line: Vec::new() }
    }

    /// Writes the lines of an emission.
    pub(crate) fn emission(&mut self, emission: &RowEmission) -> io::Result<()> {
        self.write_header()?;
        if emission.is_retracted() {
            self.retraction(emission);
            return self.end_line();
        }
        let tops = emission.values.iter().map(|value| rows_of(value).len());
        for rank in 0..tops.max().unwrap_or_default().max(1) {
            self.begin_line(emission);
            if self.has_ranks {
                if emission.values.iter().any(|value| rows_of(value).len() > rank) {
                    push_integer(&mut self.line, rank as i128 + 1);
                }
                self.line.push(b',');
            }
            let places = self.shape.query_of(emission).map(|query| query.columns.as_slice());
            for (place, (_, kind)) in self.shape.columns.iter().enumerate() {
                let value = at_place(&emission.values, places, place).unwrap_or(&OutputValue::Null);
                match kind {
                    ColumnKind::Top => push_top(&mut self.line, rows_of(value).get(rank)),
                    ColumnKind::Estimate => push_estimate(&mut self.line, value),
                    _ => push_value(&mut self.line, value),
                }
                self.line.push(b',');
            }
            self.end_line()?;
        }
        Ok(())
    }

    /// Flushes the output.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the header if no line has written it.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write_header()?;
        self.out.flush()
    }

    /// Begins a line with the fields of the window and the group. A comma is behind each field.
    fn begin_line(&mut self, emission: &RowEmission) {
        self.line.clear();
        let query = self.shape.query_of(emission);
        if self.shape.is_of_queries() {
            let name = query.map_or("", |query| query.name.as_str());
            push_escaped(&mut self.line, name, is_ambiguous(name));
            self.line.push(b',');
        }
        match &self.window {
            // Each query may have a time zone of its own.
            Some((window, fields)) if *window == emission.window && query.is_none() => {
                self.line.extend_from_slice(fields);
            }
            _ => {
                let fields = self.window_fields(emission);
                self.line.extend_from_slice(&fields);
                self.window = Some((emission.window, fields));
            }
        }
        let places = self.shape.query_of(emission).map(|query| query.group.as_slice());
        for place in 0..self.shape.group.len() {
            if let Some(value) = at_place(&emission.group, places, place) {
                push_value(&mut self.line, value);
            }
            self.line.push(b',');
        }
        push_integer(&mut self.line, i128::from(emission.revision));
        self.line.push(b',');
        if self.has_retracted() {
            self.line.extend_from_slice(if emission.is_retracted() { b"true," } else { b"," });
        }
    }

    /// Makes the line of a row that takes back an earlier one. The other fields are empty.
    fn retraction(&mut self, emission: &RowEmission) {
        self.begin_line(emission);
        let mut fields = self.line_fields();
        if !self.has_retracted() && fields > 0 {
            self.line.extend_from_slice(b"retracted,");
            fields -= 1;
        }
        self.line.extend(std::iter::repeat_n(b',', fields));
    }

    /// Returns the number of fields behind those of the window and the group.
    fn line_fields(&self) -> usize {
        let columns = self.shape.columns.iter().map(|(_, kind)| suffixes(*kind).len());
        usize::from(self.has_ranks) + columns.sum::<usize>()
    }

    /// Writes the line, which has a comma behind each field.
    fn end_line(&mut self) -> io::Result<()> {
        self.line.pop();
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    fn window_fields(&self, emission: &RowEmission) -> Vec<u8> {
        let mut fields = Vec::new();
        if self.shape.windowed {
            let window = emission.window.filter(|window| window.is_timed());
            let times = window.map(|window| [window.start(), window.end()]);
            for time in times.map_or([None, None], |times| times.map(Some)) {
                let text = time.map_or_else(String::new, |time| self.shape.time(emission, time));
                fields.extend_from_slice(text.as_bytes());
                fields.push(b',');
            }
        }
        if self.shape.numbered {
            if let Some(number) = emission.window.and_then(Window::number) {
                push_integer(&mut fields, i128::from(number));
            }
            fields.push(b',');
        }
        fields
    }

    fn has_retracted(&self) -> bool {
        self.shape.retracts || self.shape.resumed
    }

    fn write_header(&mut self) -> io::Result<()> {
        if self.has_header {
            return Ok(());
        }
        self.has_header = true;
        let times = ["window_start", "window_end"].into_iter().filter(|_| self.shape.windowed);
        let query = self.shape.is_of_queries().then_some("query");
        let mut names: Vec<String> = query.into_iter().chain(times).map(str::to_owned).collect();
        names.extend(self.shape.numbered.then(|| "window_number".to_owned()));
        names.extend(self.shape.group.iter().cloned());
        names.push("revision".to_owned());
        names.extend(self.has_retracted().then(|| "retracted".to_owned()));
        names.extend(self.has_ranks.then(|| "rank".to_owned()));
        for (name, kind) in &self.shape.columns {
            names.extend(suffixes(*kind).iter().map(|suffix| format!("{name}{suffix}")));
        }
        self.line.clear();
        for name in names {
            push_escaped(&mut self.line, &name, false);
            self.line.push(b',');
        }
        self.end_line()
    }
}

/// Returns what is added to the name of a column in the names of its fields.
fn suffixes(kind: ColumnKind) -> &'static [&'static str] {
    match kind {
        ColumnKind::Estimate => &["", " lower", " upper"],
        ColumnKind::Top => &["", " count", " lower", " upper", " guaranteed"],
        _ => &[""],
    }
}

/// Returns the rows of a top-k; none of any other value.
fn rows_of(value: &OutputValue) -> &[TopValue] {
    if let OutputValue::Top(rows) = value { rows } else { &[] }
}

fn push_top(line: &mut Vec<u8>, row: Option<&TopValue>) {
    let Some(row) = row else { return line.extend_from_slice(b",,,,") };
    push_value(line, &row.key);
    for count in [row.count, row.lower, row.upper] {
        line.push(b',');
        push_integer(line, i128::from(count));
    }
    line.extend_from_slice(if row.guaranteed { b",true" } else { b",false" });
}

fn push_estimate(line: &mut Vec<u8>, value: &OutputValue) {
    let OutputValue::Estimate { value, lower, upper } = value else {
        push_value(line, value);
        return line.extend_from_slice(b",,");
    };
    let start = line.len();
    push_number(line, *value);
    let end = line.len();
    for bound in [lower, upper] {
        line.push(b',');
        match bound {
            // A bound of which nothing is known is infinite.
            Number::Float(float) if float.is_infinite() => {}
            bound if is_same(bound, value) => line.extend_from_within(start..end),
            bound => push_number(line, *bound),
        }
    }
}

/// Returns true if two numbers are written alike.
fn is_same(a: &Number, b: &Number) -> bool {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a == b,
        (Number::Float(a), Number::Float(b)) => a.to_bits() == b.to_bits(),
        _ => false,
    }
}

fn push_number(line: &mut Vec<u8>, number: Number) {
    match number {
        Number::Int(integer) => push_integer(line, integer),
        Number::Float(float) => push_float(line, float),
    }
}

fn push_value(line: &mut Vec<u8>, value: &OutputValue) {
    match value {
        OutputValue::Null => {}
        OutputValue::Integer(integer) => push_integer(line, *integer),
        OutputValue::Float(float) => push_float(line, *float),
        OutputValue::Text(text) => push_escaped(line, text, is_ambiguous(text)),
        OutputValue::Other => line.extend_from_slice(OTHER.as_bytes()),
        list @ OutputValue::List(_) => {
            let text = list.to_string();
            push_escaped(line, &text, is_ambiguous(&text));
        }
        other => push_escaped(line, &other.to_string(), false),
    }
}

/// Returns true if text would read as another value without quotes.
fn is_ambiguous(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return true };
    // No other letter begins a number or a boolean. `parse` knows infinities and NaN.
    if first.is_ascii_alphabetic() && !b"tfinIN".contains(&first) || first == b'/' {
        return false;
    }
    ["true", "false", OTHER].contains(&text) || text.trim().parse::<f64>().is_ok()
}

/// Appends a field, in quotes if its characters or the caller require it.
fn push_escaped(line: &mut Vec<u8>, field: &str, is_quoted: bool) {
    if !is_quoted && !field.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return line.extend_from_slice(field.as_bytes());
    }
    line.push(b'"');
    for byte in field.bytes() {
        line.push(byte);
        if byte == b'"' {
            line.push(byte);
        }
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests;
