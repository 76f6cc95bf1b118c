//! Lists of markers of missing values, in the pipeline file and in `--null`.

use super::token::{Kind, Tokens};
use crate::error::Error;
use crate::row::null::Nulls;

/// Parses lists of markers: words or quoted text separated by commas. Without a list the usual
/// markers apply.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column of the text that is not a marker.
pub(crate) fn parse_nulls(lists: Option<&[String]>) -> Result<Nulls, Error> {
    let Some(lists) = lists else { return Ok(Nulls::Usual) };
    let mut markers = Vec::new();
    for list in lists {
        let mut tokens = Tokens::of(list)?;
        while let Some(token) = tokens.take() {
            markers.push(match token.kind {
                Kind::Word => token.raw.to_owned(),
                Kind::Quoted(text) => text,
                Kind::Symbol => {
                    let message = format!("a marker is expected, not {}", token.raw);
                    return Err(tokens.error_at(token.start, message));
                }
            });
            if tokens.peek().is_some() {
                tokens.expect(",")?;
            }
        }
    }
    Ok(Nulls::listed(markers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Value;
    use crate::row::null::USUAL;

    fn listed(lists: &[&str]) -> Nulls {
        parse_nulls(Some(&lists.iter().map(|list| (*list).to_owned()).collect::<Vec<_>>()))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_usual_markers_are_those_of_untyped_sources_and_empty_text() {
        let usual = parse_nulls(None).unwrap();
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
        let error = |list: &str| parse_nulls(Some(&[list.to_owned()])).unwrap_err().to_string();
        assert!(error("NA NULL").contains("column 4"), "{}", error("NA NULL"));
        assert!(
            error("NA, (null)").contains("a marker is expected, not ("),
            "{}",
            error("NA, (null)")
        );
    }
}
