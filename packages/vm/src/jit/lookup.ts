// Map lookups inside compiled code: arrays in a few instructions, hash tables as a function of the module. Everything is at fixed
// addresses, so only numbers go into the code. Other maps, and keys at unknown places, go through the machine.

import type { Engine } from '../engine.ts'
import { ArrayMap, SlotArray } from '../maps/array.ts'
import { HASH, HashMap } from '../maps/hash.ts'
import { Body, type Bytes, type FuncType, I32, W } from './writer.ts'

/** The key's address; the value's, or 0. */
export const LOOKUP: FuncType = { params: [I32], results: [I32] }
const MOST_KEY_BYTES = 64

/** Whether lookups in a map can be compiled. */
export function canCompileLookup(engine: Engine, index: number): boolean {
  const map = engine.maps[index]
  if (map instanceof ArrayMap) return !(map instanceof SlotArray) && map.def.type === 'array'
  const { type, keySize } = map?.def ?? { type: undefined, keySize: 0 }
  return map instanceof HashMap && type === 'hash' && keySize % 4 === 0 && keySize <= MOST_KEY_BYTES
}

export function lookupBody(engine: Engine, index: number): Bytes {
  const map = engine.maps[index]
  return map instanceof HashMap ? hashBody(map) : arrayBody(map as ArrayMap)
}

const KEY = 0

function arrayBody({ at, stride, def }: ArrayMap): Bytes {
  const body = new Body(1)
  const i = body.local(I32)
  body.get(KEY).mem(W.i32_load, 0).tee(i).i32(stride).op(W.i32_mul).i32(at).op(W.i32_add)
  body.i32(0).get(i).i32(def.maxEntries).op(W.i32_lt_u, W.select)
  return body.finish()
}

function hashBody(map: HashMap): Bytes {
  const { buckets, mask, entriesAt, stride, valueOffset } = map.layout
  const words = map.def.keySize / 4
  const body = new Body(1)
  const [h, entry, at] = [body.local(I32), body.local(I32), body.local(I32)]
  // As HashMap's own hash, on whole words.
  body.i32(map.def.keySize).set(h)
  for (let k = 0; k < words; k++) {
    body
      .get(h)
      .get(KEY)
      .mem(W.i32_load, k * 4)
      .op(W.i32_xor)
      .i32(HASH.word | 0)
      .op(W.i32_mul)
      .tee(h)
    body.get(h).i32(15).op(W.i32_shr_u, W.i32_xor).set(h)
  }
  body.get(h).get(h).i32(13).op(W.i32_shr_u, W.i32_xor).set(h)
  body
    .get(h)
    .i32(HASH.last | 0)
    .op(W.i32_mul)
    .get(h)
    .i32(16)
    .op(W.i32_shr_u, W.i32_xor)
    .set(h)
  body.get(h).i32(mask).op(W.i32_and).i32(2).op(W.i32_shl).mem(W.i32_load, buckets).set(entry)
  body.op(W.loop, 0x40)
  body.get(entry).op(W.i32_eqz, W.if, 0x40).i32(0).op(W.return, W.end)
  body.get(entry).i32(1).op(W.i32_sub).i32(stride).op(W.i32_mul).i32(entriesAt).op(W.i32_add).set(at)
  body.get(at).mem(W.i32_load, HASH.hashAt).get(h).op(W.i32_eq)
  for (let k = 0; k < words; k++) {
    body
      .get(at)
      .mem(W.i32_load, HASH.keyAt + k * 4)
      .get(KEY)
      .mem(W.i32_load, k * 4)
      .op(W.i32_eq, W.i32_and)
  }
  body.op(W.if, 0x40).get(at).i32(valueOffset).op(W.i32_add, W.return, W.end)
  body.get(at).mem(W.i32_load, 0).set(entry)
  body.op(W.br).u32(0).op(W.end, W.unreachable)
  return body.finish()
}
