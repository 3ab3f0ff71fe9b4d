#!/usr/bin/env python3
"""Records what tc's parser says to the lines of lines.txt, and what it sends: `unshare -n python3 record.py > tc-6.1.golden.json`.

Runs tc under strace where there is no qdisc to take the filter: the request is read off the
system call, and no classifier of the kernel is needed. Run it under `unshare -n`. Needs root, strace and iproute2."""

import json
import os
import re
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSID, HASH, LINK, DIVISOR, SEL, POLICE, ACT, INDEV, MARK, FLAGS = 1, 2, 3, 4, 5, 6, 7, 8, 10, 11
# What the kernel answers to a request that it has nothing else to say about.
NO_QDISC = "Error: Parent Qdisc doesn't exists."


def request(line):
    """The netlink request that `tc filter add dev lo ingress LINE` makes, or nothing, and what tc prints."""
    command = ["strace", "-f", "-e", "trace=sendmsg", "-e", "write=all", "tc", "filter", "add", "dev", "lo", "ingress", *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    sent, said = b"", []
    for text in done.stderr.splitlines():
        dump = re.match(r" \| [0-9a-f]{5}  ((?:[0-9a-f]{2} +)+)", text)
        if dump:
            sent += bytes.fromhex(dump.group(1))
        elif text.startswith("sendmsg("):
            sent = b""
        elif not re.match(r"\[|strace|\+\+\+|---| \* ", text) and text.strip():
            said.append(text)
    return (sent or None), said


def attributes(data):
    at, out = 0, {}
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 2], "little")
        if length < 4:
            break
        out[int.from_bytes(data[at + 2 : at + 4], "little") & 0x7FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return out


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


def row(line):
    sent, said = request(line)
    outer = attributes(sent[36:]) if sent else {}
    if not outer.get(1, b"").startswith(b"u32") or said[:1] != [NO_QDISC]:
        return {"line": line, "accepted": False, "says": said[0] if said else ""}
    info = int.from_bytes(sent[32:36], "little")
    found = attributes(outer.get(2, b""))
    number = lambda data: int.from_bytes(data, "little")
    out = {"line": line, "accepted": True, "prio": info >> 16, "protocol": (info & 0xFFFF).to_bytes(2, "little").hex(), "handle": number(sent[24:28])}
    for name, attribute in {"classid": CLASSID, "ht": HASH, "link": LINK, "divisor": DIVISOR}.items():
        if attribute in found:
            out[name] = number(found[attribute])
    if SEL in found:
        out.update(selector(found[SEL]))
    if MARK in found:
        out["mark"] = list(struct.unpack("<II", found[MARK][:8]))
    return out


def main():
    lines = [line.rstrip("\n") for line in open(os.path.join(HERE, "lines.txt"), encoding="utf-8") if line.strip()]
    rows = ",\n    ".join(json.dumps(row(line), ensure_ascii=False) for line in lines)
    print(
        '{\n  "tool": "tc, iproute2-6.1.0, in a network namespace: what its parser said and what it sent; keys are value, mask, offset, offmask",\n'
        '  "command": "tc filter add dev lo ingress LINE",\n  "rows": [\n    ' + rows + "\n  ]\n}"
    )


main()
