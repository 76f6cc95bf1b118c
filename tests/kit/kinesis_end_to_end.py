#!/usr/bin/env python3
"""kinesis_end_to_end.py STREAMGAUGE: 100,000 records through `streamgauge kinesis`, against the batch answer.

While the records flow, the process is killed three times and started again, a shard is split and two are merged, and the positions are in
its state alone. The rows in its file must be those of `streamgauge run` over the same records, byte by byte, each once.
Needs what setup.sh (python node) installs and start-kinesis.sh has started; run by scripts/test-kcl."""
import base64
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
import urllib.request

import kcl_end_to_end as kit
from aws_kinesis_agg.deaggregator import iter_deaggregate_records

STREAM = "clicks"
RUN = pathlib.Path(os.environ["RUN_DIR"]) / "kinesis"
STREAMGAUGE = kit.STREAMGAUGE
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
# The longest time that a process gets which has nothing to tell that it is done, if it was not
# after a shorter one.
PATIENCE_SECONDS = (10, 60, 240)
SERVE_PORT = int(os.environ.get("SERVE_PORT", "9398"))
# What a Lambda function gets beside the data.
DELIVERED = {"kinesisSchemaVersion": "1.0", "sequenceNumber": "1", "approximateArrivalTimestamp": 0, "partitionKey": "k"}


class Reader:
    """`streamgauge kinesis`, killed and started again."""

    def __init__(self):
        self.log = open(RUN / "kinesis.log", "ab")
        command = [STREAMGAUGE, "kinesis", "--stream", STREAM, "--endpoint", os.environ["KINESIS"], "--from", "trim"]
        command += ["--pipeline", str(RUN / "hits.toml"), "--state", str(RUN / "state"), "--out", str(RUN / "rows.jsonl")]
        command += ["--save-every", "1s", "--save-records", "2000"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env={**os.environ, **KEYS})

    def kill(self):
        assert self.process.poll() is None, f"the reader ended with {self.process.returncode}: see {self.log.name}"
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(kit.WAIT_SECONDS)
        assert code == 143, f"the reader ended with {code}"

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])


def rows():
    path = RUN / "rows.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def expected_rows():
    """What closes before the records of the far future, in the order of a run over the same records."""
    command = [STREAMGAUGE, "run", "--pipeline", str(RUN / "hits.toml"), str(RUN / "hits.jsonl"), "--output", "json"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def scenario(lines):
    reader = Reader()
    producer = kit.Producer(lines)
    producer.start()
    producer.wait_for(0.2)
    reader.kill()
    kit.say(f"killed the reader at {producer.sent} records, {len(rows())} rows are out")
    reader = Reader()
    producer.wait_for(0.35)
    kit.split_and_merge()
    producer.wait_for(0.5)
    reader.kill()
    kit.say(f"killed the reader at {producer.sent} records, {len(rows())} rows are out")
    producer.wait_for(0.7)
    reader = Reader()
    producer.wait_for(0.8)
    reader.kill()
    reader = Reader()
    producer.wait_for(1)
    producer.join()
    ends_at = time.time()
    kit.put_ends()
    kit.say("all records are put")
    expected = expected_rows()
    assert len(expected) > 300, expected
    try:
        kit.wait_until(lambda: len(rows()) >= len(expected), "the rows")
    except AssertionError:
        kit.tell_difference(rows(), expected)
        raise
    time.sleep(3)
    kit.say(f"the reader took at most {reader.memory_kib() / 1024:.1f} MiB")
    reader.terminate()
    assert rows() == expected, "the rows are those of a run, byte by byte"
    kit.say(f"{len(expected)} rows are the batch answer's")
    return ends_at


def interrupted(command, seconds):
    """Runs a command for a time, then sends Ctrl-C."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **KEYS})
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=kit.WAIT_SECONDS)
    assert process.returncode == 130, out + err
    return out, err


def check_interrupt(ends_at):
    """Without a state, from a time on: the row of an incomplete window at Ctrl-C."""
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends_at - 1))
    command = [STREAMGAUGE, "kinesis", "--stream", STREAM, "--endpoint", os.environ["KINESIS"], "--from", start, "--time", "ts"]
    command += ["--time-format", "ms", "--window", "1h", "--max-ahead", "off", "--where", "country == 'end'"]
    served = [*command, "--serve", f"127.0.0.1:{SERVE_PORT}", "--log", "json"]
    process = subprocess.Popen(
        served, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **KEYS},
    )
    shards = len(kit.open_shards())
    screen = Screen([*command, "--live"])
    kit.wait_until(lambda: counted() >= shards, "the records in /metrics")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=kit.WAIT_SECONDS)
    assert process.returncode == 130, err
    found = [json.loads(line) for line in out.splitlines()]
    assert [(row["count"], row["complete"]) for row in found] == [(shards, False)], out + err
    events = [json.loads(line) for line in err.splitlines()]
    ends = [
        event["level"] for event in events
        if "the last windows are not complete" in event["message"]
    ]
    assert ends == ["WARN"], err
    kit.say("Ctrl-C gives the incomplete window, and /metrics had its records")
    screen.check(shards)
    kit.say("the screen showed the open window, and gave the terminal back")


def counted():
    """The records that a served run has counted."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{SERVE_PORT}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
    except OSError:
        return 0
    counts = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    filtered = int(counts["streamgauge_filtered_records_total"])
    return int(counts["streamgauge_records_total"]) - filtered


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, command):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            terminal = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
            os.execve(command[0], command, {**os.environ, **KEYS, **terminal})
        self.rows, self.text = 24, b""
        self.resize()

    def resize(self):
        """Gives the terminal another size, so that everything is drawn again."""
        self.rows = 49 - self.rows
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, 80, 0, 0))

    def shows_count(self, count):
        """Returns true if a whole drawing has the count of the window. Others are in parts."""
        seen = len(self.text)
        self.resize()
        drawn = re.sub(rb"\x1b\[[\d;]*m", b"", self.read()[seen:])
        return re.search(rb"\xb8 count(?:\x1b\[\d+;\d+H| )+%d\b" % count, drawn)

    def read(self):
        """Reads what there is. At the end the other side of a terminal is an error."""
        while select.select([self.terminal], [], [], 0.2)[0]:
            try:
                self.text += os.read(self.terminal, 1 << 16)
            except OSError:
                return self.text
        return self.text

    def check(self, count):
        kit.wait_until(lambda: self.shows_count(count), "the open window on the screen")
        os.kill(self.pid, signal.SIGTERM)
        kit.wait_until(lambda: b"stopped by SIGTERM" in self.read(), "the note after the screen")
        assert os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == 143
        before, after = self.text.split(b"\x1b[?1049l")
        assert b"\x1b[?1049h" in before and b"stopped by SIGTERM" in after, self.text


def check_put(*arguments):
    """Records that `streamgauge put` puts are the lines of a file, each once, for a consumer of AWS's."""
    stream = "puts" + "".join(arguments)
    kit.KINESIS.create_stream(StreamName=stream, ShardCount=2)
    kit.wait_for_stream(stream)
    lines = (RUN / "hits.jsonl").read_bytes().splitlines()[:4_000]
    (RUN / "part.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    command = [STREAMGAUGE, "put", "--stream", stream, "--endpoint", os.environ["KINESIS"], "--key", "i", *arguments, str(RUN / "part.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=RUN, env={**os.environ, **KEYS})
    assert done.returncode == 0 and "4,000 records accepted, 0 refused" in done.stderr, done
    found = []
    for shard in kit.KINESIS.list_shards(StreamName=stream)["Shards"]:
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kit.KINESIS.get_shard_iterator(**place)["ShardIterator"]
        while iterator:
            page = kit.KINESIS.get_records(ShardIterator=iterator, Limit=10_000)
            records = [{"kinesis": {"data": base64.b64encode(record["Data"]), **DELIVERED}} for record in page["Records"]]
            found += [base64.b64decode(record["kinesis"]["data"]) for record in iter_deaggregate_records(records)]
            iterator = page.get("NextShardIterator") if page["Records"] or page.get("MillisBehindLatest") else None
    assert sorted(found) == sorted(lines), f"{len(found)} records"
    kit.say(f"put {' '.join(arguments)}: {done.stderr.strip()}")


def check_fan_out(stream, count):
    """All records of a stream by enhanced fan-out, also those that come while it is read."""

    def put_more():
        for key in ("0", str(2**128 - 1)):
            kit.KINESIS.put_record(StreamName=stream, PartitionKey="k", ExplicitHashKey=key, Data=b'{"ts":1700000000000}')

    command = [STREAMGAUGE, "kinesis", "--stream", stream, "--endpoint", os.environ["KINESIS"], "--from", "trim", "--time", "ts"]
    command += ["--time-format", "ms", "--window", "1h", "--max-ahead", "off", "--fan-out", "reader", "--output", "json"]
    for seconds in PATIENCE_SECONDS:
        more = threading.Timer(seconds / 2, put_more)
        more.start()
        out, err = interrupted(command, seconds)
        more.join()
        count += 2
        found = sum(json.loads(line)["count"] for line in out.splitlines())
        if found == count:
            kit.say(f"{found} records by enhanced fan-out")
            return
    raise AssertionError(f"{found} records and not {count}: {out}{err}")


def main():
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    kit.STREAM = STREAM
    kit.PUT_SECONDS = 40
    (RUN / "hits.toml").write_text(kit.PIPELINE)
    lines = [json.dumps(hit).encode() for hit in kit.hits()]
    (RUN / "hits.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    kit.KINESIS.create_stream(StreamName=STREAM, ShardCount=4)
    kit.wait_for_stream(STREAM)
    check_interrupt(scenario(lines))
    check_put()
    check_fan_out("puts", 4_000)
    check_put("--aggregate")
    assert "panicked" not in (RUN / "kinesis.log").read_text(errors="replace")


if __name__ == "__main__":
    kit.run_test(main, RUN)
