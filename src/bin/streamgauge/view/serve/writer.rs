//! The answers of a run, served while it goes on.

use super::metrics::{Metrics, chosen};
use super::replies::Replies;
use super::server::serve;
use super::state::Shared;
use crate::failure::Failure;
use crate::standard_error::say;
use crate::view::html::Origin;
use crate::view::kept::Kept;
use crate::view::{Counts, Watcher};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use streamgauge::Window;
use streamgauge::rows::RowEmission;
use tokio::sync::oneshot;

/// The least time between two counts.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Characters of a token, at least.
const TOKEN_CHARS_MIN: usize = 16;

/// Where and what is served.
#[derive(Clone, Debug)]
pub(crate) struct ServeOptions {
    pub(crate) address: SocketAddr,
    pub(crate) token_file: Option<PathBuf>,
    /// The columns that are metrics; none for all columns of numbers.
    pub(crate) metrics: Vec<String>,
}

/// Takes the answers of a run and serves them while it goes on.
pub(crate) struct ServedWriter {
    shared: Shared,
    thread: Option<JoinHandle<std::io::Result<()>>>,
    /// Dropped at the end.
    end: Option<oneshot::Sender<()>>,
    told_at: Option<Instant>,
    last: Option<(Option<Window>, u32)>,
}

impl ServedWriter {
    /// Starts the server.
    ///
    /// # Errors
    /// Wrong usage, or an address that cannot be listened on.
    pub(crate) fn start(
        (group_names, columns): (Vec<String>, Vec<String>),
        origin: Origin,
        options: &ServeOptions,
    ) -> Result<Self, Failure> {
        let token = options.token_file.as_deref().map(token).transpose()?;
        if !options.address.ip().is_loopback() && token.is_none() {
            let message = "--serve: only a loopback address such as 127.0.0.1 is served without a \
                           token: give one by --token-file";
            return Err(Failure::Usage(message.to_owned()));
        }
        let metrics = Metrics::new(&chosen(&options.metrics), &columns).map_err(Failure::Usage)?;
        let listening = TcpListener::bind(options.address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = listening
            .map_err(|error| Failure::Run(format!("--serve {}: {error}", options.address)))?;
        say(&format!("serving http://{address}/\n"));
        let shared = Shared::new(Kept::new(group_names, columns), origin, metrics);
        let replies = Replies::new(shared.clone(), address, token);
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || serve(listener, replies, ended))
            .map_err(|error| Failure::Run(format!("the server has no thread: {error}")))?;
        Ok(ServedWriter { shared, thread: Some(thread), end: Some(end), told_at: None, last: None })
    }

    /// Takes a row of a window that has closed.
    pub(crate) fn emission(&mut self, row: &RowEmission) {
        let window = Some((row.window, row.revision));
        let is_next = self.last != window;
        self.last = window;
        let mut told = self.shared.told();
        told.windows += u64::from(is_next);
        told.version += 1;
        told.kept.take(row, None);
    }
}

impl Watcher for ServedWriter {
    fn is_due(&self) -> bool {
        self.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY)
    }

    fn counts(&self) -> Counts {
        self.shared.told().counts
    }

    fn tell(&mut self, counts: Counts) {
        self.told_at = Some(Instant::now());
        self.shared.told().counts = counts;
    }
}

impl Drop for ServedWriter {
    fn drop(&mut self) {
        drop(self.end.take());
        // A server that has failed has told nobody anything, and the run has its own result.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Returns the token of a file.
fn token(path: &Path) -> Result<String, Failure> {
    let at =
        |message: String| Failure::Usage(format!("--token-file {}: {message}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| at(error.to_string()))?;
    let token = text.trim();
    let is_plain = token.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
    match token.len() >= TOKEN_CHARS_MIN && is_plain {
        true => Ok(token.to_owned()),
        false => {
            Err(at(format!("a token has at least {TOKEN_CHARS_MIN} letters, digits and - . _ ~")))
        }
    }
}
