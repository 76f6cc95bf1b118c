//! Sketches that can be used alone: they know nothing about windows.
//!
//! A sketch answers from a bounded number of bytes and tells its error: every answer is an
//! [`Estimate`] with a lower and an upper bound, or a [`TopRow`] with both.
//!
//! | Question | Sketch | Largest error of the answer | Merge |
//! |---|---|---|---|
//! | How often did *this* key come? | [`CountMin`] | `epsilon * total`, upwards only, with the stated confidence; 0 while the keys fit into the bytes reserved for them | exact, if linear |
//! | Which keys came most often? | [`SpaceSaving`] | `total / (capacity + 1)`, for certain; 0 while the keys fit | within the bound |
//! | Which value is above 99 % of the others? | [`LogHistogram`] | `accuracy` times the value, for certain | exact |
//!
//! - If the keys are asked for later and unknown now: [`CountMin`]. It stores no key, so it cannot
//!   list keys.
//! - If the sketch must find the keys: [`SpaceSaving`]. It stores the keys in its table, so its
//!   memory depends on their length.
//! - For numbers: [`LogHistogram`]. Do not count rounded numbers with the other two.
//! - For the *number* of different keys use [`distinct`](crate::aggregate).
//!
//! Bounds that are certain hold for all keys, quantiles and windows at once. Those of [`CountMin`]
//! with a confidence hold for each key; [`CountMin::confidence_of_all`] is that of many at once.
//!
//! All sketches are deterministic: the same records in the same order give the same answers at any
//! batch size, on any machine.

mod count_min;
mod counters;
mod index;
mod log_histogram;
pub(crate) mod prefetch;
mod space_saving;

pub use count_min::CountMin;
pub use log_histogram::{Bucket, ExponentialBuckets, ExponentialSide, LogHistogram, nearest_rank};
pub use space_saving::{SpaceSaving, TopRow};

/// An answer with its bounds: `lower <= value <= upper`, and the true value is in `[lower, upper]`.
///
/// The sketch documents whether the bounds are certain or hold with a confidence. In an exact
/// answer all three are equal.
///
/// # Example
/// ```
/// use streamgauge::sketch::SpaceSaving;
/// let mut pages = SpaceSaving::<u32>::with_capacity(10)?;
/// for record in 0..1_000 {
///     pages.add(if record % 2 == 0 { &0 } else { &record }, 1);
/// }
/// let page = pages.estimate(&0);
/// assert!(page.lower <= 500 && 500 <= page.upper); // the truth is between the bounds
/// assert!(page.upper - page.lower <= 1_000 / 11);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Estimate<T> {
    /// The best single answer.
    pub value: T,
    /// The true value is not below this.
    pub lower: T,
    /// The true value is not above this.
    pub upper: T,
}

impl<T: Copy> Estimate<T> {
    /// Creates an answer without error.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::Estimate;
    /// let count = Estimate::exact(7);
    /// assert_eq!((count.lower, count.value, count.upper), (7, 7, 7));
    /// ```
    pub fn exact(value: T) -> Self {
        Estimate { value, lower: value, upper: value }
    }
}

impl<T: PartialEq> Estimate<T> {
    /// Returns true if both bounds are equal.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::Estimate;
    /// assert!(Estimate::exact(7).is_exact());
    /// assert!(!Estimate { value: 7, lower: 5, upper: 7 }.is_exact());
    /// ```
    pub fn is_exact(&self) -> bool {
        self.lower == self.upper
    }
}
