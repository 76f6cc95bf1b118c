//! Times on a page, as the clocks of the pipeline's time zone show them.
//!
//! A local time is counted in milliseconds as if it were UTC.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

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

/// The time zone of a page.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Zone {
    rules: TimeZone,
    pub(super) name: String,
}

impl Zone {
    /// Returns the zone of this name, by the rules that are compiled into the program, or UTC
    /// if the name is unknown.
    pub(crate) fn named(name: Option<&str>) -> Zone {
        let found = name.and_then(|name| TimeZoneDatabase::bundled().get(name).ok());
        let rules = found.unwrap_or(TimeZone::UTC);
        let name = rules.iana_name().unwrap_or("UTC").to_owned();
        Zone { rules, name }
    }

    /// Returns a zone with the same offset at all times.
    pub(super) fn fixed(offset: Offset) -> Zone {
        match offset == Offset::UTC {
            true => Zone::named(None),
            false => Zone { rules: TimeZone::fixed(offset), name: format!("UTC{offset}") },
        }
    }

    /// Returns the local time.
    fn local(&self, millis: i64) -> i64 {
        let Ok(time) = jiff::Timestamp::from_millisecond(millis) else { return millis };
        millis.saturating_add(i64::from(self.rules.to_offset(time).seconds()) * SECOND)
    }

    /// Returns the time at which the clocks show a local time.
    fn at_local(&self, local: i64) -> i64 {
        let shown = civil(local).map(|shown| self.rules.to_ambiguous_timestamp(shown));
        let time = shown.and_then(|shown| shown.compatible().ok());
        time.map_or(local, jiff::Timestamp::as_millisecond)
    }

    /// Returns date and time: `2024-01-01 00:12`.
    pub(super) fn stamp(&self, millis: i64) -> String {
        stamp(self.local(millis))
    }

    /// Returns the time of day; seconds and milliseconds only if there are some.
    #[cfg(feature = "live")]
    pub(super) fn time_of_day(&self, millis: i64) -> String {
        clock(self.local(millis))
    }

    /// Returns the time of day with its seconds.
    #[cfg(feature = "live")]
    pub(super) fn time_of_day_in_full(&self, millis: i64) -> String {
        let second = self.local(millis).div_euclid(SECOND) * SECOND;
        let text = clock(second);
        if text.len() < 8 { text + ":00" } else { text }
    }

    /// Returns what lies between two times in words: `1 Jan 2024, 00:00 to 00:31 UTC`.
    pub(super) fn range(&self, start: i64, end: i64) -> String {
        format!("{} {}", range(self.local(start), self.local(end)), self.name)
    }
}

/// Returns the date and time, if there is such a date.
fn civil(local: i64) -> Option<DateTime> {
    let time = jiff::Timestamp::from_millisecond(local).ok()?;
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

fn stamp(millis: i64) -> String {
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

fn range(start: i64, end: i64) -> String {
    let (from, to) = (day(start), day(end));
    let until = match () {
        _ if from == to => clock(end),
        () if end - start == DAY && start.rem_euclid(DAY) == 0 => "24:00".to_owned(),
        () => format!("{to}, {}", clock(end)),
    };
    format!("{from}, {} to {until}", clock(start))
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
    /// Their times, and the local times, which are multiples of the distance.
    pub(super) times: Vec<(i64, i64)>,
}

impl Ticks {
    /// Returns at most `most` marks between two times, which are included.
    pub(super) fn between((start, end): (i64, i64), zone: &Zone, most: usize) -> Ticks {
        let (from, to) = (zone.local(start), zone.local(end));
        let length = to.saturating_sub(from).max(1);
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        let years = || YEAR.saturating_mul((length / YEAR / most).saturating_add(1));
        let step = STEPS.into_iter().find(|step| length / step < most).unwrap_or_else(years);
        let first = from.div_euclid(step) + i64::from(from.rem_euclid(step) > 0);
        let marks = (first..=to.div_euclid(step)).map(|index| index * step);
        let mut times: Vec<(i64, i64)> = marks.map(|local| (zone.at_local(local), local)).collect();
        // Where clocks are set forward two local times are one.
        times.retain(|(time, _)| (start..=end).contains(time));
        times.dedup_by_key(|(time, _)| *time);
        Ticks { step, times }
    }

    /// Returns what is written at a mark: the day where one begins, and the time elsewhere.
    pub(super) fn label(&self, local: i64, is_start: bool) -> String {
        let is_day = self.step >= DAY || local.rem_euclid(DAY) == 0 && !is_start;
        match civil(local).filter(|_| is_day) {
            Some(at) => format!("{} {}", at.day(), at.strftime("%b")),
            None => clock(local),
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
        assert_eq!(range(START, START + 31 * MINUTE), "1 Jan 2024, 00:00 to 00:31");
        assert_eq!(range(START, START + DAY), "1 Jan 2024, 00:00 to 24:00");
        assert_eq!(range(START + HOUR, START + DAY), "1 Jan 2024, 01:00 to 2 Jan 2024, 00:00");
        assert_eq!(words(90_500), "1 minute 30 seconds 500 milliseconds");
        assert_eq!(words(2 * HOUR), "2 hours");
    }

    fn labels(start: i64, end: i64, zone: &Zone) -> Vec<String> {
        let ticks = Ticks::between((start, end), zone, TICKS_MAX);
        ticks.times.iter().map(|(time, local)| ticks.label(*local, *time == start)).collect()
    }

    #[test]
    fn midnight_shows_its_day() {
        let expected =
            ["12:00", "15:00", "18:00", "21:00", "1 Jan", "03:00", "06:00", "09:00", "12:00"];
        let utc = Zone::named(None);
        assert_eq!(labels(START - 12 * HOUR, START + 12 * HOUR, &utc), expected);
    }

    #[test]
    fn clocks_of_the_zone_are_shown_also_when_they_are_set() {
        let berlin = Zone::named(Some("Europe/Berlin"));
        assert_eq!(berlin.stamp(START), "2024-01-01 01:00");
        assert_eq!(
            berlin.range(START - HOUR, START + 23 * HOUR),
            "1 Jan 2024, 00:00 to 24:00 Europe/Berlin"
        );
        // On 2024-03-31 the clocks go from 02:00 to 03:00 at 01:00 UTC.
        let set = START + 90 * DAY + HOUR;
        let expected = ["00:00", "01:00", "02:00", "04:00", "05:00", "06:00", "07:00"];
        assert_eq!(labels(set - 2 * HOUR, set + 4 * HOUR, &berlin), expected);
        let days = labels(set - 26 * HOUR, set + 118 * HOUR, &berlin);
        assert_eq!(days, ["30 Mar", "31 Mar", "1 Apr", "2 Apr", "3 Apr", "4 Apr", "5 Apr"]);
        let fixed = Zone::fixed(Offset::from_seconds(19_800).unwrap());
        assert_eq!(fixed.stamp(START), "2024-01-01 05:30");
        assert_eq!(fixed.name, "UTC+05:30");
        assert_eq!(Zone::named(Some("no/zone")).name, "UTC");
    }

    proptest! {
        #[test]
        fn ticks_are_few_and_on_the_axis(
            start in -4_000_000_000_000i64..4_000_000_000_000,
            length in 1i64..1_000_000_000_000_000,
        ) {
            let end = start + length;
            for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia"] {
                let zone = Zone::named(Some(zone));
                let ticks = Ticks::between((start, end), &zone, TICKS_MAX);
                prop_assert!(ticks.times.len() <= TICKS_MAX);
                prop_assert!(ticks.times.iter().all(|(time, _)| (start..=end).contains(time)));
                prop_assert!(ticks.times.iter().all(|(_, local)| local % ticks.step == 0));
                prop_assert!(ticks.times.windows(2).all(|pair| pair[0].0 < pair[1].0));
            }
        }
    }
}
