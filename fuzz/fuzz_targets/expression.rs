//! The language of pipelines: no text panics or takes long, whatever key it is the value of.
//!
//! The first line names the key, the rest is the text.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;

fn check(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    let (key, text) = input.split_once('\n').unwrap_or(("where", input));
    let mut spec = PipelineSpec::default();
    let value = Some(vec![text.to_owned()]);
    match key {
        "agg" => spec.agg = value,
        "group" => spec.group = value,
        "let" => spec.lets = value,
        _ => spec.filter = value,
    }
    if let Err(error) = spec.compile(&CompileOptions::default()) {
        // A message shows at most a part of a long text.
        assert!(error.to_string().len() < 20_000, "{} bytes of message", error.to_string().len());
    }
}

shim::target!(check);
