// The interpreter: one loop, one switch. Registers are pairs of 32-bit words, immediates are registers too (decode.ts).
// The cases are literal numbers without gaps, so that JavaScript engines make a jump table of the switch. RFC 9669 §4–5.

import { atomic } from './atomic.ts'
import { OP } from './decode.ts'
import type { Engine } from './engine.ts'
import { overBudget } from './fault.ts'
import { AT, REGION } from './memory.ts'
import { loadPacket } from './packet-load.ts'
import { loadSlow, storeSlow } from './slow-access.ts'
import { arsh64, div64, lsh64, mod64, mul64, rsh64, sdiv64, smod64, swap32 } from './u64.ts'

/** After a fault: how many instructions ran, the one that failed being one more than `before`. */
function faulted(engine: Engine, before: number): Ended {
  engine.used = before + 1
  return 'fault'
}

/** Operations (see decode.ts) in the order of the switch's cases. */
// biome-ignore format: one list
const ORDER = [0x0f, 0x1f, 0x2f, 0x3f, 0x13f, 0x9f, 0x19f, 0x4f, 0x5f, 0xaf, 0x6f, 0x7f, 0xcf, 0x87, 0xbf, 0x140, 0x120, 0x121, 0x122, 0x0c, 0x1c, 0x2c, 0x3c, 0x13c, 0x9c, 0x19c, 0x4c, 0x5c, 0xac, 0x6c, 0x7c, 0xcc, 0x84, 0xbc, 0x123, 0x124, 0x130, 0x131, 0x132, 0x134, 0x135, 0x136, 0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91, 0x63, 0x6b, 0x73, 0x7b, 0xc3, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x05, 0x1d, 0x5d, 0x2d, 0x3d, 0xad, 0xbd, 0x4d, 0x6d, 0x7d, 0xcd, 0xdd, 0x1e, 0x5e, 0x2e, 0x3e, 0xae, 0xbe, 0x4e, 0x6e, 0x7e, 0xce, 0xde, 0xe5, 0x8d, 0x85, 0x185, 0x95, 0x1ff, 0x1fe]
/** Case number by operation; the default case for what is not in the list. */
const CASE = new Uint8Array(512).fill(255)
ORDER.forEach((op, number) => {
  CASE[op] = number
})

/** A program's code with case numbers for operations: what `execute` runs. */
export function withCases(code: Int32Array): Int32Array {
  const out = code.slice()
  for (let pc = 0; pc < out.length; pc += 4) out[pc] = CASE[code[pc]!]!
  return out
}

/** The case that pauses execution. */
export const STOP = CASE[OP.stop]!

/** How a stretch of execution ended. After `fault` the engine has the fault, after `stop` it can go on. */
export type Ended = 'exit' | 'fault' | 'stop'

const RETURNED = AT.returned >> 2
const ROWS = AT.regions >> 2
const REGIONS: number = REGION.count
const PACKET: number = REGION.packet
const PACKET_ROW = ROWS + PACKET * 8

/**
 * Runs from `engine.pc` until the frame at depth `base` returns. `codes` are the programs' (see `withCases`), or copies
 * with STOP where execution shall pause. Instructions are counted at jumps: the budget is looked at when one goes backwards,
 * at calls and at callbacks, so a run passes it by one stretch without a loop at most.
 */
export function execute(engine: Engine, codes: readonly Int32Array[], base: number): Ended {
  const { mem } = engine
  const budget = engine.options.insnBudget
  let code = codes[engine.programIndex]!
  let first = engine.starts[engine.programIndex]!
  let R = engine.regs
  let W = mem.words
  let V = mem.view
  let B = mem.bytes
  let version = mem.version
  // The packet's bounds are at hand: most loads are from it. Helpers may move them.
  let packetFrom = W[PACKET_ROW]!
  let packetTo = W[PACKET_ROW + 1]!
  let pc = engine.pc
  let start = pc
  let used = engine.used

  for (;;) {
    const d = code[pc + 1]!
    const s = code[pc + 2]!
    switch (code[pc]) {
      // ---- 64-bit arithmetic ----
      // 0x0f
      case 0: {
        const a = R[d]!
        const lo = (a + R[s]!) | 0
        R[d + 1] = R[d + 1]! + R[s + 1]! + (lo >>> 0 < a >>> 0 ? 1 : 0)
        R[d] = lo
        pc += 4
        continue
      }
      // 0x1f
      case 1: {
        const a = R[d]!
        const b = R[s]!
        R[d + 1] = R[d + 1]! - R[s + 1]! - (a >>> 0 < b >>> 0 ? 1 : 0)
        R[d] = a - b
        pc += 4
        continue
      }
      // 0x2f
      case 2:
        mul64(R, d, s)
        pc += 4
        continue
      // 0x3f
      case 3:
        div64(R, d, s)
        pc += 4
        continue
      // 0x13f
      case 4:
        sdiv64(R, d, s)
        pc += 4
        continue
      // 0x9f
      case 5:
        mod64(R, d, s)
        pc += 4
        continue
      // 0x19f
      case 6:
        smod64(R, d, s)
        pc += 4
        continue
      // 0x4f
      case 7:
        R[d] = R[d]! | R[s]!
        R[d + 1] = R[d + 1]! | R[s + 1]!
        pc += 4
        continue
      // 0x5f
      case 8:
        R[d] = R[d]! & R[s]!
        R[d + 1] = R[d + 1]! & R[s + 1]!
        pc += 4
        continue
      // 0xaf
      case 9:
        R[d] = R[d]! ^ R[s]!
        R[d + 1] = R[d + 1]! ^ R[s + 1]!
        pc += 4
        continue
      // 0x6f
      case 10:
        lsh64(R, d, R[s]!)
        pc += 4
        continue
      // 0x7f
      case 11:
        rsh64(R, d, R[s]!)
        pc += 4
        continue
      // 0xcf
      case 12:
        arsh64(R, d, R[s]!)
        pc += 4
        continue
      // 0x87
      case 13: {
        const lo = R[d]!
        R[d + 1] = lo === 0 ? -R[d + 1]! : ~R[d + 1]!
        R[d] = -lo
        pc += 4
        continue
      }
      // 0xbf
      case 14:
      // 0x140
      case 15:
        R[d] = R[s]!
        R[d + 1] = R[s + 1]!
        pc += 4
        continue
      // 0x120
      case 16: {
        const value = (R[s]! << 24) >> 24
        R[d] = value
        R[d + 1] = value >> 31
        pc += 4
        continue
      }
      // 0x121
      case 17: {
        const value = (R[s]! << 16) >> 16
        R[d] = value
        R[d + 1] = value >> 31
        pc += 4
        continue
      }
      // 0x122
      case 18: {
        const value = R[s]!
        R[d] = value
        R[d + 1] = value >> 31
        pc += 4
        continue
      }
      // ---- 32-bit arithmetic: the high word becomes 0 ----
      // 0x0c
      case 19:
        R[d] = R[d]! + R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0x1c
      case 20:
        R[d] = R[d]! - R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0x2c
      case 21:
        R[d] = Math.imul(R[d]!, R[s]!)
        R[d + 1] = 0
        pc += 4
        continue
      // 0x3c
      case 22: {
        const b = R[s]! >>> 0
        R[d] = b === 0 ? 0 : ((R[d]! >>> 0) / b) | 0
        R[d + 1] = 0
        pc += 4
        continue
      }
      // 0x13c
      case 23: {
        const b = R[s]!
        R[d] = b === 0 ? 0 : (R[d]! / b) | 0
        R[d + 1] = 0
        pc += 4
        continue
      }
      // 0x9c
      case 24: {
        const b = R[s]! >>> 0
        if (b !== 0) R[d] = (R[d]! >>> 0) % b
        R[d + 1] = 0
        pc += 4
        continue
      }
      // 0x19c
      case 25: {
        const b = R[s]!
        if (b !== 0) R[d] = (R[d]! % b) | 0
        R[d + 1] = 0
        pc += 4
        continue
      }
      // 0x4c
      case 26:
        R[d] = R[d]! | R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0x5c
      case 27:
        R[d] = R[d]! & R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0xac
      case 28:
        R[d] = R[d]! ^ R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0x6c
      case 29:
        R[d] = R[d]! << R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0x7c
      case 30:
        R[d] = R[d]! >>> R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0xcc
      case 31:
        R[d] = R[d]! >> R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0x84
      case 32:
        R[d] = -R[d]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0xbc
      case 33:
        R[d] = R[s]!
        R[d + 1] = 0
        pc += 4
        continue
      // 0x123
      case 34:
        R[d] = (R[s]! << 24) >> 24
        R[d + 1] = 0
        pc += 4
        continue
      // 0x124
      case 35:
        R[d] = (R[s]! << 16) >> 16
        R[d + 1] = 0
        pc += 4
        continue
      // ---- byte order ----
      // 0x130
      case 36:
        R[d] = R[d]! & 0xffff
        R[d + 1] = 0
        pc += 4
        continue
      // 0x131
      case 37:
        R[d + 1] = 0
        pc += 4
        continue
      // 0x132
      case 38:
        pc += 4
        continue
      // 0x134
      case 39: {
        const a = R[d]!
        R[d] = ((a & 0xff) << 8) | ((a >>> 8) & 0xff)
        R[d + 1] = 0
        pc += 4
        continue
      }
      // 0x135
      case 40:
        R[d] = swap32(R[d]!)
        R[d + 1] = 0
        pc += 4
        continue
      // 0x136
      case 41: {
        const lo = R[d]!
        R[d] = swap32(R[d + 1]!)
        R[d + 1] = swap32(lo)
        pc += 4
        continue
      }
      // ---- loads: d = [s + off] ----
      // 0x61
      case 42: {
        const t = R[s + 1]!
        const at = R[s]! + code[pc + 3]!
        if (t === PACKET && at >= packetFrom && at + 4 <= packetTo) {
          R[d] = V.getInt32(at, true)
          R[d + 1] = 0
          pc += 4
          continue
        }
        const row = ROWS + (t << 3)
        if (t >>> 0 < REGIONS && at >= W[row]! && at + 4 <= W[row + 1]!) {
          R[d] = V.getInt32(at, true)
          R[d + 1] = 0
          pc += 4
          continue
        }
        engine.pc = pc
        if (!loadSlow(engine, d, t, R[s]!, code[pc + 3]!, 4)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // 0x69
      case 43: {
        const t = R[s + 1]!
        const at = R[s]! + code[pc + 3]!
        if (t === PACKET && at >= packetFrom && at + 2 <= packetTo) {
          R[d] = V.getUint16(at, true)
          R[d + 1] = 0
          pc += 4
          continue
        }
        const row = ROWS + (t << 3)
        if (t >>> 0 < REGIONS && at >= W[row]! && at + 2 <= W[row + 1]!) {
          R[d] = V.getUint16(at, true)
          R[d + 1] = 0
          pc += 4
          continue
        }
        engine.pc = pc
        if (!loadSlow(engine, d, t, R[s]!, code[pc + 3]!, 2)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // 0x71
      case 44: {
        const t = R[s + 1]!
        const at = R[s]! + code[pc + 3]!
        if (t === PACKET && at >= packetFrom && at + 1 <= packetTo) {
          R[d] = B[at]!
          R[d + 1] = 0
          pc += 4
          continue
        }
        const row = ROWS + (t << 3)
        if (t >>> 0 < REGIONS && at >= W[row]! && at + 1 <= W[row + 1]!) {
          R[d] = B[at]!
          R[d + 1] = 0
          pc += 4
          continue
        }
        engine.pc = pc
        if (!loadSlow(engine, d, t, R[s]!, code[pc + 3]!, 1)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // 0x79
      case 45: {
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
        if (!loadSlow(engine, d, t, R[s]!, code[pc + 3]!, 8)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // Sign-extending loads: 4, 2, 1 bytes.
      // 0x81
      case 46:
        engine.pc = pc
        if (!loadSlow(engine, d, R[s + 1]!, R[s]!, code[pc + 3]!, 4)) return faulted(engine, used + ((pc - start) >> 2))
        R[d + 1] = R[d]! >> 31
        pc += 4
        continue
      // 0x89
      case 47:
        engine.pc = pc
        if (!loadSlow(engine, d, R[s + 1]!, R[s]!, code[pc + 3]!, 2)) return faulted(engine, used + ((pc - start) >> 2))
        R[d] = (R[d]! << 16) >> 16
        R[d + 1] = R[d]! >> 31
        pc += 4
        continue
      // 0x91
      case 48:
        engine.pc = pc
        if (!loadSlow(engine, d, R[s + 1]!, R[s]!, code[pc + 3]!, 1)) return faulted(engine, used + ((pc - start) >> 2))
        R[d] = (R[d]! << 24) >> 24
        R[d + 1] = R[d]! >> 31
        pc += 4
        continue
      // ---- stores: [d + off] = s ----
      // 0x63
      case 49: {
        const t = R[d + 1]!
        const row = ROWS + (t << 3)
        const at = R[d]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row + 2]! && at + 4 <= W[row + 3]!) {
          V.setInt32(at, R[s]!, true)
          pc += 4
          continue
        }
        engine.pc = pc
        if (!storeSlow(engine, s, t, R[d]!, code[pc + 3]!, 4)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // 0x6b
      case 50: {
        const t = R[d + 1]!
        const row = ROWS + (t << 3)
        const at = R[d]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row + 2]! && at + 2 <= W[row + 3]!) {
          V.setInt16(at, R[s]!, true)
          pc += 4
          continue
        }
        engine.pc = pc
        if (!storeSlow(engine, s, t, R[d]!, code[pc + 3]!, 2)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // 0x73
      case 51: {
        const t = R[d + 1]!
        const row = ROWS + (t << 3)
        const at = R[d]! + code[pc + 3]!
        if (t >>> 0 < REGIONS && at >= W[row + 2]! && at + 1 <= W[row + 3]!) {
          B[at] = R[s]!
          pc += 4
          continue
        }
        engine.pc = pc
        if (!storeSlow(engine, s, t, R[d]!, code[pc + 3]!, 1)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // 0x7b
      case 52: {
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
        if (!storeSlow(engine, s, t, R[d]!, code[pc + 3]!, 8)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      }
      // 0xc3
      case 53:
        engine.pc = pc
        if (!atomic(engine, d, s, code[pc + 3]!)) return faulted(engine, used + ((pc - start) >> 2))
        pc += 4
        continue
      // ---- legacy packet loads: past the packet's end the program exits with 0 ----
      // 0x20
      case 54:
      // 0x28
      case 55:
      // 0x30
      case 56:
      // 0x40
      case 57:
      // 0x48
      case 58:
      // 0x50
      case 59:
        engine.pc = pc
        if (!loadPacket(engine, ORDER[code[pc]!]!, s, code[pc + 3]!)) {
          if (engine.fault) return faulted(engine, used + ((pc - start) >> 2))
          R[0] = 0
          R[1] = 0
          engine.used = used + ((pc - start) >> 2) + 1
          W[RETURNED] = first + (pc >> 2)
          if (engine.depth === base) return 'exit'
          // In a function the rest of it is skipped, not the rest of the program (Linux forbids it there).
          pc = engine.frames.leave()
          code = codes[engine.programIndex]!
          first = engine.starts[engine.programIndex]!
          used = engine.used
          start = pc
          continue
        }
        pc += 4
        continue
      // ---- jumps ----
      // 0x05
      case 60:
        break
      // 0x1d
      case 61:
        if (R[d] === R[s] && R[d + 1] === R[s + 1]) break
        pc += 4
        continue
      // 0x5d
      case 62:
        if (R[d] !== R[s] || R[d + 1] !== R[s + 1]) break
        pc += 4
        continue
      // 0x2d
      case 63:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 > R[s]! >>> 0 : R[d + 1]! >>> 0 > R[s + 1]! >>> 0) break
        pc += 4
        continue
      // 0x3d
      case 64:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 >= R[s]! >>> 0 : R[d + 1]! >>> 0 > R[s + 1]! >>> 0) break
        pc += 4
        continue
      // 0xad
      case 65:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 < R[s]! >>> 0 : R[d + 1]! >>> 0 < R[s + 1]! >>> 0) break
        pc += 4
        continue
      // 0xbd
      case 66:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 <= R[s]! >>> 0 : R[d + 1]! >>> 0 < R[s + 1]! >>> 0) break
        pc += 4
        continue
      // 0x4d
      case 67:
        if ((R[d]! & R[s]!) !== 0 || (R[d + 1]! & R[s + 1]!) !== 0) break
        pc += 4
        continue
      // 0x6d
      case 68:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 > R[s]! >>> 0 : R[d + 1]! > R[s + 1]!) break
        pc += 4
        continue
      // 0x7d
      case 69:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 >= R[s]! >>> 0 : R[d + 1]! > R[s + 1]!) break
        pc += 4
        continue
      // 0xcd
      case 70:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 < R[s]! >>> 0 : R[d + 1]! < R[s + 1]!) break
        pc += 4
        continue
      // 0xdd
      case 71:
        if (R[d + 1] === R[s + 1] ? R[d]! >>> 0 <= R[s]! >>> 0 : R[d + 1]! < R[s + 1]!) break
        pc += 4
        continue
      // 0x1e
      case 72:
        if (R[d] === R[s]) break
        pc += 4
        continue
      // 0x5e
      case 73:
        if (R[d] !== R[s]) break
        pc += 4
        continue
      // 0x2e
      case 74:
        if (R[d]! >>> 0 > R[s]! >>> 0) break
        pc += 4
        continue
      // 0x3e
      case 75:
        if (R[d]! >>> 0 >= R[s]! >>> 0) break
        pc += 4
        continue
      // 0xae
      case 76:
        if (R[d]! >>> 0 < R[s]! >>> 0) break
        pc += 4
        continue
      // 0xbe
      case 77:
        if (R[d]! >>> 0 <= R[s]! >>> 0) break
        pc += 4
        continue
      // 0x4e
      case 78:
        if ((R[d]! & R[s]!) !== 0) break
        pc += 4
        continue
      // 0x6e
      case 79:
        if (R[d]! > R[s]!) break
        pc += 4
        continue
      // 0x7e
      case 80:
        if (R[d]! >= R[s]!) break
        pc += 4
        continue
      // 0xce
      case 81:
        if (R[d]! < R[s]!) break
        pc += 4
        continue
      // 0xde
      case 82:
        if (R[d]! <= R[s]!) break
        pc += 4
        continue
      // 0xe5
      case 83:
        if (engine.mayGoto-- <= 0) break
        pc += 4
        continue
      // ---- calls ----
      // 0x8d
      case 84:
      // 0x85
      case 85: {
        engine.pc = pc
        engine.used = used + ((pc - start) >> 2) + 1
        let id = code[pc + 3]!
        if (code[pc] === 84) {
          if (engine.options.mode !== 'rfc9669') {
            engine.fail({ kind: 'unsupported', reason: 'callx is not in the kernel' })
            return 'fault'
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
        packetFrom = W[PACKET_ROW]!
        packetTo = W[PACKET_ROW + 1]!
        if (engine.next !== undefined) {
          engine.frames.goOn()
          code = codes[engine.programIndex]!
          first = engine.starts[engine.programIndex]!
          pc = 0
        } else pc += 4
        start = pc
        continue
      }
      // 0x185
      case 86:
        engine.pc = pc
        used += ((pc - start) >> 2) + 1
        if (used > budget) {
          engine.fail(overBudget(budget))
          return faulted(engine, used - 1)
        }
        if (!engine.frames.enter(pc + 4)) return faulted(engine, used - 1)
        pc = code[pc + 3]!
        start = pc
        continue
      // 0x95
      case 87:
        used += ((pc - start) >> 2) + 1
        if (code[pc + 3] === 0) W[RETURNED] = first + (pc >> 2)
        if (engine.depth === base) {
          engine.pc = pc
          engine.used = used
          return 'exit'
        }
        pc = engine.frames.leave()
        code = codes[engine.programIndex]!
        first = engine.starts[engine.programIndex]!
        start = pc
        continue
      // ---- what cannot run ----
      // 0x1ff
      case 88:
        engine.pc = pc
        engine.used = used + ((pc - start) >> 2)
        return 'stop'
      // 0x1fe
      case 89:
        engine.pc = pc
        engine.fail({ kind: 'jump', reason: 'control leaves the program' })
        return faulted(engine, used + ((pc - start) >> 2))
      default:
        engine.pc = pc
        engine.fail({ kind: 'unsupported', reason: 'this instruction cannot run' })
        return faulted(engine, used + ((pc - start) >> 2))
    }
    // The jump at pc is taken.
    used += ((pc - start) >> 2) + 1
    const to = code[pc + 3]!
    if (to <= pc && used > budget) {
      engine.pc = pc
      engine.used = used
      engine.fail(overBudget(budget))
      return 'fault'
    }
    pc = to
    start = pc
  }
}
