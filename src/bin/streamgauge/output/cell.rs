//! What stands in one column of one line of a table or CSV.

/// A cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// No value.
    Empty,
    /// Text, which may be cut in a table.
    Text(String),
    /// A number or a truth value, which is not cut as long as text can be.
    Number(String),
    /// A time, which is not cut as long as text can be either.
    Time(String),
}

impl Cell {
    /// The text, also of a number.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Cell::Empty => "",
            Cell::Text(text) | Cell::Number(text) | Cell::Time(text) => text,
        }
    }
}

/// Text as it can be shown on a terminal: control characters, which could move the cursor or change colours, are escaped.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(printable("\u{1b}[31mré\u{9b}\n"), "\\u{1b}[31mré\\u{9b}\\n");
    }
}
