//! What comes into the shards of a stream in some seconds.

use crate::failure::Failure;
use std::time::Duration;
use streamgauge::adapter::kinesis::{
    IteratorPlace, ReadFailure, ReadStream, RecordPage, ShardInfo,
};
use streamgauge::adapter::worker::Clock;
use streamgauge::sketch::{SpaceSaving, TopRow};
use streamgauge::{Error, ErrorKind, ShardId};

/// The bytes that a shard takes in a second, and the records: Kinesis' limits.
pub(super) const SHARD_BYTES: f64 = 1_000_000.0;
pub(super) const SHARD_RECORDS: f64 = 1_000.0;

/// Partition keys that are counted for a shard. The others share these counters.
const KEYS: usize = 1_000;

/// Keys of a shard that are shown.
pub(super) const KEYS_SHOWN: usize = 3;

/// Time between two calls for a shard, of which all of its consumers share 5 a second.
const CALL_EVERY: Duration = Duration::from_secs(1);

/// Attempts of a call that lists shards or begins to read one.
const ATTEMPTS: u32 = 5;

/// What came into the open shards of a stream.
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) shards: Vec<ShardSample>,
}

/// What came into a shard.
pub(super) struct ShardSample {
    pub(super) info: ShardInfo,
    pub(super) records: u64,
    /// The bytes of payloads and partition keys.
    pub(super) bytes: u64,
    keys: SpaceSaving<str>,
    /// Where the next call begins. `None` when the shard was split or merged, and is read.
    iterator: Option<String>,
}

impl Sample {
    /// Reads all open shards for a length of time, from now on.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub(super) fn take(
        stream: &mut impl ReadStream,
        length: Duration,
        clock: &mut impl Clock,
    ) -> Result<Sample, Failure> {
        let mut shards = Vec::new();
        for info in open_shards(stream, clock)? {
            let iterator = latest(stream, &info.id, clock)?;
            shards.push(ShardSample::new(info, iterator).map_err(|error| Failure::run(&error))?);
        }
        let start = clock.now();
        let elapsed = |now: streamgauge::Timestamp| now.as_millis() - start.as_millis();
        let mut now = start;
        while elapsed(now) < i64::try_from(length.as_millis()).unwrap_or(i64::MAX) {
            clock.sleep(CALL_EVERY);
            now = clock.now();
            read_once(stream, &mut shards, clock)?;
        }
        Ok(Sample { seconds: elapsed(now).max(1) as f64 / 1e3, shards })
    }

    /// Returns the records a second, over all shards.
    pub(super) fn records_a_second(&self) -> f64 {
        self.shards.iter().map(|shard| shard.records).sum::<u64>() as f64 / self.seconds
    }

    /// Returns the bytes a second, over all shards.
    pub(super) fn bytes_a_second(&self) -> f64 {
        self.shards.iter().map(|shard| shard.bytes).sum::<u64>() as f64 / self.seconds
    }
}

impl ShardSample {
    fn new(info: ShardInfo, iterator: String) -> Result<Self, Error> {
        let keys = SpaceSaving::with_capacity(KEYS)?;
        Ok(ShardSample { info, records: 0, bytes: 0, keys, iterator: Some(iterator) })
    }

    fn count(&mut self, page: RecordPage) {
        for record in &page.records {
            let bytes = (record.data.len() + record.partition_key.len()) as u64;
            self.records += 1;
            self.bytes += bytes;
            self.keys.add(&String::from_utf8_lossy(&record.partition_key), bytes);
        }
        self.iterator = page.next;
    }

    /// Returns how busy the shard is, from 0 to about 1: by records or by bytes, whichever is
    /// nearer to its limit.
    pub(super) fn use_of_limit(&self, seconds: f64) -> f64 {
        let records = self.records as f64 / seconds / SHARD_RECORDS;
        records.max(self.bytes as f64 / seconds / SHARD_BYTES)
    }

    /// Returns the partition keys with most bytes.
    pub(super) fn top_keys(&self) -> Vec<TopRow<Box<str>>> {
        self.keys.top(KEYS_SHOWN)
    }
}

/// Returns the shards that get records.
///
/// # Errors
/// The stream cannot be read.
pub(super) fn open_shards(
    stream: &mut impl ReadStream,
    clock: &mut impl Clock,
) -> Result<Vec<ShardInfo>, Failure> {
    let mut shards = repeated(clock, || stream.list_shards())?;
    shards.retain(|shard| !shard.is_closed);
    Ok(shards)
}

fn latest(
    stream: &mut impl ReadStream,
    shard: &ShardId,
    clock: &mut impl Clock,
) -> Result<String, Failure> {
    repeated(clock, || stream.iterator(shard, &IteratorPlace::Latest))
}

/// Makes a call that may be throttled, where others call at the same time, until it succeeds.
fn repeated<T>(
    clock: &mut impl Clock,
    mut call: impl FnMut() -> Result<T, ReadFailure>,
) -> Result<T, Failure> {
    let mut attempt = 1;
    loop {
        let error = match call() {
            Ok(answer) => return Ok(answer),
            Err(ReadFailure::Fatal(error)) => return Err(Failure::run(&error)),
            Err(ReadFailure::Transient(error)) => error,
            Err(ReadFailure::Throttled | ReadFailure::IteratorExpired) => {
                Error::new(ErrorKind::Io, "the stream throttles the calls: try again later")
            }
        };
        if attempt == ATTEMPTS {
            return Err(Failure::run(&error));
        }
        clock.sleep(CALL_EVERY * attempt);
        attempt += 1;
    }
}

/// Makes one call for each shard. A call that was throttled is left to the next second: the
/// records are still there then.
fn read_once(
    stream: &mut impl ReadStream,
    shards: &mut [ShardSample],
    clock: &mut impl Clock,
) -> Result<(), Failure> {
    let mut asked: Vec<&mut ShardSample> = Vec::new();
    let mut requests = Vec::new();
    for shard in shards {
        if let Some(iterator) = &shard.iterator {
            requests.push((shard.info.id.clone(), iterator.clone()));
            asked.push(shard);
        }
    }
    let pages = stream.records(&requests);
    for (shard, page) in asked.into_iter().zip(pages) {
        match page {
            Ok(page) => shard.count(page),
            Err(ReadFailure::Fatal(error)) => return Err(Failure::run(&error)),
            Err(ReadFailure::IteratorExpired) => {
                shard.iterator = Some(latest(stream, &shard.info.id, clock)?);
            }
            Err(ReadFailure::Throttled | ReadFailure::Transient(_)) => {}
        }
    }
    Ok(())
}

/// The records and bytes of a shard in a second, and the bytes of some keys.
#[cfg(test)]
pub(super) type Second<'a> = (u64, u64, &'a [(&'a str, u64)]);

#[cfg(test)]
impl Sample {
    /// Returns a sample of shards with this in each second.
    pub(super) fn of(shards: &[Second<'_>]) -> Sample {
        let shards = shards.iter().enumerate().map(|(index, (records, bytes, keys))| {
            let info = ShardInfo {
                id: ShardId::new(format!("shardId-{index:012}")),
                parents: Vec::new(),
                range: None,
                is_closed: false,
            };
            let mut shard = ShardSample::new(info, String::new()).unwrap();
            (shard.records, shard.bytes) = (records * 10, bytes * 10);
            for (key, bytes) in *keys {
                shard.keys.add(key, bytes * 10);
            }
            shard
        });
        Sample { seconds: 10.0, shards: shards.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use streamgauge::{Position, Record, Sequence, Timestamp};

    /// A stream of two open shards and a closed one, whose first calls are throttled. Shard 1 gets
    /// a record of 90 bytes with the key "k" in each second, and ends after 3 pages.
    struct Stream {
        throttled: u32,
        pages: u64,
    }

    impl ReadStream for Stream {
        fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
            if self.throttled > 0 {
                self.throttled -= 1;
                return Err(ReadFailure::Throttled);
            }
            let shard = |(id, is_closed): (&str, bool)| ShardInfo {
                id: ShardId::new(id),
                parents: Vec::new(),
                range: None,
                is_closed,
            };
            Ok([("0", true), ("1", false), ("2", false)].map(shard).into())
        }

        fn iterator(&mut self, shard: &ShardId, _: &IteratorPlace) -> Result<String, ReadFailure> {
            assert_ne!(shard.as_str(), "0", "a closed shard is not read");
            Ok("anew".to_owned())
        }

        fn records(
            &mut self,
            requests: &[(ShardId, String)],
        ) -> Vec<Result<RecordPage, ReadFailure>> {
            let page = |(shard, iterator): &(ShardId, String)| {
                if shard.as_str() == "2" {
                    let failure = match iterator.as_str() {
                        "anew" => ReadFailure::IteratorExpired,
                        _ => ReadFailure::Throttled,
                    };
                    return Err(failure);
                }
                self.pages += 1;
                let record = Record {
                    partition_key: Bytes::from_static(b"k"),
                    data: vec![b'x'; 89].into(),
                    arrival: Record::ARRIVAL_UNKNOWN,
                    position: Position {
                        shard: shard.clone(),
                        sequence: Sequence { number: "1".parse().unwrap(), sub: 0 },
                    },
                    headers: Default::default(),
                };
                let next = (self.pages < 3).then(|| "next".to_owned());
                Ok(RecordPage { records: vec![record], next, millis_behind_latest: None })
            };
            requests.iter().map(page).collect()
        }
    }

    /// A clock that goes on only by waiting.
    struct Waiting(i64);

    impl Clock for Waiting {
        fn now(&mut self) -> Timestamp {
            Timestamp::from_millis(self.0)
        }

        fn sleep(&mut self, length: Duration) {
            self.0 += length.as_millis() as i64;
        }
    }

    #[test]
    fn s292_a_sample_counts_what_comes_and_outlives_throttling() {
        let mut stream = Stream { throttled: ATTEMPTS - 1, pages: 0 };
        let sample = Sample::take(&mut stream, Duration::from_secs(10), &mut Waiting(0));
        let sample = sample.unwrap_or_else(|failure| panic!("{failure:?}"));
        let counts: Vec<_> =
            sample.shards.iter().map(|shard| (shard.records, shard.bytes)).collect();
        assert_eq!((sample.seconds, counts), (10.0, vec![(3, 270), (0, 0)]));
        assert_eq!(sample.bytes_a_second(), 27.0);
        assert_eq!(&*sample.shards[0].top_keys()[0].key, "k");
        let mut stream = Stream { throttled: ATTEMPTS, pages: 0 };
        let failed = Sample::take(&mut stream, Duration::from_secs(10), &mut Waiting(0));
        let Err(Failure::Run(message)) = failed else { panic!("it is throttled for too long") };
        assert_eq!(message, "the stream throttles the calls: try again later");
    }
}
