//! From the values of a tuple to a payload and an id.

use super::protocol::Tuple;
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The names of the fields, by component and stream.
type Fields = BTreeMap<(String, String), Vec<String>>;

/// Which values of a tuple are its payload and its id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reading {
    /// The field whose text is the payload; `None` for an object of all fields.
    pub(super) payload: Option<String>,
    /// The field of the id.
    pub(super) id: Option<String>,
    pub(super) fields: Fields,
}

impl Reading {
    /// Returns the names of the tuple's fields.
    fn names(&self, tuple: &Tuple) -> Result<&[String], Error> {
        let names = self.fields.get(&tuple.source).map_or(&[][..], Vec::as_slice);
        let (component, stream) = &tuple.source;
        match names.len() == tuple.values.len() {
            true => Ok(names),
            false => Err(Error::new(
                ErrorKind::Parse,
                format!(
                    "a tuple of the stream {stream:?} of {component:?} has {} values, and the \
                     stream has {} fields",
                    tuple.values.len(),
                    names.len()
                ),
            )),
        }
    }

    /// Returns the payload.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the tuple does not have the field, or other fields than its stream.
    pub(super) fn payload(&self, tuple: &Tuple) -> Result<Bytes, Error> {
        let names = self.names(tuple)?;
        let Some(field) = &self.payload else {
            return Ok(object(names, &tuple.values).into());
        };
        match text_of(value_of(field, names, tuple)?) {
            Some(text) => Ok(text),
            None => Err(Error::new(ErrorKind::Parse, format!("the field {field:?} is null"))),
        }
    }

    /// Returns the id, empty if the tuple has none.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the tuple does not have the field, or other fields than its stream.
    pub(super) fn id(&self, tuple: &Tuple) -> Result<Bytes, Error> {
        let Some(field) = &self.id else { return Ok(Bytes::new()) };
        let value = value_of(field, self.names(tuple)?, tuple)?;
        Ok(text_of(value).unwrap_or_default())
    }
}

fn value_of<'a>(field: &str, names: &[String], tuple: &'a Tuple) -> Result<&'a str, Error> {
    let found = names.iter().position(|name| name == field).and_then(|at| tuple.values.get(at));
    found.map(String::as_str).ok_or_else(|| {
        let words = format!("the tuple has no field {field:?}, it has {}", names.join(", "));
        Error::new(ErrorKind::Parse, words)
    })
}

/// Returns the text of a JSON value: of a string its content, of another value its JSON, and `None`
/// of null.
fn text_of(json: &str) -> Option<Bytes> {
    match serde_json::from_str::<String>(json) {
        Ok(text) => Some(text.into()),
        Err(_) if json == "null" => None,
        Err(_) => Some(json.as_bytes().to_vec().into()),
    }
}

/// Returns an object with a member for each field. Values keep their spelling.
fn object(names: &[String], values: &[String]) -> String {
    let mut json = String::from("{");
    for (name, value) in names.iter().zip(values) {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&serde_json::Value::from(name.as_str()).to_string());
        json.push(':');
        // Within an object of one line.
        json.extend(value.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }));
    }
    json.push('}');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(values: &[&str]) -> Tuple {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let source = ("spout".to_owned(), "default".to_owned());
        Tuple { id: "\"1\"".to_owned(), source, values }
    }

    fn reading(payload: Option<&str>, id: Option<&str>, names: &[&str]) -> Reading {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let source = ("spout".to_owned(), "default".to_owned());
        Reading {
            payload: payload.map(str::to_owned),
            id: id.map(str::to_owned),
            fields: [(source, names)].into(),
        }
    }

    #[test]
    fn a_payload_is_all_fields_or_one() {
        let values = ["\"a\\n\\\"b\"", "12345678901234567890.10", "null"];
        let all = reading(None, Some("n"), &["line", "n", "x\"y"]);
        assert_eq!(
            all.payload(&tuple(&values)).unwrap(),
            "{\"line\":\"a\\n\\\"b\",\"n\":12345678901234567890.10,\"x\\\"y\":null}"
        );
        assert_eq!(all.id(&tuple(&values)).unwrap(), "12345678901234567890.10");
        let one = reading(Some("line"), None, &["line", "n", "x"]);
        assert_eq!(one.payload(&tuple(&values)).unwrap(), "a\n\"b");
        assert_eq!(one.id(&tuple(&values)).unwrap(), "");
        let object = reading(Some("line"), Some("id"), &["line", "id"]);
        assert_eq!(object.payload(&tuple(&["{\"a\":1}", "null"])).unwrap(), "{\"a\":1}");
        assert_eq!(object.id(&tuple(&["{\"a\":1}", "null"])).unwrap(), "");
    }

    #[test]
    fn other_fields_than_those_of_the_stream_are_named() {
        let one = reading(Some("line"), Some("id"), &["n"]);
        let error = one.payload(&tuple(&["1"])).unwrap_err().to_string();
        assert_eq!(error, "the tuple has no field \"line\", it has n");
        let error = one.id(&tuple(&["1", "2"])).unwrap_err().to_string();
        assert!(error.contains("has 2 values, and the stream has 1 fields"), "{error}");
        let other = Tuple { source: Default::default(), ..tuple(&["1"]) };
        assert!(one.payload(&other).is_err());
        assert!(one.payload(&tuple(&[])).is_err());
        let null = reading(Some("n"), None, &["n"]).payload(&tuple(&["null"])).unwrap_err();
        assert!(null.to_string().contains("is null"));
    }
}
