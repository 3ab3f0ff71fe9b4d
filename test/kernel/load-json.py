# Loads what `netsieve compile --emit json` writes by bpf(2) alone, and runs it over frames: a line of JSON with the return values, or with the
# kernel's word and the last line of its log. Standard input: {"program": what was written, "type": BPF_PROG_TYPE_*, "frames": [hex...]}.
import ctypes, json, os, platform, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
NUMBER = {'x86_64': 321, 'aarch64': 280}[platform.machine()]
MAP_CREATE, MAP_UPDATE, PROG_LOAD, TEST_RUN, BTF_LOAD, MAP_FREEZE = 0, 2, 5, 10, 18, 22
MAP_TYPES = {'hash': 1, 'array': 2, 'percpu_hash': 5, 'percpu_array': 6, 'lpm_trie': 11}
keep = []

def address(data):
    buffer = ctypes.create_string_buffer(bytes(data), len(data))
    keep.append(buffer)
    return ctypes.addressof(buffer)

def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = libc.syscall(NUMBER, command, buffer, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result, buffer.raw

def make_map(one):
    fd, _ = bpf(MAP_CREATE, struct.pack('<IIIII', MAP_TYPES[one['type']], one['keySize'], one['valueSize'], one['maxEntries'], one.get('flags', 0)))
    for key, value in one.get('entries', []):
        bpf(MAP_UPDATE, struct.pack('<IIQQQ', fd, 0, address(bytes.fromhex(key)), address(bytes.fromhex(value)), 0))
    if one.get('frozen'):
        bpf(MAP_FREEZE, struct.pack('<I', fd))
    return fd

def load(program, kind):
    maps = [make_map(one) for one in program['maps']]
    code = bytes.fromhex(program['hex'])
    btf, info = 0, b''
    if 'btf' in program:
        types = bytes.fromhex(program['btf'])
        btf, _ = bpf(BTF_LOAD, struct.pack('<QQIII', address(types), 0, len(types), 0, 0))
        info = b''.join(struct.pack('<II', one['insn_off'], one['type_id']) for one in program['func_info'])
    log = ctypes.create_string_buffer(1 << 24)
    attributes = struct.pack(
        '<IIQQIIQII16sIIIIQIIQIIIIQ', kind, len(code) // 8, address(code), address(b'GPL\0'), 4, len(log), ctypes.addressof(log), 0, 0, b'netsieve', 0, 0,
        btf, 8 if info else 0, address(info) if info else 0, len(info) // 8, 0, 0, 0, 0, 0, 0, address(struct.pack(f'<{len(maps)}i', *maps)) if maps else 0)
    try:
        return bpf(PROG_LOAD, attributes)[0], log
    except OSError as refused:
        print(json.dumps({'refused': refused.strerror, 'log': log.value.decode(errors='replace').strip().split('\n')[-1]}))
        sys.exit()

request = json.load(sys.stdin)
fd, log = load(request['program'], request['type'])
values = []
for frame in map(bytes.fromhex, request['frames']):
    _, told = bpf(TEST_RUN, struct.pack('<IIIIQQIIQQII', fd, 0, len(frame), 0, address(frame), 0, 1, 0, 0, 0, 0, 0))
    values.append(struct.unpack_from('<I', told, 4)[0])
print(json.dumps({'log': log.value.decode(errors='replace').strip().split('\n')[-1], 'values': values}))
