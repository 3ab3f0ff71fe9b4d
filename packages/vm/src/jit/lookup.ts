// Map lookups inside compiled code: arrays in a few instructions where they are asked, hash tables and tries as functions of the module;
// other maps are asked through an import that takes no more than the key's address. Maps lie at fixed addresses, so only numbers go
// into the code.

import type { Engine } from '../engine.ts'
import { ArrayMap } from '../maps/array.ts'
import { ENTRY, HASH, HashMap } from '../maps/hash.ts'
import { HEADER, type Intervals } from '../maps/intervals.ts'
import { LpmMap } from '../maps/lpm.ts'
import type { BpfMap } from '../maps/map.ts'
import { SlotArray } from '../maps/slots.ts'
import { IMPORT } from './abi.ts'
import { swap32, swap64 } from './alu.ts'
import { isBuiltIn, LOOKUP_ELEM } from './helper-calls.ts'
import { inStack, KIND, type Kinds } from './kinds.ts'
import { Body, type Bytes, type FuncType, I32, I64, W } from './writer.ts'

/** The key's address; the value's, or 0. */
export const LOOKUP: FuncType = { params: [I32], results: [I32] }
const MOST_KEY_BYTES = 64

/** The map that a call is a lookup in, if all that it needs is known: the map, and a key on the function's own stack. */
export function lookupOf(engine: Engine, helper: number, kinds: Kinds): BpfMap | undefined {
  if (helper !== LOOKUP_ELEM || kinds[1] !== KIND.map || !isBuiltIn(engine, helper)) return undefined
  const map = engine.maps[kinds[12]!]
  if (!map || map.holdsMaps || kinds[2] !== KIND.stack || !inStack(kinds[13]!, map.def.keySize)) return undefined
  return map
}

/** Whether lookups in a map are a function of the module. */
export function hasFunction(map: BpfMap): boolean {
  if (map instanceof LpmMap) return map.intervals !== undefined
  const { type, keySize } = map.def
  return map instanceof HashMap && !type.startsWith('lru') && keySize % 4 === 0 && keySize <= MOST_KEY_BYTES
}

export function lookupBody(map: BpfMap): Bytes {
  return map instanceof LpmMap ? trieBody(map, map.intervals!) : hashBody(map as HashMap)
}

/** Pushes the address of the value, or 0. `keyAt` is an i32 local with the key's address, `temp` another one. */
export function emitLookup(body: Body, map: BpfMap, lookups: ReadonlyMap<number, number>, keyAt: number, temp: number) {
  if (map instanceof ArrayMap && !(map instanceof SlotArray)) return pushElement(body, map, keyAt, temp)
  const own = lookups.get(map.index)
  if (own === undefined) body.i32(map.index)
  body.get(keyAt).call(own ?? IMPORT.lookup)
}

const KEY = 0

function pushElement(body: Body, map: ArrayMap, keyAt: number, index: number): void {
  body.get(keyAt).mem(W.i32_load, 0).tee(index).i32(map.stride).op(W.i32_mul).i32(map.own).op(W.i32_add)
  body.i32(0).get(index).i32(map.def.maxEntries).op(W.i32_lt_u, W.select)
}

function hashBody(map: HashMap): Bytes {
  const { buckets, mask, valueOffset } = map.layout
  const words = map.def.keySize / 4
  const body = new Body(1)
  const [h, at] = [body.local(I32), body.local(I32)]
  const key = Array.from({ length: words }, () => body.local(I32))
  body.i32(map.def.keySize)
  key.forEach((word, k) => {
    body
      .get(KEY)
      .mem(W.i32_load, k * 4)
      .tee(word)
    body.get(word).i32(HASH.fold).op(W.i32_shr_u, W.i32_xor).i32(HASH.multiplier(k)).op(W.i32_mul, W.i32_add)
  })
  body.set(h)
  for (const { shift, factor } of HASH.mix) {
    body.get(h).get(h).i32(shift).op(W.i32_shr_u, W.i32_xor).i32(factor).op(W.i32_mul).set(h)
  }
  body.get(h).get(h).i32(HASH.last).op(W.i32_shr_u, W.i32_xor).tee(h)
  body.i32(mask).op(W.i32_and).i32(2).op(W.i32_shl).mem(W.i32_load, buckets).set(at)
  body.op(W.loop, 0x40)
  body.get(at).op(W.i32_eqz, W.if, 0x40).i32(0).op(W.return, W.end)
  body.get(at).mem(W.i32_load, ENTRY.hash).get(h).op(W.i32_eq)
  key.forEach((word, k) => {
    body
      .get(at)
      .mem(W.i32_load, ENTRY.key + k * 4)
      .get(word)
      .op(W.i32_eq, W.i32_and)
  })
  body.op(W.if, 0x40).get(at).i32(valueOffset).op(W.i32_add, W.return, W.end)
  body.get(at).mem(W.i32_load, ENTRY.next).set(at)
  body.op(W.br).u32(0).op(W.end, W.unreachable)
  return body.finish()
}

// ---- tries ----

/** Searches the intervals; a key that is not whole, or a trie that changed, is the machine's. */
function trieBody(map: LpmMap, intervals: Intervals): Bytes {
  const { headerAt, words, stride } = intervals
  const bytes = map.def.keySize - 4
  const body = new Body(1)
  const [at, count, half, index] = [body.local(I32), body.local(I32), body.local(I32), body.local(I32)]
  const [place, places] = [body.local(I64), body.local(I64)]
  const kind = words === 1 ? I32 : I64
  const key = [body.local(kind), ...(words === 4 ? [body.local(kind)] : [])]
  body
    .get(KEY)
    .mem(W.i32_load, 0)
    .i32(bytes * 8)
    .op(W.i32_ne)
  body.i32(headerAt).mem(W.i32_load, HEADER.ready).op(W.i32_eqz, W.i32_or)
  body.op(W.if, 0x40).i32(map.index).get(KEY).call(IMPORT.lookup).op(W.return, W.end)
  key.forEach((local, k) => {
    pushBigEndian(body, 4 + k * 8, Math.min(bytes - k * 8, 8), words === 1, words === 1 ? half : local)
    body.set(local)
  })
  // How far the key is behind the first prefix says where to search.
  const first = (): Body => (words === 1 ? body.get(key[0]!).op(W.i64_extend_i32_u) : body.get(key[0]!))
  const header = (opcode: number, offset: number): Body => body.i32(headerAt).mem(opcode, offset)
  first()
  header(W.i64_load, HEADER.base).op(W.i64_sub)
  header(W.i64_load32_u, HEADER.shift).op(W.i64_shr_u).tee(place)
  header(W.i64_load32_u, HEADER.places).tee(places)
  body.get(place).get(places).op(W.i64_lt_u, W.select, W.i32_wrap_i64).i32(2).op(W.i32_shl)
  header(W.i32_load, HEADER.index).op(W.i32_add).set(index)
  first()
  header(W.i64_load, HEADER.base).op(W.i64_ge_u).set(half)
  body.get(index).mem(W.i32_load, 0).i32(0).get(half).op(W.select).set(at)
  body.get(index).mem(W.i32_load, 4).i32(0).get(half).op(W.select)
  body.get(at).op(W.i32_sub).i32(1).op(W.i32_add).set(count)
  body.get(at).i32(stride).op(W.i32_mul)
  header(W.i32_load, HEADER.list).op(W.i32_add).set(at)
  // at: the last interval that is known to start at the key or before; `count` of them from there on may do.
  body.op(W.block, 0x40, W.loop, 0x40)
  body.get(count).i32(1).op(W.i32_le_u, W.br_if).u32(1)
  body.get(at).get(count).i32(1).op(W.i32_shr_u).tee(half).i32(stride).op(W.i32_mul, W.i32_add).tee(index).get(at)
  pushStartsBy(body, index, key, words === 1)
  body.op(W.select).set(at)
  body.get(count).get(half).op(W.i32_sub).set(count)
  body.op(W.br).u32(0).op(W.end, W.end)
  body.get(at).mem(W.i32_load, words * 4)
  return body.finish()
}

/** Pushes up to 4 or 8 bytes of the key as a number, the first ones the most significant; zeros for those that are not there. */
function pushBigEndian(body: Body, offset: number, bytes: number, narrow: boolean, temp: number): void {
  const whole = narrow ? 4 : 8
  if (bytes === whole) {
    body.get(KEY).mem(narrow ? W.i32_load : W.i64_load, offset)
    if (narrow) swap32(body, temp)
    else swap64(body, temp)
    return
  }
  if (narrow) body.i32(0)
  else body.i64(0, 0)
  for (let i = 0; i < bytes; i++) {
    const shift = (whole - 1 - i) * 8
    if (narrow)
      body
        .get(KEY)
        .mem(W.i32_load8_u, offset + i)
        .i32(shift)
        .op(W.i32_shl, W.i32_or)
    else
      body
        .get(KEY)
        .mem(W.i64_load8_u, offset + i)
        .i64(shift, 0)
        .op(W.i64_shl, W.i64_or)
  }
}

/** Pushes whether the interval at an address starts at the key or before. */
function pushStartsBy(body: Body, at: number, key: readonly number[], narrow: boolean): void {
  const [first, second] = key
  if (narrow) body.get(at).mem(W.i32_load, 0).get(first!).op(W.i32_le_u)
  else if (second === undefined) body.get(at).mem(W.i64_load, 0).get(first!).op(W.i64_le_u)
  else {
    const high = (): Body => body.get(at).mem(W.i64_load, 8).get(first!)
    high().op(W.i64_lt_u)
    high().op(W.i64_eq)
    body.get(at).mem(W.i64_load, 0).get(second).op(W.i64_le_u, W.i32_and, W.i32_or)
  }
}
