//! Stored mode: windows of event time, with one state per shard in a store, saved conditionally.
//!
//! It shares only [`Store`] with the loop of `worker`. That loop owns a shard while it runs, saves
//! the owner together with the state, and waits for a busy store. An invocation processes one
//! batch, saves the bare snapshot, and leaves retries to Lambda.

use super::Reply;
use super::batch::ShardBatch;
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

/// Characters of stream and shard that are visible in a key.
const SOURCE_CHARS: usize = 48;

/// Suffix of the key for the version that [`Stored::answer_idle`] examined last. That version has
/// nothing new to answer.
const ANSWERED: &str = ".answered";

pub(super) struct Stored {
    store: Box<dyn Store>,
    /// Key and version of the state that the pipeline is in: the last one that this process saved.
    warm: Option<(String, Version)>,
}

impl Stored {
    pub(super) fn new(store: Box<dyn Store>) -> Self {
        Stored { store, warm: None }
    }

    /// Loads, applies, passes the answers on, saves, and replies. A crash between any two steps
    /// gives the same answers again. A save over another version than the loaded one is a conflict.
    pub(super) fn handle<P: RecordPipeline, S: Sink<P>>(
        &mut self,
        core: &mut Core<P, S>,
        batch: &ShardBatch,
        now: Timestamp,
    ) -> Result<Reply, Error> {
        if batch.is_empty() || batch.is_unplaced() {
            // Dead letters of an event without a shard belong to no state.
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

    /// Begins with the state under the key, and returns its version.
    ///
    /// The version is loaded at every invocation, not taken from memory: if another process had
    /// saved in the meantime, answers without its records would be passed on before the save
    /// detects the conflict. The snapshot is decoded only if its version is not the one in memory.
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

    /// Answers the open windows of the state under the key if it has no record after `idle_since`,
    /// and has new records since the last such answer. Returns true if it answered.
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
        let (Some(shard), true) = (summary.shards.first(), is_idle) else { return Ok(false) };
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
            // The answers stay part of the state until they have been passed on. So the same answer
            // never comes with other content, even if a record comes or this process ends now.
            version = match self.save(core, key.clone(), Some(&version)) {
                // A record has come in the meantime, so the shard is not idle. Its invocation
                // continues.
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(false),
                saved => saved?,
            };
            core.drain(&shard.name)?;
            version = match self.save(core, key, Some(&version)) {
                // The answers are in the state that the other invocation loaded: it gives the same
                // ones again.
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(true),
                saved => saved?,
            };
        }
        // Without the marker, for example after a crash here, the state is examined again.
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

/// Returns the key of a shard's state: the readable part of stream and shard, and a hash that
/// distinguishes streams of the same name in two accounts.
fn key_of(batch: &ShardBatch) -> String {
    let source = batch.source.as_str();
    let identity = format!("{}/{}", batch.stream_arn.as_deref().unwrap_or_default(), batch.shard);
    let shown = source.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
    // The end of the text has the shard.
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
            &ShardBatch::of(event, Some(ShardId::new("shardId-000000000003")), Packing::Kpl)
                .unwrap()
                .unwrap(),
        )
    }

    #[test]
    fn a_key_shows_the_shard_and_distinguishes_streams() {
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
            "a consumer that was registered again"
        );
    }
}
