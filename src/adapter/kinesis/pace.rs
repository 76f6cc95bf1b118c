//! How often a shard may be called.

use super::read_stream::RecordPage;
use crate::time::Timestamp;
use std::time::Duration;

/// The least time between two GetRecords calls to a shard: Kinesis allows 5 a second.
pub(super) const CALL_PAUSE: Duration = Duration::from_millis(200);

/// The bytes that a shard gives in a second. A page of 10 MiB uses up 5 s of it.
const SHARD_BYTES_PER_SECOND: u64 = 2 << 20;

/// The first pause after throttling or a failure. It doubles each time, up to the maximum.
const BACK_OFF_FIRST: Duration = Duration::from_millis(200);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);

/// Returns the pause after a page. A shard that is behind is called as often as Kinesis allows.
pub(super) fn pause_after_page(page: &RecordPage, quiet_pause: Duration) -> Duration {
    let bytes: usize =
        page.records.iter().map(|record| record.data.len() + record.partition_key.len()).sum();
    let used = Duration::from_millis((bytes as u64).saturating_mul(1000) / SHARD_BYTES_PER_SECOND);
    let pause = match page.millis_behind_latest {
        Some(0) | None if page.records.is_empty() => quiet_pause,
        _ => CALL_PAUSE,
    };
    pause.max(used)
}

/// Returns the time after a pause.
pub(super) fn after(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// Returns the time from one timestamp to a later one.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    let millis = to.as_millis().saturating_sub(from.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Random pauses, so that readers that were throttled together do not come back together.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        // The state of an xorshift generator must not be zero.
        Jitter(seed | 1)
    }

    /// Returns the pause after this number of failures one after the other: between half of the
    /// back-off and all of it.
    pub(super) fn pause_after(&mut self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let whole = BACK_OFF_FIRST.saturating_mul(1 << doublings).min(BACK_OFF_MAX);
        let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX);
        // No call comes before the pause that Kinesis asks for between any two.
        let pause = Duration::from_millis(half.saturating_add(self.below(half.saturating_add(1))));
        pause.max(CALL_PAUSE)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Position, Record, Sequence, ShardId};

    fn page(bytes: usize, behind: Option<u64>) -> RecordPage {
        let record = Record {
            partition_key: Default::default(),
            data: vec![0; bytes].into(),
            arrival: Timestamp::from_millis(0),
            position: Position { shard: ShardId::new("s"), sequence: Sequence::new(1u64) },
            headers: Default::default(),
        };
        let records = if bytes == 0 { Vec::new() } else { vec![record] };
        RecordPage { records, next: None, millis_behind_latest: behind }
    }

    #[test]
    fn a_shard_gets_its_calls_and_bytes_and_no_more() {
        let quiet = Duration::from_secs(1);
        let pause = |bytes, behind| pause_after_page(&page(bytes, behind), quiet).as_millis();
        assert_eq!(pause(0, Some(0)), 1000);
        assert_eq!(pause(0, None), 1000);
        assert_eq!(pause(0, Some(7)), 200, "an empty page in the middle of a shard");
        assert_eq!(pause(100, Some(0)), 200);
        assert_eq!(pause(1 << 20, Some(9)), 500);
        assert_eq!(pause(10 << 20, Some(9)), 5000);
    }

    #[test]
    fn pauses_grow_to_a_maximum_and_differ() {
        let mut jitter = Jitter::new(7);
        let pauses: Vec<Duration> = (0..40).map(|failures| jitter.pause_after(failures)).collect();
        assert!(pauses.iter().all(|pause| (CALL_PAUSE..=BACK_OFF_MAX).contains(pause)));
        assert!(pauses[39] >= BACK_OFF_MAX / 2 && pauses[2] <= Duration::from_millis(400));
        let distinct: std::collections::BTreeSet<_> = pauses[10..].iter().collect();
        assert!(distinct.len() > 10, "{pauses:?}");
        assert!(Jitter::new(0).pause_after(u32::MAX) <= BACK_OFF_MAX);
    }
}
