//! Times on a page, all in UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The distances that ticks of a time axis can have.
const STEPS: [i64; 34] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    3 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    91 * DAY,
    YEAR,
];

const YEAR: i64 = 365 * DAY;

/// Ticks of a time axis, at most.
pub(super) const TICKS_MAX: usize = 9;

/// Returns the date and time, if there is such a date.
fn civil(millis: i64) -> Option<DateTime> {
    let time = jiff::Timestamp::from_millisecond(millis).ok()?;
    Some(TimeZone::UTC.to_datetime(time))
}

/// Returns a time that has no date.
fn undated(millis: i64) -> String {
    format!("{millis} ms")
}

/// Returns the time of day; seconds and milliseconds only if there are some.
fn clock(millis: i64) -> String {
    let of_day = millis.rem_euclid(DAY);
    let mut text = format!("{:02}:{:02}", of_day / HOUR, of_day % HOUR / MINUTE);
    if of_day % MINUTE > 0 {
        text += &format!(":{:02}", of_day % MINUTE / SECOND);
    }
    if of_day % SECOND > 0 {
        text += &format!(".{:03}", of_day % SECOND);
    }
    text
}

/// Returns date and time: `2024-01-01 00:12`.
pub(super) fn stamp(millis: i64) -> String {
    civil(millis).map_or_else(
        || undated(millis),
        |at| format!("{:04}-{:02}-{:02} {}", at.year(), at.month(), at.day(), clock(millis)),
    )
}

/// Returns a day in words: `1 Jan 2024`.
fn day(millis: i64) -> String {
    civil(millis)
        .map_or_else(|| undated(millis), |at| format!("{} {}", at.day(), at.strftime("%b %Y")))
}

/// Returns what lies between two times in words: `1 Jan 2024, 00:00 to 00:31 UTC`.
pub(super) fn range(start: i64, end: i64) -> String {
    let (from, to) = (day(start), day(end));
    let until = match () {
        _ if from == to => clock(end),
        () if end - start == DAY && start.rem_euclid(DAY) == 0 => "24:00".to_owned(),
        () => format!("{to}, {}", clock(end)),
    };
    format!("{from}, {} to {until} UTC", clock(start))
}

/// Returns a length of time in words: `1 minute 30 seconds`.
pub(super) fn words(millis: i64) -> String {
    let units =
        [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"), (1, "millisecond")];
    let (mut rest, mut parts) = (millis, Vec::new());
    for (unit, name) in units {
        let number = rest / unit;
        rest %= unit;
        if number > 0 {
            parts.push(format!("{number} {name}{}", if number == 1 { "" } else { "s" }));
        }
    }
    parts.join(" ")
}

/// The marks of a time axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ticks {
    /// The distance between two of them.
    pub(super) step: i64,
    /// Their times, multiples of the distance.
    pub(super) times: Vec<i64>,
}

impl Ticks {
    /// Returns at most `most` marks between two times, which are included.
    pub(super) fn between(start: i64, end: i64, most: usize) -> Ticks {
        let length = end.saturating_sub(start).max(1);
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        let years = || YEAR.saturating_mul((length / YEAR / most).saturating_add(1));
        let step = STEPS.into_iter().find(|step| length / step < most).unwrap_or_else(years);
        let first = start.div_euclid(step) + i64::from(start.rem_euclid(step) > 0);
        let last = end.div_euclid(step);
        Ticks { step, times: (first..=last).map(|index| index * step).collect() }
    }

    /// Returns what is written at a mark: the day where one begins, and the time elsewhere.
    pub(super) fn label(&self, time: i64, start: i64) -> String {
        let is_day = self.step >= DAY || time.rem_euclid(DAY) == 0 && time != start;
        match civil(time).filter(|_| is_day) {
            Some(at) => format!("{} {}", at.day(), at.strftime("%b")),
            None => clock(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2024-01-01T00:00:00Z.
    const START: i64 = 1_704_067_200_000;

    #[test]
    fn times_are_as_short_as_they_can_be() {
        assert_eq!(stamp(START + 12 * MINUTE), "2024-01-01 00:12");
        assert_eq!(stamp(START + 12 * MINUTE + 3_045), "2024-01-01 00:12:03.045");
        assert_eq!(stamp(-1), "1969-12-31 23:59:59.999");
        assert_eq!(stamp(i64::MAX), "9223372036854775807 ms");
        assert_eq!(range(START, START + 31 * MINUTE), "1 Jan 2024, 00:00 to 00:31 UTC");
        assert_eq!(range(START, START + DAY), "1 Jan 2024, 00:00 to 24:00 UTC");
        assert_eq!(range(START + HOUR, START + DAY), "1 Jan 2024, 01:00 to 2 Jan 2024, 00:00 UTC");
        assert_eq!(words(90_500), "1 minute 30 seconds 500 milliseconds");
        assert_eq!(words(2 * HOUR), "2 hours");
    }

    #[test]
    fn midnight_shows_its_day() {
        let ticks = Ticks::between(START - 12 * HOUR, START + 12 * HOUR, TICKS_MAX);
        let labels: Vec<String> =
            ticks.times.iter().map(|time| ticks.label(*time, START - 12 * HOUR)).collect();
        let expected =
            ["12:00", "15:00", "18:00", "21:00", "1 Jan", "03:00", "06:00", "09:00", "12:00"];
        assert_eq!(labels, expected);
    }

    proptest! {
        #[test]
        fn ticks_are_few_and_on_the_axis(
            start in -4_000_000_000_000i64..4_000_000_000_000,
            length in 1i64..1_000_000_000_000_000,
        ) {
            let end = start + length;
            let ticks = Ticks::between(start, end, TICKS_MAX);
            prop_assert!(ticks.times.len() <= TICKS_MAX);
            prop_assert!(ticks.times.iter().all(|time| (start..=end).contains(time)));
            prop_assert!(ticks.times.iter().all(|time| time % ticks.step == 0));
            prop_assert!(ticks.times.windows(2).all(|pair| pair[1] - pair[0] == ticks.step));
        }
    }
}
