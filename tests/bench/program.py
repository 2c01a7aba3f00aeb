"""Ropeway itself, driven from outside as a person's script would."""

import json
import os
import re
import signal
import subprocess
import time

from process import Failed, Process, Run, wait_until

PASSPHRASE = {"ROPEWAY_CODE": "correct horse battery"}
# Every measured run adds what it took: (row, entries, sender MiB, receiver MiB).
peaks = []


class Receiver:
    """A receiving device that takes whatever is offered. `prefix` may put it into a namespace."""

    def __init__(self, bench, folder, *more, data=None, json_lines=False, prefix=(), listen="127.0.0.1:0"):
        os.makedirs(folder, exist_ok=True)
        self.data = data or bench.new_folder("receiver")
        self.json_lines = json_lines
        # Not a pipe: nobody reads it while it is measured, and a full one would hold the receiver up.
        self.log = f"{bench.new_folder('log')}/lines"
        command = [bench.program, "receive", "--accept", "all", "--listen", listen, "--dir", folder,
                   "--data-dir", self.data, *(["--json"] if json_lines else []), *more]
        with open(self.log, "wb") as log:
            self.process = Process(command, env=PASSPHRASE, stdout=log, prefix=prefix)
        self.port = wait_until(self._port, "the receiver to listen")
        self._read = 0

    def _port(self):
        with open(self.log) as log:
            text = log.read()
        found = re.search(r'"port":(\d+).*\n' if self.json_lines else r"Address .*:(\d+)\n", text)
        if not found and self.process.ended():
            raise Failed("the receiver ended at once")
        return found and found[1]

    def events(self):
        """The JSON lines that are new since the last call."""
        with open(self.log, "rb") as log:
            log.seek(self._read)
            whole = log.read()
        whole = whole[:whole.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


def sending(bench, source, port, *more, data=None, host="127.0.0.1", stdout=subprocess.DEVNULL, prefix=()):
    command = [bench.program, "send", source, "--to", f"{host}:{port}",
               "--data-dir", data or bench.new_folder("sender"), *more]
    return Process(command, env=PASSPHRASE, stdout=stdout, prefix=prefix)


def saying(bench, text, port, *, data, host="127.0.0.1"):
    command = [bench.program, "message", text, "--to", f"{host}:{port}", "--data-dir", data]
    return Process(command, env=PASSPHRASE, stdout=subprocess.DEVNULL)


def send(bench, source, *, row, entries=1, receiver_prefix=(), sender_prefix=(), host="127.0.0.1"):
    """One transfer between two new devices, from starting `send` to its exit; what arrived is compared."""
    folder = bench.new_folder("received")
    receiver = Receiver(bench, folder, "--once", prefix=receiver_prefix, listen=f"{host}:0")
    begun = time.perf_counter()
    sender = sending(bench, source, receiver.port, host=host, prefix=sender_prefix)
    used = sender.succeed()
    seconds = time.perf_counter() - begun
    used_there = receiver.process.succeed()
    peaks.append((row, entries, used.peak_mib, used_there.peak_mib))
    bench.check_same(source, f"{folder}/{os.path.basename(source)}")
    return Run(seconds, used.cpu_s + used_there.cpu_s, used.peak_mib, used_there.peak_mib)


class Lines:
    """A sender with --json whose lines are read as they come."""

    def __init__(self, bench, source, port, *more, **where):
        self.data = where.pop("data", None) or bench.new_folder("sender")
        self.process = sending(bench, source, port, "--json", *more, data=self.data, stdout=subprocess.PIPE, **where)

    def __iter__(self):
        for line in self.process.popen.stdout:
            yield json.loads(line)

    def until(self, event, seconds=60):
        end = time.monotonic() + seconds
        for line in self:
            if line["event"] == event:
                return line
            if time.monotonic() > end:
                break
        raise Failed(f"the sender never said {event}")

    def kill(self):
        self.process.end(signal.SIGKILL)
        self.process.popen.stdout.close()
