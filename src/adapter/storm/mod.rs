//! A task of a bolt of Apache Storm: Storm's multilang protocol, spoken by the process that a
//! `ShellBolt` starts.
//!
//! Storm starts one process for each task of the bolt and talks to it over standard input and
//! output: messages of JSON, each ended by a line `end`. A [`Message`] comes from Storm, a
//! [`Reply`] from the process. A [`Bolt`] applies tuples to a pipeline, saves the state in a
//! [`Store`](crate::store::Store), sends the answers as tuples and acks, in this order; its loop is
//! that of all sources with shards ([`worker`](crate::adapter::worker)). [`run`] is the process: a
//! thread reads, and answers heartbeats at once.
//!
//! Storm delivers at least once, in any order. With [`id`](BoltOptions::id) a tuple that comes
//! again counts once, as long as its id is among the [last ones](TupleWork::ids_max).
//!
//! Written after the observed behaviour of Storm 2.8.2.
//!
//! # Example
//! ```
//! use streamgauge::adapter::storm::{Bolt, BoltOptions, Message, Reply, Setup, TupleWork};
//! use streamgauge::adapter::worker::{ProcessorOptions, SystemClock};
//! use streamgauge::adapter::{Decoding, each};
//! use streamgauge::prelude::*;
//! use streamgauge::store::MemoryStore;
//! use std::io::Write;
//!
//! let hits = Pipeline::builder()
//!     .event_time(|time: &Timestamp| *time)
//!     .window(Tumbling::new(seconds(1))?)
//!     .aggregate(count())
//!     .build()?;
//! let decoding = Decoding::new(hits, |record: &Record| {
//!     let text = std::str::from_utf8(&record.data).map_err(|error| error.to_string())?;
//!     text.parse().map(Timestamp::from_millis).map_err(|_| format!("{text:?} is no time"))
//! });
//! let work = TupleWork::new(
//!     decoding,
//!     |mut rows| {
//!         Box::new(each(move |emission: Emission<u64>| {
//!             let written = writeln!(rows, "{}", emission.value);
//!             written.map_err(|_| Error::new(ErrorKind::Io, "no row"))
//!         }))
//!     },
//!     |work| work,
//! )?;
//! let setup = br#"{"pidDir":"/tmp","conf":{},"context":{"taskid":4,"task->component":{"4":"hits"},
//!     "source->stream->fields":{"spout":{"default":["id","time"]}}}}"#;
//! let mut options = BoltOptions::default();
//! (options.id, options.payload) = (Some("id".into()), Some("time".into()));
//! let parts = (work, MemoryStore::new());
//! let options = (options, ProcessorOptions::default());
//! let mut bolt = Bolt::open(&Setup::parse(setup)?, parts, options, SystemClock)?;
//!
//! let tuple = |delivery: &str, id: &str, time: u64| {
//!     Message::parse(
//!         format!(
//!             r#"{{"id":"{delivery}","comp":"spout","stream":"default","tuple":["{id}",{time}]}}"#
//!         )
//!         .as_bytes(),
//!     )
//! };
//! bolt.process(vec![tuple("7", "a", 100)?, tuple("8", "b", 200)?, tuple("9", "a", 100)?])?;
//! let replies = bolt.process(vec![tuple("10", "c", 1000)?])?;
//! let row = Reply::Emit { anchor: Some("\"10\"".into()), text: "2".into() };
//! assert_eq!(replies, [row, Reply::Ack("\"10\"".into())]);
//! # Ok::<(), Error>(())
//! ```

mod bolt;
mod frames;
mod payload;
mod process;
mod protocol;
mod tuple_state;
mod tuple_work;

pub use bolt::{Bolt, BoltOptions};
pub use process::{Output, run};
pub use protocol::{Message, Reply, Setup, Tuple};
pub use tuple_state::TupleState;
pub use tuple_work::{RowBuffer, TupleWork};
