//! Several queries in one pipeline: its state, its hand-over, and what is the same for all.

use std::collections::BTreeMap;
use streamgauge::prelude::*;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines, RowPipeline};
use streamgauge::snapshot::Summary;

const QUERIES: &str = "time = 'ts'\nwindow = '10s'\nmax_delay = '2s'\n\
                       [[query]]\nname = 'hits'\ngroup = 'k'\nagg = 'count, distinct(n)'\n\
                       [[query]]\nname = 'sums'\nwindow = '30s'\nevery = '10s'\nagg = 'sum(n)'\n\
                       [[query]]\nname = 'same'\ngroup = 'k'\nagg = 'count, distinct(n)'\n\
                       [[query]]\nname = 'tops'\nwhere = 'n > 3'\nagg = 'top(3, n)'\n";

fn pipeline(toml: &str) -> RowPipeline {
    let spec = PipelineSpec::from_toml(toml, "p.toml").unwrap();
    spec.compile(&CompileOptions::default()).unwrap()
}

fn push(pipeline: &mut RowPipeline, records: std::ops::Range<u64>, shard: &str) {
    let shard = pipeline.open_shard(ShardId::new(shard)).unwrap();
    for n in records {
        let json =
            format!("{{\"ts\":{},\"k\":\"k{}\",\"n\":{n}}}", 1_704_067_200_000 + n * 700, n % 3);
        let sequence = Sequence::new(n + 1);
        let now = Timestamp::from_millis(0);
        let outcome = pipeline.push_json(shard, json.as_bytes(), now, Some(&sequence)).unwrap();
        assert!(matches!(outcome, Outcome::Applied | Outcome::Duplicate), "{outcome:?}");
    }
}

/// The rows that are complete, by query.
fn rows(pipeline: &mut RowPipeline, into: &mut BTreeMap<String, String>) {
    while let Some(row) = pipeline.next_emission().unwrap() {
        let mut line = Vec::new();
        JsonLines::default().append(&row, &mut line);
        let query = row.form.query.clone().unwrap();
        into.entry(query).or_default().push_str(&String::from_utf8(line).unwrap());
    }
}

fn whole(records: u64) -> BTreeMap<String, String> {
    let (mut pipeline, mut all) = (pipeline(QUERIES), BTreeMap::new());
    push(&mut pipeline, 0..records, "a");
    pipeline.finish();
    rows(&mut pipeline, &mut all);
    all
}

#[test]
fn s224_a_snapshot_has_the_state_of_all_queries() {
    for cut in [0, 1, 20, 59] {
        let (mut before, mut all) = (pipeline(QUERIES), BTreeMap::new());
        push(&mut before, 0..cut, "a");
        rows(&mut before, &mut all);
        let snapshot = before.snapshot().unwrap();
        let mut after = pipeline(QUERIES);
        after.restore(&snapshot).unwrap();
        assert_eq!(after.snapshot().unwrap().bytes(), snapshot.bytes());
        // The last record comes again.
        push(&mut after, cut.saturating_sub(1)..60, "a");
        after.finish();
        rows(&mut after, &mut all);
        assert_eq!(all, whole(60), "cut at {cut}");
    }
}

#[test]
fn s224_a_snapshot_of_other_queries_is_refused_and_changes_nothing() {
    let mut own = pipeline(QUERIES);
    push(&mut own, 0..30, "a");
    let before = own.snapshot().unwrap();
    for (from, to) in [("n > 3", "n > 4"), ("'tops'", "'best'"), ("top(3, n)", "top(4, n), count")]
    {
        let mut other = pipeline(&QUERIES.replace(from, to));
        push(&mut other, 0..10, "a");
        let refused = own.restore(&other.snapshot().unwrap()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Mismatch, "{to}");
        assert_eq!(own.snapshot().unwrap().bytes(), before.bytes());
    }
    let one = QUERIES.split("[[query]]\nname = 'sums'").next().unwrap();
    let refused = own.restore(&pipeline(one).snapshot().unwrap()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Mismatch);
    assert_eq!(own.snapshot().unwrap().bytes(), before.bytes());
    let summary = Summary::of(before.into_bytes()).unwrap();
    assert_eq!(summary.records.map(|records| records.applied), Some(30 * 3 + 26));
    assert_eq!((summary.shards.len(), summary.shards[0].name.as_str()), (1, "a"));
}

#[test]
fn s224_a_budget_is_shared_by_all_queries() {
    let toml = "[[query]]\nname = 'a'\nagg = 'top(3, n, 5000)'\n\
                [[query]]\nname = 'b'\nagg = 'distinct(n), count'\n";
    let mut own = pipeline(&format!("time = 'ts'\n{toml}"));
    push(&mut own, 0..9000, "a");
    let whole = own.snapshot().unwrap().bytes().len();
    let (snapshot, reductions) = own.snapshot_within(whole / 8).unwrap();
    assert!(snapshot.bytes().len() <= whole / 8 && !reductions.is_empty());
    let mut after = pipeline(&format!("time = 'ts'\n{toml}"));
    after.restore(&snapshot).unwrap();
    after.finish();
    let mut all = BTreeMap::new();
    rows(&mut after, &mut all);
    assert!(all["b"].contains("\"count\":9000"), "{all:?}");
    assert_eq!(own.snapshot_within(10).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn s225_windows_of_each_query_are_handed_over() {
    let (mut parent, mut child, mut all) = (pipeline(QUERIES), pipeline(QUERIES), BTreeMap::new());
    push(&mut parent, 0..33, "a");
    rows(&mut parent, &mut all);
    parent.hand_over();
    while let Some(partial) = parent.next_partial("parent").unwrap() {
        child.adopt(&partial).unwrap();
    }
    push(&mut child, 33..60, "b");
    child.finish();
    rows(&mut child, &mut all);
    assert_eq!(all, whole(60));
}

#[test]
fn s221_a_query_that_refuses_a_record_leaves_it_to_the_others() {
    let toml = "[[query]]\nname = 'sum'\nagg = 'sum(n)'\n[[query]]\nname = 'count'\n";
    let mut own = pipeline(toml);
    let shard = own.open_shard(ShardId::new("a")).unwrap();
    let now = Timestamp::from_millis(0);
    let refused = own.push_json(shard, br#"{"n":"x"}"#, now, Some(&Sequence::new(1))).unwrap();
    let Outcome::DeadLetter(reason) = refused else { panic!("{refused:?}") };
    assert_eq!(reason, "query sum: n: \"x\" is not a number");
    let again = own.push_json(shard, br#"{"n":"x"}"#, now, Some(&Sequence::new(1))).unwrap();
    assert_eq!(again, Outcome::Duplicate);
    let stats: Vec<_> =
        own.queries().map(|query| (query.stats().applied, query.stats().dead_letters)).collect();
    assert_eq!(stats, [(0, 1), (1, 0)]);
    let broken = own.push_json(shard, b"oops", now, Some(&Sequence::new(2))).unwrap();
    assert!(matches!(broken, Outcome::DeadLetter(reason) if !reason.contains("query")));
}
