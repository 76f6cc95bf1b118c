//! State that survives: snapshots, budgets, partials, stores.

mod resume;
mod stores;
