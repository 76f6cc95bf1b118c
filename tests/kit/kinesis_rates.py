#!/usr/bin/env python3
"""kinesis_rates.py STREAMGAUGE [RECORDS]: what a record costs `streamgauge kinesis` and `streamgauge put`, in CPU time of their own.

The Kinesis is a stub in this process that costs them nothing. To read, it has 4 shards, each with RECORDS records (default 250,000) of
100 bytes in pages of 10,000; it accepts every record that is put. Nothing is kept, checked or signed. Needs Python alone."""
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHARDS, PAGE = 4, 10_000
STREAMGAUGE = str(pathlib.Path(sys.argv[1]).resolve())
RECORDS = int(sys.argv[2]) if len(sys.argv) > 2 else 250_000
WIDTH = 2**128 // SHARDS
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
# The shards that were asked for what follows their last record, and the records that were put.
AT_END, ACCEPTED = set(), [0]


def line(number):
    """100 bytes."""
    return json.dumps({"ts": 1_700_000_000_000 + number, "country": "DE", "url": "/p%d" % (number % 1000)}).ljust(100).encode()


def page(first):
    numbers = range(first, min(first + PAGE, RECORDS))
    records = ({"Data": base64.b64encode(line(n)).decode(), "PartitionKey": "k%d" % n, "SequenceNumber": str(10**55 + n)} for n in numbers)
    return ",".join(map(json.dumps, records)).encode()


PAGES = [page(first) for first in range(0, RECORDS, PAGE)]


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = getattr(self, self.headers["X-Amz-Target"].split(".")[1])(body)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n" % len(answer)
        self.wfile.write(head.encode() + answer)

    def log_message(self, *_):
        pass

    def PutRecords(self, body):
        count = body.count(b'"PartitionKey"')
        ACCEPTED[0] += count
        taken = b'{"SequenceNumber":"1","ShardId":"shardId-000000000000"}'
        return b'{"FailedRecordCount":0,"Records":[' + b",".join([taken] * count) + b"]}"

    def ListShards(self, _):
        shards = []
        for index in range(SHARDS):
            hashes = {"StartingHashKey": str(index * WIDTH), "EndingHashKey": str((index + 1) * WIDTH - 1)}
            numbers = {"StartingSequenceNumber": "1"}
            shards.append({"ShardId": "shardId-%012d" % index, "HashKeyRange": hashes, "SequenceNumberRange": numbers})
        return json.dumps({"Shards": shards}).encode()

    def GetShardIterator(self, body):
        return json.dumps({"ShardIterator": json.loads(body)["ShardId"] + "/0"}).encode()

    def GetRecords(self, body):
        shard, at = json.loads(body)["ShardIterator"].split("/")
        at = int(at)
        if at == len(PAGES):
            AT_END.add(shard)
        records = PAGES[at] if at < len(PAGES) else b""
        behind = 0 if at + 1 >= len(PAGES) else 1000
        following = "%s/%d" % (shard, min(at + 1, len(PAGES)))
        return b'{"Records":[' + records + b'],"NextShardIterator":"%s","MillisBehindLatest":%d}' % (following.encode(), behind)


def measure(what, records, words, is_done=None):
    """Runs a command, tells it to end once it is done, and says what it took. Returns its standard output."""
    environment = {**os.environ, **KEYS}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen([STREAMGAUGE, *words], stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment)
        while is_done is not None and not is_done() and process.poll() is None:
            time.sleep(0.05)
        if is_done is not None:
            process.send_signal(signal.SIGINT)
        _, status, used = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        err.seek(0)
        out.seek(0)
        assert code == (0 if is_done is None else 130), f"{code}: {err.read().decode()}"
        seconds = used.ru_utime + used.ru_stime
        print(f"{what}: {records / seconds:,.0f} records per CPU second ({records:,} in {seconds:.2f} s)")
        return out.read()


def main():
    ThreadingHTTPServer.daemon_threads = True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = ("--stream", "clicks", "--endpoint", "http://127.0.0.1:%d" % server.server_port)
    query = ("--time", "ts", "--time-format", "ms", "--max-ahead", "off", "--window", "10m", "--group", "country", "--agg", "count, top(10, url)")
    reading = ("kinesis", *place, "--from", "trim", *query, "--quiet", "--output", "json")
    rows = measure("read", SHARDS * RECORDS, reading, lambda: len(AT_END) == SHARDS)
    counted = sum(json.loads(row)["count"] for row in rows.splitlines())
    assert counted == SHARDS * RECORDS, counted
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.writelines(line(number) + b"\n" for number in range(RECORDS))
        file.flush()
        for more in ([], ["--key", "url"], ["--key", "url", "--aggregate"]):
            ACCEPTED[0] = 0
            measure(" ".join(["put", *more]), RECORDS, ("put", *place, "--quiet", *more, file.name))
            assert "--aggregate" in more or ACCEPTED[0] == RECORDS, ACCEPTED


if __name__ == "__main__":
    main()
