// A corpus by hand: small programs that each look at one rule of the verifier, right and wrong. Families of cases share a
// template; each line is a program, instructions parted by semicolons. What Linux said of each is in corpus.golden.json.

import { HELPERS, type ProgTypeName } from '@netsieve/asm'
import { features } from './corpus-features.ts'
import { frozen } from './corpus-frozen.ts'
import { type Case, type CaseOptions, CORPUS_MAPS, END, program, raw } from './corpus-kit.ts'
import { loaders } from './corpus-loaders.ts'
import { netfilter } from './corpus-netfilter.ts'

const TYPES = ['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const

const XDP_PACKET = 'r7 = *(u32 *)(r1 +0); r8 = *(u32 *)(r1 +4)'
const RANDOM = 'r9 = r1; call 7; r1 = r9'

function* structure(): Generator<[string, Uint8Array]> {
  const exit = [0x95]
  const mov0 = [0xb7]
  yield ['no exit', raw([mov0])]
  yield ['jump past the end', raw([mov0, [0x05, 0, 0, 5], exit])]
  yield ['jump before the start', raw([mov0, [0x05, 0, 0, -3], exit])]
  yield ['conditional jump past the end', raw([mov0, [0x15, 0, 0, 9, 0], exit])]
  yield ['far jump past the end', raw([mov0, [0x06, 0, 0, 0, 70000], exit])]
  yield ['unreachable', raw([mov0, [0x05, 0, 0, 1], mov0, exit])]
  yield ['jump into LD_IMM64', raw([mov0, [0x15, 0, 0, 1, 0], [0x18, 1], [0], exit])]
  yield ['half an LD_IMM64', raw([mov0, exit, [0x18, 1]])]
  yield ['LD_IMM64 with a bad second half', raw([[0x18, 1], [0, 1], mov0, exit])]
  yield ['LD_IMM64 of an unknown kind', raw([[0x18, 1, 9], [0], mov0, exit])]
  yield ['LD_IMM64 with offset', raw([[0x18, 1, 0, 5], [0], mov0, exit])]
  yield ['endless loop', raw([mov0, [0x05, 0, 0, -2], exit])]
  yield ['loop to itself', raw([mov0, [0x15, 0, 0, -1, 0], exit])]
  yield ['last is a jump back', raw([mov0, [0x15, 0, 0, 1, 0], exit, [0x05, 0, 0, -3]])]
  for (const opcode of [
    0x00,
    0x08,
    0x10,
    0x38,
    0x40,
    0x58,
    0x78,
    0x81,
    0x99,
    0xe1,
    0x21,
    0x8d,
    0xe6,
    0xef,
    0xf7,
    0xff,
    0x8e,
    0xe4,
    0xdf,
    0x8f,
    0x42,
    0x22,
    0x33,
    0x53,
    0x0d,
    0xf5,
    0x85 | 0x08,
    0x9d,
  ])
    yield [`opcode ${opcode.toString(16)}`, raw([[opcode], mov0, exit])]
  const reserved: [string, number[]][] = [
    ['mov imm with off', [0xb7, 0, 0, 1]],
    ['mov imm with src', [0xb7, 0, 1]],
    ['mov reg with imm', [0xbf, 0, 1, 0, 1]],
    ['mov reg with off', [0xbf, 0, 1, 7]],
    ['mov32 reg off 32', [0xbc, 0, 1, 32]],
    ['add imm with src', [0x07, 1, 2]],
    ['add reg with imm', [0x0f, 1, 1, 0, 5]],
    ['add with off', [0x07, 1, 0, 1]],
    ['div with off 2', [0x37, 1, 0, 2, 3]],
    ['neg with imm', [0x87, 1, 0, 0, 1]],
    ['neg with src bit', [0x8f, 1]],
    ['end 8', [0xd4, 1, 0, 0, 8]],
    ['end with off', [0xd4, 1, 0, 1, 16]],
    ['bswap with src bit', [0xdf, 1, 0, 0, 16]],
    ['ldx with imm', [0x61, 2, 1, 0, 1]],
    ['st with src', [0x7a, 10, 1, -8, 0]],
    ['stx with imm', [0x7b, 10, 1, -8, 1]],
    ['atomic 0x77', [0xdb, 10, 1, -8, 0x77]],
    ['atomic of a byte', [0xd3, 10, 1, -8, 0]],
    ['call with dst', [0x85, 1, 0, 0, 7]],
    ['call with off', [0x85, 0, 0, 1, 7]],
    ['call with src 5', [0x85, 0, 5, 0, 7]],
    ['ja with imm', [0x05, 0, 0, 0, 1]],
    ['ja with dst', [0x05, 1, 0, 0, 0]],
    ['gotol with off', [0x06, 0, 0, 1, 0]],
    ['jeq imm with src', [0x15, 1, 2, 0, 0]],
    ['jeq reg with imm', [0x1d, 1, 1, 0, 3]],
    ['may_goto with imm', [0xe5, 0, 0, 0, 1]],
    ['exit with imm', [0x95, 0, 0, 0, 1]],
    ['exit with dst', [0x95, 3]],
    ['register 11', [0xb7, 11]],
    ['register 15 read', [0xbf, 0, 15]],
    ['frame pointer written', [0xb7, 10]],
    ['frame pointer added to', [0x07, 10, 0, 0, 8]],
    ['frame pointer loaded to', [0x61, 10, 1]],
    ['shift 64', [0x67, 1, 0, 0, 64]],
    ['shift32 32', [0x64, 1, 0, 0, 32]],
    ['shift -1', [0x77, 1, 0, 0, -1]],
    ['div 0', [0x37, 1, 0, 0, 0]],
    ['mod32 0', [0x94, 1, 0, 0, 0]],
  ]
  for (const [name, slot] of reserved) yield [`reserved: ${name}`, raw([slot, mov0, exit])]
}

/** For every type. */
const EVERYWHERE: readonly string[] = [
  'exit', 'r0 = r5; exit', 'r0 = r1; exit', 'r0 = r10; exit', `r2 = r3; ${END}`, `r1 += r2; ${END}`, `if r3 > 0 goto +0; ${END}`, `if r1 > r3 goto +0; ${END}`,
  `if r3 > r1 goto +0; ${END}`, `*(u64 *)(r10 -8) = r2; ${END}`, `*(u64 *)(r3 -8) = r1; ${END}`, `call 7; r0 = r1; exit`, `call 999; exit`, `call 0; exit`,
  'r0 = 5; exit', 'r0 = -1; exit', `${RANDOM}; exit`, `${RANDOM}; r0 &= 1; exit`, `${RANDOM}; r0 &= 3; exit`, `${RANDOM}; if r0 > 1 goto +1; exit; r0 = 1; exit`,
  `r6 = r1; r0 = *(u8 *)skb[0]; exit`, `r0 = *(u8 *)skb[0]; exit`, `r6 = 0; r0 = *(u16 *)skb[2]; exit`, `r6 = r1; r7 = 4; r0 = *(u32 *)skb[r7 + 2]; r0 = 0; exit`,
  `r6 = r1; r6 += 4; r0 = *(u8 *)skb[0]; exit`, `r6 = r1; r0 = *(u8 *)skb[r7 + 0]; exit`, `r6 = r1; r0 = *(u8 *)skb[0]; r0 = r1; exit`,
] // biome-ignore format: one line each

const STACK: readonly string[] = [
  '*(u64 *)(r10 -8) = r1; r0 = *(u64 *)(r10 -8); r0 = 0; exit', '*(u64 *)(r10 -8) = r1; r2 = *(u32 *)(r10 -8); r0 = 0; exit', '*(u32 *)(r10 -8) = r1; r0 = 0; exit',
  '*(u64 *)(r10 -512) = 1; r0 = 0; exit', '*(u64 *)(r10 -520) = 1; r0 = 0; exit', '*(u64 *)(r10 +0) = 1; r0 = 0; exit', '*(u64 *)(r10 -4) = 1; r0 = 0; exit', '*(u64 *)(r10 -12) = 1; r0 = 0; exit',
  '*(u8 *)(r10 -1) = 1; r0 = 0; exit', '*(u8 *)(r10 -513) = 1; r0 = 0; exit', 'r2 = *(u64 *)(r10 -8); r0 = 0; exit', 'r2 = *(u64 *)(r10 +8); r0 = 0; exit', 'r2 = *(u32 *)(r10 -6); r0 = 0; exit',
  '*(u64 *)(r10 -8) = 5; r0 = *(u64 *)(r10 -8); r1 = 10; r1 -= r0; r0 = 0; exit', '*(u64 *)(r10 -8) = 5; r2 = *(u8 *)(r10 -8); r2 = *(u8 *)(r10 -7); r0 = 0; exit',
  '*(u32 *)(r10 -8) = 5; r2 = *(u64 *)(r10 -8); r0 = 0; exit', '*(u32 *)(r10 -4) = 5; r2 = *(u32 *)(r10 -4); r0 = 0; exit', '*(u64 *)(r10 -8) = r10; r2 = *(u64 *)(r10 -8); *(u64 *)(r2 -16) = 3; r0 = 0; exit',
  'r2 = r10; r2 += -8; *(u64 *)(r2 +0) = 1; r0 = 0; exit', 'r2 = r10; r2 -= 8; r0 = 0; exit', 'r2 = r10; r2 += 8; *(u8 *)(r2 +0) = 1; r0 = 0; exit', 'r2 = r10; r2 += -600; *(u8 *)(r2 +0) = 1; r0 = 0; exit',
  `${RANDOM}; r0 &= 7; r2 = r10; r2 += r0; *(u8 *)(r2 -8) = 1; r0 = 0; exit`, `${RANDOM}; r0 &= 15; r2 = r10; r2 += r0; *(u8 *)(r2 -8) = 1; r0 = 0; exit`,
  `${RANDOM}; r0 &= 8; r2 = r10; r2 += r0; *(u64 *)(r2 -16) = 0; r3 = *(u64 *)(r10 -16); r0 = 0; exit`, `${RANDOM}; r2 = r10; r2 += r0; *(u8 *)(r2 -8) = 1; r0 = 0; exit`,
  `${RANDOM}; r0 &= 7; r2 = r10; r2 += r0; r3 = *(u32 *)(r2 -16); r0 = 0; exit`, `${RANDOM}; r0 &= 4; r2 = r10; r2 += r0; r3 = *(u32 *)(r2 -16); r0 = 0; exit`,
  `${RANDOM}; r0 &= 7; r0 = -r0; r2 = r10; r2 += r0; *(u8 *)(r2 -1) = 1; r0 = 0; exit`, `*(u64 *)(r10 -8) = 0; ${RANDOM}; r0 &= 7; r2 = r10; r2 += r0; r3 = *(u8 *)(r2 -8); r3 += r10; r0 = 0; exit`,
  `*(u64 *)(r10 -8) = r1; ${RANDOM}; r0 &= 7; r2 = r10; r2 += r0; *(u8 *)(r2 -8) = 1; r3 = *(u64 *)(r10 -8); r4 = *(u32 *)(r3 +0); r0 = 0; exit`,
  `*(u64 *)(r10 -8) = r1; *(u8 *)(r10 -8) = 1; r2 = *(u64 *)(r10 -8); r2 = *(u32 *)(r2 +0); r0 = 0; exit`, `*(u64 *)(r10 -8) = r1; *(u32 *)(r10 -8) = 1; r2 = *(u32 *)(r10 -4); r0 = 0; exit`,
  'lock *(u64 *)(r10 -8) += r1; r0 = 0; exit', '*(u64 *)(r10 -8) = 1; r2 = 3; lock *(u64 *)(r10 -8) += r2; r0 = 0; exit', '*(u64 *)(r10 -8) = 1; r2 = 3; r2 = atomic64_fetch_add((u64 *)(r10 -8), r2); r0 = r2; r0 = 0; exit',
  'r2 = 3; lock *(u64 *)(r10 -12) += r2; r0 = 0; exit', 'r2 = 3; lock *(u64 *)(r10 +8) += r2; r0 = 0; exit', '*(u64 *)(r10 -8) = 1; r0 = 1; r2 = 2; r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r2); r0 = 0; exit',
  'r2 = 1; lock *(u32 *)(r1 +0) += r2; r0 = 0; exit', '*(u64 *)(r10 -8) = r10; r2 = 1; lock *(u64 *)(r10 -8) += r2; r0 = 0; exit', '*(u64 *)(r10 -8) = r10; r2 = 1; r2 = xchg_64(r10 -8, r2); r0 = 0; exit',
].filter((text) => !text.includes('xchg_64')) // biome-ignore format: one line each

const POINTER_KINDS: Readonly<Record<string, string>> = {
  ctx: 'r2 = r1',
  fp: 'r2 = r10',
  pkt: 'r2 = *(u32 *)(r1 +0)',
  pkt_end: 'r2 = *(u32 *)(r1 +4)',
  pkt_meta: 'r2 = *(u32 *)(r1 +8)',
  map_ptr: 'r2 = map[idx:0]',
  map_value: 'r2 = map[idx:5][0]+4',
  map_value_or_null: '*(u32 *)(r10 -4) = 9; r9 = r1; r1 = map[idx:0]; r2 = r10; r2 += -4; call 1; r2 = r0; r1 = r9',
}

/** What is done to a pointer in r2; r3 is an unknown small number. */
const POINTER_USES: readonly string[] = [
  'r2 += 4', 'r2 -= 4', 'r2 *= 4', 'r2 &= 7', 'r2 |= 1', 'r2 ^= 1', 'r2 <<= 1', 'r2 >>= 1', 'r2 /= 2', 'r2 = -r2', 'r2 = be16 r2', 'w2 += 1', 'w2 -= 1', 'w2 = w2', 'r4 = (s8)r2', 'r2 += 536870912', 'r2 += 536870911; r2 += 1',
  'r2 += r3', 'r2 -= r3', 'r3 += r2', 'r3 -= r2', 'r2 += r2', 'r2 -= r2', 'r2 -= r10', 'r4 = *(u8 *)(r2 +0)', 'r4 = *(u32 *)(r2 +0)', 'r4 = *(u64 *)(r2 +0)', '*(u8 *)(r2 +0) = 1', '*(u64 *)(r2 +0) = 1', '*(u32 *)(r2 -4) = 1', 'r2 += r3; r4 = *(u8 *)(r2 +0)',
  'r2 += 4; r4 = *(u32 *)(r2 +0)', 'if r2 == 0 goto +0', 'if r2 != 0 goto +0; r4 = *(u8 *)(r2 +0)', 'if r2 > r10 goto +0', 'if r2 == 5 goto +0', 'if w2 == 0 goto +0', 'if r2 & 1 goto +0', 'r4 = 1; lock *(u32 *)(r2 +0) += r4', '*(u64 *)(r10 -8) = r2; r4 = *(u64 *)(r10 -8)', '*(u32 *)(r10 -8) = r2', '*(u64 *)(r10 -12) = r2',
] // biome-ignore format: one line each

function* pointers(): Generator<[string, string]> {
  for (const [kind, make] of Object.entries(POINTER_KINDS)) {
    for (const use of POINTER_USES) {
      const small = 'r9 = r1; call 7; r0 &= 7; r1 = r9; r6 = r0'
      yield [`${kind}: ${use}`, `${small}; ${make}; r3 = r6; ${use}; ${END}`]
    }
  }
}

const PACKET_TESTS: readonly string[] = [
  'if r2 > r8 goto out; USE', 'if r2 >= r8 goto out; USE', 'if r8 < r2 goto out; USE', 'if r8 <= r2 goto out; USE', 'if r2 <= r8 goto good; goto out; good: USE', 'if r2 < r8 goto good; goto out; good: USE', 'if r8 >= r2 goto good; goto out; good: USE', 'if r8 > r2 goto good; goto out; good: USE',
  'if r2 > r8 goto bad; goto out; bad: USE', 'if r2 < r8 goto out; USE', 'if r8 > r2 goto out; USE', 'if r2 == r8 goto out; USE', 'if r2 s> r8 goto out; USE', 'if w2 > w8 goto out; USE', 'if r2 > r8 goto out; if r2 > r8 goto out; USE', 'if r2 <= r8 goto good; if r2 > r8 goto out; USE; good: r0 = 1',
] // biome-ignore format: one line each

function* packets(): Generator<[string, string]> {
  for (const test of PACKET_TESTS)
    for (const use of ['r3 = *(u8 *)(r7 +13)', 'r3 = *(u8 *)(r7 +14)', 'r3 = *(u16 *)(r7 +13)', '*(u8 *)(r7 +0) = 1'])
      yield [
        `${test.replace('USE', use)}`,
        `${XDP_PACKET}; r2 = r7; r2 += 14; ${test.replace('USE', use)}; out: ${END}`,
      ]
  const check = 'r2 = r7; r2 += 14; if r2 > r8 goto out'
  const random = 'r9 = r1; call 7; r1 = r9; r7 = *(u32 *)(r1 +0); r8 = *(u32 *)(r1 +4)'
  for (const text of [
    `${XDP_PACKET}; ${check}; r3 = *(u8 *)(r2 -1); out: ${END}`, `${XDP_PACKET}; ${check}; r3 = *(u8 *)(r2 +0); out: ${END}`, `${XDP_PACKET}; ${check}; r3 = *(u8 *)(r7 -1); out: ${END}`,
    `${random}; r0 &= 255; r7 += r0; ${check}; r3 = *(u32 *)(r7 +0); out: ${END}`, `${random}; r7 += r0; ${check}; r3 = *(u32 *)(r7 +0); out: ${END}`, `${random}; r0 &= 65535; r7 += r0; ${check}; r3 = *(u32 *)(r7 +0); out: ${END}`,
    `${random}; r0 &= 32767; r7 += r0; ${check}; r3 = *(u32 *)(r7 +10); r7 += r0; r3 = *(u8 *)(r7 +0); out: ${END}`, `${XDP_PACKET}; ${check}; r9 = r1; r2 = -4; call 44; r3 = *(u8 *)(r7 +0); out: ${END}`,
    `${XDP_PACKET}; ${check}; call 7; r3 = *(u8 *)(r7 +0); out: ${END}`, `r7 = *(u32 *)(r1 +8); r8 = *(u32 *)(r1 +0); r2 = r7; r2 += 4; if r2 > r8 goto out; r3 = *(u32 *)(r7 +0); out: ${END}`,
    `r7 = *(u32 *)(r1 +8); r8 = *(u32 *)(r1 +4); r2 = r7; r2 += 4; if r2 > r8 goto out; r3 = *(u32 *)(r7 +0); out: ${END}`, `${XDP_PACKET}; r3 = r8; r3 -= r7; if r3 < 14 goto out; r3 = *(u8 *)(r7 +0); out: ${END}`,
    `${XDP_PACKET}; r2 = r7; r2 += 65535; if r2 > r8 goto out; r3 = *(u8 *)(r7 +0); out: ${END}`, `${XDP_PACKET}; r2 = r7; r2 += 65536; if r2 > r8 goto out; r3 = *(u8 *)(r7 +0); out: ${END}`, `${XDP_PACKET}; r2 = r7; if r2 > r8 goto out; r3 = *(u8 *)(r7 +0); out: ${END}`,
    `${XDP_PACKET}; r2 = r7; if r2 >= r8 goto out; r3 = *(u8 *)(r7 +0); out: ${END}`, `${XDP_PACKET}; ${check}; *(u64 *)(r10 -8) = r7; r4 = *(u64 *)(r10 -8); r3 = *(u8 *)(r4 +0); out: ${END}`, `${XDP_PACKET}; *(u64 *)(r10 -8) = r7; ${check}; r4 = *(u64 *)(r10 -8); r3 = *(u8 *)(r4 +0); out: ${END}`,
  ])
    yield [text, text] // biome-ignore format: one line each
}

const LOOKUP = 'r2 = r10; r2 += -8; call 1'
const MAPS_CASES: readonly string[] = [
  `*(u32 *)(r10 -8) = 1; r1 = map[idx:0]; ${LOOKUP}; r1 = *(u32 *)(r0 +12); ${END}`, `*(u32 *)(r10 -8) = 7; r1 = map[idx:0]; ${LOOKUP}; r1 = *(u32 *)(r0 +12); ${END}`, `*(u32 *)(r10 -8) = 1; r1 = map[idx:0]; ${LOOKUP}; r1 = *(u32 *)(r0 +13); ${END}`,
  `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; r1 = *(u32 *)(r0 +12); ${END}`, `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; if r0 == 0 goto out; r1 = *(u32 *)(r0 +44); out: ${END}`, `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; if r0 != 0 goto in; goto out; in: r1 = *(u32 *)(r0 +44); out: ${END}`,
  `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; if r0 == 0 goto out; r1 = *(u32 *)(r0 +45); out: ${END}`, `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; if r0 == 0 goto out; r1 = *(u32 *)(r0 -1); out: ${END}`, `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; if r0 == 1 goto out; r1 = *(u32 *)(r0 +0); out: ${END}`,
  `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; r6 = r0; if r0 == 0 goto out; r1 = *(u32 *)(r6 +0); out: ${END}`, `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; *(u64 *)(r10 -16) = r0; if r0 == 0 goto out; r6 = *(u64 *)(r10 -16); r1 = *(u32 *)(r6 +0); out: ${END}`,
  `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; ${LOOKUP}; r0 += 8; if r0 == 0 goto out; r1 = *(u32 *)(r0 +0); out: ${END}`, `r1 = map[idx:1]; r2 = r10; r2 += -8; call 1; ${END}`, `r1 = map[idx:1]; r2 = r10; r2 += -4; call 1; ${END}`, `r1 = map[idx:1]; r2 = r10; call 1; ${END}`, `r1 = map[idx:1]; r2 = 0; call 1; ${END}`,
  `r1 = 5; r2 = r10; r2 += -8; call 1; ${END}`, `r2 = r10; r2 += -8; call 1; ${END}`, `r1 = map[idx:1]; r1 += 0; r2 = r10; r2 += -8; call 1; ${END}`, `r1 = map[idx:1]; r1 += 8; r2 = r10; r2 += -8; call 1; ${END}`, `r1 = map[idx:1]; r1 = *(u32 *)(r1 +0); ${END}`.replace('r1 = *(u32 *)(r1 +0); ', ''),
  `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; r2 = r10; r2 += -8; r3 = r10; r3 += -56; r4 = 0; call 2; ${END}`, `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; r2 = r10; r2 += -8; r3 = r10; r3 += -40; r4 = 0; call 2; ${END}`, `*(u64 *)(r10 -8) = 1; r1 = map[idx:1]; r2 = r10; r2 += -8; call 3; ${END}`, `r1 = map[idx:2]; ${LOOKUP}; ${END}`, `r1 = map[idx:3]; ${LOOKUP}; ${END}`, `r1 = map[idx:6]; ${LOOKUP}; ${END}`,
  `*(u32 *)(r10 -8) = 0; r1 = map[idx:7]; r2 = r10; r2 += -8; r3 = r2; r4 = 0; call 2; ${END}`, `*(u32 *)(r10 -8) = 0; r1 = map[idx:7]; ${LOOKUP}; if r0 == 0 goto out; *(u8 *)(r0 +0) = 1; out: ${END}`, `*(u32 *)(r10 -8) = 0; r1 = map[idx:8]; ${LOOKUP}; r1 = *(u8 *)(r0 +0); ${END}`, `*(u32 *)(r10 -8) = 0; r1 = map[idx:8]; ${LOOKUP}; *(u8 *)(r0 +0) = 1; ${END}`,
  `r1 = map[idx:5][0]+0; r2 = *(u64 *)(r1 +16); ${END}`, `r1 = map[idx:5][0]+16; r2 = *(u64 *)(r1 +0); ${END}`, `r1 = map[idx:5][0]+20; r2 = *(u64 *)(r1 +0); ${END}`, `r1 = map[idx:5][0]+24; ${END}`, `r1 = map[idx:0][0]+0; ${END}`, `r1 = map[idx:1][0]+0; ${END}`,
  `call 7; r6 = r0; r6 &= 15; r1 = map[idx:5][0]+0; r1 += r6; r2 = *(u8 *)(r1 +8); ${END}`, `call 7; r6 = r0; r6 &= 31; r1 = map[idx:5][0]+0; r1 += r6; r2 = *(u8 *)(r1 +0); ${END}`, `call 7; r6 = r0; r1 = map[idx:5][0]+0; r1 += r6; r2 = *(u8 *)(r1 +0); ${END}`, `call 7; r6 = r0; if r6 s> 10 goto out; r1 = map[idx:5][0]+0; r1 += r6; r2 = *(u8 *)(r1 +0); out: ${END}`,
  `call 7; r6 = r0; r6 &= 7; r1 = map[idx:5][0]+8; r1 -= r6; r2 = *(u8 *)(r1 +0); ${END}`, `call 7; r6 = r0; r6 &= 15; r1 = map[idx:5][0]+8; r1 -= r6; r2 = *(u8 *)(r1 +0); ${END}`, `call 7; w6 = w0; if w6 > 20 goto out; r1 = map[idx:5][0]+0; r1 += r6; r2 = *(u32 *)(r1 +0); out: ${END}`, `call 7; w6 = w0; if w6 > 21 goto out; r1 = map[idx:5][0]+0; r1 += r6; r2 = *(u32 *)(r1 +0); out: ${END}`,
  `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r2 = 0; call 132; out: ${END}`, `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r2 = 0; call 133; out: ${END}`, `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; ${END}`, `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; out: ${END}`, `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; r1 = r0; r2 = 0; call 132; ${END}`,
  `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; *(u64 *)(r0 +16) = 1; r1 = r0; r2 = 0; call 132; out: ${END}`, `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r1 += 8; r2 = 0; call 132; out: ${END}`, `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0; r1 = r0; r2 = 0; call 132; *(u8 *)(r6 +0) = 1; out: ${END}`, `r1 = map[idx:3]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0; r1 = r0; r2 = 0; call 132; r1 = r6; r2 = 0; call 132; out: ${END}`,
  `call 7; r2 = r0; r1 = map[idx:3]; r3 = 0; call 131; ${END}`, `r1 = map[idx:0]; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r2 = 0; call 132; out: ${END}`, `r1 = map[idx:3]; r2 = r10; r2 += -8; r3 = 8; r4 = 0; call 130; ${END}`, `r1 = r10; r2 = 0; call 132; ${END}`, `r1 = 0; r2 = 0; call 132; ${END}`, `r1 = map[idx:5][0]+0; r2 = 0; call 132; ${END}`,
  `r1 = map[idx:6]; r2 = r10; r2 += -8; r3 = 0; call 87; ${END}`, `r1 = map[idx:6]; r2 = r10; r2 += -8; call 88; r1 = *(u64 *)(r10 -8); ${END}`, `r1 = map[idx:0]; r2 = r10; r2 += -16; r3 = 0; call 87; ${END}`, `*(u32 *)(r10 -8) = 0; r1 = map[idx:4]; r2 = r10; r2 += -8; r3 = 0; call 195; if r0 == 0 goto out; r1 = *(u64 *)(r0 +0); out: ${END}`, `*(u32 *)(r10 -8) = 0; r1 = map[idx:0]; r2 = r10; r2 += -8; r3 = 0; call 195; ${END}`,
  `r2 = map[idx:2]; r3 = 0; call 12; ${END}`, `r2 = map[idx:0]; r3 = 0; call 12; ${END}`, `r2 = map[idx:2]; r3 = r1; call 12; ${END}`, `r2 = map[idx:2]; r3 = 9; call 12; ${END}`, `r2 = map[idx:2]; r3 = 0; call 12; r0 = r1; exit`, `r6 = r1; r2 = map[idx:2]; r3 = 0; call 12; exit`,
] // biome-ignore format: one line each

const LOGIC: readonly string[] = [
  `r6 = 0; top: r6 += 1; if r6 < 10 goto top; ${END}`, `r6 = 0; top: r6 += 1; if r6 != 100 goto top; ${END}`, `call 7; top: r0 += 1; if r0 < 10 goto top; ${END}`, `r6 = 0; top: if r6 < 10 goto top; ${END}`, `top: call 7; if r0 > 0 goto top; ${END}`, `top: call 7; if r0 != 0 goto top; ${END}`,
  `call 7; r6 = r0; r6 &= 31; r7 = 0; top: if r7 >= r6 goto out; r7 += 1; goto top; out: ${END}`, `r1 = 1; r2 = 2; call f; exit; f: r0 = r1; r0 += r2; exit`, `call f; exit; f: call g; exit; g: r0 = 0; exit`, `call f; exit; f: r0 = r6; exit`, `r6 = 1; call f; r0 = r6; exit; f: r6 = 2; r0 = 0; exit`, `call f; r0 = r1; exit; f: r0 = 0; exit`,
  `call f; exit; f: exit`, `call f; r0 = 0; exit; f: exit`, `r1 = r10; call f; ${END}; f: *(u64 *)(r1 -8) = 5; r0 = 0; exit`, `r1 = r10; call f; r2 = *(u64 *)(r10 -8); ${END}; f: *(u64 *)(r1 -8) = r10; r0 = 0; exit`, `r1 = r10; call f; ${END}; f: r0 = r1; exit`, `call f; ${END}; f: r0 = r10; exit`, `call f; exit; f: call f; exit`,
  `*(u64 *)(r10 -300) = 1; ${END}`.replace('-300', '-304'), `*(u8 *)(r10 -300) = 1; call f; exit; f: *(u8 *)(r10 -300) = 1; r0 = 0; exit`, `*(u8 *)(r10 -200) = 1; call f; exit; f: *(u8 *)(r10 -200) = 1; r0 = 0; exit`, `call a; exit; a: call b; exit; b: call c; exit; c: call d; exit; d: call e; exit; e: call f; exit; f: call g; exit; g: r0 = 0; exit`,
  `call a; exit; a: call b; exit; b: call c; exit; c: call d; exit; d: call e; exit; e: call f; exit; f: call g; exit; g: call h; exit; h: r0 = 0; exit`, `r1 = f ll; ${END}; f: r0 = 0; exit`.replace('r1 = f ll; ', ''), `call 7; if r0 == 5 goto a; ${END}; a: r0 -= 5; if r0 == 0 goto b; r0 = *(u8 *)(r0 +0); b: ${END}`, `call 7; r0 &= 8; if r0 & 8 goto a; if r0 == 0 goto b; r1 = *(u8 *)(r0 +0); b: ${END}; a: if r0 == 8 goto b; r1 = *(u8 *)(r0 +0); ${END}`,
  `call 7; if r0 > 5 goto out; if r0 < 6 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`, `call 7; w0 = w0; r0 >>= 32; if r0 == 0 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`, `call 7; r0 s>>= 63; if r0 == 0 goto out; if r0 == -1 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`, `call 7; r6 = r0; if r0 > 3 goto out; if r6 <= 3 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`, `call 7; r6 = r0; r6 += 1; if r0 > 3 goto out; if r6 <= 4 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`,
  `call 7; r0 |= 1; if r0 != 0 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`, `call 7; r0 = (s8)r0; if r0 s< -128 goto bad; if r0 s> 127 goto bad; ${END}; bad: r1 = *(u8 *)(r0 +0); ${END}`, `call 7; r0 &= 15; r0 *= 3; if r0 <= 45 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`, `call 7; r0 = be16 r0; if r0 <= 65535 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`, `call 7; r0 %= 10; if r0 < 10 goto out; r1 = *(u8 *)(r0 +0); out: ${END}`,
] // biome-ignore format: one line each

function* context(): Generator<[string, ProgTypeName, string]> {
  for (const type of TYPES) {
    const last = type === 'xdp' ? 24 : 192
    for (let off = -4; off <= last; off += 4) {
      yield [`read 4 at ${off}`, type, `r2 = *(u32 *)(r1 ${off < 0 ? off : `+${off}`}); ${END}`]
      yield [`write 4 at ${off}`, type, `r2 = 1; *(u32 *)(r1 ${off < 0 ? off : `+${off}`}) = r2; ${END}`]
    }
    for (const off of [0, 2, 16, 48, 50, 66, 76, 92, 132, 152, 168, 184]) {
      if (off >= last) continue
      for (const size of ['u8', 'u16', 'u64'])
        yield [`read ${size} at ${off}`, type, `r2 = *(${size} *)(r1 +${off}); ${END}`]
    }
  }
  yield ['sk without check', 'sched_cls', `r2 = *(u64 *)(r1 +168); r3 = *(u32 *)(r2 +4); ${END}`]
  yield ['sk with check', 'sched_cls', `r2 = *(u64 *)(r1 +168); if r2 == 0 goto out; r3 = *(u32 *)(r2 +4); out: ${END}`]
  for (const off of [0, 8, 16, 24, 44, 48, 50, 52, 72, 76, 80])
    for (const size of ['u8', 'u16', 'u32', 'u64']) {
      yield [
        `sk ${size} at ${off}`,
        'sched_cls',
        `r2 = *(u64 *)(r1 +168); if r2 == 0 goto out; r3 = *(${size} *)(r2 +${off}); out: ${END}`,
      ]
      yield [
        `full sk ${size} at ${off}`,
        'sched_cls',
        `r1 = *(u64 *)(r1 +168); if r1 == 0 goto out; call 95; if r0 == 0 goto out; r3 = *(${size} *)(r0 +${off}); out: ${END}`,
      ]
    }
  yield ['sk written', 'sched_cls', `r2 = *(u64 *)(r1 +168); if r2 == 0 goto out; *(u32 *)(r2 +4) = 1; out: ${END}`]
}

/** Each helper with nothing but the context in r1, and with five numbers, and with stack memory. */
function* helpers(): Generator<[string, ProgTypeName, string]> {
  for (const [name, { id }] of Object.entries(HELPERS)) {
    if ('unmodelled' in HELPERS[name as keyof typeof HELPERS]) continue
    for (const type of TYPES) yield [`${name} as it is`, type, `call ${id}; ${END}`]
    const type = HELPERS[name as keyof typeof HELPERS].types.find((t) => t !== 'xdp') ?? 'xdp'
    yield [`${name} of numbers`, type, `r1 = 1; r2 = 8; r3 = 0; r4 = 4; r5 = 0; call ${id}; ${END}`]
    yield [`${name} of memory`, type, `r2 = r10; r2 += -16; r3 = 8; r4 = r10; r4 += -32; r5 = 8; call ${id}; ${END}`]
    yield [`${name} of numbers after the context`, type, `r2 = 8; r3 = 1; r4 = 4; r5 = 0; call ${id}; ${END}`]
    yield [
      `${name} of stack and a size`,
      type,
      `r1 = r10; r1 += -64; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call ${id}; ${END}`,
    ]
    yield [
      `${name} of a map and a key`,
      type,
      `r1 = map[idx:1]; r2 = r10; r2 += -48; r3 = 0; r4 = 0; r5 = 0; call ${id}; ${END}`,
    ]
  }
  const buffer = (size: string, id = 26) => `r2 = 0; r3 = r10; r3 += -32; ${size}; call ${id}; ${END}`
  const sizes = ['r4 = 32', 'r4 = 33', 'r4 = 0', 'r4 = -1', 'call 7; r1 = r9; r2 = 0; r3 = r10; r3 += -32; r4 = r0', 'call 7; r1 = r9; r2 = 0; r3 = r10; r3 += -32; r4 = r0; r4 &= 31', 'call 7; r1 = r9; r2 = 0; r3 = r10; r3 += -32; r4 = r0; r4 &= 31; r4 += 1', 'call 7; r1 = r9; r2 = 0; r3 = r10; r3 += -32; r4 = r0; r4 &= 31; r4 += 2'] // biome-ignore format: one row
  for (const size of sizes) {
    yield [`skb_load_bytes ${size}`, 'sched_cls', `r9 = r1; ${buffer(size)}`]
    yield [`skb_store_bytes ${size}`, 'sched_cls', `r9 = r1; r5 = 0; ${buffer(size, 9)}`]
  }
}

/** Every case, named uniquely. */
export function corpus(): readonly Case[] {
  const cases: Case[] = []
  const names = new Set<string>()
  const add = (text: string, type: ProgTypeName, body: Uint8Array | string, options: CaseOptions = {}) => {
    const name = `${type}: ${text}`
    if (names.has(name)) return
    names.add(name)
    cases.push({
      name,
      type,
      bytes: typeof body === 'string' ? program(body) : body,
      options: { maps: CORPUS_MAPS, ...options },
    })
  }
  for (const [name, bytes] of structure()) add(name, 'xdp', bytes)
  for (const type of TYPES) for (const text of EVERYWHERE) add(text, type, text)
  for (const text of [...STACK, ...MAPS_CASES, ...LOGIC]) add(text, 'xdp', text)
  for (const [name, text] of [...pointers(), ...packets()]) add(name, 'xdp', text)
  for (const [name, type, text] of [...context(), ...helpers()]) add(name, type, text)
  for (const { name, type, text, bytes, options } of [...features(), ...frozen(), ...loaders(), ...netfilter()])
    add(name, type, bytes ?? text, options)
  return cases
}
