// What to do about a rejection, by its message.

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /offset is outside of the packet/,
    'compare the pointer plus the bytes you read with data_end, and jump away where it is greater',
  ],
  [/invalid access to map value/, 'keep the offset plus the size of the access below the value size of the map'],
  [
    /unbounded memory access, make sure to bounds check/,
    'mask the index or compare it with the size before it is added to the pointer',
  ],
  [/unbounded memory access, use/, 'mask the size, or compare it with the size of the buffer, before the call'],
  [/min value is negative/, 'make the number unsigned with a mask, or jump away where it is below 0'],
  [/invalid zero-sized read/, 'jump away where the size is 0 before the call'],
  [/invalid mem access '.*_or_null'/, 'compare the pointer with 0 first, and use it only where it is not 0'],
  [
    /invalid mem access 'scalar'/,
    'the register holds a number here: reload the pointer, or find where it was lost (calls, helpers that change the packet)',
  ],
  [/pointer arithmetic on .*_or_null prohibited/, 'compare the pointer with 0 before adding to it'],
  [/!read_ok/, 'write the register on every path that leads here; calls leave r1 to r5 undefined'],
  [
    /invalid bpf_context access/,
    'this program type may not touch that field, or not in this size: load the whole field',
  ],
  [
    /math between .* unbounded min value/,
    'narrow the number on both sides (a mask, or signed comparisons) before adding it to the pointer',
  ],
  [
    /makes .* pointer be out of bounds|pointer .* is not allowed/,
    'narrow the number before adding it: offsets must stay below 2^29',
  ],
  [/Unreleased reference/, 'release the object (bpf_sk_release, bpf_ringbuf_submit or discard) on every path to exit'],
  [/infinite loop detected/, 'change something in every round that the loop condition depends on'],
  [
    /BPF program is too large/,
    'make loops shorter, or keep fewer differing values alive across branches so that states can be merged',
  ],
  [
    /prohibited for !root/,
    'a loader without CAP_PERFMON may only add numbers of known sign and small range to stack and map value pointers: bound the number on both sides first',
  ],
  [
    /leaks addr|pointer comparison prohibited|partial copy of pointer/,
    'a loader without CAP_PERFMON may not let pointers out of registers and whole stack slots',
  ],
  [
    /Caller passes invalid args/,
    "pass what the function's type asks for: numbers, the context itself, or memory of the whole size",
  ],
  [
    /missing btf func_info|in subprogs without BTF/,
    'compile with -g, so that the object carries BTF for its functions',
  ],
  [/calls are not allowed while holding a lock|bpf_spin_lock-ed region/, 'call bpf_spin_unlock before, on every path'],
  [
    /bpf_spin_lock cannot be accessed/,
    'leave the bytes of the lock alone: only bpf_spin_lock and bpf_spin_unlock may touch them',
  ],
  [/misaligned .*access/, 'read the field byte by byte, or at a multiple of its size'],
  [/too complex/, 'split the program: too many branches are open at once'],
  [/cannot use helper/, 'this program type has not got that helper'],
  [/GPL-restricted/, 'declare a GPL-compatible licence'],
  [/type=.* expected=/, 'pass what the helper expects in that argument'],
  [/unreachable insn/, 'remove the code that no jump leads to'],
  [/jump out of range|last insn is not an exit/, 'end every function with exit or a jump inside it'],
  [/combined stack size/, 'use less stack: 512 bytes for all frames of a chain of calls'],
  [
    /variable-offset|variable stack access/,
    'keep the part of the offset that varies below the size of the array: mask it, or compare it before it is added',
  ],
  [
    /invalid .*stack R\d+|misaligned stack access/,
    'stack accesses go to r10-512 up to r10-1, at multiples of their size',
  ],
  [/^div by zero$/, 'divide by a number that is not 0'],
  [/^invalid shift /, 'shift by less than the width of the operation'],
  [/uses reserved fields/, 'set the fields that this instruction does not use to 0'],
  [/^(unknown opcode|invalid func unknown)/, 'Linux 6.18 has no such instruction or helper'],
  [/^back-edge /, 'unroll the loop: a loader without CAP_BPF may not have any'],
  [/are allowed for CAP_BPF/, 'inline the function: a loader without CAP_BPF may not have any'],
  [/is for loaders|are for loaders/, 'load it with CAP_BPF, or as one of these types'],
  [/cannot write into|only read from|write into map forbidden/, 'this memory is read-only for programs'],
  [/should have been in/, 'return one of the values that this program type allows'],
]

/** One line that says what to do; undefined where nothing general can be said. */
export function adviceFor(lines: readonly string[]): string | undefined {
  // Later lines name the place; the first that is known decides.
  for (const [pattern, advice] of ADVICE) if (lines.some((line) => pattern.test(line))) return advice
  return undefined
}
