// Accesses that a fast path refused: the context's fields, which are rewritten on the way as the kernel does it, and the fault
// of an access that is in no region, or not wholly inside one.

import { ACCESS } from './context.ts'
import type { Engine } from './engine.ts'
import { type FaultDraft, hex64 } from './fault.ts'
import { AT, type Memory, REGION, ROW } from './memory.ts'

/** `size` bytes at an offset from a pointer, whose high word is the region. */
export interface Access {
  readonly region: number
  readonly lo: number
  readonly off: number
  readonly size: number
  readonly write: boolean
}

/** What is wrong with an access that is not inside any region. */
export function accessFault(mem: Memory, { region, lo, off, size, write }: Access): FaultDraft {
  const sum = (lo >>> 0) + off
  const at = sum | 0
  const hi = region + (sum < 0 ? -1 : sum >= 4294967296 ? 1 : 0)
  const address = hex64(hi, at)
  const bounds = hi === region ? mem.regionBounds(region) : undefined
  const name = bounds && mem.regionName(region)
  if (!bounds || !name) {
    const what = region === 0 && lo === 0 ? 'NULL' : `address ${address}`
    return { kind: 'no-region', address, reason: `${what} is in no region` }
  }
  if (at >= bounds.from && at + size <= bounds.to && write && mem.inside(region, at, size, false)) {
    return { kind: 'read-only', address, region: name, reason: `${name} is read-only` }
  }
  const row = (AT.regions >> 2) + region * ROW.words
  const stride = mem.words[row + ROW.stride]!
  let past = at + size - bounds.to
  let what = name
  if (at >= bounds.from && past <= 0 && stride > 0) {
    const sized = mem.words[row + ROW.size]!
    past = ((at - bounds.from) % stride) + size - (sized < 0 ? -sized - 1 : sized)
    what = `a value of ${name}`
  }
  const before = bounds.from - at
  const reason = before > 0 ? `${before} bytes before ${what}` : `out of ${what} by ${past} bytes`
  return { kind: 'out-of-bounds', address, region: name, reason: reason.replace(/\b1 bytes/, '1 byte') }
}

/** A load into register d (as an index), zero-extended. False after a fault. */
export function loadSlow(engine: Engine, d: number, region: number, lo: number, off: number, size: number): boolean {
  const { mem, regs } = engine
  const at = lo + off
  if (region === REGION.ctx && lo >= 0) return loadContext(engine, d, at - engine.ctxAt, size)
  if (!(lo >= 0 && mem.inside(region, at, size, false))) return engine.failAccess(region, lo, off, size, false)
  loadWords(mem.view, regs, d, at, size)
  return true
}

function loadWords(view: DataView, regs: Int32Array, d: number, at: number, size: number): void {
  regs[d + 1] = size === 8 ? view.getInt32(at + 4, true) : 0
  regs[d] = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getInt32(at, true)
}

/** The row of a context's access table that an access has; undefined outside the context. */
function contextRow({ access }: Engine, offset: number, size: number): number | undefined {
  const log = size === 1 ? 0 : size === 2 ? 1 : size === 4 ? 2 : 3
  return offset >= 0 && offset + size <= access.size ? offset * 4 + log : undefined
}

function loadContext(engine: Engine, d: number, offset: number, size: number): boolean {
  const { mem, regs, ctxAt } = engine
  const row = contextRow(engine, offset, size)
  const how = row === undefined ? ACCESS.none : engine.access.load[row]!
  switch (how) {
    case ACCESS.none:
      return failContext(engine, 'load', offset, size)
    case ACCESS.packet:
      regs[d] = mem.view.getInt32(ctxAt + offset, true)
      regs[d + 1] = REGION.packet
      return true
    case ACCESS.sock: {
      const { lo, hi } = engine.sockets.pointer(engine.info.socket)
      regs[d] = lo
      regs[d + 1] = hi
      return true
    }
    case ACCESS.skb:
      regs[d] = ctxAt
      regs[d + 1] = REGION.skb
      return true
    case ACCESS.hookState:
      regs[d] = engine.hookStateAt
      regs[d + 1] = REGION.hookState
      return true
    case ACCESS.absent:
      regs[d] = 0
      regs[d + 1] = 0
      return true
    default:
      loadWords(mem.view, regs, d, ctxAt + (how === ACCESS.lowHalf ? offset & ~3 : offset), size)
      return true
  }
}

/** A store of register s (as an index). False after a fault. */
export function storeSlow(engine: Engine, s: number, region: number, lo: number, off: number, size: number): boolean {
  const { mem, regs } = engine
  const at = lo + off
  if (region === REGION.ctx && lo >= 0) {
    const offset = at - engine.ctxAt
    const row = contextRow(engine, offset, size)
    const allowed = row !== undefined && engine.access.store[row] === ACCESS.plain
    if (!allowed) return failContext(engine, 'store', offset, size)
  } else if (!(lo >= 0 && mem.inside(region, at, size, true))) {
    return engine.failAccess(region, lo, off, size, true)
  }
  const { view } = mem
  const value = regs[s]!
  if (size === 1) view.setInt8(at, value)
  else if (size === 2) view.setInt16(at, value, true)
  else view.setInt32(at, value, true)
  if (size === 8) view.setInt32(at + 4, regs[s + 1]!, true)
  return true
}

function failContext(engine: Engine, what: 'load' | 'store', offset: number, size: number): boolean {
  const reason = `no ${what} of ${size} bytes at offset ${offset} of the context in a program of type ${engine.options.type}`
  return engine.fail({ kind: 'context', region: 'ctx', address: hex64(REGION.ctx, engine.ctxAt + offset), reason })
}
