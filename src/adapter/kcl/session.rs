//! The session with the daemon.

use super::protocol::{Action, CheckpointError, Message, Reply};
use crate::adapter::lines::LineReader;
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, ShardId};
use std::io::{BufRead, Write};

/// The result of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checkpointed {
    /// The checkpoint was taken.
    Done,
    /// The daemon refused the checkpoint, for this reason.
    Refused(CheckpointError),
    /// The input ended before the daemon answered. The checkpoint may or may not have been taken.
    InputEnded,
}

/// The conversation with the daemon over two pipes.
///
/// [`read`](Session::read) returns the next message, [`checkpoint`](Session::checkpoint) asks for a
/// checkpoint while that message is processed, and [`answer`](Session::answer) tells the daemon
/// that it has been processed. The session returns an error if a message is read before the last
/// one is answered, or if the daemon sends a message out of turn.
///
/// Only the protocol may go to the output. Pass the standard output of the process only if nothing
/// else prints there.
#[derive(Debug)]
pub struct Session<R, W> {
    lines: LineReader<R>,
    output: W,
    shard: Option<ShardId>,
    /// The action of the message that is not answered yet.
    due: Option<Action>,
}

impl<R: BufRead, W: Write> Session<R, W> {
    /// Creates a session that has not begun.
    pub fn new(input: R, output: W) -> Self {
        Session { lines: LineReader::new(input), output, shard: None, due: None }
    }

    /// Returns the shard, after `initialize` was read.
    pub fn shard(&self) -> Option<&ShardId> {
        self.shard.as_ref()
    }

    /// Returns the action of the message that is not answered yet; `None` between messages.
    pub fn due(&self) -> Option<Action> {
        self.due
    }

    /// Returns the next message. Returns `None` at the end of input, which is legal at any moment.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the last message is not answered; [`ErrorKind::Parse`] for
    /// a message that this version cannot read, a first message other than `initialize`, or an
    /// answer to a checkpoint that was not asked for; [`ErrorKind::Io`] if the input cannot be
    /// read; [`ErrorKind::Corrupt`] if it ends within a line, as when the daemon is killed while it
    /// writes; [`ErrorKind::LimitExceeded`] for a line of over 512 MiB.
    pub fn read(&mut self) -> Result<Option<Message>, Error> {
        if let Some(due) = self.due {
            return Err(Error::invalid(format!("{due} is not answered yet")));
        }
        let Some(message) = self.read_any()? else {
            return Ok(None);
        };
        match (&message, &self.shard) {
            (Message::Initialize { shard, .. }, None) => self.shard = Some(shard.clone()),
            (Message::Initialize { .. } | Message::Checkpoint(_), Some(_)) => {
                return Err(self.here(message.out_of_turn("another message")));
            }
            (_, None) => return Err(self.here(message.out_of_turn("initialize"))),
            _ => {}
        }
        self.due = Some(message.action());
        Ok(Some(message))
    }

    /// Asks for a checkpoint up to a record, or up to all records delivered, and waits for the
    /// daemon's answer.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is no unanswered message; [`ErrorKind::Io`] if the
    /// output cannot be written; [`ErrorKind::Parse`] if the daemon sends another message than the
    /// answer.
    pub fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<Checkpointed, Error> {
        if self.due.is_none() {
            return Err(Error::invalid(
                "a checkpoint can be taken only before a message is answered",
            ));
        }
        self.send(&Reply::checkpoint(upto))?;
        match self.read_any()? {
            None => Ok(Checkpointed::InputEnded),
            Some(Message::Checkpoint(answer)) => {
                Ok(answer.error.map_or(Checkpointed::Done, Checkpointed::Refused))
            }
            Some(other) => Err(self.here(other.out_of_turn("the answer to a checkpoint"))),
        }
    }

    /// Tells the daemon that the message has been processed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is no unanswered message; [`ErrorKind::Io`] if the
    /// output cannot be written.
    pub fn answer(&mut self) -> Result<(), Error> {
        let Some(response_for) = self.due.take() else {
            return Err(Error::invalid("there is no message to answer"));
        };
        self.send(&Reply::Status { response_for })
    }

    fn read_any(&mut self) -> Result<Option<Message>, Error> {
        let shard = self.shard.clone().unwrap_or_else(|| ShardId::new(""));
        let message = match self.lines.read()? {
            None => return Ok(None),
            Some(line) => Message::parse(line, &shard),
        };
        message.map(Some).map_err(|error| self.here(error))
    }

    /// Writes a reply on its own line, even if another program left a line unfinished.
    fn send(&mut self, reply: &Reply) -> Result<(), Error> {
        let line = format!("\n{}\n", reply.to_json());
        let sent = self.output.write_all(line.as_bytes()).and_then(|()| self.output.flush());
        sent.map_err(|error| {
            Error::new(ErrorKind::Io, "cannot write to the daemon").with_source(error)
        })
    }

    #[cold]
    fn here(&self, error: Error) -> Error {
        error.at(format_args!("line {}", self.lines.line_number()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIALIZE: &str = r#"{"action":"initialize","shardId":"s","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;

    fn kinds(
        input: &str,
        script: impl FnOnce(&mut Session<&[u8], &mut Vec<u8>>) -> Result<(), Error>,
    ) -> (Result<(), Error>, String) {
        let mut output = Vec::new();
        let result = script(&mut Session::new(input.as_bytes(), &mut output));
        (result, String::from_utf8(output).unwrap())
    }

    #[test]
    fn each_message_is_answered_once_and_in_turn() {
        let (result, output) =
            kinds(&format!("{INITIALIZE}\n{{\"action\":\"leaseLost\"}}\n"), |session| {
                assert_eq!(session.answer().unwrap_err().kind(), ErrorKind::InvalidArgument);
                assert_eq!(session.read()?.unwrap().action(), Action::Initialize);
                assert_eq!(session.shard().unwrap().as_str(), "s");
                assert_eq!(session.read().unwrap_err().kind(), ErrorKind::InvalidArgument);
                session.answer()?;
                assert_eq!(
                    session.checkpoint(None).unwrap_err().kind(),
                    ErrorKind::InvalidArgument
                );
                assert_eq!(session.read()?.unwrap().action(), Action::LeaseLost);
                session.answer()?;
                assert!(session.read()?.is_none());
                Ok(())
            });
        result.unwrap();
        assert_eq!(
            output,
            "\n{\"action\":\"status\",\"responseFor\":\"initialize\"}\n\n\
             {\"action\":\"status\",\"responseFor\":\"leaseLost\"}\n"
        );
    }

    #[test]
    fn a_checkpoint_ends_with_an_answer_an_error_or_the_end_of_input() {
        let refused = r#"{"action":"checkpoint","sequenceNumber":"7","subSequenceNumber":2,"error":"ThrottlingException"}"#;
        let (result, output) = kinds(&format!("{INITIALIZE}\n{refused}\n"), |session| {
            session.read()?;
            let upto = Sequence { number: 7u64.into(), sub: 2 };
            assert_eq!(
                session.checkpoint(Some(&upto))?,
                Checkpointed::Refused(CheckpointError::Throttling)
            );
            assert_eq!(session.checkpoint(None)?, Checkpointed::InputEnded);
            Ok(())
        });
        result.unwrap();
        assert!(
            output.starts_with(
                "\n{\"action\":\"checkpoint\",\"sequenceNumber\":\"7\",\"subSequenceNumber\":2}\n"
            ),
            "{output}"
        );
    }

    #[test]
    fn a_daemon_out_of_turn_is_an_error_that_names_the_line() {
        let answer = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
        for (input, expected) in [
            (
                "{\"action\":\"shardEnded\"}\n".to_owned(),
                "line 1: the daemon says shardEnded where initialize was due",
            ),
            (format!("{answer}\n"), "line 1: the daemon says checkpoint where initialize was due"),
            (
                format!("{INITIALIZE}\n\n{INITIALIZE}\n"),
                "line 3: the daemon says initialize where another message was due",
            ),
            (
                format!("{INITIALIZE}\n{answer}\n"),
                "line 2: the daemon says checkpoint where another message was due",
            ),
            (format!("{INITIALIZE}\nnonsense\n"), "line 2: the line \"nonsense\" is not a message"),
        ] {
            let (result, _) = kinds(&input, |session| {
                while session.read()?.is_some() {
                    session.answer()?;
                }
                Ok(())
            });
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parse);
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        let (result, _) =
            kinds(&format!("{INITIALIZE}\n{{\"action\":\"leaseLost\"}}\n"), |session| {
                session.read()?;
                session.checkpoint(None).map(drop)
            });
        assert_eq!(
            result.unwrap_err().to_string(),
            "line 2: the daemon says leaseLost where the answer to a checkpoint was due"
        );
    }
}
