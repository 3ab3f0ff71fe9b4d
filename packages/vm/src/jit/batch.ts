// Many packets in one call: compiled code walks the records of a piece of a pcap file in the machine's memory, runs the
// program on each in place, and writes verdicts; kept records are copied to an output area. No JavaScript a packet, unless
// the program calls helpers. Programs that may change the packet or send things out take the slow way, one run a record.

import type { PROG_TYPES } from '@netsieve/asm'
import type { PacketMeta } from '../context.ts'
import { type Engine, MAY_GOTO } from '../engine.ts'
import type { Fault } from '../fault.ts'
import type { WasmFunction } from '../wasm-api.ts'
import { STATUS } from './abi.ts'
import type { Jit } from './jit.ts'
import { canWalk, compileWalk, HEADER } from './walk.ts'

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
  /** Bytes they take, from the first of them on; what follows is the start of a record that is not whole. */
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
      const { r0At, exitsAt, outputAt } = this
      const bytes = compileWalk(target, options, { r0At, exitsAt, outputAt })
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

  /** Runs the program on all whole records in the first `length` bytes of the input, from the record at `from` on. */
  run(length: number, from = 0): BatchResult {
    if (!(from >= 0 && from <= length && length <= this.chunkBytes))
      throw new RangeError(`${from} to ${length} are not within 0 to ${this.chunkBytes}`)
    return this.walk ? this.runCompiled(this.walk, from, length) : this.runSlowly(from, length)
  }

  private runCompiled(walk: WasmFunction, from: number, length: number): BatchResult {
    const { engine } = this
    const faults: { record: number; fault: Fault }[] = []
    const to = this.inputAt + length
    const status = (at: number): number => engine.mem.words[at >> 2]!
    engine.mem.words[STATUS.records >> 2] = 0
    engine.mem.words[STATUS.written >> 2] = 0
    engine.programIndex = 0
    engine.outputs = []
    let at = this.inputAt + from
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
    return this.result(status(STATUS.records), at - this.inputAt - from, status(STATUS.written), faults)
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

  private runSlowly(from: number, length: number): BatchResult {
    const { engine, options } = this
    const { type } = engine.options
    const faults: { record: number; fault: Fault }[] = []
    const to = this.inputAt + length
    let [at, records, written] = [this.inputAt + from, 0, 0]
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
    return this.result(records, at - this.inputAt - from, written, faults)
  }
}

function passes(type: keyof typeof PROG_TYPES, r0: number): boolean {
  if (type === 'socket_filter') return r0 !== 0
  if (type === 'sched_cls') return r0 !== 2
  return type === 'xdp' ? r0 >= 2 && r0 <= 4 : (r0 & 1) === 1
}
