"""Compares streamgauge's answers with DuckDB's over real and generated data.

usage: compare.py STREAMGAUGE FOLDER ACCESS_LOG
FOLDER holds flights.csv, generated.jsonl and generated.csv.
"""

import json
import math
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone

import duckdb

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass
class Agg:
    """An aggregate in both languages. `check` is exact, near, percentile or distinct."""

    text: str
    sql: str
    check: str = "exact"


@dataclass
class Top:
    k: int
    by: str
    sql: str

    @property
    def text(self):
        return f"top({self.k}, {self.by})"


@dataclass
class Case:
    name: str
    files: list
    view: str
    ms: str
    aggs: list
    flags: list = field(default_factory=list)
    size: int = 0
    every: int = 0
    offset: int = 0
    where: str = ""
    where_sql: str = "true"
    group: list = field(default_factory=list)
    group_sql: list = field(default_factory=list)


def duration(ms):
    return f"{ms}ms"


def command(case, binary):
    args = [binary, "run", *case.files, "--output", "json", *case.flags]
    if case.size:
        args += ["--window", duration(case.size)]
    if case.every:
        args += ["--every", duration(case.every)]
    if case.offset:
        args += ["--offset", duration(case.offset)]
    if case.where:
        args += ["--where", case.where]
    if case.group:
        args += ["--group", ",".join(case.group)]
    return args + ["--agg", ", ".join(agg.text for agg in case.aggs)]


def windowed(case):
    """The records with the start of each of their windows, `ws`, and the groups as g0, g1, ..."""
    groups = "".join(f", {sql} as g{i}" for i, sql in enumerate(case.group_sql))
    base = f"select *, {case.ms} as ms_{groups} from {case.view} where {case.where_sql}"
    if not case.size:
        return f"select *, null as ws from ({base})"
    every = case.every or case.size
    count = math.ceil(case.size / every)
    floor = f"(ms_ - {case.offset} - (((ms_ - {case.offset}) % {every}) + {every}) % {every}) + {case.offset}"
    start = f"({floor} - r.i * {every})"
    return f"select *, {start} as ws from ({base}), range(0, {count}) r(i) where {start} + {case.size} > ms_"


def keys(case):
    return ["ws"] + [f"g{i}" for i in range(len(case.group))]


def expected(case, db):
    by = ", ".join(keys(case))
    rows = {}
    plain = [agg for agg in case.aggs if isinstance(agg, Agg)]
    columns = "".join(f", {agg.sql}" for agg in plain)
    query = f"with w as materialized ({windowed(case)}) select {by}, count(*){columns} from w group by {by}"
    width = len(keys(case))
    for row in db.execute(query).fetchall():
        rows[row[:width]] = dict(zip((agg.text for agg in plain), row[width + 1 :]))
    for top in (agg for agg in case.aggs if isinstance(agg, Top)):
        query = (
            f"with w as materialized ({windowed(case)}), c as (select {by}, {top.sql} as k_, count(*) as c_ from w where {top.sql} is not null group by all), "
            f"r as (select *, row_number() over (partition by {by} order by c_ desc, k_) as rn_ from c) "
            f"select {by}, list([k_::varchar, c_::varchar] order by rn_) from r where rn_ <= {top.k} group by {by}"
        )
        for row in rows.values():
            row[top.text] = []
        for row in db.execute(query).fetchall():
            rows[row[:width]][top.text] = [(key, int(count)) for key, count in row[width]]
    return rows


def milliseconds(text):
    return round(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp() * 1000)


def actual(case, binary):
    run = subprocess.run(command(case, binary), capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{case.name}: exit code {run.returncode}: {run.stderr}")
    rows, order = {}, []
    for line in run.stdout.splitlines():
        row = json.loads(line)
        window = row["window"]
        start = milliseconds(window["start"]) if window else None
        if window:
            assert milliseconds(window["end"]) - start == case.size, line
        key = (start, *(row.get("group", {}).get(name) for name in case.group))
        assert key not in rows, f"{case.name}: twice {key}"
        assert row["revision"] == 0, line
        rows[key] = row
        order.append(start)
    assert order == sorted(order, key=lambda start: start or 0), f"{case.name}: windows out of order"
    return rows


def near(a, b, tolerance):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def agrees(agg, got, want):
    if isinstance(agg, Top):
        shown = [(str(row["key"]), row["count"]) for row in got]
        exact = all(row["lower"] == row["count"] == row["upper"] for row in got)
        return shown == want and exact
    if want is None or got is None:
        return got is want
    if agg.check == "exact":
        return got == want
    if agg.check == "near":
        return near(got, want, 1e-9)
    if agg.check == "percentile":
        return got["lower"] <= want <= got["upper"] and near(got["value"], want, 0.005 + 1e-12)
    if agg.check == "distinct":
        # An interval holds for 19 of 20 answers, and for several at once when it is wider (S370).
        reach = 1.5 * max(got["upper"] - got["value"], got["value"] - got["lower"])
        return abs(got["value"] - want) <= reach and (want > 1000 or got["value"] == want)
    raise ValueError(agg.check)


def compare(case, binary, db):
    want, got = expected(case, db), actual(case, binary)
    assert want, f"{case.name}: the oracle has no rows"
    missing, extra = want.keys() - got.keys(), got.keys() - want.keys()
    if missing or extra:
        raise SystemExit(f"{case.name}: missing {sorted(missing, key=str)[:5]}, not expected {sorted(extra, key=str)[:5]}")
    for key, row in want.items():
        for agg in case.aggs:
            if not agrees(agg, got[key][agg.text], row[agg.text]):
                raise SystemExit(f"{case.name}: {key} {agg.text}: {got[key][agg.text]!r}, the oracle says {row[agg.text]!r}")
    cells = sum(len(row) for row in want.values())
    print(f"{case.name}: {len(want)} rows, {cells} answers agree")


def percentile(p, field_, sql):
    return Agg(f"p{p}({field_})", f"quantile_disc({sql}, {p / 100})", "percentile")


def access_log_cases(path):
    view = "access_log"
    time = ["--format", "clf", "--time", "time"]
    size = Agg("sum(bytes)", "sum(bytes)::bigint")
    many = [Agg("count", "count(*)"), size, Agg("mean(bytes)", "sum(bytes)::double / count(bytes)"), Agg("distinct(host)", "count(distinct host)", "distinct"), Top(10, "path", "path")]
    base = {"files": [path], "view": view, "ms": "ms", "flags": time}
    return [
        Case("log, no window", aggs=many, **base),
        Case("log, hours", aggs=many + [percentile(50, "bytes", "bytes")], size=HOUR, **base),
        Case("log, sliding days", aggs=many, size=DAY, every=6 * HOUR, group=["status"], group_sql=["status"], **base),
        Case("log, errors", aggs=[Agg("count", "count(*)"), Top(5, "path", "path")], size=DAY, where="status >= 400", where_sql="status >= 400", **base),
        Case("log, bots", aggs=[Agg("count", "count(*)")], group=["method"], group_sql=["method"], where="agent matches '(?i)bot' or agent contains 'Chrome'", where_sql="regexp_matches(agent, '(?i)bot') or contains(agent, 'Chrome')", **base),
    ]


def flight_cases(folder):
    base = {"files": [f"{folder}/flights.csv"], "view": "flights", "ms": "ms", "flags": ["--time", "time_hour"]}
    delays = [
        Agg("count", "count(*)"),
        Agg("sum(dep_delay)", "sum(dep_delay)::bigint"),
        Agg("mean(dep_delay)", "sum(dep_delay)::double / count(dep_delay)"),
        Agg("min(dep_delay)", "min(dep_delay)"),
        Agg("max(dep_delay)", "max(dep_delay)"),
    ]
    spread = [Agg("stddev(arr_delay)", "stddev_samp(arr_delay)", "near"), Agg("variance(distance)", "var_samp(distance)", "near")]
    tops = [Top(3, "dest", "dest"), Top(4, "tailnum", "tailnum")]
    return [
        Case("flights, no window", aggs=delays + spread + tops + [Agg("distinct(tailnum)", "count(distinct tailnum)", "distinct")], **base),
        Case("flights, days", aggs=delays + tops, size=DAY, **base),
        Case("flights, days by carrier", aggs=delays + spread, size=DAY, offset=5 * HOUR, group=["carrier"], group_sql=["carrier"], **base),
        Case("flights, sliding", aggs=delays, size=DAY, every=HOUR, group=["origin"], group_sql=["origin"], **base),
        Case("flights, a slide that does not divide", aggs=[Agg("count", "count(*)"), Top(3, "dest", "dest")], size=10 * HOUR, every=4 * HOUR, offset=HOUR, **base),
        Case("flights, long", aggs=[Agg("count", "count(*)"), percentile(90, "distance", "distance"), percentile(99.9, "distance", "distance")], size=7 * DAY, where="distance > 1000 and carrier in ('UA', 'AA')", where_sql="distance > 1000 and carrier in ('UA', 'AA')", group=["origin", "month"], group_sql=["origin", "month"], **base),
    ]


def generated_cases(folder):
    cases = []
    for kind in ("jsonl", "csv"):
        base = {"files": [f"{folder}/generated.{kind}"], "view": "generated", "ms": "ts", "flags": ["--time", "ts", "--time-format", "ms"]}
        sums = [Agg("count", "count(*)"), Agg("sum(bytes)", "sum(bytes)::bigint"), Agg("mean(latency_ms)", "sum(latency_ms)::double / count(latency_ms)")]
        t4 = [Agg("count", "count(*)"), percentile(99, "latency_ms", "latency_ms"), Agg("distinct(user_id)", "count(distinct user_id)", "distinct")]
        country = {"group": ["country"], "group_sql": ["country"]}
        cases += [
            Case(f"{kind}, sums by country", aggs=sums, size=MINUTE, **country, **base),
            Case(f"{kind}, top ten", aggs=[Top(10, "url", "url")], size=MINUTE, **base),
            Case(f"{kind}, sliding top ten", aggs=[Top(10, "url", "url")], size=5 * MINUTE, every=10_000, **base),
            Case(f"{kind}, sliding percentiles", aggs=t4, size=5 * MINUTE, every=30_000, **country, **base),
            Case(f"{kind}, filtered", aggs=sums + [Top(3, "country", "country")], size=2 * MINUTE, where="status >= 400 and not (status == 404)", where_sql="status >= 400 and status <> 404", **base),
        ]
    shards = [f"{folder}/generated-first.jsonl", f"{folder}/generated-second.jsonl"]
    flags = ["--time", "ts", "--max-delay", "11s"]
    whole = [Agg("count", "count(*)"), Agg("sum(bytes)", "sum(bytes)::bigint"), Top(10, "url", "url")]
    cases.append(Case("two halves of a log, one after the other", shards, "generated", "ts", whole, flags, size=MINUTE))
    return cases


def load(db, folder, access_log):
    line = r'^(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+) ([^"]*)" (\d+) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"?'
    names = "['host', 'ident', 'user', 'time', 'method', 'path', 'protocol', 'status', 'bytes', 'referer', 'agent']"
    db.execute(
        f"""create table access_log as
        with lines as (select column0 as line from read_csv('{access_log}', header=false, delim='\x01', quote='', escape='', columns={{'column0': 'VARCHAR'}})),
        parts as (select regexp_extract(line, '{line}', {names}) as p from lines)
        select p.host as host, p.method as method, p.path as path, p.status::int as status, try_cast(p.bytes as bigint) as bytes, p.agent as agent,
          epoch_ms(strptime(p.time, '%d/%b/%Y:%H:%M:%S %z')) as ms from parts"""
    )
    numbers = ["dep_delay", "arr_delay", "distance", "month"]
    columns = ", ".join(f"try_cast({name} as bigint) as {name}" for name in numbers)
    db.execute(
        f"""create table flights as select {columns}, carrier, tailnum, origin, dest, epoch_ms(time_hour::timestamptz) as ms
        from read_csv('{folder}/flights.csv', header=true, all_varchar=true)"""
    )
    columns = "{ts: 'BIGINT', user_id: 'VARCHAR', url: 'VARCHAR', country: 'VARCHAR', status: 'INTEGER', latency_ms: 'BIGINT', bytes: 'BIGINT'}"
    db.execute(f"create table generated as select * from read_json('{folder}/generated.jsonl', format='newline_delimited', columns={columns})")
    for table, least in (("access_log", 1000), ("flights", 336_776), ("generated", 10_000)):
        (count,) = db.execute(f"select count(*) from {table}").fetchone()
        assert count >= least, f"{table} has {count} rows"


def split(folder):
    """The generated log as two files, each half of it, to be read one after the other."""
    with open(f"{folder}/generated.jsonl", encoding="utf-8") as whole:
        lines = whole.readlines()
    for name, half in (("first", lines[: len(lines) // 2]), ("second", lines[len(lines) // 2 :])):
        with open(f"{folder}/generated-{name}.jsonl", "w", encoding="utf-8") as out:
            out.writelines(half)


def main():
    binary, folder, access_log = sys.argv[1:4]
    db = duckdb.connect()
    load(db, folder, access_log)
    split(folder)
    for case in access_log_cases(access_log) + flight_cases(folder) + generated_cases(folder):
        compare(case, binary, db)


if __name__ == "__main__":
    main()
