//! Text of others on a page: it is shown, and never obeyed.
//!
//! Markup is escaped, control characters and those that change the direction of text are shown as
//! pictures or by their number, and long keys are cut in their middle.

use streamgauge::row::OutputValue;
use unicode_width::UnicodeWidthChar;

/// The zero-width joiner, which makes one picture of two.
const JOINER: char = '\u{200d}';

/// Returns text that is safe between tags and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
    out
}

/// Returns text without characters that act on their neighbours.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // The pictures of the first 32 control characters stand in the same order.
            '\0'..='\u{1f}' => out.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7f}' => out.push('\u{2421}'),
            c if is_acting(c) => out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Returns true for controls past ASCII, separators of lines, and what changes the direction of
/// text.
fn is_acting(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

/// Cuts text of more than `chars` characters in its middle: six tenths of what is left are its
/// beginning. A character and its marks stay together.
pub(super) fn middle(text: &str, chars: usize) -> String {
    let all: Vec<char> = text.chars().collect();
    if all.len() <= chars {
        return text.to_owned();
    }
    let kept = chars.saturating_sub(1);
    let head = kept * 6 / 10;
    let mut end = head;
    while end > 0 && is_joined(&all, end) {
        end -= 1;
    }
    let mut begin = all.len() - (kept - head);
    while begin < all.len() && is_joined(&all, begin) {
        begin += 1;
    }
    all[..end].iter().chain(&['…']).chain(&all[begin..]).collect()
}

/// Returns true if the character belongs to the one before it.
fn is_joined(text: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    text.get(at).is_some_and(|c| c.width() == Some(0)) || before == Some(&JOINER)
}

/// Returns at most `chars` characters from the beginning.
pub(super) fn head(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

/// Characters of a name that are shown.
const NAME_CHARS: usize = 200;

/// Returns a name, such as that of a column or a file, as markup.
pub(super) fn name_html(name: &str) -> String {
    escaped(&middle(&visible(name), NAME_CHARS))
}

/// Returns a key as plain text.
pub(super) fn key_text(key: &OutputValue) -> String {
    match key {
        OutputValue::Null => "null".to_owned(),
        OutputValue::Text(text) if text.is_empty() => "(empty)".to_owned(),
        OutputValue::List(keys) => group_text(keys),
        key => visible(&key.to_string()),
    }
}

/// Returns a key as markup of at most `chars` characters, or of several values as many for each.
pub(super) fn key_html(key: &OutputValue, chars: usize) -> String {
    if let OutputValue::List(keys) = key {
        return group_html(keys, chars);
    }
    let text = key_text(key);
    let is_named = match key {
        OutputValue::Null | OutputValue::Other => true,
        OutputValue::Text(text) => text.is_empty(),
        _ => false,
    };
    match is_named {
        true => format!("<i>{text}</i>"),
        false => format!("<bdi>{}</bdi>", escaped(&middle(&text, chars))),
    }
}

/// Between the keys of a group of several fields.
const BETWEEN: &str = " · ";

/// Returns the name of a group as plain text.
pub(super) fn group_text(group: &[OutputValue]) -> String {
    group.iter().map(key_text).collect::<Vec<_>>().join(BETWEEN)
}

/// Returns the name of a group as markup, of at most `chars` characters for each key.
pub(super) fn group_html(group: &[OutputValue], chars: usize) -> String {
    group.iter().map(|key| key_html(key, chars)).collect::<Vec<_>>().join(BETWEEN)
}

/// Returns the attribute `title` with the whole text, or nothing if the whole text is shown.
pub(super) fn title(text: &str, shown_chars: usize, title_chars: usize) -> String {
    match text.chars().nth(shown_chars) {
        None => String::new(),
        Some(_) => format!(" title=\"{}\"", escaped(head(text, title_chars))),
    }
}

/// Returns text as a string of JSON that can stand in a `script` element.
pub(super) fn json_text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let quoted = quoted.replace('<', "\\u003c").replace('>', "\\u003e");
    quoted.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> OutputValue {
        OutputValue::Text(text.to_owned())
    }

    #[test]
    fn hostile_keys_are_shown() {
        let shown = |key: &str| key_html(&text(key), KEY);
        const KEY: usize = 44;
        assert_eq!(shown("</script><b>"), "<bdi>&lt;/script&gt;&lt;b&gt;</bdi>");
        assert_eq!(shown("\u{1b}[31m\n\u{7f}"), "<bdi>␛[31m␊␡</bdi>");
        assert_eq!(shown("a\u{202e}b\u{85}"), "<bdi>a⟨U+202E⟩b⟨U+0085⟩</bdi>");
        assert_eq!(shown(""), "<i>(empty)</i>");
        assert_eq!(shown("null"), "<bdi>null</bdi>");
        assert_eq!(key_html(&OutputValue::Null, KEY), "<i>null</i>");
        assert_eq!(key_html(&OutputValue::Other, KEY), "<i>(other)</i>");
        assert_eq!(shown("(other)"), "<bdi>(other)</bdi>");
    }

    #[test]
    fn keys_are_cut_in_their_middle_between_characters() {
        assert_eq!(middle("abcdefghij", 10), "abcdefghij");
        assert_eq!(middle("abcdefghijk", 10), "abcde…hijk");
        // The fifth letter has an accent of its own, and the pair is a picture.
        assert_eq!(middle("abcde\u{301}fghijk", 10), "abcd…hijk");
        assert_eq!(middle("abcdefgh\u{1f469}\u{200d}\u{1f52c}", 6), "abc…");
    }

    proptest! {
        #[test]
        fn a_key_never_yields_markup(key in any::<String>(), chars in 1usize..60) {
            let html = key_html(&text(&key), chars);
            let inner = html.trim_start_matches("<bdi>").trim_end_matches("</bdi>");
            let inner = inner.trim_start_matches("<i>").trim_end_matches("</i>");
            prop_assert!(!inner.contains(['<', '>', '"', '\'']), "{}", html);
            prop_assert!(!inner.chars().any(|c| c.is_control() || is_acting(c)), "{}", html);
            prop_assert!(
                middle(&key, chars).chars().count() <= chars.max(key.chars().count().min(chars))
            );
            let json = json_text(&key);
            prop_assert!(!json.contains(['<', '>']));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), key);
        }
    }
}
