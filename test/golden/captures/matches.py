#!/usr/bin/env python3
"""Writes matches.pcap: frames for matches that lists.pcap has little for: data behind transport headers, flags of ECN, segment sizes, IPv6 options
with types, addresses of routing headers, mobility headers, chains of extension headers, several chunks, address types. The same frames each time.
"""
import os
import struct

import lists
from lists import ETHERNET, RANDOM, ipv4, ipv6, pick

HERE = os.path.dirname(os.path.abspath(__file__))
RANDOM.seed(20261128)


def data():
    return bytes(pick(0, 1, 2, 5, 0x45, 0x50) for _ in range(RANDOM.randrange(24)))


def cut(frame_part):
    return frame_part[: RANDOM.randrange(len(frame_part) + 1)] if RANDOM.random() < 0.12 else frame_part


def tcp(flags, options=b"", doff=None):
    offset = 5 + len(options) // 4 if doff is None else doff
    return struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, offset << 4, flags, 64240, 0, 0) + options


def sized(payload, protocol=6):
    """In IPv4 with any ECN bits, or in IPv6."""
    frame = ipv4(protocol, payload, b"", pick(0, 0, 0, 0, 0x2000, 1, 2)) if RANDOM.random() < 0.75 else ipv6(protocol, payload)
    if frame[14] >> 4 == 4:
        head = bytearray(frame[14:34])
        head[1] = pick(0, 1, 2, 3, 0xB8)
        head[10:12] = b"\0\0"
        head[10:12] = struct.pack("!H", lists.checksum(bytes(head)))
        return frame[:14] + bytes(head) + frame[34:]
    return frame[:15] + bytes([pick(0, 0x10, 0x20, 0x30)]) + frame[16:]


def tlv():
    kind = pick(0, 1, 1, 1, 5, 7, 0x26, 0xC9, 0x3E, 0x1E)
    if kind == 0:
        return b"\0"
    length = {5: 2, 7: 4, 0xC9: 16}.get(kind, RANDOM.randrange(5))
    # Zeros, as padding must have.
    return bytes([kind, length]) + (bytes(length) if kind == 1 else bytes(pick(0, 1) for _ in range(length)))


def options_header(following):
    body = b"".join(tlv() for _ in range(RANDOM.randrange(4)))
    short = -(len(body) + 2) % 8
    if short == 1:
        body += b"\0"
    elif short > 1:
        body += bytes([1, short - 2]) + bytes(short - 2)
    if RANDOM.random() < 0.1:
        body = body[:-1] + bytes([pick(1, 9)])
    return bytes([following, (len(body) + 2) // 8 - 1]) + body


def segments(following):
    count = pick(0, 1, 2, 3)
    kind = pick(0, 0, 0, 2, 4, 4, 4)
    addresses = b"".join(bytes.fromhex("20010db80000000000000000000000") + bytes([pick(1, 2, 3)]) for _ in range(count))
    size = 2 * count + (pick(0, 0, 0, 1, 2) if RANDOM.random() < 0.3 else 0)
    rest = bytes([count - 1 & 0xFF if kind == 4 else pick(0, 0, 1), pick(0, 8), 0, pick(0, 5)])
    return bytes([following, size, kind, pick(0, 0, 1, 2)]) + rest + addresses + bytes(8 * (size - 2 * count))


def mobility(following):
    kind = pick(0, 1, 2, 5, 5, 6, 7, 13, 200)
    return bytes([pick(59, 59, 59, 6), pick(0, 0, 1), kind, pick(0, 0, 9)]) + bytes(4) + bytes(pick(0, 8))


def chain():
    parts = [pick(0, 60, 43, 43, 44, 51, 60, 135) for _ in range(RANDOM.randrange(1, 5))]
    if 0 in parts[1:]:
        parts = [0] + [each for each in parts if each != 0]
    last = pick(6, 17, 17, 50, 58, 59)
    whole = b""
    for i, kind in enumerate(parts):
        following = parts[i + 1] if i + 1 < len(parts) else last
        if kind in (0, 60):
            whole += options_header(following)
        elif kind == 43:
            whole += segments(following)
        elif kind == 44:
            whole += struct.pack("!BBHI", following, 0, pick(0, 0, 1, 8), pick(5, 7))
        elif kind == 51:
            whole += bytes([following, 4, 0, 0]) + struct.pack("!II", pick(5, 256), 9) + bytes(12)
        else:
            whole += mobility(following)
    tail = {6: tcp(2), 17: struct.pack("!HHHH", 53, 53, 8, 0), 50: struct.pack("!II", 5, 7), 58: bytes([128, 0, 0, 0, 0, 5, 0, 1]), 59: b""}[last]
    return parts[0], cut(whole + tail)


def chunks():
    out = b""
    for _ in range(RANDOM.randrange(4)):
        kind = pick(0, 0, 1, 2, 3, 6, 6, 9, 11, 14)
        value = {0: struct.pack("!IHHI", 1, 2, 3, 0), 1: struct.pack("!IIHHI", 1, 1000, 5, 5, 9)}.get(kind, bytes(pick(0, 4)))
        length = len(value) + 4 if RANDOM.random() < 0.95 else pick(0, 3, 200)
        out += bytes([kind, RANDOM.randrange(8)]) + struct.pack("!H", length) + value
    return out


def frames():
    for _ in range(150):
        flags = pick(2, 2, 0x12, 0x10, 0x42, 0xC2, 0x82, 0xD0, 0x50, 4)
        mss = pick(b"", b"", bytes.fromhex("020405b4"), bytes.fromhex("02040218"), bytes.fromhex("01010101020405b4"), bytes.fromhex("020305b4"), bytes.fromhex("00020405"), bytes.fromhex("0204")[:2] + bytes(2))
        yield sized(cut(tcp(flags, mss, None if RANDOM.random() < 0.9 else pick(0, 4, 6, 7, 15)) + data()))
    for _ in range(100):
        yield sized(cut(struct.pack("!HHHH", 5000, 53, 0, 0) + data()), 17)
    for _ in range(60):
        flags = pick(0, 0x20, 0x80, 0xA0, 0xB0, 0x10, 0x40)
        yield sized(cut(bytes([flags, pick(0, 0, 0, 1), 8, 0]) + bytes(pick(0, 1, 5) for _ in range(16))), 47)
    for _ in range(40):
        inner = ipv4(17, struct.pack("!HHHH", 5000, 53, 8, 0))[14:]
        yield sized(cut(inner), pick(4, 4, 41, 1, 132))
    for _ in range(350):
        yield ipv6(*chain())
    for _ in range(150):
        yield sized(cut(struct.pack("!HHII", 40000, 3868, 1, 0) + chunks()), 132)
    for _ in range(40):
        yield sized(cut(lists.dccp()), 33)
    for _ in range(30):
        yield sized(cut(struct.pack("!HHHH", pick(53, 80), pick(53, 80), pick(8, 0), 0) + data()), 136)
    for _ in range(80):
        source = bytes([pick(10, 10, 172, 192), pick(0, 5), 0, pick(1, 7, 200)])
        frame = ipv4(17, struct.pack("!HHHH", 53, 53, 8, 0), source=source)
        yield frame
    for _ in range(40):
        frame = bytearray(ipv6(17, struct.pack("!HHHH", 53, 53, 8, 0)))
        frame[22 + 15] = pick(1, 9, 0x20)
        if RANDOM.random() < 0.5:
            frame[22 + 8 : 22 + 16] = bytes([frame[6] ^ 2, *frame[7:9], 0xFF, 0xFE, *frame[9:12]])
        yield bytes(frame)


def main():
    with open(os.path.join(HERE, "matches.pcap"), "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames()):
            out.write(struct.pack("<IIII", 1700000000 + i, 0, len(frame), len(frame)) + frame)


if __name__ == "__main__":
    main()
