//! Durable state: snapshots, budgets, partials, stores.

mod budget;
mod finals;
mod golden;
mod inherited;
mod memory;
#[cfg(feature = "object-store")]
mod objects;
mod partials;
mod resume;
mod stores;
