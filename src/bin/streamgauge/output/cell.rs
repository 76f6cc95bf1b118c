//! What stands in one column of one line of a table or CSV.

/// How the group of the records past the limit is written.
pub(crate) const OTHER: &str = "(other)";

/// A cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// Nothing is to be said here, as where a line goes on with what the one before began.
    Empty,
    /// A value that is missing.
    Null,
    /// The group of the records past the limit.
    Other,
    /// Text, which may be cut in a table.
    Text(String),
    /// A number or a truth value.
    Number(String),
    /// An approximate number, and its bounds in brackets, which a table may leave out.
    Estimate(String, String),
    /// A time, which a table may shorten.
    Time(String),
}

impl Cell {
    /// The text, also of a number; without bounds.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Cell::Empty | Cell::Null => "",
            Cell::Other => OTHER,
            Cell::Text(text) | Cell::Number(text) | Cell::Estimate(text, _) | Cell::Time(text) => {
                text
            }
        }
    }
}

/// Text as it can be shown on a terminal: control characters, which could move the cursor or change
/// colours, are escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Text in a table: in quotes where it could be read as something else, such as empty text, or the
/// text `null`.
pub(crate) fn unmistakable(text: &str) -> String {
    let alike = ["", "null", "(other)"].contains(&text);
    match alike || text.trim() != text || text.starts_with('"') {
        true => format!("{text:?}"),
        false => printable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(printable("\u{1b}[31mré\u{9b}\n"), "\\u{1b}[31mré\\u{9b}\\n");
    }

    #[test]
    fn text_is_not_mistaken_for_something_else() {
        let shown =
            ["", "null", "(other)", " a", "a\t", "\"\"", "a b", "nullable", "日本", "a\u{1b}"]
                .map(unmistakable);
        let expected = [
            "\"\"",
            "\"null\"",
            "\"(other)\"",
            "\" a\"",
            "\"a\\t\"",
            "\"\\\"\\\"\"",
            "a b",
            "nullable",
            "日本",
            "a\\u{1b}",
        ];
        assert_eq!(shown, expected);
    }
}
