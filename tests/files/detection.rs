//! The format of an input depends only on its bytes, and no input is read in a wrong format.

use super::{Event, Recorder, Trickle, options};
use proptest::prelude::*;
use std::io::Cursor;
use streamgauge::adapter::files::{FilesOptions, Format, Input, run};

/// Pieces of all formats, whole and cut.
const PIECES: &[&[u8]] = &[
    b"{\"a\":1,\"line\":\"x\"}\n",
    b"{\"a\":\"\\u00e9\"}\r\n",
    b"{\"a\":1}{\"a\":2}\n",
    b"{\n\"a\":1\n}\n",
    b"[{\"a\":1},{\"a\":2}]\n",
    b"[\n",
    b"{\"a\":",
    b"10.0.0.1 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 10\n",
    b"10.0.0.1 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 \
      10 \"-\" \"curl\" \"1.2.3.4\"\n",
    b"www.test:443 10.0.0.1 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 10\r\n",
    b"[25/Oct/2025:20:00:00 +0000] 10.0.0.1 \"GET / HTTP/1.1\" 200 10\n",
    b"a,b,line\n",
    b"1,2,3\n",
    b"x,2024-01-01,\"y\nz\"\n",
    b"a\tb\n",
    b"1\t\"2\n",
    b"\"a\"\t\"b\"\n",
    b"a;b\n1;2\n",
    b"2024-01-01 12:00:00,123 INFO started\n",
    b"# a comment\n",
    b"Hello, world\n",
    b"t\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\r\r\n",
    b"\"",
    b" ",
    b"word",
    b"\0",
    b"a\0,\0b\0\n\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"PAR1",
    b"ORC",
    b"\x15\x04",
    b"BZh91AY&SY",
    b"\xfd7zXZ\0",
    b"PK\x03\x04",
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(PIECES.to_vec());
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    // Mostly one piece many times, as in files that people have.
    let repeated = (piece.clone(), 1usize..6).prop_map(|(piece, times)| piece.repeat(times));
    (
        prop::collection::vec(prop_oneof![repeated, piece.prop_map(<[u8]>::to_vec)], 0..8),
        flips,
        any::<bool>(),
    )
        .prop_map(|(pieces, flips, is_flipped)| {
            let mut bytes = pieces.concat();
            for (at, byte) in
                flips.into_iter().filter(|_| is_flipped && !bytes.is_empty()).collect::<Vec<_>>()
            {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
}

/// Events, notes, and the numbers of records and lines, or the reason why the input was not read.
type Told = (Vec<Event>, Vec<String>, Result<(u64, u64), String>);

/// Returns everything that is reported about an input.
fn told(input: Input, options: &FilesOptions, field: Option<&str>) -> Told {
    let fields: Vec<&str> = field.into_iter().collect();
    let mut recorder = Recorder::new(&fields);
    let result = run(vec![input], options, &mut recorder);
    let result = result
        .map(|stats| (stats.records(), stats.files[0].lines))
        .map_err(|error| error.to_string());
    (recorder.events, recorder.notes, result)
}

proptest! {
    #![proptest_config(crate::cases(1500))]

    #[test]
    fn s95_a_file_and_the_same_bytes_in_any_pieces_are_detected_alike(
        bytes in bytes(),
        sizes in prop::collection::vec(1usize..60, 1..5),
        field in prop::sample::select(vec![None, Some("a"), Some("line"), Some("path")]),
        format in prop::sample::select(vec![ Format::Auto, Format::Auto, Format::Auto, Format::JsonLines, Format::Csv, Format::Tsv, Format::Clf, Format::Vhost, Format::Lines, ]),
        block in 64usize..500,
    ) {
        let options = options(format, block, 1 << 20);
        let file = tempfile(&bytes);
        let name = file.0.display().to_string();
        let whole = told(Input::from_argument(&file.0), &options, field);
        let piecewise =
            told(Input::from_reader(&*name, Trickle::new(&bytes, &sizes)), &options, field);
        // A file is refused before its shard is opened.
        let piecewise =
            if whole.0.is_empty() { (Vec::new(), piecewise.1, piecewise.2) } else { piecewise };
        prop_assert_eq!(&piecewise, &whole);
        let at_once = told(Input::from_reader(&*name, Cursor::new(bytes.clone())), &options, field);
        prop_assert_eq!(at_once.2, whole.2);
    }
}

/// A file that is removed at the end.
struct TemporaryFile(std::path::PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn tempfile(bytes: &[u8]) -> TemporaryFile {
    let path = std::env::temp_dir().join(format!("streamgauge-detection-{}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    TemporaryFile(path)
}

#[test]
fn detection_waits_for_a_pipe_no_longer_than_necessary() {
    // How many lines of an input are read before its first record is handed on.
    let lines_read = |lines: &[&str]| {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let reader = Counting {
            lines: lines.iter().map(|line| format!("{line}\n")).collect(),
            at: 0,
            sent: sender,
        };
        let mut counted = Vec::new();
        let mut sink = First { fields: Vec::new(), receiver, counted: &mut counted };
        drop(run(vec![Input::from_reader("in", reader)], &FilesOptions::default(), &mut sink));
        counted.first().copied()
    };
    let access = r#"h - - [25/Oct/2025:20:00:00 +0000] "GET / HTTP/1.1" 200 10"#;
    assert_eq!(lines_read(&["{\"a\":1}"; 9]), Some(1));
    assert_eq!(lines_read(&[access; 9]), Some(2));
    assert_eq!(lines_read(&["t,v", "1,2", "3,4", "5,6", "7,8"]), Some(3));
    assert_eq!(lines_read(&["2024-01-01 12:00:00,123 INFO started, done"; 9]), Some(1));
    assert_eq!(lines_read(&["[2016-12-19 16:25:00,123] INFO started"; 9]), Some(1));
    assert_eq!(lines_read(&["started the service"; 9]), Some(1));
    assert_eq!(lines_read(&["Hello, world"; 9]), Some(5));
}

/// Gives a line at a time.
struct Counting {
    lines: Vec<String>,
    at: usize,
    sent: std::sync::mpsc::Sender<()>,
}

impl std::io::Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(line) = self.lines.get_mut(self.at).filter(|line| !line.is_empty()) else {
            return Ok(0);
        };
        let len = line.len().min(buffer.len());
        buffer[..len].copy_from_slice(&line.as_bytes()[..len]);
        line.drain(..len);
        if line.is_empty() {
            self.at += 1;
            self.sent.send(()).unwrap();
        }
        Ok(len)
    }
}

/// Counts the lines that have been read when a record comes.
struct First<'a> {
    fields: Vec<String>,
    receiver: std::sync::mpsc::Receiver<()>,
    counted: &'a mut Vec<usize>,
}

impl streamgauge::adapter::files::RowSink for First<'_> {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn open_shard(&mut self, _: usize, _: streamgauge::ShardId) -> Result<(), streamgauge::Error> {
        Ok(())
    }

    fn row(
        &mut self,
        _: usize,
        _: &mut streamgauge::row::Row,
    ) -> Result<Option<streamgauge::adapter::files::Refusal>, streamgauge::Error> {
        self.counted.push(self.receiver.try_iter().count());
        Ok(None)
    }

    fn dead_letter(
        &mut self,
        _: &streamgauge::adapter::files::DeadLetter<'_>,
    ) -> Result<(), streamgauge::Error> {
        Ok(())
    }

    fn pause(
        &mut self,
        _: &streamgauge::adapter::files::FilesStats,
    ) -> Result<(), streamgauge::Error> {
        Ok(())
    }

    fn close_shard(&mut self, _: usize) -> Result<(), streamgauge::Error> {
        Ok(())
    }
}
