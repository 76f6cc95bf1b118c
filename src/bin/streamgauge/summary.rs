//! The closing line on standard error.

use std::fmt;
use std::time::Duration;

/// What a run has counted.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Summary {
    pub(crate) records: u64,
    pub(crate) applied: u64,
    pub(crate) filtered: u64,
    pub(crate) dead_letters: u64,
    pub(crate) late: u64,
    /// Between two windows, where the slide is larger than the size.
    pub(crate) between_windows: u64,
    pub(crate) windows: u64,
    pub(crate) elapsed: Duration,
    /// Bytes of the input, decompressed.
    pub(crate) bytes: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "records {}, applied {}, filtered {}, ", self.records, self.applied, self.filtered)?;
        write!(f, "dead letters {}, late {}, ", self.dead_letters, self.late)?;
        if self.between_windows > 0 {
            write!(f, "between windows {}, ", self.between_windows)?;
        }
        let seconds = self.elapsed.as_secs_f64();
        let megabytes = self.bytes as f64 / 1e6;
        let rate = if seconds > 0.0 { megabytes / seconds } else { 0.0 };
        write!(f, "windows {}, {seconds:.3} s, {rate:.1} MB/s", self.windows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_reads_as_documented() {
        let summary = Summary {
            records: 10,
            applied: 7,
            filtered: 1,
            dead_letters: 1,
            late: 1,
            windows: 2,
            elapsed: Duration::from_millis(1500),
            bytes: 3_000_000,
            ..Summary::default()
        };
        assert_eq!(summary.to_string(), "records 10, applied 7, filtered 1, dead letters 1, late 1, windows 2, 1.500 s, 2.0 MB/s");
        let shown = Summary { between_windows: 3, ..Summary::default() }.to_string();
        assert!(shown.contains("late 0, between windows 3, windows 0, 0.000 s, 0.0 MB/s"), "{shown}");
    }
}
