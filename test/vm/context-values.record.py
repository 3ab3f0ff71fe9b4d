"""What each load of a context's field gives in a test run of the kernel, by program type, offset and size, on a few frames: all but pointers.
Writes context-values.golden.json beside this file. Root, Linux with BPF; NETSIEVE_ORACLE names the folder of kbpf.py.
"""
import json
import os
import platform
import struct
import sys

sys.path.insert(0, os.environ["NETSIEVE_ORACLE"])
import kbpf  # noqa: E402

LINK = "020000000001020000000002"
TCP = "03e800500000000000000000500200640000000000000000"
FRAMES = [
    LINK + "0800" + "4500002c00010000400600000a0000010a000002" + TCP,
    LINK + "86dd" + "6000000000180640" + bytes(range(1, 33)).hex() + TCP,
    # No broadcast: the address that the loopback device takes for one is none on Ethernet.
    LINK + "0806" + "00" * 46,
    "01005e000001020000000002" + "8100" + "20050800" + "4500002c00010000400600000a0000010a000002" + TCP,
]
LOAD = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
# Pointers: data, data_end, data_meta, flow_keys, sk.
POINTERS = {"xdp": range(12), "skb": [*range(76, 84), *range(140, 152), *range(168, 176)]}


def insn(op, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", op, (src << 4) | dst, off, imm)


def values(kind, offset, size):
    """A number for each frame; None where the load is refused."""
    code = insn(LOAD[size], 7, 1, offset) + insn(0x18, 1, 6) + insn(0) + insn(0x7B, 1, 7) + insn(0xB7, imm=1) + insn(0x95)
    program = kbpf.Prog(code, kind, maps=[{"type": "array", "key_size": 4, "value_size": 8, "max_entries": 1}], want_log=False)
    if program.fd is None:
        return None
    runner = kbpf.Runner(program)
    out = []
    for frame in FRAMES:
        runner.one(bytes.fromhex(frame))
        out.append("0x%x" % struct.unpack("<Q", bytes.fromhex(program.maps[0].dump()[0][1]))[0])
    program.close()
    return out


golden = {"kernel": platform.release(), "frames": FRAMES, "values": {}}
for kind in ("xdp", "sched_cls", "cgroup_skb", "socket_filter"):
    bytes_of_context = 24 if kind == "xdp" else 192
    pointers = POINTERS["xdp" if kind == "xdp" else "skb"]
    for size in LOAD:
        for offset in range(0, bytes_of_context, size):
            if offset not in pointers:
                got = values(kind, offset, size)
                if got is not None:
                    golden["values"]["%s %d %d" % (kind, offset, size)] = got
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "context-values.golden.json"), "w") as f:
    f.write(json.dumps(golden).replace('], "', '],\n"') + "\n")
