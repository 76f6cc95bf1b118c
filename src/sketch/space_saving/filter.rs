//! The filter for keys without a row: hashed counters that decide when a key gets a row.
//!
//! A cell is an upper bound for the count of every key without a row that hashes to it. The *floor*
//! is the largest count that ever lost its row. While the bound is below the floor, the key stays
//! in its cell. When its count may have passed the floor, it gets a row, with the bound of the cell
//! as its error (Homem and Carvalho, *Finding top-k elements in data streams*, Information Sciences
//! 180, 2010).
//!
//! A cell is stored as its distance to the floor, its *slack*. The test in the hot path is then one
//! comparison, and 4 bytes are enough at any total. A slack that does not fit is cut, which only
//! raises the bound.
//!
//! The keys that share a cell affect the answers, so cells are found by the stable hash with the
//! sketch's seed.

use crate::codec::{Reader, Writer};
use crate::error::Error;

/// Cells per counter of the capacity.
///
/// More cells give a lower floor and fewer new rows. With 16 the filter takes about as many bytes
/// as the rows of integer keys.
const CELLS_PER_COUNTER: usize = 16;

/// Upper bounds for keys without a row. Without cells all of these keys have the floor as bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    slacks: Vec<u32>,
    shift: u32,
    /// The largest bound of a key without a row.
    floor: u64,
}

impl Filter {
    /// Returns true if no key has ever lost its row.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.floor == 0
    }

    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    #[inline(always)]
    fn cell(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    /// Counts a key without a row. Returns `None` if its cell absorbed the weight. Returns the
    /// bound before this weight if the key must get a row.
    #[inline(always)]
    pub(super) fn admit(&mut self, hash: u64, weight: u64) -> Option<u64> {
        let index = self.cell(hash);
        let Some(slack) = self.slacks.get_mut(index) else { return Some(self.floor) };
        if weight <= u64::from(*slack) {
            *slack -= weight as u32;
            return None;
        }
        Some(self.floor - u64::from(*slack))
    }

    /// Returns the largest possible count of this key, which has no row.
    pub(super) fn bound(&self, hash: u64) -> u64 {
        let slack = self.slacks.get(self.cell(hash)).copied().unwrap_or(0);
        self.floor.saturating_sub(u64::from(slack))
    }

    /// Returns the largest possible count of any key without a row.
    pub(super) fn bound_max(&self) -> u64 {
        self.floor - u64::from(self.slacks.iter().copied().min().unwrap_or(0))
    }

    /// Raises the floor. Creates the cells when the floor leaves 0. No cell's bound changes.
    pub(super) fn raise(&mut self, floor: u64, capacity: usize) {
        let by = u32::try_from(floor.saturating_sub(self.floor)).unwrap_or(u32::MAX);
        if self.slacks.is_empty() && floor > 0 {
            let cells = (capacity * CELLS_PER_COUNTER).next_power_of_two();
            self.slacks = vec![0; cells];
            self.shift = 64 - cells.trailing_zeros();
        }
        self.floor = self.floor.max(floor);
        if self.floor <= u64::from(u32::MAX) {
            // No slack is above the floor. This addition is one of vector registers.
            self.slacks.iter_mut().for_each(|slack| *slack = slack.wrapping_add(by));
        } else {
            self.slacks.iter_mut().for_each(|slack| *slack = slack.saturating_add(by));
        }
    }

    /// Covers a key that loses its row: raises the bound of its cell to at least its count.
    pub(super) fn cover(&mut self, hash: u64, count: u64) {
        let most = u32::try_from(self.floor.saturating_sub(count)).unwrap_or(u32::MAX);
        let index = self.cell(hash);
        if let Some(slack) = self.slacks.get_mut(index) {
            *slack = (*slack).min(most);
        }
    }

    /// Adds the bounds of `other`. If the sizes differ, the larger filter is folded to the smaller.
    pub(super) fn merge(&mut self, other: &Filter) {
        if other.is_idle() {
            return;
        }
        if self.is_idle() {
            *self = other.clone();
            return;
        }
        if self.slacks.is_empty() {
            // Without cells every key is at the floor, which is a slack of 0 in any number of
            // cells.
            (self.slacks, self.shift) = (other.slacks.clone(), other.shift);
            return self.add_floor(other.floor);
        }
        if other.slacks.is_empty() {
            return self.add_floor(other.floor);
        }
        let cells = self.slacks.len().min(other.slacks.len());
        self.fold_to(cells);
        let mut folded;
        let mut other = other;
        if other.slacks.len() > cells {
            folded = other.clone();
            folded.fold_to(cells);
            other = &folded;
        }
        self.slacks.iter_mut().zip(&other.slacks).for_each(|(a, b)| *a = a.saturating_add(*b));
        self.add_floor(other.floor);
    }

    /// Adds to the floor, and to each cell's bound. If the sum passes the largest count, the excess
    /// is taken off the slacks, so that no bound falls.
    fn add_floor(&mut self, floor: u64) {
        let excess = floor.saturating_sub(u64::MAX - self.floor);
        if excess > 0 {
            let excess = u32::try_from(excess).unwrap_or(u32::MAX);
            self.slacks.iter_mut().for_each(|slack| *slack = slack.saturating_sub(excess));
        }
        self.floor = self.floor.saturating_add(floor);
    }

    /// Folds the cells to the number that a new filter of that capacity has.
    pub(super) fn shrink_to(&mut self, capacity: usize) {
        self.fold_to((capacity * CELLS_PER_COUNTER).next_power_of_two());
    }

    /// Returns true if there are cells, so that keys without a row have different bounds.
    pub(super) fn has_cells(&self) -> bool {
        !self.slacks.is_empty()
    }

    /// Drops the cells: every key without a row has the floor as bound, which is raised to at least
    /// `floor`. The next cut creates new cells.
    pub(super) fn give_up_cells(&mut self, floor: u64) {
        *self = Filter { floor: self.floor.max(floor), ..Filter::default() };
    }

    /// Writes the floor and, if it is not 0, the cells.
    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u64(self.floor);
        if self.floor > 0 {
            writer.usize(self.slacks.len());
            writer.counters(self.slacks.iter().map(|slack| u64::from(*slack)));
        }
    }

    /// Reads a filter that has at most the cells of a filter of that capacity.
    pub(super) fn decode(reader: &mut Reader<'_>, capacity: usize) -> Result<Filter, Error> {
        let floor = reader.u64()?;
        let mut filter = Filter { floor, ..Filter::default() };
        if floor == 0 {
            return Ok(filter);
        }
        let cells = reader.usize()?;
        let cells_max = (capacity * CELLS_PER_COUNTER).next_power_of_two();
        if cells > cells_max || cells == 1 || (cells > 0 && !cells.is_power_of_two()) {
            return Err(reader.corrupt(&format!(
                "{cells} cells of a filter: none, or a power of two up to {cells_max}"
            )));
        }
        if cells > 0 {
            (filter.slacks, filter.shift) = (vec![0; cells], 64 - cells.trailing_zeros());
            let slack_max = u32::try_from(floor).unwrap_or(u32::MAX);
            let mut largest = 0;
            let slacks = &mut filter.slacks;
            reader.counters(cells, |cell, slack| {
                largest = largest.max(slack);
                slacks[cell] = u32::try_from(slack).unwrap_or(u32::MAX);
            })?;
            if largest > u64::from(slack_max) {
                return Err(reader.corrupt("a cell of a filter lies below 0"));
            }
        }
        Ok(filter)
    }

    fn fold_to(&mut self, cells: usize) {
        while self.slacks.len() > cells.max(1) {
            // The index of a cell is the top bits of the hash. Half the cells drop the last bit, so
            // neighbours become one cell with the higher bound.
            self.slacks =
                self.slacks.chunks(2).map(|pair| pair.iter().copied().min().unwrap_or(0)).collect();
            self.shift = 64 - self.slacks.len().trailing_zeros();
        }
    }

    /// Returns the bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.slacks.capacity() * size_of::<u32>()
    }
}
