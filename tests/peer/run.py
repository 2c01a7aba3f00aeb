#!/usr/bin/python3
"""An independent peer, written from PROTOCOL.md alone, meets the real program.

    tests/peer/run.py [PROGRAM]        target/debug/ropeway by default

It finds it, is turned away with a wrong code, sends with a right one, is cut and goes on, talks, and is sent to. Needs
the packages python3-openssl and python3-spake2 (`dist/setup --build`), and a network namespace of its own, so that
nobody hears of it; ends with 77 where one of them cannot be had.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

try:
    import beacon
    import keys
    import wire
    from transfer import MODIFIED, Entry, Receiving, Sending
    from wire import Closed, Connection, Cut, Identity, Refused, let_in, need
except ImportError as missing:
    print(f"SKIPPED: {missing}; dist/setup --build installs it.")
    sys.exit(77)

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "target/debug/ropeway"
PASSPHRASE = "correct horse battery"
FILM = bytes(range(251)) * ((keys.GROUP + 200_000) // 251)
ME = Identity()


def ropeway(data, *arguments, **environment):
    """The program, as a device of its own, with its events."""
    environment = dict(os.environ, ROPEWAY_PRESENCE="off") | environment
    command = [PROGRAM, *arguments, "--json", "--data-dir", str(data)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment, text=True)


def event(program, name):
    for line in program.stdout:
        told = json.loads(line)
        if told["event"] == name:
            return told
        need(told["event"] != "error" or "refused" in name, told)
    raise AssertionError(f"{name} does not come")


def meet(port, method, secret, transfer=None):
    connection = Connection(socket.create_connection(("127.0.0.1", port)), ME, False)
    wire.greet(connection, method, secret, transfer)
    return connection


def digits(code):
    return "".join(filter(str.isdigit, code)).encode()


def finds(listening):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
        voice.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        voice.bind(("127.0.0.1", 0))
        voice.settimeout(1)
        for _ in range(30):
            voice.sendto(beacon.query(os.urandom(8)), (beacon.GROUP, beacon.PORT))
            try:
                answer, _ = voice.recvfrom(2048)
                break
            except TimeoutError:
                pass
        kind, fields = beacon.parse(answer)
    need(kind == beacon.ANNOUNCE and fields[beacon.ID].hex() == listening["device_id"], "its announcement")
    need(fields[beacon.NAME] == listening["name"], "its name")
    need(int.from_bytes(fields[beacon.SERVER], "big") == listening["port"], "its port")


def sends(port, code, folder):
    transfer = os.urandom(16)
    changed = bytearray(FILM)
    changed[5] ^= 255

    def entries(film):
        film = Entry("影片.bin", 0, film)
        return [Entry("Holiday"), Entry("note.txt", 0, b"all there?"), Entry("empty", 0), film]

    connection = meet(port, "code", code)
    need(connection.other.hex() == SERVER, "the device that was found")
    key = keys.kept_key(b"ropeway/1 session key", connection.secret, ME.id, connection.server, transfer)
    try:
        Sending(connection, transfer, entries(FILM)).run(cut_before_end=True)
    except Cut:
        connection.sock.close()
    # No code, no question: what is staged is compared, and a group that is another one by now is sent again.
    sending = Sending(meet(port, "session", key, transfer), transfer, entries(bytes(changed)))
    received = sending.run()
    need(received["arrived"] == 4 and received["failed"] == 0, received)
    need(sending.partial == {3: keys.GROUP}, f"going on with {sending.partial}")
    need((folder / "Holiday/影片.bin").read_bytes() == changed, "the very bytes")
    need((folder / "Holiday/note.txt").read_bytes() == b"all there?", "the small file")
    need((folder / "Holiday/empty").is_dir(), "the empty folder")
    need((folder / "Holiday").stat().st_mtime_ns == MODIFIED[0] * 10**9 + MODIFIED[1], "the folder's time")


def talks(port, method, secret, text):
    """Says something, and gives the key that opens the conversation anew."""
    connection = meet(port, method, secret)
    connection.send("talk", {})
    connection.send("welcome", {})
    connection.expect("welcome")
    message = {"stream": os.urandom(16).hex(), "number": 7, "id": os.urandom(16).hex(), "text": text}
    connection.send("message", message)
    receipt, _ = connection.expect("receipt")
    need(receipt == {"stream": message["stream"], "number": 7}, receipt)
    connection.goodbye()
    return keys.kept_key(b"ropeway/1 conversation key", connection.secret, connection.client, connection.server)


def is_sent_to(home):
    folder = home / "Photos"
    (folder / "none").mkdir(parents=True)
    (folder / "a.txt").write_text("small")
    (folder / "film.bin").write_bytes(FILM)
    receiving, sessions = Receiving(), {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = f"127.0.0.1:{listener.getsockname()[1]}"
        sender = ropeway(home / "sender", "send", str(folder), "--to", here, ROPEWAY_CODE=PASSPHRASE)
        connection = Connection(listener.accept()[0], ME, True)
        need(let_in(connection, PASSPHRASE.encode(), sessions) == "passphrase", "the passphrase first")
        try:
            receiving.run(connection, cut_at=keys.GROUP)
        except Cut:
            connection.sock.close()
        client, transfer = connection.client, receiving.transfer
        key = keys.kept_key(b"ropeway/1 session key", connection.secret, client, ME.id, bytes.fromhex(transfer))
        sessions[transfer] = key
        connection = Connection(listener.accept()[0], ME, True)
        need(let_in(connection, PASSPHRASE.encode(), sessions) == "session", "the session then")
        held = receiving.run(connection, goes_on=True)
        need(event(sender, "transfer")["status"] == "arrived" and sender.wait() == 0, "arrived")
        need(held <= len(FILM) - keys.GROUP + 5, "only the rest travels")
        got = {path: bytes(content) for path, content in receiving.content.items()}
        need(got == {"Photos/a.txt": b"small", "Photos/film.bin": FILM}, "the very bytes")

        speaker = ropeway(home / "speaker", "message", "都到了吗？", "--to", here, ROPEWAY_CODE=PASSPHRASE)
        connection = Connection(listener.accept()[0], ME, True)
        let_in(connection, PASSPHRASE.encode(), sessions)
        connection.expect("talk")
        connection.send("welcome", {})
        connection.expect("welcome")
        message, _ = connection.expect("message")
        need(message["text"] == "都到了吗？", message)
        connection.send("receipt", {"stream": message["stream"], "number": message["number"]})
        try:
            need(False, f"{connection.receive()[0]} after the receipt")
        except Closed:
            need(speaker.wait() == 0, "delivered")


def main(home):
    global SERVER
    inbox = home / "inbox"
    options = ["--dir", str(inbox), "--accept", "all"]
    receiver = ropeway(home / "receiver", "receive", *options, ROPEWAY_PRESENCE="visible")
    try:
        listening = event(receiver, "listening")
        SERVER, port, code = listening["device_id"], listening["port"], digits(listening["code"])
        finds(listening)
        print("found by its announcement")
        try:
            meet(port, "code", b"000000" if code != b"000000" else b"000001")
            need(False, "a wrong code is refused")
        except Refused:
            print("a wrong code is refused")
        sends(port, code, inbox)
        print("sent, cut, gone on, arrived")
        key = talks(port, "code", digits(event(receiver, "code")["code"]), "到了 ✓")
        need(event(receiver, "message")["text"] == "到了 ✓", "the message")
        talks(port, "talk", key, "again")
        need(event(receiver, "message")["text"] == "again", "the message by the conversation's key")
        print("said, and said again without a code")
        is_sent_to(home)
        print("sent to, cut, gone on with, told something")
    finally:
        receiver.terminate()
        receiver.wait()
    need(not (inbox / ".ropeway").exists(), "nothing is left of what has arrived")


if __name__ == "__main__":
    if not os.environ.get("ROPEWAY_PEER_ALONE"):
        alone = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        if subprocess.run([*alone, "true"], stderr=subprocess.DEVNULL).returncode:
            print("SKIPPED: no network namespace can be made here.")
            sys.exit(77)
        os.environ["ROPEWAY_PEER_ALONE"] = "1"
        os.execvp("unshare", [*alone, *sys.argv])
    with tempfile.TemporaryDirectory() as folder:
        main(pathlib.Path(folder))
