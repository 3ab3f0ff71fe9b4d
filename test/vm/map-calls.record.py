"""What bpf(2) says of maps: which definitions can be made, and what updates and deletions by the owner give for maps whose values stand for
something outside. Writes map-calls.golden.json beside this file. Root, Linux with BPF; NETSIEVE_ORACLE names the folder of kbpf.py.
"""
import ctypes
import json
import os
import platform
import socket
import struct
import sys

sys.path.insert(0, os.environ["NETSIEVE_ORACLE"])
import kbpf  # noqa: E402

# type: key size, value size, places, flags
USUAL = {
    "hash": (4, 8, 4, 0), "array": (4, 8, 4, 0), "prog_array": (4, 4, 4, 0), "perf_event_array": (4, 4, 4, 0),
    "percpu_hash": (4, 8, 4, 0), "percpu_array": (4, 8, 4, 0), "cgroup_array": (4, 4, 4, 0), "lru_hash": (4, 8, 4, 0),
    "lru_percpu_hash": (4, 8, 4, 0), "lpm_trie": (8, 8, 4, 1), "devmap": (4, 4, 4, 0), "devmap_hash": (4, 4, 4, 0),
    "cpumap": (4, 4, 2, 0), "xskmap": (4, 4, 4, 0), "queue": (0, 8, 4, 0), "stack": (0, 8, 4, 0), "ringbuf": (0, 0, 4096, 0),
    "bloom_filter": (0, 8, 4, 0), "array_of_maps": (4, 4, 4, 0), "hash_of_maps": (4, 4, 4, 0),
}
KEYS = (0, 1, 2, 3, 4, 5, 8, 12, 16, 20, 260, 261, 512)
VALUES = (0, 1, 2, 4, 8, 12, 20, 32, 4096, 32768, 32769, 1 << 20)
PLACES = (0, 1, 2, 3, 4095, 4096, 6000, 8192)


def attempt(cmd, *fields, size=128):
    attr = ctypes.create_string_buffer(size)
    for at, form, value in fields:
        struct.pack_into(form, attr, at, value)
    return kbpf._bpf(cmd, attr, 72 if cmd == 0 else 32)


def create(kind, key, value, places, flags, inner):
    return attempt(0, *((i * 4, "<I", n) for i, n in enumerate((kbpf.MAP_TYPES[kind], key, value, places, flags, inner))))


def update(fd, key, value, flags):
    k, v = ctypes.create_string_buffer(key, 4), ctypes.create_string_buffer(value, 4)
    return attempt(2, (0, "<I", fd), (8, "<Q", ctypes.addressof(k)), (16, "<Q", ctypes.addressof(v)), (24, "<Q", flags))


def delete(fd, key):
    k = ctypes.create_string_buffer(key, 4)
    return attempt(3, (0, "<I", fd), (8, "<Q", ctypes.addressof(k)))


def there(fd, key):
    """Whether a key is among those that can be gone through and has a value."""
    k, v = ctypes.create_string_buffer(key, 4), ctypes.create_string_buffer(8)
    return attempt(1, (0, "<I", fd), (8, "<Q", ctypes.addressof(k)), (16, "<Q", ctypes.addressof(v))) == 0


def definitions(inner):
    """Each definition as [key size, value size, places, flags], with what creating it gave."""
    def outcome(kind, row):
        fd = create(kind, *row, inner if kind.endswith("of_maps") else 0)
        if fd >= 0:
            os.close(fd)
        return min(fd, 0)

    out = {}
    for kind, (key, value, places, flags) in USUAL.items():
        rows = [(key, value, places, flags)]
        rows += [(key, value, places, flags ^ (1 << bit)) for bit in range(13)] + [(key, value, places, flags | 0x180)]
        rows += [(size, value, places, flags) for size in KEYS] + [(key, size, places, flags) for size in VALUES]
        rows += [(key, value, count, flags) for count in PLACES if not (kind == "cpumap" and count > 2)]
        out[kind] = [[list(row), outcome(kind, row)] for row in rows]
    return out


# Keys 0 to 2 of two places (5 is far outside), each with what stands for something ("v") or for nothing (0), by flags.
CALLS = [
    ["update", 0, "v", 2], ["update", 0, "v", 0], ["update", 0, "v", 1], ["update", 0, "v", 2], ["update", 0, "v", 3],
    ["update", 0, "v", 4], ["there", 0], ["update", 1, "v", 1], ["there", 1], ["update", 1, "v", 2], ["there", 1],
    ["update", 1, "v", 0], ["update", 2, "v", 0], ["update", 2, "v", 1], ["update", 5, "v", 0], ["update", 5, "v", 4], ["there", 5],
    ["update", 0, 0, 0], ["there", 0], ["delete", 0], ["delete", 0], ["there", 0], ["delete", 1], ["delete", 1], ["delete", 2], ["delete", 5],
    ["update", 1, "v", 1], ["there", 1], ["update", 0, "v", 0], ["there", 0],
]


def calls(inner):
    program = kbpf.Prog(bytes.fromhex("b7000000020000009500000000000000"), "xdp")
    xsk = socket.socket(44, socket.SOCK_RAW, 0)
    xsk.setsockopt(283, 2, 64)  # XDP_RX_RING
    values = {"prog_array": program.fd, "array_of_maps": inner, "hash_of_maps": inner, "devmap": 1, "devmap_hash": 1,
              "cpumap": 192, "xskmap": xsk.fileno()}
    out = {}
    for kind, value in values.items():
        fd = create(kind, 4, 4, 2, 0, inner if kind.endswith("of_maps") else 0)
        rows = []
        for call in CALLS:
            key = struct.pack("<I", call[1])
            if call[0] == "update":
                # What stands for nothing is no file either.
                number = value if call[2] == "v" else 0
                result = update(fd, key, struct.pack("<I", number), call[3])
            else:
                result = delete(fd, key) if call[0] == "delete" else there(fd, key)
            rows.append([call, result])
        os.close(fd)
        out[kind] = rows
    return out


inner = create("array", 4, 8, 1, 0, 0)
golden = {"kernel": platform.release(), "definitions": definitions(inner), "calls": calls(inner)}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "map-calls.golden.json"), "w") as f:
    f.write(json.dumps(golden) + "\n")
