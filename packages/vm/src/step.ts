// One instruction at a time: what it read, wrote and changed. The way back is to run again from the start, one step fewer.

import type { Insn } from '@netsieve/asm'
import type { Waiting } from './callbacks.ts'
import { STOP } from './cases.ts'
import type { Engine } from './engine.ts'
import { type Fault, hex64 } from './fault.ts'
import type { Ended } from './interpret.ts'
import { hexOf } from './maps/map.ts'
import { REGION } from './memory.ts'
import type { MapChange } from './options.ts'
import { packetAddress } from './packet-load.ts'

export interface RegisterChange {
  readonly register: number
  /** 64-bit hexadecimal numbers. */
  readonly before: string
  readonly after: string
}

/** Bytes in a region; the offset of the packet counts from its first byte, that of a stack frame from its top (negative). */
export interface MemoryTouch {
  readonly region: string
  readonly offset: number
  readonly before: string
  /** Only of writes. */
  readonly after?: string
}

/** What one executed instruction did. */
export interface TraceStep {
  /** Index of the instruction, and of its first slot. */
  readonly insn: number
  readonly slot: number
  readonly program: number
  readonly depth: number
  readonly registers: readonly RegisterChange[]
  readonly reads: readonly MemoryTouch[]
  readonly writes: readonly MemoryTouch[]
  readonly maps: readonly MapChange[]
  readonly fault?: Fault
  /** True for the instruction that ended the run. */
  readonly last: boolean
}

interface Place {
  readonly region: number
  readonly at: number
  readonly size: number
}

export class Stepper {
  private readonly engine: Engine
  private readonly begin: () => boolean
  private readonly execute: (codes: readonly Int32Array[]) => Ended
  private readonly real: readonly Int32Array[]
  private readonly codes: readonly Int32Array[]
  private readonly restoreMaps: readonly (() => void)[]
  private readonly seed: number
  private over: boolean
  private steps = 0
  /** Helpers that wait for functions they call. */
  private readonly waiting: Waiting[] = []

  constructor(
    engine: Engine,
    codes: readonly Int32Array[],
    begin: () => boolean,
    run: (codes: readonly Int32Array[]) => Ended,
  ) {
    this.engine = engine
    this.begin = begin
    this.execute = run
    this.real = codes
    this.codes = codes.map((code) => {
      const stopped = code.slice()
      for (let pc = 0; pc < stopped.length; pc += 4) stopped[pc] = STOP
      return stopped
    })
    this.restoreMaps = engine.maps.map((map) => map.save())
    this.seed = engine.randomState
    this.over = !begin()
  }

  /** Executes one instruction; undefined at the end. */
  step(): TraceStep | undefined {
    if (this.over) return undefined
    const { engine } = this
    const { programIndex, depth } = engine
    const program = engine.programs[programIndex]!
    const insn = engine.pc >> 2
    const code = program.insns[insn]
    const before = engine.regs.slice(0, 22)
    const place = code && this.placeOf(code)
    const touched = place && this.copy(place)
    const call = code?.spec.kind === 'call'
    const watched = call ? this.watch() : []
    engine.journal = []
    const ended = this.advance()
    const maps = engine.journal
    engine.journal = undefined
    const written = code?.spec.kind === 'store' || code?.spec.kind === 'atomic'
    const { fault } = engine
    const touch = place && touched !== undefined && !fault ? this.touch(place, touched, written) : undefined
    return {
      insn,
      slot: program.slots[insn] ?? 0,
      program: programIndex,
      depth,
      registers: this.registerChanges(before),
      reads:
        touch && !(code?.spec.kind === 'store')
          ? [{ region: touch.region, offset: touch.offset, before: touch.before }]
          : [],
      writes: [...(touch && written ? [touch] : []), ...watched.flatMap((look) => look())],
      maps,
      ...(fault && { fault }),
      last: ended !== 'stop',
    }
  }

  /** Lets one instruction run: it alone is itself in the copy of the code, all others stop. */
  private advance(): Ended {
    const { engine } = this
    const { pc } = engine
    const own = this.codes[engine.programIndex]!
    const real = this.real[engine.programIndex]!
    for (let i = 0; i < 4; i++) own[pc + i] = real[pc + i]!
    engine.callbacks.waiting = this.waiting
    const stopped = this.execute(this.codes)
    own[pc] = STOP
    const ended = stopped === 'stop' && !engine.callbacks.goOn() ? 'fault' : stopped
    engine.callbacks.waiting = undefined
    this.steps++
    if (ended !== 'stop') this.over = true
    return ended
  }

  /** The step before becomes the last one made; undefined at the start. */
  back(): TraceStep | undefined {
    if (this.steps === 0) return undefined
    const target = this.steps - 1
    this.engine.seed(this.seed)
    for (const restore of this.restoreMaps) restore()
    this.steps = 0
    this.waiting.length = 0
    this.over = !this.begin()
    while (this.steps < target - 1) this.advance()
    return target > 0 ? this.step() : undefined
  }

  /** Steps until one of the instructions comes next, or the end, or `limit` steps are made. */
  continue(breakpoints: ReadonlySet<number>, limit = Number.POSITIVE_INFINITY): TraceStep[] {
    const made: TraceStep[] = []
    while (made.length < limit) {
      const step = this.step()
      if (!step) break
      made.push(step)
      const { starts, programIndex, pc } = this.engine
      if (breakpoints.has(starts[programIndex]! + (pc >> 2))) break
    }
    return made
  }

  /** The memory that an instruction is about to touch, if it is all there. */
  private placeOf({ spec, dst, src, off, imm }: Insn): Place | undefined {
    const { engine } = this
    const { regs } = engine
    if (spec.kind === 'ldpkt') {
      const offset = (imm + (spec.source === 'reg' ? regs[src * 2]! : 0)) | 0
      const at = packetAddress(engine, offset, spec.size)
      return at === undefined ? undefined : { region: REGION.packet, at, size: spec.size }
    }
    const loads = spec.kind === 'load' || (spec.kind === 'atomic' && spec.atomic === 'load_acquire')
    if (!loads && spec.kind !== 'store' && spec.kind !== 'atomic') return undefined
    const base = loads ? src : dst
    const place = { region: regs[base * 2 + 1]!, at: regs[base * 2]! + off, size: spec.size }
    const bounds = engine.mem.regionBounds(place.region)
    return bounds && place.at >= bounds.from && place.at + place.size <= bounds.to ? place : undefined
  }

  private copy({ at, size }: Place): string {
    return hexOf(this.engine.mem.bytes, at, size)
  }

  private touch(place: Place, before: string, written: boolean): MemoryTouch {
    const after = written ? { after: this.copy(place) } : {}
    return { region: this.engine.mem.regionName(place.region) ?? '', offset: this.offsetOf(place), before, ...after }
  }

  private offsetOf({ region, at }: Place): number {
    if (region === REGION.packet) return at - this.engine.data
    const bounds = this.engine.mem.regionBounds(region)!
    return region >= REGION.stack && region < REGION.first ? at - bounds.to : at - bounds.from
  }

  /** Stack frames, as a helper may write to them: functions that tell what changed since. */
  private watch(): (() => MemoryTouch[])[] {
    const { mem, depth } = this.engine
    const regions = [REGION.packet as number]
    for (let i = 0; i <= depth; i++) regions.push(REGION.stack + i)
    return regions.map((region) => {
      const bounds = mem.regionBounds(region)
      const before = bounds ? mem.bytes.slice(bounds.from, bounds.to) : new Uint8Array()
      return () => (bounds ? this.differences(region, bounds.from, before) : [])
    })
  }

  private differences(region: number, from: number, before: Uint8Array): MemoryTouch[] {
    const { bytes } = this.engine.mem
    const found: MemoryTouch[] = []
    for (let i = 0; i < before.length; i++) {
      if (before[i] === bytes[from + i]) continue
      let end = i
      while (end < before.length && before[end] !== bytes[from + end]) end++
      const place = { region, at: from + i, size: end - i }
      if (this.engine.mem.regionBounds(region)) found.push(this.touch(place, hexOf(before, i, end - i), true))
      i = end
    }
    return found
  }

  private registerChanges(before: Int32Array): RegisterChange[] {
    const { regs } = this.engine
    const changes: RegisterChange[] = []
    for (let register = 0; register < 11; register++) {
      const [lo, hi] = [register * 2, register * 2 + 1]
      if (before[lo] === regs[lo] && before[hi] === regs[hi]) continue
      changes.push({ register, before: hex64(before[hi]!, before[lo]!), after: hex64(regs[hi]!, regs[lo]!) })
    }
    return changes
  }
}
