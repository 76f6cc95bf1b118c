//! The rows of a lookup, found by the text of their key.

use crate::error::{Error, ErrorKind};
use crate::row::number::NotANumber;
use crate::row::text::text_of;
use crate::row::{Number, Value};
use ahash::RandomState;
use hashbrown::HashTable;

/// The rows of a lookup.
#[derive(Debug)]
pub(in crate::rows) struct Table {
    columns: Vec<String>,
    /// The index of the key's column.
    key: usize,
    /// The cells, row by row.
    cells: Vec<Cell>,
    /// The line of each row.
    lines: Vec<u32>,
    /// All texts.
    text: String,
    /// The text of each row's key.
    keys: Vec<Span>,
    /// The rows by their key.
    index: HashTable<u32>,
    hasher: RandomState,
    /// The hash of the bytes that it was read from, and of the name of the key.
    fingerprint: u64,
}

/// A part of the table's text.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The value of a column in a row.
#[derive(Clone, Copy, Debug)]
enum Cell {
    Missing,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// An integer of more than 64 bits.
    Wide(Span),
    Text(Span),
    Untyped(Span),
    Json(Span),
}

impl Table {
    /// Creates a table without rows. `columns` has the column `key`.
    pub(super) fn new(columns: Vec<String>, key: usize, fingerprint: u64) -> Self {
        Table {
            columns,
            key,
            cells: Vec::new(),
            lines: Vec::new(),
            text: String::new(),
            keys: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            fingerprint,
        }
    }

    /// Adds the value of the next column of a row, which was read from a line.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for a number that is out of range.
    pub(super) fn push(&mut self, line: u32, value: Value<'_>) -> Result<(), Error> {
        let cell = self.cell(value).map_err(|why| {
            let column = self.cells.len() % self.columns.len().max(1);
            let name = self.columns.get(column).map_or("", String::as_str);
            let why = format!("line {line}: {name}: the number {why}");
            Error::new(ErrorKind::Parse, why)
        })?;
        self.cells.push(cell);
        Ok(())
    }

    /// Ends a row whose values were all added.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if its key is missing or is that of an earlier row.
    pub(super) fn end_row(&mut self, line: u32) -> Result<(), Error> {
        let name = self.columns.get(self.key).map_or("", String::as_str);
        let key = text_of(self.value(self.rows(), self.key)).filter(|text| !text.is_empty());
        let Some(key) = key.map(|key| key.into_owned()) else {
            let why = format!("line {line}: the key {name:?} is missing");
            return Err(Error::new(ErrorKind::Parse, why));
        };
        if let Some(known) = self.row(&key) {
            let earlier = self.lines.get(known).copied().unwrap_or_default();
            let why = format!(
                "line {line}: the key {name:?} is {key:?}, which line {earlier} has already"
            );
            return Err(Error::new(ErrorKind::Parse, why));
        }
        let (row, span) = (self.lines.len() as u32, self.span(&key));
        self.keys.push(span);
        self.lines.push(line);
        let Table { index, hasher, keys, text, .. } = self;
        let key_of = |row: &u32| keys.get(*row as usize).map_or("", |span| span.of(text));
        index.insert_unique(hasher.hash_one(&*key), row, |row| hasher.hash_one(key_of(row)));
        Ok(())
    }

    /// Copies a value.
    fn cell(&mut self, value: Value<'_>) -> Result<Cell, NotANumber> {
        Ok(match value {
            Value::Missing => Cell::Missing,
            Value::Bool(truth) => Cell::Bool(truth),
            Value::Integer(integer) => Cell::Integer(integer),
            Value::Float(float) => Cell::Float(float),
            Value::Number(text) => match Number::parse(text)? {
                Number::Float(float) => Cell::Float(float),
                Number::Int(integer) => match i64::try_from(integer) {
                    Ok(integer) => Cell::Integer(integer),
                    Err(_) => Cell::Wide(self.span(&integer.to_string())),
                },
            },
            Value::Text(text) => Cell::Text(self.span(text)),
            Value::Untyped("") => Cell::Missing,
            Value::Untyped(text) => Cell::Untyped(self.span(text)),
            Value::Json(text) => Cell::Json(self.span(text)),
        })
    }

    /// Copies a text. The text has a byte for each byte that the table is read from at most, and
    /// once more for keys, so that positions are below `u32::MAX`: see `BYTES_MAX`.
    fn span(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span { start: start as u32, end: self.text.len() as u32 }
    }

    /// Returns the row of a key; `None` if no row has it.
    #[inline]
    pub(in crate::rows) fn row(&self, key: &str) -> Option<usize> {
        let is_key =
            |row: &u32| self.keys.get(*row as usize).is_some_and(|span| span.of(&self.text) == key);
        self.index.find(self.hasher.hash_one(key), is_key).map(|row| *row as usize)
    }

    /// Returns the value of a column in a row.
    #[inline]
    pub(in crate::rows) fn value(&self, row: usize, column: usize) -> Value<'_> {
        let cell = self.cells.get(row * self.columns.len() + column);
        match cell.copied().unwrap_or(Cell::Missing) {
            Cell::Missing => Value::Missing,
            Cell::Bool(truth) => Value::Bool(truth),
            Cell::Integer(integer) => Value::Integer(integer),
            Cell::Float(float) => Value::Float(float),
            Cell::Wide(span) => Value::Number(span.of(&self.text)),
            Cell::Text(span) => Value::Text(span.of(&self.text)),
            Cell::Untyped(span) => Value::Untyped(span.of(&self.text)),
            Cell::Json(span) => Value::Json(span.of(&self.text)),
        }
    }

    /// Returns the names of the columns.
    pub(in crate::rows) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    pub(in crate::rows) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let cells = self.cells.capacity() * size_of::<Cell>();
        let rows = self.rows() * (size_of::<u32>() + size_of::<Span>());
        let index = self.index.capacity() * (size_of::<u32>() + 1);
        cells + rows + index + self.text.capacity()
    }
}
