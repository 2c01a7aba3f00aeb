"""Keys, proofs and hashes: PROTOCOL.md §3, §6 and §9."""

import functools
import hashlib
import hmac

GROUP = 1 << 20


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def extract(salt, secret):
    return mac(salt or bytes(32), secret)


def expand(prk, info, length=32):
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block + info + bytes([number]))
        out, number = out + block, number + 1
    return out[:length]


def kept_key(label, secret, client, server, transfer=b""):
    """What two devices keep of a connection: a session key, or a conversation key."""
    return expand(extract(None, secret), label + client + server + transfer)


def proofs(exporter, key, client, server, challenges, frames):
    """The client's proof and the server's; the challenges are the client's and the server's, one behind the other."""
    prk = extract(exporter, key)
    transcript = hashlib.sha256(b"".join(frames)).digest()
    return [
        mac(
            expand(prk, b"ropeway/1 %s key" % side + client + server),
            b"ropeway/1 %s proof" % side + challenges + transcript,
        )
        for side in (b"client", b"server")
    ]


# BLAKE3 (its paper, §2). Python's library has none, and no library for Python tells hashes of groups. The compression
# is written out once, since loops would take five times as long.
IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
START, END, PARENT, ROOT = 1, 2, 4, 8


def _written_out():
    mixes = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    mixes += [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    order = list(range(16))
    code = ["def compress(cv, block, counter, length, flags):", " (%s) = cv" % ",".join("v%d" % i for i in range(8))]
    code += [" %s = (int.from_bytes(block[i:i+4], 'little') for i in range(0, 64, 4))" % ",".join("m%d" % i for i in range(16))]
    code += [" v%d = %d" % (8 + i, IV[i]) for i in range(4)]
    code += [" v12, v13, v14, v15 = counter & 0xffffffff, counter >> 32, length, flags"]
    for _ in range(7):
        for (a, b, c, d), i in zip(mixes, range(0, 16, 2)):
            for word, right, more in ((order[i], 16, 12), (order[i + 1], 8, 7)):
                code += [
                    f" v{a} = v{a} + v{b} + m{word} & 0xffffffff; v{d} ^= v{a}",
                    f" v{d} = (v{d} >> {right} | v{d} << {32 - right}) & 0xffffffff",
                    f" v{c} = v{c} + v{d} & 0xffffffff; v{b} ^= v{c}",
                    f" v{b} = (v{b} >> {more} | v{b} << {32 - more}) & 0xffffffff",
                ]
        order = [order[i] for i in (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)]
    code += [" return (%s)" % ",".join(f"v{i} ^ v{i + 8}" for i in range(8))]
    names = {}
    exec("\n".join(code), names)
    return names["compress"]


compress = _written_out()


def to_bytes(cv):
    return b"".join(word.to_bytes(4, "little") for word in cv)


def of_chunk(chunk, counter, root):
    cv, last = IV, max(0, len(chunk) - 1) // 64
    for i in range(last + 1):
        block = chunk[64 * i : 64 * i + 64]
        flags = START * (i == 0) | (END | root) * (i == last)
        cv = compress(cv, block.ljust(64, b"\0"), counter, len(block), flags)
    return cv


def merge(hashes, root=0):
    """Hashes of neighbours, of which there are two or more, or one that is finished."""
    if len(hashes) == 1:
        return hashes[0]
    left = 1 << (len(hashes) - 1).bit_length() - 1
    both = merge(hashes[:left]) + merge(hashes[left:])
    return to_bytes(compress(IV, both, 0, 64, PARENT | root))


def of_subtree(data, first_chunk, root):
    chunks = [data[i : i + 1024] for i in range(0, len(data), 1024)] or [b""]
    alone = root if len(chunks) == 1 else 0
    hashes = [to_bytes(of_chunk(chunk, first_chunk + i, alone)) for i, chunk in enumerate(chunks)]
    return merge(hashes, root)


@functools.lru_cache
def group_hash(group, number):
    """Of a file that has more groups than this one."""
    return of_subtree(group, number * GROUP // 1024, 0)


def blake3(content):
    """As `b3sum` prints it."""
    if len(content) <= GROUP:
        return of_subtree(content, 0, ROOT)
    return merge([group_hash(content[i : i + GROUP], i // GROUP) for i in range(0, len(content), GROUP)], ROOT)
