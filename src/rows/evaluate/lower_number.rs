//! Lowering of numbers.

use super::arithmetic::float;
use super::lowering::Lowering;
use super::names::Kind;
use super::number::whole;
use super::tree::{Extreme, Num, Text, Typed};
use super::why::WhyKind;
use crate::error::Error;
use crate::query::expression::{Id, Node, Op, Type};
use crate::row::interval_text::read_interval;
use crate::row::{Number, Row};

impl Lowering<'_> {
    /// Lowers a value that is needed as a number. A duration is its milliseconds.
    pub(super) fn num(&mut self, id: Id) -> Result<Num, Error> {
        self.nested(id, Self::needed_num)
    }

    fn needed_num(&mut self, id: Id) -> Result<Num, Error> {
        let num = match self.kind(id)? {
            Kind::Null => return Ok(Num::Null),
            Kind::Number | Kind::Duration | Kind::Field => self.num_of(id)?,
            kind => return Err(self.wrong_kind(id, kind, Kind::Number)),
        };
        Ok(self.folded(id, num))
    }

    /// Computes a number that is the same for all records.
    fn folded(&mut self, id: Id, num: Num) -> Num {
        if matches!(num, Num::Const(_)) || !self.is_constant(id) {
            return num;
        }
        // What cannot be computed is told when a row asks for it: it may be in a branch that none
        // takes.
        match num.exact(&Row::new(0)) {
            Ok(number) => number.map_or(Num::Null, Num::Const),
            Err(_) => num,
        }
    }

    fn num_of(&mut self, id: Id) -> Result<Num, Error> {
        let ast = self.ast;
        match ast.node(id) {
            Node::Int(integer) => Ok(Num::Const(Number::Int(*integer))),
            // Adding zero makes 0.0 of -0.0, which is equal to it.
            Node::Float(float) => Ok(Num::Const(Number::Float(*float + 0.0))),
            Node::Duration(millis) => Ok(Num::Const(Number::Int((*millis).into()))),
            Node::Field(_) => Ok(self.num_field(id)),
            Node::Neg(of) => {
                let operands = (Num::Const(Number::Int(0)), self.num(*of)?);
                Ok(Num::Arithmetic(Op::Sub, Box::new(operands), self.step(id)))
            }
            Node::Binary(..) => self.arithmetic(id),
            Node::Case { .. } => Ok(Num::Case(self.choice(id, Self::num, || Num::Null)?)),
            Node::Cast { of, to: Type::Duration, trying } => self.duration_cast(id, *of, *trying),
            Node::Cast { of, to, trying } => self.num_cast(id, (*of, *to), *trying),
            Node::Call { name, args, .. } => match &**name {
                "coalesce" => Ok(Num::Coalesce(self.each(args, Self::num)?)),
                "greatest" => Ok(Num::Extreme(Extreme::Greatest, self.each(args, Self::num)?)),
                "least" => Ok(Num::Extreme(Extreme::Least, self.each(args, Self::num)?)),
                "nullif" => Ok(Num::Case(self.choice(id, Self::num, || Num::Null)?)),
                _ => match self.call(id)? {
                    Typed::Num(num) => Ok(num),
                    _ => Ok(Num::Null),
                },
            },
            _ => Ok(Num::Null),
        }
    }

    fn num_field(&mut self, id: Id) -> Num {
        match self.named(id) {
            Some(named) if named.kind == Kind::Field => {
                self.names.numbers.push(named.slot);
                Num::Field(self.reading(id, named.slot))
            }
            Some(named) => Num::Computed(named.slot),
            None => Num::Null,
        }
    }

    /// Lowers a chain of operators, whose left operands are operators, too: in a loop, since a sum
    /// may be long.
    fn arithmetic(&mut self, id: Id) -> Result<Num, Error> {
        let (ast, mut chain, mut left) = (self.ast, Vec::new(), id);
        while let Node::Binary(op, next, right) = ast.node(left) {
            if !matches!(self.kind(left)?, Kind::Number | Kind::Duration) {
                break;
            }
            chain.push((left, *op, (*next, *right)));
            left = *next;
            if *op == Op::Sub && self.kind(*right)? == Kind::Time {
                break;
            }
        }
        let mut num = None;
        for (id, op, operands) in chain.into_iter().rev() {
            let computed = self.operation(id, op, (num, operands))?;
            num = Some(self.folded(id, computed));
        }
        Ok(num.unwrap_or(Num::Null))
    }

    /// Lowers one operator, whose left operand may be lowered already.
    fn operation(
        &mut self,
        id: Id,
        op: Op,
        (lowered, (left, right)): (Option<Num>, (Id, Id)),
    ) -> Result<Num, Error> {
        if op == Op::Sub && (self.kind(left)? == Kind::Time || self.kind(right)? == Kind::Time) {
            let times = (self.instant(left)?, self.instant(right)?);
            return Ok(Num::Difference(Box::new(times), self.place(id)));
        }
        self.check_durations(id, op, (left, right))?;
        let left = match lowered {
            Some(lowered) => lowered,
            None => self.num(left)?,
        };
        let (right, step) = (self.num(right)?, self.step(id));
        let commutes = matches!(op, Op::Add | Op::Mul);
        Ok(match (short(&left), short(&right)) {
            (_, Some(constant)) => Num::ByConst(op, Box::new(left), constant, step),
            (Some(constant), _) if commutes => Num::ByConst(op, Box::new(right), constant, step),
            _ => Num::Arithmetic(op, Box::new((left, right)), step),
        })
    }

    /// Refuses arithmetic that durations do not have.
    fn check_durations(&mut self, id: Id, op: Op, (left, right): (Id, Id)) -> Result<(), Error> {
        let fits = match (op, self.kind(left)?, self.kind(right)?) {
            (Op::Add | Op::Sub, Kind::Duration, Kind::Duration | Kind::Null) => true,
            (Op::Add | Op::Sub, Kind::Null, Kind::Duration) => true,
            (Op::Div, Kind::Duration, _) => true,
            (Op::Mul, Kind::Duration, other) | (Op::Mul, other, Kind::Duration) => {
                other != Kind::Duration
            }
            (_, Kind::Duration, _) | (_, _, Kind::Duration) => false,
            _ => true,
        };
        let why =
            "durations are added to times and durations, and multiplied and divided by numbers";
        if fits { Ok(()) } else { Err(self.ast.error(id, why)) }
    }

    fn num_cast(&mut self, id: Id, (of, to): (Id, Type), trying: bool) -> Result<Num, Error> {
        let lenient = trying || self.lenient;
        let num = match self.kind(of)? {
            Kind::Null => return Ok(Num::Null),
            Kind::Text => {
                let (text, place) = (Box::new(self.text(of)?), self.place(id));
                Num::OfText(if lenient { try_number } else { number }, text, place)
            }
            Kind::Bool => Num::OfTruth(Box::new(self.truth(of)?)),
            _ if trying => self.silently(|l| l.num(of))?,
            _ => self.num(of)?,
        };
        Ok(match (to, lenient) {
            (Type::Int, true) => Num::OfNumber(try_integer, Box::new(num), self.place(id)),
            (Type::Int, false) => Num::OfNumber(integer, Box::new(num), self.place(id)),
            (Type::Float, _) => Num::OfNumber(as_float, Box::new(num), self.place(id)),
            _ => num,
        })
    }

    fn duration_cast(&mut self, id: Id, of: Id, trying: bool) -> Result<Num, Error> {
        let lenient = trying || self.lenient;
        match self.kind(of)? {
            Kind::Null => Ok(Num::Null),
            Kind::Duration => self.num(of),
            Kind::Field if matches!(self.ast.node(of), Node::Field(_)) => match trying {
                true => self.silently(|l| Ok(l.duration_field(of))),
                false => Ok(self.duration_field(of)),
            },
            Kind::Text | Kind::Field => {
                let (text, place) = (Box::new(self.text(of)?), self.place(id));
                if let (Text::Const(text), false) = (&*text, trying)
                    && let Err(why) = duration(text)
                {
                    return Err(self.ast.error(of, format!("'{text}' {}", why.words())));
                }
                Ok(Num::OfText(if lenient { try_duration } else { duration }, text, place))
            }
            kind => Err(self.wrong_kind(of, kind, Kind::Duration)),
        }
    }

    fn duration_field(&mut self, id: Id) -> Num {
        match self.named(id) {
            Some(named) => {
                self.names.others.push(named.slot);
                Num::Duration(self.reading(id, named.slot))
            }
            None => Num::Null,
        }
    }
}

/// Returns the value of a constant of up to 64 bits.
fn short(num: &Num) -> Option<i64> {
    match num {
        Num::Const(Number::Int(integer)) => i64::try_from(*integer).ok(),
        _ => None,
    }
}

/// Returns the number that a text spells.
fn number(text: &str) -> Result<Option<Number>, WhyKind> {
    Number::parse(text).map(Some).map_err(|_| WhyKind::NotANumber)
}

fn try_number(text: &str) -> Result<Option<Number>, WhyKind> {
    Ok(Number::parse(text).ok())
}

/// Rounds to the nearest integer, and halves to the even one.
fn integer(number: Number) -> Result<Option<Number>, WhyKind> {
    match number {
        Number::Float(float) => match Number::of_float(float.round_ties_even()) {
            Number::Float(_) => Err(WhyKind::Overflow),
            integer => Ok(Some(integer)),
        },
        integer => Ok(Some(integer)),
    }
}

fn try_integer(number: Number) -> Result<Option<Number>, WhyKind> {
    Ok(integer(number).unwrap_or(None))
}

/// Returns the milliseconds of a duration that a text spells.
fn duration(text: &str) -> Result<Option<Number>, WhyKind> {
    let millis = read_interval(text).ok_or(WhyKind::NotADuration)?;
    Ok(Some(Number::Int(millis.into())))
}

fn try_duration(text: &str) -> Result<Option<Number>, WhyKind> {
    Ok(duration(text).unwrap_or(None))
}

fn as_float(number: Number) -> Result<Option<Number>, WhyKind> {
    float(whole(number).to_f64())
}
