// A loaded program: runs over packets, one call a packet, or one instruction at a time with a way back.

import type { Insn, MapDef, ProgTypeName } from '@netsieve/asm'
import Long from 'long'
import { withCases, withSequences } from './cases.ts'
import type { PacketMeta } from './context.ts'
import { Engine } from './engine.ts'
import { type Fault, hex64 } from './fault.ts'
import type { HelperFunction } from './helpers/helper.ts'
import { helperFunctions } from './helpers/table.ts'
import { type Ended, execute } from './interpret.ts'
import { Batch, type BatchOptions } from './jit/batch.ts'
import { isCompilable } from './jit/functions.ts'
import { Jit } from './jit/jit.ts'
import type { Proved } from './jit/target.ts'
import { isStateless } from './jit/walkable.ts'
import { type BpfMap, hexOf } from './maps/map.ts'
import { RingBuffer } from './maps/ringbuf.ts'
import { SlotArray } from './maps/slots.ts'
import type { Output } from './options.ts'
import { Stepper, type TraceStep } from './step.ts'
import { warmUp } from './warm.ts'
import type { World } from './world.ts'

export interface LoadOptions {
  readonly type: ProgTypeName
  /** Programs name maps by their index here. */
  readonly maps?: readonly MapDef[]
  /**
   * Programs that prog arrays can lead to: number 1, 2, … (0 is the program itself). Where instructions of all are counted through, those of
   * each come behind those of the one before.
   */
  readonly programs?: readonly { readonly insns: readonly Insn[] }[]
  /**
   * `linux` (the default): r1 is the context. `rfc9669`: r1 is the packet as plain memory, r2 its length, and `callx` runs.
   */
  readonly mode?: 'linux' | 'rfc9669'
  /**
   * `interpreter` (the default), or `jit`: compiled to WebAssembly at the first run, or if the program is long once it has run for about
   * as long as compiling it takes, and has no more functions than Linux takes. The results are the same.
   */
  readonly engine?: 'interpreter' | 'jit'
  /**
   * How many instructions a long program runs interpreted before it is compiled, for each that it has: 250 by default, where compiling one
   * takes as long as running a thousand.
   */
  readonly patience?: number
  readonly budget?: {
    /** Instructions a run; looked at when a jump goes backwards and at calls. Default 10,000,000. */
    readonly insns?: number
    /** Frames of each program, its own included. Default 8; 64 at most, of all programs that functions have gone on in together. */
    readonly callDepth?: number
    /** Bytes of memory, maps included. Default 512 MiB. */
    readonly memory?: number
    /**
     * Bytes that helpers go through in a run, of those that take more than 512 at once: others are paid for by the instructions around them.
     * Default 1 GiB.
     */
    readonly helperBytes?: number
    /** Bytes sent out in a run (text, events, copies of packets), with 64 for each besides. Default 64 MiB. */
    readonly outputBytes?: number
  }
  /**
   * What a verifier proved: of an instruction by its index, counted through all programs, that its memory access is good. `() => true` for a program that was
   * accepted. The JIT then leaves out its check; the interpreter never does. Accesses of the context are looked at all the same.
   * A wrong fact can end in a WebAssembly trap, which is thrown, or in wrong results; never in an access outside the machine.
   */
  readonly proved?: Proved
  /** Longest packet. Default 65,536 bytes. */
  readonly packetBytes?: number
  /** Of get_prandom_u32. Default 1. */
  readonly seed?: number
  /** Which CPU runs, of how many. Default 0 of 1. */
  readonly cpu?: number
  readonly cpus?: number
  /** What helpers find around the program: routes, sockets, the task at work. Default: nothing. */
  readonly world?: World
  /** Helpers of one's own, by id; they go before the built-in ones. */
  readonly helpers?: Readonly<Record<number, HelperFunction>>
}

/** Programs of more instructions are not compiled at once: their first verdicts would have to wait for it. */
const LONG = 2000

/** What a run gave. `r0` is the low 32 bits as a signed number, as the kernel takes it. */
export class RunResult {
  readonly r0: number
  private readonly r0High: number
  /**
   * Index of the instruction that ended the run, counted through all programs; absent after a fault. Where an exit only hands on what a called function
   * returned (`Origin.handsOn`), it is that function's exit.
   */
  readonly exit?: number
  /** The program that ended it, where a tail call led to another than the first. */
  readonly program?: number
  /** Instructions executed. */
  readonly insns: number
  readonly fault?: Fault
  /** The packet as the program left it, only if it changed it. */
  readonly packet?: Uint8Array
  /** XDP metadata in front of the packet, if there is any. */
  readonly metadata?: Uint8Array
  /** What was printed, sent and redirected, in order; absent if nothing was. */
  readonly outputs?: readonly Output[]

  constructor(engine: Engine, packet: Uint8Array | undefined) {
    const { fault, regs } = engine
    this.r0 = fault ? 0 : regs[0]!
    this.r0High = fault ? 0 : regs[1]!
    this.insns = engine.used
    if (fault) this.fault = fault
    else {
      this.exit = engine.decidedAt
      if (engine.decidedIn > 0) this.program = engine.decidedIn
    }
    if (packet) this.packet = packet
    if (engine.meta < engine.data) this.metadata = engine.mem.bytes.slice(engine.meta, engine.data)
    if (engine.outputs.length > 0) this.outputs = engine.outputs
  }

  /** All 64 bits of r0. */
  get r0Long(): Long {
    return Long.fromBits(this.r0, this.r0High)
  }

  /** Bytes are hexadecimal. */
  toJSON(): object {
    const { r0, exit, program, insns, fault } = this
    const hex = (bytes: Uint8Array | undefined) => bytes && hexOf(bytes, 0, bytes.length)
    const outputs = this.outputs?.map((one) => ('data' in one ? { ...one, data: hex(one.data) } : one))
    const bytes = { packet: hex(this.packet), metadata: hex(this.metadata) }
    return { r0, r0Long: hex64(this.r0High, r0), exit, program, insns, fault, ...bytes, outputs }
  }
}

export class Machine {
  readonly engine: Engine
  private readonly codes: readonly Int32Array[]
  private readonly writes: boolean
  private readonly jit: Jit | undefined
  private readonly rings: readonly RingBuffer[]
  private readonly proved: Proved | undefined
  private batchJit: Jit | undefined
  /** Instructions that are still to be interpreted before the program is compiled. */
  private patience: number
  /** Whether the run that is going on is one of compiled code. */
  private running = false
  private stepper: Stepper | undefined

  constructor(program: readonly Insn[], options: LoadOptions) {
    const { budget = {} } = options
    const own = Object.entries(options.helpers ?? {}).map(([id, run]) => [Number(id), run] as const)
    const programs = [program, ...(options.programs ?? []).map(({ insns }) => insns)]
    this.engine = new Engine(
      {
        type: options.type,
        mode: options.mode ?? 'linux',
        insnBudget: Math.min(budget.insns ?? 10_000_000, 0x7fffffff),
        callDepth: Math.min(Math.max(budget.callDepth ?? 8, 1), 64),
        memoryBytes: budget.memory ?? 512 * 1024 * 1024,
        helperBytes: Math.min(budget.helperBytes ?? 1 << 30, 0x7fffffff),
        outputBytes: budget.outputBytes ?? 64 * 1024 * 1024,
        packetBytes: options.packetBytes ?? 65536,
        seed: options.seed ?? 1,
        cpu: options.cpu ?? 0,
        cpus: options.cpus ?? 1,
        world: options.world ?? {},
      },
      programs,
      options.maps ?? [],
      programs.some((insns) => insns.some(({ spec }) => spec.kind === 'call')) ? helpersWith(own) : new Map(),
    )
    for (const map of this.engine.maps) map.fill()
    const length = programs.reduce((sum, insns) => sum + insns.length, 0)
    this.patience = length > LONG ? length * (options.patience ?? 250) : 0
    this.codes = this.engine.programs.map(({ code }) => withSequences(code))
    this.writes = programs.some((insns) => insns.some(mayWritePacket))
    this.proved = options.proved
    this.jit = options.engine === 'jit' && isCompilable(this.engine) ? new Jit(this.engine, options.proved) : undefined
    this.batchJit = this.jit
    this.rings = this.engine.maps.filter((map) => map instanceof RingBuffer)
    this.engine.callbacks.run = (insn) => this.callback(insn)
  }

  /** Runs the program over one packet. Never throws for what the program does: that is `fault`. */
  run(packet: Uint8Array, meta: PacketMeta = {}): RunResult {
    const { engine } = this
    this.stepper = undefined
    if (!this.jit || !this.ripe) warmUp(engine)
    if (this.begin(packet, meta)) {
      this.running = this.ripe && this.jit?.prepare() === true
      if (this.running) this.jit!.run()
      else {
        execute(engine, this.codes, 0)
        this.patience -= engine.used
      }
      this.running = false
    }
    return this.finish(packet)
  }

  /** A walk over pieces of a pcap file: see `Batch`. */
  batch(options: BatchOptions = {}): Batch {
    this.batchJit ??= new Jit(this.engine, this.proved)
    return new Batch(this.engine, this.batchJit, options, this)
  }

  /** Whether it is time to compile the program. */
  get ripe(): boolean {
    return this.patience <= 0
  }

  /** Whether packets can be divided among machines with the same program and maps: no run leaves anything for the next. */
  get stateless(): boolean {
    return isStateless(this.batchJit ?? new Jit(this.engine, this.proved))
  }

  /** Executes one instruction of the run that `start` began, and tells what it did. Undefined at the end. */
  step(): TraceStep | undefined {
    return this.stepper?.step()
  }

  /** Takes the last step back; undefined at the start. */
  back(): TraceStep | undefined {
    return this.stepper?.back()
  }

  /** Begins a run of single steps over a packet. */
  start(packet: Uint8Array, meta: PacketMeta = {}): void {
    this.stepper = new Stepper(
      this.engine,
      this.engine.programs.map(({ code }) => withCases(code)),
      () => this.begin(packet, meta),
      (codes) => this.execute(codes),
    )
  }

  /** Steps on until an instruction of `breakpoints` (indexes, counted through all programs) comes, or the end. The steps made. */
  continue(breakpoints: ReadonlySet<number>): TraceStep[] {
    return this.stepper?.continue(breakpoints) ?? []
  }

  /** The result of the run that is being stepped through, so far. */
  result(): RunResult {
    return new RunResult(this.engine, undefined)
  }

  /** Every instruction executed on a packet and what it changed; at most `limit` of them. */
  trace(packet: Uint8Array, meta: PacketMeta = {}, limit = 100_000): TraceStep[] {
    this.start(packet, meta)
    return this.stepper!.continue(new Set(), limit)
  }

  /** A map by name or index. @throws RangeError if there is none. */
  map(which: string | number): BpfMap {
    const map = this.engine.maps.find(({ def, index }) => def.name === which || index === which)
    if (!map) throw new RangeError(`no map ${which}`)
    return map
  }

  /** Puts a program (by number, see `programs`) in a place of a prog array. */
  setProgram(map: string | number, index: number, program: number): void {
    const key = new Uint8Array(4)
    new DataView(key.buffer).setUint32(0, index, true)
    const value = new Uint8Array(4)
    new DataView(value.buffer).setUint32(0, program, true)
    const slots = this.map(map)
    if (!(slots instanceof SlotArray) || slots.set(key, value) !== 0)
      throw new RangeError(`no place ${index} in map ${map}`)
  }

  private begin(packet: Uint8Array, meta: PacketMeta): boolean {
    const { engine } = this
    engine.reset()
    if (!engine.setPacket(packet, meta)) return false
    engine.enterProgram()
    return true
  }

  private execute(codes: readonly Int32Array[]): Ended {
    return execute(this.engine, codes, 0)
  }

  private callback(insn: number): boolean {
    const { engine } = this
    return engine.callbacks.whole(insn, () =>
      this.running ? this.jit!.callback(insn) : execute(engine, this.codes, engine.depth) === 'exit',
    )
  }

  private finish(packet: Uint8Array): RunResult {
    const { engine } = this
    for (const ring of this.rings) ring.clear()
    return new RunResult(engine, this.writes && engine.packetDiffers(packet) ? engine.packetBytes() : undefined)
  }
}

function helpersWith(own: readonly (readonly [number, HelperFunction])[]): ReadonlyMap<number, HelperFunction> {
  return own.length > 0 ? new Map([...helperFunctions(), ...own]) : helperFunctions()
}

/** Whether an instruction could change the packet: all stores but those to the stack, and calls. */
function mayWritePacket({ spec, dst }: Insn): boolean {
  return spec.kind === 'call' || ((spec.kind === 'store' || spec.kind === 'atomic') && dst !== 10)
}

/**
 * Makes a program ready to run. Its maps start empty. Nothing is verified: what is wrong shows as a fault when it runs.
 * @throws RangeError for maps that cannot be made (see `checkMaps`) or that are above the memory budget.
 */
export function load(program: readonly Insn[], options: LoadOptions): Machine {
  return new Machine(program, options)
}
