//! What is known of the columns: of their values, and of the aggregate that each is.

use crate::view::answers::Answer;
use std::collections::HashMap;
use streamgauge::row::OutputValue;

/// What the values of a column are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Values {
    /// Numbers.
    Numbers,
    /// Numbers with bounds.
    Estimates,
    /// The most frequent values of a field.
    Tops,
    /// Text and truth values.
    Texts,
}

/// A column of the answers.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// The aggregate in text, which is the name if that says it.
    pub(super) expression: String,
    /// The place of its values in an [`Answer`].
    pub(super) index: usize,
    pub(super) values: Values,
}

impl Column {
    /// Returns the columns, in their order.
    pub(super) fn all(
        names: &[String],
        expressions: &HashMap<String, String>,
        rows: &[&Answer],
    ) -> Vec<Column> {
        let column = |(index, name): (usize, &String)| Column {
            name: name.clone(),
            expression: expressions.get(name).unwrap_or(name).clone(),
            index,
            values: values_of(index, rows),
        };
        names.iter().enumerate().map(column).collect()
    }

    /// Returns the value of a row; none if the row is shorter.
    pub(super) fn of<'a>(&self, row: &'a Answer) -> &'a OutputValue {
        row.values.get(self.index).unwrap_or(&OutputValue::Null)
    }

    /// Returns the name of the function, if the column is a call of one and nothing more.
    pub(super) fn function(&self) -> Option<&str> {
        let text = self.expression.trim();
        let end = text.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.'));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let is_call = rest.is_empty() || closes_at_end(rest);
        (is_call && !name.is_empty()).then_some(name)
    }

    /// Returns true if the values of windows and groups can be added.
    pub(super) fn is_additive(&self) -> bool {
        matches!(self.function(), Some("count" | "sum"))
    }

    /// Returns true if the axis begins at zero, as where the length from there has a meaning.
    pub(super) fn is_from_zero(&self) -> bool {
        self.is_additive() || matches!(self.function(), Some("distinct" | "frequency"))
    }

    /// Returns true if the values can be drawn as a line.
    pub(super) fn is_drawn(&self) -> bool {
        matches!(self.values, Values::Numbers | Values::Estimates)
    }

    /// Returns the arguments of the call, split at commas.
    pub(super) fn arguments(&self) -> Vec<String> {
        let text = self.expression.trim();
        let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        split(inner.unwrap_or_default(), ',').into_iter().map(|part| part.trim().into()).collect()
    }
}

fn values_of(index: usize, rows: &[&Answer]) -> Values {
    let values = rows.iter().filter_map(|row| row.values.get(index));
    for value in values {
        match value {
            OutputValue::Null => {}
            OutputValue::Top(_) => return Values::Tops,
            OutputValue::Estimate { .. } => return Values::Estimates,
            OutputValue::Integer(_) | OutputValue::Float(_) | OutputValue::Decimal(_) => {
                return Values::Numbers;
            }
            _ => return Values::Texts,
        }
    }
    Values::Numbers
}

/// Returns the aggregates of the lists in a pipeline, by the name that each has after `as`.
pub(super) fn aliases(lists: &[String]) -> HashMap<String, String> {
    let parts = lists.iter().flat_map(|list| split(list, ','));
    let alias = |part: &str| {
        let at = part.to_ascii_lowercase().rfind(" as ")?;
        let (expression, name) = (part.get(..at)?.trim(), part.get(at + 4..)?.trim());
        let name = name.trim_matches('"').replace("\"\"", "\"");
        Some((name, expression.to_owned()))
    };
    parts.filter_map(alias).collect()
}

/// Splits text at a character outside of parentheses and quotes.
pub(super) fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    for (index, c, depth) in depths(text) {
        if c == at && depth == 0 {
            parts.push(&text[begin..index]);
            begin = index + c.len_utf8();
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// Returns true if the parenthesis at the beginning is closed by the last character.
fn closes_at_end(text: &str) -> bool {
    text.starts_with('(')
        && depths(text).find(|(_, c, depth)| (*c, *depth) == (')', 0)).map(|(at, ..)| at + 1)
            == Some(text.len())
}

/// Returns the characters outside of quotes, with the parentheses that are open behind each.
fn depths(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let (mut depth, mut quote) = (0usize, None);
    text.char_indices().filter_map(move |(index, c)| {
        match (quote, c) {
            (Some(open), c) => {
                quote = (open != c).then_some(open);
                return None;
            }
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        Some((index, c, depth))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(expression: &str) -> Column {
        let none = HashMap::new();
        Column::all(&[expression.to_owned()], &none, &[]).remove(0)
    }

    #[test]
    fn only_whole_calls_are_functions() {
        let functions =
            ["count", "sum(bytes)", "p99.9(x)", "sum(a) / count", "sum(a) + sum(b)", "sum((a))"]
                .map(|text| column(text).function().map(str::to_owned));
        let expected = [Some("count"), Some("sum"), Some("p99.9"), None, None, Some("sum")]
            .map(|name| name.map(str::to_owned));
        assert_eq!(functions, expected);
        assert!(column("count").is_additive() && !column("sum(a) / count").is_additive());
        assert!(column("distinct(user)").is_from_zero() && !column("mean(x)").is_from_zero());
    }

    #[test]
    fn aliases_are_found_outside_of_quotes_and_parentheses() {
        let lists =
            ["count, sum(bytes) as bytes", "frequency(f, 'a, b as c') AS \"x y\", top(3, u)"];
        let found = aliases(&lists.map(str::to_owned));
        assert_eq!(found.len(), 2);
        assert_eq!(found["bytes"], "sum(bytes)");
        assert_eq!(found["x y"], "frequency(f, 'a, b as c')");
        assert_eq!(column("top(10, \"a, b\", 500)").arguments(), ["10", "\"a, b\"", "500"]);
    }
}
