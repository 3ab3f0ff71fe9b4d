#!/usr/bin/env python3
"""Writes the corpus: rfc9669/*.data (RFC 9669, runs anywhere) and linux/*.data (what only Linux has).

The expected results come from the operations' definitions in RFC 9669, written here on Python's integers: a second opinion,
no code of the project takes part. Format: bpf_conformance's; assembly in its own (gcc) dialect.

    python3 make.py             writes the files
"""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
M32, M64 = (1 << 32) - 1, (1 << 64) - 1


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def quotient(a, b):
    """Division towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def alu(op, a, b, bits):
    """dst op src at a width, zero-extended to 64 bits. RFC 9669 section 4.1."""
    mask = (1 << bits) - 1
    a, b = a & mask, b & mask
    sa, sb = signed(a, bits), signed(b, bits)
    result = {
        'add': lambda: a + b, 'sub': lambda: a - b, 'mul': lambda: a * b, 'or': lambda: a | b, 'and': lambda: a & b,
        'xor': lambda: a ^ b, 'mov': lambda: b, 'neg': lambda: -a,
        'div': lambda: a // b if b else 0, 'mod': lambda: a % b if b else a,
        'sdiv': lambda: quotient(sa, sb) if b else 0, 'smod': lambda: sa - quotient(sa, sb) * sb if b else a,
        'lsh': lambda: a << (b & (bits - 1)), 'rsh': lambda: a >> (b & (bits - 1)),
        'arsh': lambda: sa >> (b & (bits - 1)),
    }[op]()
    return result & mask


def test(op, a, b, bits):
    """The condition of a jump. RFC 9669 section 4.3."""
    mask = (1 << bits) - 1
    a, b = a & mask, b & mask
    sa, sb = signed(a, bits), signed(b, bits)
    return {'jeq': a == b, 'jne': a != b, 'jgt': a > b, 'jge': a >= b, 'jlt': a < b, 'jle': a <= b, 'jset': (a & b) != 0,
            'jsgt': sa > sb, 'jsge': sa >= sb, 'jslt': sa < sb, 'jsle': sa <= sb}[op]


def write(folder, name, asm, result=None, mem=None, error=None):
    lines = ['# Written by make.py.', '-- asm'] + [line.strip() for line in asm.strip().split('\n')]
    if mem is not None:
        lines += ['-- mem'] + [' '.join('%02x' % byte for byte in mem[i:i + 16]) for i in range(0, len(mem), 16)]
    lines += ['-- error', error] if error else ['-- result', '0x%x' % (result & M64)]
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    with open(os.path.join(HERE, folder, name + '.data'), 'w') as out:
        out.write('\n'.join(lines) + '\n')


def rfc(name, asm, result, mem=None):
    write('rfc9669', name, asm, result, mem)


def linux(name, asm, result=None, mem=None, error=None):
    write('linux', name, asm, result, mem, error)


A, B = 0xFEDCBA9876543210, 0x123456789ABCDEF7
OPS = ['add', 'sub', 'mul', 'div', 'sdiv', 'or', 'and', 'lsh', 'rsh', 'mod', 'smod', 'xor', 'mov', 'arsh']
SHIFTS = {'lsh', 'rsh', 'arsh'}

# --- arithmetic ---
for bits, suffix in ((64, ''), (32, '32')):
    for op in OPS:
        imm = 13 if op in SHIFTS else -77
        full = imm & M64
        rfc(f'{op}{suffix}-imm', f'lddw %r0,{A:#x}\n{op}{suffix} %r0,{imm}\nexit', alu(op, A, full, bits))
        b = 0x2000000D if op in SHIFTS else B
        if op in SHIFTS:
            b = 21
        rfc(f'{op}{suffix}-reg', f'lddw %r0,{A:#x}\nlddw %r1,{b:#x}\n{op}{suffix} %r0,%r1\nexit', alu(op, A, b, bits))
        if op in ('div', 'mod', 'sdiv', 'smod'):
            rfc(f'{op}{suffix}-zero', f'lddw %r0,{A:#x}\nlddw %r1,0x100000000\nmov %r2,0\n{op}{suffix} %r0,%r2\nexit',
                alu(op, A, 0, bits))
            low = 1 << (bits - 1)
            rfc(f'{op}{suffix}-lowest', f'lddw %r0,{low:#x}\nmov %r1,-1\n{op}{suffix} %r0,%r1\nexit', alu(op, low, M64, bits))
        if op in SHIFTS:
            rfc(f'{op}{suffix}-masked', f'lddw %r0,{A:#x}\nmov %r1,{bits + 5}\n{op}{suffix} %r0,%r1\nexit', alu(op, A, bits + 5, bits))
    rfc(f'neg{suffix}', f'lddw %r0,{A:#x}\nneg{suffix} %r0\nexit', alu('neg', A, 0, bits))
    for low in ((8, 16, 32) if bits == 64 else (8, 16)):
        x = 0x1122334485868788
        want = signed(x, low) & ((1 << bits) - 1)
        rfc(f'movsx{low}{bits}', f'mov %r0,-1\nlddw %r1,{x:#x}\nmovsx{low}{bits} %r0,%r1\nexit', want)
for bits in (16, 32, 64):
    low = A & ((1 << bits) - 1)
    turned = int.from_bytes(low.to_bytes(bits // 8, 'little'), 'big')
    rfc(f'le{bits}', f'lddw %r0,{A:#x}\nle{bits} %r0\nexit', low)
    rfc(f'be{bits}', f'lddw %r0,{A:#x}\nbe{bits} %r0\nexit', turned)
    rfc(f'swap{bits}', f'lddw %r0,{A:#x}\nswap{bits} %r0\nexit', turned)
rfc('lddw', f'lddw %r0,{A:#x}\nexit', A)

# --- jumps: bit i of the result is set where case i is not taken ---
EDGES = [(0, 0), (5, 5), (5, -5), (-5, 5), (-5, -5), (0x80000000, 1), (1, 0x7FFFFFFF), (6, 3)]
HIGH = 0xAAAA00000000
for bits, suffix in ((64, ''), (32, '32')):
    for op in ('jeq', 'jgt', 'jge', 'jset', 'jne', 'jsgt', 'jsge', 'jlt', 'jle', 'jslt', 'jsle'):
        code, want = ['mov %r0,0'], 0
        for i, (a, b) in enumerate(EDGES):
            code += [f'lddw %r1,{a & M64:#x}', f'{op}{suffix} %r1,{b},next{i}', f'or %r0,{1 << i}', f'next{i}:']
            want |= 0 if test(op, a, b, bits) else 1 << i
        rfc(f'{op}{suffix}-imm', '\n'.join(code + ['exit']), want)
        code, want = ['mov %r0,0'], 0
        for i, (a, b) in enumerate(EDGES + [(HIGH | 7, 7)]):
            code += [f'lddw %r1,{a & M64:#x}', f'lddw %r2,{b & M64:#x}', f'{op}{suffix} %r1,%r2,next{i}', f'or %r0,{1 << i}', f'next{i}:']
            want |= 0 if test(op, a, b, bits) else 1 << i
        rfc(f'{op}{suffix}-reg', '\n'.join(code + ['exit']), want)
rfc('ja', 'mov %r0,1\njne %r0,1,skip\nja +1\nskip:\nmov %r0,2\nexit', 1)
rfc('ja-back', 'mov %r0,0\nagain: add %r0,3\njlt %r0,30,-2\nexit', 30)
rfc('ja32', 'mov %r0,1\njne %r0,1,skip\nja32 over\nskip:\nmov %r0,2\nover:\nexit', 1)
rfc('exit', 'mov %r0,7\nexit', 7)
rfc('call-local', 'mov %r6,5\nmov %r1,20\ncall local twice\nadd %r0,%r6\nexit\ntwice:\nmov %r6,9\nmov %r0,%r1\nadd %r0,%r1\nexit', 45)
rfc('call', 'call 5\nmov %r0,2\nexit', 2)

# --- memory ---
MEM = [(0x81 + i * 7) & 0xFF for i in range(32)]


def mem(at, size):
    return int.from_bytes(bytes(MEM[at:at + size]), 'little')


SIZES = (('b', 1), ('h', 2), ('w', 4), ('dw', 8))
for letter, size in SIZES:
    rfc(f'ldx{letter}', f'ldx{letter} %r0,[%r1+8]\nexit', mem(8, size), MEM)
    fill = 0x5555555555555555
    mask = (1 << (size * 8)) - 1
    frame = f'lddw %r3,{fill:#x}\nstxdw [%r10-16],%r3\n'
    rfc(f'st{letter}', frame + f'st{letter} [%r10-16],-3\nldxdw %r0,[%r10-16]\nexit', fill & ~mask | -3 & mask)
    rfc(f'stx{letter}', frame + f'lddw %r2,{A:#x}\nstx{letter} [%r10-16],%r2\nldxdw %r0,[%r10-16]\nexit', fill & ~mask | A & mask)
    if size < 8:
        rfc(f'ldxs{letter}', f'ldxs{letter} %r0,[%r1+0]\nldxs{letter} %r2,[%r1+24]\nadd %r0,%r2\nexit',
            signed(mem(0, size), size * 8) + signed(mem(24, size), size * 8), MEM)
    linux(f'load-acquire-{letter}', f'lddw %r2,{A:#x}\nstxdw [%r10-8],%r2\nmov %r0,-1\nldacq{letter} %r0,[%r10-8]\nexit', A & mask)
    linux(f'store-release-{letter}', frame + f'lddw %r2,{A:#x}\nstrel{letter} [%r10-16],%r2\nldxdw %r0,[%r10-16]\nexit', fill & ~mask | A & mask)
rfc('ldx-negative-offset', 'add %r1,16\nldxh %r0,[%r1-3]\nexit', mem(13, 2), MEM)

# --- atomics: the memory afterwards, exclusive or the register afterwards ---
X = 0x00FF00FF12345678
for suffix, letter, bits in (('', 'dw', 64), ('32', 'w', 32)):
    mask = (1 << bits) - 1
    for op in ('add', 'or', 'and', 'xor', 'xchg'):
        new = X & mask if op == 'xchg' else alu(op, A, X, bits)
        memory = A & ~mask | new
        start = f'lddw %r3,{A:#x}\nstxdw [%r10-8],%r3\nlddw %r2,{X:#x}\n'
        end = 'ldxdw %r0,[%r10-8]\nmul %r0,3\nxor %r0,%r2\nexit'
        if op != 'xchg':
            rfc(f'lock-{op}{suffix}', start + f'lock {op}{suffix} [%r10-8],%r2\n' + end, (memory * 3 ^ X) & M64)
        fetch = op if op == 'xchg' else f'fetch {op}'
        rfc(f'lock-{fetch.replace(" ", "-")}{suffix}', start + f'lock {fetch}{suffix} [%r10-8],%r2\n' + end,
            (memory * 3 ^ (A & mask)) & M64)
    for equal in (True, False):
        expected = A & mask if equal else 0x77
        memory = A & ~mask | (X & mask if equal else A & mask)
        rfc(f'lock-cmpxchg{suffix}-{"equal" if equal else "different"}',
            f'lddw %r3,{A:#x}\nstxdw [%r10-8],%r3\nlddw %r2,{X:#x}\nlddw %r0,{expected:#x}\nlock cmpxchg{suffix} [%r10-8],%r2\n'
            'ldxdw %r3,[%r10-8]\nmul %r3,3\nxor %r0,%r3\nexit', (memory * 3 ^ (A & mask)) & M64)

# --- Linux: packets, maps, loops. Errors are the words of Linux 6.18. ---
for letter, size in (('b', 1), ('h', 2), ('w', 4)):
    want = int.from_bytes(bytes(MEM[9:9 + size]), 'big')
    linux(f'ldabs{letter}', f'mov %r6,%r1\nldabs{letter} 9\nexit', want, MEM)
    linux(f'ldind{letter}', f'mov %r6,%r1\nmov %r7,4\nldind{letter} %r7,5\nexit', want, MEM)
linux('ldabs-outside', 'mov %r6,%r1\nldabsw 30\nmov %r0,7\nexit', 0, MEM)
linux('may-goto', 'mov %r0,1\nmay_goto +1\nja +1\nmov %r0,2\nexit', 1)
linux('map-index', '.map m array key 4 value 8 entries 1\nstw [%r10-4],0\nmov %r2,%r10\nadd %r2,-4\nlddw %r1,map[idx:0]\ncall 1\n'
      'jne %r0,0,found\nmov %r0,1\nexit\nfound:\nstdw [%r0+0],55\nldxdw %r0,[%r0+0]\nexit', 55)
linux('map-index-value', '.map m array key 4 value 8 entries 1\nlddw %r1,map[idx:0][0]+4\nstw [%r1+0],99\n'
      'lddw %r2,map[idx:0][0]+0\nldxdw %r0,[%r2+0]\nexit', 99 << 32)
linux('map-fd', 'lddw %r1,map[fd:1000]\nmov %r0,0\nexit', error='fd 1000 is not pointing to valid bpf_map')
linux('map-value', 'lddw %r1,map[fd:1000][0]+4\nmov %r0,0\nexit', error='fd 1000 is not pointing to valid bpf_map')
linux('btf-id', 'lddw %r1,btf[id:0]\nmov %r0,0\nexit', error="pseudo btf_id 0 in ldimm64 isn't KIND_VAR or KIND_FUNC")
linux('func', 'lddw %r1,subprog[+3]\nmov %r0,0\nexit\nmov %r0,0\nexit', error='missing btf func_info')
linux('kfunc', 'call runtime 5\nexit', error='kernel btf_id 5 is not a function')
linux('callx', 'mov %r0,0\ncall %r0\nexit', error='unknown opcode 8d')
