//! One window of one source, made to be merged.

use super::format::{Envelope, EnvelopeWriter, Identity, Kind, Tag, corrupt};
use crate::codec::Writer;
use crate::error::Error;
use crate::time::Timestamp;
use crate::window::Window;
use bytes::Bytes;
use std::fmt;

/// What a source (a shard, a process, a file) has of one window, as self-describing bytes: to be
/// written, shipped, and merged with other sources' by a [`Merger`](crate::merger::Merger).
///
/// Made by [`Control::next_partial`](crate::engine::Control::next_partial), instead of an
/// emission. Partials of one source and window replace each other, the higher revision the lower;
/// those of several sources add up. So they may be delivered in any order and any number of times.
#[derive(Clone)]
pub struct Partial {
    bytes: Bytes,
    envelope: Envelope,
    origin: Origin,
}

/// Where a partial comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) window: Option<Window>,
    pub(crate) source: String,
    pub(crate) revision: u32,
    pub(crate) is_final: bool,
}

impl Partial {
    /// Takes over bytes that may be anything. Checks all but the accumulator inside, which
    /// [`MergerControl::add`](crate::merger::MergerControl::add) checks; copies the source's name
    /// and nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if they are no streamgauge bytes, of a
    /// newer version, cut short or damaged; [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if
    /// they hold something else than a partial.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Partial, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        envelope.check_kind(Kind::Partial)?;
        let origin = Origin::decode(&envelope, &bytes)?;
        envelope.section(&bytes, Tag::Accumulator)?;
        Ok(Partial { bytes, envelope, origin })
    }

    /// Writes a partial; `write` writes the accumulator.
    pub(crate) fn new(
        identity: &Identity,
        origin: &Origin,
        write: impl FnOnce(&mut Writer) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut envelope = EnvelopeWriter::new(Kind::Partial, identity);
        envelope.section(Tag::Origin, |writer| origin.encode(writer));
        envelope.section(Tag::Accumulator, write)?;
        Partial::from_bytes(envelope.finish())
    }

    /// The window; `None` for a pipeline without windows.
    pub fn window(&self) -> Option<Window> {
        self.origin.window
    }

    /// Who made it.
    pub fn source(&self) -> &str {
        &self.origin.source
    }

    /// 0 for the source's first answer of this window, 1 for the next, and so on.
    pub fn revision(&self) -> u32 {
        self.origin.revision
    }

    /// Returns true if the source will give no other: no record of it can still go into the window.
    pub fn is_final(&self) -> bool {
        self.origin.is_final
    }

    /// Whether this one takes the place of another of the same source and window: its revision is
    /// higher, or it is final. Of two of the same that differ, which a source may give when it was
    /// started again, the one whose bytes are greater does, so that the order in which they come
    /// does not matter.
    pub fn supersedes(&self, other: &Partial) -> bool {
        let rank = |partial: &Partial| (partial.revision(), partial.is_final());
        (rank(self), &self.bytes) > (rank(other), &other.bytes)
    }

    /// The same with another revision: for a source that answers a window again, which its engine
    /// did not know to be answered before.
    ///
    /// # Errors
    /// None is known.
    pub fn with_revision(&self, revision: u32) -> Result<Partial, Error> {
        let description = self.envelope.description(&self.bytes)?.to_owned();
        let identity = Identity { description, seeds: self.envelope.seeds };
        let mut section = self.envelope.section(&self.bytes, Tag::Accumulator)?;
        let accumulator = section.raw(section.remaining())?;
        Partial::new(&identity, &Origin { revision, ..self.origin.clone() }, |writer| {
            writer.raw(accumulator);
            Ok(())
        })
    }

    /// The fingerprint of the pipeline.
    pub fn fingerprint(&self) -> u64 {
        self.envelope.pipeline
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes, given away.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

impl Origin {
    fn encode(&self, writer: &mut Writer) {
        writer.bool(self.window.is_some());
        if let Some(window) = self.window {
            writer.i64(window.start().as_millis());
            writer.i64(window.end().as_millis());
        }
        writer.bytes(self.source.as_bytes());
        writer.u64(u64::from(self.revision));
        writer.bool(self.is_final);
    }

    fn decode(envelope: &Envelope, bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = envelope.section(bytes, Tag::Origin)?;
        let window = match reader.bool()? {
            true => {
                let (start, end) = (reader.i64()?, reader.i64()?);
                if end <= start {
                    return Err(reader.corrupt("a window ends before it starts"));
                }
                Some(Window::new(Timestamp::from_millis(start), Timestamp::from_millis(end)))
            }
            false => None,
        };
        let source = reader.text()?.to_owned();
        let revision = u32::try_from(reader.u64()?)
            .map_err(|_| corrupt(String::from("a revision is over 32 bits")))?;
        let is_final = reader.bool()?;
        reader.finish()?;
        Ok(Origin { window, source, revision, is_final })
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { window, source, revision, is_final } = &self.origin;
        f.debug_struct("Partial")
            .field("window", window)
            .field("source", source)
            .field("revision", revision)
            .field("final", is_final)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
