//! How the records of a stream are unpacked before they are decoded.

use super::kpl::{self, HashRange};
use super::logs::{self, LogPayload};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::record::{Record, Sequence};
use std::fmt;
use std::str::FromStr;

/// How payloads are unpacked before they are decoded.
///
/// # Example
/// ```
/// use streamgauge::adapter::Packing;
/// assert_eq!("lines".parse::<Packing>()?, Packing::Lines);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Packing {
    /// Records that the KPL aggregated are split, aggregates inside them too. Others are unchanged.
    /// The default.
    #[default]
    Kpl,
    /// No record is unpacked.
    Whole,
    /// As [`Kpl`](Packing::Kpl), and each line of a payload is a record, like a line of a file.
    Lines,
    /// Every record is one of a CloudWatch Logs subscription: see [`logs::expand`].
    CloudWatchLogs(LogPayload),
}

/// A part of a record that could not be unpacked.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// Its position, after the readable records.
    pub(crate) sequence: Sequence,
    pub(crate) error: Error,
}

impl Packing {
    /// Returns true if a record with this payload may contain others. Otherwise
    /// [`unpack`](Packing::unpack) returns it unchanged.
    pub(crate) fn holds_others(self, data: &[u8]) -> bool {
        match self {
            Packing::Kpl => kpl::is_marked(data),
            Packing::Whole => false,
            Packing::Lines => {
                kpl::is_marked(data)
                    || data.split_last().is_some_and(|(_, rest)| rest.contains(&b'\n'))
            }
            Packing::CloudWatchLogs(_) => true,
        }
    }

    /// Appends the records inside of this one. They have its position, and their index as
    /// sub-sequence number. Returns the part that could not be read. With a range, user records of
    /// an aggregate that belong to another shard are dropped.
    pub(crate) fn unpack(
        self,
        record: Record,
        range: Option<&HashRange>,
        records: &mut Vec<Record>,
    ) -> Option<Unreadable> {
        match self {
            Packing::Kpl => unpack_kpl(record, range, records),
            Packing::Whole => {
                records.push(record);
                None
            }
            Packing::Lines => {
                let mut whole = Vec::new();
                let mut unreadable = unpack_kpl(record, range, &mut whole);
                let first = records.len();
                whole.into_iter().for_each(|record| split_lines(record, first, records));
                if let Some(unreadable) = &mut unreadable {
                    unreadable.sequence.sub = (records.len() - first) as u64;
                }
                unreadable
            }
            Packing::CloudWatchLogs(payload) => {
                let error = logs::expand(&record, payload, &Limits::default(), records).err()?;
                Some(Unreadable { sequence: record.position.sequence, error })
            }
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Packing::Kpl => "kpl",
            Packing::Whole => "whole",
            Packing::Lines => "lines",
            Packing::CloudWatchLogs(LogPayload::Message) => "logs",
            Packing::CloudWatchLogs(LogPayload::Event) => "log-events",
        })
    }
}

impl FromStr for Packing {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::Parse`] for anything but the five names.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "kpl" => Ok(Packing::Kpl),
            "whole" => Ok(Packing::Whole),
            "lines" => Ok(Packing::Lines),
            "logs" => Ok(Packing::CloudWatchLogs(LogPayload::Message)),
            "log-events" => Ok(Packing::CloudWatchLogs(LogPayload::Event)),
            other => {
                let message = format!(
                    "{other:?} is not a packing: use kpl, whole, lines, logs or log-events"
                );
                Err(Error::new(ErrorKind::Parse, message))
            }
        }
    }
}

/// User records after a defect of the producer cannot be read. They count as one unreadable part,
/// after the readable records.
fn unpack_kpl(
    record: Record,
    range: Option<&HashRange>,
    records: &mut Vec<Record>,
) -> Option<Unreadable> {
    let position = record.position.clone();
    let counts = kpl::take_apart(record, range, records);
    if counts.unreadable == 0 {
        return None;
    }
    let message = format!(
        "{}:{}: {} of the aggregate's {} user records cannot be read: one refers to a key that the \
         aggregate does not hold",
        position.shard,
        position.sequence.number,
        counts.unreadable,
        counts.unreadable + counts.records
    );
    let sequence = Sequence { number: position.sequence.number, sub: counts.records };
    Some(Unreadable { sequence, error: Error::new(ErrorKind::InvalidRecord, message) })
}

/// Appends a record for each line. A line end at the end of the payload begins no further line, and
/// an empty payload is a record.
fn split_lines(record: Record, first: usize, records: &mut Vec<Record>) {
    let mut start = 0;
    loop {
        let end = record.data[start..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(record.data.len(), |at| start + at);
        let mut line = Record { data: record.data.slice(start..end), ..record.clone() };
        line.position.sequence.sub = (records.len() - first) as u64;
        records.push(line);
        start = end + 1;
        if start >= record.data.len() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Position, ShardId};
    use crate::time::Timestamp;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn record(data: impl Into<Bytes>) -> Record {
        let position = Position { shard: ShardId::new("s"), sequence: Sequence::new(7u64) };
        Record {
            partition_key: "k".into(),
            data: data.into(),
            arrival: Timestamp::from_millis(0),
            position,
            headers: Default::default(),
        }
    }

    fn unpacked(packing: Packing, data: impl Into<Bytes>) -> Vec<(Vec<u8>, u64)> {
        let mut records = Vec::new();
        assert!(packing.unpack(record(data), None, &mut records).is_none());
        records
            .into_iter()
            .map(|record| (record.data.to_vec(), record.position.sequence.sub))
            .collect()
    }

    #[test]
    fn packings_have_names() {
        for (name, packing) in [
            ("kpl", Packing::Kpl),
            ("whole", Packing::Whole),
            ("lines", Packing::Lines),
            ("logs", Packing::CloudWatchLogs(LogPayload::Message)),
            ("log-events", Packing::CloudWatchLogs(LogPayload::Event)),
        ] {
            assert_eq!(name.parse::<Packing>().unwrap(), packing);
        }
        assert!(
            "zip"
                .parse::<Packing>()
                .unwrap_err()
                .to_string()
                .contains("use kpl, whole, lines, logs or log-events")
        );
    }

    #[test]
    fn a_payload_is_split_at_its_line_ends() {
        let lines = |data: &'static str| {
            unpacked(Packing::Lines, data)
                .into_iter()
                .map(|(line, _)| String::from_utf8(line).unwrap())
        };
        for (data, expected) in [
            ("", &[""][..]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("\n", &[""]),
            ("a\r\nb", &["a\r", "b"]),
            ("a\n\nb\n", &["a", "", "b"]),
        ] {
            assert_eq!(lines(data).collect::<Vec<_>>(), expected, "{data:?}");
        }
        assert_eq!(unpacked(Packing::Kpl, "a\nb").len(), 1);
    }

    proptest! {
        #[test]
        fn lines_are_numbered_and_join_to_the_payload(data in "[a-c\n]{0,12}") {
            let parts = unpacked(Packing::Lines, data.clone());
            let subs: Vec<u64> = parts.iter().map(|(_, sub)| *sub).collect();
            prop_assert_eq!(subs, (0..parts.len() as u64).collect::<Vec<_>>());
            let joined =
                parts.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b'\n');
            prop_assert_eq!(
                String::from_utf8(joined).unwrap(),
                data.strip_suffix('\n').unwrap_or(&data)
            );
            // A payload without other records is unchanged, except for its line end.
            if !Packing::Lines.holds_others(data.as_bytes()) {
                prop_assert_eq!(parts.len(), 1);
            }
        }
    }
}
