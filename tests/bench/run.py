#!/usr/bin/env python3
"""Measures Ropeway beside what else carries files, row by row, and prints a Markdown table.

    cargo build --release --locked --no-default-features && tests/bench/run.py

Both sides run on this machine over loopback, all data is kept in memory (tmpfs), whole processes are
timed from start to finish of the user's wait, with fresh data folders, defaults, encryption and
checking on. Programs take turns within each round, since no machine is equally fast twice: compare
ratios of one run, never times of two. Before each measured run twice its data is touched and given
back. What arrived is compared with what was sent, outside the timed part.

Only the Python standard library is needed; a rival that is not installed is left out, and said.
"""

import argparse
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Nothing is left beside the sources.
sys.dont_write_bytecode = True

import data
import process
import rivals
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
# Row → module. Without --rows: all but the last three, which take long or need a display.
ROWS = {
    "big": "files", "tree": "files", "mixed": "files", "tiny": "files", "hundred": "files", "resume": "resume",
    "clients": "clients", "cancel": "cancel", "message": "cancel", "link": "link", "memory": "files", "window": "window",
    "alone": "window", "million": "files",
}
BY_DEFAULT = list(ROWS)[:-3]


class Bench:
    """What every row needs: the options, folders, the results."""

    def __init__(self, options, work):
        self.program = str(options.program)
        self.rounds, self.scale = options.rounds, options.scale
        self.rivals = options.rivals and options.rivals.split(",")
        # A gross regression shows in the best of some rounds, too; chance rarely does.
        self.typical = table.best if options.check else table.median
        self.work = work
        self.tables, self.verdicts, self.notes = [], [], []
        self._number = 0

    def new_folder(self, kind):
        self._number += 1
        folder = f"{self.work}/{self._number:04}-{kind}"
        os.mkdir(folder)
        return folder

    def scaled(self, size):
        return max(1, round(size * self.scale))

    def check_same(self, source, target):
        """Compares and removes what arrived."""
        data.same(source, target)
        data.remove(target)

    def compiled(self, name):
        program = f"{self.work}/{name}"
        if not os.path.exists(program):
            subprocess.run(["cc", "-O2", "-o", program, f"{HERE}/{name}.c"], check=True)
        return program

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            self.say(text)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def alternate(self, what, size, programs, rounds=None):
        """Runs each of `programs`, a dict from name to a function, once a round, in turns; returns
        the runs by name. A run of None is left out."""
        runs = {name: [] for name in programs}
        for number in range(rounds or self.rounds):
            for name, measure in programs.items():
                process.warm(2 * size)
                run = measure()
                if run is None:
                    continue
                runs[name].append(run)
                self.say(f"{what}, round {number + 1}: {name} {run.seconds:.3f} s, CPU {run.cpu_s:.2f} s")
        return {name: found for name, found in runs.items() if found}

    def table(self, title, runs, **columns):
        self.tables.append(table.Table(title, runs, columns))

    def verdict(self, *arguments, **more):
        verdict = table.Verdict(*arguments, **more)
        self.verdicts.append(verdict)
        self.say(verdict.line())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(BY_DEFAULT), help=f"of {','.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of sizes and numbers of files")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/ropeway")
    parser.add_argument("--rivals", help=f"only these, of {','.join(rivals.NEEDS)}")
    parser.add_argument("--folder", help="where files are kept; should be memory [default: /dev/shm if it is large enough]")
    parser.add_argument("--json", type=pathlib.Path, help="writes all runs and verdicts there")
    parser.add_argument("--check", action="store_true",
                        help="compares best times, and ends with 1 if a ratio is, twice, far worse than in expected.json")
    options = parser.parse_args()
    rows = options.rows.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        parser.error(f"no such row: {', '.join(unknown)}")
    if not options.program.exists():
        parser.error(f"{options.program} is not there; build it first")
    process.end_orderly_on_signals()
    bad = measure(options, rows)
    if options.check and bad:
        print("Once more, since a machine may have been busy.", file=sys.stderr)
        bad = [key for key in measure(options, rows) if key in bad]
    sys.exit(1 if options.check and bad else 0)


def measure(options, rows):
    """Prints the report; returns the keys of what is far worse than expected."""
    with tempfile.TemporaryDirectory(dir=options.folder or memory(options.scale), prefix="ropeway-bench-") as work:
        bench = Bench(options, work)
        for row in (row for row in ROWS if row in rows):
            getattr(importlib.import_module(ROWS[row]), row)(bench)
        print(table.report(bench), flush=True)
        if options.json:
            options.json.write_text(json.dumps(table.as_json(bench), indent=1) + "\n")
        return table.regressions(bench, json.loads((HERE / "expected.json").read_text())) if options.check else []


def memory(scale):
    needed = int(scale * (6 << 30))
    shared = pathlib.Path("/dev/shm")
    if shared.is_dir() and shutil.disk_usage(shared).free > needed:
        return shared
    return None


if __name__ == "__main__":
    main()
