//! Complete windows wait until they are fetched: the cost, and the effect of a record that changes
//! one of their panes.

use super::{Keep, REFUSED, Step, options, rules, run, steps, take};
use crate::reference::{Fired, Rules};
use proptest::prelude::*;
use streamgauge::aggregate::Groups;
use streamgauge::engine::{Engine, Shard};
use streamgauge::prelude::*;

/// Time and group.
type Event = (i64, u64);

fn sliding(limits: Limits) -> Pipeline<Event, impl Aggregate<Event, Output = Groups<u64, u64>>> {
    let builder = Pipeline::builder()
        .event_time(|event: &Event| Timestamp::from_millis(event.0))
        .limits(limits);
    builder
        .window(Sliding::new(hours(1), seconds(1)).unwrap())
        .aggregate(group_by_value(|event: &Event| event.1, count()))
        .build()
        .unwrap()
}

/// 3,000 groups in 3 s, then a jump past the 3,600 windows that contain them.
fn leap() -> Vec<Event> {
    (0..3000).map(|group| (group, group as u64)).chain([(7_200_000, 0), (7_200_001, 1)]).collect()
}

#[test]
fn s81_a_leap_over_many_windows_takes_no_memory_until_they_are_fetched() {
    let mut limits = Limits::default();
    limits.state_bytes_max = 20 << 20;
    let mut pipeline = sliding(limits.clone());
    pipeline.push_batch(&leap()).unwrap();
    assert!(
        pipeline.engine().state_bytes() <= limits.state_bytes_max,
        "{}",
        pipeline.engine().state_bytes()
    );
    let (mut windows, mut records) = (0, 0);
    while let Some(emission) = pipeline.next_emission().unwrap() {
        windows += 1;
        records += emission.value.iter().map(|(_, records)| records).sum::<u64>();
        assert!(pipeline.engine().state_bytes() <= limits.state_bytes_max);
    }
    assert_eq!((windows, records), (3602, 3000 * 3600));
}

#[test]
fn s81_pending_answers_are_limited() {
    let mut limits = Limits::default();
    limits.pending_bytes_max = 1 << 20;
    let mut pipeline = sliding(limits);
    pipeline.push_batch(&leap()).unwrap();
    // It is in windows that wait, and in some that do not.
    let late = (3_700_000, 7);
    for _ in 0..2 {
        let error = pipeline.push(&late).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert!(error.to_string().contains("pending_bytes_max"), "{error}");
        assert!(pipeline.engine().state_bytes() <= 4 << 20, "{}", pipeline.engine().state_bytes());
    }
    assert_eq!(
        pipeline
            .drain()
            .map(Result::unwrap)
            .filter(|emission| emission.value.len() == 3000)
            .count(),
        3598
    );
    assert_eq!(pipeline.push(&late).unwrap(), Outcome::Applied);
    pipeline.finish();
    let rest: Vec<usize> = pipeline.drain().map(|emission| emission.unwrap().value.len()).collect();
    assert!(!rest.is_empty() && rest.iter().all(|groups| *groups <= 3), "{rest:?}");
}

/// Runs with room for almost no unfetched answers. A refused record is pushed again after answers
/// were fetched.
fn run_tight(rules: &Rules, shards: usize, steps: &[Step]) -> (Vec<Fired>, usize) {
    let mut options = options(rules);
    options.limits.pending_bytes_max = 0;
    let mut engine = Engine::new(Keep, options).unwrap();
    let handles: Vec<Shard> = (0..shards)
        .map(|shard| engine.open_shard(ShardId::new(format!("shard-{shard}"))).unwrap())
        .collect();
    let (mut emitted, mut refused) = (vec![], 0);
    for (id, step) in steps.iter().enumerate() {
        let (shard, time, record) = match *step {
            Step::Push { shard, time } => (shard, time, id as u64),
            Step::Refuse { shard, time } => (shard, time, REFUSED),
            Step::Drain => {
                super::drain(&mut engine, &mut emitted);
                continue;
            }
            _ => {
                take(&mut engine, &handles, step, &0, &0);
                continue;
            }
        };
        if let Err(error) = engine.push(handles[shard], &record, Timestamp::from_millis(time)) {
            assert_eq!(error.kind(), ErrorKind::LimitExceeded);
            refused += 1;
            super::drain(&mut engine, &mut emitted);
            engine.push(handles[shard], &record, Timestamp::from_millis(time)).unwrap();
        }
    }
    engine.finish();
    super::drain(&mut engine, &mut emitted);
    (emitted, refused)
}

proptest! {
    #![proptest_config(crate::cases(500))]

    #[test]
    fn s81_a_record_that_found_no_room_is_added_after_a_fetch(rules in rules(), steps in steps(2)) {
        prop_assert_eq!(run_tight(&rules, 2, &steps).0, run(&rules, 2, &steps, false).1);
    }
}

#[test]
fn out_of_order_records_can_find_no_room() {
    let rules = Rules {
        days: vec![],
        size: 30,
        slide: 10,
        offset: 0,
        out_of_orderness: Some(0),
        lateness: 0,
        emit_empty: false,
        idle_after: None,
    };
    let push = |time| Step::Push { shard: 0, time };
    let steps = [5, 15, 38, 29, 65, 55].map(push);
    assert_eq!(run_tight(&rules, 1, &steps).1, 2);
}

/// Groups with a limit of two.
fn two_groups(size: u64) -> Pipeline<Event, impl Aggregate<Event, Output = Groups<u64, u64>>> {
    let groups =
        group_by_value(|event: &Event| event.1, count()).groups_max(2).overflow(Overflow::Error);
    let builder = Pipeline::builder().event_time(|event: &Event| Timestamp::from_millis(event.0));
    builder
        .window(Sliding::new(millis(size), millis(10)).unwrap())
        .aggregate(groups)
        .build()
        .unwrap()
}

#[test]
fn s82_a_window_past_a_limit_is_one_error_and_the_others_are_emitted() {
    let events = [(1, 1), (2, 2), (11, 3), (12, 4), (40, 1), (60, 1)];
    let start = |emission: Emission<_>| emission.window.unwrap().start().as_millis();
    for drains in [true, false] {
        let mut pipeline = two_groups(20);
        let mut said = vec![];
        let mut fetch = |pipeline: &mut Pipeline<Event, _>| {
            loop {
                match pipeline.next_emission() {
                    Ok(Some(emission)) => said.push(Ok(start(emission))),
                    Ok(None) => break,
                    Err(error) => said.push(Err(error.kind())),
                }
            }
        };
        for event in &events {
            assert_eq!(pipeline.push(event).unwrap(), Outcome::Applied);
            if drains {
                fetch(&mut pipeline);
            }
        }
        pipeline.finish();
        fetch(&mut pipeline);
        let limit = Err(ErrorKind::LimitExceeded);
        assert_eq!(said, [Ok(-10), limit, Ok(10), Ok(30), Ok(40), Ok(50), Ok(60)]);
    }
}

#[test]
fn s82_a_pending_window_past_a_limit_refuses_one_push() {
    let mut pipeline = two_groups(20);
    // The last is late for the window of the limit, and not for the next one.
    for event in [(1, 1), (2, 2), (11, 3), (12, 4), (20, 3)] {
        pipeline.push(&event).unwrap();
    }
    assert_eq!(pipeline.push(&(13, 3)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!(pipeline.push(&(13, 3)).unwrap(), Outcome::Applied);
    pipeline.finish();
    let said: Vec<_> = pipeline
        .drain()
        .map(|emission| emission.unwrap())
        .map(|e| (e.window.unwrap().start().as_millis(), e.value.len()))
        .collect();
    assert_eq!(said, [(-10, 2), (10, 2), (20, 1)]);
}
