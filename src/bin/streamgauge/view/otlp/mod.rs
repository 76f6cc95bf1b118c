//! The metrics of a run, pushed to a receiver of OpenTelemetry: OTLP by HTTP, as protobuf.
//!
//! A thread of its own takes what the run has told, at an interval, and sends it. The newest
//! numbers replace those that no receiver has taken. The run never waits for a receiver; only its
//! end does, within a limit.

mod exporter;
mod limits;
mod options;
mod outcome;
mod request;
#[cfg(test)]
mod tests;
mod transport;

pub(crate) use exporter::Exporter;
pub(crate) use options::OtlpOptions;
