#!/usr/bin/env python3
"""application_soak.py STREAMGAUGE: some workers of one application for a long time: 200 moves of leases, 20 kills and 5 reshards.

Records flow all the time. The partials of all shards, merged, must be what `streamgauge run` says of the same records, byte by byte.
Needs what setup.sh (python node) installs and start-kinesis.sh has started; run by scripts/test soak. About 15 minutes."""
import random
import time

import application_end_to_end as application
import kcl_end_to_end as kit

MOVES, KILLS, RESHARDS, WORKERS_MAX = 200, 20, 5, 3
RECORDS_PER_SECOND = 100
GIVE_UP_SECONDS = 45 * 60


class Watch:
    """Counts how often a lease gets another owner."""

    def __init__(self):
        self.owners, self.moves = {}, 0

    def look(self):
        for key, row in application.leases(application.NATIVE).items():
            owner = row.get("checkpointOwner", row.get("leaseOwner", {})).get("S")
            before = self.owners.get(key)
            if owner is None:
                continue
            self.moves += before not in (None, owner)
            self.owners[key] = owner


def reshard(choose):
    shards = sorted(kit.open_shards(), key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
    if len(shards) > 4:
        one = choose.randrange(len(shards) - 1)
        kit.KINESIS.merge_shards(StreamName=kit.STREAM, ShardToMerge=shards[one]["ShardId"], AdjacentShardToMerge=shards[one + 1]["ShardId"])
        kit.wait_for_stream()
    else:
        kit.split(choose.choice(shards))


def soak(workers):
    choose, watch, started, kills, reshards = random.Random(3), Watch(), 0, 0, 0
    lines = application.prepare(application.NATIVE, 120_000, 4)
    kit.PUT_SECONDS = len(lines) / RECORDS_PER_SECOND
    producer = kit.Producer(lines)
    producer.start()
    while watch.moves < MOVES or kills < KILLS or reshards < RESHARDS:
        live = [worker for worker in workers if worker.process.poll() is None]
        while len(live) < WORKERS_MAX:
            started += 1
            live.append(application.Worker(f"w{started}", application.command(f"w{started}", application.NATIVE)))
            workers.append(live[-1])
        end = time.monotonic() + 3 + 4 * choose.random()
        while time.monotonic() < end:
            watch.look()
            time.sleep(0.5)
        victim = choose.choice(live)
        if kills < KILLS and (kills * MOVES <= watch.moves * KILLS or choose.random() < 0.3):
            victim.kill()
            kills += 1
        else:
            victim.terminate()
        if reshards < RESHARDS and reshards * MOVES <= watch.moves * RESHARDS:
            reshard(choose)
            reshards += 1
        kit.say(f"{watch.moves} moves, {kills} kills, {reshards} reshards, {producer.sent} records")
    # The rest at once.
    kit.PUT_SECONDS = 0
    producer.wait_for(1)
    producer.join()
    workers.append(application.Worker("last", application.command("last", application.NATIVE)))
    application.wait_for_answers(application.NATIVE)
    kit.say(f"after {watch.moves} moves of leases, {kills} kills and {reshards} reshards nothing is missing, and nothing counts twice")


def main():
    application.begin()
    workers = []
    try:
        soak(workers)
    finally:
        for worker in workers:
            worker.stop()


if __name__ == "__main__":
    kit.run_test(main, application.RUN, GIVE_UP_SECONDS)
