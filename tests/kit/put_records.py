#!/usr/bin/env python3
"""Streams and records in the local Kinesis ($KINESIS, default http://127.0.0.1:4568).

put_records.py create STREAM SHARDS
put_records.py put STREAM DATA...              one record each, partition key "pk"
put_records.py many STREAM COUNT               {"page": "/p<i mod 50>", "i": i}, partition key "k<i>"
put_records.py agg STREAM COUNT                the same, aggregated as the KPL does it
put_records.py file STREAM FILE                a record a line, partition key = the line's index
put_records.py split STREAM SHARD [HASH_KEY]
put_records.py merge STREAM SHARD SHARD
put_records.py shards STREAM
put_records.py dump STREAM                    a JSON line a record: shard, sequence, arrival in ms, data as JSON; by shard and place"""
import json
import os
import sys

import boto3

KINESIS = boto3.client(
    "kinesis",
    endpoint_url=os.environ.get("KINESIS", "http://127.0.0.1:4568"),
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)


def click(index):
    return json.dumps({"page": "/p%d" % (index % 50), "i": index}).encode()


def put_all(stream, records):
    """500 records a call; those that failed are sent again, and no others."""
    sent = 0
    while records:
        batch, records = records[:500], records[500:]
        reply = KINESIS.put_records(StreamName=stream, Records=batch)
        failed = [record for record, result in zip(batch, reply["Records"]) if "ErrorCode" in result]
        sent += len(batch) - len(failed)
        records = failed + records
    print("sent", sent)


def create(stream, shards):
    KINESIS.create_stream(StreamName=stream, ShardCount=int(shards))
    KINESIS.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def put(stream, *payloads):
    for data in payloads:
        print(KINESIS.put_record(StreamName=stream, PartitionKey="pk", Data=data.encode())["SequenceNumber"])


def many(stream, count):
    put_all(stream, [{"PartitionKey": "k%d" % index, "Data": click(index)} for index in range(int(count))])


def agg(stream, count):
    from aws_kinesis_agg.aggregator import RecordAggregator

    aggregator, aggregates = RecordAggregator(), []
    for index in range(int(count)):
        if full := aggregator.add_user_record("u%d" % (index % 10), click(index)):
            aggregates.append(full)
    aggregates.append(aggregator.clear_and_get())
    for aggregate in aggregates:
        key, hash_key, data = aggregate.get_contents()
        explicit = {"ExplicitHashKey": hash_key} if hash_key else {}
        print(KINESIS.put_record(StreamName=stream, PartitionKey=key, Data=data, **explicit)["SequenceNumber"], len(data))


def file(stream, path):
    with open(path, "rb") as lines:
        put_all(stream, [{"PartitionKey": str(index), "Data": line.rstrip(b"\n")} for index, line in enumerate(lines)])


def split(stream, shard, hash_key=str(2**127)):
    KINESIS.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=hash_key)


def merge(stream, shard, other):
    KINESIS.merge_shards(StreamName=stream, ShardToMerge=shard, AdjacentShardToMerge=other)


def shards(stream):
    for shard in KINESIS.list_shards(StreamName=stream)["Shards"]:
        print(shard["ShardId"], shard.get("ParentShardId"), shard["HashKeyRange"], shard["SequenceNumberRange"])


def dump(stream):
    for shard in KINESIS.list_shards(StreamName=stream)["Shards"]:
        name = shard["ShardId"]
        iterator = KINESIS.get_shard_iterator(StreamName=stream, ShardId=name, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while iterator:
            batch = KINESIS.get_records(ShardIterator=iterator, Limit=10_000)
            for record in batch["Records"]:
                arrival = round(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
                print(json.dumps({"shard": name, "sequence": record["SequenceNumber"], "arrival": arrival, "data": json.loads(record["Data"])}))
            iterator = batch.get("NextShardIterator") if batch["Records"] or batch.get("MillisBehindLatest") else None


COMMANDS = {f.__name__: f for f in (create, put, many, agg, file, split, merge, shards, dump)}
if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
    sys.exit(__doc__)
COMMANDS[sys.argv[1]](*sys.argv[2:])
