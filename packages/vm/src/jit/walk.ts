// The batch's compiled walk: a loop over the records of a piece of a pcap file, with the program inside it, and the functions that it calls
// beside it. Only programs that change no packet and send nothing out run so: see `canWalk`.

import { type ContextName, PROG_TYPES } from '@netsieve/asm'
import { handsOn } from '../decode.ts'
import { type Engine, MAY_GOTO } from '../engine.ts'
import { AT, REGION } from '../memory.ts'
import { BATCH, IMPORT, IMPORTS, STATUS } from './abi.ts'
import { swap32 } from './alu.ts'
import type { BatchOptions } from './batch.ts'
import { emitBoundsFrom } from './bounds.ts'
import { FunctionEmitter } from './emitter.ts'
import { canFlatten, emitFlat } from './flatten.ts'
import { emitClearStack } from './frames.ts'
import { emitFunction } from './function.ts'
import type { Functions, ProgramFunction } from './functions.ts'
import { helpersOf, ON_MEMORY } from './helper-calls.ts'
import { areShort, layoutOf, ownFunctions } from './module.ts'
import type { Around, Layout } from './target.ts'
import { Body, I32, I64, moduleBytes, W } from './writer.ts'

/** Bytes of a record's header. */
export const HEADER = 16

/** Where a walk writes its results; 0 for what was not asked for. */
export interface Areas {
  readonly r0At: number
  readonly exitsAt: number
  readonly outputAt: number
}

/** A module with `batch`: takes where the records begin and end, gives where it stopped. Undefined if that is too large. */
export function compileWalk(functions: Functions, options: BatchOptions, areas: Areas): Uint8Array | undefined {
  const { all, targets, mains, goOn, endless } = functions
  if (!areShort(functions)) return undefined
  // Where programs go on in others, the first is a function as they are.
  const inside = goOn ? undefined : mains[0]!
  const walk: Walk = {
    functions,
    inside,
    layout: layoutOf(functions, inside),
    outside: all.filter((one) => one !== inside),
    options,
    areas,
    locals: contextFields(functions.engine),
    noted:
      options.exits === true &&
      (goOn || targets.some(({ program }) => program.insns.some(({ origin }) => origin?.handsOn))),
  }
  const synced = needsSync(walk)
  const body = new Body(2)
  emitWalk(body, walk, synced)
  const others = ownFunctions(functions, walk.layout, {
    counted: endless,
    chains: !endless,
    exits: walk.noted,
    ...(!synced && { sync: ({ body }) => body.i32(STATUS.record).mem(W.i32_load, 0).call(IMPORT.sync).op(W.drop) }),
  })
  const { maximum } = functions.engine.mem
  return moduleBytes(IMPORTS, [{ type: BATCH, body: body.finish(), exported: 'batch' }, ...others], maximum)
}

interface Walk {
  readonly functions: Functions
  /** The function that is in the loop itself. */
  readonly inside: ProgramFunction | undefined
  /** All others. */
  readonly outside: readonly ProgramFunction[]
  readonly layout: Layout
  readonly options: BatchOptions
  readonly areas: Areas
  /** Fields of the context that the walk has in locals. */
  readonly locals: ReadonlyMap<number, Place>
  /** Whether functions note where they end. */
  readonly noted: boolean
}

const FROM = 0
const TO = 1

function emitWalk(body: Body, walk: Walk, synced: boolean): void {
  const { functions, inside, layout, options } = walk
  const { r0At, exitsAt, outputAt } = walk.areas
  const { engine } = functions
  const local = (): number => body.local(I32)
  const [captured, data, end, wire] = [local(), local(), local(), local()]
  const [out, exit, written, length] = [local(), local(), local(), local()]
  const [last, room] = [local(), local()]
  const registers = Array.from({ length: 11 }, () => body.local(I64))
  const places: Record<Place, number> = { data, end, wire }
  const sync = (): void => {
    if (!synced) body.get(FROM).call(IMPORT.sync).op(W.drop)
  }
  const around: Around = {
    exit(at, pc) {
      if (exitsAt && handsOn(at.code, pc)) body.i32(AT.returned).mem(W.i32_load, 0).set(exit)
      else if (exitsAt) body.i32(pc >> 2).set(exit)
      this.over(at)
    },
    over(at) {
      body.op(W.br).u32(at.outside(1))
    },
    fault(at) {
      body.op(W.br).u32(at.outside(0))
    },
    sync,
  }
  const word = (offset: number): void => {
    body.get(FROM).mem(W.i32_load, offset)
    if (options.order === 'big') swap32(body, wire)
  }
  body.i32(STATUS.records).mem(W.i32_load, 0).i32(2).op(W.i32_shl).set(out)
  body.i32(STATUS.written).mem(W.i32_load, 0).set(written)
  // Where the last header can begin. Addresses are below 2^31.
  body.get(TO).i32(HEADER).op(W.i32_sub).set(last)
  body.op(W.block, 0x40, W.loop, 0x40)
  // A header that is not whole, or a record that is not: the end.
  body.get(last).get(FROM).op(W.i32_sub).tee(room).i32(0).op(W.i32_lt_s, W.br_if).u32(1)
  word(8)
  body.tee(captured).get(room).op(W.i32_gt_u, W.br_if).u32(1)
  // One that is too long: here, too, as for the interpreter.
  body.get(captured).i32(engine.options.packetBytes).op(W.i32_gt_u, W.br_if).u32(1)
  packetStart(body, engine, options, captured, data, length)
  body.get(FROM).i32(HEADER).op(W.i32_add).get(captured).op(W.i32_add).set(end)
  if (walk.locals.get(0) === 'wire' && functions.all.some(({ needs }) => needs.context.has(0))) {
    word(12)
    body.get(captured).get(length).op(W.i32_sub, W.i32_sub).set(wire)
  }
  if (synced) body.get(FROM).call(IMPORT.sync).op(W.drop)
  else emitSurroundings(body, walk, places)
  if (exitsAt) body.i32(0).set(exit)
  if (walk.noted) body.i32(AT.returned).i32(0).mem(W.i32_store, 0)
  if (functions.goOn) body.i32(AT.tailCalls).i32(0).mem(W.i32_store, 0)
  if (functions.targets.some((target) => helpersOf(target).length > 0)) body.i32(AT.spent).i32(0).mem(W.i32_store, 0)
  startRegisters(body, engine, registers)
  body.i64(engine.stackAt + 512, REGION.stack).set(registers[10]!)
  body.op(W.block, 0x40, W.block, 0x40)
  if (inside) {
    const { endless: counted } = functions
    const flatten = !synced && (options.flatten ?? inside.target.proved !== undefined) && canFlatten(inside.target)
    // The flat form makes each test by itself.
    const chains = !counted && !flatten
    const fn = new FunctionEmitter({ known: inside, layout, body, registers, around, counted, chains })
    fn.contextLocals = new Map([...walk.locals].map(([offset, place]) => [offset, places[place]]))
    emitBoundsFrom(fn, data, length)
    emitClearStack(fn)
    fn.startCount(true)
    if (flatten) {
      emitFlat(inside.target, fn, { data, length, exit, wantsExit: exitsAt !== 0 })
      body.op(W.br_if).u32(1)
      // Otherwise from the start.
      startRegisters(body, engine, registers)
    }
    emitFunction(fn)
  } else {
    body.i32(STATUS.used).i32(0).mem(W.i32_store, 0)
    for (const r of [1, 2, 3, 4, 5, 10]) body.get(registers[r]!)
    body.call(layout.numbers.get(functions.mains[0]!)!).set(registers[0]!)
    if (exitsAt) body.i32(AT.returned).mem(W.i32_load, 0).set(exit)
    body.i32(STATUS.fault).mem(W.i32_load, 0).op(W.i32_eqz, W.br_if).u32(1)
  }
  body.op(W.end)
  // After a fault: where it was.
  finish(body, out, written)
  body.get(FROM).op(W.return, W.end)
  body.get(out).get(registers[0]!).op(W.i32_wrap_i64).mem(W.i32_store, r0At)
  if (exitsAt) body.get(out).get(exit).mem(W.i32_store, exitsAt)
  if (options.keep) {
    body.get(captured).i32(HEADER).op(W.i32_add).set(length)
    keepRecord(body, engine, options.keep, registers[0]!, written, length, outputAt)
  }
  body.get(out).i32(4).op(W.i32_add).set(out)
  body.get(end).set(FROM)
  body.op(W.br).u32(0)
  body.op(W.end, W.end)
  finish(body, out, written)
  body.get(FROM)
}

/** What the machine does not tell of a packet, and functions outside the loop find in memory: as much as they ask for. */
function emitSurroundings(body: Body, { functions, outside, locals }: Walk, places: Record<Place, number>): void {
  const { engine, targets, all } = functions
  const { data, end } = places
  const regions = all.some(({ needs }) => needs.regions || needs.helpers)
  if (regions || outside.some(({ needs }) => needs.packetSizes.size > 0)) regionRow(body, data, end)
  if (outside.length > 0) body.i32(STATUS.record).get(FROM).mem(W.i32_store, 0)
  for (const [offset, place] of locals)
    if (outside.some(({ needs }) => needs.context.has(offset)))
      body
        .i32(engine.ctxAt + offset)
        .get(places[place])
        .mem(W.i32_store, 0)
  if (targets.some(({ program }) => program.insns.some(({ spec }) => spec.kind === 'may_goto')))
    body.i32(STATUS.mayGoto).i32(MAY_GOTO).mem(W.i32_store, 0)
}

/** r1 is the context, r0 and r2..r9 are 0. */
function startRegisters(body: Body, engine: Engine, registers: readonly number[]): void {
  for (let r = 0; r < 10; r++) body.i64(r === 1 ? engine.ctxAt : 0, r === 1 ? REGION.ctx : 0).set(registers[r]!)
}

function finish(body: Body, out: number, written: number): void {
  body.i32(STATUS.records).get(out).i32(2).op(W.i32_shr_u).mem(W.i32_store, 0)
  body.i32(STATUS.written).get(written).mem(W.i32_store, 0)
}

/** Where the program's packet starts, and how long it is. */
function packetStart(
  body: Body,
  engine: Engine,
  options: BatchOptions,
  captured: number,
  data: number,
  length: number,
): void {
  const skip = PROG_TYPES[engine.options.type].firstHeader === 'net' ? (options.meta?.linkHeader ?? 14) : 0
  if (skip === 0) {
    body.get(FROM).i32(HEADER).op(W.i32_add).set(data)
    body.get(captured).set(length)
    return
  }
  // The link header, or all of the packet if that is shorter.
  body.i32(skip).get(captured).i32(skip).get(captured).op(W.i32_lt_u, W.select).set(length)
  body.get(FROM).i32(HEADER).op(W.i32_add).get(length).op(W.i32_add).set(data)
  body.get(captured).get(length).op(W.i32_sub).set(length)
}

/** Locals of a walk: where the packet is, where it ends, and how long it was on the wire. */
type Place = 'data' | 'end' | 'wire'

/** Context fields that they hold. */
function contextFields(engine: Engine): ReadonlyMap<number, Place> {
  switch (PROG_TYPES[engine.options.type].context) {
    case 'xdp_md':
      return new Map([[0, 'data'], [4, 'end'], [8, 'data']]) // biome-ignore format: a row
    case '__sk_buff':
      return new Map([[0, 'wire'], [76, 'data'], [80, 'end'], [140, 'data']]) // biome-ignore format: a row
    case 'bpf_nf_ctx':
      return new Map()
  }
}

/** Fields of a context that stay as they were filled at the start of the batch. */
const CONSTANT: Readonly<Record<ContextName, ReadonlySet<number>>> = {
  xdp_md: new Set([12, 16, 20]),
  __sk_buff: new Set([8, 12, 20, 24, 28, 32, 36, 40, 44, 68, 72, 84, 164, 176]),
  // The state that is pointed to tells the packet's family.
  bpf_nf_ctx: new Set(),
}

/** Whether the machine itself must know each packet: helpers, or context fields that differ between packets. */
function needsSync({ functions, locals }: Walk): boolean {
  const { all, targets, engine } = functions
  const onMemory = targets.every(({ program }) =>
    program.insns.every(
      ({ spec, imm }) =>
        spec.kind !== 'ldpkt' && spec.call !== 'kfunc' && (spec.call !== 'helper' || ON_MEMORY.has(imm)),
    ),
  )
  if (!onMemory && all.some(({ needs }) => needs.helpers)) return true
  const constant = CONSTANT[PROG_TYPES[engine.options.type].context]
  return all.some(({ needs }) => [...needs.context].some((offset) => !locals.has(offset) && !constant.has(offset)))
}

function regionRow(body: Body, data: number, end: number): void {
  const row = AT.regions + REGION.packet * 32
  for (const [place, value] of [[0, data], [4, end], [16, data], [20, end]] as const) body.i32(row).get(value).mem(W.i32_store, place)
} // biome-ignore format: one loop

function keepRecord(
  body: Body,
  engine: Engine,
  keep: 'pass' | 'drop',
  r0: number,
  written: number,
  length: number,
  outputAt: number,
): void {
  const { type } = engine.options
  body.get(r0).op(W.i32_wrap_i64)
  if (type === 'xdp') body.i32(2).op(W.i32_sub).i32(2).op(W.i32_le_u)
  else if (type === 'socket_filter') body.i32(0).op(W.i32_ne)
  else if (type === 'sched_cls') body.i32(2).op(W.i32_ne)
  else if (type === 'netfilter') body.i32(1).op(W.i32_eq)
  else body.i32(1).op(W.i32_and)
  if (keep === 'drop') body.op(W.i32_eqz)
  body.op(W.if, 0x40)
  body.get(written).i32(outputAt).op(W.i32_add).get(FROM).get(length).copy()
  body.get(written).get(length).op(W.i32_add).set(written)
  body.op(W.end)
}
