#!/usr/bin/env python3
"""Records what `tcpdump -n -S -t` and `-e` say of packets: one of each shape of line, from captures/base.pcap and ../../samples.

  test/golden/pcap-summary.record.py        writes pcap-summary.golden.json

Lines that tell what is above the transport (HTTP, DNS, SCTP chunks, STP …) are left out, as are those of more than one line: our
summaries stop before.
"""
import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURES = ["../../samples/talk.pcap", "../../samples/vlan.pcapng", "../../samples/raw.pcap", "captures/base.pcap", "captures/flags.pcap"]
MOST = 60  # lines of a capture
BEYOND = re.compile(r"HTTP|domain|\d\+|\d\*|prefix length|\(invalid\)|sctp|DCCP|STP|LLC|NetBeui|MPLS|PPPoE|VXLAN|Geneve|GRE|AH\(|ESP"
                    r"|igmp|nd \d|Unnumbered|Loopback|Slow|LLDP|unknown-|bad opt|tfo|sack|md5|scps|mptcp|exp-|mobility|srcrt|rtalert|pim|vrrp"
                    r"|ICMP (?!echo)|ICMP6, (?!echo|neighbor s|router s)|wrong|bad|trunc|EGP|ERROR|EIGRP|OSPF|PIM|IPComp|VRRP|: IP6? |version|Inverse|IPX|EAPOL|LACP|: \d+ [qN]"
                    r"|> [0-9a-f.:]+: [0-9a-f.:]+ > |\[\||RT6|frag")


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
                if shape in seen or BEYOND.search(text):
                    continue
                seen.add(shape)
                found += 1
                if found > MOST:
                    break
                rows.append({"capture": name, "packet": number, "link": link, "text": text})
    tool = subprocess.run(["tcpdump", "--version"], capture_output=True, text=True)
    version = (tool.stdout + tool.stderr).split("\n")[0]
    with open(os.path.join(HERE, "pcap-summary.golden.json"), "w") as f:
        f.write('{"tool": %s, "rows": [\n' % json.dumps(version) + ",\n".join(json.dumps(r) for r in rows) + "\n]}\n")


main()
