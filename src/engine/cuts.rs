//! Where the windows of a time zone begin and end, as a snapshot says.
//!
//! The data of a time zone changes when a country changes its clocks. A state whose windows would
//! be cut elsewhere by the present data is refused, not read as something else.

use super::Engine;
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use crate::window::Window;
use std::collections::BTreeSet;

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Writes the windows that the state knows of.
    pub(super) fn encode_cuts(&self, writer: &mut Writer) {
        let panes = self.panes.iter().flat_map(|(pane, _)| {
            [self.schedule.first_window_of(pane), self.schedule.last_window_of(pane.start)]
        });
        let starts: BTreeSet<i64> = panes
            .chain(self.firing.starts())
            .chain(self.pending.iter().map(|fired| fired.start))
            .chain(self.inherited.keys().copied())
            .filter(|start| *start != i64::MIN && *start != i64::MAX)
            .collect();
        writer.usize(starts.len());
        let mut last = 0i64;
        for start in starts {
            let end = self.schedule.last_millisecond(start).saturating_add(1);
            writer.i64(start.wrapping_sub(last));
            writer.i64(end.wrapping_sub(start));
            last = start;
        }
    }

    /// Checks that all windows of a snapshot are windows of this engine.
    pub(super) fn check_cuts(&self, mut reader: Reader<'_>) -> Result<(), Error> {
        let mut start = 0i64;
        for _ in 0..reader.count(2)? {
            start = start.wrapping_add(reader.i64()?);
            let end = start.wrapping_add(reader.i64()?);
            let window = Window::new(Timestamp::from_millis(start), Timestamp::from_millis(end));
            if !self.schedule.is_start(start) || self.schedule.window(start) != Some(window) {
                let message = format!(
                    "the snapshot has a window {window}, which the data of the time zone does not \
                     have any more: the zone's clocks were \
                     changed since; finish the state with the version that wrote it, or begin \
                     without it"
                );
                return Err(Error::new(ErrorKind::Mismatch, message));
            }
        }
        reader.finish()
    }
}

#[cfg(feature = "spec")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::count;
    use crate::engine::{Control, EngineOptions};
    use crate::record::ShardId;
    use crate::window::{Calendar, Period, TimeZone};

    fn engine(zone: TimeZone) -> Engine<str, crate::aggregate::Count> {
        let mut options = EngineOptions::default();
        let days = Calendar::new(Period::Days(2)).unwrap().every(Period::Days(1)).unwrap();
        options.windows = days.zone(zone).into();
        Engine::new(count(), options).unwrap()
    }

    #[test]
    fn s161_a_state_whose_time_zone_has_other_days_now_is_refused() {
        let zone = |name| TimeZone::named(name).unwrap();
        // Both are an hour ahead of UTC in winter, and Lagos has no summer time.
        let (winter, summer) = (1_768_000_000_000, 1_784_000_000_000);
        for (time, differs) in [(winter, false), (summer, true)] {
            let mut before = engine(zone("Europe/Berlin"));
            let shard = before.open_shard(ShardId::new("")).unwrap();
            before.push(shard, "a", Timestamp::from_millis(time)).unwrap();
            let snapshot = before.snapshot().unwrap();
            engine(zone("Europe/Berlin")).restore(&snapshot).unwrap();
            let changed = zone("Africa/Lagos").renamed("Europe/Berlin");
            let result = engine(changed).restore(&snapshot);
            assert_eq!(result.is_err(), differs);
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Mismatch);
                assert!(error.to_string().contains("clocks were changed since"), "{error}");
            }
            let other = engine(zone("Africa/Lagos")).restore(&snapshot).unwrap_err();
            assert_eq!(other.kind(), ErrorKind::Mismatch);
        }
    }
}
