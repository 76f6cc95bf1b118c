//! gzip and zstd, whole and damaged.

use super::{Recorder, Trickle, options, read};
use std::io::{Cursor, Read, Write};
use streamgauge::adapter::files::{FilesOptions, Format, Input, run};
use streamgauge::{Error, ErrorKind};

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// How the member of a zip archive is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Member {
    Deflated,
    Stored,
    /// The checksum stands after the content.
    Streamed,
}

/// Returns a zip archive with these members (APPNOTE 6.3, sections 4.3.7 to 4.3.16).
fn zip(members: &[&[u8]], how: Member) -> Vec<u8> {
    let mut archive = Vec::new();
    for bytes in members {
        let mut content = bytes.to_vec();
        if how != Member::Stored {
            let mut encoder =
                flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).unwrap();
            content = encoder.finish().unwrap();
        }
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let sums = [crc.sum(), content.len() as u32, bytes.len() as u32];
        let sums: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let (flags, method) = (
            if how == Member::Streamed { 8 } else { 0 },
            if how == Member::Stored { 0 } else { 8 },
        );
        archive.extend_from_slice(&[b'P', b'K', 3, 4, 20, 0, flags, 0, method, 0, 0, 0, 0, 0]);
        archive.extend_from_slice(if how == Member::Streamed { &[0; 12] } else { &sums });
        archive.extend_from_slice(b"\x05\0\0\0a.log");
        archive.extend_from_slice(&content);
        if how == Member::Streamed {
            archive.extend_from_slice(b"PK\x07\x08");
            archive.extend_from_slice(&sums);
        }
    }
    let directory = archive.len() as u32;
    for _ in members {
        archive.extend_from_slice(b"PK\x01\x02");
        archive.extend_from_slice(&[0; 42]);
    }
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&[members.len() as u8, 0, members.len() as u8, 0, 0, 0, 0, 0]);
    archive.extend_from_slice(&directory.to_le_bytes());
    archive.extend_from_slice(&[0, 0]);
    archive
}

#[test]
fn xz_bzip2_and_a_zip_archive_of_one_file_are_read() {
    let plain = lines(50_000);
    let (first, second) = plain.split_at(123_457);
    for compressed in [
        [xz(first), xz(second)].concat(),
        [bzip2(first), bzip2(b""), bzip2(second)].concat(),
        zip(&[&plain], Member::Deflated),
        zip(&[&plain], Member::Stored),
        zip(&[&plain], Member::Streamed),
    ] {
        let (records, error) = read_until_error(compressed.clone());
        assert!(error.is_none(), "{error:?}");
        assert_eq!(records, 50_000);
        for len in [5, 12, 40, compressed.len() / 2, compressed.len() - 30] {
            let (records, error) = read_until_error(compressed[..len].to_vec());
            assert!(error.is_some() || records == 50_000, "{len}");
        }
        let mut recorder = Recorder::new(&["a"]);
        let trickle = Input::from_reader("in", Trickle::new(&compressed, &[1, 2, 300]));
        run(vec![trickle], &options(Format::Auto, 64, 1000), &mut recorder).unwrap();
        assert_eq!(recorder.rows().len(), 50_000);
    }
}

#[test]
fn archives_that_are_not_one_file_are_refused() {
    let plain = lines(10);
    for how in [Member::Deflated, Member::Stored, Member::Streamed] {
        let (_, error) = read_until_error(zip(&[&plain, &plain], how));
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("unzip -p FILE"), "{error}");
        // A file is refused before anything is read of it.
        let path =
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("two-{how:?}.zip"));
        std::fs::write(&path, zip(&[&plain, &plain], how)).unwrap();
        let mut recorder = Recorder::new(&["a"]);
        let error =
            run(vec![Input::Path(path)], &FilesOptions::default(), &mut recorder).unwrap_err();
        assert!(error.message().contains("a zip archive of 2 files"), "{error}");
        assert_eq!(recorder.rows().len(), 0);
    }
    let mut damaged = zip(&[&plain], Member::Stored);
    damaged[14] ^= 1;
    assert_eq!(read_until_error(damaged).1.unwrap().kind(), ErrorKind::Corrupt);
    let mut encrypted = zip(&[&plain], Member::Deflated);
    encrypted[6] = 1;
    assert!(read_until_error(encrypted).1.unwrap().message().contains("encrypted"));
    // A window of 1 GiB, in a header with its checksum.
    let mut options = lzma_rust2::XzOptions::with_preset(6);
    options.lzma_options.dict_size = 1 << 30;
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(b"{}\n").unwrap();
    let error = read_until_error(encoder.finish().unwrap()).1.unwrap();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
}

/// Returns `count` lines `{"a":0}`, `{"a":1}`, ...
fn lines(count: usize) -> Vec<u8> {
    (0..count).map(|index| format!("{{\"a\":{index}}}\n")).collect::<String>().into_bytes()
}

/// Returns the number of records, which must be in order from 0, and the error that ended the run.
fn read_until_error(bytes: Vec<u8>) -> (usize, Option<Error>) {
    let mut recorder = Recorder::new(&["a"]);
    let input = Input::from_reader("a.gz", Cursor::new(bytes));
    let error = run(vec![input], &FilesOptions::default(), &mut recorder).err();
    for (index, row) in recorder.rows().iter().enumerate() {
        assert_eq!(row[0], format!("n{index}"));
    }
    assert!(recorder.dead().is_empty());
    (recorder.rows().len(), error)
}

#[test]
fn members_and_frames_follow_each_other() {
    let plain = lines(50_000);
    let (first, second) = plain.split_at(123_457);
    for compressed in [
        [gzip(first), gzip(b""), gzip(second)].concat(),
        [zstd(first), zstd(b""), zstd(second)].concat(),
    ] {
        let (got, stats) = read(Format::Auto, &compressed, &["a"]);
        assert_eq!(got.rows().len(), 50_000);
        let counts = &stats.files[0];
        assert_eq!(
            (counts.bytes_read as usize, counts.bytes_decompressed as usize),
            (compressed.len(), plain.len())
        );
    }
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&plain)].concat();
    assert_eq!(read(Format::Auto, &skippable, &["a"]).0.rows().len(), 50_000);
}

#[test]
fn compressed_input_can_be_read_byte_by_byte() {
    let compressed = [gzip(&lines(300)), gzip(&lines(300))].concat();
    let mut recorder = Recorder::new(&["a"]);
    run(
        vec![Input::from_reader("in", Trickle::new(&compressed, &[1, 2, 3]))],
        &options(Format::Auto, 64, 1000),
        &mut recorder,
    )
    .unwrap();
    assert_eq!(recorder.rows().len(), 600);
}

#[test]
fn a_truncated_file_is_an_error_with_the_counts_so_far() {
    let plain = lines(100_000);
    for compressed in [gzip(&plain), zstd(&plain)] {
        let (records, error) = read_until_error(compressed[..compressed.len() / 2].to_vec());
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(
            error.message().contains("truncated")
                && error.message().contains(&format!("{records} records")),
            "{error}"
        );
        assert!(records > 10_000 && records < 100_000, "{records}");
    }
    // Only the checksum is missing: all records are there, but the file is not complete.
    let compressed = gzip(&plain);
    let (records, error) = read_until_error(compressed[..compressed.len() - 3].to_vec());
    assert_eq!((records, error.unwrap().kind()), (100_000, ErrorKind::Corrupt));
}

#[test]
fn only_a_member_or_padding_may_follow_a_member() {
    let padded = [gzip(&lines(10)), vec![0; 10_000]].concat();
    let (records, error) = read_until_error(padded);
    assert!(records == 10 && error.is_none(), "{error:?}");
    for garbage in [&b"garbage"[..], &[0, 0, 7], &[0x1f, 0x8b, 9]] {
        let (records, error) = read_until_error([&gzip(&lines(10)), garbage].concat());
        assert_eq!((records, error.unwrap().kind()), (10, ErrorKind::Corrupt), "{garbage:?}");
    }
    let (records, error) = read_until_error([zstd(&lines(10)), b"garbage".to_vec()].concat());
    assert_eq!((records, error.unwrap().kind()), (10, ErrorKind::Corrupt));
}

#[test]
fn a_flipped_bit_is_an_error() {
    let mut compressed = gzip(&lines(10_000));
    let at = compressed.len() - 6;
    compressed[at] ^= 1;
    let (_, error) = read_until_error(compressed);
    assert_eq!(error.unwrap().kind(), ErrorKind::Corrupt);
}

#[test]
fn s99_a_zstd_window_over_the_limit_is_refused_with_the_limit_and_the_flag() {
    // A thousand records in a frame that asks for a window of 2 GiB, of 25 bytes.
    let frame = include_bytes!("../data/detection/zstd-long.jsonl.zst");
    let (records, error) = read_until_error(frame.to_vec());
    let error = error.unwrap();
    assert_eq!((records, error.kind()), (0, ErrorKind::LimitExceeded));
    for words in ["2048 MiB", "128 MiB", "--zstd-window-log-max 31", "zstd -dc --long=31 FILE"] {
        assert!(error.message().contains(words), "{error}");
    }
    // Also if it is not the first frame, whose header was checked.
    let (records, error) = read_until_error([zstd(&lines(10)), frame.to_vec()].concat());
    let error = error.unwrap();
    assert_eq!((records, error.kind()), (10, ErrorKind::LimitExceeded));
    assert!(error.message().contains("a larger window than the limit of 128 MiB"), "{error}");
}

#[test]
fn a_raised_limit_allows_a_larger_zstd_window() {
    // 256 MiB: an empty block in a frame whose window is one over the default.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 0x01, 0x00, 0x00];
    let mut options = FilesOptions::default();
    options.limits.zstd_window_log_max = 28;
    for (options, expected) in
        [(&FilesOptions::default(), Some(ErrorKind::LimitExceeded)), (&options, None)]
    {
        let input = Input::from_reader("in", Cursor::new([&frame[..], &zstd(&lines(3))].concat()));
        let mut recorder = Recorder::new(&["a"]);
        let result = run(vec![input], options, &mut recorder);
        assert_eq!(result.err().map(|error| error.kind()), expected);
        assert_eq!(recorder.rows().len(), if expected.is_none() { 3 } else { 0 });
    }
}

#[test]
fn a_compression_bomb_is_read_in_little_memory() {
    // 40 MB of spaces in one line, then a record; compressed some 40 KB.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::copy(&mut std::io::repeat(b' ').take(40_000_000), &mut encoder).unwrap();
    encoder.write_all(b"\n{\"a\":1}\n").unwrap();
    let compressed = encoder.finish().unwrap();
    let (got, stats) = read(Format::JsonLines, &compressed, &["a"]);
    assert_eq!(got.rows(), [["n1"]]);
    assert_eq!(got.dead(), [(1, "longer than the limit of 16777216 bytes for one record")]);
    assert_eq!(stats.bytes_decompressed(), 40_000_009);
}
