#!/usr/bin/env python3
"""Computes the vectors in this folder with the standard library alone.

    python3 check.py           compares every file with what comes out here
    python3 check.py --write   writes the files

Written from PROTOCOL.md, RFC 5869 and the papers on SPAKE2 and BLAKE3, and from no line of Ropeway: what it
prints is what another implementation has to come to. Takes about half a minute: BLAKE3 is slow here.
"""
import hashlib
import hmac
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def extract(salt, ikm):
    """RFC 5869; no salt is 32 zeros."""
    return mac(salt or bytes(32), ikm)


def expand(prk, info, length):
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block + info + bytes([n]))
        out, n = out + block, n + 1
    return out[:length]


# Edwards25519, affine, as slow as it is short.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - xx) % P == 0, "not a point"
    return (P - x if x & 1 != sign else x), y


def compress(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P
    return x, y


def times(point, scalar):
    out = (0, 1)
    while scalar:
        if scalar & 1:
            out = add(out, point)
        point, scalar = add(point, point), scalar >> 1
    return out


BASE = decompress(bytes.fromhex("58" + "66" * 31))
# The constants of python-spake2 for this group.
M = decompress(bytes.fromhex("15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312"))
N = decompress(bytes.fromhex("f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3"))


def spake2(password, id_a, id_b, random_a, random_b):
    """Both messages, with their side bytes, and the key."""
    w = int.from_bytes(expand(extract(b"", password), b"SPAKE2 pw", 48), "big") % L
    x = int.from_bytes(random_a, "little") % L
    y = int.from_bytes(random_b, "little") % L
    a = compress(add(times(BASE, x), times(M, w)))
    b = compress(add(times(BASE, y), times(N, w)))
    shared = times(add(decompress(b), times(N, L - w)), x)
    assert shared == times(add(decompress(a), times(M, L - w)), y)
    key = sha256(sha256(password) + sha256(id_a) + sha256(id_b) + a + b + compress(shared))
    return b"A" + a, b"B" + b, key


# BLAKE3: chaining values of chunks and parents.
IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
START, END, PARENT, ROOT = 1, 2, 4, 8
WORD = 2**32 - 1


def compression(cv, block, counter, length, flags):
    m = [int.from_bytes(block[i : i + 4], "little") for i in range(0, 64, 4)]
    v = cv + IV[:4] + [counter & WORD, counter >> 32, length, flags]

    def mix(a, b, c, d, x, y):
        for add_, r1, r2 in ((x, 16, 12), (y, 8, 7)):
            v[a] = (v[a] + v[b] + add_) & WORD
            t = v[d] ^ v[a]
            v[d] = (t >> r1 | t << (32 - r1)) & WORD
            v[c] = (v[c] + v[d]) & WORD
            t = v[b] ^ v[c]
            v[b] = (t >> r2 | t << (32 - r2)) & WORD

    for _ in range(7):
        for i in range(4):
            mix(i, 4 + i, 8 + i, 12 + i, m[2 * i], m[2 * i + 1])
        for i in range(4):
            mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[8 + 2 * i], m[9 + 2 * i])
        m = [m[i] for i in ORDER]
    return [v[i] ^ v[i + 8] for i in range(8)]


def words(cv):
    return b"".join(word.to_bytes(4, "little") for word in cv)


def chunk(data, counter, root):
    cv = IV
    blocks = [data[i : i + 64] for i in range(0, len(data), 64)] or [b""]
    for n, block in enumerate(blocks):
        flags = (START if n == 0 else 0) | ((END | root) if n == len(blocks) - 1 else 0)
        cv = compression(cv, block.ljust(64, b"\0"), counter, len(block), flags)
    return words(cv)


def parent(left, right, root=0):
    return words(compression(IV, left + right, 0, 64, PARENT | root))


def left_side(count):
    """The largest power of two below."""
    return 1 << (count - 1).bit_length() - 1


def subtree(data, first_chunk, root=0):
    count = max(1, -(-len(data) // 1024))
    if count == 1:
        return chunk(data, first_chunk, root)
    left = left_side(count)
    return parent(
        subtree(data[: left * 1024], first_chunk),
        subtree(data[left * 1024 :], first_chunk + left),
        root,
    )


def merge(hashes, root=ROOT):
    if len(hashes) == 1:
        return hashes[0]
    left = left_side(len(hashes))
    return parent(merge(hashes[:left], 0), merge(hashes[left:], 0), root)


# What PROTOCOL.md says.
CLIENT, SERVER = bytes(range(0x20, 0x40)), bytes(range(0x60, 0x80))
EXPORTER, SECRET = bytes(range(0xA0, 0xC0)), bytes(range(0xC0, 0xE0))
TRANSFER = bytes(range(0x10, 0x20))
BOTH = CLIENT + SERVER
RANDOM_CLIENT = bytes((7 * n + 1) % 256 for n in range(64))
RANDOM_SERVER = bytes((11 * n + 2) % 256 for n in range(64))
CHALLENGE_CLIENT, CHALLENGE_SERVER = sha256(b"client challenge"), sha256(b"server challenge")


def frame(kind, body):
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return (len(text) + 1).to_bytes(4, "big") + bytes([kind]) + text


def hellos(accepts, features):
    hello = {"versions": [1], "features": features}
    client = frame(1, hello | {"name": "Study PC", "system": "linux"})
    server = frame(1, hello | {"name": "书房", "system": "macos", "accepts": accepts})
    return client, server


def greeting(about, method, accepts, key, verify, challenge, given, answer=None):
    """The six frames. `verify` and `challenge` are the bodies; `key` is K."""
    features = ["batch", "resume"] + ([method] if method in ("attach", "talk") else [])
    frames = [*hellos(accepts, features), frame(2, {"method": method} | verify), frame(3, challenge)]
    client_challenge = bytes.fromhex(verify["challenge"])
    server_challenge = bytes.fromhex(challenge["challenge"])
    prk = extract(EXPORTER, key)
    key_client = expand(prk, b"ropeway/1 client key" + BOTH, 32)
    key_server = expand(prk, b"ropeway/1 server key" + BOTH, 32)
    transcript = sha256(b"".join(frames))
    signed = client_challenge + server_challenge + transcript
    answer = answer or mac(key_client, b"ropeway/1 client proof" + signed)
    proof = mac(key_server, b"ropeway/1 server proof" + signed)
    frames += [frame(4, {"proof": answer.hex()}), frame(5, {"proof": proof.hex()})]
    made = {
        "K": key, "prk": prk, "key_client": key_client, "key_server": key_server,
        "transcript": transcript, "answer": answer, "proof": proof,
    }
    if method == "ask":
        bits = expand(prk, b"ropeway/1 symbols" + BOTH, 3)
        number = int.from_bytes(bits, "big")
        made |= {"symbol_bits": bits, "symbols": [number >> shift & 63 for shift in (18, 12, 6, 0)]}
    given = {"exporter": EXPORTER, "client_id": CLIENT, "server_id": SERVER} | given
    return {"about": about, "kind": "greeting", "method": method, "given": given, "made": made, "frames": frames}


def with_secret(about, method, typed, secret):
    message_a, message_b, key = spake2(secret, CLIENT, SERVER, RANDOM_CLIENT, RANDOM_SERVER)
    given = {
        "typed": typed, "secret": secret, "client_random": RANDOM_CLIENT + CHALLENGE_CLIENT,
        "server_random": RANDOM_SERVER + CHALLENGE_SERVER,
    }
    verify = {"pake": message_a.hex(), "challenge": CHALLENGE_CLIENT.hex()}
    challenge = {"pake": message_b.hex(), "challenge": CHALLENGE_SERVER.hex()}
    return greeting(about, method, [method], key, verify, challenge, given)


def with_key(about, method, accepts, key, given, extra):
    given |= {"client_random": CHALLENGE_CLIENT, "server_random": CHALLENGE_SERVER}
    verify = extra | {"challenge": CHALLENGE_CLIENT.hex()}
    return greeting(about, method, accepts, key, verify, {"challenge": CHALLENGE_SERVER.hex()}, given)


def asking():
    client_nonce, server_nonce = sha256(b"client nonce"), sha256(b"server nonce")
    commitment = sha256(b"ropeway/1 symbols commitment" + client_nonce)
    given = {"client_random": client_nonce, "server_random": server_nonce}
    return greeting(
        "method ask: verify commits to the client's nonce, answer opens it, symbols are compared",
        "ask", ["code", "ask"], client_nonce + server_nonce, {"challenge": commitment.hex()},
        {"challenge": server_nonce.hex()}, given, answer=client_nonce,
    )


def derived(about, label, tail, given):
    prk = extract(b"", SECRET)
    key = expand(prk, label + BOTH + tail, 32)
    given = {"secret": SECRET, "client_id": CLIENT, "server_id": SERVER} | given
    return {"about": about, "kind": "key", "label": label.decode(), "given": given, "made": {"prk": prk, "key": key}}


def grouped(length):
    content = bytes(n % 251 for n in range(251)) * (length // 251 + 1)
    content = content[:length]
    starts = range(0, length, 2**20)
    groups = [subtree(content[at : at + 2**20], at // 1024) for at in starts]
    whole = subtree(content, 0, ROOT)
    assert len(groups) < 2 or merge(groups) == whole
    made = {"groups": [whole] if len(groups) == 1 else groups, "blake3": whole}
    return {"length": length, **made}


def calls():
    """What asks a device to connect: of one that is paired, and of one that is not."""
    key, caller, called = bytes(range(32)), bytes(range(0x20, 0x40)), bytes(range(0x60, 0x80))
    port, time, nonce = (9001).to_bytes(2, "big"), (1_800_000_000).to_bytes(8, "big"), bytes(range(0x10, 0x20))
    said = caller + called + port + time + nonce
    paired = expand(extract(b"", key), b"ropeway/1 call", 32)
    anybody = expand(extract(b"", called), b"ropeway/1 open call", 32)
    return {
        "about": "a call under a pair key, and an open call",
        "kind": "call",
        "given": {
            "pair_key": key, "caller": caller, "called": called, "port": 9001, "time": 1_800_000_000,
            "nonce": nonce,
        },
        "made": {
            "key": paired, "call": port + time + nonce + mac(paired, said),
            "open_key": anybody, "open_call": port + time + nonce + mac(anybody, said),
        },
    }


def vectors():
    session = derived(
        "the key with which a transfer goes on", b"ropeway/1 session key", TRANSFER, {"transfer": TRANSFER}
    )
    pair = derived("the key of two devices that remember each other", b"ropeway/1 pair key", b"", {})
    talk = derived(
        "the key with which a conversation opens anew", b"ropeway/1 conversation key", b"", {}
    )
    return {
        "greeting-code": with_secret("a code, typed with its gap", "code", "427 913", b"427913"),
        "greeting-passphrase": with_secret(
            "a passphrase, typed in decomposed letters", "passphrase", "cafe\u0301 au lait ",
            "caf\u00e9 au lait".encode(),
        ),
        "greeting-session": with_key(
            "a transfer that goes on", "session", ["code"], session["made"]["key"],
            {"transfer": TRANSFER}, {"transfer": TRANSFER.hex()},
        ),
        "greeting-attach": with_key(
            "one more connection of a transfer that runs", "attach", ["code"], session["made"]["key"],
            {"transfer": TRANSFER}, {"transfer": TRANSFER.hex()},
        ),
        "greeting-pair": with_key(
            "two devices that remember each other", "pair", ["code", "pair"], pair["made"]["key"], {}, {}
        ),
        "greeting-talk": with_key(
            "a conversation that was opened before", "talk", ["code", "pair"], talk["made"]["key"], {}, {}
        ),
        "greeting-ask": asking(),
        "session-key": session,
        "pair-key": pair,
        "conversation-key": talk,
        "call": calls(),
        "groups": {
            "about": "hashes of groups of 1 MiB; byte n of a file is n mod 251. A file of one group has its BLAKE3 hash",
            "kind": "groups",
            "files": [grouped(length) for length in (0, 1000, 2**20, 2**20 + 1, 3 * 2**20 + 5)],
        },
    }


def readable(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def main():
    failed = 0
    for name, vector in vectors().items():
        path = HERE / f"{name}.json"
        text = json.dumps(vector, default=readable, indent=1, ensure_ascii=False) + "\n"
        if "--write" in sys.argv:
            path.write_text(text, encoding="utf-8")
        same = path.read_text(encoding="utf-8") == text
        failed += not same
        print(f"{name}: {'as computed here' if same else 'DIFFERENT'}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
