//! The states of an application's shards in a store: who owns a shard, and who continues an ended
//! one.
//!
//! # Two owners
//! Every process that takes a shard over saves its state with a higher `owner`. The next save of
//! the previous process is refused, because it is conditional on the version that this process
//! knows. So the last process that got the shard continues.
//!
//! # Ended shards
//! An ended shard hands over the state of its open windows. A transport need not name a shard's
//! parents: answers over all shards are right if exactly one shard adopts the windows of each ended
//! shard. A new shard X adopts them as follows:
//! 1. X saves, if it has no state yet, that it is `Claiming` every ended shard without an adopter.
//! 2. For each of them in turn, X adopts its windows by a conditional save, unless another shard
//!    has adopted them.
//! 3. X saves that it is `Running`, with the adopted windows, instead of `Claiming`.
//!
//! X adopts P only if X's `Claiming` names P. For every shard that it names, X finds out in step 2
//! whether X has adopted it, in any process of X and after any number of restarts. So a claim
//! cannot be lost, and two processes of X cannot both save `Running`. An ended shard always finds
//! an adopter: its own children start after it has ended, because a source starts them after the
//! checkpoint at its end.

use super::clock::Clock;
use super::shard_state::{Phase, ShardState};
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::store::{Store, Version};
use bytes::Bytes;
use std::time::Duration;

/// Number of attempts if another process or the store interferes.
const TRIES: u32 = 16;

/// The pause before the next attempt. It doubles each time, up to the maximum below.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The state of one shard in a store.
#[derive(Debug)]
pub(super) struct ShardStore<S> {
    store: S,
    shard: String,
    owner: u64,
    /// The version that this process knows.
    version: Option<Version>,
    /// The ended shards whose windows it has adopted.
    parents: Vec<String>,
    /// True if every new shard adopts the windows of all ended shards; otherwise one shard adopts
    /// them.
    shared: bool,
}

/// The result of taking a shard over.
#[derive(Debug)]
pub(super) enum Takeover {
    /// A running shard, with the processor's state.
    Running(Bytes),
    /// A new shard, with the state that it adopts from ended ones. This process owns it once
    /// [`ShardStore::save`] has succeeded.
    New(Vec<Bytes>),
    /// The shard had ended before.
    Ended,
}

impl<S: Store> ShardStore<S> {
    /// Creates the access to a shard's state. `shared` is true if every new shard adopts the
    /// windows of all ended shards; otherwise one shard adopts them.
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

    /// Returns the processor's state if the shard is running. Changes nothing.
    pub(super) fn look(&self, clock: &mut dyn Clock) -> Result<Option<Bytes>, Error> {
        let found = self.load(&self.shard, clock)?;
        Ok(found.and_then(|(state, _)| match state.phase {
            Phase::Running { state, .. } => Some(state),
            _ => None,
        }))
    }

    /// Takes the shard over from its previous owner.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Conflict`] if other processes keep interfering.
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

    /// Returns the ended shards without an adopter. Shards with shared state never have one.
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

    /// Adopts the ended shards without an adopter. Returns the state of all shards that this one
    /// has adopted.
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
        // A shard is adopted once. After a conflict the adopter is known.
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
    /// Those of [`save`](ShardStore::save).
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

    /// Drops the state that ended shards have handed over, once it is part of this shard's saved
    /// state. A failure loses nothing: the next start tries again.
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

    /// Saves bytes. A save that failed by input or output may have happened; the content of the
    /// store then tells.
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

/// Repeats an attempt, with pauses, while it fails by input or output.
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
