//! A small runtime behind blocking calls.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// Waits for futures on a runtime with one thread. Clones share the runtime.
#[derive(Clone)]
pub(super) struct Blocking {
    /// `None` only during drop.
    runtime: Option<Arc<Runtime>>,
}

impl Blocking {
    /// Starts a runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses what a runtime needs.
    pub(super) fn start() -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(ErrorKind::Io, "cannot start the runtime of an AWS client")
                .with_source(error)
        })?;
        Ok(Blocking { runtime: Some(Arc::new(runtime)) })
    }

    /// Returns the runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it has ended.
    pub(super) fn runtime(&self) -> Result<&Runtime, Error> {
        self.runtime.as_deref().ok_or_else(ended)
    }

    /// Waits for a future, on a thread that belongs to no runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the runtime has ended.
    pub(super) fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> Result<T, Error> {
        let runtime = self.runtime()?;
        let joined = thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join());
        joined.map_err(|_| ended())
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Io, "the runtime of an AWS client has ended")
}

impl Drop for Blocking {
    fn drop(&mut self) {
        // Waiting for the runtime would panic inside another runtime.
        if let Some(runtime) = self.runtime.take().and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}
