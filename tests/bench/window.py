"""What the window costs: by itself, and a transfer into it against the same into a receiver without one.

The window runs on Xvfb, where a software renderer paints: more work than on a computer with a
graphics card. Both receivers are the same device, which knows the sender and takes what it sends.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "window"))

import data
import network
import program
from process import Failed, Process, Run, cpu_seconds, wait_until, which
from rivals import free_port, until_listening
from screen import Screen
from table import median

GIB, MIB = 1 << 30, 1 << 20
# As long as one is patient enough to see a slow leak of repaints.
REST_S = 30
STARTS = 9


def alone(bench):
    """Start, rest, and many small files: the numbers that a person notices without sending anything large."""
    if not which("Xvfb"):
        bench.note("alone: not measured, Xvfb is not installed")
        return
    stripped = f"{bench.work}/stripped"
    shutil.copy(bench.program, stripped)
    subprocess.run(["strip", stripped], check=True)
    bench.verdict("binary", "size of the program, stripped", os.path.getsize(stripped) / MIB, " MiB", must=25)
    os.remove(stripped)
    screen = Screen(1300, 900)
    try:
        _first_pictures(bench, screen)
        _at_rest(bench, screen)
        _many_files(bench, screen)
    except Failed as failure:
        bench.note(f"alone: not measured, {failure} (is it a build with a window?)")
    finally:
        screen.end()


def _first_pictures(bench, screen):
    """From starting the program until its picture is on the screen; the first start is not counted."""
    folder = bench.new_folder("start")
    seconds = []
    for _ in range(1 + STARTS):
        wait_until(lambda: _is_dark(screen), "an empty screen")
        begun = time.perf_counter()
        shown = _open(bench, folder, screen)
        try:
            wait_until(lambda: not _is_dark(screen), "the first picture", every=0.001)
            seconds.append(time.perf_counter() - begun)
        finally:
            shown.end()
    bench.say(f"first picture after {', '.join(f'{one:.3f}' for one in seconds)} s")
    bench.verdict("first-picture", f"first picture, median of {STARTS} warm starts",
                  statistics.median(seconds[1:]), " s", must=0.4)


def _is_dark(screen):
    return screen.pixel(5, 5) == (0, 0, 0)


def _at_rest(bench, screen):
    """With Receive on, in a network that it watches."""
    hosts = network.joined()
    if hosts is None:
        bench.note("alone: nobody to be found, since no network could be made")
    folder = bench.new_folder("rest")
    _settings(folder, bench.new_folder("received"), free_port())
    presence = {"ROPEWAY_PRESENCE": "visible" if hosts else "off"}
    shown = _open(bench, folder, screen, presence, hosts[0] if hosts else ())
    try:
        wait_until(lambda: not _is_dark(screen), "the first picture")
        # The first announcements come closer together, and fonts are looked for.
        wait_until(lambda: _is_idle(shown.pid, 3), "the window to come to rest", every=0.3)
        before = cpu_seconds(shown.pid)
        time.sleep(REST_S)
        used = cpu_seconds(shown.pid) - before
        resident, proportional = _memory(shown.pid)
        bench.verdict("rest-cpu", f"CPU at rest, of one core over {REST_S} s", 100 * used / REST_S, " %", must=0.5)
        bench.verdict("rest-memory", "memory at rest, resident", resident, " MiB", must=120)
        bench.verdict("rest-share", "memory at rest, shared pages by their share", proportional, " MiB")
    finally:
        shown.end()


def _many_files(bench, screen):
    receiver_data, sender_data, folder = _know_each_other(bench)
    count = bench.scaled(10_000)
    source = data.tree(f"{bench.work}/many", count, 4096)
    port = free_port()
    _settings(receiver_data, folder, port)
    shown = _open(bench, receiver_data, screen)
    try:
        until_listening(port)
        program.sending(bench, source, port, data=sender_data).succeed()
        bench.check_same(source, f"{folder}/{os.path.basename(source)}")
        bench.verdict("many-memory", f"memory, most while {count:,} files arrive", _most_memory(shown.pid), " MiB")
    finally:
        shown.end()
        data.remove(source)


def _memory(pid):
    """Resident, and with each page divided by how many have it, in MiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        fields = dict(line.split(":") for line in file.read().splitlines()[1:])
    return [int(fields[name].split()[0]) / 1024 for name in ("Rss", "Pss")]


def _most_memory(pid):
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file.read().splitlines())
    return int(fields["VmHWM"].split()[0]) / 1024


def window(bench):
    if not which("Xvfb"):
        bench.note("window: not measured, Xvfb is not installed")
        return
    receiver_data, sender_data, folder = _know_each_other(bench)
    source = data.big(f"{bench.work}/big.bin", bench.scaled(2 * GIB))
    screen = Screen(1600, 1000)
    try:
        with_window = lambda: _into_window(bench, source, folder, receiver_data, sender_data, screen)
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
        screen.end()
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


def _settings(receiver_data, folder, port):
    _write(f"{receiver_data}/settings.json",
           {"version": 1, "name": "window", "save_folder": folder, "port": port, "receive_on": True, "language": "english"})


def _open(bench, folder, screen, more=None, prefix=()):
    environment = {**screen.environment, "DBUS_SESSION_BUS_ADDRESS": "", "ROPEWAY_PRESENCE": "off", **(more or {})}
    return Process([bench.program, "--data-dir", folder], stderr=subprocess.DEVNULL, env=environment, prefix=prefix)


def _into_window(bench, source, folder, receiver_data, sender_data, screen):
    port = free_port()
    _settings(receiver_data, folder, port)
    shown = _open(bench, receiver_data, screen)
    try:
        until_listening(port)
        # Its first pictures are part of opening it.
        wait_until(lambda: _is_idle(shown.pid), "the window to come to rest", every=0.3)
        return _measure(bench, source, folder, port, sender_data, (shown.pid, screen.process.pid))
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
