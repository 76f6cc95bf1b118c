//! Puts records into a stream: in batches, aggregated if wanted, and again where they are refused.

use super::pace;
use super::put_records::{Entry, PutRecords};
use super::target::{CALL_BYTES_MAX, RECORD_BYTES_MAX, RECORDS_MAX};
use crate::adapter::batch_call::{BatchCall, Sent, send};
use crate::adapter::kinesis_records::Aggregator;
use crate::adapter::kinesis_records::kpl::{Aggregated, HashRange, hash_key};
use crate::adapter::worker::Clock;
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

/// Maximum bytes of an aggregate, as in the KPL.
const AGGREGATE_BYTES_MAX: usize = 51_200;

/// Maximum characters of a partition key: Kinesis' limit.
const KEY_CHARACTERS_MAX: usize = 256;

/// Options of a [`KinesisProducer`]. Each has a default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProducerOptions {
    /// How long a record waits for others before it is sent. Default: 200 ms.
    pub linger: Duration,
    /// True if records of the same partition key stay in order also where some are refused: a call
    /// then has at most one record of a key, so that few keys make small calls. Default: false.
    pub ordered: bool,
    /// Maximum bytes of a record, key included. Default: 1 MiB, the default of a stream.
    pub record_bytes_max: usize,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        ProducerOptions {
            linger: Duration::from_millis(200),
            ordered: false,
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }
}

/// Counts of a [`KinesisProducer`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ProducerCounts {
    /// Records that the stream has accepted.
    pub accepted: u64,
    /// Records that were given up.
    pub refused: u64,
    /// PutRecords calls.
    pub calls: u64,
    /// Entries that were sent again.
    pub repeated: u64,
}

/// A record that the stream did not accept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRecord {
    /// Its partition key.
    pub partition_key: String,
    /// Its payload.
    pub data: Bytes,
    /// The reason: an error code of Kinesis, or a sentence.
    pub reason: String,
}

/// Receives records that were given up.
type OnRefused = Box<dyn FnMut(RefusedRecord) -> Result<(), Error>>;

/// Puts records into a stream, up to 500 or 5 MiB a call. Records that are refused, for example
/// because a shard is busy, are sent again, and no others, up to 10 times with growing pauses; then
/// they are given to [`on_refused`](KinesisProducer::on_refused).
///
/// At most one call of records is held, so that [`put`](KinesisProducer::put) blocks while the
/// stream is slow. Call [`tick`](KinesisProducer::tick) while there are no records, and
/// [`flush`](KinesisProducer::flush) at the end.
///
/// # Aggregation
/// With [`aggregate_for`](KinesisProducer::aggregate_for) the records of a shard are put together
/// to aggregates of at most 50 KiB in the form of the KPL. This crate's `adapter::kcl`, Lambda
/// functions of this crate and AWS's libraries split them again. All records of an aggregate
/// carry its hash key, so that no consumer takes one for a record of another shard, whatever
/// becomes of the shards.
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kinesis::{KinesisProducer, ProducerOptions, StreamClient};
/// use streamgauge::adapter::worker::SystemClock;
/// let client = StreamClient::connect("clicks")?;
/// let mut producer = KinesisProducer::new(client, ProducerOptions::default());
/// producer.put("user-1", "{\"url\":\"/\"}".into(), &mut SystemClock)?;
/// producer.flush()?;
/// assert_eq!(producer.counts().accepted, 1);
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct KinesisProducer<C> {
    client: C,
    options: ProducerOptions,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// When the oldest record came that was not sent yet.
    since: Option<Timestamp>,
    open: Vec<Open>,
    counts: ProducerCounts,
    on_refused: OnRefused,
}

/// An entry that was not accepted yet.
#[derive(Debug)]
struct Waiting {
    entry: Entry,
    records: u64,
}

/// An aggregate that grows.
#[derive(Debug)]
struct Open {
    range: HashRange,
    aggregator: Aggregator,
}

impl<C: PutRecords> KinesisProducer<C> {
    /// Creates a producer. A record that is given up is an error, unless
    /// [`on_refused`](KinesisProducer::on_refused) takes it.
    pub fn new(client: C, options: ProducerOptions) -> Self {
        KinesisProducer {
            client,
            options,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            since: None,
            open: Vec::new(),
            counts: ProducerCounts::default(),
            on_refused: Box::new(|refused| {
                let message = format!("a record was not accepted: {}", refused.reason);
                Err(Error::new(ErrorKind::Io, message))
            }),
        }
    }

    /// Sets the callback for records that were given up.
    #[must_use]
    pub fn on_refused(
        mut self,
        take: impl FnMut(RefusedRecord) -> Result<(), Error> + 'static,
    ) -> Self {
        self.on_refused = Box::new(take);
        self
    }

    /// Aggregates records by these open shards. May be called again after a reshard; what is held
    /// is not lost.
    pub fn aggregate_for(&mut self, ranges: &[HashRange]) {
        self.close_all();
        let open = |range: &HashRange| Open { range: *range, aggregator: Aggregator::new() };
        self.open = ranges.iter().map(open).collect();
    }

    /// Returns the counts.
    pub fn counts(&self) -> ProducerCounts {
        self.counts
    }

    /// Returns the client.
    pub fn client_mut(&mut self) -> &mut C {
        &mut self.client
    }

    /// Puts a record. Sends what is held if it makes a whole call, or has waited long enough.
    ///
    /// # Errors
    /// Those of the callback for records that were given up; [`ErrorKind::Corrupt`] if the stream
    /// answers with another number of records than it was sent.
    pub fn put(
        &mut self,
        partition_key: &str,
        data: Bytes,
        clock: &mut dyn Clock,
    ) -> Result<(), Error> {
        let characters = partition_key.chars().count();
        let bytes = partition_key.len() + data.len();
        let reason = match () {
            () if characters == 0 => Some("the partition key is empty".to_owned()),
            () if characters > KEY_CHARACTERS_MAX => {
                Some(format!("the partition key has {characters} characters, over 256"))
            }
            () if bytes > self.options.record_bytes_max => Some(format!(
                "the record takes {bytes} bytes, over the {} of the stream",
                self.options.record_bytes_max
            )),
            () => None,
        };
        if let Some(reason) = reason {
            let partition_key = partition_key.to_owned();
            return self.refuse(RefusedRecord { partition_key, data, reason });
        }
        self.since.get_or_insert_with(|| clock.now());
        self.hold(partition_key, data);
        self.send_full(clock)?;
        self.tick(clock)
    }

    /// Sends what has waited long enough.
    ///
    /// # Errors
    /// Those of [`put`](KinesisProducer::put).
    pub fn tick(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        let Some(since) = self.since else { return Ok(()) };
        match pace::between(since, clock.now()) >= self.options.linger {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Sends everything that is held. After it returns, each record is accepted or given up.
    ///
    /// # Errors
    /// Those of [`put`](KinesisProducer::put).
    pub fn flush(&mut self) -> Result<(), Error> {
        self.close_all();
        while !self.waiting.is_empty() {
            self.send()?;
        }
        self.since = None;
        Ok(())
    }

    fn hold(&mut self, partition_key: &str, data: Bytes) {
        let hash = match self.open.is_empty() {
            true => None,
            false => Some(hash_key(partition_key.as_bytes())),
        };
        let room = AGGREGATE_BYTES_MAX - 100;
        let open =
            self.open.iter_mut().find(|open| hash.is_some_and(|key| open.range.contains(key)));
        let Some(open) = open.filter(|_| partition_key.len() + data.len() < room) else {
            let entry = Entry { partition_key: partition_key.to_owned(), hash_key: None, data };
            return self.wait(Waiting { entry, records: 1 });
        };
        let full = open.aggregator.bytes() + partition_key.len() + data.len() + 100;
        let whole = (full > AGGREGATE_BYTES_MAX).then(|| open.close()).flatten();
        open.aggregator.add(partition_key.as_bytes(), Some(open.range.start), &data);
        if let Some(whole) = whole {
            self.wait(whole);
        }
    }

    fn wait(&mut self, waiting: Waiting) {
        self.waiting_bytes += waiting.entry.bytes();
        self.waiting.push_back(waiting);
    }

    fn close_all(&mut self) {
        let closed: Vec<Waiting> = self.open.iter_mut().filter_map(Open::close).collect();
        closed.into_iter().for_each(|waiting| self.wait(waiting));
    }

    fn send_full(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        while self.waiting.len() >= RECORDS_MAX || self.waiting_bytes >= CALL_BYTES_MAX {
            self.send()?;
            self.since = Some(clock.now());
        }
        Ok(())
    }

    /// Makes one call, and repeats what was refused until it is accepted or given up.
    fn send(&mut self) -> Result<(), Error> {
        let call = self.next_call();
        let sent = send(&mut Calls(&mut self.client), call)?;
        let Sent { accepted, refused, calls, repeated } = sent;
        self.counts.calls += calls;
        self.counts.repeated += repeated;
        self.counts.accepted += accepted.iter().map(|waiting| waiting.records).sum::<u64>();
        refused.into_iter().try_for_each(|(waiting, reason)| self.give_up(waiting.entry, &reason))
    }

    /// Takes the entries of the next call from those that wait. With `ordered` it has one of each
    /// partition key.
    fn next_call(&mut self) -> Vec<Waiting> {
        let (mut call, mut bytes) = (Vec::new(), 0);
        let mut later = VecDeque::new();
        let mut keys = HashSet::new();
        while let Some(next) = self.waiting.pop_front() {
            let size = next.entry.bytes();
            if call.len() >= RECORDS_MAX || (bytes + size > CALL_BYTES_MAX && !call.is_empty()) {
                self.waiting.push_front(next);
                break;
            }
            let key = (next.entry.partition_key.clone(), next.entry.hash_key);
            if self.options.ordered && !keys.insert(key) {
                later.push_back(next);
                continue;
            }
            bytes += size;
            call.push(next);
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        self.waiting_bytes -= bytes;
        call
    }

    fn give_up(&mut self, entry: Entry, reason: &str) -> Result<(), Error> {
        let refused = |partition_key: String, data: Bytes| RefusedRecord {
            partition_key,
            data,
            reason: reason.to_owned(),
        };
        // Only this producer's own aggregates have a hash key.
        let aggregated = entry.hash_key.and_then(|_| Aggregated::parse(&entry.data));
        let Some(aggregated) = aggregated else {
            return self.refuse(refused(entry.partition_key, entry.data));
        };
        for user in aggregated.user_records() {
            let key = String::from_utf8_lossy(&user.partition_key).into_owned();
            self.refuse(refused(key, user.data))?;
        }
        Ok(())
    }

    fn refuse(&mut self, refused: RefusedRecord) -> Result<(), Error> {
        self.counts.refused += 1;
        (self.on_refused)(refused)
    }
}

impl Open {
    /// Returns the aggregate, if it has records.
    fn close(&mut self) -> Option<Waiting> {
        let records = self.aggregator.count() as u64;
        let data = self.aggregator.take()?;
        let entry = Entry { partition_key: "a".to_owned(), hash_key: Some(self.range.start), data };
        Some(Waiting { entry, records })
    }
}

/// The calls of a client, of entries that wait.
struct Calls<'a, C>(&'a mut C);

impl<C: PutRecords> BatchCall<Waiting> for Calls<'_, C> {
    fn call(&mut self, waiting: &[Waiting]) -> Result<Vec<Option<String>>, Error> {
        let entries: Vec<Entry> = waiting.iter().map(|waiting| waiting.entry.clone()).collect();
        self.0.put_records(&entries)
    }

    fn pause(&mut self, length: Duration) {
        self.0.pause(length);
    }
}

impl<C> fmt::Debug for KinesisProducer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KinesisProducer")
            .field("options", &self.options)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::kinesis_records::kpl::deaggregate;
    use crate::record::{Position, Record, Sequence, ShardId};
    use proptest::prelude::*;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::rc::Rc;

    /// A stream that refuses entries as the dice say, and a clock that its pauses move.
    #[derive(Clone, Default)]
    struct Stream {
        taken: Rc<RefCell<Vec<Entry>>>,
        calls: Rc<RefCell<Vec<usize>>>,
        now: Rc<Cell<i64>>,
        dice: Rc<Cell<u64>>,
        /// The share of entries that are refused, in percent.
        refuse: u64,
    }

    impl Stream {
        fn percent(&self, share: u64) -> bool {
            let mut dice = self.dice.get() | 1;
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            self.dice.set(dice);
            (dice >> 11) % 100 < share
        }
    }

    impl PutRecords for Stream {
        fn put_records(&mut self, entries: &[Entry]) -> Result<Vec<Option<String>>, Error> {
            self.calls.borrow_mut().push(entries.len());
            assert!(entries.len() <= 500);
            assert!(entries.iter().map(Entry::bytes).sum::<usize>() <= CALL_BYTES_MAX);
            if self.percent(self.refuse / 4) {
                return Err(Error::new(ErrorKind::Io, "the connection was lost"));
            }
            let mut results = Vec::new();
            for entry in entries {
                let refused = self.percent(self.refuse);
                if !refused {
                    self.taken.borrow_mut().push(entry.clone());
                }
                results.push(refused.then(|| "ProvisionedThroughputExceededException".to_owned()));
            }
            Ok(results)
        }

        fn pause(&mut self, length: Duration) {
            self.now.set(self.now.get() + length.as_millis() as i64);
        }
    }

    impl Clock for Stream {
        fn now(&mut self) -> Timestamp {
            Timestamp::from_millis(self.now.get())
        }

        fn sleep(&mut self, length: Duration) {
            self.pause(length);
        }
    }

    /// Returns the records in the stream, in order, as a consumer of one of the shards splits them.
    fn records(entries: &[Entry], shards: &[HashRange]) -> Vec<(String, Bytes)> {
        let mut records = Vec::new();
        for entry in entries {
            let hash = entry.hash_key.unwrap_or_else(|| hash_key(entry.partition_key.as_bytes()));
            let shard = shards.iter().find(|range| range.contains(hash)).unwrap();
            let position = Position { shard: ShardId::new("s"), sequence: Sequence::new(1u64) };
            let record = Record {
                partition_key: entry.partition_key.clone().into(),
                data: entry.data.clone(),
                arrival: Timestamp::from_millis(0),
                position,
                headers: Default::default(),
            };
            let counts = deaggregate(record, Some(shard), &mut records);
            assert_eq!((counts.outside_range, counts.unreadable), (0, 0));
        }
        let text = |key: Bytes| String::from_utf8(key.to_vec()).unwrap();
        records.into_iter().map(|record| (text(record.partition_key), record.data)).collect()
    }

    fn ranges(bounds: &[u128]) -> Vec<HashRange> {
        let mut starts: Vec<u128> = [&[0], bounds].concat();
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).map(|start| start - 1).chain([u128::MAX]);
        starts.iter().zip(ends).map(|(&start, end)| HashRange { start, end }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn s218_each_record_is_accepted_once_or_given_up_once(
            keys in 1u64..40,
            count in 0usize..1500,
            seed: u64,
            (refuse, is_ordered) in (prop_oneof![Just(0u64), Just(20), Just(85)], any::<bool>()),
            shards in prop::option::of(prop::collection::vec(1u128..u128::MAX, 0..4)),
            // The shards of those who read, which differ after a reshard.
            later in prop::collection::vec(1u128..u128::MAX, 0..4),
        ) {
            let stream = Stream { refuse, dice: Rc::new(Cell::new(seed)), ..Stream::default() };
            let options = ProducerOptions { ordered: is_ordered, ..ProducerOptions::default() };
            let given_up = Rc::new(RefCell::new(Vec::new()));
            let refused = given_up.clone();
            let mut producer = KinesisProducer::new(stream.clone(), options)
                .on_refused(move |record| {
                    refused.borrow_mut().push((record.partition_key, record.data));
                    Ok(())
                });
            if let Some(shards) = &shards {
                producer.aggregate_for(&ranges(shards));
            }
            let mut sent = Vec::new();
            for index in 0..count {
                let key = format!("key-{}", (index as u64).wrapping_mul(seed) % keys);
                let data = Bytes::from(format!("{index}"));
                producer.put(&key, data.clone(), &mut stream.clone()).unwrap();
                stream.now.set(stream.now.get() + 1);
                sent.push((key, data));
            }
            producer.flush().unwrap();
            let taken = records(&stream.taken.borrow(), &ranges(&later));
            let counts = producer.counts();
            prop_assert_eq!(counts.accepted as usize, taken.len());
            prop_assert_eq!(counts.refused as usize, given_up.borrow().len());
            let mut all: Vec<_> = taken.iter().chain(given_up.borrow().iter()).cloned().collect();
            let mut expected = sent.clone();
            all.sort();
            expected.sort();
            prop_assert_eq!(all, expected);
            if is_ordered && shards.is_none() {
                let mut last: BTreeMap<&str, u64> = BTreeMap::new();
                for (key, data) in &taken {
                    let number: u64 = std::str::from_utf8(data).unwrap().parse().unwrap();
                    let before = last.insert(key, number);
                    prop_assert!(before.is_none_or(|before| before < number), "{key}: {number}");
                }
            }
        }
    }

    #[test]
    fn a_record_waits_for_others_and_no_longer_than_the_linger() {
        let stream = Stream::default();
        let mut producer = KinesisProducer::new(stream.clone(), ProducerOptions::default());
        producer.put("k", "one".into(), &mut stream.clone()).unwrap();
        stream.now.set(150);
        producer.put("k", "two".into(), &mut stream.clone()).unwrap();
        assert!(stream.calls.take().is_empty());
        stream.now.set(200);
        producer.tick(&mut stream.clone()).unwrap();
        assert_eq!(stream.calls.take(), [2]);
        stream.now.set(900);
        producer.tick(&mut stream.clone()).unwrap();
        assert!(stream.calls.take().is_empty());
        for index in 0..1200 {
            producer.put("k", format!("{index}").into(), &mut stream.clone()).unwrap();
        }
        assert_eq!(stream.calls.take(), [500, 500]);
    }

    #[test]
    fn a_record_that_no_stream_takes_is_given_up_at_once() {
        let stream = Stream::default();
        let mut producer = KinesisProducer::new(stream.clone(), ProducerOptions::default());
        let large = Bytes::from(vec![0; RECORD_BYTES_MAX]);
        for (key, data, reason) in [
            ("", Bytes::new(), "the partition key is empty"),
            (&"é".repeat(257)[..], Bytes::new(), "the partition key has 257 characters"),
            ("k", large, "the record takes 1048577 bytes"),
        ] {
            let error = producer.put(key, data, &mut stream.clone()).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
        producer.put(&"é".repeat(256), Bytes::new(), &mut stream.clone()).unwrap();
        producer.flush().unwrap();
        assert_eq!((producer.counts().accepted, producer.counts().refused), (1, 3));
    }

    #[test]
    fn aggregates_are_full_and_few() {
        let stream = Stream::default();
        let mut producer = KinesisProducer::new(stream.clone(), ProducerOptions::default());
        producer.aggregate_for(&ranges(&[1 << 127]));
        let data = Bytes::from(vec![b'x'; 100]);
        for index in 0..10_000 {
            producer.put(&format!("key-{index}"), data.clone(), &mut stream.clone()).unwrap();
        }
        producer.flush().unwrap();
        let taken = stream.taken.borrow();
        assert!(taken.iter().all(|entry| entry.data.len() <= AGGREGATE_BYTES_MAX));
        assert!((20..=30).contains(&taken.len()), "{}", taken.len());
        assert_eq!(records(&taken, &ranges(&[])).len(), 10_000);
    }
}
