//! Whole pages: their structure, what is escaped, their size, and that they are the same each time.

use super::facts::{Facts, Origin};
use super::json::AnswersReader;
use super::limits::PAGE_BYTES_MAX;
use super::page::Page;
use super::policy::{SCRIPT, STYLE};
use crate::view::answers::Answers;
use crate::view::times::Zone;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn read(lines: &[Value]) -> Answers {
    let mut reader = AnswersReader::new();
    for line in lines {
        reader.take(&line.to_string()).unwrap();
    }
    reader.into_answers()
}

fn page_of(lines: &[Value], file: &str) -> String {
    let origin = Origin {
        verb: "Shows",
        inputs: vec![file.to_owned()],
        spec: None,
        title: None,
        zone: Zone::named(None),
    };
    let (answers, facts) = (read(lines), Facts::of(&[("answers read", lines.len() as u64)]));
    let page =
        Page { answers: &answers, origin: &origin, facts: &facts, latest: None, is_served: false };
    page.html()
}

/// An answer of a minute of 2024.
fn answer(minute: usize, group: &Value, columns: Value) -> Value {
    let at = |minute: usize| {
        format!(
            "2024-01-{:02}T{:02}:{:02}:00.000Z",
            1 + minute / 1440,
            minute / 60 % 24,
            minute % 60
        )
    };
    let mut line = json!({"window": {"start": at(minute), "end": at(minute + 1)}, "revision": 0});
    if !group.is_null() {
        line["group"] = json!({"g": group});
    }
    line.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
    line
}

fn estimate(value: f64) -> Value {
    json!({"value": value, "lower": value - 1.0, "upper": value + 1.5})
}

fn top(keys: &[&str], count: u64) -> Value {
    let row = |(index, key): (usize, &&str)| {
        let count = count.saturating_sub(index as u64);
        let is_first = index == 0;
        json!({
            "key": key, "count": count, "lower": count / 2, "upper": count, "guaranteed": is_first
        })
    };
    keys.iter().enumerate().map(row).collect()
}

/// Elements without an end.
const VOID: [&str; 2] = ["meta", "input"];

/// Takes a page apart: fails unless every element is closed in order, every attribute is in quotes
/// and known, and every name is used once. Returns the text between tags.
fn check(page: &str) -> String {
    assert_eq!(page.matches(STYLE).count(), 1);
    let page = page.replacen(STYLE, "", 1).replacen(SCRIPT, "", 1);
    let mut rest = page.strip_prefix("<!doctype html>").unwrap();
    let (mut open, mut names, mut text) = (Vec::new(), BTreeSet::new(), String::new());
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "{before}");
        text.push_str(before);
        text.push('\n');
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{before}");
            continue;
        }
        let (tag, is_closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
            "{tag}"
        );
        check_attributes(attributes, &mut names);
        if !is_closed && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!((open, rest), (Vec::new(), "\n"));
    text
}

fn check_attributes(attributes: &str, names: &mut BTreeSet<String>) {
    let mut rest = attributes;
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let name = &rest[..end];
        assert!(name != "style" && name != "src" && !name.starts_with("on"), "{attributes}");
        let value;
        (value, rest) = match rest[end..].strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => ("", &rest[end..]),
        };
        rest = rest.trim_start();
        match name {
            "href" => assert!(value.starts_with("#g"), "{value}"),
            "id" => assert!(names.insert(value.to_owned()), "{value} is there twice"),
            "width" | "height" => assert!(!value.starts_with('-'), "{attributes}"),
            "d" => assert!(!value.contains("NaN") && !value.contains("inf"), "{value}"),
            _ => {}
        }
    }
}

const HOSTILE: &str = "</script><img src=x onerror=\"alert(1)\"> '\u{202e}\u{0}\u{1b}[2J & <!--";

fn hostile() -> Vec<Value> {
    let columns = |minute: usize| {
        let mut columns = json!({"count": minute, "t": top(&[HOSTILE, "b"], 9), "s": HOSTILE});
        columns[HOSTILE] = estimate(minute as f64);
        columns
    };
    (0..6).map(|minute| answer(minute, &json!(HOSTILE), columns(minute))).collect()
}

#[test]
fn s201_text_of_others_is_shown_and_never_obeyed() {
    let page = page_of(&hostile(), HOSTILE);
    let text = check(&page);
    assert!(!page.contains("<img") && !page.contains("<!--"), "{page}");
    assert!(!page.contains(['\u{202e}', '\0', '\u{1b}']), "{page}");
    assert!(text.contains("⟨U+202E⟩␀␛"), "{text}");
    // No end of a script but those of our two.
    assert_eq!(page.matches("</script").count(), page.matches("<script").count());
}

#[test]
fn s200_a_page_refers_to_nothing_outside() {
    for lines in [hostile(), Vec::new(), vec![json!({"window": null, "count": 1})]] {
        let page = page_of(&lines, "a.jsonl");
        check(&page);
        let without = page.replacen(SCRIPT, "", 1);
        for outside in ["http:", "https:", "url(", "@import"] {
            assert!(!without.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'; style-src 'sha256-"), "{page}");
    }
    // Without anything to choose there is no script.
    let one = page_of(&[json!({"window": null, "count": 1})], "a.jsonl");
    assert!(one.contains("script-src 'none'") && !one.contains("<script"));
}

#[test]
fn windows_are_drawn_once_and_listed_once() {
    let columns = |minute: usize| json!({"count": 10 + minute, "p": estimate(minute as f64)});
    let lines: Vec<Value> =
        (0..31).map(|minute| answer(minute, &Value::Null, columns(minute))).collect();
    let page = page_of(&lines, "a.jsonl");
    check(&page);
    assert_eq!(page.matches("<figure class=\"chart\"").count(), 2);
    assert_eq!(page.matches("<tr data-x=").count(), 31);
    assert!(page.contains("1 Jan 2024, 00:00 to 00:31 UTC · 31 windows of 1 minute"), "{page}");
    assert!(page.contains("<span class=\"ro\">775<i>in all</i></span>"), "{page}");
    assert!(page.contains("<td>30<i>29–31.5</i></td>"), "{page}");
}

#[test]
fn a_window_that_is_missing_breaks_the_line_and_one_cut_short_is_dotted() {
    let mut lines: Vec<Value> =
        [0, 1, 2, 5, 6].map(|minute| answer(minute, &Value::Null, json!({"count": minute}))).into();
    lines[4]["complete"] = json!(false);
    let page = page_of(&lines, "a.jsonl");
    let line = page.split("<path class=\"ln\" d=\"").nth(1).unwrap();
    let line = line.split('"').next().unwrap();
    assert_eq!(line.matches('M').count(), 2, "{line}");
    assert!(page.contains("A line is broken where a window had no records."), "{page}");
    assert!(page.contains("<path class=\"ln ct\"") && page.contains("it is dotted"), "{page}");
}

#[test]
fn windows_that_overlap_are_not_added() {
    let line = |minute: usize| {
        let mut line =
            answer(minute, &Value::Null, json!({"count": minute, "top(2, u)": top(&["a"], 3)}));
        line["window"]["end"] =
            answer(minute + 4, &Value::Null, json!({}))["window"]["end"].clone();
        line
    };
    let page = page_of(&(0..9).map(line).collect::<Vec<_>>(), "a.jsonl");
    check(&page);
    assert!(page.contains("9 windows of 5 minutes every 1 minute"), "{page}");
    assert!(page.contains("<span class=\"ro\">4<i>median of windows</i></span>"), "{page}");
    assert!(page.contains("in the last full window, from 2024-01-01 00:08"), "{page}");
}

#[test]
fn groups_past_the_panels_share_one() {
    let lines: Vec<Value> = (0..400)
        .map(|index| {
            answer(index % 10, &json!(index / 10), json!({"count": 1_000 - index, "p": 1.5}))
        })
        .collect();
    let page = page_of(&lines, "a.jsonl");
    check(&page);
    assert!(page.contains("<h2>40 groups by g</h2>"), "{page}");
    assert!(page.contains("<b>17 more</b>") && page.contains("not summed"), "{page}");
    assert_eq!(page.matches("<li><a href=\"#g").count(), 23);
    assert_eq!(page.matches("<option ").count(), 23);
}

/// Answers of many windows, groups and columns, with long and hostile keys.
fn large([windows, groups, columns, length]: [usize; 4]) -> Vec<Value> {
    let line = |index: usize| {
        let (minute, group) = (index % windows, index / windows);
        let key = format!("{group}{}", "\"<\u{202e}é".repeat(length));
        let keys: Vec<String> = (0..10).map(|k| format!("{}{}", (index + k) % 50, key)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut values = json!({"count": index, "top(10, u)": top(&keys, index as u64)});
        for column in 0..columns {
            values[format!("p{column}(x)")] = estimate((index * 31 % 977) as f64 * 1234.5678);
        }
        let group = if groups > 1 { json!(key) } else { Value::Null };
        answer(minute, &group, values)
    };
    (0..windows * groups).map(line).collect()
}

#[test]
fn s207_a_page_is_under_two_megabytes() {
    let sizes = [[5_500, 1, 10, 1], [3, 600, 5, 100], [300, 30, 3, 1], [20, 2, 150, 100]];
    for size in sizes {
        let page = page_of(&large(size), "a.jsonl");
        assert!(page.len() <= PAGE_BYTES_MAX, "{size:?}: {}", page.len());
        check(&page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn s206_the_same_answers_give_the_same_page(
        rows in proptest::collection::hash_map(
            (0usize..8, 0u8..4),
            (any::<i32>(), -1e3..1e3f64, 0u64..9),
            0..20,
        ),
        seed in any::<u64>(),
    ) {
        let mut lines: Vec<Value> = rows.iter().map(|((minute, group), (count, value, listed))| {
                let top = top(&["x", "y"], *listed);
                let columns = json!({"count": count, "p": estimate(*value), "top(2, u)": top});
                answer(*minute, &json!(group), columns)
            }).collect();
        lines.sort_by_key(Value::to_string);
        let page = page_of(&lines, "a.jsonl");
        check(&page);
        // In any order, and with an older revision before or after.
        let mut shuffled = lines.clone();
        for index in (1..shuffled.len()).rev() {
            shuffled
                .swap(index, (seed.rotate_left(index as u32 * 7) % (index as u64 + 1)) as usize);
        }
        prop_assert!(shuffled.is_empty() || page_of(&shuffled, "a.jsonl") == page);
    }
}
