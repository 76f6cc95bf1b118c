//! Several queries in one pass over files, against a run of each query alone.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use streamgauge::adapter::files::{
    DeadLetter, FilesOptions, Format, Input, LateRecord, PipelineObserver, run_pipeline,
};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines, RowEmission};
use streamgauge::{Error, Stats};

/// Questions of one query. `NA` is missing in `n` where a query uses it as a number, and text where
/// it does not.
pub(super) const QUESTIONS: [&str; 15] = [
    "agg = 'count'",
    "window = '1s'\nagg = 'count, sum(n)'",
    "window = '1s'\ngroup = 'n'",
    "window = '2s'\nevery = '500ms'\ngroup = 'k'\nagg = 'mean(n), max(s)'",
    "window = '700ms'\nlateness = '900ms'\ngroup = 'k'\nagg = 'count, distinct(n)'",
    "session = '300ms'\ngroup = 'k'\nagg = 'count, first(s)'",
    "stagger = '800ms'\ngroup = 'k, s'",
    "window = '1s'\nevery = '3s'\nagg = 'top(2, k), p50(n)'",
    "window = '1s'\nwhere = 'n > 20'\ngroup = 'k'\nagg = 'sum(n) as total'\nsort = 'total desc'\nlimit = 2",
    "where = \"k = 'NA'\"\ngroup = 'n % 3 as third'\nagg = 'min(n), frequency(s, 7)'",
    "window = '500ms'\ngroup = 'double'\nagg = 'count'\nhaving = 'count > 1'",
    "window = '1s'\nlateness = '1s'\ngroup = 'k'\nhaving = 'count < 3'",
    "where = ['double > 50', \"s <> 'b'\"]\nagg = 'sum(double), max_by(k, n)'",
    "window = '1s'\ngroup = 'k'\nlimit_groups = 2\nagg = 'count, stddev(n)'",
    "where = ['n > 30']\nselect = \"k || '!' as name, double\"",
];

/// What a run tells.
#[derive(Default)]
pub(super) struct Told {
    rows: Vec<RowEmission>,
    /// The reasons of dead letters, by line.
    pub(super) dead: BTreeMap<u64, String>,
    pub(super) late: Vec<u64>,
}

impl Told {
    /// The lines of the rows of a query, without its name.
    fn rows_of(&self, query: Option<&str>) -> String {
        let mut lines = Vec::new();
        for row in self.rows.iter().filter(|row| row.form.query.as_deref() == query) {
            let mut row = row.clone();
            let mut form = (*row.form).clone();
            form.query = None;
            row.form = form.into();
            JsonLines::default().append(&row, &mut lines);
        }
        String::from_utf8(lines).unwrap()
    }

    pub(super) fn lines(&self) -> String {
        let mut lines = Vec::new();
        self.rows.iter().for_each(|row| JsonLines::default().append(row, &mut lines));
        String::from_utf8(lines).unwrap()
    }
}

impl PipelineObserver for Told {
    fn emission(&mut self, row: RowEmission) -> Result<(), Error> {
        self.rows.push(row);
        Ok(())
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        assert!(self.dead.insert(letter.line, letter.reason.to_owned()).is_none());
        Ok(())
    }

    fn takes_late(&self) -> bool {
        true
    }

    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        self.late.push(record.line);
        Ok(())
    }
}

/// A file of this test's own, removed at its end.
pub(super) struct OwnFile(PathBuf);

impl OwnFile {
    pub(super) fn new(bytes: &[u8]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("streamgauge-queries-{}-{number}", std::process::id());
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

/// Runs a pipeline over a file of CSV.
pub(super) fn run(
    toml: &str,
    file: &OwnFile,
    threads: usize,
    block_bytes: usize,
) -> (Told, Vec<Stats>) {
    let spec = PipelineSpec::from_toml(toml, "p.toml").unwrap();
    let mut pipeline = spec.compile(&CompileOptions::default()).unwrap();
    let mut options = FilesOptions::with_format(Format::Csv);
    options.threads = NonZeroUsize::new(threads);
    options.block_bytes = Some(block_bytes);
    let mut told = Told::default();
    let inputs = vec![Input::from_argument(file.0.clone())];
    run_pipeline(inputs, &options, &mut pipeline, &mut told).unwrap();
    let counts = |mut stats: Stats| {
        // The first is measured when there is time, and the second is not counted in parts.
        (stats.state_bytes, stats.emitted) = (0, 0);
        stats
    };
    (told, pipeline.queries().map(|query| counts(query.stats())).collect())
}

fn records() -> impl Strategy<Value = String> {
    let field = |values: &'static [&'static str]| prop::sample::select(values);
    let record = (
        0..60u64,
        field(&["DE", "FR", "NA", "", "7"]),
        prop_oneof![
            4 => (0..100u32).prop_map(|n| n.to_string()),
            1 => field(&["NA", "", "abc", "2.5", "007"]).prop_map(str::to_owned),
        ],
        field(&["a", "b", "7", "\"x\"\"y\"", "a\" broken"]),
        field(&["", "", "", "", "", "", "", "x"]),
    );
    prop::collection::vec(record, 1..120).prop_map(|records| {
        let line = |(index, (jitter, k, n, s, bad)): (usize, (u64, &str, String, &str, &str))| {
            let ts = index as u64 * 100 + jitter * 40;
            format!("{ts}{bad},{k},{n},{s}\n")
        };
        let lines = records.into_iter().enumerate().map(line);
        std::iter::once("ts,k,n,s\n".to_owned()).chain(lines).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn s221_several_queries_answer_what_each_answers_alone(
        csv in records(),
        chosen in prop::collection::vec(0..QUESTIONS.len(), 1..6),
        delay in prop::sample::select(&["", "max_delay = '400ms'\n"][..]),
        (threads, block_bytes) in (1..4usize, 40..400usize),
    ) {
        let file = OwnFile::new(csv.as_bytes());
        let top = format!(
            "time = 'ts'\ntime_format = 'ms'\nlet = 'double = n * 2'\nwhere = \"k <> 'XX'\"\n{delay}"
        );
        let tables = chosen.iter().enumerate().map(|(index, question)| {
            let question = QUESTIONS[*question];
            format!("[[query]]\nname = 'q{index}'\n{question}\n")
        });
        let all = top.clone() + &tables.collect::<String>();
        let (told, stats) = run(&all, &file, 1, 1 << 16);
        let (mut dead, mut late) = (BTreeMap::<u64, Vec<String>>::new(), Vec::new());
        for (index, question) in chosen.iter().enumerate() {
            let alone = match QUESTIONS[*question].split_once("where = ") {
                // A condition at the top holds, too.
                Some((before, after)) => format!(
                    "{}{before}where = [\"k <> 'XX'\", {}",
                    top.replace("where = \"k <> 'XX'\"\n", ""),
                    one_more(after)
                ),
                None => format!("{top}{}", QUESTIONS[*question]),
            };
            let (single, single_stats) = run(&alone, &file, 1, 1 << 16);
            let name = format!("q{index}");
            prop_assert_eq!(told.rows_of(Some(&name)), single.rows_of(None), "{}", alone);
            prop_assert_eq!(stats[index], single_stats[0]);
            for (line, reason) in single.dead {
                dead.entry(line).or_default().push(reason);
            }
            late.extend(single.late);
        }
        prop_assert!(told.dead.keys().eq(dead.keys()), "{:?} {:?}", told.dead, dead);
        for (line, reasons) in &dead {
            for reason in reasons {
                prop_assert!(told.dead[line].contains(reason.as_str()), "{:?}", told.dead[line]);
            }
        }
        // A dead letter is told as such, and not as late.
        late.retain(|line| !dead.contains_key(line));
        late.sort_unstable();
        late.dedup();
        prop_assert_eq!(&told.late, &late);
        // The same bytes, however blocks are cut and on any number of threads.
        let (again, stats_again) = run(&all, &file, threads, block_bytes);
        prop_assert_eq!(again.lines(), told.lines());
        prop_assert_eq!((again.dead, again.late), (told.dead, told.late));
        prop_assert_eq!(stats_again, stats);
    }
}

/// The rest of a list of conditions, of which the first is one condition or already a list.
fn one_more(after: &str) -> String {
    let (first, rest) = after.split_once('\n').unwrap_or((after, ""));
    format!("{}]\n{rest}", first.trim_start_matches('[').trim_end_matches(']'))
}
