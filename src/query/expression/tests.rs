//! What is parsed, in which spelling it comes back, and what errors say.

use super::ast::{Ast, Id, Node};
use super::parser::parse;
use proptest::prelude::*;

/// Returns the canonical text of a text.
fn canonical(text: &str) -> String {
    let (ast, id) = parse(text).unwrap_or_else(|error| panic!("{error}"));
    ast.canonical(id)
}

fn error(text: &str) -> String {
    match parse(text) {
        Ok((ast, id)) => panic!("{text} is {}", ast.canonical(id)),
        Err(error) => error.to_string(),
    }
}

/// Returns the tree as text, without the numbers of nodes.
fn shape(ast: &Ast, id: Id) -> String {
    let node = format!("{:?}", ast.node(id));
    let mut parts = node.split("Id(");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    ast.each_child(id, &mut |child| {
        out.push('<');
        out.push_str(&shape(ast, child));
        out.push('>');
    });
    out
}

#[test]
fn operators_bind_as_in_sql() {
    for (text, same) in [
        ("a or b and c", "a or (b and c)"),
        ("not a = 1 and b", "(not (a = 1)) and b"),
        ("a = b || c + d * -e", "a = (b || (c + (d * (-e))))"),
        ("a - b - c", "(a - b) - c"),
        ("a - b * c // d % e / f", "a - ((((b * c) // d) % e) / f)"),
        ("a between 1 and 2 + 3 and b", "(a between 1 and (2 + 3)) and b"),
        ("a not in (1, 2) or b", "(a not in (1, 2)) or b"),
        ("a + 1 is not null", "(a + 1) is not null"),
        ("a like b || '%'", "a like (b || '%')"),
        ("a = b like c", "a = (b like c)"),
        ("a like b = c", "(a like b) = c"),
        ("a <> b not in (c)", "a <> (b not in (c))"),
        ("a < b between c and d = e", "(a < (b between c and d)) = e"),
        ("a = b is null", "(a = b) is null"),
        ("not a is null", "not (a is null)"),
        ("a is distinct from b = c", "a is distinct from (b = c)"),
        ("a = b is distinct from c and d", "((a = b) is distinct from c) and d"),
        ("a like b is not null", "(a like b) is not null"),
        ("-a * b", "(-a) * b"),
        ("- -a", "a"),
        ("not not not a", "not a"),
        ("-a::int", "-(cast(a as int))"),
        ("a is distinct from b + 1", "a is distinct from (b + 1)"),
    ] {
        let trees = [text, same].map(|text| {
            let (ast, id) = parse(text).unwrap_or_else(|error| panic!("{error}"));
            shape(&ast, id)
        });
        assert_eq!(trees[0], trees[1], "{text}");
    }
}

#[test]
fn s121_one_meaning_has_one_text() {
    for (text, written) in [
        ("status>=500", "status >= 500"),
        ("x==1 AND y!=2", "x = 1 and y <> 2"),
        ("x NOT LIKE 'a%' and not y ILIKE 'b'", "not x like 'a%' and not y ilike 'b'"),
        ("x matches '^a' or x !~ 'b'", "x ~ '^a' or not x ~ 'b'"),
        ("x in ['a','b']", "x in ('a', 'b')"),
        ("((a + b)) * (c)", "(a + b) * c"),
        ("(a + b) + c", "a + b + c"),
        ("a + (b + c)", "a + (b + c)"),
        ("(a and b) and c", "(a and b) and c"),
        ("\"status\" = 'it''s'", "status = 'it''s'"),
        ("\"user-agent\" = \"and\"", "\"user-agent\" = \"and\""),
        ("/host/name-x", "/host/name-x"),
        ("\"/host/a name\"", "\"/host/a name\""),
        ("host.name = tags[0]", "host.name = /tags/0"),
        ("a.b[1].c", "/a/b/1/c"),
        ("\"a.b\"[0]", "/a.b/0"),
        ("x.\"odd/name\"", "/x/odd~1name"),
        ("x.y['z']", "/x/y/z"),
        ("a / b/c", "a / b / c"),
        ("a //b", "a // b"),
        ("a * /b/c * 2", "a * /b/c * 2"),
        ("1.0 + 1e3 + .5", "1.0 + 1000.0 + 0.5"),
        ("-5 - -5", "-5 - -5"),
        ("-(5) + -(x)", "-5 + -x"),
        ("-(-x)", "-(-x)"),
        ("90s + 1500ms + 36h + 0s", "1m30s + 1s500ms + 1d12h + 0s"),
        ("INTERVAL '5' MINUTE", "5m"),
        ("interval 2 hours", "2h"),
        ("interval 2 quarters", "interval '6' month"),
        ("t at time zone 'UTC' + 1h", "timezone('UTC', t) + 1h"),
        ("interval '1 hour 30 minutes'", "1h30m"),
        ("interval '1h30m'", "1h30m"),
        ("TIMESTAMP '2025-10-26 02:00:00+02:00'", "timestamp '2025-10-26T00:00:00.000Z'"),
        ("date '2025-10-26'", "timestamp '2025-10-26T00:00:00.000Z'"),
        ("TRUE and Null is NULL", "true and null is null"),
        ("x is true", "coalesce(x, false)"),
        ("x is not false", "not coalesce(not x, false)"),
        ("x is not distinct from null", "not x is distinct from null"),
        ("CASE WHEN a THEN 1 ELSE 2 END", "case when a then 1 else 2 end"),
        ("case x when 1 then 'a' end", "case x when 1 then 'a' end"),
        ("CAST(x AS Double Precision)", "cast(x as float)"),
        ("x::varchar(32)", "cast(x as text)"),
        ("try_cast(x as bigint)", "try_cast(x as int)"),
        ("extract(HOUR from ts)", "extract('hour', ts)"),
        ("substring(s from 2 for 3)", "substring(s, 2, 3)"),
        ("substr(s, 2)", "substr(s, 2)"),
        ("position('a' in s)", "position('a', s)"),
        ("trim(both 'x' from s)", "trim(s, 'x')"),
        ("trim(leading from s)", "ltrim(s)"),
        ("trim( s )", "trim(s)"),
        ("trim('x' from s)", "trim(s, 'x')"),
        ("floor(ts to minute)", "date_trunc('minute', ts)"),
        ("Count( * )", "count(*)"),
        ("count(distinct x)", "count(distinct x)"),
        ("top(10,(method,path) by bytes,1000)", "top(10, (method, path) by bytes, 1000)"),
        ("sum(x) FILTER (WHERE y>1)", "sum(x) filter (where y > 1)"),
        ("p99.9(x)", "p99.9(x)"),
        ("f()", "f()"),
        ("exists /a/b and exists x", "exists /a/b and exists x"),
        ("a -- a comment\n + 1", "a + 1"),
        ("case_id = filter", "case_id = filter"),
        ("170141183460469231731687303715884105728", "1.7014118346046923e38"),
        ("-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
    ] {
        assert_eq!(canonical(text), written, "{text}");
        assert_eq!(canonical(written), written, "{text}");
    }
}

#[test]
fn errors_name_the_column_what_was_found_and_what_fits() {
    let starts = [
        (
            "",
            "column 1 of \"\": a field, a value, a function or \"(\" is expected, but the text \
             ends",
        ),
        (
            "a +",
            "column 4 of \"a +\": a field, a value, a function or \"(\" is expected, but the text \
             ends",
        ),
        (
            "é + )",
            "column 5 of \"é + )\": a field, a value, a function or \"(\" is expected, not )",
        ),
        (
            "a b",
            "column 3 of \"a b\": an operator (and or = <> < <= > >= in between is like ilike ~ \
             contains || + - * / // %) or the end is expected, not b",
        ),
    ];
    for (text, start) in starts {
        assert_eq!(error(text), start);
    }
    for (text, part) in [
        ("path contain 'x'", "column 6 of \"path contain 'x'\""),
        ("path contain 'x'", "not contain (did you mean \"contains\"?)"),
        ("x == 1)", "column 7 of \"x == 1)\": this parenthesis has no opening one"),
        ("(x == 1", "an operator, a comma or \")\" is expected, but the text ends"),
        ("x && y", "not & (write and)"),
        ("a ≥ 1", "not ≥ (write >=)"),
        ("x = “a”", "not “ (write 'text' or \"name\")"),
        ("and = 1", "not and; a field of the name and is written \"and\""),
        ("a + then", "not then; a field of the name then is written \"then\""),
        ("4xx = 1", "4xx is neither a number nor a duration such as 5m or 1h30m"),
        ("x = 1e999", "column 5 of \"x = 1e999\": 1e999 is out of range"),
        ("x = -1e999", "column 6 of \"x = -1e999\": 1e999 is out of range"),
        ("x in 'a'", "a list such as ('a', 'b') is expected, not 'a'"),
        ("x in ()", "column 7 of \"x in ()\""),
        ("x not y", "in, between, like, ilike, matches or contains after not is expected, not y"),
        ("x is 5", "null, true, false, distinct from or not after is is expected, not 5"),
        ("x between 1", "\"and\" is expected, but the text ends"),
        ("cast(x as itn)", "(did you mean \"int\"?)"),
        ("cast(x, int)", "an operator or \"as\" is expected, not ,"),
        ("case x end", "\"when\" is expected, not end"),
        ("case when x then 1", "when, else or end is expected, but the text ends"),
        ("case when x 1 end", "\"then\" is expected, not 1"),
        ("exists 5", "a field of the name exists is written \"exists\""),
        ("exists f(x)", "column 8 of \"exists f(x)\": exists takes a field"),
        ("timestamp 'soon'", "column 11 of \"timestamp 'soon'\": \"soon\" is not a time"),
        ("interval 'x' month", "month, quarter and year for the size of windows"),
        ("tags[x]", "an index such as [0] is expected, not x"),
        ("a. b. 5", "the name of a member is expected, not 5"),
        ("f(a b)", "an operator, a comma or \")\" is expected, not b"),
        ("sum(x) filter (y)", "\"where\" is expected, not y"),
        ("'abc", "the quote ' is not closed"),
    ] {
        assert!(error(text).contains(part), "{text}: {}", error(text));
    }
}

#[test]
fn nested_and_long_texts_are_bounded() {
    let nested = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(canonical(&nested(100)), "x");
    assert!(error(&nested(101)).starts_with("column 102 of"), "{}", error(&nested(101)));
    assert!(error(&nested(101)).contains("nested more than 100 deep"));
    assert_eq!(canonical(&vec!["a"; 10_000 - 1].join(" or ")).len(), (10_000 - 1) * 5 - 4);
    assert!(error(&vec!["a"; 10_000].join(" or ")).contains("more than 10000 terms"));
    assert_eq!(canonical(&vec!["a"; 500].join(" + ")).len(), 500 * 4 - 3);
    assert!(error(&vec!["a"; 501].join("+")).contains("more than 500 operators"));
    assert!(error(&"a ".repeat(40_000)).contains("at most 65536"));
}

/// Texts of 10^5 repeated pieces, and of as many as fit.
fn hostile_texts() -> Vec<String> {
    let pieces = [
        "(",
        "[",
        "-",
        "+",
        "- - ",
        "not ",
        "exists ",
        "f(",
        "f(f(",
        "cast(",
        "case ",
        "case when ",
        "x in (",
        "x in (x,",
        "a = not ",
        "a between not ",
        "-not ",
        "1 + (",
        "f(1*(",
        "a + ",
        "a and ",
        "a or ",
        "a like ",
        "a || ",
        "a is distinct from ",
        "a[0]",
        "a.",
        "'a'",
        "a::int",
        "::int",
        "interval '1' ",
        "trim(",
        "trim(both ",
        "position(",
        "extract(",
        "count(distinct ",
        "top(1, a by ",
        "f() filter (where ",
        "\"",
        "'",
        "/",
        "//",
        "/a",
        "é",
        "a not in (",
        "(a, ",
        "--",
        "-- ",
        "\n",
        "a,",
        "by ",
        "1m",
        "case x when 1 then ",
        "x is ",
    ];
    let sizes = [64 << 10, 100_000];
    let repeated = |(piece, size): (&str, usize)| {
        [piece.repeat(size / piece.len()), "x".to_owned() + &piece.repeat((size - 1) / piece.len())]
    };
    pieces.iter().flat_map(|piece| sizes.map(|size| (*piece, size))).flat_map(repeated).collect()
}

#[test]
fn s120_hostile_texts_cost_bounded_time_and_stack() {
    // The frames of a build without optimization are several times as large.
    let stack = if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 };
    let check = || {
        for text in hostile_texts() {
            if let Ok((ast, id)) = parse(&text) {
                let again = ast.canonical(id);
                assert!(again.len() < 20 * text.len().max(10), "{} bytes", again.len());
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(stack).spawn(check).unwrap();
    thread.join().unwrap();
}

/// Expressions as texts, with every operator and form.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "x",
            "host.name",
            "\"a b\"",
            "/a/b",
            "\"/a b\"",
            "tags[0]",
            "null",
            "true",
            "'it''s'",
            "5m",
            "1.5",
            "\"and\"",
            "timestamp '2025-10-26'",
            "interval '3' day",
            "count",
        ])
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(|v| format!("{v:?}")),
        "[ab' %]{0,4}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        "[a-z_.é/ ]{1,6}".prop_map(|name| format!("\"{name}\"")),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let operators = prop::sample::select(vec![
            "or",
            "and",
            "=",
            "==",
            "<>",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "like",
            "not ilike",
            "~",
            "!~",
            "matches",
            "contains",
            "||",
            "+",
            "-",
            "*",
            "/",
            "//",
            "%",
            "is distinct from",
        ]);
        let forms = prop::sample::select(vec![
            "not {a}",
            "-{a}",
            "({a})",
            "-({a})",
            "{a} is null",
            "{a} is not true",
            "exists x",
            "{a} in ({b}, {c})",
            "{a} not in [{b}]",
            "{a} between {b} and {c}",
            "case when {a} then {b} end",
            "case {a} when {b} then {c} else {a} end",
            "cast({a} as int)",
            "try_cast({a} as text)",
            "f({a}, {b})",
            "f()",
            "count(*)",
            "count(distinct {a})",
            "top(3, ({a}, {b}) by {c}, 50)",
            "sum({a}) filter (where {b})",
            "floor({a} to hour)",
            "substring({a} from {b} for {c})",
            "trim(both {a} from {b})",
        ]);
        prop_oneof![
            (inner.clone(), operators, inner.clone(), any::<bool>()).prop_map(
                |(left, operator, right, is_in_parentheses)| match is_in_parentheses {
                    true => format!("({left}) {operator} ({right})"),
                    false => format!("{left} {operator} {right}"),
                }
            ),
            (forms, inner.clone(), inner.clone(), inner).prop_map(|(form, a, b, c)| {
                form.replace("{a}", &a).replace("{b}", &b).replace("{c}", &c)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_canonical_text_parses_to_the_same_tree(text in texts()) {
        // Some texts are wrong, as `a between b and c` is with a `b` that holds an `and`.
        let Ok((ast, id)) = parse(&text) else { return Ok(()) };
        let canonical = ast.canonical(id);
        let (again, same) = parse(&canonical)
            .map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(shape(&ast, id), shape(&again, same), "{}: {}", text, canonical);
        prop_assert_eq!(again.canonical(same), canonical);
    }

    #[test]
    fn any_text_is_no_danger(text: String, words in prop::collection::vec(prop::sample::select(
        vec!["x", "and", "or", "not", "(", ")", "==", "<", "in", "matches", "'a'", "1", ",", "[",
            "]", "exists", "true", "case", "when", "then", "end", "is", "null", "-", "/", ".", "by",
            "cast", "as", "int", "interval", "day", "filter", "where", "5m", "é", "distinct", "::",
            "between", "*", "trim", "both", "from", "position", "extract", "top"]), 0..16)) {
        for text in [text, words.join(" "), words.concat()] {
            if let Ok((ast, id)) = parse(&text) {
                prop_assert!(parse(&ast.canonical(id)).is_ok(), "{}", text);
            }
        }
    }
}

#[test]
fn places_are_those_of_the_text() {
    let (ast, id) = parse("a + sum( b ) * 2").unwrap();
    let Node::Binary(_, _, product) = ast.node(id) else { panic!("{ast:?}") };
    assert_eq!(ast.written(*product), "sum( b ) * 2");
    assert_eq!(ast.column(*product), 5);
    assert_eq!(ast.error(*product, "no").to_string(), "column 5 of \"a + sum( b ) * 2\": no");
}
