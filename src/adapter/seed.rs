//! The secret seed of sketches, from the environment or a file.

use crate::error::{Error, ErrorKind};
use crate::hash::Seed;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The variable with the seed.
const VARIABLE: &str = "STREAMGAUGE_SEED";

/// The variable with the name of the seed's file.
const FILE_VARIABLE: &str = "STREAMGAUGE_SEED_FILE";

/// More bytes than a seed needs, with whitespace around it.
const FILE_BYTES_MAX: u64 = 256;

/// Reads a seed from a file: up to 16 hexadecimal digits, with optional whitespace around them.
///
/// # Errors
/// [`ErrorKind::Io`] if the file cannot be read, [`ErrorKind::Parse`] if it has no seed. The
/// message never shows the content of the file.
pub fn read_seed(path: &Path) -> Result<Seed, Error> {
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)).map_err(
        |error| {
            Error::new(ErrorKind::Io, format!("{}: the seed file cannot be read", path.display()))
                .with_source(error)
        },
    )?;
    text.trim().parse().map_err(|error: Error| error.at(path.display()))
}

/// Returns the seed in `STREAMGAUGE_SEED`, or in the file named by `STREAMGAUGE_SEED_FILE`. Returns
/// `None` if neither is set.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if both are set, or one of them is empty, because a missing
/// secret must not become the public seed. Otherwise those of [`read_seed`].
pub fn seed_from_environment() -> Result<Option<Seed>, Error> {
    let (text, file) = (env::var_os(VARIABLE), env::var_os(FILE_VARIABLE));
    for (name, value) in [(VARIABLE, &text), (FILE_VARIABLE, &file)] {
        if value.as_ref().is_some_and(|value| value.is_empty()) {
            return Err(Error::invalid(format!(
                "{name} is set, but empty: set it to the secret seed, or unset it for the public \
                 one"
            )));
        }
    }
    match (text, file) {
        (Some(_), Some(_)) => Err(Error::invalid(format!(
            "{VARIABLE} and {FILE_VARIABLE} are both set: one seed is used"
        ))),
        (Some(text), None) => text
            .to_str()
            .unwrap_or_default()
            .parse()
            .map(Some)
            .map_err(|error: Error| error.at(VARIABLE)),
        (None, Some(path)) => {
            read_seed(Path::new(&path)).map(Some).map_err(|error| error.at(FILE_VARIABLE))
        }
        (None, None) => Ok(None),
    }
}
