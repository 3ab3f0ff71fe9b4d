// Chains of tests of one register for equality with one constant after the other, all leading to the same place, as lists of ports and
// addresses become: one look into a table says as much as all of them.

import type { Engine } from '../engine.ts'
import type { Cfg } from './cfg.ts'
import type { FunctionEmitter } from './emitter.ts'
import { W } from './writer.ts'

/** Shorter chains are as fast as they are; for longer ones than that hardly a table is found. */
const SHORTEST = 8
const LONGEST = 64
const JEQ64 = 0x1d
const JEQ32 = 0x1e

export interface Chain {
  /** Code position of the first test. */
  readonly pc: number
  readonly wide: boolean
  readonly register: number
  readonly constants: readonly number[]
  readonly table: Table
  /** Blocks that hold nothing but the chain's further tests. */
  readonly rest: readonly number[]
}

/** Chains by the block that their first test ends. */
export function findChains(engine: Engine, code: Int32Array, cfg: Cfg): Map<number, Chain> {
  const chains = new Map<number, Chain>()
  const { blocks } = cfg
  for (let b = 0; b < blocks.length; ) {
    const pc = (blocks[b]!.to - 1) * 4
    const constants = constantOf(engine, code, pc) === undefined ? [] : [constantOf(engine, code, pc)!]
    const rest: number[] = []
    for (let next = b + 1; constants.length > 0 && constants.length < LONGEST && next < blocks.length; next++) {
      const { from, to } = blocks[next]!
      const constant = constantOf(engine, code, from * 4)
      // Another place that leads there would be led past the tests before it.
      const alike = [0, 1, 3].every((k) => code[from * 4 + k] === code[pc + k])
      const apart = cfg.next[next - 1] !== next || cfg.joins[next] !== 0
      if (to - from !== 1 || constant === undefined || !alike || apart) break
      constants.push(constant)
      rest.push(next)
    }
    const table = constants.length >= SHORTEST ? tableOf(constants) : undefined
    if (table) chains.set(b, { pc, wide: code[pc] === JEQ64, register: code[pc + 1]! >> 1, constants, table, rest })
    b += 1 + (chains.has(b) ? rest.length : 0)
  }
  return chains
}

/** The constant that a test compares with; one of 64 bits has to be positive. */
function constantOf({ regs }: Engine, code: Int32Array, pc: number): number | undefined {
  const s = code[pc + 2]!
  if ((code[pc] !== JEQ64 && code[pc] !== JEQ32) || s < 24) return undefined
  return code[pc] === JEQ32 || regs[s + 1] === 0 ? regs[s]! : undefined
}

export interface Table {
  readonly multiplier: number
  readonly bits: number
  readonly slots: Int32Array
}

/** Slots by (constant * multiplier) >>> (32 - bits): each constant has one of its own, what is in the others belongs elsewhere. */
export function tableOf(all: readonly number[]): Table | undefined {
  const constants = [...new Set(all)]
  const least = Math.ceil(Math.log2(constants.length))
  let multiplier = 0x9e3779b1 | 0
  for (let bits = least; bits <= least + 3; bits++) {
    const slotOf = (constant: number): number => Math.imul(constant, multiplier) >>> (32 - bits)
    for (let tries = 0; tries < 500; tries++) {
      multiplier = (Math.imul(multiplier, 0x41c64e6d) + 12345) | 1
      const taken = new Set(constants.map(slotOf))
      if (taken.size < constants.length) continue
      const slots = new Int32Array(1 << bits)
      for (let slot = 0; slot < slots.length; slot++)
        slots[slot] = constants.find((constant) => slotOf(constant) !== slot)!
      for (const constant of constants) slots[slotOf(constant)] = constant
      return { multiplier, bits, slots }
    }
  }
  return undefined
}

/** Pushes whether a register is equal to one of a table's constants. */
export function pushMember(fn: FunctionEmitter, table: Table, { register, wide }: Chain): void {
  const { body, engine } = fn
  const at = engine.mem.alloc(table.slots.length * 4)
  engine.refreshRegs()
  engine.mem.words.set(table.slots, at >> 2)
  fn.value32(register)
  body.i32(table.multiplier).op(W.i32_mul)
  body.i32(32 - table.bits).op(W.i32_shr_u)
  body.i32(2).op(W.i32_shl)
  body.mem(wide ? W.i64_load32_u : W.i32_load, at)
  if (wide) fn.value(register)
  else fn.value32(register)
  body.op(wide ? W.i64_eq : W.i32_eq)
}
