//! From the syntax tree of a column to its [`Answer`].

use super::Function;
use super::answer::{Answer, SCALARS, Scalar};
use super::call::{is_aggregate, unknown};
use super::lowering::{Lowering, Names};
use crate::error::Error;
use crate::query::expression::{Id, Node, Op};
use crate::row::Number;

impl Lowering<'_, '_> {
    /// Returns what a node is in the row of an answer.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if it is a field outside of an aggregate, or
    /// has no value after aggregation.
    pub(super) fn lower(&mut self, id: Id) -> Result<Answer, Error> {
        if let Some(named) = self.named(id) {
            return Ok(named);
        }
        Ok(match self.ast.node(id).clone() {
            Node::Null => Answer::Null,
            Node::Bool(value) => Answer::Bool(value),
            Node::Int(value) => Answer::Number(Number::Int(value)),
            Node::Float(value) => Answer::Number(Number::Float(value)),
            Node::Text(text) => Answer::Text(text),
            Node::Field(name) => return self.field(id, &name),
            Node::Not(of) => Answer::Not(self.boxed(of)?),
            Node::Neg(of) => Answer::Neg(self.boxed(of)?),
            Node::IsNull { of, negated } => negate(Answer::IsNull(self.boxed(of)?), negated),
            Node::Binary(op @ (Op::Like | Op::ILike | Op::Regex | Op::Contains), ..) => {
                let why = format!("{} is not available after aggregation", op.symbol());
                return Err(self.ast.error(id, why));
            }
            Node::Binary(op, left, right) => {
                Answer::Binary(op, Box::new([self.lower(left)?, self.lower(right)?]))
            }
            Node::Many(op, parts) => Answer::Many(op, self.list(&parts)?),
            Node::In { of, list, negated } => {
                negate(Answer::In(self.boxed(of)?, self.list(&list)?), negated)
            }
            Node::Between { of, low, high, negated } => {
                let parts = [self.lower(of)?, self.lower(low)?, self.lower(high)?];
                negate(Answer::Between(Box::new(parts)), negated)
            }
            Node::Case { of, arms, otherwise } => self.case(of, &arms, otherwise)?,
            Node::Cast { of, to, .. } => Answer::Cast(to, self.boxed(of)?),
            Node::Call { name, args, .. } if &*name == "histogram" && args.len() != 1 => {
                let buckets = self.histogram(id)?.into_iter();
                Answer::Histogram(
                    buckets.map(|(name, call)| (name.into(), self.call_index(call))).collect(),
                )
            }
            Node::Call { name, .. } if is_aggregate(&name) => {
                let function = self.aggregate(id)?;
                self.call(function)
            }
            Node::Call { .. } => return self.scalar(id),
            Node::Duration(_)
            | Node::Months(_)
            | Node::Time(_)
            | Node::Exists(_)
            | Node::Tuple(_) => {
                let why = format!("{} has no value after aggregation", self.ast.written(id));
                return Err(self.ast.error(id, why));
            }
        })
    }

    fn boxed(&mut self, id: Id) -> Result<Box<Answer>, Error> {
        self.lower(id).map(Box::new)
    }

    fn list(&mut self, ids: &[Id]) -> Result<Box<[Answer]>, Error> {
        ids.iter().map(|id| self.lower(*id)).collect()
    }

    /// Returns the column or group that is known by the text of the node.
    fn named(&self, id: Id) -> Option<Answer> {
        let Names::Columns(groups) = self.names else { return None };
        let plain = match self.ast.node(id) {
            Node::Field(name) => name.to_string(),
            Node::Binary(..) | Node::Call { .. } | Node::Cast { .. } | Node::Case { .. } => {
                self.ast.canonical(id)
            }
            _ => return None,
        };
        let column = self.answers.columns.iter().position(|column| column.name == plain);
        let group = || groups.iter().position(|name| *name == plain);
        column.map(Answer::Column).or_else(|| group().map(Answer::Group))
    }

    fn call(&mut self, function: Function) -> Answer {
        Answer::Call(self.call_index(function))
    }

    /// Returns the index of an aggregate, which is added if it is new.
    fn call_index(&mut self, function: Function) -> usize {
        let calls = &mut self.answers.calls;
        match calls.iter().position(|known| *known == function) {
            Some(index) => index,
            None => {
                calls.push(function);
                calls.len() - 1
            }
        }
    }

    fn field(&mut self, id: Id, name: &str) -> Result<Answer, Error> {
        if name.eq_ignore_ascii_case("count") {
            return Ok(self.call(Function::Count));
        }
        if is_aggregate(&name.to_ascii_lowercase()) {
            return Err(self.without_argument(id, name));
        }
        let why = match self.names {
            Names::Aggregates => format!(
                "{name} is a field outside of an aggregate: write first({name}) or another \
                 aggregate such as count or sum(bytes), or group by it"
            ),
            Names::Columns(groups) => {
                let columns = self.answers.columns.iter().map(|column| &column.name);
                let known: Vec<&String> = groups.iter().chain(columns).collect();
                let near = crate::nearest::nearest(name, known.iter().map(|name| name.as_str()));
                let names: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
                format!("there is no column {name}{near}; there are {}", names.join(", "))
            }
        };
        Err(self.ast.error(id, why))
    }

    fn case(
        &mut self,
        of: Option<Id>,
        arms: &[(Id, Id)],
        otherwise: Option<Id>,
    ) -> Result<Answer, Error> {
        let of = of.map(|of| self.boxed(of)).transpose()?;
        let mut lowered = Vec::with_capacity(arms.len());
        for (when, then) in arms {
            lowered.push((self.lower(*when)?, self.lower(*then)?));
        }
        let otherwise = otherwise.map(|id| self.boxed(id)).transpose()?;
        Ok(Answer::Case { of, arms: lowered.into(), otherwise })
    }

    fn scalar(&mut self, id: Id) -> Result<Answer, Error> {
        let Node::Call { name, args, star, distinct, by, filter } = self.ast.node(id).clone()
        else {
            return Err(self.ast.error(id, "a function is expected"));
        };
        if let ("mod", [left, right]) = (&*name, &*args) {
            let sides = [self.lower(*left)?, self.lower(*right)?];
            return Ok(Answer::Binary(Op::Rem, Box::new(sides)));
        }
        let Some((_, scalar, least, most)) = SCALARS.iter().find(|(known, ..)| *known == &*name)
        else {
            return Err(self.ast.error(id, format!("{name} {}", unknown(&name))));
        };
        if star || distinct || by.is_some() || filter.is_some() {
            let why = format!("{name} is not an aggregate: it takes values only");
            return Err(self.ast.error(id, why));
        }
        if !(*least..=*most).contains(&args.len()) {
            let wanted = match (least, most) {
                (1, 1) => "one argument".to_owned(),
                (least, &usize::MAX) => format!("at least {least} argument"),
                (least, most) if least == most => format!("{least} arguments"),
                (least, most) => format!("{least} to {most} arguments"),
            };
            return Err(self.ast.error(id, format!("{name} takes {wanted}, not {}", args.len())));
        }
        let args = self.list(&args)?;
        let has_column = |answer: &Answer| matches!(answer, Answer::Column(_) | Answer::Call(_));
        if *scalar == Scalar::Rate && !args.iter().any(|argument| argument.any(&has_column)) {
            return Err(self.ast.error(id, "rate takes an aggregate, as in rate(count)"));
        }
        Ok(Answer::Scalar(*scalar, args))
    }
}

fn negate(answer: Answer, negated: bool) -> Answer {
    if negated { Answer::Not(Box::new(answer)) } else { answer }
}
