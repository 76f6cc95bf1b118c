//! One window of one source, for merging.

use super::format::{Envelope, EnvelopeWriter, Identity, Kind, Tag, corrupt};
use crate::codec::Writer;
use crate::error::Error;
use crate::time::Timestamp;
use crate::window::Window;
use bytes::Bytes;
use std::fmt;

/// The content of one window from one source (a shard, a process, a file), as self-describing bytes
/// that can be stored, sent, and merged with those of other sources by a
/// [`Merger`](crate::merger::Merger).
///
/// [`Control::next_partial`](crate::engine::Control::next_partial) creates it instead of an
/// emission. A partial replaces an earlier one of the same source and window, and is added to those
/// of other sources. So partials may be delivered in any order and any number of times.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::snapshot::Partial;
/// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
/// pipeline.push("a line")?;
/// pipeline.finish();
/// let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
/// // To a merger in another process, by any transport.
/// let received = Partial::from_bytes(partial.into_bytes())?;
/// assert_eq!((received.source(), received.window()), ("shard-0", None));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Partial {
    bytes: Bytes,
    envelope: Envelope,
    origin: Origin,
}

/// The source of a partial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) window: Option<Window>,
    pub(crate) source: String,
    pub(crate) revision: u32,
    pub(crate) is_final: bool,
}

impl Partial {
    /// Checks and takes untrusted bytes. Checks everything but the accumulator inside, which
    /// [`MergerControl::add`](crate::merger::MergerControl::add) checks. Copies only the source's
    /// name.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if they are not streamgauge bytes, or are
    /// of a newer version, truncated or damaged.
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if they are not a partial.
    ///
    /// # Example
    /// ```
    /// use streamgauge::ErrorKind;
    /// use streamgauge::snapshot::Partial;
    /// let refused = Partial::from_bytes(b"not a partial".as_slice()).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Corrupt);
    /// ```
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Partial, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        envelope.check_kind(Kind::Partial)?;
        let origin = Origin::decode(&envelope, &bytes)?;
        envelope.section(&bytes, Tag::Accumulator)?;
        Ok(Partial { bytes, envelope, origin })
    }

    /// Writes a partial. `write` writes the accumulator.
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

    /// Returns the window; `None` for a pipeline without windows.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// pipeline.push_batch(&[14_000, 25_000])?;
    /// let partial = pipeline.next_partial("shard-0")?.expect("the first window is complete");
    /// assert_eq!(partial.window().map(|window| window.start().as_millis()), Some(10_000));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn window(&self) -> Option<Window> {
        self.origin.window
    }

    /// Returns the name of the source.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// pipeline.finish();
    /// // Name what keeps its name after a restart: a shard, not a process.
    /// let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
    /// assert_eq!(partial.source(), "shard-0");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn source(&self) -> &str {
        &self.origin.source
    }

    /// Returns 0 for the source's first answer of this window, 1 for the second, and so on.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .allowed_lateness(minutes(1))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// pipeline.push_batch(&[1_000, 10_000])?;
    /// assert_eq!(pipeline.next_partial("shard-0")?.map(|partial| partial.revision()), Some(0));
    /// pipeline.push(&2_000)?; // late, and within the allowed lateness
    /// assert_eq!(pipeline.next_partial("shard-0")?.map(|partial| partial.revision()), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn revision(&self) -> u32 {
        self.origin.revision
    }

    /// Returns true if the source will send no later revision: no record of the source can still go
    /// into the window.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .allowed_lateness(minutes(1))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// pipeline.push_batch(&[1_000, 10_000])?;
    /// let first = pipeline.next_partial("shard-0")?.expect("the window has fired");
    /// assert!(!first.is_final()); // late records may follow for a minute
    /// pipeline.push(&70_000)?;
    /// let last = pipeline.next_partial("shard-0")?.expect("the window has closed");
    /// assert!(last.is_final() && last.window() == first.window());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_final(&self) -> bool {
        self.origin.is_final
    }

    /// Returns true if this partial replaces `other`, which has the same source and window: its
    /// revision is higher, or it is final. A source that was restarted may send two different
    /// partials with the same revision. Then the one with the greater bytes wins, so that the order
    /// of arrival does not matter.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .allowed_lateness(minutes(1))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// pipeline.push_batch(&[1_000, 10_000])?;
    /// let first = pipeline.next_partial("shard-0")?.expect("the window has fired");
    /// pipeline.push(&2_000)?;
    /// let second = pipeline.next_partial("shard-0")?.expect("a late record has come");
    /// assert!(second.supersedes(&first) && !first.supersedes(&second)); // in any order of arrival
    /// assert!(!first.supersedes(&first));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn supersedes(&self, other: &Partial) -> bool {
        let rank = |partial: &Partial| (partial.revision(), partial.is_final());
        (rank(self), &self.bytes) > (rank(other), &other.bytes)
    }

    /// Returns the partial with another revision. For a source that answers a window again although
    /// its engine does not know of the earlier answer.
    ///
    /// # Errors
    /// None is known.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// pipeline.finish();
    /// let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
    /// let again = partial.with_revision(5)?;
    /// assert_eq!((partial.revision(), again.revision(), again.source()), (0, 5, "shard-0"));
    /// assert!(again.supersedes(&partial));
    /// # Ok::<(), Error>(())
    /// ```
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

    /// Returns the fingerprint of the pipeline.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// pipeline.finish();
    /// let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
    /// // A receiver sorts partials of several pipelines by it.
    /// assert_eq!(partial.fingerprint(), pipeline.fingerprint());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fingerprint(&self) -> u64 {
        self.envelope.pipeline
    }

    /// Returns the bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let partial = || {
    ///     let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    ///     pipeline.push("a line")?;
    ///     pipeline.finish();
    ///     Ok::<_, Error>(pipeline.next_partial("shard-0")?.expect("the input has ended"))
    /// };
    /// // The same records give the same bytes: a store can compare them.
    /// assert_eq!(partial()?.bytes(), partial()?.bytes());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the bytes and consumes the partial.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::snapshot::Partial;
    /// # let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// # pipeline.push("a line")?;
    /// # pipeline.finish();
    /// let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
    /// let mut bytes = partial.into_bytes().to_vec();
    /// bytes[20] ^= 1; // damaged on the way
    /// assert_eq!(Partial::from_bytes(bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    /// # Ok::<(), Error>(())
    /// ```
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
