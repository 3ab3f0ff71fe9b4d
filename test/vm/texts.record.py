"""What bpf_snprintf makes of templates and values, and what bpf_strtol and bpf_strtoul read. Writes texts.golden.json beside this file.
Root, Linux with BPF; NETSIEVE_ORACLE names the folder of kbpf.py.
"""
import ctypes
import json
import os
import platform
import struct
import sys

sys.path.insert(0, os.environ["NETSIEVE_ORACLE"])
import kbpf  # noqa: E402

ROOM = 64
ALL = (1 << 64) - 1
# The template and its values: numbers, "S" for a pointer to the text "hello", "A" for one to an address of 16 bytes.
TEMPLATES = [
    ["%d", 5], ["%d", ALL - 4], ["%u", ALL - 4], ["%5d|", 5], ["%-5d|", 5], ["%05d|", 5], ["%05d|", ALL - 4], ["%+d", 5], ["% d", 5], ["%+d", ALL],
    ["%x %X", 255, 255], ["%lx", 1 << 63], ["%ld", 1 << 63], ["%lld", 1 << 63], ["%llu", 1 << 63], ["%li", 7], ["%i", 7], ["%c", 65], ["%5c|", 65],
    ["%-3c|", 65], ["%03c|", 65], ["%s", "S"], ["%8s|", "S"], ["%-8s|", "S"], ["%08s|", "S"], ["%pks", "S"], ["%pus", "S"], ["%pI4", "A"], ["%pi4", "A"],
    ["%pI6", "A"], ["%pi6", "A"], ["%pI4x", "A"], ["%pI6c", "A"], ["%20pI4|", "A"], ["%s", 0], ["%s", 1], ["%px", 0x1234], ["%p", 0], ["%pI4", 0],
    ["%%"], ["a%%b%d", 3], ["x", 1], ["%99999999d", 5], ["%999999999d", 5], ["%0100d", 5], ["%-100d|", 5], ["%0-5d|", 5], ["%-05d|", 5], ["%+5d|", 5], ["% 5d|", 5],
    ["% +5d|", 5], ["%+05d|", 5], ["% 05d|", 5], ["%+x", 5], ["caf\u00e9"], ["a\tb\n"], ["%pS", 0], ["%ps", 0], ["%pB", 0], ["%08x", 0xabc], ["%8x|", 0xabc],
    ["%016llx", 0xabc], ["%lX", 0xabcdef0123], ["%d %d %d", 1, 2, 3], ["%d", 1, 2], ["%p.", 0], ["%p_", 0], ["%20px|", 0x1234], ["%-20px|", 0x1234], ["%020px|", 0x1234],
    ["%d%d%d%d", 1, 22, 333, 4444], ["0123456789" * 7], ["%s%s%s%s", "S", "S", "S", "S"], ["100%% of %s", "S"], [""],
]
# Text and flags.
NUMBERS = [[text, flags] for text in (
    "123", " 123 x", "-123", "+123", "0x1f", "0X1F", "017", "08", "0", "", "-", "0x", "0xg", "zz", "\t\n 7", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "0" * 62 + "12", "0" * 63 + "1", " " * 70 + "5", "1" * 80,
    "ff", "7f ", "- 5", "--5", "1_000", "\u00a05") for flags in (0, 8, 10, 16)] + [["5", 2], ["5", 32], ["5", 36]]


def insn(op, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", op, (src << 4) | dst, off, imm)


def lddw(dst, src, low, high=0):
    return insn(0x18, dst, src, 0, low) + insn(0, imm=high)


def store(off, value):
    low, high = struct.unpack("<ii", struct.pack("<Q", value & ALL))
    return lddw(1, 0, low, high) + insn(0x7B, 10, 1, off)


def stored(off, data):
    padded = data.ljust(-(-len(data) // 8) * 8, b"\0")
    return b"".join(store(off + at, struct.unpack_from("<Q", padded, at)[0]) for at in range(0, len(padded), 8))


def result(code, maps, size):
    """The value of map 0 after a run: 8 bytes of r0 and what follows; None where the program is refused."""
    out = kbpf.Map({"type": "array", "key_size": 4, "value_size": size, "max_entries": 1, "initial": [["00000000", "aa" * size]]})
    program = kbpf.Prog(code, "sched_cls", maps=[out, *maps])
    if program.fd is None:
        return None
    kbpf.Runner(program).one(bytes(64))
    value = bytes.fromhex(out.dump()[0][1])
    program.close()
    return value


def snprintf(template, values):
    data = template.encode("latin1") + b"\0"
    text = kbpf.Map({"type": "array", "key_size": 4, "value_size": len(data), "max_entries": 1, "flags": 0x80, "initial": [["00000000", data.hex()]]})
    attr = ctypes.create_string_buffer(32)
    struct.pack_into("<I", attr, 0, text.fd)
    assert kbpf._bpf(22, attr, 32) == 0  # BPF_MAP_FREEZE
    code = stored(-64, b"hello\0wor") + stored(-48, bytes.fromhex("0a0000ff20010db8000000000000abcd"))
    for i, value in enumerate(values):
        if value in ("S", "A"):
            code += insn(0xBF, 1, 10) + insn(0x07, 1, imm=-64 if value == "S" else -48) + insn(0x7B, 10, 1, -32 + 8 * i)
        else:
            code += store(-32 + 8 * i, value)
    code += lddw(1, 6, 0, 8) + insn(0xB7, 2, imm=ROOM) + lddw(3, 6, 1) + insn(0xBF, 4, 10) + insn(0x07, 4, imm=-32)
    code += insn(0xB7, 5, imm=8 * len(values)) + insn(0x85, imm=165) + lddw(1, 6, 0) + insn(0x7B, 1, 0) + insn(0xB7) + insn(0x95)
    return result(code, [text], 8 + ROOM)


def number(helper, text, flags):
    data = text.encode("latin1") + b"\0"
    code = stored(-128, data) + store(-16, 0) + insn(0xBF, 1, 10) + insn(0x07, 1, imm=-128) + insn(0xB7, 2, imm=len(data)) + insn(0xB7, 3, imm=flags)
    code += insn(0xBF, 4, 10) + insn(0x07, 4, imm=-16) + insn(0x85, imm=helper) + lddw(1, 6, 0) + insn(0x7B, 1, 0)
    code += insn(0x79, 2, 10, -16) + insn(0x7B, 1, 2, 8) + insn(0xB7) + insn(0x95)
    return result(code, [], 16)


def hexed(value):
    return None if value is None else value.hex()


golden = {
    "kernel": platform.release(),
    "texts": [[row, hexed(snprintf(row[0], row[1:]))] for row in [[t[0], *t[1:]] for t in TEMPLATES]],
    "numbers": [[row, [hexed(number(helper, *row)) for helper in (105, 106)]] for row in NUMBERS],
}
# Large numbers as text: JSON readers would round them.
golden["texts"] = [[[row[0], *(v if isinstance(v, str) else hex(v) for v in row[1:])], got] for row, got in golden["texts"]]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "texts.golden.json"), "w") as f:
    f.write(json.dumps(golden, indent=0) + "\n")
