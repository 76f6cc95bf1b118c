#!/usr/bin/env python3
"""make_events.py COUNT FILE: a Lambda Kinesis event of COUNT clicks, always the same for the same COUNT (10000: 6.3 MB)."""
import base64
import json
import random
import sys

RANDOM = random.Random(42)
ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
PAGES = ["/home", "/cart", "/item/%d", "/search", "/login"]


def click(index):
    page = RANDOM.choice(PAGES)
    page = page % RANDOM.randint(1, 400) if "%d" in page else page
    user = "u%05d" % int(RANDOM.paretovariate(1.1) * 7 % 20000)
    fields = {"page": page, "user": user, "ms": 1700000000000 + index * 7, "ref": RANDOM.choice(["google", "direct", "mail"])}
    return json.dumps(fields, separators=(",", ":")).encode()


def record(index):
    sequence = str(49650000000000000000000000000000000000000000000000000000 + index * 1208925819614629174706176)
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "u%d" % (index % 997),
            "sequenceNumber": sequence,
            "data": base64.b64encode(click(index)).decode(),
            "approximateArrivalTimestamp": round(1700000000 + index * 0.001, 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000003:" + sequence,
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-kinesis-role",
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
    }


if len(sys.argv) != 3:
    sys.exit(__doc__)
with open(sys.argv[2], "w") as out:
    json.dump({"Records": [record(index) for index in range(int(sys.argv[1]))]}, out, separators=(",", ":"))
