//! Text that says that there is no value.

use super::number::Number;
use super::row::Value;
use super::token::{Kind, Tokens};
use crate::error::Error;

/// The usual markers of sources that do not tell text from numbers. Empty text is one of every
/// source.
const USUAL: [&str; 7] = ["", "NA", "N/A", "NULL", "null", "\\N", "-"];

/// Which text counts as a missing value, beside what is missing anyway: a null, an absent field, an
/// empty field of an untyped source.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Nulls {
    /// The usual markers, in the fields that the pipeline uses as numbers, and no others.
    #[default]
    Usual,
    /// A list of the pipeline's own, in all fields.
    Listed(Vec<Marker>),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Marker {
    text: String,
    /// A marker that spells a number stands for that number, too.
    number: Option<Number>,
}

impl Nulls {
    /// Reads lists of markers, words or quoted text with commas between them; the usual ones if
    /// there is no list.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column of what is not a marker.
    pub(super) fn parse(lists: Option<&[String]>) -> Result<Nulls, Error> {
        let Some(lists) = lists else { return Ok(Nulls::Usual) };
        let mut markers = Vec::new();
        for list in lists {
            let mut tokens = Tokens::of(list)?;
            while let Some(token) = tokens.take() {
                let text = match token.kind {
                    Kind::Word => token.raw.to_owned(),
                    Kind::Quoted(text) => text,
                    Kind::Symbol => {
                        return Err(tokens.error_at(
                            token.start,
                            format!("a marker is expected, not {}", token.raw),
                        ));
                    }
                };
                let number = Number::parse(&text).ok();
                markers.push(Marker { text, number });
                if tokens.peek().is_some() {
                    tokens.expect(",")?;
                }
            }
        }
        Ok(Nulls::Listed(markers))
    }

    /// Whether a value of a field in which the markers count is one of them. Spaces around it do
    /// not matter.
    pub(super) fn contain(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Nulls::Usual, Value::Untyped(text)) => USUAL.contains(&text.trim_ascii()),
            (Nulls::Usual, Value::Text(text)) => text.trim_ascii().is_empty(),
            (Nulls::Listed(markers), Value::Untyped(text) | Value::Text(text)) => {
                markers.iter().any(|marker| marker.text == text || marker.text == text.trim_ascii())
            }
            (Nulls::Listed(markers), Value::Number(text)) => {
                let number = Number::parse(text).ok();
                number.is_some() && markers.iter().any(|marker| marker.number == number)
            }
            _ => false,
        }
    }

    /// Whether a number can be a marker.
    #[inline]
    pub(super) fn has_numbers(&self) -> bool {
        match self {
            Nulls::Usual => false,
            Nulls::Listed(markers) => markers.iter().any(|marker| marker.number.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(lists: &[&str]) -> Nulls {
        Nulls::parse(Some(&lists.iter().map(|list| (*list).to_owned()).collect::<Vec<_>>()))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_usual_markers_are_those_of_untyped_sources_and_empty_text() {
        let usual = Nulls::parse(None).unwrap();
        for marker in USUAL {
            assert!(
                usual.contain(Value::Untyped(marker))
                    && usual.contain(Value::Untyped(&format!(" {marker}\t"))),
                "{marker}"
            );
            assert_eq!(usual.contain(Value::Text(marker)), marker.is_empty(), "{marker}");
        }
        for value in ["NaN", "nan", "none", "0", "na"] {
            assert!(!usual.contain(Value::Untyped(value)), "{value}");
        }
        assert!(
            !usual.contain(Value::Missing)
                && !usual.contain(Value::Bool(false))
                && !usual.has_numbers()
        );
    }

    #[test]
    fn a_list_replaces_them_in_text_and_numbers_of_every_source() {
        let nulls = listed(&["none, '(null)'", r"-999, \N, N/A"]);
        for marker in ["none", "(null)", "-999", r"\N", "N/A", " none "] {
            assert!(
                nulls.contain(Value::Untyped(marker)) && nulls.contain(Value::Text(marker)),
                "{marker}"
            );
        }
        for number in ["-999", "-999.0", "-9.99e2"] {
            assert!(nulls.contain(Value::Number(number)), "{number}");
        }
        assert!(
            !nulls.contain(Value::Untyped("NA"))
                && !nulls.contain(Value::Untyped("-999.0"))
                && !nulls.contain(Value::Number("999"))
        );
        assert_eq!((nulls.has_numbers(), listed(&[""])), (true, Nulls::Listed(Vec::new())));
        assert!(listed(&["''"]).contain(Value::Text("")));
    }

    #[test]
    fn what_is_not_a_list_of_markers_is_refused_with_its_column() {
        let error = |list: &str| Nulls::parse(Some(&[list.to_owned()])).unwrap_err().to_string();
        assert!(error("NA NULL").contains("column 4"), "{}", error("NA NULL"));
        assert!(
            error("NA, (null)").contains("a marker is expected, not ("),
            "{}",
            error("NA, (null)")
        );
    }
}
