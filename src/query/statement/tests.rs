//! Statements and the pipelines that they are.

use super::SqlStatement;
use proptest::prelude::*;

fn toml(text: &str) -> String {
    let statement = SqlStatement::parse(text).unwrap_or_else(|error| panic!("{error}"));
    statement.spec.to_toml().unwrap().trim_end().replace('\n', "; ")
}

fn error(text: &str) -> String {
    match SqlStatement::parse(text) {
        Ok(statement) => panic!("{text}: {statement:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn s259_the_elements_of_an_array_are_records() {
    for (text, pipeline) in [
        (
            "select unnest(tags) as tag, count(*) from t group by tag",
            r#"unnest = "tags"; group = ["tags as tag"]; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from t where unnest(t.a.b) = 'x' group by unnest(a.b)",
            r#"unnest = "a.b"; where = ["a.b = 'x'"]; group = ["a.b"]; agg = ["count(*)"]"#,
        ),
        (
            "select tag, count(*) as n from logs, unnest(logs.tags) as tag where tag <> '' \
             group by tag order by n",
            "unnest = \"tags\"; where = [\"tags <> ''\"]; group = [\"tags as tag\"]; \
             agg = [\"count(*) as n\"]; sort = [\"n\"]",
        ),
        (
            "select i.sku, sum(i.n * i.price) as s from 'a.jsonl' cross join unnest(items) i \
             group by i.sku",
            "unnest = \"items\"; group = [\"items.sku as i.sku\"]; \
             agg = [\"sum(items.n * items.price) as s\"]",
        ),
        (
            "select tag, max(t.tag) as m from x cross join unnest(tags) as t(tag) group by tag",
            r#"unnest = "tags"; group = ["tags as tag"]; agg = ["max(tags) as m"]"#,
        ),
        ("select u, unnest(tags) from x", r#"unnest = "tags"; select = ["u", "tags"]"#),
    ] {
        assert_eq!(toml(text), pipeline, "{text}");
    }
    for (text, part) in [
        ("select tags, unnest(tags) from t", "column 8 of"),
        ("select tags, unnest(tags) from t", "tags is unnested: name its element"),
        ("select unnest(a), unnest(b) from t", "there is one array: a is unnested"),
        ("select unnest(a, b) from t", "unnest takes one field"),
        ("select unnest(a || b) from t", "unnest takes a field, which is an array"),
        ("select x from t, unnest(a) x, unnest(b) y", "there is one UNNEST"),
        ("select x from t cross join u", "there is no join of streams"),
    ] {
        let error = error(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn s125_a_statement_is_the_pipeline_that_it_says() {
    for (text, pipeline) in [
        ("select count(*) from 'a.csv'", r#"agg = ["count(*)"]"#),
        ("SELECT STREAM Count(*) n FROM t;", r#"agg = ["count(*) as n"]"#),
        (
            "select country, sum(bytes) as b from t where status=200 group by country \
             having sum(bytes)>5 order by b desc, 1 limit 10",
            r#"where = ["status = 200"]; group = ["country"]; agg = ["sum(bytes) as b"]; having = ["sum(bytes) > 5"]; sort = ["b desc", "country"]; limit = 10"#,
        ),
        (
            "select status // 100 as class, top(3, url by bytes) from t group by class",
            r#"group = ["status // 100 as class"]; agg = ["top(3, url by bytes)"]"#,
        ),
        (
            "select url, count(*) from t group by 1 order by count(*) desc limit 3",
            r#"group = ["url"]; agg = ["count(*)"]; sort = ["count(*) desc"]; limit = 3"#,
        ),
        (
            "select tumble_start(ts, interval '1' minute), count(*) from t group by tumble(ts, interval '1' minute)",
            r#"time = "ts"; window = "1m"; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from t group by hop(e.ts, 10s, interval '5' minute) order by window_start",
            r#"time = "e.ts"; window = "5m"; every = "10s"; agg = ["count(*)"]"#,
        ),
        (
            "select window_start, window_end, k, count(*) from table(tumble(table bids, descriptor(ts), interval '10' minutes)) group by window_start, window_end, k",
            r#"time = "ts"; window = "10m"; group = ["k"]; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from table(hop(data => table bids, timecol => descriptor(ts), slide => 5m, size => 1h))",
            r#"time = "ts"; window = "1h"; every = "5m"; agg = ["count(*)"]"#,
        ),
        (
            "select time_bucket(interval '5 minutes', ts) as b, count(*) from t group by b",
            r#"time = "ts"; window = "5m"; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from t group by time_bucket(interval 1 month, ts)",
            r#"time = "ts"; window = "1mo"; agg = ["count(*)"]"#,
        ),
        (
            "select date_trunc('hour', ts), count(*) from t group by date_trunc('hour', ts)",
            r#"time = "ts"; window = "1h"; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from t group by tumble(ts at time zone 'Europe/Berlin', interval '1' day)",
            r#"time = "ts"; window = "1d"; timezone = "Europe/Berlin"; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from t group by hop(ts, interval '1' month, interval '1' year)",
            r#"time = "ts"; window = "1y"; every = "1mo"; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from table(tumble(table t, descriptor(ts), interval 2 quarters))",
            r#"time = "ts"; window = "2q"; agg = ["count(*)"]"#,
        ),
        (
            "select count(*) from t group by date_trunc('week', ts, 'Asia/Tokyo')",
            r#"time = "ts"; window = "1w"; timezone = "Asia/Tokyo"; agg = ["count(*)"]"#,
        ),
        (
            "select k, stagger_start(ts, 1m), count(*) from t group by stagger(ts, 1m), k",
            r#"time = "ts"; stagger = "1m"; group = ["k"]; agg = ["count(*)"]"#,
        ),
        (
            "select date_trunc('hour', ts) as h, k, count(*) as n from t group by all \
             order by h, n desc, 2",
            r#"time = "ts"; window = "1h"; group = ["k"]; agg = ["count(*) as n"]; sort = ["n desc", "k"]"#,
        ),
        (
            "select tumble_start(ts, 1m) as s, count(*) from t group by tumble(ts, 1m) order by s",
            r#"time = "ts"; window = "1m"; agg = ["count(*)"]"#,
        ),
        (
            "select stream rowtime, s.ticker, price * 2 as double from s where price > 1",
            r#"where = ["price > 1"]; select = ["ticker", "price * 2 as double"]"#,
        ),
        (
            "select stream floor(event_time to minute), ticker, count(ticker) as n from s \
             windowed by stagger (partition by floor(event_time to minute), ticker \
             range interval '1' minute)",
            r#"stagger = "1m"; group = ["date_trunc('minute', event_time)", "ticker"]; agg = ["count(ticker) as n"]"#,
        ),
        (
            "select stream ticker, price, avg(price) over last10 as mean, max(price) over last10 \
             from s where price > 1 window last10 as (partition by ticker rows 9 preceding)",
            r#"every = "1"; rows = 10; where = ["price > 1"]; group = ["ticker"]; agg = ["last(price) as price", "avg(price) as mean", "max(price)"]"#,
        ),
        (
            "select sum(n) over (rows between 2 preceding and current row) from t",
            r#"every = "1"; rows = 3; agg = ["sum(n)"]"#,
        ),
        // The programs of Amazon's guide qualify every column and window by the arrival time.
        (
            r#"CREATE OR REPLACE STREAM "DESTINATION" (ticker VARCHAR(4), n DECIMAL(3, 1));
               CREATE OR REPLACE PUMP "P" AS INSERT INTO "DESTINATION"
               SELECT STREAM "S".ticker, MIN("S"."price") AS lowest FROM "S"
               GROUP BY "S".ticker, STEP("S".ROWTIME BY INTERVAL '60' SECOND);"#,
            r#"window = "1m"; group = ["ticker"]; agg = ["min(price) as lowest"]"#,
        ),
        (
            "select a.x, count(*) from t a group by a.x, floor(a.rowtime to minute)",
            r#"window = "1m"; group = ["x"]; agg = ["count(*)"]"#,
        ),
    ] {
        assert_eq!(toml(text), pipeline, "{text}");
    }
    let files = SqlStatement::parse("select count(*) from 'a b.csv', 'c.csv'").unwrap().files;
    assert_eq!(files, ["a b.csv", "c.csv"]);
}

#[test]
fn every_statement_of_the_documents_is_read() {
    let text = include_str!("../../../docs/LANGUAGE.md");
    let block = text.split("```statement\n").nth(1).and_then(|rest| rest.split("```").next());
    let statements: Vec<&str> = block.unwrap().lines().collect();
    assert!(statements.len() > 3);
    for statement in statements {
        assert!(!toml(statement).is_empty());
    }
}

#[test]
fn s125_sessions_are_a_window_of_group_by() {
    let text = "select host, session_start(ts, interval '30' minute) as s, count(*) from t \
                group by session(ts, interval '30' minute), host";
    let spec = SqlStatement::parse(text).unwrap().spec;
    assert_eq!((spec.time.as_deref(), spec.session.as_deref()), (Some("ts"), Some("30m")));
    assert_eq!((spec.window, spec.group), (None, Some(vec!["host".into()])));
}

#[test]
fn s251_the_time_of_a_window_may_be_computed() {
    for (text, time) in [
        ("tumble(to_timestamp(s), interval '1' minute)", "to_timestamp(s)"),
        (
            "session(cast(d || ' ' || h as timestamp), interval '1' minute)",
            "cast(d || ' ' || h as timestamp)",
        ),
    ] {
        let text = format!("select count(*) from t group by {text}");
        let spec = SqlStatement::parse(&text).unwrap().spec;
        assert_eq!(spec.time.as_deref(), Some(time));
    }
}

#[test]
fn s125_what_no_pipeline_can_do_is_refused_with_its_place() {
    for (text, part) in [
        ("", "SELECT is expected, but the text ends"),
        ("update t", "column 1 of \"update t\": SELECT or CREATE is expected, not update"),
        ("select count(*)", "a comma, AS or FROM or the end is expected"),
        ("select count(*) from t join u on a = b", "column 24 of"),
        ("select count(*) from t join u on a = b", "there is no join of streams"),
        ("select count(*) from t, u", "there is no join of streams"),
        ("select count(*) from (select a from t)", "there are no subqueries"),
        ("select * from t", "there is no SELECT *: name the columns"),
        ("select distinct a from t", "there is no SELECT DISTINCT: GROUP BY the columns"),
        ("select a, count(*) from t", "column 8 of \"select a, count(*) from t\": a is neither an"),
        ("select a from t order by a", "column 26 of \"select a from t order by a\": a statement"),
        ("select a from t having a > 1", "without HAVING, ORDER BY and LIMIT"),
        ("select a from t limit 1", "without HAVING, ORDER BY and LIMIT"),
        (
            "select date_trunc('day', ts) d, count(*) from t group by d order by 1 desc",
            "windows come in the order of time",
        ),
        (
            "select count(*) from t group by tumble(ts, 1m) order by window_start desc",
            "windows come in the order of time",
        ),
        ("select sun(b), count(*) from t", "nor in GROUP BY (did you mean \"sum\"?)"),
        ("select count(*) from t group by time_bucket(7h, ts)", "a size that divides a day"),
        ("select count(*) from t group by time_bucket(1h, ts, 0)", "takes a size and a time"),
        ("select count(*) from t group by session(ts)", "session a time and a gap"),
        ("select count(*) from t union select 1", "there is no UNION"),
        ("select count(*) from t limit 1 offset 5", "there is no OFFSET"),
        ("select count(*) over w from t", "there is no window w"),
        ("select a over (rows 1 preceding) from t", "a OVER rows is not an aggregate"),
        ("select sum(a) over (rows 1 preceding), sum(b) from t", "sum(b) needs OVER"),
        (
            "select sum(a) over (rows 1 preceding), sum(a) over (rows 2 preceding) from t",
            "a statement has one window of rows",
        ),
        ("select sum(a) over (rows 1 preceding) from t group by b", "without GROUP BY"),
        ("select sum(a) over (order by a rows 1 preceding) from t", "leave out ORDER BY"),
        (
            "select sum(a) over (range interval '1' minute preceding) from t",
            "there is no RANGE before each row",
        ),
        ("select sum(a) over (rows x preceding) from t", "a number of rows, as in"),
        ("select count(*) from t; select count(*) from u", "more than one SELECT"),
        ("select count(*) from t group by tumble(ts)", "take a time and a size"),
        ("select count(*) from t group by tumble(ts, 5)", "a duration such as"),
        ("select count(*) from t group by stagger(ts)", "tumble and stagger take a time"),
        ("select count(*) from t windowed by hop", "\"stagger\" is expected, not hop"),
        ("select k from t group by tumble(ts at time zone x, 1m)", "a time zone in quotes"),
        ("select count(*) from t group by tumble(ts, 1m), tumble(ts, 2m)", "more than one window"),
        ("select count(*) from t group by 3", "there is no column 3: there are 1"),
        ("select count(*) from t limit x", "a number of rows is expected, not x"),
        ("create stream s (a int", "\")\" is expected, but the text ends"),
    ] {
        assert!(error(text).contains(part), "{text}: {}", error(text));
    }
}

proptest! {
    #[test]
    fn any_text_is_no_danger(text: String, words in prop::collection::vec(prop::sample::select(
        vec!["select", "count(*)", "from", "t", "'f'", "where", "group", "by", "having", "order",
            "limit", "1", ",", "(", ")", "table", "tumble", "create", "stream", "pump", "as", ";",
            "interval '1' minute", "ts", "descriptor", "=>", "x",
            "unnest", "cross", "join"]), 0..20)) {
        let _ = SqlStatement::parse(&text);
        let _ = SqlStatement::parse(&words.join(" "));
    }
}
