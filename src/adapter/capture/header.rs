//! What a capture is of.

use super::line::Line;
use crate::adapter::Packing;
#[cfg(feature = "kcl")]
use crate::error::{Error, ErrorKind};

/// The version of the format.
const VERSION: u32 = 1;

/// The adapter whose records a capture has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CaptureKind {
    /// Workers with one shard each, such as those of the KCL.
    Shard,
    /// One worker with all shards of a stream.
    Stream,
    /// A Lambda function.
    Lambda,
    /// A pipe: bytes without positions.
    Pipe,
}

const KINDS: [(CaptureKind, &str); 4] = [
    (CaptureKind::Shard, "shard"),
    (CaptureKind::Stream, "stream"),
    (CaptureKind::Lambda, "lambda"),
    (CaptureKind::Pipe, "pipe"),
];

/// The first line of a capture: the settings that the pipeline file does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Header {
    /// The adapter.
    pub kind: CaptureKind,
    /// How payloads were unpacked.
    pub packing: Packing,
    /// The milliseconds without a record after which the clock completed windows.
    pub idle_after: Option<u64>,
    /// The mode of a Lambda function: tumbling, store or stateless.
    pub mode: Option<String>,
    /// True if the answers of a Lambda function begin with their source.
    pub with_source: bool,
}

impl Header {
    /// Creates the header of a capture without further settings.
    pub fn new(kind: CaptureKind) -> Self {
        Header {
            kind,
            packing: Packing::default(),
            idle_after: None,
            mode: None,
            with_source: false,
        }
    }

    /// Sets how payloads are unpacked.
    #[must_use]
    pub fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    pub(super) fn to_line(&self) -> Line {
        let kind = KINDS.iter().find(|(kind, _)| *kind == self.kind).map(|(_, name)| *name);
        Line {
            capture: Some(VERSION),
            of: kind.map(str::to_owned),
            packing: Some(self.packing.to_string()),
            idle_after: self.idle_after,
            mode: self.mode.clone(),
            with_source: self.with_source,
            ..Line::default()
        }
    }

    /// Reads a header, if the line is one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for another version, [`ErrorKind::Parse`] for unknown words.
    #[cfg(feature = "kcl")]
    pub(super) fn of_line(line: &Line) -> Result<Option<Self>, Error> {
        let Some(version) = line.capture else { return Ok(None) };
        if version != VERSION {
            let message =
                format!("a capture of version {version}; this streamgauge reads version {VERSION}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let name = line.of.as_deref().unwrap_or("");
        let kind = KINDS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind);
        let Some(kind) = kind else {
            let message =
                format!("a capture of {name:?}; known are shard, stream, lambda and pipe");
            return Err(Error::new(ErrorKind::Parse, message));
        };
        let packing = line.packing.as_deref().map(str::parse).transpose()?;
        Ok(Some(Header {
            kind,
            packing: packing.unwrap_or_default(),
            idle_after: line.idle_after,
            mode: line.mode.clone(),
            with_source: line.with_source,
        }))
    }
}
