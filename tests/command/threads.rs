//! The command with several threads gives the same bytes, also for windows that are complete only
//! at the end of the input.

use super::{Folder, streamgauge};
use std::fmt::Write;

/// A day of records, one every 30 seconds, of 307 users.
fn log() -> String {
    let mut lines = String::new();
    for record in 0..2880u64 {
        let (ts, user, bytes) =
            (1_700_000_000_000 + record * 30_000, record * record % 307, record * 7919 % 1000);
        let _ = writeln!(lines, "{{\"ts\":{ts},\"user\":\"u{user}\",\"bytes\":{bytes}}}");
    }
    lines
}

#[test]
fn windows_at_the_end_are_the_same_on_any_number_of_threads() {
    let folder = Folder::new("command-threads");
    let file = folder.file("day.jsonl", log());
    // In the first, each part has more rows than are computed in advance. In the second the tops
    // are approximate.
    for (group, aggregates) in
        [(Some("user"), "count, sum(bytes)"), (None, "top(3, user, 8), distinct(user), p90(bytes)")]
    {
        let answer = |threads: &str| {
            let mut arguments = vec![
                "run", &file, "--time", "ts", "--window", "1h", "--every", "1m", "--agg",
                aggregates, "--output", "csv",
            ];
            arguments.extend(["--threads", threads]);
            group.iter().for_each(|group| arguments.extend(["--group", group]));
            let run = streamgauge(&arguments);
            run.succeeded();
            run.stdout
        };
        let alone = answer("1");
        assert!(
            alone.lines().count() > if group.is_some() { 2 << 16 } else { 1440 },
            "{} rows",
            alone.lines().count()
        );
        for threads in ["2", "5"] {
            assert!(answer(threads) == alone, "{threads} threads, {aggregates}");
        }
    }
}
