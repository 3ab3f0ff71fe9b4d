// Many packets in one call: compiled code walks the records of a piece of a pcap file in the machine's memory, runs the
// program on each in place, and writes verdicts; kept records are copied to an output area. No JavaScript a packet, unless
// the program calls helpers. Programs that may change the packet or send things out take the slow way, one run a record.

import { decisionOf } from '@netsieve/asm'
import type { PacketMeta } from '../context.ts'
import { type Engine, MAY_GOTO } from '../engine.ts'
import type { Fault } from '../fault.ts'
import type { WasmFunction } from '../wasm-api.ts'
import { STATUS } from './abi.ts'
import type { Jit } from './jit.ts'
import { compileWalk, HEADER } from './walk.ts'
import { canWalk } from './walkable.ts'

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
  /**
   * For one that has much to do: compiled now, not at the first run, and with memory that is not held against V8's heap.
   */
  readonly prepared?: boolean
}

export interface BatchResult {
  /** Whole records in the input up to one that is longer than the machine's `packetBytes`; all of them are run. */
  readonly records: number
  /** Bytes they take, from the first of them on; what follows is the start of a record that is not whole, or of one that is too long to be run. */
  readonly consumed: number
  /** r0 of each record: a view that the next call overwrites. 0 after a fault. */
  readonly r0: Int32Array
  /** Instruction that ended each run, counted through all programs, -1 after a fault; empty unless asked for. */
  readonly exits: Int32Array
  /** Kept records, headers and all: a view that the next call overwrites. */
  readonly output: Uint8Array
  readonly faults: readonly { readonly record: number; readonly fault: Fault }[]
}

/** A machine as a batch needs it: how it runs one packet, and whether it is time to compile. */
interface Runner {
  run(packet: Uint8Array, meta: PacketMeta): { r0: number; exit?: number; fault?: Fault }
  readonly ripe: boolean
}

/** How far a call has come: the address of the next record, records so far, and where in the output the next one goes. */
interface Progress {
  at: number
  records: number
  written: number
  readonly faults: { record: number; fault: Fault }[]
}

export class Batch {
  /** Whether records are walked by compiled code, sooner or later; otherwise each is one run of the machine. */
  get compiled(): boolean {
    return this.walks
  }
  private walks: boolean
  private readonly engine: Engine
  private readonly jit: Jit
  private readonly options: BatchOptions
  private readonly chunkBytes: number
  private readonly inputAt: number
  private readonly r0At: number
  private readonly exitsAt: number
  private readonly outputAt: number
  private walk: WasmFunction | undefined
  private readonly machine: Runner

  constructor(engine: Engine, jit: Jit, options: BatchOptions, machine: Runner) {
    this.engine = engine
    this.jit = jit
    this.options = options
    this.machine = machine
    this.chunkBytes = options.chunkBytes ?? 1 << 20
    engine.refreshRegs()
    this.walks = canWalk(jit)
    // Loads that run ahead of a check stay inside: room after the input.
    const input = this.chunkBytes + 65536
    const most = Math.ceil(this.chunkBytes / HEADER) * 4
    const output = options.keep ? this.chunkBytes : 0
    const { mem } = engine
    this.inputAt = mem.plan(input, 64)
    this.r0At = mem.plan(most)
    this.exitsAt = options.exits ? mem.plan(most) : 0
    this.outputAt = options.keep ? mem.plan(output, 64) : 0
    if (options.prepared) mem.beShared()
    // Not by `alloc`: memory would be copied to grow.
    if (this.walks) mem.shareWithWasm()
    else mem.alloc(0)
    const code = options.prepared && this.walks ? this.compile() : undefined
    engine.refreshRegs()
    if (code) this.walk = this.instantiate(code)
  }

  /** Undefined, and no more to be asked for, if the programs are larger than engines of WebAssembly take. */
  private compile(): Uint8Array | undefined {
    const { jit, options, r0At, exitsAt, outputAt } = this
    const code = compileWalk(jit.functions(), options, { r0At, exitsAt, outputAt })
    this.walks = code !== undefined
    return code
  }

  private instantiate(code: Uint8Array): WasmFunction {
    const { engine, jit, options } = this
    engine.place(this.inputAt, 0, options.meta ?? {})
    jit.sync = (record) => this.sync(record)
    return jit.instantiate(code).exports.batch!
  }

  /** Where to put the bytes: a view that is good until the next call of `run`. */
  get input(): Uint8Array {
    return this.engine.mem.bytes.subarray(this.inputAt, this.inputAt + this.chunkBytes)
  }

  /**
   * Runs the program on all whole records in the first `length` bytes of the input, from the record at `from` on.
   * @param outputFrom where in the output area, which is as long as the input, kept records go: what is elsewhere in it stays
   * @throws RangeError if they are not within it
   */
  run(length: number, from = 0, outputFrom = 0): BatchResult {
    if (!(from >= 0 && from <= length && length <= this.chunkBytes))
      throw new RangeError(`${from} to ${length} are not within 0 to ${this.chunkBytes}`)
    if (!(outputFrom >= 0 && outputFrom + length - from <= this.chunkBytes))
      throw new RangeError(`${length - from} bytes from ${outputFrom} on are not within 0 to ${this.chunkBytes}`)
    const to = this.inputAt + length
    const progress: Progress = { at: this.inputAt + from, records: 0, written: outputFrom, faults: [] }
    if (this.walk || !this.runSlowly(progress, to)) {
      const code = this.walk ? undefined : this.compile()
      if (code) this.walk = this.instantiate(code)
      if (this.walk) this.runCompiled(this.walk, progress, to)
      else this.runSlowly(progress, to)
    }
    return this.result(progress, this.inputAt + from, outputFrom)
  }

  private runCompiled(walk: WasmFunction, progress: Progress, to: number): void {
    const { engine } = this
    const { faults } = progress
    const status = (at: number): number => engine.mem.words[at >> 2]!
    engine.mem.words[STATUS.records >> 2] = progress.records
    engine.mem.words[STATUS.written >> 2] = progress.written
    engine.programIndex = 0
    let { at } = progress
    for (;;) {
      engine.fault = undefined
      engine.mem.words[STATUS.fault >> 2] = 0
      engine.mem.words[STATUS.depth >> 2] = 0
      engine.mem.words[STATUS.used >> 2] = 0
      engine.frames.reset()
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
    progress.at = at
    progress.records = status(STATUS.records)
    progress.written = status(STATUS.written)
  }

  private result({ at, records, written, faults }: Progress, from: number, outputFrom: number): BatchResult {
    const buffer = this.engine.mem.bytes.buffer as ArrayBuffer
    return {
      records,
      consumed: at - from,
      r0: new Int32Array(buffer, this.r0At, records),
      exits: new Int32Array(buffer, this.exitsAt, this.exitsAt ? records : 0),
      output: new Uint8Array(buffer, this.outputAt + outputFrom, written - outputFrom),
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

  /** One run a record. @returns false if it is time to compile what is left */
  private runSlowly(progress: Progress, to: number): boolean {
    const { engine, machine, options } = this
    const { type } = engine.options
    let { at, records, written } = progress
    let ripe = false
    while (to - at >= HEADER) {
      ripe = this.walks && machine.ripe
      if (ripe) break
      const captured = this.capturedAt(at)
      const whole = HEADER + captured
      if (whole > to - at || captured > engine.options.packetBytes) break
      const { bytes } = engine.mem
      const { r0, exit, fault } = machine.run(bytes.slice(at + HEADER, at + whole), this.metaAt(at))
      if (fault) progress.faults.push({ record: records, fault })
      engine.mem.words[(this.r0At >> 2) + records] = r0
      if (this.exitsAt) engine.mem.words[(this.exitsAt >> 2) + records] = exit ?? -1
      if (!fault && options.keep && decisionOf(type, r0) === options.keep) {
        engine.mem.bytes.copyWithin(this.outputAt + written, at, at + whole)
        written += whole
      }
      records++
      at += whole
    }
    Object.assign(progress, { at, records, written })
    return !ripe
  }
}
