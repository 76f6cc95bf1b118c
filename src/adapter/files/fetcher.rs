//! Fetches an input piece by piece, from the offset at which an earlier run stopped.

use crate::adapter::files::blocks::{BlockReader, Piece, Unread};
use crate::adapter::files::buffers::Buffers;
use crate::error::{Error, ErrorKind};
use crate::formats::decode::{Decoder, Framing, Records};
use crate::formats::w3c::DIRECTIVE;
use crate::row::Block;

/// A piece of an input, and the offset of its end.
pub(super) struct Fetched {
    pub(super) piece: Result<Piece, Error>,
    /// How its records end.
    pub(super) framed: Framing,
    /// Start of the first record in the block that was not read before.
    pub(super) from: usize,
    /// Lines skipped since the previous piece.
    pub(super) passed_lines: u64,
    /// Bytes of the input, decompressed, up to the end of the piece; for a tail, up to its
    /// beginning.
    pub(super) offset: u64,
    pub(super) bytes_read: u64,
    pub(super) bytes_decompressed: u64,
}

impl Fetched {
    /// Returns the piece if it was only located.
    pub(super) fn unread(&self) -> Option<&Unread> {
        match &self.piece {
            Ok(Piece::Unread(unread)) => Some(unread),
            _ => None,
        }
    }

    /// Reads the piece if it was only located.
    pub(super) fn read(&mut self, buffers: &mut Buffers) {
        if let Some(unread) = self.unread() {
            self.piece = unread.read(buffers).map(Piece::Block);
        }
    }

    /// Returns the records of the piece in this block.
    pub(super) fn records<'a>(&self, block: &'a Block) -> Records<'a> {
        Records { block, from: self.from, framed: self.framed }
    }
}

/// Fetches an input piece by piece, and skips the records that an earlier run has read.
pub(super) struct Fetcher {
    reader: BlockReader,
    header: bool,
    /// True if lines that are no records change how later ones are decoded.
    directives: bool,
    /// The last such line that was passed over.
    directive: Option<Vec<u8>>,
    offset: u64,
    resume_at: u64,
}

impl Fetcher {
    /// Fetches the input after `resume_at` bytes, for this decoder.
    pub(super) fn new(reader: BlockReader, decoder: &Decoder, resume_at: u64) -> Self {
        let (header, directives) = (decoder.has_header(), decoder.has_directives());
        Fetcher { reader, header, directives, directive: None, offset: 0, resume_at }
    }

    /// Returns the last line that names columns among those that were passed over, once.
    pub(super) fn passed_directive(&mut self) -> Option<Vec<u8>> {
        self.directive.take()
    }

    pub(super) fn reader(&mut self) -> &mut BlockReader {
        &mut self.reader
    }

    /// Returns the bytes of the input, decompressed, of all pieces so far except the tail.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Like [`next`](Fetcher::next), but a block may be only located, to be read by the thread that
    /// works on it.
    pub(super) fn find_next(&mut self) -> Option<Fetched> {
        let found = if self.offset >= self.resume_at { self.reader.find_next() } else { None };
        let Some(unread) = found else { return self.next() };
        self.offset += unread.len() as u64;
        Some(self.fetched(Ok(Piece::Unread(unread)), 0, 0))
    }

    /// Returns the next piece. Returns `None` at the end of the input.
    pub(super) fn next(&mut self) -> Option<Fetched> {
        let mut passed_lines = 0;
        loop {
            let piece = self.reader.next();
            let before = self.offset;
            let from = match &piece {
                // A line without an end that was counted before, because another file came after
                // it.
                Ok(Some(Piece::Tail(_)))
                    if before < self.resume_at
                        && before + self.reader.tail_bytes() == self.resume_at =>
                {
                    self.offset = self.resume_at;
                    return None;
                }
                Ok(None) | Ok(Some(Piece::Tail(_))) if before < self.resume_at => {
                    return Some(self.fetched(Err(self.is_shorter()), passed_lines, 0));
                }
                Ok(Some(Piece::Block(block))) => {
                    let bytes = block.as_bytes();
                    self.offset += bytes.len() as u64;
                    let passed = usize::try_from(self.resume_at.saturating_sub(before))
                        .map_or(bytes.len(), |passed| passed.min(bytes.len()));
                    passed_lines += memchr::memchr_iter(b'\n', &bytes[..passed]).count() as u64;
                    if self.directives {
                        let last = last_directive(&bytes[..passed]);
                        self.directive = last.map(<[u8]>::to_vec).or(self.directive.take());
                    }
                    passed
                }
                Ok(Some(Piece::TooLong { len, .. })) => {
                    self.offset += len;
                    passed_lines += u64::from(before < self.resume_at);
                    0
                }
                _ => 0,
            };
            // A header is in the first skipped piece.
            self.header &= before >= self.resume_at || self.resume_at == 0;
            match piece.transpose()? {
                Ok(Piece::Block(_) | Piece::TooLong { .. })
                    if before < self.resume_at && self.offset <= self.resume_at => {}
                piece => return Some(self.fetched(piece, passed_lines, from)),
            }
        }
    }

    fn fetched(&mut self, piece: Result<Piece, Error>, passed_lines: u64, from: usize) -> Fetched {
        let (bytes_read, bytes_decompressed) =
            (self.reader.source().bytes_read(), self.reader.bytes_decompressed());
        let framed = Framing {
            header: std::mem::take(&mut self.header),
            record_bytes_max: self.reader.record_bytes_max(),
        };
        Fetched {
            piece,
            framed,
            from,
            passed_lines,
            offset: self.offset,
            bytes_read,
            bytes_decompressed,
        }
    }

    #[cold]
    fn is_shorter(&self) -> Error {
        let (offset, resume_at) = (self.offset, self.resume_at);
        let message = format!(
            "the input ends after {offset} bytes, but an earlier run had read {resume_at}: \
            it is not the same file; a file may only grow"
        );
        Error::new(ErrorKind::Mismatch, message).at(self.reader.source().name())
    }
}

/// Returns the last line that names columns.
fn last_directive(lines: &[u8]) -> Option<&[u8]> {
    let lines = memchr::memmem::rfind_iter(lines, DIRECTIVE)
        .map(|at| (at, &lines[at..]))
        .find(|(at, _)| *at == 0 || lines[at - 1] == b'\n')?
        .1;
    Some(&lines[..memchr::memchr(b'\n', lines).unwrap_or(lines.len())])
}
