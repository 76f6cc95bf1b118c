//! Limits: past a limit there is a typed error, and nothing changes.

use super::edges::{at, drain, engine};
use streamgauge::prelude::*;

#[test]
fn more_open_panes_than_allowed_are_an_error_that_changes_nothing() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        options.out_of_orderness = None;
        options.limits.panes_max = 2;
    });
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    for (id, time) in [(0, 5), (1, 15)] {
        engine.push(shard, &id, at(time)).unwrap();
    }
    assert_eq!(engine.push(shard, &2, at(25)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!(engine.push(shard, &3, at(16)).unwrap(), Outcome::Applied);
    engine.finish();
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![0]), (10, 20, 0, vec![1, 3])]);
}

#[test]
fn s41_a_state_over_its_limit_is_an_error() {
    let mut engine = engine(|options| {
        options.out_of_orderness = None;
        options.limits.state_bytes_max = 16;
    });
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    let refused = (0..10_000).find_map(|id| engine.push(shard, &id, at(0)).err());
    assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::LimitExceeded));
}

#[test]
fn s41_a_state_of_many_new_groups_exceeds_its_limit_by_little() {
    let mut options = streamgauge::engine::EngineOptions::default();
    options.out_of_orderness = None;
    options.limits.state_bytes_max = 2 << 20;
    let mut engine =
        streamgauge::engine::Engine::new(group_by(|key: &String| key.as_str(), count()), options)
            .unwrap();
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    let refused = (0..100_000).find_map(|n| engine.push(shard, &format!("{n:0700}"), at(0)).err());
    assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::LimitExceeded));
    assert!(engine.state_bytes() <= 5 << 19, "{}", engine.state_bytes());
}

#[test]
fn s80_a_record_so_far_from_all_others_that_too_many_empty_windows_would_be_emitted_is_a_dead_letter()
 {
    for (lateness, far, near) in
        [(0, 10_025, 10_015), (0, i64::MAX / 4, 16), (20_000, -10_015, -10_005)]
    {
        let mut engine = engine(|options| {
            options.windows = Tumbling::new(millis(10)).unwrap().into();
            options.emit_empty = true;
            options.allowed_lateness = millis(lateness);
            options.limits.panes_max = 1000;
        });
        let shard = engine.open_shard(ShardId::new("a")).unwrap();
        let mut push = |time| engine.push(shard, &(time as u64), at(time)).unwrap();
        assert_eq!(
            (push(0), push(far), push(2)),
            (Outcome::Applied, Outcome::DeadLetter(()), Outcome::Applied),
            "{far}"
        );
        assert_eq!(push(near), Outcome::Applied, "{near} leaves 1000 empty windows at most");
        assert_eq!(engine.stats().dead_letters, 1);
        assert_eq!(engine.refusal().map(Error::kind), Some(ErrorKind::TimeOutOfRange));
        engine.finish();
        let starts: Vec<i64> = drain(&mut engine)
            .into_iter()
            .filter(|fired| fired.2 == 0)
            .map(|(start, ..)| start)
            .collect();
        let (first, last) = (near.min(0).div_euclid(10) * 10, near.max(0).div_euclid(10) * 10);
        let mut all: Vec<i64> = (first..=last).step_by(10).collect();
        all.sort_unstable();
        let mut sorted = starts.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, all, "each once, however many are empty");
    }
}

#[test]
fn a_record_between_filled_windows_is_added_at_any_distance_of_the_ends() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        (options.emit_empty, options.out_of_orderness) = (true, None);
        options.limits.panes_max = 100;
    });
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    let times = [0, 1000, 2000, 1500, 3025, 500, -1009, -2030];
    let outcomes: Vec<Outcome> =
        times.map(|time| engine.push(shard, &0, at(time)).unwrap()).to_vec();
    let mut expected = vec![Outcome::Applied; 8];
    (expected[4], expected[7]) = (Outcome::DeadLetter(()), Outcome::DeadLetter(()));
    assert_eq!(outcomes, expected);
}

#[test]
fn a_pipeline_with_windows_and_no_event_time_is_refused() {
    let built =
        Pipeline::builder::<str>().window(Tumbling::new(seconds(1)).unwrap()).aggregate(()).build();
    assert_eq!(built.err().map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
}
