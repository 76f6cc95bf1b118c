//! Writes partials in batches.

use super::client::StreamClient;
use super::put_records::{Entry, PutRecords};
use crate::adapter::batch_call::{BatchCall, send};
use crate::adapter::output::{PartialTarget, window_of};
use crate::error::{Error, ErrorKind};
use crate::snapshot::Partial;
use std::time::Duration;

/// Maximum records of one PutRecords call: Kinesis' limit.
pub(super) const RECORDS_MAX: usize = 500;

/// Maximum bytes of one call, keys included. Kinesis allows 10 MiB; this is half of that, the limit
/// of some emulators and older descriptions.
pub(super) const CALL_BYTES_MAX: usize = 5 << 20;

/// Maximum bytes of one record, key included: the default limit of a stream.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 20;

/// Puts partials into a Kinesis stream, up to 500 a call, with the window as partition key. Only
/// records that the stream refuses, for example because a shard is busy, are sent again, up to 10
/// times with growing pauses.
///
/// After a crash a partial may be put again. A [`Merger`](crate::merger::Merger) accepts that.
#[derive(Debug)]
pub struct KinesisTarget<C = StreamClient> {
    client: C,
    held: Vec<Entry>,
    held_bytes: usize,
    record_bytes_max: usize,
}

impl KinesisTarget {
    /// Connects to the stream of that name: see [`StreamClient::connect`].
    ///
    /// # Errors
    /// Those of [`StreamClient::connect`].
    pub fn connect(stream: &str) -> Result<Self, Error> {
        StreamClient::connect(stream).map(KinesisTarget::new)
    }
}

impl<C: PutRecords> KinesisTarget<C> {
    /// Creates a target with this client.
    pub fn new(client: C) -> Self {
        KinesisTarget {
            client,
            held: Vec::new(),
            held_bytes: 0,
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }

    /// Sets the maximum bytes of a record, for a stream that accepts larger records. Default: 1
    /// MiB, the stream's default `MaxRecordSizeInKiB`.
    #[must_use]
    pub fn record_bytes_max(mut self, bytes: usize) -> Self {
        self.record_bytes_max = bytes;
        self
    }

    /// Sends what is held. What the stream refuses to the end is kept.
    fn send(&mut self) -> Result<(), Error> {
        self.held_bytes = 0;
        let batch = std::mem::take(&mut self.held);
        let refused = send(&mut Calls(&mut self.client), batch)?.refused;
        let Some((_, reason)) = refused.first() else { return Ok(()) };
        let message = format!("the stream refuses {} records: {reason}", refused.len());
        self.held = refused.into_iter().map(|(entry, _)| entry).collect();
        self.held_bytes = self.held.iter().map(Entry::bytes).sum();
        Err(Error::new(ErrorKind::Io, message))
    }
}

/// The calls of a client.
struct Calls<'a, C>(&'a mut C);

impl<C: PutRecords> BatchCall<Entry> for Calls<'_, C> {
    fn call(&mut self, entries: &[Entry]) -> Result<Vec<Option<String>>, Error> {
        self.0.put_records(entries)
    }

    fn pause(&mut self, length: Duration) {
        self.0.pause(length);
    }
}

impl<C: PutRecords> PartialTarget for KinesisTarget<C> {
    fn put(&mut self, partial: &Partial) -> Result<(), Error> {
        let entry = Entry {
            partition_key: window_of(partial),
            hash_key: None,
            data: partial.bytes().clone(),
        };
        if entry.bytes() > self.record_bytes_max {
            let message = format!(
                "the partial of window {} of {:?} takes {} bytes, over the {} of a record of the \
                 stream: use fewer groups or counters, raise the stream's record size, or keep \
                 partials \
                 in an object store",
                entry.partition_key,
                partial.source(),
                entry.bytes(),
                self.record_bytes_max
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        if self.held.len() >= RECORDS_MAX || self.held_bytes + entry.bytes() > CALL_BYTES_MAX {
            self.send()?;
        }
        self.held_bytes += entry.bytes();
        self.held.push(entry);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.send()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::count;
    use crate::engine::Control;
    use crate::pipeline::Pipeline;
    use crate::time::{Timestamp, seconds};
    use crate::window::Tumbling;
    use bytes::Bytes;

    /// A stream that refuses records as configured.
    #[derive(Default)]
    struct Stream {
        calls: Vec<usize>,
        taken: Vec<Entry>,
        /// For each call: one of how many records is refused; 0 means that the whole call fails.
        refuse: Vec<usize>,
        paused: Duration,
    }

    impl PutRecords for Stream {
        fn put_records(&mut self, entries: &[Entry]) -> Result<Vec<Option<String>>, Error> {
            self.calls.push(entries.len());
            let every = self.refuse.pop().unwrap_or(usize::MAX);
            if every == 0 {
                return Err(Error::new(ErrorKind::Io, "the connection was lost"));
            }
            let refused = |index: usize| (index + 1).is_multiple_of(every);
            self.taken.extend(
                entries
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| !refused(*index))
                    .map(|(_, entry)| entry.clone()),
            );
            Ok((0..entries.len())
                .map(|index| {
                    refused(index).then(|| String::from("ProvisionedThroughputExceededException"))
                })
                .collect())
        }

        fn pause(&mut self, length: Duration) {
            self.paused += length;
        }
    }

    fn partials(count_of: usize) -> Vec<Partial> {
        let builder = Pipeline::builder()
            .event_time(|at: &i64| Timestamp::from_millis(*at))
            .window(Tumbling::new(seconds(1)).unwrap());
        let mut pipeline = builder.aggregate(count()).build().unwrap();
        let times: Vec<i64> = (0..count_of as i64).map(|index| index * 1000).collect();
        pipeline.push_batch(&times).unwrap();
        pipeline.finish();
        std::iter::from_fn(|| pipeline.next_partial("shard").unwrap()).collect()
    }

    #[test]
    fn batches_have_500_records_and_only_refused_ones_are_sent_again() {
        let mut target = KinesisTarget::new(Stream {
            refuse: vec![2, 3, 0, 7, usize::MAX],
            ..Stream::default()
        });
        let partials = partials(1100);
        partials.iter().for_each(|partial| target.put(partial).unwrap());
        target.flush().unwrap();
        // 500 are taken at once; of the next 500, 71 are refused, then the whole call fails, then
        // 23 are refused, then 11; the last 100.
        assert_eq!(target.client.calls, [500, 500, 71, 71, 23, 11, 100]);
        let mut taken: Vec<&Bytes> = target.client.taken.iter().map(|entry| &entry.data).collect();
        let mut expected: Vec<&Bytes> = partials.iter().map(Partial::bytes).collect();
        taken.sort();
        expected.sort();
        assert_eq!(taken, expected, "each is in the stream, once");
        assert_eq!(
            target.client.taken[0].partition_key.split('/').next(),
            Some("1970-01-01T00:00:00.000Z")
        );
        assert_eq!(target.client.paused, Duration::from_millis(100 + 200 + 400 + 800));
    }

    #[test]
    fn records_refused_for_ever_are_an_error_and_are_kept() {
        let mut target = KinesisTarget::new(Stream { refuse: vec![1; 10], ..Stream::default() });
        target.put(&partials(1)[0]).unwrap();
        let error = target.flush().unwrap_err();
        assert!(error.to_string().contains("ProvisionedThroughputExceededException"), "{error}");
        assert_eq!(target.client.calls.len(), 10);
        target.flush().unwrap();
        assert_eq!(target.client.taken.len(), 1);
    }

    #[test]
    fn a_partial_over_the_record_limit_is_an_error_with_a_remedy() {
        let mut target = KinesisTarget::new(Stream::default()).record_bytes_max(100);
        let error = target.put(&partials(1)[0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert!(error.to_string().contains("raise the stream's record size"), "{error}");
    }
}
