//! Paths with wildcards.

use crate::adapter::files::run_state::FOLDER_ENTRIES_MAX;
use std::path::{Component, Path, PathBuf};

/// A path with wildcards: `*` is any text without a slash, `?` any character, `[a-z]` one of these.
/// A name that begins with a dot is matched only by a pattern that does.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    parts: Vec<PathBuf>,
}

impl Pattern {
    /// Returns the pattern of a path that has wildcards.
    pub(super) fn of(path: &Path) -> Option<Pattern> {
        let has_wildcard = path.to_str()?.contains(['*', '?', '[']);
        let parts = path.components().map(|part| PathBuf::from(part.as_os_str())).collect();
        has_wildcard.then_some(Pattern { parts })
    }

    /// Returns true if the pattern matches a path.
    pub(super) fn is_of(&self, path: &Path) -> bool {
        let names: Vec<_> =
            path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let parts = self.parts.iter().map(|part| part.to_string_lossy());
        names.len() == self.parts.len()
            && parts.zip(&names).all(|(part, name)| matches(&part, name))
    }

    /// Returns the files that match, sorted.
    pub(super) fn expand(&self) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::new()];
        for part in &self.parts {
            let text = part.to_string_lossy();
            let is_plain = !text.contains(['*', '?', '['])
                || !matches!(part.components().next(), Some(Component::Normal(_)));
            found = match is_plain {
                true => found.iter().map(|path| path.join(part)).collect(),
                false => found.iter().flat_map(|path| entries(path, &text)).collect(),
            };
            found.truncate(FOLDER_ENTRIES_MAX);
        }
        found.retain(|path| path.is_file());
        found.sort();
        found
    }
}

/// Returns the entries of a folder that match.
fn entries(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(here) else { return Vec::new() };
    let names = entries.take(FOLDER_ENTRIES_MAX).flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_hidden = name.starts_with('.') && !pattern.starts_with('.');
        (!is_hidden && matches(pattern, &name)).then(|| folder.join(name))
    });
    names.collect()
}

/// Returns true if a name matches a pattern. Takes at most the product of their lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Where the last star stands, and how much of the name it has taken.
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < name.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[at..], name[read]),
            Some(other) if *other == name[read] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => (at, read) = (at + step, read + 1),
            (None, Some((place, taken))) => {
                star = Some((place, taken + 1));
                (at, read) = (place + 1, taken + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// Returns the length of the class at the beginning of the pattern, if the character is in it.
fn class(pattern: &[char], character: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|close| *close == ']')? + 2;
    let (is_not, members) = match pattern.get(1)? {
        '!' | '^' => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut is_in = false;
    let mut at = 0;
    while let Some(first) = members.get(at) {
        match (members.get(at + 1), members.get(at + 2)) {
            (Some('-'), Some(last)) => {
                is_in |= (*first..=*last).contains(&character);
                at += 3;
            }
            _ => {
                is_in |= *first == character;
                at += 1;
            }
        }
    }
    (is_in != is_not).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.log", "app.log", true),
            ("*.log", "app.log.1", false),
            ("app.log*", "app.log", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.log", "é.log", true),
            ("app-[0-9][0-9].log", "app-07.log", true),
            ("app-[!0-9].log", "app-7.log", false),
            ("app-[!0-9].log", "app-x.log", true),
            ("app-[]x].log", "app-].log", true),
            ("[", "[", false),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_may_have_wildcards_in_folders() {
        let root = std::env::temp_dir().join(format!("streamgauge-pattern-{}", std::process::id()));
        for file in ["b/app.log", "a/app.log", "a/.hidden.log", "a/deep/app.log"] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let pattern = Pattern::of(&root.join("*/*.log")).unwrap();
        assert_eq!(pattern.expand(), [root.join("a/app.log"), root.join("b/app.log")]);
        assert!(Pattern::of(Path::new("app.log")).is_none());
        std::fs::remove_dir_all(&root).unwrap();
    }
}
