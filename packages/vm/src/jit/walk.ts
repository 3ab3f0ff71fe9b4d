// The batch's compiled walk: a loop over the records of a piece of a pcap file, with the program inside it.
// Only programs that change no packet and send nothing out run so: see `canWalk`.

import { type ContextName, PROG_TYPES } from '@netsieve/asm'
import { handsOn, OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { AT, REGION } from '../memory.ts'
import { BATCH, IMPORT, IMPORTS, STATUS } from './abi.ts'
import { swap32 } from './alu.ts'
import type { BatchOptions } from './batch.ts'
import { emitBoundsFrom } from './bounds.ts'
import { buildCfg, isJump } from './cfg.ts'
import { FunctionEmitter } from './emitter.ts'
import { canFlatten, emitFlat } from './flatten.ts'
import { emitFunction } from './function.ts'
import { CHANGING, isBuiltIn, ON_MEMORY, QUIET } from './helper-calls.ts'
import { functionBodies } from './jit.ts'
import { blockKinds, entryKinds, KIND, SOMEWHERE } from './kinds.ts'
import { baseOf, forEachInsn } from './needs.ts'
import { STORES } from './opcodes.ts'
import { readFirst } from './stack.ts'
import type { Around, Target } from './target.ts'
import { Body, I32, I64, moduleBytes, W } from './writer.ts'

/** So many slots of 8 bytes are cleared one by one. */
const MOST_CLEARED = 16
/** Bytes of a record's header. */
export const HEADER = 16

/** Where a walk writes its results; 0 for what was not asked for. */
export interface Areas {
  readonly r0At: number
  readonly exitsAt: number
  readonly outputAt: number
}

/** Whether a program can run on records in place: it changes no packet, sends nothing and stays in itself. */
export function canWalk(target: Target): boolean {
  const { engine, program } = target
  if (engine.options.mode !== 'linux') return false
  const quiet = program.insns.every(
    ({ spec, imm }) =>
      spec.kind !== 'call' ||
      spec.call === 'local' ||
      (spec.call === 'helper' && QUIET.has(imm) && isBuiltIn(engine, imm)),
  )
  if (!quiet) return false
  const stores = program.insns.some(({ spec, dst }) => (spec.kind === 'store' || spec.kind === 'atomic') && dst !== 10)
  return !stores || [0, ...program.functions].every((entry) => storesBesides(target, entry))
}

/** Whether runs of a program leave nothing behind for the next one: then packets can be divided among machines. */
export function isStateless({ engine, program }: Target): boolean {
  // A lookup changes what is dropped next.
  if (engine.maps.some(({ def }) => def.type.startsWith('lru'))) return false
  return program.insns.every(({ spec, dst, imm }) => {
    if (spec.call === 'local') return true
    if (spec.kind === 'call')
      return spec.call === 'helper' && QUIET.has(imm) && isBuiltIn(engine, imm) && !CHANGING.has(imm)
    return (spec.kind !== 'store' && spec.kind !== 'atomic') || dst === 10
  })
}

/** Whether all stores of a function go to its stack, or to values of maps. */
function storesBesides(target: Target, entry: number): boolean {
  const { engine, program, proved } = target
  const cfg = buildCfg(program.code, entry)
  const kindsAt = blockKinds(engine, program.code, cfg, entryKinds(entry === 0, true), cfg.at[entry]!)
  let good = true
  forEachInsn({ target, cfg, kindsAt }, (i, op, kinds) => {
    if (STORES[op] === undefined && op !== 0xc3) return
    const base = baseOf(program.code, i)
    const sure = kinds[base + 11] !== SOMEWHERE || proved?.(i) === true
    if (kinds[base] !== KIND.stack && !(kinds[base] === KIND.value && sure)) good = false
  })
  return good
}

/** A module with one function, `batch`: takes where the records begin and end, gives where it stopped. */
export function compileWalk(target: Target, options: BatchOptions, areas: Areas): Uint8Array {
  const body = new Body(2)
  emitWalk(body, target, options, areas)
  return moduleBytes(IMPORTS, [{ type: BATCH, body: body.finish(), exported: 'batch' }, ...functionBodies(target)])
}

const FROM = 0
const TO = 1

function emitWalk(body: Body, target: Target, options: BatchOptions, { r0At, exitsAt, outputAt }: Areas): void {
  const { engine } = target
  const local = (): number => body.local(I32)
  const [captured, data, end, wire] = [local(), local(), local(), local()]
  const [out, exit, written, length] = [local(), local(), local(), local()]
  const [last, room] = [local(), local()]
  const registers = Array.from({ length: 11 }, () => body.local(I64))
  let synced = false
  const sync = (): void => {
    if (!synced) body.get(FROM).call(IMPORT.sync).op(W.drop)
  }
  const around: Around = {
    exit(at, pc) {
      if (exitsAt && handsOn(at.code, pc)) body.i32(AT.returned).mem(W.i32_load, 0).i32(2).op(W.i32_shr_u).set(exit)
      else if (exitsAt) body.i32(pc >> 2).set(exit)
      body.op(W.br).u32(at.outside(1))
    },
    fault(at) {
      body.op(W.br).u32(at.outside(0))
    },
    tailCall(at) {
      body.op(W.br).u32(at.outside(0))
    },
    sync,
  }
  const flatten = (options.flatten ?? target.proved !== undefined) && canFlatten(target)
  const counted = counts(target)
  // The flat form makes each test by itself.
  const chains = !counted && !flatten
  const fn = new FunctionEmitter({ target, entry: 0, main: true, body, registers, around, counted, chains })
  fn.contextLocals = contextLocals(engine, data, end, wire)
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
  packetStart(body, engine, options, captured, data, length)
  body.get(FROM).i32(HEADER).op(W.i32_add).get(captured).op(W.i32_add).set(end)
  if (fn.needs.context.has(0) && fn.contextLocals.get(0) === wire) {
    word(12)
    body.get(captured).get(length).op(W.i32_sub, W.i32_sub).set(wire)
  }
  if (needsSync(target, fn)) {
    sync()
    synced = true
  } else if (fn.needs.regions || fn.needs.helpers) regionRow(body, data, end)
  if (exitsAt) body.i32(0).set(exit)
  emitBoundsFrom(fn, data, length)
  clearStack(fn)
  startRegisters(body, engine, registers)
  body.i64(engine.stackAt + 512, REGION.stack).set(registers[10]!)
  fn.startCount(true)
  body.op(W.block, 0x40, W.block, 0x40)
  if (flatten && !synced) {
    emitFlat(target, fn, { data, length, exit, wantsExit: exitsAt !== 0 })
    body.op(W.br_if).u32(1)
    // Otherwise from the start.
    startRegisters(body, engine, registers)
  }
  emitFunction(fn)
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

/** Context fields that the walk has in locals: where the packet is, and how long. */
function contextLocals(engine: Engine, data: number, end: number, wire: number): Map<number, number> {
  switch (PROG_TYPES[engine.options.type].context) {
    case 'xdp_md':
      return new Map([[0, data], [4, end], [8, data]]) // biome-ignore format: a row
    case '__sk_buff':
      return new Map([[0, wire], [76, data], [80, end], [140, data]]) // biome-ignore format: a row
    case 'bpf_nf_ctx':
      return new Map()
  }
}

/** Fields of a context that stay as they were filled at the start of the batch. */
const CONSTANT: Readonly<Record<ContextName, ReadonlySet<number>>> = {
  xdp_md: new Set([12, 16, 20]),
  __sk_buff: new Set([8, 12, 20, 24, 28, 32, 36, 40, 44, 68, 72, 84, 88, 164, 176]),
  // The state that is pointed to tells the packet's family.
  bpf_nf_ctx: new Set(),
}

/** Whether the machine itself must know each packet: helpers, or context fields that differ between packets. */
function needsSync(target: Target, fn: FunctionEmitter): boolean {
  const { code } = target.program
  for (let pc = 0; pc < code.length; pc += 4) if (code[pc] === 0xe5 || code[pc] === OP.callLocal) return true
  const { helpers, context } = fn.needs
  if (
    helpers &&
    !target.program.insns.every(
      ({ spec, imm }) =>
        spec.kind !== 'ldpkt' && spec.call !== 'kfunc' && (spec.call !== 'helper' || ON_MEMORY.has(imm)),
    )
  )
    return true
  const constant = CONSTANT[PROG_TYPES[target.engine.options.type].context]
  return [...context].some((offset) => !fn.contextLocals.has(offset) && !constant.has(offset))
}

/** Instructions are counted only where there could be no end to them. */
function counts(target: Target): boolean {
  const { code } = target.program
  for (let pc = 0; pc < code.length; pc += 4) {
    if (code[pc] === OP.callLocal || code[pc] === 0xe5) return true
    if (isJump(code[pc]!) && code[pc + 3]! <= pc) return true
  }
  return false
}

function regionRow(body: Body, data: number, end: number): void {
  const row = AT.regions + REGION.packet * 32
  for (const [place, value] of [[0, data], [4, end], [16, data], [20, end]] as const) body.i32(row).get(value).mem(W.i32_store, place)
} // biome-ignore format: one loop

/** Zeroes what the program may read of its stack before it has written it. */
function clearStack(fn: FunctionEmitter): void {
  const { body } = fn
  const slots = readFirst(fn)
  const top = fn.engine.stackAt + 512
  if (slots.length > MOST_CLEARED)
    body
      .i32(top + slots[0]!)
      .i32(0)
      .i32(-slots[0]!)
      .fill()
  else
    for (const slot of slots)
      body
        .i32(top + slot)
        .i64(0, 0)
        .mem(W.i64_store, 0)
}

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
