#!/usr/bin/env python3
"""Records what iptables-nft makes of each rule of rules.t, as `nft --debug=netlink list chain` shows it, and whether iptables-legacy takes
it; each in a network namespace of its own (as root). Writes netlink.golden.json.
"""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def shell(command):
    return subprocess.run(["unshare", "-n", "sh", "-c", command], capture_output=True, text=True)


def record(program, rule):
    family = "ip6" if program == "ip6tables" else "ip"
    run = shell("%s-nft -A INPUT %s && nft --debug=netlink list chain %s filter INPUT" % (program, rule, family))
    legacy = shell("%s-legacy -A INPUT %s" % (program, rule)).returncode == 0
    row = {"program": program, "rule": rule, "legacy": legacy}
    if "  [" not in run.stdout:
        return {**row, "error": run.stderr.splitlines()[0]}
    return {**row, "netlink": [line.strip() for line in run.stdout.splitlines() if line.startswith("  [")]}


def main():
    rows, program = [], "iptables"
    for line in open(os.path.join(HERE, "rules.t")):
        line = line.rstrip("\n")
        if line.startswith("@ "):
            program = line[2:]
        elif line and not line.startswith("#"):
            rows.append(record(program, line.rsplit(" ; ", 1)[0]))
    version = subprocess.run(["iptables-nft", "--version"], capture_output=True, text=True).stdout.strip()
    with open(os.path.join(HERE, "netlink.golden.json"), "w") as out:
        out.write('{"tool": %s, "rows": [\n%s\n]}\n' % (json.dumps(version), ",\n".join(map(json.dumps, rows))))


if __name__ == "__main__":
    main()
