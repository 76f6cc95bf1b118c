//! Points that wait for a receiver, in bounded memory.

use std::collections::VecDeque;
use streamgauge::sketch::ExponentialBuckets;

/// Points that wait. Past that the oldest ones are left out.
pub(super) const POINTS_MAX: usize = 10_000;

/// The numbers behind a percentile of a window.
#[derive(Clone, Debug)]
pub(super) struct HistogramPoint {
    pub(super) labels: Vec<(String, String)>,
    /// Start and end of the window in milliseconds since the epoch; `None` for everything.
    pub(super) window: Option<(i64, i64)>,
    pub(super) buckets: ExponentialBuckets,
}

/// Points that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    points: VecDeque<HistogramPoint>,
    /// The number of the first point, of all that ever came.
    first: u64,
    /// Points that no receiver has had.
    pub(super) left_out: u64,
}

impl Waiting {
    /// Adds a point.
    pub(super) fn push(&mut self, point: HistogramPoint) {
        if self.points.len() >= POINTS_MAX {
            self.points.pop_front();
            self.first += 1;
            self.left_out += 1;
        }
        self.points.push_back(point);
    }

    /// Returns at most this number of the oldest points, and the number of the first point after
    /// them.
    pub(super) fn oldest(&self, points_max: usize) -> (impl Iterator<Item = &HistogramPoint>, u64) {
        let count = self.points.len().min(points_max);
        (self.points.iter().take(count), self.first + count as u64)
    }

    /// Removes the points before the one with this number.
    pub(super) fn remove_before(&mut self, number: u64) {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let count = count.min(self.points.len());
        self.points.drain(..count);
        self.first += count as u64;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use streamgauge::sketch::LogHistogram;

    fn point(number: usize) -> HistogramPoint {
        let buckets = LogHistogram::with_accuracy(0.2).unwrap().exponential(1);
        HistogramPoint { labels: Vec::new(), window: Some((number as i64, 0)), buckets }
    }

    proptest! {
        #[test]
        fn s316_each_point_waits_until_it_was_taken_or_is_counted(
            steps in
                proptest::collection::vec((0usize..4_000, 1usize..3_000, any::<bool>()), 1..20),
        ) {
            let (mut waiting, mut came, mut taken) = (Waiting::default(), 0, Vec::new());
            for (more, points_max, is_taken) in steps {
                // Points come while a request is on its way.
                let (oldest, next) = waiting.oldest(points_max);
                let sent: Vec<i64> = oldest.filter_map(|point| Some(point.window?.0)).collect();
                (came..came + more).for_each(|number| waiting.push(point(number)));
                came += more;
                if is_taken {
                    taken.extend(sent);
                    waiting.remove_before(next);
                }
                prop_assert!(waiting.points.len() <= POINTS_MAX);
            }
            let unique = taken.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert!(unique, "no point is taken twice");
            let left = waiting.points.len() as u64;
            let known = taken.len() as u64 + left + waiting.left_out;
            prop_assert!(known >= came as u64, "{known} of {came}");
        }
    }
}
