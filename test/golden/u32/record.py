#!/usr/bin/env python3
"""Records what tc u32 filters do with every frame of the captures.

  NETSIEVE_ORACLE=/path/to/oracle test/golden/u32/record.py      (as root)

The oracle folder holds ku32.py, which attaches filters in a network namespace. Reads cases.txt, writes golden.json: for each case and capture one
character a frame: d (the filter's action was taken), . (no filter matched), - (the frame cannot be sent).
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(os.environ["NETSIEVE_ORACLE"], "ku32.py")
CAPTURES = {name: os.path.join(HERE, "..", "captures", name + ".pcap") for name in ("base", "trunc")}


def cases(path):
    block = None
    for line in open(path):
        line = line.rstrip("\n")
        if line.startswith("=== "):
            block = {"name": line[4:], "filters": []}
        elif line.startswith("---"):
            if line[4:]:
                block["pred"] = line[4:]
            yield block
            block = None
        elif block and line:
            block["filters"].append(line)


def told(case, pcap):
    filters = os.path.join("/tmp", "netsieve-u32-%d" % os.getpid())
    with open(filters, "w") as out:
        out.write("\n".join(case["filters"]) + "\n")
    try:
        run = subprocess.run([sys.executable, ORACLE, "run", "--filters", filters, "--pcap", pcap, "--compact"], capture_output=True, text=True)
    finally:
        os.unlink(filters)
    if run.returncode:
        raise SystemExit("%s: %s" % (case["name"], run.stdout + run.stderr))
    return json.loads(run.stdout)["verdicts"]


def main():
    rows = []
    for case in cases(os.path.join(HERE, "cases.txt")):
        for name, pcap in CAPTURES.items():
            case[name] = told(case, pcap)
        rows.append(case)
    tc = subprocess.run(["tc", "-V"], capture_output=True, text=True).stdout.strip()
    with open(os.path.join(HERE, "golden.json"), "w") as out:
        out.write(json.dumps({"kernel": os.uname().release, "tc": tc})[:-1] + ', "rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n")


if __name__ == "__main__":
    main()
