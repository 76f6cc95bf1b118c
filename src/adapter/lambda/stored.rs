//! Windows of event time with a state store: a state for each shard, saved on condition.
//!
//! It shares [`Store`] with the loop of `worker`, and no more. That loop owns a shard for as long as
//! it runs, and keeps the owner beside the state; it waits for a busy store. An invocation takes one
//! batch, its state is the bare snapshot, and what fails Lambda delivers again.

use super::Reply;
use super::batch::Batch;
use super::core::Core;
use crate::adapter::output::Sink;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::error::{Error, ErrorKind};
use crate::hash::hash_bytes_wide;
use crate::record::ShardId;
use crate::snapshot::{Snapshot, Summary};
use crate::store::{Store, Version, VersionedBytes};
use crate::time::Timestamp;
use std::time::Duration;

/// Characters of stream and shard that a key shows.
const SOURCE_CHARS: usize = 48;

/// What the key ends with under which stands the version that [`Stored::answer_idle`] has looked at
/// last: there is nothing new in it.
const ANSWERED: &str = ".answered";

pub(super) struct Stored {
    store: Box<dyn Store>,
    /// The state that the pipeline is in, by key and version: what was saved last by this process.
    warm: Option<(String, Version)>,
}

impl Stored {
    pub(super) fn new(store: Box<dyn Store>) -> Self {
        Stored { store, warm: None }
    }

    /// Load, apply, hand the answers on, save, reply. A crash between any two gives the same
    /// answers again; a save over another version than the one loaded is a conflict.
    pub(super) fn handle<P: RecordPipeline, S: Sink<P>>(
        &mut self,
        core: &mut Core<P, S>,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Reply, Error> {
        if batch.is_empty() || batch.is_unplaced() {
            // Whatever dead letters there are belong to no shard's state.
            core.begin(None)?;
            let shard = core.pipeline.open_shard(batch.shard.clone())?;
            self.warm = None;
            let stop = core.apply(shard, batch, None)?;
            return Ok(core.reply(stop));
        }
        let key = key_of(batch);
        let version = self.begin(core, &key)?;
        let shard = core.pipeline.open_shard(ShardId::new(batch.source.as_str()))?;
        core.pipeline.advance(now);
        let stop = core.apply(shard, batch, Some(&batch.source))?;
        core.drain(&batch.source)?;
        self.save(core, key, version.as_ref())?;
        Ok(core.reply(stop))
    }

    /// Begins with the state under the key, and the version that it has.
    ///
    /// It is loaded at every invocation, and not taken from memory: had another process saved
    /// since, answers would be handed on that lack its records, before the save showed the
    /// conflict. Only decoding is spared where the version is the one in memory.
    fn begin<P: RecordPipeline, S: Sink<P>>(
        &mut self,
        core: &mut Core<P, S>,
        key: &str,
    ) -> Result<Option<Version>, Error> {
        let found = self.store.load(key)?;
        let warm = self.warm.take();
        let Some(VersionedBytes { bytes, version }) = found else {
            core.begin(None)?;
            return Ok(None);
        };
        if warm.is_some_and(|(warm_key, warm_version)| warm_key == key && warm_version == version) {
            core.go_on();
            return Ok(Some(version));
        }
        let snapshot = Snapshot::from_bytes(bytes).map_err(|error| error.at(key))?;
        core.begin(Some(&snapshot)).map_err(|error| error.at(key))?;
        Ok(Some(version))
    }

    fn save<P: RecordPipeline, S: Sink<P>>(
        &mut self,
        core: &mut Core<P, S>,
        key: String,
        version: Option<&Version>,
    ) -> Result<Version, Error> {
        let snapshot = core.pipeline.snapshot()?;
        core.invocation.state_bytes = snapshot.bytes().len() as u64;
        let version = self.store.save(&key, snapshot.into_bytes(), version)?;
        self.warm = Some((key, version.clone()));
        Ok(version)
    }

    pub(super) fn answer_idle<P: RecordPipeline, S: Sink<P>>(
        &mut self,
        core: &mut Core<P, S>,
        now: Timestamp,
        idle_after: Duration,
    ) -> Result<u64, Error> {
        let mut answered = 0;
        for key in self.store.list("")? {
            if !key.ends_with(ANSWERED) {
                answered +=
                    u64::from(self.answer_if_idle(core, key, now.checked_sub(idle_after))?);
            }
        }
        Ok(answered)
    }

    /// Answers the open windows of the state under the key, if it has no record after `idle_since`
    /// and they have other records than when they were answered last. Returns true if it did.
    fn answer_if_idle<P: RecordPipeline, S: Sink<P>>(
        &mut self,
        core: &mut Core<P, S>,
        key: String,
        idle_since: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let Some(found) = self.store.load(&key)? else { return Ok(false) };
        let summary = Summary::of(found.bytes.clone()).map_err(|error| error.at(&key))?;
        let last_record = summary.shards.iter().filter_map(|shard| shard.last_record).max();
        let is_idle = last_record.is_some() && last_record <= idle_since;
        let marker = format!("{key}{ANSWERED}");
        let (Some(shard), true) = (summary.shards.first(), is_idle && !summary.panes.is_empty())
        else {
            return Ok(false);
        };
        let known = self.store.load(&marker)?;
        if known.as_ref().is_some_and(|known| known.bytes == found.version.as_str().as_bytes()) {
            return Ok(false);
        }
        self.warm = None;
        core.begin(Some(&Snapshot::from_bytes(found.bytes)?)).map_err(|error| error.at(&key))?;
        core.pipeline.fire_early()?;
        let has_news = core.pipeline.is_due();
        let mut version = found.version;
        if has_news {
            // The answers are part of the state until they are handed on. So none of them is given
            // with other content, should a record come or this process end now.
            version = match self.save(core, key.clone(), Some(&version)) {
                // It was no idle shard: a record has come meanwhile, and what follows from it is
                // its invocation's.
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(false),
                saved => saved?,
            };
            core.drain(&shard.name)?;
            version = match self.save(core, key, Some(&version)) {
                // They are in the state that the invocation of that record began with: it gives the
                // same once more.
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(true),
                saved => saved?,
            };
        }
        // Without the marker, as after a crash here, the state is looked at again.
        match self.store.save(
            &marker,
            version.as_str().to_owned().into(),
            known.as_ref().map(|known| &known.version),
        ) {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => Ok(has_news),
        }
    }
}

/// The key of a shard's state: what can be read of its stream and name, and a hash that tells
/// streams of one name in two accounts apart.
fn key_of(batch: &Batch) -> String {
    let source = batch.source.as_str();
    let identity = format!("{}/{}", batch.stream_arn.as_deref().unwrap_or_default(), batch.shard);
    let shown = source.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
    // The shard stands at the end.
    let skipped = source.chars().count().saturating_sub(SOURCE_CHARS);
    let shown: String = shown.skip(skipped).collect();
    format!("{shown}.{:016x}", hash_bytes_wide(identity.as_bytes()) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::KinesisEvent;
    use super::*;
    use crate::adapter::Packing;

    fn key(arn: &str) -> String {
        let event = KinesisEvent { stream_arn: Some(arn.into()), ..KinesisEvent::default() };
        key_of(
            &Batch::of(event, Some(ShardId::new("shardId-000000000003")), Packing::Kpl)
                .unwrap()
                .unwrap(),
        )
    }

    #[test]
    fn a_key_shows_the_shard_and_tells_streams_apart() {
        let short = key("arn:aws:kinesis:us-east-1:1:stream/clicks");
        assert!(short.starts_with("clicks_shardId-000000000003."), "{short}");
        let long = key(&format!("arn:aws:kinesis:us-east-1:1:stream/{}", "x".repeat(128)));
        assert!(
            long.contains("_shardId-000000000003.") && long.len() + ANSWERED.len() <= 80,
            "{long}"
        );
        assert_ne!(short, key("arn:aws:kinesis:us-east-1:2:stream/clicks"));
        assert_eq!(
            short,
            key("arn:aws:kinesis:us-east-1:1:stream/clicks/consumer/app:1540591608"),
            "a consumer that is registered again"
        );
    }
}
