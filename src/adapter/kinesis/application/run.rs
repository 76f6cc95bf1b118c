//! The threads of a worker: one for its leases, one for leading, one for each lease.

use super::Application;
use super::held::SharedLease;
use super::leader::Leader;
use super::lease::Lease;
use super::member::Member;
use super::shard_run::{ShardRun, Step, Surroundings};
use super::time::{Moment, Time};
use crate::adapter::kinesis::{Consumer, FanOut, ReadStream};
use crate::adapter::worker::{Clock, ShardWork, StatefulProcessor, SystemClock};
use crate::error::Error;
use crate::store::Store;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

/// Maximum length of one sleep, so that a signal, a hand-over or a loss is seen soon.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// The clocks of this process.
struct ProcessTime(Instant);

impl Time for ProcessTime {
    fn now(&self) -> Moment {
        Moment { wall: SystemClock.now(), elapsed: self.0.elapsed() }
    }
}

/// What the threads of a worker tell each other.
struct Shared {
    time: ProcessTime,
    is_stopping: AtomicBool,
    /// The leases that the leader has seen to be this worker's.
    seen: Mutex<Option<Vec<String>>>,
    failure: Mutex<Option<Error>>,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Stops all threads. The first error is the result of the run.
    fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop();
    }
}

/// Says that the thread of a shard has ended, however it ended.
struct EndOfThread(Sender<String>, String);

impl Drop for EndOfThread {
    fn drop(&mut self) {
        // Nobody waits any more if the run has failed.
        let _ = self.0.send(std::mem::take(&mut self.1));
    }
}

/// Makes the processor of a shard, in any thread.
type Make<'a, W, S> = &'a (dyn Fn() -> Result<StatefulProcessor<W, S>, Error> + Sync);

impl Application {
    /// Works until `is_stopping` returns true: has leases, reads their shards, each in a thread of
    /// its own, and leads the application if no other worker does. Then it saves, and gives its
    /// leases back. `make` is called in the thread of each shard.
    ///
    /// # Errors
    /// The first error of a shard, of the stream or of the tables that no repetition helps against.
    /// The leases of other shards are given back.
    pub fn run<W: ShardWork, S: Store>(
        &self,
        make: impl Fn() -> Result<StatefulProcessor<W, S>, Error> + Sync,
        is_stopping: impl Fn() -> bool,
    ) -> Result<(), Error> {
        let shared = Shared {
            time: ProcessTime(Instant::now()),
            is_stopping: AtomicBool::new(false),
            seen: Mutex::new(None),
            failure: Mutex::new(None),
        };
        let mut member = Member::new(&self.settings, self.notes.clone());
        thread::scope(|scope| {
            let leading = scope.spawn(|| self.lead(&shared));
            self.have_leases(scope, (&mut member, &shared), &make, &is_stopping);
            // A panic of the thread comes out of the scope.
            let _ = leading.join();
        });
        member.leave(&self.table);
        let failure = shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(()), Err)
    }

    fn lead(&self, shared: &Shared) {
        let mut stream = self.stream.clone();
        let mut leader = Leader::new(&self.settings, self.notes.clone());
        while !shared.is_stopping() {
            match leader.step(&mut stream, &self.table, &shared.time) {
                Ok(None) => thread::sleep(SLEEP_MAX),
                Ok(seen) => *shared.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen,
                Err(error) => shared.fail(error),
            }
        }
        leader.release(&self.table);
    }

    /// Starts a thread for each lease that this worker gets. Returns when all have ended.
    fn have_leases<'s, W: ShardWork, S: Store>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        (member, shared): (&mut Member, &'s Shared),
        make: Make<'s, W, S>,
        is_stopping: &dyn Fn() -> bool,
    ) {
        let (sender, receiver) = mpsc::channel();
        let mut threads = 0_usize;
        loop {
            if is_stopping() {
                shared.stop();
            }
            if shared.is_stopping() && threads == 0 {
                return;
            }
            match self.member_step(member, shared) {
                Ok(found) => {
                    for taken in found {
                        threads += 1;
                        let sender = sender.clone();
                        scope.spawn(move || self.read(taken, make, (sender, shared)));
                    }
                }
                Err(error) => shared.fail(error),
            }
            threads -= forget_ended(&receiver, member);
        }
    }

    fn member_step(
        &self,
        member: &mut Member,
        shared: &Shared,
    ) -> Result<Vec<(SharedLease, Lease)>, Error> {
        if shared.is_stopping() {
            member.renew_if_due(&self.table, &shared.time)?;
            return Ok(Vec::new());
        }
        let seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(seen) = seen {
            member.expect(seen);
        }
        member.step(&self.table, &shared.time)
    }

    /// Reads one shard, until its lease is gone.
    fn read<W: ShardWork, S: Store>(
        &self,
        taken: (SharedLease, Lease),
        make: Make<'_, W, S>,
        (sender, shared): (Sender<String>, &Shared),
    ) {
        let _end = EndOfThread(sender, taken.1.key.clone());
        let mut stream: Box<dyn ReadStream> = match &self.consumer {
            Some(arn) => Box::new(FanOut::new(Consumer::new(self.stream.clone(), arn))),
            None => Box::new(self.stream.clone()),
        };
        let make = Box::new(make);
        let mut run = ShardRun::new(taken, &self.settings, make, self.notes.clone());
        loop {
            let mut around = Surroundings {
                stream: &mut *stream,
                table: &self.table,
                time: &shared.time,
                clock: &mut SystemClock,
                is_stopping: shared.is_stopping(),
            };
            match run.step(&mut around) {
                Ok(Step::Wait(length)) => thread::sleep(length.min(SLEEP_MAX)),
                Ok(Step::Finished) => return,
                Err(error) => return shared.fail(error.at(run.shard())),
            }
        }
    }
}

/// Waits a little, and forgets the leases whose threads have ended. Returns their number.
fn forget_ended(receiver: &Receiver<String>, member: &mut Member) -> usize {
    let mut ended = 0;
    let mut wait = SLEEP_MAX;
    loop {
        match receiver.recv_timeout(wait) {
            Ok(key) => {
                member.forget(&key);
                (ended, wait) = (ended + 1, Duration::ZERO);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return ended,
        }
    }
}
