//! What feeds the engine from a transport, each behind its feature. An adapter never imports another; what several of them need
//! stands beside them: records aggregated by the KPL (`kpl`) and by CloudWatch Logs (`logs`), and deliveries that are not
//! records (`Rejected`).

#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "kcl")]
pub mod kcl;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub mod kpl;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub mod logs;

#[cfg(any(feature = "kcl", feature = "lambda"))]
mod json;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod payload;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod rejected;

#[cfg(any(feature = "kcl", feature = "lambda"))]
pub use rejected::Rejected;
