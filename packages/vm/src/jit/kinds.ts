// What registers are known to hold at each block of a function: the context, the stack's top, or that of some function above, plus a constant (certain), a map's number
// (certain too), a value of a map plus a constant, or that constant alone where there was no value (certain as well), or a pointer into
// the packet or some map's values (guesses that make the check cheaper, and are checked).

import { ACCESS } from '../context.ts'
import { OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { REGION } from '../memory.ts'
import { type Cfg, forward, isJump } from './cfg.ts'
import { isBuiltIn, LOOKUP_ELEM, LOOKUP_PERCPU } from './helper-calls.ts'
import { isPacketLoad } from './opcodes.ts'

export const KIND = { unknown: 0, packet: 1, ctx: 2, stack: 3, map: 4, unset: 5, value: 6, above: 7 } as const

/**
 * Kind, offset and map of r0..r10: kinds first, then offsets, then numbers of maps. Plain arrays: there are thousands of them in a long
 * program, and a typed array of this size has memory of its own that has to be asked for and given back.
 */
export type Kinds = number[]
const WORDS = 33
/** The offset of a pointer into a map's values that has none. */
export const SOMEWHERE = 0x7fffffff

/** Whether an access at an offset from the stack's top is inside the frame. */
export function inStack(offset: number, size: number): boolean {
  return offset >= -512 && offset + size <= 0
}

/** Whether an access that is so far from where a register points is in the function's stack frame, or in one above it. */
export function inFrame(kinds: Kinds, register: number, off: number, size: number): boolean {
  const kind = kinds[register]!
  return (kind === KIND.stack || kind === KIND.above) && inStack(kinds[register + 11]! + off, size)
}

/** Kinds where a function starts that is called with what registers hold. */
export function argumentKinds(kinds: Kinds): Kinds {
  const at = new Array<number>(WORDS).fill(0)
  at[10] = KIND.stack
  for (let r = 1; r <= 5; r++) {
    const kind = kinds[r]!
    if (kind !== KIND.unset) put(at, r, kind === KIND.stack ? KIND.above : kind, kinds[r + 11]!, kinds[r + 22]!)
  }
  return at
}

export function entryKinds(main: boolean, linux: boolean): Kinds {
  const kinds = new Array<number>(WORDS).fill(0)
  kinds[10] = KIND.stack
  if (main) kinds[1] = linux ? KIND.ctx : KIND.packet
  return kinds
}

/** Kinds at the start of each block. Blocks share them where they are the same: they are not to be written to. */
export function blockKinds(engine: Engine, code: Int32Array, cfg: Cfg, entry: Kinds, entryBlock: number): Kinds[] {
  const unset = new Array<number>(WORDS).fill(0).fill(KIND.unset, 0, 11)
  const at: Kinds[] = cfg.blocks.map(() => unset)
  at[entryBlock] = entry
  const kinds = unset.slice()
  forward(code, cfg, entryBlock, (b) => {
    const { from, to } = cfg.blocks[b]!
    copyKinds(kinds, at[b]!)
    for (let i = from; i < to; i++) stepKinds(engine, code, i, kinds)
    const after = same(kinds, at[b]!) ? at[b]! : kinds.slice()
    return (next) => {
      const merged = merge(at[next]!, after)
      if (merged === at[next]) return false
      at[next] = merged
      return true
    }
  })
  return at
}

export function copyKinds(into: Kinds, from: Kinds): void {
  for (let i = 0; i < WORDS; i++) into[i] = from[i]!
}

function same(a: Kinds, b: Kinds): boolean {
  for (let i = 0; i < WORDS; i++) if (a[i] !== b[i]) return false
  return true
}

/** What holds on both of two ways: the first of them itself if that is all it says. */
export function merge(one: Kinds, other: Kinds): Kinds {
  if (one === other) return one
  let into = one
  const change = (r: number, kind: number, offset: number, map: number): void => {
    if (into === one) into = one.slice()
    put(into, r, kind, offset, map)
  }
  for (let r = 0; r < 11; r++) {
    const alike = one[r] === other[r] && one[r + 22] === other[r + 22]
    if ((alike && one[r + 11] === other[r + 11]) || one[r] === KIND.unknown) continue
    if (one[r] === KIND.unset) change(r, other[r]!, other[r + 11]!, other[r + 22]!)
    else if (!alike || one[r] !== KIND.value) change(r, KIND.unknown, 0, 0)
    else if (one[r + 11] !== SOMEWHERE) change(r, KIND.value, SOMEWHERE, one[r + 22]!)
  }
  return into !== one && same(into, other) ? other : into
}

function put(kinds: Kinds, r: number, kind: number, offset = 0, map = 0): void {
  kinds[r] = kind
  kinds[r + 11] = offset
  kinds[r + 22] = map
}

/** What one instruction does to the kinds. */
export function stepKinds(engine: Engine, code: Int32Array, i: number, kinds: Kinds): void {
  const op = code[i * 4]!
  const d = code[i * 4 + 1]! >> 1
  const s = code[i * 4 + 2]! >> 1
  const off = code[i * 4 + 3]!
  if (isJump(op) || op === 0x95 || op === 0x63 || op === 0x6b || op === 0x73 || op === 0x7b) return
  if (op === 0xbf && s < 11) return put(kinds, d, kinds[s]!, kinds[s + 11]!, kinds[s + 22]!)
  if (op === OP.ldimm64) return putConstant(engine, kinds, d, s)
  if (op === 0x0f || op === 0x1f) return addTo(engine, kinds, op, d, s)
  if (op === 0x61 && kinds[s] === KIND.ctx) {
    const at = kinds[s + 11]! + off
    const how = at >= 0 && at < engine.access.size ? engine.access.load[at * 4 + 2] : 0
    return put(kinds, d, how === ACCESS.packet ? KIND.packet : KIND.unknown)
  }
  if (op === 0x85 && kinds[1] === KIND.map && givesValue(engine, off, kinds[12]!))
    return put(kinds, 0, KIND.value, 0, kinds[12]!)
  if (op === 0x85 || op === 0x8d || op === OP.callLocal || isPacketLoad(op)) return put(kinds, 0, KIND.unknown)
  if (op === 0xc3) {
    put(kinds, 0, KIND.unknown)
    if (s < 11) put(kinds, s, KIND.unknown)
  }
  if (d < 11) put(kinds, d, KIND.unknown)
}

/** Whether a helper gives a value of the map, or 0. */
function givesValue(engine: Engine, helper: number, map: number): boolean {
  return (
    (helper === LOOKUP_ELEM || helper === LOOKUP_PERCPU) &&
    isBuiltIn(engine, helper) &&
    engine.maps[map]?.holdsMaps === false
  )
}

/** A map, or a place in the only value of one. */
function putConstant({ regs, maps }: Engine, kinds: Kinds, d: number, s: number): void {
  const [lo, region] = [regs[s * 2]!, regs[s * 2 + 1]!]
  if (region === REGION.map) return put(kinds, d, KIND.map, lo)
  const map = region >= REGION.first ? maps.find((one) => one.region === region) : undefined
  const start = map?.directValue(0)
  if (map && start) put(kinds, d, KIND.value, lo - start.lo, map.index)
  else put(kinds, d, KIND.unknown)
}

/** d += s or d -= s. */
function addTo({ regs }: Engine, kinds: Kinds, op: number, d: number, s: number): void {
  const kind = kinds[d]!
  const from = s < 11 ? kinds[s]! : KIND.unknown
  const constant = s >= 12 ? regs[s * 2]! : undefined
  // Adding a register to a constant pointer loses the constant; a pointer into the packet or a map's values stays a good guess.
  if (kind === KIND.packet) return from === KIND.packet && op === 0x1f ? put(kinds, d, KIND.unknown) : undefined
  if (kind === KIND.ctx || kind === KIND.stack || kind === KIND.above || kind === KIND.value) {
    const offset = kinds[d + 11]! + (op === 0x0f ? (constant ?? 0) : -(constant ?? 0))
    if (constant !== undefined && Math.abs(offset) < 0x10000) return put(kinds, d, kind, offset, kinds[d + 22]!)
    if (kind === KIND.value && from === KIND.unknown) return put(kinds, d, KIND.value, SOMEWHERE, kinds[d + 22]!)
  } else if (op === 0x0f && from === KIND.packet) return put(kinds, d, KIND.packet)
  else if (op === 0x0f && from === KIND.value) return put(kinds, d, KIND.value, SOMEWHERE, kinds[s + 22]!)
  put(kinds, d, KIND.unknown)
}
