//! Captures: a bounded copy of what an adapter got, in a file, so that a run can be repeated.
//!
//! A worker's capture has each call of its work: the records of each batch as they were delivered,
//! with their positions and arrival times, the clock, and when answers were emitted. A function's
//! capture has each event, a pipe's the bytes with the times when they came. Repeated on a new
//! pipeline of the same specification, it gives the same answers in the same order, without the
//! stream and without its clock. docs/FORMAT.md has the format.
//!
//! A capture has the payloads of the records as they are: whoever reads it reads them.
//!
//! # Example
//! ```
//! use streamgauge::adapter::capture::{Capture, CaptureKind, CaptureReader, Entry, Header};
//! use streamgauge::Timestamp;
//! # let path = std::env::temp_dir().join(format!("streamgauge-capture-{}", std::process::id()));
//! # let place = path.to_str().expect("a path of text");
//! let mut capture = Capture::open(place, 10_000_000, &Header::new(CaptureKind::Pipe))?;
//! capture.chunk(Timestamp::from_millis(7), b"{\"url\":\"/\"}\n");
//! drop(capture);
//!
//! let file = std::io::BufReader::new(std::fs::File::open(&path)?);
//! let entries = CaptureReader::new(file).collect::<Result<Vec<Entry>, _>>()?;
//! assert!(matches!(&entries[0], Entry::Header(header) if header.kind == CaptureKind::Pipe));
//! let Entry::Chunk { at, data } = &entries[1] else { panic!("it is a chunk") };
//! assert_eq!((at.as_millis(), data.len()), (7, 12));
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "kcl")]
mod calls;
mod header;
mod line;
#[cfg(feature = "kcl")]
mod reader;
mod writer;

#[cfg(feature = "kcl")]
pub use calls::{Call, Step};
pub use header::{CaptureKind, Header};
#[cfg(feature = "kcl")]
pub use reader::{CaptureReader, Entry, read_all};
pub use writer::Capture;
