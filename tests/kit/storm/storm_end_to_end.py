#!/usr/bin/env python3
"""storm_end_to_end.py STREAMGAUGE: lines through `streamgauge storm` as a bolt of a real Storm. The process is killed with -9 in the middle,
Storm's own process ends with it, and a new one replays what was not acked. The rows are those of `streamgauge run` over the lines."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

if len(sys.argv) != 2:
    sys.exit(__doc__)
GAUGE = os.path.abspath(sys.argv[1])
HERE = pathlib.Path(__file__).parent
FOLDER = pathlib.Path(os.environ["RUN_DIR"]) / "storm"
LINES, KILL_AT = 30_000, 3000
START = 1_700_000_000_000
PIPELINE = 'time = "ts"\nwindow = "10s"\nmax_delay = "1m"\ngroup = "page"\nagg = "count, sum(n) as n, top(2, user)"\n'

shutil.rmtree(FOLDER, ignore_errors=True)
FOLDER.mkdir(parents=True)
pipeline, lines, rows = FOLDER / "pages.toml", FOLDER / "lines.jsonl", FOLDER / "rows.jsonl"
acked, log, state = FOLDER / "rows.jsonl.acked", FOLDER / "rows.jsonl.log", FOLDER / "state"
pipeline.write_text(PIPELINE)
with open(lines, "w") as file:
    for i in range(LINES):
        file.write(json.dumps({"ts": START + 50 * i, "page": f"/{i % 3}", "n": i, "user": f"u{i % 7}"}) + "\n")
    # The last line completes the windows of all others.
    file.write(json.dumps({"ts": START + 10_000_000, "page": "/end", "n": 1, "user": "u"}) + "\n")


def count(path):
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def wait(what, condition, process, seconds=400):
    end = time.time() + seconds
    while not condition():
        if time.time() > end or process.poll() is not None:
            print(log.read_text(errors="replace")[-3000:], file=sys.stderr)
            sys.exit(f"it did not come in time: {what}")
        time.sleep(0.02)


def topology():
    command = [HERE / "start-topology.sh", lines, rows, GAUGE, "storm", "--pipeline", pipeline, "--state", state, "--payload", "line", "--id", "id"]
    return subprocess.Popen([str(part) for part in command], start_new_session=True)


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task")
    return [int(child) for task in path.iterdir() for child in (task / "children").read_text().split()]


def result(*arguments):
    return subprocess.run([GAUGE, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.splitlines()


began = time.time()
storm = topology()
try:
    wait("tuples", lambda: count(acked) >= KILL_AT, storm)
    java = int((FOLDER / "rows.jsonl.pid").read_text())
    (child,) = [pid for pid in children(java) if GAUGE in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(child, signal.SIGKILL)
    print(f"{time.time() - began:.0f} s: killed the process of the bolt after {count(acked)} of {LINES + 1} lines")
    wait("Storm to see it", lambda: "ShellBolt died" in log.read_text(errors="replace"), storm)
    # In local mode Storm's process ends itself some 18 s later.
    os.kill(java, signal.SIGKILL)
    storm.wait()
    before = count(acked)
    assert before < LINES, "it was killed too late to show anything"
    storm = topology()
    code = storm.wait()
    assert code == 0, f"the topology ended with {code}: {log.read_text(errors='replace')[-3000:]}"
finally:
    if storm.poll() is None:
        os.killpg(storm.pid, signal.SIGKILL)
print(f"{time.time() - began:.0f} s: {LINES + 1 - before} lines were acked by the second one")

written = rows.read_text().splitlines()
open_windows = [line.replace(',"complete":false', "") for line in result("finish", "--pipeline", pipeline, "--state", state)]
found = sorted(set(written)) + open_windows
expected = result("run", "--pipeline", pipeline, "--output", "json", lines)
assert len(open_windows) == 1 and sorted(found) == sorted(expected), (found[:3], expected[:3], len(found), len(expected))
print(f"{len(expected)} rows, {len(written) - len(set(written))} of them twice, as those of one run over the lines")
