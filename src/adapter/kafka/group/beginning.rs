//! Where the partitions of a topic begin for a group that has never read it.
//!
//! A partition without a state begins with its oldest record, because it was added later. So at the
//! first start each partition gets a state that says where it begins. Partition 0, which every
//! topic has from its creation, gets it last: if it has a state, all partitions of the first start
//! have one.

use super::Make;
use crate::adapter::kafka::read_topic::{ReadTopic, shard_of};
use crate::adapter::kafka::start::{self, Beginning};
use crate::adapter::worker::{Clock, ShardWork, StreamStart};
use crate::error::Error;
use crate::store::Store;

/// Gives each partition its beginning, unless that was done before. Several members may do it at
/// the same time: for each partition the first one counts.
pub(super) fn settle<W: ShardWork, S: Store>(
    topic: &mut impl ReadTopic,
    (name, from): (&str, StreamStart),
    make: Make<'_, W, S>,
    clock: &mut dyn Clock,
) -> Result<(), Error> {
    let mut listed = topic.partitions()?;
    if from == StreamStart::TrimHorizon {
        return Ok(());
    }
    listed.sort_unstable();
    let mut lowest = make()?;
    if let Some(first) = listed.first() {
        lowest.open(&shard_of(name, *first), None, clock.now())?;
        if lowest.has_state() {
            return Ok(());
        }
    }
    for partition in listed.into_iter().rev() {
        let shard = shard_of(name, partition);
        let beginning = Beginning::First(from);
        let place = start::find(topic, (name, partition), None, beginning)?;
        let mut processor = make()?;
        processor.open(&shard, None, clock.now())?;
        processor.begin_after(start::before(place.next).as_ref(), clock)?;
    }
    Ok(())
}
