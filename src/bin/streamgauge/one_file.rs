//! No file is read and written in one run, and no file has two kinds of output: the output would
//! overwrite the input, or another output.

use crate::failure::Failure;
use crate::protocol_output::is_standard_output;
use crate::settings::Settings;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use streamgauge::adapter::is_open_ended;

/// Refuses an output that is one of the inputs, the standard output or another output, also under
/// another name. Nothing has been opened for writing yet.
///
/// # Errors
/// Wrong usage, with both names.
pub(crate) fn check(settings: &Settings) -> Result<(), Failure> {
    let read = settings.files.iter().map(|path| ("the input", path));
    let settled = settings.setting_files.iter().map(|path| ("the file of settings", path));
    let inputs: Vec<(&str, &PathBuf, Metadata)> = read
        .chain(settled)
        .filter_map(|(what, path)| Some((what, path, path.metadata().ok()?)))
        .collect();
    let refused = |flag: &str, found: &Metadata| {
        let (what, path, _) = inputs.iter().find(|(_, _, input)| is_one_file(input, found))?;
        let why = "are the same file: writing it would destroy what is to be read";
        Some(one_file(flag, &format!("{what} {}", path.display()), why))
    };
    let outputs = outputs(settings);
    for (index, (flag, output)) in outputs.iter().enumerate() {
        // The name `-` is refused when the file is opened.
        let named = is_lines(flag) && output != Path::new("-");
        if settings.durable.partials.is_none() && named && is_standard_output(output) {
            let message = format!(
                "{flag} {}: standard output has the answers; name another file",
                output.display()
            );
            return Err(Failure::Usage(message));
        }
        let found = output.metadata();
        let refusal = found.as_ref().ok().and_then(|found| refused(flag, found));
        let other = outputs[..index].iter().find(|(_, other)| are_one(output, other));
        let shared = other.map(|(other, _)| {
            one_file(flag, other, "are the same file: one would write over the other")
        });
        if let Some(refusal) = refusal.or(shared) {
            return Err(refusal);
        }
    }
    let refusal = standard_output().and_then(|found| refused("the standard output", &found));
    refusal.map_or(Ok(()), Err)
}

/// Returns the files that are written and exist, the standard output included.
pub(crate) fn existing_outputs(settings: &Settings) -> Vec<Metadata> {
    let named = outputs(settings).into_iter().filter_map(|(_, path)| path.metadata().ok());
    named.chain(standard_output()).collect()
}

/// Returns the files that are written, with the flags that name them.
fn outputs(settings: &Settings) -> Vec<(&'static str, PathBuf)> {
    let mut outputs = Vec::new();
    if let Some(place) = settings.durable.state.as_deref().map(Path::new) {
        outputs.extend(["run.state", "answered.state"].map(|name| ("--state", place.join(name))));
    }
    outputs.extend(
        settings.spec.dead_letters.as_deref().map(|path| ("--dead-letters", PathBuf::from(path))),
    );
    let out = settings.out.as_deref().filter(|place| !is_open_ended(place));
    outputs.extend(out.map(|path| ("--out", PathBuf::from(path))));
    outputs.extend(settings.spec.late.as_deref().map(|path| ("--late", PathBuf::from(path))));
    outputs
}

/// Returns true for a file of lines besides the answers.
fn is_lines(flag: &str) -> bool {
    flag != "--state"
}

fn one_file(flag: &str, other: &str, why: &str) -> Failure {
    Failure::Usage(format!("{flag} and {other} {why}; name another file"))
}

/// Returns true if two paths name one file, also a file that does not exist yet.
fn are_one(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => is_one_file(&one, &other),
        (Err(_), Err(_)) => {
            let folder = |path: &Path| {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                folder.unwrap_or(Path::new(".")).canonicalize().ok()
            };
            one.file_name() == other.file_name() && folder(one) == folder(other)
        }
        _ => false,
    }
}

/// Returns the metadata of the standard output's file, if it is a file.
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
