//! Where the partitions of a topic begin.

use super::read_topic::{ReadTopic, shard_of};
use crate::adapter::worker::StreamStart;
use crate::error::{Error, ErrorKind};
use crate::record::Sequence;

/// Where a partition begins that has no position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Beginning {
    /// The topic is read for the first time.
    First(StreamStart),
    /// The topic was read before, so the partition is new: all of its records count.
    Added,
}

/// The place where the reading of a partition begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The offset of the first record to read.
    pub(super) next: u64,
    /// What an operator should know.
    pub(super) note: Option<String>,
}

/// Finds the place where the reading of a partition begins: after the last applied record if there
/// is one.
///
/// # Errors
/// [`ErrorKind::Mismatch`] if the partition ends before that record; those of the topic.
pub(super) fn find(
    topic: &mut (impl ReadTopic + ?Sized),
    (name, partition): (&str, i32),
    applied: Option<&Sequence>,
    beginning: Beginning,
) -> Result<Place, Error> {
    let bounds = topic.bounds(partition)?;
    let Some(applied) = applied else {
        let next = match beginning {
            Beginning::Added | Beginning::First(StreamStart::TrimHorizon) => bounds.start,
            Beginning::First(StreamStart::Latest) => bounds.end,
            Beginning::First(StreamStart::AtTime(time)) => topic.offset_at(partition, time)?,
        };
        return Ok(Place { next, note: None });
    };
    let shard = shard_of(name, partition);
    let next = offset_of(applied)?.saturating_add(1);
    if next > bounds.end {
        let message = format!(
            "the state has records up to offset {}, and the partition ends before offset {}: was \
             the topic created again? Use another --state for it",
            applied.number, bounds.end
        );
        return Err(Error::new(ErrorKind::Mismatch, message).at(shard));
    }
    let gone = bounds.start.saturating_sub(next);
    let note = (gone > 0).then(|| {
        format!(
            "{shard}: the topic has deleted offsets {next} to {} before they were read: records \
             among them are in no answer",
            bounds.start - 1
        )
    });
    Ok(Place { next: next.max(bounds.start), note })
}

/// Returns the offset that a position names.
pub(super) fn offset_of(sequence: &Sequence) -> Result<u64, Error> {
    sequence.number.as_str().parse().map_err(|_| {
        let message =
            format!("{} is not an offset: the state is of another source", sequence.number);
        Error::new(ErrorKind::Mismatch, message)
    })
}

/// Returns the position before an offset, if there can be a record.
pub(super) fn before(next: u64) -> Option<Sequence> {
    next.checked_sub(1).map(Sequence::new)
}
