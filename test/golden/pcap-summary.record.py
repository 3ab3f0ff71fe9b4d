#!/usr/bin/env python3
"""Records what `tcpdump -n -S -t` and `-e` say of packets: one of each shape of line, from captures/base.pcap and ../../samples.

  test/golden/pcap-summary.record.py        writes pcap-summary.golden.json

Lines that tell what our summaries do not look at (DNS, routing protocols, STP …) are left out, as are those of more than one line.
"""
import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURES = ["../../samples/talk.pcap", "../../samples/vlan.pcapng", "../../samples/raw.pcap", "captures/base.pcap", "captures/flags.pcap",
            "captures/trunc.pcap"]
MOST = 120  # lines of a capture
BEYOND = re.compile(r"domain|\d\+|\d\*|prefix length|STP|LLC|NetBeui|802\.3|nd \d|Unnumbered|Loopback|Slow|LLDP|mobil|srcrt|rtalert|vrrp|igrp"
                    r"|time exceeded-#|EGP|ERROR|EIGRP|OSPF|PIM|VRRP|IPX|EAPOL|LACP|PTP|: \d+ [qN]|zoneInit|PPPoE D|ip-proto-(8|9|46|88|89|103|112)\b"
                    r"|HBH truncated|RSVP|PGM|icmp\]$|PPP|NTP|SSH|AAAA\? |A\? |NXDomain")
BEYOND_LINK = re.compile(r"GRE|Geneve|MPLS|PPPoE|\[\||Unknown|\(invalid\)")


def lines(path, extra):
    out = subprocess.run(["tcpdump", "-n", "-S", "-t", "-#", *extra, "-r", path], capture_output=True, text=True).stdout
    found, number = {}, None
    for line in out.split("\n"):
        match = re.match(r"^ *(\d+)  (.*)$", line)
        if match:
            number = int(match[1]) - 1
            found[number] = match[2]
        elif line and number is not None:
            found[number] = None
    return {n: text for n, text in found.items() if text}


def main():
    rows = []
    for name in CAPTURES:
        path = os.path.join(HERE, name)
        for link in (False, True):
            seen = set()
            found = 0
            for number, text in sorted(lines(path, ["-e"] if link else []).items()):
                shape = re.sub(r"[0-9a-f]*[0-9:][0-9a-f:.]*", "#", text)
                if shape in seen or BEYOND.search(text) or (link and BEYOND_LINK.search(text)):
                    continue
                seen.add(shape)
                found += 1
                if found > MOST:
                    break
                rows.append({"capture": name, "packet": number, "link": link, "text": text})
    talk = subprocess.run(["tcpdump", "-n", "-t", "-r", os.path.join(HERE, CAPTURES[0])], capture_output=True, text=True).stdout
    flags = [line for line in talk.split("\n") if "Flags" in line and not BEYOND.search(line)][:400]
    tool = subprocess.run(["tcpdump", "--version"], capture_output=True, text=True)
    version = (tool.stdout + tool.stderr).split("\n")[0]
    with open(os.path.join(HERE, "pcap-summary.golden.json"), "w") as f:
        f.write('{"tool": %s, "rows": [\n' % json.dumps(version) + ",\n".join(json.dumps(r) for r in rows)
                + '\n], "talk": %s}\n' % json.dumps(flags, indent=1))


main()
