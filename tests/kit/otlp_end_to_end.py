#!/usr/bin/env python3
"""otlp_end_to_end.py STREAMGAUGE: what `--otlp` pushes, decoded by the classes of opentelemetry-proto, beside
what `--serve` gives at /metrics; and receivers that are slow, refuse a part, or have no time. Ports from
OTLP_PORT on, 9396 by default."""
import atexit
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client import parser

BINARY = sys.argv[1]
PORT = int(os.environ.get("OTLP_PORT", "9396"))
RECEIVER = Path(__file__).with_name("otlp_receiver.py")
DEADLINE_S = 300
START_MS = 1_704_067_200_000
# Keys that try to be markup, to move a cursor, to turn text around and to end a line.
ODD = ["<script>alert(1)</script>", "\x1b[2J\x00", "\u202eabc", 'a\\b"c\nd', "\U0001f469\u200d\U0001f4bb", ""]


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def wait_for(what, ready):
    """Returns the first result of `ready` that is true."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            if result := ready():
                return result
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    sys.exit(f"FAILED: {what} did not come in {DEADLINE_S} s")


def get(url):
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read().decode()


class Receiver:
    """A receiver in a process of its own."""

    def __init__(self, file, **settings):
        self.file = file
        command = [sys.executable, RECEIVER, str(PORT), file]
        self.process = subprocess.Popen(command, env={**os.environ, **settings})
        atexit.register(self.process.kill)
        wait_for("the receiver", lambda: get(f"http://127.0.0.1:{PORT}/") == "")

    def requests(self):
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    def end(self):
        self.process.terminate()
        self.process.wait()
        return self.requests()


class Pushed:
    """A run that pushes its metrics, with records from a pipe."""

    def __init__(self, *extra, **variables):
        command = [BINARY, "run", "--otlp", f"http://127.0.0.1:{PORT}", "--format", "jsonl", "--time", "ts"]
        command += ["--window", "10s", "--max-delay", "0s", "--group", "place", "--output", "json"]
        command += ["--agg", "count, p99(n) as p99, top(2, n) as often", *extra]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        variables = {"OTEL_METRIC_EXPORT_INTERVAL": "200", **variables}
        self.process = subprocess.Popen(command, text=True, env={**os.environ, **variables}, **pipes)

    def put(self, window, keys):
        for index, key in enumerate(keys):
            record = {"ts": START_MS + window * 10_000, "place": key, "n": index + 1}
            self.process.stdin.write(json.dumps(record) + "\n")
        self.process.stdin.flush()

    def end(self):
        """Ends the input, and returns standard error."""
        _, errors = self.process.communicate()
        check(self.process.returncode == 0, f"the run failed: {errors}")
        return errors


def numbers(request):
    """Returns the points of a request by name and attributes, named as Prometheus names them."""
    found = {}
    for resource in request["body"]["resource_metrics"]:
        for metric in (metric for scope in resource["scope_metrics"] for metric in scope["metrics"]):
            name = metric["name"].replace(".", "_") + ("_total" if "sum" in metric else "")
            for point in metric.get("gauge", metric.get("sum", {})).get("data_points", []):
                attributes = {one["key"]: one["value"]["string_value"] for one in point.get("attributes", [])}
                value = point.get("as_double", point.get("as_int", 0))
                found[name, frozenset(attributes.items())] = float(value)
    return found


def histograms(request):
    """Returns the points of histograms."""
    resources = request["body"]["resource_metrics"]
    scopes = [scope for resource in resources for scope in resource["scope_metrics"]]
    metrics = [metric for scope in scopes for metric in scope["metrics"]]
    histograms = [metric.get("exponential_histogram", {}) for metric in metrics]
    return [point for histogram in histograms for point in histogram.get("data_points", [])]


def same_numbers(folder):
    """What is pushed is what /metrics has."""
    receiver = Receiver(folder / "same.jsonl")
    serving = f"127.0.0.1:{PORT + 1}"
    run = Pushed("--serve", serving, "--metrics", "count,p99,often", OTEL_RESOURCE_ATTRIBUTES="zone=a%20b")
    run.put(0, ODD)
    run.put(1, ["open"])
    answered = ("streamgauge_answered_windows_total", frozenset())
    samples = lambda: {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parser.text_string_to_metric_families(get(f"http://{serving}/metrics"))
        for sample in family.samples
    }
    counted = ("streamgauge_records_total", frozenset())
    wait_for("the answers", lambda: (s := samples())[answered] == 1 and s[counted] == len(ODD) + 1)
    last = lambda: (receiver.requests() or [{}])[-1]
    wait_for("a request", lambda: last().get("body") and numbers(last()).get(answered) == 1)
    # What became of requests differs between two of them.
    own = lambda found: {place: value for place, value in found.items() if "otlp" not in place[0]}
    wait_for("the same numbers", lambda: own(numbers(last())) == own(samples()))
    keys = {dict(labels).get("place") for _, labels in numbers(last())}
    check(set(ODD) <= keys, f"{keys}")
    attributes = last()["body"]["resource_metrics"][0]["resource"]["attributes"]
    attributes = {one["key"]: one["value"]["string_value"] for one in attributes}
    check(attributes == {"service.name": "streamgauge", "zone": "a b"}, attributes)
    run.end()
    counts = {}
    for request in receiver.end():
        check(request["problems"] == [] and request["code"] == 200, request["problems"])
        for point in histograms(request):
            attributes = {one["key"]: one["value"]["string_value"] for one in point["attributes"]}
            check(attributes["column"] == "p99" and attributes["place"] not in counts, attributes)
            counts[attributes["place"]] = int(point["count"])
    expected = {**dict.fromkeys(ODD, 1), "open": 1}
    check(counts == expected, f"each window has its histograms once: {counts}")


def troubled(folder):
    """A receiver without time is asked again, one that refuses a part is told, and a slow one is left alone."""
    receiver = Receiver(folder / "busy.jsonl", FAIL="503,429,400", PARTIAL="1")
    run = Pushed()
    run.put(0, ["a"])
    wait_for("four requests", lambda: len(receiver.requests()) >= 4)
    errors = run.end()
    check("the receiver answers 503" in errors, errors)
    requests = receiver.end()
    check([request["code"] for request in requests[:4]] == [503, 429, 400, 200], "codes")
    final = {name: value for (name, _), value in numbers(requests[-1]).items()}
    check(final["streamgauge_otlp_failed_requests_total"] == 3, final)
    check(final["streamgauge_records_total"] == 1, final)

    receiver = Receiver(folder / "slow.jsonl", SLOW="30")
    run = Pushed(OTEL_EXPORTER_OTLP_TIMEOUT="300")
    for window in range(2_000):
        run.put(window, ["a"])
    begin = time.monotonic()
    errors = run.end()
    check("no reply within 300 ms" in errors, errors)
    # The receiver replies after 30 s.
    check(time.monotonic() - begin < 25, "the end waits for a slow receiver")
    receiver.end()


with tempfile.TemporaryDirectory() as folder:
    same_numbers(Path(folder))
    troubled(Path(folder))
print("otlp: the pushed numbers are those of /metrics, and no receiver holds up a run")
