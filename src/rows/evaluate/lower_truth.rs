//! Lowering of conditions.

use super::like::Like;
use super::lowering::Lowering;
use super::names::Kind;
use super::tree::{Any, Literals, Truth, Typed};
use crate::error::Error;
use crate::query::expression::{Id, Node, Op};
use crate::query::literal::{Literal, Operator, TextLiteral};
use crate::row::{Number, Row};

impl Lowering<'_> {
    /// Lowers a condition.
    pub(super) fn truth(&mut self, id: Id) -> Result<Truth, Error> {
        self.nested(id, Self::needed_truth)
    }

    fn needed_truth(&mut self, id: Id) -> Result<Truth, Error> {
        let truth = match self.kind(id)? {
            Kind::Null => return Ok(Truth::Const(None)),
            Kind::Bool | Kind::Field => self.leniently(|l| l.truth_of(id))?,
            kind => {
                let (written, kind) = (self.ast.written(id), kind.words());
                let why = format!(
                    "{written} is {kind}, and a condition is needed here, as in {written} > 0"
                );
                return Err(self.ast.error(id, why));
            }
        };
        if matches!(truth, Truth::Const(_)) || !self.is_constant(id) {
            return Ok(truth);
        }
        Ok(match truth.eval(&Row::new(0)) {
            Ok(computed) => Truth::Const(computed),
            Err(_) => truth,
        })
    }

    fn truth_of(&mut self, id: Id) -> Result<Truth, Error> {
        let ast = self.ast;
        match ast.node(id) {
            Node::Bool(truth) => Ok(Truth::Const(Some(*truth))),
            Node::Field(_) => match self.any(id)? {
                Any::Field(slot) => Ok(Truth::Field(slot)),
                _ => Ok(Truth::Const(None)),
            },
            Node::Not(of) => Ok(not(self.truth(*of)?)),
            Node::IsNull { of, negated } => {
                let is_null = Truth::IsNull(Box::new(self.typed(*of)?));
                Ok(if *negated { not(is_null) } else { is_null })
            }
            Node::Exists(of) => Ok(not(Truth::IsNull(Box::new(self.typed(*of)?)))),
            Node::Binary(op, left, right) => self.truth_of_operator(*op, *left, *right),
            Node::Many(Op::And, parts) => Ok(Truth::All(self.each(parts, Self::truth)?)),
            Node::Many(_, parts) => Ok(Truth::Any(self.each(parts, Self::truth)?)),
            Node::In { of, list, negated } => {
                let found = self.truth_in(*of, list)?;
                Ok(if *negated { not(found) } else { found })
            }
            Node::Between { of, low, high, negated } => {
                let parts = [
                    self.compare(Operator::GreaterOrEqual, *of, *low)?,
                    self.compare(Operator::LessOrEqual, *of, *high)?,
                ];
                let between = Truth::All(Box::new(parts));
                Ok(if *negated { not(between) } else { between })
            }
            Node::Case { .. } => {
                Ok(Truth::Case(self.choice(id, Self::truth, || Truth::Const(None))?))
            }
            Node::Cast { of, trying, .. } => self.truth_cast(id, *of, *trying),
            Node::Call { name, args, .. } => match &**name {
                "coalesce" => Ok(Truth::Coalesce(self.each(args, Self::truth)?)),
                "nullif" => Ok(Truth::Case(self.choice(id, Self::truth, || Truth::Const(None))?)),
                _ => match self.call(id)? {
                    Typed::Truth(truth) => Ok(truth),
                    _ => Ok(Truth::Const(None)),
                },
            },
            _ => Ok(Truth::Const(None)),
        }
    }

    /// Lowers a value by its own kind.
    pub(super) fn typed(&mut self, id: Id) -> Result<Typed, Error> {
        Ok(match self.kind(id)? {
            Kind::Null | Kind::Field => Typed::Any(self.any(id)?),
            Kind::Bool => Typed::Truth(self.truth(id)?),
            Kind::Number | Kind::Duration => Typed::Num(self.num(id)?),
            Kind::Text => Typed::Text(self.text(id)?),
            Kind::Time => Typed::Instant(self.instant(id)?),
        })
    }

    fn truth_of_operator(&mut self, op: Op, left: Id, right: Id) -> Result<Truth, Error> {
        let operator = match op {
            Op::Eq => Operator::Equal,
            Op::Ne => Operator::Unequal,
            Op::Lt => Operator::Less,
            Op::Le => Operator::LessOrEqual,
            Op::Gt => Operator::Greater,
            Op::Ge => Operator::GreaterOrEqual,
            Op::Distinct => return self.distinct(left, right),
            Op::Like | Op::ILike => {
                let text = Box::new(self.text(left)?);
                let pattern = self.literal_text(right, "the pattern of like")?;
                let like = Like::new(pattern, op == Op::ILike).map_err(|error| {
                    self.ast.error(right, "this pattern is too large").with_source(error)
                })?;
                return Ok(Truth::Like(text, like));
            }
            Op::Regex => {
                let text = Box::new(self.text(left)?);
                return Ok(Truth::Matches(text, self.pattern(right)?.regex));
            }
            _ => return self.truth_contains(left, right),
        };
        self.compare(operator, left, right)
    }

    fn truth_contains(&mut self, left: Id, right: Id) -> Result<Truth, Error> {
        match (self.kind(left)?, self.ast.node(right)) {
            (Kind::Field, Node::Text(text)) => {
                let part = TextLiteral::new(text);
                Ok(Truth::Contains(self.any(left)?, part))
            }
            _ => {
                let texts = (self.text(left)?, self.text(right)?);
                Ok(Truth::OfTexts(|text, part| text.contains(part), Box::new(texts)))
            }
        }
    }

    /// `a is distinct from b`: null is a value like any other.
    fn distinct(&mut self, left: Id, right: Id) -> Result<Truth, Error> {
        let null = |l: &mut Self, id| Ok::<_, Error>(Truth::IsNull(Box::new(l.typed(id)?)));
        let one_is_null = [null(self, left)?, null(self, right)?];
        let (a, b) = (null(self, left)?, null(self, right)?);
        let unlike = Truth::Truths(Operator::Unequal, Box::new((a, b)));
        let unequal = self.compare(Operator::Unequal, left, right)?;
        Ok(Truth::Case(Box::new(super::tree::Case {
            arms: Box::new([(Truth::Any(Box::new(one_is_null)), unlike)]),
            otherwise: unequal,
        })))
    }

    /// Lowers a comparison.
    pub(super) fn compare(
        &mut self,
        operator: Operator,
        left: Id,
        right: Id,
    ) -> Result<Truth, Error> {
        let (left_kind, right_kind) = (self.kind(left)?, self.kind(right)?);
        match (left_kind, right_kind) {
            (Kind::Null, _) | (_, Kind::Null) => return Ok(Truth::Const(None)),
            (Kind::Field, Kind::Field) => {
                let values = (self.any(left)?, self.any(right)?);
                return Ok(Truth::Values(operator, Box::new(values), self.shared.clone()));
            }
            (Kind::Field, _) if self.is_literal(right) => {
                return self.compare_literal(operator, left, right);
            }
            (_, Kind::Field) if self.is_literal(left) => {
                return self.compare_literal(operator.flipped(), right, left);
            }
            _ => {}
        }
        let literal = |l: &Self, id| matches!(l.ast.node(id), Node::Text(_));
        let kind = match (left_kind, right_kind) {
            (Kind::Time, Kind::Text) if literal(self, right) => Kind::Time,
            (Kind::Text, Kind::Time) if literal(self, left) => Kind::Time,
            (left_kind, right_kind) => match left_kind.joined(right_kind) {
                Some(kind) => kind,
                None => return Err(self.wrong_kind(right, right_kind, left_kind)),
            },
        };
        Ok(match kind {
            Kind::Number | Kind::Duration => {
                Truth::Numbers(operator, Box::new((self.num(left)?, self.num(right)?)))
            }
            Kind::Time => {
                Truth::Instants(operator, Box::new((self.instant(left)?, self.instant(right)?)))
            }
            Kind::Bool => {
                Truth::Truths(operator, Box::new((self.truth(left)?, self.truth(right)?)))
            }
            _ => Truth::Texts(operator, Box::new((self.text(left)?, self.text(right)?))),
        })
    }

    /// Returns true if a node is a value that is compared as it is written.
    fn is_literal(&self, id: Id) -> bool {
        matches!(self.ast.node(id), Node::Int(_) | Node::Float(_) | Node::Bool(_) | Node::Text(_))
    }

    fn compare_literal(
        &mut self,
        operator: Operator,
        field: Id,
        literal: Id,
    ) -> Result<Truth, Error> {
        let (named, ast) = (self.named(field), self.ast);
        if let (Some(named), Node::Int(integer)) = (named, ast.node(literal))
            && let Ok(integer) = i64::try_from(*integer)
        {
            self.names.numbers.push(named.slot);
            return Ok(Truth::Integer(operator, integer, self.reading(field, named.slot)));
        }
        let compared = self.literal(operator, named.map(|named| named.slot), literal)?;
        let any = match (named, &compared) {
            (Some(named), Literal::Number(_)) => {
                self.names.numbers.push(named.slot);
                Any::Field(named.slot)
            }
            _ => self.any(field)?,
        };
        Ok(Truth::Literal(operator, any, compared, self.shared.clone()))
    }

    /// Returns a literal to be compared with a field.
    fn literal(
        &mut self,
        operator: Operator,
        slot: Option<usize>,
        id: Id,
    ) -> Result<Literal, Error> {
        let ast = self.ast;
        Ok(match ast.node(id) {
            Node::Int(integer) => Literal::Number(Number::Int(*integer)),
            Node::Float(float) => Literal::Number(Number::of_float(*float)),
            Node::Bool(truth) => Literal::Bool(*truth),
            Node::Text(text) => {
                let mut literal = TextLiteral::new(text);
                let time = self.names.time.as_ref().filter(|time| Some(time.slot) == slot);
                if let Some(time) = time
                    && !literal.compare_as_event_time(&time.format)
                    && operator.orders()
                {
                    let name = self.names.fields.name(time.slot);
                    return Err(ast.error(
                        id,
                        format!(
                            "{name} is the event time, and {text:?} is not a time: write it as \
                         '2025-10-26', '2025-10-26T10:00:00Z' or in the time format"
                        ),
                    ));
                }
                Literal::Text(literal)
            }
            _ => return Err(ast.error(id, "a value is needed here")),
        })
    }

    fn truth_in(&mut self, of: Id, list: &[Id]) -> Result<Truth, Error> {
        let is_plain = self.kind(of)? == Kind::Field
            && list
                .iter()
                .all(|id| self.is_literal(*id) || matches!(self.ast.node(*id), Node::Null));
        if !is_plain {
            let equal = |id: &Id| self.compare(Operator::Equal, of, *id);
            return Ok(Truth::Any(list.iter().map(equal).collect::<Result<_, _>>()?));
        }
        let (named, mut literals) = (self.named(of), Vec::new());
        for id in list {
            if self.is_literal(*id) {
                let slot = named.map(|named| named.slot);
                literals.push(self.literal(Operator::Equal, slot, *id)?);
            }
        }
        if literals.iter().any(|literal| matches!(literal, Literal::Number(_))) {
            self.names.numbers.extend(named.map(|named| named.slot));
        }
        let has_null = literals.len() < list.len();
        let literals = Box::new(Literals::new(literals, has_null));
        Ok(Truth::In(self.any(of)?, literals, self.shared.clone()))
    }

    fn truth_cast(&mut self, id: Id, of: Id, trying: bool) -> Result<Truth, Error> {
        Ok(match self.kind(of)? {
            Kind::Bool => self.truth(of)?,
            Kind::Number => Truth::OfNum(Box::new(self.num(of)?)),
            _ => {
                let lenient = trying || self.lenient;
                Truth::OfText(Box::new(self.text(of)?), self.place(id), lenient)
            }
        })
    }
}

fn not(truth: Truth) -> Truth {
    match truth {
        Truth::Const(truth) => Truth::Const(truth.map(|truth| !truth)),
        truth => Truth::Not(Box::new(truth)),
    }
}
