"""Processes that are measured: wall time, CPU of all their children, greatest resident memory."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

MIB = 1 << 20
# Whatever is measured here takes seconds; what takes minutes hangs.
TOO_LONG_S = 240

# What has been started and not been waited for: ended with us, by its own number.
_running = {}


class Failed(Exception):
    """A program did not do what it should have done; the run has no time."""


@dataclass
class Used:
    """What a process and the children it waited for have used."""

    status: int
    cpu_s: float
    # Never below this interpreter's own: a child inherits the mark of what it was forked from.
    peak_mib: float


@dataclass
class Run:
    """One measured run. `sender` and `receiver` are peaks of memory in MiB."""

    seconds: float
    cpu_s: float = 0.0
    sender: float = 0.0
    receiver: float = 0.0
    more: dict = field(default_factory=dict)


class Process:
    def __init__(self, command, *, env=None, stdin=None, stdout=subprocess.DEVNULL, stderr=None, prefix=()):
        self.name = os.path.basename(command[0])
        environment = {**os.environ, **env} if env else None
        self.popen = subprocess.Popen(
            [*prefix, *command], env=environment, stdin=stdin or subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        self.pid = self.popen.pid
        self.used = None
        _running[self.pid] = self

    def wait(self, seconds=TOO_LONG_S):
        if self.used is None:
            watchdog = threading.Timer(seconds, os.kill, (self.pid, signal.SIGKILL))
            watchdog.daemon = True
            watchdog.start()
            _, status, usage = os.wait4(self.pid, 0)
            watchdog.cancel()
            _running.pop(self.pid, None)
            self.popen.returncode = os.waitstatus_to_exitcode(status)
            self.used = Used(self.popen.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        return self.used

    def succeed(self, seconds=TOO_LONG_S):
        used = self.wait(seconds)
        if used.status != 0:
            raise Failed(f"{self.name} ended with {used.status}")
        return used

    def ended(self):
        """Whether it has ended, without waiting for it."""
        return self.used is not None or os.waitid(
            os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def send_signal(self, number):
        if self.used is None:
            os.kill(self.pid, number)

    def end(self, number=signal.SIGTERM, seconds=20):
        self.send_signal(number)
        return self.wait(seconds)

    def end_idle(self, number=signal.SIGTERM):
        """Ends a daemon when it has waited for the children it had for us, so that their CPU counts."""
        wait_until(lambda: not children(self.pid), "children of a daemon to end")
        return self.end(number)


@atexit.register
def _end_all():
    for process in list(_running.values()):
        process.end(signal.SIGKILL)


def end_orderly_on_signals():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def read_bytes(pid):
    """Bytes that a process has read from files so far."""
    with open(f"/proc/{pid}/io") as file:
        return int(dict(line.split(": ") for line in file.read().splitlines())["rchar"])


def cpu_seconds(pid):
    """What a process that still runs has used so far, with the children it waited for."""
    with open(f"/proc/{pid}/stat") as file:
        times = file.read().rpartition(")")[2].split()[11:15]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def wait_until(condition, what, seconds=30, every=0.005):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failed(f"waited in vain for {what}")
        time.sleep(every)
    return value


def warm(size):
    """Touches so much memory and gives it back: what the host has taken from us comes at once, not
    page by page within what is measured."""
    code = "import mmap, sys; mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)"
    Process([sys.executable, "-c", code, str(max(int(size), MIB))]).wait()


def which(program):
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
