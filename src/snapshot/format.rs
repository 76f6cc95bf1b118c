//! The envelope of everything that is stored: it tells who wrote what in which version, and detects
//! truncation and damage.
//!
//! ```text
//! magic        8 bytes  89 73 67 61 75 67 65 0A
//! version      1 byte   1
//! kind         1 byte   1 snapshot, 2 partial, 3 merger, 4 run, 5 answers
//! pipeline     8 bytes  fingerprint of the pipeline's description
//! seeds        8 bytes  fingerprint of its sketches' seeds; 0 if there are none
//! body length  8 bytes
//! body         sections: tag (1 byte), length (varint), content; tags ascend
//! checksum     8 bytes  XXH3 of all before it
//! ```

use crate::codec::{Reader, Writer, checksum};
use crate::error::{Error, ErrorKind};
use smallvec::SmallVec;
use std::ops::Range;

const MAGIC: [u8; 8] = *b"\x89sgauge\n";

/// The version that is written, which is also the newest that is read. All older versions are read
/// too.
pub(crate) const VERSION: u8 = 1;

const HEADER_BYTES: usize = 34;
const CHECKSUM_BYTES: usize = 8;

/// The kind of content of an envelope.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::snapshot::{Kind, Partial, Summary};
/// let pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
/// let bytes = pipeline.snapshot()?.into_bytes();
/// assert_eq!(Summary::of(bytes.clone())?.kind, Kind::Snapshot);
/// assert_eq!(Partial::from_bytes(bytes).unwrap_err().kind(), ErrorKind::Mismatch);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// The whole state of an engine.
    Snapshot,
    /// One window of one source, for merging.
    Partial,
    /// The state of a merger of partials.
    Merger,
    /// The state of a run over files: the position in each file, and the snapshots.
    Run,
    /// The answers that a run has given.
    Answers,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Snapshot => 1,
            Kind::Partial => 2,
            Kind::Merger => 3,
            Kind::Run => 4,
            Kind::Answers => 5,
        }
    }

    fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Snapshot, Kind::Partial, Kind::Merger, Kind::Run, Kind::Answers]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }

    /// Returns the kind as a noun with its article.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Kind::Snapshot => "a snapshot",
            Kind::Partial => "a partial",
            Kind::Merger => "a merger's state",
            Kind::Run => "the state of a run",
            Kind::Answers => "the answers of a run",
        }
    }
}

/// The content of a section. The meaning of a tag never changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Tag {
    Description = 1,
    Clock = 2,
    Shards = 3,
    Stats = 4,
    Firing = 5,
    Panes = 6,
    Sliding = 7,
    Pending = 8,
    Identities = 9,
    Origin = 10,
    Accumulator = 11,
    Partials = 12,
    Inherited = 13,
    Early = 14,
    Answering = 15,
    Dropped = 16,
    #[cfg_attr(not(feature = "files"), expect(dead_code, reason = "only runs over files write it"))]
    Files = 17,
    Given = 18,
    Unfinished = 19,
    Cuts = 20,
    OfGroups = 21,
    OfRows = 22,
    Queries = 23,
    Following = 24,
}

/// The names of the sections, by tag.
const NAMES: [&str; 25] = [
    "",
    "description",
    "clock",
    "shards",
    "stats",
    "firing",
    "panes",
    "sliding",
    "pending",
    "identities",
    "origin",
    "accumulator",
    "partials",
    "inherited",
    "early",
    "answering",
    "dropped",
    "files",
    "given",
    "unfinished",
    "cuts",
    "windows of groups",
    "windows of rows",
    "queries",
    "following",
];

/// The highest tag of this version.
const TAG_MAX: u8 = Tag::Following as u8;

impl Tag {
    /// Returns the name of a tag that was read from an envelope.
    pub(crate) fn name(tag: u8) -> &'static str {
        NAMES.get(usize::from(tag)).copied().unwrap_or_default()
    }
}

/// The pipeline that a state belongs to. A reader compares it with its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// The description of the pipeline. The fingerprint is its hash.
    pub(crate) description: String,
    pub(crate) seeds: u64,
}

impl Identity {
    pub(crate) fn fingerprint(&self) -> u64 {
        fingerprint_of(&self.description)
    }
}

/// Returns the stable hash of a description.
pub(crate) fn fingerprint_of(description: &str) -> u64 {
    crate::hash::hash_bytes(crate::hash::Seed::new(0x7069_7065), description.as_bytes())
}

/// Writes an envelope, section by section.
pub(crate) struct EnvelopeWriter {
    out: Writer,
}

impl EnvelopeWriter {
    pub(crate) fn new(kind: Kind, identity: &Identity) -> Self {
        let mut out = Writer::new();
        out.raw(&MAGIC);
        out.u8(VERSION);
        out.u8(kind.byte());
        out.fixed_u64(identity.fingerprint());
        out.fixed_u64(identity.seeds);
        out.fixed_u64(0);
        let mut writer = EnvelopeWriter { out };
        writer.section(Tag::Description, |section| section.raw(identity.description.as_bytes()));
        writer
    }

    /// Adds a section. Tags must ascend.
    pub(crate) fn section<T>(&mut self, tag: Tag, write: impl FnOnce(&mut Writer) -> T) -> T {
        self.out.u8(tag as u8);
        self.out.section(write)
    }

    /// Returns the bytes, with length and checksum.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = self.out.into_bytes();
        let body = (bytes.len() - HEADER_BYTES) as u64;
        if let Some(length) = bytes.get_mut(HEADER_BYTES - 8..HEADER_BYTES) {
            length.copy_from_slice(&body.to_le_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }
}

/// The parts of an envelope and their positions. It holds no bytes itself.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) version: u8,
    pub(crate) kind: Kind,
    pub(crate) pipeline: u64,
    pub(crate) seeds: u64,
    sections: Sections,
}

/// The tag and the byte range of each section, by tag.
type Sections = SmallVec<[(u8, Range<usize>); 9]>;

impl Envelope {
    /// Finds the parts of an envelope: magic, version, length, checksum, then the sections.
    /// Allocates nothing by lengths that the bytes contain.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`], which tells what is wrong.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Envelope, Error> {
        let mut reader = Reader::new(bytes);
        if !bytes.starts_with(&MAGIC) {
            let shown = bytes.get(..8).unwrap_or(bytes);
            return Err(corrupt(format!(
                "these are not streamgauge bytes: they begin with {shown:02x?}"
            )));
        }
        reader.raw(MAGIC.len())?;
        let version = reader.u8()?;
        if version == 0 || version > VERSION {
            return Err(corrupt(format!(
                "format version {version} is not known here; up to {VERSION} can be read: use a \
                 newer streamgauge"
            )));
        }
        let kind = reader.u8()?;
        let (pipeline, seeds) = (reader.fixed_u64()?, reader.fixed_u64()?);
        let body = check_length(reader.fixed_u64()?, bytes.len())?;
        let (covered, sum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
        if Reader::new(sum).fixed_u64()? != checksum(covered) {
            return Err(corrupt(String::from(
                "the checksum does not match: the bytes were damaged",
            )));
        }
        let kind = Kind::from_byte(kind)
            .ok_or_else(|| corrupt(format!("{kind} is not a kind of content")))?;
        let sections = sections(covered, bytes.len() - CHECKSUM_BYTES - body)?;
        let envelope = Envelope { version, kind, pipeline, seeds, sections };
        match fingerprint_of(envelope.description(bytes)?) == pipeline {
            true => Ok(envelope),
            false => Err(corrupt(String::from("the fingerprint is not that of the description"))),
        }
    }

    /// Returns a reader of a section.
    pub(crate) fn section<'a>(&self, bytes: &'a [u8], tag: Tag) -> Result<Reader<'a>, Error> {
        let range = self
            .sections
            .iter()
            .find(|(found, _)| *found == tag as u8)
            .map(|(_, range)| range.clone());
        let content = range.and_then(|range| bytes.get(range));
        content.map(Reader::new).ok_or_else(|| corrupt(format!("the section {tag:?} is missing")))
    }

    /// Returns true if there is such a section.
    pub(crate) fn has(&self, tag: Tag) -> bool {
        self.sections.iter().any(|(found, _)| *found == tag as u8)
    }

    /// Returns the tag and the number of bytes of each section.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (u8, usize)> {
        self.sections.iter().map(|(tag, range)| (*tag, range.len()))
    }

    pub(crate) fn description<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, Error> {
        let mut reader = self.section(bytes, Tag::Description)?;
        let text = reader.raw(reader.remaining())?;
        std::str::from_utf8(text).map_err(|error| {
            corrupt(String::from("the description is not UTF-8")).with_source(error)
        })
    }

    /// Fails if the envelope is of another kind.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`].
    pub(crate) fn check_kind(&self, kind: Kind) -> Result<(), Error> {
        if self.kind == kind {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Mismatch,
            format!("{} was given where {} is needed", self.kind.noun(), kind.noun()),
        ))
    }

    /// Fails if the envelope is of another kind, pipeline or seed. The error tells the difference.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`].
    pub(crate) fn check(&self, bytes: &[u8], kind: Kind, identity: &Identity) -> Result<(), Error> {
        self.check_kind(kind)?;
        let message = if self.pipeline != identity.fingerprint() {
            let (own, other) = (identity.description.as_str(), self.description(bytes)?);
            changed_lookup(other, own).unwrap_or_else(|| {
                format!("the state is of another pipeline: of {other:?}, and this is {own:?}")
            })
        } else if self.seeds != identity.seeds {
            format!(
                "the state's sketches have another seed (fingerprint {:016x}) than this pipeline's \
                 (fingerprint {:016x}): give the secret seed under \
                 which it was written, or no seed if it had none",
                self.seeds, identity.seeds
            )
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Mismatch, message))
    }
}

/// Returns what is wrong if the content of lookups is the only difference between two descriptions.
fn changed_lookup(state: &str, own: &str) -> Option<String> {
    let changed = |(state, own): &(&str, &str)| state != own;
    let parts = || state.split("; ").zip(own.split("; "));
    let name = |part: &str| Some(part.split_once("lookup ")?.1.rsplit_once(' ')?.0.to_owned());
    let is_lookup = |(state, own): (&str, &str)| name(state).is_some() && name(state) == name(own);
    let is_only = state.split("; ").count() == own.split("; ").count();
    if !is_only || !parts().filter(changed).all(is_lookup) {
        return None;
    }
    let name = name(parts().find(changed)?.1)?;
    Some(format!(
        "the lookup {name} has other content than when the state began: put its earlier file back, \
         or begin again with another state"
    ))
}

fn check_length(said: u64, present: usize) -> Result<usize, Error> {
    let body = present.checked_sub(HEADER_BYTES + CHECKSUM_BYTES);
    match body {
        Some(body) if body as u64 == said => Ok(body),
        Some(body) if body as u64 > said => {
            Err(corrupt(format!("there are {} bytes too many", body as u64 - said)))
        }
        _ => Err(corrupt(format!(
            "cut short: {present} bytes are present, and {said} and {} are needed",
            HEADER_BYTES + CHECKSUM_BYTES
        ))),
    }
}

fn sections(covered: &[u8], start: usize) -> Result<Sections, Error> {
    let mut reader = Reader::new(covered);
    reader.raw(start)?;
    let mut sections = SmallVec::new();
    let mut last = 0;
    while reader.remaining() > 0 {
        let tag = reader.u8()?;
        if tag <= last || tag > TAG_MAX {
            return Err(reader.corrupt(&format!("section {tag} cannot come after section {last}")));
        }
        let length = reader.bytes()?.len();
        let end = covered.len() - reader.remaining();
        sections.push((tag, end - length..end));
        last = tag;
    }
    Ok(sections)
}

#[cold]
pub(crate) fn corrupt(message: String) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity() -> Identity {
        Identity { description: String::from("test"), seeds: 7 }
    }

    fn envelope() -> Vec<u8> {
        let mut writer = EnvelopeWriter::new(Kind::Snapshot, &identity());
        writer.section(Tag::Clock, |section| section.u64(300));
        writer.section(Tag::Panes, |section| section.raw(b"panes"));
        writer.finish()
    }

    #[test]
    fn what_is_written_is_found() {
        let bytes = envelope();
        let parsed = Envelope::parse(&bytes).unwrap();
        parsed.check(&bytes, Kind::Snapshot, &identity()).unwrap();
        assert_eq!(parsed.section(&bytes, Tag::Clock).unwrap().u64().unwrap(), 300);
        assert_eq!(parsed.section(&bytes, Tag::Panes).unwrap().raw(5).unwrap(), b"panes");
        assert_eq!(parsed.section(&bytes, Tag::Shards).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn what_differs_is_said() {
        let bytes = envelope();
        let parsed = Envelope::parse(&bytes).unwrap();
        let other = Identity { description: String::from("other"), seeds: 7 };
        let message = parsed.check(&bytes, Kind::Snapshot, &other).unwrap_err().to_string();
        assert!(message.contains("\"test\"") && message.contains("\"other\""), "{message}");
        let seeded = Identity { seeds: 8, ..identity() };
        assert!(
            parsed
                .check(&bytes, Kind::Snapshot, &seeded)
                .unwrap_err()
                .to_string()
                .contains("another seed")
        );
        assert_eq!(
            parsed.check(&bytes, Kind::Partial, &identity()).unwrap_err().kind(),
            ErrorKind::Mismatch
        );
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        let bytes = envelope();
        for cut in 0..bytes.len() {
            assert_eq!(
                Envelope::parse(&bytes[..cut]).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "cut at {cut}"
            );
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Envelope::parse(&flipped).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "bit {bit}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Envelope::parse(&longer).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_newer_version_says_so() {
        let mut bytes = envelope();
        bytes[8] = VERSION + 1;
        assert!(
            Envelope::parse(&bytes).unwrap_err().to_string().contains("use a newer streamgauge")
        );
    }

    proptest! {
        #[test]
        fn any_body_under_a_right_checksum_gives_an_envelope_or_an_error(
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let whole = envelope();
            let mut bytes = whole[..HEADER_BYTES - 8].to_vec();
            bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&body);
            let sum = checksum(&bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
            if let Ok(parsed) = Envelope::parse(&bytes) {
                prop_assert_eq!(parsed.description(&bytes).unwrap(), "test");
            }
        }
    }
}
