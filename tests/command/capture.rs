//! Captures by the command: copied, and run again.

use super::{Folder, hits, streamgauge, streamgauge_reading};

const PIPELINE: [&str; 8] =
    ["--time", "ts", "--window", "10s", "--max-delay", "3s", "--agg", "count, top(2, url)"];

#[test]
fn s310_a_pipe_that_was_captured_gives_the_same_bytes_again() {
    let folder = Folder::new("s310_a_pipe");
    let mut input = hits(500).into_bytes();
    input.extend(b"not JSON\n\xff\xfe\n{\"ts\":1}\n");
    for passed_on in [true, false] {
        let file = folder.path(&format!("capture-{passed_on}.jsonl"));
        let live = match passed_on {
            true => {
                let copied = streamgauge_reading_bytes(&["capture", &file], &input);
                assert_eq!(copied, input, "everything is passed on");
                streamgauge_reading(&[&["run"], &PIPELINE[..]].concat(), &input)
            }
            false => {
                let copying = [&["run"], &PIPELINE[..], &["--capture", &file]].concat();
                streamgauge_reading(&copying, &input)
            }
        };
        let again = streamgauge(&[&["run", "--replay", &file], &PIPELINE[..]].concat());
        assert!(live.json().len() > 10, "{}", live.stdout);
        assert_eq!(again.json().len(), live.json().len());
        assert_eq!(again.stdout, live.stdout);
        let told = |run: &super::Run| run.closing_line().replace(char::is_numeric, "");
        assert_eq!(told(&again).split(" in ").next(), told(&live).split(" in ").next());
    }
}

fn streamgauge_reading_bytes(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = super::command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn s311_captures_that_cannot_be_read_are_refused_and_so_are_flags_without_a_pipe() {
    let folder = Folder::new("s311_refused");
    let records = folder.file("hits.jsonl", hits(3));
    let empty = folder.file("empty.jsonl", "");
    let damaged = folder.file("damaged.jsonl", "{\"capture\":1,\"of\":\"shard\"}\n{\"source\":");
    let replay = |file: &str| streamgauge(&[&["run", "--replay", file], &PIPELINE[..]].concat());
    replay(&records).failed(1, &["hits.jsonl", "line 1", "not a line of a capture"]);
    replay(&empty).failed(1, &["the capture is empty"]);
    replay(&damaged).failed(1, &["line 2", "it has no end"]);
    replay(&folder.path("none.jsonl")).failed(1, &["none.jsonl", "cannot be read"]);
    streamgauge(&["run", &records, "--capture", &folder.path("copy")])
        .failed(2, &["--capture copies standard input and pipes"]);
    streamgauge(&["run", &records, "--replay", &records]).failed(2, &["--replay"]);
}

#[test]
fn s312_a_full_disk_ends_the_capture_and_not_the_run() {
    let copying = [&["run"], &PIPELINE[..], &["--capture", "/dev/full"]].concat();
    if std::path::Path::new("/dev/full").exists() {
        let run = streamgauge_reading(&copying, hits(50).as_bytes());
        run.succeeded().says(&["the capture cannot be written", "the run goes on"]);
        assert_eq!(run.json().len(), 5);
    }
}

/// The function is driven without Lambda's runtime, and its capture is replayed by the command.
#[cfg(feature = "lambda-runtime")]
#[test]
fn s310_a_functions_capture_gives_the_same_lines_again() {
    use std::sync::{Arc, Mutex};
    use streamgauge::Timestamp;
    use streamgauge::adapter::capture::{Capture, CaptureKind, Header};
    use streamgauge::adapter::lambda::Handler;
    use streamgauge::adapter::{Declared, JsonLinesSink};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let folder = Folder::new("s310_function");
    let text = "window = \"1m\"\nformat = \"lines\"\nagg = \"count, top(3, line)\"\n";
    let pipeline = folder.file("hits.toml", text);
    let spec = streamgauge::query::PipelineSpec::from_toml(text, "hits.toml").unwrap();
    for mode in ["stateless", "store"] {
        let file = folder.path(&format!("{mode}.jsonl"));
        let mut header = Header::new(CaptureKind::Lambda);
        (header.mode, header.with_source) = (Some(mode.to_owned()), true);
        let mut capture = Capture::open(&file, 10_000_000, &header).unwrap();
        let lines = Lines::default();
        let mut options = streamgauge::rows::CompileOptions::default();
        options.bounded_input = mode != "store";
        let compiled = Declared::compile(&spec, options).unwrap();
        let sink = JsonLinesSink::new(lines.clone()).with_source(true);
        let handler = Handler::new(compiled, sink).unwrap();
        let handler = match mode {
            "store" => handler.stored(streamgauge::store::MemoryStore::new()),
            _ => handler.stateless(),
        };
        let mut handler = handler.on_event(move |at, event| capture.event(at, event));
        for (index, name) in
            ["01-plain-100.json", "05-mixed-kpl-bad-timestamps.json"].iter().enumerate()
        {
            let path = format!("{}/tests/data/lambda/{name}", env!("CARGO_MANIFEST_DIR"));
            let now = Timestamp::from_millis(1_700_000_000_000 + index as i64 * 90_000);
            let _ = handler.handle_bytes(&std::fs::read(path).unwrap(), now);
        }
        let _ = handler.handle_bytes(b"no JSON", Timestamp::from_millis(0));
        drop(handler);
        let again = streamgauge(&["run", "--replay", &file, "--pipeline", &pipeline]);
        again.succeeded();
        let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(mode == "store" || said.lines().count() > 1, "{said}");
        assert_eq!(again.stdout, said, "{mode}");
    }
}
