#!/usr/bin/env python3
"""Records what nft, iptables-nft and iptables-legacy do with every frame of the captures under the rulesets of rulesets.txt.

  NETSIEVE_ORACLE=/path/to/oracle test/golden/netfilter/record.py [--add] [NAME …]      (as root)

With names only these rulesets are recorded: printed, or with --add put into golden.json in place of their rows.

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
    wanted = [name for name in sys.argv[1:] if name != "--add"]
    add = "--add" in sys.argv
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
    golden = os.path.join(HERE, "golden.json")
    if add:
        before = json.load(open(golden))
        if {key: before[key] for key in out} != out:
            raise SystemExit("these are not the versions of golden.json: record all")
        rows = [row for row in before["rows"] if row["name"] not in wanted] + rows
        names = [block["name"] for block in rulesets(os.path.join(HERE, "rulesets.txt"))]
        rows.sort(key=lambda row: names.index(row["name"]))
    target = open(golden, "w") if add or not wanted else sys.stdout
    target.write(json.dumps(out)[:-1] + ', "rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n")


if __name__ == "__main__":
    main()
