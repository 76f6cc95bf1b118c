"""Answers in S3 and in Firehose, against moto's server on loopback.

usage: sinks_end_to_end.py STREAMGAUGE ENDPOINT
Each command gives the same rows there as on standard output or in a local directory.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import boto3

BUCKET = "answers"
FLAGS = ["--time", "ts", "--window", "1m", "--group", "country", "--agg", "count, sum(bytes) as bytes"]


def environment(endpoint):
    return {
        **os.environ,
        "AWS_ENDPOINT": endpoint,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


class Kit:
    def __init__(self, streamgauge, endpoint):
        self.streamgauge = streamgauge
        self.endpoint = endpoint
        os.environ.update(environment(endpoint))
        client = lambda name: boto3.client(name, endpoint_url=endpoint, region_name="us-east-1")
        self.s3, self.firehose, self.kinesis = client("s3"), client("firehose"), client("kinesis")
        self.s3.create_bucket(Bucket=BUCKET)

    def run(self, *arguments, code=0):
        done = subprocess.run([self.streamgauge, *arguments], capture_output=True, timeout=300)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stderr.decode()}"
        return done.stdout.decode() if code == 0 else done.stderr.decode()

    def objects(self, prefix):
        """The objects below a prefix: their contents by the rest of their names."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        get = lambda key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return {key[len(prefix) :]: get(key) for key in sorted(keys)}

    def rows(self, prefix):
        lines = b"".join(self.objects(prefix).values()).decode().splitlines()
        return sorted(json.dumps(json.loads(line)) for line in lines)


def files(folder):
    found = {}
    for below, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(below, name)
            found[os.path.relpath(path, folder)] = open(path, "rb").read()
    return found


def write_log(path, count=3000):
    with open(path, "w", encoding="utf-8") as log:
        for n in range(count):
            country = ["DE", "FR", "\u0007", "\u202eIT", None][n * n % 7 % 5]
            record = {"ts": 1_764_460_700_000 + n * 250, "country": country, "bytes": n * 31 % 900}
            log.write(json.dumps(record) + "\n")


def check_run_and_merge(kit, folder, log):
    """A day of files in S3 has the names and the bytes of those in a directory."""
    for output in ["json", "parquet"]:
        local = os.path.join(folder, output, "")
        kit.run("run", log, *FLAGS, "-q", "--output", output, "--out", local)
        kit.run("run", log, *FLAGS, "-q", "--output", output, "--out", f"s3://{BUCKET}/run-{output}")
        expected = files(local)
        assert len(expected) > 1 and all(name.startswith("date=2025-11-") for name in expected)
        assert kit.objects(f"run-{output}/") == expected, output
    partials = f"s3://{BUCKET}/partials"
    kit.run("run", log, *FLAGS, "-q", "--partials", partials)
    kit.run("merge", partials, *FLAGS, "-q", "--out", f"s3://{BUCKET}/merged")
    assert kit.objects("merged/") == files(os.path.join(folder, "json", ""))
    print("run and merge: S3 has the files of a directory")


def check_state(kit, folder, log):
    """A run that starts again adds no file; one over a grown file adds revisions."""
    place = f"s3://{BUCKET}/state-out"
    run = lambda: kit.run("run", log, *FLAGS, "-q", "--state", f"s3://{BUCKET}/state", "--out", place)
    run()
    first = kit.objects("state-out/")
    run()
    assert kit.objects("state-out/") == first
    write_log(log, 3100)
    run()
    grown = kit.objects("state-out/")
    assert all(grown[name] == content for name, content in first.items())
    assert any("-r1-" in name for name in grown.keys() - first.keys())
    print("state: no file is written again with other content")


def kcl_messages(log):
    import base64

    lines = open(log, "rb").read().splitlines()
    yield {"action": "initialize", "shardId": "shardId-0", "sequenceNumber": "TRIM_HORIZON"}
    for at in range(0, len(lines), 500):
        records = [
            {
                "action": "record",
                "data": base64.b64encode(line).decode(),
                "partitionKey": "k",
                "approximateArrivalTimestamp": 1_764_460_700_000,
                "sequenceNumber": str(at + index + 1),
                "subSequenceNumber": 0,
            }
            for index, line in enumerate(lines[at : at + 500])
        ]
        yield {"action": "processRecords", "records": records, "millisBehindLatest": 0}
        yield {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": None}
    yield {"action": "leaseLost"}


def check_kcl(kit, folder, log):
    pipeline = os.path.join(folder, "hits.toml")
    with open(pipeline, "w") as toml:
        toml.write('time = "ts"\nwindow = "1m"\nmax_delay = "0s"\ngroup = ["country"]\n')
    messages = "".join(json.dumps(message) + "\n" for message in kcl_messages(log)).encode()
    for name, out in [("lines", folder), ("s3", f"s3://{BUCKET}/kcl"), ("f", "firehose:kcl")]:
        kit.firehose_stream("kcl") if name == "f" else None
        arguments = ["kcl", "--pipeline", pipeline, "--state", f"{folder}/state-{name}", "--out", out]
        command = [kit.streamgauge, *arguments, "--save-records", "1"]
        done = subprocess.run(command, input=messages, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
    lines = open(f"{folder}/shardId-0.jsonl").read().splitlines()
    assert len(lines) > 20
    expected = sorted(json.dumps(json.loads(line)) for line in lines)
    assert kit.rows("kcl/") == expected
    assert all(name.startswith("source=shardId-0/date=") for name in kit.objects("kcl/"))
    of_source = sorted(json.dumps({"source": "shardId-0", **json.loads(line)}) for line in lines)
    assert kit.rows("firehose-kcl/") == of_source
    print("kcl: S3 and Firehose have the lines of a file")


def firehose_stream(kit, name):
    kit.firehose.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/r",
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
            "Prefix": f"firehose-{name}/",
        },
    )


Kit.firehose_stream = firehose_stream


def check_firehose(kit, folder, log):
    kit.firehose_stream("run")
    kit.run("run", log, *FLAGS, "-q", "--out", "firehose:run")
    expected = kit.run("run", log, *FLAGS, "-q", "--output", "json").splitlines()
    assert kit.rows("firehose-run/") == sorted(json.dumps(json.loads(line)) for line in expected)
    told = kit.run("run", log, *FLAGS, "-q", "--out", "firehose:none", code=2)
    assert "ResourceNotFoundException" in told, told
    told = kit.run("run", log, "-q", "--output", "parquet", "--out", "firehose:run", code=2)
    assert "Firehose gets JSON Lines" in told, told
    print("firehose: the stream delivers the rows of standard output")


def check_kinesis(kit, folder, log):
    kit.kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kit.kinesis.get_waiter("stream_exists").wait(StreamName="clicks")
    lines = open(log, "rb").read().splitlines()
    for at in range(0, len(lines), 500):
        records = [{"Data": line, "PartitionKey": "k"} for line in lines[at : at + 500]]
        kit.kinesis.put_records(StreamName="clicks", Records=records)
    expected = kit.run("run", log, *FLAGS, "-q", "--output", "json").splitlines()
    arguments = ["kinesis", "--stream", "clicks", "--from", "trim", *FLAGS, "-q"]
    command = [kit.streamgauge, *arguments, "--out", f"s3://{BUCKET}/kinesis"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    until = time.monotonic() + 300
    while len(kit.rows("kinesis/")) < len(expected) - 10 and time.monotonic() < until:
        time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 143, told
    whole = lambda row: {key: value for key, value in json.loads(row).items() if key != "complete"}
    found = sorted(json.dumps(whole(row)) for row in kit.rows("kinesis/"))
    assert found == sorted(json.dumps(json.loads(row)) for row in expected), told
    print("kinesis: S3 has each window, the last ones as they stood")


def main():
    kit = Kit(*sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "hits.jsonl")
        for check in [check_run_and_merge, check_state, check_kcl, check_firehose, check_kinesis]:
            write_log(log)
            check(kit, folder, log)


main()
