//! The process that Storm's `ShellBolt` starts: two pipes and two threads.

use super::bolt::Bolt;
use super::frames::FrameReader;
use super::protocol::{Message, Reply, Setup};
use crate::adapter::RecordPipeline;
use crate::adapter::worker::Clock;
use crate::error::{Error, ErrorKind};
use crate::store::Store;
use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Maximum messages that are processed before the state is saved.
const BATCH_MESSAGES_MAX: usize = 10_000;

/// Maximum bytes of messages that wait.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// How often Storm is told that this process is alive while messages wait.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// The writer of messages to Storm.
#[derive(Debug)]
pub struct Output<W>(Arc<Mutex<W>>);

impl<W> Clone for Output<W> {
    fn clone(&self) -> Self {
        Output(self.0.clone())
    }
}

impl<W: Write> Output<W> {
    /// Creates the writer. Only the protocol may go to it.
    pub fn new(output: W) -> Self {
        Output(Arc::new(Mutex::new(output)))
    }

    /// Sends messages together.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if they cannot be written.
    pub fn send(&self, replies: &[Reply]) -> Result<(), Error> {
        let mut text = Vec::new();
        replies.iter().for_each(|reply| reply.append(&mut text));
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = output.write_all(&text).and_then(|()| output.flush());
        sent.map_err(|error| Error::new(ErrorKind::Io, "cannot write to Storm").with_source(error))
    }
}

/// Runs a task of a bolt until the input ends, which is Storm's way to end a process.
///
/// `open` makes the task from the first message. A thread reads messages and answers heartbeats, so
/// that a task that is busy does not look hung. An error is sent to Storm, too, before it is
/// returned.
///
/// # Errors
/// [`ErrorKind::Parse`] for a message that cannot be read; [`ErrorKind::Corrupt`] if the input ends
/// within a message; [`ErrorKind::LimitExceeded`] for a message of over 256 MiB;
/// [`ErrorKind::Io`] if a pipe fails; and the errors of `open` and of [`Bolt::process`].
pub fn run<P, S, C, W>(
    input: impl BufRead + Send + 'static,
    output: &Output<W>,
    open: impl FnOnce(&Setup) -> Result<Bolt<P, S, C>, Error>,
) -> Result<(), Error>
where
    P: RecordPipeline,
    S: Store,
    C: Clock,
    W: Write + Send + 'static,
{
    let ended = converse(FrameReader::new(input), output, open);
    if let Err(error) = &ended {
        // If Storm has gone, there is nobody to tell.
        let _ = output.send(&[Reply::Error(error.to_string())]);
    }
    ended
}

fn converse<P: RecordPipeline, S: Store, C: Clock, W: Write + Send + 'static>(
    mut frames: FrameReader<impl BufRead + Send + 'static>,
    output: &Output<W>,
    open: impl FnOnce(&Setup) -> Result<Bolt<P, S, C>, Error>,
) -> Result<(), Error> {
    let Some(first) = frames.read()? else { return Ok(()) };
    let setup = Setup::parse(&first)?;
    let pid = std::process::id();
    let name = Path::new(&setup.pid_folder).join(pid.to_string());
    File::create(&name).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot create {}", name.display())).with_source(error)
    })?;
    output.send(&[Reply::Pid(pid)])?;
    let queue = Arc::new(Queue::default());
    let (filled, alive) = (queue.clone(), output.clone());
    // It ends with the input, or with the process.
    thread::spawn(move || {
        let end = fill(&mut frames, &filled, &alive);
        filled.end(end);
    });
    let mut bolt = open(&setup)?;
    output.send(&bolt.process(Vec::new())?)?;
    while let Some(messages) = queue.take()? {
        output.send(&bolt.process(messages)?)?;
    }
    Ok(())
}

/// Reads messages into the queue until the input ends.
fn fill<W: Write>(
    frames: &mut FrameReader<impl BufRead>,
    queue: &Queue,
    output: &Output<W>,
) -> Result<(), Error> {
    while let Some(text) = frames.read()? {
        match Message::parse(&text)? {
            Message::Heartbeat => output.send(&[Reply::Sync])?,
            message => queue.put(message, text.len(), output)?,
        }
    }
    Ok(())
}

/// Messages that wait.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<(Message, usize)>,
    bytes: usize,
    /// How the input has ended.
    end: Option<Result<(), Error>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message. While the queue is full, Storm's heartbeats cannot be read, so it is told
    /// without them that this process is alive.
    fn put<W: Write>(
        &self,
        message: Message,
        bytes: usize,
        output: &Output<W>,
    ) -> Result<(), Error> {
        let mut waiting = self.lock();
        while waiting.bytes > QUEUE_BYTES_MAX {
            let waited = self.changed.wait_timeout(waiting, ALIVE_EVERY);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            drop(guard);
            if timeout.timed_out() {
                output.send(&[Reply::Sync])?;
            }
            waiting = self.lock();
        }
        waiting.bytes += bytes;
        waiting.messages.push((message, bytes));
        self.changed.notify_all();
        Ok(())
    }

    fn end(&self, end: Result<(), Error>) {
        self.lock().end = Some(end);
        self.changed.notify_all();
    }

    /// Waits for messages, and returns all of them, up to a maximum. Returns `None` at the end.
    fn take(&self) -> Result<Option<Vec<Message>>, Error> {
        let waiting = self.lock();
        let is_idle = |waiting: &mut Waiting| waiting.messages.is_empty() && waiting.end.is_none();
        let waited = self.changed.wait_while(waiting, is_idle);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.messages.is_empty() {
            return waiting.end.take().unwrap_or(Ok(())).map(|()| None);
        }
        let count = waiting.messages.len().min(BATCH_MESSAGES_MAX);
        let taken: Vec<(Message, usize)> = waiting.messages.drain(..count).collect();
        waiting.bytes -= taken.iter().map(|(_, bytes)| bytes).sum::<usize>();
        self.changed.notify_all();
        Ok(Some(taken.into_iter().map(|(message, _)| message).collect()))
    }
}
