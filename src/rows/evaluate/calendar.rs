//! Parts of a time, and periods of the calendar, in a time zone.

use crate::time::Timestamp;
use jiff::civil::{Date, DateTime, date};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// A time zone. Most expressions do without one.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    Utc,
    Named(TimeZone),
}

/// A period to which `date_trunc` rounds down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// Periods of this many milliseconds, of at most an hour.
    Short(i64),
    Day,
    /// Weeks that begin on Monday.
    Week,
    /// Periods of this many months.
    Months(i8),
}

/// A part of a time that `extract` gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    /// The week of ISO 8601.
    Week,
    Day,
    DayOfYear,
    /// 0 is Sunday.
    DayOfWeek,
    /// 1 is Monday, 7 is Sunday.
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    /// Seconds and milliseconds, in milliseconds.
    Millisecond,
    Epoch,
}

/// The units by name, in the singular.
pub(super) const UNITS: [(&str, Unit); 9] = [
    ("millisecond", Unit::Short(1)),
    ("second", Unit::Short(1000)),
    ("minute", Unit::Short(60_000)),
    ("hour", Unit::Short(3_600_000)),
    ("day", Unit::Day),
    ("week", Unit::Week),
    ("month", Unit::Months(1)),
    ("quarter", Unit::Months(3)),
    ("year", Unit::Months(12)),
];

/// The parts by name, in the singular.
pub(super) const PARTS: [(&str, Part); 15] = [
    ("year", Part::Year),
    ("quarter", Part::Quarter),
    ("month", Part::Month),
    ("week", Part::Week),
    ("day", Part::Day),
    ("doy", Part::DayOfYear),
    ("dayofyear", Part::DayOfYear),
    ("dow", Part::DayOfWeek),
    ("dayofweek", Part::DayOfWeek),
    ("isodow", Part::IsoDayOfWeek),
    ("hour", Part::Hour),
    ("minute", Part::Minute),
    ("second", Part::Second),
    ("millisecond", Part::Millisecond),
    ("epoch", Part::Epoch),
];

const DAY: i64 = 86_400_000;

impl Zone {
    /// Returns the time on the clocks of the zone; `None` outside of the years -9999 to 9999.
    fn local(&self, millis: i64) -> Option<DateTime> {
        let time = jiff::Timestamp::from_millisecond(millis).ok()?;
        Some(match self {
            Zone::Utc => TimeZone::UTC.to_datetime(time),
            Zone::Named(zone) => zone.to_datetime(time),
        })
    }

    /// Returns the milliseconds by which the clocks of the zone are ahead of UTC.
    fn offset(&self, millis: i64) -> Option<i64> {
        let Zone::Named(zone) = self else { return Some(0) };
        let time = jiff::Timestamp::from_millisecond(millis).ok()?;
        Some(i64::from(zone.to_offset(time).seconds()) * 1000)
    }

    /// Returns the first moment of a day of the zone.
    fn midnight(&self, day: Date) -> Option<i64> {
        let midnight = day.at(0, 0, 0, 0);
        let time = match self {
            Zone::Utc => TimeZone::UTC.to_timestamp(midnight),
            Zone::Named(zone) => zone.to_timestamp(midnight),
        };
        time.ok().map(jiff::Timestamp::as_millisecond)
    }
}

impl Unit {
    /// Returns the start of the period that a time is in.
    pub(super) fn start(self, millis: i64, zone: &Zone) -> Option<i64> {
        match (self, zone) {
            (Unit::Short(length), zone) => {
                let local = millis.checked_add(zone.offset(millis)?)?;
                millis.checked_sub(local.rem_euclid(length))
            }
            (Unit::Day, Zone::Utc) => millis.checked_sub(millis.rem_euclid(DAY)),
            // The epoch is a Thursday.
            (Unit::Week, Zone::Utc) => {
                millis.checked_sub(millis.checked_add(3 * DAY)?.rem_euclid(7 * DAY))
            }
            (Unit::Day, zone) => zone.midnight(zone.local(millis)?.date()),
            (Unit::Week, zone) => {
                let day = zone.local(millis)?.date();
                let since = i64::from(day.weekday().to_monday_zero_offset());
                zone.midnight(day.checked_sub(jiff::Span::new().days(since)).ok()?)
            }
            (Unit::Months(length), zone) => {
                let day = zone.local(millis)?.date();
                let month = (day.month() - 1) / length * length + 1;
                zone.midnight(date(day.year(), month, 1))
            }
        }
    }
}

impl Part {
    /// Returns the part of a time.
    pub(super) fn of(self, millis: i64, zone: &Zone) -> Option<i64> {
        if self == Part::Epoch {
            return Some(millis.div_euclid(1000));
        }
        if let (Part::Hour | Part::Minute | Part::Second | Part::Millisecond, Zone::Utc) =
            (self, zone)
        {
            let of_day = millis.rem_euclid(DAY);
            return Some(match self {
                Part::Hour => of_day / 3_600_000,
                Part::Minute => of_day / 60_000 % 60,
                Part::Second => of_day / 1000 % 60,
                _ => of_day % 60_000,
            });
        }
        let local = zone.local(millis)?;
        Some(match self {
            Part::Year => local.year().into(),
            Part::Quarter => (i64::from(local.month()) + 2) / 3,
            Part::Month => local.month().into(),
            Part::Week => local.iso_week_date().week().into(),
            Part::Day => local.day().into(),
            Part::DayOfYear => local.day_of_year().into(),
            Part::DayOfWeek => local.weekday().to_sunday_zero_offset().into(),
            Part::IsoDayOfWeek => local.weekday().to_monday_one_offset().into(),
            Part::Hour => local.hour().into(),
            Part::Minute => local.minute().into(),
            Part::Second | Part::Epoch => local.second().into(),
            Part::Millisecond => i64::from(local.second()) * 1000 + i64::from(local.millisecond()),
        })
    }
}

/// Returns a time in a format of `strftime`; `None` if the format has a directive that does not
/// exist, or the time is out of the range of calendars.
pub(super) fn format(millis: i64, format: &str, zone: &Zone) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(millis).ok()?;
    let zone = match zone {
        Zone::Utc => TimeZone::UTC,
        Zone::Named(zone) => zone.clone(),
    };
    strtime::format(format, &time.to_zoned_datetime(zone)).ok()
}

/// Returns the text of a time, as answers have it.
pub(super) fn text(millis: i64) -> String {
    Timestamp::from_millis(millis).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn start(unit: &str, time: &str, zone: &Zone) -> String {
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).unwrap();
        text(unit.start(millis(time), zone).unwrap())
    }

    #[test]
    fn periods_of_the_calendar_begin_where_the_zone_says() {
        let berlin = Zone::Named(TimeZone::get("Europe/Berlin").unwrap());
        let time = "2025-10-26T01:59:59.5Z";
        for (unit, utc, there) in [
            ("second", "2025-10-26T01:59:59.000Z", "2025-10-26T01:59:59.000Z"),
            ("hour", "2025-10-26T01:00:00.000Z", "2025-10-26T01:00:00.000Z"),
            ("day", "2025-10-26T00:00:00.000Z", "2025-10-25T22:00:00.000Z"),
            ("week", "2025-10-20T00:00:00.000Z", "2025-10-19T22:00:00.000Z"),
            ("month", "2025-10-01T00:00:00.000Z", "2025-09-30T22:00:00.000Z"),
            ("quarter", "2025-10-01T00:00:00.000Z", "2025-09-30T22:00:00.000Z"),
            ("year", "2025-01-01T00:00:00.000Z", "2024-12-31T23:00:00.000Z"),
        ] {
            assert_eq!(start(unit, time, &Zone::Utc), utc, "{unit}");
            assert_eq!(start(unit, time, &berlin), there, "{unit}");
        }
        let kathmandu = Zone::Named(TimeZone::get("Asia/Kathmandu").unwrap());
        assert_eq!(start("hour", time, &kathmandu), "2025-10-26T01:15:00.000Z");
    }

    #[test]
    fn parts_are_those_of_the_zone_and_of_the_shortcut() {
        let (utc, named) = (Zone::Utc, Zone::Named(TimeZone::UTC));
        for time in ["2025-10-26T01:59:59.5Z", "1969-12-31T23:00:01.25Z", "2024-12-30T00:00:00Z"] {
            for (name, part) in PARTS {
                assert_eq!(part.of(millis(time), &utc), part.of(millis(time), &named), "{name}");
            }
            for (name, unit) in UNITS {
                let both = (unit.start(millis(time), &utc), unit.start(millis(time), &named));
                assert_eq!(both.0, both.1, "{name}");
            }
        }
        let part = |part: Part| part.of(millis("2024-12-30T00:00:01.5Z"), &utc).unwrap();
        assert_eq!(
            (part(Part::Week), part(Part::DayOfWeek), part(Part::Millisecond)),
            (1, 1, 1500)
        );
        assert_eq!((part(Part::Quarter), part(Part::DayOfYear)), (4, 365));
    }

    #[test]
    fn a_time_out_of_range_has_no_parts() {
        assert_eq!(Part::Year.of(i64::MAX, &Zone::Utc), None);
        assert_eq!(Unit::Months(1).start(i64::MIN, &Zone::Utc), None);
        assert_eq!(Unit::Week.start(i64::MAX, &Zone::Utc), None);
        assert_eq!(format(i64::MAX, "%Y", &Zone::Utc), None);
        assert_eq!(format(0, "%Q!", &Zone::Utc).as_deref().unwrap_or("none"), "UTC!");
    }
}
