#!/usr/bin/env python3
"""A MultiLangDaemon child that keeps a transcript: every line in and out goes to $PROC_LOG_DIR/<pid>.jsonl.

Records whose data is JSON {"do": X} make it do X (see ODD). Otherwise it takes one checkpoint a batch.
Options: --ckpt-in-init, --no-end-ckpt, --ckpt-in-lost."""
import base64
import json
import os
import sys
import time

FOLDER = os.environ.get("PROC_LOG_DIR", "proc")
os.makedirs(FOLDER, exist_ok=True)
LOG = open(f"{FOLDER}/{os.getpid()}.jsonl", "a", buffering=1)
LINE_KEPT_MAX = 20_000


def log(direction, line):
    kept = line if len(line) < LINE_KEPT_MAX else line[:2000] + "...CUT"
    LOG.write(json.dumps({"t": round(time.time(), 3), "dir": direction, "len": len(line), "line": kept}) + "\n")


def read():
    line = sys.stdin.readline()
    if line == "":
        log("eof", "")
        return None
    log("daemon", line.rstrip("\n"))
    return json.loads(line)


def say(line):
    log("child", line)
    sys.stdout.write("\n" + line + "\n")
    sys.stdout.flush()


def checkpoint(sequence=None, sub=None):
    say(json.dumps({"action": "checkpoint", "sequenceNumber": sequence, "subSequenceNumber": sub}))
    return read()


def bare_checkpoint():
    say(json.dumps({"action": "checkpoint"}))
    return read()


def noise():
    for line in ("this is not json {", '{"action":"nonsense"}', '"a string"', '{"responseFor":"processRecords"}'):
        say(line)


def die():
    log("exit", "3")
    os._exit(3)


automatic = True


def set_automatic(value):
    global automatic
    automatic = value


ODD = {
    "ckpt_null": lambda r: checkpoint(),
    "ckpt_omit": lambda r: bare_checkpoint(),
    "ckpt_bad": lambda r: checkpoint("not-a-number"),
    "ckpt_future": lambda r: checkpoint(str(int(r["sequenceNumber"]) + 10**30)),
    "ckpt_old": lambda r: checkpoint("1"),
    "ckpt_seq": lambda r: checkpoint(r["sequenceNumber"]),
    "ckpt_sub": lambda r: checkpoint(r["sequenceNumber"], r.get("subSequenceNumber") or 0),
    "noise": lambda r: noise(),
    "null": lambda r: say("null"),
    "wrong_status": lambda r: say(json.dumps({"action": "status", "responseFor": "initialize"})),
    "stderr": lambda r: print("hello from stderr", file=sys.stderr, flush=True),
    "die": lambda r: die(),
    "sleep15": lambda r: time.sleep(15),
    "auto_off": lambda r: set_automatic(False),
    "auto_on": lambda r: set_automatic(True),
}


def process(records):
    for record in records:
        try:
            data = json.loads(base64.b64decode(record["data"]))
        except ValueError:
            continue
        if isinstance(data, dict) and data.get("do") in ODD:
            ODD[data["do"]](record)
    if automatic and records:
        checkpoint(records[-1]["sequenceNumber"], records[-1].get("subSequenceNumber"))


log("start", json.dumps({"argv": sys.argv}))
while (message := read()) is not None:
    action = message["action"]
    if action == "processRecords":
        process(message["records"])
    elif action == "initialize" and "--ckpt-in-init" in sys.argv:
        checkpoint("0")
    elif action == "shardEnded" and "--no-end-ckpt" not in sys.argv:
        checkpoint()
    elif action == "shutdownRequested":
        checkpoint()
    elif action == "leaseLost" and "--ckpt-in-lost" in sys.argv:
        checkpoint()
    say(json.dumps({"action": "status", "responseFor": action}))
log("exit", "0")
