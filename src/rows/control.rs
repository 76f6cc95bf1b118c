//! The control of a declared pipeline: that of its engine, or of the engines of all queries at
//! once.

use super::row_aggregate::RowAggregate;
use super::row_pipeline::RowPipeline;
use crate::engine::{Control, Engine, Shard, Stats};
use crate::error::{Error, ErrorKind};
use crate::hash::{Seed, hash_u64};
use crate::record::{Sequence, ShardId};
use crate::row::Row;
use crate::snapshot::{
    EnvelopeWriter, Identity, Kind, Partial, Reductions, Snapshot, Tag, least_tolerance,
};
use crate::time::Timestamp;
use std::iter::once;

type RowEngine = Engine<Row, RowAggregate>;

impl RowPipeline {
    pub(super) fn engines(&self) -> impl Iterator<Item = &RowEngine> {
        once(&self.engine).chain(self.others.iter().map(|other| &other.engine))
    }

    pub(super) fn engines_mut(&mut self) -> impl Iterator<Item = &mut RowEngine> {
        once(&mut self.engine).chain(self.others.iter_mut().map(|other| &mut other.engine))
    }

    /// Returns the identity that a state must have to be read. It covers all queries.
    pub(crate) fn identity(&self) -> Identity {
        if self.others.is_empty() {
            return self.engine.identity();
        }
        let identities: Vec<Identity> = self.engines().map(Engine::identity).collect();
        let descriptions: Vec<_> =
            identities.iter().map(|identity| identity.description.as_str()).collect();
        let seeds = identities.iter().map(|identity| identity.seeds).filter(|seeds| *seeds != 0);
        Identity {
            description: format!("queries: {}", descriptions.join(" | ")),
            seeds: seeds.fold(0, |combined, seeds| hash_u64(Seed::new(combined), seeds)),
        }
    }

    /// Writes the states of all queries, each by `encode`, as one snapshot.
    fn encode_queries(
        &self,
        mut encode: impl FnMut(&RowEngine) -> Result<Vec<u8>, Error>,
    ) -> Result<Vec<u8>, Error> {
        let states = self.engines().map(&mut encode).collect::<Result<Vec<_>, _>>()?;
        let mut envelope = EnvelopeWriter::new(Kind::Snapshot, &self.identity());
        envelope.section(Tag::Queries, |writer| {
            writer.usize(states.len());
            states.iter().for_each(|state| writer.bytes(state));
        });
        Ok(envelope.finish())
    }

    /// Replaces the states of all queries, or none after an error.
    fn restore_queries(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        snapshot.check(&self.identity())?;
        let queries = snapshot.queries()?;
        if queries.len() != self.engines().count() {
            let message = format!("there are the states of {} queries", queries.len());
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        let states = self.engines().zip(&queries).map(|(engine, query)| engine.read_state(query));
        let states = states.collect::<Result<Vec<_>, _>>()?;
        let mut shards = states.iter().map(|state| state.shard_names());
        let first = shards.next();
        if shards.any(|other| Some(other) != first) {
            return Err(Error::new(ErrorKind::Corrupt, "the queries have different shards"));
        }
        self.engines_mut().zip(states).for_each(|(engine, state)| engine.set_state(state));
        Ok(())
    }
}

// A method that is missing here would call itself without end.
#[deny(clippy::missing_trait_methods)]
impl Control for RowPipeline {
    fn control(&self) -> &dyn Control {
        if self.others.is_empty() { &self.engine } else { self }
    }

    fn control_mut(&mut self) -> &mut dyn Control {
        if self.others.is_empty() { &mut self.engine } else { self }
    }

    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        for other in &mut self.others {
            other.engine.open_shard(id.clone())?;
        }
        // All engines have the same shards in the same order, and so the same handles.
        self.engine.open_shard(id)
    }

    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        for other in &mut self.others {
            other.engine.open_child_shard(id.clone(), parents)?;
        }
        self.engine.open_child_shard(id, parents)
    }

    fn close_shard(&mut self, shard: Shard) {
        self.engines_mut().for_each(|engine| engine.close_shard(shard));
    }

    fn reopen_shard(&mut self, shard: Shard) {
        self.engines_mut().for_each(|engine| engine.reopen_shard(shard));
    }

    fn shards(&self) -> &[ShardId] {
        self.engine.shards()
    }

    fn applied(&self, shard: Shard) -> Option<&Sequence> {
        // What the last query has, all have.
        self.others.last().map_or(&self.engine, |last| &last.engine).applied(shard)
    }

    fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        self.engines_mut().for_each(|engine| engine.set_applied(shard, sequence));
    }

    fn last_record(&self, shard: Shard) -> Option<Timestamp> {
        self.engines().filter_map(|engine| engine.last_record(shard)).max()
    }

    fn advance(&mut self, now: Timestamp) {
        self.engines_mut().for_each(|engine| engine.advance(now));
    }

    fn advance_watermark(&mut self, shard: Shard, time: Timestamp) {
        self.engines_mut().for_each(|engine| engine.advance_watermark(shard, time));
    }

    fn latest_event_time(&self) -> Option<Timestamp> {
        self.engines().filter_map(Control::latest_event_time).max()
    }

    /// The lowest one of all queries.
    fn watermark(&self) -> Option<Timestamp> {
        self.engines().map(Control::watermark).min().flatten()
    }

    fn finish(&mut self) {
        self.engines_mut().for_each(Control::finish);
    }

    fn has_partials(&self) -> bool {
        self.engines().all(Control::has_partials)
    }

    fn hand_over(&mut self) {
        self.engines_mut().for_each(Control::hand_over);
    }

    fn adopt(&mut self, partial: &Partial) -> Result<(), Error> {
        let is_own = |engine: &RowEngine| engine.fingerprint() == partial.fingerprint();
        let position = self.engines().position(is_own).unwrap_or_default();
        match self.engines_mut().nth(position) {
            Some(engine) => engine.adopt(partial),
            None => Ok(()),
        }
    }

    #[inline]
    fn is_due(&self) -> bool {
        if self.others.is_empty() {
            return self.engine.is_due();
        }
        let own = !self.is_ahead && self.engine.is_due();
        own || self.others.iter().any(|other| !other.is_ahead && other.engine.is_due())
    }

    fn fire_early(&mut self) -> Result<(), Error> {
        self.engines_mut().try_for_each(Control::fire_early)
    }

    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        let mut partials = self.engines_mut().map(|engine| engine.next_partial(source));
        partials.find(|partial| !matches!(partial, Ok(None))).unwrap_or(Ok(None))
    }

    /// The sum of the counts of all queries: a record counts in each of them.
    fn stats(&self) -> Stats {
        self.engines().map(Control::stats).fold(Stats::default(), |mut sum, stats| {
            sum.add(&stats);
            sum
        })
    }

    fn state_bytes(&self) -> usize {
        self.engines().map(Control::state_bytes).sum()
    }

    fn is_strict(&self) -> bool {
        self.engine.is_strict()
    }

    fn refusal(&self) -> Option<&Error> {
        self.engines().find_map(Control::refusal)
    }

    fn description(&self) -> String {
        self.identity().description
    }

    fn fingerprint(&self) -> u64 {
        self.identity().fingerprint()
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        if self.others.is_empty() {
            return self.engine.snapshot();
        }
        let bytes = self.encode_queries(|engine| Ok(engine.snapshot()?.into_bytes().into()))?;
        Snapshot::from_bytes(bytes)
    }

    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        if self.others.is_empty() {
            return self.engine.snapshot_within(bytes_max);
        }
        let whole = self.snapshot()?;
        let bytes_before = whole.bytes().len();
        if bytes_before <= bytes_max {
            return Ok((whole, Reductions::none(bytes_before)));
        }
        let (bytes, reductions) = least_tolerance(bytes_max, |tolerance| {
            let mut all = Reductions::new(tolerance, bytes_before);
            let bytes = self.encode_queries(|engine| {
                let (bytes, reductions) = engine.encode_within(tolerance, bytes_before)?;
                all.add(reductions);
                Ok(bytes)
            })?;
            all.bytes_after = bytes.len();
            Ok((bytes, all))
        })?;
        Ok((Snapshot::from_bytes(bytes)?, reductions))
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        if self.others.is_empty() {
            return self.engine.restore(snapshot);
        }
        self.restore_queries(snapshot)
    }
}
