//! The thread that pushes metrics.

use super::limits::HISTOGRAMS_MAX;
use super::options::OtlpOptions;
use super::outcome::{Outcome, pause};
use super::request::{Times, request};
use super::transport::send;
use crate::failure::Failure;
use crate::standard_error::say;
use crate::view::metrics::Metrics;
use crate::view::told::{Pushing, SharedTold};
use prost::Message;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

/// Pushes metrics until it is dropped, then once more.
pub(crate) struct Exporter {
    thread: Option<JoinHandle<io::Result<()>>>,
    /// Dropped at the end.
    end: Option<oneshot::Sender<()>>,
}

impl Exporter {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread.
    pub(crate) fn start(
        (told, metrics): (SharedTold, Arc<Metrics>),
        options: &OtlpOptions,
    ) -> Result<Self, Failure> {
        told.lock().pushing = Some(Pushing::default());
        let options = options.clone();
        let start = unix_nanos();
        let pusher = Pusher { told, metrics, options, start, failures: 0, is_failing: false };
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(pusher.run(ended));
                // Looking a name up has a thread of its own, which may take long.
                runtime.shutdown_background();
                Ok(())
            })
            .map_err(|error| Failure::Run(format!("--otlp has no thread: {error}")))?;
        Ok(Exporter { thread: Some(thread), end: Some(end) })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.end.take());
        // The run has its own result.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The body of a request.
struct Body {
    bytes: Vec<u8>,
    points: usize,
    /// The number of the first histogram that is not in it.
    next: u64,
}

/// What the thread has.
struct Pusher {
    told: SharedTold,
    metrics: Arc<Metrics>,
    options: OtlpOptions,
    /// The start of the run, in nanoseconds since the epoch.
    start: u64,
    /// Requests in a row that no receiver has taken.
    failures: u32,
    /// True after a failure was told.
    is_failing: bool,
}

impl Pusher {
    async fn run(mut self, mut end: oneshot::Receiver<()>) {
        let mut wait = self.options.every;
        while timeout(wait, &mut end).await.is_err() {
            let pause = self.push(self.options.reply_time_max).await;
            wait = pause.unwrap_or(self.options.every);
        }
        let (ending, time_max) = (Instant::now(), self.options.reply_time_max);
        let mut left = time_max;
        while let Some(pause) = self.push(left).await {
            left = time_max.saturating_sub(ending.elapsed() + pause);
            if left.is_zero() {
                break;
            }
            sleep(pause).await;
        }
        // Those that still wait are lost.
        let told = self.told.lock();
        let waits = told.pushing.as_ref().is_some_and(|pushing| !pushing.waiting.is_empty());
        drop(told);
        if waits {
            let place = &self.options.place;
            say(&format!("note: --otlp {place}: the histograms of some windows are not sent\n"));
        }
    }

    /// Sends the newest numbers, and waits for at most this time for the reply. Returns the pause
    /// before the next request if no receiver has taken this one, or if there is more to send.
    async fn push(&mut self, reply_time_max: Duration) -> Option<Duration> {
        let times = Times { start: self.start, now: unix_nanos() };
        let Body { bytes, points, next } = self.body(times);
        let outcome = Outcome::of(send(&self.options, bytes, reply_time_max).await);
        let is_more = self.count(&outcome, points, next);
        let message = match &outcome {
            Outcome::Taken { refused: 0, message } if message.is_empty() => None,
            Outcome::Taken { refused: 0, message } => Some(message.clone()),
            Outcome::Taken { refused, message } => {
                Some(format!("the receiver refuses {refused} points: {message}"))
            }
            Outcome::Later { message, .. } | Outcome::Refused { message } => Some(message.clone()),
        };
        self.tell(message.as_deref());
        let Outcome::Later { pause: asked, .. } = outcome else {
            self.failures = 0;
            return is_more.then_some(Duration::ZERO);
        };
        self.failures = self.failures.saturating_add(1);
        Some(pause(self.failures, asked, (times.now >> 10) as u8))
    }

    fn body(&self, times: Times) -> Body {
        let told = self.told.lock();
        let waiting = told.pushing.as_ref().map(|pushing| pushing.waiting.oldest(HISTOGRAMS_MAX));
        let (histograms, next) = waiting.map_or((None, 0), |(oldest, next)| (Some(oldest), next));
        let histograms = histograms.into_iter().flatten();
        let of = (&*self.metrics, &*told);
        let (request, points) = request(of, histograms, &self.options.resource, times);
        Body { bytes: request.encode_to_vec(), points, next }
    }

    /// Counts a request, and removes the histograms before `next` if it was answered. Returns true
    /// if there are more.
    fn count(&self, outcome: &Outcome, points: usize, next: u64) -> bool {
        let mut told = self.told.lock();
        let Pushing { pushes, waiting } = told.pushing.get_or_insert_default();
        match outcome {
            Outcome::Taken { refused, .. } => {
                pushes.taken += 1;
                pushes.refused_points += refused;
            }
            Outcome::Later { .. } => pushes.failed += 1,
            Outcome::Refused { .. } => {
                pushes.failed += 1;
                pushes.refused_points += points as u64;
            }
        }
        if !matches!(outcome, Outcome::Later { .. }) {
            waiting.remove_before(next);
        }
        !waiting.is_empty()
    }

    /// Tells the first trouble, and its end.
    fn tell(&mut self, trouble: Option<&str>) {
        let was_failing = std::mem::replace(&mut self.is_failing, trouble.is_some());
        let place = &self.options.place;
        match trouble {
            Some(trouble) if !was_failing => say(&format!("note: --otlp {place}: {trouble}\n")),
            None if was_failing => say(&format!("note: --otlp {place}: all is taken again\n")),
            _ => {}
        }
    }
}

fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
