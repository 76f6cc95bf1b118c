//! In place of Parquet in a build without the feature `parquet`.

use super::held_row::HeldRow;
use super::options::AnswerFormat;
use crate::error::{Error, ErrorKind};
use crate::rows::{Query, RowEmission};
use bytes::Bytes;
use std::marker::PhantomData;

/// The files of a query.
#[derive(Debug)]
pub(super) struct Table {
    query: Option<String>,
}

impl Table {
    pub(super) fn of(query: Query<'_>, format: AnswerFormat) -> Result<Self, Error> {
        match format {
            AnswerFormat::JsonLines => Ok(Table { query: query.name().map(str::to_owned) }),
            AnswerFormat::Parquet => Err(unsupported()),
        }
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    pub(super) fn has(&self, row: &RowEmission) -> bool {
        self.query == row.form.query
    }
}

/// The writer of a build without the feature `parquet`: it cannot be created.
#[derive(Debug)]
pub(super) struct ParquetFile<W>(PhantomData<W>);

impl<W> ParquetFile<W> {
    pub(super) fn create(_: W, _: &Table, _: &[HeldRow]) -> Result<Self, Error> {
        Err(unsupported())
    }

    pub(super) fn append(&mut self, _: &Table, _: &[HeldRow]) -> Result<(), Error> {
        Err(unsupported())
    }

    pub(super) fn finish(self) -> Result<W, Error> {
        Err(unsupported())
    }
}

pub(super) fn to_file(_: &Table, _: &[HeldRow]) -> Result<Bytes, Error> {
    Err(unsupported())
}

#[cold]
fn unsupported() -> Error {
    let message = "this was built without Parquet; build it with the feature parquet";
    Error::new(ErrorKind::Unsupported, message)
}
