//! What comparisons and markers of missing values depend on beyond themselves: the event time, and
//! what fields are used for.

use super::row_aggregate::{Plan, RowTest};
use crate::error::{Error, ErrorKind};
use crate::query::aggregates::Function;
use crate::query::literal::{Literal, Operator};
use crate::query::predicate::Predicate;
use crate::row::null::Nulls;
use crate::row::time_field::TimeField;

/// Makes the text that is compared with the event time a time.
///
/// # Errors
/// [`ErrorKind::Parse`] if it is to come before or after the event time and is not a time.
pub(super) fn compare_with_event_time(
    filter: &mut [Predicate],
    calls: &mut [Function],
    (time, name): (&TimeField, &str),
) -> Result<(), Error> {
    let mut compare = |slot: usize, compared: Option<(Operator, &mut Literal)>| {
        let Some((operator, Literal::Text(text))) = compared else { return Ok(()) };
        if slot != time.slot || text.compare_as_event_time(&time.format) || !operator.orders() {
            return Ok(());
        }
        let message = format!(
            "{name} is the event time, and {:?} is not a time: write it as '2025-10-26', \
             '2025-10-26T10:00:00Z' or in the time format",
            text.text
        );
        Err(Error::new(ErrorKind::Parse, message))
    };
    filter.iter_mut().try_for_each(|predicate| predicate.each_field(&mut compare))?;
    calls.iter_mut().try_for_each(|call| match call {
        Function::Frequency(slot, literal) => compare(*slot, Some((Operator::Equal, literal))),
        _ => Ok(()),
    })
}

/// The slots of the fields whose markers of missing values count in every function: with a list of
/// markers all of them, and otherwise those that are used as numbers. Of the latter only those are
/// given that are used otherwise, too: where a number is read, markers count anyway.
pub(super) fn marked_slots(
    filter: &mut [Predicate],
    plan: &Plan,
    group: &[(String, usize)],
    (nulls, slots): (&Nulls, usize),
) -> Vec<usize> {
    if *nulls != Nulls::Usual {
        return (0..slots).collect();
    }
    let (mut numbers, mut others) = (plan.numbers.clone(), plan.keys.clone());
    others.extend(group.iter().map(|(_, slot)| *slot));
    for test in &plan.tests {
        others.push(test.slot());
        if let RowTest::Equal(slot, Literal::Number(_)) = test {
            numbers.push(*slot);
        }
    }
    for predicate in filter {
        // Nothing is refused here.
        let _ = predicate.each_field(&mut |slot, compared| {
            others.push(slot);
            numbers.extend(matches!(compared, Some((_, Literal::Number(_)))).then_some(slot));
            Ok(())
        });
    }
    (0..slots).filter(|slot| numbers.contains(slot) && others.contains(slot)).collect()
}
