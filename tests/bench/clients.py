"""Many clients at once to one receiver."""

import hashlib
import os
import select
import time

import data
import program
from process import Failed, Run
from table import median

MIB = 1 << 20
CLIENTS = 64


def clients(bench):
    size = bench.scaled(32 * MIB)
    sources = [data.big(f"{bench.new_folder('client')}/from {number:02}.bin", size, seed=number)
               for number in range(CLIENTS)]
    together = bench.new_folder("together")
    for source in sources:
        os.link(source, f"{together}/{os.path.basename(source)}")
    runs = bench.alternate("clients", CLIENTS * size, {
        "one client, the same files": lambda: program.send(bench, together, row="one of many", entries=CLIENTS),
        f"{CLIENTS} clients": lambda: _crowd(bench, sources),
    })
    alone, crowd = runs["one client, the same files"], runs[f"{CLIENTS} clients"]
    bench.table(f"{CLIENTS} clients at once, {size / MIB:g} MiB each (memory: the largest sender, the receiver)", runs, **{
        "first done, s": lambda found: f"{min(run.more['first'] for run in found):.2f}" if "first" in found[0].more else ""})
    bench.verdict("clients", f"{CLIENTS} clients: throughput ÷ one client's", median(alone) / median(crowd), must=0.8, goal=0.9,
                  least=True)
    # Of what all get together even the slowest has its part, by arithmetic: they end when it ends. So its share is
    # taken of what one client alone has.
    slowest = max(run.more["slowest"] for run in crowd)
    bench.verdict("clients_fair", f"the slowest of them ÷ a {CLIENTS}th of one client's throughput", median(alone) / slowest,
                  must=0.25, least=True)
    for source in sources:
        os.remove(source)
    data.remove(together)


def _crowd(bench, sources):
    folder = bench.new_folder("received")
    receiver = program.Receiver(bench, folder)
    datas = [bench.new_folder("sender") for _ in sources]
    begun = time.perf_counter()
    senders = [program.sending(bench, source, receiver.port, data=where) for source, where in zip(sources, datas)]
    # Woken by each end: whoever looks again and again takes from what is measured.
    left, ends = {os.pidfd_open(sender.pid): sender for sender in senders}, {}
    ended = select.poll()
    for handle in left:
        ended.register(handle, select.POLLIN)
    while left:
        seconds = 120 - (time.perf_counter() - begun)
        found = ended.poll(max(seconds, 0) * 1000)
        if not found:
            raise Failed("some clients do not end")
        for handle, _ in found:
            sender = left.pop(handle)
            ends[sender] = time.perf_counter() - begun
            ended.unregister(handle)
            os.close(handle)
    used = [sender.succeed() for sender in senders]
    used_there = receiver.process.end()
    for source in sources:
        target = f"{folder}/{os.path.basename(source)}"
        if _hash(source) != _hash(target):
            raise data.Differs(target)
        os.remove(target)
    first, last = min(ends.values()), max(ends.values())
    return Run(last, sum(one.cpu_s for one in used) + used_there.cpu_s, max(one.peak_mib for one in used),
               used_there.peak_mib, {"first": first, "slowest": last})


def _hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
