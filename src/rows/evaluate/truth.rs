//! Evaluation of conditions, in three-valued logic.

use super::any::compare;
use super::tree::{Any, Literals, Truth, Typed};
use super::why::{Shared, Why, WhyKind};
use crate::query::literal::{Literal, Operator, TextLiteral};
use crate::row::json_array::any_element;
use crate::row::{Number, Row, Value};

/// True, false or null.
type Three = Result<Option<bool>, Why>;

impl Truth {
    /// Returns true if the condition is true, so that a row passes.
    #[inline]
    pub(super) fn holds(&self, row: &Row, shared: &Shared) -> bool {
        match self {
            // One that is not true decides.
            Truth::All(parts) => parts.iter().all(|part| part.holds(row, shared)),
            other => match other.eval(row) {
                Ok(truth) => truth == Some(true),
                Err(_) => {
                    shared.count_other_kind();
                    false
                }
            },
        }
    }

    /// Returns the truth; `None` for null.
    #[inline]
    pub(super) fn eval(&self, row: &Row) -> Three {
        // What most conditions are is decided without a call.
        if let Truth::Integer(operator, constant, reading) = self
            && let Some(integer) = row.integer(reading.slot)
        {
            return Ok(Some(operator.holds(integer.cmp(constant))));
        }
        self.eval_any(row)
    }

    fn eval_any(&self, row: &Row) -> Three {
        match self {
            Truth::Const(truth) => Ok(*truth),
            Truth::Field(slot) => Ok(truth_of(row.value(*slot))),
            Truth::Integer(operator, constant, reading) => {
                let constant = Number::Int(i128::from(*constant));
                let number = reading.number(row)?;
                Ok(number.map(|number| operator.holds(number.cmp(&constant))))
            }
            Truth::Literal(operator, any, literal, shared) => {
                let value = any.value(row)?;
                Ok(literal.compares(*operator, value).or_else(|| counted(value, shared)))
            }
            Truth::In(any, literals, shared) => {
                let value = any.value(row)?;
                Ok(literals.contain(value).or_else(|| counted(value, shared)))
            }
            Truth::All(parts) => all(parts, row),
            Truth::Any(parts) => any_of(parts, row),
            Truth::Not(part) => Ok(part.eval(row)?.map(|truth| !truth)),
            Truth::Case(case) => case.chosen(row)?.eval(row),
            Truth::Coalesce(parts) => {
                for part in parts {
                    if let Some(truth) = part.eval(row)? {
                        return Ok(Some(truth));
                    }
                }
                Ok(None)
            }
            Truth::IsNull(of) => of.is_null(row).map(Some),
            other => other.compared(row),
        }
    }

    /// Returns the truth of a comparison, or of a test of text.
    fn compared(&self, row: &Row) -> Three {
        Ok(match self {
            Truth::Numbers(operator, of) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(a), Some(b)) => Some(operator.holds(a.cmp(&b))),
                _ => None,
            },
            Truth::Texts(operator, of) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(a), Some(b)) => Some(operator.holds(a.as_ref().cmp(b.as_ref()))),
                _ => None,
            },
            Truth::Instants(operator, of) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(a), Some(b)) => Some(operator.holds(a.cmp(&b))),
                _ => None,
            },
            Truth::Truths(operator, of) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(a), Some(b)) => Some(operator.holds(a.cmp(&b))),
                _ => None,
            },
            Truth::Values(operator, of, shared) => {
                let (a, b) = (of.0.value(row)?, of.1.value(row)?);
                match a.is_missing() || b.is_missing() {
                    true => None,
                    false => compare(*operator, a, b).or_else(|| counted(a, shared)),
                }
            }
            Truth::Like(text, like) => text.eval(row)?.map(|text| like.holds(&text)),
            Truth::Matches(text, regex) => text.eval(row)?.map(|text| regex.is_match(&text)),
            Truth::Contains(any, part) => contains(any, part, row)?,
            Truth::OfTexts(test, of) => match (of.0.eval(row)?, of.1.eval(row)?) {
                (Some(a), Some(b)) => Some(test(&a, &b)),
                _ => None,
            },
            Truth::OfNum(of) => of.eval(row)?.map(|number| number != Number::Int(0)),
            Truth::OfText(of, place, lenient) => match of.eval(row)? {
                None => None,
                Some(text) => match spelled_truth(&text) {
                    None if !lenient => return Err(WhyKind::NotATruth.at(*place)),
                    truth => truth,
                },
            },
            _ => None,
        })
    }
}

/// Three-valued `and`: false as soon as a part is false.
fn all(parts: &[Truth], row: &Row) -> Three {
    let mut result = Some(true);
    for part in parts {
        match part.eval(row)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => result = None,
        }
    }
    Ok(result)
}

/// Three-valued `or`: true as soon as a part is true.
fn any_of(parts: &[Truth], row: &Row) -> Three {
    let mut result = Some(false);
    for part in parts {
        match part.eval(row)? {
            Some(false) => {}
            Some(true) => return Ok(Some(true)),
            None => result = None,
        }
    }
    Ok(result)
}

/// Counts a value that is there and nevertheless makes a comparison null.
#[cold]
fn counted(value: Value<'_>, shared: &Shared) -> Option<bool> {
    if !value.is_missing() && !shared.nulls.contain(value) {
        shared.count_other_kind();
    }
    None
}

/// Returns the truth value of a field.
pub(super) fn truth_of(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(truth),
        Value::Untyped(text) => spelled_truth(text),
        _ => None,
    }
}

fn spelled_truth(text: &str) -> Option<bool> {
    match text.trim_ascii() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Returns true if an element of an array is equal to `part`, or if the text of any other value
/// contains it.
fn contains(any: &Any, part: &TextLiteral, row: &Row) -> Three {
    let value = any.value(row)?;
    Ok(match value {
        Value::Json(text) if text.starts_with('[') => {
            Some(any_element(text, |element| part.compares(Operator::Equal, element) == Some(true)))
        }
        value => crate::row::text::text_of(value).map(|text| text.contains(&part.text)),
    })
}

impl Typed {
    /// Returns true if there is no value.
    fn is_null(&self, row: &Row) -> Result<bool, Why> {
        Ok(match self {
            Typed::Any(any) => any.value(row)?.is_missing(),
            Typed::Num(num) => num.eval(row)?.is_none(),
            Typed::Text(text) => text.eval(row)?.is_none(),
            Typed::Truth(truth) => truth.eval(row)?.is_none(),
            Typed::Instant(instant) => instant.eval(row)?.is_none(),
            Typed::Lookup(lookup) => lookup.value(row)?.is_missing(),
        })
    }
}

impl Literals {
    pub(super) fn new(literals: Vec<Literal>, has_null: bool) -> Self {
        /// From here on a search pays.
        const MANY: usize = 8;
        let mut texts = Vec::new();
        if literals.len() >= MANY {
            let spelled_once = |literal: &Literal| match literal {
                Literal::Text(text) if text.is_spelled_once() => Some(text.text.as_str().into()),
                _ => None,
            };
            texts = literals.iter().filter_map(spelled_once).collect();
            texts.sort_unstable();
        }
        if texts.len() < literals.len() {
            texts.clear();
        }
        Literals { literals: literals.into(), has_null, texts: texts.into() }
    }

    /// Returns true if a value is one of the literals. Returns `None` if the value is missing, if
    /// it can be compared with no literal, or if it equals none of them and null is a literal.
    fn contain(&self, value: Value<'_>) -> Option<bool> {
        if value.is_missing() {
            return None;
        }
        let found = match value {
            Value::Text(text) | Value::Untyped(text) if !self.texts.is_empty() => {
                Some(self.texts.binary_search_by(|known| (**known).cmp(text)).is_ok())
            }
            value => self.contain_slowly(value),
        };
        match found {
            Some(false) if self.has_null => None,
            found => found,
        }
    }

    fn contain_slowly(&self, value: Value<'_>) -> Option<bool> {
        let mut result = None;
        for literal in &self.literals {
            match literal.compares(Operator::Equal, value) {
                Some(true) => return Some(true),
                Some(false) => result = Some(false),
                None => {}
            }
        }
        result
    }
}
