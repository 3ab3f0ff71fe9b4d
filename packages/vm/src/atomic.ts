// Atomic operations on memory. RFC 9669 §5.3; load-acquire and store-release as Linux 6.15 has them.
// One thread: what is atomic here is that nothing else runs in between.

import type { Engine } from './engine.ts'
import { REGION } from './memory.ts'
import { loadSlow, storeSlow } from './slow-access.ts'

/** Runs the atomic instruction at `engine.pc`. False after a fault. */
export function atomic(engine: Engine, d: number, s: number, off: number): boolean {
  const { spec } = engine.programs[engine.programIndex]!.insns[engine.pc >> 2]!
  const R = engine.regs
  const size = spec.size
  if (spec.atomic === 'load_acquire') return loadSlow(engine, d, R[s + 1]!, R[s]!, off, size)
  if (spec.atomic === 'store_release') return storeSlow(engine, s, R[d + 1]!, R[d]!, off, size)
  const region = R[d + 1]!
  const lo = R[d]!
  const at = lo + off
  if (!(lo >= 0 && region !== REGION.ctx && engine.mem.inside(region, at, size, true))) {
    return engine.failAccess(region, lo, off, size, true)
  }
  const { view } = engine.mem
  const wide = size === 8
  const oldLo = view.getInt32(at, true)
  const oldHi = wide ? view.getInt32(at + 4, true) : 0
  const slo = R[s]!
  const shi = wide ? R[s + 1]! : 0
  let newLo = slo
  let newHi = shi
  switch (spec.atomic) {
    case 'add':
      newLo = (oldLo + slo) | 0
      newHi = oldHi + shi + (newLo >>> 0 < oldLo >>> 0 ? 1 : 0)
      break
    case 'or':
      newLo = oldLo | slo
      newHi = oldHi | shi
      break
    case 'and':
      newLo = oldLo & slo
      newHi = oldHi & shi
      break
    case 'xor':
      newLo = oldLo ^ slo
      newHi = oldHi ^ shi
      break
    case 'cmpxchg':
      if (oldLo !== R[0] || (wide && oldHi !== R[1])) {
        newLo = oldLo
        newHi = oldHi
      }
      break
  }
  view.setInt32(at, newLo, true)
  if (wide) view.setInt32(at + 4, newHi, true)
  if (spec.fetch) {
    const to = spec.atomic === 'cmpxchg' ? 0 : s
    R[to] = oldLo
    R[to + 1] = oldHi
  }
  return true
}
