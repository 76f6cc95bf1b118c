//! Standard output for the daemon's protocol only.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Maximum links that are followed from a path. More of them are a circle.
const LINKS_MAX: usize = 40;

/// Takes standard output: the returned file writes to it, and everything else that this process
/// prints goes to standard error.
///
/// # Errors
/// Errors of the operating system.
#[cfg(unix)]
pub(crate) fn take() -> io::Result<File> {
    use std::os::fd::AsFd;
    let protocol = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(protocol))
}

/// Takes standard output. On this system other prints of the process are not redirected.
///
/// # Errors
/// Errors of the operating system.
#[cfg(not(unix))]
pub(crate) fn take() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// Returns true if the path leads to standard output: `-`, a name of the descriptor, a link to one,
/// or the file of standard output. Call it before standard output is [taken](take).
pub(crate) fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-") || names_descriptor(path) || is_same_file(path)
}

/// Follows links up to a name of the descriptor.
fn names_descriptor(path: &Path) -> bool {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if is_descriptor_name(&path) {
            return true;
        }
        let Ok(target) = fs::read_link(&path) else {
            // A directory on the way may be a link, as /dev/fd is.
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let resolved = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
            return resolved.is_some_and(|resolved| is_descriptor_name(&resolved));
        };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    false
}

/// Returns true for `/dev/stdout`, `/dev/fd/1` and `/proc/self/fd/1`, also under the number of this
/// process.
fn is_descriptor_name(path: &Path) -> bool {
    let parts: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    let text = parts.to_string_lossy();
    let own = format!("/proc/{}/fd/1", std::process::id());
    ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", &own]
        .contains(&text.as_ref())
}

/// Returns true if standard output is this file. A device such as /dev/null can be both.
#[cfg(unix)]
fn is_same_file(path: &Path) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let output =
        io::stdout().as_fd().try_clone_to_owned().and_then(|output| File::from(output).metadata());
    let (Ok(output), Ok(found)) = (output, fs::metadata(path)) else { return false };
    !found.file_type().is_char_device()
        && (output.dev(), output.ino()) == (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn is_same_file(_path: &Path) -> bool {
    false
}
