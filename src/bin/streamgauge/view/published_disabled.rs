//! What publishes a run in a command without the features `serve` and `otlp`: nothing.

use crate::failure::Failure;
use crate::view::html::Origin;
use crate::view::{Counts, Watcher};
use streamgauge::rows::RowEmission;

/// A writer that nobody can make.
pub(crate) enum PublishedWriter {}

/// Options that nobody can give.
#[derive(Clone, Debug)]
pub(crate) enum PublishOptions {}

impl PublishOptions {
    pub(crate) fn histograms(&self) -> Option<usize> {
        match *self {}
    }
}

impl PublishedWriter {
    pub(crate) fn start(
        _: (Vec<String>, Vec<String>),
        _: Origin,
        options: &PublishOptions,
    ) -> Result<Self, Failure> {
        match *options {}
    }

    pub(crate) fn emission(&mut self, _: &RowEmission) {
        match *self {}
    }
}

impl Watcher for PublishedWriter {
    fn counts(&self) -> Counts {
        match *self {}
    }

    fn tell(&mut self, _: Counts) {
        match *self {}
    }
}
