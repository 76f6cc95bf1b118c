//! Lines of many points, drawn by fewer: steps of equally many windows.
//!
//! The line goes through the median window of a step, the band from its lowest lower bound to its
//! highest upper bound. So no peak is lost.

use super::model::Point;

/// Some windows that are drawn as one point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Step {
    /// The index of the first window.
    pub(super) first: usize,
    /// The index of the last window.
    pub(super) last: usize,
    pub(super) x: f64,
    /// The lower median.
    pub(super) value: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// Returns the number of windows in a step.
pub(super) fn windows_per_step(points: usize, steps_max: usize) -> usize {
    points.div_ceil(steps_max.max(1)).max(1)
}

/// Returns at most `steps_max` steps of equally many points.
pub(super) fn thinned(points: &[Point], steps_max: usize) -> Vec<Step> {
    points.chunks(windows_per_step(points.len(), steps_max)).filter_map(step).collect()
}

fn step(points: &[Point]) -> Option<Step> {
    let (first, last) = (points.first()?, points.last()?);
    Some(Step {
        first: first.window,
        last: last.window,
        x: (first.x + last.x) / 2.0,
        value: lower_median(points.iter().map(|point| point.value))?,
        lower: points.iter().map(|point| point.lower).min_by(f64::total_cmp)?,
        upper: points.iter().map(|point| point.upper).max_by(f64::total_cmp)?,
    })
}

/// Returns the middle one of the values; of the two in the middle the lower one.
pub(super) fn lower_median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    let at = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable_by(at, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn s204_thinning_loses_no_peak(
            values in proptest::collection::vec((-1e6..1e6f64, 0.0..9.0f64), 1..400),
            steps_max in 1usize..50,
        ) {
            let all = values.len() as f64;
            let points: Vec<Point> = values
                .iter()
                .enumerate()
                .map(|(window, (value, width))| Point {
                    window,
                    x: window as f64 / all,
                    value: *value,
                    lower: value - width,
                    upper: value + width,
                })
                .collect();
            let steps = thinned(&points, steps_max);
            prop_assert!(steps.len() <= steps_max);
            let lowest = |at: f64, other: f64| at.min(other);
            prop_assert_eq!(
                points.iter().map(|point| point.lower).fold(f64::INFINITY, lowest),
                steps.iter().map(|step| step.lower).fold(f64::INFINITY, lowest)
            );
            // Each point is within the band of its step, and the line goes through a real value.
            for step in &steps {
                let inside = &points[step.first..=step.last];
                prop_assert!(
                    inside
                        .iter()
                        .all(|point| step.lower <= point.lower && point.upper <= step.upper)
                );
                prop_assert!(inside.iter().any(|point| point.value == step.value));
            }
            prop_assert_eq!(
                steps.iter().map(|step| step.last + 1 - step.first).sum::<usize>(),
                points.len()
            );
            if points.len() <= steps_max {
                prop_assert!(
                    steps.iter().zip(&points).all(|(step, point)| step.value == point.value)
                );
            }
        }
    }

    #[test]
    fn of_two_in_the_middle_the_lower_one_is_the_median() {
        assert_eq!(lower_median([4.0, 1.0, 3.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(lower_median([4.0, 1.0, 3.0].into_iter()), Some(3.0));
        assert_eq!(lower_median(std::iter::empty()), None);
    }
}
