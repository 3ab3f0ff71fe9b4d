"""What tc's parser says to lines, and what it sends: for the record.py of each classifier.

Runs tc under strace where there is no qdisc to take the filter: the request is read off the
system call, and no classifier of the kernel is needed. Run it under `unshare -n`. Needs root, strace and iproute2."""

import json
import os
import re
import subprocess

# What the kernel answers to a request that it has nothing else to say about.
NO_QDISC = "Error: Parent Qdisc doesn't exists."


def request(line):
    """The netlink request that `tc filter add dev lo ingress LINE` makes, or nothing, and what tc prints."""
    command = ["strace", "-f", "-e", "trace=sendmsg", "-e", "write=all", "tc", "filter", "add", "dev", "lo", "ingress", *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    sent, said = b"", []
    for text in done.stderr.splitlines():
        dump = re.match(r" \| [0-9a-f]{5}  ((?:[0-9a-f]{2} +)+)", text)
        if dump:
            sent += bytes.fromhex(dump.group(1))
        elif text.startswith("sendmsg("):
            sent = b""
        elif not re.match(r"\[|strace|\+\+\+|---| \* ", text) and text.strip():
            said.append(text)
    return (sent or None), said


def attributes(data):
    at, out = 0, {}
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 2], "little")
        if length < 4:
            break
        out[int.from_bytes(data[at + 2 : at + 4], "little") & 0x7FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return out


def row(classifier, tell, line):
    sent, said = request(line)
    outer = attributes(sent[36:]) if sent else {}
    if not outer.get(1, b"").startswith(classifier) or said[:1] != [NO_QDISC]:
        return {"line": line, "accepted": False, "says": said[0] if said else ""}
    info = int.from_bytes(sent[32:36], "little")
    protocol = (info & 0xFFFF).to_bytes(2, "little").hex()
    return {"line": line, "accepted": True, "prio": info >> 16, "protocol": protocol, **tell(sent, attributes(outer.get(2, b"")))}


def record(folder, classifier, what, tell):
    """Prints a row for each line of lines.txt. `tell` makes of a request and the classifier's attributes what a row is to hold of them."""
    lines = [line.rstrip("\n") for line in open(os.path.join(folder, "lines.txt"), encoding="utf-8") if line.strip()]
    rows = ",\n    ".join(json.dumps(row(classifier, tell, line), ensure_ascii=False) for line in lines)
    print(
        '{\n  "tool": "tc, iproute2-6.1.0, in a network namespace: what its parser said and ' + what + '",\n'
        '  "command": "tc filter add dev lo ingress LINE",\n  "rows": [\n    ' + rows + "\n  ]\n}"
    )
