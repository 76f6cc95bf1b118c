//! Aggregates that can take records back.

/// Takes back what was merged: `subtract` after [`merge`](super::Aggregate::merge) gives what was
/// there before.
///
/// A sliding window of an invertible aggregate costs one merge and one subtraction a slide, of a
/// pane each, where others merge whole windows. Counts, integer sums and means, and
/// [`top_k`](super::top_k()) while it is exact are invertible, and so are groups, filters and
/// tuples of those. What forgets is not: a minimum does not know the second smallest, a sum of
/// floats as it is kept here is exact but grows with what passed through it, and a top-k that has
/// begun to approximate cannot tell whose counts it holds. [`distinct`](super::distinct()) and
/// [`quantile`](super::quantile()) forget too, and become invertible by being
/// [prepared](Invertible::prepare): the merge then remembers what it needs to take parts out in the
/// order in which they came, as a window does.
///
/// # Laws
/// For accumulators `a` and `b` as they come from adding records, with `m` for `b` merged into a
/// prepared copy of `a`:
/// - `m` has all outputs of `merge(a, b)`, and so it has after any further merges; it is not added
///   to;
/// - *inverse*: if `is_exact` is true of `m`, `subtract(m, a)` has all outputs of `b`, now and
///   after any further merges, as long as it is exact, and `b` can be subtracted next;
/// - a false answer of `subtract` or `is_exact` only ever costs time: the engine merges the window
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
/// A maximum is not:
/// ```compile_fail
/// use streamgauge::aggregate::{Aggregate, Invertible, max};
/// fn takes_back<R, A: Aggregate<R> + Invertible<R, A::Accumulator>>(_: &A) {}
/// takes_back(&max(|x: &u32| *x));
/// ```
///
/// Source: "subtract-on-evict", as in Tangwongsan, Hirzel and Schneider, *In-order sliding-window
/// aggregation in worst-case constant time* (VLDB Journal 30, 2021).
pub trait Invertible<R: ?Sized, T> {
    /// Makes a copy of a part, or an accumulator of nothing, the beginning of a merge that parts
    /// can be subtracted from. Default: it is one already.
    fn prepare(&self, accumulator: &mut T) {
        let _ = accumulator;
    }

    /// Whether the merge can be subtracted from, and answers exactly as if nothing ever had been.
    /// Default: so it does.
    fn is_exact(&self, accumulator: &T) -> bool {
        let _ = accumulator;
        true
    }

    /// Takes out of `from` what `part`, which was merged into it, had seen. `false` if that cannot
    /// be done; `from` may then be used no more.
    fn subtract(&self, from: &mut T, part: &T) -> bool;
}
