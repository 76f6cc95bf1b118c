//! Calls of aggregates: names, and which arguments they take.

use super::lowering::Lowering;
use super::{Function, Percent};
use crate::aggregate::{COUNTERS_MAX, DEFAULT_COUNTERS};
use crate::error::Error;
use crate::nearest::nearest;
use crate::query::expression::{Id, Node, Op, Type};
use crate::query::literal::{Literal, TextLiteral};
use crate::row::Number;

/// An aggregate of the value in a slot.
type OfAValue = fn(usize) -> Function;

/// The aggregates of one value, by name.
const OF_A_VALUE: [(&str, OfAValue); 12] = [
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
    ("median", Function::Median),
    // With bounds it is not of one value.
    ("histogram", Function::Buckets),
];

/// The other aggregates.
const OTHERS: [&str; 14] = [
    "count",
    "count_if",
    "distinct",
    "count_distinct",
    "approx_distinct",
    "percentile",
    "top",
    "frequency",
    "max_by",
    "min_by",
    "bool_and",
    "bool_or",
    "p50",
    "p99",
];

/// Maximum number of bounds of a histogram.
const BUCKETS_MAX: usize = 100;

/// The names of aggregates in other systems.
const ALIASES: [(&str, &str); 20] = [
    ("average", "avg"),
    ("std", "stddev"),
    ("stddev_samp", "stddev"),
    ("var", "variance"),
    ("var_samp", "variance"),
    ("uniq", "distinct"),
    ("quantile", "percentile"),
    ("quantile_cont", "percentile"),
    ("percentile_cont", "percentile"),
    ("approx_percentile", "percentile"),
    ("approx_quantile", "percentile"),
    ("approx_count_distinct", "distinct"),
    ("approx_top_k", "top"),
    ("any_value", "any"),
    ("first_value", "first"),
    ("topk", "top"),
    ("countif", "count_if"),
    ("every", "bool_and"),
    ("arg_max", "max_by"),
    ("arg_min", "min_by"),
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
    let known: Vec<&str> = known().collect();
    let hint = near_aggregate(name);
    format!("is not an aggregate{hint}; there are {}", known.join(", "))
}

/// Returns the suggestion for a name that is like that of an aggregate.
#[cold]
pub(crate) fn near_aggregate(name: &str) -> String {
    match ALIASES.iter().find(|(alias, _)| *alias == name) {
        Some((_, known)) => format!(" (did you mean {known:?}?)"),
        None => nearest(name, known()),
    }
}

/// Returns the names of all aggregates.
fn known() -> impl Iterator<Item = &'static str> {
    OF_A_VALUE.iter().map(|(name, _)| *name).chain(OTHERS.iter().copied())
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
        if call.by.is_some() && &*call.name != "top" {
            return Err(self.wrong(&call, "does not take \"by\""));
        }
        match (&*call.name, &*call.args) {
            ("count", [field]) if distinct => self.distinct(&call, *field),
            ("distinct" | "count_distinct" | "approx_distinct", [field]) => {
                self.distinct(&call, *field)
            }
            ("max_by", [value, by]) => self.ranked(&call, (*value, *by), Function::MaxBy),
            ("min_by", [value, by]) => self.ranked(&call, (*value, *by), Function::MinBy),
            ("max_by" | "min_by", _) => {
                Err(self.wrong(&call, "takes two values, as in max_by(url, latency_ms)"))
            }
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
        let slots = self.keys(call, key)?;
        let weight = call.by.map(|by| self.slot(by)).transpose()?;
        Ok(Function::Top { k, slots, weight, counters })
    }

    fn distinct(&mut self, call: &Call, key: Id) -> Result<Function, Error> {
        self.keys(call, key).map(Function::Distinct)
    }

    /// The slots of a key: of one value, or of the values of a tuple.
    fn keys(&mut self, call: &Call, key: Id) -> Result<Box<[usize]>, Error> {
        let parts = match self.ast.node(key) {
            Node::Tuple(parts) => parts.clone(),
            _ => [key].into(),
        };
        let mut slots = Vec::with_capacity(parts.len());
        for part in &parts {
            let part = match call.filter {
                Some(filter) => self.if_true(call, filter, *part)?,
                None => *part,
            };
            slots.push(self.slot(part)?);
        }
        Ok(slots.into())
    }

    fn ranked(
        &mut self,
        call: &Call,
        (value, by): (Id, Id),
        function: fn(usize, usize) -> Function,
    ) -> Result<Function, Error> {
        let by = self.slot(by)?;
        self.of_value(call, value, |slot| function(slot, by))
    }

    /// Returns the buckets of a histogram with given bounds, `histogram(x, 0, 10, 100)`: the name
    /// of each, and the count of the values in it.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if the bounds are no rising numbers.
    pub(super) fn histogram(&mut self, id: Id) -> Result<Vec<(String, Function)>, Error> {
        let Node::Call { name, args, by, filter, .. } = self.ast.node(id).clone() else {
            return Err(self.ast.error(id, "an aggregate is expected"));
        };
        let call = Call { id, name, args, by, filter };
        if let Some(part) = self.aggregate_inside(id) {
            return Err(self.ast.error(part, "an aggregate cannot be inside of another one"));
        }
        let (value, bounds) = match *call.args {
            [value, ref bounds @ ..] if (1..=BUCKETS_MAX).contains(&bounds.len()) => {
                (value, bounds.to_vec())
            }
            _ => {
                let why = format!(
                    "takes a value and up to {BUCKETS_MAX} bounds of its buckets, as in \
                     histogram(latency_ms) or histogram(latency_ms, 10, 100, 1000)"
                );
                return Err(self.wrong(&call, &why));
            }
        };
        self.check_bounds(&bounds)?;
        let mut buckets = Vec::new();
        for index in 0..=bounds.len() {
            let low = index.checked_sub(1).and_then(|index| bounds.get(index)).copied();
            let high = bounds.get(index).copied();
            let below =
                high.map(|high| self.add(id, Node::Binary(Op::Lt, value, high))).transpose()?;
            let from = low.map(|low| self.add(id, Node::Binary(Op::Ge, value, low))).transpose()?;
            let text = |bound: Id| self.ast.canonical(bound);
            let (name, condition) = match (low.map(text), from, high.map(text), below) {
                (Some(low), Some(from), Some(high), Some(below)) => {
                    let both = self.add(id, Node::Many(Op::And, [from, below].into()))?;
                    (format!("{low} to {high}"), both)
                }
                (Some(low), Some(from), ..) => (format!(">= {low}"), from),
                (_, _, Some(high), Some(below)) => (format!("< {high}"), below),
                _ => continue,
            };
            let passes = self.where_true(&call, condition)?;
            buckets.push((name, self.of_value(&call, passes, Function::CountOf)?));
        }
        Ok(buckets)
    }

    fn check_bounds(&self, bounds: &[Id]) -> Result<(), Error> {
        let number = |id: &Id| match self.ast.node(*id) {
            Node::Int(value) => Some(Number::Int(*value)),
            Node::Float(value) => Some(Number::Float(*value)),
            _ => None,
        };
        let mut last = None;
        for bound in bounds {
            let next = number(bound);
            if next.is_none() || last.is_some() && next <= last {
                let written = self.ast.written(*bound);
                let why = format!("{written} is not a number above the bound before it");
                return Err(self.ast.error(*bound, why));
            }
            last = next;
        }
        Ok(())
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
