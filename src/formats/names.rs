//! Errors that name the nearest known name.

use crate::error::Error;

/// Returns the error for a field that a format or header does not have. `have` introduces the list
/// of its fields.
pub(crate) fn unknown<S: AsRef<str>>(field: &str, known: &[S], have: &str) -> Error {
    Error::invalid(format!(
        "there is no field {field:?}: {have} {}{}",
        listed(known),
        suggestion(field, known)
    ))
}

/// Returns the first names, separated by commas.
pub(super) fn listed<S: AsRef<str>>(known: &[S]) -> String {
    let listed: Vec<String> = known.iter().take(30).map(|name| clipped(name.as_ref())).collect();
    let more = if known.len() > listed.len() { ", ..." } else { "" };
    listed.join(", ") + more
}

/// Returns a suggestion of the nearest known name, or an empty text if no name is near. Also
/// compares the last part of a pointer.
pub(super) fn suggestion<S: AsRef<str>>(field: &str, known: &[S]) -> String {
    let folded = field.to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let last = name.rsplit('/').next().unwrap_or_default();
        strsim::damerau_levenshtein(&folded, &name).min(strsim::damerau_levenshtein(&folded, last))
    };
    // The cost is quadratic in the length, and a name of a kilobyte is not a misspelling.
    let short = |name: &&S| name.as_ref().len() <= 256;
    let nearest = known
        .iter()
        .filter(|name| field.len() <= 256 && short(name))
        .map(|name| (distance(name.as_ref()), name.as_ref()))
        .min();
    // If more than half of the letters differ, a suggestion puzzles more than it helps.
    match nearest {
        Some((steps, name)) if steps * 2 <= field.len().max(2) => {
            format!("; did you mean {:?}?", clipped(name))
        }
        _ => String::new(),
    }
}

/// Returns the name in printable form: escapes control characters such as a carriage return.
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
