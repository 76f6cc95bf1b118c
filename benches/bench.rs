//! All benchmarks in one binary: a module an area, names `area/operation/implementation/data`.
//!
//! Every group has a naive baseline in it, and every benchmark checks its answer. Quote ratios
//! within one run, not times.

mod aggregates;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
mod queries;
mod sketches;
mod sliding;
mod snapshots;
mod windows;
#[cfg(all(feature = "kcl", feature = "lambda", feature = "spec"))]
mod wire;

// What the files of the library's windows name, for the module that compiles them again.
use streamgauge::{aggregate, codec, error};

fn main() {
    let mut criterion = criterion::Criterion::default().configure_from_args();
    aggregates::benches(&mut criterion);
    #[cfg(feature = "files")]
    files::benches(&mut criterion);
    #[cfg(feature = "files")]
    queries::benches(&mut criterion);
    sketches::benches(&mut criterion);
    sliding::benches(&mut criterion);
    snapshots::benches(&mut criterion);
    windows::benches(&mut criterion);
    #[cfg(all(feature = "kcl", feature = "lambda", feature = "spec"))]
    wire::benches(&mut criterion);
    criterion.final_summary();
}
