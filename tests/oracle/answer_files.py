"""Reads the Parquet files of streamgauge by DuckDB, Polars and pyarrow.

usage: answer_files.py STREAMGAUGE PIPELINES DOCUMENT EXAMPLES
PIPELINES is a folder of pipeline files. For each the rows of the files, read by each reader, must be
those of the JSON Lines of the same run. DOCUMENT is docs/DOWNSTREAM.md: its commands for DuckDB,
Polars and pyarrow are run over the answers of its first command, in a copy of the folder EXAMPLES.
"""

import decimal
import glob
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from datetime import datetime
from zoneinfo import ZoneInfo

import duckdb
import polars
import pyarrow.parquet

FIRST = 1_711_700_000_000


def record(n):
    """A line of three days, with disorder, missing fields and values of several kinds."""
    if n % 97 == 96:
        return '{"ts":1711700000000,"country":'
    disorder = 9_000_000 if n % 43 == 42 else n * 7919 % 11 * 60_000
    countries = ["DE", "FR", "IT", "US", "\u0007\u001b[31m", "\u202eעברית\u202c", None]
    return json.dumps(
        {
            "ts": FIRST + n * 300_000 - disorder,
            "country": countries[n * n % 11 % 7],
            "status": [200, 200, 204, 301, 404, 500, 503][n * 31 % 7],
            "user": f"u{n % 17}" if n % 3 else n % 17,
            "ms": n * 7907 % 997 / (1 if n % 5 else 8),
            "bytes": None if n % 29 == 3 else n * 104_729 % 5_000,
            "size": "large" if n % 31 == 5 else n % 90,
            "agent": ["Mozilla/5.0", "curl/8.1", "Opera/9.8"][n % 3],
            "url": f"https://example.org/{['shop', 'health', 'cart'][n % 5 % 3]}/{n % 6}?q={n}",
        }
    )


def millis(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def flat(row):
    """A row of JSON as a row of a file."""
    window, group = row.pop("window"), row.pop("group", {})
    is_other = "(other)" in group.values()
    found = {name: None if is_other else value for name, value in group.items()}
    if group:
        found["other"] = is_other
    if window:
        found["window_start"] = millis(window["start"])
        found["window_end"] = millis(window["end"])
    found["revision"] = row.pop("revision")
    found["complete"] = row.pop("complete", True)
    found["retracted"] = row.pop("retracted", False)
    for name, value in row.items():
        if isinstance(value, dict):
            found[name] = value["value"]
            found[name + "_lower"], found[name + "_upper"] = value["lower"], value["upper"]
        else:
            found[name] = value
    return found


def is_same(read, value):
    """Compares a value of a file with one of JSON: a column of several kinds is text."""
    if isinstance(value, list) and isinstance(read, list):
        return len(read) == len(value) and all(
            part.keys() == other.keys() and all(is_same(part[key], other[key]) for key in part)
            for part, other in zip(read, value)
        )
    if isinstance(read, datetime):
        return round(read.timestamp() * 1000) == value
    if isinstance(read, decimal.Decimal):
        return int(read) == value
    if isinstance(read, str) and not isinstance(value, str):
        return read == json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return isinstance(read, bool) == isinstance(value, bool) and read == value


def by_duckdb(files):
    query = f"select * from read_parquet({files!r}, hive_partitioning = false, union_by_name = true)"
    found = duckdb.sql(query)
    return [dict(zip(found.columns, row)) for row in found.fetchall()]


def by_polars(files):
    return [row for file in files for row in polars.read_parquet(file).to_dicts()]


def by_pyarrow(files):
    return [row for file in files for row in pyarrow.parquet.ParquetFile(file).read().to_pylist()]


def check(name, files, rows):
    """Compares the rows of the files with those of JSON, which have the order of the files."""
    for reader in [by_duckdb, by_polars, by_pyarrow]:
        read = reader(files)
        what = f"{name}: {reader.__name__}"
        assert len(read) == len(rows), f"{what}: {len(read)} rows, expected {len(rows)}"
        for found, row in zip(read, rows):
            missing = row.keys() - found.keys()
            assert not missing, f"{what}: no columns {missing}"
            for column, value in found.items():
                expected = row.get(column)
                assert is_same(value, expected), f"{what}: {column}: {value!r}, not {expected!r}"


def run(streamgauge, pipeline, log, *more):
    command = [streamgauge, "run", log, "--pipeline", pipeline, "--quiet", *more]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def check_pipeline(streamgauge, pipeline, log, folder):
    name = os.path.basename(pipeline)
    rows = [json.loads(line) for line in run(streamgauge, pipeline, log, "--output", "json").splitlines()]
    assert rows, name
    zone = ZoneInfo(tomllib.load(open(pipeline, "rb")).get("timezone", "UTC"))
    rows = [flat(row) for row in rows]
    one = os.path.join(folder, f"{name}.parquet")
    assert run(streamgauge, pipeline, log, "--output", "parquet", "--out", one) == ""
    check(name, [one], rows)
    place = os.path.join(folder, name, "")
    run(streamgauge, pipeline, log, "--output", "parquet", "--out", place)
    files = sorted(glob.glob(place + "**/*.parquet", recursive=True))
    date = lambda row: datetime.fromtimestamp(row["window_start"] / 1000, zone).date()
    # A file has the rows of one date that come one after the other, and the name of the first.
    parts = [list(part) for _, part in itertools.groupby(rows, date)]
    parts.sort(key=lambda part: (date(part[0]), part[0]["window_start"], part[0]["window_end"]))
    check(name + " by date", files, [row for part in parts for row in part])
    found = [file[len(place) :].split("/")[0] for file in files]
    assert found == [f"date={date(part[0])}" for part in parts], f"{name}: {found}"
    print(f"{name}: {len(rows)} rows, {len(files)} files: all readers agree")


def check_document(streamgauge, document, examples):
    blocks = re.findall(r"```(\w+)\n(.*?)```", open(document, encoding="utf-8").read(), re.DOTALL)
    of = lambda kind: [text for found, text in blocks if found == kind]
    shutil.copytree(examples, ".", dirs_exist_ok=True)
    path = os.path.dirname(os.path.abspath(streamgauge)) + ":" + os.environ["PATH"]
    subprocess.run(["bash", "-ec", of("sh")[0]], check=True, env={**os.environ, "PATH": path})
    for text in of("duckdb"):
        duckdb.execute(text)
    whole = len(by_duckdb(glob.glob("hits/*/*.parquet")))
    assert len(by_duckdb(["day.parquet"])) == whole
    duckdb.execute("create view hits as from read_parquet('hits/*/*.parquet')")
    newest, merge = of("sql")[:2]
    assert len(duckdb.execute(newest).fetchall()) == whole
    duckdb.execute("create table answers as from hits limit 7")
    duckdb.execute("create table news as select * replace (revision + (status = 200)::int as revision) from hits")
    duckdb.execute(merge)
    counts = "select count(*), count(*) filter (where revision = 1) from answers"
    found = duckdb.execute(counts).fetchone()
    assert found[0] == whole and found[1] > 0, found
    names = {}
    # Spark is too large to be installed here.
    for text in (text for text in of("python") if "spark" not in text):
        exec(text, names)
    assert names["hits"].num_rows == whole and len(names["errors"]) > 0
    print(f"{os.path.basename(document)}: its commands run over {whole} rows")


def main():
    streamgauge, pipelines, document, examples = map(os.path.abspath, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "records.jsonl")
        with open(log, "w", encoding="utf-8") as lines:
            lines.writelines(record(n) + "\n" for n in range(900))
        for pipeline in sorted(glob.glob(os.path.join(pipelines, "*.toml"))):
            check_pipeline(streamgauge, pipeline, log, folder)
        os.chdir(folder)
        check_document(streamgauge, document, examples)


main()
