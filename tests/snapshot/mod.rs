//! State that survives: snapshots, budgets, partials, stores.

mod partials;
mod resume;
mod stores;
