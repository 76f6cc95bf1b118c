//! Processes one ordered input with many threads; the result equals that of one thread.
//!
//! There are three steps. Items are *produced* one after another. All threads *work* on them at the
//! same time. The calling thread *takes* the results one after another, in the order of production.
//! Everything that depends on order (which record is late, which key a sketch evicts, which line
//! comes first) is therefore the same for every number of threads.
//!
//! Every thread does the most urgent step. The caller takes a result if one is ready. Otherwise a
//! thread produces an item, unless another thread is producing, and works on it immediately, while
//! the item's bytes are in its cache. Reading and decompression therefore overlap with the work,
//! and no thread is reserved for one step. The threads come from a `rayon` pool, which is created
//! once for many inputs. Rayon's parallel iterators keep neither the order of taking nor a bound on
//! waiting items; this module adds both.

use crate::error::{Error, ErrorKind};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Maximum number of items between production and taking, per thread.
const ITEMS_PER_THREAD: usize = 3;

/// The work that turns an item into a result.
pub(crate) trait Work: Sync {
    /// The type of produced items.
    type Item: Send;
    /// The type of results.
    type Result: Send;
    /// The state that each thread has for itself.
    type Tools;

    /// Creates the tools of one thread.
    fn tools(&self) -> Self::Tools;

    /// Turns an item into its result.
    fn work(&self, tools: &mut Self::Tools, item: Self::Item) -> Self::Result;
}

/// A pool of threads that help the calling thread.
pub(crate) struct Helpers {
    pool: ThreadPool,
    threads: usize,
}

impl Helpers {
    /// Starts `threads` pool threads, although `threads - 1` and the caller's thread would be
    /// enough. An operating system may put a new thread on the core of the thread that created it.
    /// There it waits up to ten milliseconds until another, idle core takes it. With one thread
    /// more, the second one starts at once on a core of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses a thread.
    pub(crate) fn new(threads: NonZeroUsize) -> Result<Self, Error> {
        let threads = threads.get().max(2);
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot start {threads} threads")).with_source(error)
        })?;
        Ok(Helpers { pool, threads })
    }

    /// Returns the number of threads that work, including the caller's.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }
}

/// Works on every item that `produce` returns until it returns `None`, on the caller's thread and
/// its helpers. Calls `take` with each result, in order.
///
/// # Errors
/// The first error of `take`. Items produced after that result are dropped.
pub(crate) fn in_order<W: Work, E>(
    helpers: &Helpers,
    work: &W,
    produce: impl FnMut() -> Option<W::Item> + Send,
    mut take: impl FnMut(W::Result) -> Result<(), E>,
) -> Result<(), E> {
    let line = Line {
        state: Mutex::new(State::default()),
        changed: Condvar::new(),
        produce: Mutex::new(produce),
        threads: helpers.threads(),
    };
    helpers.pool.in_place_scope(|scope| {
        let _stop = Stop(&line.state, &line.changed);
        for _ in 1..line.threads {
            scope.spawn(|_| {
                let _stop = Stop(&line.state, &line.changed);
                let mut tools = work.tools();
                let mut state = line.lock();
                while !state.ended_for_workers() {
                    state = line.step(state, work, &mut tools);
                }
            });
        }
        let mut tools = work.tools();
        let mut state = line.lock();
        while !state.is_over() {
            if let Some(result) = state.take_first() {
                // There may now be room for another item.
                line.tell(&state);
                drop(state);
                take(result)?;
                state = line.lock();
            } else {
                state = line.step(state, work, &mut tools);
            }
        }
        Ok(())
    })
}

/// The state that all threads share.
struct Line<W: Work, P> {
    state: Mutex<State<W::Result>>,
    /// Signals that there may be something to do.
    changed: Condvar,
    produce: Mutex<P>,
    threads: usize,
}

struct State<T> {
    /// The results not yet taken, in order. `None` if the work on the item is not finished.
    results: VecDeque<Option<T>>,
    /// The number of the first item in `results`.
    first: usize,
    producing: bool,
    /// The number of threads that wait for something to do.
    waiting: usize,
    /// True if there is nothing more to produce.
    ended: bool,
    /// True if a thread ended early, so that its result will never come.
    stopped: bool,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        State {
            results: VecDeque::new(),
            first: 0,
            producing: false,
            waiting: 0,
            ended: false,
            stopped: false,
        }
    }
}

impl<T> State<T> {
    fn ended_for_workers(&self) -> bool {
        self.stopped || self.ended
    }

    fn is_over(&self) -> bool {
        self.stopped || (self.ended && self.results.is_empty())
    }

    fn take_first(&mut self) -> Option<T> {
        let result = self.results.front_mut()?.take()?;
        self.results.pop_front();
        self.first += 1;
        Some(result)
    }

    fn may_produce(&self, threads: usize) -> bool {
        !self.producing && !self.ended && self.results.len() < threads * ITEMS_PER_THREAD
    }
}

impl<W: Work, P: FnMut() -> Option<W::Item>> Line<W, P> {
    fn lock(&self) -> MutexGuard<'_, State<W::Result>> {
        // A thread that panics sets `stopped`, and the scope rethrows its panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the waiting threads. Does nothing if no thread waits, because a notification always
    /// costs a system call.
    fn tell(&self, state: &State<W::Result>) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Produces an item and works on it. If that is not possible, waits until it is, or until a
    /// result is ready.
    fn step<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<W::Result>>,
        work: &W,
        tools: &mut W::Tools,
    ) -> MutexGuard<'a, State<W::Result>> {
        if !state.may_produce(self.threads) {
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
            return state;
        }
        state.producing = true;
        drop(state);
        let item = (self.produce.lock().unwrap_or_else(PoisonError::into_inner))();
        state = self.lock();
        state.producing = false;
        // Another thread may now produce the next item.
        self.tell(&state);
        let Some(item) = item else {
            state.ended = true;
            return state;
        };
        let number = state.first + state.results.len();
        state.results.push_back(None);
        drop(state);
        let result = work.work(tools, item);
        state = self.lock();
        let index = number - state.first;
        if let Some(place) = state.results.get_mut(index) {
            *place = Some(result);
        }
        self.tell(&state);
        state
    }
}

/// Releases the other threads when one thread ends early.
struct Stop<'a, T>(&'a Mutex<State<T>>, &'a Condvar);

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The result of a panicked thread is missing even after the last item was produced.
        state.stopped |= !state.ended || std::thread::panicking();
        drop(state);
        self.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    struct Square;

    impl Work for Square {
        type Item = u64;
        type Result = u64;
        type Tools = u64;

        fn tools(&self) -> u64 {
            0
        }

        fn work(&self, done: &mut u64, item: u64) -> u64 {
            *done += 1;
            // Some items take longer, so that threads overtake each other.
            (0..item % 7 * 1000)
                .fold(item * item, |square, step| std::hint::black_box(square ^ step ^ step))
        }
    }

    fn squares(threads: usize, items: u64, stop_at: u64) -> (Vec<u64>, Result<(), u64>) {
        let mut next = 0..items;
        let mut taken = Vec::new();
        let ended = in_order(
            &Helpers::new(NonZeroUsize::new(threads).unwrap()).unwrap(),
            &Square,
            || next.next(),
            |square| {
                if square == stop_at * stop_at {
                    return Err(stop_at);
                }
                taken.push(square);
                Ok(())
            },
        );
        (taken, ended)
    }

    proptest! {
        #[test]
        fn results_come_in_order_whatever_the_threads(threads in 2usize..9, items in 0u64..300) {
            let (taken, ended) = squares(threads, items, u64::from(u32::MAX));
            prop_assert_eq!(taken, (0..items).map(|item| item * item).collect::<Vec<_>>());
            prop_assert_eq!(ended, Ok(()));
        }

        #[test]
        fn an_error_ends_it_there(threads in 2usize..9, stop_at in 0u64..100) {
            let (taken, ended) = squares(threads, 100, stop_at);
            prop_assert_eq!(taken, (0..stop_at).map(|item| item * item).collect::<Vec<_>>());
            prop_assert_eq!(ended, Err(stop_at));
        }
    }

    #[test]
    fn a_panic_is_passed_on_and_nobody_waits_for_ever() {
        struct Panics;
        impl Work for Panics {
            type Item = u64;
            type Result = u64;
            type Tools = ();
            fn tools(&self) {}
            fn work(&self, (): &mut (), item: u64) -> u64 {
                assert!(item < 20, "the twentieth");
                item
            }
        }
        let helpers = Helpers::new(NonZeroUsize::new(3).unwrap()).unwrap();
        // A panic in the middle, and a panic on the last item.
        for items in [100, 21] {
            let mut next = 0..items;
            let run = || in_order(&helpers, &Panics, || next.next(), |_| Ok::<(), ()>(()));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        }
    }
}
