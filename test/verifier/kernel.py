#!/usr/bin/env python3
"""The running kernel's verifier: JSON lines in, JSON lines out. Needs root; everything it makes dies with it.

A request: {loader, type, hex, maps: [{type, keySize, valueSize, maxEntries, flags, spinLockAt, inner, entries: [[key, value]], frozen}],
level, license, attach, strictAlignment, functions: [{slot, name, global, returns, params: [{kind, size, nullable}]}]}; `type` and the types of maps are
numbers (uapi linux/bpf.h). `loader`: root; bpf has CAP_BPF and CAP_NET_ADMIN alone; none has no capability, which wants the sysctl
kernel.unprivileged_bpf_disabled to be 0. Maps and BTF are always root's. Instructions name maps by their index (LD_IMM64 with source
5 or 6). With `functions` the program
gets BTF that describes them, as callbacks and global functions want it.
An answer: {accepted, errno, log}.
"""
import ctypes
import errno
import json
import os
import struct
import sys

SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280}[os.uname().machine]
MAP_CREATE, MAP_UPDATE_ELEM, PROG_LOAD, BTF_LOAD, MAP_FREEZE = 0, 2, 5, 18, 22
STRICT_ALIGNMENT = 1
LOG_BYTES = 16 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
log_buffer = ctypes.create_string_buffer(LOG_BYTES)


def bpf(command, attr):
    got = libc.syscall(SYSCALL, command, ctypes.byref(attr), ctypes.sizeof(attr))
    return got if got >= 0 else -ctypes.get_errno()


CAPABILITIES = {"bpf": 1 << 12 | 1 << 39, "none": 0}  # 12 NET_ADMIN, 39 BPF: uapi linux/capability.h
VERSION_3 = 0x20080522


class Loader:
    """What is done within has only the capabilities of a loader in effect."""

    def __init__(self, name):
        self.wanted = CAPABILITIES.get(name)
        if name == "none":
            with open("/proc/sys/kernel/unprivileged_bpf_disabled") as file:
                if file.read().strip() != "0":
                    raise OSError(errno.EPERM, "kernel.unprivileged_bpf_disabled is not 0")

    def __enter__(self):
        if self.wanted is None:
            return
        self.all = ctypes.create_string_buffer(24)
        libc.capget(struct.pack("<Ii", VERSION_3, 0), self.all)
        held = list(struct.unpack("<6I", self.all.raw))
        held[0], held[3] = self.wanted & 0xFFFFFFFF, self.wanted >> 32
        if libc.capset(struct.pack("<Ii", VERSION_3, 0), struct.pack("<6I", *held)):
            raise OSError(ctypes.get_errno(), "capset")

    def __exit__(self, *_):
        if self.wanted is not None:
            libc.capset(struct.pack("<Ii", VERSION_3, 0), self.all)


def address(buffer):
    return ctypes.addressof(buffer)


class Btf:
    """Types as the kernel wants them (Documentation/bpf/btf.rst); ids start at 1."""

    INT, PTR, STRUCT, FUNC, FUNC_PROTO, DECL_TAG = 1, 2, 4, 12, 13, 17

    def __init__(self):
        self.types, self.count, self.strings = b"", 0, b"\0"

    def text(self, text):
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def add(self, name, kind, members, size_or_type, extra=b""):
        self.types += struct.pack("<III", self.text(name) if name else 0, kind << 24 | members, size_or_type) + extra
        self.count += 1
        return self.count

    def integer(self, size):
        return self.add("int%d" % (size * 8), self.INT, 0, size, struct.pack("<I", size * 8))

    def structure(self, name, size, members=()):
        extra = b"".join(struct.pack("<III", self.text(m), t, bit) for m, t, bit in members)
        return self.add(name, self.STRUCT, len(members), size, extra)

    def pointer(self, to):
        return self.add("", self.PTR, 0, to)

    def load(self):
        raw = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.strings))
        raw += self.types + self.strings
        data = ctypes.create_string_buffer(raw, len(raw))
        attr = ctypes.create_string_buffer(32)
        struct.pack_into("<QQIII", attr, 0, address(data), address(log_buffer), len(raw), LOG_BYTES, 1)
        fd = bpf(BTF_LOAD, attr)
        if fd < 0:
            raise OSError(-fd, "BTF: " + log_buffer.value.decode())
        return fd


CONTEXTS = {6: "xdp_md"}


def function_info(prog_type, functions):
    """The fd of BTF for the functions, and the records that say where each starts."""
    btf = Btf()
    scalar = btf.integer(8)
    records = b""
    for function in functions:
        types = []
        for i, param in enumerate(function.get("params", [])):
            if param["kind"] == "scalar":
                types.append(scalar)
            elif param["kind"] == "ctx":
                types.append(btf.pointer(btf.structure(CONTEXTS.get(prog_type, "__sk_buff"), 8)))
            elif param["kind"] == "mem":
                types.append(btf.pointer(btf.structure("mem%d" % param["size"], param["size"])))
            else:
                types.append(btf.pointer(btf.pointer(0)))
        names = b"".join(struct.pack("<II", btf.text("a%d" % i), t) for i, t in enumerate(types))
        returns = {"scalar": scalar, "void": 0}.get(function.get("returns", "scalar"))
        returns = btf.pointer(scalar) if returns is None else returns
        proto = btf.add("", Btf.FUNC_PROTO, len(types), returns, names)
        func = btf.add(function["name"], Btf.FUNC, 1 if function.get("global") else 0, proto)
        for i, param in enumerate(function.get("params", [])):
            if param["kind"] == "mem" and not param.get("nullable", True):
                btf.add("arg:nonnull", Btf.DECL_TAG, 0, func, struct.pack("<i", i))
        records += struct.pack("<II", function["slot"], func)
    return btf.load(), records


known_maps = {}
# Maps that belong to the type of the first program that uses them.
OWNED = {3, 14, 16, 25}


def done(result, what):
    if result < 0:
        raise OSError(-result, "%s: %s" % (what, os.strerror(-result)))


def make_map(spec):
    key = json.dumps(spec, sort_keys=True)
    if key in known_maps:
        return known_maps[key]
    attr = ctypes.create_string_buffer(72)
    inner = make_map(spec["inner"]) if spec.get("inner") else 0
    struct.pack_into("<IIIIII", attr, 0, spec["type"], spec["keySize"], spec["valueSize"], spec["maxEntries"],
                     spec.get("flags", 0), inner)
    attr[28:29] = b"m"
    if spec.get("spinLockAt") is not None:
        btf = Btf()
        word = btf.integer(4)
        lock = btf.structure("bpf_spin_lock", 4, [("val", word, 0)])
        value = btf.structure("value", spec["valueSize"], [("lock", lock, spec["spinLockAt"] * 8)])
        key_type = btf.integer(spec["keySize"])
        struct.pack_into("<III", attr, 48, btf.load(), key_type, value)
    fd = bpf(MAP_CREATE, attr)
    if fd < 0:
        raise OSError(-fd, "map %r: %s" % (spec, os.strerror(-fd)))
    for entry in spec.get("entries") or []:
        parts = [ctypes.create_string_buffer(bytes.fromhex(part)) for part in entry]
        struct.pack_into("<IIQQQ", attr, 0, fd, 0, address(parts[0]), address(parts[1]), 0)
        done(bpf(MAP_UPDATE_ELEM, attr), "an element")
    if spec.get("frozen"):
        done(bpf(MAP_FREEZE, ctypes.create_string_buffer(struct.pack("<I", fd), 4)), "freezing")
    if spec["type"] not in OWNED:
        known_maps[key] = fd
    return fd


def load(request):
    code = bytes.fromhex(request["hex"])
    insns = ctypes.create_string_buffer(code, len(code))
    license_text = ctypes.create_string_buffer(request.get("license", "GPL").encode())
    fds = [make_map(spec) for spec in request.get("maps", [])]
    fd_array = (ctypes.c_int * max(1, len(fds)))(*fds)
    attr = ctypes.create_string_buffer(152)
    flags = STRICT_ALIGNMENT if request.get("strictAlignment") else 0
    log_buffer[0] = 0
    struct.pack_into("<IIQQIIQII", attr, 0, request["type"], len(code) // 8, address(insns), address(license_text),
                     request.get("level", 1), LOG_BYTES, address(log_buffer), 0, flags)
    struct.pack_into("<I", attr, 68, request.get("attach", 0))
    struct.pack_into("<Q", attr, 120, address(fd_array))
    btf_fd = -1
    if request.get("functions"):
        btf_fd, records = function_info(request["type"], request["functions"])
        info = ctypes.create_string_buffer(records, len(records))
        struct.pack_into("<IIQI", attr, 72, btf_fd, 8, address(info), len(records) // 8)
    with Loader(request.get("loader", "root")):
        fd = bpf(PROG_LOAD, attr)
    log = log_buffer.value.decode("utf-8", "replace")
    if len(log) > LOG_BYTES - 2:  # the beginning is lost: the first line, too
        log = log[log.index("\n") + 1:]
    owned = [map_fd for map_fd, spec in zip(fds, request.get("maps", [])) if spec["type"] in OWNED]
    for each in (fd, btf_fd, *owned):
        if each >= 0:
            os.close(each)
    if fd < 0 and not log and request.get("level", 1) & 3 == 0:
        return load({**request, "level": 1})
    return {"accepted": fd >= 0, "errno": errno.errorcode.get(-fd) if fd < 0 else None, "log": log}


def main():
    for line in sys.stdin:
        try:
            answer = load(json.loads(line))
        except OSError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
