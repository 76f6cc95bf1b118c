//! Clients of AWS behind blocking calls: a small runtime, and what the environment says.

use crate::error::{Error, ErrorKind};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// The place of a service, where it differs from what the environment says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The URL of the service, such as `http://127.0.0.1:4568` of an emulator.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// Waits for futures on a runtime with one thread. Clones share the runtime.
#[derive(Clone)]
pub(crate) struct Blocking {
    /// `None` only during drop.
    runtime: Option<Arc<Runtime>>,
}

impl Blocking {
    /// Starts a runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses what a runtime needs.
    pub(crate) fn start() -> Result<Self, Error> {
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
    pub(crate) fn runtime(&self) -> Result<&Runtime, Error> {
        self.runtime.as_deref().ok_or_else(ended)
    }

    /// Waits for a future, on a thread that belongs to no runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the runtime has ended.
    pub(crate) fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> Result<T, Error> {
        let runtime = self.runtime()?;
        let joined = thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join());
        joined.map_err(|_| ended())
    }
}

/// Starts a runtime, and loads what the environment says of AWS where the options do not.
pub(crate) fn load(options: ClientOptions) -> Result<(Blocking, SdkConfig), Error> {
    let blocking = Blocking::start()?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(endpoint) = options.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(region) = options.region {
        loader = loader.region(Region::new(region));
    }
    let config = blocking.wait(loader.load())?;
    Ok((blocking, config))
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
