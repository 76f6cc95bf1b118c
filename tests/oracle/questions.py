"""Asks everyday questions of streamgauge in one line each, and of DuckDB in SQL.

usage: questions.py STREAMGAUGE FOLDER EXAMPLES
FOLDER holds generated.jsonl and flights.csv, EXAMPLES the folder examples/data.
Both must give the same rows, and the line must be no longer than the SQL.
"""

import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime

import duckdb


@dataclass
class Question:
    """A question in both languages. `sorted` says that the order of the rows counts."""

    name: str
    line: str
    sql: str
    sorted: bool = False


QUESTIONS = [
    Question(
        "requests per minute",
        "run log.jsonl --time ts --window 1m",
        "select time_bucket(interval 1 minute, make_timestamp(ts * 1000)) as w, count(*) from 'log.jsonl' group by w",
    ),
    Question(
        "the most frequent pages",
        "top log.jsonl --by url -k 5",
        "select url, count(*) as n from 'log.jsonl' group by url order by n desc, url limit 5",
    ),
    Question(
        "p99 per country per 5 minutes",
        "run log.jsonl --time ts --window 5m --group country --agg 'p99(latency_ms)'",
        "select time_bucket(interval 5 minute, make_timestamp(ts * 1000)) as w, country, quantile_disc(latency_ms, 0.99) from 'log.jsonl' group by w, country",
    ),
    Question(
        "bytes per country and hour of a CSV",
        "run log.csv --time ts --window 1h --group country --agg 'sum(bytes)'",
        "select time_bucket(interval 1 hour, make_timestamp(ts * 1000)) as w, country, sum(bytes) from 'log.csv' group by w, country",
    ),
    Question(
        "several conditions joined",
        "run log.jsonl --where 'status >= 500 or (status = 404 and latency_ms > 200)'",
        "select count(*) from 'log.jsonl' where status >= 500 or (status = 404 and latency_ms > 200)",
    ),
    Question(
        "a growing log through a pipe",
        "run - --group status < log.jsonl",
        "select status, count(*) as records from read_json('/dev/stdin') group by status",
    ),
    Question(
        "a nested field",
        "run nested.jsonl --group host.name --agg 'mean(http.ms)'",
        "select host.name, avg(http.ms) from 'nested.jsonl' group by host.name",
    ),
    Question(
        "an element of a list",
        "run nested.jsonl --group 'tags[0] as tag'",
        "select tags[1] as tag, count(*) from 'nested.jsonl' group by tag",
    ),
    Question(
        "a range of time",
        "run orders.csv --time time --since '2025-10-26 08:00:00Z' --until 2025-10-27",
        "select count(*) from 'orders.csv' where time >= '2025-10-26 08:00:00' and time < '2025-10-27'",
    ),
    Question(
        "share of errors per country",
        "run log.jsonl --group country --agg '100.0 * count_if(status >= 500) / count(*)'",
        "select country, 100.0 * count(*) filter (where status >= 500) / count(*) from 'log.jsonl' group by country",
    ),
    Question(
        "days of a local time zone",
        "run orders.csv --time time --timezone Europe/Berlin --window 1d",
        "select date_trunc('day', timezone('Europe/Berlin', time::timestamptz))::timestamp at time zone 'Europe/Berlin' as day, count(*) from 'orders.csv' group by day",
    ),
    Question(
        "a histogram of latencies",
        "run log.jsonl --group 'width_bucket(latency_ms, 0, 1000, 10) as bucket'",
        "select least(floor(latency_ms / 100)::int + 1, 11) as bucket, count(*) from 'log.jsonl' group by bucket",
    ),
    Question(
        "requests per second",
        "run log.jsonl --time ts --window 1m --agg 'rate(count)'",
        "select time_bucket(interval 1 minute, make_timestamp(ts * 1000)) as w, count(*) / 60.0 from 'log.jsonl' group by w",
    ),
    Question(
        "a ratio of two columns",
        "run log.jsonl --group country --agg 'sum(bytes) / sum(latency_ms)'",
        "select country, sum(bytes) / sum(latency_ms) as ratio from 'log.jsonl' group by country",
    ),
    Question(
        "the ten largest groups by a sum",
        "run log.jsonl --group user_id --agg 'sum(bytes) as b' --sort 'b desc' --limit 10",
        "select user_id, sum(bytes) as b from 'log.jsonl' group by user_id order by b desc, user_id limit 10",
        sorted=True,
    ),
    Question(
        "other names for group columns",
        "run log.jsonl --group 'country as land'",
        "select country as land, count(*) from 'log.jsonl' group by land",
    ),
    Question(
        "classes of status",
        "run log.jsonl --group 'status // 100 as class'",
        "select status // 100 as class, count(*) from 'log.jsonl' group by class",
    ),
    Question(
        "the first part of a path",
        "run log.jsonl --group \"split_part(url, '/', 2) as part\" --agg 'sum(bytes)'",
        "select split_part(url, '/', 2) as part, sum(bytes) from 'log.jsonl' group by part",
    ),
    Question(
        "groups above a threshold",
        "run log.jsonl --group user_id --agg 'sum(bytes) as b' --having 'b > 1000000'",
        "select user_id, sum(bytes) as b from 'log.jsonl' group by user_id having b > 1000000",
    ),
    Question(
        "revenue per product",
        "run orders.csv --group product --agg 'sum(quantity * price)'",
        "select product, sum(quantity * price) as revenue from 'orders.csv' group by product",
    ),
    Question(
        "a name for an expression",
        "run orders.csv --let 'r = quantity * price' --group country --agg 'max(r), sum(r)'",
        "with o as (select *, quantity * price as r from 'orders.csv') select country, max(r), sum(r) from o group by country",
    ),
    Question(
        "orders with a coupon",
        "run orders.csv --group country --agg 'count(coupon), count_if(coupon is null)'",
        "select country, count(coupon), count(*) filter (where coupon is null) from 'orders.csv' group by country",
    ),
    Question(
        "text by a pattern",
        "run log.jsonl --where \"url like '/docs/%' and url not like '%0.html'\"",
        "select count(*) as records from 'log.jsonl' where url like '/docs/%' and url not like '%0.html'",
    ),
    Question(
        "a value in a list",
        "run log.jsonl --where \"country in ('DE', 'FR') and status between 400 and 499\"",
        "select count(*) as records from 'log.jsonl' where country in ('DE', 'FR') and status between 400 and 499",
    ),
    Question(
        "a case",
        "run log.jsonl --group \"case when latency_ms < 50 then 'fast' else 'slow' end as speed\"",
        "select case when latency_ms < 50 then 'fast' else 'slow' end as speed, count(*) from 'log.jsonl' group by speed",
    ),
    Question(
        "an extract by a regular expression",
        "run log.jsonl --group \"regexp_extract(url, '^/([a-z]+)/', 1) as part\"",
        "select regexp_extract(url, '^/([a-z]+)/', 1) as part, count(*) as n from 'log.jsonl' group by part",
    ),
    Question(
        "the slowest page of each country",
        "run log.jsonl --group country --agg 'max_by(user_id, latency_ms * 1000000 + bytes)'",
        "select country, max_by(user_id, latency_ms * 1000000 + bytes) as slowest from 'log.jsonl' group by country",
    ),
    Question(
        "a histogram of latencies",
        "run log.jsonl --where 'latency_ms >= 2' --agg 'histogram(latency_ms)'",
        "select key, count(*) from (select (2 ** floor(log2(latency_ms)))::bigint as l, latency_ms * 2 < l * 3 as low, case when low then l || ' to ' || l * 3 // 2 else l * 3 // 2 || ' to ' || l * 2 end as key from 'log.jsonl' where latency_ms >= 2) group by l, low, key order by l, not low",
        sorted=True,
    ),
    Question(
        "the hour of the day",
        "run orders.csv --group 'extract(hour from time) as hour'",
        "select extract(hour from time) as hour, count(*) as orders from 'orders.csv' group by hour",
    ),
    Question(
        "calendar months",
        "run flights.csv --time time_hour --window 1mo",
        "select date_trunc('month', time_hour)::timestamp as m, count(*) from 'flights.csv' group by m",
    ),
    Question(
        "median and spread",
        "run log.jsonl --group country --agg 'median(latency_ms), stddev(bytes)'",
        "select country, median(latency_ms), stddev_samp(bytes) from 'log.jsonl' group by country",
    ),
    Question(
        "the pages with the most bytes",
        "run log.jsonl --agg 'top(3, country by bytes)'",
        "select country, sum(bytes) as b from 'log.jsonl' group by country order by b desc limit 3",
        sorted=True,
    ),
    Question(
        "pairs of values",
        "run log.jsonl --group country,status",
        "select country, status, count(*) from 'log.jsonl' group by country, status",
    ),
    Question(
        "a default for what is missing",
        "run orders.csv --group \"coalesce(coupon, 'none') as coupon\"",
        "select coalesce(coupon, 'none') as coupon, count(*) from 'orders.csv' group by all",
    ),
    Question(
        "rounded numbers",
        "run orders.csv --group 'round(price) as price' --agg 'sum(quantity)'",
        "select round(price) as p, sum(quantity) as quantity from 'orders.csv' group by p",
    ),
    Question(
        "two filters side by side",
        "run log.jsonl --agg 'count_if(status = 404), sum(bytes) filter (where status = 200)'",
        "select count(*) filter (where status = 404), sum(bytes) filter (where status = 200) from 'log.jsonl'",
    ),
    Question(
        "the smallest and the largest text",
        "run orders.csv --group country --agg 'min(product), max(product)'",
        "select country, min(product), max(product) from 'orders.csv' group by country",
    ),
    Question(
        "the three smallest groups",
        "run log.jsonl --group country --agg 'count as n' --where \"country < 'F'\" --sort n --limit 3",
        "select country, count(*) as n from 'log.jsonl' where country < 'F' group by country order by n limit 3",
        sorted=True,
    ),
]


def milliseconds(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def instant(time):
    """Milliseconds since 1970 of a time of DuckDB's, which is UTC where it has no zone."""
    return milliseconds(time.isoformat() + ("" if time.tzinfo else "Z"))


def rows_of(line, binary, folder):
    run = subprocess.run(f"{shlex.quote(binary)} {line} --output json", shell=True, cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        raise ValueError(f"exit code {run.returncode}: {run.stderr.strip()}")
    rows = []
    for text in run.stdout.splitlines():
        row = json.loads(text)
        window = [milliseconds(row["window"]["start"])] if row["window"] else []
        keys = [value for value in row.get("group", {}).values()]
        cells = [value for name, value in row.items() if name not in ("window", "group", "revision", "complete")]
        if len(cells) == 1 and isinstance(cells[0], list):
            rows.extend((*window, *keys, entry["key"], entry["count"]) for entry in cells[0])
        else:
            rows.append((*window, *keys, *cells))
    return rows


def same(got, want):
    """Whether a value is DuckDB's: an estimate by its bounds, a number by nine digits."""
    if isinstance(got, dict):
        return got["lower"] <= want <= got["upper"]
    if isinstance(want, str) or want is None or got is None:
        return got == want
    return math.isclose(float(got), float(want), rel_tol=1e-9, abs_tol=1e-9)


def order(row):
    return [(value is not None, str(value)) for value in row]


def check(question, binary, folder, db):
    got = rows_of(question.line, binary, folder)
    sql = question.sql.replace("/dev/stdin", "log.jsonl")
    want = []
    for row in db.execute(sql).fetchall():
        want.append(tuple(instant(value) if isinstance(value, datetime) else value for value in row))
    if not want or len(got) != len(want):
        raise ValueError(f"{len(got)} rows, DuckDB has {len(want)}: {got[:3]} and {want[:3]}")
    if not question.sorted:
        got, want = sorted(got, key=order), sorted(want, key=order)
    for ours, theirs in zip(got, want):
        if len(ours) != len(theirs) or not all(map(same, ours, theirs)):
            raise ValueError(f"{ours}, DuckDB says {theirs}")
    if len(question.line) > len(question.sql):
        raise ValueError(f"the line has {len(question.line)} characters, the SQL {len(question.sql)}")
    return len(want)


# The names of the files in the questions, and what they are in FOLDER.
GENERATED = {"log.jsonl": "generated.jsonl", "log.csv": "generated.csv", "flights.csv": "flights.csv"}


def linked(folder, examples):
    """A folder with all files of the questions under their names."""
    place = tempfile.mkdtemp(prefix="streamgauge-questions-")
    for name, target in GENERATED.items():
        os.symlink(os.path.abspath(f"{folder}/{target}"), f"{place}/{name}")
    for name in os.listdir(examples):
        os.symlink(os.path.abspath(f"{examples}/{name}"), f"{place}/{name}")
    return place


def main():
    binary, folder = os.path.abspath(sys.argv[1]), linked(*sys.argv[2:4])
    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    db.execute(f"set file_search_path = '{folder}'")
    failures = 0
    for question in QUESTIONS:
        try:
            print(f"{question.name}: {check(question, binary, folder, db)} rows, answers agree")
        except ValueError as error:
            failures += 1
            print(f"{question.name}: {error}")
    shutil.rmtree(folder)
    print(f"{len(QUESTIONS) - failures} of {len(QUESTIONS)} questions have the same answer")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
