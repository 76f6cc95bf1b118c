//! The windows of one group, by their start: one of them mostly, seldom many.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// More windows than this are in a tree, so that none costs a long move of the others.
const FEW_MAX: usize = 16;

/// Values by the start of their window. Starts are distinct.
#[derive(Clone, Debug)]
pub(crate) enum ByStart<T> {
    /// In place, because most groups have one window.
    One(i64, T),
    /// In the order of starts. Empty where there is no window.
    Few(Vec<(i64, T)>),
    Many(BTreeMap<i64, T>),
}

impl<T> ByStart<T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            ByStart::One(..) => 1,
            ByStart::Few(few) => few.len(),
            ByStart::Many(many) => many.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the last window that starts in the range.
    #[inline]
    pub(crate) fn last_in(&self, range: RangeInclusive<i64>) -> Option<(i64, &T)> {
        match self {
            ByStart::One(start, value) => range.contains(start).then_some((*start, value)),
            ByStart::Few(few) => {
                let after = few.partition_point(|(start, _)| start <= range.end());
                let (start, value) = few.get(after.checked_sub(1)?)?;
                range.contains(start).then_some((*start, value))
            }
            ByStart::Many(_) if range.is_empty() => None,
            ByStart::Many(many) => {
                many.range(range).next_back().map(|(start, value)| (*start, value))
            }
        }
    }

    /// Returns the first window that starts in the range.
    #[inline]
    pub(crate) fn first_in(&self, range: RangeInclusive<i64>) -> Option<(i64, &T)> {
        match self {
            ByStart::One(start, value) => range.contains(start).then_some((*start, value)),
            ByStart::Few(few) => {
                let at = few.partition_point(|(start, _)| start < range.start());
                let (start, value) = few.get(at)?;
                range.contains(start).then_some((*start, value))
            }
            ByStart::Many(_) if range.is_empty() => None,
            ByStart::Many(many) => many.range(range).next().map(|(start, value)| (*start, value)),
        }
    }

    /// Returns the window that starts at this time.
    #[inline]
    pub(crate) fn get_mut(&mut self, start: i64) -> Option<&mut T> {
        match self {
            ByStart::One(one, value) => (*one == start).then_some(value),
            ByStart::Few(few) => {
                let at = few.binary_search_by_key(&start, |(start, _)| *start).ok()?;
                few.get_mut(at).map(|(_, value)| value)
            }
            ByStart::Many(many) => many.get_mut(&start),
        }
    }

    /// Adds a window whose start has none.
    pub(crate) fn insert(&mut self, start: i64, value: T) {
        match std::mem::replace(self, ByStart::Few(Vec::new())) {
            ByStart::One(first, one) => {
                let new = (start, value);
                let two = if first < start { [(first, one), new] } else { [new, (first, one)] };
                *self = ByStart::Few(two.into());
            }
            ByStart::Few(few) if few.is_empty() => *self = ByStart::One(start, value),
            ByStart::Few(mut few) if few.len() < FEW_MAX => {
                few.insert(few.partition_point(|(other, _)| *other < start), (start, value));
                *self = ByStart::Few(few);
            }
            ByStart::Few(few) => {
                *self = ByStart::Many(few.into_iter().chain([(start, value)]).collect());
            }
            ByStart::Many(mut many) => {
                many.insert(start, value);
                *self = ByStart::Many(many);
            }
        }
    }

    /// Removes the window that starts at this time.
    pub(crate) fn remove(&mut self, start: i64) -> Option<T> {
        match self {
            ByStart::One(other, _) => {
                if *other != start {
                    return None;
                }
                match std::mem::replace(self, ByStart::Few(Vec::new())) {
                    ByStart::One(_, value) => Some(value),
                    _ => None,
                }
            }
            ByStart::Few(few) => {
                let at = few.binary_search_by_key(&start, |(start, _)| *start).ok()?;
                Some(few.remove(at).1)
            }
            ByStart::Many(many) => many.remove(&start),
        }
    }

    /// Returns the window if there is one only.
    #[inline]
    pub(crate) fn into_one(self) -> Option<T> {
        match self {
            ByStart::One(_, value) => Some(value),
            _ => None,
        }
    }

    /// Returns all windows, by their start.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &T)> {
        let (one, few, many) = match self {
            ByStart::One(start, value) => (Some((*start, value)), None, None),
            ByStart::Few(few) => (None, Some(few), None),
            ByStart::Many(many) => (None, None, Some(many)),
        };
        let few = few.into_iter().flatten().map(|(start, value)| (*start, value));
        let many = many.into_iter().flatten().map(|(start, value)| (*start, value));
        one.into_iter().chain(few).chain(many)
    }

    /// Returns all windows, by their start.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (i64, &mut T)> {
        let (one, few, many) = match self {
            ByStart::One(start, value) => (Some((*start, value)), None, None),
            ByStart::Few(few) => (None, Some(few), None),
            ByStart::Many(many) => (None, None, Some(many)),
        };
        let few = few.into_iter().flatten().map(|(start, value)| (*start, value));
        let many = many.into_iter().flatten().map(|(start, value)| (*start, value));
        one.into_iter().chain(few).chain(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Compares with an ordered map.
        #[test]
        fn windows_of_a_group_are_an_ordered_map(
            steps in prop::collection::vec((0i64..60, any::<bool>(), -5i64..70, -5i64..70), 0..200),
        ) {
            let mut windows = ByStart::Few(Vec::new());
            let mut model = BTreeMap::new();
            for (start, opens, from, to) in steps {
                match opens && !model.contains_key(&start) {
                    true => {
                        windows.insert(start, from);
                        model.insert(start, from);
                    }
                    false => prop_assert_eq!(windows.remove(start), model.remove(&start)),
                }
                let mut within =
                    model.iter().filter(|(start, _)| (from..=to).contains(*start));
                let expected = |found: Option<(&i64, &i64)>| found.map(|(start, to)| (*start, *to));
                let first = windows.first_in(from..=to).map(|(start, value)| (start, *value));
                prop_assert_eq!(first, expected(within.clone().next()));
                let last = windows.last_in(from..=to).map(|(start, value)| (start, *value));
                prop_assert_eq!(last, expected(within.next_back()));
                let all: Vec<_> = windows.iter().map(|(start, value)| (start, *value)).collect();
                let known: Vec<_> = model.iter().map(|(start, value)| (*start, *value)).collect();
                prop_assert_eq!(&all, &known);
                let all: Vec<_> = windows.iter_mut().map(|(start, to)| (start, *to)).collect();
                prop_assert_eq!(all, known);
                let at = windows.get_mut(from).map(|value| *value);
                prop_assert_eq!(at, model.get(&from).copied());
                prop_assert_eq!((windows.len(), windows.is_empty()), (model.len(), model.is_empty()));
            }
        }
    }
}
