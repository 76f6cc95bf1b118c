//! What the head of the screen tells of the run.

use crate::output::digits::count;
use crate::view::times::Zone;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use streamgauge::Timestamp;

/// The way of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Phase {
    #[default]
    Running,
    /// The input has ended, and all windows are answered.
    Ended,
    /// The screen is to be closed.
    Closing,
}

/// What the head of the screen tells beside the counts.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// The time of the clock on the wall.
    pub(super) now: Timestamp,
    /// Records in a second.
    pub(super) rate: Option<f64>,
}

/// The time over which the rate is measured.
const RATE_OVER: Duration = Duration::from_secs(5);

/// Measures records in a second.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// Takes the number of records so far, and returns their rate over the last seconds.
    pub(super) fn at(&mut self, now: Instant, records: u64) -> Option<f64> {
        self.0.push_back((now, records));
        while self.0.len() > 2 && now.duration_since(self.0[1].0) >= RATE_OVER {
            self.0.pop_front();
        }
        let (begin, before) = *self.0.front()?;
        let seconds = now.duration_since(begin).as_secs_f64();
        (seconds >= 0.5).then(|| records.saturating_sub(before) as f64 / seconds)
    }
}

/// Returns how far the latest event time is behind the clock.
pub(super) fn lag(now: Timestamp, latest: Timestamp) -> String {
    let seconds = now.as_millis().saturating_sub(latest.as_millis()).max(0) as f64 / 1_000.0;
    match seconds {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        seconds => format!("{} d", count((seconds / 86_400.0) as u64)),
    }
}

/// Returns bytes in whole units of 1,024.
pub(super) fn memory(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (0..units.len() - 1).take_while(|power| bytes >> (10 * (power + 1)) > 9).count();
    format!("{} {}", count(bytes >> (10 * power)), units[power])
}

/// Returns the time of a window: the time of day, or the date of windows of days.
pub(super) fn moment(zone: &Zone, (start, end): (i64, i64)) -> String {
    const DAY: i64 = 86_400_000;
    const MINUTE: i64 = 60_000;
    match end.saturating_sub(start) {
        _ if start == i64::MIN => "everything".to_owned(),
        DAY.. => zone.stamp(start),
        length if length % MINUTE == 0 => zone.time_of_day(start),
        length if length % 1_000 == 0 => zone.time_of_day_in_full(start),
        _ => zone.time_of_day(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_head_are_short() {
        let at = Timestamp::from_millis;
        let lags = [0, 1_234, 59_000, 600_000, 86_400_000, 864_000_000_000]
            .map(|millis| lag(at(millis), at(0)));
        assert_eq!(lags, ["0.0 s", "1.2 s", "59 s", "10 min", "24 h", "10,000 d"]);
        assert_eq!(lag(at(0), at(9_000)), "0.0 s");
        let sizes = [9, 12_288, 25 << 20, 8 << 30, 64 << 30].map(memory);
        assert_eq!(sizes, ["9 B", "12 KiB", "25 MiB", "8,192 MiB", "64 GiB"]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (begin, mut rate) = (Instant::now(), Rate::default());
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        assert_eq!(rate.at(at(0), 100), None);
        assert_eq!(rate.at(at(1), 200), Some(100.0));
        let before: Vec<_> = (2..=10).map(|second| rate.at(at(second), 200 + second)).collect();
        assert!(before.iter().all(Option::is_some));
        assert_eq!(rate.at(at(11), 211), Some(1.0));
    }
}
