//! Limits: past one there is a typed error, and nothing has changed.

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
fn a_state_over_its_limit_is_an_error() {
    // S41
    let mut engine = engine(|options| {
        options.out_of_orderness = None;
        options.limits.state_bytes_max = 16;
    });
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    let refused = (0..10_000).find_map(|id| engine.push(shard, &id, at(0)).err());
    assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::LimitExceeded));
}

#[test]
fn a_gap_of_more_empty_windows_than_panes_allowed_is_an_error_when_they_are_asked_for() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        options.emit_empty = true;
        options.limits.panes_max = 1000;
    });
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    engine.push(shard, &0, at(0)).unwrap();
    engine.push(shard, &1, at(15)).unwrap();
    engine.push(shard, &2, at(1_000_000_000)).unwrap();
    assert_eq!(engine.next_emission().unwrap().map(|emission| emission.value), Some(vec![0]));
    assert_eq!(engine.next_emission().unwrap().map(|emission| emission.value), Some(vec![1]));
    assert_eq!(engine.next_emission().unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_pipeline_with_windows_and_no_event_time_is_refused() {
    let built = Pipeline::builder::<str>().window(Tumbling::new(seconds(1)).unwrap()).aggregate(()).build();
    assert_eq!(built.err().map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
}
