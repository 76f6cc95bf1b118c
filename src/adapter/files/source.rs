//! Inputs and their bytes: opened, decompressed, counted.
//!
//! gzip (RFC 1952, any number of members) and zstd (RFC 8878, any number of frames) are recognised
//! by their first bytes, never by the file's name. Everything streams: memory does not depend on
//! the size of a file or on its compression ratio. A zstd frame may need a window of at most
//! [`Limits::zstd_window_log_max`].

use crate::adapter::files::compression::{OtherCompression, check_zip};
use crate::adapter::files::regular_file::{RegularFile, became_shorter};
use crate::error::{Error, ErrorKind};
use crate::formats::conversion::Conversion;
use crate::formats::format::Format;
use crate::limits::Limits;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The window sizes that zstd can be told to accept, as powers of two.
const ZSTD_WINDOW_LOGS: std::ops::RangeInclusive<u32> =
    10..=if usize::BITS == 32 { 30 } else { 31 };
/// Bytes that tell a compression for certain.
const HEAD_BYTES: u64 = 10;
/// The longest header of a zstd frame, in bytes.
const ZSTD_HEADER_BYTES: u64 = 18;
/// Bytes read at a time from a compressed file.
const COMPRESSED_BUFFER_BYTES: usize = 128 << 10;
/// Bytes converted at a time.
const CONVERTED_BUFFER_BYTES: usize = 32 << 10;

/// One input: one shard of the stream.
#[non_exhaustive]
pub enum Input {
    /// A file, or anything else that can be opened by a path and read to its end, such as a pipe.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// Any reader, with a name for errors and dead letters.
    Reader {
        /// The name.
        name: String,
        /// The bytes, compressed or not.
        reader: Box<dyn Read + Send>,
    },
}

impl Input {
    /// Returns the input of a command-line argument. `-` is standard input.
    pub fn from_argument(argument: impl Into<PathBuf>) -> Input {
        let path = argument.into();
        if path == Path::new("-") { Input::Stdin } else { Input::Path(path) }
    }

    /// Creates an input from a reader.
    pub fn from_reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Input {
        Input::Reader { name: name.into(), reader: Box::new(reader) }
    }

    /// Returns the name for errors, dead letters and shards: the path as given, or `stdin`.
    pub fn name(&self) -> String {
        match self {
            Input::Path(path) => path.display().to_string(),
            Input::Stdin => "stdin".to_owned(),
            Input::Reader { name, .. } => name.clone(),
        }
    }

    /// Returns the size of a regular file on disk. Returns `None` for other inputs, or if it cannot
    /// be determined.
    pub fn size_bytes(&self) -> Option<u64> {
        match self {
            Input::Path(path) => {
                path.metadata().ok().filter(|found| found.is_file()).map(|found| found.len())
            }
            _ => None,
        }
    }

    /// Checks that the input can be read, without consuming anything: a regular file is opened and
    /// closed; a pipe can be opened only once, so its metadata is read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Input::Path(path) = self else { return Ok(()) };
        let found = path.metadata().map_err(|error| unreadable(path, error))?;
        if found.is_dir() {
            return Err(Error::new(
                ErrorKind::Io,
                format!("{}: is a directory, not a file", path.display()),
            ));
        }
        if found.is_file() {
            File::open(path).map_err(|error| unreadable(path, error))?;
        }
        Ok(())
    }

    /// Opens the input.
    pub(crate) fn open(self, limits: &Limits) -> Result<Source, Error> {
        let name = self.name();
        match self {
            Input::Path(path) => Source::of_path(name, &path, limits),
            Input::Stdin => Source::new(name, Box::new(io::stdin()), limits),
            Input::Reader { reader, .. } => Source::new(name, reader, limits),
        }
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{}: cannot be read", path.display())).with_source(error)
}

/// An input that was opened for reading.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened<'a> {
    /// The file; `None` if it is not a regular file.
    pub file: Option<&'a File>,
    /// True if the file is read as it is, without decompression or decoding.
    pub is_plain: bool,
    /// The format; [`Format::Auto`] if the input has no record yet.
    pub format: Format,
}

/// The decompressed bytes of an input.
pub(crate) struct Source {
    name: String,
    reader: Decompressed,
    /// The file behind the reader, if it is a regular one.
    file: Option<File>,
    /// The same file, if it is not compressed.
    regular_file: Option<Arc<RegularFile>>,
    bytes_read: Arc<AtomicU64>,
    /// True if a read may return fewer bytes than requested although more may come later, as from a
    /// pipe. Bytes that have arrived are then processed at once.
    interactive: bool,
    /// What makes lines of UTF-8 of the bytes, if they are not.
    converted: Option<Box<Converted>>,
    /// The size of a regular file when it was opened. It has at least these bytes unless it is cut.
    size_bytes: u64,
}

/// A conversion, and what it has made of the input so far.
struct Converted {
    conversion: Conversion,
    /// An earlier conversion, which gives this one its bytes.
    before: Option<Box<Converted>>,
    bytes: Vec<u8>,
    /// Bytes of these that were read.
    at: usize,
    has_ended: bool,
    /// A buffer for bytes that are to be converted.
    raw: Vec<u8>,
}

impl Converted {
    fn read(
        &mut self,
        buffer: &mut [u8],
        read_raw: &mut dyn FnMut(&mut [u8]) -> Result<usize, Error>,
    ) -> Result<usize, Error> {
        while self.at == self.bytes.len() && !self.has_ended && !buffer.is_empty() {
            (self.at, self.has_ended) = (0, false);
            self.bytes.clear();
            self.raw.resize(CONVERTED_BUFFER_BYTES, 0);
            let len = match &mut self.before {
                Some(before) => before.read(&mut self.raw, &mut *read_raw)?,
                None => read_raw(&mut self.raw)?,
            };
            self.conversion.convert(&self.raw[..len], &mut self.bytes);
            if len == 0 {
                self.has_ended = true;
                self.conversion.finish(&mut self.bytes);
            }
        }
        let ready = &self.bytes[self.at..];
        let len = ready.len().min(buffer.len());
        buffer[..len].copy_from_slice(&ready[..len]);
        self.at += len;
        Ok(len)
    }
}

enum Decompressed {
    Plain(Raw),
    Gzip(Box<Gzip>),
    Zstd(Box<Zstd>),
    /// Another compression, by its name.
    Other(&'static str, Box<dyn Read + Send>),
}

/// zstd frames, one after the other.
struct Zstd {
    decoder: zstd::stream::read::Decoder<'static, BufReader<Raw>>,
    /// The window of the first frame in bytes, if it has one.
    window: Option<u64>,
    /// The maximum window, as a power of two.
    log_max: u32,
}

impl Zstd {
    /// Returns the error of a failed decompression.
    #[cold]
    fn failed(&self, name: &str, error: io::Error) -> Error {
        if !error.to_string().contains("too much memory") {
            return damaged(name, "zstd", error);
        }
        let limit = 1_u64 << self.log_max;
        let wanted = self.window.filter(|window| *window > limit);
        let asked = wanted.map_or_else(
            || "a larger window than".to_owned(),
            |window| format!("a window of {} MiB, over", window >> 20),
        );
        let log = wanted.map_or(31, |window| 64 - (window - 1).leading_zeros());
        let message = format!(
            "{name}: the zstd data asks for {asked} the limit of {} MiB: --zstd-window-log-max \
             {log} lets it through, as does \
             zstd -dc --long={log} FILE | streamgauge run",
            limit >> 20
        );
        Error::new(ErrorKind::LimitExceeded, message)
    }
}

/// The bytes on disk: those that were read to recognise the compression, then the rest.
type Raw = io::Chain<io::Cursor<Vec<u8>>, Counted>;

struct Counted {
    inner: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

impl Source {
    /// Opens the file at a path.
    pub(crate) fn of_path(name: String, path: &Path, limits: &Limits) -> Result<Source, Error> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        Source::of_file(name, file, limits)
    }

    /// Reads an open file from its own offset on.
    pub(crate) fn of_file(name: String, file: File, limits: &Limits) -> Result<Source, Error> {
        let found = file.metadata().ok().filter(|found| found.is_file());
        let regular = found.is_some();
        if regular {
            check_zip(&file, &name)?;
        }
        // It shares the offset of the file with the reader.
        let regular_file = file
            .try_clone()
            .ok()
            .filter(|_| regular)
            .map(|file| Arc::new(RegularFile::new(name.clone(), file)));
        let clone = file.try_clone().ok().filter(|_| regular);
        let mut source = Source::new(name, Box::new(file), limits)?;
        source.interactive = !regular;
        source.file = clone;
        source.size_bytes = found.map_or(0, |found| found.len());
        source.regular_file =
            regular_file.filter(|_| matches!(source.reader, Decompressed::Plain(_)));
        Ok(source)
    }

    fn new(name: String, inner: Box<dyn Read + Send>, limits: &Limits) -> Result<Source, Error> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let mut counted = Counted { inner, bytes_read: bytes_read.clone() };
        let mut head = Vec::with_capacity(HEAD_BYTES as usize);
        let mut looked_at = counted.by_ref().take(4).read_to_end(&mut head);
        let may_be_other = matches!(&head[..], [0xfd, b'7', ..] | [b'B', b'Z', b'h', _]);
        if may_be_other {
            let rest = counted.by_ref().take(HEAD_BYTES - 4).read_to_end(&mut head);
            looked_at = looked_at.and(rest);
        }
        let (gzip, zstd) = (is_gzip(&head), is_zstd(&head));
        if zstd {
            looked_at = looked_at
                .and_then(|_| counted.by_ref().take(ZSTD_HEADER_BYTES - 4).read_to_end(&mut head));
        }
        looked_at.map_err(|error| {
            Error::new(ErrorKind::Io, format!("{name}: cannot be read")).with_source(error)
        })?;
        let window = zstd_window(&head);
        let other = OtherCompression::of(&head);
        let raw = io::Cursor::new(head).chain(counted);
        let buffered = |raw| BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, raw);
        let reader = match (gzip, zstd) {
            (true, _) => Decompressed::Gzip(Box::new(Gzip::new(buffered(raw)))),
            (_, true) => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered(raw))
                    .map_err(|error| damaged(&name, "zstd", error))?;
                let log_max = limits
                    .zstd_window_log_max
                    .clamp(*ZSTD_WINDOW_LOGS.start(), *ZSTD_WINDOW_LOGS.end());
                decoder.window_log_max(log_max).map_err(|error| damaged(&name, "zstd", error))?;
                Decompressed::Zstd(Box::new(Zstd { decoder, window, log_max }))
            }
            _ => match other {
                Some(other) => Decompressed::Other(
                    other.name(),
                    other.reader(buffered(raw), limits.zstd_window_log_max),
                ),
                None => Decompressed::Plain(raw),
            },
        };
        Ok(Source {
            name,
            reader,
            file: None,
            regular_file: None,
            bytes_read,
            interactive: true,
            converted: None,
            size_bytes: 0,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Returns the bytes read from the input so far, before decompression.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Returns the file, if any range of it can be read without the ranges before it.
    pub(crate) fn regular_file(&self) -> Option<&Arc<RegularFile>> {
        self.regular_file.as_ref()
    }

    /// Sets that the input may be cut without an error, because its reader looks for that.
    pub(crate) fn allow_cuts(&mut self) {
        self.size_bytes = 0;
    }

    /// Returns the opened input, in this format.
    pub(crate) fn opened(&self, format: Format) -> Opened<'_> {
        Opened { file: self.file.as_ref(), is_plain: self.regular_file.is_some(), format }
    }

    /// Sets the bytes of the regular file that have been read in all, some of them by other
    /// threads.
    pub(crate) fn count_as_read(&self, bytes: u64) {
        self.bytes_read.store(bytes, Ordering::Relaxed);
    }

    /// Reads some decompressed bytes. Returns 0 at the end.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for compressed data that is damaged or ends early,
    /// [`ErrorKind::LimitExceeded`] for a zstd window over the limit, [`ErrorKind::Io`] if the
    /// system reports an error.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(mut converted) = self.converted.take() else { return self.read_raw(buffer) };
        let read = converted.read(buffer, &mut |raw| self.read_raw(raw));
        self.converted = Some(converted);
        read
    }

    /// Converts the input from now on, beginning with bytes that were read already.
    pub(crate) fn convert(&mut self, conversion: Conversion, read: &[u8]) {
        let mut converted = Converted {
            conversion,
            before: self.converted.take(),
            bytes: Vec::new(),
            at: 0,
            has_ended: false,
            raw: Vec::new(),
        };
        converted.conversion.convert(read, &mut converted.bytes);
        self.converted = Some(Box::new(converted));
        // Its bytes are other ones than those of the file.
        self.regular_file = None;
    }

    fn read_raw(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            let result = match &mut self.reader {
                Decompressed::Plain(raw) => raw.read(buffer),
                Decompressed::Gzip(gzip) => gzip.read(buffer),
                Decompressed::Zstd(zstd) => zstd.decoder.read(buffer),
                Decompressed::Other(_, decoder) => decoder.read(buffer),
            };
            match result {
                Ok(0) if !buffer.is_empty() && self.is_cut() => {
                    return Err(became_shorter(&self.name));
                }
                Ok(len) => return Ok(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Returns true if a regular file has ended before the size that it had when it was opened.
    fn is_cut(&self) -> bool {
        matches!(self.reader, Decompressed::Plain(_)) && self.bytes_read() < self.size_bytes
    }

    #[cold]
    fn failed(&self, error: io::Error) -> Error {
        match &self.reader {
            Decompressed::Plain(_) => {
                Error::new(ErrorKind::Io, format!("{}: reading failed", self.name))
                    .with_source(error)
            }
            Decompressed::Gzip(_) => damaged(&self.name, "gzip", error),
            Decompressed::Zstd(zstd) => zstd.failed(&self.name, error),
            Decompressed::Other(name, _) => match error.kind() {
                io::ErrorKind::Unsupported if *name == "zip" => {
                    Error::new(ErrorKind::Unsupported, format!("{}: {error}", self.name))
                }
                _ if error.to_string().contains("mem_limit") => {
                    let message = format!(
                        "{}: the xz data asks for a larger window than the limit: \
                         --zstd-window-log-max 31 allows it; so does xz -dc FILE | streamgauge run",
                        self.name
                    );
                    Error::new(ErrorKind::LimitExceeded, message)
                }
                _ => damaged(&self.name, name, error),
            },
        }
    }
}

/// Returns true if an open file, read from its own offset on, is compressed.
pub(super) fn is_compressed(mut file: &File) -> bool {
    let mut head = [0; HEAD_BYTES as usize];
    let len = file.read(&mut head).unwrap_or(0);
    let head = &head[..len];
    is_gzip(head) || is_zstd(head) || OtherCompression::of(head).is_some()
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// Returns true for a zstd frame, or a skippable frame (RFC 8878, section 3.1).
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// Returns the window of a zstd frame with this beginning, in bytes (RFC 8878, section 3.1.1.1).
/// Returns `None` for a skippable frame, or if the header is incomplete.
fn zstd_window(head: &[u8]) -> Option<u64> {
    let header = head.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = header.split_first()?;
    if descriptor & 0x20 == 0 {
        let window = rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // A frame of a single segment has a window of the size of its content. That size stands after
    // the number of the dictionary.
    let size_at = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_len = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let mut size = [0; 8];
    size[..size_len].copy_from_slice(rest.get(size_at..size_at + size_len)?);
    let size = u64::from_le_bytes(size);
    Some(if size_len == 2 { size + 256 } else { size })
}

#[cold]
fn damaged(name: &str, format: &str, error: io::Error) -> Error {
    // An error of the system below the decoder has the system's code.
    if error.raw_os_error().is_some() {
        return Error::new(ErrorKind::Io, format!("{name}: reading failed")).with_source(error);
    }
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "data ends early: the file is truncated",
        _ => "data is damaged",
    };
    Error::new(ErrorKind::Corrupt, format!("{name}: the {format} {what}")).with_source(error)
}

/// The members of a gzip file, one after the other.
struct Gzip {
    /// `None` only while one member is replaced by the next.
    member: Option<flate2::bufread::GzDecoder<BufReader<Raw>>>,
    done: bool,
}

impl Gzip {
    fn new(input: BufReader<Raw>) -> Gzip {
        Gzip { member: Some(flate2::bufread::GzDecoder::new(input)), done: false }
    }

    /// Reads what follows a member: the end, another member, zeros (padding of tapes and some
    /// writers), or garbage.
    fn next_member(&mut self, mut input: BufReader<Raw>) -> io::Result<()> {
        loop {
            let ahead = input.fill_buf()?;
            match ahead.first() {
                None => {
                    self.done = true;
                    return Ok(());
                }
                Some(0) => {
                    let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
                    input.consume(zeros);
                }
                Some(0x1f) => {
                    self.member = Some(flate2::bufread::GzDecoder::new(input));
                    return Ok(());
                }
                Some(_) => {
                    self.done = true;
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "bytes that are not gzip follow the last member",
                    ));
                }
            }
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.done && !buffer.is_empty() {
            let Some(member) = &mut self.member else { break };
            let len = member.read(buffer)?;
            if len > 0 {
                return Ok(len);
            }
            if let Some(member) = self.member.take() {
                self.next_member(member.into_inner())?;
            }
        }
        Ok(0)
    }
}
