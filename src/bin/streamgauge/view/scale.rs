//! The axis of values: round ends and round marks.

/// An axis of values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    /// The distance between two marks.
    step: f64,
}

/// Marks are at a multiple of one of these, times a power of ten.
const ROUND: [f64; 5] = [1.0, 2.0, 2.5, 5.0, 10.0];

/// Marks of an axis, at most.
const MARKS_MAX: usize = 12;

/// A fitted axis also begins at zero if the lowest value is below this share of
/// the highest.
const NEAR_ZERO: f64 = 0.4;

impl Scale {
    /// Returns an axis for values between these ends, with marks at about every `parts`th of it.
    pub(super) fn new(low: f64, high: f64, is_from_zero: bool, parts: f64) -> Scale {
        let (mut low, mut high) = match is_from_zero {
            true => (low.min(0.0), high.max(0.0)),
            false if 0.0 <= low && low < NEAR_ZERO * high => (0.0, high),
            false => (low, high),
        };
        if high - low <= f64::EPSILON * high.abs().max(low.abs()) {
            let around = if high == 0.0 { 1.0 } else { high.abs() * 0.05 };
            (low, high) =
                if is_from_zero { (low, high + around) } else { (low - around, high + around) };
        }
        let raw = (high - low) / parts;
        let power = 10f64.powf(raw.log10().floor());
        let steps = ROUND.into_iter().map(|round| round * power);
        let step = steps.into_iter().find(|step| *step >= raw * 0.999).unwrap_or(raw);
        Scale {
            low: (low / step + 1e-9).floor() * step,
            high: (high / step - 1e-9).ceil() * step,
            step,
        }
    }

    /// Returns the marks, the lowest first.
    pub(super) fn marks(&self) -> Vec<f64> {
        let parts = ((self.high - self.low) / self.step).round();
        let last = if parts.is_finite() { parts as usize } else { 0 };
        (0..=last.min(MARKS_MAX)).map(|index| self.low + index as f64 * self.step).collect()
    }

    /// Returns the distance of a value from the upper edge of a drawing.
    pub(super) fn y(&self, value: f64, height: f64) -> f64 {
        height - (value - self.low) / (self.high - self.low) * height
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_are_round() {
        assert_eq!(Scale::new(32_581.0, 33_438.0, true, 3.0).marks(), [0.0, 20_000.0, 40_000.0]);
        assert_eq!(Scale::new(270.5, 286.5, false, 3.0).marks(), [270.0, 280.0, 290.0]);
        assert_eq!(Scale::new(1.0, 10.0, false, 3.0).low, 0.0);
        assert_eq!(Scale::new(0.0, 0.0, true, 3.0).marks(), [0.0, 0.5, 1.0]);
        assert_eq!(Scale::new(-5.0, -5.0, false, 3.0).low, -5.4);
    }

    proptest! {
        #[test]
        fn values_are_on_the_axis(
            a in -1e300..1e300f64,
            width in 0.0..1e300f64,
            small in any::<bool>(),
            zero in any::<bool>(),
        ) {
            let shrink = if small { 1e-295 } else { 1.0 };
            let (low, high) = (a * shrink, (a + width) * shrink);
            let scale = Scale::new(low, high, zero, 3.0);
            prop_assert!(scale.low.is_finite() && scale.high.is_finite() && scale.low < scale.high);
            let slack = 1e-6 * (scale.high - scale.low);
            prop_assert!(scale.low <= low + slack && high <= scale.high + slack, "{:?}", scale);
            prop_assert!((2..=MARKS_MAX + 1).contains(&scale.marks().len()), "{:?}", scale);
            prop_assert!(!zero || scale.low <= 0.0 && 0.0 <= scale.high);
            let y = scale.y(low, 88.0);
            prop_assert!((-0.1..=88.1).contains(&y));
        }
    }
}
