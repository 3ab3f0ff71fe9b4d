// The interpreter's inner loop: what needs nothing but registers and memory. One switch; its cases are literal numbers, so that JavaScript engines
// make a jump table of it (cases.ts). Registers are pairs of 32-bit words, immediates are registers too (decode.ts). RFC 9669 §4–5.
//
// What makes it fast, where JavaScript shows little of it:
//   - Nothing is called. All state is in local variables, and pc is a 32-bit integer to the compiler: hence `| 0`.
//   - Numbers are literals, their types saying whose: a module's constants are looked up each time.
//   - Indexes are made by `|`: rows of four numbers and pairs of words begin at even places, and no overflow is to be looked for.

import type { ACCESS } from './context.ts'
import type { Engine } from './engine.ts'
import type { AT, REGION } from './memory.ts'

/**
 * Runs `code` (see cases.ts) from `engine.pc` until an instruction comes that needs more: one of another kind, a load or store that is not plainly
 * inside a region, or a jump backwards above the budget. It has not begun, nor is it counted. Returns where it is; `engine.pc` and `engine.used`
 * say so too. Instructions are counted at jumps: the budget is looked at when one goes backwards, so a run passes it by one stretch without a
 * loop at most.
 */
export function runPlain(engine: Engine, code: Int32Array): number {
  const CTX: typeof REGION.ctx = 1
  const PACKET: typeof REGION.packet = 2
  const REGIONS: typeof REGION.count = 1024
  const PLAIN: typeof ACCESS.plain = 1
  const POINTER: typeof ACCESS.packet = 2
  const TABLE: typeof AT.regions = 0x1000
  const ROWS = TABLE >> 2

  const { mem } = engine
  const budget = engine.options.insnBudget
  const R = engine.regs
  const W = mem.words
  const V = mem.view
  const B = mem.bytes
  const { size: contextSize, load: context } = engine.access
  const contextAt = engine.ctxAt
  // The packet's bounds are at hand: most loads are from it.
  const packetRow = ROWS + PACKET * 8
  const packetFrom = W[packetRow]!
  const packetTo = W[packetRow + 1]!
  let pc = engine.pc | 0
  let start = pc
  let used = engine.used

  stretch: for (; ; pc = (pc + 4) | 0) {
    const ds = code[pc | 1]!
    const d = ds & 0xff
    const s = ds >>> 8
    switch (code[pc]) {
      // ---- 64-bit arithmetic ----
      case 0: {
        // 0x0f add
        const a = R[d]!
        const lo = (a + R[s]!) | 0
        R[d | 1] = R[d | 1]! + R[s | 1]! + (lo >>> 0 < a >>> 0 ? 1 : 0)
        R[d] = lo
        continue
      }
      case 1: {
        // 0x1f sub
        const a = R[d]!
        const b = R[s]!
        R[d | 1] = R[d | 1]! - R[s | 1]! - (a >>> 0 < b >>> 0 ? 1 : 0)
        R[d] = a - b
        continue
      }
      case 2: {
        // 0x2f mul
        // Four products of 16 bits each give the high word of the low words' product.
        const a = R[d]!
        const b = R[s]!
        const a0 = a & 0xffff
        const a1 = a >>> 16
        const b0 = b & 0xffff
        const b1 = b >>> 16
        const middle = (Math.imul(a1, b0) >>> 0) + (Math.imul(a0, b0) >>> 16)
        const low = (middle & 0xffff) + (Math.imul(a0, b1) >>> 0)
        const high = Math.imul(a1, b1) + (middle >>> 16) + (low >>> 16)
        R[d | 1] = high + Math.imul(a, R[s | 1]!) + Math.imul(R[d | 1]!, b)
        R[d] = Math.imul(a, b)
        continue
      }
      case 3: // 0x4f or
        R[d] = R[d]! | R[s]!
        R[d | 1] = R[d | 1]! | R[s | 1]!
        continue
      case 4: // 0x5f and
        R[d] = R[d]! & R[s]!
        R[d | 1] = R[d | 1]! & R[s | 1]!
        continue
      case 5: // 0xaf xor
        R[d] = R[d]! ^ R[s]!
        R[d | 1] = R[d | 1]! ^ R[s | 1]!
        continue
      case 6: {
        // 0x6f lsh
        const n = R[s]! & 63
        const lo = R[d]!
        if (n >= 32) {
          R[d | 1] = lo << n
          R[d] = 0
        } else {
          R[d | 1] = (R[d | 1]! << n) | ((lo >>> 1) >>> (31 - n))
          R[d] = lo << n
        }
        continue
      }
      case 7: {
        // 0x7f rsh
        const n = R[s]! & 63
        const hi = R[d | 1]!
        if (n >= 32) {
          R[d] = hi >>> n
          R[d | 1] = 0
        } else {
          R[d] = (R[d]! >>> n) | ((hi << 1) << (31 - n))
          R[d | 1] = hi >>> n
        }
        continue
      }
      case 8: {
        // 0xcf arsh
        const n = R[s]! & 63
        const hi = R[d | 1]!
        if (n >= 32) {
          R[d] = hi >> n
          R[d | 1] = hi >> 31
        } else {
          R[d] = (R[d]! >>> n) | ((hi << 1) << (31 - n))
          R[d | 1] = hi >> n
        }
        continue
      }
      case 9: {
        // 0x87 neg
        const lo = R[d]!
        R[d | 1] = lo === 0 ? 0 - R[d | 1]! : ~R[d | 1]!
        R[d] = 0 - lo
        continue
      }
      case 10: // 0xbf mov
      case 11: // 0x140 ld_imm64
        R[d] = R[s]!
        R[d | 1] = R[s | 1]!
        continue
      case 12: {
        // 0x120 movsx 8
        const value = (R[s]! << 24) >> 24
        R[d] = value
        R[d | 1] = value >> 31
        continue
      }
      case 13: {
        // 0x121 movsx 16
        const value = (R[s]! << 16) >> 16
        R[d] = value
        R[d | 1] = value >> 31
        continue
      }
      case 14: {
        // 0x122 movsx 32
        const value = R[s]!
        R[d] = value
        R[d | 1] = value >> 31
        continue
      }
      // ---- 32-bit arithmetic: the high word becomes 0 ----
      case 15: // 0x0c add
        R[d] = R[d]! + R[s]!
        R[d | 1] = 0
        continue
      case 16: // 0x1c sub
        R[d] = R[d]! - R[s]!
        R[d | 1] = 0
        continue
      case 17: // 0x2c mul
        R[d] = Math.imul(R[d]!, R[s]!)
        R[d | 1] = 0
        continue
      case 18: {
        // 0x3c div
        const b = R[s]! >>> 0
        R[d] = b === 0 ? 0 : ((R[d]! >>> 0) / b) | 0
        R[d | 1] = 0
        continue
      }
      case 19: {
        // 0x13c sdiv
        const b = R[s]!
        R[d] = b === 0 ? 0 : (R[d]! / b) | 0
        R[d | 1] = 0
        continue
      }
      case 20: {
        // 0x9c mod
        const b = R[s]! >>> 0
        if (b !== 0) R[d] = (R[d]! >>> 0) % b
        R[d | 1] = 0
        continue
      }
      case 21: {
        // 0x19c smod
        const b = R[s]!
        if (b !== 0) R[d] = (R[d]! % b) | 0
        R[d | 1] = 0
        continue
      }
      case 22: // 0x4c or
        R[d] = R[d]! | R[s]!
        R[d | 1] = 0
        continue
      case 23: // 0x5c and
        R[d] = R[d]! & R[s]!
        R[d | 1] = 0
        continue
      case 24: // 0xac xor
        R[d] = R[d]! ^ R[s]!
        R[d | 1] = 0
        continue
      case 25: // 0x6c lsh
        R[d] = R[d]! << R[s]!
        R[d | 1] = 0
        continue
      case 26: // 0x7c rsh
        R[d] = R[d]! >>> R[s]!
        R[d | 1] = 0
        continue
      case 27: // 0xcc arsh
        R[d] = R[d]! >> R[s]!
        R[d | 1] = 0
        continue
      case 28: // 0x84 neg
        R[d] = 0 - R[d]!
        R[d | 1] = 0
        continue
      case 29: // 0xbc mov
        R[d] = R[s]!
        R[d | 1] = 0
        continue
      case 30: // 0x123 movsx 8
        R[d] = (R[s]! << 24) >> 24
        R[d | 1] = 0
        continue
      case 31: // 0x124 movsx 16
        R[d] = (R[s]! << 16) >> 16
        R[d | 1] = 0
        continue
      // ---- byte order ----
      case 32: // 0x130 le16
        R[d] = R[d]! & 0xffff
        R[d | 1] = 0
        continue
      case 33: // 0x131 le32
        R[d | 1] = 0
        continue
      case 34: // 0x132 le64
        continue
      case 35: {
        // 0x134 be16
        const a = R[d]!
        R[d] = ((a & 0xff) << 8) | ((a >>> 8) & 0xff)
        R[d | 1] = 0
        continue
      }
      case 36: {
        // 0x135 be32
        const a = R[d]!
        R[d] = (a << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24)
        R[d | 1] = 0
        continue
      }
      case 37: {
        // 0x136 be64
        const a = R[d]!
        const b = R[d | 1]!
        R[d] = (b << 24) | ((b & 0xff00) << 8) | ((b >>> 8) & 0xff00) | (b >>> 24)
        R[d | 1] = (a << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24)
        continue
      }
      // ---- loads: d = [s + off] ----
      case 38: {
        // 0x61 u32
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 4) {
          if (region === CTX) {
            const offset = at - contextAt
            if (offset < 0 || offset > contextSize - 4) break stretch
            const how = context[(offset << 2) + 2]!
            // One of the two, PLAIN or POINTER.
            if (how < PLAIN || how > POINTER) break stretch
            R[d] = V.getInt32(at, true)
            R[d | 1] = how === POINTER ? PACKET : 0
            continue
          }
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 4) break stretch
        }
        R[d] = V.getInt32(at, true)
        R[d | 1] = 0
        continue
      }
      case 39: {
        // 0x69 u16
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 2) {
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 2) break stretch
        }
        R[d] = V.getUint16(at, true)
        R[d | 1] = 0
        continue
      }
      case 40: {
        // 0x71 u8
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 1) {
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 1) break stretch
        }
        R[d] = B[at]!
        R[d | 1] = 0
        continue
      }
      case 41: {
        // 0x79 u64
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 8) {
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 8) break stretch
        }
        R[d] = V.getInt32(at, true)
        R[d | 1] = V.getInt32(at + 4, true)
        continue
      }
      // ---- stores: [d + off] = s ----
      case 42: {
        // 0x63 u32
        const region = R[d | 1]!
        const at = (R[d]! + code[pc | 3]!) | 0
        const row = ROWS + (region << 3)
        if (region >>> 0 >= REGIONS || at < W[row | 2]! || at > W[row | 3]! - 4) break stretch
        V.setInt32(at, R[s]!, true)
        continue
      }
      case 43: {
        // 0x6b u16
        const region = R[d | 1]!
        const at = (R[d]! + code[pc | 3]!) | 0
        const row = ROWS + (region << 3)
        if (region >>> 0 >= REGIONS || at < W[row | 2]! || at > W[row | 3]! - 2) break stretch
        V.setInt16(at, R[s]!, true)
        continue
      }
      case 44: {
        // 0x73 u8
        const region = R[d | 1]!
        const at = (R[d]! + code[pc | 3]!) | 0
        const row = ROWS + (region << 3)
        if (region >>> 0 >= REGIONS || at < W[row | 2]! || at > W[row | 3]! - 1) break stretch
        B[at] = R[s]!
        continue
      }
      case 45: {
        // 0x7b u64
        const region = R[d | 1]!
        const at = (R[d]! + code[pc | 3]!) | 0
        const row = ROWS + (region << 3)
        if (region >>> 0 >= REGIONS || at < W[row | 2]! || at > W[row | 3]! - 8) break stretch
        V.setInt32(at, R[s]!, true)
        V.setInt32(at + 4, R[s | 1]!, true)
        continue
      }
      // ---- jumps ----
      case 46: // 0x05 goto
        break
      case 47: // 0x1d ==
        if (R[d] === R[s] && R[d | 1] === R[s | 1]) break
        continue
      case 48: // 0x5d !=
        if (R[d] !== R[s] || R[d | 1] !== R[s | 1]) break
        continue
      case 49: // 0x2d >
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 > R[s]! >>> 0 : R[d | 1]! >>> 0 > R[s | 1]! >>> 0) break
        continue
      case 50: // 0x3d >=
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 >= R[s]! >>> 0 : R[d | 1]! >>> 0 > R[s | 1]! >>> 0) break
        continue
      case 51: // 0xad <
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 < R[s]! >>> 0 : R[d | 1]! >>> 0 < R[s | 1]! >>> 0) break
        continue
      case 52: // 0xbd <=
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 <= R[s]! >>> 0 : R[d | 1]! >>> 0 < R[s | 1]! >>> 0) break
        continue
      case 53: // 0x4d &
        if ((R[d]! & R[s]!) !== 0 || (R[d | 1]! & R[s | 1]!) !== 0) break
        continue
      case 54: // 0x6d signed >
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 > R[s]! >>> 0 : R[d | 1]! > R[s | 1]!) break
        continue
      case 55: // 0x7d signed >=
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 >= R[s]! >>> 0 : R[d | 1]! > R[s | 1]!) break
        continue
      case 56: // 0xcd signed <
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 < R[s]! >>> 0 : R[d | 1]! < R[s | 1]!) break
        continue
      case 57: // 0xdd signed <=
        if (R[d | 1] === R[s | 1] ? R[d]! >>> 0 <= R[s]! >>> 0 : R[d | 1]! < R[s | 1]!) break
        continue
      case 58: // 0x1e ==
        if (R[d] === R[s]) break
        continue
      case 59: // 0x5e !=
        if (R[d] !== R[s]) break
        continue
      case 60: // 0x2e >
        if (R[d]! >>> 0 > R[s]! >>> 0) break
        continue
      case 61: // 0x3e >=
        if (R[d]! >>> 0 >= R[s]! >>> 0) break
        continue
      case 62: // 0xae <
        if (R[d]! >>> 0 < R[s]! >>> 0) break
        continue
      case 63: // 0xbe <=
        if (R[d]! >>> 0 <= R[s]! >>> 0) break
        continue
      case 64: // 0x4e &
        if ((R[d]! & R[s]!) !== 0) break
        continue
      case 65: // 0x6e signed >
        if (R[d]! > R[s]!) break
        continue
      case 66: // 0x7e signed >=
        if (R[d]! >= R[s]!) break
        continue
      case 67: // 0xce signed <
        if (R[d]! < R[s]!) break
        continue
      case 68: // 0xde signed <=
        if (R[d]! <= R[s]!) break
        continue
      // ---- sequences: see cases.ts ----
      case 69: {
        // r1 = r2; r1 += r3
        const a = R[s]!
        const added = code[(pc + 4) | 1]! >>> 8
        const lo = (a + R[added]!) | 0
        R[d | 1] = R[s | 1]! + R[added | 1]! + (lo >>> 0 < a >>> 0 ? 1 : 0)
        R[d] = lo
        pc = (pc + 4) | 0
        continue
      }
      case 70: {
        // r1 = r2; r1 += r3; if r1 > r4
        const a = R[s]!
        const added = code[(pc + 4) | 1]! >>> 8
        const lo = (a + R[added]!) | 0
        const hi = (R[s | 1]! + R[added | 1]! + (lo >>> 0 < a >>> 0 ? 1 : 0)) | 0
        R[d | 1] = hi
        R[d] = lo
        pc = (pc + 8) | 0
        const next = code[pc | 1]! >>> 8
        const top = R[next | 1]!
        if (hi === top ? lo >>> 0 > R[next]! >>> 0 : hi >>> 0 > top >>> 0) break
        continue
      }
      case 71: {
        // r1 = u32 [r2]; r1 = be32 r1
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 4) {
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 4) break stretch
        }
        R[d] = V.getInt32(at)
        R[d | 1] = 0
        pc = (pc + 4) | 0
        continue
      }
      case 72: {
        // r1 = u16 [r2]; r1 = be16 r1
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 2) {
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 2) break stretch
        }
        R[d] = V.getUint16(at)
        R[d | 1] = 0
        pc = (pc + 4) | 0
        continue
      }
      case 73: {
        // r1 = u16 [r2]; if r1 != r3
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 2) {
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 2) break stretch
        }
        const value = V.getUint16(at, true)
        R[d] = value
        R[d | 1] = 0
        pc = (pc + 4) | 0
        const next = code[pc | 1]! >>> 8
        if (((value ^ R[next]!) | R[next | 1]!) !== 0) break
        continue
      }
      case 74: {
        // r1 = u8 [r2]; if r1 != r3
        const region = R[s | 1]!
        const at = (R[s]! + code[pc | 3]!) | 0
        if (region !== PACKET || at < packetFrom || at > packetTo - 1) {
          const row = ROWS + (region << 3)
          if (region >>> 0 >= REGIONS || at < W[row]! || at > W[row | 1]! - 1) break stretch
        }
        const value = B[at]!
        R[d] = value
        R[d | 1] = 0
        pc = (pc + 4) | 0
        const next = code[pc | 1]! >>> 8
        if (((value ^ R[next]!) | R[next | 1]!) !== 0) break
        continue
      }
      case 75: {
        // w1 &= w2; if w1 == w3
        const lo = R[d]! & R[s]!
        R[d] = lo
        R[d | 1] = 0
        pc = (pc + 4) | 0
        if (lo === R[code[pc | 1]! >>> 8]) break
        continue
      }
      case 76: {
        // w1 &= w2; if w1 != w3
        const lo = R[d]! & R[s]!
        R[d] = lo
        R[d | 1] = 0
        pc = (pc + 4) | 0
        if (lo !== R[code[pc | 1]! >>> 8]) break
        continue
      }
      case 77: {
        // if w1 == w2; if w1 == w3
        const lo = R[d]!
        if (lo === R[s]) break
        pc = (pc + 4) | 0
        if (lo === R[code[pc | 1]! >>> 8]) break
        continue
      }
      case 78: {
        // if r1 == r2; if r1 == r3
        const lo = R[d]!
        const hi = R[d | 1]!
        if (((lo ^ R[s]!) | (hi ^ R[s | 1]!)) === 0) break
        pc = (pc + 4) | 0
        const next = code[pc | 1]! >>> 8
        if (((lo ^ R[next]!) | (hi ^ R[next | 1]!)) === 0) break
        continue
      }
      default:
        break stretch
    }
    // The jump at pc is taken.
    const ran = used + ((pc - start) >> 2) + 1
    const to = code[pc | 3]!
    if (to <= pc && ran > budget) break
    used = ran
    start = to
    pc = to - 4
  }
  engine.pc = pc
  engine.used = used + ((pc - start) >> 2)
  return pc
}
