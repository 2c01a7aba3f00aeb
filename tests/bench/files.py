"""The rows that send files from one new device to another one, beside what else sends them."""

import os
import statistics
import subprocess
import time

import data
import program
import rivals
from process import Process, Run, warm
from table import median

GIB = 1 << 30


def _side_by_side(bench, row, title, source, names, entries=1, rounds=None):
    """Measures the rivals `names` and Ropeway; returns medians of seconds and the runs, by name."""
    size = data.size_of(source)
    programs = {label: (lambda rival=rival: rivals.run(rival, bench, source)) for label, rival in names.items()
                if not bench.rivals or rival in bench.rivals}
    programs["**ropeway**"] = lambda: program.send(bench, source, row=row, entries=entries)
    runs = bench.alternate(row, size, programs, rounds)
    if names:
        first = next(iter(runs.values()))
        first_name = next(iter(runs))
        bench.table(title, runs, **{f"{first_name} ÷ this": lambda found: f"{median(first) / median(found):.2f}"})
    return runs


def _ratio(bench, runs, key, what, rival, field="seconds", inverse=False, **bounds):
    if rival not in runs:
        if not bench.rivals:
            bench.note(f"{what}: not measured, {rival} is missing")
        return
    own, other = bench.typical(runs["**ropeway**"], field), bench.typical(runs[rival], field)
    bench.verdict(key, what, other / own if inverse else own / other, **bounds)


def big(bench):
    source = data.big(f"{bench.work}/big.bin", bench.scaled(2 * GIB))
    names = {"raw": "raw", "https nginx → curl": "https", "rsync over ssh": "rsync_ssh", "rsync daemon": "rsync_daemon",
             "tar over a socket": "tar", "tar over socat": "socat"}
    runs = _side_by_side(bench, "big", f"One file of {bench.scaled(2 * GIB) / GIB:.2g} GiB", source, names)
    _ratio(bench, runs, "big_https", "one big file: time ÷ https", "https nginx → curl", must=1.0)
    _ratio(bench, runs, "big_raw", "one big file: speed ÷ raw", "raw", inverse=True, goal=0.75, least=True)
    _ratio(bench, runs, "big_cpu", "CPU for it ÷ raw", "raw", "cpu_s", must=2.0, goal=1.6)
    os.remove(source)


def tree(bench):
    count = bench.scaled(10_000)
    source = data.tree(f"{bench.work}/tree", count, 4096)
    names = {"tar over a socket": "tar", "rsync over ssh": "rsync_ssh", "rsync daemon": "rsync_daemon", "framed": "framed"}
    runs = _side_by_side(bench, "tree", f"{count:,} files of 4 KiB, nested", source, names, count)
    _ratio(bench, runs, "tree_rsync", "tree: speed ÷ rsync over ssh", "rsync over ssh", inverse=True, must=2, least=True)
    _ratio(bench, runs, "tree_tar", "tree: time ÷ tar", "tar over a socket", goal=2.5)
    data.remove(source)


def mixed(bench):
    source = data.mixed(f"{bench.work}/mixed", bench.scaled(GIB))
    names = {"https nginx → curl": "https", "https, 8 at once": "https_8", "tar over a socket": "tar",
             "rsync over ssh": "rsync_ssh", "framed": "framed"}
    title = f"{data.MIXED_FILES:,} mixed files, {bench.scaled(GIB) / GIB:.2g} GiB in all"
    runs = _side_by_side(bench, "mixed", title, source, names, data.MIXED_FILES)
    _ratio(bench, runs, "mixed_https", "mixed: time ÷ https", "https nginx → curl", must=1.0)
    _ratio(bench, runs, "mixed_https_8", "mixed: time ÷ https, 8 at once", "https, 8 at once")
    _ratio(bench, runs, "mixed_tar", "mixed: time ÷ tar", "tar over a socket", goal=0.9)
    data.remove(source)


def tiny(bench):
    """The receiver is running and the sender's folder exists, as on any day but the first."""
    folder = bench.new_folder("received")
    receiver = program.Receiver(bench, folder)
    sender_data = bench.new_folder("sender")
    source = f"{bench.new_folder('tiny')}/note.txt"
    runs = []
    for number in range(21):
        data.big(source, 1024, seed=number)
        begun = time.perf_counter()
        used = program.sending(bench, source, receiver.port, data=sender_data).succeed()
        seconds = time.perf_counter() - begun
        bench.check_same(source, f"{folder}/note.txt")
        # The first one makes the sender's key.
        if number:
            runs.append(Run(seconds, used.cpu_s, used.peak_mib, 0.0))
    receiver.process.end()
    others = bench.alternate("tiny", 1, {"https nginx → curl": lambda: rivals.run("https", bench, source),
                                         "rsync over ssh": lambda: rivals.run("rsync_ssh", bench, source)}, rounds=5)
    bench.table("One file of 1 KiB, passphrase, receiver running (CPU of the sender alone)", {"**ropeway**": runs, **others})
    milliseconds = statistics.median(run.seconds for run in runs) * 1000
    bench.verdict("tiny", "one 1 KiB file, `send` from start to exit", milliseconds, " ms", must=50, goal=20)


def hundred(bench):
    few, many = bench.scaled(10_000), bench.scaled(100_000)
    source_few = data.tree(f"{bench.work}/few", few, 1024)
    source_many = data.tree(f"{bench.work}/many", many, 1024)
    runs = bench.alternate("hundred", many * 4096, {
        f"{few:,} × 1 KiB": lambda: program.send(bench, source_few, row="hundred", entries=few),
        f"{many:,} × 1 KiB": lambda: program.send(bench, source_many, row="hundred", entries=many),
    })
    bench.table("Ten times as many files", runs, **{
        "µs a file": lambda found: f"{median(found) * 1e6 / (few if found is list(runs.values())[0] else many):.1f}"})
    a, b = (median(found) for found in runs.values())
    bench.verdict("hundred", "100,000 × 1 KiB: time ÷ that of 10,000", b / a, must=11, goal=10)
    data.remove(source_few)
    data.remove(source_many)


def memory(bench):
    """What the rows of this run took; on its own, one big file and many small ones are sent for it."""
    if not program.peaks:
        source = data.big(f"{bench.work}/big.bin", bench.scaled(2 * GIB))
        warm(2 * data.size_of(source))
        program.send(bench, source, row="big")
        os.remove(source)
        count = bench.scaled(100_000)
        source = data.tree(f"{bench.work}/many", count, 1024)
        program.send(bench, source, row="hundred", entries=count)
        data.remove(source)
    for side, column in ("sender", 2), ("receiver", 3):
        worst = max((peak for peak in program.peaks if peak[1] <= 200_000), key=lambda peak: peak[column])
        bench.verdict(f"memory_{side}", f"most memory of the {side} (row {worst[0]}, {worst[1]:,} entries)", worst[column],
                      " MiB", must=64, goal=40)


def million(bench):
    count = bench.scaled(1_000_000)
    source = data.tree(f"{bench.work}/million", count, 0)
    run = program.send(bench, source, row="million", entries=count)
    bench.table(f"{count:,} empty files", {"**ropeway**": [run]})
    for side in "sender", "receiver":
        bench.verdict(f"million_{side}", f"{count:,} entries: most memory of the {side}", getattr(run, side), " MiB",
                      must=256)
    data.remove(source)
