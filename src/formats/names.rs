//! Errors that name the nearest of the known names.

use crate::error::Error;

/// The error for a field that a format or header lacks; `have` introduces the list of those it has.
pub(crate) fn unknown<S: AsRef<str>>(field: &str, known: &[S], have: &str) -> Error {
    Error::invalid(format!(
        "there is no field {field:?}: {have} {}{}",
        listed(known),
        suggestion(field, known)
    ))
}

/// The first names, with commas between them.
pub(super) fn listed<S: AsRef<str>>(known: &[S]) -> String {
    let listed: Vec<String> = known.iter().take(30).map(|name| clipped(name.as_ref())).collect();
    let more = if known.len() > listed.len() { ", ..." } else { "" };
    listed.join(", ") + more
}

/// The known name that is nearest to one that is not known, if any is near. Of a pointer its last
/// part counts, too.
pub(super) fn suggestion<S: AsRef<str>>(field: &str, known: &[S]) -> String {
    let folded = field.to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let last = name.rsplit('/').next().unwrap_or_default();
        strsim::damerau_levenshtein(&folded, &name).min(strsim::damerau_levenshtein(&folded, last))
    };
    // Nobody misspells a name of a kilobyte, and the distance is quadratic in the length.
    let short = |name: &&S| name.as_ref().len() <= 256;
    let nearest = known
        .iter()
        .filter(|name| field.len() <= 256 && short(name))
        .map(|name| (distance(name.as_ref()), name.as_ref()))
        .min();
    // Half of the letters may differ before a suggestion is more puzzling than helpful.
    match nearest {
        Some((steps, name)) if steps * 2 <= field.len().max(2) => {
            format!("; did you mean {:?}?", clipped(name))
        }
        _ => String::new(),
    }
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
