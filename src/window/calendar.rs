//! Windows of calendar days, weeks, months, quarters and years, in a time zone or in UTC.

use super::Windows;
use super::calendar_grid::{CalendarGrid, Cuts, Unit};
use super::zone::TimeZone;
use crate::error::{Error, ErrorKind};
use crate::time::MILLIS_PER_DAY;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time by the calendar, such as 1 month.
///
/// # Example
/// ```
/// use streamgauge::window::Period;
/// assert_eq!("1mo".parse::<Period>()?, Period::Months(1));
/// assert_eq!("2w".parse::<Period>()?, Period::Weeks(2));
/// assert_eq!(Period::Quarters(1).to_string(), "1 quarter");
/// assert!("1h".parse::<Period>().is_err()); // a fixed length, whatever the calendar
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Period {
    /// Days: `1d`.
    Days(u32),
    /// Weeks, which begin on Mondays: `1w`.
    Weeks(u32),
    /// Months: `1mo`.
    Months(u32),
    /// Quarters, which begin in January, April, July and October: `1q`.
    Quarters(u32),
    /// Years: `1y`.
    Years(u32),
}

/// The longest window of days and of months: 1,000 years.
const DAYS_MAX: i64 = 365_250;
const MONTHS_MAX: i64 = 12_000;

impl Period {
    fn parts(self) -> (u32, &'static str, &'static str) {
        match self {
            Period::Days(n) => (n, "d", "day"),
            Period::Weeks(n) => (n, "w", "week"),
            Period::Months(n) => (n, "mo", "month"),
            Period::Quarters(n) => (n, "q", "quarter"),
            Period::Years(n) => (n, "y", "year"),
        }
    }

    /// Returns the length in the unit that windows of this length are counted in.
    pub(super) fn in_units(self) -> (Unit, i64) {
        match self {
            Period::Days(n) => (Unit::Day, i64::from(n)),
            Period::Weeks(n) => (Unit::Day, 7 * i64::from(n)),
            Period::Months(n) => (Unit::Month, i64::from(n)),
            Period::Quarters(n) => (Unit::Month, 3 * i64::from(n)),
            Period::Years(n) => (Unit::Month, 12 * i64::from(n)),
        }
    }

    /// Checks that a window or a slide can have this length.
    fn check(self, what: &str) -> Result<Self, Error> {
        let (unit, length) = self.in_units();
        let longest = if unit == Unit::Day { DAYS_MAX } else { MONTHS_MAX };
        if (1..=longest).contains(&length) {
            return Ok(self);
        }
        Err(Error::invalid(format!("{what} of {self}; at least 1 day and at most 1,000 years")))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, _, name) = self.parts();
        write!(f, "{n} {name}{}", if n == 1 { "" } else { "s" })
    }
}

impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let period = number.parse().ok().and_then(|n| {
            let periods = [
                Period::Days(n),
                Period::Weeks(n),
                Period::Months(n),
                Period::Quarters(n),
                Period::Years(n),
            ];
            periods.into_iter().find(|period| period.parts().1 == unit)
        });
        period.ok_or_else(|| {
            let message =
                format!("{text:?} is not a length of the calendar such as 1d, 1w, 1mo, 1q or 1y");
            Error::new(ErrorKind::Parse, message)
        })
    }
}

/// Windows that begin and end where the calendar has a day, a week, a month, a quarter or a year
/// begin: in UTC, or in a [time zone](Calendar::zone), whose days can have 23 or 25 hours.
///
/// Days and months are counted from 1970-01-01 and weeks from the Monday before, so windows of 2
/// months begin with January, March and so on. A day begins at the first moment at which the clocks
/// show midnight or later. A day that the clocks skip altogether has no window of its own.
///
/// Windows of fixed length, such as 6 hours, are [`Tumbling`](super::Tumbling) or
/// [`Sliding`](super::Sliding) in any zone.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::window::{Calendar, Period};
/// let mut pipeline = Pipeline::builder()
///     .event_time(|at: &i64| Timestamp::from_millis(*at))
///     .window(Calendar::new(Period::Months(1))?)
///     .aggregate(count())
///     .build()?;
/// let window = pipeline.over([951_782_400_000]).next().and_then(|emission| emission.window);
/// assert_eq!(
///     window.map(|window| window.to_string()).as_deref(),
///     Some("[2000-02-01T00:00:00.000Z, 2000-03-01T00:00:00.000Z)")
/// );
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    size: Period,
    slide: Period,
    /// In milliseconds of the zone's clocks.
    offset: i64,
    zone: Option<TimeZone>,
}

impl Calendar {
    /// Creates windows of this size in UTC, each beginning where the one before it ends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the size is zero or over 1,000 years.
    ///
    /// # Example
    /// ```
    /// use streamgauge::window::{Calendar, Period};
    /// assert!(Calendar::new(Period::Quarters(1)).is_ok());
    /// assert!(Calendar::new(Period::Years(0)).is_err());
    /// ```
    pub fn new(size: Period) -> Result<Self, Error> {
        let size = size.check("a window size")?;
        Ok(Calendar { size, slide: size, offset: 0, zone: None })
    }

    /// Makes a window begin at each multiple of `slide`: windows of 7 days every day overlap.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the slide is zero or over 1,000 years, or if one of size
    /// and slide is of days or weeks and the other of months, quarters or years.
    ///
    /// # Example
    /// ```
    /// use streamgauge::window::{Calendar, Period, Windows};
    /// let last_7_days = Calendar::new(Period::Days(7))?.every(Period::Days(1))?;
    /// assert_eq!(Windows::from(last_7_days).windows_per_record(), 7);
    /// // The last day of a month is not as many days after its first as that of another.
    /// assert!(Calendar::new(Period::Months(1))?.every(Period::Days(1)).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn every(self, slide: Period) -> Result<Self, Error> {
        let slide = slide.check("a slide")?;
        if slide.in_units().0 != self.size.in_units().0 {
            return Err(Error::invalid(format!(
                "a window size of {} with a slide of {slide}: both are days and weeks, or both are \
                 months, quarters and years",
                self.size
            )));
        }
        Ok(Calendar { slide, ..self })
    }

    /// Shifts all windows into the future by this much of the clocks' time: days that begin at 6
    /// o'clock. Default: 0.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the offset is not whole milliseconds, or if windows of
    /// months, quarters and years are shifted by 28 days or more.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::{Calendar, Period};
    /// let by = |offset| Ok(Windows::from(Calendar::new(Period::Days(1))?.offset(offset)?));
    /// assert_eq!(by(hours(6))?, by(hours(30))?);
    /// assert_eq!(Windows::from(Tumbling::new(days(1))?.offset(hours(6))), by(hours(6))?);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn offset(self, offset: Duration) -> Result<Self, Error> {
        let millis = crate::time::whole_millis(offset, "an offset")?;
        self.shifted(millis)
    }

    /// Shifts all windows into the past: see [`offset`](Calendar::offset).
    ///
    /// # Errors
    /// As [`offset`](Calendar::offset).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::{Calendar, Period};
    /// // Weeks that begin on Sundays.
    /// let weeks = Calendar::new(Period::Weeks(1))?.offset_back(days(1))?;
    /// # let _ = weeks;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn offset_back(self, offset: Duration) -> Result<Self, Error> {
        let millis = crate::time::whole_millis(offset, "an offset")?;
        self.shifted(-millis)
    }

    fn shifted(self, offset: i64) -> Result<Self, Error> {
        let offset = match self.slide.in_units() {
            (Unit::Day, days) => offset.rem_euclid(days * MILLIS_PER_DAY),
            (Unit::Month, _) if offset.abs() < 28 * MILLIS_PER_DAY => offset,
            (Unit::Month, _) => {
                return Err(Error::invalid(
                    "windows of months, quarters and years are shifted by less than 28 days",
                ));
            }
        };
        Ok(Calendar { offset, ..self })
    }

    /// Makes windows begin and end by the clocks of a time zone. Default: UTC.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::{Calendar, Period, TimeZone};
    /// let berlin = TimeZone::named("Europe/Berlin")?;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .window(Calendar::new(Period::Days(1))?.zone(berlin))
    ///     .aggregate(count())
    ///     .build()?;
    /// let day = pipeline.over([1_761_436_800_000]).next().and_then(|emission| emission.window);
    /// // Summer time ended on this day, so it has 25 hours.
    /// assert_eq!(
    ///     day.map(|day| day.to_string()).as_deref(),
    ///     Some("[2025-10-25T22:00:00.000Z, 2025-10-26T23:00:00.000Z)")
    /// );
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(feature = "spec")]
    #[must_use]
    pub fn zone(self, zone: TimeZone) -> Self {
        Calendar { zone: Some(zone), ..self }
    }
}

impl From<Calendar> for Windows {
    fn from(calendar: Calendar) -> Self {
        let Calendar { size, slide, offset, zone } = calendar;
        let ((unit, size), (_, slide_units)) = (size.in_units(), slide.in_units());
        // The Monday before 1970-01-01.
        let monday = if matches!(slide, Period::Weeks(_)) { -3 } else { 0 };
        if unit == Unit::Day && zone.is_none() {
            let of_day = |days: i64| days * MILLIS_PER_DAY;
            let offset = i128::from(of_day(monday) + offset);
            return Windows::periodic(of_day(size), of_day(slide_units), offset);
        }
        let (days, shift) = match unit {
            Unit::Day => (offset.div_euclid(MILLIS_PER_DAY), offset.rem_euclid(MILLIS_PER_DAY)),
            Unit::Month => (0, offset),
        };
        let cuts = Cuts::new(unit, shift, zone);
        Windows::calendar(CalendarGrid::new((size, slide_units, monday + days), cuts))
    }
}
