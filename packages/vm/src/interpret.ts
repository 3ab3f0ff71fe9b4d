// The interpreter: one loop, one switch. Registers are pairs of 32-bit words, immediates are registers too (decode.ts).
// The cases are opcodes as literal numbers, so that the engine makes a jump table of the switch. RFC 9669 §4–5.

import { atomic } from './atomic.ts'
import type { Engine } from './engine.ts'
import { AT, REGION } from './memory.ts'
import { loadPacket } from './packet-load.ts'
import { arsh64, div64, lsh64, mod64, mul64, rsh64, sdiv64, smod64, swap32 } from './u64.ts'

/** How a stretch of execution ended. After `fault` the engine has the fault, after `stop` it can go on. */
export type Ended = 'exit' | 'fault' | 'stop'

const ROWS = AT.regions >> 2
const REGIONS: number = REGION.count

/**
 * Runs from `engine.pc` until the frame at depth `base` returns. `codes` are the programs', or copies of them with
 * OP.stop where execution shall pause. Instructions are counted at jumps: the budget is looked at when one goes backwards,
 * at calls and at callbacks, so a run passes it by one stretch without a loop at most.
 */
export function execute(engine: Engine, codes: readonly Int32Array[], base: number): Ended {
  const { mem } = engine
  const budget = engine.options.insnBudget
  let code = codes[engine.programIndex]!
  let R = engine.regs
  let W = mem.words
  let V = mem.view
  let B = mem.bytes
  let version = mem.version
  let pc = engine.pc
  let start = pc
  let used = engine.used

  for (;;) {
    const d = code[pc + 1]!
    const s = code[pc + 2]!
    switch (code[pc]) {
      // ---- 64-bit arithmetic ----
      case 0x0f: {
        const a = R[d]!
        const lo = (a + R[s]!) | 0
        R[d + 1] = R[d + 1]! + R[s + 1]! + (lo >>> 0 < a >>> 0 ? 1 : 0)
        R[d] = lo
        pc += 4
        continue
      }
      case 0x1f: {
        const a = R[d]!
        const b = R[s]!
        R[d + 1] = R[d + 1]! - R[s + 1]! - (a >>> 0 < b >>> 0 ? 1 : 0)
        R[d] = a - b
        pc += 4
        continue
      }
      case 0x2f:
        mul64(R, d, s)
        pc += 4
        continue
      case 0x3f:
        div64(R, d, s)
        pc += 4
        continue
      case 0x13f:
        sdiv64(R, d, s)
        pc += 4
        continue
      case 0x9f:
        mod64(R, d, s)
        pc += 4
        continue
      case 0x19f:
        smod64(R, d, s)
        pc += 4
        continue
      case 0x4f:
        R[d] = R[d]! | R[s]!
        R[d + 1] = R[d + 1]! | R[s + 1]!
        pc += 4
        continue
      case 0x5f:
        R[d] = R[d]! & R[s]!
        R[d + 1] = R[d + 1]! & R[s + 1]!
        pc += 4
        continue
      case 0xaf:
        R[d] = R[d]! ^ R[s]!
        R[d + 1] = R[d + 1]! ^ R[s + 1]!
        pc += 4
        continue
      case 0x6f:
        lsh64(R, d, R[s]!)
        pc += 4
        continue
      case 0x7f:
        rsh64(R, d, R[s]!)
        pc += 4
        continue
      case 0xcf:
        arsh64(R, d, R[s]!)
        pc += 4
        continue
      case 0x87: {
        const lo = R[d]!
        R[d + 1] = lo === 0 ? -R[d + 1]! : ~R[d + 1]!
        R[d] = -lo
        pc += 4
        continue
      }
      case 0xbf:
      case 0x140:
        R[d] = R[s]!
        R[d + 1] = R[s + 1]!
        pc += 4
        continue
      case 0x120: {
        const value = (R[s]! << 24) >> 24
        R[d] = value
        R[d + 1] = value >> 31
        pc += 4
        continue
      }
      case 0x121: {
        const value = (R[s]! << 16) >> 16
        R[d] = value
        R[d + 1] = value >> 31
        pc += 4
        continue
      }
      case 0x122: {
        const value = R[s]!
        R[d] = value
        R[d + 1] = value >> 31
        pc += 4
        continue
      }
      // ---- 32-bit arithmetic: the high word becomes 0 ----
      case 0x0c:
        R[d] = R[d]! + R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0x1c:
        R[d] = R[d]! - R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0x2c:
        R[d] = Math.imul(R[d]!, R[s]!)
        R[d + 1] = 0
        pc += 4
        continue
      case 0x3c: {
        const b = R[s]! >>> 0
        R[d] = b === 0 ? 0 : ((R[d]! >>> 0) / b) | 0
        R[d + 1] = 0
        pc += 4
        continue
      }
      case 0x13c: {
        const b = R[s]!
        R[d] = b === 0 ? 0 : (R[d]! / b) | 0
        R[d + 1] = 0
        pc += 4
        continue
      }
      case 0x9c: {
        const b = R[s]! >>> 0
        if (b !== 0) R[d] = (R[d]! >>> 0) % b
        R[d + 1] = 0
        pc += 4
        continue
      }
      case 0x19c: {
        const b = R[s]!
        if (b !== 0) R[d] = (R[d]! % b) | 0
        R[d + 1] = 0
        pc += 4
        continue
      }
      case 0x4c:
        R[d] = R[d]! | R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0x5c:
        R[d] = R[d]! & R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0xac:
        R[d] = R[d]! ^ R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0x6c:
        R[d] = R[d]! << R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0x7c:
        R[d] = R[d]! >>> R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0xcc:
        R[d] = R[d]! >> R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0x84:
        R[d] = -R[d]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0xbc:
        R[d] = R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      case 0x123:
        R[d] = (R[s]! << 24) >> 24
        R[d + 1] = 0
        pc += 4
        continue
      case 0x124:
        R[d] = (R[s]! << 16) >> 16
        R[d + 1] = 0
        pc += 4
        continue
      // ---- byte order ----
      case 0x130:
        R[d] = R[d]! & 0xffff
        R[d + 1] = 0
        pc += 4
        continue
      case 0x131:
        R[d + 1] = 0
        pc += 4
        continue
      case 0x132:
        pc += 4
        continue
      case 0x134: {
        const a = R[d]!
        R[d] = ((a & 0xff) << 8) | ((a >>> 8) & 0xff)
        R[d + 1] = 0
        pc += 4
        continue
      }
      case 0x135:
        R[d] = swap32(R[d]!)
        R[d + 1] = 0
        pc += 4
        continue
      case 0x136: {
        const lo = R[d]!
        R[d] = swap32(R[d + 1]!)
        R[d + 1] = swap32(lo)
        pc += 4
        continue
      }
      // ---- loads: d = [s + off] ----
      case 0x61: {
        const t = R[s + 1]!
        const row = ROWS + (t << 3)
        const at = R[s]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row]! && at + 4 <= W[row + 1]!) {
          R[d] = V.getInt32(at, true)
          R[d + 1] = 0
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.loadSlow(d, t, R[s]!, code[pc + 3]!, 4)) break
        pc += 4
        continue
      }
      case 0x69: {
        const t = R[s + 1]!
        const row = ROWS + (t << 3)
        const at = R[s]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row]! && at + 2 <= W[row + 1]!) {
          R[d] = V.getUint16(at, true)
          R[d + 1] = 0
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.loadSlow(d, t, R[s]!, code[pc + 3]!, 2)) break
        pc += 4
        continue
      }
      case 0x71: {
        const t = R[s + 1]!
        const row = ROWS + (t << 3)
        const at = R[s]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row]! && at + 1 <= W[row + 1]!) {
          R[d] = B[at]!
          R[d + 1] = 0
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.loadSlow(d, t, R[s]!, code[pc + 3]!, 1)) break
        pc += 4
        continue
      }
      case 0x79: {
        const t = R[s + 1]!
        const row = ROWS + (t << 3)
        const at = R[s]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row]! && at + 8 <= W[row + 1]!) {
          R[d] = V.getInt32(at, true)
          R[d + 1] = V.getInt32(at + 4, true)
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.loadSlow(d, t, R[s]!, code[pc + 3]!, 8)) break
        pc += 4
        continue
      }
      // Sign-extending loads: 4, 2, 1 bytes.
      case 0x81:
        engine.pc = pc
        if (!engine.loadSlow(d, R[s + 1]!, R[s]!, code[pc + 3]!, 4)) break
        R[d + 1] = R[d]! >> 31
        pc += 4
        continue
      case 0x89:
        engine.pc = pc
        if (!engine.loadSlow(d, R[s + 1]!, R[s]!, code[pc + 3]!, 2)) break
        R[d] = (R[d]! << 16) >> 16
        R[d + 1] = R[d]! >> 31
        pc += 4
        continue
      case 0x91:
        engine.pc = pc
        if (!engine.loadSlow(d, R[s + 1]!, R[s]!, code[pc + 3]!, 1)) break
        R[d] = (R[d]! << 24) >> 24
        R[d + 1] = R[d]! >> 31
        pc += 4
        continue
      // ---- stores: [d + off] = s ----
      case 0x63: {
        const t = R[d + 1]!
        const row = ROWS + (t << 3)
        const at = R[d]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row + 2]! && at + 4 <= W[row + 3]!) {
          V.setInt32(at, R[s]!, true)
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.storeSlow(s, t, R[d]!, code[pc + 3]!, 4)) break
        pc += 4
        continue
      }
      case 0x6b: {
        const t = R[d + 1]!
        const row = ROWS + (t << 3)
        const at = R[d]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row + 2]! && at + 2 <= W[row + 3]!) {
          V.setInt16(at, R[s]!, true)
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.storeSlow(s, t, R[d]!, code[pc + 3]!, 2)) break
        pc += 4
        continue
      }
      case 0x73: {
        const t = R[d + 1]!
        const row = ROWS + (t << 3)
        const at = R[d]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row + 2]! && at + 1 <= W[row + 3]!) {
          B[at] = R[s]!
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.storeSlow(s, t, R[d]!, code[pc + 3]!, 1)) break
        pc += 4
        continue
      }
      case 0x7b: {
        const t = R[d + 1]!
        const row = ROWS + (t << 3)
        const at = R[d]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row + 2]! && at + 8 <= W[row + 3]!) {
          V.setInt32(at, R[s]!, true)
          V.setInt32(at + 4, R[s + 1]!, true)
          pc += 4
          continue
        }
        engine.pc = pc
        if (!engine.storeSlow(s, t, R[d]!, code[pc + 3]!, 8)) break
        pc += 4
        continue
      }
      case 0xc3:
        engine.pc = pc
        if (!atomic(engine, d, s, code[pc + 3]!)) break
        pc += 4
        continue
      // ---- legacy packet loads: past the packet's end the program exits with 0 ----
      case 0x20:
      case 0x28:
      case 0x30:
      case 0x40:
      case 0x48:
      case 0x50:
        engine.pc = pc
        if (!loadPacket(engine, code[pc]!, s, code[pc + 3]!)) {
          if (engine.fault) break
          R[0] = 0
          R[1] = 0
          engine.used = used + ((pc - start) >> 2) + 1
          if (engine.depth === base) return 'exit'
          // In a function the rest of it is skipped, not the rest of the program (Linux forbids it there).
          pc = engine.leave()
          used = engine.used
          start = pc
          continue
        }
        pc += 4
        continue
      // ---- jumps ----
      case 0x05:
        break
      case 0x1d:
        if (R[d] === R[s] && R[d + 1] === R[s + 1]) break
        pc += 4
        continue
      case 0x5d:
        if (R[d] !== R[s] || R[d + 1] !== R[s + 1]) break
        pc += 4
        continue
      case 0x2d:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 > R[s]! >>> 0 : R[d + 1]! >>> 0 > R[s + 1]! >>> 0) break
        pc += 4
        continue
      case 0x3d:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 >= R[s]! >>> 0 : R[d + 1]! >>> 0 > R[s + 1]! >>> 0) break
        pc += 4
        continue
      case 0xad:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 < R[s]! >>> 0 : R[d + 1]! >>> 0 < R[s + 1]! >>> 0) break
        pc += 4
        continue
      case 0xbd:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 <= R[s]! >>> 0 : R[d + 1]! >>> 0 < R[s + 1]! >>> 0) break
        pc += 4
        continue
      case 0x4d:
        if ((R[d]! & R[s]!) !== 0 || (R[d + 1]! & R[s + 1]!) !== 0) break
        pc += 4
        continue
      case 0x6d:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 > R[s]! >>> 0 : R[d + 1]! > R[s + 1]!) break
        pc += 4
        continue
      case 0x7d:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 >= R[s]! >>> 0 : R[d + 1]! > R[s + 1]!) break
        pc += 4
        continue
      case 0xcd:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 < R[s]! >>> 0 : R[d + 1]! < R[s + 1]!) break
        pc += 4
        continue
      case 0xdd:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 <= R[s]! >>> 0 : R[d + 1]! < R[s + 1]!) break
        pc += 4
        continue
      case 0x1e:
        if (R[d] === R[s]) break
        pc += 4
        continue
      case 0x5e:
        if (R[d] !== R[s]) break
        pc += 4
        continue
      case 0x2e:
        if (R[d]! >>> 0 > R[s]! >>> 0) break
        pc += 4
        continue
      case 0x3e:
        if (R[d]! >>> 0 >= R[s]! >>> 0) break
        pc += 4
        continue
      case 0xae:
        if (R[d]! >>> 0 < R[s]! >>> 0) break
        pc += 4
        continue
      case 0xbe:
        if (R[d]! >>> 0 <= R[s]! >>> 0) break
        pc += 4
        continue
      case 0x4e:
        if ((R[d]! & R[s]!) !== 0) break
        pc += 4
        continue
      case 0x6e:
        if (R[d]! > R[s]!) break
        pc += 4
        continue
      case 0x7e:
        if (R[d]! >= R[s]!) break
        pc += 4
        continue
      case 0xce:
        if (R[d]! < R[s]!) break
        pc += 4
        continue
      case 0xde:
        if (R[d]! <= R[s]!) break
        pc += 4
        continue
      case 0xe5:
        if (engine.mayGoto-- <= 0) break
        pc += 4
        continue
      // ---- calls ----
      case 0x8d:
      case 0x85: {
        engine.pc = pc
        engine.used = used + ((pc - start) >> 2) + 1
        let id = code[pc + 3]!
        if (code[pc] === 0x8d) {
          if (engine.options.mode !== 'rfc9669') {
            engine.fail({ kind: 'unsupported', reason: 'callx is not in the kernel' })
            break
          }
          id = R[d]!
        }
        if (!engine.callHelper(id)) return 'fault'
        used = engine.used
        if (version !== mem.version) {
          R = engine.regs
          W = mem.words
          V = mem.view
          B = mem.bytes
          version = mem.version
        }
        if (engine.next !== undefined) {
          // A tail call from a function leaves all frames of this run at once.
          engine.programIndex = engine.next
          engine.next = undefined
          code = codes[engine.programIndex]!
          while (engine.depth > base) engine.leave()
          engine.openFrame(engine.depth)
          engine.clearForTailCall()
          pc = 0
        } else pc += 4
        start = pc
        continue
      }
      case 0x185:
        engine.pc = pc
        used += ((pc - start) >> 2) + 1
        start = pc + 4
        if (used > budget) {
          engine.fail({ kind: 'budget', reason: `more than ${budget} instructions` })
          break
        }
        if (!engine.enter(pc + 4)) break
        pc = code[pc + 3]!
        start = pc
        continue
      case 0x95:
        used += ((pc - start) >> 2) + 1
        if (engine.depth === base) {
          engine.pc = pc
          engine.used = used
          return 'exit'
        }
        pc = engine.leave()
        start = pc
        continue
      // ---- what cannot run ----
      case 0x1ff:
        engine.pc = pc
        engine.used = used + ((pc - start) >> 2)
        return 'stop'
      case 0x1fe:
        engine.pc = pc
        engine.fail({ kind: 'jump', reason: 'control leaves the program' })
        break
      default:
        engine.pc = pc
        engine.fail({ kind: 'unsupported', reason: 'this instruction cannot run' })
        break
    }
    // Here after a fault, or to take the jump at pc.
    if (engine.fault) {
      engine.used = used + ((pc - start) >> 2) + 1
      return 'fault'
    }
    used += ((pc - start) >> 2) + 1
    const to = code[pc + 3]!
    if (to <= pc && used > budget) {
      engine.pc = pc
      engine.used = used
      engine.fail({ kind: 'budget', reason: `more than ${budget} instructions` })
      return 'fault'
    }
    pc = to
    start = pc
  }
}
