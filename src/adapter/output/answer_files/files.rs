//! The files of answers, and what goes into each.

use super::held::{HELD_BYTES_MAX, Held, ROWS_MAX};
use super::name::{self, Unit};
use super::one_file::OneFile;
use super::options::{AnswerFilesOptions, AnswerFormat};
use super::parquet_file::Table;
use crate::adapter::output::row_output::RowOutput;
use crate::error::Error;
use crate::rows::{RowEmission, RowPipeline};
use crate::store::WholeFiles;
use std::path::Path;

/// Writes answers as files: each is complete, or it is not there.
///
/// # Places
/// - `s3://BUCKET/PREFIX` (feature `object-store`), or a path that ends with `/` or is a directory:
///   files below `date=2026-11-30/`, which is the date of the window's start in the pipeline's time
///   zone. Before it comes `query=NAME/` if the pipeline has several queries, and `source=NAME/` if
///   a source is set. Answers without windows have no date.
/// - Any other path: one file, which appears when [`finish`](RowOutput::finish) returns.
///
/// The name of a file has the window and the revision of its first row, a number, and a hash of its
/// content. So no name is ever used for two contents.
///
/// # Memory
/// At most [`ROWS_MAX`](AnswerFiles::ROWS_MAX) rows are held, and about
/// [`HELD_BYTES_MAX`](AnswerFiles::HELD_BYTES_MAX) bytes. A file in a directory has
/// no more; the one file of a path gets a row group for each.
///
/// # Example
/// ```
/// # let folder = std::env::temp_dir().join(format!("streamgauge-files-{}", std::process::id()));
/// # let place = format!("{}/", folder.display());
/// use streamgauge::adapter::{AnswerFiles, AnswerFilesOptions, RowOutput};
/// use streamgauge::prelude::*;
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::rows::CompileOptions;
/// let spec = PipelineSpec::from_toml("group = \"country\"\nagg = \"count\"", "hits.toml")?;
/// let mut hits = spec.compile(&CompileOptions::default())?;
/// let mut files = AnswerFiles::open(&place, &hits, AnswerFilesOptions::default())?;
/// let shard = hits.open_shard(ShardId::new("requests"))?;
/// hits.push_fields(shard, &[("country", &"DE")], Timestamp::from_millis(0), None)?;
/// hits.finish();
/// while let Some(row) = hits.next_emission()? {
///     files.push(&row)?;
/// }
/// files.finish()?;
/// assert_eq!(std::fs::read_dir(&place).expect("a directory").count(), 1);
/// # std::fs::remove_dir_all(&folder).expect("the directory exists");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct AnswerFiles {
    target: Target,
    options: AnswerFilesOptions,
    tables: Vec<Table>,
    source: Option<String>,
    /// Whether the windows of the rows to come are complete.
    complete: bool,
    unit: Option<Unit>,
    held: Held,
}

/// Where the rows go.
#[derive(Debug)]
enum Target {
    Folder(WholeFiles),
    File(Box<OneFile>),
}

impl AnswerFiles {
    /// Maximum rows of a file in a directory, and of a row group of Parquet.
    pub const ROWS_MAX: usize = ROWS_MAX;

    /// Maximum bytes of the rows that are held until they are written, about as they are in memory.
    pub const HELD_BYTES_MAX: usize = HELD_BYTES_MAX;

    /// Opens the place for the answers of a pipeline. Nothing is written yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for S3 or Parquet in a build
    /// without the feature; [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a
    /// bucket that cannot be used, for several queries in one file of Parquet, and for two columns
    /// of one name in Parquet; [`ErrorKind::Io`](crate::ErrorKind::Io) for a directory that cannot
    /// be made.
    pub fn open(
        place: &str,
        pipeline: &RowPipeline,
        options: AnswerFilesOptions,
    ) -> Result<AnswerFiles, Error> {
        let format = options.format;
        let tables: Result<Vec<Table>, Error> =
            pipeline.queries().map(|query| Table::of(query, format)).collect();
        let tables = tables?;
        let target = match is_folder(place) {
            true => Target::Folder(WholeFiles::open(place)?),
            false if format == AnswerFormat::Parquet && tables.len() > 1 => {
                return Err(Error::invalid(format!(
                    "{place}: several queries have different columns, so that they need a file \
                     each: name a directory, as in {place}/"
                )));
            }
            false => Target::File(Box::new(OneFile::create(place, format)?)),
        };
        let held = Held::new(format);
        Ok(AnswerFiles { target, options, tables, source: None, complete: true, unit: None, held })
    }

    /// Returns true if a row belongs to the file of those that are held.
    fn belongs(&self, row: &RowEmission) -> bool {
        let Some(unit) = &self.unit else { return false };
        if matches!(self.target, Target::File(_)) {
            return true;
        }
        let is_of_query = self.tables.get(unit.table).is_some_and(|table| table.has(row));
        let is_of_window = unit.window == row.window && unit.revision == row.revision;
        match self.options.per_window {
            true => is_of_query && is_of_window,
            false => is_of_query && (is_of_window || unit.date == name::date(row)),
        }
    }

    fn unit_of(&self, row: &RowEmission) -> Unit {
        let table = self.tables.iter().position(|table| table.has(row)).unwrap_or_default();
        let (window, revision) = (row.window, row.revision);
        Unit { table, date: name::date(row), window, revision, parts: 0 }
    }

    fn write(&mut self) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        let Some(unit) = &mut self.unit else { return Ok(()) };
        let Some(table) = self.tables.get(unit.table) else { return Ok(()) };
        match &mut self.target {
            Target::File(file) => file.append(table, &self.held)?,
            Target::Folder(files) => {
                let bytes = self.held.to_file(table)?;
                let of = (table.query(), self.source.as_deref());
                files.put(&name::path(unit, of, (self.options.format, &bytes)), &bytes)?;
                unit.parts += 1;
            }
        }
        self.held.clear();
        Ok(())
    }
}

impl RowOutput for AnswerFiles {
    fn set_complete(&mut self, complete: bool) {
        self.complete = complete;
    }

    /// Sets the source: a part of the path of each file to come.
    fn set_source(&mut self, source: &str) {
        self.source = Some(source.to_owned());
    }

    /// Takes a row. Writes the rows before it if they belong to another file, or if many are held.
    fn push(&mut self, row: &RowEmission) -> Result<(), Error> {
        if !self.belongs(row) {
            self.write()?;
            self.unit = Some(self.unit_of(row));
        }
        self.held.push(row, self.complete);
        if self.held.is_full() {
            self.write()?;
        }
        Ok(())
    }

    /// Writes what is held, if files are of one window: in a directory or a bucket it is safe then.
    fn flush(&mut self) -> Result<(), Error> {
        match self.target {
            Target::Folder(_) if self.options.per_window => self.write(),
            _ => Ok(()),
        }
    }

    /// Writes everything that is held, and puts the one file of a path in its place.
    fn finish(&mut self) -> Result<(), Error> {
        self.write()?;
        match (&mut self.target, self.tables.first()) {
            (Target::File(file), Some(table)) => file.finish(table),
            _ => Ok(()),
        }
    }
}

/// Returns true if [`AnswerFiles`] writes many files to a place, and not one.
pub(crate) fn is_folder(place: &str) -> bool {
    place.starts_with("s3://") || place.ends_with('/') || Path::new(place).is_dir()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
