//! A pipeline file.

use crate::error::{Error, ErrorKind};
use crate::query::PipelineSpec;
use std::path::Path;

/// Reads a pipeline file: JSON if its name ends with `.json`, otherwise TOML.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read; those of [`PipelineSpec::from_toml`] if it is not valid.
pub fn read_pipeline(path: &Path) -> Result<PipelineSpec, Error> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("{name}: the pipeline file cannot be read"))
            .with_source(error)
    })?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if is_json {
        PipelineSpec::from_json(&text, &name)
    } else {
        PipelineSpec::from_toml(&text, &name)
    }
}
