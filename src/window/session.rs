//! Windows that each group has of its own: sessions, and staggered windows.

use super::Windows;
use super::group_windows::GroupWindows;
use crate::error::Error;
use crate::time::whole_millis;
use std::time::Duration;

/// Sessions: windows of each group that last as long as its records come.
///
/// A session begins with a record and ends when no record of its group comes for the gap: it is
/// `[first, last + gap)`. A record that lies between two sessions, and within the gap of both, joins
/// them. Groups are those of [`group_by`](crate::aggregate::group_by()) if it is the whole
/// aggregate; otherwise all records are one group.
///
/// Sessions that begin and end together are in one emission. A session is complete when the
/// watermark has passed its end, and stays for the allowed lateness. A record that makes it longer
/// then takes its answer back: see [`Emission::retracted`](crate::Emission::retracted). A record
/// that comes later begins a session of its own, if the allowed lateness of that has not passed.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::window::Session;
/// let mut pipeline = Pipeline::builder()
///     .event_time(|hit: &(&str, i64)| Timestamp::from_millis(hit.1))
///     .window(Session::new(minutes(30))?)
///     .aggregate(group_by(|hit: &(&str, i64)| hit.0, count()))
///     .build()?;
/// let minute = |n: i64| n * 60_000;
/// let hits = [("ann", minute(0)), ("bob", minute(10)), ("ann", minute(20)), ("ann", minute(50))];
/// let sessions: Vec<_> = pipeline
///     .over(hits)
///     .map(|found| (found.window.expect("a session").to_string(), found.value.rows))
///     .collect();
/// assert_eq!(
///     sessions,
///     [
///         ("[1970-01-01T00:10:00.000Z, 1970-01-01T00:40:00.000Z)".into(), vec![("bob".into(), 1)]),
///         ("[1970-01-01T00:00:00.000Z, 1970-01-01T00:50:00.000Z)".into(), vec![("ann".into(), 2)]),
///         ("[1970-01-01T00:50:00.000Z, 1970-01-01T01:20:00.000Z)".into(), vec![("ann".into(), 1)]),
///     ]
/// );
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    gap: i64,
}

impl Session {
    /// Creates sessions that end when no record comes for `gap`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the gap is zero, is not
    /// a whole number of milliseconds, or is over 73 million years.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Session;
    /// assert!(Session::new(minutes(30)).is_ok());
    /// assert_eq!(Session::new(minutes(0)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// ```
    pub fn new(gap: Duration) -> Result<Self, Error> {
        Ok(Session { gap: length(gap, "the gap of a session")? })
    }
}

/// Windows of one length that each group has of its own: one begins with the first record of the
/// group that is in none.
///
/// Which record is the first depends on the order in which records come. A record from before all
/// windows of its group begins one, which may overlap them; a record that is in several goes into
/// the earliest. For groups, emissions and late records see [`Session`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::window::Stagger;
/// let mut pipeline = Pipeline::builder()
///     .event_time(|at: &i64| Timestamp::from_millis(*at))
///     .window(Stagger::new(seconds(10))?)
///     .aggregate(count())
///     .build()?;
/// let counts: Vec<_> = pipeline
///     .over([3_000, 12_999, 13_000])
///     .map(|found| (found.window.expect("a window").start().as_millis(), found.value))
///     .collect();
/// assert_eq!(counts, [(3_000, 2), (13_000, 1)]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stagger {
    size: i64,
}

impl Stagger {
    /// Creates windows of this size.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the size is zero, is not
    /// a whole number of milliseconds, or is over 73 million years.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Stagger;
    /// assert!(Stagger::new(minutes(1)).is_ok());
    /// assert_eq!(Stagger::new(minutes(0)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// ```
    pub fn new(size: Duration) -> Result<Self, Error> {
        Ok(Stagger { size: length(size, "the size of a staggered window")? })
    }
}

fn length(length: Duration, what: &str) -> Result<i64, Error> {
    match whole_millis(length, what)? {
        0 => Err(Error::invalid(format!("{what} of 0; at least 1 ms"))),
        length => Ok(length),
    }
}

impl From<Session> for Windows {
    fn from(session: Session) -> Self {
        Windows::of_groups(GroupWindows::Session { gap: session.gap })
    }
}

impl From<Stagger> for Windows {
    fn from(stagger: Stagger) -> Self {
        Windows::of_groups(GroupWindows::Stagger { size: stagger.size })
    }
}
