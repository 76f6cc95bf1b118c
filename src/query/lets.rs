//! Names for expressions: `class = status // 100`.

use super::expression::{Ast, Id, Kind, Parser};
use crate::error::Error;

/// Parses a name, `=`, and the expression that it stands for.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the text is something else.
pub(crate) fn parse_let(text: &str) -> Result<(String, Ast, Id), Error> {
    let mut parser = Parser::new(text)?;
    let name = match parser.now().kind {
        Kind::Word | Kind::Name => parser.bump()?.content(),
        _ => return Err(parser.unexpected("a name, as in class = status // 100,")),
    };
    parser.expect("=")?;
    let id = parser.expression()?;
    Ok((name, parser.finish()?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_before_its_expression() {
        let parsed = |text: &str| {
            let (name, ast, id) = parse_let(text).unwrap_or_else(|error| panic!("{error}"));
            (name, ast.canonical(id))
        };
        let canonical = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(parsed("class=status//100"), canonical("class", "status // 100"));
        assert_eq!(parsed("\"a b\" = x = 1"), canonical("a b", "x = 1"));
        let error = |text: &str| parse_let(text).unwrap_err().to_string();
        assert!(error("1 = x").starts_with("column 1 of"), "{}", error("1 = x"));
        assert!(error("class status").contains("column 7"), "{}", error("class status"));
        assert!(error("class = ").contains("column 9"), "{}", error("class = "));
    }
}
