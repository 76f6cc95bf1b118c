//! Aggregates from which records can be subtracted.

/// Subtracts an accumulator that was merged: `subtract` after [`merge`](super::Aggregate::merge)
/// gives the accumulator before the merge.
///
/// For an invertible aggregate a slide of a window costs one merge and one subtraction, each of one
/// pane. For other aggregates whole windows are merged. Counts, integer sums and means, and
/// [`top_k`](super::top_k()) while it is exact are invertible, and so are groups, filters and
/// tuples of them. Aggregates that lose information are not invertible: a minimum does not know the
/// second smallest value; a sum of floats is exact here, but grows with all numbers that passed
/// through it; and an approximate top-k does not know whose counts it holds.
/// [`distinct`](super::distinct()) and [`quantile`](super::quantile()) lose information too, but
/// become invertible when they are [prepared](Invertible::prepare): the merge then stores what it
/// needs to subtract parts in the order in which they were merged, as a window does.
///
/// # Laws
/// For accumulators `a` and `b` of added records, and `m`, a prepared copy of `a` into which `b`
/// was merged:
/// - `m` has the same output as `merge(a, b)`, and so it is after any further merges. No records
///   are added to `m`.
/// - *Inverse*: if `is_exact(m)` is true, `m` after `subtract(m, a)` has the same output as `b`,
///   now and after any further merges, as long as it is exact, and `b` can be subtracted next.
/// - If `subtract` or `is_exact` returns false, only time is lost: the engine merges the window
///   again.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, Invertible, count, max, sum};
/// fn takes_back<R, A: Aggregate<R> + Invertible<R, A::Accumulator>>(_: &A) {}
/// takes_back(&sum(|x: &u32| *x));
///
/// let count = count();
/// let mut records = 5;
/// assert!(Invertible::<u32, u64>::subtract(&count, &mut records, &2));
/// assert_eq!(records, 3);
/// ```
/// A maximum is not invertible:
/// ```compile_fail
/// use streamgauge::aggregate::{Aggregate, Invertible, max};
/// fn takes_back<R, A: Aggregate<R> + Invertible<R, A::Accumulator>>(_: &A) {}
/// takes_back(&max(|x: &u32| *x));
/// ```
///
/// Source: "subtract-on-evict", as in Tangwongsan, Hirzel and Schneider, *In-order sliding-window
/// aggregation in worst-case constant time* (VLDB Journal 30, 2021).
pub trait Invertible<R: ?Sized, T> {
    /// Turns a copy of a part, or an empty accumulator, into the first part of a merge from which
    /// parts can be subtracted. Default: does nothing.
    fn prepare(&self, accumulator: &mut T) {
        let _ = accumulator;
    }

    /// Returns true if parts can be subtracted from the merge, and its output is exactly that of a
    /// merge from which nothing was subtracted. Default: true.
    fn is_exact(&self, accumulator: &T) -> bool {
        let _ = accumulator;
        true
    }

    /// Subtracts from `from` the records of `part`, which was merged into it. Returns false if that
    /// is not possible; `from` must then be discarded.
    fn subtract(&self, from: &mut T, part: &T) -> bool;
}
