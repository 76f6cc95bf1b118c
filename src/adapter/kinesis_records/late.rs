//! Records of a stream that were read but are in no window.

use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use base64_simd::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// A record of a stream all of whose windows had closed. The adapters of Lambda and of the KCL
/// report it.
#[derive(Debug)]
#[non_exhaustive]
pub struct LateRecord<'a> {
    /// The shard.
    pub shard: &'a ShardId,
    /// Its position in the shard.
    pub sequence: &'a Sequence,
    /// Its event time.
    pub time: Timestamp,
    /// The watermark when the record came.
    pub watermark: Option<Timestamp>,
    /// Its payload.
    pub data: &'a Bytes,
}

/// `{"shard":"shardId-000000000003","sequence":"4965","time":"2023-11-14T22:13:20.000Z","watermark":"...","data":"..."}`.
/// A payload that is not UTF-8 is in base64, with `"encoding":"base64"`.
impl Serialize for LateRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let watermark = self.watermark.map(|watermark| watermark.to_string());
        let mut fields = json!({
            "shard": self.shard.as_str(), "sequence": place(self.sequence), "time": self.time.to_string(), "watermark": watermark,
        });
        set_data(&mut fields, self.data);
        fields.serialize(serializer)
    }
}

/// Returns the position of a record in its shard as text.
pub(crate) fn place(sequence: &Sequence) -> String {
    match sequence.sub {
        0 => sequence.number.to_string(),
        sub => format!("{}:{sub}", sequence.number),
    }
}

/// Adds the payload to the fields: as text, or in base64 if it is not UTF-8.
pub(crate) fn set_data(fields: &mut Value, data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) => fields["data"] = json!(text),
        Err(_) => {
            fields["data"] = json!(STANDARD.encode_to_string(data));
            fields["encoding"] = json!("base64");
        }
    }
}

/// Returns the number of late records, as the beginning of a sentence.
#[cfg(any(feature = "kcl", feature = "lambda-runtime"))]
pub(crate) fn came_late(late: u64) -> String {
    match late {
        1 => "1 record came late and is in no window".to_owned(),
        late => format!("{late} records came late and are in no window"),
    }
}
