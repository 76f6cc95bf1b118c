//! One macro for both ways to run a target: under `cargo fuzz` (nightly), and on stable over files that are named, or over the
//! target's corpus if none is.
//!
//! `cargo run --release --bin sketch_operations [FILE]...` replays; a crash ends it with a panic that names the file.

use std::path::{Path, PathBuf};

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// Defines a target: `target!("name of the corpus", |data| { .. })` with `data: &[u8]`.
#[macro_export]
macro_rules! target {
    ($name:literal, |$data:ident| $body:block) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|$data: &[u8]| $body);

        #[cfg(not(fuzzing))]
        fn main() {
            fn run($data: &[u8]) $body
            $crate::replay($name, run);
        }
    };
}

/// Runs the target over the files named as arguments, or over its corpus.
pub fn replay(name: &str, run: fn(&[u8])) {
    let mut files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let entries = std::fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
        files.extend(entries.map(|entry| entry.expect("a readable folder").path()));
        files.sort();
    }
    assert!(!files.is_empty(), "{name}: nothing to replay");
    for file in &files {
        let data = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if std::panic::catch_unwind(|| run(&data)).is_err() {
            panic!("{}: the target failed on this input", file.display());
        }
    }
    println!("{name}: {} inputs replayed", files.len());
}
