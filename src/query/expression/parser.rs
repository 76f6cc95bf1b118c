//! A Pratt parser: one token of lookahead, no way back, and every bound fixed.
//!
//! How tightly an operator binds is a number, its *power*. The loop of
//! [`Parser::expression_above`] takes operators as long as they bind tighter than the operator in
//! front of the expression.

use super::ast::{Ast, Id, Node, Op};
use super::lexer::{Kind, Lexer, Token};
use super::position::error_at;
use crate::error::Error;
use crate::nearest::nearest;
use crate::query::field::{member_of, pointer_to};
use crate::time::parse_duration;

/// Maximum depth of brackets: far more than anyone writes.
const NESTING_MAX: u32 = 100;

/// Maximum depth of the parser's own recursion, which an operator deepens, too.
const RECURSION_MAX: u32 = 220;

/// The powers of what is not an operator of two operands.
const OR: u8 = 10;
const AND: u8 = 20;
const NOT: u8 = 30;
/// `is null`, `is distinct from` and their kind, which bind looser than a comparison, as in
/// PostgreSQL and DuckDB: `a is distinct from b = c` is `a is distinct from (b = c)`.
pub(super) const IS: u8 = 35;
const COMPARISON: u8 = 40;
/// `in`, `between`, `like` and their kind, which bind tighter than a comparison, as in PostgreSQL
/// and DuckDB: `a = b in (c)` is `a = (b in (c))`.
pub(super) const PATTERN: u8 = 45;
const SIGN: u8 = 80;
const CAST: u8 = 90;

/// Words that are no field unless they are in double quotes.
pub(super) const KEYWORDS: [&str; 21] = [
    "and", "or", "not", "in", "is", "like", "ilike", "between", "contains", "matches", "exists",
    "case", "when", "then", "else", "end", "as", "by", "true", "false", "null",
];

/// The operators of two operands, or more.
const OPERATORS: [(&str, Op); 23] = [
    ("or", Op::Or),
    ("and", Op::And),
    ("=", Op::Eq),
    ("==", Op::Eq),
    ("<>", Op::Ne),
    ("!=", Op::Ne),
    ("<", Op::Lt),
    ("<=", Op::Le),
    (">", Op::Gt),
    (">=", Op::Ge),
    ("like", Op::Like),
    ("ilike", Op::ILike),
    ("~", Op::Regex),
    ("!~", Op::Regex),
    ("matches", Op::Regex),
    ("contains", Op::Contains),
    ("||", Op::Concat),
    ("+", Op::Add),
    ("-", Op::Sub),
    ("*", Op::Mul),
    ("/", Op::Div),
    ("//", Op::IntDiv),
    ("%", Op::Rem),
];

/// The operators that are words, for suggestions.
const OPERATOR_WORDS: [&str; 9] =
    ["and", "or", "in", "is", "like", "ilike", "between", "contains", "matches"];

const AN_OPERAND: &str = "a field, a value, a function or \"(\"";

const AN_OPERATOR: &str = "an operator (and or = <> < <= > >= in between is like ilike ~ contains \
                           || + - * / // %) or the end";

/// Returns how tightly an operator binds; a larger number binds tighter.
pub(super) fn power(op: Op) -> u8 {
    match op {
        Op::Or => OR,
        Op::And => AND,
        Op::Distinct => IS,
        Op::Like | Op::ILike | Op::Regex | Op::Contains => PATTERN,
        Op::Concat => 50,
        Op::Add | Op::Sub => 60,
        Op::Mul | Op::Div | Op::IntDiv | Op::Rem => 70,
        _ => COMPARISON,
    }
}

/// Returns the operator that a token is.
fn operator(token: &Token<'_>) -> Option<Op> {
    let is_short = token.raw.len() <= "contains".len();
    let mut known = OPERATORS.iter().filter(|_| is_short);
    known.find(|(written, _)| token.is(written)).map(|(_, op)| *op)
}

/// Parses a text that is one expression.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, what was found and what would
/// fit.
pub(crate) fn parse(text: &str) -> Result<(Ast, Id), Error> {
    let mut parser = Parser::new(text)?;
    let id = parser.expression()?;
    Ok((parser.finish()?, id))
}

/// The state of parsing a text.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    now: Token<'a>,
    ahead: Option<Token<'a>>,
    /// The end of the last token that was consumed.
    end: usize,
    recursion: u32,
    nesting: u32,
    pub(super) ast: Ast,
}

impl<'a> Parser<'a> {
    /// Creates a parser at the beginning of a text.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if the text is too long or begins with a quote
    /// that is not closed.
    pub(crate) fn new(text: &'a str) -> Result<Self, Error> {
        let mut lexer = Lexer::new(text)?;
        let now = lexer.token()?;
        let ast = Ast::new(text);
        Ok(Parser { text, lexer, now, ahead: None, end: 0, recursion: 0, nesting: 0, ast })
    }

    /// Returns the tree, if the text ends here.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if it does not.
    pub(crate) fn finish(self) -> Result<Ast, Error> {
        match self.now.kind {
            Kind::End => Ok(self.ast),
            _ => Err(self.unexpected_operator(AN_OPERATOR)),
        }
    }

    /// Returns the tree of what was parsed so far.
    pub(crate) fn tree(&self) -> &Ast {
        &self.ast
    }

    /// Returns the next token without consuming it.
    pub(crate) fn now(&self) -> Token<'a> {
        self.now
    }

    /// Returns the token after the next one.
    pub(crate) fn ahead(&mut self) -> Result<Token<'a>, Error> {
        match self.ahead {
            Some(token) => Ok(token),
            None => Ok(*self.ahead.insert(self.lexer.token()?)),
        }
    }

    /// Consumes and returns the next token.
    pub(crate) fn bump(&mut self) -> Result<Token<'a>, Error> {
        let next = match self.ahead.take() {
            Some(token) => token,
            None => self.lexer.token()?,
        };
        self.end = self.now.end();
        Ok(std::mem::replace(&mut self.now, next))
    }

    /// Consumes the next token if it is this symbol or word. Returns true if it was.
    pub(crate) fn take(&mut self, text: &str) -> Result<bool, Error> {
        let is_there = self.now.is(text);
        if is_there {
            self.bump()?;
        }
        Ok(is_there)
    }

    /// Consumes the next token, which must be this symbol or word.
    pub(crate) fn expect(&mut self, text: &str) -> Result<(), Error> {
        if self.take(text)? { Ok(()) } else { Err(self.unexpected(&format!("{text:?}"))) }
    }

    /// Creates an error that the next token is not the wanted one.
    #[cold]
    pub(crate) fn unexpected(&self, wanted: &str) -> Error {
        match self.now.kind {
            Kind::End => self.error(format!("{wanted} is expected, but the text ends")),
            _ => {
                let hint = self.now.hint();
                self.error(format!("{wanted} is expected, not {}{hint}", self.now.raw))
            }
        }
    }

    /// Creates an error that the next token is not an operator or something else that may follow
    /// an expression.
    #[cold]
    pub(crate) fn unexpected_operator(&self, wanted: &str) -> Error {
        match self.now.kind {
            Kind::Symbol if self.now.raw == ")" => {
                self.error("this parenthesis has no opening one".into())
            }
            Kind::Word => {
                let near = nearest(self.now.raw, OPERATOR_WORDS);
                self.error(format!("{wanted} is expected, not {}{near}", self.now.raw))
            }
            _ => self.unexpected(wanted),
        }
    }

    /// Creates an error at the next token.
    #[cold]
    pub(crate) fn error(&self, why: String) -> Error {
        self.error_at(self.now.start, why)
    }

    /// Creates an error at a place of the text.
    #[cold]
    pub(crate) fn error_at(&self, start: usize, why: String) -> Error {
        error_at(self.text, start, why)
    }

    /// Adds a node that begins at `start` and ends with the last token that was consumed.
    pub(super) fn add(&mut self, start: usize, node: Node) -> Result<Id, Error> {
        self.ast.add((start, self.end), node)
    }

    /// Parses an expression.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column.
    pub(crate) fn expression(&mut self) -> Result<Id, Error> {
        self.expression_above(0)
    }

    /// Parses an expression of operators that bind tighter than `least`.
    pub(super) fn expression_above(&mut self, least: u8) -> Result<Id, Error> {
        self.recursion += 1;
        if self.recursion > RECURSION_MAX {
            return Err(self.too_deep());
        }
        let start = self.now.start;
        let mut left = self.operand()?;
        while let Some(longer) = self.continued(start, left, least)? {
            left = longer;
        }
        self.recursion -= 1;
        Ok(left)
    }

    /// Parses what is in brackets, whose opening one was consumed, with `inner`.
    pub(super) fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(self.too_deep());
        }
        let parsed = inner(self)?;
        self.nesting -= 1;
        Ok(parsed)
    }

    #[cold]
    fn too_deep(&self) -> Error {
        self.error(format!("the expression is nested more than {NESTING_MAX} deep"))
    }

    /// Parses an operator and its right side after the expression `left`. Returns `None` if there
    /// is no operator that binds tighter than `least`.
    fn continued(&mut self, start: usize, left: Id, least: u8) -> Result<Option<Id>, Error> {
        if self.now.is("::") && least < CAST {
            self.bump()?;
            let to = self.type_name()?;
            return self.add(start, Node::Cast { of: left, to, trying: false }).map(Some);
        }
        if least < SIGN && self.now.is("at") && self.ahead()?.is("time") {
            return self.at_time_zone(start, left).map(Some);
        }
        if least < IS && self.take("is")? {
            return self.is(start, left).map(Some);
        }
        if self.now.kind == Kind::Word && least < PATTERN {
            let negated = self.take("not")?;
            if self.take("in")? {
                return self.in_list(start, left, negated).map(Some);
            }
            if self.take("between")? {
                let low = self.expression_above(PATTERN)?;
                self.expect("and")?;
                let high = self.expression_above(PATTERN)?;
                return self.add(start, Node::Between { of: left, low, high, negated }).map(Some);
            }
            if negated {
                return self.not_like(start, left).map(Some);
            }
        }
        let Some(op) = operator(&self.now).filter(|op| power(*op) > least) else {
            return Ok(None);
        };
        if matches!(op, Op::And | Op::Or) {
            return self.many(start, left, op).map(Some);
        }
        let negated = self.bump()?.raw == "!~";
        self.binary(start, (left, op), negated).map(Some)
    }

    fn binary(&mut self, start: usize, left: (Id, Op), negated: bool) -> Result<Id, Error> {
        let (left, op) = left;
        let right = self.expression_above(power(op))?;
        let node = self.add(start, Node::Binary(op, left, right))?;
        if negated { self.add(start, Node::Not(node)) } else { Ok(node) }
    }

    fn not_like(&mut self, start: usize, left: Id) -> Result<Id, Error> {
        let word = Some(self.now).filter(|token| token.kind == Kind::Word);
        match word.as_ref().and_then(operator) {
            Some(op @ (Op::Like | Op::ILike | Op::Regex | Op::Contains)) => {
                self.bump()?;
                self.binary(start, (left, op), true)
            }
            _ => Err(self.unexpected("in, between, like, ilike, matches or contains after not")),
        }
    }

    fn many(&mut self, start: usize, left: Id, op: Op) -> Result<Id, Error> {
        let mut parts = vec![left];
        while self.take(op.symbol())? {
            parts.push(self.expression_above(power(op))?);
        }
        self.add(start, Node::Many(op, parts.into()))
    }

    /// Parses what follows `is`: `[not] null`, `[not] true`, `[not] distinct from x`.
    fn is(&mut self, start: usize, left: Id) -> Result<Id, Error> {
        let negated = self.take("not")?;
        if self.take("null")? {
            return self.add(start, Node::IsNull { of: left, negated });
        }
        if self.take("distinct")? {
            self.expect("from")?;
            return self.binary(start, (left, Op::Distinct), negated);
        }
        let node = if self.take("true")? {
            left
        } else if self.take("false")? {
            self.add(start, Node::Not(left))?
        } else {
            return Err(self.unexpected("null, true, false, distinct from or not after is"));
        };
        // What is null is neither true nor false.
        let never = self.add(start, Node::Bool(false))?;
        let name = "coalesce".into();
        let args = [node, never].into();
        let call = Node::Call { name, args, star: false, distinct: false, by: None, filter: None };
        let known = self.add(start, call)?;
        if negated { self.add(start, Node::Not(known)) } else { Ok(known) }
    }

    fn in_list(&mut self, start: usize, left: Id, negated: bool) -> Result<Id, Error> {
        let close = if self.take("(")? {
            ")"
        } else if self.take("[")? {
            "]"
        } else {
            return Err(self.unexpected("a list such as ('a', 'b')"));
        };
        let list = self.nested(|parser| parser.list(close))?.into();
        self.add(start, Node::In { of: left, list, negated })
    }

    /// Parses expressions separated by commas, and the closing bracket.
    pub(super) fn list(&mut self, close: &str) -> Result<Vec<Id>, Error> {
        let mut list = vec![self.expression()?];
        while self.take(",")? {
            list.push(self.expression()?);
        }
        self.close(close)?;
        Ok(list)
    }

    /// Consumes a closing bracket.
    pub(super) fn close(&mut self, bracket: &str) -> Result<(), Error> {
        if self.take(bracket)? {
            return Ok(());
        }
        Err(self.unexpected_operator(&format!("an operator, a comma or {bracket:?}")))
    }

    /// Parses an operand: a value, a field, a call, something in parentheses, or one of these with
    /// `not`, `exists` or a sign in front.
    fn operand(&mut self) -> Result<Id, Error> {
        let Token { kind, raw, start, .. } = self.now;
        match kind {
            Kind::Number => {
                let node = number(raw).ok_or_else(|| self.number_out_of_range())?;
                self.bump()?;
                self.add(start, node)
            }
            Kind::Duration => {
                let node = duration(raw).ok_or_else(|| self.no_duration())?;
                self.bump()?;
                self.add(start, node)
            }
            Kind::Text => {
                let text = self.bump()?.content();
                self.add(start, Node::Text(text.into()))
            }
            Kind::Name => {
                let name = self.bump()?.content();
                let is_path = !self.now.is_spaced && (self.now.is(".") || self.now.is("["));
                let is_plain = is_path && !name.starts_with('/');
                self.path(start, if is_plain { pointer_to(&name) } else { name })
            }
            Kind::Word => self.word(),
            Kind::Symbol if raw == "(" => self.parenthesis(),
            Kind::Symbol if raw == "-" || raw == "+" => self.signed(),
            Kind::Symbol if raw == "/" => match self.lexer.pointer(&self.now) {
                Some(pointer) => {
                    // The token ahead, if it was read, is a part of the pointer.
                    self.ahead = None;
                    self.now = pointer;
                    let name = self.bump()?.raw;
                    self.add(start, Node::Field(name.into()))
                }
                None => Err(self.unexpected(AN_OPERAND)),
            },
            Kind::Symbol | Kind::End => Err(self.unexpected(AN_OPERAND)),
        }
    }

    fn parenthesis(&mut self) -> Result<Id, Error> {
        let start = self.bump()?.start;
        let mut parts = self.nested(|parser| parser.list(")"))?;
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            last => {
                parts.extend(last);
                self.add(start, Node::Tuple(parts.into()))
            }
        }
    }

    /// Parses a run of signs, which is a loop and no recursion, and their operand.
    fn signed(&mut self) -> Result<Id, Error> {
        let start = self.now.start;
        let mut is_negative = false;
        while self.now.is("-") || self.now.is("+") {
            is_negative ^= self.bump()?.raw == "-";
        }
        // The smallest integer has no positive counterpart.
        if is_negative && self.now.kind == Kind::Number {
            let written = format!("-{}", self.now.raw);
            let node = number(&written).ok_or_else(|| self.number_out_of_range())?;
            self.bump()?;
            return self.add(start, node);
        }
        let of = self.expression_above(SIGN)?;
        if !is_negative {
            return Ok(of);
        }
        let folded = match self.ast.node(of) {
            Node::Int(value) => value.checked_neg().map(Node::Int),
            Node::Float(value) => Some(Node::Float(-value)),
            Node::Duration(millis) => millis.checked_neg().map(Node::Duration),
            _ => None,
        };
        match folded {
            Some(node) => {
                self.ast.replace(of, node);
                Ok(of)
            }
            None => self.add(start, Node::Neg(of)),
        }
    }

    fn word(&mut self) -> Result<Id, Error> {
        let Token { raw, start, .. } = self.now;
        let next = self.ahead()?;
        if self.now.is("not") {
            return self.not();
        }
        if self.now.is("exists") && matches!(next.kind, Kind::Word | Kind::Name | Kind::Symbol) {
            return self.exists();
        }
        if self.now.is("case") {
            return self.case();
        }
        if next.is("(") && !self.is_keyword() {
            return self.call();
        }
        if let Some(node) = self.literal(&next)? {
            return self.add(start, node);
        }
        if self.is_keyword() {
            let why = format!(
                "{AN_OPERAND} is expected, not {raw}; a field of the name {raw} is \
                 written \"{raw}\""
            );
            return Err(self.error(why));
        }
        self.bump()?;
        self.path(start, raw.to_owned())
    }

    fn is_keyword(&self) -> bool {
        KEYWORDS.iter().any(|keyword| self.now.is(keyword))
    }

    /// Parses a run of `not`, which is a loop and no recursion, and its operand.
    fn not(&mut self) -> Result<Id, Error> {
        let start = self.now.start;
        let mut is_negative = false;
        while self.take("not")? {
            is_negative = !is_negative;
        }
        let of = self.expression_above(NOT)?;
        if is_negative { self.add(start, Node::Not(of)) } else { Ok(of) }
    }

    fn exists(&mut self) -> Result<Id, Error> {
        let start = self.bump()?.start;
        let field = self.now;
        let of = self.expression_above(CAST)?;
        if !matches!(self.ast.node(of), Node::Field(_)) {
            return Err(self.error_at(field.start, "exists takes a field".into()));
        }
        self.add(start, Node::Exists(of))
    }

    /// Parses the rest of a field after its first name: `host.name`, `tags[0]`.
    fn path(&mut self, start: usize, mut name: String) -> Result<Id, Error> {
        while (self.now.is(".") || self.now.is("[")) && !self.now.is_spaced {
            let is_index = self.bump()?.raw == "[";
            let part = self.now;
            let fits = match part.kind {
                Kind::Number => is_index && part.raw.bytes().all(|byte| byte.is_ascii_digit()),
                Kind::Text => is_index,
                Kind::Word | Kind::Name => !is_index,
                _ => false,
            };
            if !fits {
                let wanted = if is_index { "an index such as [0]" } else { "the name of a member" };
                return Err(self.unexpected(wanted));
            }
            self.bump()?;
            name = member_of(&name, &part.content(), part.kind == Kind::Word);
            if is_index {
                self.expect("]")?;
            }
        }
        self.add(start, Node::Field(name.into()))
    }

    #[cold]
    fn number_out_of_range(&self) -> Error {
        let raw = self.now.raw;
        self.error(format!("{raw} is out of range: the largest number is {:e}", f64::MAX))
    }

    #[cold]
    fn no_duration(&self) -> Error {
        let raw = self.now.raw;
        self.error(format!(
            "{raw} is neither a number nor a duration such as 5m or 1h30m; a field of that name is \
             written \"{raw}\""
        ))
    }
}

/// Returns the node of a number: an integer if it is written as one and fits.
fn number(raw: &str) -> Option<Node> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(value) = raw.parse()
    {
        return Some(Node::Int(value));
    }
    raw.parse().ok().filter(|value: &f64| value.is_finite()).map(Node::Float)
}

/// Returns the node of a duration such as `1h30m`.
fn duration(raw: &str) -> Option<Node> {
    let length = parse_duration(raw).ok()?;
    i64::try_from(length.as_millis()).ok().map(Node::Duration)
}
