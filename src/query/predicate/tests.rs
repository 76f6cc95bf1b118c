//! Predicates against a slow evaluator over `serde_json` values, and their errors.

use super::Predicate;
use crate::query::field::Fields;
use crate::row::Row;
use crate::row::Value;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value as Json;

/// Returns a row with these values, one per slot.
fn row_of(values: &[Value<'_>]) -> Row {
    let mut row = Row::new(values.len());
    let text = |value: &Value<'_>| match *value {
        Value::Number(text) | Value::Text(text) | Value::Untyped(text) | Value::Json(text) => {
            text.to_string()
        }
        _ => String::new(),
    };
    let source: String = values.iter().map(text).collect();
    row.begin(&Bytes::from(source));
    let mut start = 0;
    for (slot, value) in values.iter().enumerate() {
        let range = start..start + text(value).len();
        start = range.end;
        match value {
            Value::Missing => row.set_missing(slot),
            Value::Bool(value) => row.set_bool(slot, *value),
            Value::Number(_) => row.set_number(slot, range),
            Value::Text(_) => row.set_text(slot, range),
            Value::Untyped(_) => row.set_untyped(slot, range),
            Value::Json(_) => row.set_json(slot, range),
        }
    }
    row
}

/// Returns true if a predicate over the single field `x` holds for a value.
fn holds(text: &str, value: Value<'_>) -> bool {
    let mut fields = Fields::default();
    let predicate = Predicate::parse(text, &mut fields).unwrap_or_else(|error| panic!("{error}"));
    assert!(fields.names().iter().all(|name| name == "x"), "{text}");
    predicate.holds(&row_of(&[value]))
}

fn error(text: &str) -> String {
    Predicate::parse(text, &mut Fields::default()).unwrap_err().to_string()
}

#[test]
fn numbers_compare_as_numbers_and_exactly() {
    assert!(holds("x >= 500", Value::Number("500")));
    assert!(holds("x > 9.5", Value::Text("10")));
    assert!(holds("x < 10", Value::Untyped("9")));
    assert!(holds("x == 1", Value::Number("1.0")));
    assert!(!holds("x == 9007199254740993", Value::Number("9007199254740992.0")));
    assert!(!holds("x == 18446744073709551617", Value::Number("18446744073709551616")));
    assert!(holds("x > -1e300", Value::Number("-5")));
}

#[test]
fn s36_it_does_not_matter_how_a_number_is_written() {
    for number in ["1", "1.0", "1e0", "10e-1"] {
        for predicate in [
            "x == 1",
            "x == 1.0",
            "x == '1'",
            "x == '1.00'",
            "x in ('1e0', 2)",
            "x matches '^1$'",
            "x contains '1'",
            "x < '1.5'",
        ] {
            assert!(holds(predicate, Value::Number(number)), "{predicate}: {number}");
        }
        for predicate in
            ["x contains '.'", "x contains 'e'", "x == 'one'", "x < 'one'", "x > 'one'"]
        {
            assert!(!holds(predicate, Value::Number(number)), "{predicate}: {number}");
        }
        assert!(holds("x != 'one'", Value::Number(number)));
    }
    assert!(holds("x matches '^-0.25$'", Value::Number("-25e-2")));
}

#[test]
fn text_is_a_number_beside_a_number_and_text_beside_text() {
    for text in
        [Value::Text("500"), Value::Untyped("500"), Value::Text("5e2"), Value::Untyped("0500.0")]
    {
        assert!(holds("x >= 500 and x == 500 and x in (1, 500)", text), "{text:?}");
    }
    assert!(
        !holds("x == '500'", Value::Text("500.0")) && !holds("x == '500'", Value::Untyped("0500"))
    );
    assert!(!holds("x < 9", Value::Text("10")) && holds("x < '9'", Value::Text("10")));
    assert!(
        holds("x != 1000", Value::Untyped("1,000"))
            && !holds("x == 1000 or x > 0", Value::Untyped("1,000"))
    );
}

#[test]
fn an_array_contains_its_elements() {
    let tags = Value::Json(r#"["vip2", "a\"b", 1.50, true, ["vip"]]"#);
    for (element, is_there) in [
        ("vip", false),
        ("vip2", true),
        ("a\"b", true),
        ("1.5", true),
        ("1.50", true),
        ("true", true),
        ("[\"vip\"]", true),
        (",", false),
    ] {
        assert_eq!(holds(&format!("x contains '{element}'"), tags), is_there, "{element}");
    }
    assert!(
        !holds("x contains ''", Value::Json("[]")) && holds("x contains ''", Value::Json("[\"\"]"))
    );
    assert!(
        holds("x contains 'vip'", Value::Json(r#"{"level":"vip2"}"#)),
        "an object is searched as text"
    );
    assert!(
        holds("x contains 'vip'", Value::Text("[\"vip2\"]")),
        "text that looks like an array is text"
    );
    assert!(holds("exists x and x matches 'vip'", tags));
}

#[test]
fn text_compares_as_it_is_written() {
    assert!(holds("x == '200'", Value::Number("200")));
    assert!(holds("x < \"b\"", Value::Text("a")));
    assert!(holds("x == 'it''s'", Value::Text("it's")));
    assert!(holds("x == ''", Value::Text("")));
    assert!(holds("x contains '/api/'", Value::Text("/v1/api/x")));
    assert!(holds(r"x matches '^/v\d+/'", Value::Text("/v1/api/x")));
    assert!(!holds(r"x matches '^/w\d+/'", Value::Text("/v1/api/x")));
    assert!(holds("x in ('a', 'b', 3)", Value::Number("3")));
    assert!(holds("x IN ['a']", Value::Untyped("a")));
}

#[test]
fn a_missing_field_makes_every_comparison_false() {
    for missing in [Value::Missing, Value::Untyped("")] {
        for text in [
            "x == 1",
            "x != 1",
            "x < 1",
            "x == 'a'",
            "x != 'a'",
            "x != true",
            "x in (1)",
            "x contains ''",
            "x matches ''",
            "exists x",
        ] {
            assert!(!holds(text, missing), "{text}");
            assert!(holds(&format!("not {text}"), missing), "{text}");
        }
    }
    assert!(
        holds("x == 'NA'", Value::Untyped("NA")) && holds("x != 1", Value::Text("NA")),
        "markers are the pipeline's business"
    );
}

#[test]
fn a_value_of_another_kind_is_unequal_and_nothing_else() {
    assert!(holds("x != 1", Value::Text("abc")));
    assert!(!holds("x < 1 or x > 1 or x == 1", Value::Text("abc")));
    assert!(holds("x != true", Value::Text("true")));
    assert!(holds("x == true", Value::Bool(true)));
    assert!(holds("x == false", Value::Untyped("false")));
    assert!(holds("x == 'true'", Value::Bool(true)));
}

#[test]
fn not_binds_tighter_than_and_and_and_than_or() {
    assert!(holds("x == 1 or x == 2 and x == 3", Value::Number("1")));
    assert!(!holds("(x == 1 or x == 2) and x == 3", Value::Number("1")));
    assert!(holds("not x == 1 or x == 1", Value::Number("1")));
    assert!(holds("not not x == 1", Value::Number("1")));
    assert!(holds("NOT (x == 1 AND x == 2)", Value::Number("1")));
}

#[test]
fn fields_are_words_pointers_and_quoted_names() {
    let mut fields = Fields::default();
    Predicate::parse(
        "/user/id == 1 and \"with space\" == 2 and user-agent == 'x' and \
                      exists \"/odd\" and 'and' == 1",
        &mut fields,
    )
    .unwrap();
    assert_eq!(fields.names(), ["/user/id", "with space", "user-agent", "/~1odd", "and"]);
}

#[test]
fn errors_name_the_column_and_the_remedy() {
    assert_eq!(
        error("status = 5"),
        "column 8 of \"status = 5\": an operator (== != < <= > >= in contains matches) is expected, not = (did you mean \"==\"?)"
    );
    assert!(
        error("status == abc").contains("column 11")
            && error("status == abc").contains("write text in quotes: 'abc'")
    );
    assert!(error("path contain 'x'").contains("did you mean \"contains\""));
    assert!(error("path matches '('").contains("not a regular expression"));
    assert!(error("path matches '(a{1000}){1000}'").contains("not a regular expression"));
    assert!(error("x == 1)").contains("has no opening one"));
    assert!(error("(x == 1").contains("but the text ends"));
    assert!(error("x == 1 y == 2").contains("\"and\" or \"or\" is expected, not y"));
    assert!(error("x == 1e999").contains("out of range"));
    assert!(error("").contains("the name of a field is expected, but the text ends"));
    assert!(error("and == 1").contains("a field of the name and is written \"and\""));
    assert!(error("x in 'a'").contains("a list"));
}

#[test]
fn a_million_parentheses_are_an_error_and_no_stack_overflow() {
    assert!(error(&"(".repeat(60_000)).contains("nested more than 100 deep"));
    assert!(error(&"(".repeat(1_000_000)).contains("too long"));
    assert!(holds(&format!("{} x == 1", "not ".repeat(10_000)), Value::Number("1")));
    assert!(holds(&format!("{}x == 1{}", "(".repeat(100), ")".repeat(100)), Value::Number("1")));
}

/// The oracle's predicate.
#[derive(Clone, Debug)]
enum Tree {
    Compare(&'static str, Json),
    In(Vec<Json>),
    Contains(String),
    Exists,
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

fn literal(json: &Json) -> String {
    match json {
        Json::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

impl Tree {
    fn text(&self) -> String {
        let join = |parts: &[Tree], word: &str| {
            parts.iter().map(|part| format!("({})", part.text())).collect::<Vec<_>>().join(word)
        };
        match self {
            Tree::Compare(operator, value) => format!("x {operator} {}", literal(value)),
            Tree::In(values) => {
                format!("x in ({})", values.iter().map(literal).collect::<Vec<_>>().join(","))
            }
            Tree::Contains(part) => format!("x contains {}", literal(&Json::String(part.clone()))),
            Tree::Exists => "exists x".into(),
            Tree::Not(part) => format!("not ({})", part.text()),
            Tree::All(parts) => join(parts, " and "),
            Tree::Any(parts) => join(parts, " or "),
        }
    }

    fn holds(&self, field: &Json) -> bool {
        match self {
            Tree::Compare(operator, value) => slow_compare(field, operator, value),
            Tree::In(values) => values.iter().any(|value| slow_compare(field, "==", value)),
            Tree::Contains(part) => {
                slow_text(field).is_some_and(|text| text.contains(part.as_str()))
            }
            Tree::Exists => !field.is_null(),
            Tree::Not(part) => !part.holds(field),
            Tree::All(parts) => parts.iter().all(|part| part.holds(field)),
            Tree::Any(parts) => parts.iter().any(|part| part.holds(field)),
        }
    }
}

fn slow_text(field: &Json) -> Option<String> {
    match field {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        // A whole float has the text of the integer.
        Json::Number(number) => Some(number.to_string().trim_end_matches(".0").into()),
        other => Some(other.to_string()),
    }
}

/// Numbers in this test have at most two decimals, so hundredths are exact.
fn hundredths(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole: i128 = whole.parse().ok()?;
    let fraction: i128 = format!("{fraction:0<2}").parse().ok()?;
    Some(whole * 100 + sign * fraction)
}

fn slow_compare(field: &Json, operator: &str, value: &Json) -> bool {
    let order = match (field, value) {
        (Json::Null, _) => return false,
        (Json::Number(_), Json::Number(_)) => {
            hundredths(&field.to_string()).cmp(&hundredths(&value.to_string()))
        }
        (Json::String(text), Json::Number(number)) => match hundredths(text) {
            Some(text) => Some(text).cmp(&hundredths(&number.to_string())),
            None => return operator == "!=",
        },
        (Json::Number(number), Json::String(text)) => match hundredths(text) {
            Some(text) => hundredths(&number.to_string()).cmp(&Some(text)),
            None => return operator == "!=",
        },
        (_, Json::String(text)) => slow_text(field).cmp(&Some(text.clone())),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        _ => return operator == "!=",
    };
    match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn json() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3i64..4).prop_map(Json::from),
        (-400i64..400).prop_map(|quarters| Json::from(quarters as f64 / 4.0)),
        any::<i64>().prop_map(Json::from),
        "[ab'0-3.-]{0,3}"
            .prop_filter("written as the oracle reads it", |text| hundredths(text).is_some()
                || text.parse::<f64>().is_err())
            .prop_map(Json::from),
    ]
}

fn value_json() -> impl Strategy<Value = Json> {
    json().prop_filter("no null in predicates", |value| !value.is_null())
}

fn tree() -> impl Strategy<Value = Tree> {
    let operators = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        4 => (operators, value_json()).prop_map(|(operator, value)| Tree::Compare(operator, value)),
        1 => prop::collection::vec(value_json(), 1..4).prop_map(Tree::In),
        1 => "[ab'0-3]{0,2}".prop_map(Tree::Contains),
        1 => Just(Tree::Exists),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| Tree::Not(Box::new(part))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::All),
            prop::collection::vec(inner, 1..4).prop_map(Tree::Any),
        ]
    })
}

proptest! {
    #[test]
    fn predicates_agree_with_a_slow_evaluator(tree in tree(), field in json()) {
        let shown = match &field {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let value = match &field {
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(_) => Value::Number(&shown),
            Json::String(_) => Value::Text(&shown),
            _ => Value::Missing,
        };
        prop_assert_eq!(
            holds(&tree.text(), value),
            tree.holds(&field),
            "{} of {}",
            tree.text(),
            field
        );
    }

    #[test]
    fn any_text_is_no_danger(
        text: String,
        words in prop::collection::vec(prop::sample::select( vec!["x", "and", "or", "not", "(", ")", "==", "<", "in", "matches", "'a'", "1", ",", "[", "]", "exists", "true"]), 0..12),
    ) {
        let _ = Predicate::parse(&text, &mut Fields::default());
        let _ = Predicate::parse(&words.join(" "), &mut Fields::default());
    }
}
