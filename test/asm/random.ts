// Random valid programs of a seed, for round trips and benchmarks: every form, registers 0..10, numbers with a taste for edges,
// jumps, local calls and function pointers to starts of instructions.

import { type Insn, type InsnSpec, ISA, insn, Long, slotTable } from '@netsieve/asm'

export type Random = (below: number) => number

/** Numbers of a seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const EDGES = [0, 1, -1, 2, 7, 10, 255, 256, 0x7fff, -0x8000, 0xffff, 0x7fffffff, -0x80000000, -2, 16, 32, 64]

const number = (next: Random): number => (next(2) ? EDGES[next(EDGES.length)]! : (next(0x10000) << 16) | next(0x10000))
const short = (next: Random): number => (number(next) << 16) >> 16

export function randomProgram(next: Random, length: number): Insn[] {
  const specs = Array.from({ length }, () => ISA[next(ISA.length)]!)
  const program = specs.map((spec) => plain(spec, next))
  const slots = slotTable(program)
  return program.map((one, i) => aimed(one, slots[i]!, slots[next(length)]!))
}

function plain(spec: InsnSpec, next: Random): Insn {
  const imm64 = Long.fromBits(number(next), spec.uses.has('next_imm') ? number(next) : 0)
  return insn(spec, {
    ...(spec.uses.has('dst') && { dst: next(11) }),
    ...(spec.uses.has('src') && { src: next(11) }),
    ...(spec.uses.has('off') && { off: short(next) }),
    ...(spec.uses.has('imm') && { imm: spec.name === 'call' ? number(next) & 0x7fffffff : number(next) }),
    ...(spec.slots === 2 && { imm64 }),
  })
}

/** What jumps, calls or points goes to a slot of the program. */
function aimed(one: Insn, slot: number, to: number): Insn {
  const distance = to - slot - 1
  const { kind, call, imm64, name } = one.spec
  if (kind === 'jump' || kind === 'may_goto' || name === 'ja') return { ...one, off: distance }
  if (name === 'ja32' || call === 'local') return { ...one, imm: distance }
  return imm64 === 'func' ? insn(one.spec, { dst: one.dst, imm64: Long.fromBits(distance, 0) }) : one
}
