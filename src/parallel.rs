//! One ordered input over many threads, with the result of one thread.
//!
//! Three steps: items are *produced* one after the other, *worked on* by all threads at once, and
//! *taken* one after the other, in the order in which they were produced, by the thread that
//! called. So whatever depends on order (what is late, what a sketch forgets, which line comes
//! first) is decided as a single thread decides it, whatever the number of threads.
//!
//! Every thread does what is most urgent: the caller takes what is ready; otherwise a thread
//! produces an item, while no other does, and works on it at once, since it has the item's bytes in
//! its own cache. So reading and unpacking overlap with the work, and no thread is kept for one
//! step. The threads are those of a `rayon` pool, which is made once for many inputs; its parallel
//! iterators keep no order of taking and no bound on what lies about, which is all there is to it
//! here.

use crate::error::{Error, ErrorKind};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Items between production and taking, for each thread.
const ITEMS_PER_THREAD: usize = 3;

/// How items become results.
pub(crate) trait Work: Sync {
    /// What is produced.
    type Item: Send;
    /// What becomes of it.
    type Result: Send;
    /// What a thread has for itself.
    type Tools;

    /// The tools of one thread.
    fn tools(&self) -> Self::Tools;

    /// Makes the result of an item.
    fn work(&self, tools: &mut Self::Tools, item: Self::Item) -> Self::Result;
}

/// Threads that help the caller's.
pub(crate) struct Helpers {
    pool: ThreadPool,
    threads: usize,
}

impl Helpers {
    /// One helper less than `threads`, since the caller's is one of them; and one thread more that
    /// may be a helper in its stead. A system may put a new thread on the core of the one that made
    /// it, where it waits for ten milliseconds until another core, idle all the while, takes it:
    /// then it is the second one, on a core of its own, that begins.
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

    /// All threads, the caller's among them.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }
}

/// Works on everything that `produce` gives until it gives `None`, on the caller's thread and its
/// helpers, and hands each result to `take`, in order.
///
/// # Errors
/// The first that `take` returns; what was produced after it is dropped.
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
                // There may be room for another item now.
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

/// What the threads share.
struct Line<W: Work, P> {
    state: Mutex<State<W::Result>>,
    /// There may be something else to do.
    changed: Condvar,
    produce: Mutex<P>,
    threads: usize,
}

struct State<T> {
    /// The results that were not taken, in order; `None` where one is worked on.
    results: VecDeque<Option<T>>,
    /// The number of the first of them.
    first: usize,
    producing: bool,
    /// Threads that wait for something to do.
    waiting: usize,
    /// There is nothing more to produce.
    ended: bool,
    /// A thread has gone: nothing more comes of it.
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
        // A thread that panicked has set `stopped`, and the scope passes its panic on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those that wait that there may be something else to do; that costs a system call,
    /// whether any does or not.
    fn tell(&self, state: &State<W::Result>) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Produces an item and works on it, or waits until that can be done or a result is ready.
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
        // Another thread may produce the next one now.
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

/// Lets the other threads go when one ends early.
struct Stop<'a, T>(&'a Mutex<State<T>>, &'a Condvar);

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // After the end of the items, too, the result of a thread that panicked is missing.
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
            // Some take longer, so that threads overtake one another.
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
        // In the middle, and as the last of all.
        for items in [100, 21] {
            let mut next = 0..items;
            let run = || in_order(&helpers, &Panics, || next.next(), |_| Ok::<(), ()>(()));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        }
    }
}
