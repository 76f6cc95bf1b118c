//! The forms of expressions that begin with a word: calls, `cast`, `case`, and the literals of
//! times and durations.

use super::ast::{Id, Node, Type};
use super::lexer::{Kind, Token};
use super::parser::{PATTERN, Parser};
use crate::error::Error;
use crate::nearest::nearest;
use crate::row::interval_text::{UNITS, read_interval, singular, unit};
use crate::row::time_words::read_known;
use crate::time::Timestamp;

/// The names of types, the canonical ones first.
const TYPES: [(&str, Type); 24] = [
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("float", Type::Float),
    ("number", Type::Number),
    ("text", Type::Text),
    ("timestamp", Type::Time),
    ("interval", Type::Duration),
    ("boolean", Type::Bool),
    ("integer", Type::Int),
    ("bigint", Type::Int),
    ("smallint", Type::Int),
    ("tinyint", Type::Int),
    ("hugeint", Type::Int),
    ("long", Type::Int),
    ("double", Type::Float),
    ("real", Type::Float),
    ("numeric", Type::Number),
    ("decimal", Type::Number),
    ("varchar", Type::Text),
    ("char", Type::Text),
    ("string", Type::Text),
    ("timestamptz", Type::Time),
    ("datetime", Type::Time),
    ("duration", Type::Duration),
];

/// The units of an interval that have no fixed length, in months.
const MONTHS: [(&str, u32); 3] = [("month", 1), ("quarter", 3), ("year", 12)];

/// What a call consists of beside its name.
#[derive(Default)]
struct Arguments {
    args: Vec<Id>,
    star: bool,
    distinct: bool,
    by: Option<Id>,
}

impl Parser<'_> {
    /// Parses a literal that is a word, or that begins with one. `next` is the token after it.
    pub(super) fn literal(&mut self, next: &Token<'_>) -> Result<Option<Node>, Error> {
        let word = self.now();
        let is_quoted = next.kind == Kind::Text;
        let is_number = matches!(next.kind, Kind::Number | Kind::Duration);
        let node = if word.is("true") {
            Node::Bool(true)
        } else if word.is("false") {
            Node::Bool(false)
        } else if word.is("null") {
            Node::Null
        } else if word.is("interval") && (is_quoted || is_number) {
            self.bump()?;
            return self.interval().map(Some);
        } else if is_quoted && (word.is("timestamp") || word.is("date")) {
            self.bump()?;
            return self.time().map(Some);
        } else {
            return Ok(None);
        };
        self.bump()?;
        Ok(Some(node))
    }

    /// Parses the text of `timestamp '2025-10-26 00:00:00Z'`.
    fn time(&mut self) -> Result<Node, Error> {
        let text = self.now().content();
        let Some(millis) = read_known(text.as_bytes()) else {
            let why = format!(
                "{text:?} is not a time: write it as '2025-10-26' or '2025-10-26T10:00:00Z'"
            );
            return Err(self.error(why));
        };
        self.bump()?;
        Ok(Node::Time(Timestamp::from_millis(millis)))
    }

    /// Parses the rest of `interval '5' minute`, `interval 5 minute`, `interval '5 minutes'`.
    fn interval(&mut self) -> Result<Node, Error> {
        let amount = self.now();
        let text = amount.content();
        let word = match self.ahead()? {
            token if token.kind == Kind::Word => singular(token.raw),
            _ => String::new(),
        };
        let count = text.trim();
        let node = if let Some(unit) = unit(&word) {
            self.bump()?;
            count.parse::<i64>().ok().and_then(|n| n.checked_mul(unit)).map(Node::Duration)
        } else if let Some((_, unit)) = MONTHS.iter().find(|(name, _)| *name == word) {
            self.bump()?;
            count.parse::<u32>().ok().and_then(|n| n.checked_mul(*unit)).map(Node::Months)
        } else {
            read_interval(&text).map(Node::Duration)
        };
        let Some(node) = node else {
            let why = format!(
                "{} is not an interval such as interval '5' minute or interval '1h30m'; the units \
                 are {}, and month, quarter and year for the size of windows",
                amount.raw,
                UNITS.map(|(name, _)| name).join(", ")
            );
            return Err(self.error_at(amount.start, why));
        };
        self.bump()?;
        Ok(node)
    }

    /// Parses the rest of `t at time zone 'Europe/Berlin'`, which is
    /// `timezone('Europe/Berlin', t)`.
    pub(super) fn at_time_zone(&mut self, start: usize, of: Id) -> Result<Id, Error> {
        self.bump()?;
        self.bump()?;
        self.expect("zone")?;
        let token = self.now();
        if token.kind != Kind::Text {
            return Err(self.unexpected("a time zone in quotes such as 'Europe/Berlin'"));
        }
        self.bump()?;
        let zone = self.add(token.start, Node::Text(token.content().into()))?;
        let call = Node::Call {
            name: "timezone".into(),
            args: Box::new([zone, of]),
            star: false,
            distinct: false,
            by: None,
            filter: None,
        };
        self.add(start, call)
    }

    /// Parses the name of a type.
    pub(super) fn type_name(&mut self) -> Result<Type, Error> {
        let token = self.now();
        let known = TYPES.iter().find(|(name, _)| token.is(name));
        let Some((_, found)) = known else {
            let canonical: Vec<_> = TYPES.iter().take(7).map(|(name, _)| *name).collect();
            let near = nearest(token.raw, TYPES.map(|(name, _)| name));
            return Err(self.unexpected(&format!("a type ({}){near}", canonical.join(", "))));
        };
        self.bump()?;
        if token.is("double") {
            self.take("precision")?;
        }
        // The length of text is not checked, as in DuckDB.
        if *found == Type::Text && self.take("(")? {
            if self.now().kind != Kind::Number {
                return Err(self.unexpected("a length"));
            }
            self.bump()?;
            self.expect(")")?;
        }
        Ok(*found)
    }

    /// Parses `case [x] when .. then .. [else ..] end`.
    pub(super) fn case(&mut self) -> Result<Id, Error> {
        let start = self.bump()?.start;
        let node = self.nested(|parser| {
            let of = if parser.now().is("when") { None } else { Some(parser.expression()?) };
            let mut arms = Vec::new();
            while parser.take("when")? {
                let when = parser.expression()?;
                parser.expect("then")?;
                arms.push((when, parser.expression()?));
            }
            if arms.is_empty() {
                return Err(parser.unexpected("\"when\""));
            }
            let otherwise = if parser.take("else")? { Some(parser.expression()?) } else { None };
            if !parser.take("end")? {
                let wanted = if otherwise.is_some() { "\"end\"" } else { "when, else or end" };
                return Err(parser.unexpected_operator(wanted));
            }
            Ok(Node::Case { of, arms: arms.into(), otherwise })
        })?;
        self.add(start, node)
    }

    /// Parses a call: a name, arguments in parentheses, and a filter.
    pub(super) fn call(&mut self) -> Result<Id, Error> {
        let head = self.bump()?;
        self.bump()?;
        let name = head.raw.to_ascii_lowercase();
        if name == "cast" || name == "try_cast" {
            let node = self.nested(|parser| parser.cast(name == "try_cast"))?;
            return self.add(head.start, node);
        }
        let (name, arguments) = self.nested(|parser| parser.arguments(name))?;
        let Arguments { args, star, distinct, by } = arguments;
        let filter = self.filter()?;
        let (name, args) = (name.into(), args.into());
        self.add(head.start, Node::Call { name, args, star, distinct, by, filter })
    }

    fn cast(&mut self, trying: bool) -> Result<Node, Error> {
        let of = self.expression()?;
        if !self.take("as")? {
            return Err(self.unexpected_operator("an operator or \"as\""));
        }
        let to = self.type_name()?;
        self.expect(")")?;
        Ok(Node::Cast { of, to, trying })
    }

    /// Parses `filter (where p)`, if it is there.
    fn filter(&mut self) -> Result<Option<Id>, Error> {
        if !self.now().is("filter") || !self.ahead()?.is("(") {
            return Ok(None);
        }
        self.bump()?;
        self.bump()?;
        self.nested(|parser| {
            parser.expect("where")?;
            let condition = parser.expression()?;
            parser.close(")")?;
            Ok(Some(condition))
        })
    }

    /// Parses the arguments of a call and its closing parenthesis. Returns the name, too: some
    /// forms of SQL are calls of another function.
    fn arguments(&mut self, name: String) -> Result<(String, Arguments), Error> {
        let mut arguments = Arguments::default();
        if self.take(")")? {
            return Ok((name, arguments));
        }
        if self.now().is("*") {
            self.bump()?;
            arguments.star = true;
            self.expect(")")?;
            return Ok((name, arguments));
        }
        match name.as_str() {
            "extract" if self.now().kind == Kind::Word && self.ahead()?.is("from") => {
                let unit = self.text_of_word()?;
                self.bump()?;
                arguments.args = vec![unit, self.expression()?];
                self.close(")")?;
                return Ok((name, arguments));
            }
            "position" => return self.position(name),
            "trim" => return self.trim(name),
            _ => {}
        }
        let next = self.ahead()?;
        if self.now().is("distinct") && !next.is(")") && !next.is(",") {
            self.bump()?;
            arguments.distinct = true;
        }
        self.plain_arguments(name, arguments)
    }

    fn plain_arguments(
        &mut self,
        mut name: String,
        mut arguments: Arguments,
    ) -> Result<(String, Arguments), Error> {
        loop {
            arguments.args.push(self.expression()?);
            let is_first = arguments.args.len() == 1;
            if arguments.by.is_none() && self.take("by")? {
                arguments.by = Some(self.expression()?);
            } else if is_first && name.starts_with("substr") && self.take("from")? {
                arguments.args.push(self.expression()?);
                if self.take("for")? {
                    arguments.args.push(self.expression()?);
                }
            } else if is_first && name == "floor" && self.take("to")? {
                let unit = self.text_of_word()?;
                arguments.args.insert(0, unit);
                name = "date_trunc".into();
            }
            if !self.take(",")? {
                self.close(")")?;
                return Ok((name, arguments));
            }
        }
    }

    /// Parses `a in b)` or `a, b)`.
    fn position(&mut self, name: String) -> Result<(String, Arguments), Error> {
        // What binds as `in` does would take the word.
        let part = self.expression_above(PATTERN)?;
        if !self.take("in")? && !self.take(",")? {
            return Err(self.unexpected_operator("an operator, a comma or \"in\""));
        }
        let args = vec![part, self.expression()?];
        self.close(")")?;
        Ok((name, Arguments { args, ..Arguments::default() }))
    }

    /// Parses `both 'x' from s)`, `leading from s)` or plain arguments.
    fn trim(&mut self, name: String) -> Result<(String, Arguments), Error> {
        let next = self.ahead()?;
        let sides = [("both", "trim"), ("leading", "ltrim"), ("trailing", "rtrim")];
        let side = sides.iter().find(|(word, _)| self.now().is(word));
        let follows = next.is("from") || matches!(next.kind, Kind::Text | Kind::Word | Kind::Name);
        let name = match side.filter(|_| follows) {
            Some((_, function)) => {
                self.bump()?;
                (*function).to_owned()
            }
            None => name,
        };
        let mut arguments = Arguments::default();
        if self.take("from")? {
            arguments.args.push(self.expression()?);
        } else {
            let first = self.expression()?;
            if !self.take("from")? {
                arguments.args.push(first);
                while self.take(",")? {
                    arguments.args.push(self.expression()?);
                }
            } else {
                arguments.args = vec![self.expression()?, first];
            }
        }
        self.close(")")?;
        Ok((name, arguments))
    }

    /// Consumes a word and returns it as text in lower case.
    fn text_of_word(&mut self) -> Result<Id, Error> {
        let word = self.now();
        if word.kind != Kind::Word {
            return Err(self.unexpected("a unit such as hour"));
        }
        self.bump()?;
        self.add(word.start, Node::Text(word.raw.to_ascii_lowercase().into()))
    }
}
