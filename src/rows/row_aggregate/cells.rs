//! The states of one group: in the row of a table if there are few of them.

use super::cell::Cell;

/// Up to this number of states are stored inline, where there may be several.
pub(in crate::rows) const STATES_INLINE: usize = 3;

/// The number of records of a group, and its other states in the order of their specifications.
#[derive(Clone, Debug)]
pub(in crate::rows) struct Cells<const INLINE: usize = STATES_INLINE> {
    pub(super) records: u64,
    states: States<INLINE>,
}

#[derive(Clone, Debug)]
enum States<const INLINE: usize> {
    /// Those past the last state are vacant.
    Few([Cell; INLINE]),
    Many(Box<[Cell]>),
}

impl<const INLINE: usize> Cells<INLINE> {
    /// Returns vacant cells for a number of states.
    #[inline]
    pub(super) fn vacant(states: usize) -> Self {
        let states = match states <= INLINE {
            true => States::Few([const { Cell::Vacant }; INLINE]),
            false => States::Many(std::iter::repeat_n(Cell::Vacant, states).collect()),
        };
        Cells { records: 0, states }
    }

    /// Returns the cells of the states. There may be vacant ones after them.
    #[inline(always)]
    pub(super) fn states(&self) -> &[Cell] {
        match &self.states {
            States::Few(cells) => cells,
            States::Many(cells) => cells,
        }
    }

    /// As [`states`](Cells::states), to be changed.
    #[inline(always)]
    pub(super) fn states_mut(&mut self) -> &mut [Cell] {
        match &mut self.states {
            States::Few(cells) => cells,
            States::Many(cells) => cells,
        }
    }

    /// Returns the bytes of the cells that are not inline, without what they have on the heap.
    #[inline(always)]
    pub(super) fn spilled_bytes(&self) -> usize {
        match &self.states {
            States::Few(_) => 0,
            States::Many(cells) => size_of_val(&**cells),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_a_row_are_ten_words_or_four() {
        assert_eq!((size_of::<Cells>(), size_of::<Cells<1>>()), (80, 32));
        let places = |states| Cells::<STATES_INLINE>::vacant(states).states().len();
        assert_eq!([0, 3, 4].map(places), [3, 3, 4]);
    }
}
