"""A transfer into a window against the same into a receiver without one.

The window runs on Xvfb, where a software renderer paints: more work than on a computer with a
graphics card. Both receivers are the same device, which knows the sender and takes what it sends.
"""

import json
import os
import subprocess
import time

import data
import program
from process import Failed, Process, Run, cpu_seconds, wait_until, which
from rivals import free_port, until_listening
from table import median

GIB = 1 << 30


def window(bench):
    if not which("Xvfb"):
        bench.note("window: not measured, Xvfb is not installed")
        return
    receiver_data, sender_data, folder = _know_each_other(bench)
    source = data.big(f"{bench.work}/big.bin", bench.scaled(2 * GIB))
    xvfb = Process(["Xvfb", "-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"], stdout=subprocess.PIPE,
                   stderr=subprocess.DEVNULL)
    display = f":{xvfb.popen.stdout.readline().decode().strip()}"
    try:
        with_window = lambda: _into_window(bench, source, folder, receiver_data, sender_data, display, xvfb.pid)
        # A build without a window says so at once, before anything is measured.
        with_window()
        runs = bench.alternate("window", data.size_of(source), {
            "receiver headless": lambda: _headless(bench, source, folder, receiver_data, sender_data),
            "receiver with its window open": with_window,
        })
        bench.table(f"{bench.scaled(2 * GIB) / GIB:.2g} GiB, window painted in software (CPU with the display's)", runs)
        headless, shown = (median(found) for found in runs.values())
        bench.verdict("window", "window open: time ÷ headless", shown / headless, must=1.10, goal=1.05)
    except Failed as failure:
        bench.note(f"window: not measured, {failure} (is it a build with a window?)")
    finally:
        xvfb.end()
        os.remove(source)


def _know_each_other(bench):
    """Two data folders that remember each other; the receiver's has a rule to accept, and is switched on."""
    folder, sender_data = bench.new_folder("received"), bench.new_folder("sender")
    note = data.big(f"{bench.new_folder('note')}/note", 1000)
    receiver = program.Receiver(bench, folder, "--once", "--pair")
    program.sending(bench, note, receiver.port, "--pair", data=sender_data).succeed()
    receiver.process.succeed()
    known = f"{receiver.data}/known.json"
    with open(known) as file:
        content = json.load(file)
    for device in content["devices"]:
        device["rule"] = {"accept": {"folder": folder, "max_bytes": None}}
    _write(known, content)
    return receiver.data, sender_data, folder


def _write(path, content):
    with open(path, "w") as file:
        json.dump(content, file)
    os.chmod(path, 0o600)


def _into_window(bench, source, folder, receiver_data, sender_data, display, xvfb):
    port = free_port()
    _write(f"{receiver_data}/settings.json",
           {"version": 1, "name": "window", "save_folder": folder, "port": port, "receive_on": True, "language": "english"})
    shown = Process([bench.program, "--data-dir", receiver_data], stderr=subprocess.DEVNULL,
                    env={"DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1", "WAYLAND_DISPLAY": ""})
    try:
        until_listening(port)
        # Its first pictures are part of opening it.
        wait_until(lambda: _is_idle(shown.pid), "the window to come to rest", every=0.3)
        return _measure(bench, source, folder, port, sender_data, (shown.pid, xvfb))
    finally:
        shown.end()


def _headless(bench, source, folder, receiver_data, sender_data):
    receiver = program.Receiver(bench, folder, "--allow", "paired", data=receiver_data)
    try:
        return _measure(bench, source, folder, receiver.port, sender_data, (receiver.process.pid,))
    finally:
        receiver.process.end()


def _measure(bench, source, folder, port, sender_data, pids):
    before = sum(map(cpu_seconds, pids))
    begun = time.perf_counter()
    used = program.sending(bench, source, port, data=sender_data).succeed()
    seconds = time.perf_counter() - begun
    cpu_there = sum(map(cpu_seconds, pids)) - before
    bench.check_same(source, f"{folder}/{os.path.basename(source)}")
    return Run(seconds, used.cpu_s + cpu_there, used.peak_mib)


def _is_idle(pid, window_s=0.5):
    before = cpu_seconds(pid)
    time.sleep(window_s)
    return cpu_seconds(pid) - before <= 0.02
