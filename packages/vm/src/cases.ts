// The code that the interpreter runs: as decode.ts makes it, but with case numbers for operations, and both registers in one number.
//
//   code[4i]  case   code[4i+1]  2·dst + 256·(2·src)   code[4i+2]  0   code[4i+3]  offset, target · 4, or immediate
//
// Some sequences of instructions have cases of their own: the bounds checks, loads in network order and comparisons that packet programs are made
// of. The first instruction of one then has the sequence's number. The others stay as they are: a jump may lead to them.

import { OP } from './decode.ts'

/** The operations of the inner loop, by case number: the cases are literal numbers there. All others have one that it does not know. */
// biome-ignore format: one list
const OPERATIONS = [
  0x0f, 0x1f, 0x2f, 0x4f, 0x5f, 0xaf, 0x6f, 0x7f, 0xcf, 0x87, 0xbf, OP.ldimm64, OP.movsx8_64, OP.movsx16_64, OP.movsx32_64,
  0x0c, 0x1c, 0x2c, 0x3c, OP.sdiv32, 0x9c, OP.smod32, 0x4c, 0x5c, 0xac, 0x6c, 0x7c, 0xcc, 0x84, 0xbc, OP.movsx8_32, OP.movsx16_32,
  OP.le16, OP.le32, OP.le64, OP.be16, OP.be32, OP.be64,
  0x61, 0x69, 0x71, 0x79, 0x63, 0x6b, 0x73, 0x7b,
  0x05, 0x1d, 0x5d, 0x2d, 0x3d, 0xad, 0xbd, 0x4d, 0x6d, 0x7d, 0xcd, 0xdd, 0x1e, 0x5e, 0x2e, 0x3e, 0xae, 0xbe, 0x4e, 0x6e, 0x7e, 0xce, 0xde,
]

const ADD = 0x0f

/** Operations one after the other on the same register; their case numbers follow in this order. Of two that fit the later counts. */
export const SEQUENCES: readonly (readonly number[])[] = [
  [0xbf, ADD],
  [0xbf, ADD, 0x2d],
  [0x61, OP.be32],
  [0x69, OP.be16],
  [0x69, 0x5d],
  [0x71, 0x5d],
  [0x5c, 0x1e],
  [0x5c, 0x5e],
  [0x1e, 0x1e],
  [0x1d, 0x1d],
]

/** How many cases the inner loop has. */
export const CASES = OPERATIONS.length + SEQUENCES.length

/** What the inner loop leaves to others, and what pauses execution. */
export const OTHER = CASES
export const STOP = CASES + 1

const CASE = new Uint8Array(512).fill(OTHER)
OPERATIONS.forEach((op, number) => {
  CASE[op] = number
})

const BY_FIRST = new Map<number, readonly { readonly number: number; readonly ops: readonly number[] }[]>()
SEQUENCES.forEach((ops, i) => {
  const first = ops[0]!
  BY_FIRST.set(first, [...(BY_FIRST.get(first) ?? []), { number: OPERATIONS.length + i, ops }])
})

/** A decoded program as the interpreter runs it, each instruction by itself. */
export function withCases(code: Int32Array): Int32Array {
  const out = code.slice()
  for (let pc = 0; pc < out.length; pc += 4) {
    out[pc] = CASE[code[pc]!]!
    out[pc + 1] = code[pc + 1]! | (code[pc + 2]! << 8)
    out[pc + 2] = 0
  }
  return out
}

/** The same, with sequences: for all but single steps. */
export function withSequences(code: Int32Array): Int32Array {
  const out = withCases(code)
  for (let pc = 0; pc < out.length; pc += 4) {
    const beginning = BY_FIRST.get(code[pc]!)
    if (beginning) for (const { number, ops } of beginning) if (isAt(code, pc, ops)) out[pc] = number
  }
  return out
}

function isAt(code: Int32Array, pc: number, ops: readonly number[]): boolean {
  const d = code[pc + 1]!
  return ops.every((op, i) => {
    const at = pc + i * 4
    // A register that is added to itself is no longer what it was before the sequence.
    return code[at] === op && code[at + 1] === d && !(op === ADD && code[at + 2] === d)
  })
}
