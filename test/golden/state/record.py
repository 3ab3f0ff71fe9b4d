#!/usr/bin/env python3
"""Records what nft, iptables-nft and iptables-legacy say to frames in a row by rules that keep something (rulesets.txt).

  NETSIEVE_ORACLE=/path/to/oracle test/golden/state/record.py      (as root)

The frames are UDP packets of the lengths that a block names, from 10.0.0.1 or where it says (`3x100@7`: from 10.0.0.7; `3x100@7/63`: with this time to live); they come within milliseconds. Writes golden.json.
"""
import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("record", os.path.join(HERE, "..", "netfilter", "record.py"))
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(length, source=1, ttl=64):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, length, 0, 0, ttl, 17, 0, bytes([10, 0, 0, source]), bytes([10, 0, 0, 2]))
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    frame = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]) + ip + struct.pack(">HHHH", 1000, 53, length - 20, 0)
    return (frame + bytes(length - 28)).hex()


def frames(text):
    out = []
    for part in text.split(","):
        times, _, rest = part.partition("x")
        length, _, place = rest.partition("@")
        source, _, ttl = place.partition("/")
        out += [udp(int(length), int(source or 1), int(ttl or 64))] * int(times)
    return out


def main():
    server = subprocess.Popen([sys.executable, record.ORACLE, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    rows = []
    for block in record.rulesets(os.path.join(HERE, "rulesets.txt")):
        text, lengths = block["text"].strip() + "\n", block["hook"]
        if block["syntax"] == "nft":
            text = "table ip t {\n chain c {\n  type filter hook input priority 0; policy drop;\n%s }\n}\n" % "".join("  %s\n" % line for line in text.splitlines())
        nft = block["syntax"].endswith("nft")
        for tool in ["nft"] if nft else ["iptables-nft", "iptables-legacy"]:
            request = {"id": block["name"], "rules": [{"text": text, "format": "nft" if nft else "cmds"}], "hook": "input",
                       "frames": frames(lengths), "backend": "legacy" if tool == "iptables-legacy" else "nft"}
            rows.append({"name": block["name"], "tool": tool, "frames": lengths, "rules": text, "verdicts": record.ask(server, request)})
    os.killpg(server.pid, signal.SIGTERM)
    version = record.version
    out = {"kernel": os.uname().release, "nft": version(["nft", "--version"]),
           "iptables-nft": version(["iptables-nft", "--version"]), "iptables-legacy": version(["iptables-legacy", "--version"])}
    with open(os.path.join(HERE, "golden.json"), "w") as target:
        target.write(json.dumps(out)[:-1] + ', "rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n")


if __name__ == "__main__":
    main()
