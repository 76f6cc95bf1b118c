//! The KCL's ready processors, against a daemon that is played.

mod daemon;
mod merging;
mod pipeline;
mod replay;

#[cfg(all(feature = "lambda", feature = "spec"))]
pub(crate) use daemon::{Daemon, StepClock, initialize};
