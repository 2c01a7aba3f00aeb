"""A transfer from either end: PROTOCOL.md §4 and §6. Small enough to hold everything in memory."""

import dataclasses
import struct

from keys import GROUP, blake3, group_hash
from wire import Closed, Cut, need

SMALL, PIECE = 65536, 262144
MODIFIED = [1764000000, 5]


@dataclasses.dataclass
class Entry:
    name: str
    parent: int | None = None
    content: bytes | None = None  # A folder has none.

    def listed(self):
        told = {"name": self.name, "modified": MODIFIED}
        if self.parent is not None:
            told["parent"] = self.parent
        if self.content is not None:
            told["size"] = len(self.content)
        return told


class Sending:
    def __init__(self, connection, transfer, entries):
        self.connection, self.transfer, self.entries = connection, transfer, entries
        self.granted = self.spent = 0
        self.status, self.partial, self.groups, self.sent = {}, {}, {}, set()
        self.accepted, self.received, self.safe = False, None, False

    def hear(self):
        name, body, _ = self.connection.receive()
        need(name in ("accept", "kept") or self.accepted, f"{name} before accept")
        if name == "accept":
            need(body["transfer"] == self.transfer.hex() and not self.accepted, "accept")
            self.accepted, self.granted = True, body["credit"]
        elif name == "kept":
            need(not self.accepted, "kept after accept")
            self.ended("done", body.get("done", []))
            self.partial |= dict(body.get("partial", []))
        elif name == "credit":
            granted, _held = struct.unpack(">QQ", body)
            need(granted >= self.granted, "credit that shrinks")
            self.granted = granted
        elif name == "status":
            for what in ("arrived", "already_there", "skipped"):
                self.ended(what, body.get(what, []))
            self.ended("failed", [[one["entry"]] * 2 for one in body.get("failed", [])])
        elif name == "groups":
            entry, first = struct.unpack(">II", body[:8])
            told = self.groups.setdefault(entry, [])
            told += [body[i : i + 32] for i in range(8, len(body), 32)]
            need(first + len(body[8:]) // 32 == len(told) <= self.partial[entry] // GROUP, "groups in order")
        elif name == "received":
            self.received = body
        elif name == "safe":
            need(self.received, "safe before received")
            self.safe = True
        else:
            need(False, f"{name} while sending")

    def ended(self, what, ranges):
        for first, last in ranges:
            for entry in range(first, last + 1):
                need(entry not in self.status, f"a second status of {entry}")
                sent = self.entries[entry].content is None or entry in self.sent
                need(sent or what != "arrived", f"{entry} arrived before it was sent")
                self.status[entry] = what

    def pay(self, name, body):
        self.spent += len(body) + 256
        while self.spent > self.granted:
            self.hear()
        self.connection.send(name, body)

    def send_part(self, entry, start, end):
        content = self.entries[entry].content
        while start < end:
            # Within one group, as a file that goes on has to.
            stop = min(end, start + PIECE, (start // GROUP + 1) * GROUP)
            self.pay("data", struct.pack(">IQ", entry, start) + content[start:stop])
            start = stop

    def send_file(self, entry):
        content = self.entries[entry].content
        if len(content) <= SMALL:
            self.pay("batch", struct.pack(">II", entry, len(content)) + blake3(content) + content)
        else:
            kept = self.partial.get(entry, 0)
            self.send_part(entry, kept, len(content))
            if self.cut_before_end:
                self.connection.goodbye()
                raise Cut("on purpose")
            while len(self.groups.get(entry, [])) < kept // GROUP:
                self.hear()
            for number, told in enumerate(self.groups.get(entry, [])):
                if told != group_hash(content[number * GROUP : (number + 1) * GROUP], number):
                    self.send_part(entry, number * GROUP, (number + 1) * GROUP)
            self.pay("file_end", struct.pack(">IQ", entry, len(content)) + blake3(content))
        self.sent.add(entry)

    def run(self, cut_before_end=False):
        """To the end, or to that of the first large file, before anybody knows that it is one."""
        self.cut_before_end = cut_before_end
        say = self.connection.send
        say("offer", {"transfer": self.transfer.hex()})
        say("manifest", {"entries": [entry.listed() for entry in self.entries]})
        files = [number for number, entry in enumerate(self.entries) if entry.content is not None]
        sizes = sum(len(self.entries[number].content) for number in files)
        say("manifest_end", {"entries": len(self.entries), "bytes": sizes})
        while not self.accepted:
            self.hear()
        for entry in files:
            if entry not in self.status:
                self.send_file(entry)
        say("finish")
        while not self.safe:
            self.hear()
        need(len(self.status) == len(self.entries), "a status for each entry")
        self.connection.goodbye()
        return self.received


class Receiving:
    """Keeps what arrives over connections, so that a transfer can go on."""

    def __init__(self):
        self.transfer, self.content, self.whole = None, {}, set()

    def path(self, entry):
        listed = self.entries[entry]
        return (self.path(listed["parent"]) + "/" if "parent" in listed else "") + listed["name"]

    def list(self, connection):
        offer, _ = connection.expect("offer")
        need(self.transfer in (None, offer["transfer"]), "the same transfer")
        self.transfer, self.entries = offer["transfer"], []
        while True:
            name, body, _ = connection.receive()
            if name == "manifest_end":
                sizes = sum(entry.get("size", 0) for entry in self.entries)
                need(body == {"entries": len(self.entries), "bytes": sizes}, "the sums of the listing")
                return
            need(name == "manifest", name)
            for entry in body["entries"]:
                inside = "parent" not in entry or "size" not in self.entries[entry["parent"]]
                need(inside, "a folder as parent")
                self.entries.append(entry)

    def run(self, connection, goes_on=False, cut_at=None):
        """To the goodbye. With `cut_at` it ends as soon as so many bytes of one file are there."""
        self.list(connection)
        files = [number for number, entry in enumerate(self.entries) if "size" in entry]
        ended = {number for number in files if self.path(number) in self.whole}
        told, kept = set(ended), {}
        if goes_on:
            for number in set(files) - ended:
                whole_groups = len(self.content.get(self.path(number), b"")) // GROUP * GROUP
                if whole_groups:
                    kept[number] = whole_groups
            done = [[number, number] for number in sorted(ended)]
            connection.send("kept", {"done": done, "partial": [list(one) for one in kept.items()]})
        granted = credit = 1 << 20
        spent = held = 0
        connection.send("accept", {"transfer": self.transfer, "credit": credit})
        for number, length in kept.items():
            content = self.content[self.path(number)] = self.content[self.path(number)][:length]
            for group in range(length // GROUP):
                digest = group_hash(bytes(content[group * GROUP : (group + 1) * GROUP]), group)
                connection.send("groups", struct.pack(">II", number, group) + digest)
        while True:
            name, body, _ = connection.receive()
            if name == "finish":
                break
            need(name in ("data", "batch", "file_end", "remember"), f"{name} while receiving")
            spent += len(body) + 256
            need(spent <= granted, "no more than the credit")
            if name == "data":
                number, offset = struct.unpack(">IQ", body[:12])
                need(number in files and number not in ended, "data of an open file")
                content = self.content.setdefault(self.path(number), bytearray())
                need(offset == len(content), "data without gaps")
                content += body[12:]
                held += len(body) - 12
                need(len(content) <= self.entries[number]["size"], "no more than was listed")
                if cut_at and len(content) >= cut_at:
                    connection.cut()
                    raise Cut("on purpose")
            elif name == "batch":
                while body:
                    number, length = struct.unpack(">II", body[:8])
                    need(number in files and number not in ended, "a batch of open files")
                    content = body[40 : 40 + length]
                    need(length == self.entries[number]["size"] and blake3(content) == body[8:40], "a whole file")
                    self.content[self.path(number)] = content
                    ended.add(number)
                    held, body = held + length, body[40 + length :]
            elif name == "file_end":
                number, length = struct.unpack(">IQ", body[:12])
                content = bytes(self.content[self.path(number)])
                need(length == len(content) and blake3(content) == body[12:], "a whole file")
                ended.add(number)
            self.whole |= {self.path(number) for number in ended}
            if granted - spent < credit // 2:
                granted = spent + credit
                connection.send("credit", struct.pack(">QQ", granted, held))
        need(ended == set(files), "an end of each file")
        arrived = sorted(set(range(len(self.entries))) - told)
        connection.send("status", {"arrived": [[number, number] for number in arrived]})
        sizes = sum(entry.get("size", 0) for entry in self.entries)
        connection.send("received", {"arrived": len(self.entries), "failed": 0, "bytes": sizes})
        connection.send("safe")
        try:
            need(False, f"{connection.receive()[0]} after safe")
        except Closed:
            return held
