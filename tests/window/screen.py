"""A screen of our own: Xvfb, which keeps what is on it in a file (an XWD dump) that is read here."""

import atexit
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from picture import Picture  # noqa: E402
from process import Process  # noqa: E402

# What a window needs to find this screen, paint without a graphics card, and nothing else of who runs this.
SOFTWARE = {"LIBGL_ALWAYS_SOFTWARE": "1", "WAYLAND_DISPLAY": ""}


class Screen:
    def __init__(self, width, height):
        self.width, self.height = width, height
        self.folder = tempfile.mkdtemp(prefix="ropeway-screen-")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.process = Process(
            ["Xvfb", "-displayfd", "1", "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-fbdir", self.folder],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.display = f":{self.process.popen.stdout.readline().decode().strip()}"
        with open(f"{self.folder}/Xvfb_screen0", "rb") as file:
            self._dump = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        head = struct.unpack(">25I", self._dump[:100])
        self._line = head[12]
        self._pixels = head[0] + head[19] * 12

    @property
    def environment(self):
        return {"DISPLAY": self.display, **SOFTWARE}

    def pixel(self, x, y):
        """(red, green, blue)"""
        at = self._pixels + y * self._line + 4 * x
        blue, green, red = self._dump[at : at + 3]
        return red, green, blue

    def picture(self, x=0, y=0, width=None, height=None):
        x, y = max(x, 0), max(y, 0)
        width = min(width or self.width, self.width - x)
        height = min(height or self.height, self.height - y)
        rows = []
        for line in range(y, y + height):
            at = self._pixels + line * self._line + 4 * x
            part = self._dump[at : at + 4 * width]
            row = bytearray(3 * width)
            row[0::3], row[1::3], row[2::3] = part[2::4], part[1::4], part[0::4]
            rows.append(bytes(row))
        return Picture(width, height, rows)

    def end(self):
        self.process.end()
