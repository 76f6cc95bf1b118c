//! Detects files that are not text by their first bytes: archives, unsupported compression, binary
//! tables, and text in UTF-16 or UTF-32.
//!
//! The signatures come from the specifications of the formats. None of them can begin a line of
//! UTF-8 text, except if [`Signature::needs_junk`] is set. Then the bytes that follow must not be
//! text either.

/// The first bytes of a kind of file.
struct Signature {
    bytes: &'static [u8],
    /// True if the signature alone could be text.
    needs_junk: bool,
    /// The name of the kind of file.
    name: &'static str,
    /// The command that converts it to text.
    way_out: &'static str,
}

const fn signature(bytes: &'static [u8], name: &'static str, way_out: &'static str) -> Signature {
    Signature { bytes, needs_junk: false, name, way_out }
}

const fn with_junk(bytes: &'static [u8], name: &'static str, way_out: &'static str) -> Signature {
    Signature { bytes, needs_junk: true, name, way_out }
}

const SQL_ENGINE: &str =
    "duckdb -c \"COPY (FROM 'FILE') TO '/dev/stdout' (FORMAT json)\" | streamgauge run";

const SIGNATURES: &[Signature] = &[
    // Only inside other compressed data. As the outermost layer both are supported.
    signature(
        b"\x1f\x8b\x08",
        "gzip data inside of compressed data",
        "zcat FILE | streamgauge run",
    ),
    signature(
        b"\x28\xb5\x2f\xfd",
        "zstd data inside of compressed data",
        "zstd -dc FILE | streamgauge run",
    ),
    signature(b"\xfd7zXZ\0", "xz data", "xz -dc FILE | streamgauge run"),
    signature(b"\x5d\0\0\x80\0", "lzma data", "xz -dc FILE | streamgauge run"),
    signature(b"\x5d\0\0\0\x04", "lzma data", "xz -dc FILE | streamgauge run"),
    signature(b"LZIP\x01", "lzip data", "lzip -dc FILE | streamgauge run"),
    signature(b"\x04\x22\x4d\x18", "lz4 data", "lz4 -dc FILE | streamgauge run"),
    signature(b"\xff\x06\0\0sNaPpY", "snappy data", "snzip -dc FILE | streamgauge run"),
    signature(b"\x1f\x9d", "data of compress (.Z)", "gzip -dc FILE | streamgauge run"),
    signature(
        b"PK\x03\x04",
        "a zip archive (an .xlsx file is one, too: save it as CSV)",
        "unzip -p FILE | streamgauge run",
    ),
    signature(b"PK\x05\x06", "an empty zip archive", "unzip -l FILE"),
    signature(b"PK\x07\x08", "a zip archive in parts", "unzip -p FILE | streamgauge run"),
    signature(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so FILE | streamgauge run"),
    signature(b"Rar!\x1a\x07", "a rar archive", "unrar p -inul FILE | streamgauge run"),
    with_junk(b"PAR1", "a Parquet file", SQL_ENGINE),
    with_junk(b"PARE", "an encrypted Parquet file", SQL_ENGINE),
    with_junk(b"ORC", "an ORC file", "orc-contents FILE | streamgauge run"),
    with_junk(b"ARROW1", "an Arrow file", SQL_ENGINE),
    signature(b"Obj\x01", "an Avro file", "avro-tools tojson FILE | streamgauge run"),
    signature(
        b"SQLite format 3\0",
        "a SQLite database",
        "sqlite3 -csv -header FILE 'SELECT ...' | streamgauge run",
    ),
    signature(
        b"LPKSHHRH",
        "a journal of systemd",
        "journalctl --file FILE -o json | streamgauge run",
    ),
    signature(b"ElfFile\0", "a Windows event log", "evtx_dump -o jsonl FILE | streamgauge run"),
];

/// Returns true for `BZh`, the size of a block, and the number of the first block or of the end of
/// an empty file.
fn is_bzip2(bytes: &[u8]) -> bool {
    let [b'B', b'Z', b'h', b'1'..=b'9', block @ ..] = bytes else { return false };
    block.starts_with(b"1AY&SY") || block.starts_with(b"\x17\x72\x45\x38\x50\x90")
}

/// Returns true if there is the mark of a tar archive after the name and the numbers of the first
/// file.
fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Byte order marks. Those of UTF-32 come first, because one begins with that of UTF-16.
const MARKS: &[(&[u8], &str)] = &[
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
];

/// Number of bytes after a signature that must not be text if it needs junk.
const JUNK_BYTES: usize = 16;
/// Number of bytes that are enough for every signature that needs junk, including the junk.
const NAMED_BYTES: usize = 32;

/// Number of bytes that are examined for characters of two or four bytes.
const WIDE_BYTES: usize = 256;

/// Returns the encoding of text whose characters take two or four bytes each, and how it was
/// detected. Returns `None` unless it is certain.
fn wide_encoding(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if let Some((_, name)) = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Some((*name, " (it begins with a byte order mark)"));
    }
    let is_letter = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let looked = &bytes[..bytes.len().min(WIDE_BYTES)];
    // True if every character is ASCII: one of its bytes is a letter, the others are zeros.
    let is_of = |width: usize, letter_at: usize| {
        let mut characters = looked.chunks_exact(width);
        let all = characters.by_ref().all(|bytes| {
            let mut bytes = bytes.iter().enumerate();
            bytes.all(|(at, byte)| if at == letter_at { is_letter(*byte) } else { *byte == 0 })
        });
        all && looked.len() >= 2 * width
    };
    let encodings =
        [(4, 0, "UTF-32LE"), (4, 3, "UTF-32BE"), (2, 0, "UTF-16LE"), (2, 1, "UTF-16BE")];
    encodings
        .into_iter()
        .find(|(width, letter_at, _)| is_of(*width, *letter_at))
        .map(|(_, _, name)| (name, ""))
}

/// Returns true if the bytes are not text: not UTF-8, or with control characters that text never
/// has.
pub(crate) fn is_junk(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31 | 127);
    bytes.iter().any(is_control) || !is_utf8(bytes)
}

/// Returns true if the bytes are UTF-8, apart from a last character that is cut off.
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Returns true if the bytes begin with a signature that could be text, and are too few to decide.
pub(crate) fn needs_more(bytes: &[u8]) -> bool {
    bytes.len() < NAMED_BYTES
        && SIGNATURES
            .iter()
            .any(|signature| signature.needs_junk && bytes.starts_with(signature.bytes))
}

/// Returns what a file with this beginning is and how to convert it, if it certainly is not UTF-8
/// text.
pub(crate) fn named(bytes: &[u8]) -> Option<String> {
    if let Some((encoding, why)) = wide_encoding(bytes) {
        let message = format!(
            "it is text in {encoding}{why}, and only UTF-8 is read: iconv -f {encoding} -t UTF-8 \
             FILE | streamgauge run"
        );
        return Some(message);
    }
    let fits = |signature: &&Signature| {
        let after = bytes.strip_prefix(signature.bytes);
        after.is_some_and(|after| {
            !signature.needs_junk || is_junk(&after[..after.len().min(JUNK_BYTES)])
        })
    };
    let (name, way_out) = match SIGNATURES.iter().find(fits) {
        Some(signature) => (signature.name, signature.way_out),
        None if is_bzip2(bytes) => ("bzip2 data", "bzip2 -dc FILE | streamgauge run"),
        None if is_tar(bytes) => ("a tar archive", "tar -xOf FILE | streamgauge run"),
        None => return None,
    };
    Some(format!("it is {name}, which is not read here: {way_out}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_files_are_told_by_their_first_bytes() {
        let tar = [&b"logs/access.log"[..], &[0; 242], b"ustar\x0000"].concat();
        let cases: &[(&[u8], &str)] = &[
            (b"\xfd7zXZ\0\0\x04", "xz -dc"),
            (b"BZh91AY&SY\x01", "bzip2 -dc"),
            (b"PK\x03\x04\x14\0", "unzip -p"),
            (b"7z\xbc\xaf\x27\x1c\0\x04", "7z x -so"),
            (b"PAR1\x15\x04\x15\x80", "Parquet"),
            (b"Obj\x01\x04\x16avro.schema", "Avro"),
            (b"ORC\n\x1d\n\x0a\0", "ORC"),
            (b"\x1f\x8b\x08\0\0\0\0\0", "gzip data inside"),
            (b"\xff\xfea\0,\0", "iconv -f UTF-16 "),
            (b"\xff\xfe\0\0a\0\0\0", "iconv -f UTF-32 "),
            (b"a\0,\0b\0\n\0", "iconv -f UTF-16LE"),
            (b"\0a\0,\0b\0\n", "iconv -f UTF-16BE"),
            (b"a\0\0\0b\0\0\0", "iconv -f UTF-32LE"),
            (&tar, "tar -xOf"),
        ];
        for (bytes, words) in cases {
            let found = named(bytes).unwrap_or_default();
            assert!(found.contains(words), "{bytes:?}: {found:?}");
        }
    }

    #[test]
    fn text_is_not_named() {
        let texts: &[&[u8]] = &[
            b"PAR1 is a name, too\n",
            b"ORC,count\n1,2\n",
            b"BZh9 is the beginning of bzip2\n",
            b"PK: 5\n",
            b"Obj 1\n",
            b"",
            b"a",
            b"\0",
            b"a\0",
            b"{\"a\":1}\n",
            "\u{feff}a,b\n".as_bytes(),
            "日本語,b\n".as_bytes(),
        ];
        for text in texts {
            assert_eq!(named(text), None, "{text:?}");
        }
        assert!(
            needs_more(b"ORC\n")
                && !needs_more(b"OR")
                && !needs_more(&[b"ORC"[..].to_vec(), vec![b'x'; 32]].concat())
        );
        // Damage further on does not change the kind of a table.
        assert_eq!(named(b"ORC,count\nabcdefgh,2\n\xff\0,3\n"), None);
    }
}
