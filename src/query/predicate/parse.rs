//! The parser of predicates.

use super::{Literal, Operator, Predicate, TextLiteral};
use crate::error::Error;
use crate::nearest::nearest;
use crate::query::field::Fields;
use crate::query::token::{Kind, Token, Tokens};

/// Maximum depth of parentheses: far more than anyone writes, and far fewer than overflow the
/// stack.
const DEPTH_MAX: usize = 100;

/// Maximum bytes of a compiled regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
];

const WORD_OPERATORS: [&str; 3] = ["in", "contains", "matches"];

const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "contains", "matches", "exists"];

impl Predicate {
    /// Parses a predicate. Each field that it names gets a slot.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the text is not a
    /// predicate.
    pub(crate) fn parse(text: &str, fields: &mut Fields) -> Result<Predicate, Error> {
        let mut parser = Parser { tokens: Tokens::of(text)?, fields, depth: 0 };
        let predicate = parser.any()?;
        match parser.tokens.peek() {
            None => Ok(predicate),
            Some(token) if token.is(")") => Err(parser
                .tokens
                .error_at(token.start, "this parenthesis has no opening one".into())),
            Some(_) => Err(parser.tokens.unexpected("\"and\" or \"or\"")),
        }
    }
}

struct Parser<'a, 'f> {
    tokens: Tokens<'a>,
    fields: &'f mut Fields,
    depth: usize,
}

impl Parser<'_, '_> {
    fn any(&mut self) -> Result<Predicate, Error> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.tokens.take_if("or") {
            parts.push(self.all()?);
        }
        Ok(single(parts, Predicate::Any))
    }

    fn all(&mut self) -> Result<Predicate, Error> {
        let first = self.negated()?;
        let mut parts = vec![first];
        while self.tokens.take_if("and") {
            parts.push(self.negated()?);
        }
        Ok(single(parts, Predicate::All))
    }

    fn negated(&mut self) -> Result<Predicate, Error> {
        // A loop, so that a million of them do not need a million calls.
        let mut negated = false;
        while self.tokens.take_if("not") {
            negated = !negated;
        }
        let predicate = self.primary()?;
        Ok(if negated { Predicate::Not(Box::new(predicate)) } else { predicate })
    }

    fn primary(&mut self) -> Result<Predicate, Error> {
        if let Some(open) =
            self.tokens.peek().filter(|token| token.is("(")).map(|token| token.start)
        {
            self.tokens.expect("(")?;
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(self
                    .tokens
                    .error_at(open, format!("parentheses are nested more than {DEPTH_MAX} deep")));
            }
            let inner = self.any()?;
            self.tokens.expect(")")?;
            self.depth -= 1;
            return Ok(inner);
        }
        if self.tokens.take_if("exists") {
            return Ok(Predicate::Exists(self.field()?));
        }
        let slot = self.field()?;
        self.comparison(slot)
    }

    fn field(&mut self) -> Result<usize, Error> {
        let wanted = "the name of a field";
        let Some(token) = self.tokens.peek() else { return Err(self.tokens.unexpected(wanted)) };
        if KEYWORDS.iter().any(|keyword| token.is(keyword)) {
            let why = format!(
                "{wanted} is expected; a field of the name {} is written \"{}\"",
                token.raw, token.raw
            );
            return Err(self.tokens.error_at(token.start, why));
        }
        let Some(name) = token.field() else { return Err(self.tokens.unexpected(wanted)) };
        self.tokens.take();
        Ok(self.fields.slot(&name))
    }

    fn comparison(&mut self, slot: usize) -> Result<Predicate, Error> {
        let wanted = "an operator (== != < <= > >= in contains matches)";
        let Some(token) = self.tokens.take() else { return Err(self.tokens.unexpected(wanted)) };
        if let Some((_, operator)) = OPERATORS.iter().find(|(symbol, _)| token.is(symbol)) {
            return Ok(Predicate::Compare(slot, *operator, self.literal()?));
        }
        if token.is("in") {
            return Ok(Predicate::In(slot, self.list()?));
        }
        if token.is("contains") {
            return Ok(Predicate::Contains(slot, TextLiteral::new(&self.text("contains")?.1)));
        }
        if token.is("matches") {
            return self.regex(slot);
        }
        let hint = match token.raw {
            "=" => " (did you mean \"==\"?)".into(),
            raw => nearest(raw, WORD_OPERATORS),
        };
        Err(self
            .tokens
            .error_at(token.start, format!("{wanted} is expected, not {}{hint}", token.raw)))
    }

    fn literal(&mut self) -> Result<Literal, Error> {
        let wanted = "a value";
        let Some(token) = self.tokens.peek().cloned() else {
            return Err(self.tokens.unexpected(wanted));
        };
        if token.kind == Kind::Symbol {
            return Err(self.tokens.unexpected(wanted));
        }
        let literal = Literal::of(&token, &self.tokens)?;
        self.tokens.take();
        Ok(literal)
    }

    fn list(&mut self) -> Result<Vec<Literal>, Error> {
        let close = if self.tokens.take_if("(") {
            ")"
        } else if self.tokens.take_if("[") {
            "]"
        } else {
            return Err(self.tokens.unexpected("a list such as ('a', 'b')"));
        };
        let mut literals = vec![self.literal()?];
        while self.tokens.take_if(",") {
            literals.push(self.literal()?);
        }
        self.tokens.expect(close)?;
        Ok(literals)
    }

    fn text(&mut self, operator: &str) -> Result<(usize, String), Error> {
        match self.tokens.take() {
            Some(Token { kind: Kind::Quoted(text), start, .. }) => Ok((start, text)),
            Some(token) => Err(self.tokens.error_at(
                token.start,
                format!("{operator} takes text in quotes, not {}", token.raw),
            )),
            None => Err(self.tokens.unexpected("text in quotes")),
        }
    }

    fn regex(&mut self, slot: usize) -> Result<Predicate, Error> {
        let (start, pattern) = self.text("matches")?;
        let built = regex::RegexBuilder::new(&pattern)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build();
        match built {
            Ok(regex) => Ok(Predicate::Matches(slot, regex)),
            Err(error) => Err(self
                .tokens
                .error_at(start, "this is not a regular expression that can be used".into())
                .with_source(error)),
        }
    }
}

fn single(mut parts: Vec<Predicate>, join: fn(Vec<Predicate>) -> Predicate) -> Predicate {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}
