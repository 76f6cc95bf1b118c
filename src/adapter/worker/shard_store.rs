//! The states of an application's shards in a store: who owns one, and who goes on where one has
//! ended.
//!
//! # Two owners
//! Every process that takes a shard over saves its state again with `owner` raised. The process
//! that had it before is refused at its next save, which is conditional on the version it knows. So
//! the process that got the shard last is the one that goes on.
//!
//! # Ended shards
//! An ended shard hands over the state of its open windows. A transport need not name a shard's
//! parents: answers over all shards are right as long as exactly one shard adopts the windows of
//! each ended shard. A new shard X does it so:
//! 1. X saves, where nothing is yet, that it is `Claiming` every ended shard that nobody has
//!    adopted.
//! 2. For each of them in turn, it adopts its windows by a conditional save, unless another shard
//!    has.
//! 3. X saves that it is `Running`, with the windows that it has adopted, instead of `Claiming`.
//!
//! X adopts P only if X's `Claiming` names P, and of all shards that it names X finds out in step 2
//! whether it has adopted them, whatever process of X gets there and however often it starts over:
//! a claim cannot be lost, and two of X's processes cannot save `Running` both. An ended shard is
//! adopted in any case: its own children start after it has ended, as a source starts them after
//! the checkpoint at its end.

use super::clock::Clock;
use super::shard_state::{Phase, ShardState};
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::store::{Store, Version};
use bytes::Bytes;
use std::time::Duration;

/// Number of attempts where another process or the store gets in the way.
const TRIES: u32 = 16;

/// The pause before the store is asked again, doubled each time, up to the second one.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// One shard's state in a store.
#[derive(Debug)]
pub(super) struct ShardStore<S> {
    store: S,
    shard: String,
    owner: u64,
    /// The version that this process knows.
    version: Option<Version>,
    /// The ended shards whose windows it has adopted.
    parents: Vec<String>,
    /// Whether every new shard adopts what all ended ones have handed over; otherwise one does.
    shared: bool,
}

/// What a process finds that takes a shard over.
#[derive(Debug)]
pub(super) enum Takeover {
    /// A shard at work, with the processor's state.
    Running(Bytes),
    /// A shard that begins, with the state that it adopts from ended ones. It is this process's
    /// once [`ShardStore::save`] has succeeded.
    New(Vec<Bytes>),
    /// The shard has ended before.
    Ended,
}

impl<S: Store> ShardStore<S> {
    /// The shard's state in the store. `shared`: every new shard adopts what all ended ones have
    /// handed over; otherwise one of them does.
    pub(super) fn new(store: S, shard: &ShardId, shared: bool) -> Self {
        ShardStore {
            store,
            shard: shard.as_str().to_owned(),
            owner: 0,
            version: None,
            parents: Vec::new(),
            shared,
        }
    }

    /// The processor's state, if the shard is at work. Changes nothing.
    pub(super) fn look(&self, clock: &mut dyn Clock) -> Result<Option<Bytes>, Error> {
        let found = self.load(&self.shard, clock)?;
        Ok(found.and_then(|(state, _)| match state.phase {
            Phase::Running { state, .. } => Some(state),
            _ => None,
        }))
    }

    /// Takes the shard over from whoever had it.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Conflict`] if others keep getting in between.
    pub(super) fn take_over(&mut self, clock: &mut dyn Clock) -> Result<Takeover, Error> {
        let mut conflict = None;
        for _ in 0..TRIES {
            match self.try_take_over(clock) {
                Err(error) if error.kind() == ErrorKind::Conflict => conflict = Some(error),
                done => return done,
            }
        }
        Err(conflict.unwrap_or_else(|| {
            Error::new(ErrorKind::Conflict, format!("{:?} has several owners", self.shard))
        }))
    }

    fn try_take_over(&mut self, clock: &mut dyn Clock) -> Result<Takeover, Error> {
        let Some((found, version)) = self.load(&self.shard, clock)? else {
            let parents = self.unadopted(clock)?;
            let claiming =
                ShardState { owner: 1, phase: Phase::Claiming { parents: parents.clone() } };
            let version = self.put(&self.shard, claiming.to_bytes(), None, clock)?;
            (self.owner, self.version) = (1, Some(version));
            return self.claim(&parents, clock).map(Takeover::New);
        };
        self.owner = found.owner.saturating_add(1);
        match found.phase {
            Phase::Claiming { parents } => {
                self.version = Some(version);
                self.claim(&parents, clock).map(Takeover::New)
            }
            Phase::Running { parents, state } => {
                (self.version, self.parents) = (Some(version), parents);
                self.save(state.clone(), clock)?;
                Ok(Takeover::Running(state))
            }
            Phase::Ended { .. } => Ok(Takeover::Ended),
        }
    }

    /// The ended shards that nobody has adopted; those whose state is shared stay so.
    fn unadopted(&self, clock: &mut dyn Clock) -> Result<Vec<String>, Error> {
        let mut unadopted = Vec::new();
        for key in self.store.list("")? {
            let found = self.load(&key, clock)?.map(|(state, _)| state.phase);
            if matches!(found, Some(Phase::Ended { adopted_by: None, .. })) {
                unadopted.push(key);
            }
        }
        Ok(unadopted)
    }

    /// Adopts those ended shards that nobody has adopted. Returns the state of all that are this
    /// shard's.
    fn claim(&mut self, ended: &[String], clock: &mut dyn Clock) -> Result<Vec<Bytes>, Error> {
        self.parents.clear();
        let mut adopted = Vec::new();
        for parent in ended {
            if let Some(handed_over) = self.claim_one(parent, clock)? {
                self.parents.push(parent.clone());
                adopted.extend(handed_over);
            }
        }
        Ok(adopted)
    }

    fn claim_one(&self, parent: &str, clock: &mut dyn Clock) -> Result<Option<Vec<Bytes>>, Error> {
        // It is adopted once: after a conflict it is known by whom.
        for _ in 0..TRIES {
            let Some((ShardState { owner, phase }, version)) = self.load(parent, clock)? else {
                return Ok(None);
            };
            let Phase::Ended { adopted_by, handed_over } = phase else { return Ok(None) };
            if self.shared {
                return Ok(Some(handed_over));
            }
            if let Some(adopter) = adopted_by {
                return Ok((adopter == self.shard).then_some(handed_over));
            }
            let claimed = ShardState {
                owner,
                phase: Phase::Ended {
                    adopted_by: Some(self.shard.clone()),
                    handed_over: handed_over.clone(),
                },
            };
            match self.put(parent, claimed.to_bytes(), Some(&version), clock) {
                Ok(_) => return Ok(Some(handed_over)),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!("{parent:?} cannot be claimed: it keeps changing"),
        ))
    }

    /// Saves the processor's state.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if another process has taken the shard over; those of the store.
    pub(super) fn save(&mut self, state: Bytes, clock: &mut dyn Clock) -> Result<(), Error> {
        self.save_phase(Phase::Running { parents: self.parents.clone(), state }, clock)
    }

    /// Saves that the shard has ended, with the state that it hands over.
    ///
    /// # Errors
    /// As [`save`](ShardStore::save).
    pub(super) fn end(
        &mut self,
        handed_over: Vec<Bytes>,
        clock: &mut dyn Clock,
    ) -> Result<(), Error> {
        self.save_phase(Phase::Ended { adopted_by: None, handed_over }, clock)
    }

    fn save_phase(&mut self, phase: Phase, clock: &mut dyn Clock) -> Result<(), Error> {
        let state = ShardState { owner: self.owner, phase };
        let version = self.put(&self.shard, state.to_bytes(), self.version.as_ref(), clock)?;
        self.version = Some(version);
        Ok(())
    }

    /// Drops what the ended shards have handed over, once it is part of this one's saved state.
    /// Nothing is lost where it fails: it is done again at the next start.
    pub(super) fn release_parents(&self, clock: &mut dyn Clock) {
        for parent in &self.parents {
            let Ok(Some((ShardState { owner, phase }, version))) = self.load(parent, clock) else {
                continue;
            };
            let Phase::Ended { adopted_by, handed_over } = phase else { continue };
            if adopted_by.as_deref() == Some(&self.shard) && !handed_over.is_empty() {
                let phase = Phase::Ended { adopted_by, handed_over: Vec::new() };
                let empty = ShardState { owner, phase };
                let _ = self.store.save(parent, empty.to_bytes(), Some(&version));
            }
        }
    }

    fn load(
        &self,
        key: &str,
        clock: &mut dyn Clock,
    ) -> Result<Option<(ShardState, Version)>, Error> {
        let found = patiently(clock, || self.store.load(key))?;
        let Some(stored) = found else { return Ok(None) };
        let state = ShardState::from_bytes(&stored.bytes).map_err(|error| error.at(key))?;
        Ok(Some((state, stored.version)))
    }

    /// Saves bytes. A save that failed by input or output may have happened: what the store has then
    /// says so.
    fn put(
        &self,
        key: &str,
        bytes: Bytes,
        expected: Option<&Version>,
        clock: &mut dyn Clock,
    ) -> Result<Version, Error> {
        let mut unknown = false;
        patiently(clock, || {
            if unknown
                && let Some(stored) = self.store.load(key)?
                && stored.bytes == bytes
            {
                return Ok(stored.version);
            }
            let saved = self.store.save(key, bytes.clone(), expected);
            unknown = unknown || saved.as_ref().is_err_and(|error| error.kind() == ErrorKind::Io);
            saved
        })
    }
}

/// Makes an attempt again, with pauses, while it fails by input or output.
fn patiently<T>(
    clock: &mut dyn Clock,
    mut attempt: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut pause = PAUSE_FIRST;
    for _ in 1..TRIES / 2 {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Io => clock.sleep(pause),
            done => return done,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    attempt()
}
