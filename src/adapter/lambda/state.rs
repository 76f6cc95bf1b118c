//! The state that Lambda carries from one invocation of a tumbling window to the next.

use crate::adapter::transport::json::{Text, excerpt};
use crate::error::{Error, ErrorKind};
use crate::record::SequenceNumber;
use crate::snapshot::bytes_in_base64;
use base64_simd::STANDARD;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The `state` of a tumbling window: a JSON value of up to 1 MB that Lambda passes on unchanged.
///
/// The states of this crate have the field `snapshot`, the bytes of a snapshot in base64, and the
/// field `since`, the sequence number of the first record in it. Other states are kept unchanged.
///
/// # Example
/// ```
/// use streamgauge::adapter::lambda::State;
/// let state = State::from_snapshot(b"bytes");
/// assert_eq!(state.json(), r#"{"snapshot":"Ynl0ZXM="}"#);
/// assert_eq!(state.snapshot()?.as_deref(), Some(&b"bytes"[..]));
/// assert_eq!(State::default().snapshot()?, None);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone)]
pub struct State(Box<RawValue>);

/// The content of a state of this crate.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) snapshot: Vec<u8>,
    /// The sequence number of the first record of the snapshot.
    pub(super) since: Option<SequenceNumber>,
}

impl State {
    /// Returns the state with a snapshot of the records from this one on.
    pub(super) fn carrying(snapshot: &[u8], since: &SequenceNumber) -> Self {
        State::from_json(format!(
            r#"{{"snapshot":"{}","since":"{since}"}}"#,
            STANDARD.encode_to_string(snapshot)
        ))
    }

    /// Returns the maximum bytes of a snapshot in a state of at most `json_bytes_max`.
    pub(super) fn room(json_bytes_max: usize, since: &SequenceNumber) -> usize {
        let around = r#"{"snapshot":"","since":""}"#.len() + since.as_str().len();
        bytes_in_base64(json_bytes_max.saturating_sub(around))
    }

    /// Returns the state with a snapshot. It is `4 * ceil(n / 3) + 15` bytes long for a snapshot of
    /// `n` bytes.
    pub fn from_snapshot(snapshot: &[u8]) -> Self {
        let json = format!(r#"{{"snapshot":"{}"}}"#, STANDARD.encode_to_string(snapshot));
        State::from_json(json)
    }

    /// Returns the snapshot in this state. Returns `None` if the state is empty, as at the start of
    /// a window.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the state is not empty and has no snapshot in base64, like the
    /// state of another function.
    pub fn snapshot(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.carried()?.map(|carried| carried.snapshot))
    }

    /// Returns the content of this state, or `None` if it is empty. Errors as
    /// [`snapshot`](State::snapshot).
    pub(super) fn carried(&self) -> Result<Option<Carried>, Error> {
        let corrupt = |what: &str| {
            let shown = excerpt(self.json(), 100);
            Err(Error::new(
                ErrorKind::Corrupt,
                format!("the window's state {shown} {what}: it is not this pipeline's"),
            ))
        };
        if self.is_empty() {
            return Ok(None);
        }
        let Ok(fields) = serde_json::from_str::<BTreeMap<String, Text<'_>>>(self.json()) else {
            return corrupt("is not an object");
        };
        let since = fields.get("since").and_then(|text| text.required().ok()?.parse().ok());
        match fields.get("snapshot").map(Text::required) {
            None => corrupt("has no field \"snapshot\""),
            Some(Err(what)) => corrupt(&format!("has a field \"snapshot\" that {what}")),
            Some(Ok(text)) => match STANDARD.decode_to_vec(text) {
                Ok(snapshot) => Ok(Some(Carried { snapshot, since })),
                Err(_) => corrupt("has a field \"snapshot\" that is not base64"),
            },
        }
    }

    /// Returns true if the state is an empty object or null.
    pub fn is_empty(&self) -> bool {
        let json = self.json().trim();
        json == "null"
            || json
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
                .is_some_and(|inside| inside.trim().is_empty())
    }

    /// Returns the state as JSON text. Its length counts against Lambda's limit of 1 MB.
    pub fn json(&self) -> &str {
        self.0.get()
    }

    /// Creates a state from the fields of another function.
    #[cfg(feature = "aws_lambda_events")]
    pub(super) fn from_fields(fields: &BTreeMap<String, String>) -> Self {
        serde_json::to_string(fields).map(State::from_json).unwrap_or_default()
    }

    fn from_json(json: String) -> Self {
        // The texts made here are valid JSON. An invalid one would give an empty state, never a
        // wrong one.
        State(RawValue::from_string(json).unwrap_or_default())
    }
}

/// The empty state, `{}`.
impl Default for State {
    fn default() -> Self {
        State::from_json("{}".to_owned())
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({})", excerpt(self.json(), 100))
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(State)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(json: &str) -> State {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn empty_states_hold_no_snapshot() {
        for json in ["{}", "{ \n}", "null", " {} "] {
            assert_eq!(state(json).snapshot().unwrap(), None, "{json}");
        }
    }

    #[test]
    fn another_functions_state_is_refused_with_its_kind() {
        for (json, what) in [
            (r#"{"/home":12,"_v":1}"#, "has no field"),
            ("[]", "is not an object"),
            (r#"{"snapshot":5}"#, "is a number"),
            (r#"{"snapshot":null}"#, "is missing or null"),
            (r#"{"snapshot":"x"}"#, "is not base64"),
        ] {
            let error = state(json).snapshot().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    proptest! {
        #[test]
        fn carried_state_is_read_back_and_fits(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            since: u128,
            json_bytes_max in 100usize..400,
        ) {
            let since: SequenceNumber = since.to_string().parse().unwrap();
            let carried = State::carrying(&bytes, &since).carried().unwrap().unwrap();
            prop_assert_eq!((carried.snapshot, carried.since), (bytes, Some(since.clone())));
            let room = State::room(json_bytes_max, &since);
            prop_assert!(State::carrying(&vec![7; room], &since).json().len() <= json_bytes_max);
            prop_assert!(State::carrying(&vec![7; room + 3], &since).json().len() > json_bytes_max);
        }

        #[test]
        fn a_snapshot_is_read_back(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let written = State::from_snapshot(&bytes);
            prop_assert_eq!(written.json().len(), bytes.len().div_ceil(3) * 4 + 15);
            let read = state(&serde_json::to_string(&written).unwrap());
            prop_assert_eq!(read.snapshot().unwrap().unwrap(), bytes);
        }
    }
}
