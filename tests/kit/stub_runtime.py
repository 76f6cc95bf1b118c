#!/usr/bin/env python3
"""stub_runtime.py EVENT.json COUNT [--replies FILE] -- COMMAND...

A stand-in for Lambda's Runtime API on the loopback interface: starts COMMAND with AWS_LAMBDA_RUNTIME_API, feeds it the event COUNT
times, and prints times and the last reply as JSON. With --replies each reply goes to FILE, one JSON object a line.
COMMAND's standard output goes to standard error."""
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if "--" not in sys.argv or sys.argv.index("--") < 3:
    sys.exit(__doc__)
SPLIT = sys.argv.index("--")
ARGUMENTS, COMMAND = sys.argv[1:SPLIT], sys.argv[SPLIT + 1:]
REPLIES = open(ARGUMENTS[ARGUMENTS.index("--replies") + 1], "w") if "--replies" in ARGUMENTS else None
with open(ARGUMENTS[0], "rb") as file:
    EVENT = file.read()
COUNT = int(ARGUMENTS[1])
KEPT_BYTES = 600
done = threading.Event()
first_next, sent_at, sent, times, last = None, None, 0, [], None


def chunked(stream):
    body = b""
    while (size := int(stream.readline().split(b";")[0], 16)) > 0:
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, code, body=b'{"status":"OK"}', headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):  # /2018-06-01/runtime/invocation/next
        global first_next, sent, sent_at
        first_next = first_next or time.perf_counter()
        if sent >= COUNT:
            done.set()
            time.sleep(3600)
            return
        sent += 1
        sent_at = time.perf_counter()
        self.reply(200, EVENT, [
            ("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4())),
            ("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 900_000)),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f"),
            ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"),
        ])

    def do_POST(self):  # .../invocation/{id}/response or /error, /runtime/init/error
        global last
        elapsed = time.perf_counter() - sent_at if sent_at else 0
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length is not None else chunked(self.rfile)
        text = body.decode(errors="replace")
        times.append(elapsed * 1000)
        last = (self.path.split("/")[-1], text[:KEPT_BYTES])
        if REPLIES:
            REPLIES.write(json.dumps({"kind": last[0], "body": text}) + "\n")
        self.reply(202)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
environment = dict(
    os.environ,
    AWS_LAMBDA_RUNTIME_API="127.0.0.1:%d" % server.server_port,
    AWS_LAMBDA_FUNCTION_NAME="f",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512",
    AWS_LAMBDA_FUNCTION_VERSION="$LATEST",
    AWS_LAMBDA_LOG_GROUP_NAME="/aws/lambda/f",
    AWS_LAMBDA_LOG_STREAM_NAME="s",
    AWS_REGION="us-east-1",
    LAMBDA_TASK_ROOT=os.getcwd(),
    _HANDLER=os.environ.get("_HANDLER", "handler.handler"),
)
started = time.perf_counter()
process = subprocess.Popen(COMMAND, env=environment, stdout=sys.stderr)
while not done.wait(0.2):
    if process.poll() is not None:
        break
code = process.poll()
process.kill()
process.wait()
if REPLIES:
    REPLIES.close()
warm = times[1:] or times
rounded = lambda value: round(value, 1)
print(json.dumps({
    "command": os.path.basename(COMMAND[0]),
    "event_bytes": len(EVENT),
    "exit_code": code,
    "init_ms": rounded((first_next - started) * 1000) if first_next else None,
    "first_ms": rounded(times[0]) if times else None,
    "warm_median_ms": rounded(statistics.median(warm)) if warm else None,
    "warm_min_ms": rounded(min(warm)) if warm else None,
    "warm_max_ms": rounded(max(warm)) if warm else None,
    "invocations": len(times),
    "last_reply": last,
}), flush=True)
os._exit(0 if len(times) == COUNT else 1)
