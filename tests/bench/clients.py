"""Many clients at once to one receiver."""

import hashlib
import os
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
        f"{CLIENTS} clients": lambda: _crowd(bench, sources, size),
    })
    crowd = runs[f"{CLIENTS} clients"]
    bench.table(f"{CLIENTS} clients at once, {size / MIB:g} MiB each (memory: the largest sender, the receiver)", runs, **{
        "slowest ÷ fair share": lambda found: _of(found, "fair"),
        "furthest behind ÷ mean, when the first was done": lambda found: _of(found, "behind")})
    ratio = median(runs["one client, the same files"]) / median(crowd)
    bench.verdict("clients", f"{CLIENTS} clients: throughput ÷ one client's", ratio, must=0.8, goal=0.9, least=True)
    bench.verdict("clients_fair", "the slowest of them ÷ fair share", min(run.more["fair"] for run in crowd), must=0.25,
                  least=True)
    for source in sources:
        os.remove(source)
    data.remove(together)


def _of(runs, what):
    return f"{min(run.more[what] for run in runs):.2f}" if what in runs[0].more else ""


def _crowd(bench, sources, size):
    """The fair share is a client's part of what all get together. Who is served last and who is served
    slowly take the same time, so it is also told how far each was when the first one was done."""
    folder = bench.new_folder("received")
    receiver = program.Receiver(bench, folder, json_lines=True)
    datas = [bench.new_folder("sender") for _ in sources]
    begun = time.perf_counter()
    senders = [program.sending(bench, source, receiver.port, data=where) for source, where in zip(sources, datas)]
    left, ends, used = set(senders), {}, []
    while left:
        for sender in [sender for sender in left if sender.ended()]:
            ends[sender] = time.perf_counter() - begun
            used.append(sender.succeed())
            left.remove(sender)
        time.sleep(0.005)
        if time.perf_counter() - begun > 120:
            raise Failed("some clients do not end")
    seconds = max(ends.values())
    used_there = receiver.process.end()
    fair = size * len(sources) / seconds / len(sources)
    slowest = min(size / end for end in ends.values())
    for source in sources:
        target = f"{folder}/{os.path.basename(source)}"
        if _hash(source) != _hash(target):
            raise data.Differs(target)
        os.remove(target)
    program.peaks.append((f"{len(sources)} clients", len(sources), max(one.peak_mib for one in used), used_there.peak_mib))
    return Run(seconds, sum(one.cpu_s for one in used) + used_there.cpu_s, max(one.peak_mib for one in used),
               used_there.peak_mib, {"fair": slowest / fair, "behind": _behind(receiver.events(), size, len(sources))})


def _behind(events, size, count):
    """How far the one furthest behind was, against the mean of all, when the first one was done."""
    done = {}
    for event in events:
        if event["event"] == "progress":
            done[event["transfer"]] = event["bytes"]
            if event["bytes"] >= size:
                break
    return min([*done.values(), *([0] if len(done) < count else [])]) / (sum(done.values()) / count or 1)


def _hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
