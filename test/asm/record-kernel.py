#!/usr/bin/env python3
"""Asks the running kernel how its verifier prints instructions: hex lines on stdin, `hex<TAB>text` lines on stdout.

Wants root. Each line is one instruction (8 or 16 bytes), loaded as slot 3 of a small socket filter at log level 2;
the text is that of the table of live registers, which the verifier prints for every instruction before it judges any.
Lines that the kernel refuses before that table come back with the text `-`.
"""
import ctypes
import platform
import re
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
SYS_BPF = {'x86_64': 321, 'aarch64': 280}[platform.machine()]


def insn(opcode, dst=0, src=0, off=0, imm=0):
    return struct.pack('<BBhi', opcode, dst | src << 4, off, imm)


ZERO = insn(0xb7)
EXIT = insn(0x95)


def load(code):
    text = ctypes.create_string_buffer(code, len(code))
    gpl = ctypes.create_string_buffer(b'GPL')
    log = ctypes.create_string_buffer(1 << 20)
    attr = struct.pack('<IIQQIIQ', 1, len(code) // 8, ctypes.addressof(text), ctypes.addressof(gpl), 2, len(log),
                       ctypes.addressof(log)).ljust(128, b'\0')
    fd = libc.syscall(SYS_BPF, 5, attr, len(attr))
    if fd >= 0:
        import os
        os.close(fd)
    return log.value.decode(errors='replace')


def ask(code):
    program = ZERO + insn(0x55, 0, 0, 2 if len(code) == 8 else 3) + ZERO + code + ZERO + EXIT
    if code[0] == 0x85 and code[1] >> 4 == 1:
        program += ZERO + EXIT
    found = re.search(r'^ *(?:\d+ +)?3: [0-9.]{10} (.*)$', load(program), re.M)
    return found.group(1) if found else '-'


print('# How the verifier of Linux %s prints instructions. Recorded by record-kernel.py.' % platform.release().split('-')[0])
for line in sys.stdin:
    print('%s\t%s' % (line.strip(), ask(bytes.fromhex(line.strip()))))
