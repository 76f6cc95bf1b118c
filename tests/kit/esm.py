#!/usr/bin/env python3
"""esm.py STREAM URL [options]: a small Lambda event source mapping.

Polls one stream of the local Kinesis ($KINESIS) and posts Lambda's events to an invoke URL (`cargo lambda watch`, or anything with
/2015-03-31/functions/NAME/invocations). Does batches, retries, bisecting, partial batch responses, resharding (a child shard starts when
its parents are read to their ends) and tumbling windows: the window is that of the arrival time, aligned to the epoch; `state` is carried
per shard; the final invocation comes with no records, once a record of a later window, the shard's end, or the wall clock past the
window's end is seen. State over 1 MB ends the window early. Prints counts as JSON at the end, and exits with 1 if a record was dropped."""
import argparse
import base64
import json
import math
import os
import sys
import time
import urllib.request
from datetime import datetime, timezone

import boto3

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("stream")
parser.add_argument("url")
parser.add_argument("--batch", type=int, default=100, help="records of one invocation, at most")
parser.add_argument("--window", type=int, default=0, help="seconds of a tumbling window; 0: none")
parser.add_argument("--retries", type=int, default=3)
parser.add_argument("--bisect", action="store_true", help="halve a batch that failed")
parser.add_argument("--report", action="store_true", help="heed batchItemFailures")
parser.add_argument("--seconds", type=float, default=20, help="how long to run")
parser.add_argument(
    "--records", type=int, default=0,
    help="end once this number is done and no window is open; 0: never end",
)
options = parser.parse_args()

STATE_BYTES_MAX = 1_000_000
kinesis = boto3.client(
    "kinesis",
    endpoint_url=os.environ.get("KINESIS", "http://127.0.0.1:4568"),
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
ARN = kinesis.describe_stream_summary(StreamName=options.stream)["StreamDescriptionSummary"]["StreamARN"]
counts = dict(invokes=0, errors=0, records=0, finals=0, early=0, dropped=0)


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def event_record(shard, record):
    sequence = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": sequence,
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"].timestamp(), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": shard + ":" + sequence,
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/r",
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
    }


def arrival(record):
    return record["kinesis"]["approximateArrivalTimestamp"]


def post(event):
    counts["invokes"] += 1
    try:
        request = urllib.request.Request(options.url, json.dumps(event).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=900) as reply:
            answer = json.loads(reply.read() or "null")
        if isinstance(answer, dict) and ("errorMessage" in answer or "errorType" in answer):
            raise RuntimeError(answer)
        if options.window and not (isinstance(answer, dict) and isinstance(answer.get("state"), dict)):
            raise RuntimeError("the reply has no state")
        return answer if isinstance(answer, dict) else {}
    except Exception as error:
        counts["errors"] += 1
        print("ERROR", str(error)[:200], file=sys.stderr)
        raise


def first_failed(answer, records):
    """The index of the first record to be delivered again; None: all are done. Unknown or empty identifiers fail the whole batch."""
    failures = answer.get("batchItemFailures") or []
    if not options.report or not failures:
        return None
    index = {record["kinesis"]["sequenceNumber"]: at for at, record in enumerate(records)}
    return min(index.get(failure.get("itemIdentifier"), 0) for failure in failures)


def run(records, extra, tries=0):
    """One batch, with what follows from its failing; the state after it."""
    state = extra.get("state", {})
    with_state = lambda state: {**extra, "state": state} if options.window else extra
    try:
        answer = post({"Records": records, **extra})
    except Exception:
        if tries >= options.retries:
            counts["dropped"] += len(records)
            return state
        if options.bisect and len(records) > 1:
            half = len(records) // 2
            state = run(records[:half], extra, tries + 1)
            return run(records[half:], with_state(state), tries + 1)
        time.sleep(0.2)
        return run(records, extra, tries + 1)
    state = answer.get("state", {})
    failed = first_failed(answer, records)
    if failed is None:
        counts["records"] += len(records)
        return state
    counts["records"] += failed
    if tries >= options.retries:
        counts["dropped"] += len(records) - failed
        return state
    return run(records[failed:], with_state(state), tries + 1)


class Shard:
    def __init__(self, name, parents):
        self.name, self.parents, self.window, self.state = name, parents, None, {}
        start = kinesis.get_shard_iterator(StreamName=options.stream, ShardId=name, ShardIteratorType="TRIM_HORIZON")
        self.iterator = start["ShardIterator"]

    def extra(self, final, early):
        return {
            "window": {"start": iso(self.window), "end": iso(self.window + options.window)},
            "state": self.state,
            "shardId": self.name,
            "eventSourceARN": ARN,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": early,
        }

    def close_window(self):
        counts["finals"] += 1
        run([], self.extra(True, False))
        self.window, self.state = None, {}

    def apply(self, records, all_before):
        if not options.window:
            if records:
                run(records, {})
            return
        while records:
            window = math.floor(arrival(records[0]) / options.window) * options.window
            if self.window is not None and window != self.window:
                self.close_window()
            self.window = window
            inside = lambda record: window <= arrival(record) < window + options.window
            end = next((at for at, record in enumerate(records) if not inside(record)), len(records))
            self.state = run(records[:end], self.extra(False, False))
            records = records[end:]
            if len(json.dumps(self.state)) > STATE_BYTES_MAX:
                counts["early"] += 1
                run([], self.extra(True, True))
                self.state = {}
        if self.window is not None and (all_before > self.window + options.window or not self.iterator):
            self.close_window()

    def poll(self):
        asked_at = time.time()
        batch = kinesis.get_records(ShardIterator=self.iterator, Limit=options.batch)
        self.iterator = batch.get("NextShardIterator")
        records = [event_record(self.name, record) for record in batch["Records"]]
        # All records that arrived before then have been read: a full batch may leave some, however
        # late it is by now. A second is for those still on their way.
        self.apply(records, asked_at - 1 if len(records) < options.batch else 0)


shards = {}
deadline = time.time() + options.seconds
while time.time() < deadline:
    for listed in kinesis.list_shards(StreamName=options.stream)["Shards"]:
        parents = [listed[key] for key in ("ParentShardId", "AdjacentParentShardId") if listed.get(key)]
        finished = all(parent not in shards or shards[parent].iterator is None for parent in parents)
        if listed["ShardId"] not in shards and finished:
            shards[listed["ShardId"]] = Shard(listed["ShardId"], parents)
    for shard in list(shards.values()):
        if shard.iterator:
            shard.poll()
    if options.records and counts["records"] >= options.records and all(shard.window is None for shard in shards.values()):
        break
    time.sleep(0.2)
print(json.dumps(counts))
sys.exit(1 if counts["dropped"] else 0)
