//! The messages of Storm's multilang protocol, as a bolt gets and sends them.

use crate::adapter::transport::json::{Text, excerpt, utf8};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The stream of heartbeats.
const HEARTBEAT: &str = "__heartbeat";

/// The component and the stream of ticks.
const TICK: (&str, &str) = ("__system", "__tick");

/// A message from Storm.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Message {
    /// A tuple.
    Tuple(Tuple),
    /// The clock of the topology, `topology.tick.tuple.freq.secs`. Holds the id for the answer, as
    /// JSON.
    Tick(String),
    /// A question whether the process is alive. The answer is [`sync`](Reply::Sync).
    Heartbeat,
    /// A message that a bolt may ignore: the tasks that an emitted tuple went to, or a command for
    /// spouts.
    Other,
}

/// A tuple, as Storm sends it.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Tuple {
    /// The id of this delivery, as JSON: Storm chooses another one when it delivers again.
    pub id: String,
    /// The component and the stream that the tuple is from.
    pub source: (String, String),
    /// The values, each as JSON.
    pub values: Vec<String>,
}

/// The first message.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct Setup {
    /// The folder in which the process creates an empty file whose name is its process id.
    pub pid_folder: String,
    /// The component that this process is a task of.
    pub component: String,
    /// The index of the task among those of its component, from 0.
    pub task_index: usize,
    /// The names of the fields, by component and stream.
    pub fields: BTreeMap<(String, String), Vec<String>>,
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    comp: Text<'a>,
    #[serde(borrow, default)]
    stream: Text<'a>,
    #[serde(borrow, default)]
    tuple: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    command: Text<'a>,
}

impl Message {
    /// Reads the text of a message, without the line `end`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if it is not a message.
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::storm::Message;
    /// let text = br#"{"id":"-7","comp":"spout","stream":"default","task":3,
    ///     "tuple":["/home",12]}"#;
    /// let Message::Tuple(tuple) = Message::parse(text)? else { panic!("it is a tuple") };
    /// assert_eq!(tuple.values, [r#""/home""#, "12"]);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Message, Error> {
        let wrong = |what: &str| {
            let shown = String::from_utf8_lossy(text.get(..200).unwrap_or(text)).into_owned();
            let message = format!("{:?} is not a message of Storm: {what}", excerpt(&shown, 100));
            Error::new(ErrorKind::Parse, message)
        };
        let text = utf8(text).map_err(|error| wrong(&error.to_string()))?;
        if text.starts_with('[') {
            let tasks = serde_json::from_str::<Vec<&RawValue>>(text);
            return tasks.map(|_| Message::Other).map_err(|error| wrong(&error.to_string()));
        }
        let wire: WireMessage<'_> = match text.starts_with('{') {
            true => serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?,
            false => return Err(wrong("neither an object nor an array")),
        };
        let source = (wire.comp.required().unwrap_or(""), wire.stream.required().unwrap_or(""));
        if source.1 == HEARTBEAT {
            return Ok(Message::Heartbeat);
        }
        let Some(values) = wire.tuple else {
            return match wire.command.required() {
                Ok(_) => Ok(Message::Other),
                Err(_) => Err(wrong("it has neither a tuple nor a command")),
            };
        };
        let id = wire.id.map(|id| id.get().to_owned()).ok_or_else(|| wrong("it has no id"))?;
        if source == TICK {
            return Ok(Message::Tick(id));
        }
        let source = (source.0.to_owned(), source.1.to_owned());
        let values = values.into_iter().map(|value| value.get().to_owned()).collect();
        Ok(Message::Tuple(Tuple { id, source, values }))
    }
}

#[derive(Deserialize)]
struct WireSetup {
    #[serde(rename = "pidDir")]
    pid_folder: String,
    #[serde(default)]
    context: WireContext,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireContext {
    taskid: Option<i64>,
    componentid: Option<String>,
    #[serde(rename = "task->component")]
    components: BTreeMap<String, String>,
    #[serde(rename = "source->stream->fields")]
    fields: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Setup {
    /// Reads the text of the first message, without the line `end`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if it is not one.
    pub fn parse(text: &[u8]) -> Result<Setup, Error> {
        let wire: WireSetup = serde_json::from_slice(text).map_err(|error| {
            Error::new(ErrorKind::Parse, format!("this is not the first message of Storm: {error}"))
        })?;
        let context = wire.context;
        let task = context.taskid.unwrap_or(0);
        let component = context
            .componentid
            .or_else(|| context.components.get(&task.to_string()).cloned())
            .unwrap_or_default();
        // Storm gives a component's tasks other ids when the topology is submitted again, in the
        // same order.
        let before = context.components.iter().filter(|(other, name)| {
            **name == component && other.parse::<i64>().is_ok_and(|other| other < task)
        });
        let task_index = before.count();
        let of_component = |(component, streams): (String, BTreeMap<String, Vec<String>>)| {
            streams.into_iter().map(move |(stream, names)| ((component.clone(), stream), names))
        };
        let fields = context.fields.into_iter().flat_map(of_component).collect();
        Ok(Setup { pid_folder: wire.pid_folder, component, task_index, fields })
    }
}

/// A message to Storm.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// The answer to the first message.
    Pid(u32),
    /// The answer to a heartbeat.
    Sync,
    /// The tuple with this id, which is JSON, is processed.
    Ack(String),
    /// The tuple with this id, which is JSON, is refused. Its spout decides what comes of it.
    Fail(String),
    /// A tuple of one value, a text.
    Emit {
        /// The id, as JSON, of the tuple that fails if this one fails.
        anchor: Option<String>,
        /// The value.
        text: Bytes,
    },
    /// A line for Storm's log.
    Log(String),
    /// An error for Storm's user interface.
    Error(String),
}

impl Reply {
    /// Appends the message as Storm reads it: JSON, and a line `end`.
    pub fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_json().as_bytes());
        out.extend_from_slice(b"\nend\n");
    }

    fn to_json(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Reply::Pid(pid) => format!(r#"{{"pid":{pid}}}"#),
            Reply::Sync => String::from(r#"{"command":"sync"}"#),
            Reply::Ack(id) => format!(r#"{{"command":"ack","id":{id}}}"#),
            Reply::Fail(id) => format!(r#"{{"command":"fail","id":{id}}}"#),
            Reply::Emit { anchor, text: row } => {
                let mut json = String::from(r#"{"command":"emit","anchors":["#);
                json.push_str(anchor.as_deref().unwrap_or(""));
                // Writing to a string does not fail.
                let _ = write!(json, r#"],"tuple":[{}],"#, text(&String::from_utf8_lossy(row)));
                json.push_str(r#""need_task_ids":false}"#);
                json
            }
            // Level 3 is a warning.
            Reply::Log(note) => format!(r#"{{"command":"log","msg":{},"level":3}}"#, text(note)),
            Reply::Error(error) => format!(r#"{{"command":"error","msg":{}}}"#, text(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_told_apart() {
        for (text, expected) in [
            (r#"{"id":"1","comp":"__system","stream":"__tick","task":-1,"tuple":[1]}"#, "Tick"),
            (r#"{"id":"","comp":null,"stream":"__heartbeat","task":-1,"tuple":[]}"#, "Heartbeat"),
            ("[3,4]", "Other"),
            (r#"{"command":"next"}"#, "Other"),
            (r#"{"id":7,"tuple":[]}"#, "Tuple"),
            (r#"{"tuple":[]}"#, "it has no id"),
            ("{}", "neither a tuple nor a command"),
            ("7", "neither an object nor an array"),
            ("[3", "EOF"),
            (r#"{"id":"1","tuple":"x"}"#, "expected a sequence"),
            ("{\"a\":", "EOF"),
        ] {
            let read = Message::parse(text.as_bytes());
            let shown = read.map_or_else(|error| error.to_string(), |read| format!("{read:?}"));
            assert!(shown.contains(expected), "{text}: {shown}");
        }
        assert!(Message::parse(b"\xff").is_err());
        let deep = "[".repeat(1_000_000);
        assert!(Message::parse(deep.as_bytes()).is_err());
        let deep = format!(r#"{{"id":"1","tuple":[{deep}"#);
        assert!(Message::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn the_index_of_a_task_is_that_among_its_component() {
        let text = r#"{"pidDir":"/tmp/p","conf":{"a":null},"context":{"taskid":12,"componentid":"b",
            "task->component":{"9":"b","10":"spout","12":"b","13":"b","x":"b"},
            "source->stream->fields":{"spout":{"default":["line","n"]}}}}"#;
        let setup = Setup::parse(text.as_bytes()).unwrap();
        assert_eq!((setup.component.as_str(), setup.task_index), ("b", 1));
        let names = &setup.fields[&("spout".to_owned(), "default".to_owned())];
        assert_eq!(names, &["line", "n"]);
        assert!(Setup::parse(b"{}").is_err());
        assert_eq!(Setup::parse(br#"{"pidDir":""}"#).unwrap(), Setup::default());
    }

    #[test]
    fn replies_are_json_and_a_line() {
        let row = Bytes::from_static(b"{\"a\":\"\\u00e9\"}");
        for (reply, expected) in [
            (Reply::Ack("\"-7\"".into()), r#"{"command":"ack","id":"-7"}"#),
            (
                Reply::Emit { anchor: Some("7".into()), text: row.clone() },
                r#"{"command":"emit","anchors":[7],"tuple":["{\"a\":\"\\u00e9\"}"],"need_task_ids":false}"#,
            ),
            (
                Reply::Emit { anchor: None, text: row },
                r#"{"command":"emit","anchors":[],"tuple":["{\"a\":\"\\u00e9\"}"],"need_task_ids":false}"#,
            ),
            (Reply::Log("a\nb".into()), r#"{"command":"log","msg":"a\nb","level":3}"#),
        ] {
            let mut out = Vec::new();
            reply.append(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\nend\n"));
        }
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in r#"[\[{]("(id|comp|stream|tuple|command)":(1|"a"|\[\]|null),?){0,4}.{0,9}"#) {
            let _ = Message::parse(text.as_bytes());
            let _ = Setup::parse(text.as_bytes());
        }
    }
}
