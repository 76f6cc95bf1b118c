//! Calendar windows against what `jiff` says of each zone, computed from first principles.

use super::*;
use crate::time::days;
use crate::window::{Calendar, Period, Schedule, TimeZone, Windows};
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;
use jiff::{Span, ToSpan};
use proptest::prelude::*;

/// 1970 to 2100.
const TIMES: std::ops::Range<i64> = 0..4_102_444_800_000;

/// Returns the first time at which the clocks show the date or a later one.
///
/// Where midnight exists this is what `jiff` says of it. Elsewhere it tries every second around it.
fn midnight(date: Date, zone: &jiff::tz::TimeZone) -> i64 {
    let jiffs = date.to_zoned_datetime(zone.clone()).unwrap();
    if jiffs.datetime() == date.at(0, 0, 0, 0) {
        return jiffs.timestamp().as_millisecond();
    }
    let last = jiffs.timestamp();
    let mut time = last - 26.hours();
    while zone.to_datetime(time).date() < date {
        time += 1.second();
    }
    time.as_millisecond()
}

/// Returns the date that is `n` periods after 1970-01-01, or after the Monday before it.
fn date_of(period: Period, n: i64) -> Date {
    let (first, span) = match period {
        Period::Days(days) => {
            (jiff::civil::date(1970, 1, 1), Span::new().days(n * i64::from(days)))
        }
        Period::Weeks(weeks) => {
            (jiff::civil::date(1969, 12, 29), Span::new().weeks(n * i64::from(weeks)))
        }
        Period::Months(months) => {
            (jiff::civil::date(1970, 1, 1), Span::new().months(n * i64::from(months)))
        }
        Period::Quarters(quarters) => {
            (jiff::civil::date(1970, 1, 1), Span::new().months(3 * n * i64::from(quarters)))
        }
        Period::Years(years) => {
            (jiff::civil::date(1970, 1, 1), Span::new().years(n * i64::from(years)))
        }
    };
    first + span
}

/// Returns the number of the period around a time, by trying those near it.
fn number_around(period: Period, zone: &jiff::tz::TimeZone, time: i64) -> i64 {
    let length = match period {
        Period::Days(n) => f64::from(n),
        Period::Weeks(n) => 7.0 * f64::from(n),
        Period::Months(n) => 30.44 * f64::from(n),
        Period::Quarters(n) => 91.31 * f64::from(n),
        Period::Years(n) => 365.25 * f64::from(n),
    };
    let guess = (time as f64 / 86_400_000.0 / length) as i64;
    (guess - 4..=guess + 4).rev().find(|n| midnight(date_of(period, *n), zone) <= time).unwrap()
}

fn zones() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
}

fn periods() -> impl Strategy<Value = Period> {
    prop_oneof![
        4 => (1u32..4).prop_map(Period::Days),
        2 => (1u32..3).prop_map(Period::Weeks),
        2 => (1u32..5).prop_map(Period::Months),
        1 => (1u32..3).prop_map(Period::Quarters),
        1 => (1u32..3).prop_map(Period::Years),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Every time is in exactly one window, which begins and ends where `jiff` says, and the next
    /// one begins where it ends.
    #[test]
    fn s160_windows_begin_and_end_where_the_zones_calendar_does(
        zone in prop::sample::select(zones()),
        period in periods(),
        time in TIMES,
    ) {
        let rules = TimeZoneDatabase::bundled().get(&zone).unwrap();
        let windows: Windows =
            Calendar::new(period).unwrap().zone(TimeZone::named(&zone).unwrap()).into();
        let schedule = windows.schedule();
        let Place::In(pane) = schedule.place(time, 0) else { panic!("{time} is in range") };
        let n = number_around(period, &rules, time);
        prop_assert_eq!(pane.start, midnight(date_of(period, n), &rules));
        prop_assert_eq!(pane.end, midnight(date_of(period, n + 1), &rules));
        prop_assert!(pane.contains(time));
        prop_assert_eq!(schedule.place(pane.start, 0), Place::In(pane));
        prop_assert_eq!(schedule.place(pane.end - 1, 0), Place::In(pane));
        prop_assert_eq!(schedule.next_window(pane.start), pane.end);
        prop_assert_eq!(
            (schedule.first_window_of(pane), schedule.last_window_of(pane.start)),
            (pane.start, pane.start)
        );
        prop_assert_eq!(schedule.last_millisecond(pane.start), pane.end - 1);
        prop_assert_eq!(schedule.first_unfired(pane.end - 1), pane.end);
        prop_assert_eq!(schedule.first_unfired(pane.end - 2), pane.start);
        prop_assert!(schedule.is_start(pane.start) && !schedule.is_start(pane.start + 1));
    }

    /// Sliding windows by the numbers of their days and months, found by trying them all.
    #[test]
    fn a_pane_is_in_exactly_the_calendar_windows_of_its_times(
        zone in prop::sample::select(vec!["Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "America/St_Johns"]),
        month in any::<bool>(),
        size in 1u32..9,
        slide in 1u32..6,
        time in TIMES,
        offset in 0u64..30 * 3600,
    ) {
        let period = if month { Period::Months } else { Period::Days };
        let calendar = Calendar::new(period(size)).unwrap().every(period(slide)).unwrap();
        let calendar = calendar.offset(std::time::Duration::from_secs(offset)).unwrap();
        let windows = Windows::from(calendar.zone(TimeZone::named(zone).unwrap()));
        let Schedule::Calendar(grid) = windows.schedule() else { panic!("a zone has a calendar") };
        let schedule = windows.schedule();
        let number = grid.cuts.number(time);
        prop_assert!(grid.cuts.time(number) <= time && time < grid.cuts.time(number + 1));
        let starts: Vec<i64> = (number - i64::from(size) + 1..=number)
            .filter(|start| (start - grid.grid.offset).rem_euclid(i64::from(slide)) == 0)
            .map(|start| grid.cuts.time(start))
            .collect();
        match schedule.place(time, 0) {
            Place::In(pane) => {
                prop_assert!(pane.contains(time));
                prop_assert_eq!(Some(&schedule.first_window_of(pane)), starts.first());
                prop_assert_eq!(Some(&schedule.last_window_of(pane.start)), starts.last());
                prop_assert_eq!(
                    schedule.windows_between(starts[0], starts[starts.len() - 1]),
                    starts.len() as u64 - 1
                );
                prop_assert_eq!(
                    schedule.after_windows(starts[0], starts.len() - 1),
                    starts[starts.len() - 1]
                );
                for window in &starts {
                    // The pane is in no earlier window from the first window on.
                    let from = schedule.first_time_from(*window);
                    prop_assert_eq!(*window == starts[0], time >= from);
                }
            }
            Place::Between => prop_assert!(starts.is_empty()),
            Place::OutOfRange => prop_assert!(false, "these times are in range"),
        }
        let first = schedule.first_unfired(time);
        prop_assert!(schedule.last_millisecond(first) > time);
        let before = grid.cuts.time(grid.number(first) - i64::from(slide));
        prop_assert!(schedule.last_millisecond(before) <= time);
    }

    #[test]
    fn in_utc_calendar_days_are_plain_days_and_months_those_of_the_date(
        time in -60_000_000_000_000i64..200_000_000_000_000,
    ) {
        let day = Windows::from(Calendar::new(Period::Days(2)).unwrap());
        prop_assert_eq!(day, crate::window::Tumbling::new(days(2)).unwrap().into());
        let months = Windows::from(Calendar::new(Period::Months(1)).unwrap());
        let Place::In(pane) = months.schedule().place(time, 0) else { panic!("in range") };
        let (year, month, _) = civil_from_days(time.div_euclid(MILLIS_PER_DAY));
        prop_assert_eq!(pane.start, days_from_month(year, month) * MILLIS_PER_DAY);
        prop_assert_eq!(
            pane.end,
            days_from_month(year + month / 12, month % 12 + 1) * MILLIS_PER_DAY
        );
    }
}

/// Returns the hours of the days around a date.
fn hours_of_days(zone: &str, date: Date) -> Vec<f64> {
    let windows: Windows =
        Calendar::new(Period::Days(1)).unwrap().zone(TimeZone::named(zone).unwrap()).into();
    let noon = date.at(12, 0, 0, 0).in_tz("UTC").unwrap().timestamp().as_millisecond();
    (-2..=2)
        .map(|day| match windows.schedule().place(noon + day * MILLIS_PER_DAY, 0) {
            Place::In(pane) => (pane.end - pane.start) as f64 / 3_600_000.0,
            _ => 0.0,
        })
        .collect()
}

#[test]
fn s160_days_have_as_many_hours_as_the_clocks_make_them() {
    let date = jiff::civil::date;
    assert_eq!(hours_of_days("Europe/Berlin", date(2025, 3, 30)), [24.0, 24.0, 23.0, 24.0, 24.0]);
    assert_eq!(hours_of_days("Europe/Berlin", date(2025, 10, 26)), [24.0, 24.0, 25.0, 24.0, 24.0]);
    assert!(hours_of_days("Australia/Lord_Howe", date(2025, 4, 5)).contains(&24.5));
    assert!(hours_of_days("Australia/Lord_Howe", date(2025, 10, 4)).contains(&23.5));
    // 2011-12-30 did not exist in Samoa: it has no window, and its neighbours meet.
    assert_eq!(hours_of_days("Pacific/Apia", date(2011, 12, 30)), [24.0; 5]);
    // The 18th of October 1867 came twice in Sitka.
    assert!(hours_of_days("America/Sitka", date(1867, 10, 18)).iter().any(|hours| *hours > 47.0));
}

#[test]
fn the_ends_of_the_calendar_are_refused_and_not_wrapped() {
    let windows: Windows = Calendar::new(Period::Years(1000))
        .unwrap()
        .zone(TimeZone::named("Asia/Tokyo").unwrap())
        .into();
    let schedule = windows.schedule();
    for time in [i64::MIN, i64::MAX, -400_000_000_000_000, 400_000_000_000_000] {
        assert_eq!(schedule.place(time, i64::MAX / 4), Place::OutOfRange);
        assert!(!schedule.range(0).contains(&time));
    }
    assert!(matches!(schedule.place(0, i64::MAX / 4), Place::In(_)));
    assert_eq!(schedule.first_unfired(i64::MAX), i64::MAX);
    assert_eq!(schedule.first_unfired(i64::MIN), i64::MIN);
    assert_eq!(schedule.last_millisecond(i64::MAX), i64::MAX);
    assert_eq!(schedule.after_windows(0, usize::MAX), i64::MAX);
    let (first, last) = (*schedule.range(0).start(), *schedule.range(0).end());
    for time in [first, last] {
        let Place::In(pane) = schedule.place(time, 0) else { panic!("{time} is in range") };
        assert!(pane.contains(time));
    }
}
