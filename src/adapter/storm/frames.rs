//! Messages of several lines, each ended by a line `end`.

use crate::adapter::lines::LineReader;
use crate::error::{Error, ErrorKind};
use std::io::BufRead;

/// Maximum bytes of one message. The first one has the configuration of the topology.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// Reads messages one after the other.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    lines: LineReader<R>,
    bytes_max: usize,
}

impl<R: BufRead> FrameReader<R> {
    pub(super) fn new(input: R) -> Self {
        FrameReader { lines: LineReader::new(input), bytes_max: MESSAGE_BYTES_MAX }
    }

    /// Returns the next message. Returns `None` at the end of input.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the input cannot be read; [`ErrorKind::Corrupt`] if it ends within a
    /// message; [`ErrorKind::LimitExceeded`] for a message of over 256 MiB.
    pub(super) fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut message = Vec::new();
        loop {
            match self.lines.read()? {
                Some(b"end") if !message.is_empty() => return Ok(Some(message)),
                // Storm's own libraries skip an end without a message, too.
                Some(b"end") => {}
                Some(line) if message.len().saturating_add(line.len()) > self.bytes_max => {
                    let words = format!("the message is longer than {} bytes", self.bytes_max);
                    return Err(Error::new(ErrorKind::LimitExceeded, words));
                }
                Some(line) => {
                    if !message.is_empty() {
                        message.push(b'\n');
                    }
                    message.extend_from_slice(line);
                }
                None if message.is_empty() => return Ok(None),
                None => {
                    let words = format!(
                        "the input ends within a message, after {} bytes of it",
                        message.len()
                    );
                    return Err(Error::new(ErrorKind::Corrupt, words));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(input: &str, bytes_max: usize) -> Result<Vec<String>, Error> {
        let mut reader = FrameReader { bytes_max, ..FrameReader::new(input.as_bytes()) };
        let mut frames = Vec::new();
        while let Some(frame) = reader.read()? {
            frames.push(String::from_utf8(frame).unwrap());
        }
        Ok(frames)
    }

    #[test]
    fn messages_end_with_a_line() {
        assert_eq!(frames("a\nend\n\nend\r\nb\nc\nend\n", 9).unwrap(), ["a", "b\nc"]);
        assert_eq!(frames("", 9).unwrap(), [""; 0]);
        for input in ["a\n", "a\nen", "a\nb\nend", "end"] {
            assert_eq!(frames(input, 9).unwrap_err().kind(), ErrorKind::Corrupt, "{input:?}");
        }
        let error = frames("abcde\nabcde\nend\n", 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }
}
