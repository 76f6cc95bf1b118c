//! Recognises a file by its bytes, or by its name if the bytes are not enough.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use streamgauge::adapter::files::RunState;
use streamgauge::adapter::storm::TupleState;
use streamgauge::adapter::worker::{MergerState, Phase, ShardState, StreamState};
use streamgauge::snapshot::{Kind, Summary};
use streamgauge::{Error, ErrorKind};

/// Maximum bytes of a file that is read.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Maximum bytes of the name of a version.
const VERSION_BYTES_MAX: usize = 256;

/// A snapshot, a partial or a merger's state.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) summary: Summary,
}

/// The content of a file.
pub(super) enum FileContent {
    Held(Held),
    /// The state of a shard on the KCL, or of a stream, with its contents, and the last record that
    /// a second stage has merged.
    Shard {
        state: ShardState,
        held: Vec<Held>,
        applied: Option<String>,
    },
    /// A file without windows.
    Other {
        kind: &'static str,
        note: String,
    },
}

impl FileContent {
    /// Returns the parts that have windows.
    pub(super) fn held(&self) -> &[Held] {
        match self {
            FileContent::Held(held) => std::slice::from_ref(held),
            FileContent::Shard { held, .. } => held,
            FileContent::Other { .. } => &[],
        }
    }
}

/// Reads a file.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read; [`ErrorKind::Corrupt`] if it is damaged or was not
/// written by streamgauge.
pub(super) fn read(path: &Path) -> Result<FileContent, Error> {
    let failed = |error| Error::new(ErrorKind::Io, "cannot be read").with_source(error);
    let kind = path.metadata().map_err(failed)?.file_type();
    if !kind.is_file() {
        return Err(Error::new(ErrorKind::Io, "cannot be read: it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("is over {FILE_BYTES_MAX} bytes"),
        ));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    content(&name, bytes.into())
}

fn content(name: &str, bytes: Bytes) -> Result<FileContent, Error> {
    let other = |kind, note: &str| Ok(FileContent::Other { kind, note: note.to_owned() });
    if name.ends_with(".state.new") {
        return other(
            "unfinished",
            "a save that did not complete: it is never read, and the next save replaces it",
        );
    }
    if name.ends_with(".lock") && bytes.is_empty() {
        return other("lock", "keeps other processes from saving the key at the same time");
    }
    if ShardState::is_one(&bytes) {
        return shard(&bytes);
    }
    match Summary::of(bytes.clone()) {
        Ok(mut summary) => {
            if summary.kind == Kind::Run {
                RunState::of_any_pipeline(bytes.clone())?.summarize(&mut summary)?;
            }
            Ok(FileContent::Held(Held { bytes, summary }))
        }
        Err(error) => without_windows(name, &bytes).ok_or(error),
    }
}

/// Reads the state of a shard on the KCL.
fn shard(bytes: &Bytes) -> Result<FileContent, Error> {
    let state = ShardState::from_bytes(bytes)?;
    let mut applied = None;
    let parts = match &state.phase {
        Phase::Running { state, .. } if TupleState::is_one(state) => {
            vec![TupleState::from_bytes(state)?.snapshot]
        }
        Phase::Running { state, .. } => {
            let state = match StreamState::is_one(state) {
                true => StreamState::from_bytes(state)?.snapshot,
                false => state.clone(),
            };
            match MergerState::from_bytes(&state) {
                Ok(merging) if Summary::of(state.clone()).is_err() => {
                    applied = merging.applied.map(|applied| applied.number.to_string());
                    vec![merging.merger]
                }
                _ => vec![state],
            }
        }
        Phase::Ended { handed_over, .. } => handed_over.clone(),
        _ => Vec::new(),
    };
    let held = parts
        .into_iter()
        .map(|bytes| Summary::of(bytes.clone()).map(|summary| Held { bytes, summary }));
    Ok(FileContent::Shard { held: held.collect::<Result<_, _>>()?, state, applied })
}

/// Returns the content of a file without windows, if streamgauge wrote it.
fn without_windows(name: &str, bytes: &[u8]) -> Option<FileContent> {
    let text = std::str::from_utf8(bytes).ok()?;
    if name.ends_with(".answered.state") && bytes.len() <= VERSION_BYTES_MAX && !text.contains('\n')
    {
        let note = format!(
            "the version of a state whose windows the schedule of a Lambda function answered last: \
             {text}"
        );
        return Some(FileContent::Other { kind: "answered_version", note });
    }
    let first: Map<String, Value> = serde_json::from_str(text.lines().next()?).ok()?;
    let has = |names: &[&str]| names.iter().all(|name| first.contains_key(*name));
    let (kind, what) = match (has(&["window", "revision"]), has(&["reason"])) {
        (true, _) => ("rows", "answers as JSON Lines"),
        (_, true) => ("dead_letters", "dead letters as JSON Lines"),
        _ => return None,
    };
    Some(FileContent::Other { kind, note: format!("{what}: {}", text.lines().count()) })
}

/// Returns the phase of a shard as JSON.
pub(super) fn phase(phase: &Phase) -> Value {
    match phase {
        Phase::Claiming { parents } => json!({ "name": "claiming", "parents": parents }),
        Phase::Running { parents, .. } => json!({ "name": "running", "parents": parents }),
        Phase::Ended { adopted_by, .. } => json!({ "name": "ended", "heir": adopted_by }),
        _ => Value::Null,
    }
}
