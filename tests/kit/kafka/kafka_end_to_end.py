#!/usr/bin/env python3
"""kafka_end_to_end.py STREAMGAUGE: 200,000 records through `streamgauge kafka` on a real broker, against the batch answer.

First three processes share the topic by a consumer group: one is killed, one joins late, one leaves, the broker is killed and started again,
a partition is added, a transaction is aborted. Then one process reads all partitions with its rows in a file, and is killed twice.
One counts by a header while its metrics are read.
Then the rows and the partials go to topics, and two second stages merge the partials; every process is killed once. The rows are always
those of `streamgauge run` over the same records, byte by byte. Needs what setup.sh (kafka) installs and
start-kafka.sh has started; run by scripts/test-kafka."""
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

KIT = pathlib.Path(__file__).resolve().parent
RUN = pathlib.Path(os.environ["RUN_DIR"]) / "kafka-test"
JARS = pathlib.Path(os.environ["KIT_DIR"]) / "kafka"
STREAMGAUGE = str(pathlib.Path(sys.argv[1]).resolve())
BROKER = "127.0.0.1:" + os.environ["P_KAFKA"]
RECORDS = 200_000
STARTED = time.monotonic()
GIVE_UP_SECONDS = 900
PIPELINE = """
time = "ts"
time_format = "ms"
window = "20s"
every = "10s"
max_ahead = "off"
group = "country"
agg = "count, sum(ms) as ms, top(5, user), distinct(user)"
"""


def say(text):
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


class Topic:
    """A Java client: topics, records, transactions."""

    def __init__(self):
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"]
        command += ["-cp", f"{JARS}/*", str(KIT / "Topic.java"), BROKER]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()

    def end(self):
        answer = self.process.stdout.readline()
        assert answer.startswith("ok"), answer
        return answer[2:].strip()

    def ask(self, *words):
        self.begin(*words)
        return self.end()


class Reader:
    """`streamgauge kafka`."""

    all = []

    def __init__(self, name, *arguments):
        self.log = open(RUN / f"{name}.log", "ab")
        command = [STREAMGAUGE, "kafka", "--brokers", BROKER, "--from", "earliest", "--pipeline", str(RUN / "hits.toml")]
        command += ["--save-every", "1s", "--save-records", "5000", *arguments]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        Reader.all.append(self.process)

    def kill(self):
        assert self.process.poll() is None, f"the reader ended with {self.process.returncode}: see {self.log.name}"
        self.process.kill()
        self.process.wait()

    def catches_term(self):
        """False while the process is still starting."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", status)[1], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    def terminate(self):
        wait_until(lambda: self.process.poll() is not None or self.catches_term(), "the reader to start", 200)
        assert self.process.poll() is None, f"the reader ended with {self.process.returncode}: see {self.log.name}"
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(200)
        assert code == 143, f"the reader ended with {code}: see {self.log.name}"


def hits():
    """Records with event times in order; the same ones on every run."""
    choose = random.Random(5)
    for index in range(RECORDS):
        yield {
            "ts": 1_700_000_000_000 + index * 9,
            "user": "u%d" % choose.randrange(500),
            "country": choose.choice(["DE", "FR", "US", "JP", "BR"]),
            "ms": choose.randrange(1000),
            "i": index,
        }


def run(*arguments):
    return subprocess.run([STREAMGAUGE, *arguments], capture_output=True, text=True, check=True)


def wait_until(is_true, what, seconds):
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.3)


def compare(found, expected):
    for index, (one, other) in enumerate(zip(found, expected)):
        assert one == other, f"row {index} is\n{one}\nand not\n{other}"
    assert len(found) == len(expected), f"{len(found)} rows, and not {len(expected)}"


def group(topic, expected):
    """Three processes and more share the partitions."""
    places = ["--topic", "clicks", "--consumer-group", "hits", "--state", str(RUN / "state"), "--partials", str(RUN / "partials")]
    places += ["--set", "session.timeout.ms=6000", "--set", "heartbeat.interval.ms=1000", "--set", "topic.metadata.refresh.interval.ms=1000"]
    part = RECORDS // 10
    put = lambda index, kind: topic.ask("file", "clicks", RUN / "hits.jsonl", index * part, part, f"compression.type={kind}")
    # The times of the records are long ago.
    topic.ask("create", "clicks", 6, "retention.ms=-1")
    first, second = Reader("first", *places), Reader("second", *places)
    put(0, "none")
    put(1, "gzip")
    topic.ask("abort", "clicks", 500)
    first.kill()
    say("killed the first reader")
    third = Reader("third", *places)
    put(2, "snappy")
    put(3, "lz4")
    topic.ask("tombstones", "clicks", 100)
    topic.ask("partitions", "clicks", 7)
    put(4, "zstd")
    say("added a partition")
    fourth = Reader("fourth", *places)
    put(5, "none")
    subprocess.run([KIT / "start-kafka.sh", "kill"], check=True)
    say("killed the broker")
    subprocess.run([KIT / "start-kafka.sh", "start"], check=True)
    say("started it again")
    put(6, "none")
    second.terminate()
    say("the second reader has left")
    put(7, "none")
    third.kill()
    topic.ask("abort", "clicks", 500)
    put(8, "none")
    put(9, "none")
    fifth = Reader("fifth", *places)
    say("all records are put")
    # The committed offsets are for programs that show the lag.
    wait_until(lambda: topic.ask("lag", "hits", "clicks") == "0", "the group at the end of the topic", 300)
    fourth.terminate()
    fifth.terminate()
    finished = run("finish", "--state", str(RUN / "state"), "--pipeline", str(RUN / "hits.toml"), "--partials", str(RUN / "partials"))
    say(finished.stderr.strip())
    merged = run("merge", "--pipeline", str(RUN / "hits.toml"), str(RUN / "partials"), "--output", "json").stdout.splitlines()
    compare(merged, expected)
    say(f"{len(merged)} merged rows are the batch answer's")


def alone(expected):
    """One process, with its rows in a file. The topic is there with all of its records."""
    places = ["--topic", "clicks", "--state", str(RUN / "alone"), "--out", str(RUN / "rows.jsonl")]
    rows = lambda: (RUN / "rows.jsonl").read_text().splitlines() if (RUN / "rows.jsonl").exists() else []
    for limit in (100, 400):
        reader = Reader("alone", *places)
        wait_until(lambda: len(rows()) >= limit or reader.process.poll() is not None, "rows", 200)
        reader.kill()
    reader = Reader("alone", *places)
    # The windows of the last 10 s, the default of max_delay, stay open.
    wait_until(lambda: len(rows()) >= len(expected) - 15, "the rows", 200)
    reader.terminate()
    compare(rows(), expected[: len(rows())])
    say(f"{len(rows())} rows in the file are the batch answer's")


def published():
    """One process, without a state, that counts by a header. Its metrics and page are read."""
    served = f"127.0.0.1:{os.environ.get('P_KAFKA_SERVE', '9195')}"
    command = [STREAMGAUGE, "kafka", "--brokers", BROKER, "--topic", "clicks"]
    command += ["--from", "earliest", "--time", "ts", "--time-format", "ms"]
    command += ["--window", "24h", "--max-ahead", "off"]
    command += ["--group", "_headers.user", "--agg", "count", "--serve", served]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    Reader.all.append(process)

    def get(path):
        try:
            with urllib.request.urlopen(f"http://{served}{path}", timeout=10) as reply:
                return reply.read().decode()
        except OSError:
            assert process.poll() is None, process.communicate()
            return ""

    all_records = f"streamgauge_records_total {RECORDS}\n"
    wait_until(lambda: all_records in get("/metrics"), "the records in /metrics", 200)
    assert "clicks" in get("/")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 130, err
    rows = map(json.loads, out.splitlines())
    found = {row["group"]["_headers.user"]: row["count"] for row in rows}
    assert found == collections.Counter(hit["user"] for hit in hits()), out + err
    say(f"{len(found)} users are counted by a header, and /metrics had all records")


def topics(topic, expected):
    """Rows and partials in topics, and two second stages over the partials. Each process is killed once."""
    for name in ("answers", "merged"):
        topic.ask("create", name, 3, "cleanup.policy=compact")
    topic.ask("create", "partials", 3, "retention.ms=-1")
    merging = ["--topic", "partials", "--merge", "--sources", "1"]
    sharing = ["--consumer-group", "merging", "--set", "session.timeout.ms=6000", "--set", "heartbeat.interval.ms=1000"]
    processes = {
        "rows": ["--topic", "clicks", "--state", str(RUN / "rows"), "--out", "kafka:answers"],
        "partials": ["--topic", "clicks", "--state", str(RUN / "made"), "--partials", "kafka:partials"],
        "merging": [*merging, "--state", str(RUN / "merging"), "--out", "kafka:merged"],
        "sharing": [*merging, *sharing, "--state", str(RUN / "sharing"), "--out", f"{RUN}/shared/"],
    }
    (RUN / "shared").mkdir()
    start = lambda: {name: Reader(name, *arguments) for name, arguments in processes.items()}

    def last(name):
        topic.ask("last", name, RUN / f"{name}.jsonl")
        return in_order((RUN / f"{name}.jsonl").read_text().splitlines())

    def shared():
        lines = [line for path in (RUN / "shared").glob("*.jsonl") for line in path.read_text().splitlines()]
        return in_order(set(lines))

    # The windows of the last 10 s stay open.
    are_there = lambda rows, least: len(rows) >= least
    readers = start()
    wait_until(lambda: are_there(last("answers"), 50), "the first rows in the topic", 200)
    for reader in readers.values():
        reader.kill()
    say("killed all processes over topics")
    readers = start()
    least = len(expected) - 15
    wait_until(lambda: all(are_there(rows, least) for rows in (last("answers"), last("merged"), shared())), "the rows in topics", 300)
    for reader in readers.values():
        reader.terminate()
    for name, rows in (("answers", last("answers")), ("merged", last("merged")), ("shared", shared())):
        compare(rows, in_order(expected)[: len(rows)])
        say(f"{len(rows)} {name} rows are the batch answer's")


def in_order(lines):
    """Rows by window and group."""
    key = lambda row: (row["window"]["end"], row["group"]["country"])
    return sorted(lines, key=lambda line: key(json.loads(line)))


def main():
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    (RUN / "hits.toml").write_text(PIPELINE)
    (RUN / "hits.jsonl").write_text("".join(json.dumps(hit) + "\n" for hit in hits()))
    topic = Topic()
    expected = run("run", "--pipeline", str(RUN / "hits.toml"), str(RUN / "hits.jsonl"), "--output", "json").stdout.splitlines()
    assert len(expected) > 300
    try:
        group(topic, expected)
        alone(expected)
        published()
        topics(topic, expected)
    except BaseException:
        for log in sorted(RUN.glob("*.log")):
            print(f"the end of {log.name}:", *log.read_text(errors="replace").splitlines()[-15:], sep="\n")
        raise
    finally:
        for process in [topic.process, *Reader.all]:
            process.kill()
    for log in RUN.glob("*.log"):
        assert "panicked" not in log.read_text(errors="replace"), log


def give_up(*_):
    raise SystemExit(f"not done in {GIVE_UP_SECONDS} s")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(GIVE_UP_SECONDS)
    main()
