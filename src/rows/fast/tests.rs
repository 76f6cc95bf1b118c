//! Blocks of rows that are aggregated separately and added at once, compared with the same rows one
//! by one: emissions, counts, errors, and the bytes of every snapshot.

use super::preaggregated_rows::PreaggregatedRows;
use crate::aggregate::Overflow;
use crate::engine::{Control, Shard};
use crate::error::Error;
use crate::query::PipelineSpec;
use crate::record::ShardId;
use crate::row::Row;
use crate::rows::{CompileOptions, RowEmission, RowPipeline};
use crate::time::Timestamp;
use proptest::prelude::*;

/// A row: its event time, group, number and kind.
type Item = (i64, u16, i64, u8);

/// Blocks as of a log: times go on, by less or more than a window, with some disorder, seldom more
/// than is waited for; few groups or many; seldom a row that is refused.
fn blocks() -> impl Strategy<Value = Vec<Vec<Item>>> {
    let block = (
        0usize..700,
        0i64..40,
        prop_oneof![3 => Just(1i64), 3 => Just(2000), 1 => Just(7000)],
        prop_oneof![10 => Just(3u16), 2 => Just(200), 1 => Just(1000)],
        prop::bool::weighted(0.1),
    );
    // Most blocks have few rows that do not pass the filter, some have many.
    let filtered = prop_oneof![3 => Just(1000u64), 1 => Just(9)];
    prop::collection::vec((block, filtered, any::<u64>()), 1..25).prop_map(|blocks| {
        let mut now = 0;
        let block = |((rows, step, jitter, groups, bad), numbers, seed): (
            (usize, i64, i64, u16, bool),
            u64,
            u64,
        )| {
            let mut random = seed;
            let mut next = |below: u64| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % below
            };
            let mut rows: Vec<Item> = (0..rows)
                .map(|_| {
                    now += step * i64::from(next(4) == 0);
                    let time = now - next(jitter as u64) as i64;
                    (time, next(u64::from(groups)) as u16, next(numbers) as i64, next(20) as u8)
                })
                .collect();
            if bad && let Some(row) = rows.last_mut() {
                row.3 = u8::MAX;
            }
            rows
        };
        blocks.into_iter().map(block).collect()
    })
}

fn pipeline(
    windows: &str,
    limits: &str,
    (state_bytes_max, panes_max): (usize, usize),
    emit_empty: bool,
) -> (RowPipeline, Shard) {
    let text = format!(
        "time = \"t\"\ntime_format = \"ms\"\ngroup = \"g\"\nwhere = [\"n != 7\"]\n{windows}\n\
         {limits}\n\
         agg = \"count, count(x) as xs, sum(n), sum(f), mean(f), min(n), max(f), frequency(g, \
         '1')\"\n"
    );
    let mut options = CompileOptions::default();
    options.limits.state_bytes_max = state_bytes_max;
    options.limits.panes_max = panes_max;
    options.emit_empty = emit_empty;
    let mut pipeline = PipelineSpec::from_toml(&text, "test").unwrap().compile(&options).unwrap();
    let shard = pipeline.open_shard(ShardId::new("one")).unwrap();
    (pipeline, shard)
}

/// A row of the fields t, g, n, x and f, as the specification's order of them says.
fn fill(row: &mut Row, fields: &[String], (time, group, number, kind): Item) {
    let number_text = if kind == u8::MAX { "none".to_owned() } else { number.to_string() };
    // Of some that do not pass the filter the time cannot be read.
    let time_text = if number == 7 && kind == 0 { "never".to_owned() } else { time.to_string() };
    let values = [
        ("t", time_text),
        ("g", group.to_string()),
        ("n", number_text),
        ("f", format!("{number}.{kind}")),
        ("x", "1".to_owned()),
    ];
    let (mut text, mut ranges) = (String::new(), Vec::new());
    for (slot, field) in fields.iter().enumerate() {
        let (name, value) = values.iter().find(|(name, _)| name == field).unwrap();
        if *name != "x" || kind < 10 {
            ranges.push((slot, text.len()..text.len() + value.len()));
            text.push_str(value);
        }
    }
    row.begin(&text.into());
    ranges.into_iter().for_each(|(slot, range)| row.set_untyped(slot, range));
}

fn push(pipeline: &mut RowPipeline, shard: Shard, block: &[Item]) -> Result<(), Error> {
    let (mut row, fields) = (pipeline.new_row(), pipeline.fields().to_vec());
    for item in block {
        fill(&mut row, &fields, *item);
        pipeline.push(shard, &mut row, Timestamp::from_millis(0), None)?;
    }
    Ok(())
}

/// Whether the block was taken at once.
fn push_at_once(pipeline: &mut RowPipeline, shard: Shard, block: &[Item]) -> Result<bool, Error> {
    let (mut row, fields, preparer) =
        (pipeline.new_row(), pipeline.fields().to_vec(), pipeline.preparer());
    let mut rows = PreaggregatedRows::new(&preparer).unwrap();
    for item in block {
        fill(&mut row, &fields, *item);
        if !rows.add(&preparer, &mut row, Timestamp::from_millis(0)) {
            return push(pipeline, shard, block).map(|()| false);
        }
    }
    match pipeline.push_preaggregated(shard, &rows)? {
        true => Ok(true),
        false => push(pipeline, shard, block).map(|()| false),
    }
}

fn drained(pipeline: &mut RowPipeline) -> Vec<RowEmission> {
    std::iter::from_fn(|| pipeline.next_emission().unwrap()).collect()
}

const WINDOWS: [&str; 5] = [
    "",
    "window = \"10s\"\nmax_delay = \"unbounded\"",
    "window = \"10s\"\nmax_delay = \"1s\"",
    "window = \"10s\"\nevery = \"3s\"\nmax_delay = \"2s\"\nlateness = \"5s\"",
    "window = \"3s\"\nevery = \"10s\"\nmax_delay = \"5s\"",
];

/// No limit on bytes of state, nor on panes.
const UNLIMITED: (usize, usize) = (usize::MAX, usize::MAX);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s32_rows_aggregated_in_blocks_equal_rows_one_by_one(
        blocks in blocks(),
        windows in prop::sample::select(WINDOWS.to_vec()),
        limit_groups in prop::sample::select(vec!["", "limit_groups = 2"]),
        state_bytes_max in prop_oneof![2 => Just(usize::MAX), 1 => 20_000usize..200_000, 1 => 200_000usize..2_000_000],
        panes_max in prop_oneof![3 => Just(usize::MAX), 1 => 1usize..8],
        emit_empty: bool,
    ) {
        let (mut alone, shard) =
            pipeline(windows, limit_groups, (state_bytes_max, panes_max), emit_empty);
        let (mut apart, same_shard) =
            pipeline(windows, limit_groups, (state_bytes_max, panes_max), emit_empty);
        for (index, block) in blocks.iter().enumerate() {
            let (expected, taken) =
                (push(&mut alone, shard, block), push_at_once(&mut apart, same_shard, block));
            // The texts of errors differ where they tell how much waits: it may have been measured
            // a few records earlier.
            prop_assert_eq!(
                taken.as_ref().err().map(Error::kind),
                expected.as_ref().err().map(Error::kind),
                "block {}",
                index
            );
            if expected.is_err() {
                // For the same reason the limit may be met a few records earlier.
                let (at_once, one_by_one) = (drained(&mut apart), drained(&mut alone));
                let common = at_once.len().min(one_by_one.len());
                prop_assert_eq!(&at_once[..common], &one_by_one[..common], "block {}", index);
                return Ok(());
            }
            // Windows that are complete wait to be fetched while some blocks are taken.
            if index % 3 > 0 {
                prop_assert_eq!(drained(&mut apart), drained(&mut alone), "block {}", index);
            }
            let (mut counted, mut expected_counts) = (apart.stats(), alone.stats());
            // May have been measured a few records earlier.
            (counted.state_bytes, expected_counts.state_bytes) = (0, 0);
            prop_assert_eq!(counted, expected_counts, "block {}", index);
            prop_assert!(
                apart.snapshot().unwrap().bytes() == alone.snapshot().unwrap().bytes(),
                "block {}",
                index
            );
        }
        alone.finish();
        apart.finish();
        prop_assert_eq!(drained(&mut apart), drained(&mut alone));
    }
}

/// 500 rows, a millisecond apart.
fn block(from: i64) -> Vec<Item> {
    (0..500).map(|index| (from + index, (index % 3) as u16, index, 0)).collect()
}

#[test]
fn a_block_that_only_needs_adding_is_merged_at_once() {
    let (mut pipeline, shard) = pipeline(WINDOWS[2], "", UNLIMITED, false);
    assert!(
        !push_at_once(&mut pipeline, shard, &block(1000)).unwrap(),
        "the first record of a shard lets the watermark rise"
    );
    assert!(push_at_once(&mut pipeline, shard, &block(1000)).unwrap());
    assert!(
        (0..20).all(|_| push_at_once(&mut pipeline, shard, &block(2000)).unwrap()),
        "also where the state is measured in between"
    );
    assert!(
        !push_at_once(&mut pipeline, shard, &block(10_800)).unwrap(),
        "the window up to 10 s fires in between"
    );
    assert!(!push_at_once(&mut pipeline, shard, &block(9_000)).unwrap(), "all of it is late");
    assert_eq!(
        (pipeline.stats().late, pipeline.stats().applied + pipeline.stats().filtered),
        (499, 23 * 500 + 1),
        "one of the late ones did not pass the filter"
    );
}

#[test]
fn a_block_of_a_fired_window_is_added_row_by_row() {
    let (mut pipeline, shard) = pipeline(WINDOWS[3], "", UNLIMITED, false);
    push(&mut pipeline, shard, &block(21_000)).unwrap();
    push(&mut pipeline, shard, &block(17_000)).unwrap();
    assert!(!drained(&mut pipeline).is_empty());
    assert!(!push_at_once(&mut pipeline, shard, &block(17_000)).unwrap());
    assert!(
        drained(&mut pipeline).iter().any(|emission| emission.revision > 0),
        "the window up to 19 s is answered again"
    );
}

#[test]
fn sketches_and_refused_groups_are_added_row_by_row() {
    for (agg, groups_overflow) in [
        ("top(3, g)", Overflow::Other),
        ("distinct(g)", Overflow::Other),
        ("p50(n)", Overflow::Other),
        ("first(n)", Overflow::Other),
        ("count", Overflow::Error),
    ] {
        let text = format!("time = \"t\"\ntime_format = \"ms\"\ngroup = \"g\"\nagg = \"{agg}\"\n");
        let options = CompileOptions { groups_overflow, ..CompileOptions::default() };
        let pipeline = PipelineSpec::from_toml(&text, "test").unwrap().compile(&options).unwrap();
        assert!(
            PreaggregatedRows::new(&pipeline.preparer()).is_none(),
            "{agg} {groups_overflow:?}"
        );
    }
}
