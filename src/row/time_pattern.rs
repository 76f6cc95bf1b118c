//! Patterns of times with the `%` directives of `jiff`: reading, and refusing patterns that cannot
//! be right.

use super::not_a_time::{NotATime, to_millis};
use crate::error::{Error, ErrorKind};
use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::Offset;
use jiff::{Span, ToSpan};

/// Reads text in a pattern, and returns the milliseconds since the epoch.
pub(super) fn read_pattern(pattern: &str, text: &str) -> Result<i64, NotATime> {
    let parts = strtime::parse(pattern, text).map_err(|_| NotATime::Malformed)?;
    read_parts(&parts, text.starts_with('-'))
}

fn read_parts(parts: &BrokenDownTime, minus: bool) -> Result<i64, NotATime> {
    if let Some(seconds) = parts.timestamp() {
        // `%s` and its fraction are one number with one sign: -1.5 is half a second before -1.
        let fraction = i128::from(parts.subsec_nanosecond().unwrap_or(0));
        let seconds = seconds.as_nanosecond();
        let negative = seconds < 0 || (seconds == 0 && minus);
        let nanos = if negative { seconds - fraction } else { seconds + fraction };
        return i64::try_from(nanos.div_euclid(1_000_000)).map_err(|_| NotATime::OutOfRange);
    }
    if parts.offset().is_some() {
        return parts.to_timestamp().map_err(|_| NotATime::Malformed).and_then(to_millis);
    }
    if parts.iana_time_zone().is_some() {
        let zoned = parts.to_zoned_datetime().map_err(|_| NotATime::Malformed)?;
        return to_millis(zoned.timestamp());
    }
    let civil = parts.to_datetime().map_err(|_| NotATime::Malformed)?;
    Offset::UTC.to_timestamp(civil).map_err(|_| NotATime::OutOfRange).and_then(to_millis)
}

/// Refuses a pattern that cannot be right: one with a directive that is unknown or cannot be read,
/// without a date, or with a part that is read but not used.
///
/// The check writes times in the pattern and reads them again: what is visible in the text must be
/// visible in the time.
///
/// # Errors
/// [`ErrorKind::Parse`] with the reason.
pub(super) fn check_pattern(pattern: &str) -> Result<(), Error> {
    let check =
        Check { pattern, base: jiff::civil::date(2013, 11, 24).at(17, 38, 49, 100_000_000) };
    let text = check.written(check.base, Offset::UTC)?;
    check.has_no_part_twice()?;
    check.has_all_of_a_time(&text)?;
    check.parts_are_used(&text)?;
    check.zone_is_used(&text)
}

/// The parts of a time, and the change of the base that shows whether the pattern has the part.
fn parts() -> [(&'static str, Span); 8] {
    [
        ("year", 1.year()),
        ("month", 1.month()),
        ("day", 1.day()),
        ("half of the day", (-12).hours()),
        ("hour", 1.hour()),
        ("minute", 1.minute()),
        ("second", 1.second()),
        ("fraction of the second", 100.milliseconds()),
    ]
}

struct Check<'a> {
    pattern: &'a str,
    /// A time whose parts are all different and not zero, so that no part is confused or omitted.
    base: DateTime,
}

impl Check<'_> {
    fn refused(&self, why: &str) -> Error {
        Error::new(ErrorKind::Parse, format!("{:?} is not a pattern of times{why}", self.pattern))
    }

    /// Returns a time as the pattern writes it.
    fn written(&self, civil: DateTime, offset: Offset) -> Result<String, Error> {
        let hint = match self.pattern.contains("%L") {
            true => ": a fraction of the second is %f, or %3f for milliseconds",
            false => "",
        };
        let zoned = civil
            .to_zoned_datetime(offset.to_time_zone())
            .map_err(|error| self.refused("").with_source(error))?;
        strtime::format(self.pattern, &zoned).map_err(|error| self.refused(hint).with_source(error))
    }

    /// Checks that no directive occurs twice: only the last would count, as in `%H:%M:%M`.
    fn has_no_part_twice(&self) -> Result<(), Error> {
        let mut seen = Vec::new();
        let mut rest = self.pattern.chars();
        while rest.by_ref().any(|char| char == '%') {
            // Flags, widths and precisions stand before the letter.
            let directive = rest.by_ref().find(|char| char.is_alphabetic() || *char == '%');
            let Some(letter) = directive.filter(|char| !matches!(char, '%' | 'n' | 't')) else {
                continue;
            };
            if seen.contains(&letter) {
                return Err(self
                    .refused(&format!(": %{letter} occurs twice, and only the last would count")));
            }
            seen.push(letter);
        }
        Ok(())
    }

    fn has_all_of_a_time(&self, text: &str) -> Result<(), Error> {
        let parts = strtime::parse(self.pattern, text).map_err(|error| {
            self.refused(&format!(": it writes {text:?} and cannot read that")).with_source(error)
        })?;
        if parts.timestamp().is_none() {
            parts.to_date().map_err(|error| self.refused(": it has no date").with_source(error))?;
            parts.to_time().map_err(|error| {
                self.refused(": a part of the time of day is missing").with_source(error)
            })?;
        } else if parts.year().or(parts.iso_week_year()).is_some()
            || parts.month().is_some()
            || parts.day().is_some()
            || parts.hour().is_some()
        {
            return Err(
                self.refused(": %s is the whole time, so the other parts would have no effect")
            );
        }
        Ok(())
    }

    /// Checks that every part that is visible in the text is visible in the time that is read.
    fn parts_are_used(&self, text: &str) -> Result<(), Error> {
        let mut expected = self.base;
        let mut shown = Vec::new();
        for (name, step) in parts() {
            let changed =
                self.base.checked_add(step).map_err(|error| self.refused("").with_source(error))?;
            let changed_text = self.written(changed, Offset::UTC)?;
            match (changed_text == text, name) {
                (false, _) => shown.push((name, step, changed_text)),
                (true, "hour") => expected = expected.with().hour(0).build().unwrap_or(expected),
                (true, "minute") => {
                    expected = expected.with().minute(0).build().unwrap_or(expected)
                }
                (true, "second") => {
                    expected = expected.with().second(0).build().unwrap_or(expected)
                }
                (true, "fraction of the second") => {
                    expected = expected.with().subsec_nanosecond(0).build().unwrap_or(expected)
                }
                (true, "half of the day") => {}
                (true, name) => return Err(self.refused(&format!(": it has no {name}"))),
            }
        }
        if self.read(text) != millis_of(expected, Offset::UTC) {
            let read = self.read(text).map_or_else(
                || "no time".into(),
                |millis| crate::time::Timestamp::from_millis(millis).to_string(),
            );
            return Err(self.refused(&format!(
                ": {text:?}, as it writes {expected}, would be read as {read}"
            )));
        }
        for (name, step, changed_text) in shown {
            let changed = expected.checked_add(step).ok();
            if self.read(&changed_text)
                != changed.and_then(|changed| millis_of(changed, Offset::UTC))
            {
                return Err(
                    self.refused(&format!(": it reads the {name}, which would have no effect"))
                );
            }
        }
        Ok(())
    }

    fn zone_is_used(&self, text: &str) -> Result<(), Error> {
        let (Some(here), offset) = (self.read(text), Offset::constant(2)) else { return Ok(()) };
        let elsewhere = self.written(self.base, offset)?;
        match elsewhere == text
            || self.read(&elsewhere) == Some(here - i64::from(offset.seconds()) * 1000)
        {
            true => Ok(()),
            false => Err(self.refused(": it reads the zone, which would have no effect")),
        }
    }

    fn read(&self, text: &str) -> Option<i64> {
        read_pattern(self.pattern, text).ok()
    }
}

fn millis_of(civil: DateTime, offset: Offset) -> Option<i64> {
    offset.to_timestamp(civil).ok().and_then(|time| to_millis(time).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(pattern: &str) -> String {
        match check_pattern(pattern) {
            Ok(()) => format!("{pattern} is let through"),
            Err(error) => error.to_string(),
        }
    }

    /// Patterns that occur in logs, and the milliseconds of their smallest unit.
    const PATTERNS: [(&str, i64); 24] = [
        ("%Y-%m-%d %H:%M:%S%.f", 1),
        ("%Y-%m-%d %H:%M:%S.%f", 1),
        ("%Y-%m-%d %H:%M:%S,%3f", 1),
        ("%Y-%m-%dT%H:%M:%S.%6f%:z", 1),
        ("%FT%T%.3fZ", 1),
        ("%d/%b/%Y:%H:%M:%S %z", 1000),
        ("%d/%b/%Y:%H:%M:%S.%3f %z", 1),
        ("%a, %d %b %Y %H:%M:%S %z", 1000),
        ("%A %d %B %Y %I:%M:%S %p", 1000),
        ("%m/%d/%Y %I:%M:%S%P", 1000),
        ("%e.%m.%Y %k:%M:%S", 1000),
        ("%Y%m%d%H%M%S", 1000),
        ("%Y%m%d%H%M%S%3f", 1),
        ("%Y%m%dT%H%M%SZ", 1000),
        ("%Y-%j %H:%M", 60_000),
        ("%G-W%V-%u %R", 60_000),
        ("%Y-%m-%d %H", 3_600_000),
        ("%Y%m%d", 86_400_000),
        ("%D", 86_400_000),
        ("%s", 1000),
        ("%s.%f", 1),
        ("%s.%3f", 1),
        ("%s%.f", 1),
        ("%s%.f %z", 1),
    ];

    /// Writes a time in a pattern. `%s` and its fraction are one number, which `jiff` writes
    /// correctly only from 1970 on.
    fn written(pattern: &str, millis: i64) -> String {
        let whole = if pattern.starts_with("%s") { millis.abs() } else { millis };
        let sign = if whole == millis { "" } else { "-" };
        let time = jiff::Timestamp::from_millisecond(whole).unwrap();
        format!(
            "{sign}{}",
            strtime::format(pattern, &time.to_zoned_datetime(jiff::tz::TimeZone::UTC)).unwrap()
        )
    }

    proptest! {
        #[test]
        fn what_is_written_in_a_pattern_is_read_as_that_millisecond(
            millis in -3_000_000_000_000i64..4_000_000_000_000,
            near in -2000i64..2000,
        ) {
            for (pattern, unit) in PATTERNS {
                // A year of two digits is one of these hundred years.
                let years = if pattern == "%D" { 0..3_000_000_000_000 } else { i64::MIN..i64::MAX };
                for millis in [millis, near].into_iter().filter(|millis| years.contains(millis)) {
                    let text = written(pattern, millis);
                    let down = match pattern.starts_with("%s") {
                        true => millis / unit * unit,
                        false => millis.div_euclid(unit) * unit,
                    };
                    prop_assert_eq!(
                        read_pattern(pattern, &text),
                        Ok(down),
                        "{} of {}",
                        text,
                        pattern
                    );
                }
            }
        }
    }

    #[test]
    fn patterns_that_can_be_right_are_let_through() {
        for (pattern, _) in PATTERNS {
            check_pattern(pattern).unwrap_or_else(|error| panic!("{error}"));
        }
        for pattern in [
            "%d.%m.%y",
            "[%d/%b/%Y:%T %z]",
            "%Y-%m-%d %H:%M:%S %Q",
            "%C%y-%m-%d",
            "100%% %F %%",
            "%F %T %:::z",
        ] {
            check_pattern(pattern).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn patterns_that_cannot_be_right_are_refused_with_the_reason() {
        assert!(refusal("%H:%M").contains("it has no date"), "{}", refusal("%H:%M"));
        assert!(refusal("%Y-%m").contains("it has no date"), "{}", refusal("%Y-%m"));
        assert!(refusal("100%%").contains("it has no date"), "{}", refusal("100%%"));
        assert!(
            refusal("%s.%L").contains("a fraction of the second is %f"),
            "{}",
            refusal("%s.%L")
        );
        assert!(refusal("%Y-%!").contains("is not a pattern of times"), "{}", refusal("%Y-%!"));
        assert!(refusal("%F %T %Z").contains("cannot read that"), "{}", refusal("%F %T %Z"));
        assert!(
            refusal("%F %M").contains("a part of the time of day is missing"),
            "{}",
            refusal("%F %M")
        );
        assert!(
            refusal("%F %H:%M%.f").contains("a part of the time of day is missing"),
            "{}",
            refusal("%F %H:%M%.f")
        );
        assert!(
            refusal("%F %f").contains("a part of the time of day is missing"),
            "{}",
            refusal("%F %f")
        );
        assert!(
            refusal("%F %I:%M").contains("would be read as 2013-11-24T05:38"),
            "{}",
            refusal("%F %I:%M")
        );
        assert!(refusal("%F %p").contains("it reads the half of the day"), "{}", refusal("%F %p"));
        assert!(
            refusal("%Y-%m-%d %s").contains("%s is the whole time"),
            "{}",
            refusal("%Y-%m-%d %s")
        );
        assert!(refusal("%s %H").contains("%s is the whole time"), "{}", refusal("%s %H"));
        for pattern in ["%F %H:%M:%M", "%d.%d.%Y", "%F %T.%f.%3f", "%-d/%d/%m/%Y", "%F %F"] {
            assert!(refusal(pattern).contains("occurs twice"), "{}", refusal(pattern));
        }
    }

    #[test]
    fn the_fraction_behind_seconds_is_kept() {
        for pattern in ["%s.%f", "%s%.f", "%s.%3f"] {
            assert_eq!(read_pattern(pattern, "1700000000.923"), Ok(1_700_000_000_923), "{pattern}");
            assert_eq!(read_pattern(pattern, "-1.25"), Ok(-1250), "{pattern}");
            assert_eq!(read_pattern(pattern, "-0.25"), Ok(-250), "{pattern}");
            assert_eq!(read_pattern(pattern, "-0.0000001"), Ok(-1), "{pattern}");
        }
    }
}
