//! SQL statements: another way to write a pipeline.
//!
//! A `select` becomes a [`PipelineSpec`]. Its expressions are those of the
//! language, so what a clause means is what the key of the pipeline means. What a pipeline cannot
//! do, such as a join, is refused with its place.

mod lower;
mod over;
mod parse;
#[cfg(test)]
mod tests;
mod unnest;

use super::expression::{Ast, Id};
use super::pipeline_spec::PipelineSpec;
use crate::error::Error;

/// A `select` statement as a pipeline.
///
/// # Example
/// ```
/// use streamgauge::query::SqlStatement;
/// let statement = SqlStatement::parse(
///     "SELECT country, count(*) AS hits FROM 'access.jsonl' WHERE status >= 500
///      GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), country HAVING hits > 10",
/// )?;
/// assert_eq!(statement.files, ["access.jsonl"]);
/// assert_eq!(
///     statement.spec.to_toml()?,
///     "time = \"ts\"\nwindow = \"1m\"\nwhere = [\"status >= 500\"]\ngroup = [\"country\"]\n\
///      agg = [\"count(*) as hits\"]\nhaving = [\"hits > 10\"]\n"
/// );
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct SqlStatement {
    /// The pipeline.
    pub spec: PipelineSpec,
    /// The files in quotes after `from`; empty if it names a table or a stream.
    pub files: Vec<String>,
    /// The table or the stream after `from`, if it is not a file in quotes.
    pub table: Option<String>,
}

impl SqlStatement {
    /// Parses a text that is one `select`. `create stream` before it is skipped, and of
    /// `create pump .. as insert into .. select` the `select` is the statement.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, what was found and what would
    /// fit.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (mut ast, mut select) = parse::select_of(text)?;
        let unnest = unnest::unnested(&mut ast, &mut select)?;
        let mut statement = match over::lowered(&ast, &select)? {
            Some(statement) => statement,
            None => lower::lowered(&ast, &select)?,
        };
        statement.spec.unnest = unnest;
        Ok(statement)
    }
}

/// A `select` as it is written.
#[derive(Debug, Default)]
struct Select {
    items: Vec<Item>,
    files: Vec<String>,
    /// The names by which fields may be qualified.
    tables: Vec<String>,
    /// An array after the table, whose elements are the records.
    joined: Option<unnest::Joined>,
    /// A window function in place of a table.
    window: Option<Windowing>,
    /// What the windows of `windowed by stagger` are partitioned by.
    partition: Vec<Id>,
    /// The windows of the clause `window`, by name.
    row_windows: Vec<(String, over::RowsBefore)>,
    filter: Option<Id>,
    group: Vec<Id>,
    having: Option<Id>,
    order: Vec<(Id, bool)>,
    limit: Option<u64>,
}

/// An expression of the list after `select`.
#[derive(Debug)]
struct Item {
    id: Id,
    alias: Option<String>,
    /// The rows that an aggregate is over.
    over: Option<over::Over>,
}

/// How a statement cuts time into windows.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Windowing {
    /// The field of the event time; `None` for the arrival time.
    time: Option<String>,
    zone: Option<String>,
    kind: WindowKind,
    /// The size, or the gap of sessions, as in a pipeline file.
    size: String,
    /// The time between the starts of two windows, if they overlap.
    every: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WindowKind {
    Aligned,
    Session,
    Stagger,
}

/// Returns the canonical text of an expression, with a name.
fn named(ast: &Ast, id: Id, alias: Option<&str>) -> String {
    let text = ast.canonical(id);
    match alias {
        Some(alias) => format!("{text} as {}", super::expression::field_text(alias)),
        None => text,
    }
}
