"""Windows of the program on a screen of our own, used as a person uses them: looked at, clicked, typed into."""

import os
import re
import subprocess
import sys

from accessibility import FOCUSED, Bus
from screen import Screen

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from process import Failed, Process, wait_until  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
# Whatever is waited for here comes within a second or two, where nothing else runs.
PATIENCE_S = 30
# How often something is pressed until it does something.
TRIES = 5
# What can be pressed.
PRESSED = ("button", "check box", "link", "list item", "radio button", "switch", "toggle")


def words(key):
    """What the window says in English: scripts that use it go on when the words change."""
    if not _WORDS:
        folder = os.path.join(ROOT, "src", "gui", "texts")
        for path in sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names):
            if os.path.basename(path).startswith("en") or os.path.basename(os.path.dirname(path)) == "en":
                with open(path) as file:
                    for name, text in re.findall(r'^\s+(\w+):\s*"((?:[^"\\]|\\.)*)",', file.read(), re.M):
                        _WORDS.setdefault(name, text.replace('\\"', '"'))
    return _WORDS[key]


_WORDS = {}


class Desktop:
    """A screen with a window manager, and a bus over which its programs tell what they show."""

    def __init__(self, width, height, folder):
        self.screen = Screen(width, height)
        self.manager = Process(["openbox", "--sm-disable"], env={**self.screen.environment, "HOME": folder},
                               stderr=subprocess.DEVNULL)
        self.bus = Bus(self.screen, folder)

    def xdotool(self, *arguments):
        environment = {**os.environ, **self.screen.environment}
        done = subprocess.run(["xdotool", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise Failed(f"xdotool {arguments}: {done.stderr.strip()}")
        return done.stdout.strip()

    def end(self):
        for process in (self.bus, self.manager, self.screen):
            process.end()


class Window:
    """One run of the program with its window, at a place on the desktop."""

    def __init__(self, desktop, command, place, home, prefix=(), environment=None):
        self.desktop = desktop
        with open(f"{home}/stderr", "wb") as stderr:
            self.process = Process(
                command, prefix=prefix, stderr=stderr,
                env={**desktop.screen.environment, **desktop.bus.environment, "HOME": home, "LANG": "C.UTF-8", **(environment or {})})
        self.name = os.path.basename(home)
        self.program = desktop.bus.program(self.process.pid)
        self.id = wait_until(self._find, f"the window of {self.name}", every=0.05)
        x, y, width, height = place
        desktop.xdotool("windowsize", self.id, width, height, "windowmove", self.id, x, y)

    def _find(self):
        try:
            return self.desktop.xdotool("search", "--onlyvisible", "--pid", self.process.pid).split("\n")[0]
        except Failed:
            return None

    def find(self, name, roles=None, enabled=None):
        """The first control of that name, a text or a pattern; None if there is none now."""
        for node in self.program.nodes():
            matches = node.name == name if isinstance(name, str) else name.search(node.name)
            if matches and (roles is None or node.role in roles) and (enabled is None or node.enabled == enabled):
                return node
        return None

    def wait(self, name, roles=None, enabled=None):
        return self.until(lambda: self.find(name, roles, enabled), f"“{_shown(name)}”")

    def until(self, condition, what):
        def going_on():
            if self.process.ended():
                raise Failed(f"{self.name} has ended while it was waited for {what}")
            return condition()

        return wait_until(going_on, f"{what} at {self.name}", seconds=PATIENCE_S, every=0.04)

    def click(self, name, roles=PRESSED, done=None):
        """Presses it, and once more if nothing comes of it: the window may have moved it from under the pointer.

        Something has come of it when `done` says so, or when the control looks different or is gone.
        """
        before = None
        for _ in range(TRIES):
            before, (x, y, width, height) = self._resting(name, roles)
            self.desktop.xdotool("mousemove", "--sync", x + width // 2, y + height // 2, "click", 1)
            try:
                return wait_until(done or (lambda: self._changed(before, name, roles)), "a click to count",
                                  seconds=PATIENCE_S / TRIES, every=0.04)
            except Failed:
                print(f"“{_shown(name)}” at {self.name} is pressed once more", file=sys.stderr)
        raise Failed(f"pressing “{_shown(name)}” at {self.name} does nothing")

    def _changed(self, before, name, roles):
        now = self.find(name, roles)
        return now is None or (now.enabled, now.checked) != (before.enabled, before.checked)

    def _resting(self, name, roles):
        """The control and where it is, as soon as nothing moves it any more."""
        seen = []

        def rests():
            node = self.find(name, roles, enabled=True)
            place = node and self.program.place(node)
            seen.append(place and (node, place))
            last = seen[-3:]
            return last[-1] if len(last) == 3 and last[0] and last[0] == last[1] == last[2] else None

        return self.until(rests, f"“{_shown(name)}” to be pressed")

    def type(self, name, text, roles=("entry", "text")):
        def has_keyboard():
            field = self.find(name, roles)
            return field is not None and field.has(FOCUSED)

        self.click(name, roles, done=has_keyboard)
        self.desktop.xdotool("type", "--delay", 5, text)
        self.until(lambda: (field := self.find(name, roles)) and self.program.text(field) == text, f"“{text}” in “{name}”")

    def keys(self, *keys):
        self.desktop.xdotool("windowactivate", "--sync", self.id, "key", "--delay", 5, *keys)

    def tree(self):
        return "\n".join(map(str, self.program.nodes()))

    def end(self):
        """As a person closes it."""
        self.desktop.xdotool("windowclose", self.id)
        return self.process.wait(PATIENCE_S)


def _shown(name):
    return name if isinstance(name, str) else name.pattern
