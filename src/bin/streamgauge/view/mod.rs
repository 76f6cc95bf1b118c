//! Answers for people to look at: a page, and what other views share with it.

mod answers;
mod columns;
mod counts;
mod exactness;
pub(crate) mod html;
#[cfg(any(feature = "live", feature = "serve"))]
mod kept;
#[cfg(feature = "live")]
pub(crate) mod live;
#[cfg(not(feature = "live"))]
#[path = "live_disabled.rs"]
pub(crate) mod live;
mod numbers;
mod scale;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(not(feature = "serve"))]
#[path = "serve_disabled.rs"]
pub(crate) mod serve;
mod text;
mod times;

pub(crate) use counts::{Counts, Watcher};
