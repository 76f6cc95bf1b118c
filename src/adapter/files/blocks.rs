//! From an input's bytes to blocks of whole records.
//!
//! A block is a few hundred kilobytes that end with a newline, as [`Block`]: rows point into it,
//! nothing is copied but the part of a record that the block's end cut off. Buffers go round: one
//! is taken again as soon as no row and no block points into it, by the thread that filled it
//! before. A record that does not fit the limit is dropped in constant memory, however long it is.

use crate::adapter::files::buffers::Buffers;
use crate::adapter::files::regular_file::Stretch;
use crate::adapter::files::source::Source;
use crate::error::Error;
use crate::formats::beginning::Beginning;
use crate::formats::csv;
use crate::formats::decode_error::DEAD_LETTER_BYTES_MAX;
use crate::formats::format::{BYTE_ORDER_MARK, without_byte_order_mark};
use crate::row::Block;

/// Bytes of a block unless a record is longer: within the second-level cache of any machine of the
/// last ten years.
pub(crate) const BLOCK_BYTES: usize = 128 << 10;
/// Where several threads work on blocks: each block costs them something to pass on.
pub(crate) const SHARED_BLOCK_BYTES: usize = 256 << 10;
/// A longer record is refused whatever the limit says: rows address their block with 32 bits.
const RECORD_BYTES_MAX: usize = 1 << 30;
/// Buffers that are kept to go round, for each thread that works on them.
pub(crate) const BUFFERS_PER_THREAD: usize = 4;

/// Where records end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// At each newline.
    Lines,
    /// At each newline outside of quotes.
    Csv {
        /// What separates fields.
        delimiter: u8,
    },
}

/// What the reader found next.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole records, each with its newline.
    Block(Block),
    /// Whole records that were found and not read.
    Unread(Unread),
    /// What is left when the input has ended: a last line without a newline, which it has been
    /// given, or records in a quote that is never closed.
    Tail(Block),
    /// A line, or the first line of a CSV record, that is longer than the limit, without its
    /// newline.
    TooLong {
        /// Its first bytes, at most [`DEAD_LETTER_BYTES_MAX`].
        head: Vec<u8>,
        /// All of its bytes, with the newline; 0 if the input ended before one.
        len: u64,
    },
}

/// A block whose place is known, to be read by whoever works on it.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    lines: Stretch,
    /// Bytes of a full block, which its buffer has room for.
    block_bytes: usize,
    make_block: fn(Vec<u8>) -> Block,
}

impl Unread {
    /// Bytes of the block.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses, or the file has become
    /// shorter.
    pub(super) fn read(&self, buffers: &mut Buffers) -> Result<Block, Error> {
        let mut bytes = buffers.take(self.block_bytes);
        bytes.truncate(self.lines.len());
        self.lines.read(&mut bytes)?;
        let block = (self.make_block)(bytes);
        buffers.keep(&block);
        Ok(block)
    }
}

/// Cuts an input into blocks.
pub(crate) struct BlockReader {
    source: Source,
    framing: Framing,
    make_block: fn(Vec<u8>) -> Block,
    block_bytes: usize,
    record_bytes_max: usize,
    /// Empty until the first bytes are read, and after a block was handed out.
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold input.
    filled: usize,
    /// Bytes of it that hold no newline, known from an earlier search.
    searched: usize,
    /// The input has ended, or failed.
    ended: bool,
    /// Why it failed; told once all that came before is handed out.
    failure: Option<Error>,
    started: bool,
    buffers: Buffers,
    /// What came after the last block's end, to begin the next one.
    rest: Vec<u8>,
    /// Bytes that count as read, and follow the last block, if that was found and not read: the
    /// source still stands where the last one that was read ended.
    behind: Option<usize>,
    bytes_decompressed: u64,
    /// Bytes of the tail as they were in the input.
    tail_bytes: u64,
}

impl BlockReader {
    pub(crate) fn new(source: Source, block_bytes: usize, record_bytes_max: usize) -> Self {
        BlockReader {
            source,
            framing: Framing::Lines,
            make_block: Block::from_vec,
            block_bytes: block_bytes.max(64),
            record_bytes_max: record_bytes_max.min(RECORD_BYTES_MAX),
            buffer: Vec::new(),
            filled: 0,
            searched: 0,
            ended: false,
            failure: None,
            started: false,
            buffers: Buffers::new(BUFFERS_PER_THREAD),
            rest: Vec::new(),
            behind: None,
            bytes_decompressed: 0,
            tail_bytes: 0,
        }
    }

    pub(crate) fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Has blocks made otherwise than by [`Block::from_vec`].
    pub(crate) fn set_make_block(&mut self, make_block: fn(Vec<u8>) -> Block) {
        self.make_block = make_block;
    }

    /// Keeps as many buffers as this number of threads needs.
    pub(crate) fn keep_buffers(&mut self, threads: usize) {
        self.buffers = Buffers::new(threads.saturating_mul(BUFFERS_PER_THREAD));
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The longest record that is let through, in bytes.
    pub(crate) fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// Bytes read so far, after decompression.
    pub(crate) fn bytes_decompressed(&self) -> u64 {
        self.bytes_decompressed
    }

    /// Bytes of the tail as they were in the input, once it was handed out.
    pub(crate) fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    /// The first bytes of the input that have come, without a byte order mark, to recognise its
    /// format and read its header. They are not taken.
    ///
    /// # Errors
    /// The input's, if nothing at all can be read.
    pub(crate) fn peek(&mut self) -> Result<Beginning<'_>, Error> {
        if !self.started {
            self.started = true;
            let marked = self.byte_order_mark();
            self.drop_front(marked);
        }
        if self.filled == 0
            && let Some(error) = self.failure.take()
        {
            return Err(error);
        }
        Ok(Beginning::of(&self.buffer[..self.filled], self.ended))
    }

    /// Reads more of the first bytes: what has come, or the next part of a file.
    pub(crate) fn peek_more(&mut self) {
        self.fill();
    }

    /// Bytes of the byte order mark in front.
    fn byte_order_mark(&mut self) -> usize {
        self.fill();
        while !self.ended
            && BYTE_ORDER_MARK.starts_with(&self.buffer[..self.filled])
            && self.filled < BYTE_ORDER_MARK.len()
        {
            self.fill();
        }
        self.filled - without_byte_order_mark(&self.buffer[..self.filled]).len()
    }

    /// Whether the first bytes are all there is.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes the first bytes away, such as a header.
    pub(crate) fn drop_front(&mut self, len: usize) {
        self.buffer.copy_within(len..self.filled, 0);
        self.filled -= len;
        self.searched = 0;
    }

    /// The next block, or `None` at the end.
    ///
    /// # Errors
    /// Those of reading and decompressing. Whole records read before the error have been handed
    /// out.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Error> {
        if self.buffer.is_empty() {
            self.begin_block();
        }
        self.peek()?;
        loop {
            let cut = self.cut();
            if cut.end > 0 {
                return Ok(Some(Piece::Block(self.hand_out(cut.end))));
            }
            if cut.too_long {
                return Ok(Some(self.drop_line()));
            }
            match self.failure.take() {
                Some(error) => return Err(error),
                None if self.ended => return Ok(self.tail()),
                None => self.fill(),
            }
        }
    }

    /// The next block, found without being read; `None` where it is to be read by
    /// [`next`](BlockReader::next): unless the input is a regular file that is not compressed, and
    /// one record is a line. Blocks, and the counts of what has been read with them, are those of
    /// `next`.
    pub(crate) fn find_next(&mut self) -> Option<Unread> {
        let file = self.source.regular_file()?;
        let behind = self.behind.unwrap_or(0) + self.rest.len();
        let between = self.started && !self.ended && self.buffer.is_empty();
        if !between
            || self.framing != Framing::Lines
            || behind >= self.block_bytes
            || behind > self.record_bytes_max
        {
            return None;
        }
        let from = self.bytes_decompressed.checked_sub(behind as u64)?;
        let lines = file.lines(from, self.block_bytes)?;
        self.bytes_decompressed = from + self.block_bytes as u64;
        self.source.count_as_read(self.bytes_decompressed);
        self.behind = Some(self.block_bytes - lines.len());
        self.rest.clear();
        Some(Unread { lines, block_bytes: self.block_bytes, make_block: self.make_block })
    }

    fn cut(&mut self) -> csv::Cut {
        let bytes = &self.buffer[..self.filled];
        let fresh = memchr::memrchr(b'\n', &bytes[self.searched.min(self.filled)..]);
        let cut = match (self.framing, fresh) {
            (_, None) => csv::Cut { end: 0, too_long: self.filled > self.record_bytes_max },
            (Framing::Lines, Some(at)) => csv::Cut { end: self.searched + at + 1, too_long: false },
            (Framing::Csv { delimiter }, Some(_)) => {
                csv::cut(bytes, delimiter, self.record_bytes_max)
            }
        };
        self.searched = if cut.end == 0 && !cut.too_long { self.filled } else { 0 };
        cut
    }

    fn tail(&mut self) -> Option<Piece> {
        if self.filled == 0 {
            return None;
        }
        self.tail_bytes = self.filled as u64;
        if self.buffer[self.filled - 1] != b'\n' {
            if self.filled == self.buffer.len() {
                self.grow();
            }
            self.buffer[self.filled] = b'\n';
            self.filled += 1;
        }
        Some(Piece::Tail(self.hand_out(self.filled)))
    }

    /// Gives the first `len` bytes away as a block and keeps the rest for the next one.
    fn hand_out(&mut self, len: usize) -> Block {
        self.rest.clear();
        self.rest.extend_from_slice(&self.buffer[len..self.filled]);
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.truncate(len);
        let block = (self.make_block)(bytes);
        (self.filled, self.searched) = (0, 0);
        self.buffers.keep(&block);
        block
    }

    /// Takes a buffer that begins with the rest of the last one. Not before it is filled, as
    /// another thread may do that.
    fn begin_block(&mut self) {
        if let Some(behind) = self.behind.take()
            && let Err(error) = self.read_rest(behind)
        {
            (self.failure, self.ended) = (Some(error), true);
        }
        self.filled = self.rest.len();
        self.buffer = self.buffers.take(self.block_bytes.max(self.filled + 1));
        self.buffer[..self.filled].copy_from_slice(&self.rest);
    }

    /// Reads so many bytes, the rest of a block that was found, and goes on behind them.
    #[cold]
    fn read_rest(&mut self, behind: usize) -> Result<(), Error> {
        let Some(file) = self.source.regular_file() else { return Ok(()) };
        let mut rest = vec![0; behind];
        file.read_at(self.bytes_decompressed.saturating_sub(behind as u64), &mut rest)?;
        self.rest = rest;
        file.go_to(self.bytes_decompressed)
    }

    /// Reads until the buffer is full or the input ends; from a pipe, until something has come.
    fn fill(&mut self) {
        if self.filled == self.buffer.len() {
            self.grow();
        }
        while self.filled < self.buffer.len() {
            let len = match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(len) => len,
                Err(error) => {
                    self.failure = Some(error);
                    0
                }
            };
            self.filled += len;
            self.bytes_decompressed += len as u64;
            if len == 0 {
                self.ended = true;
                break;
            }
            if self.source.is_interactive() {
                break;
            }
        }
    }

    /// Doubles the buffer. It ends soon after the longest record allowed: beyond it the record is
    /// dropped.
    fn grow(&mut self) {
        let len = (self.buffer.len() * 2)
            .clamp(self.block_bytes, self.record_bytes_max.saturating_add(2 * self.block_bytes));
        self.buffer.resize(len.max(self.filled + 1), 0);
    }

    /// Drops the first line, which belongs to a record that is too long, in constant memory.
    fn drop_line(&mut self) -> Piece {
        let (mut head, mut len) = (Vec::new(), 0);
        loop {
            let newline = memchr::memchr(b'\n', &self.buffer[..self.filled]);
            let dropped = &self.buffer[..newline.unwrap_or(self.filled)];
            head.extend_from_slice(
                &dropped[..dropped.len().min(DEAD_LETTER_BYTES_MAX - head.len())],
            );
            let front = newline.map_or(self.filled, |at| at + 1);
            len += front as u64;
            self.drop_front(front);
            if newline.is_some() {
                break;
            }
            if self.ended {
                len = 0;
                break;
            }
            // The buffer has grown with the record; the rest of the line passes through a small
            // one.
            self.buffer.truncate(self.block_bytes);
            self.fill();
        }
        Piece::TooLong { head, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::files::source::Input;
    use crate::limits::Limits;

    #[test]
    fn a_thread_fills_the_buffers_that_it_filled_before() {
        let lines = b"a line\n".repeat(1000);
        let source = Input::from_reader("lines", std::io::Cursor::new(lines))
            .open(&Limits::default())
            .unwrap();
        let mut reader = BlockReader::new(source, 700, 1000);
        let mut buffer = || match reader.next() {
            Ok(Some(Piece::Block(block))) => block.as_bytes().as_ptr() as usize,
            other => panic!("{other:?}"),
        };
        let ours = buffer();
        assert_eq!(buffer(), ours);
        let [theirs, again] =
            std::thread::scope(|scope| scope.spawn(|| [buffer(), buffer()]).join().unwrap());
        assert_ne!(theirs, ours, "that is in the first thread's cache");
        assert_eq!(again, theirs);
        assert_eq!(buffer(), ours);
    }
}
