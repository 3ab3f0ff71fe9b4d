#!/usr/bin/env python3
"""Records what nft makes of each rule of rules.t: `nft --debug=netlink --check`, in a network namespace of its own (as root).

Writes netlink.golden.json: for each family and rule the lines of the kernel's expressions, or the first line of the error.
"""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def nft(family, rule):
    hook = 'ingress device "lo"' if family == "netdev" else "input"
    text = "table %s t {\n chain c {\n  type filter hook %s priority 0\n  %s\n }\n}\n" % (family, hook, rule)
    run = subprocess.run(["unshare", "-n", "nft", "--debug=netlink", "-c", "-f", "-"], input=text, capture_output=True, text=True)
    if run.returncode:
        return {"family": family, "rule": rule, "error": run.stderr.splitlines()[0].split("Error: ", 1)[-1]}
    lines = [line.strip() for line in run.stdout.splitlines()]
    return {"family": family, "rule": rule, "netlink": [line for line in lines if line.startswith("[") or line.startswith("element")]}


def main():
    rows, family = [], "inet"
    for line in open(os.path.join(HERE, "rules.t")):
        line = line.rstrip("\n")
        if line.startswith("@ "):
            family = line[2:]
        elif line and not line.startswith("#"):
            rows.append(nft(family, line.rsplit(" ; ", 1)[0]))
    version = subprocess.run(["nft", "--version"], capture_output=True, text=True).stdout.strip()
    with open(os.path.join(HERE, "netlink.golden.json"), "w") as out:
        out.write('{"tool": %s, "rows": [\n%s\n]}\n' % (json.dumps(version), ",\n".join(map(json.dumps, rows))))


if __name__ == "__main__":
    main()
