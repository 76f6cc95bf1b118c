//! The encoding of an engine's state.
//!
//! The encoding has everything that affects later records: open panes, watermarks, positions, fired
//! windows, and complete windows that were not fetched. Everything that follows from these is
//! computed again.

use super::core::{Engine, Inherited};
use super::firing::{Fired, Firing, read_revision, read_start};
use super::group_windows::{Encode, GroupWindows};
use super::pending::Pending;
use super::row_windows::RowWindows;
use super::shards::Shards;
use super::{Control, EngineOptions, RecentIds, Stats};
use crate::aggregate::{Aggregate, seed_fingerprint};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
#[cfg(feature = "spec")]
use crate::record::ShardId;
use crate::snapshot::{
    Envelope, EnvelopeWriter, Identity, Kind, Reductions, Snapshot, Tag, least_tolerance,
};
use crate::window::{Panes, Place, TwoStacks, Watermarks};

/// The part of an engine that a snapshot restores.
pub(crate) struct EngineState<R: ?Sized, A: Aggregate<R>> {
    panes: Panes<A::Accumulator>,
    stacks: Option<TwoStacks<A::Accumulator>>,
    watermarks: Watermarks,
    firing: Firing,
    pending: Pending<A::Accumulator>,
    stats: Stats,
    shards: Shards,
    recent_ids: Option<RecentIds>,
    inherited: Inherited<A::Accumulator>,
    of_groups: Option<Box<dyn GroupWindows<R, A>>>,
    of_rows: Option<Box<RowWindows<A::Accumulator>>>,
}

impl<R: ?Sized, A: Aggregate<R>> EngineState<R, A> {
    /// Returns the names of the shards, in the order of opening.
    #[cfg(feature = "spec")]
    pub(crate) fn shard_names(&self) -> &[ShardId] {
        self.shards.names()
    }
}

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    pub(crate) fn identity(&self) -> Identity {
        Identity { description: self.description(), seeds: seed_fingerprint(&self.aggregate) }
    }

    /// Sets whether the last fetched emission is being fetched row by row. Until its last row no
    /// snapshot can be taken, because the remaining rows would be missing in it.
    #[cfg(feature = "spec")]
    pub(crate) fn set_handing_out(&mut self, handing_out: bool) {
        self.handing_out = handing_out;
    }

    /// Returns true if rows of the last fetched emission are left. False after a restore.
    #[cfg(feature = "spec")]
    pub(crate) fn is_handing_out(&self) -> bool {
        self.handing_out
    }

    /// Returns the name of a shard.
    #[cfg(feature = "spec")]
    pub(crate) fn shard_id(&self, shard: super::Shard) -> Option<&ShardId> {
        self.shards.names().get(shard.index())
    }

    /// Sets whether the last record is applied in part, because a limit refused the rest of it.
    /// Until the record comes again no snapshot can be taken.
    #[cfg(feature = "spec")]
    pub(crate) fn set_applied_in_part(&mut self, in_part: bool) {
        self.applied_in_part = in_part;
    }

    /// Returns true if the last record is applied in part. False after a restore.
    #[cfg(feature = "spec")]
    pub(crate) fn is_applied_in_part(&self) -> bool {
        self.applied_in_part
    }

    /// Returns the state as bytes: see [`Control::snapshot`].
    pub(super) fn whole_snapshot(&self) -> Result<Snapshot, Error> {
        if self.handing_out {
            return Err(Error::invalid(
                "rows of an answer are being fetched: fetch them all before a snapshot is taken",
            ));
        }
        if self.applied_in_part {
            return Err(Error::invalid(
                "a limit refused a part of the last record: add it again before a snapshot is taken",
            ));
        }
        let persistence = self.aggregate.persistence()?;
        let bytes =
            self.encode_state(&mut |accumulator, writer| persistence.encode(accumulator, writer))?;
        Snapshot::from_bytes(bytes)
    }

    /// Returns the state in at most `bytes_max` bytes: see [`Control::snapshot_within`].
    pub(super) fn reduced_snapshot(
        &self,
        bytes_max: usize,
    ) -> Result<(Snapshot, Reductions), Error> {
        let whole = self.whole_snapshot()?;
        let bytes_before = whole.bytes().len();
        if bytes_before <= bytes_max {
            return Ok((whole, Reductions::none(bytes_before)));
        }
        let (bytes, reductions) =
            least_tolerance(bytes_max, |tolerance| self.encode_within(tolerance, bytes_before))?;
        Ok((Snapshot::from_bytes(bytes)?, reductions))
    }

    /// Returns the state with sketches that have errors up to `tolerance`.
    ///
    /// # Errors
    /// Those of [`Control::snapshot`].
    pub(crate) fn encode_within(
        &self,
        tolerance: f64,
        bytes_before: usize,
    ) -> Result<(Vec<u8>, Reductions), Error> {
        let persistence = self.aggregate.persistence()?;
        let mut reductions = Reductions::new(tolerance, bytes_before);
        let bytes = self.encode_state(&mut |accumulator, writer| {
            let mut reduced = accumulator.clone();
            persistence.reduce(&mut reduced, tolerance, &mut reductions);
            persistence.encode(&reduced, writer)
        })?;
        reductions.bytes_after = bytes.len();
        Ok((bytes, reductions))
    }

    fn encode_state(&self, encode: Encode<'_, A::Accumulator>) -> Result<Vec<u8>, Error> {
        let mut envelope = EnvelopeWriter::new(Kind::Snapshot, &self.identity());
        envelope.section(Tag::Clock, |writer| {
            self.watermarks.encode(writer);
            writer.i64(self.lateness);
        });
        envelope.section(Tag::Shards, |writer| {
            writer.usize(self.watermarks.len());
            for index in 0..self.watermarks.len() {
                self.shards.encode_shard(index, writer);
                self.watermarks.encode_shard(index, writer);
            }
        });
        envelope.section(Tag::Stats, |writer| self.stats.encode(writer));
        envelope.section(Tag::Firing, |writer| self.firing.encode(writer));
        envelope.section(Tag::Panes, |writer| self.encode_panes(writer, encode))?;
        if let Some(stacks) = &self.stacks {
            envelope.section(Tag::Sliding, |writer| stacks.encode(writer));
        }
        envelope.section(Tag::Pending, |writer| self.encode_pending(writer, encode))?;
        if let Some(recent) = &self.recent_ids {
            envelope.section(Tag::Identities, |writer| recent.encode(writer));
        }
        if !self.inherited.is_empty() {
            envelope.section(Tag::Inherited, |writer| self.encode_inherited(writer, encode))?;
        }
        if self.firing.has_early() {
            envelope.section(Tag::Early, |writer| self.firing.encode_early(writer));
        }
        if let Some(windows) = self.firing.answering() {
            envelope.section(Tag::Answering, |writer| {
                writer.i64(windows.start);
                writer.i64(windows.end);
            });
        }
        if !self.firing.given().is_empty() {
            envelope.section(Tag::Unfinished, |writer| {
                writer.usize(self.firing.given().len());
                self.firing.given().iter().for_each(|start| writer.i64(*start));
            });
        }
        if self.schedule.is_zoned() {
            envelope.section(Tag::Cuts, |writer| self.encode_cuts(writer));
        }
        if let Some(windows) = &self.of_groups {
            envelope
                .section(Tag::OfGroups, |writer| windows.encode(&self.aggregate, writer, encode))?;
        }
        if let Some(windows) = &self.of_rows {
            envelope
                .section(Tag::OfRows, |writer| self.encode_row_windows(windows, writer, encode))?;
        }
        Ok(envelope.finish())
    }

    fn encode_panes(
        &self,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error> {
        writer.usize(self.panes.len());
        let mut last = 0i64;
        for (pane, accumulator) in self.panes.iter() {
            // The end follows from the start.
            writer.i64(pane.start.wrapping_sub(last));
            writer.section(|content| encode(accumulator, content))?;
            last = pane.start;
        }
        Ok(())
    }

    fn encode_pending(
        &self,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error> {
        writer.usize(self.pending.len());
        for fired in self.pending.iter() {
            writer.i64(fired.start);
            writer.u64(u64::from(fired.revision));
            writer.bool(fired.content.is_some());
            if let Some(accumulator) = &fired.content {
                writer.section(|content| encode(accumulator, content))?;
            }
        }
        Ok(())
    }

    /// Creates an engine in the state of a snapshot, to continue with the records after it.
    ///
    /// The shards are those of the snapshot: [`open_shard`](Control::open_shard) returns their
    /// handles, and [`applied`](Control::applied) the position after which each is to be read.
    /// Out-of-orderness, idle time-out and limits may differ from those of the snapshot, and the
    /// allowed lateness may be shorter.
    ///
    /// # Errors
    /// Those of [`restore`](Control::restore) and [`new`](Engine::new).
    ///
    /// # Example
    /// ```
    /// use streamgauge::engine::{Engine, EngineOptions};
    /// use streamgauge::prelude::*;
    /// let mut before = Engine::<str, _>::new(count(), EngineOptions::default())?;
    /// let shard = before.open_shard(ShardId::new("shard-0"))?;
    /// before.push_at(shard, &Sequence::new(7), "a line", Timestamp::from_millis(0))?;
    ///
    /// let mut after = Engine::<str, _>::from_snapshot(
    ///     count(),
    ///     EngineOptions::default(),
    ///     &before.snapshot()?,
    /// )?;
    /// let shard = after.open_shard(ShardId::new("shard-0"))?;
    /// assert_eq!(after.applied(shard), Some(&Sequence::new(7))); // read on after this one
    /// after.finish();
    /// assert_eq!(after.next_emission()?.map(|emission| emission.value), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn from_snapshot(
        aggregate: A,
        options: EngineOptions,
        snapshot: &Snapshot,
    ) -> Result<Self, Error> {
        let mut engine = Engine::new(aggregate, options)?;
        engine.replace_state(snapshot)?;
        Ok(engine)
    }

    /// Replaces the state by that of a snapshot: see [`Control::restore`].
    pub(super) fn replace_state(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let state = self.read_state(snapshot)?;
        self.set_state(state);
        Ok(())
    }

    /// Reads the state of a snapshot, for this engine.
    ///
    /// # Errors
    /// Those of [`Control::restore`].
    pub(crate) fn read_state(&self, snapshot: &Snapshot) -> Result<EngineState<R, A>, Error> {
        snapshot.check(&self.identity())?;
        self.decode_state(snapshot.bytes(), snapshot.envelope())
    }

    /// Replaces the state by one that was [read](Engine::read_state).
    pub(crate) fn set_state(&mut self, state: EngineState<R, A>) {
        let EngineState {
            panes,
            stacks,
            watermarks,
            firing,
            pending,
            stats,
            shards,
            recent_ids,
            inherited,
            of_groups,
            of_rows,
        } = state;
        (self.panes, self.stacks, self.watermarks, self.firing) =
            (panes, stacks, watermarks, firing);
        (self.pending, self.stats, self.shards, self.recent_ids) =
            (pending, stats, shards, recent_ids);
        (self.inherited, self.of_groups, self.of_rows) = (inherited, of_groups, of_rows);
        (self.until_check, self.handing_out, self.applied_in_part) = (0, false, false);
    }

    fn decode_state(&self, bytes: &[u8], envelope: &Envelope) -> Result<EngineState<R, A>, Error> {
        let mut clock = envelope.section(bytes, Tag::Clock)?;
        let mut watermarks = self.watermarks.decode(&mut clock)?;
        self.check_lateness(clock.i64()?)?;
        clock.finish()?;
        let shards = self.decode_shards(envelope.section(bytes, Tag::Shards)?, &mut watermarks)?;
        let mut reader = envelope.section(bytes, Tag::Stats)?;
        let stats = Stats::decode(&mut reader)?;
        reader.finish()?;
        if self.schedule.is_zoned() {
            self.check_cuts(envelope.section(bytes, Tag::Cuts)?)?;
        }
        let firing = self.decode_firing(bytes, envelope)?;
        let mut room = self.limits.state_bytes_max;
        let panes = self.decode_panes(envelope.section(bytes, Tag::Panes)?, &mut room)?;
        let pending = self.decode_pending(envelope.section(bytes, Tag::Pending)?, &mut room)?;
        let mut stacks = None;
        if self.stacks.is_some() {
            let mut reader = envelope.section(bytes, Tag::Sliding)?;
            let next = firing.fired_to();
            let next = (next, self.schedule.last_millisecond(next).saturating_add(1));
            stacks = Some(TwoStacks::decode(&mut reader, next, &panes, &self.aggregate)?);
            reader.finish()?;
        }
        let mut recent_ids = None;
        if let Some(empty) = &self.recent_ids {
            let mut reader = envelope.section(bytes, Tag::Identities)?;
            recent_ids = Some(empty.decode(&mut reader)?);
            reader.finish()?;
        }
        let mut inherited = Inherited::new();
        if envelope.has(Tag::Inherited) {
            inherited =
                self.decode_inherited(envelope.section(bytes, Tag::Inherited)?, &mut room)?;
            check_limit(inherited.len(), self.limits.panes_max, "inherited windows", "panes_max")?;
        }
        let mut of_groups = None;
        if self.of_groups.is_some() {
            let reader = envelope.section(bytes, Tag::OfGroups)?;
            of_groups = self.decode_group_windows(reader, &mut room)?;
        }
        let mut of_rows = None;
        if let Some(windows) = &self.of_rows {
            let reader = envelope.section(bytes, Tag::OfRows)?;
            of_rows = Some(self.decode_row_windows(windows.rule, reader, &mut room)?);
        }
        Ok(EngineState {
            panes,
            stacks,
            watermarks,
            firing,
            pending,
            stats,
            shards,
            recent_ids,
            inherited,
            of_groups,
            of_rows,
        })
    }

    fn decode_firing(&self, bytes: &[u8], envelope: &Envelope) -> Result<Firing, Error> {
        let mut reader = envelope.section(bytes, Tag::Firing)?;
        let mut firing = Firing::decode(&mut reader, &self.schedule)?;
        reader.finish()?;
        if envelope.has(Tag::Early) {
            let mut reader = envelope.section(bytes, Tag::Early)?;
            firing.decode_early(&mut reader, &self.schedule)?;
            reader.finish()?;
        }
        if envelope.has(Tag::Answering) {
            let mut reader = envelope.section(bytes, Tag::Answering)?;
            firing.decode_answering(&mut reader, &self.schedule)?;
            reader.finish()?;
        }
        if envelope.has(Tag::Unfinished) {
            let mut reader = envelope.section(bytes, Tag::Unfinished)?;
            firing.decode_given(&mut reader, &self.schedule)?;
            reader.finish()?;
        }
        Ok(firing)
    }

    /// Panes and revisions were dropped according to the lateness of the snapshot, so a longer
    /// lateness cannot be served.
    fn check_lateness(&self, lateness: i64) -> Result<(), Error> {
        if self.lateness <= lateness {
            return Ok(());
        }
        let message = format!(
            "the snapshot was taken under an allowed lateness of {lateness} ms and has dropped what one of {} ms needs",
            self.lateness
        );
        Err(Error::new(ErrorKind::Mismatch, message))
    }

    fn decode_shards(
        &self,
        mut reader: Reader<'_>,
        watermarks: &mut Watermarks,
    ) -> Result<Shards, Error> {
        let count = reader.count(5)?;
        check_limit(count, self.limits.shards_max, "shards", "shards_max")?;
        let mut shards = Shards::default();
        for _ in 0..count {
            shards.decode_shard(&mut reader)?;
            watermarks.decode_shard(&mut reader)?;
        }
        reader.finish()?;
        Ok(shards)
    }

    fn decode_panes(
        &self,
        mut reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<Panes<A::Accumulator>, Error> {
        let count = reader.count(2)?;
        check_limit(count, self.limits.panes_max, "panes", "panes_max")?;
        let (mut panes, mut start) = (Panes::new(), 0i64);
        for index in 0..count {
            let step = reader.i64()?;
            let next = start.wrapping_add(step);
            if index > 0 && next <= start {
                return Err(reader.corrupt("panes are not in the order of time"));
            }
            start = next;
            let pane = match self.schedule.place(start, 0) {
                Place::In(pane) if pane.start == start => pane,
                _ => return Err(reader.corrupt(&format!("no pane starts at {start} ms"))),
            };
            let accumulator = self.decode_accumulator(reader.section()?, room)?;
            panes.open(pane, accumulator);
        }
        reader.finish()?;
        Ok(panes)
    }

    fn decode_pending(
        &self,
        mut reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<Pending<A::Accumulator>, Error> {
        let count = reader.count(3)?;
        let mut pending = Pending::new();
        for _ in 0..count {
            let (start, revision) =
                (read_start(&mut reader, &self.schedule)?, read_revision(&mut reader)?);
            let content = match reader.bool()? {
                true => Some(self.decode_accumulator(reader.section()?, room)?),
                false => None,
            };
            let bytes =
                content.as_ref().map_or(0, |accumulator| self.aggregate.state_bytes(accumulator));
            pending.push(Fired { start, revision, content }, bytes);
        }
        reader.finish()?;
        Ok(pending)
    }

    /// Decodes an accumulator that fills the reader, and subtracts its bytes in memory from `room`.
    pub(super) fn decode_accumulator(
        &self,
        mut reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<A::Accumulator, Error> {
        let accumulator = self.aggregate.persistence()?.decode(&mut reader)?;
        reader.finish()?;
        let bytes = self.aggregate.state_bytes(&accumulator);
        let Some(rest) = room.checked_sub(bytes) else {
            let message = format!(
                "the state takes more than the {} bytes of Limits::state_bytes_max",
                self.limits.state_bytes_max
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        };
        *room = rest;
        Ok(accumulator)
    }
}

fn check_limit(count: usize, limit: usize, what: &str, name: &str) -> Result<(), Error> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded,
        format!("the snapshot has {count} {what}, over the {limit} of Limits::{name}"),
    ))
}
