//! Lines of any length from a pipe.

use crate::error::{Error, ErrorKind};
use std::io::{BufRead, Read};

/// Maximum bytes of one line. The KCL's daemon puts up to 10,000 records of up to 10 MiB in one
/// line, but GetRecords returns at most 10 MiB at a time. Base64, the other fields, and the keys of
/// records that the KPL aggregated turn that into tens of megabytes.
pub(crate) const LINE_BYTES_MAX: usize = 512 << 20;

/// Reads lines one after the other into one reused buffer.
///
/// Cost: O(bytes), for lines of any length. Memory: the longest line so far, at most
/// [`LINE_BYTES_MAX`].
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    input: R,
    line: Vec<u8>,
    lines: u64,
    bytes_max: usize,
}

impl<R: BufRead> LineReader<R> {
    /// Creates a reader of `input`. A buffer of 64 KiB or more (`BufReader::with_capacity`) keeps
    /// long lines fast.
    pub(crate) fn new(input: R) -> Self {
        LineReader { input, line: Vec::new(), lines: 0, bytes_max: LINE_BYTES_MAX }
    }

    /// Sets another limit than [`LINE_BYTES_MAX`].
    #[cfg(test)]
    fn with_line_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Returns the next line that is not blank, without its end. Returns `None` at the end of
    /// input.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the input cannot be read; [`ErrorKind::Corrupt`] if it ends within a
    /// line, as when the other process is killed while it writes; [`ErrorKind::LimitExceeded`] if
    /// the line is over the limit.
    pub(crate) fn read(&mut self) -> Result<Option<&[u8]>, Error> {
        loop {
            self.line.clear();
            self.lines += 1;
            let limit = (self.bytes_max as u64).saturating_add(1);
            let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line);
            read.map_err(|error| {
                Error::new(ErrorKind::Io, "cannot read the messages").with_source(error)
            })?;
            if self.line.is_empty() {
                return Ok(None);
            }
            if self.line.last() != Some(&b'\n') {
                return Err(self.unfinished());
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(self.line.trim_ascii()));
            }
        }
    }

    /// Returns the number of the line read last, counted from 1.
    pub(crate) fn line_number(&self) -> u64 {
        self.lines
    }

    #[cold]
    fn unfinished(&self) -> Error {
        let at = format!("line {}", self.lines);
        if self.line.len() > self.bytes_max {
            return Error::new(
                ErrorKind::LimitExceeded,
                format!("the message is longer than {} bytes", self.bytes_max),
            )
            .at(at);
        }
        Error::new(
            ErrorKind::Corrupt,
            format!("the input ends within a message, after {} bytes of it", self.line.len()),
        )
        .at(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    fn lines(input: &str, bytes_max: usize) -> Result<Vec<String>, Error> {
        let mut reader = LineReader::new(BufReader::with_capacity(3, Cursor::new(input)))
            .with_line_bytes_max(bytes_max);
        let mut lines = Vec::new();
        while let Some(line) = reader.read()? {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
        Ok(lines)
    }

    #[test]
    fn blank_lines_are_skipped_and_line_ends_are_removed() {
        assert_eq!(lines("\n  \na\r\nbcdefgh\n\n", 10).unwrap(), ["a", "bcdefgh"]);
        assert_eq!(lines("", 10).unwrap(), [""; 0]);
    }

    #[test]
    fn an_end_within_a_line_and_a_line_over_the_limit_are_errors() {
        let error = lines("a\nbcd", 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(
            error.to_string(),
            "line 2: the input ends within a message, after 3 bytes of it"
        );
        assert_eq!(lines("abcd\n", 5).unwrap(), ["abcd"]);
        assert_eq!(lines("abcde\n", 4).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn a_line_of_tens_of_megabytes_is_read_in_one_pass() {
        let mut input = vec![b'x'; 40 << 20];
        input.push(b'\n');
        let mut reader = LineReader::new(BufReader::new(&input[..]));
        assert_eq!(reader.read().unwrap().unwrap().len(), 40 << 20);
        assert_eq!(reader.read().unwrap(), None);
    }
}
