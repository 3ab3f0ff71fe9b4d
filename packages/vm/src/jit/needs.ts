// What is known of a function before its code is emitted: what it goes through, which sizes it loads from the packet, and which
// byte swaps can be left out.

import { type DecodedProgram, OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { swap16, swap32 } from '../u64.ts'
import { type Cfg, isJump, liveAfter } from './cfg.ts'
import { type Chain, type Table, tableOf } from './chains.ts'
import { CPU_ID, isBuiltIn } from './helper-calls.ts'
import { copyKinds, inFrame, KIND, type Kinds, stepKinds } from './kinds.ts'
import { lookupOf } from './lookup.ts'
import { isPacketLoad, LOADS, packetLoadSize, SIZES } from './opcodes.ts'
import type { Target } from './target.ts'

/** What a function goes through: the region table, helpers, places of the context. */
export interface Needs {
  readonly regions: boolean
  readonly helpers: boolean
  readonly context: ReadonlySet<number>
  /** Sizes of accesses to the packet. */
  readonly packetSizes: ReadonlySet<number>
}

/** A function as the kinds of its registers are known: at the start of each block. */
export interface Known {
  readonly target: Target
  readonly cfg: Cfg
  readonly kindsAt: readonly Kinds[]
}

export function forEachInsn(
  { target, cfg, kindsAt }: Known,
  visit: (i: number, op: number, kinds: Kinds) => void,
): void {
  const { engine, program } = target
  const kinds = kindsAt[0]!.slice()
  cfg.blocks.forEach(({ from, to }, b) => {
    copyKinds(kinds, kindsAt[b]!)
    for (let i = from; i < to; i++) {
      visit(i, program.code[i * 4]!, kinds)
      stepKinds(engine, program.code, i, kinds)
    }
  })
}

/** The register that a load or store takes its address from. */
export function baseOf(code: Int32Array, i: number): number {
  return code[i * 4 + (LOADS[code[i * 4]!] !== undefined ? 2 : 1)]! >> 1
}

/** Bytes that an instruction loads, stores or changes; undefined for others. */
export function sizeOf({ code, insns }: DecodedProgram, i: number): number | undefined {
  return code[i * 4] === 0xc3 ? insns[i]!.spec.size : SIZES[code[i * 4]!]
}

/** Whether a helper is compiled where it is called, and needs no machine. */
export function isInside(engine: Engine, helper: number, kinds: Kinds): boolean {
  return (helper === CPU_ID && isBuiltIn(engine, helper)) || lookupOf(engine, helper, kinds) !== undefined
}

export function findNeeds(known: Known): Needs {
  const { code } = known.target.program
  let regions = false
  let helpers = false
  const context = new Set<number>()
  const packetSizes = new Set<number>()
  forEachInsn(known, (i, op, kinds) => {
    const inside = op === 0x85 && isInside(known.target.engine, code[i * 4 + 3]!, kinds)
    if ((op === 0x85 && !inside) || op === 0x8d || (isPacketLoad(op) && kinds[6] !== KIND.ctx)) helpers = true
    if (isPacketLoad(op)) packetSizes.add(packetLoadSize(op))
    const size = sizeOf(known.target.program, i)
    if (size === undefined) return
    const base = baseOf(code, i)
    // What was proved is not looked at.
    if (kinds[base] === KIND.packet && known.target.proved?.(i) !== true) packetSizes.add(size)
    if (kinds[base] === KIND.ctx) context.add(kinds[base + 11]! + code[i * 4 + 3]!)
    else if (throughRegions(known.target, i, kinds)) regions = true
  })
  return { regions, helpers, context, packetSizes }
}

/** Whether a load or store, not of the context, looks at the region table. */
function throughRegions({ program, proved }: Target, i: number, kinds: Kinds): boolean {
  const { code } = program
  const base = baseOf(code, i)
  if (inFrame(kinds, base, code[i * 4 + 3]!, sizeOf(program, i)!)) return false
  if (kinds[base] === KIND.value) return false
  return kinds[base] !== KIND.packet || (LOADS[code[i * 4]!] === undefined && !proved?.(i))
}

/**
 * Swaps that are left out, because what follows is swapped instead: a load, a swap of what it gave, and a test for equality or bits with
 * a constant, or a chain of tests, the value being of no use afterwards. By instruction; of a chain, the table of swapped constants.
 */
export function fusedSwaps(
  { engine, program: { code } }: Target,
  cfg: Cfg,
  chains: ReadonlyMap<number, Chain>,
): Map<number, Table | undefined> {
  const found: Candidate[] = []
  cfg.blocks.forEach(({ from, to }, block) => {
    const jump = (to - 1) * 4
    const test = code[jump]! >> 4
    if (to - from < 3 || !isJump(code[jump]!) || code[jump] === 0x05 || (test !== 1 && test !== 4 && test !== 5)) return
    const [swap, load] = [jump - 4, jump - 8]
    const d = code[jump + 1]!
    if (code[swap + 1] !== d || code[load + 1] !== d || code[jump + 2]! < 24) return
    const chain = chains.get(block)
    const [lo, hi] = [engine.regs[code[jump + 2]!]!, engine.regs[code[jump + 2]! + 1]!]
    const constants = chain?.constants ?? [lo]
    const short = code[swap] === OP.be16
    const fits = short
      ? code[load] === 0x69 && constants.every((constant) => constant >>> 16 === 0) && (chain || hi === 0)
      : code[swap] === OP.be32 && code[load] === 0x61
    if (!fits || !(chain || hi === 0 || (code[jump]! & 7) === 6)) return
    const table = chain && tableOf(constants.map((constant) => (short ? swap16 : swap32)(constant)))
    // Of a chain, what is behind its last test.
    if (!chain || table) found.push({ swap: to - 2, block: chain?.rest.at(-1) ?? block, register: d >> 1, table })
  })
  if (found.length === 0) return new Map()
  const live = liveAfter(code, cfg)
  return new Map(
    found.filter(({ block, register }) => !(live[block]! & (1 << register))).map(({ swap, table }) => [swap, table]),
  )
}

interface Candidate {
  readonly swap: number
  readonly block: number
  readonly register: number
  readonly table: Table | undefined
}
