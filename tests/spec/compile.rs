//! Specifications that compile, errors of those that do not, and explanations.

use super::{pipeline, refusal};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{ColumnKind, CompileOptions, Fit};
use streamgauge::{Control, ErrorKind, ShardId};

#[test]
fn the_fields_of_the_filter_come_first() {
    let pipeline = pipeline(
        "time = \"ts\"\nwindow = \"1m\"\ngroup = \"c\"\nagg = \"sum(x), top(3, c)\"\n\
         where = [\"s >= 500\", \"/a/b == 'x'\"]",
    );
    assert_eq!(pipeline.fields(), ["s", "/a/b", "ts", "c", "x"]);
    assert_eq!(pipeline.filter_slots(), 2);
    assert_eq!(pipeline.group_names(), ["c"]);
    let kinds: Vec<_> =
        pipeline.columns().iter().map(|column| (column.name.as_str(), column.kind)).collect();
    assert_eq!(kinds, [("sum(x)", ColumnKind::Plain), ("top(3, c)", ColumnKind::Top)]);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let cases = [
        ("every = '1m'", "every is given, but no window"),
        ("offset = '1m'", "offset is given, but no window"),
        ("window = '1m'", "a window needs an event time"),
        ("time_format = 'ms'", "time_format is given, but no time"),
        ("time = 'a, b'", "one field holds the event time, not 2"),
        ("time = '1 + 1'", "time: column 1 of \"1 + 1\": 1 + 1 has no field"),
        ("time = 'a > b'", "a > b is true or false, and a time is needed here"),
        ("time = 'lower(a'", "time: column"),
        ("time = 'cast(d as interval)'", "cast(d as interval) is a duration, and a time is needed"),
        (
            "time = 'to_timestamp(s)'\ntime_format = 'ms'",
            "to_timestamp(s) is a time already, and no time_format reads it",
        ),
        ("time = 't'\nwindow = '0'", "window: "),
        ("time = 't'\nwindow = '1m'\nevery = '0s'", "window, every: "),
        ("time = 't'\nwindow = '5x'", "window: \"5x\" is not a duration"),
        ("max_delay = 'soon'", "max_delay: "),
        ("lateness = '1'", "lateness: "),
        ("time = 't'\ntime_format = 'rfc333'", "time_format: "),
        ("group = 'a,a'", "the field \"a\" is named twice"),
        ("agg = 'count, count'", "two columns \"count\""),
        ("agg = 'sum(x) as window'", "cannot be named \"window\""),
        ("agg = ['count', 'summ(x)']", "agg: column 1 of \"summ(x)\""),
        ("where = 'x = = 1'", "where: column 5 of"),
        ("limit_groups = 0", "limit_groups of 0"),
    ];
    for (toml, expected) in cases {
        let message = refusal(toml);
        assert!(message.contains(expected), "{toml}: {message}");
    }
    let error = PipelineSpec::from_toml("window = \"1m\"", "")
        .unwrap()
        .compile(&CompileOptions::default())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn with_arrival_times_a_window_needs_no_time_field() {
    let mut options = CompileOptions::default();
    options.arrival_times = true;
    let spec = PipelineSpec::from_toml("window = \"1m\"", "").unwrap();
    let pipeline = spec.compile(&options).unwrap();
    assert!(pipeline.fields().is_empty());
    assert_eq!(pipeline.columns()[0].name, "count");
}

#[test]
fn the_explanation_has_panes_memory_and_bounds() {
    let toml = "time = 'ts'\nwindow = '5m'\nevery = '10s'\nmax_delay = '5s'\ngroup = 'c'\n\
                limit_groups = 1000\nagg = 'count, p99(x), distinct(u), top(10, url, 2000)'";
    let pipeline = pipeline(toml);
    let explanation = pipeline.explain();
    assert_eq!(
        (explanation.panes_per_window, explanation.windows_per_record, explanation.groups_max),
        (30, 30, Some(1000))
    );
    assert_eq!(
        explanation.panes_held_max,
        Some(32 + 30),
        "305 s in slides of 10 s, one more for the phase, and the merges"
    );
    let text = explanation.to_string();
    for expected in [
        "30 panes a window",
        "max_delay 5s: ",
        "at most 1000 groups",
        "memory at worst: 8.0 GiB (the limit is 8.0 GiB)",
        "  count: exact",
        "p99(x): nearest rank; within 0.5 % of the value, with certain bounds, while the numbers of each sign are in at most 8192 buckets",
        "distinct(u): exact up to",
        "top(10, url, 2000): exact up to 2000 distinct values, then each count is at most 1/2001",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in:\n{text}");
    }
    let unbounded = super::pipeline("time = 'ts'\nwindow = '5m'");
    assert!(unbounded.explain().to_string().contains("max_delay unbounded (the default here)"));
    assert_eq!(unbounded.explain().panes_held_max, None);
}

#[test]
fn the_explanation_predicts_the_size_of_a_snapshot() {
    let toml = "time = 'ts'\nwindow = '1m'\nevery = '30s'\nmax_delay = '0s'\ngroup = 'c'\n\
                limit_groups = 20\n\
                agg = 'count, sum(x), mean(x), stddev(x), min(x), first(u), p99(x), distinct(u), \
                top(10, u, 500)'";
    let mut pipeline = super::pipeline(toml);
    let (whole, reduced) = pipeline.explain().snapshot_bytes_max().unwrap();
    let fits = [whole, whole - 1, reduced, reduced - 1].map(|bytes| pipeline.explain().fit(bytes));
    assert_eq!(fits, [Fit::Whole, Fit::Reduced, Fit::Reduced, Fit::Unsure]);
    let shard = pipeline.open_shard(ShardId::new("s")).unwrap();
    let (mut row, mut seed) = (pipeline.new_row(), 1u64);
    let slots: Vec<String> = pipeline.fields().to_vec();
    for n in 0..30_000u64 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = seed >> 33;
        row.begin(&bytes::Bytes::new());
        for (slot, field) in slots.iter().enumerate() {
            let text = match field.as_str() {
                "ts" => (1_700_000_000_000 + n * 4).to_string(),
                "c" => format!("{:040}", random % 30),
                "x" => format!("{}e{}", random % 1000, random as i64 % 12 - 6),
                _ => format!("/a/long/path/to/some/page/number/{random:020}"),
            };
            row.set_unescaped(slot, &text);
        }
        pipeline.push(shard, &mut row, streamgauge::Timestamp::from_millis(0), None).unwrap();
        while pipeline.next_emission().unwrap().is_some() {}
        if n % 10_000 == 9_999 {
            let bytes = pipeline.snapshot().unwrap().bytes().len();
            assert!(bytes <= whole, "{bytes} bytes, and {whole} were foreseen");
            let (snapshot, _) = pipeline.snapshot_within(reduced.min(bytes / 2)).unwrap();
            assert!(snapshot.bytes().len() <= reduced);
        }
    }
}
