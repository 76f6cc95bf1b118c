#!/usr/bin/env python3
"""local_lambda.py PORT OUTPUT [--lose N] [--restart N] -- COMMAND...

A Lambda on the loopback interface, between esm.py and a function: takes invocations on
http://127.0.0.1:PORT/2015-03-31/functions/NAME/invocations, one at a time, and hands them to COMMAND by the Runtime API on the same port.
COMMAND's standard output is appended to OUTPUT. --lose N: every Nth reply is lost on its way back (the caller gets a 500 after the function
has run). PORT 0: any; which one is printed. --restart N: the function's process is ended after every N invocations, so that the next one starts cold. Ends on TERM."""
import itertools
import json
import os
import queue
import signal
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
OUTPUT = ARGUMENTS[1]
option = lambda name: int(ARGUMENTS[ARGUMENTS.index(name) + 1]) if name in ARGUMENTS else 0
LOSE, RESTART = option("--lose"), option("--restart")
TIMEOUT_SECONDS = 60

one_at_a_time, invocations = threading.Lock(), itertools.count(1)
waiting, replies = queue.Queue(), {}
process, process_lock = None, threading.Lock()


def start():
    """Starts the function unless it runs."""
    global process
    with process_lock:
        if process is None or process.poll() is not None:
            environment = dict(
                os.environ,
                AWS_LAMBDA_RUNTIME_API="127.0.0.1:%d" % server.server_port,
                AWS_LAMBDA_FUNCTION_NAME="f",
                AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512",
                AWS_LAMBDA_FUNCTION_VERSION="$LATEST",
            )
            process = subprocess.Popen(COMMAND, env=environment, stdout=open(OUTPUT, "ab"))


def stop():
    global process
    with process_lock:
        if process is not None:
            process.kill()
            process.wait()
            process = None


def invoke(event):
    """The status and body of a reply."""
    start()
    request = str(uuid.uuid4())
    replies[request] = queue.Queue()
    waiting.put((request, event))
    try:
        kind, body = replies[request].get(timeout=TIMEOUT_SECONDS)
    except queue.Empty:
        stop()
        return 500, b'{"errorType":"Runtime.Timeout"}'
    number = next(invocations)
    if RESTART and number % RESTART == 0:
        stop()
    if LOSE and number % LOSE == 0:
        return 500, b'{"errorType":"Lost"}'
    return (200 if kind == "response" else 500), body


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
        mine = process
        while True:
            try:
                request, event = waiting.get(timeout=0.5)
                break
            except queue.Empty:
                if mine is not process:  # The process that asked is gone.
                    return
        if mine is not process:
            waiting.put((request, event))
            return
        self.reply(200, event, [
            ("Lambda-Runtime-Aws-Request-Id", request),
            ("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + TIMEOUT_SECONDS * 1000)),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f"),
        ])

    def do_POST(self):
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length is not None else chunked(self.rfile)
        if "/functions/" in self.path:
            with one_at_a_time:
                self.reply(*invoke(body))
            return
        request, kind = self.path.split("/")[-2:]
        self.reply(202)
        if request in replies:
            replies[request].put((kind, body))


def end(*_):
    stop()
    os._exit(0)


signal.signal(signal.SIGTERM, end)
server = ThreadingHTTPServer(("127.0.0.1", int(ARGUMENTS[0])), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
