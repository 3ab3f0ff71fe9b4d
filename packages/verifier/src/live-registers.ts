// Which registers are read before they are written again, from each slot on.

import { helperById, kfuncById } from '@netsieve/asm'
import type { Flow } from './flow.ts'
import type { Prog } from './prog.ts'

const CALLER_SAVED = 0x3f
const ALL_REGS = 0x3ff

/** The registers a slot reads and those it sets, as bits. */
function usesOf(prog: Prog, slot: number): readonly [use: number, def: number] {
  const opcode = prog.opcode[slot]!
  const dst = 1 << prog.dst[slot]!
  const src = 1 << prog.src[slot]!
  const op = opcode & 0xf0
  switch (opcode & 7) {
    case 0:
      if (opcode === 0x18) return [0, dst]
      // The kernel takes a packet load for an instruction that may read anything.
      return [ALL_REGS, 0]
    case 1:
      return [src, dst]
    case 2:
      return [dst, 0]
    case 3:
      return (opcode & 0xe0) === 0xc0 ? atomicUses(prog.imm[slot]!, dst, src) : [dst | src, 0]
    case 4:
    case 7:
      if (op === 0xb0) return [opcode & 8 ? src : 0, dst]
      if (op === 0x80 || op === 0xd0) return [dst, dst]
      return [opcode & 8 ? dst | src : dst, dst]
    default:
      if (op === 0x90) return [1, 0]
      if (op === 0 || op === 0xe0) return [0, 0]
      if (op === 0x80) return [callUses(prog, slot), CALLER_SAVED]
      return [opcode & 8 ? dst | src : dst, 0]
  }
}

function atomicUses(imm: number, dst: number, src: number): readonly [number, number] {
  if (imm === 0x100) return [src, dst]
  if (imm === 0xf1) return [dst | src | 1, 1]
  return [dst | src, imm !== 0x110 && imm & 1 ? src : 0]
}

function callUses(prog: Prog, slot: number): number {
  const imm = prog.imm[slot]!
  const helper = prog.src[slot] === 0 ? helperById(imm) : prog.src[slot] === 2 ? kfuncById(imm) : undefined
  if (!helper) return CALLER_SAVED & ~1
  const looked = helper.args.filter((arg) => arg !== 'unchecked').length
  return ((1 << looked) - 1) << 1
}

/** Live registers before each slot, a bit each. A slot is looked at again only when one behind it has got more of them. */
export function liveRegisters(flow: Flow): Uint16Array {
  const { prog, next, other } = flow
  const { starts, from } = flow.predecessors
  const live = new Uint16Array(prog.length)
  const waiting = new Uint8Array(prog.length)
  const work = new Uint32Array(prog.length)
  let left = 0
  const add = (slot: number) => {
    if (waiting[slot]) return
    waiting[slot] = 1
    work[left++] = slot
  }
  for (let slot = 0; slot < prog.length; slot++) if (!prog.secondHalf[slot]) add(slot)
  while (left > 0) {
    const slot = work[--left]!
    waiting[slot] = 0
    const out = (next[slot]! < 0 ? 0 : live[next[slot]!]!) | (other[slot]! < 0 ? 0 : live[other[slot]!]!)
    const [use, def] = usesOf(prog, slot)
    const before = (out & ~def) | use
    if (before === live[slot]) continue
    live[slot] = before
    for (let i = starts[slot]!; i < starts[slot + 1]!; i++) add(from[i]!)
  }
  return live
}
