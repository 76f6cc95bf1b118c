//! Standard output for the daemon's protocol alone.

use std::fs::File;
use std::io;

/// Takes standard output away: what is returned writes where it went, and whatever else is printed in this process goes to standard error.
///
/// # Errors
/// Those of the operating system.
#[cfg(unix)]
pub(crate) fn take() -> io::Result<File> {
    use std::os::fd::AsFd;
    let protocol = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(protocol))
}

/// Takes standard output; what else is printed is not kept off it here.
///
/// # Errors
/// Those of the operating system.
#[cfg(not(unix))]
pub(crate) fn take() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}
