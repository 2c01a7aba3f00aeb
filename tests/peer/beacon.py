"""Datagrams of the local network: PROTOCOL.md §10."""

MAGIC = b"RPWY\x01"
PORT, GROUP = 9000, "239.255.82.87"
ANNOUNCE, QUERY, GOODBYE = 1, 2, 3
ID, INSTANCE, NAME, SERVER, SYSTEM, CALL = range(1, 7)
LENGTHS = {ID: (32, 32), INSTANCE: (8, 8), NAME: (1, 255), SERVER: (2, 2), SYSTEM: (1, 16), CALL: (58, 58)}
NEEDED = {ANNOUNCE: {ID, INSTANCE, NAME, SYSTEM}, QUERY: {INSTANCE}, GOODBYE: {ID, INSTANCE}}


def query(instance):
    """Who is there? 512 bytes, so that no answer is longer than its question."""
    padding = bytes([0, 246]) + bytes(246)
    return MAGIC + bytes([QUERY, INSTANCE, 8]) + instance + 2 * padding


def parse(datagram):
    """Its kind and fields, or None for one that is dropped."""
    if not 6 <= len(datagram) <= 512 or datagram[:5] != MAGIC or datagram[5] not in NEEDED:
        return None
    fields, rest = {}, datagram[6:]
    while rest:
        if len(rest) < 2 or len(rest) < 2 + rest[1]:
            return None
        kind, value, rest = rest[0], rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        if kind in LENGTHS:
            least, most = LENGTHS[kind]
            if kind in fields or not least <= len(value) <= most:
                return None
            fields[kind] = value
    if not NEEDED[datagram[5]] <= set(fields) or fields.get(SERVER) == bytes(2):
        return None
    try:
        for text in (NAME, SYSTEM):
            fields[text] = fields.get(text, b"").decode()
    except UnicodeDecodeError:
        return None
    return datagram[5], fields
