//! The arithmetic of calendar windows: a [`Grid`] over numbered days or months, and the time at
//! which each of them begins.
//!
//! Days and months are numbered from 1970-01-01. The grid says which of them begin a window or a
//! pane, as it does for milliseconds elsewhere; this module converts between numbers and times.

use super::Window;
use super::grid::{Grid, Pane, Place};
use super::zone::TimeZone;
use crate::time::{MILLIS_PER_DAY, Timestamp, civil_from_days, days_from_month};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

/// What calendar windows are counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Day,
    Month,
}

/// The years that a calendar has. Times outside are out of range.
const YEARS: RangeInclusive<i64> = -9990..=9990;

/// The numbers of this many days or months are remembered together.
const CHUNK: usize = 256;

/// The days and months from 1970 to 2100, whose beginnings are remembered once they were needed.
const DAYS_REMEMBERED: usize = 47_847;
const MONTHS_REMEMBERED: usize = 131 * 12;

/// The beginnings of [`CHUNK`] days or months that follow each other.
type Chunk = OnceLock<Box<[i64; CHUNK]>>;

/// Where days or months begin.
#[derive(Debug)]
pub(super) struct Cuts {
    unit: Unit,
    /// The time that the clocks show where a unit begins, less its midnight.
    shift: i64,
    zone: Option<TimeZone>,
    /// Of a zone, whose rules take long to look up: at most 380 KB.
    remembered: Box<[Chunk]>,
}

impl Cuts {
    pub(super) fn new(unit: Unit, shift: i64, zone: Option<TimeZone>) -> Self {
        let units = match unit {
            _ if zone.is_none() => 0,
            Unit::Day => DAYS_REMEMBERED,
            Unit::Month => MONTHS_REMEMBERED,
        };
        let remembered = (0..units.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect();
        Cuts { unit, shift, zone, remembered }
    }

    /// Returns the time at which the unit of this number begins.
    fn time(&self, number: i64) -> i64 {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(chunk) = self.remembered.get(index / CHUNK) else { return self.compute(number) };
        let first = number - (index % CHUNK) as i64;
        let chunk = chunk
            .get_or_init(|| Box::new(std::array::from_fn(|at| self.compute(first + at as i64))));
        chunk[index % CHUNK]
    }

    fn compute(&self, number: i64) -> i64 {
        let days = match self.unit {
            Unit::Day => number,
            Unit::Month => days_from_month(1970 + number.div_euclid(12), number.rem_euclid(12) + 1),
        };
        let local = days * MILLIS_PER_DAY + self.shift;
        self.zone.as_ref().map_or(local, |zone| zone.first_at(local))
    }

    /// Returns the number of the last unit that begins at or before `time`.
    fn number(&self, time: i64) -> i64 {
        let time = time.clamp(earliest(), latest());
        // No clock is two days ahead.
        let days = (time - self.shift).div_euclid(MILLIS_PER_DAY) + 2;
        let mut number = match self.unit {
            Unit::Day => days,
            Unit::Month => {
                let (year, month, _) = civil_from_days(days);
                (year - 1970) * 12 + month - 1
            }
        };
        while self.time(number) > time {
            number -= 1;
        }
        number
    }
}

fn earliest() -> i64 {
    days_from_month(*YEARS.start(), 1) * MILLIS_PER_DAY
}

fn latest() -> i64 {
    days_from_month(*YEARS.end(), 1) * MILLIS_PER_DAY
}

/// Calendar windows. A window is named by the time at which it starts.
#[derive(Debug)]
pub(crate) struct CalendarGrid {
    /// Over numbers of units.
    grid: Grid,
    cuts: Cuts,
    /// The times around which all windows are inside of [`YEARS`].
    range: RangeInclusive<i64>,
}

impl PartialEq for CalendarGrid {
    fn eq(&self, other: &Self) -> bool {
        let cuts = |grid: &Self| (grid.cuts.unit, grid.cuts.shift, grid.cuts.zone.clone());
        self.grid == other.grid && cuts(self) == cuts(other)
    }
}

impl Eq for CalendarGrid {}

impl CalendarGrid {
    /// Creates windows of a size, a slide and an offset in units.
    pub(super) fn new((size, slide, offset): (i64, i64, i64), cuts: Cuts) -> Self {
        let reach = size.max(slide) + 1;
        let first = cuts.time(cuts.number(earliest()) + reach);
        let last = cuts.time(cuts.number(latest()) - reach) - 1;
        let grid = Grid { size, slide, offset: offset.rem_euclid(slide) };
        CalendarGrid { grid, cuts, range: first..=last }
    }

    pub(super) fn grid(&self) -> Grid {
        self.grid
    }

    pub(super) fn range(&self) -> RangeInclusive<i64> {
        self.range.clone()
    }

    /// Returns the number of the unit in which the window that starts at `start` starts.
    fn number(&self, start: i64) -> i64 {
        self.grid.floor(self.cuts.number(start))
    }

    pub(super) fn place(&self, time: i64) -> Place {
        if !self.range.contains(&time) {
            return Place::OutOfRange;
        }
        match self.grid.place(self.cuts.number(time), 0) {
            Place::In(Pane { start, end }) => {
                Place::In(Pane { start: self.cuts.time(start), end: self.cuts.time(end) })
            }
            place => place,
        }
    }

    pub(super) fn first_window_of(&self, pane: Pane) -> i64 {
        let least = self.cuts.number(pane.start) + 1 - self.grid.size;
        self.cuts.time(self.grid.ceil(least))
    }

    pub(super) fn last_window_of(&self, pane_start: i64) -> i64 {
        self.cuts.time(self.number(pane_start))
    }

    pub(super) fn first_time_from(&self, start: i64) -> i64 {
        self.cuts.time(self.number(start) - self.grid.slide + self.grid.size)
    }

    pub(super) fn after_windows(&self, start: i64, windows: usize) -> i64 {
        if start == i64::MAX || windows == 0 {
            return start;
        }
        let windows = i64::try_from(windows).unwrap_or(i64::MAX);
        let number = self.number(start).saturating_add(windows.saturating_mul(self.grid.slide));
        if number > self.cuts.number(latest()) { i64::MAX } else { self.cuts.time(number) }
    }

    /// Returns the end of the window starting at `start`; `i64::MIN` and `i64::MAX` stay.
    pub(super) fn end(&self, start: i64) -> i64 {
        match start {
            i64::MIN | i64::MAX => start,
            start => self.cuts.time(self.number(start) + self.grid.size),
        }
    }

    pub(super) fn first_unfired(&self, watermark: i64) -> i64 {
        if watermark == i64::MIN {
            return i64::MIN;
        }
        if watermark >= *self.range.end() {
            return i64::MAX;
        }
        // The first unit that begins after `watermark + 1` is the first end of such a window.
        let end = self.cuts.number(watermark + 1) + 1;
        self.cuts.time(self.grid.ceil(end - self.grid.size))
    }

    pub(super) fn window(&self, start: i64) -> Window {
        Window::new(Timestamp::from_millis(start), Timestamp::from_millis(self.end(start)))
    }

    pub(super) fn is_start(&self, start: i64) -> bool {
        (earliest()..=latest()).contains(&start) && self.cuts.time(self.number(start)) == start
    }

    pub(super) fn windows_between(&self, from: i64, to: i64) -> u64 {
        let first_from = |time: i64| {
            let number = self.cuts.number(time);
            if self.cuts.time(number) < time { number + 1 } else { number }
        };
        let units = (first_from(to) - first_from(from)).max(0);
        units.unsigned_abs().div_ceil(self.grid.slide.unsigned_abs())
    }

    /// Returns a description of the windows, which a snapshot compares on restore.
    pub(super) fn describe(&self) -> String {
        let Grid { size, slide, offset } = self.grid;
        let unit = if self.cuts.unit == Unit::Day { "days" } else { "months" };
        let zone = self.cuts.zone.as_ref().map_or("UTC", TimeZone::name);
        format!(
            "windows of {size} {unit} every {slide} from {offset} {unit} and {} ms in {zone}",
            self.cuts.shift
        )
    }

    /// Returns a description for people, such as "7 days every 1 day in Europe/Berlin".
    #[cfg(feature = "spec")]
    pub(super) fn words(&self) -> String {
        let Grid { size, slide, .. } = self.grid;
        let unit = if self.cuts.unit == Unit::Day { "day" } else { "month" };
        let length = |n: i64| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
        let each =
            if size == slide { "each".to_owned() } else { format!("every {}", length(slide)) };
        let zone = self.cuts.zone.as_ref().map_or("UTC", TimeZone::name);
        format!("{} {each} by the calendar of {zone}", length(size))
    }

    pub(super) fn is_zoned(&self) -> bool {
        self.cuts.zone.is_some()
    }

    /// Returns the unit of sizes and slides.
    pub(super) fn unit(&self) -> Unit {
        self.cuts.unit
    }
}

#[cfg(feature = "spec")]
#[cfg(test)]
mod tests;
