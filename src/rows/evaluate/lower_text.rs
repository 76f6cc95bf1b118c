//! Lowering of texts and times.

use super::instant::read_text;
use super::lowering::Lowering;
use super::names::Kind;
use super::tree::{Extreme, Instant, Text, Typed};
use crate::error::Error;
use crate::query::expression::{Id, Node, Op};
use crate::row::{Row, TimeFormat};

impl Lowering<'_> {
    /// Lowers a value that is needed as text.
    pub(super) fn text(&mut self, id: Id) -> Result<Text, Error> {
        self.nested(id, Self::needed_text)
    }

    fn needed_text(&mut self, id: Id) -> Result<Text, Error> {
        let text = match self.kind(id)? {
            Kind::Null => return Ok(Text::Null),
            Kind::Text | Kind::Field => self.text_of(id)?,
            kind => return Err(self.wrong_kind(id, kind, Kind::Text)),
        };
        if matches!(text, Text::Const(_)) || !self.is_constant(id) {
            return Ok(text);
        }
        let computed = match text.eval(&Row::new(0)) {
            Ok(computed) => computed.map(|computed| Box::from(&*computed)),
            Err(_) => return Ok(text),
        };
        Ok(computed.map_or(Text::Null, Text::Const))
    }

    /// Lowers a value of any kind that becomes text, as in `a || b`.
    pub(super) fn any_text(&mut self, id: Id) -> Result<Text, Error> {
        Ok(match self.kind(id)? {
            Kind::Number => Text::OfNum(Box::new(self.num(id)?)),
            Kind::Duration => Text::OfDuration(Box::new(self.num(id)?)),
            Kind::Bool => Text::OfTruth(Box::new(self.truth(id)?)),
            Kind::Time => Text::OfInstant(Box::new(self.instant(id)?)),
            Kind::Null | Kind::Field | Kind::Text => self.text(id)?,
        })
    }

    fn text_of(&mut self, id: Id) -> Result<Text, Error> {
        let ast = self.ast;
        match ast.node(id) {
            Node::Text(text) => Ok(Text::Const(text.clone())),
            Node::Field(_) => {
                let slot = self.named(id).map_or(usize::MAX, |named| named.slot);
                self.names.others.push(slot);
                Ok(Text::Field(slot))
            }
            Node::Binary(Op::Concat, ..) => {
                // In a loop, since many may be joined.
                let (mut parts, mut left) = (Vec::new(), id);
                while let Node::Binary(Op::Concat, next, right) = ast.node(left) {
                    parts.push(self.any_text(*right)?);
                    left = *next;
                }
                parts.push(self.any_text(left)?);
                parts.reverse();
                Ok(Text::Joined(parts.into(), self.place(id)))
            }
            Node::Case { .. } => Ok(Text::Case(self.choice(id, Self::text, || Text::Null)?)),
            Node::Cast { of, .. } => self.any_text(*of),
            Node::Call { name, args, .. } => match &**name {
                "coalesce" => Ok(Text::Coalesce(self.each(args, Self::text)?)),
                // Fields are compared as what they are before their text is taken.
                "greatest" | "least" if self.kind(id)? == Kind::Field => {
                    Ok(Text::Any(Box::new(self.any(id)?)))
                }
                "greatest" => Ok(Text::Extreme(Extreme::Greatest, self.each(args, Self::text)?)),
                "least" => Ok(Text::Extreme(Extreme::Least, self.each(args, Self::text)?)),
                "nullif" => Ok(Text::Case(self.choice(id, Self::text, || Text::Null)?)),
                _ => match self.call(id)? {
                    Typed::Text(text) => Ok(text),
                    _ => Ok(Text::Null),
                },
            },
            _ => Ok(Text::Null),
        }
    }

    /// Lowers a value that is needed as a time.
    pub(super) fn instant(&mut self, id: Id) -> Result<Instant, Error> {
        self.nested(id, Self::needed_instant)
    }

    fn needed_instant(&mut self, id: Id) -> Result<Instant, Error> {
        match self.kind(id)? {
            Kind::Null => Ok(Instant::Null),
            Kind::Time | Kind::Field => self.instant_of(id),
            Kind::Text if matches!(self.ast.node(id), Node::Text(_)) => {
                let text = self.literal_text(id, "a time")?;
                match read_text(text) {
                    Some(millis) => Ok(Instant::Const(millis)),
                    None => Err(self.ast.error(
                        id,
                        format!("'{text}' is not a time: write it as '2025-10-26' or '2025-10-26T10:00:00Z'"),
                    )),
                }
            }
            kind => Err(self.wrong_kind(id, kind, Kind::Time)),
        }
    }

    fn instant_of(&mut self, id: Id) -> Result<Instant, Error> {
        let ast = self.ast;
        match ast.node(id) {
            Node::Time(time) => Ok(Instant::Const(time.as_millis())),
            Node::Field(_) => Ok(self.instant_field(id)),
            Node::Binary(op, left, right) => {
                let reversed = *op == Op::Add && self.kind(*left)? == Kind::Duration;
                let (time, by) = if reversed { (*right, *left) } else { (*left, *right) };
                if self.kind(by)? != Kind::Duration {
                    let kind = self.kind(by)?;
                    return Err(self.wrong_kind(by, kind, Kind::Duration));
                }
                let operands = (self.instant(time)?, self.num(by)?);
                Ok(Instant::Shift(Box::new(operands), *op == Op::Add, self.place(id)))
            }
            Node::Case { .. } => {
                Ok(Instant::Case(self.choice(id, Self::instant, || Instant::Null)?))
            }
            Node::Cast { of, trying, .. } => match self.kind(*of)? {
                Kind::Text => {
                    let (text, place) = (Box::new(self.text(*of)?), self.place(id));
                    Ok(Instant::OfText(text, place, *trying || self.lenient))
                }
                _ if *trying => self.silently(|l| l.instant(*of)),
                _ => self.instant(*of),
            },
            Node::Call { name, args, .. } => match &**name {
                "coalesce" => Ok(Instant::Coalesce(self.each(args, Self::instant)?)),
                "greatest" => {
                    Ok(Instant::Extreme(Extreme::Greatest, self.each(args, Self::instant)?))
                }
                "least" => Ok(Instant::Extreme(Extreme::Least, self.each(args, Self::instant)?)),
                "nullif" => Ok(Instant::Case(self.choice(id, Self::instant, || Instant::Null)?)),
                _ => match self.call(id)? {
                    Typed::Instant(instant) => Ok(instant),
                    _ => Ok(Instant::Null),
                },
            },
            _ => Ok(Instant::Null),
        }
    }

    fn instant_field(&mut self, id: Id) -> Instant {
        match self.named(id) {
            Some(named) if named.kind == Kind::Field => {
                self.names.others.push(named.slot);
                let time = self.names.time.as_ref().filter(|time| time.slot == named.slot);
                let format = time.map_or(TimeFormat::Auto, |time| time.format.clone());
                Instant::Field(self.reading(id, named.slot), format)
            }
            Some(named) => Instant::Computed(named.slot),
            None => Instant::Null,
        }
    }
}
