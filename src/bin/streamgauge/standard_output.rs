//! Standard output for answers.

use crate::failure::Failure;
use crate::progress::Bar;
use std::io::{self, IsTerminal, Stdout, Write};
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

/// Standard output. On a terminal the progress bar is removed before anything is written, or it
/// would stay between the answers.
pub(crate) struct StandardOutput {
    stdout: Stdout,
    bar: Option<Bar>,
}

impl StandardOutput {
    /// Creates standard output on a terminal that may have a bar.
    ///
    /// # Errors
    /// The process was started without a standard output, so that answers would be lost.
    pub(crate) fn new(bar: &Bar) -> Result<Self, Failure> {
        if was_closed() {
            let message = "standard output is closed, and the answers would be lost: send them to a file or a pipe, or to /dev/null";
            return Err(Failure::Run(message.to_owned()));
        }
        let stdout = io::stdout();
        let bar = stdout.is_terminal().then(|| bar.clone());
        Ok(StandardOutput { stdout, bar })
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(bar) = &self.bar {
            bar.clear();
        }
        self.stdout.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

/// True if the process was started without a standard output.
#[cfg(unix)]
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Checks before `main`: Rust opens the null device instead of a closed standard output, and after
/// that the two look the same.
#[cfg(unix)]
#[ctor::ctor(unsafe)]
fn look() {
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()) == Err(rustix::io::Errno::BADF);
    WAS_CLOSED.store(closed, Ordering::Relaxed);
}

#[cfg(unix)]
fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

#[cfg(not(unix))]
fn was_closed() -> bool {
    false
}
