// What registers are known to hold at each block of a function: the context or the stack's top plus a constant (certain),
// a map's number (certain too), or a packet pointer (a guess that makes the check cheaper, and is checked).

import { ACCESS } from '../context.ts'
import { OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { REGION } from '../memory.ts'
import { type Cfg, endsFlow, isJump } from './cfg.ts'
import { isPacketLoad } from './opcodes.ts'

export const KIND = { unknown: 0, packet: 1, ctx: 2, stack: 3, map: 4, unset: 5 } as const

/** Kind and offset (or the map's number) of r0..r10: kinds first, then offsets. */
export type Kinds = Int32Array

/** Whether an access at an offset from the stack's top is inside the frame. */
export function inStack(offset: number, size: number): boolean {
  return offset >= -512 && offset + size <= 0
}

export function entryKinds(main: boolean, linux: boolean): Kinds {
  const kinds = new Int32Array(22)
  kinds[10] = KIND.stack
  if (main) kinds[1] = linux ? KIND.ctx : KIND.packet
  return kinds
}

/** Kinds at the start of each block. */
export function blockKinds(engine: Engine, code: Int32Array, cfg: Cfg, entry: Kinds, entryBlock: number): Kinds[] {
  const at = cfg.blocks.map(() => new Int32Array(22).fill(KIND.unset, 0, 11))
  at[entryBlock] = entry.slice()
  const dirty = new Uint8Array(cfg.blocks.length)
  dirty[entryBlock] = 1
  const kinds = new Int32Array(22)
  for (let again = true; again; ) {
    again = false
    for (let b = 0; b < cfg.blocks.length; b++) {
      if (!dirty[b]) continue
      dirty[b] = 0
      kinds.set(at[b]!)
      const { from, to } = cfg.blocks[b]!
      for (let i = from; i < to; i++) stepKinds(engine, code, i, kinds)
      const last = code[(to - 1) * 4]!
      const jump = isJump(last) ? cfg.at.get(code[(to - 1) * 4 + 3]! >> 2)! : undefined
      if (jump !== undefined && merge(at[jump]!, kinds)) {
        dirty[jump] = 1
        if (jump <= b) again = true
      }
      if (!endsFlow(last) && b + 1 < cfg.blocks.length && merge(at[b + 1]!, kinds)) dirty[b + 1] = 1
    }
  }
  return at
}

function merge(into: Kinds, from: Kinds): boolean {
  let changed = false
  for (let r = 0; r < 11; r++) {
    if (into[r] === from[r] && into[r + 11] === from[r + 11]) continue
    if (into[r] === KIND.unknown) continue
    const first = into[r] === KIND.unset
    into[r] = first ? from[r]! : KIND.unknown
    into[r + 11] = first ? from[r + 11]! : 0
    changed = true
  }
  return changed
}

function put(kinds: Kinds, r: number, kind: number, offset = 0): void {
  kinds[r] = kind
  kinds[r + 11] = offset
}

/** What one instruction does to the kinds. */
export function stepKinds(engine: Engine, code: Int32Array, i: number, kinds: Kinds): void {
  const op = code[i * 4]!
  const d = code[i * 4 + 1]! >> 1
  const s = code[i * 4 + 2]! >> 1
  const off = code[i * 4 + 3]!
  if (isJump(op) || op === 0x95 || op === 0x63 || op === 0x6b || op === 0x73 || op === 0x7b) return
  if (op === 0xbf && s < 11) return put(kinds, d, kinds[s]!, kinds[s + 11]!)
  if (op === OP.ldimm64 && engine.regs[s * 2 + 1] === REGION.map) return put(kinds, d, KIND.map, engine.regs[s * 2]!)
  if (op === 0x0f || op === 0x1f) {
    const kind = kinds[d]!
    // Adding a register to a constant pointer loses the constant; a packet pointer stays a good guess.
    if (kind === KIND.packet)
      return s < 11 && op === 0x1f && kinds[s] === KIND.packet ? put(kinds, d, KIND.unknown) : undefined
    if (s < 11 && op === 0x0f && kinds[s] === KIND.packet) return put(kinds, d, KIND.packet)
    const constant = s >= 12 ? engine.regs[s * 2]! : undefined
    if (constant === undefined || (kind !== KIND.ctx && kind !== KIND.stack)) return put(kinds, d, KIND.unknown)
    const offset = kinds[d + 11]! + (op === 0x0f ? constant : -constant)
    return Math.abs(offset) < 0x10000 ? put(kinds, d, kind, offset) : put(kinds, d, KIND.unknown)
  }
  if (op === 0x61 && kinds[s] === KIND.ctx) {
    const at = kinds[s + 11]! + off
    const how = at >= 0 && at < engine.access.size ? engine.access.load[at * 4 + 2] : 0
    return put(kinds, d, how === ACCESS.packet ? KIND.packet : KIND.unknown)
  }
  if (op === 0x85 || op === 0x8d || op === OP.callLocal || isPacketLoad(op)) return put(kinds, 0, KIND.unknown)
  if (op === 0xc3) {
    put(kinds, 0, KIND.unknown)
    if (s < 11) put(kinds, s, KIND.unknown)
  }
  if (d < 11) put(kinds, d, KIND.unknown)
}
