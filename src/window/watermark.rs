//! Watermarks: the progress of event time, per shard and overall.
//!
//! The watermark of a shard is the latest event time seen on it, minus the out-of-orderness, minus
//! 1 ms. No record at or before it is expected. Every record with a readable event time counts,
//! whatever its outcome. The overall watermark is the minimum over the shards that are neither idle
//! nor closed; without any such shard it stays the same. Watermarks only rise. Idleness is judged
//! by the caller's clock, which is passed in; this module reads no clock.

use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Activity {
    Active,
    /// No record with a readable event time has come for longer than the idle time-out. Other
    /// shards do not wait for this one.
    Idle,
    /// The shard has ended for good.
    Closed,
}

#[derive(Clone, Debug)]
struct ShardClock {
    watermark: i64,
    /// The caller's clock at the last record.
    last_record: i64,
    activity: Activity,
}

/// The watermarks of all shards, in milliseconds of event time.
#[derive(Clone, Debug)]
pub(crate) struct Watermarks {
    /// `None` means unbounded: no watermark rises before the end of the input.
    out_of_orderness: Option<i64>,
    /// `None` means that a shard is never idle.
    idle_after: Option<i64>,
    shards: Vec<ShardClock>,
    overall: i64,
    /// The overall watermark when the input ended, or the present one if it has not ended.
    reached: i64,
    /// The latest event time that a record has had in this process.
    latest: i64,
    /// The latest time of the caller's clock.
    now: i64,
    /// True if a shard was opened or came back since the last computation of the minimum. If no
    /// other shard limits the minimum, this shard's watermark may be above the overall one.
    unsettled: bool,
}

impl Watermarks {
    pub(crate) fn new(out_of_orderness: Option<i64>, idle_after: Option<i64>) -> Self {
        Watermarks {
            out_of_orderness,
            idle_after,
            shards: Vec::new(),
            overall: i64::MIN,
            reached: i64::MIN,
            latest: i64::MIN,
            now: i64::MIN,
            unsettled: false,
        }
    }

    /// Returns the overall watermark.
    #[inline]
    pub(crate) fn overall(&self) -> i64 {
        self.overall
    }

    /// Returns the overall watermark that records have caused, before the end of the input raised
    /// it.
    pub(crate) fn reached(&self) -> i64 {
        self.reached
    }

    /// Returns the latest event time that was [observed](Watermarks::observe); `i64::MIN` before.
    pub(crate) fn latest(&self) -> i64 {
        self.latest
    }

    /// Returns the watermark of one shard; `i64::MIN` if it has seen nothing.
    pub(crate) fn of(&self, shard: usize) -> i64 {
        self.shards.get(shard).map_or(i64::MIN, |clock| clock.watermark)
    }

    /// Returns true if records raise watermarks.
    pub(crate) fn is_bounded(&self) -> bool {
        self.out_of_orderness.is_some()
    }

    /// Returns the caller's clock at the last record of a shard; `None` if the clock was never set.
    pub(crate) fn last_record(&self, shard: usize) -> Option<i64> {
        self.shards.get(shard).map(|clock| clock.last_record).filter(|clock| *clock != i64::MIN)
    }

    /// Adds a shard that has seen everything up to `watermark`, and returns its index.
    pub(crate) fn open(&mut self, watermark: i64, shards_max: usize) -> Result<usize, Error> {
        if self.shards.len() >= shards_max {
            let message = format!(
                "there are already {} shards, the maximum of Limits::shards_max",
                self.shards.len()
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        self.shards.push(ShardClock {
            watermark,
            last_record: self.now,
            activity: Activity::Active,
        });
        self.unsettled = true;
        Ok(self.shards.len() - 1)
    }

    /// Closes a shard that has ended: the other shards no longer wait for it.
    pub(crate) fn close(&mut self, shard: usize) {
        if let Some(clock) = self.shards.get_mut(shard) {
            clock.activity = Activity::Closed;
            self.raise();
        }
    }

    /// Reopens a closed shard. It limits the overall watermark again, which does not fall.
    pub(crate) fn reopen(&mut self, shard: usize) {
        if let Some(clock) = self.shards.get_mut(shard) {
            (clock.activity, clock.last_record) = (Activity::Active, self.now);
            // The minimum is computed later, because shards that are further behind may come back
            // too.
            self.unsettled = true;
        }
    }

    /// Records that an event with this time has come on the shard.
    #[inline]
    pub(crate) fn observe(&mut self, shard: usize, time: i64) {
        let Some(clock) = self.shards.get_mut(shard) else { return };
        clock.last_record = self.now;
        self.latest = self.latest.max(time);
        if clock.activity == Activity::Idle {
            clock.activity = Activity::Active;
            self.unsettled = true;
        }
        let Some(out_of_orderness) = self.out_of_orderness else { return };
        let watermark = time.saturating_sub(out_of_orderness).saturating_sub(1);
        let held = clock.watermark <= self.overall || self.overall == i64::MIN;
        let rises = watermark > clock.watermark;
        clock.watermark = clock.watermark.max(watermark);
        // Only a shard that limited the overall watermark can raise it.
        if (rises && held || self.unsettled) && clock.activity == Activity::Active {
            self.raise();
        }
    }

    /// Returns true if records of the shard raise the overall watermark only by their own times.
    pub(crate) fn is_settled(&self, shard: usize) -> bool {
        let settled = !self.unsettled
            && self.shards.get(shard).is_some_and(|clock| clock.activity != Activity::Idle);
        settled || self.out_of_orderness.is_none()
    }

    /// Returns the smallest event time of a record that can raise a watermark to this one;
    /// `i64::MAX` if no record can.
    #[inline]
    pub(crate) fn time_reaching(&self, watermark: i64) -> i64 {
        self.out_of_orderness.map_or(i64::MAX, |out_of_orderness| {
            watermark.saturating_add(out_of_orderness).saturating_add(1)
        })
    }

    /// Raises the shard's watermark to at least this one. Does not change its activity.
    pub(crate) fn advance_to(&mut self, shard: usize, watermark: i64) {
        let bounded = self.out_of_orderness.is_some();
        if let Some(clock) =
            self.shards.get_mut(shard).filter(|clock| bounded && clock.watermark < watermark)
        {
            clock.watermark = watermark;
            self.raise();
        }
    }

    /// Advances the caller's clock to `now`. Shards without a record for the idle time-out become
    /// idle.
    pub(crate) fn advance(&mut self, now: i64) {
        // A clock that goes back is ignored.
        if now <= self.now {
            return;
        }
        let first = self.now == i64::MIN;
        self.now = now;
        let Some(idle_after) = self.idle_after else { return };
        for clock in &mut self.shards {
            if first {
                // The clock was not set before: idle time starts here.
                clock.last_record = now;
            }
            if clock.activity == Activity::Active
                && now.saturating_sub(clock.last_record) >= idle_after
            {
                clock.activity = Activity::Idle;
            }
        }
        self.raise();
    }

    /// Declares the end of the input: nothing more is expected.
    pub(crate) fn finish(&mut self) {
        self.overall = i64::MAX;
    }

    /// Returns the number of shards.
    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    /// Writes the state that all shards share.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.i64(self.overall);
        writer.i64(self.reached);
        writer.i64(self.now);
    }

    /// Reads the state that all shards share. The time-outs are those of `self`.
    pub(crate) fn decode(&self, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (overall, reached, now) = (reader.i64()?, reader.i64()?, reader.i64()?);
        Ok(Watermarks { shards: Vec::new(), overall, reached, now, unsettled: true, ..*self })
    }

    /// Writes the state of one shard.
    pub(crate) fn encode_shard(&self, shard: usize, writer: &mut Writer) {
        let Some(clock) = self.shards.get(shard) else { return };
        writer.i64(clock.watermark);
        writer.i64(clock.last_record);
        writer.u8(match clock.activity {
            Activity::Active => 0,
            Activity::Idle => 1,
            Activity::Closed => 2,
        });
    }

    /// Reads the state of one shard and adds it.
    pub(crate) fn decode_shard(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let (watermark, last_record) = (reader.i64()?, reader.i64()?);
        let activity = match reader.u8()? {
            0 => Activity::Active,
            1 => Activity::Idle,
            2 => Activity::Closed,
            other => return Err(reader.corrupt(&format!("{other} is not a state of a shard"))),
        };
        self.shards.push(ShardClock { watermark, last_record, activity });
        Ok(())
    }

    /// Raises the overall watermark to the minimum of the active shards. Does nothing if there are
    /// no active shards.
    fn raise(&mut self) {
        let active = self.shards.iter().filter(|clock| clock.activity == Activity::Active);
        if let Some(minimum) = active.map(|clock| clock.watermark).min() {
            self.overall = self.overall.max(minimum);
            self.reached = self.reached.max(minimum);
        }
        self.unsettled = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_shards(idle_after: Option<i64>) -> Watermarks {
        let mut watermarks = Watermarks::new(Some(10), idle_after);
        watermarks.open(i64::MIN, 2).unwrap();
        watermarks.open(i64::MIN, 2).unwrap();
        watermarks
    }

    #[test]
    fn edge_4_the_watermark_is_the_latest_time_less_the_bound_less_one() {
        let mut watermarks = Watermarks::new(Some(10), None);
        watermarks.open(i64::MIN, 1).unwrap();
        watermarks.observe(0, 100);
        assert_eq!(watermarks.overall(), 89);
        watermarks.observe(0, 50);
        assert_eq!(watermarks.overall(), 89, "it never falls");
        watermarks.observe(0, i64::MIN);
        assert_eq!(watermarks.overall(), 89);
    }

    #[test]
    fn edge_7_the_slowest_active_shard_holds_it() {
        let mut watermarks = two_shards(None);
        watermarks.observe(0, 1000);
        assert_eq!(watermarks.overall(), i64::MIN, "shard 1 has seen nothing yet");
        watermarks.observe(1, 500);
        assert_eq!(watermarks.overall(), 489);
        watermarks.close(1);
        assert_eq!(watermarks.overall(), 989, "a closed shard leaves the minimum");
        watermarks.close(0);
        assert_eq!(watermarks.overall(), 989, "without a shard it holds");
    }

    #[test]
    fn edge_7_idleness_counts_from_the_last_record_by_the_callers_clock() {
        let mut watermarks = two_shards(Some(60));
        watermarks.advance(1000);
        watermarks.observe(0, 5000);
        watermarks.observe(1, 300);
        watermarks.advance(1050);
        watermarks.observe(0, 6000);
        watermarks.advance(1059);
        assert_eq!(watermarks.overall(), 289);
        watermarks.advance(1060);
        assert_eq!(watermarks.overall(), 5989, "shard 1 is idle after exactly its time-out");
        watermarks.advance(5000);
        assert_eq!(watermarks.overall(), 5989, "all idle: hold, do not jump");
        watermarks.observe(1, 400);
        assert_eq!(
            watermarks.overall(),
            5989,
            "one that wakes up far behind does not pull it back"
        );
        watermarks.observe(1, 7000);
        assert_eq!(watermarks.overall(), 6989, "shard 0 is idle, so shard 1 alone decides");
    }

    #[test]
    fn edge_7_the_first_to_wake_up_decides_alone() {
        let mut watermarks = two_shards(Some(60));
        watermarks.advance(1000);
        watermarks.observe(0, 5000);
        watermarks.observe(1, 300);
        watermarks.advance(2000);
        assert_eq!(watermarks.overall(), 289, "both became idle at once");
        watermarks.observe(0, 4000);
        assert_eq!(watermarks.overall(), 4989, "nobody holds shard 0, which had come to 4989");
        watermarks.observe(1, 6000);
        watermarks.observe(0, 7000);
        assert_eq!(watermarks.overall(), 5989);
    }

    #[test]
    fn a_shard_that_is_opened_again_is_followed_from_its_next_record() {
        let mut watermarks = two_shards(None);
        watermarks.observe(0, 5000);
        watermarks.close(0);
        watermarks.observe(1, 300);
        watermarks.close(1);
        watermarks.reopen(0);
        watermarks.reopen(1);
        watermarks.observe(1, 400);
        assert_eq!(watermarks.overall(), 389, "shard 1 holds it, in whatever order they come back");
        watermarks.close(1);
        assert_eq!(watermarks.overall(), 4989);
    }

    #[test]
    fn unbounded_out_of_orderness_waits_for_the_end() {
        let mut watermarks = Watermarks::new(None, None);
        watermarks.open(i64::MIN, 1).unwrap();
        watermarks.observe(0, i64::MAX);
        assert_eq!(watermarks.overall(), i64::MIN);
        watermarks.finish();
        assert_eq!(watermarks.overall(), i64::MAX);
    }

    #[test]
    fn more_shards_than_the_limit_are_refused() {
        let mut watermarks = two_shards(None);
        assert_eq!(watermarks.open(i64::MIN, 2).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
