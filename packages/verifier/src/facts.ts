// What a verified program can rely on, and what it was seen to be on every path: for engines that leave out checks, and for
// tests that hold concrete runs against the abstract states.

import type { Num } from './domain/num.ts'
import { slt, toUnsigned, ult, ult32 } from './domain/wide.ts'
import type { Env } from './env.ts'
import type { Reg } from './reg.ts'

export interface Facts {
  /** By an instruction's index: whether its memory access always lies wholly in the packet, the stack or one map value. */
  readonly proved: (insn: number) => boolean
}

/** A register as it was known before an instruction on one path. */
export interface Known {
  /** The kind, as the log prints it; `uninit` if nothing was written to it. */
  readonly type: string
  /** Scalars: whether the 64-bit value is one of those thought possible. */
  contains(value: bigint): boolean
}

/** One visit of an instruction: its slot, the call depth (0 for the main program), and what was known of r0 to r10. */
export interface Visit {
  readonly slot: number
  readonly depth: number
  readonly regs: readonly Known[]
}

const PLAIN: ReadonlySet<string> = new Set(['pkt', 'pkt_meta', 'fp', 'map_value'])

/** Marks an access by the kind of its pointer: 1 while all were plain memory, 2 once one was not. */
export function noteAccess(env: Env, slot: number, reg: Reg): void {
  if (!PLAIN.has(reg.type)) env.accesses[slot] = 2
  else if (env.accesses[slot] === 0) env.accesses[slot] = 1
}

export function factsOf(env: Env): Facts {
  const { accesses, prog } = env
  const proved = new Uint8Array(prog.length)
  for (let slot = 0; slot < prog.length; slot++) if (accesses[slot] === 1) proved[prog.insnOf[slot]!] = 1
  return { proved: (insn) => proved[insn] === 1 }
}

/** Tells the observer what is known before the instruction at hand. */
export function visitOf(env: Env): Visit {
  const { regs } = env.state.frame
  return { slot: env.slot, depth: env.state.frames.length - 1, regs: regs.map(knownOf) }
}

function knownOf(reg: Reg): Known {
  return { type: reg.type, contains: (value) => reg.type !== 'scalar' || has(reg.num, BigInt.asUintN(64, value)) }
}

function has(n: Readonly<Num>, value: bigint): boolean {
  const h = Number(BigInt.asIntN(32, value >> 32n))
  const l = Number(BigInt.asIntN(32, value))
  const { bits } = n
  if ((value & ~toUnsigned(bits.mh, bits.ml)) !== toUnsigned(bits.vh, bits.vl)) return false
  if (ult(h, l, n.uminH, n.uminL) || ult(n.umaxH, n.umaxL, h, l)) return false
  if (slt(h, l, n.sminH, n.sminL) || slt(n.smaxH, n.smaxL, h, l)) return false
  return !ult32(l, n.u32min) && !ult32(n.u32max, l) && l >= n.s32min && l <= n.s32max
}
