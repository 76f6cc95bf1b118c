//! The tokens of expressions and predicates.
//!
//! A *word* is a run of characters other than white space and `( ) , [ ] ' " = ! < >`. *Quoted*
//! text is between `'` or `"`. A quote inside is doubled. A backslash is an ordinary character, so
//! that regular expressions need no escapes.

use crate::error::{Error, ErrorKind};

/// Maximum length of an expression or predicate, which people write by hand.
const TEXT_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Word,
    /// Text in quotes, with the text between the quotes.
    Quoted(String),
    Symbol,
}

/// A token and its position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The token as written, including quotes.
    pub(crate) raw: &'a str,
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Returns true if the token is this symbol, or this word in upper or lower case.
    pub(crate) fn is(&self, text: &str) -> bool {
        match self.kind {
            Kind::Symbol => self.raw == text,
            Kind::Word => self.raw.eq_ignore_ascii_case(text),
            Kind::Quoted(_) => false,
        }
    }
}

/// The tokens of a text, which are read one after another.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Tokens<'a> {
    /// Splits a text into tokens.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if a quote is not closed or the text is longer than 64 KiB.
    pub(crate) fn of(text: &'a str) -> Result<Self, Error> {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!(
                "an expression of {} bytes is too long: at most {TEXT_BYTES_MAX}",
                text.len()
            );
            return Err(Error::new(ErrorKind::Parse, message));
        }
        let mut tokens = Tokens { text, tokens: Vec::new(), next: 0 };
        let mut place = 0;
        while let Some(first) = text[place..].chars().next() {
            if first.is_whitespace() {
                place += first.len_utf8();
                continue;
            }
            let token = tokens.scan(place, first)?;
            place += token.raw.len();
            tokens.tokens.push(token);
        }
        Ok(tokens)
    }

    /// Returns the text with standard white space, so that two spellings of one expression give the
    /// same text.
    pub(crate) fn canonical(text: &str) -> String {
        let Ok(tokens) = Tokens::of(text) else { return text.to_owned() };
        let mut out = String::new();
        for token in &tokens.tokens {
            let is_apart = !out.is_empty()
                && !out.ends_with(['(', '['])
                && ![",", "(", ")", "]"].iter().any(|symbol| token.is(symbol));
            out.push_str(if is_apart { " " } else { "" });
            out.push_str(token.raw);
        }
        out
    }

    fn scan(&self, start: usize, first: char) -> Result<Token<'a>, Error> {
        let rest = &self.text[start..];
        if first == '\'' || first == '"' {
            return self.scan_quoted(start, first);
        }
        let length = match rest.find(is_boundary) {
            Some(0) if ["==", "!=", "<=", ">="].iter().any(|symbol| rest.starts_with(symbol)) => 2,
            Some(0) => 1,
            Some(length) => length,
            None => rest.len(),
        };
        let kind = if is_boundary(first) { Kind::Symbol } else { Kind::Word };
        Ok(Token { kind, raw: &rest[..length], start })
    }

    fn scan_quoted(&self, start: usize, quote: char) -> Result<Token<'a>, Error> {
        let rest = &self.text[start..];
        let mut text = String::new();
        let mut chars = rest.char_indices().skip(1).peekable();
        while let Some((place, c)) = chars.next() {
            if c != quote {
                text.push(c);
            } else if chars.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                return Ok(Token { kind: Kind::Quoted(text), raw: &rest[..place + 1], start });
            }
        }
        Err(self.error_at(start, format!("the quote {quote} is not closed")))
    }

    /// Returns the next token without consuming it.
    pub(crate) fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next)
    }

    /// Consumes and returns the next token.
    pub(crate) fn take(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.next).cloned();
        self.next += usize::from(token.is_some());
        token
    }

    /// Consumes the next token if it is this symbol or word. Returns true if it was.
    pub(crate) fn take_if(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(text));
        self.next += usize::from(found);
        found
    }

    /// Consumes the next token, which must be this symbol.
    pub(crate) fn expect(&mut self, symbol: &str) -> Result<(), Error> {
        if self.take_if(symbol) { Ok(()) } else { Err(self.unexpected(&format!("{symbol:?}"))) }
    }

    /// Creates an error that the next token is not the wanted one.
    #[cold]
    pub(crate) fn unexpected(&self, wanted: &str) -> Error {
        match self.peek() {
            Some(token) => {
                self.error_at(token.start, format!("{wanted} is expected, not {}", token.raw))
            }
            None => {
                self.error_at(self.text.len(), format!("{wanted} is expected, but the text ends"))
            }
        }
    }

    /// Creates an error with its position in the text.
    #[cold]
    pub(crate) fn error_at(&self, start: usize, why: String) -> Error {
        let column = self.text[..start].chars().count() + 1;
        let shown: String = self.text.chars().take(200).collect();
        Error::new(ErrorKind::Parse, format!("column {column} of {shown:?}: {why}"))
    }
}

fn is_boundary(c: char) -> bool {
    c.is_whitespace() || "()[],'\"=!<>".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raws(text: &str) -> Vec<String> {
        let mut tokens = Tokens::of(text).unwrap();
        std::iter::from_fn(|| tokens.take()).map(|token| token.raw.to_string()).collect()
    }

    #[test]
    fn texts_are_split() {
        assert_eq!(
            raws("status>=500 and x!='a''b'"),
            ["status", ">=", "500", "and", "x", "!=", "'a''b'"]
        );
        assert_eq!(
            raws("p99.99(/a/b-c, \"with space\")"),
            ["p99.99", "(", "/a/b-c", ",", "\"with space\"", ")"]
        );
        assert_eq!(raws("a = [1,2]"), ["a", "=", "[", "1", ",", "2", "]"]);
        assert_eq!(Tokens::of("'a''b'").unwrap().take().unwrap().kind, Kind::Quoted("a'b".into()));
    }

    #[test]
    fn an_open_quote_is_named_with_its_column() {
        let error = Tokens::of("é == 'x").unwrap_err();
        assert_eq!(error.to_string(), "column 6 of \"é == 'x\": the quote ' is not closed");
    }

    proptest! {
        #[test]
        fn no_character_is_lost(text: String) {
            if let Ok(tokens) = Tokens::of(&text) {
                let joined: String = tokens.tokens.iter().map(|token| token.raw).collect();
                let without_spaces =
                    |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                prop_assert_eq!(without_spaces(&joined), without_spaces(&text));
            }
        }
    }
}
