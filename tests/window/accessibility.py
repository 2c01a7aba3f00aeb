"""What a screen reader sees of a program: its controls by role and name, over the accessibility bus.

Needs /usr/bin/python3 with the package python3-gi, dbus-daemon and at-spi2-core.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from process import Process, wait_until  # noqa: E402

# A session bus that starts nothing but the accessibility bus: no portal, no keyring, no notifications.
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={folder}</listen>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""
SERVICE = "/usr/share/dbus-1/services/org.a11y.Bus.service"

# The numbers of at-spi's roles and states (atspi-constants.h).
ROLES = {7: "check box", 16: "dialog", 23: "window", 29: "label", 32: "list item", 39: "panel", 42: "progress bar", 43: "button", 44: "radio button",
         61: "text", 62: "toggle", 73: "paragraph", 75: "application", 79: "entry", 88: "link", 130: "switch"}
CHECKED, ENABLED, FOCUSED, PRESSED = 4, 8, 12, 20


@dataclass(frozen=True)
class Node:
    """One control as it was when it was looked at."""

    path: str
    role: str
    name: str
    description: str
    states: int

    def has(self, state):
        return bool(self.states >> state & 1)

    @property
    def checked(self):
        return self.has(CHECKED) or self.has(PRESSED)

    @property
    def enabled(self):
        return self.has(ENABLED)

    def __str__(self):
        marks = (("on", self.checked), ("focused", self.has(FOCUSED)), ("disabled", not self.enabled))
        return f"{self.role}: {self.name!r}" + "".join(f" ({word})" for word, holds in marks if holds)


class Bus:
    """A session bus of our own and the accessibility bus that belongs to it."""

    def __init__(self, screen, folder):
        self.folder = tempfile.mkdtemp(dir=folder)
        os.mkdir(f"{self.folder}/services")
        with open(SERVICE) as service, open(f"{self.folder}/services/org.a11y.Bus.service", "w") as copy:
            for line in service:
                if line.startswith("Exec="):
                    # Somebody reads the screen: programs are asked to tell what they show.
                    line = f"{line.strip()} --a11y=1\n"
                # Started by the bus itself, not by a service manager.
                if not line.startswith("SystemdService"):
                    copy.write(line)
        with open(f"{self.folder}/bus.conf", "w") as config:
            config.write(CONFIG.format(folder=self.folder))
        self.process = Process(
            ["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--print-address"],
            env={**screen.environment, "XDG_RUNTIME_DIR": self.folder}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.address = self.process.popen.stdout.readline().decode().strip()
        address, = _call(_connect(self.address), "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress")
        self._bus = _connect(address)

    @property
    def environment(self):
        return {"DBUS_SESSION_BUS_ADDRESS": self.address, "XDG_RUNTIME_DIR": self.folder}

    def program(self, pid):
        """What the program with this number shows, as soon as it does."""
        return Program(self._bus, wait_until(lambda: self._find(pid), f"program {pid} on the accessibility bus", every=0.05))

    def _find(self, pid):
        try:
            programs, = _call(self._bus, "org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root",
                              "org.a11y.atspi.Accessible", "GetChildren")
            for name, _path in programs:
                if _call(self._bus, "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                         GLib.Variant("(s)", (name,))) == (pid,):
                    return name
        except GLib.Error:
            return None  # It comes or goes at this very moment.
        return None

    def end(self):
        self.process.end()


class Program:
    def __init__(self, bus, name):
        self._bus, self._name = bus, name

    def nodes(self):
        """All of them, in the order of the tree."""
        try:
            items, = self._call("/org/a11y/atspi/cache", "org.a11y.atspi.Cache", "GetItems")
        except GLib.Error:
            return []
        nodes, children = {}, {}
        for (_, path), _app, (_, parent), index, _count, _interfaces, name, role, description, states in items:
            low, high = (*states, 0)[:2]
            nodes[path] = Node(path, ROLES.get(role, f"role {role}"), name, description, low | high << 32)
            children.setdefault(parent, []).append((index, path))
        ordered, next_ones = [], ["/org/a11y/atspi/accessible/root"]
        while next_ones:
            path = next_ones.pop()
            if path in nodes:
                ordered.append(nodes.pop(path))
            next_ones.extend(child for _index, child in sorted(children.pop(path, []), reverse=True))
        return ordered

    def place(self, node):
        """(x, y, width, height) on the screen; None if it is gone or nowhere."""
        try:
            return self._call(node.path, "org.a11y.atspi.Component", "GetExtents", GLib.Variant("(u)", (0,)))[0]
        except GLib.Error:
            return None

    def text(self, node):
        """What stands in a field; None if it is gone."""
        try:
            return self._call(node.path, "org.a11y.atspi.Text", "GetText", GLib.Variant("(ii)", (0, -1)))[0]
        except GLib.Error:
            return None

    def _call(self, *arguments):
        return _call(self._bus, self._name, *arguments)


def _connect(address):
    flags = Gio.DBusConnectionFlags
    return Gio.DBusConnection.new_for_address_sync(
        address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)


def _call(bus, name, path, interface, method, arguments=None):
    return bus.call_sync(name, path, interface, method, arguments, None, Gio.DBusCallFlags.NONE, 10_000, None).unpack()
