"""How soon a word gets through beside a large transfer: that it is cancelled, or a message."""

import os
import random
import signal
import threading
import time

import data
import program
from process import Failed, Run, wait_until

GIB = 1 << 30
TIMES = 20
MESSAGES = 40


def cancel(bench):
    source = _ten(bench)
    chance = random.Random(3)
    runs = {"the sender cancels": [], "the receiver cancels": []}
    for _ in range(max(3, bench.scaled(TIMES))):
        after = chance.uniform(0.05, 0.35)
        runs["the sender cancels"].append(_by_sender(bench, source, after))
        runs["the receiver cancels"].append(_by_receiver(bench, source, after))
    os.remove(source)
    worst = {name: _p99(found) for name, found in runs.items()}
    bench.table("From SIGINT on one side to the other side's word that it is cancelled, in a transfer of 10 GB", runs, **{
        "p99 ms": lambda found: f"{_p99(found):.0f}"})
    for name, milliseconds in worst.items():
        bench.verdict("cancel_" + name.split()[1], f"cancel, {name}, 99th percentile", milliseconds, " ms", must=250, goal=100)


def message(bench):
    source = _ten(bench)
    runs = []
    # A few for each transfer, so that not much of it has to be kept.
    while len(runs) < max(5, bench.scaled(MESSAGES)):
        folder, receiver, sender = _running(bench, source)
        drain = threading.Thread(target=lambda: [None for _ in sender], daemon=True)
        drain.start()
        for _ in range(10):
            begun = time.perf_counter()
            said = program.saying(bench, f"Number {len(runs)}", receiver.port, data=sender.data)
            said.succeed()
            runs.append(Run(time.perf_counter() - begun))
        if sender.process.ended():
            raise Failed("the transfer was over before the messages were")
        sender.process.send_signal(signal.SIGINT)
        sender.process.wait()
        drain.join()
        heard = sum(event["event"] == "message" for event in receiver.events())
        if heard != 10:
            raise Failed(f"{heard} messages of 10 were heard")
        _tidy(folder, receiver, sender)
    os.remove(source)
    bench.table("From starting `message` to its end, when it is kept at the other side, in a transfer of 10 GB to the same one",
                {"a message": runs}, **{"p99 ms": lambda found: f"{_p99(found):.0f}"})
    bench.verdict("message", "message, 99th percentile", _p99(runs), " ms", must=250, goal=100)


def _ten(bench):
    # Holes are read as zeros and travel like any content; 10 GB of it never get as far as the other disk.
    source = f"{bench.work}/ten.bin"
    with open(source, "wb") as file:
        file.truncate(10_000_000_000)
    return source


def _p99(runs):
    """Of fewer than a hundred it is the worst."""
    times = sorted(run.seconds * 1000 for run in runs)
    return times[min(len(times) - 1, int(len(times) * 0.99))]


def _running(bench, source):
    folder = bench.new_folder("received")
    receiver = program.Receiver(bench, folder, json_lines=True)
    sender = program.Lines(bench, source, receiver.port)
    sender.until("progress")
    return folder, receiver, sender


def _tidy(folder, receiver, sender):
    sender.process.end(signal.SIGINT)
    sender.process.popen.stdout.close()
    receiver.process.end(signal.SIGINT)
    data.remove(folder)


def _by_sender(bench, source, after):
    folder, receiver, sender = _running(bench, source)
    drain = threading.Thread(target=lambda: [None for _ in sender], daemon=True)
    drain.start()
    time.sleep(after)
    receiver.events()
    begun = time.perf_counter()
    sender.process.send_signal(signal.SIGINT)
    wait_until(lambda: _cancelled(receiver.events()), "the receiver to tell of it", every=0.001)
    seconds = time.perf_counter() - begun
    sender.process.wait()
    drain.join()
    _tidy(folder, receiver, sender)
    return Run(seconds)


def _by_receiver(bench, source, after):
    folder, receiver, sender = _running(bench, source)
    timer = threading.Timer(after, receiver.process.send_signal, (signal.SIGINT,))
    begun = time.perf_counter() + after
    timer.start()
    for line in sender:
        # A timer that comes a little late is to our disadvantage, by less than a millisecond.
        if _cancelled([line]):
            break
    else:
        raise Failed("the sender never told of it")
    seconds = time.perf_counter() - begun
    _tidy(folder, receiver, sender)
    return Run(seconds)


def _cancelled(events):
    return any(event["event"] == "transfer" and event["status"] in ("cancelled", "declined") for event in events)
