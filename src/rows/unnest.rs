//! A record for each element of an array: the key `unnest`.

use crate::error::Error;
use crate::formats::json_scan::JsonScanner;
use crate::limits::Limits;
use crate::query::field::{Fields, pointer_to};
use crate::row::json_array::with_value;
use crate::row::{Row, Value};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::ops::Range;

/// The elements of an array in a row, which take the place of the array one after the other.
pub(super) struct Unnest {
    /// The name of the array.
    field: String,
    /// The slot of the array, then of each element.
    slot: usize,
    /// The slots of the members of elements.
    members: Vec<usize>,
    scanner: JsonScanner,
    /// The members of an element.
    element: Row,
    /// The text of the array.
    array: String,
    /// Where the elements are in it.
    elements: Vec<Range<usize>>,
    elements_max: usize,
    /// The bytes of unescaped text that the record has itself.
    mark: usize,
    /// The first element that is not applied, of a record that is applied in part.
    pub(super) next: usize,
}

impl Unnest {
    /// Creates the elements of a field. `fields` are those of the pipeline, and this one among
    /// them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a member that is no
    /// JSON pointer.
    pub(super) fn new(field: &str, fields: &Fields, limits: &Limits) -> Result<Self, Error> {
        let pointer = match field.starts_with('/') {
            true => field.to_owned(),
            false => field.split('.').map(pointer_to).collect(),
        };
        let (dotted, pointer) = (format!("{field}."), pointer + "/");
        let (mut members, mut names) = (Vec::new(), Vec::new());
        for (slot, name) in fields.names().iter().enumerate() {
            let member = match (name.strip_prefix(&dotted), name.strip_prefix(&pointer)) {
                (Some(member), _) => member.to_owned(),
                (None, Some(member)) => format!("/{member}"),
                (None, None) => continue,
            };
            members.push(slot);
            names.push(member);
        }
        Ok(Unnest {
            field: field.to_owned(),
            slot: fields.find(field).unwrap_or(usize::MAX),
            scanner: JsonScanner::new(&names, limits.json_depth_max)?,
            element: Row::new(members.len()),
            members,
            array: String::new(),
            elements: Vec::new(),
            elements_max: limits.elements_max,
            mark: 0,
            next: 0,
        })
    }

    /// Finds the elements of the array in a row, and returns their number.
    ///
    /// # Errors
    /// The reason if the value is no array, or has too many elements.
    pub(super) fn begin(&mut self, row: &Row) -> Result<usize, String> {
        self.elements.clear();
        self.mark = row.unescaped().len();
        let text = match row.value(self.slot) {
            value if value.is_missing() => return Ok(0),
            Value::Json(text) if text.starts_with('[') => text,
            _ => return Err(format!("{}: the value is not an array", self.field)),
        };
        self.array.clear();
        self.array.push_str(text);
        let elements: Vec<&RawValue> = serde_json::from_str(&self.array).unwrap_or_default();
        if elements.len() > self.elements_max {
            let (found, limit) = (elements.len(), self.elements_max);
            let field = &self.field;
            return Err(format!("{field}: has {found} elements, over the limit of {limit}"));
        }
        let start = self.array.as_ptr() as usize;
        let range = |element: &RawValue| {
            let at = (element.get().as_ptr() as usize).saturating_sub(start);
            at..at + element.get().len()
        };
        self.elements.extend(elements.into_iter().map(range));
        Ok(self.elements.len())
    }

    /// Puts an element into the row, in place of the array or of the element before. Returns false
    /// if there is no such element.
    pub(super) fn set(&mut self, index: usize, row: &mut Row) -> bool {
        let Some(range) = self.elements.get(index) else { return false };
        let json = self.array.get(range.clone()).unwrap_or_default();
        row.truncate_unescaped(self.mark);
        with_value(json, |value| row.set_value(self.slot, value));
        if self.members.is_empty() {
            return true;
        }
        let source = Bytes::copy_from_slice(json.as_bytes());
        self.element.begin(&source);
        // An element that is no object has no members.
        if !json.starts_with('{') || self.scanner.scan(&source, 0, &mut self.element).is_err() {
            self.element.begin(&source);
        }
        for (member, slot) in self.members.iter().enumerate() {
            row.set_value(*slot, self.element.value(member));
        }
        true
    }
}
