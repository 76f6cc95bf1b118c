//! The part of a state that only some runs have.

use crate::error::Error;
use crate::snapshot::{Envelope, EnvelopeWriter, Tag};
use crate::time::Timestamp;
use bytes::Bytes;

/// Whether the files were followed, and the years of their times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Following {
    /// True if the run followed its files.
    pub(super) follows: bool,
    /// When the last record was written, as far as the years of times depend on it.
    pub(super) written_until: Option<Timestamp>,
}

impl Following {
    /// Reads what [`write`](Following::write) has written.
    pub(super) fn read(envelope: &Envelope, bytes: &Bytes) -> Result<Self, Error> {
        if !envelope.has(Tag::Following) {
            return Ok(Following::default());
        }
        let mut reader = envelope.section(bytes, Tag::Following)?;
        let follows = reader.bool()?;
        let written_until =
            if reader.bool()? { Some(Timestamp::from_millis(reader.i64()?)) } else { None };
        reader.finish()?;
        Ok(Following { follows, written_until })
    }

    /// Writes a section, unless everything is the default.
    pub(super) fn write(self, envelope: &mut EnvelopeWriter) {
        if self == Following::default() {
            return;
        }
        envelope.section(Tag::Following, |writer| {
            writer.bool(self.follows);
            writer.bool(self.written_until.is_some());
            self.written_until.iter().for_each(|time| writer.i64(time.as_millis()));
        });
    }
}
