"""A transfer that is killed at half and run again: what travels twice, and how long the rest takes."""

import os
import re
import signal
import subprocess
import time

import data
import program
import rivals
from process import Failed, Run, children, read_bytes, wait_until
from table import median

GIB = 1 << 30
MIB = 1 << 20


def resume(bench):
    size = bench.scaled(2 * GIB)
    source = data.big(f"{bench.work}/big.bin", size)
    runs = bench.alternate("resume", size, {
        "rsync --append-verify": lambda: _rsync(bench, source, size),
        "**ropeway**, sender killed": lambda: _ropeway(bench, source, size, both=False),
        "**ropeway**, both killed": lambda: _ropeway(bench, source, size, both=True),
    })
    bench.table(f"{size / GIB:.2g} GiB killed at half: the second run (CPU, memory: of its sender)", runs, **{
        "most MiB twice": lambda found: f"{max(run.more['twice'] for run in found) / MIB:.1f}"})
    ours = [run for name in runs if "ropeway" in name for run in runs[name]]
    bound = 16 + 0.01 * size / MIB
    bench.verdict("resume_twice", "killed at half: sent twice, at most", max(run.more["twice"] for run in ours) / MIB,
                  " MiB", must=round(bound, 1))
    if rsync := runs.get("rsync --append-verify"):
        for name in ("sender", "both"):
            bench.verdict(f"resume_{name}", f"{name} killed, the second run: time ÷ rsync --append-verify",
                          median(runs[f"**ropeway**, {name} killed"]) / median(rsync), goal=1.0)
    os.remove(source)


def _ropeway(bench, source, size, both):
    folder, sender_data = bench.new_folder("received"), bench.new_folder("sender")
    receiver = program.Receiver(bench, folder)
    first = program.Lines(bench, source, receiver.port, data=sender_data)
    for line in first:
        if line["event"] == "progress" and line["bytes"] >= size / 2:
            break
    # What it has read is at least what it has sent; after SIGKILL nobody could tell any more.
    first.process.send_signal(signal.SIGSTOP)
    sent_before = read_bytes(first.process.pid)
    first.kill()
    if both:
        receiver.process.end(signal.SIGKILL)
        begun = time.perf_counter()
        receiver = program.Receiver(bench, folder, data=receiver.data, listen=f"127.0.0.1:{receiver.port}")
    else:
        begun = time.perf_counter()
    second = program.Lines(bench, source, receiver.port, data=sender_data)
    ended = second.until("transfer")
    for _line in second:
        pass
    used = second.process.succeed()
    seconds = time.perf_counter() - begun
    receiver.process.end()
    bench.check_same(source, f"{folder}/{os.path.basename(source)}")
    if sent_before >= size:
        raise Failed("the first run was over before it could be killed")
    # Content it began with, such as its own libraries, is part of what was read: some KiB, to our disadvantage.
    return Run(seconds, used.cpu_s, used.peak_mib, more={"twice": max(0, sent_before + ended["sent_bytes"] - size)})


def _rsync(bench, source, size):
    if rivals.missing("rsync_daemon"):
        return None
    target = bench.new_folder("rsync")
    copy = f"{target}/{os.path.basename(source)}"
    daemon = rivals.RsyncDaemon(bench, target)
    try:
        first = daemon.send(source, "--append-verify")
        wait_until(lambda: os.path.exists(copy) and os.path.getsize(copy) >= size / 2, "half of it", every=0.001)
        first.send_signal(signal.SIGSTOP)
        sent_before = read_bytes(first.pid)
        first.end(signal.SIGKILL)
        wait_until(lambda: not children(daemon.process.pid), "the daemon to notice")
        begun = time.perf_counter()
        second = daemon.send(source, "--append-verify", "--stats", stdout=subprocess.PIPE)
        said = second.popen.stdout.read().decode()
        used = second.succeed()
        seconds = time.perf_counter() - begun
    finally:
        daemon.end()
    bench.check_same(source, copy)
    sent = int(re.search(r"Literal data: ([\d,]+)", said)[1].replace(",", ""))
    return Run(seconds, used.cpu_s, used.peak_mib, more={"twice": max(0, sent_before + sent - size)})
