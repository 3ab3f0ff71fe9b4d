// What compiled code and the machine agree on: words of memory that carry a run's state, and the imported functions.

import { AT } from '../memory.ts'
import { type FuncType, I32, I64, type ImportedFunction } from './writer.ts'

/** Addresses of words. */
export const STATUS = {
  used: AT.status + 4,
  mayGoto: AT.status + 8,
  /** 1 once there is a fault. */
  fault: AT.status + 12,
  /** Batch: records done, bytes written to the output area. */
  records: AT.status + 16,
  written: AT.status + 20,
  /** Frames above that of the function that last left word for the machine. */
  depth: AT.status + 24,
  /** The program that a tail call goes on in. */
  next: AT.status + 28,
  /** Batch: address of the record. */
  record: AT.status + 32,
} as const

/** What `fail` is told. */
export const FAIL = { place: 0, budget: 1, depth: 2 } as const

const i = (count: number): number[] => new Array(count).fill(I32)
const type = (params: number): FuncType => ({ params: i(params), results: [I32] })

/**
 * Cold ways out of compiled code. Code positions are counted through all programs. All but `lookup` give 1 to go on, 0 after a fault;
 * `helper` 2 for a tail call.
 */
export const IMPORTS = [
  { name: 'load', type: type(3) }, // code position, pointer's low and high word: the value is in the register file
  { name: 'store', type: type(3) }, // the value comes from the register file
  { name: 'atomic', type: type(1) },
  { name: 'packet', type: type(1) },
  { name: 'helper', type: type(1) },
  { name: 'lookup', type: type(2) }, // a map's number, the key's address: the value's address, or 0
  { name: 'fail', type: type(2) }, // code position, why: see FAIL
  { name: 'sync', type: type(1) }, // batch: the record's address; makes it the machine's packet
] as const satisfies readonly ImportedFunction[]

export type ImportName = (typeof IMPORTS)[number]['name']
export const IMPORT: Readonly<Record<ImportName, number>> = Object.fromEntries(
  IMPORTS.map(({ name }, index) => [name, index]),
) as Record<ImportName, number>

/** r1..r5 and r10. */
export const FUNCTION: FuncType = { params: [I64, I64, I64, I64, I64, I64], results: [I64] }
/** A program's number and r10. */
export const GO_ON: FuncType = { params: [I32, I64], results: [I64] }
/** Wraps a function for the machine: arguments and result in the register file. Gives 1, or 0 after a fault. */
export const WRAPPED: FuncType = { params: [], results: [I32] }
/** From and to, and the first record's number. */
export const BATCH: FuncType = { params: [I32, I32], results: [I32] }
