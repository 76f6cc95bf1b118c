//! Days of a time zone, whose clocks change by half an hour, compared with the reference.

use super::{Step, rules, run, steps};
use crate::reference::Rules;
use jiff::civil::date;
use jiff::{Span, ToSpan};
use proptest::prelude::*;
use streamgauge::window::{Calendar, Period, TimeZone, Windows};

const ZONE: &str = "Australia/Lord_Howe";

/// Milliseconds for one of the steps: a few of them are a day.
const STEP: i64 = 5_000_000;

pub(crate) fn windows(rules: &Rules) -> Windows {
    let days = |n: i64| Period::Days(n as u32);
    let calendar = Calendar::new(days(rules.size)).unwrap().every(days(rules.slide)).unwrap();
    let first = rules.days[0].div_euclid(86_400_000) + 1;
    let offset = streamgauge::time::days((first + rules.offset) as u64);
    calendar.offset(offset).unwrap().zone(TimeZone::named(ZONE).unwrap()).into()
}

/// Makes days of what is milliseconds.
fn calendar_rules() -> impl Strategy<Value = Rules> {
    rules().prop_map(|mut rules| {
        let first = date(2024, 1, 1);
        rules.days = (0..900)
            .map(|day| (first + Span::new().days(day)).in_tz(ZONE).unwrap().timestamp())
            .map(|time| time.as_millisecond())
            .collect();
        (rules.size, rules.slide) = (1 + rules.size % 8, 1 + rules.slide % 5);
        rules.offset %= rules.slide;
        rules.out_of_orderness = rules.out_of_orderness.map(|bound| bound * STEP);
        rules.lateness *= STEP;
        rules
    })
}

/// Spreads the times over days around the ends of summer time.
fn days_of(steps: Vec<Step>, start: i64) -> Vec<Step> {
    let stretched = |time: i64| start + time * STEP;
    let steps = steps.into_iter().map(|step| match step {
        Step::Push { shard, time } => Step::Push { shard, time: stretched(time) },
        Step::Refuse { shard, time } => Step::Refuse { shard, time: stretched(time) },
        Step::PassOver { shard, time } => Step::PassOver { shard, time: time.map(stretched) },
        other => other,
    });
    steps.collect()
}

fn calendar_steps() -> impl Strategy<Value = Vec<Step>> {
    let start = prop::sample::select(vec![date(2025, 4, 6), date(2025, 10, 5)]);
    (steps(2), start).prop_map(|(steps, start)| {
        let start = (start.in_tz(ZONE).unwrap() - 3.days()).timestamp().as_millisecond();
        days_of(steps, start)
    })
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn s160_the_engine_says_of_calendar_days_what_the_reference_says(
        rules in calendar_rules(), steps in calendar_steps()
    ) {
        let (emitted, expected) = run(&rules, 2, &steps, true);
        prop_assert_eq!(emitted, expected);
    }
}
