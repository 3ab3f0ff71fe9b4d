#!/usr/bin/env python3
"""Records what libpcap says of the expressions in pcap.expressions.txt on the captures beside them.

  NETSIEVE_ORACLE=/path/to/oracle test/golden/pcap.record.py

The oracle folder holds kpcapfilter.py, which calls libpcap itself. Writes pcap.golden.json: for each expression the error, or
how long the program is and, for each capture, the numbers of the packets that match (from 0, as ranges); and some of libpcap's
programs to pcap-programs.golden.json.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.environ["NETSIEVE_ORACLE"])
import kpcapfilter  # noqa: E402
from okit import read_pcap  # noqa: E402

CAPTURES = ["base", "flags", "trunc"]


def ranges(values):
    out, start = [], None
    for i, v in enumerate(values + [0]):
        if v and start is None:
            start = i
        elif not v and start is not None:
            out.append(str(start) if start == i - 1 else "%d-%d" % (start, i - 1))
            start = None
    return ",".join(out)


def record(expr, captures):
    flt = kpcapfilter.Filter(expr, 1, 262144, True, 0)
    if flt.error:
        return {"expr": expr, "error": flt.error}
    row = {"expr": expr, "insns": flt.p.len}
    for name, cap in captures:
        row[name] = ranges([flt.match(f, o) for f, o in zip(cap.frames, cap.origlens)])
    flt.close()
    return row


def programs(exprs):
    """Every eighth program that libpcap makes, as tcpdump -ddd prints it; its loops, which no kernel takes, are left out."""
    out = {}
    for expr in exprs:
        flt = kpcapfilter.Filter(expr, 1, 262144, True, 0)
        if not flt.error and "protochain" not in expr:
            prog = flt.prog()
            out[expr] = "%d\n" % len(prog) + "".join("%d %d %d %d\n" % tuple(i) for i in prog)
    return dict(list(out.items())[::8])


def main():
    captures = [(n, read_pcap(os.path.join(HERE, "captures", n + ".pcap"))) for n in CAPTURES]
    with open(os.path.join(HERE, "pcap.expressions.txt")) as f:
        exprs = [line.rstrip("\n") for line in f if line.strip() and not line.startswith("#")]
    out = {"tool": kpcapfilter.lib().pcap_lib_version().decode(),
           "packets": {n: len(c.frames) for n, c in captures}}
    rows = ",\n".join(json.dumps(record(e, captures)) for e in exprs)
    with open(os.path.join(HERE, "pcap.golden.json"), "w") as f:
        f.write(json.dumps(out)[:-1] + ', "rows": [\n' + rows + "\n]}\n")
    with open(os.path.join(HERE, "pcap-programs.golden.json"), "w") as f:
        f.write(json.dumps(programs(exprs), indent=1) + "\n")


main()
