#!/usr/bin/env python3
"""The trunk port of a small switch, for record.sh: frames of a TAP device go out of a link with VLAN tags, and back.

Usage: trunk.py LINK TAP TPID:VID [TPID:VID]     outer tag first, e.g. trunk.py c0 c5 8100:5

The kernel's 8021q module does the same, but not every kernel has it. The tag's priority is the IPv4 precedence.
"""
import fcntl, select, socket, struct, sys

PACKET_OUTGOING, SOL_PACKET, PACKET_AUXDATA, ETH_P_ALL = 4, 263, 8, 3
TUNSETIFF, IFF_TAP_NO_PI = 0x400454CA, 0x0002 | 0x1000
VLAN_VALID, VLAN_TPID_VALID = 0x10, 0x40  # tp_status of struct tpacket_auxdata

link, tap_name = sys.argv[1:3]
tags = [(int(tpid, 16), int(vid)) for tpid, vid in (tag.split(":") for tag in sys.argv[3:])]

tap = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH14x", tap_name.encode(), IFF_TAP_NO_PI))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
wire.bind((link, 0))


def tagged(frame):
    priority = frame[15] >> 5 if frame[12:14] == b"\x08\x00" else 0
    header = b"".join(struct.pack("!HH", tpid, priority << 13 | vid) for tpid, vid in tags)
    return frame[:12] + header + frame[12:]


def whole(frame, ancillary):
    """The frame as it was on the wire: the kernel takes the outer tag off and tells it beside."""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data)
            if status & VLAN_VALID:
                tpid = tpid if status & VLAN_TPID_VALID else 0x8100
                return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return frame


def untagged(frame):
    """The frame without our tags, or None if it does not carry just these."""
    for tpid, vid in tags:
        if len(frame) < 18 or struct.unpack_from("!H", frame, 12)[0] != tpid:
            return None
        if struct.unpack_from("!H", frame, 14)[0] & 0xFFF != vid:
            return None
        frame = frame[:12] + frame[16:]
    return None if frame[12:14] in (b"\x81\x00", b"\x88\xa8") else frame


while True:
    for ready in select.select([tap, wire], [], [])[0]:
        if ready is tap:
            wire.send(tagged(tap.read(65536)))
        else:
            frame, ancillary, _, address = wire.recvmsg(65536, 256)
            inner = None if address[2] == PACKET_OUTGOING else untagged(whole(frame, ancillary))
            if inner:
                tap.write(inner)
