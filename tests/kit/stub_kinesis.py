#!/usr/bin/env python3
"""stub_kinesis.py PORT [RECORDS]: a Kinesis that costs nothing, to measure what reading and putting cost on our side.

It accepts every record that is put. To read, it has a stream of 4 shards, each with RECORDS records (default 250,000) of 100 bytes, one
behind the other in pages of 10,000. Nothing is kept, checked or signed."""
import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHARDS, PAGE = 4, 10_000
RECORDS = int(sys.argv[2]) if len(sys.argv) > 2 else 250_000
WIDTH = 2**128 // SHARDS


def shard(index):
    hashes = {"StartingHashKey": str(index * WIDTH), "EndingHashKey": str((index + 1) * WIDTH - 1)}
    return {"ShardId": "shardId-%012d" % index, "HashKeyRange": hashes, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}


def record(number):
    data = json.dumps({"ts": 1_700_000_000_000 + number, "country": "DE", "url": "/p%d" % (number % 1000)}).ljust(100).encode()
    return {"Data": base64.b64encode(data).decode(), "PartitionKey": "k%d" % number, "SequenceNumber": str(10**55 + number)}


def page(first):
    return ",".join(json.dumps(record(number)) for number in range(first, min(first + PAGE, RECORDS))).encode()


PAGES = [page(first) for first in range(0, RECORDS, PAGE)]


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = getattr(self, self.headers["X-Amz-Target"].split(".")[1])(body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

    def PutRecords(self, body):
        taken = b'{"SequenceNumber":"1","ShardId":"shardId-000000000000"}'
        return b'{"FailedRecordCount":0,"Records":[' + b",".join([taken] * body.count(b'"PartitionKey"')) + b"]}"

    def ListShards(self, _):
        return json.dumps({"Shards": [shard(index) for index in range(SHARDS)]}).encode()

    def GetShardIterator(self, body):
        return b'{"ShardIterator":"0"}'

    def GetRecords(self, body):
        at = int(json.loads(body)["ShardIterator"])
        records = PAGES[at] if at < len(PAGES) else b""
        behind = 0 if at + 1 >= len(PAGES) else 1000
        return b'{"Records":[' + records + b'],"NextShardIterator":"%d","MillisBehindLatest":%d}' % (min(at + 1, len(PAGES)), behind)


if __name__ == "__main__":
    ThreadingHTTPServer.daemon_threads = True
    print("ready", flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stub).serve_forever()
