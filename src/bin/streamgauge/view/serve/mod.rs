//! A run by HTTP while it goes on: `--serve`.
//!
//! `/` is the page of the answers, which loads itself again when there is a new one; `/metrics` has
//! the newest window and the counts of the run for Prometheus; `/healthz` tells that the run goes
//! on. Requests change nothing and have no body. Everything that a client can need more of is
//! [limited](limits).

mod limits;
mod prometheus;
mod replies;
mod running;
mod server;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use running::{ServeOptions, Server};
