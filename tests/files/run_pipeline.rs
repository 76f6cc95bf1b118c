//! A pipeline over files by the library's one call: what its observer is told, on one thread and on
//! several, against the pipeline given the same records by hand.

use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use streamgauge::adapter::files::{
    DeadLetter, FilePipelines, FilesOptions, FilesStats, Format, Input, LateRecord,
    PipelineObserver, run_pipeline,
};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines, RowEmission, RowPipeline};
use streamgauge::{Control, Error, ErrorKind, ShardId, Timestamp};

/// Writes down everything that it is told.
struct Journal {
    format: JsonLines,
    lines: Vec<u8>,
    takes_late: bool,
    /// Dead letters after which the run is ended.
    dead_max: usize,
    /// Questions after which the run is stopped.
    asks_max: usize,
}

impl Journal {
    fn new() -> Self {
        Journal {
            format: JsonLines::default(),
            lines: Vec::new(),
            takes_late: true,
            dead_max: usize::MAX,
            asks_max: usize::MAX,
        }
    }

    fn told(&mut self, what: &str) {
        self.lines.extend_from_slice(what.as_bytes());
        self.lines.push(b'\n');
    }

    fn text(&self) -> String {
        String::from_utf8(self.lines.clone()).unwrap()
    }
}

impl PipelineObserver for Journal {
    fn emission(&mut self, row: RowEmission) -> Result<(), Error> {
        self.format.append(&row, &mut self.lines);
        Ok(())
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        self.told(&format!("{letter:?}"));
        self.dead_max = self
            .dead_max
            .checked_sub(1)
            .ok_or_else(|| Error::new(ErrorKind::InvalidRecord, "enough"))?;
        Ok(())
    }

    fn takes_late(&self) -> bool {
        self.takes_late
    }

    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        self.told(&format!("{record:?}"));
        Ok(())
    }

    fn progress(&mut self, stats: &FilesStats) -> Result<(), Error> {
        self.told(&format!("{stats:?}"));
        Ok(())
    }

    fn should_stop(&mut self) -> bool {
        self.asks_max = self.asks_max.saturating_sub(1);
        self.asks_max == 0
    }

    fn pause(
        &mut self,
        stats: &FilesStats,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<(), Error> {
        assert_eq!(pipelines.records(), stats.records());
        let unseen: Vec<&str> = pipelines.unseen_fields().collect();
        let counts = format!("unseen {unseen:?} refused {}", pipelines.refused());
        let (pipeline, _) = pipelines.of(stats.files.len() - 1)?;
        let counts = format!("{counts} {:?}", pipeline.stats());
        self.told(&counts);
        Ok(())
    }
}

/// A file of this test's own, removed at its end.
struct OwnFile(PathBuf);

impl OwnFile {
    fn new(bytes: &[u8]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("streamgauge-run-pipeline-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        OwnFile(path)
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn pipeline(windows: &str, aggregates: &str) -> RowPipeline {
    let text = format!(
        "time = \"ts\"\ntime_format = \"ms\"\ngroup = \"k\"\nwhere = [\"n != 7\"]\n\
         agg = \"{aggregates}\"\n{windows}\n"
    );
    let spec = PipelineSpec::from_toml(&text, "test").unwrap();
    spec.compile(&CompileOptions::default()).unwrap()
}

fn options(threads: usize) -> FilesOptions {
    let mut options = FilesOptions::with_format(Format::JsonLines);
    options.threads = NonZeroUsize::new(threads);
    options.block_bytes = Some(512);
    options
}

fn inputs(files: &[OwnFile]) -> Vec<Input> {
    files.iter().map(|file| Input::from_argument(file.0.clone())).collect()
}

/// All that the observer was told, and how it ended.
fn journal(
    files: &[OwnFile],
    mut pipeline: RowPipeline,
    (dead_max, asks_max): (usize, usize),
    threads: usize,
) -> String {
    let mut journal = Journal { dead_max, asks_max, ..Journal::new() };
    let ended = run_pipeline(inputs(files), &options(threads), &mut pipeline, &mut journal);
    journal.told(&format!("{ended:?} {:?}", pipeline.stats().applied));
    journal.text()
}

fn line() -> impl Strategy<Value = String> {
    let good = (0i64..40, 0u8..4, 0i64..20, 0u8..3).prop_map(|(step, key, number, extra)| {
        let extra = ["", ",\"x\":1", ",\"x\":null"][usize::from(extra)];
        format!("{step} \"k\":\"k{key}\",\"n\":{number}{extra}")
    });
    let bad = prop::sample::select(vec![
        "0 \"k\":\"k1\",\"n\":\"abc\"".to_owned(),
        "0 \"n\":".to_owned(),
        "-9000 \"k\":\"k1\",\"n\":1".to_owned(),
    ]);
    prop_oneof![12 => good, 1 => bad]
}

/// Lines whose times go on by the step that each begins with.
fn lines(parts: &[String]) -> Vec<u8> {
    let mut now = 10_000;
    let line = |part: &String| {
        let (step, members) = part.split_once(' ').unwrap();
        let step: i64 = step.parse().unwrap();
        now += step.max(0) * 10;
        format!("{{\"ts\":{},{members}}}\n", now + step.min(0))
    };
    parts.iter().map(line).collect::<String>().into_bytes()
}

proptest! {
    #![proptest_config(crate::cases(96))]

    #[test]
    fn s32_an_observer_gets_the_same_calls_on_any_number_of_threads(
        parts in prop::collection::vec(line(), 0..300),
        threads in 2usize..5,
        windows in prop::sample::select(vec![ "", "window = \"10s\"\nmax_delay = \"unbounded\"", "window = \"1s\"\nevery = \"300ms\"\nmax_delay = \"1s\"", "window = \"2s\"\nmax_delay = \"1s\"\nlateness = \"5s\"", "window = \"100ms\"\nmax_delay = \"0s\"", ]),
        aggregates in prop::sample::select(vec!["count, sum(n), max(n), count(x) as xs", "count, p50(n), top(2, n), last(x)"]),
        dead_max in prop_oneof![4 => Just(usize::MAX), 1 => 0usize..5],
        asks_max in prop_oneof![4 => Just(usize::MAX), 1 => 1usize..30],
    ) {
        let bytes = lines(&parts);
        let files =
            [OwnFile::new(&bytes[..bytes.len() / 3]), OwnFile::new(&bytes[bytes.len() / 3..])];
        let told =
            |threads| journal(&files, pipeline(windows, aggregates), (dead_max, asks_max), threads);
        prop_assert_eq!(told(threads), told(1));
    }
}

/// 2000 records, 7 ms apart.
fn records() -> Vec<[(&'static str, String); 3]> {
    let record = |n: u32| {
        let key = format!("k{}", n % 3);
        [("ts", (n * 7).to_string()), ("k", key), ("n", (n * n % 50).to_string())]
    };
    (0..2000).map(record).collect()
}

fn json_of(records: &[[(&str, String); 3]]) -> Vec<u8> {
    let line = |[(_, time), (_, key), (_, number)]: &[(&str, String); 3]| {
        format!("{{\"ts\":{time},\"k\":\"{key}\",\"n\":{number}}}\n")
    };
    records.iter().map(line).collect::<String>().into_bytes()
}

const WINDOWS: &str = "window = \"1s\"\nevery = \"300ms\"\nmax_delay = \"1s\"";

/// The rows of the answer to some records, by a pipeline that is given them one by one.
fn rows_by_hand(records: &[[(&str, String); 3]]) -> String {
    let mut pipeline = pipeline(WINDOWS, "count, sum(n), p50(n)");
    let mut journal = Journal::new();
    let shard = pipeline.open_shard(ShardId::new("by hand")).unwrap();
    let (mut row, fields) = (pipeline.new_row(), pipeline.fields().to_vec());
    for record in records {
        let text: String = record.iter().map(|(_, value)| value.as_str()).collect();
        row.begin(&text.into());
        let mut start = 0;
        for (name, value) in record {
            let slot = fields.iter().position(|field| field == name).unwrap();
            row.set_untyped(slot, start..start + value.len());
            start += value.len();
        }
        pipeline.push(shard, &mut row, Timestamp::from_millis(0), None).unwrap();
    }
    pipeline.finish();
    while let Some(row) = pipeline.next_emission().unwrap() {
        journal.emission(row).unwrap();
    }
    journal.text()
}

/// Takes the rows alone.
struct Rows(Journal);

impl PipelineObserver for Rows {
    fn emission(&mut self, row: RowEmission) -> Result<(), Error> {
        self.0.emission(row)
    }
}

#[test]
fn the_rows_equal_those_of_records_pushed_by_hand() {
    let records = records();
    let bytes = json_of(&records);
    let files = [OwnFile::new(&bytes[..20_000]), OwnFile::new(&bytes[20_000..])];
    let cut = bytes[..20_000].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let whole = [OwnFile::new(&bytes[..cut]), OwnFile::new(&bytes[cut..])];
    for threads in 1..=4 {
        let mut pipeline = pipeline(WINDOWS, "count, sum(n), p50(n)");
        let mut rows = Rows(Journal::new());
        let read = run_pipeline(inputs(&whole), &options(threads), &mut pipeline, &mut rows);
        assert_eq!(read.unwrap().records(), 2000);
        assert_eq!(rows.0.text(), rows_by_hand(&records), "{threads} threads");
    }
    // A line that is cut in two is two dead letters.
    let mut pipeline = pipeline(WINDOWS, "count");
    let mut rows = Rows(Journal::new());
    let read = run_pipeline(inputs(&files), &options(1), &mut pipeline, &mut rows).unwrap();
    assert_eq!((read.records(), read.dead_letters()), (2001, 2));
}

#[test]
fn records_before_damage_are_answered_and_the_damage_is_an_error() {
    let records = records();
    let mut packed = super::compressed::gzip(&json_of(&records));
    packed.truncate(packed.len() - 4);
    let files = [OwnFile::new(&packed)];
    let mut pipeline = pipeline(WINDOWS, "count, sum(n), p50(n)");
    let mut rows = Rows(Journal::new());
    let error = run_pipeline(inputs(&files), &options(2), &mut pipeline, &mut rows).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(rows.0.text(), rows_by_hand(&records));
}

#[test]
fn a_run_that_is_stopped_leaves_the_open_windows_to_the_pipeline() {
    let files = [OwnFile::new(&json_of(&records()))];
    let mut pipeline = pipeline("window = \"1h\"\nmax_delay = \"1s\"", "count");
    let mut journal = Journal { asks_max: 3, ..Journal::new() };
    let read = run_pipeline(inputs(&files), &options(1), &mut pipeline, &mut journal).unwrap();
    assert!(read.records() > 0 && read.records() < 2000, "{read:?}");
    assert!(!journal.text().contains("{\"window\""), "{}", journal.text());
    pipeline.finish();
    assert!(pipeline.next_emission().unwrap().is_some());
}
