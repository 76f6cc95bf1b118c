//! A summary of stored bytes, which does not need the pipeline that wrote them.

use super::format::{Envelope, Kind, Tag};
use super::partial::Partial;
use super::state::Snapshot;
use crate::codec::Reader;
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use crate::window::Window;
use bytes::Bytes;

/// The content of a snapshot, a partial or a merger's state, for `inspect` and for logs.
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
    /// The kind of content.
    pub kind: Kind,
    /// The version of the format.
    pub version: u8,
    /// The number of all bytes.
    pub bytes: usize,
    /// The description of the pipeline.
    pub description: String,
    /// The fingerprint of the pipeline.
    pub fingerprint: u64,
    /// The fingerprint of the seeds of its sketches; 0 if there are none.
    pub seeds: u64,
    /// The name and the number of bytes of each section.
    pub sections: Vec<(String, usize)>,
    /// In a snapshot: event time up to this point is complete.
    pub watermark: Option<Timestamp>,
    /// In a snapshot: the shards, in the order of opening.
    pub shards: Vec<ShardSummary>,
    /// In a snapshot: the records by outcome.
    pub records: Option<RecordsSummary>,
    /// In a snapshot: the start of each open pane and the bytes of its accumulator.
    pub panes: Vec<(Timestamp, usize)>,
    /// In a snapshot: answers that are computed but not fetched. In a merger: windows in memory.
    pub windows: u64,
    /// In a partial: its source.
    pub origin: Option<OriginSummary>,
}

/// The number of records by outcome, in a snapshot.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::snapshot::Summary;
/// let mut pipeline =
///     Pipeline::builder().filter(|line: &str| !line.is_empty()).aggregate(count()).build()?;
/// pipeline.push("a line")?;
/// pipeline.push("")?;
/// let summary = Summary::of(pipeline.snapshot()?.into_bytes())?;
/// let records = summary.records.expect("a snapshot has counts");
/// assert_eq!((records.applied, records.filtered), (1, 1));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RecordsSummary {
    /// Records added to at least one window.
    pub applied: u64,
    /// Records that did not pass the filter.
    pub filtered: u64,
    /// Records whose windows had all closed.
    pub late: u64,
    /// Records that could not be decoded or aggregated.
    pub dead_letters: u64,
    /// Records that had been delivered before.
    pub duplicates: u64,
    /// Records between two windows.
    pub between_windows: u64,
}

/// A shard in a snapshot.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::snapshot::Summary;
/// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
/// let shard = pipeline.open_shard(ShardId::new("shard-0"))?;
/// pipeline.push_to(shard, Some(&Sequence::new(7)), "a line")?;
/// let summary = Summary::of(pipeline.snapshot()?.into_bytes())?;
/// let shard = &summary.shards[0];
/// assert_eq!((&*shard.name, &shard.applied), ("shard-0", &Some(("7".to_string(), 0))));
/// assert!(!shard.closed);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShardSummary {
    /// The name of the shard.
    pub name: String,
    /// The sequence number and sub-sequence number of the last record; `None` if records have no
    /// position.
    pub applied: Option<(String, u64)>,
    /// The watermark of the shard; `None` before there is one.
    pub watermark: Option<Timestamp>,
    /// The caller's clock at the last record; `None` if the clock was never set.
    pub last_record: Option<Timestamp>,
    /// True if the shard has ended.
    pub closed: bool,
}

/// The source of a partial.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::snapshot::Summary;
/// let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
/// pipeline.push("a line")?;
/// assert!(Summary::of(pipeline.snapshot()?.into_bytes())?.origin.is_none()); // not a partial
/// pipeline.finish();
/// let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
/// let origin = Summary::of(partial.into_bytes())?.origin.expect("a partial has a source");
/// assert!(origin.source == "shard-0" && origin.is_final);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OriginSummary {
    /// The window; `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// The name of the source.
    pub source: String,
    /// The revision of the partial.
    pub revision: u32,
    /// True if the source will send no later revision.
    pub is_final: bool,
}

impl Summary {
    /// Reads everything that can be read without the pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the bytes are not streamgauge bytes, or
    /// are of a newer version, truncated or damaged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::snapshot::Summary;
    /// let pipeline = Pipeline::builder().aggregate(top_k(3, |page: &str| page)).build()?;
    /// // The pipeline, in words, from nothing but the bytes.
    /// let summary = Summary::of(pipeline.snapshot()?.into_bytes())?;
    /// assert!(summary.description.starts_with("top 3 of text"));
    /// assert_eq!(Summary::of(b"noise".as_slice()).unwrap_err().kind(), ErrorKind::Corrupt);
    /// # Ok::<(), Error>(())
    /// ```
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
            // The adapters that write these states describe them.
            Kind::Run => {}
            // Answers of other queries than the first are in a section of their own.
            Kind::Answers => summary.windows = envelope.section(&bytes, Tag::Given)?.u64()?,
        }
        Ok(summary)
    }

    fn read_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        if snapshot.envelope().has(Tag::Queries) {
            return self.read_queries(snapshot);
        }
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

    /// Adds up the snapshots of several queries, which have the same shards.
    fn read_queries(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        for (index, query) in snapshot.queries()?.into_iter().enumerate() {
            if query.envelope().has(Tag::Queries) {
                return Err(Error::new(ErrorKind::Corrupt, "a query has queries of its own"));
            }
            let query = Summary::of(query.into_bytes())?;
            if index == 0 {
                (self.watermark, self.shards) = (query.watermark, query.shards);
            }
            self.watermark = self.watermark.min(query.watermark);
            self.records = RecordsSummary::sum(self.records, query.records);
            self.panes.extend(query.panes);
            self.windows = self.windows.saturating_add(query.windows);
        }
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
    /// Returns the sum of both counts; a missing one counts as 0.
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
