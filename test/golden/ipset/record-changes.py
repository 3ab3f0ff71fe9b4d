#!/usr/bin/env python3
"""Records what iptables-nft and iptables-legacy say to frames in a row by rules that change sets of ipset (changes.txt).

  NETSIEVE_ORACLE=/path/to/oracle [IPSET=/path/to/ipset] test/golden/ipset/record-changes.py      (as root)

Writes changes.golden.json.
"""
import importlib.util
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def module(name, *path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(HERE, *path))
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


sets = module("sets", "record.py")
state = module("state", "..", "state", "record.py")


def blocks():
    for block in open(os.path.join(HERE, "changes.txt")).read().split("\n== ")[1:]:
        head, *lines = block.strip().split("\n")
        name, _, frames = head.rpartition(" ")
        rules = [line for line in lines if line.startswith("iptables ")]
        yield name, frames, "".join(line + "\n" for line in lines if line not in rules), "".join(line + "\n" for line in rules)


def main():
    rows = []
    for name, frames, given, rules in blocks():
        for backend in "nft", "legacy":
            request = {"rules": [{"text": given, "format": "ipset"}, {"text": rules, "format": "cmds"}], "hook": "input", "backend": backend}
            told = [bytes.fromhex(each) for each in state.frames(frames)]
            answer = sets.knetfilter.compact(sets.knetfilter.in_private_netns(sets.knetfilter.job, request, told))
            rows.append({"name": name, "tool": "iptables-" + backend, "frames": frames, "sets": given, "rules": rules, "verdicts": answer["verdicts"]})
    out = {"kernel": os.uname().release, "iptables": sets.version(["iptables-nft", "--version"]), "ipset": sets.version([sets.IPSET, "--version"])}
    with open(os.path.join(HERE, "changes.golden.json"), "w") as file:
        file.write(json.dumps(out)[:-1] + ', "rows": [\n%s\n]}\n' % ",\n".join(map(json.dumps, rows)))


if __name__ == "__main__":
    main()
