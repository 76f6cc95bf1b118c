//! Readers of the rarer spellings of times: months by name, names of time zones, and times that
//! could mean two things, which are refused with the reason.
//!
//! The common spellings are read by [`time_text`](super::time_text) before anything here is asked.

use super::digits::digits;
use super::not_a_time::NotATime;
use super::time_text::{
    Civil, MONTHS, compact_civil, read_clf, read_fraction, read_iso, read_zone, time_of_day,
};
use crate::time::days_from_civil;
use jiff::tz::{Offset, TimeZone};

/// The result of a reader: milliseconds since the epoch, or why the text is not a time.
type Millis = Result<i64, NotATime>;

const DAY_MILLIS: i64 = 86_400_000;
/// Maximum bytes of a time: of a month, a zone and a comment in their longest forms.
const TEXT_BYTES_MAX: usize = 120;
/// Days from the epoch within which a time without a year is looked for, about 13,000 years.
const DAYS_MAX: i64 = 5_000_000;
/// Maximum years to go back for a time without a year: between two leap days there may be eight.
const YEARS_BACK_MAX: i64 = 8;

/// Reads a time in a spelling that is rarer than those of `time_text`. A time without a year is of
/// the latest year that puts it at or before `until`.
///
/// # Errors
/// The reason why the text is not a time. Text that could mean two times is not a time.
#[cold]
pub(super) fn read_words(text: &[u8], until: Option<i64>) -> Millis {
    let text = match text.trim_ascii() {
        [b'[', inner @ .., b']'] if !inner.contains(&b'[') => inner.trim_ascii(),
        text => text,
    };
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return Err(NotATime::Malformed);
    }
    if let Some(time) = read_compact_with_zone(text) {
        return Ok(time);
    }
    if let Some(time) = read_iso_in_zone(text) {
        return time;
    }
    Words { rest: text }.time(until)
}

/// Reads text that is a time, in any spelling that `auto` knows. Returns milliseconds since the
/// epoch; a time without a zone is UTC. Returns `None` for text that spells a number, even if it
/// could mean a time.
#[inline]
pub(crate) fn read_known(text: &[u8]) -> Option<i64> {
    match text.trim_ascii() {
        // A date has at least ten characters.
        text @ [b'0'..=b'9' | b'[' | b'A'..=b'Z' | b'a'..=b'z', ..] if text.len() >= 10 => {
            read_common(text).or_else(|| may_be_words(text).then(|| read_words(text, None).ok())?)
        }
        _ => None,
    }
}

/// Reads a date, a date with a time of day, or the time of an access log.
#[inline]
pub(super) fn read_common(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'..=b'9' | b'[', ..] if text.len() >= 10 => {
            read_iso(text).map(Civil::to_millis).or_else(|| read_clf(text))
        }
        _ => None,
    }
}

/// Returns true if the text begins with a digit, or with the name of a month or a weekday.
#[inline]
fn may_be_words(text: &[u8]) -> bool {
    let Some(first) = text.strip_prefix(b"[").unwrap_or(text).first_chunk::<3>() else {
        return false;
    };
    first[0].is_ascii_digit()
        || name_index(&MONTHS, first).or(name_index(&WEEKDAYS, first)).is_some()
}

/// Reads `YYYYMMDDHHMMSS` with an optional fraction and a zone, as LDAP writes it. Without a zone
/// it is a number, which is read elsewhere.
fn read_compact_with_zone(text: &[u8]) -> Option<i64> {
    let (number, rest) = text.split_first_chunk::<14>()?;
    let number = digits(number)?;
    let (millis, zone) = read_fraction(rest)?;
    let offset = if zone.is_empty() { None } else { read_zone(zone) }?;
    let civil = compact_civil(number / 1_000_000, number % 1_000_000)?;
    Some(civil + millis - offset * 60_000)
}

/// Reads a date and a time of day followed by the name of a time zone: `[Europe/Berlin]`, also
/// after an offset, or `Europe/Berlin` after a space.
fn read_iso_in_zone(text: &[u8]) -> Option<Millis> {
    let (before, name) = match text {
        [inner @ .., b']'] => {
            let at = inner.iter().rposition(|byte| *byte == b'[')?;
            (&inner[..at], &inner[at + 1..])
        }
        _ => {
            let at = text.iter().rposition(|byte| *byte == b' ')?;
            (&text[..at], &text[at + 1..])
        }
    };
    if !name.first()?.is_ascii_alphabetic() {
        return None;
    }
    let civil = read_iso(before.trim_ascii_end())?;
    let zone = match zone_named(name) {
        Ok(zone) => zone,
        Err(why) => return Some(Err(why)),
    };
    let Some(offset) = civil.offset_minutes() else {
        return Some(in_zone(civil.to_millis(), &zone));
    };
    let time = civil.to_millis();
    let there = jiff::Timestamp::from_millisecond(time).map(|time| zone.to_offset(time).seconds());
    match there {
        // An offset that the zone does not have at that time makes the text contradict itself.
        Ok(seconds) if i64::from(seconds) == offset * 60 => Some(Ok(time)),
        _ => Some(Err(NotATime::Malformed)),
    }
}

/// Returns the time zone with this name. Abbreviations are refused: `CST` is the name of three
/// zones.
fn zone_named(name: &[u8]) -> Result<TimeZone, NotATime> {
    let name = std::str::from_utf8(name).map_err(|_| NotATime::Malformed)?;
    match name.contains('/') {
        true => TimeZone::get(name).map_err(|_| NotATime::UnknownZone),
        false if ["UTC", "GMT", "UT", "Z"].iter().any(|utc| utc.eq_ignore_ascii_case(name)) => {
            Ok(TimeZone::UTC)
        }
        false
            if (2..=5).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_uppercase()) =>
        {
            Err(NotATime::ZoneAbbreviated)
        }
        false => Err(NotATime::Malformed),
    }
}

/// Returns the time at which the clocks of a zone show this civil time, given as if it were UTC.
///
/// # Errors
/// [`NotATime::TwiceInZone`] if they show it twice or never.
fn in_zone(civil: i64, zone: &TimeZone) -> Millis {
    let civil = jiff::Timestamp::from_millisecond(civil).map_err(|_| NotATime::OutOfRange)?;
    let zoned = zone.to_ambiguous_zoned_datetime(Offset::UTC.to_datetime(civil));
    if zoned.is_ambiguous() {
        return Err(NotATime::TwiceInZone);
    }
    let time = zoned.unambiguous().map_err(|_| NotATime::OutOfRange)?;
    Ok(time.timestamp().as_millisecond())
}

const WEEKDAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

const WEEKDAYS_LONG: [&[u8]; 7] =
    [b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday", b"Sunday"];

const MONTHS_LONG: [&[u8]; 12] = [
    b"January",
    b"February",
    b"March",
    b"April",
    b"May",
    b"June",
    b"July",
    b"August",
    b"September",
    b"October",
    b"November",
    b"December",
];

fn name_index(names: &[&[u8]], word: &[u8]) -> Option<usize> {
    names.iter().position(|name| name.eq_ignore_ascii_case(word))
}

/// A date, of which the year may be missing.
#[derive(Clone, Copy)]
struct Date {
    year: Option<i64>,
    month: i64,
    day: i64,
}

/// The parts of a time, taken from the front of the text.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// Reads an optional weekday, a date with the name of its month, an optional time of day, an
    /// optional zone, and the year where the date has none.
    fn time(mut self, until: Option<i64>) -> Millis {
        let weekday = self.weekday();
        let mut date = self.date(until.is_some())?;
        let before_clock = self.rest;
        self.between();
        let clock = self.clock();
        if clock.is_none() {
            // A year is not a time of day.
            self.rest = before_clock;
        }
        let (clock, zone) = match clock {
            Some(clock) => (clock?, self.zone_and_year(&mut date)?),
            None => (0, None),
        };
        if !self.rest.is_empty() {
            return Err(NotATime::Malformed);
        }
        let midnight = match (date.year, until) {
            (Some(year), _) => days_from_civil(year, date.month, date.day)
                .map(|days| days * DAY_MILLIS)
                .ok_or(NotATime::Malformed)?,
            (None, Some(until)) => date.midnight_until(until - clock)?,
            (None, None) => return Err(NotATime::NoYear),
        };
        let is_weekday = |weekday: i64| (midnight / DAY_MILLIS + 3).rem_euclid(7) == weekday;
        if weekday.is_some_and(|weekday| !is_weekday(weekday)) {
            return Err(NotATime::Malformed);
        }
        match zone {
            None => Ok(midnight + clock),
            Some(Zone::Offset(minutes)) => Ok(midnight + clock - minutes * 60_000),
            Some(Zone::Named(zone)) => in_zone(midnight + clock, &zone),
        }
    }

    /// Takes the letters in front.
    fn word(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_alphabetic());
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// Takes a number with at most `digits_max` digits.
    fn number(&mut self, digits_max: usize) -> Option<i64> {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_digit());
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let value = digits(number).filter(|_| number.len() <= digits_max)?;
        self.rest = rest;
        Some(value)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Takes what separates a date from a time of day.
    fn between(&mut self) {
        match self.rest {
            [b':' | b'T', rest @ ..] => self.rest = rest,
            _ => {
                self.skip(b',');
                self.spaces();
            }
        }
    }

    /// Takes a weekday with its comma; Monday is 0.
    fn weekday(&mut self) -> Option<i64> {
        let before = self.rest;
        let word = self.word();
        let Some(index) = name_index(&WEEKDAYS, word).or_else(|| name_index(&WEEKDAYS_LONG, word))
        else {
            self.rest = before;
            return None;
        };
        self.skip(b',');
        self.spaces();
        i64::try_from(index).ok()
    }

    fn month(&mut self) -> Option<i64> {
        let word = self.word();
        let index = name_index(&MONTHS, word).or_else(|| name_index(&MONTHS_LONG, word))?;
        i64::try_from(index + 1).ok()
    }

    /// Takes a date: `02 Jan 2024` (also with dashes or slashes), `Jan 2, 2024`, or either without
    /// the year. `is_yearless` also takes `01-02`, month and day.
    fn date(&mut self, is_yearless: bool) -> Result<Date, NotATime> {
        if !self.rest.first().ok_or(NotATime::Malformed)?.is_ascii_digit() {
            let month = self.month().ok_or(NotATime::Malformed)?;
            self.spaces();
            let day = self.number(2).ok_or(NotATime::Malformed)?;
            self.skip(b',');
            let year = self.year_after_space();
            return Ok(Date { year, month, day });
        }
        let text = self.rest;
        let first = self.number(2).ok_or(NotATime::Malformed)?;
        let Some((separator @ (b' ' | b'-' | b'/' | b'.'), _)) = self.rest.split_first() else {
            return Err(NotATime::Malformed);
        };
        self.rest = &self.rest[1..];
        if self.rest.first().is_some_and(u8::is_ascii_digit) {
            return self.date_of_digits(first, (text, *separator), is_yearless);
        }
        let month = self.month().ok_or(NotATime::Malformed)?;
        let year = match self.rest.split_first() {
            Some((b' ', _)) if *separator == b' ' => self.year_after_space(),
            Some((next, _)) if next == separator => {
                self.rest = &self.rest[1..];
                Some(self.year().ok_or(NotATime::Malformed)?)
            }
            _ => None,
        };
        Ok(Date { year, month, day: first })
    }

    /// A date of digits says which of them is the day only where there is no year, and only to
    /// those who have said that their times have none.
    fn date_of_digits(
        &mut self,
        month: i64,
        (text, separator): (&[u8], u8),
        is_yearless: bool,
    ) -> Result<Date, NotATime> {
        if separator == b' ' {
            return Err(NotATime::Malformed);
        }
        let day = self.number(2).ok_or(NotATime::Malformed)?;
        if self.skip(separator) {
            let has_year = matches!(self.number(4), Some(0..100 | 1000..));
            return Err(if has_year { NotATime::DayOrMonth } else { NotATime::Malformed });
        }
        let is_clock_next = self.rest.starts_with(b" ") && text.get(2) == Some(&b'-');
        match is_clock_next {
            true if is_yearless && separator == b'-' => Ok(Date { year: None, month, day }),
            true => Err(NotATime::NoYear),
            false => Err(NotATime::Malformed),
        }
    }

    fn year(&mut self) -> Option<i64> {
        let is_year = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count() == 4;
        is_year.then(|| self.number(4)).flatten()
    }

    /// Takes a year after a space, if there is one.
    fn year_after_space(&mut self) -> Option<i64> {
        let before = self.rest;
        self.spaces();
        let year = self.year();
        if year.is_none() {
            self.rest = before;
        }
        year
    }

    /// Takes a time of day, in milliseconds. Returns `None` if the text does not begin with one.
    fn clock(&mut self) -> Option<Millis> {
        let hour = self.number(2)?;
        if !self.skip(b':') {
            return None;
        }
        Some(self.after_hour(hour).ok_or(NotATime::Malformed))
    }

    fn after_hour(&mut self, hour: i64) -> Option<i64> {
        let minute = self.two_digits()?;
        let second = if self.skip(b':') { self.two_digits()? } else { 0 };
        let (millis, rest) = read_fraction(self.rest)?;
        self.rest = rest;
        let hour = match (rest.trim_ascii_start().get(..2), hour) {
            (Some(b"AM" | b"am"), 1..=12) => hour % 12,
            (Some(b"PM" | b"pm"), 1..=12) => hour % 12 + 12,
            (Some(b"AM" | b"am" | b"PM" | b"pm"), _) => return None,
            _ => return Some(time_of_day(hour, minute, second)? + millis),
        };
        self.spaces();
        self.rest = &self.rest[2..];
        Some(time_of_day(hour, minute, second)? + millis)
    }

    fn two_digits(&mut self) -> Option<i64> {
        let (pair, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        digits(pair)
    }

    /// Takes a zone and, where the date has no year, the year, in either order; then a comment in
    /// parentheses.
    fn zone_and_year(&mut self, date: &mut Date) -> Result<Option<Zone>, NotATime> {
        let mut zone = None;
        loop {
            self.spaces();
            match self.rest {
                [] => return Ok(zone),
                [b'(', .., b')'] => self.rest = &[],
                [b'0'..=b'9', ..] if date.year.is_none() => {
                    date.year = Some(self.year().ok_or(NotATime::Malformed)?);
                }
                _ if zone.is_none() => zone = Some(self.zone()?),
                _ => return Err(NotATime::Malformed),
            }
        }
    }

    fn zone(&mut self) -> Result<Zone, NotATime> {
        let end = self.rest.iter().position(|byte| *byte == b' ');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        // JavaScript writes GMT+0100.
        let offset = word.strip_prefix(b"GMT").filter(|offset| !offset.is_empty()).unwrap_or(word);
        match read_zone(offset) {
            Some(minutes) => Ok(Zone::Offset(minutes)),
            None => zone_named(word).map(Zone::Named),
        }
    }
}

enum Zone {
    /// Minutes east of UTC.
    Offset(i64),
    Named(TimeZone),
}

impl Date {
    /// Returns the first moment of the day in the latest year that puts it at or before `until`.
    fn midnight_until(self, until: i64) -> Millis {
        let days_until = until.div_euclid(DAY_MILLIS).clamp(-DAYS_MAX, DAYS_MAX);
        // The mean length of a year, rounded down: the year of `until`, or the one after it.
        let year = 1971 + days_until.div_euclid(365);
        let back = YEARS_BACK_MAX + (days_until / 365 / 1460).abs() + 2;
        (year - back..=year)
            .rev()
            .filter_map(|year| days_from_civil(year, self.month, self.day))
            .map(|days| days * DAY_MILLIS)
            .find(|midnight| *midnight <= until)
            .ok_or(NotATime::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::fmt::{rfc2822, strtime};
    use proptest::prelude::*;

    /// 2024-01-02T03:04:05Z.
    const TIME: i64 = 1_704_164_645_000;

    fn words(text: &str) -> Millis {
        read_words(text.as_bytes(), None)
    }

    #[test]
    fn s92_times_with_a_month_by_name_are_read() {
        for text in [
            "Tue, 02 Jan 2024 03:04:05 +0000",
            "Tue, 2 Jan 2024 04:04:05 +0100 (CET)",
            "02 Jan 2024 03:04:05 GMT",
            "Tue Jan  2 03:04:05 2024",
            "[Tue Jan 02 03:04:05.000900 2024]",
            "Tue Jan  2 03:04:05 UTC 2024",
            "Tue Jan 02 2024 04:04:05 GMT+0100 (Central European Standard Time)",
            "Jan 2, 2024 3:04:05 AM",
            "January 2, 2024, 03:04:05",
            "Tuesday, January 2, 2024 3:04:05 am",
            "02-Jan-2024 03:04:05.000",
            "[02-Jan-2024 04:04:05 Europe/Berlin]",
            "02/Jan/2024:03:04:05",
            "20240102030405Z",
            "20240102040405.000+0100",
            "2024-01-02 04:04:05 Europe/Berlin",
            "2024-01-02T04:04:05+01:00[Europe/Berlin]",
            "2024-01-02T03:04:05Z[UTC]",
        ] {
            assert_eq!(words(text), Ok(TIME), "{text}");
            assert_eq!(read_known(text.as_bytes()), Some(TIME), "{text}");
        }
        assert_eq!(words("02 Jan 2024 03:04"), Ok(TIME - 5000));
        assert_eq!(words("Jan 2, 2024"), Ok(1_704_153_600_000));
        assert_eq!(words("Jan 2, 2024 12:00:00 AM"), Ok(1_704_153_600_000));
        assert_eq!(words("Jan 2, 2024 12:00:00 PM"), Ok(1_704_196_800_000));
        assert_eq!(words("02 Jan 2024 03:04:05,678"), Ok(TIME + 678));
    }

    #[test]
    fn s92_text_that_could_mean_two_times_is_refused() {
        for (text, why) in [
            ("Jan  2 03:04:05", NotATime::NoYear),
            ("Tue Jan  2 03:04:05 UTC", NotATime::NoYear),
            ("01-02 03:04:05.678", NotATime::NoYear),
            ("01/02/2024 03:04:05", NotATime::DayOrMonth),
            ("31.12.2024", NotATime::DayOrMonth),
            ("1-2-24 03:04", NotATime::DayOrMonth),
            ("Tue Jan  2 03:04:05 CST 2024", NotATime::ZoneAbbreviated),
            ("2024-01-02 03:04:05 EST", NotATime::ZoneAbbreviated),
            ("2024-01-02 03:04:05 Europe/Berlim", NotATime::UnknownZone),
            ("2025-10-26 02:30:00 Europe/Berlin", NotATime::TwiceInZone),
            ("2025-03-30 02:30:00 Europe/Berlin", NotATime::TwiceInZone),
            ("2025-10-26T02:30:00+03:00[Europe/Berlin]", NotATime::Malformed),
            ("Wed, 02 Jan 2024 03:04:05 GMT", NotATime::Malformed),
            ("02 Jan 2024 03:04:05 GMT GMT", NotATime::Malformed),
            ("02 Jan 2024 13:04:05 PM", NotATime::Malformed),
            ("02 Jan 2024 03:04:05 soon", NotATime::Malformed),
            ("30 Feb 2024 03:04:05", NotATime::Malformed),
            ("Jan 2024", NotATime::Malformed),
            ("May", NotATime::Malformed),
            ("Monday", NotATime::Malformed),
            ("2024", NotATime::Malformed),
        ] {
            assert_eq!(words(text), Err(why), "{text}");
        }
        // What is said twice is settled by the offset.
        assert!(words("2025-10-26T02:30:00+01:00[Europe/Berlin]").is_ok());
        assert!(words("2025-10-26T02:30:00+02:00[Europe/Berlin]").is_ok());
    }

    #[test]
    fn s92_a_time_without_a_year_is_of_the_latest_one_before_the_end() {
        let read = |text: &str, until: &str| {
            let until = until.parse::<jiff::Timestamp>().unwrap().as_millisecond();
            let millis = read_words(text.as_bytes(), Some(until)).unwrap();
            jiff::Timestamp::from_millisecond(millis).unwrap().to_string()
        };
        for (text, until, time) in [
            ("Jan  2 03:04:05", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("Jan  2 03:04:06", "2024-01-02T03:04:05Z", "2023-01-02T03:04:06Z"),
            ("Dec 31 23:59:59", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59Z"),
            ("Dec 31 23:59:59", "2024-12-31T23:59:59.999Z", "2024-12-31T23:59:59Z"),
            ("Feb 29 12:00:00", "2027-06-01T00:00:00Z", "2024-02-29T12:00:00Z"),
            ("Feb 29 12:00:00", "1903-06-01T00:00:00Z", "1896-02-29T12:00:00Z"),
            ("12-31 23:59:59.250", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59.25Z"),
        ] {
            assert_eq!(read(text, until), time, "{text} until {until}");
        }
        assert!(read_words(b"Feb 30 12:00:00", Some(0)).is_err());
        for until in [i64::MIN + DAY_MILLIS, i64::MAX] {
            let _ = read_words(b"Feb 29 12:00:00", Some(until));
        }
    }

    proptest! {
        #[test]
        fn words_agree_with_jiff(
            seconds in -60_000_000_000i64..253_000_000_000,
            offset in -23i8..24,
        ) {
            let time = jiff::Timestamp::new(seconds, 0).unwrap();
            let zoned = time.to_zoned_datetime(Offset::constant(offset).to_time_zone());
            for pattern in [
                "%a %b %e %H:%M:%S %z \
                                     %Y",
                "%d-%b-%Y %H:%M:%S \
                                           %z",
                "%B %-d, %Y %-I:%M:%S %p \
                                                 %:z",
                "%Y%m%d%H%M%S%z",
                "%A, %d %b %Y %T GMT%z",
            ] {
                let text = strtime::format(pattern, &zoned).unwrap();
                prop_assert_eq!(words(&text), Ok(time.as_millisecond()), "{}", text);
            }
            if let Ok(text) = rfc2822::to_string(&zoned) {
                prop_assert_eq!(words(&text), Ok(time.as_millisecond()), "{}", text);
            }
        }

        #[test]
        fn a_year_that_is_left_out_is_found(
            until in 0i64..4_000_000_000,
            before in 0i64..365 * 86_400,
        ) {
            let time = jiff::Timestamp::new(until - before, 0).unwrap();
            let text = strtime::format("%b %e %H:%M:%S", time).unwrap();
            // A year before a day in a leap year may be the same day.
            let read = read_words(text.as_bytes(), Some(until * 1000));
            prop_assert_eq!(read, Ok(time.as_millisecond()), "{}", text);
        }

        #[test]
        fn zones_agree_with_jiff(
            seconds in 0i64..4_000_000_000,
            zone in "Europe/Berlin|America/New_York|Asia/Kathmandu|Australia/Lord_Howe",
        ) {
            let time = jiff::Timestamp::new(seconds, 0).unwrap();
            let zoned = time.to_zoned_datetime(TimeZone::get(&zone).unwrap());
            let text = format!("{} {zone}", strtime::format("%F %T", &zoned).unwrap());
            let read = words(&text);
            prop_assert!(
                read == Ok(time.as_millisecond()) || read == Err(NotATime::TwiceInZone),
                "{}",
                text
            );
            prop_assert_eq!(words(&zoned.to_string()), Ok(time.as_millisecond()));
        }

        #[test]
        fn any_text_is_no_danger(
            text: String,
            near in "(Tue,? )?([0-9]{1,2}[ /.-])?(Jan|May|[0-9]{2})[ /.-]{1,2}[0-9]{0,4}[ \
                     :,]{0,2}[0-9:]{0,9}[.,]?[0-9]{0,4} ?[A-Z+]{0,4}[0-9:]{0,5} ?[0-9()]{0,5}",
        ) {
            for text in [text, near] {
                let _ = words(&text);
                let _ = read_words(text.as_bytes(), Some(0));
                let known = read_known(text.as_bytes());
                prop_assert!(
                    known.is_none()
                        || known == words(&text).ok()
                        || read_common(text.trim_ascii().as_bytes()) == known
                );
            }
        }
    }
}
