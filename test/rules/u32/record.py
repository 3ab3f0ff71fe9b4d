#!/usr/bin/env python3
"""Records what tc's parser says to the lines of lines.txt, and what it sends: `unshare -n python3 record.py > tc-6.1.golden.json` (../tc_requests.py)."""

import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from tc_requests import record

CLASSID, HASH, LINK, DIVISOR, SEL, POLICE, ACT, INDEV, MARK, FLAGS = 1, 2, 3, 4, 5, 6, 7, 8, 10, 11


def selector(data):
    """struct tc_u32_sel."""
    flags, shift, count = data[0], data[1], data[2]
    mask, plus = struct.unpack(">H", data[4:6])[0], struct.unpack("<H", data[6:8])[0]
    at, hash_at = struct.unpack("<hh", data[8:12])
    hash_mask = struct.unpack(">I", data[12:16])[0]
    keys = []
    for i in range(count):
        key = data[16 + 16 * i : 32 + 16 * i]
        keys.append([*struct.unpack(">II", key[4:8] + key[0:4]), *struct.unpack("<ii", key[8:16])])
    return {"flags": flags, "offset": [plus, at, mask, shift], "hashkey": [hash_at, hash_mask], "keys": keys}


def tell(sent, found):
    number = lambda data: int.from_bytes(data, "little")
    out = {"handle": number(sent[24:28])}
    for name, attribute in {"classid": CLASSID, "ht": HASH, "link": LINK, "divisor": DIVISOR}.items():
        if attribute in found:
            out[name] = number(found[attribute])
    if SEL in found:
        out.update(selector(found[SEL]))
    if MARK in found:
        out["mark"] = list(struct.unpack("<II", found[MARK][:8]))
    return out


record(HERE, b"u32", "what it sent; keys are value, mask, offset, offmask", tell)
