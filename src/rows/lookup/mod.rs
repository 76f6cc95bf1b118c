//! Reference data: rows that expressions look up by a key, as `lookup('countries', ip, 'name')`.
//!
//! A [`Lookup`] is read once, from bytes, before a pipeline is compiled. Its content does not
//! change while the pipeline runs. A fingerprint of it is part of the pipeline's identity, so a
//! state is never continued with other content.

mod read;
mod table;

pub(super) use table::Table;

use crate::error::Error;
use crate::limits::Limits;
use read::{read_csv, read_json_lines};
use std::sync::Arc;

/// Reference data: rows of named columns, one of which is the key. Cloning it is cheap.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::rows::{CompileOptions, Lookup};
/// let countries =
///     Lookup::from_csv("countries", "code", b"code,name\nDE,Germany\n", &Limits::default())?;
/// let mut options = CompileOptions::default();
/// options.lookups.push(countries);
/// let text = "group = \"lookup('countries', country, 'name') as name\"";
/// let mut hits = PipelineSpec::from_toml(text, "hits.toml")?.compile(&options)?;
/// let shard = hits.open_shard(ShardId::new("requests"))?;
/// hits.push_fields(shard, &[("country", &"DE")], Timestamp::from_millis(0), None)?;
/// hits.finish();
/// let row = hits.next_emission()?.expect("one group");
/// assert_eq!(row.group[0].to_string(), "Germany");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lookup {
    name: String,
    table: Arc<Table>,
}

impl Lookup {
    /// Reads CSV with a header and commas. `key` is the name of the key's column.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the header lacks the
    /// key; [`ErrorKind::Parse`](crate::ErrorKind::Parse), with the line, for a line that is no
    /// record, and for a key that is missing or occurs twice;
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past
    /// [`Limits::lookup_rows_max`] or [`Limits::lookup_bytes_max`].
    pub fn from_csv(name: &str, key: &str, csv: &[u8], limits: &Limits) -> Result<Self, Error> {
        Ok(Lookup::of(name, read_csv((csv, b','), key, limits)?))
    }

    /// Reads TSV with a header. Otherwise as [`from_csv`](Lookup::from_csv).
    ///
    /// # Errors
    /// As [`from_csv`](Lookup::from_csv).
    pub fn from_tsv(name: &str, key: &str, tsv: &[u8], limits: &Limits) -> Result<Self, Error> {
        Ok(Lookup::of(name, read_csv((tsv, b'\t'), key, limits)?))
    }

    /// Reads JSON Lines. The columns are the members of the objects. `key` is the member that is
    /// the key.
    ///
    /// # Errors
    /// As [`from_csv`](Lookup::from_csv).
    pub fn from_json_lines(
        name: &str,
        key: &str,
        json: &[u8],
        limits: &Limits,
    ) -> Result<Self, Error> {
        Ok(Lookup::of(name, read_json_lines(json, key, limits)?))
    }

    fn of(name: &str, table: Table) -> Self {
        Lookup { name: name.to_owned(), table: Arc::new(table) }
    }

    /// Returns the name by which expressions find it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.table.rows()
    }

    /// Returns the approximate bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
    }
}

/// The lookups of a pipeline, and which of them its expressions use.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    all: Vec<Lookup>,
    used: Vec<String>,
}

impl Lookups {
    /// Creates the lookups of a pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if two have one name.
    pub(super) fn new(all: &[Lookup]) -> Result<Self, Error> {
        for (index, lookup) in all.iter().enumerate() {
            let name = lookup.name();
            if all.iter().take(index).any(|earlier| earlier.name() == name) {
                return Err(Error::invalid(format!("there are two lookups {name:?}")));
            }
        }
        Ok(Lookups { all: all.to_vec(), used: Vec::new() })
    }

    /// Returns the rows of the lookup that has this name, and remembers that it is used.
    pub(super) fn use_table(&mut self, name: &str) -> Option<Arc<Table>> {
        let found = self.all.iter().find(|lookup| lookup.name() == name)?;
        if !self.used.iter().any(|used| used == name) {
            self.used.push(name.to_owned());
        }
        Some(found.table.clone())
    }

    /// Returns the names of all lookups.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(Lookup::name)
    }

    /// Returns the lookups that expressions use.
    fn used(&self) -> impl Iterator<Item = &Lookup> {
        self.all.iter().filter(|lookup| self.used.contains(&lookup.name))
    }

    /// Returns the name, the rows and the bytes in memory of each lookup that expressions use.
    pub(super) fn sizes(&self) -> Vec<(String, usize, usize)> {
        let size = |lookup: &Lookup| (lookup.name.clone(), lookup.rows(), lookup.memory_bytes());
        self.used().map(size).collect()
    }

    /// Returns the words by which a state knows the content of the lookups that are used.
    pub(super) fn words(&self) -> String {
        let words = |lookup: &Lookup| {
            format!("lookup {:?} {:016x}; ", lookup.name, lookup.table.fingerprint())
        };
        self.used().map(words).collect()
    }
}
