//! What is known of keys that have no row: hashed counters that decide when a key gets one.
//!
//! A cell bounds the count of every key without a row that hashes into it. Below the *floor* (the
//! largest count that ever lost its row) a key stays in its cell; only when it might have passed
//! the floor it gets a row, with the cell as its error (Homem and Carvalho, *Finding top-k elements
//! in data streams*, Information Sciences 180, 2010).
//!
//! A cell is held as its distance to the floor, its *slack*: the test of the hot path is then one
//! comparison, 4 bytes do at any total, and where they do not the slack is cut, which only raises
//! the bound.
//!
//! Which keys share a cell shows in the answers, so cells are found by the stable hash under the
//! sketch's seed.

use crate::codec::{Reader, Writer};
use crate::error::Error;

/// Cells per counter of the capacity.
///
/// More cells are a lower floor and fewer admissions; at 16 the filter takes about as many bytes as
/// the rows of integer keys.
const CELLS_PER_COUNTER: usize = 16;

/// Bounds of the keys without a row; without cells all of them are at the floor.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    slacks: Vec<u32>,
    shift: u32,
    /// The bound of any key without a row.
    floor: u64,
}

impl Filter {
    /// Whether no key has ever lost its row.
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

    /// Counts a key without a row: `None` if its cell took the weight, or its bound before the
    /// weight if it is to get a row.
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

    /// The most that a key without a row can have come.
    pub(super) fn bound(&self, hash: u64) -> u64 {
        let slack = self.slacks.get(self.cell(hash)).copied().unwrap_or(0);
        self.floor.saturating_sub(u64::from(slack))
    }

    /// The most that any key without a row can have come.
    pub(super) fn bound_max(&self) -> u64 {
        self.floor - u64::from(self.slacks.iter().copied().min().unwrap_or(0))
    }

    /// Raises the floor, and makes the cells when it leaves 0; no cell's bound changes.
    pub(super) fn raise(&mut self, floor: u64, capacity: usize) {
        let by = u32::try_from(floor.saturating_sub(self.floor)).unwrap_or(u32::MAX);
        if self.slacks.is_empty() && floor > 0 {
            let cells = (capacity * CELLS_PER_COUNTER).next_power_of_two();
            self.slacks = vec![0; cells];
            self.shift = 64 - cells.trailing_zeros();
        }
        self.slacks.iter_mut().for_each(|slack| *slack = slack.saturating_add(by));
        self.floor = self.floor.max(floor);
    }

    /// Covers a key that loses its row: its cell's bound is at least its count.
    pub(super) fn cover(&mut self, hash: u64, count: u64) {
        let most = u32::try_from(self.floor.saturating_sub(count)).unwrap_or(u32::MAX);
        let index = self.cell(hash);
        if let Some(slack) = self.slacks.get_mut(index) {
            *slack = (*slack).min(most);
        }
    }

    /// The bounds of both streams together. Filters of unequal sizes are folded to the smaller one.
    pub(super) fn merge(&mut self, other: &Filter) {
        if other.is_idle() {
            return;
        }
        if self.is_idle() {
            *self = other.clone();
            return;
        }
        if self.slacks.is_empty() {
            // Without cells every key is at the floor: that is a slack of 0 in any number of cells.
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

    /// Adds to the floor, and to each cell's bound. What is past the largest count comes off the
    /// slacks, so that no bound falls by it.
    fn add_floor(&mut self, floor: u64) {
        let excess = floor.saturating_sub(u64::MAX - self.floor);
        if excess > 0 {
            let excess = u32::try_from(excess).unwrap_or(u32::MAX);
            self.slacks.iter_mut().for_each(|slack| *slack = slack.saturating_sub(excess));
        }
        self.floor = self.floor.saturating_add(floor);
    }

    /// Fewer cells, as many as a new filter of that capacity has.
    pub(super) fn shrink_to(&mut self, capacity: usize) {
        self.fold_to((capacity * CELLS_PER_COUNTER).next_power_of_two());
    }

    /// Whether keys without a row are told apart.
    pub(super) fn has_cells(&self) -> bool {
        !self.slacks.is_empty()
    }

    /// Gives the cells up: every key without a row is at the floor, this one at least, until the
    /// next cut makes new cells.
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

    /// Reads a filter of at most as many cells as one of that capacity has.
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
            // The cell is the top of the hash: half the cells drop its last bit, so neighbours fall
            // together, under the higher bound.
            self.slacks =
                self.slacks.chunks(2).map(|pair| pair.iter().copied().min().unwrap_or(0)).collect();
            self.shift = 64 - self.slacks.len().trailing_zeros();
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.slacks.capacity() * size_of::<u32>()
    }
}
