//! Functions by name.

use super::super::lowering::Lowering;
use super::super::tree::Typed;
use super::function::{Call, Function};
use super::{numbers, reference, texts, times};
use crate::error::Error;
use crate::nearest::nearest;
use crate::query::aggregates::{is_aggregate, near_aggregate};
use crate::query::expression::{Id, Node};

/// Returns the functions of expressions, each as it is written, with a line of help.
///
/// # Example
/// ```
/// let (written, help) = streamgauge::rows::functions().next().expect("there are functions");
/// assert_eq!((written.as_str(), help), ("abs(x)", "The number without its sign."));
/// ```
pub fn functions() -> impl Iterator<Item = (String, &'static str)> {
    all().map(|function| {
        let name = function.names.first().copied().unwrap_or_default();
        (format!("{name}({})", function.arguments), function.help)
    })
}

/// Returns all functions.
fn all() -> impl Iterator<Item = &'static Function> {
    let functions = numbers::FUNCTIONS.iter().chain(texts::FUNCTIONS).chain(times::FUNCTIONS);
    functions.chain(reference::FUNCTIONS)
}

impl Lowering<'_> {
    /// Returns the function that a node calls.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if no function has the name, or it does not
    /// take these arguments.
    pub(in crate::rows::evaluate) fn called(&self, id: Id) -> Result<&'static Function, Error> {
        let ast = self.ast;
        let Node::Call { name, args, star, distinct, by, filter } = ast.node(id) else {
            return Err(ast.error(id, "a function is needed here"));
        };
        let mut known = all();
        let Some(function) = known.find(|function| function.names.contains(&&**name)) else {
            return Err(self.unknown(id, name));
        };
        let aggregates_only = [
            (*star, "*"),
            (*distinct, "distinct"),
            (by.is_some(), "by"),
            (filter.is_some(), "filter"),
        ];
        if let Some((_, word)) = aggregates_only.iter().find(|(given, _)| *given) {
            let why = format!("{name} is a function of a record, and {word} is for aggregates");
            return Err(ast.error(id, why));
        }
        let (least, most) = function.count;
        if !(least..=most).contains(&args.len()) {
            let (arguments, given) = (function.arguments, args.len());
            let why = format!("{name} is written {name}({arguments}), not with {given} arguments");
            return Err(ast.error(id, why));
        }
        Ok(function)
    }

    /// Lowers a call.
    pub(in crate::rows::evaluate) fn call(&mut self, id: Id) -> Result<Typed, Error> {
        let (ast, function) = (self.ast, self.called(id)?);
        let args: &[Id] = match ast.node(id) {
            Node::Call { args, .. } => args,
            _ => &[],
        };
        (function.lower)(self, Call { id, args })
    }

    #[cold]
    fn unknown(&self, id: Id, name: &str) -> Error {
        if is_aggregate(name) {
            let why = format!("{name} is an aggregate of many records, and here is one record");
            return self.ast.error(id, why);
        }
        if name == "timezone" {
            let why = "AT TIME ZONE is for the time of a window; date_trunc, date_part and strftime \
                       take a zone as their last argument";
            return self.ast.error(id, why);
        }
        let known = all().flat_map(|function| function.names.iter().copied());
        let near = nearest(name, known);
        // In a list of columns an aggregate may be meant.
        let near = if near.is_empty() { near_aggregate(name) } else { near };
        self.ast.error(id, format!("there is no function {name}{near}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_name_of_its_own_and_help() {
        let mut names: Vec<_> = all().flat_map(|function| function.names).collect();
        let before = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), before);
        for function in all() {
            assert!(function.help.ends_with('.') && function.help.len() <= 100, "{function:?}");
            assert!(function.count.0 <= function.count.1, "{function:?}");
            assert!(function.names.iter().all(|name| !is_aggregate(name)), "{function:?}");
        }
    }
}
