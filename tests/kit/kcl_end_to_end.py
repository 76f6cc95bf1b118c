#!/usr/bin/env python3
"""kcl_end_to_end.py STREAMGAUGE: 100,000 records through `streamgauge kcl` on the real MultiLangDaemon, against the batch answer.

While the records flow, a child is killed, daemons are stopped, started and take leases over from each other, a shard is split and
two are merged. The partials of all shards, merged, must be what `streamgauge run` says of the same records, byte by byte.
Needs what setup.sh installs and start-kinesis.sh has started; run by scripts/test-kcl."""
import base64
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import boto3
from aws_kinesis_agg.aggregator import RecordAggregator

KIT = pathlib.Path(__file__).resolve().parent
RUN = pathlib.Path(os.environ["RUN_DIR"]) / "kcl"
STREAMGAUGE = str(pathlib.Path(sys.argv[1]).resolve())
STREAM = "hits"
RECORDS = 100_000
EVENT_STEP_MS = 10
PUT_SECONDS = 100
# Limits of a run that hangs: nothing is timed by them, and a busy machine stays far below.
GIVE_UP_SECONDS = 1200
WAIT_SECONDS = 300

PIPELINE = """
time = "ts"
time_format = "ms"
window = "20s"
every = "10s"
max_delay = "2m"
max_ahead = "off"
group = "country"
agg = "count, sum(bytes) as bytes, top(10, url)"
"""

KINESIS = boto3.client(
    "kinesis",
    endpoint_url=os.environ["KINESIS"],
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
STARTED = time.monotonic()


def say(text):
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


def hits():
    """Records with event times in order; the same ones on every run."""
    choose = random.Random(7)
    for index in range(RECORDS):
        yield {
            "ts": 1_700_000_000_000 + index * EVENT_STEP_MS,
            "country": choose.choice(["DE", "FR", "IT", "AT"]),
            "url": "/p%d" % int(choose.paretovariate(0.8) % 5000),
            "bytes": choose.randrange(100_000),
            "i": index,
        }


def entries(records):
    """Four of five records as the KPL sends them, 40 in one; the others one by one."""
    records = list(records)
    at = 0
    while at < len(records):
        key = "key-%d" % at
        if at % 50 == 0:
            aggregator = RecordAggregator()
            for record in records[at : at + 40]:
                aggregator.add_user_record(key, record)
            _, _, data = aggregator.clear_and_get().get_contents()
            yield {"PartitionKey": key, "Data": data}, len(records[at : at + 40])
            at += 40
        else:
            yield {"PartitionKey": key, "Data": records[at]}, 1
            at += 1


def put(batch):
    """One PutRecords call; what was refused is sent again, and nothing else."""
    while batch:
        reply = KINESIS.put_records(StreamName=STREAM, Records=batch)
        batch = [entry for entry, result in zip(batch, reply["Records"]) if "ErrorCode" in result]
        if batch:
            time.sleep(0.1)


class Producer(threading.Thread):
    """Puts all records at an even pace."""

    def __init__(self, lines):
        super().__init__(daemon=True)
        self.lines, self.sent, self.failure = lines, 0, None

    def run(self):
        try:
            began, batch = time.monotonic(), []
            for entry, count in entries(self.lines):
                batch.append(entry)
                self.sent += count
                if len(batch) == 100:
                    put(batch)
                    batch = []
                    time.sleep(max(0, began + PUT_SECONDS * self.sent / RECORDS - time.monotonic()))
            put(batch)
        except Exception as error:  # noqa: BLE001: told by the main thread
            self.failure = error

    def wait_for(self, share):
        while self.sent < share * RECORDS and self.failure is None:
            time.sleep(0.2)
        if self.failure is not None:
            raise self.failure


class Daemon:
    """A MultiLangDaemon, stopped by its id; its log is kept."""

    def __init__(self, worker):
        self.worker = worker
        self.log = open(RUN / f"{worker}.log", "ab")
        command = [str(KIT / "start-multilang.sh"), STREAM, "hits-app", worker, "--", STREAMGAUGE, "kcl"]
        command += ["--pipeline", str(RUN / "hits.toml"), "--state", str(RUN / "state"), "--out", str(RUN / "out")]
        command += ["--partials", str(RUN / "partials"), "--save-every", "1s", "--save-records", "2000", "--require-state"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        say(f"{worker} started")

    def children(self):
        """The processes of its shards."""
        listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False)
        rows = [row.split() for row in listed.stdout.splitlines()]
        return [int(pid) for pid, name in rows if name.startswith("streamgauge")]

    def is_leader(self):
        """The daemon that assigns leases. When it is killed nobody does for two minutes; one that is told to end hands that on."""
        said = [line for line in open(self.log.name, errors="replace") if "LeaseAssignmentManager" in line and f"Current worker {self.worker} is" in line]
        return bool(said) and "not a leader" not in said[-1]

    def terminate(self, expected):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT_SECONDS)
        say(f"{self.worker} ended with {code}")
        assert code == expected, f"{self.worker} ended with {code}"

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def wait_for_children(daemons, count):
    def children():
        return {daemon.worker: len(daemon.children()) for daemon in daemons if daemon.process.poll() is None}

    # Where the daemon that assigns leases has ended, nobody does for about two minutes.
    wait_until(lambda: sum(children().values()) >= count, f"{count} shards")
    say(f"shards at work: {children()}")


def wait_until(holds, what):
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end, f"waited {WAIT_SECONDS} s for {what}"
        time.sleep(0.3)


def open_shards():
    shards = KINESIS.list_shards(StreamName=STREAM)["Shards"]
    return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]


def wait_for_stream(stream=None):
    wait_until(lambda: KINESIS.describe_stream_summary(StreamName=stream or STREAM)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE", "the stream")


def split(shard):
    """Splits a shard in the middle."""
    span = shard["HashKeyRange"]
    middle = (int(span["StartingHashKey"]) + int(span["EndingHashKey"])) // 2
    KINESIS.split_shard(StreamName=STREAM, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))
    wait_for_stream()


def split_and_merge():
    first, *_, one, other = sorted(open_shards(), key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
    split(first)
    KINESIS.merge_shards(StreamName=STREAM, ShardToMerge=one["ShardId"], AdjacentShardToMerge=other["ShardId"])
    wait_for_stream()
    say(f"split {first['ShardId']}, merged {one['ShardId']} and {other['ShardId']}")


def put_ends():
    """A record of the far future on every shard: whatever is before it comes out."""
    for shard in open_shards():
        data = json.dumps({"ts": 1_900_000_000_000, "country": "end", "url": "/", "bytes": 0}).encode()
        KINESIS.put_record(StreamName=STREAM, PartitionKey="end", ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"], Data=data)


def answers(*command):
    """Rows without their revision, which says how often partials came."""
    done = subprocess.run([STREAMGAUGE, *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"{done.returncode}: {done.stderr}"
    return [line.replace('"revision":%d,' % json.loads(line)["revision"], "") for line in done.stdout.splitlines()]


def merged():
    return answers("merge", "--pipeline", str(RUN / "hits.toml"), str(RUN / "partials"))


def scenario(lines, daemons):
    def start(worker):
        daemons.append(Daemon(worker))
        return daemons[-1]

    first, second = start("w1"), start("w2")
    time.sleep(20)
    producer = Producer(lines)
    producer.start()
    wait_until(lambda: first.children() and second.children(), "both daemons to have shards")
    wait_for_children(daemons, 4)
    producer.wait_for(0.25)
    if first.is_leader():
        first, second = second, first
    wait_until(first.children, "a child")
    victim = first.children()[0]
    os.kill(victim, signal.SIGKILL)
    say(f"killed child {victim} of {first.worker} at {producer.sent} records")
    # A daemon ends with its child. Whatever supervises it starts it again.
    code = first.process.wait(WAIT_SECONDS)
    say(f"{first.worker} ended with {code}")
    first = start(first.worker)
    wait_for_children(daemons, 4)
    split_and_merge()
    producer.wait_for(0.6)
    wait_until(lambda: len(state_keys()) == 7, "the state of 4 shards and 3 that follow")
    say(f"the shards that follow are at work at {producer.sent} records")
    producer.wait_for(0.75)
    second.terminate(143)
    wait_for_children(daemons, 4)
    second = start(second.worker)
    producer.wait_for(1)
    producer.join()
    put_ends()
    say("all records are put")
    expected = answers("run", "--pipeline", str(RUN / "hits.toml"), str(RUN / "hits.jsonl"), "--output", "json")
    assert len(expected) > 300, expected
    try:
        wait_until(lambda: merged() == expected, "the batch answer")
    except AssertionError:
        tell_difference(merged(), expected)
        raise
    say(f"{len(expected)} rows are the batch answer's")
    first.terminate(143)
    second.terminate(143)
    assert merged() == expected, "what came while the daemons ended"


def state_keys():
    return sorted(path.name for path in (RUN / "state").glob("*.state"))


def tell_difference(found, expected):
    if isinstance(found, str):
        print(found)
        return
    print(len(found), "rows and not", len(expected))
    for row in sorted(set(found) ^ set(expected))[:20]:
        print("found   " if row in found else "expected", row[:300])


def child(payloads, *arguments):
    """`streamgauge kcl` without a daemon: all payloads in one batch."""
    taken = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": None}
    records = [
        {
            "data": base64.b64encode(payload).decode(),
            "partitionKey": "k",
            "sequenceNumber": str(index + 1),
            "subSequenceNumber": 0,
            "approximateArrivalTimestamp": 0,
            "action": "record",
        }
        for index, payload in enumerate(payloads)
    ]
    messages = [
        {"action": "initialize", "shardId": "shardId-%s" % arguments[0], "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0},
        {"action": "processRecords", "records": records, "millisBehindLatest": 0},
        taken,
        {"action": "leaseLost"},
    ]
    command = [STREAMGAUGE, "kcl", "--pipeline", str(RUN / "hits.toml"), "--save-records", "1", *arguments[1:]]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    environment = {**os.environ, **keys, "AWS_ENDPOINT_URL_KINESIS": os.environ["KINESIS"]}
    text = "".join(json.dumps(message) + "\n" for message in messages)
    subprocess.run(command, input=text, text=True, env=environment, stdout=subprocess.DEVNULL, check=True)


def check_stage_two(lines):
    """Partials through a second stream, merged by `streamgauge kcl --merge`, are the batch answer too."""
    stream, lines = "partials", lines[:20_000]
    KINESIS.create_stream(StreamName=stream, ShardCount=2)
    wait_for_stream(stream)
    end = json.dumps({"ts": 1_900_000_000_000, "country": "end", "url": "/", "bytes": 0}).encode()
    for part in range(2):
        child([*lines[part::2], end], str(part), "--state", str(RUN / "state-1"), "--partials", f"kinesis:{stream}")
    for shard in KINESIS.list_shards(StreamName=stream)["Shards"]:
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        found = KINESIS.get_records(ShardIterator=KINESIS.get_shard_iterator(**place)["ShardIterator"])["Records"]
        say(f"{len(found)} partials on {shard['ShardId']} of the second stream")
        payloads = [record["Data"] for record in found]
        child(payloads, shard["ShardId"], "--merge", "--sources", "2", "--state", str(RUN / "state-2"), "--out", str(RUN / "merged.jsonl"))
    (RUN / "part.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    expected = answers("run", "--pipeline", str(RUN / "hits.toml"), str(RUN / "part.jsonl"), "--output", "json")
    found = [line.replace('"revision":0,', "") for line in (RUN / "merged.jsonl").read_text().splitlines()]
    assert sorted(found) == sorted(expected), "stage two"
    say(f"{len(found)} rows of stage two are the batch answer's")


def check_rows():
    """The rows of all shards' files, last revision of each, add up to all records as well, each in two windows."""
    rows = {}
    for path in (RUN / "out").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows[path.name, row["window"]["start"], row["group"]["country"]] = row["count"]
    assert sum(rows.values()) == 2 * RECORDS, sum(rows.values())
    say(f"{len(rows)} rows in {len(list((RUN / 'out').glob('*')))} files have each record in its 2 windows")


def check_logs():
    text = "".join(path.read_text(errors="replace") for path in RUN.glob("*.log"))
    assert "panicked" not in text
    for word in ("shutdownRequested", "leaseLost", "shardEnded"):
        say(f"{text.count(word)} times {word} in the logs")


def give_up(*_):
    raise TimeoutError("the run hangs")


def end_of_logs(folder):
    """What the processes of a run said last."""
    servers = pathlib.Path(os.environ["RUN_DIR"])
    for path in sorted([*folder.glob("*.log"), *servers.glob("*.log")]):
        print(f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-15:], sep="\n", flush=True)


def run_test(test, folder, seconds=GIVE_UP_SECONDS):
    """Runs a test; where it fails, the logs in its folder say why."""
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        test()
    except BaseException:
        end_of_logs(folder)
        raise


def main():
    shutil.rmtree(RUN, ignore_errors=True)
    (RUN / "out").mkdir(parents=True)
    (RUN / "hits.toml").write_text(PIPELINE)
    lines = [json.dumps(hit).encode() for hit in hits()]
    (RUN / "hits.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    KINESIS.create_stream(StreamName=STREAM, ShardCount=4)
    wait_for_stream()
    daemons = []
    try:
        scenario(lines, daemons)
    finally:
        for daemon in daemons:
            daemon.stop()
    check_rows()
    check_logs()
    check_stage_two(lines)


if __name__ == "__main__":
    run_test(main, RUN)
