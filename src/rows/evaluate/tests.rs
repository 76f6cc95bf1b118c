//! Conditions against a slow evaluator over `serde_json` values, and their errors.

use super::lowering::Lowering;
use super::names::{Names, each_name};
use crate::error::Error;
use crate::query::expression::parse;
use crate::query::field::Fields;
use crate::row::null::Nulls;
use crate::row::{Row, Value};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value as Json;

/// Returns a row with these values, one per slot.
pub(super) fn row_of(values: &[Value<'_>]) -> Row {
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
            Value::Integer(_) | Value::Float(_) => panic!("no record has a computed value"),
        }
    }
    row
}

/// Returns the truth of a condition over the fields of these names.
fn truth(text: &str, names: &[&str], row: &Row) -> Result<Option<bool>, Error> {
    let (ast, id) = parse(text)?;
    let mut fields = Fields::default();
    names.iter().for_each(|name| assert_eq!(fields.slot(name), fields.names().len() - 1));
    each_name(&ast, id, &mut |name| assert!(fields.find(name).is_some(), "{name} of {text}"));
    let mut names = Names::new(fields, None, Nulls::Usual);
    let mut lowering = Lowering::new(&ast, &mut names);
    lowering.begin(id)?;
    Ok(lowering.truth(id)?.eval(row).unwrap_or(None))
}

/// Returns the truth of a condition over the single field `x`.
fn three(text: &str, value: Value<'_>) -> Option<bool> {
    truth(text, &["x"], &row_of(&[value])).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns true if a condition over the single field `x` is true for a value.
fn holds(text: &str, value: Value<'_>) -> bool {
    three(text, value) == Some(true)
}

fn error(text: &str) -> String {
    let (ast, id) = match parse(text) {
        Ok(parsed) => parsed,
        Err(error) => return error.to_string(),
    };
    let mut fields = Fields::default();
    each_name(&ast, id, &mut |name| {
        fields.slot(name);
    });
    let mut names = Names::new(fields, None, Nulls::Usual);
    let mut lowering = Lowering::new(&ast, &mut names);
    let lowered = lowering.begin(id).and_then(|_| lowering.truth(id));
    lowered.unwrap_err().to_string()
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
    for null in ["x != 1000", "x == 1000 or x > 0", "not (x > 0)"] {
        assert_eq!(three(null, Value::Untyped("1,000")), None, "{null}");
    }
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
    assert!(holds("x < 'b'", Value::Text("a")));
    assert!(holds("x == 'it''s'", Value::Text("it's")));
    assert!(holds("x == ''", Value::Text("")));
    assert!(holds("x contains '/api/'", Value::Text("/v1/api/x")));
    assert!(holds(r"x matches '^/v\d+/'", Value::Text("/v1/api/x")));
    assert!(!holds(r"x matches '^/w\d+/'", Value::Text("/v1/api/x")));
    assert!(holds("x in ('a', 'b', 3)", Value::Number("3")));
    assert!(holds("x IN ['a']", Value::Untyped("a")));
}

#[test]
fn s140_a_comparison_with_a_missing_field_is_null() {
    for missing in [Value::Missing, Value::Untyped("")] {
        for text in [
            "x == 1",
            "x != 1",
            "x < 1",
            "x == 'a'",
            "x != 'a'",
            "x != true",
            "x in (1)",
            "x not in (1, 2)",
            "x contains ''",
            "x matches ''",
            "x like '%'",
            "x between 1 and 2",
            "x = x",
            "x + 1 > 0",
            "x",
        ] {
            assert_eq!(three(text, missing), None, "{text}");
            assert_eq!(three(&format!("not ({text})"), missing), None, "{text}");
        }
        assert!(holds("not exists x", missing) && holds("x is null", missing));
        assert!(holds("x is distinct from 1", missing));
    }
    assert!(holds("x == 'NA'", Value::Untyped("NA")), "markers are the pipeline's business");
}

#[test]
fn s140_null_is_neither_true_nor_false() {
    for (text, expected) in [
        ("x > 5 and false", Some(false)),
        ("x > 5 and true", None),
        ("x > 5 or true", Some(true)),
        ("x > 5 or false", None),
        ("1 in (2, null)", None),
        ("1 in (1, null)", Some(true)),
        ("null is null", Some(true)),
        ("null = null", None),
        ("null is not distinct from null", Some(true)),
        ("coalesce(x, 1) = 1", Some(true)),
        ("case when x > 5 then false else true end", Some(true)),
    ] {
        assert_eq!(three(text, Value::Missing), expected, "{text}");
    }
}

#[test]
fn s141_a_value_of_another_kind_is_null_in_a_condition() {
    for text in ["x != 1", "x < 1 or x > 1 or x == 1", "x + 1 > 0", "x != true", "abs(x) >= 0"] {
        assert_eq!(three(text, Value::Text("abc")), None, "{text}");
    }
    assert!(holds("x = true", Value::Bool(true)));
    assert!(holds("x = false", Value::Untyped("false")));
    assert!(holds("x = 'true'", Value::Bool(true)));
    assert!(holds("x > 5 or x = 'abc'", Value::Text("abc")));
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
fn errors_name_the_column_and_the_remedy() {
    for (text, column, part) in [
        ("lower(x) > 5", 12, "5 is a number, and text is needed here"),
        ("x // 100 = '2'", 12, "'2' is text, and a number is needed here"),
        ("not 3", 5, "3 is a number, and a condition is needed here, as in 3 > 0"),
        ("x + 1", 1, "a condition is needed here"),
        ("t > interval '1' month", 5, "months and years have no fixed length"),
        ("t at time zone 'UTC' > 1", 1, "AT TIME ZONE is for the time of a window"),
        ("lenght(x) > 1", 1, "there is no function lenght (did you mean \"length\"?)"),
        ("sum(x) > 1", 1, "sum is an aggregate of many records"),
        ("p99.9(x) > 1", 1, "p99.9 is an aggregate of many records"),
        ("split_part(x, '/') = 'a'", 1, "split_part is written split_part(s, separator, n)"),
        ("x > 1 and upper(1) = 'A'", 17, "write cast(1 as text)"),
        ("path matches '('", 14, "not a regular expression"),
        ("path matches '(a{1000}){1000}'", 14, "not a regular expression"),
        ("path like x", 11, "the pattern of like is text in quotes"),
        ("date_trunc('huor', x) > x", 12, "did you mean \"hour\""),
        ("date_trunc('hour', x, 'Berlin') > x", 23, "not a time zone"),
        ("date_trunc('hour', x) > 'soon'", 25, "'soon' is not a time"),
        ("case when x > 1 then 1 else 'a' end = 1", 29, "case has a number before"),
        ("(x, x) = 1", 1, "several values in parentheses are a key"),
        ("regexp_extract(x, 'a(b)', 2) = ''", 27, "has 1 groups, and no 2"),
        ("json_extract(x, '$..a') = ''", 17, "is not a path"),
        ("length(distinct x) > 1", 1, "distinct is for aggregates"),
        ("cast('90 sec' as interval) > 1m", 6, "'90 sec' is not a duration such as 90s"),
        ("90::interval > 1m", 1, "write 90 * interval '1' second for seconds"),
        ("1m < '90s'", 6, "write cast('90s' as interval)"),
        ("lower(5m) = 'a'", 7, "write cast(5m as text)"),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("column {column} of ")), "{text}: {error}");
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn hostile_expressions_are_bounded() {
    let between = (0..45)
        .fold("x".to_owned(), |text, _| format!("case when ({text}) between 1 and 2 then 1 end"));
    assert!(error(&format!("{between} = 1")).contains("too large"), "{}", error(&between));
    let sum = format!("{}x > 0", "x + ".repeat(490));
    assert!(holds(&sum, Value::Number("1")));
    let many = format!("x > 0{}", " and x > 0".repeat(3000));
    assert!(holds(&many, Value::Number("1")));
    let grown = (0..20).fold("x".to_owned(), |text, _| format!("replace({text}, 'a', 'aaaaaaaa')"));
    assert_eq!(three(&format!("{grown} = 'b'"), Value::Text("aaaaaaaa")), None);
    let doubled = "'(a?)(b)' ".trim().to_owned();
    let regexes = format!("x ~ {doubled}{}", format!(" or x ~ {doubled}").repeat(100));
    assert!(error(&regexes).contains("at most 100 regular expressions"));
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

    fn truth(&self, field: &Json) -> Option<bool> {
        let truths = |parts: &[Tree]| -> Vec<Option<bool>> {
            parts.iter().map(|part| part.truth(field)).collect()
        };
        match self {
            Tree::Compare(operator, value) => slow_compare(field, operator, value),
            Tree::In(values) => {
                let equal = values.iter().map(|value| slow_compare(field, "==", value));
                let equal: Vec<Option<bool>> = equal.collect();
                // A value that can be compared with none of them is of another kind.
                match equal.iter().all(Option::is_none) {
                    true => None,
                    false => Some(equal.contains(&Some(true))),
                }
            }
            Tree::Contains(part) => slow_text(field).map(|text| text.contains(part.as_str())),
            Tree::Exists => Some(!field.is_null()),
            Tree::Not(part) => part.truth(field).map(|truth| !truth),
            Tree::All(parts) => match truths(parts) {
                parts if parts.contains(&Some(false)) => Some(false),
                parts if parts.contains(&None) => None,
                _ => Some(true),
            },
            Tree::Any(parts) => match truths(parts) {
                parts if parts.contains(&Some(true)) => Some(true),
                parts if parts.contains(&None) => None,
                _ => Some(false),
            },
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

/// The result of comparing two values that have no order.
fn unordered(operator: &str) -> Option<bool> {
    match operator {
        "==" => Some(false),
        "!=" => Some(true),
        _ => None,
    }
}

fn slow_compare(field: &Json, operator: &str, value: &Json) -> Option<bool> {
    let order = match (field, value) {
        (Json::Null, _) => return None,
        (Json::Number(_), Json::Number(_)) => {
            hundredths(&field.to_string()).cmp(&hundredths(&value.to_string()))
        }
        (Json::String(text), Json::Number(number)) => {
            Some(hundredths(text)?).cmp(&hundredths(&number.to_string()))
        }
        (Json::Number(number), Json::String(text)) => match hundredths(text) {
            Some(text) => hundredths(&number.to_string()).cmp(&Some(text)),
            None => return unordered(operator),
        },
        (_, Json::String(text)) => slow_text(field).cmp(&Some(text.clone())),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        _ => return None,
    };
    Some(match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
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
    fn conditions_agree_with_a_slow_evaluator(tree in tree(), field in json()) {
        let shown = match &field { Json::String(text) => text.clone(), other => other.to_string() };
        let value = match &field {
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(_) => Value::Number(&shown),
            Json::String(_) => Value::Text(&shown),
            _ => Value::Missing,
        };
        prop_assert_eq!(three(&tree.text(), value), tree.truth(&field), "{} of {}", tree.text(), field);
    }
}
