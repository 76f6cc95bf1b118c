//! Refuses `--live` in a command without the feature `live`.

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::view::html::Origin;
use crate::view::{Counts, Watcher};
use std::io;
use streamgauge::rows::RowEmission;
use streamgauge::{Control, Error};

/// A screen that nobody can make.
pub(crate) enum LiveWriter {}

impl LiveWriter {
    pub(crate) fn start(
        _: (Vec<String>, Vec<String>),
        _: Origin,
        _: &Interrupt,
    ) -> Result<Self, Failure> {
        Err(Failure::Usage("this command is built without the feature `live`".to_owned()))
    }

    pub(crate) fn emission(&mut self, _: &RowEmission) {
        match *self {}
    }

    pub(crate) fn set_incomplete(&mut self) {
        match *self {}
    }

    pub(crate) fn look_early<P: Control>(
        &mut self,
        _: &mut P,
        _: impl Fn(&mut P) -> Result<Option<RowEmission>, Error>,
    ) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn finish(&mut self) -> io::Result<Vec<RowEmission>> {
        match *self {}
    }

    pub(crate) fn close(&mut self) -> io::Result<Vec<RowEmission>> {
        match *self {}
    }
}

impl Watcher for LiveWriter {
    fn counts(&self) -> Counts {
        match *self {}
    }

    fn tell(&mut self, _: Counts) {
        match *self {}
    }
}
