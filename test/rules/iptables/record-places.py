#!/usr/bin/env python3
"""Records in which tables and chains iptables-nft and iptables-legacy take a match or target (as root): writes places.golden.json."""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = [
    "-j CLASSIFY --set-class 1:10", "-j REJECT", "-j NOTRACK", "-j CT --notrack", "-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
    "-j CHECKSUM --checksum-fill", "-j DSCP --set-dscp 1", "-j TOS --set-tos 16", "-j TTL --ttl-set 64", "-p tcp -j ECN --ecn-tcp-remove",
    "-p tcp -j TCPOPTSTRIP --strip-options mss", "-j MARK --set-mark 1", "-j CONNMARK --save-mark", "-j TEE --gateway 10.0.0.1", "-j LOG", "-j TRACE",
    "-j NFQUEUE", "-m owner --uid-owner 0 -j ACCEPT", "-m realm --realm 1 -j ACCEPT", "-m mac --mac-source 00:11:22:33:44:55 -j ACCEPT",
    "-m rpfilter -j ACCEPT", "-m addrtype --dst-type LOCAL -j ACCEPT", "-m iprange --src-range 1.2.3.4-1.2.3.5 -j ACCEPT", "-m ecn --ecn-ip-ect 1 -j ACCEPT",
]
CHAINS = {"raw": ["PREROUTING", "OUTPUT"], "mangle": ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"], "filter": ["INPUT", "FORWARD", "OUTPUT"], "security": ["INPUT"]}


def takes(backend, table, chain, rule, inside):
    """`inside`: the rule stands in a user chain that the chain jumps to."""
    name = "iptables-" + backend
    lines = ["%s -t %s -A %s %s" % (name, table, chain, rule)]
    if inside:
        lines = ["%s -t %s -N user" % (name, table), "%s -t %s -A user %s" % (name, table, rule), "%s -t %s -A %s -j user" % (name, table, chain)]
    return subprocess.run(["unshare", "-n", "sh", "-c", " && ".join(lines)], capture_output=True).returncode == 0


def main():
    rows = []
    for rule in RULES:
        for table, chains in CHAINS.items():
            for chain in chains:
                rows.append({"rule": rule, "table": table, "chain": chain, **{backend: takes(backend, table, chain, rule, False) for backend in ("nft", "legacy")},
                             "inside": takes("legacy", table, chain, rule, True)})
    version = subprocess.run(["iptables-nft", "--version"], capture_output=True, text=True).stdout.strip()
    with open(os.path.join(HERE, "places.golden.json"), "w") as out:
        out.write('{"tool": %s, "kernel": %s, "rows": [\n%s\n]}\n' % (json.dumps(version), json.dumps(os.uname().release), ",\n".join(map(json.dumps, rows))))


main()
