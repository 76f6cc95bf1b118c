//! The kinds of values, before anything is lowered.

use super::functions::Gives;
use super::lowering::Lowering;
use super::names::Kind;
use crate::error::Error;
use crate::query::expression::{Id, Node, Op, Type};

impl Lowering<'_> {
    /// Returns the kind of a node's value.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if its parts do not fit together.
    pub(super) fn kind(&mut self, id: Id) -> Result<Kind, Error> {
        if let Some(kind) = self.kinds.get(&id) {
            return Ok(*kind);
        }
        let kind = self.found_kind(id)?;
        self.kinds.insert(id, kind);
        Ok(kind)
    }

    fn found_kind(&mut self, id: Id) -> Result<Kind, Error> {
        let ast = self.ast;
        Ok(match ast.node(id) {
            Node::Null => Kind::Null,
            Node::Int(_) | Node::Float(_) => Kind::Number,
            Node::Text(_) => Kind::Text,
            Node::Duration(_) => Kind::Duration,
            Node::Months(_) => {
                let why = "months and years have no fixed length: they are sizes of windows only";
                return Err(ast.error(id, why));
            }
            Node::Time(_) => Kind::Time,
            Node::Field(name) => self.names.named(name).kind,
            Node::Bool(_)
            | Node::Not(_)
            | Node::IsNull { .. }
            | Node::Exists(_)
            | Node::Many(..)
            | Node::In { .. }
            | Node::Between { .. } => Kind::Bool,
            Node::Neg(of) => match self.kind(*of)? {
                Kind::Duration => Kind::Duration,
                _ => Kind::Number,
            },
            Node::Binary(op, left, right) => self.kind_of_operator(*op, *left, *right)?,
            Node::Case { arms, otherwise, .. } => {
                let values = arms.iter().map(|(_, then)| *then).chain(*otherwise);
                self.joined(&values.collect::<Vec<_>>(), "case")?
            }
            Node::Cast { to, .. } => kind_of_type(*to),
            Node::Call { name, args, .. } => match (self.called(id)?.gives, args.first()) {
                (Gives::Kind(kind), _) => kind,
                (Gives::Epoch, Some(first)) => match self.kind(*first)? {
                    Kind::Number => Kind::Time,
                    _ => Kind::Number,
                },
                (Gives::Epoch, None) => Kind::Number,
                (Gives::First, Some(first)) => self.kind(*first)?,
                (Gives::First, None) => Kind::Null,
                (Gives::Arguments, _) => self.joined(args, name)?,
                (Gives::Ordered, _) => match self.joined(args, name)? {
                    Kind::Bool => {
                        let why = format!("{name} is of numbers, texts or times");
                        return Err(ast.error(id, why));
                    }
                    kind => kind,
                },
            },
            Node::Tuple(_) => {
                let why =
                    "several values in parentheses are a key, as in top(10, (a, b)), and no value";
                return Err(ast.error(id, why));
            }
        })
    }

    fn kind_of_operator(&mut self, op: Op, left: Id, right: Id) -> Result<Kind, Error> {
        let (left, right) = (self.kind(left)?, self.kind(right)?);
        Ok(match (op, left, right) {
            (op, ..) if op.is_comparison() => Kind::Bool,
            (Op::Like | Op::ILike | Op::Regex | Op::Contains | Op::And | Op::Or, ..) => Kind::Bool,
            (Op::Concat, ..) => Kind::Text,
            (Op::Add, Kind::Time, _) | (Op::Add, _, Kind::Time) => Kind::Time,
            (Op::Sub, Kind::Time, Kind::Duration | Kind::Number) => Kind::Time,
            (Op::Sub, Kind::Time, _) | (Op::Sub, _, Kind::Time) => Kind::Duration,
            // What a duration is added to is a time, unless it is a duration itself.
            (Op::Add | Op::Sub, Kind::Field, Kind::Duration) => Kind::Time,
            (Op::Add, Kind::Duration, Kind::Field) => Kind::Time,
            (Op::Div, Kind::Duration, Kind::Duration) => Kind::Number,
            (_, Kind::Duration, _) | (Op::Mul, _, Kind::Duration) => Kind::Duration,
            _ => Kind::Number,
        })
    }

    /// Returns the one kind of several values.
    fn joined(&mut self, ids: &[Id], of: &str) -> Result<Kind, Error> {
        let mut joined = Kind::Null;
        for id in ids {
            let kind = self.kind(*id)?;
            let Some(both) = joined.joined(kind) else {
                let (one, other) = (joined.words(), kind.words());
                let why = format!("{of} has {one} before, and here {other}: all are of one kind");
                return Err(self.ast.error(*id, why));
            };
            joined = both;
        }
        Ok(joined)
    }
}

fn kind_of_type(to: Type) -> Kind {
    match to {
        Type::Bool => Kind::Bool,
        Type::Int | Type::Float | Type::Number => Kind::Number,
        Type::Text => Kind::Text,
        Type::Time => Kind::Time,
        Type::Duration => Kind::Duration,
    }
}
