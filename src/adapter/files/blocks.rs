//! Cuts an input into blocks of whole records.
//!
//! A [`Block`] has a few hundred kilobytes and ends with a newline. Rows point into it; only the
//! part of a record that the end of a block cut off is copied. Buffers are reused: as soon as no
//! row and no block points into one, the thread that filled it fills it again. A record over the
//! limit is dropped in constant memory, whatever its length.

use crate::adapter::files::buffers::Buffers;
use crate::adapter::files::regular_file::FileRange;
use crate::adapter::files::source::Source;
use crate::error::Error;
use crate::formats::beginning::Beginning;
use crate::formats::conversion::{Conversion, Utf16Text};
use crate::formats::csv;
use crate::formats::csv_dialect::CsvSyntax;
use crate::formats::decode_error::DEAD_LETTER_BYTES_MAX;
use crate::formats::format::{BYTE_ORDER_MARK, without_byte_order_mark};
use crate::row::Block;

/// Bytes of a block, unless a record is longer. A block fits into the second-level cache of any
/// machine of the last ten years.
pub(crate) const BLOCK_BYTES: usize = 128 << 10;
/// The same for several threads: passing a block to another thread has a cost.
pub(crate) const SHARED_BLOCK_BYTES: usize = 256 << 10;
/// Maximum bytes of a record whatever the limit says: rows address their block with 32 bits.
const RECORD_BYTES_MAX: usize = 1 << 30;
/// Buffers kept for each thread that works on blocks.
pub(crate) const BUFFERS_PER_THREAD: usize = 4;

/// How records end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// At each newline.
    Lines,
    /// At each newline that is not in quotes.
    Csv {
        /// What separates and quotes fields.
        syntax: CsvSyntax,
    },
}

/// The next part of an input.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole records, each with its newline.
    Block(Block),
    /// Whole records that were located but not read.
    Unread(Unread),
    /// The rest at the end of the input: a last line without a newline, which is added, or records
    /// in a quote that is never closed.
    Tail(Block),
    /// A line, or the first line of a CSV record, that is over the limit, without its newline.
    TooLong {
        /// Its first bytes, at most [`DEAD_LETTER_BYTES_MAX`].
        head: Vec<u8>,
        /// All bytes of the line, with the newline; 0 if the input ended before a newline.
        len: u64,
    },
}

/// A block that was located, and is read later by the thread that works on it.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    lines: FileRange,
    /// Bytes of a full block, the capacity of its buffer.
    block_bytes: usize,
    make_block: fn(Vec<u8>) -> Block,
}

impl Unread {
    /// Returns the bytes of the block.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Reads the block.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system reports an error, or the file has
    /// become shorter.
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
    /// Empty before the first read, and after a block was returned.
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold input.
    filled: usize,
    /// Bytes of the buffer that contain no newline, known from an earlier search.
    searched: usize,
    /// True if the input has ended or failed.
    ended: bool,
    /// True if the input may grow after its end.
    grows: bool,
    /// The first bytes of a line over the limit whose end has not come yet, and its length so far.
    dropping: Option<(Vec<u8>, u64)>,
    /// Why the input failed; reported after all blocks before the failure.
    failure: Option<Error>,
    started: bool,
    buffers: Buffers,
    /// The bytes after the end of the last block: the beginning of the next one.
    rest: Vec<u8>,
    /// Bytes counted as read after the last block, if that block was located but not read. The
    /// source is still at the end of the last block that was read.
    behind: Option<usize>,
    bytes_decompressed: u64,
    /// Bytes of the tail in the input.
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
            grows: false,
            dropping: None,
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

    /// Sets another constructor of blocks than [`Block::from_vec`].
    pub(crate) fn set_make_block(&mut self, make_block: fn(Vec<u8>) -> Block) {
        self.make_block = make_block;
    }

    /// Sets whether the input may grow. At the end of one that may, [`next`](BlockReader::next)
    /// returns `None`, keeps a record without its end, and continues when it is called again.
    pub(crate) fn set_grows(&mut self, grows: bool) {
        self.grows = grows;
    }

    /// Ends the input where it was read last. What was read is the last record.
    pub(crate) fn end(&mut self) {
        (self.grows, self.ended) = (false, true);
    }

    /// Keeps enough buffers for this number of threads.
    pub(crate) fn keep_buffers(&mut self, threads: usize) {
        self.buffers = Buffers::new(threads.saturating_mul(BUFFERS_PER_THREAD));
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the maximum bytes of a record.
    pub(crate) fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// Returns the bytes read so far, after decompression.
    pub(crate) fn bytes_decompressed(&self) -> u64 {
        self.bytes_decompressed
    }

    /// Returns the bytes of the tail in the input, after the tail was returned.
    pub(crate) fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    /// Returns the first bytes of the input, without a byte order mark, for the detection of the
    /// format and the header. They are not consumed.
    ///
    /// # Errors
    /// The error of the input, if it gives no byte at all.
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

    /// Reads more of the first bytes: the bytes that have arrived, or the next part of a file.
    pub(crate) fn peek_more(&mut self) {
        self.fill();
    }

    /// Converts the input from its beginning on. Only bytes that were peeked have been read.
    pub(crate) fn convert(&mut self, conversion: Conversion) {
        self.source.convert(conversion, &self.buffer[..self.filled]);
        (self.filled, self.searched, self.ended, self.bytes_decompressed) = (0, 0, false, 0);
        let failure = self.failure.take();
        self.fill();
        if self.ended && self.failure.is_none() {
            self.failure = failure;
        }
    }

    /// Returns the length of the byte order mark at the beginning. Text in UTF-16 is converted.
    fn byte_order_mark(&mut self) -> usize {
        self.fill();
        while !self.ended && self.filled < 4 && matches!(self.buffer[0], 0xfe | 0xff) {
            self.fill();
        }
        if let Some(text) = Utf16Text::of_mark(&self.buffer[..self.filled]) {
            self.convert(Conversion::Utf16(text));
        }
        while !self.ended
            && BYTE_ORDER_MARK.starts_with(&self.buffer[..self.filled])
            && self.filled < BYTE_ORDER_MARK.len()
        {
            self.fill();
        }
        self.filled - without_byte_order_mark(&self.buffer[..self.filled]).len()
    }

    /// Returns true if the first bytes are all bytes of the input.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Removes the first bytes, for example a header.
    pub(crate) fn drop_front(&mut self, len: usize) {
        self.buffer.copy_within(len..self.filled, 0);
        self.filled -= len;
        self.searched = 0;
    }

    /// Returns the next block, or `None` at the end.
    ///
    /// # Errors
    /// Errors of reading and decompressing. All whole records before the error have been returned.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Error> {
        if self.buffer.is_empty() {
            self.begin_block();
        }
        self.peek()?;
        if self.grows {
            // Bytes may have come since the end was met.
            self.ended = false;
        }
        if self.dropping.is_some() {
            return Ok(self.drop_line());
        }
        loop {
            let cut = self.cut();
            if cut.end > 0 {
                return Ok(Some(Piece::Block(self.hand_out(cut.end))));
            }
            if cut.too_long {
                return Ok(self.drop_line());
            }
            match self.failure.take() {
                Some(error) => return Err(error),
                None if self.ended && self.grows => return Ok(None),
                None if self.ended => return Ok(self.tail()),
                None => self.fill(),
            }
        }
    }

    /// Locates the next block without reading it. Only for regular files without compression in
    /// which each line is a record; otherwise returns `None`, and [`next`](BlockReader::next) must
    /// be used. The blocks and the counts of bytes are those of `next`.
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
            (Framing::Csv { syntax }, Some(_)) => csv::cut(bytes, syntax, self.record_bytes_max),
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

    /// Returns the first `len` bytes as a block, and keeps the rest for the next one.
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

    /// Takes a buffer that begins with the rest of the last one. It is not filled here, because
    /// another thread may fill it.
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

    /// Reads the rest of a located block, up to `behind` bytes, and continues after it.
    #[cold]
    fn read_rest(&mut self, behind: usize) -> Result<(), Error> {
        let Some(file) = self.source.regular_file() else { return Ok(()) };
        let mut rest = vec![0; behind];
        file.read_at(self.bytes_decompressed.saturating_sub(behind as u64), &mut rest)?;
        self.rest = rest;
        file.go_to(self.bytes_decompressed)
    }

    /// Reads until the buffer is full or the input ends; from a pipe, until some bytes have
    /// arrived.
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

    /// Doubles the buffer. The limit is soon after the longest record: a longer record is dropped.
    fn grow(&mut self) {
        let len = (self.buffer.len() * 2)
            .clamp(self.block_bytes, self.record_bytes_max.saturating_add(2 * self.block_bytes));
        self.buffer.resize(len.max(self.filled + 1), 0);
    }

    /// Drops the first line, part of a record over the limit, in constant memory. Returns `None` if
    /// its end has not come yet, in an input that may grow.
    fn drop_line(&mut self) -> Option<Piece> {
        let (mut head, mut len) = self.dropping.take().unwrap_or_default();
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
            if self.ended && self.grows {
                self.dropping = Some((head, len));
                return None;
            }
            if self.ended {
                len = 0;
                break;
            }
            // The buffer has grown with the record; a small buffer is enough for the rest of the
            // line.
            self.buffer.truncate(self.block_bytes);
            self.fill();
        }
        Some(Piece::TooLong { head, len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::files::source::Input;
    use crate::limits::Limits;

    #[test]
    fn a_thread_reuses_its_own_buffers() {
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
