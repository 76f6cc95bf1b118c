//! Windows of ended shards, to be answered by the engine that continues them.
//!
//! An ended shard has one accumulator per window, whatever its panes were. It is kept beside the
//! panes, by the window's start, and is merged with them when the window fires.

use super::core::{Engine, Inherited};
use super::firing::read_start;
use super::group_windows::Encode;
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::snapshot::{Kind, Partial, Tag};
use crate::window::Schedule;

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Adds a window of an ended shard: see [`Control::adopt`](super::Control::adopt).
    pub(super) fn add_partial(&mut self, partial: &Partial) -> Result<(), Error> {
        partial.envelope().check(partial.bytes(), Kind::Partial, &self.identity())?;
        let mut reader = partial.envelope().section(partial.bytes(), Tag::Accumulator)?;
        if let (Schedule::OfGroups(_), Some(window)) = (&self.schedule, partial.window()) {
            let accumulator = self.aggregate.persistence()?.decode(&mut reader)?;
            reader.finish()?;
            return self.adopt_group_windows(window, accumulator);
        }
        let start = match (partial.window(), &self.schedule) {
            (None, Schedule::Global) => i64::MIN,
            (Some(window), Schedule::Periodic(_) | Schedule::Calendar(_))
                if self.schedule.window(window.start().as_millis()) == Some(window) =>
            {
                window.start().as_millis()
            }
            _ => return Err(reader.corrupt("the window does not fit this pipeline")),
        };
        if !self.schedule.is_start(start) {
            return Err(reader.corrupt(&format!("no window starts at {start} ms")));
        }
        if start < self.firing.fired_to() {
            return Err(Error::invalid(
                "a window that has fired here cannot be adopted: adopt before the first record",
            ));
        }
        let accumulator = self.aggregate.persistence()?.decode(&mut reader)?;
        reader.finish()?;
        self.add_inherited(start, accumulator)
    }

    fn add_inherited(&mut self, start: i64, accumulator: A::Accumulator) -> Result<(), Error> {
        let whole = self.with_inherited(start, Some(&accumulator))?;
        if whole.is_none() && self.inherited.len() >= self.limits.panes_max {
            let message = format!(
                "{} windows are inherited, as many as Limits::panes_max allows",
                self.inherited.len()
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        self.inherited.insert(start, whole.unwrap_or(accumulator));
        self.firing.wake_by(self.schedule.last_millisecond(start));
        Ok(())
    }

    /// Merges the window's inherited accumulator into its own one.
    pub(super) fn with_inherited(
        &self,
        start: i64,
        own: Option<&A::Accumulator>,
    ) -> Result<Option<A::Accumulator>, Error> {
        let Some(mut whole) = self.inherited.get(&start).cloned() else { return Ok(None) };
        if let Some(own) = own {
            self.aggregate.merge(&mut whole, own)?;
        }
        Ok(Some(whole))
    }

    /// Returns the first inherited window from `start` on.
    pub(super) fn first_inherited_from(&self, start: i64) -> Option<i64> {
        self.inherited.range(start..).next().map(|(start, _)| *start)
    }

    /// Returns the watermark at which the first inherited window is closed; `i64::MAX` without one.
    pub(super) fn inherited_closes_at(&self) -> i64 {
        let first = self.inherited.first_key_value();
        first.map_or(i64::MAX, |(start, _)| {
            self.schedule.last_millisecond(*start).saturating_add(self.lateness)
        })
    }

    /// Drops the inherited windows that no record can change any more.
    pub(super) fn close_inherited(&mut self) {
        let watermark = self.watermarks.overall();
        while let Some((start, _)) = self.inherited.first_key_value() {
            if *start >= self.firing.fired_to() || self.inherited_closes_at() > watermark {
                break;
            }
            self.inherited.pop_first();
        }
    }

    pub(super) fn encode_inherited(
        &self,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error> {
        writer.usize(self.inherited.len());
        for (start, accumulator) in &self.inherited {
            writer.i64(*start);
            writer.section(|content| encode(accumulator, content))?;
        }
        Ok(())
    }

    pub(super) fn decode_inherited(
        &self,
        mut reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<Inherited<A::Accumulator>, Error> {
        let mut inherited = Inherited::new();
        for _ in 0..reader.count(2)? {
            let start = read_start(&mut reader, &self.schedule)?;
            if inherited.last_key_value().is_some_and(|(last, _)| *last >= start) {
                return Err(reader.corrupt("inherited windows are not in the order of time"));
            }
            let accumulator = self.decode_accumulator(reader.section()?, room)?;
            inherited.insert(start, accumulator);
        }
        reader.finish()?;
        Ok(inherited)
    }
}
