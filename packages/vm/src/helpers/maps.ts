// Helpers on maps: elements, queues, iteration, ring buffers and perf events.

import { type HelperName, MAP_FLAGS, type MapTypeName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { mapPointer } from '../maps/array.ts'
import { type BpfMap, ERRNO, hexOf } from '../maps/map.ts'
import { RingBuffer } from '../maps/ringbuf.ts'
import { SlotArray } from '../maps/slots.ts'
import { AT, REGION } from '../memory.ts'
import type { Output } from '../options.ts'
import { arg, flagsArg, type HelperFunction, return64, uarg } from './helper.ts'

const XDP_ABORTED = 0
const XDP_REDIRECT = 4

function returnValue(engine: Engine, map: BpfMap, at: number): undefined {
  const inner = at === 0 ? undefined : map.innerOf(at)
  if (inner === undefined) return return64(engine, at, at === 0 ? 0 : map.region)
  const pointer = engine.maps[inner] ? mapPointer(inner) : { lo: 0, hi: 0 }
  return return64(engine, pointer.lo, pointer.hi)
}

/** Runs a change of one key and writes it to the journal, if one is kept. */
function changing(engine: Engine, map: BpfMap, keyAt: number, change: () => number): number {
  if (!engine.journal) return change()
  const { bytes } = engine.mem
  const key = hexOf(bytes, keyAt, map.def.keySize)
  const value = (): string | undefined => {
    const at = map.lookup(keyAt)
    return at === 0 ? undefined : hexOf(engine.mem.bytes, at, map.def.valueSize)
  }
  const before = value()
  const result = change()
  const after = value()
  if (before !== after) {
    engine.journal.push({
      map: map.def.name,
      key,
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
    })
  }
  return result
}

/** The map in a register, to be changed; undefined, and a fault, if programs may only read it. */
function changedMap(engine: Engine, register: number): BpfMap | undefined {
  const map = engine.mapArg(register)
  if (!map || !((map.def.flags ?? 0) & MAP_FLAGS.rdonly_prog)) return map
  engine.fail({ kind: 'read-only', region: map.def.name, reason: `map ${map.def.name} is read-only` })
  return undefined
}

function lookup(engine: Engine): undefined {
  const map = engine.mapArg(1)
  const keyAt = map && engine.memArg(2, map.def.keySize, false)
  if (map && keyAt !== undefined) returnValue(engine, map, map.lookup(keyAt))
}

function lookupPerCpu(engine: Engine): undefined {
  const map = engine.mapArg(1)
  const keyAt = map && engine.memArg(2, map.def.keySize, false)
  if (!map || keyAt === undefined) return
  const cpu = uarg(engine, 3)
  const at = cpu < engine.options.cpus ? map.lookup(keyAt, cpu) : 0
  return64(engine, at, at === 0 ? 0 : map.region)
}

function update(engine: Engine): number | undefined {
  const map = changedMap(engine, 1)
  const keyAt = map && engine.memArg(2, map.def.keySize, false)
  const valueAt = keyAt === undefined ? undefined : engine.memArg(3, map!.def.valueSize, false)
  if (!map || keyAt === undefined || valueAt === undefined) return undefined
  return changing(engine, map, keyAt, () => map.update(keyAt, valueAt, flagsArg(engine, 4)))
}

function remove(engine: Engine): number | undefined {
  const map = changedMap(engine, 1)
  const keyAt = map && engine.memArg(2, map.def.keySize, false)
  if (!map || keyAt === undefined) return undefined
  return changing(engine, map, keyAt, () => map.delete(keyAt))
}

function push(engine: Engine): number | undefined {
  const map = changedMap(engine, 1)
  const valueAt = map && engine.memArg(2, map.def.valueSize, false)
  return map && valueAt !== undefined ? map.push(valueAt, flagsArg(engine, 3)) : undefined
}

function popOrPeek(engine: Engine, what: 'pop' | 'peek'): number | undefined {
  const map = what === 'pop' ? changedMap(engine, 1) : engine.mapArg(1)
  // A Bloom filter is asked for the value given, the others write theirs.
  const write = map?.def.type !== 'bloom_filter'
  const valueAt = map && engine.memArg(2, map.def.valueSize, write)
  return map && valueAt !== undefined ? map[what](valueAt) : undefined
}

/** Maps whose elements Linux shows to a function. */
const SHOWN: ReadonlySet<MapTypeName> = new Set([
  'array', 'percpu_array', 'hash', 'percpu_hash', 'lru_hash', 'lru_percpu_hash',
]) // biome-ignore format: a set

/** Calls back with (map, key, value, context) for each element until a callback returns 1; r0 = number of calls. */
function forEach(engine: Engine): number | undefined {
  const map = engine.mapArg(1)
  if (!map) return undefined
  if (!SHOWN.has(map.def.type)) return fail(engine, `the elements of map ${map.def.name} are not shown to functions`)
  if (engine.regs[5] !== REGION.func) return fail(engine, 'r2 is no function')
  if (flagsArg(engine, 4) !== 0) return ERRNO.EINVAL
  if (!engine.spend(map.elementsBytes)) return undefined
  const [ctxLo, ctxHi, mapLo, mapHi] = [6, 7, 2, 3].map((word) => engine.regs[word]!)
  const key = engine.keyRegion(map.def.keySize)
  if (!key) return undefined
  const kept = engine.regs.slice(2, 12)
  const elements = map.elements()
  let calls = 0
  return engine.callbacks.call({
    target: arg(engine, 2),
    next: () => {
      const element = elements.next()
      if (element.done) return false
      const [keyAt, valueAt] = element.value
      engine.mem.bytes.copyWithin(key.lo, keyAt, keyAt + map.def.keySize)
      const at = map.cpus > 1 ? valueAt + engine.options.cpu * map.cpuStride : valueAt
      engine.regs.set([mapLo!, mapHi!, key.lo, key.hi, at, map.region, ctxLo!, ctxHi!], 2)
      calls++
      return true
    },
    finish: () => {
      engine.regs.set(kept, 2)
      return calls
    },
  })
}

function fail(engine: Engine, reason: string): undefined {
  engine.fail({ kind: 'helper-argument', reason })
}

function ringArg(engine: Engine): RingBuffer | undefined {
  const map = engine.mapArg(1)
  if (map instanceof RingBuffer) return map
  if (map) fail(engine, `map ${map.def.name} is no ring buffer`)
  return undefined
}

function ringRelease(engine: Engine, submit: boolean): undefined {
  const [lo, hi] = [engine.regs[2]!, engine.regs[3]!]
  const done = engine.maps.some((map) => map instanceof RingBuffer && map.release(lo, hi, submit))
  if (!done) fail(engine, 'r1 is no reserved record')
}

const BPF_F_CURRENT_CPU = 0xffffffff

function perfOutput(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const map = engine.mapArg(2)
  const [flagsLo, flagsHi, length] = [engine.regs[6]!, engine.regs[7]!, uarg(engine, 5)]
  const at = map && engine.memArg(4, length, false)
  if (!map || at === undefined) return undefined
  // Bits 32..51 ask for so many bytes of the packet behind the data.
  const packet = flagsHi & 0xfffff
  if (flagsHi >>> 20 !== 0) return ERRNO.EINVAL
  if (packet > engine.end - engine.data) return ERRNO.EFAULT
  const index = flagsLo >>> 0 === BPF_F_CURRENT_CPU ? engine.options.cpu : flagsLo >>> 0
  if (index >= map.def.maxEntries) return ERRNO.E2BIG
  const event = (): Output => {
    const data = new Uint8Array(length + packet)
    data.set(engine.mem.bytes.subarray(at, at + length))
    data.set(engine.mem.bytes.subarray(engine.data, engine.data + packet), length)
    return { kind: 'event', map: map.def.name, cpu: index, data }
  }
  return engine.send(event, length + packet) ? 0 : undefined
}

/** What is returned where a map holds nothing; BPF_F_BROADCAST, and BPF_F_EXCLUDE_INGRESS with it, which maps of devices have. */
const ACTION = 3
const BROADCAST = 8
const TO_ALL = 0x18

/** Redirects to what a map of devices, CPUs or sockets holds; what the low flag bits say where it holds nothing. */
function redirectMap(engine: Engine): number | undefined {
  const map = engine.mapArg(1)
  if (!map) return undefined
  const key = uarg(engine, 2)
  const flags = flagsArg(engine, 3)
  if (flags & ~(map.def.type.startsWith('devmap') ? ACTION | TO_ALL : ACTION)) return XDP_ABORTED
  engine.mem.view.setUint32(AT.scratch, key, true)
  const found = map instanceof SlotArray ? map.slot(key) : map.lookup(AT.scratch) || undefined
  if (found === undefined && !(flags & BROADCAST)) return flags & ACTION
  const sent = engine.send({ kind: 'redirect', to: map.def.name, target: key, flags }, 0)
  return sent ? XDP_REDIRECT : undefined
}

export const MAP_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  map_lookup_elem: lookup,
  map_update_elem: update,
  map_delete_elem: remove,
  map_push_elem: push,
  map_pop_elem: (engine) => popOrPeek(engine, 'pop'),
  map_peek_elem: (engine) => popOrPeek(engine, 'peek'),
  map_lookup_percpu_elem: lookupPerCpu,
  for_each_map_elem: forEach,
  redirect_map: redirectMap,
  perf_event_output: perfOutput,
  ringbuf_output: (engine) => {
    const ring = ringArg(engine)
    const length = uarg(engine, 3)
    const at = ring && engine.memArg(2, length, false)
    if (!ring || at === undefined) return undefined
    return flagsArg(engine, 4) & ~3 ? ERRNO.EINVAL : ring.output(at, length)
  },
  ringbuf_reserve: (engine) => {
    const ring = ringArg(engine)
    if (!ring) return undefined
    // The size is one of 64 bits.
    const fits = flagsArg(engine, 3) === 0 && engine.regs[2 * 2 + 1] === 0
    const { lo, hi } = fits ? ring.reserve(arg(engine, 2)) : { lo: 0, hi: 0 }
    return return64(engine, lo, hi)
  },
  ringbuf_submit: (engine) => ringRelease(engine, true),
  ringbuf_discard: (engine) => ringRelease(engine, false),
  ringbuf_query: (engine) => {
    const ring = ringArg(engine)
    // BPF_RB_RING_SIZE; there is no reader, so positions and data waiting are 0.
    return ring && (arg(engine, 2) === 1 ? ring.def.maxEntries : 0)
  },
}
