//! Errors that name the nearest of the known names.

use crate::error::Error;

/// The error for a field that a format or header lacks; `have` introduces the list of those it has.
pub(crate) fn unknown<S: AsRef<str>>(field: &str, known: &[S], have: &str) -> Error {
    let distance = |name: &str| strsim::damerau_levenshtein(&field.to_lowercase(), &name.to_lowercase());
    let nearest = known.iter().map(|name| (distance(name.as_ref()), name.as_ref())).min();
    // Half of the letters may differ before a suggestion is more puzzling than helpful.
    let suggestion = match nearest {
        Some((steps, name)) if steps * 2 <= field.len().max(2) => format!("; did you mean {name:?}?"),
        _ => String::new(),
    };
    let listed: Vec<String> = known.iter().take(30).map(|name| clipped(name.as_ref())).collect();
    let more = if known.len() > listed.len() { ", ..." } else { "" };
    Error::invalid(format!("there is no field {field:?}: {have} {}{more}{suggestion}", listed.join(", ")))
}

/// The name as it can be shown: control characters, such as a carriage return, are escaped.
fn clipped(name: &str) -> String {
    let mut shown = String::new();
    for c in name.chars().take(60) {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}
