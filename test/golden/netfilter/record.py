#!/usr/bin/env python3
"""Records what nft, iptables-nft and iptables-legacy do with every frame of the captures under the rulesets of rulesets.txt.

  NETSIEVE_ORACLE=/path/to/oracle test/golden/netfilter/record.py [NAME …]      (as root; names: only these rulesets, printed)

The oracle folder holds knetfilter.py, which runs the kernel's netfilter in a network namespace. Writes golden.json: for each ruleset, tool
and capture one character a frame: a (accepted), d (dropped), - (the frame does not come to the hook, or only as part of a reassembled one).
"""
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(os.environ["NETSIEVE_ORACLE"], "knetfilter.py")
CAPTURES = {name: os.path.join(HERE, "..", "captures", name + ".pcap") for name in ("base", "flags", "trunc")}
CAPTURES["talk"] = os.path.join(HERE, "..", "..", "..", "samples", "talk.pcap")


def rulesets(path):
    block = None
    for line in open(path):
        if line.startswith("==="):
            if block:
                yield block
            name, syntax, hook, *tools = line[3:].split()
            block = {"name": name, "syntax": syntax, "hook": hook, "tools": tools, "text": ""}
        elif block:
            block["text"] += line
    if block:
        yield block


def ask(server, request):
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    if "error" in answer:
        raise SystemExit("%s: %s" % (request["id"], answer["error"]))
    told = list(answer["verdicts"])
    for i in answer["reassembled"]:
        told[i] = "-"
    return "".join(told)


def version(command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def main():
    wanted = sys.argv[1:]
    server = subprocess.Popen([sys.executable, ORACLE, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    rows = []
    for block in rulesets(os.path.join(HERE, "rulesets.txt")):
        if wanted and block["name"] not in wanted:
            continue
        text = block["text"].strip() + "\n"
        if block["syntax"] == "nft":
            tools, form = ["nft"], "nft"
        else:
            tools = ["iptables-" + tool for tool in block["tools"] or ["nft", "legacy"]]
            form = "iptables" if text.startswith("*") else "cmds"
        for tool in tools:
            row = {"name": block["name"], "syntax": block["syntax"], "hook": block["hook"], "tool": tool, "rules": text}
            for name, pcap in CAPTURES.items():
                row[name] = ask(server, {
                    "id": row["name"], "rules": [{"text": text, "format": form}], "hook": block["hook"], "pcap": pcap,
                    "backend": "legacy" if tool == "iptables-legacy" else "nft"})
            rows.append(row)
    os.killpg(server.pid, signal.SIGTERM)
    out = {"kernel": os.uname().release, "nft": version(["nft", "--version"]),
           "iptables-nft": version(["iptables-nft", "--version"]), "iptables-legacy": version(["iptables-legacy", "--version"])}
    target = sys.stdout if wanted else open(os.path.join(HERE, "golden.json"), "w")
    target.write(json.dumps(out)[:-1] + ', "rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n")


if __name__ == "__main__":
    main()
