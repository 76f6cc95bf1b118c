//! Several threads give the same answers as one thread, with the same bytes and in the same order.

use super::run_into;
use crate::adapter::files::row_sink::TakeBlocks;
use crate::adapter::files::{
    DeadLetter, FilesOptions, FilesStats, Format, Input, LateRecord, Opened, Refusal, RowSink,
};
use crate::engine::{Control, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::query::PipelineSpec;
use crate::record::ShardId;
use crate::row::{Row, Value};
use crate::rows::{
    CompileOptions, JsonLines, PreaggregatedRows, PreparedRows, RowPipeline, RowPreparer,
};
use crate::time::Timestamp;
use proptest::prelude::*;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A sink that records every call and every answer.
struct Journal {
    pipeline: RowPipeline,
    format: JsonLines,
    shards: Vec<Shard>,
    lines: Vec<u8>,
    unseen: Vec<usize>,
    /// Blocks that were applied as accumulators.
    preaggregated: usize,
    /// Number of further aggregated blocks that are refused.
    declines: usize,
    /// Dead letters after which the run ends.
    dead_max: usize,
    /// Bytes of the first input that an earlier run has read.
    resume_at: u64,
    /// True if the only thread applies some blocks together.
    own_blocks: bool,
    /// True if late records are reported, as they are if the specification has a place for them.
    hands_out_late: bool,
}

impl Journal {
    fn new(spec: &PipelineSpec, dead_max: usize, resume_at: u64) -> Self {
        let mut options = CompileOptions::default();
        options.limits.key_bytes_max = 12;
        let mut pipeline = spec.compile(&options).unwrap();
        let hands_out_late = spec.late.is_some();
        pipeline.hand_out_late(hands_out_late);
        let (format, unseen) = (JsonLines::default(), (0..pipeline.fields().len()).collect());
        let (shards, lines) = (Vec::new(), Vec::new());
        Journal {
            pipeline,
            format,
            shards,
            lines,
            unseen,
            preaggregated: 0,
            declines: 0,
            dead_max,
            resume_at,
            own_blocks: false,
            hands_out_late,
        }
    }

    /// Reports dead letters, and late records if those are reported.
    fn refusal(&self, outcome: Outcome<String>) -> Option<Refusal> {
        match outcome {
            Outcome::DeadLetter(reason) => Some(Refusal::DeadLetter(reason)),
            Outcome::Late(time) if self.hands_out_late => {
                Some(Refusal::Late { time, watermark: self.pipeline.watermark() })
            }
            _ => None,
        }
    }

    fn note(&mut self, what: &str) {
        self.lines.extend_from_slice(what.as_bytes());
        self.lines.push(b'\n');
    }

    fn drain(&mut self) -> Result<(), Error> {
        while let Some(emission) = self.pipeline.next_emission()? {
            self.format.append(&emission, &mut self.lines);
        }
        Ok(())
    }
}

impl RowSink for Journal {
    fn fields(&self) -> &[String] {
        self.pipeline.fields()
    }

    fn open_shard(&mut self, _: usize, shard: ShardId) -> Result<(), Error> {
        let shard = self.pipeline.open_shard(shard)?;
        self.shards.push(shard);
        Ok(())
    }

    fn resume_at(&mut self, file: usize, _: &Opened<'_>) -> Result<u64, Error> {
        Ok(if file == 0 { self.resume_at } else { 0 })
    }

    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
        self.unseen.retain(|slot| row.value(*slot) == Value::Missing);
        let outcome =
            self.pipeline.push(self.shards[file], row, Timestamp::from_millis(0), None)?;
        Ok(self.refusal(outcome))
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        let (unseen, stats) = (&self.unseen, self.pipeline.stats());
        let told = format!("{letter:?} unseen {unseen:?} {stats:?}");
        self.note(&told);
        match self.dead_max {
            0 => Err(Error::new(ErrorKind::InvalidRecord, "enough")),
            _ => {
                self.dead_max -= 1;
                Ok(())
            }
        }
    }

    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        let told = format!("{record:?} {:?}", self.pipeline.stats());
        self.note(&told);
        Ok(())
    }

    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error> {
        let stats = format!("{stats:?} {:?} unseen {:?}", self.pipeline.stats(), self.unseen);
        self.note(&stats);
        self.drain()
    }

    fn close_shard(&mut self, file: usize) -> Result<(), Error> {
        self.pipeline.close_shard(self.shards[file]);
        self.drain()
    }
}

/// Gives a journal the rows of a block together.
struct Blocks;

impl TakeBlocks<Journal> for Blocks {
    fn preparer(sink: &Journal) -> Option<Arc<RowPreparer>> {
        Some(sink.pipeline.preparer())
    }

    fn gains_by_blocks(sink: &Journal) -> bool {
        sink.own_blocks && sink.pipeline.stats().applied.is_multiple_of(2)
    }

    fn prepared(
        sink: &mut Journal,
        file: usize,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Refusal)>, Error> {
        // Applies some rows together, and some one by one.
        let until = if rows.taken().is_multiple_of(3) { rows.taken() + 1 } else { until };
        let told = sink.pipeline.push_prepared(sink.shards[file], rows, until)?;
        sink.unseen.retain(|slot| !rows.has_seen(*slot));
        Ok(told.and_then(|(index, outcome)| sink.refusal(outcome).map(|refusal| (index, refusal))))
    }

    fn preaggregated(
        sink: &mut Journal,
        file: usize,
        rows: &PreaggregatedRows,
    ) -> Result<bool, Error> {
        if sink.declines > 0 {
            sink.declines -= 1;
            return Ok(false);
        }
        let taken = sink.pipeline.push_preaggregated(sink.shards[file], rows)?;
        if taken {
            sink.preaggregated += 1;
            sink.unseen.retain(|slot| !rows.has_seen(*slot));
        }
        Ok(taken)
    }
}

/// How an input is read.
#[derive(Clone)]
struct Reading {
    /// The format is given: an input that begins in the middle of a record could be detected
    /// wrongly.
    format: Format,
    block_bytes: usize,
    /// Dead letters after which the run ends.
    dead_max: usize,
    /// Bytes of the first input that an earlier run has read.
    resume_at: u64,
    /// True if the only thread applies some blocks together.
    own_blocks: bool,
}

impl Reading {
    fn whole(format: Format, block_bytes: usize) -> Self {
        Reading { format, block_bytes, dead_max: usize::MAX, resume_at: 0, own_blocks: false }
    }
}

/// Reads the files into the journal.
fn read(
    files: &[OwnFile],
    journal: &mut Journal,
    reading: Reading,
    threads: usize,
) -> Result<FilesStats, Error> {
    let mut options = FilesOptions {
        threads: NonZeroUsize::new(threads),
        format: reading.format,
        block_bytes: Some(reading.block_bytes),
        ..FilesOptions::default()
    };
    options.limits.record_bytes_max = 300;
    let inputs = files.iter().map(|file| Input::from_argument(file.path())).collect();
    let mut stats = FilesStats::default();
    run_into::<_, Blocks>((inputs, &options), journal, &mut stats).map(|()| stats)
}

/// Returns everything that the sink was given, and all of its answers.
fn journal(files: &[OwnFile], spec: &PipelineSpec, reading: Reading, threads: usize) -> String {
    let mut journal = Journal::new(spec, reading.dead_max, reading.resume_at);
    journal.own_blocks = reading.own_blocks;
    let ended = read(files, &mut journal, reading, threads);
    journal.note(&format!("{ended:?}"));
    journal.pipeline.finish();
    journal.drain().unwrap();
    String::from_utf8(journal.lines).unwrap()
}

fn jsonl_line() -> impl Strategy<Value = String> {
    let good = (0i64..60_000, 0u8..5, 0i64..100, 0u8..4).prop_map(|(time, key, number, extra)| {
        let key = ["\"DE\"", "\"F\\u0052\"", "7", "null", "\"\\u0001\""][usize::from(key)];
        let extra = ["", ",\"x\":1", ",\"x\":null", ",\"x\":\"\\n\""][usize::from(extra)];
        format!("{{\"ts\":{time},\"k\":{key},\"n\":{number}.5,\"i\":{number}{extra}}}")
    });
    let bad = prop::sample::select(vec![
        String::new(),
        "{\"ts\":1".to_owned(),
        "{\"ts\":\"never\",\"k\":\"DE\"}".to_owned(),
        "{\"ts\":5,\"n\":\"abc\"}".to_owned(),
        "{\"ts\":70000,\"i\":50,\"n\":\"abc\"}".to_owned(),
        "{\"ts\":65000}".to_owned(),
        "{\"ts\":\"never\",\"i\":1}".to_owned(),
        "{\"ts\":5,\"k\":\"longer than twelve\"}".to_owned(),
        format!("{{\"ts\":5,\"k\":\"{}\"}}", "y".repeat(400)),
    ]);
    prop_oneof![8 => good, 1 => bad]
}

fn csv_line() -> impl Strategy<Value = String> {
    let good = (
        0i64..60_000,
        prop::sample::select(vec!["DE", "\"F,\"\"R\"", "\"two\nlines\"", "", "7"]),
        0i64..100,
    )
        .prop_map(|(time, key, number)| format!("{time},{key},{number}.5,{number},"));
    let bad = prop::sample::select(vec![
        "",
        "1,2",
        "never,DE,1,2,3",
        "never,DE,1,45,3",
        "70000,DE,1,2,3",
        "70000,DE,abc,50,",
        "5,\"open,1,2,3",
        "5,DE,abc,1,",
    ])
    .prop_map(str::to_owned);
    prop_oneof![8 => good, 1 => bad]
}

/// Every state that a row can change: sums of both kinds, extremes, edges, sketches past their
/// exact size, presence.
const AGGREGATES: &str = "count, count(x) as xs, sum(n), sum(i), min(i), stddev(n), first(k), \
                          last(i), p50(i), distinct(i), top(2, k, 2), frequency(k, 'DE')";

/// States that all threads aggregate by block, and that are merged.
const MERGED: &str =
    "count, count(x) as xs, sum(n), sum(i), mean(i), min(i), max(n), frequency(k, 'DE')";

fn spec(windows: &str, filter: bool, merged: bool) -> PipelineSpec {
    let aggregates = if merged { MERGED } else { AGGREGATES };
    // Drops four of ten records, and those without the field.
    let filter = if filter { "where = [\"i >= 40\"]\n" } else { "" };
    let text = format!(
        "time = \"ts\"\ntime_format = \"ms\"\ngroup = \"k\"\nagg = \"{aggregates}\"\n{windows}\n\
         {filter}"
    );
    PipelineSpec::from_toml(&text, "test").unwrap()
}

fn windows() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "window = \"10s\"\nmax_delay = \"20s\"\nlimit_groups = 2",
        "window = \"10s\"\nevery = \"3s\"\nmax_delay = \"5s\"\nlateness = \"10s\"",
        "window = \"1m\"\nmax_delay = \"unbounded\"",
        "window = \"2s\"\nmax_delay = \"0s\"",
        "window = \"10s\"\nmax_delay = \"20s\"\nlate = \"here\"",
    ])
}

/// A file of 20,000 records of three groups.
fn small_groups() -> OwnFile {
    let lines: Vec<String> = (0..20_000)
        .map(|index| format!("{{\"ts\":{index},\"k\":\"k{}\",\"i\":{index}}}", index % 3))
        .collect();
    OwnFile::new(lines.join("\n").as_bytes())
}

/// One window a minute that waits for every record, with states that are aggregated by block.
fn by_minute() -> PipelineSpec {
    spec("window = \"1m\"\nmax_delay = \"unbounded\"", false, true)
}

#[test]
fn blocks_are_aggregated_on_all_threads() {
    let mut journal = Journal::new(&by_minute(), usize::MAX, 0);
    read(&[small_groups()], &mut journal, Reading::whole(Format::JsonLines, 16 << 10), 3).unwrap();
    assert!(journal.preaggregated > 20, "{} blocks", journal.preaggregated);
    assert_eq!(journal.pipeline.stats().applied, 20_000);
}

#[test]
fn a_block_whose_aggregates_are_refused_is_read_again() {
    let file = [small_groups()];
    let answers = |threads, declines| {
        let mut journal = Journal::new(&by_minute(), usize::MAX, 0);
        journal.declines = declines;
        read(&file, &mut journal, Reading::whole(Format::JsonLines, 4 << 10), threads).unwrap();
        assert_eq!(journal.declines, 0, "all of the declined blocks came as accumulators");
        journal.lines.clear();
        journal.pipeline.finish();
        journal.drain().unwrap();
        String::from_utf8(journal.lines).unwrap()
    };
    let alone = answers(1, 0);
    for threads in 2..=4 {
        assert_eq!(answers(threads, 5), alone);
    }
}

/// A file of this test, removed at its end.
struct OwnFile(PathBuf);

impl OwnFile {
    fn new(bytes: &[u8]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir()
            .join(format!("streamgauge-threads-{}-{number}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        OwnFile(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn gzipped(bytes: &[u8], cut: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() - cut);
    bytes
}

fn same(
    files: &[OwnFile],
    spec: &PipelineSpec,
    reading: Reading,
    threads: usize,
) -> Result<(), TestCaseError> {
    let alone = journal(files, spec, reading.clone(), 1);
    prop_assert_eq!(&journal(files, spec, reading.clone(), threads), &alone);
    prop_assert_eq!(journal(files, spec, Reading { own_blocks: true, ..reading }, 1), alone);
    Ok(())
}

/// The rest after the last whole block is read from the end of that block, even if the rest is
/// empty.
#[test]
fn blocks_may_end_at_the_end_of_a_line() {
    for (lines, end) in (0..40).flat_map(|lines| [(lines, ""), (lines, "\n")]) {
        let lines: Vec<_> = (0..lines)
            .map(|index| format!("{{\"ts\":{index:9},\"k\":\"k\",\"i\":{index:2}}}"))
            .collect();
        assert!(lines.iter().all(|line| line.len() == 31), "{lines:?}");
        let file = [OwnFile::new((lines.join("\n") + end).as_bytes())];
        same(&file, &by_minute(), Reading::whole(Format::JsonLines, 128), 3).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn s32_threads_change_nothing_about_json(
        lines in prop::collection::vec(jsonl_line(), 0..200),
        junk in prop::option::of(0usize..200),
        windows in windows(),
        filter: bool,
        merged: bool,
        threads in 2usize..6,
        block_bytes in 64usize..2000,
        dead_max in prop_oneof![3 => Just(usize::MAX), 1 => 0usize..9],
        resume in prop_oneof![3 => Just(0), 1 => 0usize..100],
        ended: bool,
    ) {
        let mut bytes = (lines.join("\n") + if ended { "\n" } else { "" }).into_bytes();
        if let Some(at) = junk.filter(|at| *at < bytes.len()) {
            bytes[at] = 0xff;
        }
        // An earlier run stops at the end of a record.
        let resume_at =
            lines.iter().take(resume).map(|line| line.len() + 1).sum::<usize>().min(bytes.len())
                as u64;
        let second = OwnFile::new(&bytes[bytes.len() / 2..]);
        let whole = Reading::whole(Format::JsonLines, block_bytes);
        let reading = Reading { dead_max, resume_at, ..whole };
        same(&[OwnFile::new(&bytes), second], &spec(windows, filter, merged), reading, threads)?;
    }

    #[test]
    fn threads_change_nothing_about_csv(
        lines in prop::collection::vec(csv_line(), 0..200),
        windows in windows(),
        filter: bool,
        merged: bool,
        threads in 2usize..6,
        block_bytes in 64usize..2000,
        cut in prop::option::of(0usize..20),
    ) {
        let bytes = format!("\nts,k,n,i,x\n{}", lines.join("\n")).into_bytes();
        let bytes = match cut {
            Some(cut) => gzipped(&bytes, cut),
            None => bytes,
        };
        same(
            &[OwnFile::new(&bytes)],
            &spec(windows, filter, merged),
            Reading::whole(Format::Csv, block_bytes),
            threads,
        )?;
    }
}
