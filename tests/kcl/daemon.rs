//! A scripted daemon, which sends given messages and accepts or refuses checkpoints.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;
use std::time::Duration;
use streamgauge::adapter::kcl::{
    self, Batch, Clock, End, Message, RecordProcessor, Reply, Session, StartingPoint,
};
use streamgauge::prelude::*;
use streamgauge::record::Record;

#[derive(Default)]
struct Pipe {
    messages: VecDeque<String>,
    /// The results of the next checkpoints; `None`: accepted, as all after these are.
    refusals: VecDeque<Option<&'static str>>,
    /// Answers to checkpoints that the child has not read yet.
    answers: VecDeque<String>,
    heard: Vec<Reply>,
    partial: Vec<u8>,
}

/// The daemon's side of a conversation.
#[derive(Clone, Default)]
pub(crate) struct Daemon(Rc<RefCell<Pipe>>);

/// One direction of the conversation.
pub(crate) struct PipeEnd {
    daemon: Daemon,
    line: Vec<u8>,
    read: usize,
}

impl Daemon {
    pub(crate) fn new(messages: impl IntoIterator<Item = String>) -> Self {
        let daemon = Daemon::default();
        daemon.0.borrow_mut().messages.extend(messages);
        daemon
    }

    /// Refuses the next checkpoints with these exceptions, where there is one.
    pub(crate) fn refusing(self, refusals: &[Option<&'static str>]) -> Self {
        self.0.borrow_mut().refusals.extend(refusals);
        self
    }

    /// Returns all messages of the child.
    pub(crate) fn heard(&self) -> Vec<Reply> {
        self.0.borrow().heard.clone()
    }

    /// Returns the checkpoints that the child requested: number and sub-sequence number.
    pub(crate) fn checkpoints(&self) -> Vec<Option<(String, u64)>> {
        let of = |reply: &Reply| match reply {
            Reply::Checkpoint { sequence, sub } => {
                Some(sequence.as_ref().map(|number| (number.to_string(), sub.unwrap_or(0))))
            }
            _ => None,
        };
        self.heard().iter().filter_map(of).collect()
    }

    /// Runs a processor to the end of the conversation.
    pub(crate) fn run(
        &self,
        processor: &mut dyn RecordProcessor,
        clock: &mut dyn Clock,
    ) -> Result<End, Error> {
        self.talk().go_on(&[], processor, clock)
    }

    /// Starts a conversation that can be interrupted.
    pub(crate) fn talk(&self) -> Talk {
        let end = || PipeEnd { daemon: self.clone(), line: vec![], read: 0 };
        Talk { daemon: self.clone(), session: Session::new(end(), end()) }
    }
}

/// A conversation that continues when there are more messages.
pub(crate) struct Talk {
    daemon: Daemon,
    session: Session<PipeEnd, PipeEnd>,
}

impl Talk {
    pub(crate) fn go_on(
        &mut self,
        messages: &[&str],
        processor: &mut dyn RecordProcessor,
        clock: &mut dyn Clock,
    ) -> Result<End, Error> {
        self.daemon
            .0
            .borrow_mut()
            .messages
            .extend(messages.iter().map(|message| (*message).to_owned()));
        kcl::run(&mut self.session, processor, clock)
    }
}

impl Read for PipeEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for PipeEnd {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.line.len() {
            let mut pipe = self.daemon.0.borrow_mut();
            let next = pipe.answers.pop_front().or_else(|| pipe.messages.pop_front());
            self.line = next.map_or_else(Vec::new, |line| format!("{line}\n").into_bytes());
            self.read = 0;
        }
        Ok(&self.line[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read += count;
    }
}

impl Write for PipeEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.daemon.0.borrow_mut();
        pipe.partial.extend_from_slice(bytes);
        while let Some(end) = pipe.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pipe.partial.drain(..=end).collect();
            if line.trim_ascii().is_empty() {
                continue;
            }
            let reply = Reply::parse(line.trim_ascii()).unwrap();
            if let Reply::Checkpoint { .. } = reply {
                let error = pipe
                    .refusals
                    .pop_front()
                    .flatten()
                    .map_or(String::from("null"), |error| format!("{error:?}"));
                pipe.answers
                    .push_back(format!(r#"{{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":{error}}}"#));
            }
            pipe.heard.push(reply);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) const SHARD: &str = "shardId-000000000007";

/// Returns the first message.
pub(crate) fn initialize(shard: &str, from: StartingPoint) -> String {
    Message::Initialize { shard: ShardId::new(shard), from }.to_json()
}

/// Returns records of JSON or any other text, numbered from `first`, on a shard that is this far
/// behind.
pub(crate) fn records(first: u64, payloads: &[&[u8]], behind: u64) -> String {
    let mut batch = Batch::default();
    batch.millis_behind_latest = Some(behind);
    for (number, payload) in (first..).zip(payloads) {
        let position = Position { shard: ShardId::new(SHARD), sequence: Sequence::new(number) };
        let data = payload.to_vec().into();
        batch.records.push(Record {
            partition_key: "k".into(),
            data,
            arrival: Timestamp::from_millis(0),
            position,
            headers: Default::default(),
        });
    }
    Message::ProcessRecords(batch).to_json()
}

pub(crate) const LEASE_LOST: &str = r#"{"action":"leaseLost"}"#;
pub(crate) const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;
pub(crate) const SHUTDOWN_REQUESTED: &str = r#"{"action":"shutdownRequested"}"#;

/// A clock that advances by a step each time it is read, and by the time slept.
pub(crate) struct StepClock {
    pub(crate) now: i64,
    pub(crate) step: i64,
    pub(crate) slept: Duration,
}

impl StepClock {
    pub(crate) fn new(step: i64) -> Self {
        StepClock { now: 0, step, slept: Duration::ZERO }
    }
}

impl Clock for StepClock {
    fn now(&mut self) -> Timestamp {
        self.now += self.step;
        Timestamp::from_millis(self.now)
    }

    fn sleep(&mut self, length: Duration) {
        self.now += length.as_millis() as i64;
        self.slept += length;
    }
}
