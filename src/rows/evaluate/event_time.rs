//! An event time that is computed, and the range of times that are kept.

use super::expressions::Condition;
use super::names::{Kind, Names};
use super::tree::{Instant, Reading, Truth};
use super::values::Values;
use crate::error::Error;
use crate::query::expression::{Ast, Id, Node};
use crate::query::literal::Operator;
use crate::row::TimeFormat;
use crate::row::time_field::TimeField;
use crate::time::Timestamp;

impl Values {
    /// Lowers the expression of the event time. A time is computed as milliseconds; any other value
    /// is read in `format` as a field is.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, for a value that cannot be a
    /// time.
    pub(in crate::rows) fn event_time(
        &mut self,
        (ast, id): (&Ast, Id),
        format: Option<TimeFormat>,
    ) -> Result<TimeField, Error> {
        let named = self.named(ast, id)?;
        let written = ast.written(id);
        let field = match (named.kind, format) {
            (Kind::Time, Some(_)) => {
                let why = format!("{written} is a time already, and no time_format reads it");
                return Err(ast.error(id, why));
            }
            (Kind::Time, None) => {
                let (ast, id) = millis_of(ast, id)?;
                TimeField::new(self.slot(&ast, id)?, TimeFormat::Millis)
            }
            (Kind::Field | Kind::Text | Kind::Number, format) => {
                TimeField::new(named.slot, format.unwrap_or_default())
            }
            (kind, _) => {
                let why = format!("{written} is {}, and a time is needed here", kind.words());
                return Err(ast.error(id, why));
            }
        };
        self.names.time = Some(field.clone());
        Ok(field)
    }
}

impl Condition {
    /// Creates a condition on the event time, whose expression is computed.
    pub(in crate::rows) fn of_time(
        field: &TimeField,
        (operator, bound): (Operator, Timestamp),
        names: &Names,
    ) -> Self {
        let shared = names.shared.clone();
        let reading = Reading { slot: field.slot, place: 0, lenient: true, shared };
        let time = Instant::Field(reading, field.format.clone());
        let bound = Instant::Const(bound.as_millis());
        Condition::new(Truth::Instants(operator, Box::new((time, bound))), vec![field.slot])
    }
}

/// Returns the call of `epoch_ms` with an expression.
fn millis_of(ast: &Ast, id: Id) -> Result<(Ast, Id), Error> {
    let (mut ast, place) = (ast.clone(), ast.place(id));
    let call = Node::Call {
        name: "epoch_ms".into(),
        args: Box::new([id]),
        star: false,
        distinct: false,
        by: None,
        filter: None,
    };
    let call = ast.add((place.start as usize, place.end as usize), call)?;
    Ok((ast, call))
}
