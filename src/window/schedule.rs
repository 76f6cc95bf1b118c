//! The windows of a pipeline, as arithmetic: which there are, which contain a pane, and when they
//! are complete.

use super::Window;
use super::calendar_grid::{CalendarGrid, Unit};
use super::grid::{Grid, Pane, Place};
use super::group_windows::GroupWindows;
use super::row_rule::RowRule;
use crate::time::{Timestamp, days, floor_to_period, hours};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The windows of a pipeline: a [`Tumbling`](super::Tumbling), [`Sliding`](super::Sliding),
/// [`Calendar`](super::Calendar) or [`Global`] value, converted.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let windows: [Windows; 3] = [
///     Tumbling::new(minutes(1))?.into(),
///     Sliding::new(minutes(5), seconds(10))?.into(),
///     Global.into(),
/// ];
/// assert_eq!(windows.map(|windows| windows.windows_per_record()), [1, 30, 1]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Windows(Schedule);

/// One window over everything. It fires at the end of the input, and no record is late for it.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder()
///     .event_time(|at: &i64| Timestamp::from_millis(*at))
///     .window(Global)
///     .aggregate(count())
///     .build()?;
/// pipeline.push_batch(&[5_000, -9_000])?; // nothing is late
/// assert_eq!(pipeline.next_emission()?, None);
/// pipeline.finish();
/// let emission = pipeline.next_emission()?.expect("the input has ended");
/// assert_eq!((emission.window, emission.value), (None, 2));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Global;

impl From<Global> for Windows {
    fn from(_: Global) -> Self {
        Windows(Schedule::Global)
    }
}

impl Windows {
    pub(super) fn periodic(size: i64, slide: i64, offset: i128) -> Self {
        // The remainder is smaller than the slide, so it fits.
        let offset = offset.rem_euclid(i128::from(slide)) as i64;
        Windows(Schedule::Periodic(Grid { size, slide, offset }))
    }

    pub(super) fn calendar(grid: CalendarGrid) -> Self {
        Windows(Schedule::Calendar(Arc::new(grid)))
    }

    pub(super) fn of_groups(windows: GroupWindows) -> Self {
        Windows(Schedule::OfGroups(windows))
    }

    pub(super) fn of_rows(rows: RowRule) -> Self {
        Windows(Schedule::Rows(rows))
    }

    /// Returns the windows for records without event times: windows of a number of records have no
    /// start and end then.
    pub(crate) fn untimed(self) -> Self {
        match self.0 {
            Schedule::Rows(rows) => Windows(Schedule::Rows(RowRule { timed: false, ..rows })),
            schedule => Windows(schedule),
        }
    }

    /// Returns size, slide and offset in what they are counted in; `None` if there is no
    /// grid.
    fn grid(&self) -> Option<Grid> {
        match &self.0 {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => None,
            Schedule::Periodic(grid) => Some(*grid),
            Schedule::Calendar(calendar) => Some(calendar.grid()),
        }
    }

    /// Returns true if there is one window over everything.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// assert!(Windows::from(Global).is_global());
    /// assert!(!Windows::from(Tumbling::new(days(365_000))?).is_global()); // long, but it ends
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_global(&self) -> bool {
        self.0 == Schedule::Global
    }

    /// Returns true if each group has windows of its own, as with [`Session`](super::Session) and
    /// [`Stagger`](super::Stagger).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Session;
    /// assert!(Windows::from(Session::new(minutes(30))?).is_per_group());
    /// assert!(!Windows::from(Tumbling::new(minutes(30))?).is_per_group());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_per_group(&self) -> bool {
        matches!(self.0, Schedule::OfGroups(_))
    }

    /// Returns true if windows are a number of records, as with [`Rows`](super::Rows).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Rows;
    /// assert!(Windows::from(Rows::new(100)?).is_of_rows());
    /// assert!(!Windows::from(Global).is_of_rows());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_of_rows(&self) -> bool {
        matches!(self.0, Schedule::Rows(_))
    }

    /// Returns true if windows have a start and an end: not [`Global`], and not
    /// [`Rows`](super::Rows) of records without event times.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Rows;
    /// assert!(Windows::from(Rows::new(100)?).are_timed());
    /// assert!(!Windows::from(Global).are_timed());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn are_timed(&self) -> bool {
        match &self.0 {
            Schedule::Global => false,
            Schedule::Rows(rows) => rows.is_timed(),
            _ => true,
        }
    }

    /// Returns the number of panes of a window: 1 for tumbling windows.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let panes = |size, slide| Ok(Windows::from(Sliding::new(size, slide)?).panes_per_window());
    /// assert_eq!(panes(minutes(5), minutes(1))?, 5);
    /// // Not a multiple of the slide: two panes per slide, not one per second.
    /// assert_eq!(panes(seconds(300), seconds(61))?, 9);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn panes_per_window(&self) -> u64 {
        self.grid().map_or(1, |grid| {
            let (slides, rest) = (grid.size / grid.slide, grid.size % grid.slide);
            if rest == 0 { slides as u64 } else { 2 * slides as u64 + 1 }
        })
    }

    /// Returns the largest number of windows that contain the same record.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let most = |size, slide| Ok(Windows::from(Sliding::new(size, slide)?).windows_per_record());
    /// assert_eq!(most(minutes(5), minutes(1))?, 5);
    /// assert_eq!(most(seconds(90), minutes(1))?, 2); // one for some records, two for others
    /// # Ok::<(), Error>(())
    /// ```
    pub fn windows_per_record(&self) -> u64 {
        self.grid().map_or(1, |grid| (grid.size as u64).div_ceil(grid.slide as u64))
    }

    /// Returns the size of a window and the slide; `None` for [`Global`] and for windows of each
    /// group. Of calendar windows it is
    /// the longest size and the shortest slide: a month has up to 31 days, and at least 28.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let windows = Windows::from(Sliding::new(minutes(5), seconds(10))?);
    /// assert_eq!(windows.size_and_slide(), Some((minutes(5), seconds(10))));
    /// let windows = Windows::from(Tumbling::new(minutes(5))?);
    /// assert_eq!(windows.size_and_slide(), Some((minutes(5), minutes(5))));
    /// assert_eq!(Windows::from(Global).size_and_slide(), None);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn size_and_slide(&self) -> Option<(Duration, Duration)> {
        let (longest, shortest) = match &self.0 {
            Schedule::Calendar(calendar) if calendar.unit() == Unit::Month => (days(31), days(28)),
            // Clocks are put forward and back by up to a day.
            Schedule::Calendar(_) => (days(1), hours(23)),
            _ => (Duration::from_millis(1), Duration::from_millis(1)),
        };
        // Both lengths are at most a quarter of the range, or 1,000 years.
        let times = |unit: Duration, n: i64| {
            Duration::from_millis((unit.as_millis() as u64).saturating_mul(n.unsigned_abs()))
        };
        self.grid().map(|grid| (times(longest, grid.size), times(shortest, grid.slide)))
    }

    /// Returns a description for people; `None` for windows of a fixed size and slide.
    #[cfg(feature = "spec")]
    pub(crate) fn words(&self) -> Option<String> {
        match &self.0 {
            Schedule::Calendar(calendar) => Some(calendar.words()),
            Schedule::OfGroups(windows) => Some(windows.words()),
            Schedule::Rows(rows) => Some(rows.words()),
            _ => None,
        }
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.0
    }
}

/// The windows as arithmetic. A window is named by its start. The start of the global window is
/// `i64::MIN`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Schedule {
    Global,
    Periodic(Grid),
    Calendar(Arc<CalendarGrid>),
    /// Each group has its own, which are kept elsewhere than in panes: here is only what they are.
    OfGroups(GroupWindows),
    /// Each group has its own, of a number of records, which are kept elsewhere, too.
    Rows(RowRule),
}

impl Schedule {
    /// Returns the place of a time. Every window around a time in a pane starts and ends inside the
    /// range of `i64`, and so does its end plus `lateness`.
    pub(crate) fn place(&self, time: i64, lateness: i64) -> Place {
        match self {
            Schedule::Global if time == i64::MAX => Place::OutOfRange,
            Schedule::Global => Place::In(Pane { start: i64::MIN, end: i64::MAX }),
            Schedule::Periodic(grid) => grid.place(time, lateness),
            Schedule::Calendar(calendar) => calendar.place(time),
            // No pane is ever opened.
            Schedule::OfGroups(_) | Schedule::Rows(_) => Place::Between,
        }
    }

    /// Returns the event times that are not [`Place::OutOfRange`].
    pub(crate) fn range(&self, lateness: i64) -> RangeInclusive<i64> {
        match self {
            Schedule::Global => i64::MIN..=i64::MAX - 1,
            Schedule::Periodic(grid) => {
                let reach = grid.size.max(grid.slide);
                i64::MIN + reach..=(i64::MAX - reach).saturating_sub(lateness)
            }
            Schedule::Calendar(calendar) => calendar.range(),
            Schedule::OfGroups(windows) => {
                i64::MIN + 1..=i64::MAX - 1 - windows.length() - lateness
            }
            Schedule::Rows(_) => i64::MIN + 1..=i64::MAX - 2,
        }
    }

    /// Returns true if a window is a single pane, so that nothing has to be merged.
    pub(crate) fn window_is_pane(&self) -> bool {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => true,
            Schedule::Periodic(grid) => grid.size <= grid.slide,
            Schedule::Calendar(calendar) => calendar.grid().size <= calendar.grid().slide,
        }
    }

    /// Returns the start of the first window that contains the pane.
    pub(crate) fn first_window_of(&self, pane: Pane) -> i64 {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => i64::MIN,
            Schedule::Periodic(grid) => grid.ceil(pane.end - grid.size),
            Schedule::Calendar(calendar) => calendar.first_window_of(pane),
        }
    }

    /// Returns the start of the last window that contains the pane.
    pub(crate) fn last_window_of(&self, pane_start: i64) -> i64 {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => i64::MIN,
            Schedule::Periodic(grid) => grid.floor(pane_start),
            Schedule::Calendar(calendar) => calendar.last_window_of(pane_start),
        }
    }

    /// Returns the first event time that is not covered by any window earlier than the one starting
    /// at `start`, which must be the start of a window.
    pub(crate) fn first_time_from(&self, start: i64) -> i64 {
        match self {
            _ if start == i64::MIN || start == i64::MAX => start,
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => start,
            Schedule::Periodic(grid) => start.saturating_sub(grid.slide).saturating_add(grid.size),
            Schedule::Calendar(calendar) => calendar.first_time_from(start),
        }
    }

    /// Returns the start of the window after the one starting at `start`; `i64::MAX` if there is
    /// none.
    pub(crate) fn next_window(&self, start: i64) -> i64 {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => i64::MAX,
            Schedule::Periodic(grid) => start.saturating_add(grid.slide),
            Schedule::Calendar(calendar) => calendar.after_windows(start, 1),
        }
    }

    /// Returns the start of the window that comes `windows` windows after the one starting at
    /// `start`; `i64::MAX` if there is none.
    pub(crate) fn after_windows(&self, start: i64, windows: usize) -> i64 {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) if windows == 0 => start,
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => i64::MAX,
            Schedule::Periodic(grid) => start.saturating_add(
                i64::try_from(windows).unwrap_or(i64::MAX).saturating_mul(grid.slide),
            ),
            Schedule::Calendar(calendar) => calendar.after_windows(start, windows),
        }
    }

    /// Returns the last millisecond of the window starting at `start`: the watermark at which it
    /// fires.
    pub(crate) fn last_millisecond(&self, start: i64) -> i64 {
        match self {
            // The global window fires when the input has ended, and only then.
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => i64::MAX,
            Schedule::Periodic(grid) => start.saturating_add(grid.size - 1),
            Schedule::Calendar(calendar) => match calendar.end(start) {
                end @ (i64::MIN | i64::MAX) => end,
                end => end - 1,
            },
        }
    }

    /// Returns the start of the first window that has not fired at this watermark; `i64::MAX` if
    /// all have fired.
    pub(crate) fn first_unfired(&self, watermark: i64) -> i64 {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_)
                if watermark == i64::MAX =>
            {
                i64::MAX
            }
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => i64::MIN,
            Schedule::Periodic(_) if watermark == i64::MIN => i64::MIN,
            Schedule::Periodic(grid) => {
                // `start + size - 1 > watermark`, solved for the smallest start on the grid.
                let least = watermark.saturating_add(2).saturating_sub(grid.size);
                if least >= i64::MAX - 2 * grid.slide { i64::MAX } else { grid.ceil(least) }
            }
            Schedule::Calendar(calendar) => calendar.first_unfired(watermark),
        }
    }

    /// Returns the window starting at `start` in the public form. `None` for the global window.
    pub(crate) fn window(&self, start: i64) -> Option<Window> {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => None,
            Schedule::Periodic(grid) => Some(Window::new(
                Timestamp::from_millis(start),
                Timestamp::from_millis(start.saturating_add(grid.size)),
            )),
            Schedule::Calendar(calendar) => Some(calendar.window(start)),
        }
    }

    /// Returns true if a window starts at this time, or if it is the end of the range that means
    /// "before all" or "after all".
    pub(crate) fn is_start(&self, start: i64) -> bool {
        match self {
            _ if start == i64::MIN || start == i64::MAX => true,
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => false,
            Schedule::Periodic(grid) => {
                floor_to_period(start, grid.slide, grid.offset) == Some(start)
            }
            Schedule::Calendar(calendar) => calendar.is_start(start),
        }
    }

    /// Returns true if windows begin and end where the data of a time zone says.
    pub(crate) fn is_zoned(&self) -> bool {
        matches!(self, Schedule::Calendar(calendar) if calendar.is_zoned())
    }

    /// Returns the length of a window of one record, where each group has windows of its own.
    #[cfg(feature = "spec")]
    pub(crate) fn group_window_length(&self) -> Option<i64> {
        match self {
            Schedule::OfGroups(windows) => Some(windows.length()),
            _ => None,
        }
    }

    /// Returns the number of accumulators of a group, where windows are a number of records.
    #[cfg(feature = "spec")]
    pub(crate) fn row_parts(&self) -> Option<usize> {
        match self {
            Schedule::Rows(rows) => Some(rows.parts()),
            _ => None,
        }
    }

    /// Returns a description of the windows, which a snapshot compares on restore.
    pub(crate) fn describe(&self) -> String {
        match self {
            Schedule::Global => String::from("one window"),
            Schedule::Periodic(Grid { size, slide, offset }) if size == slide => {
                format!("windows of {size} ms from {offset} ms")
            }
            Schedule::Periodic(Grid { size, slide, offset }) => {
                format!("windows of {size} ms every {slide} ms from {offset} ms")
            }
            Schedule::Calendar(calendar) => calendar.describe(),
            Schedule::OfGroups(windows) => windows.describe(),
            Schedule::Rows(rows) => rows.describe(),
        }
    }

    /// Returns the number of windows that start in `[from, to)`, at most `u64::MAX`.
    pub(crate) fn windows_between(&self, from: i64, to: i64) -> u64 {
        match self {
            Schedule::Global | Schedule::OfGroups(_) | Schedule::Rows(_) => 0,
            Schedule::Periodic(grid) => {
                let length = (i128::from(to) - i128::from(from)).max(0) as u128;
                u64::try_from(length.div_ceil(grid.slide.unsigned_abs().into())).unwrap_or(u64::MAX)
            }
            Schedule::Calendar(calendar) => calendar.windows_between(from, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(size: i64, slide: i64, offset: i64) -> Schedule {
        Schedule::Periodic(Grid { size, slide, offset })
    }

    /// Tries every start near the time.
    fn windows_containing(size: i64, slide: i64, offset: i64, time: i64) -> Vec<i64> {
        ((time - size - slide)..=time)
            .filter(|start| {
                (start - offset).rem_euclid(slide) == 0 && *start <= time && time < start + size
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_pane_is_in_exactly_the_windows_of_its_times(
            size in 1i64..60,
            slide in 1i64..60,
            offset in 0i64..60,
            time in -300i64..300,
        ) {
            let offset = offset % slide;
            let schedule = grid(size, slide, offset);
            let expected = windows_containing(size, slide, offset, time);
            match schedule.place(time, 0) {
                Place::In(pane) => {
                    prop_assert!(pane.start <= time && time < pane.end);
                    prop_assert_eq!(schedule.first_window_of(pane), expected[0]);
                    prop_assert_eq!(
                        schedule.last_window_of(pane.start),
                        expected[expected.len() - 1]
                    );
                    for inside in pane.start..pane.end {
                        prop_assert_eq!(schedule.place(inside, 0), Place::In(pane));
                        prop_assert_eq!(
                            &windows_containing(size, slide, offset, inside),
                            &expected
                        );
                    }
                }
                Place::Between => prop_assert!(expected.is_empty()),
                Place::OutOfRange => prop_assert!(false, "small times are in range"),
            }
        }

        #[test]
        fn the_first_unfired_window_is_the_first_whose_end_is_not_reached(
            size in 1i64..60,
            slide in 1i64..60,
            offset in 0i64..60,
            watermark in -300i64..300,
        ) {
            let offset = offset % slide;
            let schedule = grid(size, slide, offset);
            let first = schedule.first_unfired(watermark);
            prop_assert_eq!((first - offset).rem_euclid(slide), 0);
            prop_assert!(first + size - 1 > watermark);
            prop_assert!(first - slide + size - 1 <= watermark);
        }

        #[test]
        fn a_window_has_as_many_panes_as_it_says(size in 1i64..60, slide in 1i64..60) {
            let windows = Windows(grid(size, slide, 0));
            let panes: std::collections::BTreeSet<i64> = (0..size)
                .filter_map(|time| match windows.schedule().place(time, 0) {
                    Place::In(pane) => Some(pane.start),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(panes.len() as u64, windows.panes_per_window());
        }
    }

    #[test]
    fn the_ends_of_the_range_are_refused_and_not_wrapped() {
        let schedule = grid(60_000, 60_000, 0);
        assert_eq!(schedule.place(i64::MIN, 0), Place::OutOfRange);
        assert_eq!(schedule.place(i64::MAX, 0), Place::OutOfRange);
        assert!(matches!(schedule.place(i64::MIN + 60_000, 0), Place::In(_)));
        assert_eq!(schedule.place(i64::MAX - 60_000, 1), Place::OutOfRange);
        assert_eq!(schedule.first_unfired(i64::MAX), i64::MAX);
        assert_eq!(schedule.first_unfired(i64::MIN), i64::MIN);
    }

    proptest! {
        #[test]
        fn from_the_first_time_on_panes_are_in_no_earlier_window(
            size in 1i64..50,
            slide in 1i64..50,
            offset in 0i64..50,
            window in -20i64..20,
            time in -1000i64..1000,
        ) {
            let schedule = grid(size, slide, offset % slide);
            let start = offset % slide + window * slide;
            if let Place::In(pane) = schedule.place(time, 0) {
                prop_assert_eq!(
                    schedule.first_window_of(pane) >= start,
                    time >= schedule.first_time_from(start)
                );
                prop_assert_eq!(schedule.first_time_from(i64::MIN), i64::MIN, "nothing has fired");
            }
        }
    }
}
