//! The tokens of expressions.
//!
//! A *word* is a run of letters, digits and `_ @ $`, with points inside: `status`, `host.name`,
//! `p99.9`. A *name* is in double quotes and *text* in single quotes, and a quote inside is
//! doubled. A backslash is an ordinary character, so that regular expressions need no escapes. A
//! number directly followed by letters is a *duration*: `5m`, `1h30m`. `--` starts a comment, which
//! ends with its line.

use super::position::error_at;
use crate::error::{Error, ErrorKind};

/// Maximum length of a text, which people write by hand.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;

/// Symbols of two characters.
const PAIRS: [&str; 10] = ["<=", ">=", "<>", "!=", "==", "||", "//", "!~", "::", "=>"];

/// Characters that other languages and word processors put where this language has another
/// spelling.
const MISTAKES: [(char, &str); 11] = [
    ('&', "and"),
    ('|', "or"),
    ('!', "not"),
    ('^', "power(x, y)"),
    ('`', "\"name\""),
    ('\u{201c}', "'text' or \"name\""),
    ('\u{201d}', "'text' or \"name\""),
    ('\u{2018}', "'text'"),
    ('\u{2019}', "'text'"),
    ('\u{2265}', ">="),
    ('\u{2264}', "<="),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Word,
    /// In double quotes.
    Name,
    /// In single quotes.
    Text,
    Number,
    Duration,
    Symbol,
    End,
}

/// A token and its place in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The token as written, including quotes.
    pub(crate) raw: &'a str,
    pub(crate) start: usize,
    /// Whether white space or a comment is in front of it.
    pub(crate) is_spaced: bool,
}

impl<'a> Token<'a> {
    /// Returns true if the token is this symbol, or this word in upper or lower case.
    pub(crate) fn is(&self, text: &str) -> bool {
        match self.kind {
            Kind::Word => self.raw.eq_ignore_ascii_case(text),
            Kind::Symbol => self.raw == text,
            _ => false,
        }
    }

    /// Returns the first byte after the token.
    pub(crate) fn end(&self) -> usize {
        self.start + self.raw.len()
    }

    /// Returns the content of a name or text, without its quotes.
    pub(crate) fn content(&self) -> String {
        let inner = self.raw.get(1..self.raw.len().saturating_sub(1)).unwrap_or_default();
        match self.kind {
            Kind::Name => inner.replace("\"\"", "\""),
            Kind::Text => inner.replace("''", "'"),
            _ => self.raw.to_owned(),
        }
    }

    /// Returns a hint how a character of another language is written here, or an empty text.
    #[cold]
    pub(crate) fn hint(&self) -> String {
        let first = self.raw.chars().next();
        let known = MISTAKES.iter().find(|(mistake, _)| Some(*mistake) == first);
        known.map_or_else(String::new, |(_, written)| format!(" (write {written})"))
    }
}

/// Splits a text into tokens, one at a time.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    next: usize,
}

impl<'a> Lexer<'a> {
    /// Creates a lexer at the beginning of a text.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the text is longer than [`TEXT_BYTES_MAX`].
    pub(crate) fn new(text: &'a str) -> Result<Self, Error> {
        if text.len() > TEXT_BYTES_MAX {
            let length = text.len();
            let why =
                format!("an expression of {length} bytes is too long: at most {TEXT_BYTES_MAX}");
            return Err(Error::new(ErrorKind::Parse, why));
        }
        Ok(Lexer { text, next: 0 })
    }

    /// Returns the next token; at the end of the text one of [`Kind::End`].
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if a quote is not closed.
    pub(crate) fn token(&mut self) -> Result<Token<'a>, Error> {
        let before = self.next;
        let start = self.skip_spaces();
        let rest = &self.text[start..];
        let (kind, length) = match rest.chars().next() {
            None => (Kind::End, 0),
            Some('\'') => (Kind::Text, self.quoted(start, '\'')?),
            Some('"') => (Kind::Name, self.quoted(start, '"')?),
            Some(first) if first.is_ascii_digit() => number(rest),
            Some('.') if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest),
            Some(first) if is_word(first) => (Kind::Word, word_length(rest)),
            Some(_) if PAIRS.iter().any(|pair| rest.starts_with(pair)) => (Kind::Symbol, 2),
            Some(first) => (Kind::Symbol, first.len_utf8()),
        };
        self.next = start + length;
        Ok(Token { kind, raw: &rest[..length], start, is_spaced: start > before })
    }

    /// Returns the JSON pointer that starts at a token `/`, if one does, as a word. The token must
    /// be the last one that was read.
    pub(crate) fn pointer(&mut self, slash: &Token<'a>) -> Option<Token<'a>> {
        let rest = &self.text[slash.start..];
        rest.strip_prefix('/')?.chars().next().filter(|first| is_word(*first))?;
        let raw = &rest[..pointer_length(rest)];
        self.next = slash.start + raw.len();
        Some(Token { kind: Kind::Word, raw, ..*slash })
    }

    /// Skips white space and comments. Returns the place of the next token.
    fn skip_spaces(&mut self) -> usize {
        loop {
            let rest = self.text[self.next..].trim_start();
            self.next = self.text.len() - rest.len();
            if !rest.starts_with("--") {
                return self.next;
            }
            self.next += rest.find('\n').unwrap_or(rest.len());
        }
    }

    /// Returns the length of the token in quotes that starts at `start`.
    fn quoted(&self, start: usize, quote: char) -> Result<usize, Error> {
        let mut end = start + 1;
        loop {
            let Some(length) = self.text[end..].find(quote) else {
                let why = format!("the quote {quote} is not closed");
                return Err(error_at(self.text, start, why));
            };
            end += length + 1;
            if !self.text[end..].starts_with(quote) {
                return Ok(end - start);
            }
            end += 1;
        }
    }
}

/// Returns true if a character can be in a word.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '$')
}

/// Returns the length of the word at the beginning of a text. A point is a part of it if a
/// character of a word follows.
fn word_length(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((place, c)) = chars.next() {
        let joins = c == '.' && chars.peek().is_some_and(|(_, next)| is_word(*next));
        if !joins && !is_word(c) {
            return place;
        }
    }
    text.len()
}

/// Returns the length of the JSON pointer at the beginning of a text.
pub(super) fn pointer_length(text: &str) -> usize {
    text.find(|c: char| !is_word(c) && !matches!(c, '/' | '-' | '~' | '.')).unwrap_or(text.len())
}

/// Returns true if a text is one word.
pub(super) fn is_one_word(text: &str) -> bool {
    text.starts_with(|c: char| is_word(c) && !c.is_ascii_digit()) && word_length(text) == text.len()
}

/// Returns the kind and the length of the number or duration at the beginning of a text.
fn number(text: &str) -> (Kind, usize) {
    let digits = |from: usize| {
        let rest = &text[from..];
        from + rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len()
    };
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    // A unit directly behind it: 5m, 1h30m, 250ms.
    let unit = text[end..].find(|c: char| !is_word(c)).unwrap_or(text.len() - end);
    (if unit > 0 { Kind::Duration } else { Kind::Number }, end + unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Result<Vec<Token<'_>>, Error> {
        let mut lexer = Lexer::new(text)?;
        let mut tokens = Vec::new();
        loop {
            let token = lexer.token()?;
            if token.kind == Kind::End {
                return Ok(tokens);
            }
            tokens.push(token);
        }
    }

    fn raws(text: &str) -> Vec<&str> {
        tokens(text).unwrap().iter().map(|token| token.raw).collect()
    }

    #[test]
    fn texts_are_split() {
        assert_eq!(
            raws("status>=500 and x!='a''b'"),
            ["status", ">=", "500", "and", "x", "!=", "'a''b'"]
        );
        assert_eq!(
            raws("p99.99(host.name, \"with space\")-1.5e-3*.5"),
            ["p99.99", "(", "host.name", ",", "\"with space\"", ")", "-", "1.5e-3", "*", ".5"]
        );
        assert_eq!(
            raws("tags[0].x <1h30m -- and so on\n//2"),
            ["tags", "[", "0", "]", ".", "x", "<", "1h30m", "//", "2"]
        );
        assert_eq!(raws("user-agent"), ["user", "-", "agent"]);
        assert_eq!(raws("größe::int"), ["größe", "::", "int"]);
    }

    #[test]
    fn kinds_are_told_apart() {
        let kinds: Vec<Kind> =
            tokens("a \"a\" 'a' 1 1m +").unwrap().iter().map(|token| token.kind).collect();
        assert_eq!(
            kinds,
            [Kind::Word, Kind::Name, Kind::Text, Kind::Number, Kind::Duration, Kind::Symbol]
        );
        assert_eq!(tokens("'a''b'").unwrap()[0].content(), "a'b");
        assert_eq!(tokens("\"a\"\"b\"").unwrap()[0].content(), "a\"b");
    }

    #[test]
    fn an_open_quote_is_named_with_its_column() {
        let error = tokens("é = 'x").unwrap_err();
        assert_eq!(error.to_string(), "column 5 of \"é = 'x\": the quote ' is not closed");
    }

    proptest! {
        #[test]
        fn no_character_is_lost(text: String) {
            prop_assume!(!text.contains("--"));
            if let Ok(tokens) = tokens(&text) {
                let joined: String = tokens.iter().map(|token| token.raw).collect();
                let without_spaces = |text: &str| {
                    text.chars().filter(|c| !c.is_whitespace()).collect::<String>()
                };
                prop_assert_eq!(without_spaces(&joined), without_spaces(&text));
            }
        }
    }
}
