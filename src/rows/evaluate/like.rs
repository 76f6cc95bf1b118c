//! Patterns of `like`: `%` stands for any characters, `_` for one.

use super::regular::of_like;
use regex::Regex;

/// A pattern of `like`, as the simplest test that decides it.
#[derive(Clone, Debug)]
pub(super) enum Like {
    Equal(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<str>),
    /// A beginning, parts in order, and an end.
    Parts(Box<str>, Box<[Box<str>]>, Box<str>),
    Regex(Regex),
}

impl Like {
    /// Creates the test of a pattern. `ignoring_case` is that of `ilike`.
    pub(super) fn new(pattern: &str, ignoring_case: bool) -> Result<Like, regex::Error> {
        if ignoring_case || pattern.contains('_') {
            return regex(pattern, ignoring_case).map(Like::Regex);
        }
        let parts: Vec<&str> = pattern.split('%').collect();
        Ok(match parts.as_slice() {
            [] => Like::Equal("".into()),
            [all] => Like::Equal((*all).into()),
            [start, ""] => Like::Prefix((*start).into()),
            ["", end] => Like::Suffix((*end).into()),
            ["", part, ""] => Like::Contains((*part).into()),
            [start, middle @ .., end] => {
                let middle = middle.iter().filter(|part| !part.is_empty());
                Like::Parts((*start).into(), middle.map(|part| (*part).into()).collect(), {
                    (*end).into()
                })
            }
        })
    }

    /// Returns true if a text has the pattern.
    #[inline]
    pub(super) fn holds(&self, text: &str) -> bool {
        match self {
            Like::Equal(all) => text == &**all,
            Like::Prefix(start) => text.starts_with(&**start),
            Like::Suffix(end) => text.ends_with(&**end),
            Like::Contains(part) => text.contains(&**part),
            Like::Parts(start, middle, end) => has_parts(text, (start, end), middle),
            Like::Regex(regex) => regex.is_match(text),
        }
    }
}

fn has_parts(text: &str, (start, end): (&str, &str), middle: &[Box<str>]) -> bool {
    // The beginning and the end must not overlap.
    let inner = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    let Some(mut rest) = inner else { return false };
    middle.iter().all(|part| match rest.find(&**part) {
        Some(found) => {
            rest = rest.get(found + part.len()..).unwrap_or_default();
            true
        }
        None => false,
    })
}

fn regex(pattern: &str, ignoring_case: bool) -> Result<Regex, regex::Error> {
    let mut text = String::from("^");
    for c in pattern.chars() {
        match c {
            '%' => text.push_str(".*"),
            '_' => text.push('.'),
            c => text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    text.push('$');
    of_like(&text, ignoring_case)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As SQL defines it, by recursion.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            (['%', rest @ ..], text) => {
                slow(rest, text) || text.split_first().is_some_and(|(_, text)| slow(pattern, text))
            }
            (['_', rest @ ..], [_, text @ ..]) => slow(rest, text),
            ([c, rest @ ..], [first, text @ ..]) => c == first && slow(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_agree_with_a_slow_matcher(pattern in "[ab%_é]{0,6}", text in "[abé\n]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = slow(&chars(&pattern), &chars(&text));
            prop_assert_eq!(Like::new(&pattern, false).unwrap().holds(&text), expected);
            let upper = text.to_uppercase();
            prop_assert_eq!(Like::new(&pattern, true).unwrap().holds(&upper), expected);
        }
    }
}
