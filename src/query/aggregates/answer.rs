//! What a column is: arithmetic over aggregates.
//!
//! The aggregates themselves are computed record by record. Everything in this tree is computed
//! once for each row of the answer, from the values of the aggregates and the group.

use crate::query::expression::{Op, Type};
use crate::row::Number;

/// An expression over the aggregates of a row of the answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Answer {
    /// The value of an aggregate, by its index in [`Answers::calls`](super::Answers::calls).
    Call(usize),
    /// The value of a column, by its index.
    Column(usize),
    /// The buckets of a histogram: what each is called, and the call that counts it.
    Histogram(Box<[(Box<str>, usize)]>),
    /// A value of the group, by its index.
    Group(usize),
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    Not(Box<Answer>),
    Neg(Box<Answer>),
    IsNull(Box<Answer>),
    Binary(Op, Box<[Answer; 2]>),
    /// [`Op::And`] or [`Op::Or`].
    Many(Op, Box<[Answer]>),
    /// The value, and the list in which it may be.
    In(Box<Answer>, Box<[Answer]>),
    /// The value, and the bounds between which it may be.
    Between(Box<[Answer; 3]>),
    /// With `of`, the first values of the arms are compared with it.
    Case {
        of: Option<Box<Answer>>,
        arms: Box<[(Answer, Answer)]>,
        otherwise: Option<Box<Answer>>,
    },
    Cast(Type, Box<Answer>),
    Scalar(Scalar, Box<[Answer]>),
}

/// A function of values of a row of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scalar {
    Abs,
    Ceil,
    Floor,
    /// One argument, or a second one: the number of decimals.
    Round,
    Sign,
    Sqrt,
    Ln,
    Exp,
    Power,
    Greatest,
    Least,
    Coalesce,
    NullIf,
    /// The value divided by the seconds of the window.
    Rate,
}

/// The scalar functions with their names and how many arguments they take, at least and at most.
pub(super) const SCALARS: [(&str, Scalar, usize, usize); 16] = [
    ("abs", Scalar::Abs, 1, 1),
    ("ceil", Scalar::Ceil, 1, 1),
    ("ceiling", Scalar::Ceil, 1, 1),
    ("floor", Scalar::Floor, 1, 1),
    ("round", Scalar::Round, 1, 2),
    ("sign", Scalar::Sign, 1, 1),
    ("sqrt", Scalar::Sqrt, 1, 1),
    ("ln", Scalar::Ln, 1, 1),
    ("exp", Scalar::Exp, 1, 1),
    ("power", Scalar::Power, 2, 2),
    ("pow", Scalar::Power, 2, 2),
    ("greatest", Scalar::Greatest, 1, usize::MAX),
    ("least", Scalar::Least, 1, usize::MAX),
    ("coalesce", Scalar::Coalesce, 1, usize::MAX),
    ("nullif", Scalar::NullIf, 2, 2),
    ("rate", Scalar::Rate, 1, 1),
];

impl Answer {
    /// Calls `take` for each part directly below.
    pub(crate) fn each_part(&self, take: &mut dyn FnMut(&Answer)) {
        match self {
            Answer::Not(of) | Answer::Neg(of) | Answer::IsNull(of) | Answer::Cast(_, of) => {
                take(of);
            }
            Answer::Binary(_, sides) => sides.iter().for_each(take),
            Answer::Many(_, parts) | Answer::Scalar(_, parts) => parts.iter().for_each(take),
            Answer::In(of, list) => std::iter::once(&**of).chain(list).for_each(take),
            Answer::Between(parts) => parts.iter().for_each(take),
            Answer::Case { of, arms, otherwise } => {
                let arms = arms.iter().flat_map(|(when, then)| [when, then]);
                of.as_deref().into_iter().chain(arms).chain(otherwise.as_deref()).for_each(take);
            }
            _ => {}
        }
    }

    /// Returns true if `test` is true of this expression or a part of it.
    pub(crate) fn any(&self, test: &dyn Fn(&Answer) -> bool) -> bool {
        let mut found = test(self);
        self.each_part(&mut |part| found = found || part.any(test));
        found
    }
}
