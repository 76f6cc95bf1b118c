//! Several inputs as one, limits, and arbitrary bytes.

use super::{Event, Recorder, Trickle, options, read};
use proptest::prelude::*;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use streamgauge::ErrorKind;
use streamgauge::adapter::files::{DEAD_LETTER_BYTES_MAX, FilesOptions, Format, Input, run};

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("streamgauge-files-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn all_shards_open_before_the_first_record_and_each_closes_at_its_end() {
    let folder = Folder::new("shards");
    let first = folder.file("first", b"{\"a\":1}\n{\"a\":2}");
    let second = folder.file("second.csv", b"a,b\n3,4\n");
    let inputs = vec![
        Input::from_argument(&first),
        Input::from_argument(&second),
        Input::from_argument(&first),
    ];
    let mut recorder = Recorder::new(&["a"]);
    let stats = run(inputs, &FilesOptions::default(), &mut recorder).unwrap();
    let (first, second) = (first.display().to_string(), second.display().to_string());
    let row = |file: usize, value: &str| Event::Row(file, vec![value.to_owned()]);
    let expected = [
        Event::Open(0, first.clone()),
        Event::Open(1, second),
        Event::Open(2, format!("{first}#2")),
        row(0, "n1"),
        row(0, "n2"),
        Event::Close(0),
        row(1, "u3"),
        Event::Close(1),
        row(2, "n1"),
        row(2, "n2"),
        Event::Close(2),
    ];
    assert_eq!(recorder.events, expected);
    assert_eq!((stats.records(), stats.bytes_read(), stats.files.len()), (5, 15 + 8 + 15, 3));
}

#[test]
fn an_input_that_cannot_be_read_ends_the_run_before_any_record() {
    let folder = Folder::new("unreadable");
    let good = folder.file("good", b"{\"a\":1}\n");
    let lacking = folder.file("lacking.csv", b"b,c\n1,2\n");
    let cases = [
        (folder.0.join("missing"), ErrorKind::Io, "missing: cannot be read"),
        (folder.0.clone(), ErrorKind::Io, "is a directory"),
        (lacking, ErrorKind::InvalidArgument, "there is no field \"a\""),
    ];
    for (path, kind, message) in cases {
        let mut recorder = Recorder::new(&["a"]);
        let inputs = vec![Input::from_argument(&good), Input::from_argument(path)];
        let error = run(inputs, &FilesOptions::default(), &mut recorder).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(recorder.events.is_empty(), "{:?}", recorder.events);
    }
}

#[test]
fn a_line_over_the_limit_is_one_dead_letter() {
    // 100 MB, of which never more than the limit and one block is in memory.
    let long = std::io::repeat(b'x').take(100 << 20);
    let reader = Cursor::new(b"{\"a\":0}\n".to_vec())
        .chain(long)
        .chain(Cursor::new(b"\n{\"a\":1}\n".to_vec()));
    let mut recorder = Recorder::new(&["a"]);
    run(vec![Input::from_reader("in", reader)], &FilesOptions::default(), &mut recorder).unwrap();
    assert_eq!(recorder.rows(), [["n0"], ["n1"]]);
    let dead: Vec<&Event> =
        recorder.events.iter().filter(|event| matches!(event, Event::Dead { .. })).collect();
    let Event::Dead { file, line, bytes, .. } = dead[0] else { unreachable!() };
    assert_eq!(
        (dead.len(), file.as_str(), *line, bytes.len()),
        (1, "in", 2, DEAD_LETTER_BYTES_MAX)
    );
}

#[test]
fn a_record_of_exactly_the_limit_is_read() {
    for format in [Format::JsonLines, Format::Lines] {
        for block in [64, 1 << 20] {
            // 20 bytes, 21 bytes, 21 bytes without a newline.
            let text = b"{\"a\":1234567890 1234\n{\"a\":12345678901 123\n{\"a\":1}\n\
                         {\"a\":1234567890123456";
            let mut recorder =
                Recorder::new(if format == Format::Lines { &["line"] } else { &["a"] });
            run(
                vec![Input::from_reader("in", Cursor::new(text.to_vec()))],
                &options(format.clone(), block, 20),
                &mut recorder,
            )
            .unwrap();
            let too_long = recorder
                .dead()
                .into_iter()
                .filter(|(_, reason)| reason.contains("limit of 20 bytes"))
                .count();
            assert_eq!(too_long, 1 + usize::from(text.len() > 72), "{:?}", recorder.dead());
        }
    }
}

#[test]
fn a_record_the_sink_refuses_is_a_dead_letter_with_its_bytes() {
    let mut recorder = Recorder::new(&["a"]);
    recorder.refused = Some("n2");
    run(
        vec![Input::from_reader("in", &b"{\"a\":1}\n\n{\"a\":2}\r\n"[..])],
        &FilesOptions::default(),
        &mut recorder,
    )
    .unwrap();
    let expected = Event::Dead {
        file: "in".to_owned(),
        line: 3,
        reason: "refused".to_owned(),
        bytes: b"{\"a\":2}".to_vec(),
    };
    assert_eq!(recorder.events[2], expected);
}

#[test]
fn plain_lines_have_one_field() {
    let (got, stats) =
        read(Format::Lines, b"\xef\xbb\xbfa b\r\n\n12\n\xff\nlast", &["line", "line"]);
    assert_eq!(got.rows(), [["ua b", "ua b"], ["u", "u"], ["u12", "u12"], ["ulast", "ulast"]]);
    assert_eq!(got.dead(), [(4, "not UTF-8")]);
    assert_eq!(stats.files[0].lines, 5);
}

#[test]
fn binary_junk_is_dead_letters() {
    let junk: Vec<u8> = (0..100_000u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8)
        .filter(|byte| *byte != b'{')
        .collect();
    for format in [Format::JsonLines, Format::Clf] {
        let fields = if format == Format::Clf { "host" } else { "a" };
        let (got, stats) = read(format.clone(), &junk, &[fields]);
        assert!(got.rows().is_empty() && stats.dead_letters() > 100, "{format}");
    }
}

proptest! {
    #![proptest_config(crate::cases(600))]

    #[test]
    fn answers_do_not_depend_on_the_sizes_of_reads(
        pieces in prop::collection::vec(prop::sample::select(vec![ &b"{\"a\":1}\n"[..], b"{\"a\":\"\\u00e9\",\"b\":[1]}\r\n", b"{\"b\":2, \"a\": \"x\"}\n", b"\n", b" ", b"{\"a\":", b"\xff", b"\xc3\xa9", b"\0", b"h - - [t] \"GET /x HTTP/1.1\" 200 5 \"-\" \"agent\"\n", b"h - - [t] \"\" 200 -\r\n", b"a,b\n", b"\"", b"x", ]), 0..60),
        format in prop::sample::select(vec![Format::Auto, Format::JsonLines, Format::Clf, Format::Lines]),
        block in 64usize..500,
        limit in 10usize..200,
        sizes in prop::collection::vec(1usize..200, 1..5),
    ) {
        let bytes = pieces.concat();
        let field = match format {
            Format::Clf => "path",
            Format::Lines => "line",
            _ => "a",
        };
        let events = |block: usize, sizes: &[usize]| {
            let mut recorder = Recorder::new(&[field]);
            let result = run(
                vec![Input::from_reader("in", Trickle::new(&bytes, sizes))],
                &options(format.clone(), block, limit),
                &mut recorder,
            );
            (
                recorder.events,
                result
                    .map_err(|error| error.to_string())
                    .map(|stats| (stats.records(), stats.files[0].lines)),
            )
        };
        let whole = events(1 << 20, &[1 << 20]);
        if format != Format::Auto {
            prop_assert_eq!(events(block, &sizes), whole);
        }
    }
}
