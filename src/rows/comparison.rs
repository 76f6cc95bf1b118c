//! What comparisons and markers of missing values depend on beyond themselves: the event time, and
//! what fields are used for.

use super::evaluate::Names;
use super::row_aggregate::{Plan, RowTest};
use crate::query::aggregates::Function;
use crate::query::literal::Literal;
use crate::row::null::Nulls;
use crate::row::time_field::TimeField;

/// Makes the text that is compared with the event time a time, where it is one.
pub(super) fn compare_with_event_time(calls: &mut [Function], time: &TimeField) {
    for call in calls {
        if let Function::Frequency(slot, Literal::Text(text)) = call
            && *slot == time.slot
        {
            text.compare_as_event_time(&time.format);
        }
    }
}

/// The slots of the fields whose markers of missing values count in every function: with a list of
/// markers all of them, and otherwise those that are used as numbers. Of the latter only those are
/// given that are used otherwise, too: where a number is read, markers count anyway.
pub(super) fn marked_slots(
    names: &Names,
    plan: &Plan,
    group: &[(String, usize)],
    nulls: &Nulls,
) -> Vec<usize> {
    let slots = 0..names.fields.names().len();
    if *nulls != Nulls::Usual {
        return slots.collect();
    }
    let mut numbers = plan.numbers.clone();
    let mut others: Vec<usize> = plan.keys.iter().flatten().copied().collect();
    numbers.extend(&names.numbers);
    others.extend(&names.others);
    others.extend(group.iter().map(|(_, slot)| *slot));
    for test in &plan.tests {
        others.push(test.slot());
        if let RowTest::Equal(slot, Literal::Number(_)) = test {
            numbers.push(*slot);
        }
    }
    slots.filter(|slot| numbers.contains(slot) && others.contains(slot)).collect()
}
