//! The memory of a group, by the number of its records.

use super::row_aggregate::{STATES_INLINE, StateSpec};

/// The numbers of records for which the bytes are known.
const RECORDS: [u64; 6] = [1, 2, 10, 100, 1_000, 10_000];

/// The bytes of a group at each of [`RECORDS`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct GroupMemory([u32; RECORDS.len()]);

/// Bytes of a group with up to three small states, and with up to one: its row, and its share of
/// the index and of the room that the rows have left.
const ROW: u32 = 150;
const NARROW_ROW: u32 = 100;

/// Bytes of a state that does not fit into the row.
const STATE: u32 = 24;

/// Bytes of the key, the timer and the places of a group that has windows of its own.
const OWN_WINDOWS: u32 = 300;

impl GroupMemory {
    /// Returns the memory of a group with these states, with windows of its own or without.
    pub(super) fn of(states: &[StateSpec], own_windows: bool) -> Self {
        // The number of records is in the row in any case.
        let held = states.iter().filter(|state| !state.is_records()).count();
        let spilled = if held > STATES_INLINE { held as u32 * STATE } else { 0 };
        let windows = if own_windows { OWN_WINDOWS } else { 0 };
        let row = windows + if held > 1 { ROW } else { NARROW_ROW };
        let mut bytes = [row + spilled; RECORDS.len()];
        for heap in states.iter().map(heap_bytes) {
            bytes.iter_mut().zip(heap).for_each(|(sum, heap)| *sum += heap);
        }
        GroupMemory(bytes)
    }

    /// Returns the bytes of a group with this number of records. Between two known numbers the
    /// logarithms are interpolated.
    pub(super) fn bytes(&self, records: u64) -> usize {
        let known = RECORDS.iter().zip(self.0);
        let above = known.clone().find(|(known, _)| **known >= records);
        let below = known.take_while(|(known, _)| **known <= records).last();
        match (below, above) {
            (Some((low, from)), Some((high, to))) if low < high => {
                let ln = |number: u64| (number as f64).ln();
                let share = (ln(records) - ln(*low)) / (ln(*high) - ln(*low));
                let (from, to) = (f64::from(from).ln(), f64::from(to).ln());
                (from + (to - from) * share).exp() as usize
            }
            (Some((_, bytes)), _) | (None, Some((_, bytes))) => bytes as usize,
            (None, None) => 0,
        }
    }
}

/// Returns what a state has on the heap at each of [`RECORDS`], as measured by
/// `tests/spec/memory.rs`. Most records of a group have keys of their own.
fn heap_bytes(state: &StateSpec) -> [u32; RECORDS.len()] {
    match state {
        // Integers have nothing there, and floats an exact sum of 70 to 160 bytes.
        StateSpec::Sum(..) => [30; 6],
        StateSpec::Squares(..) => [190; 6],
        StateSpec::First(..) | StateSpec::Last(..) => [48; 6],
        StateSpec::MinBy(..) | StateSpec::MaxBy(..) => [60; 6],
        StateSpec::Histogram(..) => [0, 90, 320, 2_300, 3_300, 4_000],
        StateSpec::Buckets(..) => [200, 200, 250, 300, 330, 350],
        StateSpec::Distinct(..) => [0, 40, 100, 1_250, 9_300, 16_850],
        StateSpec::Top(..) | StateSpec::Heaviest(..) => [72, 110, 480, 7_350, 75_000, 510_000],
        _ => [0; 6],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_between_two_known_numbers_are_between_their_bytes() {
        let memory = GroupMemory([100, 200, 300, 400, 450, 500]);
        let bytes = |records| memory.bytes(records);
        assert_eq!([0, 1, 2, 10, 10_000, 1 << 40].map(bytes), [100, 100, 200, 300, 500, 500]);
        let ascending: Vec<usize> = (1..20_000).map(bytes).collect();
        assert!(ascending.is_sorted() && ascending.last() == Some(&500), "{ascending:?}");
    }
}
