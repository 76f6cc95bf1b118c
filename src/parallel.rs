//! One ordered input over many threads, with the result of one thread.
//!
//! Three steps: items are *produced* one after the other, *worked on* by all threads at once, and *taken* one after the other, in the
//! order in which they were produced, by the thread that called. So whatever depends on order (what is late, what a sketch forgets, which line
//! comes first) is decided as a single thread decides it, whatever the number of threads.
//!
//! Every thread does what is most urgent: the caller takes what is ready; a thread produces while there is less work lying about than there are
//! threads, and works otherwise. So reading and unpacking overlap with the work, and no thread is kept for one step. Threads of the standard library's
//! scopes do this; a pool that steals work, such as `rayon`'s, has no order to keep and no bound on what lies about, which is all there is to it here.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{collections::VecDeque, thread};

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

/// Works on everything that `produce` gives until it gives `None`, on so many threads, the caller's among them, and hands each result to
/// `take`, in order.
///
/// # Errors
/// The first that `take` returns; what was produced after it is dropped.
pub(crate) fn in_order<W: Work, E>(
    threads: NonZeroUsize,
    work: &W,
    produce: impl FnMut() -> Option<W::Item> + Send,
    mut take: impl FnMut(W::Result) -> Result<(), E>,
) -> Result<(), E> {
    let line = Line { state: Mutex::new(State::default()), changed: Condvar::new(), produce: Mutex::new(produce), threads: threads.get() };
    thread::scope(|scope| {
        let _stop = Stop(&line.state, &line.changed);
        for _ in 1..threads.get() {
            scope.spawn(|| {
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
                drop(state);
                // There may be room for another item now.
                line.changed.notify_all();
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
    state: Mutex<State<W::Item, W::Result>>,
    /// There may be something else to do.
    changed: Condvar,
    produce: Mutex<P>,
    threads: usize,
}

struct State<T, U> {
    /// The items that nobody works on yet, with their numbers.
    items: VecDeque<(usize, T)>,
    /// The results that were not taken, in order; `None` where one is not ready.
    results: VecDeque<Option<U>>,
    /// The number of the first of them.
    first: usize,
    producing: bool,
    /// There is nothing more to produce.
    ended: bool,
    /// A thread has gone: nothing more comes of it.
    stopped: bool,
}

impl<T, U> Default for State<T, U> {
    fn default() -> Self {
        State { items: VecDeque::new(), results: VecDeque::new(), first: 0, producing: false, ended: false, stopped: false }
    }
}

impl<T, U> State<T, U> {
    fn ended_for_workers(&self) -> bool {
        self.stopped || (self.ended && self.items.is_empty())
    }

    fn is_over(&self) -> bool {
        self.stopped || (self.ended && self.results.is_empty())
    }

    fn take_first(&mut self) -> Option<U> {
        let result = self.results.front_mut()?.take()?;
        self.results.pop_front();
        self.first += 1;
        Some(result)
    }

    fn may_produce(&self, threads: usize) -> bool {
        !self.producing && !self.ended && self.items.len() < threads && self.results.len() < threads * ITEMS_PER_THREAD
    }
}

impl<W: Work, P: FnMut() -> Option<W::Item>> Line<W, P> {
    fn lock(&self) -> MutexGuard<'_, State<W::Item, W::Result>> {
        // A thread that panicked has set `stopped`, and the scope passes its panic on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Produces an item, works on one, or waits until one of both can be done or a result is ready.
    fn step<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<W::Item, W::Result>>,
        work: &W,
        tools: &mut W::Tools,
    ) -> MutexGuard<'a, State<W::Item, W::Result>> {
        if state.may_produce(self.threads) {
            state.producing = true;
            drop(state);
            let item = (self.produce.lock().unwrap_or_else(PoisonError::into_inner))();
            state = self.lock();
            state.producing = false;
            match item {
                None => state.ended = true,
                Some(item) => {
                    let number = state.first + state.results.len();
                    state.results.push_back(None);
                    state.items.push_back((number, item));
                }
            }
            self.changed.notify_all();
            return state;
        }
        let Some((number, item)) = state.items.pop_front() else {
            return self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        let result = work.work(tools, item);
        state = self.lock();
        let index = number - state.first;
        if let Some(place) = state.results.get_mut(index) {
            *place = Some(result);
        }
        self.changed.notify_all();
        state
    }
}

/// Lets the other threads go when one ends early.
struct Stop<'a, T, U>(&'a Mutex<State<T, U>>, &'a Condvar);

impl<T, U> Drop for Stop<'_, T, U> {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = state.ended && state.items.is_empty();
        state.stopped |= !over;
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
            (0..item % 7 * 1000).fold(item * item, |square, step| std::hint::black_box(square ^ step ^ step))
        }
    }

    fn squares(threads: usize, items: u64, stop_at: u64) -> (Vec<u64>, Result<(), u64>) {
        let mut next = 0..items;
        let mut taken = Vec::new();
        let ended = in_order(
            NonZeroUsize::new(threads).unwrap(),
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
        fn results_come_in_order_whatever_the_threads(threads in 1usize..9, items in 0u64..300) {
            let (taken, ended) = squares(threads, items, u64::from(u32::MAX));
            prop_assert_eq!(taken, (0..items).map(|item| item * item).collect::<Vec<_>>());
            prop_assert_eq!(ended, Ok(()));
        }

        #[test]
        fn an_error_ends_it_there(threads in 1usize..9, stop_at in 0u64..100) {
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
        let mut next = 0..100;
        let threads = NonZeroUsize::new(3).unwrap();
        let run = || in_order(threads, &Panics, || next.next(), |_| Ok::<(), ()>(()));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    }
}
