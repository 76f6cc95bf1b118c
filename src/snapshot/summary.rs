//! What is in bytes that were written, told without the pipeline that wrote them.

use super::format::{Envelope, Kind, Tag};
use super::partial::Partial;
use super::state::Snapshot;
use crate::codec::Reader;
use crate::error::Error;
use crate::time::Timestamp;
use crate::window::Window;
use bytes::Bytes;

/// What is in a snapshot, a partial or a merger's state: for `inspect`, and for logs.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::snapshot::{Kind, Summary};
/// let mut pipeline = Pipeline::builder().name("lines").aggregate(count()).build()?;
/// pipeline.push("a line")?;
/// let summary = Summary::of(pipeline.snapshot()?.into_bytes())?;
/// assert_eq!((summary.kind, summary.panes.len()), (Kind::Snapshot, 1));
/// assert_eq!(summary.description, "lines: count over one window");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Summary {
    /// What it is.
    pub kind: Kind,
    /// The format's version.
    pub version: u8,
    /// All bytes.
    pub bytes: usize,
    /// The pipeline in words.
    pub description: String,
    /// The pipeline's fingerprint.
    pub fingerprint: u64,
    /// The fingerprint of its sketches' seeds; 0 if there are none.
    pub seeds: u64,
    /// The bytes of each part, by name.
    pub sections: Vec<(String, usize)>,
    /// Of a snapshot: event times up to this one are taken as complete.
    pub watermark: Option<Timestamp>,
    /// Of a snapshot: the shards, in the order they were opened.
    pub shards: Vec<ShardSummary>,
    /// Of a snapshot: what became of the records.
    pub records: Option<RecordsSummary>,
    /// Of a snapshot: the start of each open pane and the bytes of its accumulator.
    pub panes: Vec<(Timestamp, usize)>,
    /// Of a snapshot: answers that were made and not fetched. Of a merger: windows that are kept.
    pub windows: u64,
    /// Of a partial: where it comes from.
    pub origin: Option<OriginSummary>,
}

/// What became of the records of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RecordsSummary {
    /// Added to at least one window.
    pub applied: u64,
    /// Did not pass the filter.
    pub filtered: u64,
    /// All of their windows had closed.
    pub late: u64,
    /// Could not be decoded or aggregated.
    pub dead_letters: u64,
    /// Had been delivered before.
    pub duplicates: u64,
    /// Lay between two windows.
    pub between_windows: u64,
}

/// A shard in a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShardSummary {
    /// Its name.
    pub name: String,
    /// The sequence number and sub-sequence number of the last record taken, if it knew its place.
    pub applied: Option<(String, u64)>,
    /// Its watermark; `None` before there is one.
    pub watermark: Option<Timestamp>,
    /// The caller's clock at its last record; `None` where no clock was told.
    pub last_record: Option<Timestamp>,
    /// Whether it has ended.
    pub closed: bool,
}

/// Where a partial comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OriginSummary {
    /// Its window; `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// Who made it.
    pub source: String,
    /// Its revision.
    pub revision: u32,
    /// Whether the source will give no other.
    pub is_final: bool,
}

impl Summary {
    /// Reads all that can be read without the pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the bytes are none of streamgauge's, of
    /// a newer version, cut short or damaged.
    pub fn of(bytes: impl Into<Bytes>) -> Result<Summary, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        let mut summary = Summary {
            kind: envelope.kind,
            version: envelope.version,
            bytes: bytes.len(),
            description: envelope.description(&bytes)?.to_owned(),
            fingerprint: envelope.pipeline,
            seeds: envelope.seeds,
            sections: envelope
                .sizes()
                .map(|(tag, size)| (Tag::name(tag).to_owned(), size))
                .collect(),
            watermark: None,
            shards: Vec::new(),
            records: None,
            panes: Vec::new(),
            windows: 0,
            origin: None,
        };
        match envelope.kind {
            Kind::Snapshot => summary.read_snapshot(&Snapshot::from_bytes(bytes)?)?,
            Kind::Partial => summary.read_partial(&Partial::from_bytes(bytes)?),
            Kind::Merger => summary.windows = envelope.section(&bytes, Tag::Partials)?.u64()?,
            // What is in these is told by those who write them.
            Kind::Run => {}
            Kind::Answers => summary.windows = envelope.section(&bytes, Tag::Given)?.u64()?,
        }
        Ok(summary)
    }

    fn read_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let section = |tag| snapshot.envelope().section(snapshot.bytes(), tag);
        self.watermark = watermark(section(Tag::Clock)?.i64()?);
        let mut shards = section(Tag::Shards)?;
        for _ in 0..shards.count(5)? {
            self.shards.push(ShardSummary::read(&mut shards)?);
        }
        let mut stats = section(Tag::Stats)?;
        let [applied, filtered, late, dead_letters, duplicates, between_windows] =
            [(); 6].map(|()| stats.u64());
        self.records = Some(RecordsSummary {
            applied: applied?,
            filtered: filtered?,
            late: late?,
            dead_letters: dead_letters?,
            duplicates: duplicates?,
            between_windows: between_windows?,
        });
        let (mut panes, mut start) = (section(Tag::Panes)?, 0i64);
        for _ in 0..panes.count(2)? {
            start = start.wrapping_add(panes.i64()?);
            self.panes.push((Timestamp::from_millis(start), panes.bytes()?.len()));
        }
        self.windows = section(Tag::Pending)?.u64()?;
        Ok(())
    }

    fn read_partial(&mut self, partial: &Partial) {
        self.origin = Some(OriginSummary {
            window: partial.window(),
            source: partial.source().to_owned(),
            revision: partial.revision(),
            is_final: partial.is_final(),
        });
    }
}

impl RecordsSummary {
    /// The sum of two.
    #[cfg(feature = "files")]
    pub(crate) fn sum(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        Some(RecordsSummary {
            applied: a.applied.saturating_add(b.applied),
            filtered: a.filtered.saturating_add(b.filtered),
            late: a.late.saturating_add(b.late),
            dead_letters: a.dead_letters.saturating_add(b.dead_letters),
            duplicates: a.duplicates.saturating_add(b.duplicates),
            between_windows: a.between_windows.saturating_add(b.between_windows),
        })
    }
}

impl ShardSummary {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let name = reader.text()?.to_owned();
        let applied = match reader.bool()? {
            true => Some((reader.text()?.to_owned(), reader.u64()?)),
            false => None,
        };
        let reached = watermark(reader.i64()?);
        let last_record = watermark(reader.i64()?);
        Ok(ShardSummary {
            name,
            applied,
            watermark: reached,
            last_record,
            closed: reader.u8()? == 2,
        })
    }
}

fn watermark(millis: i64) -> Option<Timestamp> {
    (millis != i64::MIN).then(|| Timestamp::from_millis(millis))
}
