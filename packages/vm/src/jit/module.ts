// What a module is made of beside its entrance: the functions of the programs, one that goes on in a program by its number, and lookups in maps.

import { handsOn } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { AT } from '../memory.ts'
import { FUNCTION, GO_ON, IMPORTS, STATUS, WRAPPED } from './abi.ts'
import { emitBoundsFromRegion } from './bounds.ts'
import { goOnBody } from './calls.ts'
import { FunctionEmitter } from './emitter.ts'
import { emitOpenFrame } from './frames.ts'
import { emitFunction } from './function.ts'
import type { Functions, ProgramFunction } from './functions.ts'
import { hasFunction, LOOKUP, lookupBody } from './lookup.ts'
import type { Around, Layout } from './target.ts'
import { Body, type Bytes, I64, MOST, type OwnFunction, W } from './writer.ts'

export interface FunctionOptions {
  /** Whether instructions are counted. */
  readonly counted: boolean
  /** Whether chains of tests become one. */
  readonly chains: boolean
  /** Whether it is noted where functions end. */
  readonly exits: boolean
  readonly sync?: Around['sync']
}

/** Whether functions that need a dispatcher have no more blocks than that can tell apart. */
export function areShort({ all }: Functions): boolean {
  return all.every(({ cfg }) => cfg.scopes || cfg.blocks.length <= MOST.tableEntries)
}

/** @param first the function that is made where the module is entered: it needs none of its own unless others call it */
export function layoutOf({ engine, all, deep, rows }: Functions, first?: ProgramFunction): Layout {
  const called = new Set(all.flatMap(({ callees }) => [...callees.values()]))
  const numbers = new Map<ProgramFunction, number>()
  for (const one of all) if (one !== first || called.has(one)) numbers.set(one, IMPORTS.length + 1 + numbers.size)
  const after = IMPORTS.length + 1 + numbers.size
  const lookups = new Map(engine.maps.filter(hasFunction).map(({ index }, i) => [index, after + 1 + i]))
  return { numbers, goOn: after, lookups, deep, rows }
}

/** All functions of a module but the first, in the order of their numbers. */
export function ownFunctions(functions: Functions, layout: Layout, options: FunctionOptions): OwnFunction[] {
  const { engine, goOn } = functions
  return [
    ...[...layout.numbers.keys()].map((one) => ({ type: FUNCTION, body: functionBody(one, layout, options) })),
    { type: GO_ON, body: goOn ? goOnBody(functions, layout.numbers) : new Body(2).op(W.unreachable).finish() },
    ...[...layout.lookups.keys()].map((index) => ({ type: LOOKUP, body: lookupBody(engine.maps[index]!) })),
  ]
}

function functionBody(known: ProgramFunction, layout: Layout, options: FunctionOptions): Bytes {
  const body = new Body(6)
  const others = Array.from({ length: 5 }, () => body.local(I64))
  const registers = [others[0]!, 0, 1, 2, 3, 4, others[1]!, others[2]!, others[3]!, others[4]!, 5]
  const { counted, chains } = options
  const fn = new FunctionEmitter({ known, layout, body, registers, around: aroundOf(options), counted, chains })
  fn.startCount(false)
  emitOpenFrame(fn)
  emitBoundsFromRegion(fn)
  emitFunction(fn)
  return body.finish()
}

function aroundOf({ exits, sync }: FunctionOptions): Around {
  return {
    exit({ body, code, engine, registers, target }, pc) {
      const index = engine.starts[target.index]! + (pc >> 2)
      if (exits && !handsOn(code, pc)) body.i32(AT.returned).i32(index).mem(W.i32_store, 0)
      body.get(registers[0]!).op(W.return)
    },
    over({ body, registers }) {
      body.get(registers[0]!).op(W.return)
    },
    fault({ body }) {
      body.i64(0, 0).op(W.return)
    },
    ...(sync && { sync }),
  }
}

/** A function as the machine calls it: arguments and result are in the register file. */
export function wrapped({ regsAt }: Engine, number: number, exported: string): OwnFunction {
  const body = new Body(0)
  body.i32(regsAt)
  for (const r of [1, 2, 3, 4, 5, 10]) body.i32(regsAt + r * 8).mem(W.i64_load, 0)
  body.call(number).mem(W.i64_store, 0)
  body.i32(STATUS.fault).mem(W.i32_load, 0).op(W.i32_eqz)
  return { type: WRAPPED, body: body.finish(), exported }
}
