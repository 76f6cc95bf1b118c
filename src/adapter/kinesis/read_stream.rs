//! The calls that read a stream, with any client.

use crate::adapter::kinesis_records::kpl::HashRange;
use crate::error::Error;
use crate::record::{Record, SequenceNumber, ShardId};
use crate::time::Timestamp;

/// A shard of a stream, as ListShards returns it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardInfo {
    /// Its name.
    pub id: ShardId,
    /// The shards that it continues: none, one after a split, two after a merge. They may be older
    /// than the retention of the stream, and then they are not listed.
    pub parents: Vec<ShardId>,
    /// The hash keys of its records, if the client knows them.
    pub range: Option<HashRange>,
    /// True if it has been split or merged, so that it gets no more records.
    pub is_closed: bool,
}

/// The place in a shard where a shard iterator begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IteratorPlace {
    /// The oldest record that the stream still has.
    TrimHorizon,
    /// After the latest record.
    Latest,
    /// The first record that arrived at this time or later.
    AtTime(Timestamp),
    /// After this record.
    After(SequenceNumber),
}

/// The answer of one GetRecords call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecordPage {
    /// The records in the order of the shard. There may be none, also where more follow.
    pub records: Vec<Record>,
    /// The iterator of the next call. `None` at the end of a closed shard.
    pub next: Option<String>,
    /// How far behind the end of the shard the page is, if the stream tells it.
    pub millis_behind_latest: Option<u64>,
}

/// Why a call did not succeed. It decides what the reader does next.
#[derive(Debug)]
pub enum ReadFailure {
    /// Too many calls or bytes: the reader waits, longer each time.
    Throttled,
    /// The iterator is too old: the reader gets another one for the same place.
    IteratorExpired,
    /// The call may succeed later, as after a broken connection.
    Transient(Error),
    /// No repetition helps, for example because there is no such stream.
    Fatal(Error),
}

/// The calls that read one stream. [`StreamClient`](super::StreamClient) makes them with the AWS
/// SDK; a test can implement them itself. They block.
pub trait ReadStream {
    /// Returns all shards of the stream: ListShards with all of its pages.
    ///
    /// # Errors
    /// See [`ReadFailure`]. This holds for all methods.
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure>;

    /// Returns an iterator of a shard: GetShardIterator.
    ///
    /// # Errors
    /// See [`ReadFailure`].
    fn iterator(&mut self, shard: &ShardId, place: &IteratorPlace) -> Result<String, ReadFailure>;

    /// Reads one page of each of these shards: a GetRecords call each, at the same time if the
    /// client can. Returns one result for each request, in order.
    fn records(&mut self, requests: &[(ShardId, String)]) -> Vec<Result<RecordPage, ReadFailure>>;

    /// Returns true if a call waits until there are records, so that there is no pause between two
    /// calls. Default: false, for GetRecords with its limits.
    fn is_pushed(&self) -> bool {
        false
    }
}

impl<T: ReadStream + ?Sized> ReadStream for Box<T> {
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
        (**self).list_shards()
    }

    fn iterator(&mut self, shard: &ShardId, place: &IteratorPlace) -> Result<String, ReadFailure> {
        (**self).iterator(shard, place)
    }

    fn records(&mut self, requests: &[(ShardId, String)]) -> Vec<Result<RecordPage, ReadFailure>> {
        (**self).records(requests)
    }

    fn is_pushed(&self) -> bool {
        (**self).is_pushed()
    }
}
