//! `streamgauge put`: lines as records of a Kinesis stream.

use crate::failure::Failure;
use crate::kinesis::connect;
use crate::kinesis_arguments::PutArguments;
use crate::output::digits;
use crate::progress::Progress;
use crate::settings::duration;
use crate::standard_error::say;
use bytes::Bytes;
use serde_json::{Value, json};
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use streamgauge::adapter::kinesis::{
    KinesisProducer, ProducerOptions, ReadFailure, ReadStream, RefusedRecord, StreamClient,
};
use streamgauge::adapter::worker::SystemClock;
use streamgauge::{Error, ErrorKind};

/// Lines that are read ahead, in blocks of this many.
const BLOCK_LINES: usize = 500;
const BLOCKS_AHEAD: usize = 4;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// Time between two looks at the shards, with --aggregate.
const SHARDS_EVERY: Duration = Duration::from_secs(60);

/// Puts each line of the inputs as a record.
///
/// # Errors
/// Wrong usage; an input that cannot be read, a stream that cannot be reached, or records that were
/// not accepted.
pub(crate) fn run(arguments: PutArguments) -> Result<(), Failure> {
    let failed = |error: Error| Failure::run(&error);
    let mut options = ProducerOptions::default();
    options.linger = duration("--linger", &arguments.linger)?;
    options.ordered = arguments.ordered;
    let linger = options.linger;
    let client = connect(&arguments.stream)?;
    let path = arguments.refused.clone();
    let mut refused = RefusedFile { path: path.clone(), file: None };
    let producer =
        KinesisProducer::new(client, options).on_refused(move |record| refused.write(&record));
    let mut putting = Putting {
        producer,
        progress: Progress::new(total_bytes(&arguments.files), arguments.quiet),
        bytes: 0,
        key: arguments.key.as_deref().map(Key::parse),
        lines: 0,
        aggregates: arguments.aggregate,
        shards_at: None,
    };
    let blocks = read_ahead(&arguments.files);
    let done = putting.put_all(&blocks, linger);
    let done = done.and_then(|()| putting.producer.flush().map_err(failed));
    putting.progress.clear();
    done?;
    let counts = putting.producer.counts();
    if !arguments.quiet {
        say(&format!(
            "{} records accepted, {} refused, {} calls, {} sent again\n",
            digits::count(counts.accepted),
            digits::count(counts.refused),
            digits::count(counts.calls),
            digits::count(counts.repeated),
        ));
    }
    match counts.refused {
        0 => Ok(()),
        refused => Err(Failure::Run(format!(
            "{refused} records were not accepted; they are in {}",
            path.display()
        ))),
    }
}

/// The records that were given up, in a file that is made with the first of them.
struct RefusedFile {
    path: PathBuf,
    file: Option<File>,
}

impl RefusedFile {
    fn write(&mut self, record: &RefusedRecord) -> Result<(), Error> {
        let failed = |error: io::Error| {
            let message = format!("a refused record cannot be written to {}", self.path.display());
            Error::new(ErrorKind::Io, message).with_source(error)
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let opened = File::options().create(true).append(true).open(&self.path);
                none.insert(opened.map_err(failed)?)
            }
        };
        let line = json!({
            "reason": record.reason,
            "key": record.partition_key,
            "data": String::from_utf8_lossy(&record.data),
        });
        file.write_all(format!("{line}\n").as_bytes()).map_err(failed)
    }
}

/// The field that is the partition key.
enum Key {
    Name(String),
    Pointer(String),
}

impl Key {
    fn parse(field: &str) -> Key {
        match field.starts_with('/') {
            true => Key::Pointer(field.to_owned()),
            false => Key::Name(field.to_owned()),
        }
    }

    /// Returns the key of a line, or an empty one, which no stream accepts.
    fn of(&self, line: &[u8]) -> String {
        let Ok(record) = serde_json::from_slice::<Value>(line) else { return String::new() };
        let found = match self {
            Key::Name(name) => record.get(name),
            Key::Pointer(pointer) => record.pointer(pointer),
        };
        match found {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

struct Putting {
    producer: KinesisProducer<StreamClient>,
    progress: Progress,
    /// Bytes of the inputs whose lines were put.
    bytes: u64,
    key: Option<Key>,
    lines: u64,
    aggregates: bool,
    /// When the shards were listed.
    shards_at: Option<Instant>,
}

/// Lines, and the number of bytes of the input that they were.
type Block = io::Result<(Vec<Bytes>, u64)>;

impl Putting {
    fn put_all(&mut self, blocks: &Receiver<Block>, linger: Duration) -> Result<(), Failure> {
        let failed = |error: Error| Failure::run(&error);
        loop {
            let block = match blocks.recv_timeout(linger.max(Duration::from_millis(1))) {
                Ok(block) => block,
                Err(RecvTimeoutError::Timeout) => {
                    self.producer.tick(&mut SystemClock).map_err(failed)?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let (lines, bytes) = match block {
                Ok(block) => block,
                Err(error) => {
                    // What was read before is put.
                    self.producer.flush().map_err(failed)?;
                    return Err(Failure::Run(error.to_string()));
                }
            };
            self.look_at_shards()?;
            for line in lines {
                self.lines += 1;
                let key = match &self.key {
                    Some(key) => key.of(&line),
                    None => self.lines.to_string(),
                };
                self.producer.put(&key, line, &mut SystemClock).map_err(failed)?;
            }
            self.bytes += bytes;
            self.progress.advance(self.bytes);
        }
    }

    /// Lists the open shards, which decide on the aggregates.
    fn look_at_shards(&mut self) -> Result<(), Failure> {
        let is_fresh = self.shards_at.is_some_and(|at| at.elapsed() < SHARDS_EVERY);
        if !self.aggregates || is_fresh {
            return Ok(());
        }
        match self.producer.client_mut().list_shards() {
            Ok(shards) => {
                let open = shards.iter().filter(|shard| !shard.is_closed);
                let ranges: Vec<_> = open.filter_map(|shard| shard.range).collect();
                self.producer.aggregate_for(&ranges);
            }
            Err(ReadFailure::Fatal(error)) => return Err(Failure::run(&error)),
            Err(ReadFailure::Transient(error)) if self.shards_at.is_none() => {
                return Err(Failure::run(&error));
            }
            // The shards of before will do.
            Err(_) => {}
        }
        self.shards_at = Some(Instant::now());
        Ok(())
    }
}

/// Reads the lines of the files on a thread of its own, so that a pause of standard input does not
/// hold up what was read.
fn read_ahead(files: &[PathBuf]) -> Receiver<Block> {
    let files = match files {
        [] => vec![PathBuf::from("-")],
        files => files.to_vec(),
    };
    let (sender, receiver) = sync_channel(BLOCKS_AHEAD);
    thread::spawn(move || {
        for path in files {
            let at = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            let mut reader = match open(&path) {
                Ok(reader) => reader,
                Err(error) => return drop(sender.send(Err(at(error)))),
            };
            loop {
                let block = read_block(&mut reader).map_err(at);
                let is_last = block.as_ref().is_ok_and(|(lines, _)| lines.is_empty());
                let is_failed = block.is_err();
                if !is_last && sender.send(block).is_err() || is_failed {
                    return;
                }
                if is_last {
                    break;
                }
            }
        }
    });
    receiver
}

type Lines = BufReader<Box<dyn Read>>;

fn open(path: &Path) -> io::Result<Lines> {
    let file: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, file))
}

/// Reads some lines: those that are there, or one if it has to be waited for. Empty lines are
/// skipped. No line means the end.
fn read_block(reader: &mut Lines) -> Block {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok((lines, bytes));
        }
        bytes += read as u64;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let length = text.strip_suffix(b"\r").unwrap_or(text).len();
        line.truncate(length);
        if !line.is_empty() {
            lines.push(Bytes::from(line));
        }
        let waits = !reader.buffer().contains(&b'\n');
        if lines.len() >= BLOCK_LINES || (waits && !lines.is_empty()) {
            return Ok((lines, bytes));
        }
    }
}

/// Returns the size of all files, if all are regular.
fn total_bytes(files: &[PathBuf]) -> Option<u64> {
    let size =
        |path: &PathBuf| fs::metadata(path).ok().filter(Metadata::is_file).map(|of| of.len());
    files.iter().map(size).sum::<Option<u64>>().filter(|_| !files.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_blocks_until_the_end() {
        let text = format!("a\r\n\n\nb\n{}last", "x\n".repeat(700));
        let (length, mut bytes) = (text.len() as u64, 0);
        let reader: Box<dyn Read> = Box::new(io::Cursor::new(text));
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        let mut lines = Vec::new();
        let mut blocks = 0;
        loop {
            let (block, read) = read_block(&mut reader).unwrap();
            bytes += read;
            if block.is_empty() {
                break;
            }
            assert!(block.len() <= BLOCK_LINES);
            blocks += 1;
            lines.extend(block);
        }
        assert_eq!((blocks, lines.len(), bytes), (3, 703, length));
        assert_eq!(
            (&lines[0][..], &lines[1][..], &lines[702][..]),
            (&b"a"[..], &b"b"[..], &b"last"[..])
        );
    }

    #[test]
    fn a_key_is_a_field_or_a_pointer() {
        for (field, key) in
            [("user", "ann"), ("/a/b", "7"), ("none", ""), ("gone", ""), ("/a", r#"{"b":7}"#)]
        {
            let line = br#"{"user":"ann","a":{"b":7},"none":null}"#;
            assert_eq!(Key::parse(field).of(line), key, "{field}");
        }
        assert_eq!(Key::parse("user").of(b"not JSON"), "");
    }
}
