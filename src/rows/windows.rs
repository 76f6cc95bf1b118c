//! The windows of a written pipeline, and the time zone that their times are shown in.

use super::compile_options::CompileOptions;
use crate::error::Error;
use crate::query::pipeline_spec::PipelineSpec;
use crate::time::{days, parse_duration};
use crate::window::{
    Calendar, Global, Period, Rows, Session, Sliding, Stagger, TimeZone, Tumbling, Windows,
};
use std::time::Duration;

/// The length of a window or a slide.
#[derive(Clone, Copy, Debug)]
enum Length {
    Fixed(Duration),
    Calendar(Period),
}

impl Length {
    /// Reads a length. In a zone a day is a day of its calendar.
    fn read(text: &str, zoned: bool) -> Result<Self, Error> {
        if let Ok(period) = text.parse::<Period>() {
            return Ok(Length::Calendar(period));
        }
        let fixed = parse_duration(text).map_err(|error| {
            Error::new(
                error.kind(),
                format!("{error}; days by the calendar are 1d, 1w, 1mo, 1q or 1y"),
            )
        })?;
        if zoned && text.contains('d') {
            return Err(Error::invalid(format!(
                "{text:?} adds hours to days, which are of 23 to 25 hours in a time zone: give days alone, or hours alone"
            )));
        }
        Ok(Length::Fixed(fixed))
    }
}

/// How far windows are shifted.
#[derive(Clone, Copy, Debug)]
enum Shift {
    Future(Duration),
    Past(Duration),
}

impl Shift {
    /// Reads a duration, or one with a minus in front.
    fn read(text: &str) -> Result<Self, Error> {
        match text.trim_start().strip_prefix('-') {
            None => parse_duration(text).map(Shift::Future),
            Some(past) => parse_duration(past).map(Shift::Past),
        }
    }
}

/// Shifts windows, whichever they are.
macro_rules! shifted {
    ($windows:expr, $shift:expr) => {
        match $shift {
            Shift::Future(offset) => $windows.offset(offset),
            Shift::Past(offset) => $windows.offset_back(offset),
        }
    };
}

impl PipelineSpec {
    /// Returns the time zone of calendar windows, and of all windows' times in the output.
    pub(super) fn time_zone(&self, options: &CompileOptions) -> Result<Option<TimeZone>, Error> {
        let zone = self.timezone.as_deref().map(TimeZone::named).transpose();
        zone.map_err(|error| error.at(options.written("timezone")))
    }

    pub(super) fn windows(
        &self,
        options: &CompileOptions,
        zone: Option<TimeZone>,
    ) -> Result<Windows, Error> {
        let length = |key: &str, text: Option<&str>| {
            let read = text.map(|text| Length::read(text, zone.is_some())).transpose();
            read.map_err(|error| error.at(options.written(key)))
        };
        if let Some(windows) = self.row_windows(options)? {
            return Ok(windows);
        }
        let every = length("every", self.every.as_deref())?;
        if let Some(windows) = self.group_windows(options)? {
            return Ok(windows);
        }
        let Some(size) = length("window", self.window.as_deref())? else {
            return self.no_windows(options);
        };
        let shift = self.offset.as_deref().map_or(Ok(Shift::Future(Duration::ZERO)), Shift::read);
        let shift = shift.map_err(|error| error.at(options.written("offset")))?;
        let place = match every {
            Some(_) => format!("{}, {}", options.written("window"), options.written("every")),
            None => options.written("window"),
        };
        of_lengths((size, every), shift, zone).map_err(|error| error.at(place))
    }

    /// Returns windows of a number of records, if they are asked for.
    fn row_windows(&self, options: &CompileOptions) -> Result<Option<Windows>, Error> {
        let Some(rows) = self.rows else { return Ok(None) };
        let key = options.written("rows");
        let others = [
            ("window", self.window.is_some()),
            ("session", self.session.is_some()),
            ("stagger", self.stagger.is_some()),
            ("offset", self.offset.is_some()),
        ];
        if let Some((other, _)) = others.iter().find(|(_, given)| *given) {
            let other = options.written(other);
            return Err(Error::invalid(format!(
                "{key} and {other} do not go together: give one of them"
            )));
        }
        let mut windows = Rows::new(rows).map_err(|error| error.at(key.clone()))?;
        if let Some(text) = &self.every {
            let every = text.trim().parse().map_err(|_| {
                let why = format!("{text:?} is not a number of rows, as {key} is");
                Error::invalid(why).at(options.written("every"))
            })?;
            windows = windows.every(every).map_err(|error| error.at(options.written("every")))?;
        }
        let windows = Windows::from(windows);
        Ok(Some(if self.has_times(options) { windows } else { windows.untimed() }))
    }

    /// Returns true if records have event times.
    pub(super) fn has_times(&self, options: &CompileOptions) -> bool {
        self.time.is_some() || options.arrival_times
    }

    /// Returns sessions or staggered windows, if they are asked for.
    fn group_windows(&self, options: &CompileOptions) -> Result<Option<Windows>, Error> {
        let keys = [
            ("session", self.session.is_some()),
            ("stagger", self.stagger.is_some()),
            ("window", self.window.is_some()),
            ("every", self.every.is_some()),
            ("offset", self.offset.is_some()),
        ];
        let given: Vec<String> =
            keys.iter().filter(|(_, given)| *given).map(|(key, _)| options.written(key)).collect();
        let (Some((key, _)), [_, rest @ ..]) =
            (keys.iter().take(2).find(|(_, given)| *given), given.as_slice())
        else {
            return Ok(None);
        };
        if let Some(other) = rest.first() {
            let key = options.written(key);
            return Err(Error::invalid(format!(
                "{key} and {other} do not go together: give one of them"
            )));
        }
        let length = |key, text: &Option<String>| options.duration(key, text.as_deref());
        let at = |error: Error| error.at(options.written(key));
        if let Some(gap) = length("session", &self.session)? {
            return Session::new(gap).map(|session| Some(session.into())).map_err(at);
        }
        let Some(size) = length("stagger", &self.stagger)? else { return Ok(None) };
        Stagger::new(size).map(|stagger| Some(stagger.into())).map_err(at)
    }

    /// Returns the one window over everything, unless something is said of windows.
    fn no_windows(&self, options: &CompileOptions) -> Result<Windows, Error> {
        let given = [("every", self.every.is_some()), ("offset", self.offset.is_some())];
        let Some((key, _)) = given.iter().find(|(_, given)| *given) else {
            return Ok(Global.into());
        };
        let (given, missing) = (options.written(key), options.missing("window", "DURATION"));
        Err(Error::invalid(format!("{given} is given, but no window: give its size by {missing}")))
    }
}

fn of_lengths(
    (size, every): (Length, Option<Length>),
    shift: Shift,
    zone: Option<TimeZone>,
) -> Result<Windows, Error> {
    let (size, every) = match (size, every) {
        (Length::Calendar(size), None) => (size, None),
        (Length::Calendar(size), Some(Length::Calendar(every))) => (size, Some(every)),
        (size, every) => return fixed((size, every), shift, zone.is_some()),
    };
    let mut calendar = Calendar::new(size)?;
    if let Some(every) = every {
        calendar = calendar.every(every)?;
    }
    calendar = shifted!(calendar, shift)?;
    Ok(match zone {
        Some(zone) => calendar.zone(zone).into(),
        None => calendar.into(),
    })
}

/// Returns windows of which at least one length is not by the calendar.
fn fixed(
    (size, every): (Length, Option<Length>),
    shift: Shift,
    zoned: bool,
) -> Result<Windows, Error> {
    let length = |length: Length| match length {
        Length::Fixed(length) => Some(length),
        // In UTC a day has 24 hours, and a week has 7 days.
        Length::Calendar(Period::Days(n)) if !zoned => Some(days(n.into())),
        Length::Calendar(Period::Weeks(n)) if !zoned => Some(days(7 * u64::from(n))),
        Length::Calendar(_) => None,
    };
    match (length(size), every.map(length)) {
        (Some(size), None) => Ok(shifted!(Tumbling::new(size)?, shift).into()),
        (Some(size), Some(Some(every))) => Ok(shifted!(Sliding::new(size, every)?, shift).into()),
        _ => Err(Error::invalid(
            "one is of a fixed length and the other is by the calendar: give both in hours or less, or both in days or more",
        )),
    }
}
