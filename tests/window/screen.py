"""A screen of our own: Xvfb, and pictures of what is on it, without any other program.

Xvfb keeps its picture in a file (an XWD dump), which is read here and written as PNG.
"""

import atexit
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
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


class Picture:
    """Rows of red, green, blue."""

    def __init__(self, width, height, rows):
        self.width, self.height, self.rows = width, height, rows

    def save(self, path):
        # Each row as the difference to the one above, which is small where areas are plain.
        above = bytes(3 * self.width)
        lines = bytearray()
        for row in self.rows:
            lines.append(2)
            lines += bytes((here - there) & 255 for here, there in zip(row, above))
            above = row
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n")
            for kind, content in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(lines), 9)), (b"IEND", b"")):
                file.write(struct.pack(">I", len(content)) + kind + content)
                file.write(struct.pack(">I", zlib.crc32(kind + content)))

    @classmethod
    def load(cls, path):
        """Of those that `save` has written."""
        with open(path, "rb") as file:
            content = file.read()
        at, packed = 8, b""
        while at < len(content):
            length, kind = struct.unpack(">I4s", content[at : at + 8])
            body = content[at + 8 : at + 8 + length]
            if kind == b"IHDR":
                width, height = struct.unpack(">II", body[:8])
            elif kind == b"IDAT":
                packed += body
            at += length + 12
        lines = zlib.decompress(packed)
        rows, above = [], bytes(3 * width)
        for start in range(0, len(lines), 3 * width + 1):
            if lines[start] != 2:
                raise ValueError(f"{path} was written by another program")
            row = lines[start + 1 : start + 1 + 3 * width]
            above = bytes((here + there) & 255 for here, there in zip(row, above))
            rows.append(above)
        return cls(width, height, rows)

    def difference(self, other, tolerance=24):
        """The share of pixels that differ by more than `tolerance` in any colour."""
        if (self.width, self.height) != (other.width, other.height):
            return 1.0
        differ = 0
        for one, two in zip(self.rows, other.rows):
            if one != two:
                far = [abs(here - there) > tolerance for here, there in zip(one, two)]
                differ += sum(map(any, zip(far[0::3], far[1::3], far[2::3])))
        return differ / (self.width * self.height)
