// Helpers that need neither packet nor map: time, chance, text, loops, tail calls, checksums.

import { type HelperName, LIMITS } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { overBudget } from '../fault.ts'
import { ERRNO } from '../maps/map.ts'
import { SlotArray } from '../maps/slots.ts'
import { REGION } from '../memory.ts'
import { addSum, fold16, sumBytes } from './checksum.ts'
import { arg, flagsArg, type HelperFunction, return64, uarg } from './helper.ts'
import { type Formatted, format, type Pointed, parseNumber, readString, type Word } from './text.ts'

const BPF_MAX_LOOPS = 8 * 1024 * 1024

function time(engine: Engine): undefined {
  return return64(engine, engine.timeLo, engine.timeHi)
}

function tracePrintk(engine: Engine): number | undefined {
  const length = uarg(engine, 2)
  const at = engine.memArg(1, length, false)
  if (at === undefined) return undefined
  const { regs } = engine
  const values = [3, 4, 5].map((n) => ({ lo: regs[n * 2]!, hi: regs[n * 2 + 1]! }))
  return traced(engine, format(readString(engine.mem.bytes, at, length), values, pointed(engine), MOST_TRACED))
}

/** The kernel's buffer for it has room for so many characters and a 0. */
const MOST_TRACED = 1023

function traced(engine: Engine, made: Formatted | undefined): number | undefined {
  if (!made) return ERRNO.EINVAL
  return engine.send({ kind: 'trace', text: made.text }, made.text.length) ? made.length : undefined
}

/** What values of a text point to, as far as it can be read. */
function pointed(engine: Engine): Pointed {
  const { mem } = engine
  const readable = ({ lo, hi }: Word, length: number): boolean =>
    lo >= 0 && hi !== REGION.ctx && mem.inside(hi, lo, length, false)
  return {
    text: ({ lo, hi }) => {
      let text = ''
      while (
        readable({ lo: lo + text.length, hi }, 1) &&
        mem.bytes[lo + text.length] !== 0 &&
        text.length < MOST_TRACED
      )
        text += String.fromCharCode(mem.bytes[lo + text.length]!)
      return text
    },
    bytes: (pointer, length) =>
      readable(pointer, length) ? mem.bytes.slice(pointer.lo, pointer.lo + length) : undefined,
  }
}

/** Goes on in another program, if its place in the array is taken; otherwise the program itself goes on. */
function tailCall(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const map = engine.mapArg(2)
  if (!map) return undefined
  const program = map instanceof SlotArray && map.def.type === 'prog_array' ? map.slot(uarg(engine, 3)) : undefined
  if (program === undefined || !engine.programs[program] || engine.tailCalls >= LIMITS.tailCalls) return ERRNO.ENOENT
  if (engine.used > engine.options.insnBudget) {
    engine.fail(overBudget(engine.options.insnBudget))
    return undefined
  }
  engine.tailCalls++
  engine.next = program
  return undefined
}

function loop(engine: Engine): number | undefined {
  const count = uarg(engine, 1)
  if (engine.regs[5] !== REGION.func) {
    engine.fail({ kind: 'helper-argument', reason: 'r2 is no function' })
    return undefined
  }
  if (flagsArg(engine, 4) !== 0) return ERRNO.EINVAL
  if (engine.regs[3] !== 0 || count > BPF_MAX_LOOPS) return ERRNO.E2BIG
  const [ctxLo, ctxHi] = [engine.regs[6]!, engine.regs[7]!]
  const kept = engine.regs.slice(2, 12)
  let calls = 0
  return engine.callbacks.call({
    target: arg(engine, 2),
    next: () => {
      if (calls === count) return false
      engine.regs.set([calls, 0, ctxLo, ctxHi], 2)
      calls++
      return true
    },
    finish: () => {
      engine.regs.set(kept, 2)
      return calls
    },
  })
}

function csumDiff(engine: Engine): number | undefined {
  const fromLength = uarg(engine, 2)
  const toLength = uarg(engine, 4)
  const from = engine.memArg(1, fromLength, false)
  const to = from === undefined ? undefined : engine.memArg(3, toLength, false)
  if (from === undefined || to === undefined) return undefined
  const seed = uarg(engine, 5)
  const { bytes } = engine.mem
  if (fromLength && toLength) {
    const minus = ~sumBytes(bytes, from, fromLength, 0) >>> 0
    return fold16(addSum(sumBytes(bytes, to, toLength, seed), minus))
  }
  if (toLength) return fold16(sumBytes(bytes, to, toLength, seed))
  if (fromLength) return fold16(~sumBytes(bytes, from, fromLength, ~seed >>> 0) >>> 0)
  return fold16(seed)
}

function strncmp(engine: Engine): number | undefined {
  const length = uarg(engine, 2)
  const a = engine.memArg(1, length, false)
  if (a === undefined) return undefined
  for (let i = 0; i < length; i++) {
    const x = engine.mem.bytes[a + i]!
    const b = engine.byteOf(3, i)
    if (b === undefined) return undefined
    if (x !== b) return x < b ? -1 : 1
    if (x === 0) break
  }
  return 0
}

function parse(engine: Engine, signed: boolean): number | undefined {
  const length = uarg(engine, 2)
  const at = engine.memArg(1, length, false)
  const to = at === undefined ? undefined : engine.memArg(4, 8, true)
  if (at === undefined || to === undefined) return undefined
  const read = parseNumber(readString(engine.mem.bytes, at, length), flagsArg(engine, 3), signed)
  if (typeof read === 'number') {
    engine.mem.view.setBigInt64(to, 0n, true)
    return read
  }
  engine.mem.view.setBigInt64(to, read.value, true)
  return read.length
}

/** Text from a template and 8-byte values, as many as the length behind `register` says; an errno, or undefined after a fault. */
function formatted(engine: Engine, template: string, register: number, limit: number): Formatted | number | undefined {
  const length = uarg(engine, register + 1)
  if (length & 7 || length > MOST_VALUES * 8) return ERRNO.EINVAL
  const at = engine.memArg(register, length, false)
  if (at === undefined) return undefined
  const { view } = engine.mem
  const values = Array.from({ length: length / 8 }, (_, i) => ({
    lo: view.getInt32(at + i * 8, true),
    hi: view.getInt32(at + i * 8 + 4, true),
  }))
  return format(template, values, pointed(engine), limit) ?? ERRNO.EINVAL
}

/** MAX_BPRINTF_VARARGS */
const MOST_VALUES = 12
/** A template is at most so long: more than a program has stack, less than a map may hold. */
const MOST_TEMPLATE = 4096

function snprintf(engine: Engine): number | undefined {
  const size = uarg(engine, 2)
  const to = engine.memArg(1, size, true)
  if (to === undefined) return undefined
  let template = ''
  for (let i = 0; ; i++) {
    const byte = engine.byteOf(3, i)
    if (byte === undefined) return undefined
    if (byte === 0) break
    if (i === MOST_TEMPLATE) return ERRNO.EINVAL
    template += String.fromCharCode(byte)
  }
  const made = formatted(engine, template, 4, Math.max(size - 1, 0))
  if (made === undefined || typeof made === 'number') return made
  const { bytes } = engine.mem
  // What lies behind the text stays as it was.
  for (let i = 0; i < made.text.length; i++) bytes[to + i] = made.text.charCodeAt(i)
  if (size > 0) bytes[to + made.text.length] = 0
  return made.length + 1
}

function traceVprintk(engine: Engine): number | undefined {
  const length = uarg(engine, 2)
  const at = engine.memArg(1, length, false)
  if (at === undefined) return undefined
  const made = formatted(engine, readString(engine.mem.bytes, at, Math.min(length, MOST_TEMPLATE)), 3, MOST_TRACED)
  return typeof made === 'number' ? made : made && traced(engine, made)
}

export const MISC_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  ktime_get_ns: time,
  ktime_get_boot_ns: time,
  ktime_get_coarse_ns: time,
  ktime_get_tai_ns: time,
  // 250 ticks a second.
  jiffies64: (engine) => {
    const ticks = Math.floor(((engine.timeHi >>> 0) * 4294967296 + (engine.timeLo >>> 0)) / 4e6)
    return return64(engine, ticks | 0, Math.floor(ticks / 4294967296))
  },
  get_prandom_u32: (engine) => return64(engine, engine.nextRandom(), 0),
  get_smp_processor_id: (engine) => engine.options.cpu,
  get_numa_node_id: () => 0,
  trace_printk: tracePrintk,
  tail_call: tailCall,
  loop,
  csum_diff: csumDiff,
  strncmp,
  strtol: (engine) => parse(engine, true),
  strtoul: (engine) => parse(engine, false),
  snprintf,
  trace_vprintk: traceVprintk,
  // Nothing runs beside a program, so a lock is always free.
  spin_lock: () => 0,
  spin_unlock: () => 0,
}
