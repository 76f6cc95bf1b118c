//! What is parsed, and what errors say.

use super::*;
use crate::query::expression::Node;
use crate::query::field::Fields;
use crate::query::literal::TextLiteral;
use proptest::prelude::*;

/// Gives each expression a slot, by its canonical text.
fn slots(fields: &mut Fields) -> impl FnMut(&Ast, Id) -> Result<usize, Error> {
    |ast, id| match ast.node(id) {
        Node::Field(name) => Ok(fields.slot(name)),
        _ => Ok(fields.slot(&ast.canonical(id))),
    }
}

fn parse(text: &str) -> (Answers, Vec<String>) {
    let mut fields = Fields::default();
    let mut answers = Answers::default();
    answers
        .add_columns(text, &mut slots(&mut fields))
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    (answers, fields.names().to_vec())
}

fn error(text: &str) -> String {
    let mut fields = Fields::default();
    Answers::default().add_columns(text, &mut slots(&mut fields)).unwrap_err().to_string()
}

fn names(answers: &Answers) -> Vec<&str> {
    answers.columns.iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn the_issues_example_is_read() {
    let (answers, fields) = parse(
        "count, sum(bytes) as bytes,mean( latency_ms ), p99(latency_ms), distinct(user_id), \
         top(10,url)",
    );
    assert_eq!(
        names(&answers),
        [
            "count",
            "bytes",
            "mean(latency_ms)",
            "p99(latency_ms)",
            "distinct(user_id)",
            "top(10, url)"
        ]
    );
    assert_eq!(fields, ["bytes", "latency_ms", "user_id", "url"]);
    assert!(answers.columns.iter().enumerate().all(|(n, c)| c.answer == Answer::Call(n)));
    assert_eq!(answers.calls[1], Function::Sum(0));
    assert_eq!(answers.calls[3], Function::Quantile(1, Percent(9900)));
    let counters = crate::aggregate::DEFAULT_COUNTERS;
    let top = Function::Top { k: 10, slots: [3].into(), weight: None, counters };
    assert_eq!(answers.calls[5], top);
}

#[test]
fn everything_else_is_read() {
    let (answers, fields) = parse(
        "count(x), COUNT(*), min(/a/b), max(\"with space\"), variance(x), stddev(x), first(x), \
         last(x), p99.99(x), \
         top(3, x, 1000) as 'the top', frequency(x, 'v'), frequency(x, 1.0), frequency(x, true)",
    );
    let names = names(&answers);
    assert_eq!(fields, ["x", "/a/b", "with space"]);
    assert_eq!(answers.calls[0], Function::CountOf(0));
    assert_eq!(answers.calls[1], Function::Count);
    assert_eq!((names[1], names[3]), ("count(*)", "max(\"with space\")"));
    assert_eq!(answers.calls[8], Function::Quantile(0, Percent(9999)));
    assert_eq!(names[9], "the top");
    assert_eq!(
        answers.calls[9],
        Function::Top { k: 3, slots: [0].into(), weight: None, counters: 1000 }
    );
    let frequency = Function::Frequency(0, Literal::Text(TextLiteral::new("v")));
    assert_eq!(answers.calls[10], frequency);
    assert_eq!(names[10], "frequency(x, 'v')");
}

#[test]
fn other_names_of_aggregates_are_the_same_aggregates() {
    let of = |text: &str| parse(text).0.calls;
    assert_eq!(of("avg(x)"), of("mean(x)"));
    assert_eq!(of("approx_distinct(x)"), of("distinct(x)"));
    assert_eq!(of("count_distinct(x)"), of("count(distinct x)"));
    assert_eq!(of("percentile(x, 0.95), percentile(x, 1)"), of("p95(x), p100(x)"));
    assert_eq!(of("percentile(x, 0.9999)"), of("p99.99(x)"));
    assert_eq!(of("any(x)"), of("first(x)"));
    assert_eq!(of("count, count(*), count()"), [Function::Count], "each is computed once");
}

#[test]
fn arguments_are_expressions() {
    let (answers, slots) = parse(
        "sum(bytes * 8), count_if(status>=500), sum(x) FILTER (where y = 1), \
         count(*) filter (where y=1), p50(x) filter (where y = 1), bool_and(a > b), count_if(y = \
         1)",
    );
    assert_eq!(
        slots,
        [
            "bytes * 8",
            "case when status >= 500 then true end",
            "case when y = 1 then x end",
            "case when y = 1 then true end",
            "cast(a > b as bool)",
        ]
    );
    let half = Function::Quantile(2, Percent(5000));
    assert_eq!(
        answers.calls,
        [
            Function::Sum(0),
            Function::CountOf(1),
            Function::Sum(2),
            Function::CountOf(3),
            half,
            Function::Min(4)
        ]
    );
}

#[test]
fn keys_may_be_tuples_and_have_weights() {
    let (answers, slots) = parse(
        "top(3, (method, path)), top(3, url by bytes * 8), distinct((a, b)), \
         top(3, url by bytes) filter (where ok), max_by(url, ms), min_by(url, ms)",
    );
    assert_eq!(
        slots,
        [
            "method",
            "path",
            "url",
            "bytes * 8",
            "a",
            "b",
            "case when ok then url end",
            "bytes",
            "ms"
        ]
    );
    let counters = crate::aggregate::DEFAULT_COUNTERS;
    let top =
        |slots: &[usize], weight| Function::Top { k: 3, slots: slots.into(), weight, counters };
    assert_eq!(
        answers.calls,
        [
            top(&[0, 1], None),
            top(&[2], Some(3)),
            Function::Distinct([4, 5].into()),
            top(&[6], Some(7)),
            Function::MaxBy(2, 8),
            Function::MinBy(2, 8)
        ]
    );
}

#[test]
fn a_histogram_counts_the_values_of_each_bucket() {
    let (answers, slots) = parse("histogram(ms, 10, 100.5)");
    assert_eq!(
        slots,
        [
            "case when ms < 10 then true end",
            "case when ms >= 10 and ms < 100.5 then true end",
            "case when ms >= 100.5 then true end"
        ]
    );
    let buckets = [("< 10".into(), 0), ("10 to 100.5".into(), 1), (">= 100.5".into(), 2)];
    assert_eq!(answers.columns[0].answer, Answer::Histogram(buckets.into()));
}

#[test]
fn a_column_is_arithmetic_over_aggregates() {
    let (answers, _) = parse(
        "100.0*count_if(status >= 500)/count(*) as error_pct, sum(x) / count(*), rate(count)",
    );
    assert_eq!(names(&answers), ["error_pct", "sum(x) / count(*)", "rate(count)"]);
    assert_eq!(answers.calls, [Function::CountOf(0), Function::Count, Function::Sum(1)]);
    let divided = |index| Box::new([Answer::Call(index), Answer::Call(1)]);
    use crate::query::expression::Op;
    assert_eq!(answers.columns[1].answer, Answer::Binary(Op::Div, divided(2)));
    assert_eq!(answers.columns[2].answer, Answer::Scalar(Scalar::Rate, [Answer::Call(1)].into()));
}

#[test]
fn conditions_and_orders_know_columns_groups_and_aggregates() {
    let (mut answers, _) = parse("count, sum(bytes) as bytes");
    let mut fields = Fields::default();
    let groups = ["country".to_owned(), "status // 100".to_owned()];
    let mut slots = slots(&mut fields);
    answers.add_having("bytes > 5 and max(x) > 1", &groups, &mut slots).unwrap();
    answers
        .add_sort("bytes desc, country asc, status//100, count(*)", &groups, &mut slots)
        .unwrap();
    let by: Vec<_> = answers.sort.iter().map(|key| (&key.answer, key.is_descending)).collect();
    assert_eq!(
        by,
        [
            (&Answer::Column(1), true),
            (&Answer::Group(0), false),
            (&Answer::Group(1), false),
            (&Answer::Call(0), false)
        ]
    );
    assert_eq!(answers.calls.last(), Some(&Function::Max(0)), "an aggregate of no column");
    let error = answers.add_sort("byts", &groups, &mut slots).unwrap_err().to_string();
    assert!(error.contains("there is no column byts (did you mean \"bytes\"?)"), "{error}");
    let error = answers.add_sort("bytes down", &groups, &mut slots).unwrap_err().to_string();
    assert!(error.contains("\"asc\" or \"desc\" is expected, not down"), "{error}");
}

#[test]
fn percentiles_have_at_most_two_decimals() {
    for (text, hundredths) in
        [("50", 5000), ("99.9", 9990), ("99.99", 9999), ("100", 10_000), ("0.01", 1), ("05", 500)]
    {
        assert_eq!(Percent::parse(text), Some(Percent(hundredths)), "{text}");
    }
    for wrong in ["", "0", "100.01", "99.999", "1e1", "-5", "5.", ".5", "1000"] {
        assert_eq!(Percent::parse(wrong), None, "{wrong}");
    }
    assert_eq!(Percent(9900).quantile(), 0.99);
    for hundredths in 1..=10_000 {
        let quantile = Percent(hundredths).quantile();
        assert_eq!(Percent::of_quantile(quantile), Some(Percent(hundredths)));
    }
    for wrong in [0.0, -0.5, 1.0001, 0.00001, 0.99999] {
        assert_eq!(Percent::of_quantile(wrong), None, "{wrong}");
    }
}

#[test]
fn errors_name_the_column_and_the_remedy() {
    assert!(error("count, sun(bytes)").starts_with(
        "column 8 of \"count, sun(bytes)\": sun is not an aggregate (did you mean \"sum\"?)"
    ));
    for (text, part) in [
        ("average(x)", "did you mean \"avg\""),
        ("quantile(x)", "did you mean \"percentile\""),
        ("p999(x)", "not a percentile"),
        ("sum", "takes a field in parentheses"),
        ("sum(a, b)", "takes one argument"),
        ("top(url)", "as in top(10, url)"),
        ("top(0, url)", "from 1 to"),
        ("top(10, url, 5)", "too few for the top 10"),
        ("frequency(x, abc)", "write text in quotes: 'abc'"),
        ("count count", "a comma or \"as\" is expected, not count"),
        ("count,", "but the text ends"),
        ("sum(x", "\")\" is expected"),
        ("", "an aggregate such as count"),
        ("pé(x)", "not an aggregate"),
        ("url", "url is a field outside of an aggregate: write first(url)"),
        ("count + url", "column 9 of \"count + url\": url is a field outside"),
        ("sum(max(x))", "column 5 of \"sum(max(x))\": an aggregate cannot be inside"),
        ("sum(*)", "only count does"),
        ("sum(distinct x)", "only count does"),
        ("sum(x by y)", "does not take \"by\""),
        ("max_by(x)", "as in max_by(url, latency_ms)"),
        ("histogram()", "bounds of its buckets"),
        ("histogram(x, 1, 1)", "column 17 of \"histogram(x, 1, 1)\": 1 is not a number above"),
        ("histogram(x, y)", "y is not a number above the bound before it"),
        ("count(a, b)", "takes at most one argument"),
        ("percentile(x, 95)", "95 is not a number from 0.0001 to 1"),
        ("round(count, 1, 2)", "round takes 1 to 2 arguments, not 3"),
        ("abs(count) filter (where x)", "abs is not an aggregate"),
        ("rate(5)", "rate takes an aggregate"),
        ("count like 'a'", "like is not available after aggregation"),
        ("(count, count)", "(count, count) has no value after aggregation"),
        ("count as 5", "a name after \"as\" is expected, not 5"),
    ] {
        assert!(error(text).contains(part), "{text}: {}", error(text));
    }
}

#[test]
fn groups_are_lists_of_expressions() {
    let group = |text: &str| {
        let mut fields = Fields::default();
        let group = parse_group(text, &mut slots(&mut fields));
        group.map(|group| group.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
    };
    assert_eq!(
        group("country, /a/b,\"with, comma\", status//100, upper(x) as x").unwrap(),
        ["country", "/a/b", "with, comma", "status // 100", "x"]
    );
    assert!(group("").is_err() && group("a,").is_err() && group("a b").is_err());
    assert_eq!(parse_field("\"user agent\"").unwrap(), "user agent");
    assert!(parse_field("a + b").unwrap_err().to_string().contains("one field is expected"));
}

#[test]
fn s121_a_list_has_one_text() {
    let text = "COUNT( * ),sum(bytes*8) AS \"bits\" , x==1";
    assert_eq!(canonical_list(text), "count(*), sum(bytes * 8) as bits, x = 1");
    assert_eq!(canonical_list("not a ( list"), "not a ( list");
}

#[test]
fn every_example_of_the_language_is_read() {
    let text = include_str!("../../../docs/LANGUAGE.md");
    let mut examples = 0;
    let mut fields = Fields::default();
    let mut slots = slots(&mut fields);
    let groups = ["country".to_owned()];
    let mut answers = Answers::default();
    for block in text.split("\n```").skip(1).step_by(2) {
        let (kind, lines) = block.split_once('\n').unwrap_or((block, ""));
        let lines: Vec<&str> = lines.lines().collect();
        let read = |result: Result<(), Error>| result.unwrap_or_else(|error| panic!("{error}"));
        examples += lines.len();
        for line in &lines {
            match kind {
                "expression" => read(crate::query::expression::parse(line).map(|_| ())),
                "group" => read(parse_group(line, &mut slots).map(|_| ())),
                "aggregates" => read(answers.add_columns(line, &mut slots)),
                "having" => {
                    read(answers.add_columns("count as errors", &mut slots));
                    read(answers.add_having(line, &groups, &mut slots));
                }
                "sort" => read(answers.add_sort(line, &groups, &mut slots)),
                "let" => read(crate::query::lets::parse_let(line).map(|_| ())),
                "statement" => {}
                _ => assert_eq!(kind, "error"),
            }
        }
        if let ("error", [wrong, message]) = (kind, &lines[..]) {
            let error = crate::query::expression::parse(wrong).unwrap_err();
            assert_eq!(error.to_string(), *message);
        }
    }
    assert!(examples > 50, "{examples}");
}

#[test]
fn hostile_columns_cost_bounded_time() {
    let nested =
        format!("{}count{}", "case ".repeat(50), " when 1 then 1 when 2 then 2 end".repeat(50));
    let between = format!("{}count{}", "(".repeat(90), " between 1 and 2)".repeat(90));
    for text in [nested, between] {
        let (answers, _) = parse(&text);
        let mut parts = 0;
        fn count(answer: &Answer, parts: &mut usize) {
            *parts += 1;
            answer.each_part(&mut |part| count(part, parts));
        }
        count(&answers.columns[0].answer, &mut parts);
        assert!(parts < 1000, "{parts}");
    }
}

proptest! {
    #[test]
    fn any_text_is_no_danger(
        text: String,
        words in prop::collection::vec(prop::sample::select( vec!["count", "sum", "(", ")", "top", "10", ",", "x", "as", "'a'", "p99", "p", "frequency", "é", "/", "rate", "filter", "where"]), 0..12),
    ) {
        let mut fields = Fields::default();
        let mut slots = slots(&mut fields);
        for text in [text, words.join(" ")] {
            let mut answers = Answers::default();
            let _ = answers.add_columns(&text, &mut slots);
            let _ = answers.add_having(&text, &["x".into()], &mut slots);
            let _ = answers.add_sort(&text, &["x".into()], &mut slots);
            let _ = parse_group(&text, &mut slots);
            canonical_list(&text);
        }
    }

    #[test]
    fn a_column_named_by_its_text_reads_back_the_same(
        head in prop::sample::select(vec!["sum", "p99.5", "distinct"]),
        field in "[a-z_]{1,8}",
    ) {
        let (answers, _) = parse(&format!("{head}(  \"{field}\" )"));
        let (again, _) = parse(&answers.columns[0].name);
        prop_assert_eq!(answers, again);
    }
}
