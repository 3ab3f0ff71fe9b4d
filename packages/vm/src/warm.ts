// JavaScript engines compile what they have seen. Where the inner loop is compiled before one of its cases ever ran, that case is a way out of the
// compiled code, and the way back takes them long: until then each run begins in slow code. So every case runs before the first program does.

import { LIMITS } from '@netsieve/asm'
import { CASES, OTHER } from './cases.ts'
import type { Engine } from './engine.ts'
import { runPlain } from './loop.ts'
import { REGION } from './memory.ts'

let warm = false

/** Runs all cases of the inner loop, once in a process: some half a millisecond. Runs of the machine begin anew all the same. */
export function warmUp(engine: Engine): void {
  if (warm) return
  warm = true
  engine.reset()
  engine.setPacket(new Uint8Array(32), {})
  // For r1 and r2: numbers that differ in one word or both, counts of shifts below 32 and above, and pointers.
  const operands = [
    [5, 0, 3, 0],
    [0, 1, 40, 0],
    ...[
      [engine.stackAt, REGION.stack],
      [engine.data, REGION.packet],
      [engine.ctxAt, REGION.ctx],
    ].map((pointer) => [...pointer, ...pointer]),
  ]
  // One case a program, in row 1, on r1 and r2; what follows in a sequence is on r1 and r3, which is 0. Jumps lead to row 4, or back to row 0;
  // both are good offsets as well. The first programs are none: what is seen counts from the second time or so on that a function runs.
  const code = new Int32Array(20)
  for (const [set, words] of operands.entries()) {
    const to = set === operands.length - 1 ? 0 : 16
    for (let row = 0; row < code.length; row += 4) code.set([OTHER, 2 | (6 << 8), 0, to], row)
    code[5] = 2 | (4 << 8)
    for (let number = set === 0 ? -10 : 0; number < CASES; number++) {
      code[4] = number < 0 ? OTHER : number
      engine.pc = 4
      engine.regs.set(words, 2)
      runPlain(engine, code)
    }
  }
  // What was stored.
  engine.mem.bytes.fill(0, engine.stackAt, engine.stackAt + LIMITS.stackBytes)
  engine.mem.bytes.fill(0, engine.data, engine.end)
}
