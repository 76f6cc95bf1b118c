//! `streamgauge merge`: merges the partials of many sources into the answers of all their records.

use crate::answer_files::files;
use crate::arguments::{InputArguments, MergeArguments, OutputArguments};
use crate::failure::Failure;
use crate::output::Shape;
use crate::progress::Bar;
use crate::session::{compile_saved, output};
use crate::settings::Settings;
use crate::standard_error::say;
use crate::view::html::Facts;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use streamgauge::merger::{Added, MergerControl, MergerOptions};
use streamgauge::rows::RowMerger;
use streamgauge::store::{self, PartialStore};
use streamgauge::{Error, Timestamp};

/// Merges the partials of all places.
///
/// # Errors
/// Wrong usage; partials that cannot be read or belong to another pipeline; a reader that has gone.
pub(crate) fn run(arguments: MergeArguments) -> Result<(), Failure> {
    let MergeArguments { places, sources, pipeline, output: form, out, quiet } = arguments;
    let written = OutputArguments { output: form, out, quiet, ..OutputArguments::default() };
    let input = InputArguments {
        files: places.iter().map(PathBuf::from).collect(),
        ..InputArguments::default()
    };
    let settings = Settings::new(input, pipeline, &written)?;
    let pipeline = compile_saved(&settings)?;
    let mut output = match files(&settings, &pipeline, false)? {
        Some(files) => files,
        None => output(&settings, &Bar::default(), Shape::of(&pipeline))?,
    };
    let mut options = MergerOptions::default();
    options.sources = Some(sources.map_or(1, |sources| sources as usize));
    // All windows are held, and the bytes of all of them are bounded.
    options.windows_max = usize::MAX;
    let mut merger = pipeline.into_merger(options).map_err(|error| Failure::usage(&error))?;
    let mut seen = Seen::default();
    for place in &places {
        read(place, &mut merger, &mut seen).map_err(|error| Failure::run(&error.at(place)))?;
    }
    merger.finish();
    let (mut windows, mut incomplete) = (0u64, 0u64);
    let mut last = None;
    while let Some(row) = merger.next_row().map_err(|error| Failure::run(&error))? {
        if last != Some(row.emission.window) {
            last = Some(row.emission.window);
            windows += 1;
            incomplete += u64::from(!row.complete);
        }
        output.emission(&row.emission).map_err(|error| Failure::output(&error))?;
    }
    let sources_seen = seen.sources.len() as u64;
    output.set_facts(Facts::of(&[
        ("partials", seen.partials),
        ("sources", sources_seen),
        ("windows", windows),
    ]));
    output.finish().map_err(|error| Failure::output(&error))?;
    if let Some(sources) = sources
        && incomplete > 0
    {
        say(&format!(
            "note: {incomplete} of {windows} windows have not the final partials of {sources} \
             sources\n"
        ));
    }
    if !quiet {
        say(&format!(
            "partials {}, sources {}, windows {windows}\n",
            seen.partials,
            seen.sources.len()
        ));
    }
    Ok(())
}

/// The counts of what was read.
#[derive(Default)]
struct Seen {
    partials: u64,
    sources: BTreeSet<String>,
}

fn read(place: &str, merger: &mut RowMerger, seen: &mut Seen) -> Result<(), Error> {
    // A store creates its directory, which would hide a mistyped name.
    if !place.starts_with("s3://") && !Path::new(place).is_dir() {
        return Err(Error::new(streamgauge::ErrorKind::Io, "there is no such directory"));
    }
    let partials = PartialStore::new(store::open(place)?);
    for partial in partials.partials()? {
        let partial = partial?;
        // No clock is needed, because all partials are there.
        let added = merger.add(&partial, Timestamp::from_millis(0))?;
        if added != Added::Known {
            seen.partials += 1;
            seen.sources.insert(partial.source().to_owned());
        }
    }
    Ok(())
}
