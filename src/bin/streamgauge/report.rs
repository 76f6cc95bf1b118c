//! `streamgauge report`: a page of the answers that a command has written.

use crate::arguments::ReportArguments;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::session::check_page;
use crate::standard_output::StandardOutput;
use crate::view::html::{AnswersReader, Facts, Origin, PageWriter, Zone};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read};
use std::path::Path;
use streamgauge::adapter::read_pipeline;

/// Bytes of a line, at most.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Reads the answers and writes the page.
///
/// # Errors
/// Wrong usage, a file that cannot be read, a line that is no answer, or a reader that has gone.
pub(crate) fn run(arguments: ReportArguments) -> Result<(), Failure> {
    let ReportArguments { files, pipeline, title } = arguments;
    check_page(io::stdout().is_terminal())?;
    let spec = pipeline.as_deref().map(read_pipeline).transpose();
    let spec = spec.map_err(|error| Failure::usage(&error))?;
    let mut reader = AnswersReader::new();
    for path in &files {
        read(path, &mut reader)?;
    }
    let inputs: Vec<String> =
        files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let facts = Facts::of(&[("files", inputs.len() as u64), ("answers read", reader.rows)]);
    // Without a name the offset of the first window is what is known of the zone.
    let zone = spec.as_ref().and_then(|spec| spec.timezone.as_deref());
    let zone = zone.map_or_else(|| reader.zone(), |zone| Zone::named(Some(zone)));
    let origin = Origin { verb: "Shows the answers in", inputs, spec, title, zone };
    let out = BufWriter::new(StandardOutput::new(&Bar::default())?);
    let mut page = PageWriter::of(out, reader.into_answers(), origin);
    page.set_facts(facts);
    page.finish().map_err(|error| Failure::output(&error))
}

fn read(path: &Path, reader: &mut AnswersReader) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::Run(format!("{}: cannot be read: {error}", path.display()));
    let mut input: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(path).map_err(failed)?)),
    };
    let (mut line, mut number) = (Vec::new(), 0u64);
    loop {
        line.clear();
        let mut limited = input.by_ref().take(LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(());
        }
        number += 1;
        let taken = match std::str::from_utf8(&line) {
            Ok(text) if text.trim().is_empty() => Ok(()),
            Ok(text) => reader.take(text),
            Err(_) => Err("is not UTF-8".to_owned()),
        };
        taken.map_err(|why| Failure::Run(format!("{}:{number}: {why}", path.display())))?;
    }
}
