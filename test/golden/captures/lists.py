#!/usr/bin/env python3
"""Writes lists.pcap: frames with options of IPv4, TCP and DCCP, IPv6 extension headers and SCTP chunks, most as they should be, some with wrong
lengths, pointers and ends. The same frames each time. Header checksums of IPv4 are right, so that the IP layer lets them in.
"""
import os
import random
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
RANDOM = random.Random(20261127)
ETHERNET = bytes.fromhex("020000000002020000000001")


def pick(*values):
    return RANDOM.choice(values)


def some(most):
    return bytes(pick(0, 1, 2, 4, 5, 8, RANDOM.randrange(256)) for _ in range(RANDOM.randrange(most + 1)))


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol, payload, options=b"", fragment=0, total=None, source=b"\x0a\x00\x00\x01"):
    length = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, length, 1, fragment, 64, protocol, 0)
    head += source + b"\x0a\x00\x00\x02" + options
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ETHERNET + b"\x08\x00" + head + payload


def ipv6(following, payload):
    addresses = bytes.fromhex("20010db8000000000000000000000001" "20010db8000000000000000000000002")
    return ETHERNET + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(payload), following, 64) + addresses + payload


def option(types):
    kind = pick(*types) if RANDOM.random() < 0.85 else RANDOM.randrange(256)
    if kind < 2:
        return bytes([kind])
    value = some(10)
    length = len(value) + 2 if RANDOM.random() < 0.85 else pick(0, 1, 2, 3, 12, 40, 255)
    return bytes([kind, length]) + value


TCP = (
    "0204059c 020405b4 030307 0402 050a0000000100000005 05120000000100000005000000090000000b 080a0000000100000002 01 01 00 "
    "13120102030405060708090a0b0c0d0e0f10 1e0c0081000000000000001 2202 220a0102030405060708 02 0400 0502 0803 0203ff 1d100102000000000000000000000000"
).split()
IP = (
    "07070400000000 070b080101010100000000 07070801010101 070304 83070" "40a000009 890b040a0000090a000008 8907080a000009 94040000 94040001 "
    "4408050000000000 440c0501000000000000000000 44080900f0000000 440809f000000000 440809f300000000 8606000000010000 88040007 82030f 01 01 00"
).split()


def known(list_, types):
    if RANDOM.random() < 0.75:
        text = pick(*list_)
        return bytes.fromhex(text if len(text) % 2 == 0 else text + "0")
    return option(types)


def options(one, most=40):
    data = b"".join(one() for _ in range(RANDOM.randrange(6)))[:most]
    return data + bytes(-len(data) % 4)


def tcp_options():
    return options(lambda: known(TCP, (0, 1, 2, 3, 4, 5, 8, 19, 30, 34)))


def tcp(list_, doff=None):
    offset = 5 + len(list_) // 4 if doff is None else doff
    return struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, offset << 4, 2, 64240, 0, 0) + list_


def chain():
    types = [pick(0, 43, 43, 44, 51, 60, 60, 135) for _ in range(RANDOM.randrange(5))]
    last = pick(6, 17, 59, 58)
    data = b""
    for i, kind in enumerate(types):
        following = types[i + 1] if i + 1 < len(types) else last
        if kind == 44:
            data += struct.pack("!BBHI", following, pick(0, 0, 7), pick(0, 0, 1, 8, 0x18, 0xFFF8, 6), pick(5, 7, 0xABCDEF01))
        elif kind == 51:
            data += bytes([following, 4, 0, 0]) + struct.pack("!II", pick(5, 256), 9) + bytes(12)
        elif kind == 43:
            size = pick(0, 2, 2, 4)
            data += bytes([following, size, pick(0, 2, 4), pick(0, 1)]) + bytes([pick(0, 1), 0, 0, pick(0, 5)]) + bytes.fromhex("20010db8000000000000000000000009") * (size // 2)
        elif kind == 135:
            data += bytes([pick(59, 6), 0, pick(0, 1, 5), 0, 0, 0, 0, 0])
        else:
            size = pick(0, 0, 1)
            # PadN fills it: other options may drop the packet.
            data += bytes([following, size, 1, 4 + 8 * size]) + bytes(4 + 8 * size)
    tail = {6: tcp(b""), 17: struct.pack("!HHHH", 53, 53, 8, 0), 58: bytes([128, 0, 0, 0, 0, 5, 0, 1]), 59: b""}[last]
    whole = data + tail
    if RANDOM.random() < 0.15:
        whole = whole[: RANDOM.randrange(len(whole) + 1)]
    return (types + [last])[0], whole


def chunk():
    kind = pick(0, 0, 1, 2, 3, 4, 6, 7, 10, 11, 12, 14, 128, 192, 193, 200)
    value = {0: struct.pack("!IHHI", pick(1, 5), 2, 3, 0) + some(5), 1: struct.pack("!IIHHI", pick(1, 5), 1000, 5, 5, 9), 3: struct.pack("!IIHH", pick(1, 5), 9, 0, 0)}.get(kind, some(9))
    length = len(value) + 4 if RANDOM.random() < 0.88 else pick(0, 1, 3, 4, 5, 200)
    return bytes([kind, pick(0, 3)]) + struct.pack("!H", length) + value + bytes(-len(value) % 4)


def dccp():
    kind, extended = pick(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12), pick(0, 1)
    size = 12 + 4 * extended + {0: 4, 1: 12, 2: 0, 7: 12}.get(kind, 8 if kind < 10 else 12)
    list_ = options(lambda: option((0, 1, 2, 5, 32, 38, 44)))
    offset = max(0, (size + len(list_)) // 4 + (0 if RANDOM.random() < 0.85 else pick(1, -9)))
    return struct.pack("!HHBBHBBH", 40000, 5001, offset, 0, 0, kind << 1 | extended, 0, 1) + bytes(size - 12) + list_


def frames():
    fragment = lambda: pick(0, 0, 0, 0, 0, 0, 0x2000, 1, 0x20)
    for _ in range(260):
        yield ipv4(6, tcp(tcp_options(), None if RANDOM.random() < 0.9 else RANDOM.randrange(16)), b"", fragment())
    for _ in range(60):
        yield ipv6(6, tcp(tcp_options()))
    for _ in range(40):
        data = tcp(tcp_options())
        yield ipv4(6, data[: RANDOM.randrange(len(data) + 1)])
    for _ in range(220):
        list_ = options(lambda: known(IP, (0, 1, 7, 68, 130, 131, 134, 136, 137, 148)))
        yield ipv4(17, struct.pack("!HHHH", 53, 53, 8, 0), list_, fragment())
    for _ in range(300):
        yield ipv6(*chain())
    for _ in range(160):
        data = struct.pack("!HHII", 40000, 3868, 1, 0) + b"".join(chunk() for _ in range(RANDOM.randrange(5)))
        if RANDOM.random() < 0.15:
            data = data[: RANDOM.randrange(len(data) + 1)]
        yield ipv4(132, data, b"", fragment()) + bytes(pick(0, 0, 6))
    for _ in range(80):
        yield ipv4(33, dccp()) if RANDOM.random() < 0.6 else ipv6(33, dccp())
    for _ in range(60):
        yield ipv4(1, bytes([pick(0, 3, 5, 8, 11, 12), pick(0, 4), 0, 0]) + struct.pack("!HH", pick(5, 7), pick(5, 1400)) + some(6))
    for _ in range(40):
        yield ipv6(58, bytes([pick(1, 2, 4, 128, 129, 130, 135), 0, 0, 0]) + struct.pack("!HH", pick(0, 5), pick(5, 1280)) + some(6))
    for _ in range(20):
        yield ipv4(2, bytes([pick(17, 22, 34, 23), pick(0, 5), 0, 0, 224, 0, 0, pick(1, 22)]))
    for _ in range(20):
        yield ipv4(51, bytes([6, 4, 0, 0]) + struct.pack("!II", pick(5, 9), 7) + bytes(12) + tcp(b""))
        yield ipv4(50, struct.pack("!II", pick(5, 9), 7) + some(8))
        yield ipv4(108, bytes([6, pick(0, 1), 0, pick(5, 7)]) + some(4))
        yield ipv4(47, bytes([pick(0, 0x20, 0xA0, 0xB0), 0, 8, 0]) + bytes([0, 0, 0, pick(5, 7)]) * 3)
    for _ in range(60):
        frame = pick(lambda: ipv4(6, tcp(tcp_options())), lambda: ipv6(*chain()), lambda: ipv4(132, struct.pack("!HHII", 1, 2, 3, 4) + chunk()))()
        tags = b"".join(struct.pack("!HH", pick(0x8100, 0x8100, 0x88A8), pick(0, 5, 0x6005, 0x1007)) for _ in range(pick(1, 1, 1, 2)))
        yield frame[:12] + tags + frame[12:]
    for _ in range(30):
        yield ETHERNET + b"\x08\x06" + bytes([0, 1, 8, 0, 6, 4, 0, pick(1, 2)]) + ETHERNET[6:] + b"\x0a\x00\x00\x01" + bytes(6) + b"\x0a\x00\x00" + bytes([pick(2, 5)])


def main():
    with open(os.path.join(HERE, "lists.pcap"), "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames()):
            out.write(struct.pack("<IIII", 1700000000 + i, 0, len(frame), len(frame)) + frame)


if __name__ == "__main__":
    main()
