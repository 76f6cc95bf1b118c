//! The syntax tree of an expression, before types.
//!
//! All nodes of a text lie in one vector, and a node refers only to earlier ones. So there is no
//! box to clone or drop, and no recursion but that of the functions that walk the tree, which
//! [`HEIGHT_MAX`] bounds.

use super::position;
use crate::error::Error;
use crate::time::Timestamp;

/// Maximum number of nodes on the longest way from a node down to a leaf.
pub(crate) const HEIGHT_MAX: u16 = 500;

/// Maximum number of nodes of a text.
pub(crate) const NODES_MAX: usize = 10_000;

/// A node of an [`Ast`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Id(u32);

/// The nodes of a text, and the text itself, which errors show.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Ast {
    text: Box<str>,
    nodes: Vec<Node>,
    places: Vec<Place>,
}

/// Where a node is in the text, in bytes, and its height over its leaves, which have height 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) height: u16,
}

/// A part of an expression.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i128),
    /// Always finite.
    Float(f64),
    Text(Box<str>),
    /// Milliseconds.
    Duration(i64),
    /// An interval of whole months. It has no fixed length, so it is the size of windows only.
    Months(u32),
    Time(Timestamp),
    /// The name of a field, or a JSON pointer, which begins with a slash. A name with a point, as
    /// in `host.name`, is the member of that name if the record has one, and otherwise the member
    /// `name` of the member `host`.
    Field(Box<str>),
    Not(Id),
    Neg(Id),
    IsNull {
        of: Id,
        negated: bool,
    },
    /// Whether a record has a field: the node is a [`Node::Field`].
    Exists(Id),
    /// Two operands and any operator but [`Op::And`] and [`Op::Or`]. `!~` and `not like` are a
    /// [`Node::Not`] of one.
    Binary(Op, Id, Id),
    /// [`Op::And`] or [`Op::Or`] of at least two operands: flat, so that a thousand of them are no
    /// depth.
    Many(Op, Box<[Id]>),
    /// The list has at least one element.
    In {
        of: Id,
        list: Box<[Id]>,
        negated: bool,
    },
    Between {
        of: Id,
        low: Id,
        high: Id,
        negated: bool,
    },
    /// `case when .. then .. else .. end`, or with `of` `case of when value then .. end`, whose
    /// arms have values that are compared with `of`. There is at least one arm.
    Case {
        of: Option<Id>,
        arms: Box<[(Id, Id)]>,
        otherwise: Option<Id>,
    },
    /// With `trying`, what cannot be converted is null.
    Cast {
        of: Id,
        to: Type,
        trying: bool,
    },
    /// A call of a function or an aggregate. The forms of SQL with words between the arguments are
    /// plain calls here: `extract(hour from t)` is `extract('hour', t)`, `substring(s from 2 for
    /// 3)` is `substring(s, 2, 3)`, `position('a' in s)` is `position('a', s)`, `trim(leading 'x'
    /// from s)` is `ltrim(s, 'x')`, `floor(t to minute)` is `date_trunc('minute', t)`.
    Call {
        /// In lower case.
        name: Box<str>,
        args: Box<[Id]>,
        /// `count(*)`.
        star: bool,
        /// `count(distinct x)`.
        distinct: bool,
        /// `top(10, url by bytes)`.
        by: Option<Id>,
        /// `sum(x) filter (where p)`.
        filter: Option<Id>,
    },
    /// Several values as one key, as in `top(10, (method, path))`. At least two.
    Tuple(Box<[Id]>),
}

/// An operator of two operands, or of many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `is distinct from`: as [`Op::Ne`], but null is a value like any other, so the result is
    /// never null.
    Distinct,
    Like,
    ILike,
    /// `~` and `matches`.
    Regex,
    Contains,
    Concat,
    Add,
    Sub,
    Mul,
    Div,
    IntDiv,
    Rem,
}

impl Op {
    /// Returns true for `= <> < <= > >=`, and `is distinct from`.
    pub(crate) fn is_comparison(self) -> bool {
        use Op::{Distinct, Eq, Ge, Gt, Le, Lt, Ne};
        matches!(self, Eq | Ne | Lt | Le | Gt | Ge | Distinct)
    }

    /// Returns the operator in canonical spelling.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Op::Or => "or",
            Op::And => "and",
            Op::Eq => "=",
            Op::Ne => "<>",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Distinct => "is distinct from",
            Op::Like => "like",
            Op::ILike => "ilike",
            Op::Regex => "~",
            Op::Contains => "contains",
            Op::Concat => "||",
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::IntDiv => "//",
            Op::Rem => "%",
        }
    }
}

/// The type of a value, which `cast` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    Bool,
    Int,
    Float,
    /// An integer or a float, value by value.
    Number,
    Text,
    Time,
    Duration,
}

impl Type {
    /// Returns true for the types of numbers.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Float | Type::Number)
    }

    /// Returns the type in canonical spelling.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Float => "float",
            Type::Number => "number",
            Type::Text => "text",
            Type::Time => "timestamp",
            Type::Duration => "interval",
        }
    }
}

impl Ast {
    /// Creates a tree without nodes for a text.
    pub(crate) fn new(text: &str) -> Self {
        Ast { text: text.into(), nodes: Vec::new(), places: Vec::new() }
    }

    /// Adds a node, whose children must be in the tree already.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) past [`HEIGHT_MAX`] or [`NODES_MAX`].
    pub(crate) fn add(&mut self, (start, end): (usize, usize), node: Node) -> Result<Id, Error> {
        let mut below = 0;
        each_child(&node, &mut |child| below = below.max(self.place(child).height));
        if below >= HEIGHT_MAX {
            let why = format!("more than {HEIGHT_MAX} operators depend on each other");
            return Err(position::error_at(&self.text, start, why));
        }
        if self.nodes.len() >= NODES_MAX {
            let why = format!("the text has more than {NODES_MAX} terms");
            return Err(position::error_at(&self.text, start, why));
        }
        self.nodes.push(node);
        // A text is at most 64 KiB long.
        self.places.push(Place { start: start as u32, end: end as u32, height: below + 1 });
        Ok(Id(self.nodes.len() as u32 - 1))
    }

    /// Returns a node.
    pub(crate) fn node(&self, id: Id) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&Node::Null)
    }

    /// Returns all nodes, each after its children.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..self.nodes.len() as u32).map(Id)
    }

    /// Replaces a node by one whose children are among those of it.
    pub(crate) fn replace(&mut self, id: Id, node: Node) {
        if let Some(known) = self.nodes.get_mut(id.0 as usize) {
            *known = node;
        }
    }

    /// Gives fields other names, where `rename` returns one.
    pub(crate) fn rename_fields(&mut self, rename: impl Fn(&str) -> Option<String>) {
        for node in &mut self.nodes {
            if let Node::Field(name) = node
                && let Some(renamed) = rename(name)
            {
                *name = renamed.into();
            }
        }
    }

    /// Returns the place of a node.
    pub(crate) fn place(&self, id: Id) -> Place {
        let nowhere = Place { start: 0, end: 0, height: 0 };
        self.places.get(id.0 as usize).copied().unwrap_or(nowhere)
    }

    /// Calls `take` for each child of a node, in the order of the text.
    pub(crate) fn each_child(&self, id: Id, take: &mut dyn FnMut(Id)) {
        each_child(self.node(id), take);
    }

    /// Returns the text of a node as it was written.
    pub(crate) fn written(&self, id: Id) -> &str {
        let Place { start, end, .. } = self.place(id);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Creates an error about a node, with its column.
    #[cold]
    pub(crate) fn error(&self, id: Id, why: impl Into<String>) -> Error {
        position::error_at(&self.text, self.place(id).start as usize, why.into())
    }

    /// Returns the column of a node, from 1.
    pub(crate) fn column(&self, id: Id) -> usize {
        position::column(&self.text, self.place(id).start as usize)
    }
}

fn each_child(node: &Node, take: &mut dyn FnMut(Id)) {
    match node {
        Node::Null
        | Node::Bool(_)
        | Node::Int(_)
        | Node::Float(_)
        | Node::Text(_)
        | Node::Duration(_)
        | Node::Months(_)
        | Node::Time(_)
        | Node::Field(_) => {}
        Node::Not(of) | Node::Neg(of) | Node::Exists(of) => take(*of),
        Node::IsNull { of, .. } | Node::Cast { of, .. } => take(*of),
        Node::Binary(_, left, right) => [*left, *right].into_iter().for_each(take),
        Node::Many(_, parts) | Node::Tuple(parts) => parts.iter().copied().for_each(take),
        Node::In { of, list, .. } => [*of].iter().chain(list).copied().for_each(take),
        Node::Between { of, low, high, .. } => [*of, *low, *high].into_iter().for_each(take),
        Node::Case { of, arms, otherwise } => {
            let arms = arms.iter().flat_map(|(when, then)| [*when, *then]);
            of.iter().copied().chain(arms).chain(*otherwise).for_each(take);
        }
        Node::Call { args, by, filter, .. } => {
            args.iter().copied().chain(*by).chain(*filter).for_each(take);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_small() {
        assert!(size_of::<Node>() <= 64, "{}", size_of::<Node>());
    }
}
