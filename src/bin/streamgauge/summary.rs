//! The closing lines on standard error.

use crate::output::digits::count;
use std::fmt;
use std::time::Duration;
use streamgauge::Stats;

/// No line is wider than this.
const WIDTH: usize = 80;

/// The counts of a run.
#[derive(Clone, Default, Debug)]
pub(crate) struct Summary {
    pub(crate) records: u64,
    /// The counts of each query that has a name. The following four are their sums.
    pub(crate) queries: Vec<(String, Stats)>,
    pub(crate) applied: u64,
    pub(crate) filtered: u64,
    pub(crate) dead_letters: u64,
    pub(crate) late: u64,
    /// Records between two windows, if the slide is larger than the size.
    pub(crate) between_windows: u64,
    /// Windows that were answered; each counts once, whatever its number of revisions.
    pub(crate) windows: u64,
    /// Rows of answers.
    pub(crate) rows: u64,
    /// True if the rows are partials.
    pub(crate) partials: bool,
    pub(crate) elapsed: Duration,
    /// Bytes of the input, decompressed.
    pub(crate) bytes: u64,
}

impl Summary {
    /// Returns the counts of the records. With several queries those of each are in a line of its
    /// own.
    fn input(&self) -> Vec<Vec<String>> {
        if self.queries.is_empty() {
            let counts = [
                ("records", self.records),
                ("applied", self.applied),
                ("filtered", self.filtered),
                ("dead letters", self.dead_letters),
                ("late", self.late),
            ];
            return vec![counted(&counts, self.between_windows)];
        }
        let all = [("records", self.records), ("dead letters", self.dead_letters)];
        let of_query = |(name, stats): &(String, Stats)| {
            let counts = [
                ("applied", stats.applied),
                ("filtered", stats.filtered),
                ("dead letters", stats.dead_letters),
                ("late", stats.late),
            ];
            let mut items = counted(&counts, stats.between_windows);
            if let Some(first) = items.first_mut() {
                *first = format!("query {name}: {first}");
            }
            items
        };
        std::iter::once(counted(&all, 0)).chain(self.queries.iter().map(of_query)).collect()
    }

    /// Returns the counts of the output, and the speed.
    fn output(&self) -> Vec<String> {
        let seconds = self.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { self.bytes as f64 / 1e6 / seconds } else { 0.0 };
        let rows = if self.partials { "partials" } else { "rows" };
        vec![
            format!("windows {}", count(self.windows)),
            format!("{rows} {}", count(self.rows)),
            format!("{seconds:.3} s"),
            format!("{rate:.1} MB/s"),
        ]
    }
}

/// Two lines, each with a line end, and one more for each of several queries. A line that would be
/// too wide continues, indented, in the next one.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.input().into_iter().chain([self.output()]);
        lines.into_iter().try_for_each(|items| writeln!(f, "{}", joined(&items)))
    }
}

/// Returns the counts with their names.
fn counted(counts: &[(&str, u64)], between_windows: u64) -> Vec<String> {
    let between = (between_windows > 0).then_some(("between windows", between_windows));
    let counts = counts.iter().copied().chain(between);
    counts.map(|(name, number)| format!("{name} {}", count(number))).collect()
}

/// Returns the items with commas between them, in lines that are not too wide.
fn joined(items: &[String]) -> String {
    let (mut text, mut width) = (String::new(), 0);
    for (index, item) in items.iter().enumerate() {
        // A comma follows each item except the last.
        let taken = item.len() + usize::from(index + 1 < items.len());
        let separator = match index {
            0 => "",
            _ if width + 2 + taken > WIDTH => ",\n  ",
            _ => ", ",
        };
        width = if separator.ends_with("  ") { 2 } else { width + separator.len() } + item.len();
        text.extend([separator, item]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(count: u64) -> Summary {
        Summary {
            records: count,
            queries: Vec::new(),
            applied: count,
            filtered: count,
            dead_letters: count,
            late: count,
            between_windows: count,
            windows: count,
            rows: count,
            partials: false,
            elapsed: Duration::from_millis(1500),
            bytes: 3_000_000,
        }
    }

    #[test]
    fn the_closing_lines_are_as_documented() {
        let summary = Summary { between_windows: 0, rows: 4321, ..full(10) };
        let expected = "records 10, applied 10, filtered 10, dead letters 10, late 10\n\
                        windows 10, rows 4,321, 1.500 s, 2.0 MB/s\n";
        assert_eq!(summary.to_string(), expected);
        let partials = Summary { partials: true, ..Summary::default() }.to_string();
        assert!(
            partials.ends_with("late 0\nwindows 0, partials 0, 0.000 s, 0.0 MB/s\n"),
            "{partials}"
        );
    }

    #[test]
    fn no_closing_line_is_wider_than_80_columns() {
        for power in 0..20 {
            let text = full(10u64.pow(power)).to_string();
            assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
            let items = text.replace(",\n  ", ", ");
            assert_eq!(items.lines().count(), 2, "{text}");
            assert!(items.contains("between windows 1"), "{text}");
        }
    }
}
