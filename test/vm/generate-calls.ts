// Random sets of programs made of functions that call each other, and go on in each other, in every way that there is, with pointers to all
// stacks handed on. Many fault: calls too deep, loops too long, accesses of what is no longer there. No verifier would take them.

import { Code, type Insn, type Label, type MapDef } from '@netsieve/asm'
import type { LoadOptions } from '@netsieve/vm'
import { MAPS, Random, type RandomType } from './generate.ts'

export interface RandomSet {
  readonly program: readonly Insn[]
  readonly options: LoadOptions
}

const PROGRAMS = 2
const LOOP = 181

/** In functions r6 is the first argument, as a rule the context, r7 the second, a pointer to a stack or a number, r9 a number. */
class Generator {
  private readonly code = new Code()
  private readonly random: Random
  private readonly type: RandomType
  private readonly functions: readonly Label[]
  /** Helpers call functions: such programs are not walked. */
  private readonly loops: boolean
  /** No loops, no recursion, and all calls hand on the same: what is known of functions can be used. */
  private readonly tame: boolean
  /** How many functions are done. */
  private done = 0

  constructor(random: Random, type: RandomType, tame: boolean) {
    this.random = random
    this.type = type
    this.tame = tame
    this.functions = Array.from({ length: 1 + random.below(6) }, (_, i) => this.code.label(`f${i}`))
    this.loops = !tame && random.below(8) === 0
  }

  program(): Insn[] {
    const { code, random } = this
    code.mov(6, { reg: 1 })
    if (random.below(4)) {
      code.mov(7, { reg: 10 })
      code.alu('add', 7, -8 * random.below(8))
    }
    if (random.below(2)) code.store(8, 10, -8, random.s32())
    code.mov(9, random.s32())
    this.pieces()
    if (random.below(2)) this.tailCall()
    this.end()
    for (const label of this.functions) {
      this.done++
      code.bind(label)
      if (this.tame || random.below(8)) code.mov(6, { reg: 1 })
      if (this.tame || random.below(8)) code.mov(7, { reg: 2 })
      if (random.below(2)) code.mov(9, { reg: 3 })
      this.pieces()
      this.end()
    }
    const insns = code.layout()
    // Some hand on what the function returned that they called last.
    return insns.map((insn) =>
      insn.spec.kind === 'exit' && random.below(3) === 0 ? { ...insn, origin: { text: '', handsOn: true } } : insn,
    )
  }

  private end(): void {
    const { code, random } = this
    // Rarely a pointer to the stack that goes.
    if (random.below(12) === 0) code.mov(0, { reg: 10 })
    else if (random.below(3)) code.mov(0, { reg: 9 })
    code.exit()
  }

  private pieces(): void {
    const count = 1 + this.random.below(5)
    for (let i = 0; i < count; i++) this.piece()
  }

  private piece(): void {
    const { code, random } = this
    switch (random.below(16)) {
      case 0:
        return code.alu(random.pick(['add', 'xor', 'mul'] as const), 9, random.s32())
      case 1:
        return code.store(random.pick([1, 4, 8] as const), 10, -8 * (1 + random.below(8)), { reg: 9 })
      case 2:
        return this.number(10, -8 * (1 + random.below(8)))
      case 3:
        return code.store(random.pick([1, 8] as const), 7, -8 * random.below(3), { reg: 9 })
      case 4:
        return this.number(7, -8 * random.below(3))
      case 5:
        return this.packet()
      case 6:
        return this.lookup()
      case 7:
        return this.skip()
      case 8:
        return this.tame ? this.call() : this.loop()
      case 9:
        return this.tame ? this.call() : this.tailCall()
      case 10:
        return this.context()
      case 11:
        // Of what a function returned, after it is gone.
        return random.below(6) || this.tame ? code.alu('add', 9, { reg: 7 }) : this.number(0, -8)
      default:
        return this.call()
    }
  }

  private number(base: number, off: number): void {
    const { code, random } = this
    code.load(random.pick([1, 4, 8] as const), 3, base, off)
    code.alu('xor', 9, { reg: 3 })
  }

  private context(): void {
    const field = this.type === 'xdp' ? this.random.pick([12, 16]) : this.random.pick([0, 4, 8, 16, 40])
    this.code.load(4, 3, 6, field)
    this.code.alu('xor', 9, { reg: 3 })
  }

  private packet(): void {
    const { code, random } = this
    if (this.type === 'socket_filter') {
      code.emit(random.pick(['ldabsb', 'ldabsw'] as const), { imm: random.below(70) })
      return code.alu('xor', 9, { reg: 0 })
    }
    const [data, end] = this.type === 'xdp' ? [0, 4] : [76, 80]
    const skip = code.label()
    const off = random.below(80)
    code.load(4, 8, 6, data)
    if (random.below(8)) {
      code.load(4, 3, 6, end)
      code.mov(4, { reg: 8 })
      code.alu('add', 4, off + 4)
      code.jump('jgt', 4, { reg: 3 }, skip)
    }
    this.number(8, off)
    code.bind(skip)
  }

  /** With the key on the function's own stack, or another's. */
  private lookup(): void {
    const { code, random } = this
    const skip = code.label()
    const base = random.below(2) ? 10 : 7
    code.store(4, base, -8, random.below(6))
    code.emit('lddw_map_index', { dst: 1, imm: random.below(2) })
    code.mov(2, { reg: base })
    code.alu('add', 2, -8)
    code.call(1)
    code.jump('jeq', 0, 0, skip)
    if (random.below(2)) code.store(8, 0, 0, { reg: 9 })
    else this.number(0, 0)
    code.bind(skip)
    code.mov(0, random.s32())
  }

  private skip(): void {
    const { code, random } = this
    const over = code.label()
    if (random.below(6) === 0) code.emit('may_goto', {}, over)
    else code.jump(random.pick(['jeq', 'jset', 'jsgt', 'jlt'] as const), 9, random.s32(), over)
    this.piece()
    if (random.below(5) === 0) this.end()
    code.bind(over)
  }

  private loop(): void {
    const { code, random } = this
    const again = code.label()
    code.store(8, 10, -80, 1 + random.below(random.below(4) ? 5 : 300))
    code.bind(again)
    if (random.below(2)) this.call()
    else code.alu('mul', 9, 31)
    code.load(8, 3, 10, -80)
    code.alu('sub', 3, 1)
    code.store(8, 10, -80, { reg: 3 })
    code.jump('jne', 3, 0, again)
  }

  private tailCall(): void {
    const { code, random } = this
    code.mov(1, { reg: 6 })
    code.emit('lddw_map_index', { dst: 2, imm: MAPS.length })
    code.mov(3, random.below(5) ? random.below(4) : { reg: 9 })
    code.call(12)
  }

  private call(): void {
    const { code, random } = this
    if (this.tame) return this.tameCall()
    code.mov(1, { reg: random.below(10) ? 6 : 9 })
    if (random.below(3)) {
      code.mov(2, { reg: random.below(3) ? 10 : 7 })
      code.alu('add', 2, -8 * random.below(3))
    } else code.mov(2, { reg: random.below(2) ? 7 : 9 })
    code.mov(3, { reg: 9 })
    const label = random.pick(this.functions)
    if (this.loops && random.below(3) === 0) {
      code.mov(1, random.below(4))
      code.emit('lddw_func', { dst: 2 }, label)
      code.mov(3, { reg: 6 })
      code.mov(4, 0)
      code.call(LOOP)
    } else code.emit('call_local', {}, label)
    if (random.below(2)) code.alu('xor', 9, { reg: 0 })
  }

  private tameCall(): void {
    const { code, random } = this
    const later = this.functions.slice(this.done)
    if (later.length === 0) return code.alu('xor', 9, random.s32())
    code.mov(1, { reg: 6 })
    code.mov(2, { reg: 10 })
    code.alu('add', 2, -8)
    code.mov(3, { reg: 9 })
    code.emit('call_local', {}, random.pick(later))
    code.alu('xor', 9, { reg: 0 })
  }
}

const entry = (place: number, program: number): readonly [Uint8Array, Uint8Array] => [
  Uint8Array.of(place, 0, 0, 0),
  Uint8Array.of(program, 0, 0, 0),
]

/** Place 0 leads back to the first program; 3 has none. */
const SET: MapDef = {
  name: 'programs', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 4,
  entries: Array.from({ length: 1 + PROGRAMS }, (_, i) => entry(i, i)),
} // biome-ignore format: a map

export function randomSet(seed: number): RandomSet {
  const random = new Random(seed ^ 0x3c6ef372)
  const type = random.pick<RandomType>(['xdp', 'xdp', 'sched_cls', 'socket_filter', 'cgroup_skb'])
  const tame = random.below(3) === 0
  const [program, ...others] = Array.from({ length: 1 + PROGRAMS }, () => new Generator(random, type, tame).program())
  const budget = {
    insns: tame ? 10_000_000 : random.below(3) ? random.below(400) : 20_000,
    callDepth: random.below(3) ? 8 : 1 + random.below(10),
  }
  return {
    program: program!,
    options: { type, maps: [...MAPS, SET], programs: others.map((insns) => ({ insns })), budget },
  }
}
