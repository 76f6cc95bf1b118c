//! The thread of the server.

use super::replies::Replies;
use super::server::serve;
use super::state::Shared;
use crate::failure::Failure;
use crate::standard_error::say;
use crate::view::html::Origin;
use crate::view::metrics::Metrics;
use crate::view::told::SharedTold;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Characters of a token, at least.
const TOKEN_CHARS_MIN: usize = 16;

/// Where it is served.
#[derive(Clone, Debug)]
pub(crate) struct ServeOptions {
    pub(crate) address: SocketAddr,
    pub(crate) token_file: Option<PathBuf>,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    thread: Option<JoinHandle<std::io::Result<()>>>,
    /// Dropped at the end.
    end: Option<oneshot::Sender<()>>,
}

impl Server {
    /// Starts the server.
    ///
    /// # Errors
    /// Wrong usage, or an address that cannot be listened on.
    pub(crate) fn start(
        published: (SharedTold, Arc<Metrics>),
        origin: Origin,
        options: &ServeOptions,
    ) -> Result<Self, Failure> {
        let token = options.token_file.as_deref().map(token).transpose()?;
        if !options.address.ip().is_loopback() && token.is_none() {
            let message = "--serve: only a loopback address such as 127.0.0.1 is served without a \
                           token: give one by --token-file";
            return Err(Failure::Usage(message.to_owned()));
        }
        let listening = TcpListener::bind(options.address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = listening
            .map_err(|error| Failure::Run(format!("--serve {}: {error}", options.address)))?;
        say(&format!("serving http://{address}/\n"));
        let replies = Replies::new(Shared::new(published, origin), address, token);
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || serve(listener, replies, ended))
            .map_err(|error| Failure::Run(format!("the server has no thread: {error}")))?;
        Ok(Server { thread: Some(thread), end: Some(end) })
    }
}

impl Drop for Server {
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
