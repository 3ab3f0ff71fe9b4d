#!/usr/bin/env python3
"""Makes sentences from the grammar of pcap-filter, and records whether libpcap takes them.

  NETSIEVE_ORACLE=/path/to/oracle test/golden/pcap-sentences.record.py

The oracle folder holds kpcapfilter.py, which calls libpcap itself. Writes pcap-sentences.golden.json: sentences that are taken, and those
that are refused with the message.
"""
import json
import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.environ["NETSIEVE_ORACLE"])
import kpcapfilter  # noqa: E402

GRAMMAR = os.path.join(HERE, "../../packages/rules/src/pcap-filter/pcap-filter.gen.ts")
COUNT, DEEPEST = 1500, 14
CHARS = [chr(c) for c in range(32, 127)]


def rules():
    rows = [json.loads(line.strip().rstrip(",")) for line in open(GRAMMAR) if line.startswith("  {")]
    return {row["name"]: row["alternatives"] for row in rows}


def depths(grammar):
    """How deep the shallowest sentence of each rule is."""
    out = {name: 99 for name in grammar}
    for _ in range(40):
        for name, alternatives in grammar.items():
            out[name] = min(alternative_depth(each, out) for each in alternatives)
    return out


def alternative_depth(parts, known):
    return max([0] + [1 + known[p["rule"]] for p in parts if "rule" in p and p.get("min") != 0 and "look" not in p])


def sentence(grammar, known, name, rng, depth=0):
    alternatives = grammar[name]
    if depth > DEEPEST:
        least = min(alternative_depth(each, known) for each in alternatives)
        alternatives = [each for each in alternatives if alternative_depth(each, known) == least]
    out = ""
    for part in rng.choice(alternatives):
        if "look" in part:
            continue
        least = part.get("min", 1)
        most = least if depth > DEEPEST else max(least, 3 if part.get("max") == "many" else 1)
        for _ in range(rng.randint(least, most)):
            if "lit" in part:
                out += part["lit"]
            elif "chars" in part:
                out += rng.choice([c for c in CHARS if re.fullmatch(part["chars"], c)])
            else:
                out += sentence(grammar, known, part["rule"], rng, depth + 1)
    return out


def main():
    grammar, rng = rules(), random.Random(20261127)
    known = depths(grammar)
    found = {}
    while len(found) < COUNT:
        text = sentence(grammar, known, "expression", rng)
        # `vxlan` is of libpcap 1.11; names of devices are for pflog there.
        if len(text) > 160 or re.search(r"vxlan|ifname|\bon\b", text) or text in found:
            continue
        flt = kpcapfilter.Filter(text, 1, 262144, True, 0)
        found[text] = flt.error
        flt.close()
    out = {"tool": kpcapfilter.lib().pcap_lib_version().decode(),
           "taken": [t for t, e in found.items() if not e], "refused": {t: e for t, e in found.items() if e}}
    with open(os.path.join(HERE, "pcap-sentences.golden.json"), "w") as f:
        f.write(json.dumps(out, indent=0) + "\n")


main()
