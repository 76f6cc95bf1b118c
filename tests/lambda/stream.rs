//! The records of a shard as a producer would put them, and Lambda events that contain them.

use base64_simd::STANDARD;
use md5::{Digest, Md5};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const STREAM_ARN: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";

/// One user record: its identity and event time. A bad one cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) time: i64,
    pub(crate) good: bool,
}

impl User {
    fn payload(self) -> String {
        match self.good {
            true => format!("{} {}", self.id, self.time),
            false => format!("poison {}", self.id),
        }
    }
}

/// One record of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) number: u64,
    /// Milliseconds since the epoch.
    pub(crate) arrival: i64,
    pub(crate) users: Vec<User>,
    /// As the KPL does it.
    pub(crate) aggregated: bool,
    /// True if Lambda delivers text that is not base64, so that its content is lost.
    pub(crate) unreadable: bool,
}

impl Put {
    /// Returns the user records that can be decoded.
    pub(crate) fn good(&self) -> impl Iterator<Item = User> + '_ {
        self.users.iter().copied().filter(|user| user.good && !self.unreadable)
    }

    /// Returns true if all of them can be decoded.
    pub(crate) fn is_good(&self) -> bool {
        self.good().count() == self.users.len()
    }

    pub(crate) fn json(&self, shard: &str) -> Value {
        let data = match self.aggregated {
            true => aggregate(&self.users),
            false => self.users[0].payload().into_bytes(),
        };
        let data = if self.unreadable { "?".to_owned() } else { STANDARD.encode_to_string(data) };
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": "k", "sequenceNumber": self.number.to_string(), "data": data,
                "approximateArrivalTimestamp": self.arrival as f64 / 1000.0,
            },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("{shard}:{}", self.number), "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/r", "awsRegion": "us-east-1", "eventSourceARN": STREAM_ARN,
        })
    }
}

/// An aggregate of the KPL; all lengths here are below 128, so that each is one byte.
fn aggregate(users: &[User]) -> Vec<u8> {
    let mut message = vec![0x0A, 1, b'k'];
    for user in users {
        let payload = user.payload();
        message.extend([0x1A, payload.len() as u8 + 4, 0x08, 0, 0x1A, payload.len() as u8]);
        message.extend(payload.bytes());
    }
    [&[0xF3, 0x89, 0x9A, 0xC2][..], &message, &Md5::digest(&message)[..]].concat()
}

/// Records of a shard whose event times advance with disorder. With `flawed`, some cannot be
/// decoded and some cannot be read.
pub(crate) fn puts(flawed: bool) -> impl Strategy<Value = Vec<Put>> {
    let user = (-30i64..30, prop::bool::weighted(if flawed { 0.9 } else { 1.0 }));
    let put = (
        0i64..25,
        prop::collection::vec(user, 1..5),
        any::<bool>(),
        prop::bool::weighted(if flawed { 0.05 } else { 0.0 }),
    );
    prop::collection::vec(put, 1..40).prop_map(|puts| {
        let (mut arrival, mut id) = (1_700_000_000_000, 0);
        let numbered = puts.into_iter().zip(100u64..);
        numbered
            .map(|((gap, mut users, aggregated, unreadable), number)| {
                arrival += gap;
                if !aggregated {
                    users.truncate(1);
                }
                let users = users.into_iter().map(|(jitter, good)| {
                    id += 1;
                    User { id, time: arrival + jitter, good }
                });
                Put { number, arrival, users: users.collect(), aggregated, unreadable }
            })
            .collect()
    })
}
