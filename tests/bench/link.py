"""A long, fast, lossy line: 1 Gbit/s, 40 ms, 0.1 % loss, between two network namespaces.

`linkemu.c` joins them, since not every kernel has netem. Needs root: namespaces, a TUN device, and
leave for the namespace to use cubic, which is given back.
"""

import os
import pathlib
import threading

import data
import program
import rivals
from process import Process, wait_until, which
from table import median

MIB = 1 << 20
MBIT, ROUND_TRIP_MS, LOSS = 1000, 40, 0.001
SENDER, RECEIVER = "10.83.0.1", "10.83.0.2"
ALLOWED = pathlib.Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
# What one plain stream carries in some seconds.
SIZES = {"bbr": 192 * MIB, "cubic": 16 * MIB}


def link(bench):
    lacking = [name for name in ("unshare", "nsenter", "ip", "cc") if not which(name)]
    if os.geteuid() != 0 or lacking or not os.path.exists("/dev/net/tun"):
        bench.note(f"link: not measured, it needs root, /dev/net/tun, {', '.join(lacking) or 'namespaces'}")
        return
    allowed = ALLOWED.read_text()
    try:
        for control in SIZES:
            if control not in ALLOWED.read_text().split():
                _allow(f"{ALLOWED.read_text().strip()} {control}")
            _measure(bench, control)
    finally:
        if ALLOWED.read_text() != allowed:
            _allow(allowed.strip())


def _allow(words):
    # Through /bin/sh: Python closes a file of /proc with a second, empty write.
    Process(["sh", "-c", f"echo {words} >{ALLOWED}"]).succeed()


def _measure(bench, control):
    sides = [Process(["unshare", "--net", "sleep", "1000"]) for _ in range(2)]
    own = os.readlink("/proc/self/ns/net")
    for side in sides:
        wait_until(lambda: os.readlink(f"/proc/{side.pid}/ns/net") != own, "a network namespace")
    within = [("nsenter", f"--net=/proc/{side.pid}/ns/net", "--") for side in sides]
    emulator = Process([bench.compiled("linkemu"), str(MBIT), str(ROUND_TRIP_MS), str(LOSS), *(str(side.pid) for side in sides)])
    try:
        for prefix, address in zip(within, (SENDER, RECEIVER)):
            for command in (f"ip address add {address}/24 dev ft0", "ip link set dev ft0 up", "ip link set dev lo up"):
                wait_until(lambda: Process(command.split(), prefix=prefix, stderr=-3).wait().status == 0, command)
        Process(["sh", "-c", f"echo {control} >/proc/sys/net/ipv4/tcp_congestion_control"], prefix=within[0]).succeed()
        _compare(bench, control, sides, within)
    finally:
        for process in (emulator, *sides):
            process.end()


def _compare(bench, control, sides, within):
    size = bench.scaled(SIZES[control])
    source = data.big(f"{bench.work}/line.bin", size)
    where = {"sender_prefix": within[0], "receiver_prefix": within[1], "host": RECEIVER}
    connections = []
    runs = bench.alternate(f"link, {control}", size, {
        "one plain stream": lambda: rivals.raw(bench, source, **where),
        "**ropeway**": lambda: _counting(sides[0], connections, lambda: program.send(bench, source, row="link", **where)),
    })
    rates = {name: size * 8 / 1e6 / median(found) for name, found in runs.items()}
    bench.table(f"{MBIT / 1000:g} Gbit/s, {ROUND_TRIP_MS} ms, {LOSS:.1%} loss, {control}, {size / MIB:.0f} MiB", runs, **{
        "Mbit/s": lambda found: f"{size * 8 / 1e6 / median(found):.0f}",
        "connections": lambda found: str(connections[-1]) if found is runs["**ropeway**"] and connections else "1"})
    ratio = rates["**ropeway**"] / rates["one plain stream"]
    bench.verdict(f"link_{control}", f"link, {control}: speed ÷ one plain stream", ratio, must=2,
                  goal=5 if control == "cubic" else None, least=True)
    if control == "bbr":
        bench.verdict("link_share", "link, bbr: share of the line", rates["**ropeway**"] / MBIT, goal=0.7, least=True)
    if connections:
        bench.verdict(f"link_{control}_connections", f"link, {control}: connections at once", max(connections), must=8)
    os.remove(source)


def _counting(side, connections, measure):
    """Runs `measure` and notes the most connections that were established at once meanwhile."""
    over, most = threading.Event(), [0]

    def count():
        while not over.wait(0.1):
            with open(f"/proc/{side.pid}/net/tcp") as table:
                most[0] = max(most[0], sum(line.split()[3] == "01" for line in list(table)[1:]))
    counter = threading.Thread(target=count)
    counter.start()
    try:
        return measure()
    finally:
        over.set()
        counter.join()
        connections.append(most[0])
