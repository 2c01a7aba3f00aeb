"""TLS, frames and the greeting: PROTOCOL.md §1 to §3. The one file here that knows libraries."""

import datetime
import hashlib
import hmac
import json
import os
import socket
import struct

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from OpenSSL import SSL, crypto
from spake2 import SPAKE2_A, SPAKE2_B

import keys

KINDS = dict(hello=1, verify=2, challenge=3, answer=4, proof=5, refused=6, offer=0x10, manifest=0x11, manifest_end=0x12)
KINDS |= dict(accept=0x13, decline=0x14, failed=0x15, status=0x16, finish=0x17, received=0x18, safe=0x19, cancel=0x1A)
KINDS |= dict(pause=0x1B, go_on=0x1C, kept=0x1D, compare=0x1E, remember=0x1F, data=0x20, batch=0x21, file_end=0x22)
KINDS |= dict(credit=0x23, groups=0x24, message=0x30, receipt=0x31, talk=0x32, welcome=0x33, unwelcome=0x34)
KINDS |= dict(ping=0x40, pong=0x41)
NAMES = {kind: name for name, kind in KINDS.items()}
JSON = {"hello", "verify", "challenge", "answer", "proof", "offer", "manifest", "manifest_end", "accept", "decline"}
JSON |= {"failed", "status", "received", "cancel", "pause", "kept", "compare"}
JSON |= {"message", "receipt", "talk", "welcome", "unwelcome"}
HELLO = {"versions": [1], "features": ["batch", "resume", "talk"], "name": "Peer in Python", "system": "python"}


class Cut(Exception):
    """The connection is gone in the middle."""


class Closed(Exception):
    """The other end has said goodbye."""


class Refused(Exception):
    """The other end does not let us in, or does not want what we have."""


def need(held, what):
    """What the protocol demands of the other end."""
    if not held:
        raise AssertionError(f"violation: {what}")


def frame(name, body=b""):
    if isinstance(body, dict):
        body = json.dumps(body, ensure_ascii=False).encode()
    return struct.pack(">IB", 1 + len(body), KINDS[name]) + body


def device_id(certificate):
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(certificate.public_key().public_bytes(*form)).digest()


class Identity:
    def __init__(self):
        self.key = ed25519.Ed25519PrivateKey.generate()
        name, day = x509.Name([]), datetime.datetime(2020, 1, 1)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), 1, day, day + datetime.timedelta(1))
        self.certificate = builder.sign(self.key, None)
        self.id = device_id(self.certificate)


class Connection:
    def __init__(self, sock, identity, is_server):
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
        context.use_privatekey(crypto.PKey.from_cryptography_key(identity.key))
        context.use_certificate(crypto.X509.from_cryptography(identity.certificate))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        if is_server:
            context.set_alpn_select_callback(lambda _, offered: b"ropeway/1" if b"ropeway/1" in offered else b"")
        else:
            context.set_alpn_protos([b"ropeway/1"])
        # So that a read comes back after 2 s, when a ping is due (§5).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
        self.sock, self.tls, self.read, self.verified = sock, SSL.Connection(context, sock), b"", False
        self.tls.set_accept_state() if is_server else self.tls.set_connect_state()
        self.patiently(self.tls.do_handshake)
        need(self.tls.get_alpn_proto_negotiated() == b"ropeway/1", "ALPN")
        self.own, self.other = identity.id, device_id(self.tls.get_peer_certificate().to_cryptography())
        self.client, self.server = (self.other, self.own) if is_server else (self.own, self.other)
        self.exporter = self.tls.export_keying_material(b"EXPORTER-ropeway-verification", 32)
        self.secret = self.tls.export_keying_material(b"EXPORTER-ropeway-session", 32)

    def patiently(self, call, *arguments):
        for _ in range(15):
            try:
                return call(*arguments)
            except SSL.WantReadError:
                if self.verified:
                    self.send("ping")
            except SSL.ZeroReturnError:
                self.cut()  # Who has heard the goodbye may close.
                raise Closed
            except SSL.Error as error:
                raise Cut(error)
        raise Cut("nothing heard for 30 s")

    def send(self, name, body=b""):
        whole = frame(name, body)
        try:
            self.tls.sendall(whole)
        except SSL.Error as error:
            raise Cut(error)
        return whole

    def receive(self):
        """The next frame that means something: name, body, and all its bytes."""
        while True:
            length = int.from_bytes(self.read[:4], "big")
            if len(self.read) < 4 or len(self.read) < 4 + length:
                need(length <= (524288 if self.verified else 4096), "length")
                self.read += self.patiently(self.tls.recv, 65536)
                continue
            whole, self.read = self.read[: 4 + length], self.read[4 + length :]
            name, body = NAMES.get(whole[4]), whole[5:]
            if name == "ping":
                self.send("pong")
            elif name is None:
                need(whole[4] & 0x80, f"type {whole[4]:#x}")
            elif name != "pong":
                return name, json.loads(body) if name in JSON else body, whole

    def expect(self, *names):
        name, body, whole = self.receive()
        if name in ("refused", "decline", "unwelcome") and name not in names:
            raise Refused(name)
        need(name in names, f"{name} for {' or '.join(names)}")
        return body, whole

    def goodbye(self):
        self.tls.shutdown()
        self.sock.shutdown(socket.SHUT_WR)

    def cut(self):
        self.sock.shutdown(socket.SHUT_RDWR)


def greet(connection, method, secret, transfer=None):
    """As the client. For `code` and `passphrase` the secret is what was typed, else a key."""
    frames = [connection.send("hello", HELLO)]
    hello, whole = connection.expect("hello")
    frames.append(whole)
    need(1 in hello["versions"], "version")
    challenge = os.urandom(32)
    verify = {"method": method, "challenge": challenge.hex()}
    if method in ("code", "passphrase"):
        pake = SPAKE2_A(secret, idA=connection.client, idB=connection.server)
        verify["pake"] = pake.start().hex()
    if transfer:
        verify["transfer"] = transfer.hex()
    frames.append(connection.send("verify", verify))
    theirs, whole = connection.expect("challenge")
    frames.append(whole)
    key = pake.finish(bytes.fromhex(theirs["pake"])) if "pake" in verify else secret
    answer, proof = keys.proofs(
        connection.exporter, key, connection.client, connection.server,
        challenge + bytes.fromhex(theirs["challenge"]), frames,
    )  # fmt: skip
    connection.send("answer", {"proof": answer.hex()})
    said, _ = connection.expect("proof")
    need(hmac.compare_digest(said["proof"], proof.hex()), "the server's proof")
    connection.verified = True
    return hello


def let_in(connection, passphrase, sessions):
    """As the server: by a passphrase, or the session key of a transfer."""
    _, first = connection.expect("hello")
    frames = [first, connection.send("hello", HELLO | {"accepts": ["passphrase"]})]
    verify, whole = connection.expect("verify")
    frames.append(whole)
    challenge = os.urandom(32)
    ours = {"challenge": challenge.hex()}
    if verify["method"] == "passphrase":
        pake = SPAKE2_B(passphrase, idA=connection.client, idB=connection.server)
        ours["pake"] = pake.start().hex()
        key = pake.finish(bytes.fromhex(verify["pake"]))
    else:
        key = sessions.get(verify.get("transfer")) or os.urandom(32)
    frames.append(connection.send("challenge", ours))
    answer, proof = keys.proofs(
        connection.exporter, key, connection.client, connection.server,
        bytes.fromhex(verify["challenge"]) + challenge, frames,
    )  # fmt: skip
    said, _ = connection.expect("answer")
    if not hmac.compare_digest(said["proof"], answer.hex()):
        connection.send("refused")
        raise Refused(verify["method"])
    connection.send("proof", {"proof": proof.hex()})
    connection.verified = True
    return verify["method"]
