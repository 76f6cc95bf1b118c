//! The registers of sketches that come and go in order, and their maximum.
//!
//! Two stacks, as of a sliding window: a part costs three maxima of all registers, however many
//! parts there are. Counting the values of each register instead, so that any part can be removed,
//! costs ten times as much.

use super::hll::merge_registers;

type Registers = Box<[u8]>;

/// A queue of sketches of one precision.
#[derive(Clone, Debug, Default)]
pub(super) struct SketchQueue {
    /// For each of the older parts, the maximum of it and all newer parts of the front. The oldest
    /// is last.
    front: Vec<Registers>,
    /// The newer parts, and their maximum.
    back: Vec<Registers>,
    back_maximum: Option<Registers>,
}

impl SketchQueue {
    /// Adds the newest part.
    pub(super) fn push(&mut self, part: &[u8]) {
        match &mut self.back_maximum {
            Some(maximum) => merge_registers(maximum, part),
            None => self.back_maximum = Some(part.into()),
        }
        self.back.push(part.into());
    }

    /// Removes the oldest part. Returns false if there are no parts.
    pub(super) fn pop(&mut self) -> bool {
        if self.front.is_empty() {
            while let Some(mut part) = self.back.pop() {
                if let Some(newer) = self.front.last() {
                    merge_registers(&mut part, newer);
                }
                self.front.push(part);
            }
            self.back_maximum = None;
        }
        self.front.pop().is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.back.is_empty()
    }

    /// Returns the maximum of all parts, or `None` if there are no parts.
    pub(super) fn maximum(&self) -> Option<Registers> {
        let mut maximum = self.back_maximum.clone();
        if let Some(front) = self.front.last() {
            match &mut maximum {
                Some(maximum) => merge_registers(maximum, front),
                None => maximum = Some(front.clone()),
            }
        }
        maximum
    }

    /// Returns the bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let parts = self.front.iter().chain(&self.back).chain(&self.back_maximum);
        let slots = self.front.capacity() + self.back.capacity();
        slots * size_of::<Registers>() + parts.map(|registers| registers.len()).sum::<usize>()
    }
}
