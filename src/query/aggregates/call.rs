//! Calls of aggregates: names, and which arguments they take.

use super::lowering::Lowering;
use super::{Function, Percent};
use crate::aggregate::{COUNTERS_MAX, DEFAULT_COUNTERS};
use crate::error::Error;
use crate::nearest::nearest;
use crate::query::expression::{Id, Node, Type};
use crate::query::literal::{Literal, TextLiteral};
use crate::row::Number;

/// An aggregate of the value in a slot.
type OfAValue = fn(usize) -> Function;

/// The aggregates of one value, by name.
const OF_A_VALUE: [(&str, OfAValue); 14] = [
    ("sum", Function::Sum),
    ("mean", Function::Mean),
    ("avg", Function::Mean),
    ("min", Function::Min),
    ("max", Function::Max),
    ("variance", Function::Variance),
    ("stddev", Function::Stddev),
    ("first", Function::First),
    ("last", Function::Last),
    ("any", Function::First),
    ("distinct", Function::Distinct),
    ("count_distinct", Function::Distinct),
    ("approx_distinct", Function::Distinct),
    ("median", Function::Median),
];

/// The other aggregates.
const OTHERS: [&str; 9] =
    ["count", "count_if", "percentile", "top", "frequency", "bool_and", "bool_or", "p50", "p99"];

/// The names of aggregates in other systems.
const ALIASES: [(&str, &str); 11] = [
    ("average", "avg"),
    ("std", "stddev"),
    ("stddev_samp", "stddev"),
    ("var", "variance"),
    ("var_samp", "variance"),
    ("uniq", "distinct"),
    ("quantile", "percentile"),
    ("approx_percentile", "percentile"),
    ("topk", "top"),
    ("countif", "count_if"),
    ("every", "bool_and"),
];

/// Returns true if a name is the name of an aggregate.
pub(crate) fn is_aggregate(name: &str) -> bool {
    OF_A_VALUE.iter().any(|(known, _)| *known == name)
        || OTHERS.contains(&name)
        || percentile_of(name).is_some()
}

/// Returns the percentage of a name such as `p99.9`.
fn percentile_of(name: &str) -> Option<Percent> {
    name.strip_prefix('p').and_then(Percent::parse)
}

/// Returns the suggestion for a name that is not known, and the names that are.
#[cold]
pub(super) fn unknown(name: &str) -> String {
    if name.strip_prefix('p').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        return "is not a percentile from p0.01 to p100 with at most two decimals".into();
    }
    let known: Vec<&str> =
        OF_A_VALUE.iter().map(|(name, _)| *name).chain(OTHERS.iter().copied()).collect();
    let hint = match ALIASES.iter().find(|(alias, _)| *alias == name) {
        Some((_, known)) => format!(" (did you mean {known:?}?)"),
        None => nearest(name, known.iter().copied()),
    };
    format!("is not an aggregate{hint}; there are {}", known.join(", "))
}

/// A call as it is written.
struct Call {
    id: Id,
    name: Box<str>,
    args: Box<[Id]>,
    by: Option<Id>,
    filter: Option<Id>,
}

impl Lowering<'_, '_> {
    /// Returns the aggregate that a call is.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if it does not take these arguments.
    pub(super) fn aggregate(&mut self, id: Id) -> Result<Function, Error> {
        let Node::Call { name, args, star, distinct, by, filter } = self.ast.node(id).clone()
        else {
            return Err(self.ast.error(id, "an aggregate is expected"));
        };
        let call = Call { id, name, args, by, filter };
        if let Some(part) = self.aggregate_inside(id) {
            return Err(self.ast.error(part, "an aggregate cannot be inside of another one"));
        }
        if star && &*call.name != "count" {
            return Err(self.wrong(&call, "does not take *, only count does"));
        }
        if distinct && &*call.name != "count" {
            return Err(self.wrong(&call, "does not take distinct, only count does"));
        }
        if call.by.is_some() {
            return Err(self.wrong(&call, "does not take \"by\""));
        }
        match (&*call.name, &*call.args) {
            ("count", [field]) if distinct => self.of_value(&call, *field, Function::Distinct),
            ("count", []) => self.count(&call),
            ("count", [field]) => self.of_value(&call, *field, Function::CountOf),
            ("count", _) => Err(self.wrong(&call, "takes at most one argument")),
            ("count_if", [condition]) => {
                let passes = self.where_true(&call, *condition)?;
                self.of_value(&call, passes, Function::CountOf)
            }
            ("count_if", _) => Err(self.wrong(&call, "takes a condition")),
            ("top", _) => self.top(&call),
            ("frequency", [field, value]) => {
                let literal = self.literal(*value)?;
                self.of_value(&call, *field, |slot| Function::Frequency(slot, literal))
            }
            ("frequency", _) => {
                Err(self.wrong(&call, "takes a field and a value, as in frequency(status, 404)"))
            }
            ("percentile", [field, quantile]) => {
                let percent = self.percent(*quantile)?;
                self.of_value(&call, *field, |slot| Function::Quantile(slot, percent))
            }
            ("percentile", _) => {
                Err(self.wrong(&call, "takes a field and a number, as in percentile(x, 0.95)"))
            }
            ("bool_and", [condition]) => self.of_truth(&call, *condition, Function::Min),
            ("bool_or", [condition]) => self.of_truth(&call, *condition, Function::Max),
            (name, [field]) => match (one_of(name), percentile_of(name)) {
                (Some(function), _) => self.of_value(&call, *field, function),
                (None, Some(percent)) => {
                    self.of_value(&call, *field, |slot| Function::Quantile(slot, percent))
                }
                (None, None) => Err(self.wrong(&call, "takes one argument")),
            },
            _ => Err(self.wrong(&call, "takes one argument")),
        }
    }

    #[cold]
    fn wrong(&self, call: &Call, why: &str) -> Error {
        self.ast.error(call.id, format!("{} {why}", call.name))
    }

    /// Returns the error about the name of an aggregate that stands without parentheses.
    #[cold]
    pub(super) fn without_argument(&self, id: Id, name: &str) -> Error {
        self.ast.error(id, format!("{name} takes a field in parentheses"))
    }

    fn aggregate_inside(&self, id: Id) -> Option<Id> {
        let mut found = None;
        self.ast.each_child(id, &mut |child| {
            let own = match self.ast.node(child) {
                Node::Call { name, .. } if is_aggregate(name) => Some(child),
                _ => self.aggregate_inside(child),
            };
            found = found.or(own);
        });
        found
    }

    /// The aggregate of an expression, of the records that pass the call's filter.
    fn of_value(
        &mut self,
        call: &Call,
        value: Id,
        function: impl FnOnce(usize) -> Function,
    ) -> Result<Function, Error> {
        let value = match call.filter {
            Some(filter) => self.if_true(call, filter, value)?,
            None => value,
        };
        Ok(function(self.slot(value)?))
    }

    fn count(&mut self, call: &Call) -> Result<Function, Error> {
        match call.filter {
            Some(filter) => {
                let passes = self.where_true(call, filter)?;
                Ok(Function::CountOf(self.slot(passes)?))
            }
            None => Ok(Function::Count),
        }
    }

    /// A condition that is null where it is not true.
    fn where_true(&mut self, call: &Call, condition: Id) -> Result<Id, Error> {
        let truth = self.add(call.id, Node::Bool(true))?;
        self.if_true(call, condition, truth)
    }

    /// `case when condition then value end`: aggregates ignore nulls.
    fn if_true(&mut self, call: &Call, condition: Id, value: Id) -> Result<Id, Error> {
        let arms = [(condition, value)].into();
        self.add(call.id, Node::Case { of: None, arms, otherwise: None })
    }

    fn of_truth(
        &mut self,
        call: &Call,
        condition: Id,
        function: impl FnOnce(usize) -> Function,
    ) -> Result<Function, Error> {
        let truth =
            self.add(call.id, Node::Cast { of: condition, to: Type::Bool, trying: false })?;
        self.of_value(call, truth, function)
    }

    fn top(&mut self, call: &Call) -> Result<Function, Error> {
        let (k, key, counters) = match *call.args {
            [k, key] => (k, key, None),
            [k, key, counters] => (k, key, Some(counters)),
            _ => {
                return Err(self.wrong(
                    call,
                    "takes a number of rows and a field, as in top(10, url), and optionally a \
                     number of counters",
                ));
            }
        };
        let k = self.size(k)?;
        let counters = match counters {
            None => DEFAULT_COUNTERS.max(k),
            Some(id) => match self.size(id)? {
                counters if counters < k => {
                    let why =
                        format!("{counters} counters are too few for the top {k}: at least {k}");
                    return Err(self.ast.error(id, why));
                }
                counters => counters,
            },
        };
        self.of_value(call, key, |slot| Function::Top { k, slot, counters })
    }

    fn size(&self, id: Id) -> Result<usize, Error> {
        let size = match self.ast.node(id) {
            Node::Int(size) => usize::try_from(*size).ok(),
            _ => None,
        };
        size.filter(|size| (1..=COUNTERS_MAX).contains(size)).ok_or_else(|| {
            let written = self.ast.written(id);
            self.ast.error(id, format!("{written} is not a number from 1 to {COUNTERS_MAX}"))
        })
    }

    fn percent(&self, id: Id) -> Result<Percent, Error> {
        let quantile = match self.ast.node(id) {
            Node::Float(quantile) => Some(*quantile),
            Node::Int(1) => Some(1.0),
            _ => None,
        };
        quantile.and_then(Percent::of_quantile).ok_or_else(|| {
            let written = self.ast.written(id);
            let why = format!(
                "{written} is not a number from 0.0001 to 1 with at most four decimals, as in \
                 percentile(x, 0.95)"
            );
            self.ast.error(id, why)
        })
    }

    fn literal(&self, id: Id) -> Result<Literal, Error> {
        Ok(match self.ast.node(id) {
            Node::Int(value) => Literal::Number(Number::Int(*value)),
            Node::Float(value) => Literal::Number(Number::Float(*value)),
            Node::Bool(value) => Literal::Bool(*value),
            Node::Text(text) => Literal::Text(TextLiteral::new(text)),
            _ => {
                let written = self.ast.written(id);
                let why = format!("{written} is not a value; write text in quotes: '{written}'");
                return Err(self.ast.error(id, why));
            }
        })
    }
}

fn one_of(name: &str) -> Option<OfAValue> {
    OF_A_VALUE.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}
