//! Time zones: where a local time is on the time line of UTC.
//!
//! The rules come from the data that is compiled into the program, never from the machine's own, so
//! that one program cuts time alike on every machine. Without the feature `spec` there are no time
//! zones: the twin of the type has no value.

#[cfg(not(feature = "spec"))]
mod disabled;
#[cfg(feature = "spec")]
mod enabled;

#[cfg(not(feature = "spec"))]
pub(crate) use disabled::TimeZone;
#[cfg(feature = "spec")]
pub use enabled::TimeZone;
