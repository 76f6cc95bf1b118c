//! Answers for people to look at: a page, and what other views share with it.

mod answers;
mod columns;
mod counts;
mod exactness;
pub(crate) mod html;
#[cfg(any(feature = "live", feature = "otlp", feature = "serve"))]
mod kept;
#[cfg(feature = "live")]
pub(crate) mod live;
#[cfg(not(feature = "live"))]
#[path = "live_disabled.rs"]
pub(crate) mod live;
#[cfg(any(feature = "otlp", feature = "serve"))]
mod metrics;
mod numbers;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
#[cfg(all(feature = "serve", not(feature = "otlp")))]
#[path = "otlp_disabled.rs"]
pub(crate) mod otlp;
#[cfg(any(feature = "otlp", feature = "serve"))]
pub(crate) mod published;
#[cfg(not(any(feature = "otlp", feature = "serve")))]
#[path = "published_disabled.rs"]
pub(crate) mod published;
mod scale;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(all(feature = "otlp", not(feature = "serve")))]
#[path = "serve_disabled.rs"]
pub(crate) mod serve;
mod text;
mod times;
#[cfg(any(feature = "otlp", feature = "serve"))]
mod told;
#[cfg(any(feature = "otlp", feature = "serve"))]
#[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "only otlp takes points out"))]
mod waiting;

pub(crate) use counts::{Counts, Watcher};
