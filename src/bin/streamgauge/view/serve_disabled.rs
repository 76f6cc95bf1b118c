//! Refuses `--serve` in a command without the feature `serve`.

use crate::failure::Failure;
use crate::view::html::Origin;
use crate::view::metrics::Metrics;
use crate::view::told::SharedTold;
use std::sync::Arc;

/// A server that nobody can make.
pub(crate) enum Server {}

/// Options that nobody can give.
#[derive(Clone, Debug)]
pub(crate) enum ServeOptions {}

impl Server {
    pub(crate) fn start(
        _: (SharedTold, Arc<Metrics>),
        _: Origin,
        options: &ServeOptions,
    ) -> Result<Self, Failure> {
        match *options {}
    }
}
