// The interpreter: instructions that need more than registers and memory, one at a time, and the inner loop (loop.ts) from each to the next.

import { atomic } from './atomic.ts'
import { STOP } from './cases.ts'
import { OP } from './decode.ts'
import type { Engine } from './engine.ts'
import { type FaultDraft, overBudget } from './fault.ts'
import { runPlain } from './loop.ts'
import { AT } from './memory.ts'
import { loadPacket } from './packet-load.ts'
import { loadSlow, storeSlow } from './slow-access.ts'
import { div64, mod64, sdiv64, smod64 } from './u64.ts'

/** How a stretch of execution ended. After `fault` the engine has the fault, after `stop` it can go on. */
export type Ended = 'exit' | 'fault' | 'stop'

const RETURNED = AT.returned >> 2

/** Bytes of an access, by the two bits of its opcode that say so. */
const SIZES = [4, 2, 1, 8] as const

function failed(engine: Engine, draft: FaultDraft): 'fault' {
  engine.fail(draft)
  return 'fault'
}

/**
 * Runs from `engine.pc` until the frame at depth `base` returns. `codes` are the programs' (see cases.ts), or copies with STOP where execution
 * shall pause. The budget is looked at when a jump goes backwards, at calls and at callbacks.
 */
export function execute(engine: Engine, codes: readonly Int32Array[], base: number): Ended {
  const budget = engine.options.insnBudget
  for (;;) {
    const code = codes[engine.programIndex]!
    const pc = runPlain(engine, code)
    if (code[pc] === STOP) return 'stop'
    engine.used++
    const { regs } = engine
    const decoded = engine.programs[engine.programIndex]!.code
    const op = decoded[pc]!
    const d = decoded[pc + 1]!
    const s = decoded[pc + 2]!
    const extra = decoded[pc + 3]!
    switch (op) {
      case 0x95:
        if (extra === 0) returned(engine, pc)
        if (engine.depth === base) return 'exit'
        engine.pc = engine.frames.leave()
        continue
      // ---- accesses that are not plainly inside a region ----
      case 0x61:
      case 0x69:
      case 0x71:
      case 0x79:
        if (!loadSlow(engine, d, regs[s + 1]!, regs[s]!, extra, SIZES[(op >> 3) & 3]!)) return 'fault'
        break
      // Sign-extending: 4, 2, 1 bytes.
      case 0x81:
      case 0x89:
      case 0x91: {
        const size = SIZES[(op >> 3) & 3]!
        if (!loadSlow(engine, d, regs[s + 1]!, regs[s]!, extra, size)) return 'fault'
        const unused = 32 - size * 8
        regs[d] = (regs[d]! << unused) >> unused
        regs[d + 1] = regs[d]! >> 31
        break
      }
      case 0x63:
      case 0x6b:
      case 0x73:
      case 0x7b:
        if (!storeSlow(engine, s, regs[d + 1]!, regs[d]!, extra, SIZES[(op >> 3) & 3]!)) return 'fault'
        break
      case 0xc3:
        if (!atomic(engine, d, s, extra)) return 'fault'
        break
      // ---- calls ----
      case 0x8d:
      case 0x85:
        if (op === 0x8d && engine.options.mode !== 'rfc9669') {
          return failed(engine, { kind: 'unsupported', reason: 'callx is not in the kernel' })
        }
        if (!engine.callHelper(op === 0x8d ? regs[d]! : extra)) return 'fault'
        if (engine.callbacks.entered) {
          engine.callbacks.entered = false
          continue
        }
        if (engine.next === undefined) break
        engine.frames.goOn()
        engine.pc = 0
        continue
      case OP.callLocal:
        if (engine.used > budget) return failed(engine, overBudget(budget))
        if (!engine.frames.enter(pc + 4)) return 'fault'
        engine.pc = extra
        continue
      case 0xe5:
        if (engine.mayGoto-- > 0) break
        if (extra <= pc && engine.used > budget) return failed(engine, overBudget(budget))
        engine.pc = extra
        continue
      // ---- legacy packet loads: past the packet's end the program exits with 0 ----
      case 0x20:
      case 0x28:
      case 0x30:
      case 0x40:
      case 0x48:
      case 0x50:
        if (loadPacket(engine, op, s, extra)) break
        if (engine.fault) return 'fault'
        regs[0] = 0
        regs[1] = 0
        returned(engine, pc)
        if (engine.depth === base) return 'exit'
        // In a function the rest of it is skipped, not the rest of the program (Linux forbids it there).
        engine.pc = engine.frames.leave()
        continue
      // ---- 64-bit division ----
      case 0x3f:
        div64(regs, d, s)
        break
      case 0x9f:
        mod64(regs, d, s)
        break
      case OP.sdiv64:
        sdiv64(regs, d, s)
        break
      case OP.smod64:
        smod64(regs, d, s)
        break
      // ---- what cannot run ----
      case OP.badJump:
        return failed(engine, { kind: 'jump', reason: 'control leaves the program' })
      case OP.invalid:
        return failed(engine, { kind: 'unsupported', reason: 'this instruction cannot run' })
      default:
        // A jump backwards.
        return failed(engine, overBudget(budget))
    }
    engine.pc = pc + 4
  }
}

/** The instruction at a code position is the one that decided what its function returns. */
function returned({ mem, starts, programIndex }: Engine, pc: number): void {
  mem.words[RETURNED] = starts[programIndex]! + (pc >> 2)
}
