//! The files of lookups.

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::query::{LookupSource, PipelineSpec};
use crate::rows::Lookup;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads the lookups that a specification names, for
/// [`CompileOptions::lookups`](crate::rows::CompileOptions::lookups): CSV, TSV or JSON Lines, by
/// the ending of the file's name. The names are those of the working directory.
///
/// # Errors
/// [`ErrorKind::Io`] if a file cannot be read; [`ErrorKind::InvalidArgument`] for a text that names
/// no lookup, and for a file of another format; those of [`Lookup::from_csv`]. All but the first
/// name the file.
pub fn read_lookups(spec: &PipelineSpec, limits: &Limits) -> Result<Vec<Lookup>, Error> {
    let sources = spec.lookup_sources().map_err(|error| error.at("lookup"))?;
    sources.iter().map(|source| read_lookup(source, limits)).collect()
}

fn read_lookup(source: &LookupSource, limits: &Limits) -> Result<Lookup, Error> {
    let LookupSource { name, file, key, .. } = source;
    let ending = Path::new(file).extension().map(|ending| ending.to_ascii_lowercase());
    let read = match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("csv") => Lookup::from_csv,
        Some("tsv") => Lookup::from_tsv,
        Some("json" | "jsonl" | "ndjson") => Lookup::from_json_lines,
        _ => {
            let message = format!(
                "{file}: a lookup is CSV, TSV or JSON Lines, and its name ends with .csv, .tsv or \
                 .jsonl"
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
    };
    let bytes = bytes(file, limits).map_err(|error| {
        let message = format!("{file}: the file of the lookup {name} cannot be read");
        Error::new(ErrorKind::Io, message).with_source(error)
    })?;
    read(name, key, &bytes, limits).map_err(|error| error.at(file))
}

/// Reads a file up to the limit, and one byte more, so that a larger one is told.
fn bytes(file: &str, limits: &Limits) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(limits.lookup_bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
