//! A line of a capture as JSON.

#[cfg(feature = "kcl")]
use crate::error::{Error, ErrorKind};
#[cfg(feature = "kcl")]
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A line: a header, or what came. Fields without a value are left out.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) capture: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) packing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idle_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) with_source: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parents: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) behind: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) records: Vec<RecordLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rejected: Vec<RejectedLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
    /// True in the last line of a capture that has reached its limit.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) cut: bool,
}

/// A record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RecordLine {
    pub(super) sequence: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) sub: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arrival: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key_base64: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) headers: Vec<HeaderLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
}

/// A header of a record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HeaderLine {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
}

/// A delivery that was no record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RejectedLine {
    /// The number of records of the batch before it.
    pub(super) before: usize,
    pub(super) index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) sub: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arrival: Option<i64>,
    pub(super) error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
}

/// Returns bytes as text, or in base64 if they are no UTF-8.
pub(super) fn payload(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(base64_simd::STANDARD.encode_to_string(bytes))),
    }
}

/// Returns the bytes of text or of base64; none if there is neither.
///
/// # Errors
/// [`ErrorKind::Parse`] if it is not base64.
#[cfg(feature = "kcl")]
pub(super) fn payload_bytes(text: Option<String>, base64: Option<String>) -> Result<Bytes, Error> {
    match (text, base64) {
        (Some(text), _) => Ok(Bytes::from(text)),
        (None, Some(base64)) => {
            base64_simd::STANDARD.decode_to_vec(base64).map(Bytes::from).map_err(|error| {
                Error::new(ErrorKind::Parse, format!("a payload is not base64: {error}"))
            })
        }
        (None, None) => Ok(Bytes::new()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
