// Many packets in one call: compiled code walks the records of a piece of a pcap file in the machine's memory, runs the
// program on each in place, and writes verdicts; kept records are copied to an output area. No JavaScript a packet, unless
// the program calls helpers. Programs that may change the packet or send things out take the slow way, one run a record.

import { HELPERS, type HelperName, PROG_TYPES } from '@netsieve/asm'
import type { PacketMeta } from '../context.ts'
import { OP } from '../decode.ts'
import { type Engine, MAY_GOTO } from '../engine.ts'
import type { Fault } from '../fault.ts'
import { AT, REGION } from '../memory.ts'
import type { WasmFunction } from '../wasm-api.ts'
import { BATCH, IMPORT, IMPORTS, STATUS } from './abi.ts'
import { isJump } from './cfg.ts'
import { canFlatten, emitFlat } from './flatten.ts'
import { FunctionCompiler, type Target } from './function.ts'
import { functionBodies, type Jit } from './jit.ts'
import { Body, I32, I64, moduleBytes, W } from './writer.ts'

export interface BatchOptions {
  /** Bytes of the input area. Default 1 MiB. */
  readonly chunkBytes?: number
  /** Byte order of the record headers. Default little. */
  readonly order?: 'little' | 'big'
  /** Units of the second word of a time stamp. Default microseconds. */
  readonly ticks?: 'us' | 'ns'
  /** Also write the index of the instruction that ended each run. */
  readonly exits?: boolean
  /** Copy the records of this decision to the output area. */
  readonly keep?: 'pass' | 'drop'
  /** Short filters without branches: see jit/flatten. By default where accesses are proved: with checks it is slower. */
  readonly flatten?: boolean
  /** What is the same for all packets. */
  readonly meta?: PacketMeta
}

export interface BatchResult {
  /** Whole records in the input, all of them run. */
  readonly records: number
  /** Bytes they take; what follows is the start of a record that is not whole. */
  readonly consumed: number
  /** r0 of each record: a view that the next call overwrites. 0 after a fault. */
  readonly r0: Int32Array
  /** Instruction that ended each run, -1 after a fault; empty unless asked for. */
  readonly exits: Int32Array
  /** Kept records, headers and all: a view that the next call overwrites. */
  readonly output: Uint8Array
  readonly faults: readonly { readonly record: number; readonly fault: Fault }[]
}

/** Runs one packet by the machine's usual way. */
type RunOne = (packet: Uint8Array, meta: PacketMeta) => { r0: number; exit?: number; fault?: Fault }

const HEADER = 16

/** Helpers that leave the packet alone and send nothing out. */
const QUIET: ReadonlySet<number> = new Set(
  (['map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'map_lookup_percpu_elem', 'map_push_elem', 'map_pop_elem', 'map_peek_elem',
    'ktime_get_ns', 'ktime_get_boot_ns', 'ktime_get_coarse_ns', 'ktime_get_tai_ns', 'jiffies64', 'get_prandom_u32', 'get_smp_processor_id',
    'skb_load_bytes', 'skb_load_bytes_relative', 'csum_diff', 'get_hash_recalc'] as const satisfies readonly HelperName[]
  ).map((name) => HELPERS[name].id),
) // biome-ignore format: a set

/** Those of them that look at memory only, not at the packet as such: the region table is enough. */
const ON_MAPS: ReadonlySet<number> = new Set([1, 2, 3, 87, 88, 89, 195, 7, 8])

export class Batch {
  private readonly engine: Engine
  private readonly options: BatchOptions
  private readonly chunkBytes: number
  private readonly inputAt: number
  private readonly r0At: number
  private readonly exitsAt: number
  private readonly outputAt: number
  private readonly walk: WasmFunction | undefined
  private readonly runOne: RunOne

  constructor(engine: Engine, jit: Jit, options: BatchOptions, runOne: RunOne) {
    this.engine = engine
    this.options = options
    this.runOne = runOne
    this.chunkBytes = options.chunkBytes ?? 1 << 20
    engine.refreshRegs()
    const target = jit.target(0)
    const walks = canWalk(target)
    // First: memory of WebAssembly grows in its place, other memory is copied.
    if (walks) engine.mem.shareWithWasm()
    // Loads that run ahead of a check stay inside: room after the input.
    this.inputAt = engine.mem.alloc(this.chunkBytes + 65536, 64)
    const most = Math.ceil(this.chunkBytes / HEADER) * 4
    this.r0At = engine.mem.alloc(most)
    this.exitsAt = options.exits ? engine.mem.alloc(most) : 0
    this.outputAt = options.keep ? engine.mem.alloc(this.chunkBytes, 64) : 0
    engine.refreshRegs()
    if (walks) {
      engine.place(this.inputAt, 0, options.meta ?? {})
      const bytes = compileBatch(target, options, this.r0At, this.exitsAt, this.outputAt)
      jit.sync = (record) => this.sync(record)
      this.walk = jit.instantiate(bytes).exports.batch
    }
  }

  /** Whether records are walked by compiled code; otherwise each is one run of the machine. */
  get compiled(): boolean {
    return this.walk !== undefined
  }

  /** Where to put the bytes: a view that is good until the next call of `run`. */
  get input(): Uint8Array {
    return this.engine.mem.bytes.subarray(this.inputAt, this.inputAt + this.chunkBytes)
  }

  /** Runs the program on all whole records in the first `length` bytes of the input. */
  run(length: number): BatchResult {
    if (!(length >= 0 && length <= this.chunkBytes))
      throw new RangeError(`${length} bytes are not 0 to ${this.chunkBytes}`)
    return this.walk ? this.runCompiled(this.walk, length) : this.runSlowly(length)
  }

  private runCompiled(walk: WasmFunction, length: number): BatchResult {
    const { engine } = this
    const faults: { record: number; fault: Fault }[] = []
    const to = this.inputAt + length
    const status = (at: number): number => engine.mem.words[at >> 2]!
    engine.mem.words[STATUS.records >> 2] = 0
    engine.mem.words[STATUS.written >> 2] = 0
    engine.programIndex = 0
    engine.outputs = []
    let at = this.inputAt
    for (;;) {
      engine.fault = undefined
      engine.mem.words[STATUS.fault >> 2] = 0
      while (engine.depth > 0) engine.leave()
      engine.openFrame(0)
      at = walk(at, to)
      const { fault } = engine as { fault: Fault | undefined }
      if (!fault) break
      const record = status(STATUS.records)
      faults.push({ record, fault })
      engine.mem.words[(this.r0At >> 2) + record] = 0
      if (this.exitsAt) engine.mem.words[(this.exitsAt >> 2) + record] = -1
      engine.mem.words[STATUS.records >> 2] = record + 1
      at += HEADER + this.capturedAt(at)
    }
    return this.result(status(STATUS.records), at - this.inputAt, status(STATUS.written), faults)
  }

  private result(records: number, consumed: number, written: number, faults: BatchResult['faults']): BatchResult {
    const buffer = this.engine.mem.bytes.buffer as ArrayBuffer
    return {
      records,
      consumed,
      r0: new Int32Array(buffer, this.r0At, records),
      exits: new Int32Array(buffer, this.exitsAt, this.exitsAt ? records : 0),
      output: new Uint8Array(buffer, this.outputAt, written),
      faults,
    }
  }

  private word(at: number): number {
    return this.engine.mem.view.getUint32(at, this.options.order !== 'big')
  }

  private capturedAt(record: number): number {
    return this.word(record + 8)
  }

  /** What a record's header says of its packet. */
  private metaAt(record: number): PacketMeta {
    const fraction = BigInt(this.word(record + 4)) * (this.options.ticks === 'ns' ? 1n : 1000n)
    return {
      ...this.options.meta,
      wireLength: this.word(record + 12),
      timestampNs: BigInt(this.word(record)) * 1_000_000_000n + fraction,
    }
  }

  /** Makes a record's packet, where it lies, the machine's packet. */
  private sync(record: number): void {
    const { engine } = this
    engine.place(record + HEADER, this.capturedAt(record), this.metaAt(record))
    engine.mem.words[STATUS.mayGoto >> 2] = MAY_GOTO
  }

  private runSlowly(length: number): BatchResult {
    const { engine, options } = this
    const { type } = engine.options
    const faults: { record: number; fault: Fault }[] = []
    const to = this.inputAt + length
    let [at, records, written] = [this.inputAt, 0, 0]
    while (to - at >= HEADER) {
      const whole = HEADER + this.capturedAt(at)
      if (whole > to - at) break
      const { bytes } = engine.mem
      const { r0, exit, fault } = this.runOne(bytes.slice(at + HEADER, at + whole), this.metaAt(at))
      if (fault) faults.push({ record: records, fault })
      engine.mem.words[(this.r0At >> 2) + records] = r0
      if (this.exitsAt) engine.mem.words[(this.exitsAt >> 2) + records] = exit ?? -1
      if (!fault && options.keep && (passes(type, r0) ? 'pass' : 'drop') === options.keep) {
        engine.mem.bytes.copyWithin(this.outputAt + written, at, at + whole)
        written += whole
      }
      records++
      at += whole
    }
    return this.result(records, at - this.inputAt, written, faults)
  }
}

function passes(type: keyof typeof PROG_TYPES, r0: number): boolean {
  if (type === 'socket_filter') return r0 !== 0
  if (type === 'sched_cls') return r0 !== 2
  return type === 'xdp' ? r0 >= 2 && r0 <= 4 : (r0 & 1) === 1
}

/** Whether a program can run on records in place: it changes no packet, sends nothing and stays in itself. */
function canWalk({ engine, program }: Target): boolean {
  if (engine.options.mode !== 'linux') return false
  return program.insns.every(({ spec, dst, imm }) => {
    if (spec.kind === 'call') return spec.call === 'local' || (spec.call === 'helper' && QUIET.has(imm))
    return !((spec.kind === 'store' || spec.kind === 'atomic') && dst !== 10)
  })
}

function compileBatch(
  target: Target,
  options: BatchOptions,
  r0At: number,
  exitsAt: number,
  outputAt: number,
): Uint8Array {
  const body = new Body(2)
  emitWalk(body, target, options, r0At, exitsAt, outputAt)
  return moduleBytes(IMPORTS, [{ type: BATCH, body: body.finish(), exported: 'batch' }, ...functionBodies(target)])
}

const FROM = 0
const TO = 1

function emitWalk(
  body: Body,
  target: Target,
  options: BatchOptions,
  r0At: number,
  exitsAt: number,
  outputAt: number,
): void {
  const { engine } = target
  const local = (): number => body.local(I32)
  const [captured, data, end, wire, out, exit, written, length] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ]
  const registers = Array.from({ length: 11 }, () => body.local(I64))
  let synced = false
  const sync = (): void => {
    if (!synced) body.get(FROM).call(IMPORT.sync).op(W.drop)
  }
  const compiler = new FunctionCompiler(
    target,
    0,
    true,
    body,
    registers,
    {
      exit: (at, pc) => {
        if (exitsAt) body.i32(pc >> 2).set(exit)
        body.op(W.br).u32(at.outside(1))
      },
      fault: (at) => {
        body.op(W.br).u32(at.outside(0))
      },
      tailCall: (at) => {
        body.op(W.br).u32(at.outside(0))
      },
      sync,
    },
    counts(target),
  )
  compiler.contextLocals = contextLocals(engine, data, end, wire)
  const word = (offset: number): void => {
    body.get(FROM).mem(W.i32_load, offset)
    if (options.order === 'big') swap(body, length)
  }
  body.i32(STATUS.records).mem(W.i32_load, 0).i32(2).op(W.i32_shl).set(out)
  body.i32(STATUS.written).mem(W.i32_load, 0).set(written)
  body.op(W.block, 0x40, W.loop, 0x40)
  // A header that is not whole, or a record that is not: the end.
  body.get(TO).get(FROM).op(W.i32_sub).i32(HEADER).op(W.i32_lt_u, W.br_if).u32(1)
  word(8)
  body.tee(captured).get(TO).get(FROM).op(W.i32_sub).i32(HEADER).op(W.i32_sub, W.i32_gt_u, W.br_if).u32(1)
  packetStart(body, engine, options, captured, data, length)
  body.get(FROM).i32(HEADER).op(W.i32_add).get(captured).op(W.i32_add).set(end)
  if (compiler.needs.context.has(0) && compiler.contextLocals.get(0) === wire) {
    word(12)
    body.get(captured).get(length).op(W.i32_sub, W.i32_sub).set(wire)
  }
  if (needsSync(target, compiler)) {
    sync()
    synced = true
  } else if (compiler.needs.regions || compiler.needs.helpers) regionRow(body, data, end)
  body.i32(0).set(exit)
  compiler.boundsFrom(data, length)
  clearStack(body, target)
  for (let r = 0; r < 10; r++) body.i64(r === 1 ? engine.ctxAt : 0, r === 1 ? REGION.ctx : 0).set(registers[r]!)
  body.i64(engine.stackAt + 512, REGION.stack).set(registers[10]!)
  compiler.startCount(true)
  body.op(W.block, 0x40, W.block, 0x40)
  if ((options.flatten ?? target.proved !== undefined) && !synced && canFlatten(target)) {
    emitFlat(target, compiler, { data, exit, wantsExit: exitsAt !== 0 })
    body.op(W.br_if).u32(1)
    // Otherwise from the start.
    for (let r = 0; r < 10; r++) body.i64(r === 1 ? engine.ctxAt : 0, r === 1 ? REGION.ctx : 0).set(registers[r]!)
  }
  compiler.emit()
  body.op(W.end)
  // After a fault: where it was.
  finish(body, out, written)
  body.get(FROM).op(W.return, W.end)
  body.get(out).get(registers[0]!).op(W.i32_wrap_i64).mem(W.i32_store, r0At)
  if (exitsAt) body.get(out).get(exit).mem(W.i32_store, exitsAt)
  body.get(captured).i32(HEADER).op(W.i32_add).set(length)
  if (options.keep) keepRecord(body, engine, options.keep, registers[0]!, written, length, outputAt)
  body.get(out).i32(4).op(W.i32_add).set(out)
  body.get(FROM).get(length).op(W.i32_add).set(FROM)
  body.op(W.br).u32(0)
  body.op(W.end, W.end)
  finish(body, out, written)
  body.get(FROM)
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
  return PROG_TYPES[engine.options.type].context === 'xdp_md'
    ? new Map([[0, data], [4, end], [8, data]])
    : new Map([[0, wire], [76, data], [80, end], [140, data]])
} // biome-ignore format: two rows

/** Fields of a context that stay as they were filled at the start of the batch. */
const CONSTANT_SKB: ReadonlySet<number> = new Set([8, 12, 20, 24, 28, 32, 36, 40, 44, 68, 72, 84, 88, 164, 176])

/** Whether the machine itself must know each packet: helpers, or context fields that differ between packets. */
function needsSync(target: Target, compiler: FunctionCompiler): boolean {
  const { code } = target.program
  for (let pc = 0; pc < code.length; pc += 4) if (code[pc] === 0xe5 || code[pc] === OP.callLocal) return true
  const { helpers, context } = compiler.needs
  if (
    helpers &&
    !target.program.insns.every(
      ({ spec, imm }) => spec.kind !== 'ldpkt' && (spec.call !== 'helper' || ON_MAPS.has(imm)),
    )
  )
    return true
  const xdp = PROG_TYPES[target.engine.options.type].context === 'xdp_md'
  return [...context].some(
    (offset) => !compiler.contextLocals.has(offset) && !(xdp ? offset < 24 : CONSTANT_SKB.has(offset)),
  )
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

/** Zeroes as much of the stack as the program may look at. */
function clearStack(body: Body, target: Target): void {
  let deepest = 0
  for (const { spec, dst, src, off } of target.program.insns) {
    const base = spec.kind === 'load' ? src : spec.kind === 'store' || spec.kind === 'atomic' ? dst : undefined
    const other = spec.kind === 'load' ? undefined : src
    if ((spec.uses.has('src') && other === 10) || (spec.uses.has('dst') && dst === 10 && base !== 10)) deepest = 512
    if (base === 10) deepest = Math.max(deepest, Math.min(-off, 512))
  }
  if (deepest <= 0) return
  const size = (deepest + 7) & ~7
  body
    .i32(target.engine.stackAt + 512 - size)
    .i32(0)
    .i32(size)
    .fill()
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
  else body.i32(1).op(W.i32_and)
  if (keep === 'drop') body.op(W.i32_eqz)
  body.op(W.if, 0x40)
  body.get(written).i32(outputAt).op(W.i32_add).get(FROM).get(length).copy()
  body.get(written).get(length).op(W.i32_add).set(written)
  body.op(W.end)
}

function swap(body: Body, x: number): void {
  body.tee(x).i32(8).op(W.i32_rotl).i32(0x00ff00ff).op(W.i32_and)
  body
    .get(x)
    .i32(24)
    .op(W.i32_rotl)
    .i32(0xff00ff00 | 0)
    .op(W.i32_and, W.i32_or)
}
