//! Writes a web access log of any size: `cargo run --release --example generate -- 1000000 1
//! out.jsonl`.
//!
//! The arguments are the number of records, the seed and the file; `.jsonl`, `.csv` or `.log`
//! (combined log format) says how it is written. The same arguments give the same bytes.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

#[path = "generate/log.rs"]
mod log;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, seed, file] = arguments.as_slice() else {
        return Err("usage: generate COUNT SEED FILE.jsonl|FILE.csv|FILE.log".into());
    };
    let extension =
        Path::new(file).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let layout =
        log::Layout::of_extension(extension).ok_or("the file must end in .jsonl, .csv or .log")?;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    log::write(&mut out, layout, count.parse()?, seed.parse()?)?;
    out.flush()?;
    Ok(())
}
