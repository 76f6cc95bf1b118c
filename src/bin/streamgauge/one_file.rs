//! No file is read and written in one run: what is written would take the place of what is to be
//! read.

use crate::failure::Failure;
use crate::settings::Settings;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Refuses an output that is one of the inputs, also under another name. Nothing has been opened
/// for writing yet.
///
/// # Errors
/// Wrong usage, naming both.
pub(crate) fn check(settings: &Settings) -> Result<(), Failure> {
    let inputs: Vec<(&PathBuf, Metadata)> =
        settings.files.iter().filter_map(|path| Some((path, path.metadata().ok()?))).collect();
    for (flag, output) in outputs(settings) {
        let Ok(found) = output.metadata() else { continue };
        if let Some((input, _)) = inputs.iter().find(|(_, input)| is_one_file(input, &found)) {
            return Err(refused(flag, input));
        }
    }
    if let Some(found) = standard_output()
        && let Some((input, _)) = inputs.iter().find(|(_, input)| is_one_file(input, &found))
    {
        return Err(refused("the standard output", input));
    }
    Ok(())
}

fn outputs(settings: &Settings) -> Vec<(&'static str, PathBuf)> {
    let mut outputs = Vec::new();
    outputs.extend(
        settings.spec.dead_letters.as_deref().map(|path| ("--dead-letters", PathBuf::from(path))),
    );
    outputs.extend(settings.spec.late.as_deref().map(|path| ("--late", PathBuf::from(path))));
    if let Some(place) = settings.durable.state.as_deref().map(Path::new) {
        outputs.extend(["run.state", "answered.state"].map(|name| ("--state", place.join(name))));
    }
    outputs
}

fn refused(flag: &str, input: &Path) -> Failure {
    Failure::Usage(format!(
        "{flag} and the input {} are the same file: writing it would destroy what is to be read; name another file",
        input.display()
    ))
}

/// What the standard output goes into, if that is a file.
#[cfg(unix)]
fn standard_output() -> Option<Metadata> {
    use std::os::fd::AsFd;
    let out = std::io::stdout().as_fd().try_clone_to_owned().ok()?;
    std::fs::File::from(out).metadata().ok().filter(Metadata::is_file)
}

#[cfg(not(unix))]
fn standard_output() -> Option<Metadata> {
    None
}

#[cfg(unix)]
fn is_one_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    // A device, such as /dev/null, can be both.
    one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_one_file(_: &Metadata, _: &Metadata) -> bool {
    false
}
