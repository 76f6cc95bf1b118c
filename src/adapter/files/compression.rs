//! Compression beside gzip and zstd: xz, bzip2, and zip archives with one file in them.

use crate::error::{Error, ErrorKind};
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// A compression that is told by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OtherCompression {
    Xz,
    Bzip2,
    Zip,
}

/// The end of the central directory of a zip archive, without its comment.
const ZIP_END_BYTES: usize = 22;
/// Memory of an xz decoder beside its window, in KiB, generously.
const XZ_OWN_KIB: u32 = 1024;
/// The longest comment of a zip archive.
const ZIP_COMMENT_BYTES_MAX: u64 = 65_535;

impl OtherCompression {
    /// Returns the compression of an input with this beginning.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(OtherCompression::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', block @ ..]
                if block.starts_with(b"1AY&SY")
                    || block.starts_with(b"\x17\x72\x45\x38\x50\x90") =>
            {
                Some(OtherCompression::Bzip2)
            }
            [b'P', b'K', 3, 4, ..] => Some(OtherCompression::Zip),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            OtherCompression::Xz => "xz",
            OtherCompression::Bzip2 => "bzip2",
            OtherCompression::Zip => "zip",
        }
    }

    /// Returns the decompressed bytes, of any number of streams one after the other. A stream of xz
    /// may ask for a window of 2^`window_log_max` bytes.
    pub(super) fn reader<R: BufRead + Send + 'static>(
        self,
        input: R,
        window_log_max: u32,
    ) -> Box<dyn Read + Send> {
        match self {
            OtherCompression::Xz => {
                let window = 1_u32 << (window_log_max.clamp(10, 31) - 10);
                let memory = window.saturating_add(XZ_OWN_KIB);
                Box::new(lzma_rust2::XzReader::new_mem_limit(input, true, memory))
            }
            OtherCompression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            OtherCompression::Zip => Box::new(Zip::Header(Some(input))),
        }
    }
}

/// Refuses a zip archive that has not exactly one member, before anything is read of it.
///
/// # Errors
/// [`ErrorKind::Unsupported`] with the number of members and the way out.
pub(super) fn check_zip(file: &File, name: &str) -> Result<(), Error> {
    let members = zip_members(file).unwrap_or(None);
    match members {
        None | Some(1) => Ok(()),
        Some(members) => {
            let message = format!(
                "{name}: it is a zip archive of {members} files, and one is read (an .xlsx file is \
                 such an archive, too: save it as CSV): unzip -p FILE MEMBER | streamgauge run"
            );
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

/// Returns the number of members of a zip archive; `None` if the file is no zip archive,
/// or does not contain the number.
fn zip_members(file: &File) -> io::Result<Option<u16>> {
    // The position is shared with the reader of the file.
    let mut file = file;
    let mut head = [0; 4];
    let is_zip = match file.read_exact(&mut head) {
        Ok(()) => head == *b"PK\x03\x04",
        Err(_) => false,
    };
    let mut members = None;
    if is_zip {
        let len = file.seek(SeekFrom::End(0))?;
        let from = len.saturating_sub(ZIP_COMMENT_BYTES_MAX + ZIP_END_BYTES as u64);
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        file.take(len - from).read_to_end(&mut end)?;
        let at = memchr::memmem::rfind(&end, b"PK\x05\x06");
        let record = at.and_then(|at| end.get(at..at + ZIP_END_BYTES));
        members = record.map(|record| u16::from_le_bytes([record[10], record[11]]));
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(members)
}

/// The first member of a zip archive, which must be the only one.
enum Zip<R: BufRead> {
    /// Nothing was read yet.
    Header(Option<R>),
    Stored {
        input: R,
        left: u64,
        check: ZipCheck,
    },
    Deflated {
        decoder: flate2::bufread::DeflateDecoder<R>,
        check: ZipCheck,
    },
    Ended,
}

/// What the content of a member must be.
#[derive(Default)]
struct ZipCheck {
    crc: flate2::Crc,
    /// The checksum of the header; `None` if it stands after the content.
    expected: Option<u32>,
}

fn unsupported(what: &str) -> io::Error {
    let message = format!("the zip archive {what}: unzip -p FILE | streamgauge run");
    io::Error::new(io::ErrorKind::Unsupported, message)
}

fn two(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn four(bytes: &[u8], at: usize) -> u32 {
    u32::from(two(bytes, at)) | u32::from(two(bytes, at + 2)) << 16
}

impl<R: BufRead> Zip<R> {
    /// Reads the header of the member.
    fn open(mut input: R) -> io::Result<Self> {
        let mut header = [0; 30];
        input.read_exact(&mut header)?;
        let (flags, method) = (two(&header, 6), two(&header, 8));
        let names = u64::from(two(&header, 26)) + u64::from(two(&header, 28));
        let skipped = io::copy(&mut input.by_ref().take(names), &mut io::sink())?;
        if skipped < names {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let is_after = flags & 8 != 0;
        let expected = (!is_after).then(|| four(&header, 14));
        let check = ZipCheck { crc: flate2::Crc::new(), expected };
        match method {
            _ if flags & 1 != 0 => Err(unsupported("is encrypted")),
            8 => {
                let decoder = flate2::bufread::DeflateDecoder::new(input);
                Ok(Zip::Deflated { decoder, check })
            }
            0 if !is_after && four(&header, 18) != u32::MAX => {
                Ok(Zip::Stored { input, left: u64::from(four(&header, 18)), check })
            }
            _ => Err(unsupported("has a member that is not deflated")),
        }
    }

    /// Checks what follows the member: its checksum, and no further member.
    fn end(mut input: R, check: &ZipCheck) -> io::Result<()> {
        let mut next = [0; 4];
        input.read_exact(&mut next)?;
        let mut expected = check.expected;
        if expected.is_none() {
            // A descriptor, with or without a signature: checksum and both sizes.
            if next == *b"PK\x07\x08" {
                input.read_exact(&mut next)?;
            }
            expected = Some(u32::from_le_bytes(next));
            // The sizes have 4 bytes each, or 8 in large archives.
            let mut sizes = [0; 8];
            input.read_exact(&mut sizes)?;
            input.read_exact(&mut next)?;
            if !next.starts_with(b"PK") {
                input.read_exact(&mut sizes[..4])?;
                input.read_exact(&mut next)?;
            }
        }
        if expected != Some(check.crc.sum()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "another checksum"));
        }
        if next == *b"PK\x03\x04" {
            return Err(unsupported("has more than one file, and the first one was read"));
        }
        // What stands after the last member is the directory, which says nothing new.
        io::copy(&mut input, &mut io::sink()).map(drop)
    }
}

impl<R: BufRead> Read for Zip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Zip::Header(input) => {
                    let Some(input) = input.take() else { return Ok(0) };
                    *self = Zip::Ended;
                    *self = Zip::open(input)?;
                }
                Zip::Stored { input, left, check } => {
                    let len = input.by_ref().take(*left).read(buffer)?;
                    if len > 0 || buffer.is_empty() {
                        check.crc.update(&buffer[..len]);
                        *left -= len as u64;
                        return Ok(len);
                    }
                    if *left > 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let Zip::Stored { input, check, .. } = std::mem::replace(self, Zip::Ended)
                    else {
                        return Ok(0);
                    };
                    Zip::end(input, &check)?;
                }
                Zip::Deflated { decoder, check } => {
                    let len = decoder.read(buffer)?;
                    if len > 0 || buffer.is_empty() {
                        check.crc.update(&buffer[..len]);
                        return Ok(len);
                    }
                    let Zip::Deflated { decoder, check } = std::mem::replace(self, Zip::Ended)
                    else {
                        return Ok(0);
                    };
                    Zip::end(decoder.into_inner(), &check)?;
                }
                Zip::Ended => return Ok(0),
            }
        }
    }
}
