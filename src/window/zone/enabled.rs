//! Time zones by the rules of the IANA database.

use crate::error::Error;
use crate::nearest::nearest;
use crate::time::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZoneDatabase};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A time zone of the IANA database, such as `Europe/Berlin`.
///
/// Its rules are compiled into the program, so they are the same on every machine that runs it.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::window::TimeZone;
/// let berlin = TimeZone::named("Europe/Berlin")?;
/// let time = Timestamp::from_millis(1_761_436_800_000);
/// assert_eq!(berlin.display(time).to_string(), "2025-10-26T02:00:00.000+02:00");
/// // One hour later the clocks show the same.
/// let later = Timestamp::from_millis(1_761_440_400_000);
/// assert_eq!(berlin.display(later).to_string(), "2025-10-26T02:00:00.000+01:00");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct TimeZone {
    name: Arc<str>,
    rules: jiff::tz::TimeZone,
}

/// The rules that are compiled into the program.
fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

impl TimeZone {
    /// Returns the time zone of this name. Upper and lower case are the same.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if there is no such time
    /// zone. The message has the nearest name.
    ///
    /// # Example
    /// ```
    /// use streamgauge::window::TimeZone;
    /// assert_eq!(TimeZone::named("asia/kathmandu")?.name(), "Asia/Kathmandu");
    /// let error = TimeZone::named("Europe/Berlni").unwrap_err();
    /// assert!(error.to_string().contains("did you mean \"Europe/Berlin\"?"));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self, Error> {
        let found = database().get(name).map_err(|error| {
            let known: Vec<String> =
                database().available().map(|known| known.to_string()).collect();
            let hint = nearest(name, known.iter().map(String::as_str));
            Error::invalid(format!(
                "there is no time zone {name:?}{hint}; a name is one of the IANA database, such as \
                 Europe/Berlin or UTC"
            ))
            .with_source(error)
        })?;
        Ok(TimeZone { name: found.iana_name().unwrap_or(name).into(), rules: found })
    }

    /// Returns the name.
    ///
    /// # Example
    /// ```
    /// use streamgauge::window::TimeZone;
    /// assert_eq!(TimeZone::named("America/Sao_Paulo")?.name(), "America/Sao_Paulo");
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a time as text, with the offset that the zone has then.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::TimeZone;
    /// let shown = |zone| {
    ///     Ok::<_, Error>(TimeZone::named(zone)?.display(Timestamp::from_millis(0)).to_string())
    /// };
    /// assert_eq!(shown("Asia/Kathmandu")?, "1970-01-01T05:30:00.000+05:30");
    /// assert_eq!(shown("UTC")?, "1970-01-01T00:00:00.000Z");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn display(&self, time: Timestamp) -> impl fmt::Display {
        let offset = match self.is_utc() {
            true => None,
            false => self.offset_at(time.as_millis()),
        };
        Local { time, offset }
    }

    /// Returns the rules of this zone under another name, as if its data had changed.
    #[cfg(test)]
    pub(crate) fn renamed(self, name: &str) -> Self {
        TimeZone { name: name.into(), ..self }
    }

    fn is_utc(&self) -> bool {
        self.rules == jiff::tz::TimeZone::UTC || &*self.name == "UTC"
    }

    /// Returns the offset from UTC in seconds; `None` at the ends of the range, where no calendar
    /// goes.
    fn offset_at(&self, millis: i64) -> Option<i64> {
        let time = jiff::Timestamp::from_millisecond(millis).ok()?;
        Some(i64::from(self.rules.to_offset(time).seconds()))
    }

    /// Returns the first time at which the zone's clocks show `local` or more. `local` is the time
    /// that they show, counted as if it were UTC.
    ///
    /// Where the clocks show `local` twice it is the first of the two; where they skip it, the time
    /// at which they skip. So a larger `local` never gives an earlier time.
    pub(crate) fn first_at(&self, local: i64) -> i64 {
        let Ok(shown) = jiff::Timestamp::from_millisecond(local) else { return local };
        let shown = Offset::UTC.to_datetime(shown);
        let less = |offset: Offset| local - i64::from(offset.seconds()) * 1000;
        match self.rules.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => less(offset),
            AmbiguousOffset::Fold { before, .. } => less(before),
            AmbiguousOffset::Gap { before, .. } => {
                // That is the skip itself, or later by less than what was skipped.
                let after = less(before);
                let next = jiff::Timestamp::from_millisecond(after + 1);
                let skip = next.ok().and_then(|next| self.rules.preceding(next).next());
                skip.map_or(after, |skip| skip.timestamp().as_millisecond())
            }
        }
    }
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TimeZone {}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A time, with the offset from UTC in seconds to show it by; `None` for UTC.
struct Local {
    time: Timestamp,
    offset: Option<i64>,
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(offset) = self.offset else { return fmt::Display::fmt(&self.time, f) };
        let shown = Timestamp::from_millis(self.time.as_millis() + offset * 1000).to_string();
        let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let (hours, minutes, seconds) = (offset / 3600, offset / 60 % 60, offset % 60);
        write!(f, "{}{sign}{hours:02}:{minutes:02}", shown.trim_end_matches('Z'))?;
        // Local mean time, as it was before there were zones.
        if seconds == 0 { Ok(()) } else { write!(f, ":{seconds:02}") }
    }
}
