#!/usr/bin/env python3
"""streams_end_to_end.py STREAMGAUGE: streams that are created, described, sampled and scaled, over the Kinesis that start-kinesis.sh has started."""
import json
import os
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

import boto3

import kcl_end_to_end as kit

STREAMGAUGE = kit.STREAMGAUGE
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
PLACE = ["--endpoint", os.environ["KINESIS"]]


def streams(*arguments, code=0):
    command = [STREAMGAUGE, "streams", *arguments, *PLACE]
    run = subprocess.run(command, env={**os.environ, **KEYS}, capture_output=True, text=True, timeout=kit.WAIT_SECONDS)
    assert run.returncode == code, f"{arguments} ended with {run.returncode}: {run.stderr}"
    return [json.loads(line) for line in run.stdout.splitlines()], run.stderr


def put(done):
    """Puts 50 records about every 100 ms, 9 of 10 with the same partition key."""
    command = [STREAMGAUGE, "put", "--stream", "gauged", "--key", "user", "--quiet", *PLACE]
    process = subprocess.Popen(command, env={**os.environ, **KEYS}, stdin=subprocess.PIPE)
    number = 0
    while not done.is_set():
        users = ["busy" if (number + i) % 10 else f"u{number + i}" for i in range(50)]
        process.stdin.write("".join(json.dumps({"user": user, "pad": "x" * 100}) + "\n" for user in users).encode())
        process.stdin.flush()
        number += 50
        time.sleep(0.1)
    process.stdin.close()
    assert process.wait(kit.WAIT_SECONDS) == 0


def check_scaling():
    said = streams("scale", "gauged", "--to", "5", "--dry-run")[1]
    assert said.splitlines() == ["gauged would go from 2 to 4 shards", "gauged would go from 4 to 5 shards"], said
    assert streams("describe", "gauged")[0][0]["open_shards"] == 2, "a dry run changes nothing"
    streams("scale", "gauged", "--to", "5")
    described = streams("describe", "gauged")[0][0]
    assert described["open_shards"] == len(described["shards"]) == 5, described
    assert abs(sum(shard["part_of_keys"] for shard in described["shards"]) - 1) < 1e-9, described
    assert "has 5 shards already" in streams("scale", "gauged", "--to", "5")[1]


def check_sample():
    done = threading.Event()
    writer = threading.Thread(target=put, args=(done,))
    writer.start()
    try:
        sampled = streams("describe", "gauged", "--sample", "5s")[0][0]
        said = streams("scale", "gauged", "--auto", "--sample", "3s", "--dry-run")[1]
    finally:
        done.set()
        writer.join()
    busiest = max(sampled["shards"], key=lambda shard: shard["bytes_per_second"])
    key = busiest["keys"][0]
    assert key["key"] == "busy" and key["lower"] <= key["bytes"] <= key["upper"], busiest
    records = sum(shard["records_per_second"] for shard in sampled["shards"])
    assert 10 < records < 600, sampled
    assert busiest["records_per_second"] > 0.7 * records, sampled
    assert any("have little to do: 1 would be" in advice for advice in sampled["advice"]), sampled
    assert said.splitlines()[-1].endswith("to 1 shards"), said


def check_cloudwatch():
    """Figures that moto's CloudWatch has of a stream, and then of one of its shards."""
    url = f"http://127.0.0.1:{os.environ['P_DYNAMODB']}"
    client = boto3.client(
        "cloudwatch", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )

    def figures(minutes_ago, dimensions, **values):
        at = datetime.now(timezone.utc) - timedelta(minutes=minutes_ago)
        dimensions = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        common = {"Dimensions": dimensions, "Timestamp": at}
        data = [
            {"MetricName": name.replace("_", "."), "Value": value, **common}
            for name, value in values.items()
        ]
        client.put_metric_data(Namespace="AWS/Kinesis", MetricData=data)

    nothing = streams("list", f"--cloudwatch={url}")[0]
    assert all("has no figures" in stream["note"] for stream in nothing), nothing
    figures(
        3, {"StreamName": "gauged"}, IncomingBytes=90_000_000, IncomingRecords=9000,
        GetRecords_IteratorAgeMilliseconds=1500,
    )
    figures(5, {"StreamName": "gauged"}, IncomingBytes=1_000, WriteProvisionedThroughputExceeded=7)
    described = streams("describe", "gauged", f"--cloudwatch={url}", "--last", "10m")[0][0]
    found = described["cloudwatch"]
    assert found["bytes_per_second"] == 90_001_000 / 600, found
    assert found["records_per_second"] == 15, found
    assert found["busiest_minute"] == 1.5 / described["open_shards"], found
    assert found["behind_ms"] == 1500, found
    assert found["refused_writes"] == 7 and found["refused_reads"] is None, found
    assert "sample of 1" in described["note"] and described["sample_seconds"] >= 10, described
    shard = described["shards"][0]["shard"]
    figures(3, {"StreamName": "gauged", "ShardId": shard}, IncomingBytes=57_000_000)
    described = streams("describe", "gauged", f"--cloudwatch={url}")[0][0]
    assert described["note"] is None and "sample_seconds" not in described, described
    assert described["cloudwatch"]["shards"][0]["busiest_minute"] == 0.95, described
    assert any(f"{shard} was 95 % busy" in advice for advice in described["advice"]), described
    command = [STREAMGAUGE, "streams", "describe", "gauged", f"--cloudwatch={url}"]
    table = subprocess.run(
        [*command, "--output", "table", *PLACE], env={**os.environ, **KEYS},
        capture_output=True, text=True, timeout=kit.WAIT_SECONDS,
    )
    assert "95 (hot)" in table.stdout, table
    said = streams("list", "--cloudwatch=http://127.0.0.1:9", code=1)[1]
    assert "from CloudWatch at http://127.0.0.1:9" in said, said
    assert "cloudwatch:GetMetricData" in said, said


streams("create", "gauged", "--shards", "2")
assert "already exists" in streams("create", "gauged", "--shards", "2", code=1)[1]
streams("create", "elastic", "--on-demand", "--region", "eu-central-1,eu-west-1")
streams("wait", "elastic", "--region", "eu-central-1,eu-west-1")
listed = streams("list", "--region", "us-east-1,eu-central-1,eu-west-1")[0]
modes = [(stream["region"], stream["mode"]) for stream in listed if stream["stream"] in ("gauged", "elastic")]
assert modes == [("us-east-1", "provisioned"), ("eu-central-1", "on-demand"), ("eu-west-1", "on-demand")], listed
assert all(stream["status"] == "ACTIVE" for stream in listed), listed
assert "Kinesis decides" in streams("scale", "elastic", "--to", "2", "--region", "eu-west-1", code=1)[1]
# A region that fails does not keep the others from their turn.
shown, said = streams("describe", "elastic", "--region", "us-east-1,eu-west-1", code=1)
assert [stream["region"] for stream in shown] == ["eu-west-1"] and "us-east-1: cannot describe" in said, said
check_scaling()
check_sample()
check_cloudwatch()
print("streams: created, listed over regions, scaled in steps, sampled, by CloudWatch")
