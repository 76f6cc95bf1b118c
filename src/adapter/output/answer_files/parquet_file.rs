//! Rows as a file of Parquet.
//!
//! The type of a column is the one that the query says, or the first of BOOLEAN, INT64, DECIMAL(38,
//! 0) and DOUBLE that holds all values of its first rows exactly, otherwise text. The low-level
//! writer of the crate `parquet` gets each column of a row group at once.

use super::cells::{Cell, Leaf, Seen};
use super::held_row::HeldRow;
use super::layout::{self, Field};
use super::options::AnswerFormat;
use crate::error::{Error, ErrorKind};
use crate::row::TopValue;
use crate::rows::{Query, RowEmission};
use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// The bytes and digits of a wide integer.
const WIDE_BYTES: i32 = 16;
const WIDE_DIGITS: i32 = 38;

/// Definition levels: a value of a plain column, a list, its element, and a value in that.
const VALUE: i16 = 1;
const EMPTY_LIST: i16 = 1;
const VALUE_IN_ELEMENT: i16 = 3;

/// The parts of an element of a list.
const ELEMENT: [&str; 5] = ["key", "count", "lower", "upper", "guaranteed"];

/// The files of a query.
#[derive(Debug)]
pub(super) struct Table {
    query: Option<String>,
    /// The columns; empty for JSON Lines.
    fields: Vec<(String, Field)>,
}

impl Table {
    pub(super) fn of(query: Query<'_>, format: AnswerFormat) -> Result<Self, Error> {
        let fields = match format {
            AnswerFormat::JsonLines => Vec::new(),
            AnswerFormat::Parquet => layout::fields(query)?,
        };
        Ok(Table { query: query.name().map(str::to_owned), fields })
    }

    /// Returns the name of the query, if it has one.
    pub(super) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Returns true if a row answers this query.
    pub(super) fn has(&self, row: &RowEmission) -> bool {
        self.query == row.form.query
    }
}

/// Returns rows as a whole file.
///
/// # Errors
/// Those of the crate `parquet`.
pub(super) fn to_file(table: &Table, rows: &[HeldRow]) -> Result<Bytes, Error> {
    let mut file = ParquetFile::create(Vec::new(), table, rows)?;
    file.append(table, rows)?;
    file.finish().map(Bytes::from)
}

/// A file that grows by row groups.
pub(super) struct ParquetFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    /// The types of each column: one, or those of the parts of an element.
    types: Vec<Vec<Leaf>>,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file whose columns hold these rows.
    ///
    /// # Errors
    /// Those of the writer.
    pub(super) fn create(out: W, table: &Table, rows: &[HeldRow]) -> Result<Self, Error> {
        let of_field = |(_, field): &(String, Field)| {
            let leaves = seen(*field, rows).into_iter().zip(field.declared());
            leaves.map(|(seen, declared)| leaf_of(declared, seen)).collect()
        };
        let types: Vec<Vec<Leaf>> = table.fields.iter().map(of_field).collect();
        let schema = schema(table, &types).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("streamgauge ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(out, schema, properties.into()).map_err(failed)?;
        Ok(ParquetFile { writer, types })
    }

    /// Appends rows as a row group.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for values that do not fit the columns, and the errors of the
    /// writer.
    pub(super) fn append(&mut self, table: &Table, rows: &[HeldRow]) -> Result<(), Error> {
        for ((name, field), types) in table.fields.iter().zip(&self.types) {
            let fits = seen(*field, rows).into_iter().zip(types);
            if !fits.into_iter().all(|(seen, leaf)| leaf.holds(seen)) {
                return Err(Error::invalid(format!(
                    "the column {name:?} has values that do not fit the type of its first ones: \
                     give it a type by a cast, as in 'cast(sum(bytes) as double) as bytes', or \
                     write to a directory, where each file has the types of its own values"
                )));
            }
        }
        self.append_fitting(table, rows).map_err(failed)
    }

    fn append_fitting(&mut self, table: &Table, rows: &[HeldRow]) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for ((_, field), types) in table.fields.iter().zip(&self.types) {
            for (part, leaf) in types.iter().enumerate() {
                let Some(mut column) = group.next_column()? else { continue };
                let levels = match field {
                    Field::Top(_) => Levels::of_list(*field, part, rows),
                    field => Levels::of_plain(*field, rows),
                };
                levels.write(*leaf, &mut column)?;
                column.close()?;
            }
        }
        group.close().map(drop)
    }

    /// Ends the file, and returns what it was written to.
    ///
    /// # Errors
    /// Those of the writer.
    pub(super) fn finish(self) -> Result<W, Error> {
        self.writer.into_inner().map_err(failed)
    }
}

impl<W: Write + Send> fmt::Debug for ParquetFile<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetFile").field("types", &self.types).finish_non_exhaustive()
    }
}

/// Returns the type of a column: the one that is known, if it holds the values.
fn leaf_of(declared: Option<Leaf>, seen: Seen) -> Leaf {
    declared.filter(|leaf| leaf.holds(seen)).unwrap_or_else(|| seen.leaf())
}

/// Returns the kinds of values in a column, or in each part of its elements.
fn seen(field: Field, rows: &[HeldRow]) -> Vec<Seen> {
    if !matches!(field, Field::Top(_)) {
        return vec![Seen::of(rows.iter().map(|row| field.of(row)))];
    }
    let elements = || rows.iter().filter_map(|row| field.top(row)).flatten();
    let of_part = |part| Seen::of(elements().map(|element| part_of(element, part)));
    (0..ELEMENT.len()).map(of_part).collect()
}

/// Returns a part of an element, by the index in [`ELEMENT`].
fn part_of(element: &TopValue, part: usize) -> Cell<'_> {
    match part {
        0 => Cell::of(&element.key),
        1 => Cell::Integer(element.count.into()),
        2 => Cell::Integer(element.lower.into()),
        3 => Cell::Integer(element.upper.into()),
        _ => Cell::Bool(element.guaranteed),
    }
}

fn schema(table: &Table, types: &[Vec<Leaf>]) -> Result<TypePtr, ParquetError> {
    let mut fields = Vec::new();
    for ((name, _), types) in table.fields.iter().zip(types) {
        fields.push(Arc::new(match types.as_slice() {
            [leaf] => primitive(name, *leaf)?,
            parts => list(name, parts)?,
        }));
    }
    Ok(Arc::new(Type::group_type_builder("answers").with_fields(fields).build()?))
}

/// Returns the type of a list in the form that all readers know.
fn list(name: &str, parts: &[Leaf]) -> Result<Type, ParquetError> {
    let mut fields = Vec::new();
    for (part, leaf) in ELEMENT.iter().zip(parts) {
        fields.push(Arc::new(primitive(part, *leaf)?));
    }
    let element = Type::group_type_builder("element")
        .with_repetition(Repetition::REQUIRED)
        .with_fields(fields)
        .build()?;
    let repeated = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![Arc::new(element)])
        .build()?;
    Type::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(repeated)])
        .build()
}

fn primitive(name: &str, leaf: Leaf) -> Result<Type, ParquetError> {
    let (physical, logical) = match leaf {
        Leaf::Bool => (Physical::BOOLEAN, None),
        Leaf::Integer => (Physical::INT64, None),
        Leaf::Wide => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(0, WIDE_DIGITS))),
        Leaf::Float => (Physical::DOUBLE, None),
        Leaf::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Leaf::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    let builder = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    match leaf {
        Leaf::Wide => {
            builder.with_length(WIDE_BYTES).with_precision(WIDE_DIGITS).with_scale(0).build()
        }
        _ => builder.build(),
    }
}

/// The values of a column, and where they are missing.
struct Levels<'a> {
    cells: Vec<Cell<'a>>,
    definition: Vec<i16>,
    /// Empty for a plain column.
    repetition: Vec<i16>,
}

impl<'a> Levels<'a> {
    fn of_plain(field: Field, rows: &'a [HeldRow]) -> Self {
        let mut levels = Levels::new(rows.len());
        for cell in rows.iter().map(|row| field.of(row)) {
            levels.push(VALUE, cell);
        }
        levels
    }

    fn of_list(field: Field, part: usize, rows: &'a [HeldRow]) -> Self {
        let mut levels = Levels::new(rows.len());
        for row in rows {
            let elements = field.top(row);
            for (at, element) in elements.unwrap_or_default().iter().enumerate() {
                levels.push(VALUE_IN_ELEMENT, part_of(element, part));
                levels.repetition.push(i16::from(at > 0));
            }
            if elements.is_none_or(<[TopValue]>::is_empty) {
                levels.definition.push(if elements.is_some() { EMPTY_LIST } else { 0 });
                levels.repetition.push(0);
            }
        }
        levels
    }

    fn new(rows: usize) -> Self {
        Levels {
            cells: Vec::with_capacity(rows),
            definition: Vec::with_capacity(rows),
            repetition: Vec::new(),
        }
    }

    /// Adds a value, whose definition level is one less if it is missing.
    fn push(&mut self, level: i16, cell: Cell<'a>) {
        match cell {
            Cell::Null => self.definition.push(level - 1),
            cell => {
                self.definition.push(level);
                self.cells.push(cell);
            }
        }
    }

    fn write(
        &self,
        leaf: Leaf,
        column: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        match leaf {
            Leaf::Bool => {
                self.write_as::<BoolType>(column, |cell| matches!(cell, Cell::Bool(true)))
            }
            Leaf::Integer | Leaf::Time => self.write_as::<Int64Type>(column, |cell| {
                i64::try_from(integer(cell)).unwrap_or_default()
            }),
            Leaf::Wide => self.write_as::<FixedLenByteArrayType>(column, |cell| {
                FixedLenByteArray::from(integer(cell).to_be_bytes().to_vec())
            }),
            Leaf::Float => self.write_as::<DoubleType>(column, |cell| match cell {
                Cell::Float(float) => *float,
                cell => integer(cell) as f64,
            }),
            Leaf::Text => self.write_as::<ByteArrayType>(column, |cell| {
                ByteArray::from(cell.text().unwrap_or_default().into_owned().into_bytes())
            }),
        }
    }

    fn write_as<T: DataType>(
        &self,
        column: &mut SerializedColumnWriter<'_>,
        value: impl Fn(&Cell<'a>) -> T::T,
    ) -> Result<(), ParquetError> {
        let values: Vec<T::T> = self.cells.iter().map(value).collect();
        let repetition = (!self.repetition.is_empty()).then_some(&self.repetition[..]);
        column.typed::<T>().write_batch(&values, Some(&self.definition), repetition).map(drop)
    }
}

/// Returns the integer of a cell whose column has no other values.
fn integer(cell: &Cell<'_>) -> i128 {
    if let Cell::Integer(integer) = cell { *integer } else { 0 }
}

#[cold]
fn failed(error: ParquetError) -> Error {
    Error::new(ErrorKind::Io, "cannot write Parquet").with_source(error)
}
