//! The names of the fields in records, for the error about a field that they do not have.

use super::names::{listed, suggestion};
use serde_json::{Map, Value};

/// Maximum number of records that are examined.
const RECORDS_MAX: usize = 100;

/// Maximum number of names that are collected.
const NAMES_MAX: usize = 300;

/// Maximum depth of nested objects that are examined.
const DEPTH_MAX: usize = 6;

/// The fields of the first records of a JSON input: top-level members by name, nested members as
/// JSON pointers.
///
/// # Example
/// ```
/// use streamgauge::adapter::files::JsonNames;
/// let names = JsonNames::of(b"{\"ts\":1,\"geo\":{\"country\":\"DE\"}}\n");
/// assert_eq!(names.instead_of("country"), "ts, /geo/country; did you mean \"/geo/country\"?");
/// ```
#[derive(Clone, Debug, Default)]
pub struct JsonNames {
    names: Vec<String>,
}

impl JsonNames {
    /// Reads the whole lines at the beginning of an input. Ignores lines that are not JSON.
    pub fn of(beginning: &[u8]) -> Self {
        let mut names = JsonNames::default();
        for line in beginning.split(|byte| *byte == b'\n').take(RECORDS_MAX) {
            if let Ok(record) = serde_json::from_slice::<Map<String, Value>>(line) {
                names.take(&record, "", 0);
            }
        }
        // Top-level members come first.
        names.names.sort_by_key(|name| name.starts_with('/'));
        names
    }

    /// Returns true if no record was read.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns true if a record has the field. `host.name` is also the member `name` of the member
    /// `host`.
    pub fn contains(&self, field: &str) -> bool {
        let nested = (!field.starts_with('/')).then(|| format!("/{}", field.replace('.', "/")));
        self.names.iter().any(|name| name == field || Some(name) == nested.as_ref())
    }

    /// Returns a text with a bounded number of names, and the name that may be meant by `field`,
    /// which is not among them.
    pub fn instead_of(&self, field: &str) -> String {
        format!("{}{}", listed(&self.names), suggestion(field, &self.names))
    }

    fn take(&mut self, object: &Map<String, Value>, place: &str, depth: usize) {
        for (name, value) in object {
            let pointer = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
            match value {
                Value::Object(inner) if !inner.is_empty() && depth < DEPTH_MAX => {
                    self.take(inner, &pointer, depth + 1)
                }
                // A name that begins with a slash would be read as a pointer.
                _ if place.is_empty() && !name.starts_with('/') => self.push(name.clone()),
                _ => self.push(pointer),
            }
        }
    }

    fn push(&mut self, name: String) {
        if self.names.len() < NAMES_MAX && !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_of_all_records_are_named_and_nested_ones_as_pointers() {
        let names = JsonNames::of(
            b"{\"b\":1,\"a\":{\"x\":{\"y~/\":1}}}\nnot json\n[1]\n\
                                    {\"c\":null,\"/d\":1,\"e\":{}}\n{\"cut\":",
        );
        assert_eq!(names.names, ["b", "c", "e", "/a/x/y~0~1", "/~1d"]);
        assert_eq!(names.instead_of("B"), "b, c, e, /a/x/y~0~1, /~1d; did you mean \"b\"?");
        assert_eq!(names.instead_of("something"), "b, c, e, /a/x/y~0~1, /~1d");
        assert!(JsonNames::of(b"").is_empty());
    }

    #[test]
    fn the_list_is_bounded() {
        let members: Vec<String> = (0..10_000).map(|n| format!("\"field{n}\":{n}")).collect();
        let names = JsonNames::of(format!("{{{}}}\n", members.join(",")).as_bytes());
        assert_eq!(names.names.len(), NAMES_MAX);
        let told = names.instead_of("nothing of the kind");
        assert!(told.len() < 600 && told.ends_with(", ..."), "{told}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_danger(bytes: Vec<u8>, depth in 0usize..500) {
            let _ = JsonNames::of(&bytes).instead_of("a");
            let _ = JsonNames::of("{\"a\":".repeat(depth).as_bytes());
            let deep =
                [vec!["{\"a\":"; depth].concat(), "1".to_owned(), "}".repeat(depth)].concat();
            let _ = JsonNames::of(deep.as_bytes());
        }
    }
}
