//! Sketches that are usable alone: they know nothing of windows.
//!
//! A sketch answers from a bounded number of bytes and says how wrong it can be: every answer is an
//! [`Estimate`] with a lower and an upper bound, or a [`TopRow`] with both.
//!
//! | Question | Sketch | The answer is wrong by at most | Merge |
//! |---|---|---|---|
//! | How often did *this* key come? | [`CountMin`] | `epsilon * total`, upwards only, at the stated confidence; nothing while the keys fit the bytes it is given for them | exact, if linear |
//! | Which keys came most often? | [`SpaceSaving`] | `total / (capacity + 1)`, for certain; nothing while the keys fit | within the bound |
//! | What value has 99 % of the others below it? | [`LogHistogram`] | a share `accuracy` of the value, for certain | exact |
//!
//! - Keys that are asked for later and are unknown now: [`CountMin`]; it stores no key, so it
//!   cannot list any.
//! - Keys that are to be found: [`SpaceSaving`]; it stores the keys it holds, so its memory depends
//!   on their length.
//! - Numbers: [`LogHistogram`]. Do not count rounded numbers with the other two.
//! - How *many* different keys came is none of their questions: see [`distinct`](crate::aggregate).
//!
//! All are deterministic: the same records in the same order give the same answers at any batch
//! size, on any machine.

mod count_min;
mod counters;
mod index;
mod log_histogram;
pub(crate) mod prefetch;
mod space_saving;

pub use count_min::CountMin;
pub use log_histogram::{LogHistogram, nearest_rank};
pub use space_saving::{SpaceSaving, TopRow};

/// An answer with its bounds: `lower <= value <= upper`, and the truth lies in `[lower, upper]`.
///
/// Whether it does so for certain or at a confidence is said by the sketch it comes from. An exact
/// answer has all three equal.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Estimate<T> {
    /// The best single answer.
    pub value: T,
    /// The truth is not below this.
    pub lower: T,
    /// The truth is not above this.
    pub upper: T,
}

impl<T: Copy> Estimate<T> {
    /// An answer without error.
    pub fn exact(value: T) -> Self {
        Estimate { value, lower: value, upper: value }
    }
}

impl<T: PartialEq> Estimate<T> {
    /// Whether the bounds leave nothing open.
    pub fn is_exact(&self) -> bool {
        self.lower == self.upper
    }
}
