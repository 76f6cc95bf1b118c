#!/usr/bin/env python3
"""prometheus_end_to_end.py STREAMGAUGE [PROMETHEUS]: what `--serve` gives at /metrics, read by the strict
parsers of prometheus_client in both formats, and by a real Prometheus that scrapes it. Without PROMETHEUS
only the parsers read it. Ports from PROMETHEUS_PORT on, 9390 by default."""
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as plain

BINARY, PROMETHEUS = sys.argv[1], (sys.argv + [""])[2]
PORT = int(os.environ.get("PROMETHEUS_PORT", "9390"))
DEADLINE_S = 300
# A key with everything that the formats escape.
ODD = 'a\\b"c\nd \u00e9'
START_MS = 1_704_067_200_000


def wait_for(what, ready):
    """Returns the first result of `ready` that is true."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            result = ready()
        except (urllib.error.URLError, ConnectionError, KeyError, IndexError):
            result = None
        if result:
            return result
        time.sleep(0.2)
    sys.exit(f"FAILED: {what} did not come in {DEADLINE_S} s")


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


class Served:
    """A run whose answers are served, with records from a pipe."""

    def __init__(self, port, *extra):
        self.url = f"http://127.0.0.1:{port}/metrics"
        command = [BINARY, "run", "--serve", f"127.0.0.1:{port}", "--format", "jsonl", "--time", "ts"]
        command += ["--window", "10s", "--max-delay", "0s", "--group", "place", "--output", "json"]
        command += ["--agg", "count, sum(n) as total, p99(n) as p99, top(2, n) as often", *extra]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen(command, text=True, **pipes)
        self.lines = []
        # The run waits for a reader of its answers.
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()
        wait_for("the server", lambda: self.get())

    def put(self, window, keys):
        """Puts two records of each key into a window. Later records close it."""
        for index, key in enumerate(keys):
            for n in (window * 100 + index, 1):
                record = {"ts": START_MS + window * 10_000, "place": key, "n": n}
                self.process.stdin.write(json.dumps(record) + "\n")
        self.process.stdin.flush()

    def get(self, accept="text/plain"):
        request = urllib.request.Request(self.url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.headers["Content-Type"], reply.read().decode()

    def samples(self, accept="text/plain"):
        """Returns the samples of a reply by name and labels, read by the strict parser of its format."""
        kind, text = self.get(accept)
        is_open = kind.startswith("application/openmetrics-text")
        check(is_open == accept.startswith("application/openmetrics-text"), f"{accept}: {kind}")
        families = (openmetrics if is_open else plain).text_string_to_metric_families(text)
        found = {}
        for family in families:
            for sample in family.samples:
                place = (sample.name, frozenset(sample.labels.items()))
                check(place not in found, f"{place} is there twice")
                found[place] = sample.value
        return found

    def end(self):
        self.process.stdin.close()
        check(self.process.wait() == 0, "the run failed")
        self.reader.join()
        return [json.loads(line) for line in self.lines]


def answer(key, column, name="streamgauge_answer"):
    return name, frozenset({"place": key, "column": column}.items())


def parsed():
    """Both formats have the answers and counts of the run, with keys of any signs."""
    served = Served(PORT)
    served.put(0, ["de", ODD])
    served.put(1, ["next"])
    served.put(2, ["open"])
    wait_for("the second window", lambda: answer("next", "count") in served.samples())
    for accept in ("text/plain", "application/openmetrics-text; version=1.0.0"):
        samples = served.samples(accept)
        check(samples[answer("next", "total")] == 101, f"{accept}: {samples}")
        check(answer("de", "count") not in samples, "only the newest window is shown")
        upper = samples[answer("next", "p99", "streamgauge_answer_upper")]
        check(100 <= upper <= 100.6, f"{accept}: p99 up to {upper}")
        windows = [value for (name, _), value in samples.items() if name == "streamgauge_answered_windows_total"]
        check(windows == [2], f"{accept}: {windows} windows")
    rows = served.end()
    check([row["count"] for row in rows] == [2, 2, 2, 2], rows)

    served = Served(PORT, "--metrics", "count")
    served.put(0, ["de", ODD])
    served.put(1, ["open"])
    samples = wait_for("the first window", lambda: (s := served.samples()) and answer(ODD, "count") in s and s)
    columns = {dict(labels)["column"] for name, labels in samples if name == "streamgauge_answer"}
    check(columns == {"count"}, f"--metrics count gives {columns}")
    served.end()


def bounded():
    """The numbers of groups and of series have limits, and what is left out is told."""
    sums = [f"sum(n) as sum{index}" for index in range(11)]
    names = ["count", "total", *(f"sum{index}" for index in range(11))]
    served = Served(PORT, "--agg", ", ".join(sums), "--metrics", ",".join(names))
    served.put(0, [f"key {index}" for index in range(1_200)])
    served.put(1, ["open"])
    left_out = ("streamgauge_left_out_series", frozenset())
    groups = ("streamgauge_left_out_groups", frozenset())
    # The rows of the window come one after the other.
    samples = wait_for("1,200 groups", lambda: (s := served.samples()).get(groups) == 200 and s)
    answers = sum(1 for name, _ in samples if name == "streamgauge_answer")
    check(answers == 10_000, f"{answers} series")
    check(samples[left_out] == 13 * 1_000 - answers, f"{samples[left_out]} series left out")
    served.end()


def scraped(folder):
    """A real Prometheus scrapes the run, and sees values change."""
    served = Served(PORT)
    port = PORT + 1
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
        f"  - job_name: run\n    static_configs: [{{targets: ['127.0.0.1:{PORT}']}}]\n"
    )
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with open(folder / "prometheus.log", "w") as log:
        prometheus = subprocess.Popen(command, stdout=log, stderr=log)

    def query(expression):
        address = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(address, timeout=10) as reply:
            return [float(found["value"][1]) for found in json.load(reply)["data"]["result"]]

    def becomes(expression, value):
        wait_for(f"{expression} == {value}", lambda: query(expression) == [value])

    try:
        becomes('up{job="run"}', 1)
        served.put(0, ["de", ODD])
        served.put(1, ["open"])
        # In a query the signs of the key are escaped as in the format.
        odd = ODD.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        becomes(f'streamgauge_answer{{place="{odd}",column="total"}}', 2)
        becomes('streamgauge_answer{place="de",column="total"}', 1)
        served.put(2, ["open"])
        becomes('streamgauge_answer{place="open",column="total"}', 101)
        becomes('streamgauge_answered_windows_total', 2)
        becomes('min_over_time(up{job="run"}[1m])', 1)
    finally:
        prometheus.terminate()
        prometheus.wait()
    served.end()


parsed()
bounded()
if PROMETHEUS:
    with tempfile.TemporaryDirectory() as folder:
        scraped(Path(folder))
    print("metrics: both formats parse, the series are bounded, and a real Prometheus sees the answers change")
else:
    print("metrics: both formats parse and the series are bounded; there is no Prometheus to scrape them")
