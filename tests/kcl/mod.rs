//! The ready-made processors of the KCL, with a scripted daemon.

mod daemon;
mod early;
mod merging;
mod pipeline;
mod replay;

#[cfg(all(feature = "lambda", feature = "spec"))]
pub(crate) use daemon::{Daemon, StepClock, initialize};
