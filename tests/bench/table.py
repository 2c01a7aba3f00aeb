"""Medians, the Markdown that is printed, and the check against what is expected."""

import dataclasses
import os
import resource
import statistics
from dataclasses import dataclass


def median(runs, field="seconds"):
    return statistics.median(getattr(run, field) for run in runs)


def best(runs, field="seconds"):
    return min(getattr(run, field) for run in runs)


def mib(peak):
    """What a child has used cannot be told from what this interpreter had when it began the child."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return "" if not peak else f"< {own:.0f}" if peak <= own else f"{peak:.0f}"


@dataclass
class Table:
    title: str
    runs: dict  # name → [Run]
    columns: dict  # further columns: name → function of a list of runs

    def markdown(self):
        lines = [f"**{self.title}**", "",
                 "| | s, median | min–max | CPU s | MiB, sender | receiver |" + "".join(f" {name} |" for name in self.columns),
                 "|---|---:|---:|---:|---:|---:|" + "---:|" * len(self.columns)]
        for name, runs in self.runs.items():
            times = [run.seconds for run in runs]
            digits = 2 if max(times) >= 0.5 else 3
            cells = [name, f"{statistics.median(times):.{digits}f}",
                     f"{min(times):.{digits}f}–{max(times):.{digits}f}" if len(times) > 1 else "",
                     f"{median(runs, 'cpu_s'):.2f}" if runs[0].cpu_s else "",
                     *(mib(max(getattr(run, side) for run in runs)) for side in ("sender", "receiver")),
                     *(column(runs) for column in self.columns.values())]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


@dataclass
class Verdict:
    """`measured` against two bounds. `least`: bounds are the least it may be, not the most."""

    key: str
    what: str
    measured: float
    unit: str = ""
    must: float | None = None
    goal: float | None = None
    least: bool = False

    def meets(self, bound):
        """As printed: what looks like the bound meets it."""
        shown = round(self.measured, self._digits())
        return shown >= bound if self.least else shown <= bound

    def _bound(self, bound):
        if bound is None:
            return ""
        return f"{'≥' if self.least else '≤'} {bound:g}{self.unit} {'✓' if self.meets(bound) else '✗'}"

    def _digits(self):
        return 0 if self.measured >= 100 else 1 if self.measured >= 20 else 2

    def _number(self):
        return f"{self.measured:.{self._digits()}f}{self.unit}"

    def line(self):
        return f"| {self.what} | {self._number()} | {self._bound(self.must)} | {self._bound(self.goal)} |"


def report(bench):
    commit = os.popen(f"git -C '{os.path.dirname(__file__)}' rev-parse --short HEAD 2>/dev/null").read().strip()
    scale = "" if bench.scale == 1 else f", sizes × {bench.scale:g}"
    lines = [f"{'Best' if bench.typical is best else 'Medians'} of {bench.rounds} rounds{scale}, {os.cpu_count()} cores, commit {commit or 'unknown'}.", "",
             "| work | measured | must | goal |", "|---|---:|---:|---:|",
             *(verdict.line() for verdict in bench.verdicts), ""]
    for table in bench.tables:
        lines += [table.markdown(), ""]
    lines += [f"- {note}" for note in bench.notes]
    return "\n".join(lines)


def as_json(bench):
    return {
        "scale": bench.scale,
        "verdicts": [dataclasses.asdict(verdict) for verdict in bench.verdicts],
        "tables": {table.title: {name: [dataclasses.asdict(run) for run in runs] for name, runs in table.runs.items()}
                   for table in bench.tables},
        "notes": bench.notes,
    }


def regressions(bench, expected):
    """The keys of ratios that are worse than `expected` by more than its factor. Times never count."""
    bad = []
    for key in expected["ratios"].keys() - {verdict.key for verdict in bench.verdicts}:
        bench.say(f"NOT CHECKED: {key}")
    for verdict in bench.verdicts:
        usual = expected["ratios"].get(verdict.key)
        if usual is None:
            continue
        times = usual / verdict.measured if verdict.least else verdict.measured / usual
        bench.say(f"{verdict.what}: {verdict.measured:.2f}, expected about {usual:.2f}"
                  + (", A REGRESSION" if times > expected["factor"] else ""))
        if times > expected["factor"]:
            bad.append(verdict.key)
    return bad
