#!/usr/bin/env python3
"""Records what iptables-nft and iptables-legacy do with every frame of captures/base.pcap and captures/trunc.pcap under each match of matches.txt, where
the kernel has the sets of sets.txt.

  NETSIEVE_ORACLE=/path/to/oracle [IPSET=/path/to/ipset] test/golden/ipset/record.py      (as root)

Writes golden.json: for each match and tool the numbers of the frames that it drops, and of those of which nothing is told.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
IPSET = os.environ.get("IPSET", "ipset")
sys.path.insert(0, os.environ["NETSIEVE_ORACLE"])
import knetfilter  # noqa: E402

SETS = open(os.path.join(HERE, "sets.txt")).read()


class World(knetfilter.World):
    """A namespace that has the sets too."""

    def load(self, text, fmt, name=""):
        if fmt != "ipset":
            return super().load(text, fmt, name)
        done = subprocess.run([IPSET, "restore"], input=text, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)


knetfilter.World = World


def questions():
    head = []
    for line in open(os.path.join(HERE, "matches.txt")):
        line = line.strip()
        if line.startswith("@ "):
            head = line[2:].split()
        elif line and not line.startswith("#"):
            program, hook = head
            for backend in "nft", "legacy":
                yield line, hook, "%s -t raw -A %s %s -j DROP\n" % (program, hook.upper(), line), backend


def ask(rules, hook, backend, frames):
    request = {"rules": [{"text": SETS, "format": "ipset"}, {"text": rules, "format": "cmds"}], "hook": hook, "backend": backend}
    answer = knetfilter.compact(knetfilter.in_private_netns(knetfilter.job, request, frames))
    told = list(answer["verdicts"])
    for i in answer["reassembled"]:
        told[i] = "-"
    return [[i for i, each in enumerate(told) if each == mark] for mark in "d-"]


def version(command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def main():
    out = {"kernel": os.uname().release, "iptables": version(["iptables-nft", "--version"]), "ipset": version([IPSET, "--version"])}
    common, rows = {}, []
    for name in "base", "trunc":
        frames = knetfilter.read_pcap(os.path.join(HERE, "..", "captures", name + ".pcap")).frames
        for match, hook, rules, backend in questions():
            dropped, untold = ask(rules, hook, backend, frames)
            key = json.dumps(untold)
            rows.append({"match": match, "capture": name, "tool": "iptables-" + backend, "hook": hook, "rules": rules, "untold": common.setdefault(key, len(common)), "dropped": dropped})
    out["untold"] = [json.loads(key) for key in common]
    with open(os.path.join(HERE, "golden.json"), "w") as target:
        target.write(json.dumps(out)[:-1] + ', "rows": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]}\n")


if __name__ == "__main__":
    main()
