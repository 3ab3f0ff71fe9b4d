#!/usr/bin/env python3
"""Records what nft, iptables-nft and iptables-legacy do with frames by rules about metadata (rulesets.txt), as ../netfilter/record.py does.

  NETSIEVE_ORACLE=/path/to/oracle test/golden/metadata/record.py [NAME …]      (as root; names: only these, printed)

The frames come in by the device in0 and are forwarded to out0. Rules of nft are put into a chain that accepts what they do not drop.
"""
import importlib.util
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("record", os.path.join(HERE, "..", "netfilter", "record.py"))
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)
CAPTURES = {name: record.CAPTURES[name] for name in ("base", "talk")}


def chain(hook, text):
    family = "netdev" if hook == "ingress" else "inet"
    device = ' device "in0"' if hook == "ingress" else ""
    return "table %s t {\n\tchain c {\n\t\ttype filter hook %s%s priority 0; policy accept;\n\t\t%s\n\t}\n}\n" % (family, hook, device, text.replace("\n", "\n\t\t"))


def main():
    wanted = sys.argv[1:]
    server = subprocess.Popen([sys.executable, record.ORACLE, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    rows = []
    for block in record.rulesets(os.path.join(HERE, "rulesets.txt")):
        if wanted and block["name"] not in wanted:
            continue
        text = block["text"].strip()
        nft = block["syntax"] == "nft"
        text = chain(block["hook"], text) if nft and not text.startswith("table") else text + "\n"
        for tool in ["nft"] if nft else ["iptables-" + tool for tool in block["tools"] or ["nft", "legacy"]]:
            row = {"name": block["name"], "syntax": block["syntax"], "hook": block["hook"], "tool": tool, "rules": text}
            for name, pcap in CAPTURES.items():
                row[name] = record.ask(server, {
                    "id": row["name"], "rules": [{"text": text, "format": "nft" if nft else "iptables" if text.startswith("*") else "cmds"}],
                    "hook": block["hook"], "pcap": pcap, "backend": "legacy" if tool == "iptables-legacy" else "nft"})
            rows.append(row)
    os.killpg(server.pid, signal.SIGTERM)
    version = record.version
    out = {"kernel": os.uname().release, "nft": version(["nft", "--version"]),
           "iptables-nft": version(["iptables-nft", "--version"]), "iptables-legacy": version(["iptables-legacy", "--version"])}
    target = sys.stdout if wanted else open(os.path.join(HERE, "golden.json"), "w")
    target.write(json.dumps(out)[:-1] + ', "rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n")


if __name__ == "__main__":
    main()
