//! The server of `--serve` in a command without the feature `serve`: there is none.

use crate::failure::Failure;
use crate::view::html::Origin;
use crate::view::{Counts, Watcher};
use streamgauge::rows::RowEmission;

/// A server that nobody can make.
pub(crate) enum ServedWriter {}

/// Options that nobody can give.
#[derive(Clone, Debug)]
pub(crate) enum ServeOptions {}

impl ServedWriter {
    pub(crate) fn start(
        _: (Vec<String>, Vec<String>),
        _: Origin,
        options: &ServeOptions,
    ) -> Result<Self, Failure> {
        match *options {}
    }

    pub(crate) fn emission(&mut self, _: &RowEmission) {
        match *self {}
    }
}

impl Watcher for ServedWriter {
    fn is_due(&self) -> bool {
        match *self {}
    }

    fn counts(&self) -> Counts {
        match *self {}
    }

    fn tell(&mut self, _: Counts) {
        match *self {}
    }
}
