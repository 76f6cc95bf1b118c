//! Records as transports deliver them, and their position in the stream.
//!
//! A [`Position`] (shard, sequence number, sub-sequence number) identifies a record for ever, so
//! that a redelivered record can be recognised. A program with typed records of its own needs none
//! of these types: `Pipeline::push` accepts any type.

use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use bytes::Bytes;
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The name of a shard: one ordered part of a stream, such as a Kinesis shard or a file.
///
/// # Example
/// ```
/// use streamgauge::ShardId;
/// let shard = ShardId::new("shardId-000000000007");
/// let copy = shard.clone(); // shares the text
/// assert_eq!(copy, ShardId::new(String::from("shardId-000000000007")));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(Arc<str>);

impl ShardId {
    /// Creates the shard name.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// pipeline.open_shard(ShardId::new("access.log"))?; // a file is a shard, too
    /// assert_eq!(pipeline.shards(), [ShardId::new("access.log")]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        ShardId(name.into())
    }

    /// Returns the name.
    ///
    /// # Example
    /// ```
    /// use streamgauge::ShardId;
    /// let shards = [ShardId::new("shard-1"), ShardId::new("shard-0")];
    /// assert_eq!(shards.iter().map(ShardId::as_str).min(), Some("shard-0"));
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ShardId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A sequence number: a decimal integer of any length, with the order of integers.
///
/// A Kinesis sequence number usually has 56 digits and may have 129, more than any integer type
/// holds.
///
/// # Example
/// ```
/// use streamgauge::record::SequenceNumber;
/// let small: SequenceNumber = "0009".parse()?;
/// let large: SequenceNumber = "49680500000000000000000000000000000000000000000000000698".parse()?;
/// assert!(small < large);
/// assert_eq!(small, SequenceNumber::from(9u64));
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SequenceNumber {
    /// ASCII digits without leading zeros. Zero is "0".
    digits: SmallVec<[u8; 64]>,
}

impl SequenceNumber {
    /// Returns the decimal digits, without leading zeros.
    ///
    /// # Example
    /// ```
    /// use streamgauge::record::SequenceNumber;
    /// let number: SequenceNumber = "0009".parse()?;
    /// assert_eq!(number.as_str(), "9");
    /// assert_eq!("0".parse::<SequenceNumber>()?.as_str(), "0");
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn as_str(&self) -> &str {
        // Only `from_str` and `From<u64>` create a value, and they store ASCII digits.
        std::str::from_utf8(&self.digits).unwrap_or("0")
    }
}

impl FromStr for SequenceNumber {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::Parse`] if the text is empty or contains anything but ASCII digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let shown: String = text.chars().take(150).collect();
            return Err(Error::new(
                ErrorKind::Parse,
                format!("{shown:?} is not a sequence number: decimal digits only"),
            ));
        }
        let significant = text.trim_start_matches('0');
        let digits = if significant.is_empty() { "0" } else { significant };
        Ok(SequenceNumber { digits: SmallVec::from_slice(digits.as_bytes()) })
    }
}

impl From<u64> for SequenceNumber {
    fn from(mut number: u64) -> Self {
        // Every record of some transports has such a number: no memory is allocated for it.
        let (mut digits, mut first) = ([b'0'; 20], 20);
        while first == 20 || number > 0 {
            first -= 1;
            digits[first] += (number % 10) as u8;
            number /= 10;
        }
        SequenceNumber { digits: SmallVec::from_slice(&digits[first..]) }
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros the longer number is the larger one.
        self.digits.len().cmp(&other.digits.len()).then_with(|| self.digits.cmp(&other.digits))
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The position of a record in its shard: the sequence number, and the index inside an aggregated
/// record.
///
/// # Example
/// ```
/// use streamgauge::Sequence;
/// // Two records in one aggregated record, and the one after it.
/// let first = Sequence::new(7);
/// let second = Sequence { sub: 1, ..first.clone() };
/// assert!(first < second && second < Sequence::new(8));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sequence {
    /// The sequence number that the stream gave to the (possibly aggregated) record.
    pub number: SequenceNumber,
    /// The index of the user record inside an aggregated record; otherwise 0.
    pub sub: u64,
}

impl Sequence {
    /// Creates the position of a record that is not part of an aggregated record.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Sequence;
    /// assert!(Sequence::new(9) < Sequence::new(10)); // by number, not by text
    /// assert_eq!(Sequence::new(9).sub, 0);
    /// ```
    pub fn new(number: impl Into<SequenceNumber>) -> Self {
        Sequence { number: number.into(), sub: 0 }
    }
}

/// The identity of a record: its shard and its position in the shard.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let position = |shard: &str, number: u64| Position {
///     shard: ShardId::new(shard),
///     sequence: Sequence::new(number),
/// };
/// // Numbers count within one shard only: these are two records.
/// assert_ne!(position("shard-0", 7), position("shard-1", 7));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    /// The shard.
    pub shard: ShardId,
    /// The position in the shard.
    pub sequence: Sequence,
}

/// A record as a transport delivers it.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let record = Record {
///     partition_key: b"user-7".as_slice().into(),
///     data: b"{\"ms\": 12}".as_slice().into(),
///     arrival: Timestamp::from_millis(1_500),
///     position: Position { shard: ShardId::new("shard-0"), sequence: Sequence::new(7) },
///     headers: Default::default(),
/// };
/// // Without a time in the data, the arrival is the event time.
/// let mut pipeline = Pipeline::builder()
///     .event_time(|record: &Record| record.arrival)
///     .window(seconds(1))
///     .aggregate(sum(|record: &Record| record.data.len() as u64))
///     .build()?;
/// assert_eq!(pipeline.over([record]).next().map(|emission| emission.value), Some(10));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The key from which the producer chose the shard.
    pub partition_key: Bytes,
    /// The payload, not yet decoded.
    pub data: Bytes,
    /// The time at which the stream received the record, or
    /// [`ARRIVAL_UNKNOWN`](Record::ARRIVAL_UNKNOWN) if the transport does not tell it.
    pub arrival: Timestamp,
    /// The identity of the record.
    pub position: Position,
    /// The headers that the reader was asked for. Only records of Kafka have any.
    pub headers: Headers,
}

/// The headers of a record by which its reader was asked for them: a name, and bytes.
///
/// # Example
/// ```
/// use streamgauge::Headers;
/// let mut headers = Headers::default();
/// headers.set(&"trace".into(), Some("7a".into()));
/// headers.set(&"trace".into(), Some("7b".into()));
/// assert_eq!(headers.value("trace").map(|value| &value[..]), Some(&b"7b"[..]));
/// headers.set(&"trace".into(), None);
/// assert_eq!(headers, Headers::default());
/// ```
// One word, because most records have none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers(Option<Arc<Vec<Header>>>);

/// The name and the value of a header.
type Header = (Arc<str>, Bytes);

impl Headers {
    /// Sets the value of a header, in place of the one that it had. `None` is null.
    pub fn set(&mut self, name: &Arc<str>, value: Option<Bytes>) {
        let mut list = self.0.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        list.retain(|(known, _)| known != name);
        list.extend(value.map(|value| (name.clone(), value)));
        self.0 = (!list.is_empty()).then(|| Arc::new(list));
    }

    /// Returns the value of a header; `None` if it is missing or null.
    pub fn value(&self, name: &str) -> Option<&Bytes> {
        let mut list = self.iter();
        list.find_map(|(known, value)| (**known == *name).then_some(value))
    }

    /// Returns the headers that are not null.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Bytes)> {
        self.0.iter().flat_map(|list| list.iter().map(|(name, value)| (name, value)))
    }
}

impl Record {
    /// The arrival time of a record that has none. It is in no window, so a record whose event time
    /// is its arrival time becomes a dead letter. If the event time comes from elsewhere, the
    /// arrival time does not matter.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|arrival: &Timestamp| *arrival)
    ///     .window(seconds(10))
    ///     .aggregate(count())
    ///     .build()?;
    /// assert_eq!(pipeline.push(&Record::ARRIVAL_UNKNOWN)?, Outcome::DeadLetter(()));
    /// # Ok::<(), Error>(())
    /// ```
    pub const ARRIVAL_UNKNOWN: Timestamp = Timestamp::MIN;

    /// Returns true if the arrival time is known.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let record = |arrival| Record {
    ///     partition_key: Default::default(),
    ///     data: Default::default(),
    ///     arrival,
    ///     position: Position { shard: ShardId::new("shard-0"), sequence: Sequence::new(7) },
    ///     headers: Default::default(),
    /// };
    /// assert!(record(Timestamp::from_millis(0)).is_arrival_known());
    /// assert!(!record(Record::ARRIVAL_UNKNOWN).is_arrival_known());
    /// ```
    pub fn is_arrival_known(&self) -> bool {
        self.arrival != Record::ARRIVAL_UNKNOWN
    }
}

/// Default of `max_ahead`: how far an event time may be ahead of the record's arrival time.
pub(crate) const MAX_AHEAD_DEFAULT: Duration = Duration::from_secs(3600);

/// Returns true if the event time is more than `max_ahead` milliseconds ahead of the record's
/// arrival time. Returns false if the arrival time is unknown.
#[inline]
pub(crate) fn is_ahead(time: Timestamp, arrival: Timestamp, max_ahead: i64) -> bool {
    time.as_millis().saturating_sub(arrival.as_millis()) > max_ahead
        && arrival != Record::ARRIVAL_UNKNOWN
}

/// Returns the error text for a time that [is ahead](is_ahead).
#[cold]
pub(crate) fn ahead_words(time: Timestamp, arrival: Timestamp, max_ahead: i64) -> String {
    let length = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    let ahead = length(time.as_millis().saturating_sub(arrival.as_millis()));
    format!(
        "lies {ahead:?} ahead of the record's arrival at {arrival}, and max_ahead is {:?}",
        length(max_ahead)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_without_headers_needs_one_word_for_them() {
        assert_eq!(size_of::<Headers>(), size_of::<usize>());
    }

    #[test]
    fn anything_but_digits_is_refused() {
        for wrong in ["", "-1", "1 ", "TRIM_HORIZON", "٣"] {
            assert_eq!(
                wrong.parse::<SequenceNumber>().unwrap_err().kind(),
                ErrorKind::Parse,
                "{wrong:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_integer_is_its_digits(number: u64, shift in 0u32..64) {
            let number = number >> shift;
            prop_assert_eq!(SequenceNumber::from(number).to_string(), number.to_string());
        }

        #[test]
        fn sequence_numbers_order_as_integers(a: u128, b: u128, zeros in 0usize..5) {
            let parse =
                |n: u128| format!("{}{n}", "0".repeat(zeros)).parse::<SequenceNumber>().unwrap();
            prop_assert_eq!(parse(a).cmp(&parse(b)), a.cmp(&b));
            prop_assert_eq!(parse(a).to_string(), a.to_string());
        }
    }
}
