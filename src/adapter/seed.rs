//! The secret seed of sketches, as the environment or a file gives it.

use crate::error::{Error, ErrorKind};
use crate::hash::Seed;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The variable that holds the seed.
const VARIABLE: &str = "STREAMGAUGE_SEED";

/// The variable that names the file that holds it.
const FILE_VARIABLE: &str = "STREAMGAUGE_SEED_FILE";

/// More than a seed takes, with whitespace around it.
const FILE_BYTES_MAX: u64 = 256;

/// Reads a seed from a file: up to 16 hexadecimal digits, with whitespace around them or not.
///
/// # Errors
/// [`ErrorKind::Io`] if the file cannot be read, [`ErrorKind::Parse`] if it holds no seed. The
/// message never shows what the file holds.
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

/// The seed that `STREAMGAUGE_SEED` holds, or the file that `STREAMGAUGE_SEED_FILE` names; `None`
/// if neither is set.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if both are set, or one of them is empty: a secret that is
/// missing must not become the public seed. As [`read_seed`] otherwise.
pub fn seed_from_environment() -> Result<Option<Seed>, Error> {
    let (text, file) = (env::var_os(VARIABLE), env::var_os(FILE_VARIABLE));
    for (name, value) in [(VARIABLE, &text), (FILE_VARIABLE, &file)] {
        if value.as_ref().is_some_and(|value| value.is_empty()) {
            return Err(Error::invalid(format!(
                "{name} is set, but empty: set it to the secret seed, or unset it for the public one"
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
