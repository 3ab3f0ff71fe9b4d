#!/usr/bin/env python3
"""Records what nft, iptables-nft and iptables-legacy do with every frame of captures/NAME.pcap under each match of NAME.txt.

  NETSIEVE_ORACLE=/path/to/oracle test/golden/netfilter/record-lists.py lists|matches      (as root)

Writes NAME.golden.json: for each match and tool the numbers of the frames that it drops, and of those of which nothing is told.
"""
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(os.environ["NETSIEVE_ORACLE"], "knetfilter.py")
NAME = sys.argv[1]
PCAP = os.path.join(HERE, "..", "captures", NAME + ".pcap")


def ask(server, text, form, hook, backend):
    request = {"id": text, "rules": [{"text": text, "format": form}], "hook": hook, "pcap": PCAP, "backend": backend}
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    if "error" in answer:
        raise SystemExit("%s: %s" % (text, answer["error"]))
    told = list(answer["verdicts"])
    for i in answer["reassembled"]:
        told[i] = "-"
    numbers = lambda mark: [i for i, each in enumerate(told) if each == mark]
    return {"dropped": numbers("d"), "untold": numbers("-")}


def questions():
    head = []
    for line in open(os.path.join(HERE, NAME + ".txt")):
        line = line.strip()
        if line.startswith("@ "):
            head = line[2:].split()
        elif line and not line.startswith("#"):
            if head[0] == "nft":
                _, family, hook = head
                device = ' device "in0"' if family == "netdev" else ""
                text = "table %s t {\n chain c {\n  type filter hook %s%s priority 0\n  %s drop\n }\n}\n" % (family, hook, device, line)
                yield {"match": line, "tool": "nft", "hook": hook, "rules": text}, "nft", "nft"
            else:
                program, hook = head
                text = "%s -t raw -A %s %s -j DROP\n" % (program, hook.upper(), line)
                for backend in "nft", "legacy":
                    yield {"match": line, "tool": "iptables-" + backend, "hook": hook, "rules": text}, "cmds", backend


def version(command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def main():
    server = subprocess.Popen([sys.executable, ORACLE, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    rows = []
    common = {}
    for row, form, backend in questions():
        told = ask(server, row["rules"], form, row["hook"], backend)
        key = json.dumps(told.pop("untold"))
        rows.append({**row, "untold": common.setdefault(key, len(common)), **told})
    os.killpg(server.pid, signal.SIGTERM)
    out = {"kernel": os.uname().release, "nft": version(["nft", "--version"]), "iptables": version(["iptables-nft", "--version"])}
    out["untold"] = [json.loads(key) for key in common]
    with open(os.path.join(HERE, NAME + ".golden.json"), "w") as target:
        target.write(json.dumps(out)[:-1] + ', "rows": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]}\n")


if __name__ == "__main__":
    main()
