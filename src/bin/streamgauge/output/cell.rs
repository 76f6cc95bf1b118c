//! The content of one column in one line of a table or CSV.

/// The text of the group of records past the limit.
pub(crate) const OTHER: &str = "(other)";

/// A cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// No content, for example if the line continues the one before it.
    Empty,
    /// A missing value.
    Null,
    /// The group of records past the limit.
    Other,
    /// Text. A table may cut it.
    Text(String),
    /// A number or a boolean.
    Number(String),
    /// An approximate number, and its bounds in brackets. A table may omit the bounds.
    Estimate(String, String),
    /// A time. A table may shorten it.
    Time(String),
}

impl Cell {
    /// Returns the text, also of a number, without bounds.
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

/// Returns text that is safe to show on a terminal: escapes control characters, which could move
/// the cursor or change colours.
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

/// Returns text for a table. Puts it in quotes if it could be read as something else, such as empty
/// text or the text `null`.
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
