//! `streamgauge merge`: the partials that a directory or a bucket holds, merged into answers.

use crate::arguments::MergeArguments;
use crate::failure::Failure;
use crate::kcl::merger;
use crate::settings::read_pipeline;
use std::io::{self, BufWriter, Write};
use std::time::Duration;
use streamgauge::merger::MergerOptions;
use streamgauge::store::{self, PartialStore};
use streamgauge::{Error, Timestamp};

/// Writes every window that there are partials of, as JSON Lines, as if one process had seen all records.
///
/// # Errors
/// Wrong usage; partials that cannot be read or are of another pipeline; a reader that has gone.
pub(crate) fn run(arguments: &MergeArguments) -> Result<(), Failure> {
    let spec = read_pipeline(&arguments.pipeline)?;
    let mut options = MergerOptions::default();
    // They are all there: nothing is waited for.
    options.deadline = Some(Duration::ZERO);
    (options.windows_max, options.bytes_max) = (usize::MAX, usize::MAX);
    let (mut merger, lines) = merger(&spec, options).map_err(|error| Failure::usage(&error))?;
    let failed = |error: Error| Failure::run(&error);
    let partials = PartialStore::new(store::open(&arguments.partials).map_err(failed)?);
    for partial in partials.partials().map_err(failed)? {
        merger.add(&partial.map_err(failed)?, Timestamp::from_millis(0)).map_err(failed)?;
    }
    merger.finish();
    let mut out = BufWriter::new(io::stdout());
    while let Some(row) = merger.next_row().map_err(failed)? {
        lines.write(&row.emission, &mut out).map_err(|error| Failure::output(&error))?;
    }
    out.flush().map_err(|error| Failure::output(&error))
}
