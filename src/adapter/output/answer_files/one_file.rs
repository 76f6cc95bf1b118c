//! The one file of a path, which gets its name when it is complete.

use super::held::Held;
use super::options::AnswerFormat;
use super::parquet_file::{ParquetFile, Table};
use crate::error::{Error, ErrorKind};
use crate::store::NewFile;
use std::io::{BufWriter, Write};

/// A file that is written. Without [`finish`](OneFile::finish) nothing of it stays.
#[derive(Debug)]
pub(super) struct OneFile {
    path: String,
    /// `None` if the file is finished.
    content: Option<Content>,
}

#[derive(Debug)]
enum Content {
    Lines(BufWriter<NewFile>),
    /// The columns of a file of Parquet follow from its first rows.
    Empty(BufWriter<NewFile>),
    Parquet(Box<ParquetFile<BufWriter<NewFile>>>),
}

impl OneFile {
    pub(super) fn create(path: &str, format: AnswerFormat) -> Result<Self, Error> {
        let file = BufWriter::new(NewFile::create(path)?);
        let content = match format {
            AnswerFormat::JsonLines => Content::Lines(file),
            AnswerFormat::Parquet => Content::Empty(file),
        };
        Ok(OneFile { path: path.to_owned(), content: Some(content) })
    }

    /// Appends rows: to Parquet as a row group.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if they cannot be written; values that do not fit
    /// the columns of a file of Parquet.
    pub(super) fn append(&mut self, table: &Table, held: &Held) -> Result<(), Error> {
        let content = match (self.content.take(), held) {
            (Some(Content::Lines(mut file)), Held::Lines { text, .. }) => {
                let written = file.write_all(text);
                written.map_err(|error| cannot_write(&self.path).with_source(error))?;
                Content::Lines(file)
            }
            (Some(Content::Empty(file)), Held::Rows { rows, .. }) => {
                let mut file = ParquetFile::create(file, table, rows)?;
                file.append(table, rows).map_err(|error| error.at(&self.path))?;
                Content::Parquet(Box::new(file))
            }
            (Some(Content::Parquet(mut file)), Held::Rows { rows, .. }) => {
                file.append(table, rows).map_err(|error| error.at(&self.path))?;
                Content::Parquet(file)
            }
            _ => return Err(cannot_write(&self.path)),
        };
        self.content = Some(content);
        Ok(())
    }

    /// Ends the file, and gives it its name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be written.
    pub(super) fn finish(&mut self, table: &Table) -> Result<(), Error> {
        let Some(content) = self.content.take() else { return Ok(()) };
        let file = match content {
            Content::Lines(file) => file,
            Content::Empty(file) => ParquetFile::create(file, table, &[])?.finish()?,
            Content::Parquet(file) => file.finish().map_err(|error| error.at(&self.path))?,
        };
        let file = file
            .into_inner()
            .map_err(|error| cannot_write(&self.path).with_source(error.into_error()))?;
        file.keep()
    }
}

#[cold]
fn cannot_write(path: &str) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write {path}"))
}
