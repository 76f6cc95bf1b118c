//! Makes a target of a function `check(&[u8])`: for libFuzzer under `cargo fuzz`, and otherwise a
//! program that replays files.
//!
//! The program takes files and folders, runs the check on each file and says how many there were; a
//! check that panics ends it.

/// Declares the target; `check` is a `fn(&[u8])`.
macro_rules! target {
    ($check:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $check(bytes));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            let mut paths: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
            let mut replayed = 0;
            while let Some(path) = paths.pop() {
                if path.is_dir() {
                    for entry in std::fs::read_dir(&path)? {
                        paths.push(entry?.path());
                    }
                    continue;
                }
                eprintln!("{}", path.display());
                $check(&std::fs::read(&path)?);
                replayed += 1;
            }
            println!("{replayed} inputs replayed");
            Ok(())
        }
    };
}
pub(crate) use target;
