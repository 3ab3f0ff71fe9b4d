// Which parts of the stack a program may read before it has written them: only those need to be zeroed before each run.

import { helperById } from '@netsieve/asm'
import { OP } from '../decode.ts'
import { forward } from './cfg.ts'
import type { ProgramFunction } from './functions.ts'
import { inStack, KIND, type Kinds, stepKinds } from './kinds.ts'
import { baseOf, forEachInsn, type Known, sizeOf } from './needs.ts'
import { isPacketLoad, LOADS, STORES } from './opcodes.ts'

/** Bytes of the stack, a bit each; the lowest address first. */
type Bits = Int32Array
const WORDS = 16

/** Offsets from the stack's top of all 8-byte slots that may be read before they are written, rising. */
export function readFirst(known: ProgramFunction): number[] {
  const { cfg, target } = known
  const { program } = target
  const none: number[] = []
  if (!program.usesStack) return none
  const written = cfg.blocks.map((): Bits => new Int32Array(WORDS).fill(-1))
  const read: Bits = new Int32Array(WORDS)
  const entryBlock = cfg.at.get(known.entry)!
  written[entryBlock]!.fill(0)
  forward(program.code, cfg, entryBlock, (b) => {
    const bits = throughBlock(known, b, written[b]!.slice(), read)
    return (next) => meet(written[next]!, bits)
  })
  return slotsOf(read)
}

function slotsOf(read: Bits): number[] {
  const slots: number[] = []
  for (let slot = 0; slot < 64; slot++) if ((read[slot >> 2]! >>> ((slot & 3) * 8)) & 0xff) slots.push(slot * 8 - 512)
  return slots
}

function meet(into: Bits, from: Bits): boolean {
  let changed = false
  for (let w = 0; w < WORDS; w++) {
    const both = into[w]! & from[w]!
    if (both !== into[w]) changed = true
    into[w] = both
  }
  return changed
}

/** What is written after a block; what it reads of the rest goes into `read`. */
function throughBlock(known: ProgramFunction, b: number, written: Bits, read: Bits): Bits {
  const { target, cfg, kindsAt } = known
  const { engine, program } = target
  const { code } = program
  const { from, to } = cfg.blocks[b]!
  const kinds = kindsAt[b]!.slice()
  const reads = (at: number, size: number): void => {
    for (let i = Math.max(at, -512); i < Math.min(at + size, 0); i++)
      if (!has(written, i)) read[(i + 512) >> 5]! |= 1 << (i & 31)
  }
  for (let i = from; i < to; i++) {
    const op = code[i * 4]!
    readBy(known, i, op, kinds, reads)
    const size = sizeOf(program, i)
    const base = baseOf(code, i)
    const at = kinds[base + 11]! + code[i * 4 + 3]!
    if (size !== undefined && kinds[base] === KIND.stack && LOADS[op] === undefined && inStack(at, size))
      for (let k = at; k < at + size; k++) written[(k + 512) >> 5]! |= 1 << (k & 31)
    stepKinds(engine, code, i, kinds)
  }
  return written
}

type Reads = (at: number, size: number) => void

/** Tells what an instruction may read of the stack. */
function readBy({ target, callees }: ProgramFunction, i: number, op: number, kinds: Kinds, reads: Reads): void {
  const { engine, program } = target
  const { code } = program
  if (op === 0x85) return readByHelper(engine, code[i * 4 + 3]!, kinds, reads)
  if (op === OP.callLocal) {
    // What is handed down may be read there.
    const handed = [1, 2, 3, 4, 5].some((r) => kinds[r] === KIND.stack)
    if (handed || callees.get(i)!.readsAbove) reads(-512, 512)
    return
  }
  if (op === 0x8d || isPacketLoad(op)) return reads(-512, 512)
  const size = sizeOf(program, i)
  if (size === undefined || STORES[op] !== undefined) return
  const base = baseOf(code, i)
  const at = kinds[base + 11]! + code[i * 4 + 3]!
  if (kinds[base] === KIND.unknown || (kinds[base] === KIND.stack && !inStack(at, size))) reads(-512, 512)
  else if (kinds[base] === KIND.stack) reads(at, size)
}

/** Whether a function itself reads by pointers that may lead to any stack. */
export function readsAnywhere(known: ProgramFunction): boolean {
  let anywhere = false
  forEachInsn(known, (i, op, kinds) => {
    if (op === OP.callLocal) return
    readBy(known, i, op, kinds, (_, size) => {
      if (size === 512) anywhere = true
    })
  })
  return anywhere
}

function has(bits: Bits, offset: number): boolean {
  return ((bits[(offset + 512) >> 5]! >>> (offset & 31)) & 1) === 1
}

/** A helper reads keys and values of known maps; of other pointers it is only known that they are to the stack, or are not. */
function readByHelper({ maps }: Known['target']['engine'], id: number, kinds: Kinds, reads: Reads): void {
  const args = helperById(id)?.args ?? ['anything', 'anything', 'anything', 'anything', 'anything']
  const def = kinds[1] === KIND.map ? maps[kinds[12]!]?.def : undefined
  args.forEach((arg, i) => {
    const [kind, at] = [kinds[i + 1], kinds[i + 12]!]
    if (arg === 'ctx' || arg === 'mapPtr' || arg === 'size' || arg === 'sizeOrZero') return
    if (kind === KIND.stack) {
      const size = def && arg === 'mapKey' ? def.keySize : def && arg === 'mapValue' ? def.valueSize : 512
      reads(at, size)
    } else if (kind === KIND.unknown && arg !== 'anything') reads(-512, 512)
  })
}
