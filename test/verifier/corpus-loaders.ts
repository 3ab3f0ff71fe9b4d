// The corpus by hand, third part: what loaders may not do that have not all capabilities.

import { Code, encode, HELPERS, type Helper } from '@netsieve/asm'
import type { FeatureCase } from './corpus-features.ts'
import { type CaseOptions, described, END } from './corpus-kit.ts'

const find = (map: number, key: string) =>
  `${key}; r1 = map[idx:${map}]; r2 = r10; r2 += -8; call 1; if r0 == 0 goto out`

/** What needs CAP_BPF, and what goes without it: numbers are not followed through the stack, and every number counts. */
const UNPRIVILEGED = [
  END, 'r0 = r1; exit', 'r0 = *(u64 *)(r10 -8); exit', 'r1 = r10; if r1 == r10 goto +0; r0 = 0; exit', 'r2 = *(u32 *)(r1 +0); r0 = r2; exit', 'r2 = *(u8 *)(r1 +3); r0 = 0; exit', '*(u32 *)(r1 +8) = 1; r0 = 0; exit', '*(u32 *)(r1 +48) = 1; r0 = 0; exit',
  // Loops.
  'a: goto a', 'r0 = 0; a: if r0 == 0 goto a; exit', 'r6 = 0; a: r6 += 1; if r6 < 3 goto a; r0 = 0; exit', 'r6 = 0; a: r6 += 1; if r6 > 3 goto b; goto a; b: r0 = 0; exit', 'r6 = 0; goto b; a: r0 = 0; exit; b: goto a', 'r6 = 0; goto b; a: r0 = 0; if r0 == 1 goto b; exit; b: if r6 == 0 goto a; r0 = 1; exit',
  'r6 = 0; a: r7 = 0; b: r7 += 1; if r7 < 3 goto b; r6 += 1; if r6 < 3 goto a; r0 = 0; exit', 'a: if r1 == 0 goto b; r0 = 0; exit; b: goto a', 'a: may_goto b; goto a; b: r0 = 0; exit', 'may_goto b; r2 = 0; b: r0 = 0; exit',
  // Functions.
  'call f; exit; f: r0 = 0; exit', 'r2 = f ll; r0 = 0; exit; f: r0 = 0; exit', 'r1 = 4; r2 = f ll; r3 = 0; r4 = 0; call 181; r0 = 0; exit; f: r0 = 0; exit', 'a: call f; goto a; f: r0 = 0; exit',
  // Numbers in the stack.
  `*(u64 *)(r10 -16) = 3; r6 = *(u64 *)(r10 -16); ${find(0, '*(u32 *)(r10 -8) = 0')}; r0 += r6; r0 = *(u8 *)(r0 +0); out: ${END}`, `r6 = 3; *(u64 *)(r10 -16) = r6; r6 = *(u64 *)(r10 -16); ${find(0, '*(u32 *)(r10 -8) = 0')}; r0 += r6; r0 = *(u8 *)(r0 +0); out: ${END}`,
  `*(u64 *)(r10 -16) = 0; r6 = *(u64 *)(r10 -16); ${find(0, '*(u32 *)(r10 -8) = 0')}; r0 += r6; r0 = *(u8 *)(r0 +0); out: ${END}`, `r6 = 0; *(u64 *)(r10 -16) = r6; r6 = *(u64 *)(r10 -16); ${find(0, '*(u32 *)(r10 -8) = 0')}; r0 += r6; r0 = *(u8 *)(r0 +0); out: ${END}`,
  '*(u64 *)(r10 -8) = r1; r1 = *(u64 *)(r10 -8); r0 = *(u32 *)(r1 +0); exit', '*(u64 *)(r10 -8) = r1; *(u32 *)(r10 -8) = 1; r0 = 0; exit', '*(u64 *)(r10 -8) = r1; *(u64 *)(r10 -8) = 1; r0 = *(u64 *)(r10 -8); exit', '*(u32 *)(r10 -8) = 1; r0 = *(u64 *)(r10 -8); exit',
  '*(u64 *)(r10 -8) = r10; r2 = 0; r3 = r10; r3 += -8; r4 = 8; call 26; r0 = 0; exit', '*(u64 *)(r10 -8) = 1; r2 = 0; r3 = r10; r3 += -8; r4 = 8; call 26; r0 = 0; exit',
  // A key that is known spares the comparison with null only where numbers are followed.
  '*(u32 *)(r10 -8) = 0; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; r0 = *(u32 *)(r0 +0); exit', '*(u32 *)(r10 -8) = 1; r1 = map[idx:0]; r2 = r10; r2 += -8; call 1; r0 = *(u32 *)(r0 +0); exit',
  // Numbers a constant apart.
  'call 7; r6 = r0; r7 = r6; r7 += 8; if r6 > 7 goto out; r2 = map[idx:5][0]+0; r2 += r7; r0 = *(u8 *)(r2 +0); out: r0 = 0; exit', 'call 7; r6 = r0; r7 = r6; if r6 > 7 goto out; r2 = map[idx:5][0]+0; r2 += r7; r0 = *(u8 *)(r2 +0); out: r0 = 0; exit',
  'r6 = r1; r0 = *(u8 *)skb[0]; exit', 'r6 = r1; r0 = *(u16 *)skb[12]; if r0 != 0x800 goto out; r0 = 1; exit; out: r0 = 0; exit', 'r1 = map[idx:0]; r0 = *(u32 *)(r1 +0); exit', 'r2 = map[idx:2]; r3 = 1; call 12; r0 = 0; exit', 'r2 = 0; if r2 != 0 goto +1; goto +1; r0 = *(u8 *)(r2 +0); r0 = 0; exit',
  `${find(0, '*(u32 *)(r10 -8) = 9')}; r6 = r0; call 7; r0 &= 7; r6 += r0; r0 = *(u8 *)(r6 +0); out: ${END}`, `${find(0, '*(u32 *)(r10 -8) = 9')}; r6 = r0; call 7; r6 += r0; r0 = *(u8 *)(r6 +0); out: ${END}`, `${find(0, '*(u32 *)(r10 -8) = 9')}; *(u64 *)(r0 +0) = r10; out: ${END}`, `${find(0, '*(u32 *)(r10 -8) = 9')}; lock *(u64 *)(r0 +0) += r10; out: ${END}`,
  'r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; *(u64 *)(r0 +0) = 1; r1 = r0; r2 = 0; call 132; out: r0 = 0; exit', 'r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; r0 = 0; exit',
] // biome-ignore format: one line each

/** What needs CAP_PERFMON, beside what the second part has of it. */
const STRICT = [
  'r2 = 1; r2 -= r1; r0 = 0; exit', 'r2 = 1; r2 -= r10; r0 = 0; exit', 'call 7; r0 -= r10; r0 = 0; exit', 'r1 += 1; r2 = 1; r2 -= r1; r0 = 0; exit', 'r6 = *(u32 *)(r1 +76); r2 = 1; r2 -= r6; r0 = 0; exit', 'r2 = map[idx:5][0]+4; r3 = 1; r3 -= r2; r0 = 0; exit',
  '*(u64 *)(r10 -8) = r10; r2 = 0; r3 = r10; r3 += -8; r4 = 8; call 26; r0 = 0; exit', '*(u64 *)(r10 -16) = r10; r2 = 0; r3 = r10; r3 += -16; r4 = 16; call 26; r0 = 0; exit', '*(u64 *)(r10 -8) = r10; r1 = r10; r1 += -8; r2 = 8; call 16; r0 = 0; exit',
] // biome-ignore format: one line each

/** 70 ways into one place, each with a number of its own, and back to 66 of them. */
function manyStates(): Uint8Array {
  const c = new Code()
  const joint = c.label()
  c.call(7)
  c.mov(6, 1000)
  for (let i = 0; i < 70; i++) {
    const next = c.label()
    c.jump('jne', 0, i, next)
    c.mov(6, i)
    for (let n = 0; n < 4; n++) c.alu('xor', 6, 1)
    c.jump('jeq', 0, i, joint)
    c.bind(next)
  }
  c.bind(joint)
  for (let n = 0; n < 6; n++) c.alu('add', 6, 1)
  c.mov(0, { reg: 6 })
  c.exit()
  return encode(c.layout())
}

/** So many slots that no loader without capabilities may have them, or just as many as it may. */
function long(slots: number): Uint8Array {
  const c = new Code()
  for (let i = 0; i < slots - 1; i++) c.mov(0, i & 7)
  c.exit()
  return encode(c.layout())
}

export function* loaders(): Generator<FeatureCase> {
  const none: CaseOptions = { loader: 'none' }
  for (const type of ['socket_filter', 'cgroup_skb'] as const) {
    for (const text of UNPRIVILEGED) yield { name: `no capability: ${text}`, type, text, options: none }
    for (const [name, { id, ...helper }] of Object.entries<Helper>(HELPERS)) {
      if (!helper.types.includes(type) || (helper.unmodelled && !helper.capability)) continue
      yield { name: `no capability: ${name}`, type, text: `call ${id}; ${END}`, options: none }
    }
    for (const [
      off,
      size,
    ] of [[76, 'u32'], [80, 'u32'], [152, 'u64'], [140, 'u32'], [168, 'u64'], [184, 'u64']] as const) // biome-ignore format: one act
      for (const text of [`r2 = *(${size} *)(r1 +${off}); ${END}`, `r2 = 0; *(${size} *)(r1 +${off}) = r2; ${END}`])
        yield { name: `no capability: ${text}`, type, text, options: none }
    yield { name: 'no capability: many states', type, text: '', bytes: manyStates(), options: none }
    yield { name: 'no capability: 4096 slots', type, text: '', bytes: long(4096), options: none }
  }
  const typed = 'call f; exit; f: r0 = 0; exit'
  const functions = described(typed, { f: { global: true, params: [], returns: 'scalar' } })
  yield { name: 'no capability: a global function', type: 'socket_filter', text: typed, options: { loader: 'none', functions } } // biome-ignore format: one act
  for (const [name, { id, types, capability }] of Object.entries<Helper>(HELPERS)) {
    const type = types.find((t) => t !== 'xdp')
    if (capability === 'perfmon' && type)
      yield { name: `strict: ${name}`, type, text: `call ${id}; ${END}`, options: { loader: 'bpf' } }
  }
  for (const text of STRICT) yield { name: `strict: ${text}`, type: 'sched_cls', text, options: { loader: 'bpf' } }
}
