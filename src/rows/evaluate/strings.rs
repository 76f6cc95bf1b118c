//! Functions of texts.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// Returns the part of a text between separators: from 1, or from the end with a minus. Empty
/// where there is no such part. An empty separator is between all characters.
pub(super) fn split_part<'t>(text: &'t str, separator: &str, part: i64) -> &'t str {
    let index = usize::try_from(part.unsigned_abs()).unwrap_or(usize::MAX);
    let found = match (separator.as_bytes(), part) {
        (_, 0) => None,
        ([], part) => Some(substr(text, (part, Some(1)))),
        ([byte], 1..) => return byte_split_part(text, *byte, index),
        (_, 1..) => text.split(separator).nth(index - 1),
        _ => text.rsplit(separator).nth(index - 1),
    };
    found.unwrap_or_default()
}

/// As [`split_part`]. A loop over a short text is faster than a search.
fn byte_split_part(text: &str, separator: u8, part: usize) -> &str {
    let (mut start, mut current) = (0, 1);
    for (place, byte) in text.bytes().enumerate() {
        if byte == separator {
            if current == part {
                return text.get(start..place).unwrap_or_default();
            }
            (start, current) = (place + 1, current + 1);
        }
    }
    if current == part { text.get(start..).unwrap_or_default() } else { "" }
}

/// Returns a part of a text by its characters: from `start`, which counts from 1, or from the end
/// with a minus; up to `length` characters, which count backwards with a minus.
pub(super) fn substr(text: &str, (start, length): (i64, Option<i64>)) -> &str {
    if start > 0 && text.is_ascii() && length.is_none_or(|length| length >= 0) {
        let from = usize::try_from(start - 1).unwrap_or(usize::MAX).min(text.len());
        let length = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(0));
        return text.get(from..from.saturating_add(length).min(text.len())).unwrap_or_default();
    }
    let characters = text.chars().count() as i64;
    let from = if start < 0 { characters.saturating_add(start) } else { start.saturating_sub(1) };
    let (from, to) = match length {
        None => (from, characters),
        Some(length) if length >= 0 => (from, from.saturating_add(length)),
        Some(length) => (from.saturating_add(length), from),
    };
    let offset = |character: i64| {
        let character = usize::try_from(character.max(0)).unwrap_or(usize::MAX);
        text.char_indices().nth(character).map_or(text.len(), |(offset, _)| offset)
    };
    if from >= to { "" } else { text.get(offset(from)..offset(to)).unwrap_or_default() }
}

/// Returns the first characters of a text: `count` of them, or all but `-count` if it is negative.
pub(super) fn left(text: &str, count: i64) -> &str {
    let last = match count {
        0.. => count,
        _ => (text.chars().count() as i64).saturating_add(count).max(0),
    };
    substr(text, (1, Some(last)))
}

/// Removes characters from the beginning and the end of a text.
pub(super) fn trim<'t>(text: &'t str, characters: &str, (left, right): (bool, bool)) -> &'t str {
    let is_one = |c: char| characters.contains(c);
    let text = if left { text.trim_start_matches(is_one) } else { text };
    if right { text.trim_end_matches(is_one) } else { text }
}

/// Returns a text in lower case.
pub(super) fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => text.into(),
        false => text.to_lowercase().into(),
    }
}

/// Returns a text in upper case.
pub(super) fn upper(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) {
        true => text.into(),
        false => text.to_uppercase().into(),
    }
}

/// Returns a text with its characters in reverse.
pub(super) fn reverse(text: &str) -> Cow<'_, str> {
    text.chars().rev().collect::<String>().into()
}

/// Returns what follows `//` of a URL; `None` if there is no authority.
fn after_scheme(url: &str) -> Option<&str> {
    match url.split_once("//") {
        Some((scheme, rest)) if scheme.is_empty() || scheme.ends_with(':') => Some(rest),
        _ => None,
    }
}

/// Returns the host of a URL, without user and port; null if it has none.
pub(super) fn url_host(url: &str) -> Option<&str> {
    let authority = after_scheme(url)?.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// Returns the path of a URL, or of a request target: from the first slash up to the query.
pub(super) fn url_path(url: &str) -> Option<&str> {
    let rest = after_scheme(url).map_or(url, |rest| {
        rest.find(['/', '?', '#']).and_then(|start| rest.get(start..)).unwrap_or_default()
    });
    rest.split(['?', '#']).next()
}

/// Returns the query of a URL, between `?` and `#`.
pub(super) fn url_query(url: &str) -> Option<&str> {
    url.split('#').next()?.split_once('?').map(|(_, query)| query)
}

/// Returns a parameter of the query of a URL as it is written; null if it is not there.
pub(super) fn parameter<'t>(url: &'t str, name: &str) -> Option<&'t str> {
    url_query(url)?.split(['&', ';']).find_map(|pair| match pair.split_once('=') {
        Some((key, value)) if key == name => Some(value),
        None if pair == name => Some(""),
        _ => None,
    })
}

/// Returns the network of an address: its first bits, as in `10.1.0.0/16`. Null for text that is no
/// address, and for more bits than it has.
pub(super) fn ip_prefix(text: &str, bits: i64) -> Option<String> {
    let bits = u32::try_from(bits).ok()?;
    let network = match text.trim_ascii().parse::<IpAddr>().ok()? {
        IpAddr::V4(address) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        _ => return None,
    };
    Some(format!("{network}/{bits}"))
}

/// Returns the value at a JSON pointer of a JSON text: a string without its quotes, anything else as
/// it is written. Null if the text is not JSON, or has null or nothing there.
pub(super) fn json_at(text: &str, pointer: &str) -> Option<String> {
    let mut value: &RawValue = serde_json::from_str(text).ok()?;
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        value = match value.get().as_bytes().first()? {
            b'{' => {
                let members: HashMap<Cow<'_, str>, &RawValue> =
                    serde_json::from_str(value.get()).ok()?;
                members.get(name.as_str()).copied()?
            }
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                elements.get(name.parse::<usize>().ok()?).copied()?
            }
            _ => return None,
        };
    }
    match value.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(text.to_owned()),
    }
}

/// Returns the JSON pointer of a path such as `$.a.b[0]`, `a.b` or `/a/b`; `None` if the text is no path.
pub(super) fn json_pointer(path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with('/') {
        return Some(path.to_owned());
    }
    let path = path.strip_prefix('$').unwrap_or(path);
    let mut pointer = String::new();
    for part in path.split('.').skip(usize::from(path.starts_with('.') || path.is_empty())) {
        let (name, indices) =
            part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest)));
        if !name.is_empty() {
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        } else if indices.is_none() {
            return None;
        }
        for index in indices.into_iter().flat_map(|indices| indices.split('[')) {
            let index = index.strip_suffix(']')?;
            index.parse::<u32>().ok()?;
            pointer.push('/');
            pointer.push_str(index);
        }
    }
    Some(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_duckdb() {
        for (part, found) in
            [(0, ""), (1, "a"), (2, "b"), (3, ""), (-1, "b"), (-2, "a"), (-3, ""), (i64::MIN, "")]
        {
            assert_eq!(split_part("a/b", "/", part), found, "{part}");
            assert_eq!(split_part("a//b", "//", part), found, "{part}");
        }
        assert_eq!((split_part("a/b", "", 2), split_part("a/b", "", -1)), ("/", "b"));
        assert_eq!(split_part("é,ü", ",", 2), "ü");
    }

    #[test]
    fn characters_are_counted_from_both_ends() {
        let text = "héllo";
        for (bounds, found) in [
            ((2, None), "éllo"),
            ((-2, None), "lo"),
            ((2, Some(2)), "él"),
            ((0, Some(2)), "h"),
            ((9, None), ""),
            ((-9, None), "héllo"),
            ((3, Some(-2)), "hé"),
            ((i64::MAX, Some(i64::MAX)), ""),
            ((i64::MIN, Some(i64::MIN)), ""),
        ] {
            assert_eq!(substr(text, bounds), found, "{bounds:?}");
        }
        for start in -6..7 {
            for length in [None, Some(-2), Some(0), Some(1), Some(9)] {
                let ascii = substr("hello", (start, length)).replacen('e', "é", 1);
                assert_eq!(substr(text, (start, length)), ascii, "{start} {length:?}");
            }
        }
    }

    #[test]
    fn the_first_characters_are_counted_from_either_end() {
        for (count, found) in [(2, "hé"), (0, ""), (9, "héllo"), (-2, "hél"), (-9, "")] {
            assert_eq!(left("héllo", count), found, "{count}");
        }
        assert_eq!(left("a", i64::MIN), "");
    }

    #[test]
    fn urls_have_parts() {
        let url = "https://user@example.com:8080/a/b?x=1&y=&flag#end";
        assert_eq!((url_host(url), url_path(url)), (Some("example.com"), Some("/a/b")));
        assert_eq!(url_query(url), Some("x=1&y=&flag"));
        for (name, value) in [("x", Some("1")), ("y", Some("")), ("flag", Some("")), ("z", None)] {
            assert_eq!(parameter(url, name), value, "{name}");
        }
        assert_eq!((url_host("/a?b"), url_path("/a?b")), (None, Some("/a")));
        assert_eq!((url_host("//[::1]:80/x"), url_path("http://h?x")), (Some("::1"), Some("")));
        assert_eq!((url_host(""), url_path(""), url_query("")), (None, Some(""), None));
    }

    #[test]
    fn networks_are_the_first_bits() {
        assert_eq!(ip_prefix("10.1.2.3", 16).as_deref(), Some("10.1.0.0/16"));
        assert_eq!(ip_prefix("10.1.2.3", 0).as_deref(), Some("0.0.0.0/0"));
        assert_eq!(ip_prefix("10.1.2.3", 32).as_deref(), Some("10.1.2.3/32"));
        assert_eq!(ip_prefix("2001:db8::1", 32).as_deref(), Some("2001:db8::/32"));
        for (text, bits) in [("10.1.2.3", 33), ("10.1.2", 8), ("::", 129), ("::", -1)] {
            assert_eq!(ip_prefix(text, bits), None, "{text}");
        }
    }

    #[test]
    fn paths_lead_into_json() {
        let json = r#"{"a":{"b":[1.50,"x\"y",null]},"c/d":true}"#;
        for (path, found) in [
            ("$.a.b[0]", Some("1.50")),
            ("a.b[1]", Some("x\"y")),
            ("/a/b/1", Some("x\"y")),
            ("$.a.b[2]", None),
            ("$.a.b[3]", None),
            ("$.c/d", Some("true")),
            ("$.a.b", Some("[1.50,\"x\\\"y\",null]")),
            ("$.z", None),
        ] {
            let pointer = json_pointer(path).unwrap();
            assert_eq!(json_at(json, &pointer).as_deref(), found, "{path}");
        }
        assert_eq!(json_pointer("$").as_deref(), Some(""));
        for wrong in ["$.a[x]", "a..b", "$.a[0", "a[0]b"] {
            assert_eq!(json_pointer(wrong), None, "{wrong}");
        }
        assert_eq!(json_at("{", "/a"), None);
    }
}
