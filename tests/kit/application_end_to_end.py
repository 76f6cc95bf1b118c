#!/usr/bin/env python3
"""application_end_to_end.py STREAMGAUGE: records through several `streamgauge kinesis --application`, against the batch answer.

While the records flow, workers of one application are killed, join and are told to end, a shard is split and two are merged. The
partials of all shards, merged, must be what `streamgauge run` says of the same records, byte by byte. There is no Java. Then the same
for a second application, which a real MultiLangDaemon has created and leads: a worker joins, gets a shard from it with its open
windows, both end a shard that is split, and the worker goes on alone when the daemon ends.
Needs what setup.sh installs and start-kinesis.sh has started; run by scripts/test-kcl."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import boto3
import kcl_end_to_end as kit

# A name is that of a stream, of its application and of the folder of its files.
NATIVE, MIXED = "shared", "mixed"
RUN = pathlib.Path(os.environ["RUN_DIR"]) / "application"
LEASES = "http://127.0.0.1:" + os.environ["P_DYNAMODB"]
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
# As most applications have it: its leader counts a worker as living for two reports. One that is
# told to end has the time that it needs on a busy machine: without it the daemon leaves its item as
# the leader behind, which counts for two minutes.
JAVA = "workerMetricsReporterFreqInMillis = 30000\nisGracefulLeaseHandoffEnabled = true\nfailoverTimeMillis = 4000\nshutdownGraceMillis = 30000"
TABLES = boto3.client(
    "dynamodb",
    endpoint_url=LEASES,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)


def places(name):
    """The flags of `streamgauge kcl` and of a worker for the pipeline, the state and the partials."""
    return [
        *("--pipeline", str(RUN / "hits.toml"), "--state", str(RUN / name / "state"), "--partials", str(RUN / name / "partials")),
        *("--save-every", "1s", "--save-records", "2000"),
    ]


def command(worker, name, application=None):
    return [
        *(kit.STREAMGAUGE, "kinesis", "--stream", name, "--endpoint", os.environ["KINESIS"], "--application", application or name),
        *("--lease-endpoint", LEASES, "--worker", worker, "--failover", "4s", "--from", "trim", *places(name)),
    ]


class Worker:
    """One process of an application; its log is kept."""

    def __init__(self, name, words, more=None):
        self.name = name
        self.log = open(RUN / f"{name}.log", "ab")
        environment = {**os.environ, **KEYS, **(more or {})}
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=environment)
        kit.say(f"{name} started")

    def kill(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: see {self.log.name}"
        self.process.kill()
        self.process.wait()
        kit.say(f"{self.name} killed")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(kit.WAIT_SECONDS)
        assert code == 143, f"{self.name} ended with {code}: see {self.log.name}"
        kit.say(f"{self.name} told to end")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def leases(name):
    try:
        rows = TABLES.scan(TableName=name, ConsistentRead=True)["Items"]
    except TABLES.exceptions.ResourceNotFoundException:
        return {}
    return {row["leaseKey"]["S"]: row for row in rows}


def held(name, *workers):
    """True if these workers have all shards that are not read to their end, and each has one."""
    rows = leases(name).values()
    owners = [row.get("leaseOwner", {}).get("S") for row in rows if row["checkpoint"]["S"] != "SHARD_END"]
    under_way = any("checkpointOwner" in row for row in rows)
    return bool(owners) and set(owners) == set(workers) and not under_way


def checkpoints(name):
    return [row["checkpoint"]["S"] for row in leases(name).values()]


def merged(name):
    return kit.answers("merge", "--pipeline", str(RUN / "hits.toml"), str(RUN / name / "partials"))


def wait_for_answers(name):
    """Waits until the partials are the answer of `streamgauge run` over all records."""
    kit.put_ends()
    kit.say("all records are put")
    expected = kit.answers("run", "--pipeline", str(RUN / "hits.toml"), str(RUN / name / "hits.jsonl"), "--output", "json")
    assert len(expected) > 50, expected
    try:
        kit.wait_until(lambda: merged(name) == expected, "the batch answer")
    except AssertionError:
        kit.tell_difference(merged(name), expected)
        raise
    kit.say(f"{len(expected)} rows are the batch answer's")
    return expected


def prepare(name, records, shards):
    """Creates a stream, and returns its records."""
    (RUN / name).mkdir()
    kit.STREAM, kit.RECORDS, kit.PUT_SECONDS = name, records, records / 1000
    lines = [json.dumps(hit).encode() for hit in kit.hits()]
    (RUN / name / "hits.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    kit.KINESIS.create_stream(StreamName=name, ShardCount=shards)
    kit.wait_for_stream(name)
    return lines


def native(lines, workers):
    """Workers of this crate alone."""

    def start(worker):
        workers.append(Worker(worker, command(worker, NATIVE)))
        return workers[-1]

    first, second = start("n1"), start("n2")
    kit.wait_until(lambda: held(NATIVE, "n1", "n2"), "two workers with shards")
    kit.say("both workers have shards")
    producer = kit.Producer(lines)
    producer.start()
    producer.wait_for(0.2)
    first.kill()
    kit.wait_until(lambda: held(NATIVE, "n2"), "the takeover")
    kit.say(f"n2 has all shards at {producer.sent} records")
    third = start("n3")
    kit.split_and_merge()
    kit.wait_until(lambda: held(NATIVE, "n2", "n3") and len(leases(NATIVE)) >= 7, "the third worker, and the shards that follow")
    kit.say(f"n3 has shards, and those that follow have rows, at {producer.sent} records")
    producer.wait_for(0.8)
    second.terminate()
    kit.wait_until(lambda: held(NATIVE, "n3"), "what n2 gave back")
    fourth = start("n4")
    producer.wait_for(1)
    producer.join()
    expected = wait_for_answers(NATIVE)
    kit.wait_until(lambda: held(NATIVE, "n3", "n4"), "shards for n4")
    third.terminate()
    kit.wait_until(lambda: held(NATIVE, "n4"), "what n3 gave back")
    fourth.terminate()
    assert merged(NATIVE) == expected, "what came while the workers ended"
    assert not [row for row in leases(NATIVE).values() if "leaseOwner" in row], "every lease is given back"
    assert not TABLES.scan(TableName=NATIVE + "-CoordinatorState")["Items"][1:], "nobody leads any more"
    return expected


def last_rows(paths):
    """The last revision of each row in files, without its number, as `streamgauge run` orders them."""
    rows = {}
    for line in "".join(path.read_text() for path in paths).splitlines():
        row = json.loads(line)
        key = (row["window"]["end"], json.dumps(row["group"]))
        revision = row["revision"]
        if revision >= rows.get(key, (0, ""))[0]:
            rows[key] = (revision, line.replace('"revision":%d,' % revision, ""))
    return sorted(line for _, line in rows.values())


def stage_two(expected, workers):
    """Partials of an application through a second stream: merged by one process, which is killed, and by another application."""
    partials, out = NATIVE + "-partials", RUN / "merged"
    out.mkdir()
    kit.KINESIS.create_stream(StreamName=partials, ShardCount=2)
    kit.wait_for_stream(partials)
    first = command("p1", NATIVE, application="stage-one")
    first[first.index("--partials") + 1] = "kinesis:" + partials
    first[first.index("--state") + 1] = str(RUN / "state-one")
    workers.append(Worker("p1", first, {"AWS_ENDPOINT_URL_KINESIS": os.environ["KINESIS"]}))
    alone = [kit.STREAMGAUGE, "kinesis", "--merge", "--stream", partials, "--endpoint", os.environ["KINESIS"], "--from", "trim"]
    alone += ["--pipeline", str(RUN / "hits.toml"), "--deadline", "2s", "--save-every", "1s"]
    shared = [*alone, "--application", "stage-two", "--lease-endpoint", LEASES, "--worker", "m2", "--failover", "4s"]
    alone += ["--state", str(RUN / "state-two"), "--out", str(RUN / "merged.jsonl")]
    shared += ["--state", str(RUN / "state-three"), "--out", str(out)]
    workers += [Worker("m1", alone), Worker("m2", shared)]
    rows = RUN / "merged.jsonl"
    kit.wait_until(lambda: rows.exists() and rows.read_text().count("\n") > 20, "merged rows")
    workers[-2].kill()
    workers.append(Worker("m1", alone))
    last = '{"start":"2030'
    expected = sorted(line for line in expected if last not in line)
    kit.wait_until(lambda: [row for row in last_rows([rows]) if last not in row] == expected, "the merged rows of one process")
    kit.wait_until(lambda: [row for row in last_rows(out.glob("*.jsonl")) if last not in row] == expected, "those of an application")
    kit.say(f"{len(expected)} rows of the second stage are the batch answer's, of one process and of an application")
    for worker in workers[-4:]:
        worker.stop()


def mixed(lines, java, workers):
    """A worker of this crate beside the daemon, which leads, and then alone."""
    kit.STREAM, kit.RECORDS, kit.PUT_SECONDS = MIXED, len(lines), len(lines) / 1000
    kit.wait_until(lambda: held(MIXED, "java"), "the daemon's leases")
    producer = kit.Producer(lines)
    producer.start()
    kit.wait_until(lambda: set(checkpoints(MIXED)) & {"TRIM_HORIZON"} == set(), "the daemon's checkpoints")
    kit.say(f"the daemon reads all shards, and leads, at {producer.sent} records")
    workers.append(Worker("n5", command("n5", MIXED)))
    kit.wait_until(lambda: held(MIXED, "java", "n5"), "a shard that the daemon hands over")
    kit.say(f"n5 has a shard of the daemon's at {producer.sent} records")
    # Each of the two ends a shard, and makes the rows of those that follow.
    for shard in kit.open_shards():
        kit.split(shard)
    follow = {shard["ShardId"] for shard in kit.open_shards()}
    assert len(follow) == 4, follow
    kit.wait_until(lambda: follow <= set(leases(MIXED)) and held(MIXED, "java", "n5"), "the shards that follow")
    kit.say(f"both have shards that follow at {producer.sent} records")
    time.sleep(3)
    java.terminate()
    kit.wait_until(lambda: held(MIXED, "n5"), "the daemon's shards")
    kit.say(f"n5 has all shards at {producer.sent} records")
    producer.wait_for(1)
    producer.join()
    expected = wait_for_answers(MIXED)
    workers[-1].terminate()
    assert merged(MIXED) == expected, "what came while the worker ended"


def create_single_table(name, *rows):
    """What KCL 3.5 creates for a new application: one table for all kinds of rows."""
    table = {"KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
    table["AttributeDefinitions"] = [{"AttributeName": "leaseKey", "AttributeType": "S"}]
    TABLES.create_table(TableName=name, **table)
    for row in rows:
        TABLES.put_item(TableName=name, Item=row)


def version_row(version):
    return {"leaseKey": {"S": "Migration3.0"}, "entityType": {"S": "CLIENT_VERSION_MIGRATION"}, "cv": {"S": version}}


def check_single_table(expected, workers):
    """An application of KCL 3.5 whose worker has died while it led and read one shard: a worker joins its one table, and creates none."""
    name, shard = "single", kit.KINESIS.list_shards(StreamName=NATIVE)["Shards"][0]
    lease = {"leaseKey": {"S": shard["ShardId"]}, "entityType": {"S": "LEASE"}, "leaseOwner": {"S": "java"}, "leaseCounter": {"N": "7"}}
    lease |= {"checkpoint": {"S": "TRIM_HORIZON"}, "checkpointSubSequenceNumber": {"N": "0"}, "ownerSwitchesSinceCheckpoint": {"N": "0"}}
    lease |= {edge[0].lower() + edge[1:]: {"S": key} for edge, key in shard["HashKeyRange"].items()}
    lead = {"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}, "ownerName": {"S": "java"}, "leaseDuration": {"S": "3000"}}
    lead |= {"recordVersionNumber": {"S": "4711"}}
    report = {"leaseKey": {"S": "java"}, "entityType": {"S": "WORKER_METRIC_STATS"}, "lut": {"N": str(int(time.time()) - 90)}, "sup": {"BOOL": True}}
    create_single_table(name, version_row("CLIENT_VERSION_3X"), lease, lead, report)
    line = command("s1", NATIVE, application=name)
    line[line.index("--state") + 1], line[line.index("--partials") + 1] = str(RUN / "state-single"), str(RUN / name)
    workers.append(Worker("s1", line))
    merge = ("merge", "--pipeline", str(RUN / "hits.toml"), str(RUN / name))
    kit.wait_until(lambda: (RUN / name).exists() and kit.answers(*merge) == expected, "the answers of the single table")
    workers[-1].terminate()
    rows = leases(name).values()
    assert all("entityType" in row and "leaseOwner" not in row for row in rows), rows
    assert [table for table in TABLES.list_tables()["TableNames"] if table.startswith(name)] == [name]
    kit.say("the single table of KCL 3.5 is joined, led and left")


def check_refusals():
    """Tables of other versions are refused by name."""
    version = version_row("CLIENT_VERSION_2X")
    moving = {"leaseKey": {"S": "TableMigration3.5"}, "entityType": {"S": "TABLE_MIGRATION"}, "tm": {"S": "TABLE_MIGRATION_STATUS_PENDING"}}
    for name, rows, reason in [
        ("migrating", [version], "a migration from KCL 2 is not finished"),
        ("moving", [{**version, "cv": {"S": "CLIENT_VERSION_3X"}}, moving], "is being moved to one table"),
    ]:
        create_single_table(name, *rows)
        line = command("n9", NATIVE, application=name)
        done = subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ, **KEYS}, timeout=kit.WAIT_SECONDS)
        assert done.returncode == 1 and reason in done.stderr, done
        kit.say(done.stderr.strip())


def begin():
    """Clears the folder of the run."""
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    (RUN / "hits.toml").write_text(kit.PIPELINE)


def main():
    begin()
    beside_java = prepare(MIXED, 24_000, 2)
    kcl = [str(kit.KIT / "start-multilang.sh"), MIXED, MIXED, "java", "--", kit.STREAMGAUGE, "kcl", *places(MIXED)]
    # It takes a minute until the daemon has its first lease.
    java = Worker("java", kcl, {"MORE_PROPERTIES": JAVA})
    workers = [java]
    try:
        expected = native(prepare(NATIVE, 24_000, 4), workers)
        stage_two(expected, workers)
        check_single_table(expected, workers)
        check_refusals()
        mixed(beside_java, java, workers)
    finally:
        for worker in workers:
            worker.stop()
    assert "panicked" not in "".join(path.read_text(errors="replace") for path in RUN.glob("*.log"))


if __name__ == "__main__":
    kit.run_test(main, RUN)
