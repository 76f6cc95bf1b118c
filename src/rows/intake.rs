//! What turns JSON, values that serialize and fields by name into rows.

use crate::error::{Error, ErrorKind};
use crate::formats::format::Format;
use crate::formats::payload::PayloadDecoder;
use crate::limits::Limits;
use crate::row::{Block, FieldValue, Number, Row, Value};
use bytes::{BufMut, BytesMut};
use serde::Serialize;

/// Reads records into a row of its own. Made when the first such record comes.
pub(super) struct Intake {
    pub(super) row: Row,
    decoder: PayloadDecoder,
    /// The bytes of the record in the row. They are reused once the row has let go of them.
    buffer: BytesMut,
    record_bytes_max: usize,
}

impl Intake {
    pub(super) fn new(row: Row, fields: &[String], limits: &Limits) -> Result<Self, Error> {
        Ok(Intake {
            row,
            decoder: PayloadDecoder::new(Format::JsonLines, fields, limits)?,
            buffer: BytesMut::new(),
            record_bytes_max: limits.record_bytes_max,
        })
    }

    /// Reads a record that is one JSON object. Returns false if the bytes are blank.
    pub(super) fn read_json(&mut self, json: &[u8]) -> Result<bool, Error> {
        self.begin().extend_from_slice(json);
        self.decode_json()
    }

    /// Returns the empty buffer.
    fn begin(&mut self) -> &mut BytesMut {
        self.row.begin_in(&Block::default());
        self.buffer.clear();
        &mut self.buffer
    }

    /// Decodes the JSON in the buffer.
    fn decode_json(&mut self) -> Result<bool, Error> {
        let json = self.buffer.split().freeze();
        self.decoder.decode(&json, &mut self.row)
    }

    /// Reads the JSON of a value.
    pub(super) fn read_value(&mut self, value: &impl Serialize) -> Result<bool, Error> {
        serde_json::to_writer(self.begin().writer(), value).map_err(|error| {
            Error::new(ErrorKind::InvalidRecord, format!("cannot be serialized: {error}"))
        })?;
        self.decode_json()
    }

    /// Reads the fields that have these names.
    pub(super) fn read_fields(
        &mut self,
        names: &[String],
        fields: &[(&str, &dyn FieldValue)],
    ) -> Result<bool, Error> {
        let buffer = self.begin();
        for_each_slot(names, fields, |_, value| {
            buffer.extend_from_slice(text_of(value).as_bytes())
        });
        let bytes = buffer.split().freeze();
        if bytes.len() > self.record_bytes_max {
            let (bytes, max) = (bytes.len(), self.record_bytes_max);
            let message = format!("takes {bytes} bytes, over the limit of {max} bytes");
            return Err(Error::new(ErrorKind::InvalidRecord, message));
        }
        self.row.begin(&bytes);
        let (row, mut start) = (&mut self.row, 0);
        for_each_slot(names, fields, |slot, value| {
            let range = start..start + text_of(value).len();
            start = range.end;
            match value {
                Value::Missing => row.set_missing(slot),
                Value::Bool(value) => row.set_bool(slot, value),
                Value::Number(_) => row.set_number(slot, range),
                Value::Text(_) => row.set_text(slot, range),
                Value::Untyped(_) => row.set_untyped(slot, range),
                Value::Json(_) => row.set_json(slot, range),
                Value::Integer(integer) => row.set_computed_integer(slot, integer),
                Value::Float(float) => row.set_computed(slot, Number::of_float(float)),
            }
        });
        Ok(true)
    }
}

/// Calls `f` with the slot and the value of each field that the pipeline reads.
fn for_each_slot(
    names: &[String],
    fields: &[(&str, &dyn FieldValue)],
    mut f: impl FnMut(usize, Value<'_>),
) {
    for (name, value) in fields {
        if let Some(slot) = names.iter().position(|known| known == name) {
            value.with(&mut |value| f(slot, value));
        }
    }
}

fn text_of(value: Value<'_>) -> &str {
    match value {
        Value::Missing | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => "",
        Value::Number(text) | Value::Text(text) | Value::Untyped(text) | Value::Json(text) => text,
    }
}
