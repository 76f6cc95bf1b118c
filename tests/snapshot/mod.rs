//! State that survives: snapshots, budgets, partials, stores.

mod budget;
mod golden;
mod partials;
mod resume;
mod stores;
