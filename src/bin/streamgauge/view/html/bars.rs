//! A bar from zero to a number, with the interval in which the number lies.

use crate::view::numbers::place;

/// Returns the bar: solid to the lower bound, pale from there to the upper one, which has a tick.
/// Without an interval it ends at the number.
pub(super) fn bar(lower: f64, upper: f64, longest: f64) -> String {
    let share = |number: f64| if longest > 0.0 { (number / longest).clamp(0.0, 1.0) } else { 0.0 };
    let length = |number: f64| format!("{}%", place(100.0 * share(number)));
    let solid = length(lower);
    let mut svg = format!(
        "<svg height=\"14\" aria-hidden=\"true\"><rect class=\"tr\" width=\"100%\" height=\"10\" \
         y=\"2\" rx=\"1\"/><rect class=\"br\" width=\"{solid}\" height=\"10\" y=\"2\" rx=\"1\"/>"
    );
    if upper > lower {
        let (pale, end) = (length(upper - lower), length(upper));
        svg += &format!(
            "<rect class=\"iv\" x=\"{solid}\" width=\"{pale}\" height=\"10\" y=\"2\"/><line \
             class=\"tick\" x1=\"{end}\" x2=\"{end}\" y1=\"0\" y2=\"14\"/>"
        );
    }
    svg + "</svg>"
}
