//! "Did you mean": the known name that is nearest to an unknown name.

/// Returns ` (did you mean "name"?)` with the nearest known name, or an empty text if no name is
/// near.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // The cost is quadratic in the length, and a name of a kilobyte is not a misspelling.
    if unknown.len() > 64 {
        return String::new();
    }
    let folded = unknown.to_lowercase();
    let scored = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&folded, &name.to_lowercase()), name));
    match scored.min() {
        // Up to a third of the letters may be wrong.
        Some((distance, name)) if distance <= name.len().max(folded.len()).div_ceil(3) => {
            format!(" (did you mean {name:?}?)")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_named_and_nothing_if_none_is_near() {
        let known = ["window", "where", "agg"];
        assert_eq!(nearest("windwo", known), " (did you mean \"window\"?)");
        assert_eq!(nearest("AGG", known), " (did you mean \"agg\"?)");
        assert_eq!(nearest("colour", known), "");
        assert_eq!(nearest(&"x".repeat(100_000), known), "");
    }
}
