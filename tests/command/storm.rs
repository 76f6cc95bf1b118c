//! `streamgauge storm` as the process of a `ShellBolt`.

use super::{Folder, Run, streamgauge, streamgauge_reading};
use serde_json::{Value, json};

const PIPELINE: &str = "time = \"ts\"\nwindow = \"10s\"\nmax_delay = \"0s\"\ngroup = \"page\"\n\
                        agg = \"count, sum(n) as n\"\n";

fn setup(folder: &Folder) -> String {
    std::fs::create_dir_all(folder.path("pids")).unwrap();
    json!({"pidDir": folder.path("pids"), "conf": {}, "context": {"taskid": 4,
        "task->component": {"3": "spout", "4": "gauge"},
        "source->stream->fields": {"spout": {"default": ["id", "line"]}}}})
    .to_string()
}

fn tuple(delivery: u32, id: &str, second: i64) -> String {
    let line = json!({"ts": 1_700_000_000 + second, "page": "/a", "n": 2}).to_string();
    json!({"id": delivery.to_string(), "comp": "spout", "stream": "default", "task": 3,
        "tuple": [id, line]})
    .to_string()
}

fn bolt(folder: &Folder, arguments: &[&str], messages: &[String]) -> Run {
    let (pipeline, state) = (folder.file("hits.toml", PIPELINE), folder.path("state"));
    let all = [&["storm", "--pipeline", &pipeline, "--state", &state], arguments].concat();
    streamgauge_reading(&all, (messages.join("\nend\n") + "\nend\n").as_bytes())
}

/// Returns the messages. Standard output has only the protocol.
fn sent(run: &Run) -> Vec<Value> {
    let messages = run.stdout.split("\nend\n").filter(|message| !message.is_empty());
    messages.map(|message| serde_json::from_str(message).unwrap()).collect()
}

#[test]
fn s340_s342_a_process_continues_where_the_one_before_ended() {
    let folder = Folder::new("storm");
    let flags = ["--payload", "line", "--id", "id"];
    let first = [setup(&folder), tuple(1, "a", 0), tuple(2, "b", 1)];
    let run = bolt(&folder, &flags, &first);
    let messages = sent(run.succeeded());
    assert_eq!(messages[0]["pid"].as_u64().unwrap().to_string(), {
        let mut pids = std::fs::read_dir(folder.path("pids")).unwrap();
        pids.next().unwrap().unwrap().file_name().into_string().unwrap()
    });
    assert_eq!(messages.len(), 3, "{messages:?}");
    let second = [setup(&folder), tuple(1, "b", 1), tuple(2, "c", 2), tuple(3, "d", 20)];
    let run = bolt(&folder, &flags, &second);
    let messages = sent(run.succeeded());
    let rows: Vec<&Value> = messages.iter().filter(|it| it["command"] == "emit").collect();
    let [row] = rows[..] else { panic!("{messages:?}") };
    assert_eq!(row["anchors"], json!(["3"]));
    let row: Value = serde_json::from_str(row["tuple"][0].as_str().unwrap()).unwrap();
    assert_eq!((&row["count"], &row["n"]), (&json!(3), &json!(6)));
    // What is open comes out at the end of the application.
    let (pipeline, state) = (folder.path("hits.toml"), folder.path("state"));
    let left = streamgauge(&["finish", "--pipeline", &pipeline, "--state", &state]).json();
    assert_eq!((left.len(), &left[0]["count"]), (1, &json!(1)));
    let shown = streamgauge(&["inspect", &state]);
    assert!(shown.succeeded().stdout.contains(r#""name":"gauge-0""#), "{}", shown.stdout);
}

#[test]
fn s346_a_message_that_cannot_be_read_ends_the_process() {
    let folder = Folder::new("storm-wrong");
    let run = bolt(&folder, &[], &[setup(&folder), "nonsense".to_owned()]);
    run.failed(1, &["is not a message of Storm"]);
    assert_eq!(sent(&run).last().unwrap()["command"], "error");
}

#[test]
fn a_pipeline_that_does_not_fit_is_refused_with_a_remedy() {
    let folder = Folder::new("storm-usage");
    let state = folder.path("state");
    let refused = |pipeline: &str, arguments: &[&str], words: &str| {
        let pipeline = folder.file("p.toml", pipeline);
        let all = [&["storm", "--pipeline", &pipeline, "--state", &state], arguments].concat();
        streamgauge(&all).failed(2, &[words]);
    };
    refused("agg = \"count\"\n", &[], "the pipeline needs a window");
    refused(&format!("format = \"clf\"\n{PIPELINE}"), &[], "--payload FIELD");
    refused(PIPELINE, &["--late", "-"], "standard output carries Storm's protocol");
    refused(PIPELINE, &["--idle-after", "5"], "--idle-after");
}
