"""PNG pictures, read, written and compared with nothing but Python."""

import itertools
import struct
import zlib


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
        """Of eight bits a colour, as screenshots are. What is transparent counts as not."""
        with open(path, "rb") as file:
            content = file.read()
        at, packed = 8, b""
        while at < len(content):
            length, kind = struct.unpack(">I4s", content[at : at + 8])
            body = content[at + 8 : at + 8 + length]
            if kind == b"IHDR":
                width, height, depth, colours, *_, interlaced = struct.unpack(">IIBBBBB", body)
                if depth != 8 or colours not in (2, 6) or interlaced:
                    raise ValueError(f"{path} is no screenshot")
                channels = 3 if colours == 2 else 4
            elif kind == b"IDAT":
                packed += body
            at += length + 12
        lines = zlib.decompress(packed)
        rows, above = [], bytes(channels * width)
        for start in range(0, len(lines), channels * width + 1):
            above = _line(lines[start], lines[start + 1 : start + 1 + channels * width], above, channels)
            rows.append(above if channels == 3 else _without_alpha(above))
        return cls(width, height, rows)

    def difference(self, other, tolerance):
        """The share of pixels that differ by more than `tolerance` (of 255) in any colour."""
        if (self.width, self.height) != (other.width, other.height):
            return 1.0
        differ = 0
        for one, two in zip(self.rows, other.rows):
            if one != two:
                far = [abs(here - there) > tolerance for here, there in zip(one, two)]
                differ += sum(map(any, zip(far[0::3], far[1::3], far[2::3])))
        return differ / (self.width * self.height)


def _line(kind, line, above, channels):
    """Undoes a filter of PNG (RFC 2083, 6)."""
    if kind == 0:
        return line
    if kind == 1:
        row = bytearray(len(line))
        for channel in range(channels):
            row[channel::channels] = bytes(itertools.accumulate(line[channel::channels], lambda left, more: left + more & 255))
        return bytes(row)
    if kind == 2:
        return bytes(here + up & 255 for here, up in zip(line, above))
    row = bytearray(line)
    for index, (here, up) in enumerate(zip(line, above)):
        left, corner = (row[index - channels], above[index - channels]) if index >= channels else (0, 0)
        row[index] = here + ((left + up) // 2 if kind == 3 else _nearest(left, up, corner)) & 255
    return bytes(row)


def _nearest(left, up, corner):
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    return left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner


def _without_alpha(row):
    colours = bytearray(len(row) // 4 * 3)
    colours[0::3], colours[1::3], colours[2::3] = row[0::4], row[1::4], row[2::4]
    return bytes(colours)
