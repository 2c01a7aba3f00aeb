#!/usr/bin/env python3
"""Times Ropeway over loopback against a plain TCP copy, in the same run, and prints the ratio.

    cargo build --release && tests/bench/loopback.py [--gib 1] [--rounds 3] [--program PATH]

Both move one file of random bytes from memory (tmpfs) to memory, in two processes, timed from the
sender's start to its end. The plain copy is a read/write loop with buffers of 1 MiB, without
encryption, without a hash: the floor that nothing encrypted can beat. Rounds alternate and the
medians are compared, since the same machine is never equally fast twice. The received file is
compared with the sent one after each round.
"""

import argparse
import filecmp
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BUFFER = 1 << 20
ROOT = pathlib.Path(__file__).resolve().parents[2]


def plain_receive(path):
    """Says its port on stdout, then takes one connection's bytes into the file."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    buffer = memoryview(bytearray(BUFFER))
    with connection, open(path, "wb", buffering=0) as file:
        while count := connection.recv_into(buffer):
            file.write(buffer[:count])


def plain_send(path, port):
    buffer = memoryview(bytearray(BUFFER))
    with socket.create_connection(("127.0.0.1", port)) as connection, open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            connection.sendall(buffer[:count])
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def time_plain(source, target):
    me = [sys.executable, __file__]
    receiver = subprocess.Popen([*me, "--plain-receive", target], stdout=subprocess.PIPE, text=True)
    port = receiver.stdout.readline().strip()
    begun = time.perf_counter()
    subprocess.run([*me, "--plain-send", source, port], check=True)
    receiver.wait()
    return time.perf_counter() - begun


def time_ropeway(program, source, folder):
    """Returns seconds, and the greatest resident memory of sender and receiver in MiB."""
    secret = {**os.environ, "ROPEWAY_CODE": "correct horse battery"}
    with tempfile.TemporaryDirectory() as data:
        receiver = subprocess.Popen(
            [program, "receive", "--once", "--accept", "all", "--json", "--listen", "127.0.0.1:0",
             "--dir", folder, "--data-dir", f"{data}/receiver"],
            stdout=subprocess.PIPE, text=True, env=secret)
        listening = json.loads(receiver.stdout.readline())
        assert listening["event"] == "listening", listening
        begun = time.perf_counter()
        sender = subprocess.Popen(
            [program, "send", source, "--to", f"127.0.0.1:{listening['port']}", "--json",
             "--data-dir", f"{data}/sender"],
            stdout=subprocess.DEVNULL, env=secret)
        _, status, used = os.wait4(sender.pid, 0)
        seconds = time.perf_counter() - begun
        sender.returncode = os.waitstatus_to_exitcode(status)
        receiver.stdout.read()
        _, received, used_there = os.wait4(receiver.pid, 0)
        receiver.returncode = os.waitstatus_to_exitcode(received)
        assert sender.returncode == 0 and receiver.returncode == 0, "the transfer failed"
        return seconds, used.ru_maxrss / 1024, used_there.ru_maxrss / 1024


def make_source(path, size):
    # A megabyte that never repeats the one before it: as good as random, and quick to make.
    block = bytearray(os.urandom(BUFFER))
    with open(path, "wb") as file:
        for number in range(size // BUFFER):
            block[:8] = number.to_bytes(8, "big")
            file.write(block)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--gib", type=float, default=1)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--program", default=ROOT / "target/release/ropeway")
    arguments.add_argument("--folder", default="/dev/shm", help="where files are kept; should be memory")
    options = arguments.parse_args()
    plain, ropeway, memory = [], [], []
    with tempfile.TemporaryDirectory(dir=options.folder) as work:
        source, folder = f"{work}/source.bin", f"{work}/received"
        make_source(source, int(options.gib * (1 << 30)))
        os.mkdir(folder)
        for round_number in range(1, options.rounds + 1):
            target = f"{work}/plain.bin"
            plain.append(time_plain(source, target))
            assert filecmp.cmp(source, target, shallow=False), "the plain copy differs"
            os.remove(target)
            seconds, *used = time_ropeway(str(options.program), source, folder)
            assert filecmp.cmp(source, f"{folder}/source.bin", shallow=False), "the file differs"
            os.remove(f"{folder}/source.bin")
            ropeway.append(seconds)
            memory.append(used)
            print(f"round {round_number}: plain {plain[-1]:.2f} s, ropeway {seconds:.2f} s", flush=True)
    one, other = statistics.median(plain), statistics.median(ropeway)
    print(f"median of {options.rounds}, {options.gib:g} GiB: plain {one:.2f} s, ropeway {other:.2f} s")
    sender, receiver = (max(column) for column in zip(*memory))
    print(f"most memory: sender {sender:.0f} MiB, receiver {receiver:.0f} MiB")
    print(f"ratio plain / ropeway: {one / other:.2f}")


if len(sys.argv) == 3 and sys.argv[1] == "--plain-receive":
    plain_receive(sys.argv[2])
elif len(sys.argv) == 4 and sys.argv[1] == "--plain-send":
    plain_send(sys.argv[2], int(sys.argv[3]))
else:
    main()
