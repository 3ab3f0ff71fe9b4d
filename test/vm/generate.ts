// Random programs that the kernel's verifier accepts, as a rule: registers r0..r5 and r9 hold numbers, r6 the context,
// r7 and r8 the packet's ends, the stack is written before it is read, and every pointer is checked before it is used.

import { type AluOp, type Bytes, Code, type Insn, ISA, type JumpOp, type Label, type MapDef } from '@netsieve/asm'

export type RandomType = 'xdp' | 'sched_cls' | 'socket_filter' | 'cgroup_skb'

export interface RandomProgram {
  readonly type: RandomType
  readonly program: readonly Insn[]
  readonly maps: readonly MapDef[]
}

/** mulberry32: small, seeded, good enough to choose instructions. */
export class Random {
  private state: number
  constructor(seed: number) {
    this.state = seed | 0
  }
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
  below(n: number): number {
    return this.next() % n
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
  /** Numbers near the edges of what fits come often. */
  s32(): number {
    switch (this.below(6)) {
      case 0:
        return this.below(64)
      case 1:
        return -this.below(64)
      case 2:
        return this.pick([0x7fffffff, -0x80000000, 0xffff, 0x8000, 0xff, 0x80, -1, 0])
      default:
        return this.next() | 0
    }
  }
  u64(): bigint {
    return (BigInt(this.s32() >>> 0) << 32n) | BigInt(this.s32() >>> 0)
  }
}

export const MAPS: readonly MapDef[] = [
  { name: 'array', type: 'array', keySize: 4, valueSize: 8, maxEntries: 4 },
  { name: 'hash', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 4 },
]

const ALU_OPS: readonly AluOp[] = [
  'add',
  'sub',
  'mul',
  'div',
  'sdiv',
  'or',
  'and',
  'lsh',
  'rsh',
  'mod',
  'smod',
  'xor',
  'mov',
  'arsh',
]
const JUMPS: readonly JumpOp[] = ['jeq', 'jgt', 'jge', 'jset', 'jne', 'jsgt', 'jsge', 'jlt', 'jle', 'jslt', 'jsle']
const SIZES = [1, 2, 4, 8] as const
const LETTER = { 1: 'b', 2: 'h', 4: 'w', 8: 'dw' } as const
const ATOMICS = ISA.filter((spec) => spec.kind === 'atomic' && spec.group !== 'linux')
const CB = 48

/** The stack that is written at the start: 64 bytes for numbers, 16 above for keys and values of maps. */
const STACK = 64
const KEY = -72
const VALUE = -80
/** Frames below the program's own. */
const MOST_CALLS = 7

class Generator {
  readonly random: Random
  readonly type: RandomType
  readonly code = new Code()
  /** The first is called by the program, each by the one before. */
  private readonly subprograms: readonly Label[]
  private called = false
  /** LD_ABS and local calls do not go together in the kernel. */
  private readonly legacy: boolean
  private depth = 0

  constructor(seed: number, type: RandomType) {
    this.random = new Random(seed)
    this.type = type
    this.legacy = (type === 'socket_filter' || type === 'sched_cls') && this.random.below(2) === 0
    const depth = 1 + this.random.below(this.random.below(3) ? 2 : MOST_CALLS)
    this.subprograms = Array.from({ length: depth }, (_, k) => this.code.label(`sub${k}`))
  }

  private get direct(): boolean {
    return this.type !== 'socket_filter'
  }
  private get writable(): boolean {
    return this.type === 'xdp' || this.type === 'sched_cls'
  }

  program(pieces: number): Insn[] {
    const { code, random } = this
    code.mov(6, { reg: 1 })
    this.bounds()
    for (let r = 0; r < 6; r++) code.lddw(r, random.u64())
    code.lddw(9, random.u64())
    for (let at = -STACK; at < 0; at += 8) {
      if (random.below(2)) code.store(8, 10, at, random.s32())
      else code.store(8, 10, at, { reg: random.below(6) })
    }
    code.store(8, 10, KEY, random.below(6))
    code.store(8, 10, VALUE, random.s32())
    this.pieces(pieces)
    this.epilogue()
    if (this.called)
      for (const [k, label] of this.subprograms.entries()) this.subprogram(label, this.subprograms[k + 1], k === 0)
    return code.layout()
  }

  private bounds(): void {
    if (!this.direct) return
    const [data, end] = this.type === 'xdp' ? [0, 4] : [76, 80]
    this.code.load(4, 7, 6, data)
    this.code.load(4, 8, 6, end)
  }

  private scalar(): number {
    return this.random.pick([0, 1, 2, 3, 4, 5, 9])
  }

  /** r1..r5 are gone after a call. */
  private refresh(from = 1): void {
    for (let r = from; r < 6; r++) this.code.mov(r, this.random.s32())
  }

  private pieces(count: number): void {
    for (let i = 0; i < count; i++) this.piece()
  }

  private piece(): void {
    const { random } = this
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.alu()
      case 4:
        return this.unary()
      case 5:
      case 6:
        return this.jump()
      case 7:
        return this.stack()
      case 8:
        return this.direct ? this.packet() : this.skbLoad()
      case 9:
        return this.context()
      case 10:
        return this.atomic(10, -STACK + random.below(8) * 8)
      case 11:
        return this.mapLookup()
      case 12:
        return this.mapChange()
      case 13:
        return this.loop()
      case 14:
        return this.legacy ? this.packetLoad() : this.localCall()
      default:
        return this.helper()
    }
  }

  private alu(): void {
    const { code, random } = this
    const op = random.pick(ALU_OPS)
    const width = random.below(2) ? 32 : 64
    const dst = random.below(6)
    if (random.below(2)) return code.alu(op, dst, { reg: this.scalar() }, width)
    let imm = random.s32()
    if (op === 'lsh' || op === 'rsh' || op === 'arsh') imm &= width - 1
    if (imm === 0 && (op === 'div' || op === 'mod' || op === 'sdiv' || op === 'smod')) imm = 3
    code.alu(op, dst, imm, width)
  }

  private unary(): void {
    const { code, random } = this
    const spec = random.pick(UNARY)
    const dst = random.below(6)
    code.emit(spec.name, { dst, ...(spec.uses.has('src') && { src: this.scalar() }) })
  }

  private jump(): void {
    const { code, random } = this
    const skip = code.label()
    const source = random.below(2) ? { reg: this.scalar() } : random.s32()
    code.jump(random.pick(JUMPS), random.below(6), source, skip, random.below(2) ? 32 : 64)
    if (this.depth < 3) {
      this.depth++
      this.pieces(1 + random.below(3))
      this.depth--
    } else this.alu()
    if (random.below(3) === 0) {
      const end = code.label()
      code.goto(end)
      code.bind(skip)
      this.alu()
      code.bind(end)
    } else code.bind(skip)
  }

  /** A load, one in two with sign extension where there is one. */
  private loadAny(size: Bytes, dst: number, src: number, off: number): void {
    if (size < 8 && this.random.below(2)) this.code.emit(`ldxs${LETTER[size]}`, { dst, src, off })
    else this.code.load(size, dst, src, off)
  }

  private stack(): void {
    const { code, random } = this
    const size = random.pick(SIZES)
    const off = -STACK + random.below(STACK / size) * size
    if (random.below(2)) code.store(size, 10, off, random.below(2) ? { reg: this.scalar() } : random.s32())
    else this.loadAny(size, random.below(6), 10, off)
  }

  /** A load or store in the packet behind a check, at a fixed or a variable place. */
  private packet(): void {
    const { code, random } = this
    const size = random.pick(SIZES)
    const skip = code.label()
    const off = random.below(40)
    code.mov(5, { reg: 7 })
    if (random.below(2)) {
      code.mov(4, { reg: random.below(4) })
      code.alu('and', 4, 0x1f)
      code.alu('add', 5, { reg: 4 })
    }
    code.mov(4, { reg: 5 })
    code.alu('add', 4, off + size)
    code.jump('jgt', 4, { reg: 8 }, skip)
    if (this.writable && random.below(3) === 0)
      code.store(size, 5, off, random.below(2) ? { reg: random.below(4) } : random.s32())
    else this.loadAny(size, random.below(4), 5, off)
    code.bind(skip)
    this.refresh(4)
  }

  private context(): void {
    const { code, random } = this
    if (this.type === 'xdp') return code.load(4, random.below(6), 6, random.pick([12, 16]))
    const cell = CB + random.below(5) * 4
    switch (random.below(4)) {
      case 0:
        return code.store(4, 6, cell, random.below(2) ? { reg: this.scalar() } : random.s32())
      case 1: {
        const size = random.pick([1, 2, 4] as const)
        return code.load(size, random.below(6), 6, cell + random.below(4 / size) * size)
      }
      case 2:
        if (this.type === 'socket_filter') return this.alu()
        return code.store(4, 6, 8, { reg: this.scalar() })
      default: {
        const field = random.pick([0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 68, 164, 176])
        const size = random.pick([1, 2, 4] as const)
        return code.load(size, random.below(6), 6, field + random.below(4 / size) * size)
      }
    }
  }

  private atomic(base: number, off: number): void {
    const { code, random } = this
    const spec = random.pick(ATOMICS)
    const at = off + (spec.size === 4 && random.below(2) ? 4 : 0)
    code.emit(spec.name, { dst: base, src: 1 + random.below(5), off: at })
  }

  private mapCall(map: number, helper: number): void {
    const { code } = this
    code.emit('lddw_map_index', { dst: 1, imm: map })
    code.mov(2, { reg: 10 })
    code.alu('add', 2, KEY)
    if (helper === 2) {
      code.mov(3, { reg: 10 })
      code.alu('add', 3, VALUE)
      code.mov(4, this.random.pick([0, 0, 1, 2, 3]))
    }
    code.call(helper)
  }

  private mapLookup(): void {
    const { code, random } = this
    const skip = code.label()
    code.store(4, 10, KEY, random.below(6))
    this.mapCall(random.below(2), 1)
    this.refresh()
    code.jump('jeq', 0, 0, skip)
    // cmpxchg writes r0: the pointer moves.
    code.mov(5, { reg: 0 })
    code.mov(0, random.s32())
    const size = random.pick(SIZES)
    const off = random.below(8 / size) * size
    switch (random.below(3)) {
      case 0:
        code.load(size, 1, 5, off)
        break
      case 1:
        code.store(size, 5, off, { reg: 1 + random.below(4) })
        break
      default: {
        const spec = random.pick(ATOMICS)
        code.emit(spec.name, { dst: 5, src: 1 + random.below(4), off: spec.size === 4 ? random.below(2) * 4 : 0 })
      }
    }
    code.bind(skip)
    code.mov(0, random.s32())
    code.mov(5, random.s32())
  }

  private mapChange(): void {
    const { code, random } = this
    code.store(4, 10, KEY, random.below(6))
    if (random.below(2)) code.store(8, 10, VALUE, { reg: this.scalar() })
    this.mapCall(random.below(2), random.below(3) === 0 ? 3 : 2)
    this.refresh()
  }

  private loop(): void {
    const { code, random } = this
    if (this.depth > 0) return this.alu()
    this.depth = 4
    const again = code.label('loop')
    code.mov(9, 1 + random.below(6))
    code.bind(again)
    for (let i = 0; i < 1 + random.below(3); i++) {
      if (random.below(3)) this.alu()
      else this.stack()
    }
    code.alu('sub', 9, 1)
    code.jump('jne', 9, 0, again)
    this.depth = 0
  }

  private packetLoad(): void {
    const { code, random } = this
    const letter = random.pick(['b', 'h', 'w'])
    const header = this.type === 'socket_filter' ? 0 : random.pick([-0x100000, -0x200000])
    const offset = random.pick([0, 0, header]) + random.below(60)
    if (random.below(2)) code.emit(`ldabs${letter}`, { imm: offset })
    else {
      code.mov(1, { reg: random.below(6) })
      code.alu('and', 1, 0x3f)
      code.emit(`ldind${letter}`, { src: 1, imm: random.below(20) })
    }
    this.refresh()
  }

  private localCall(): void {
    this.called = true
    this.code.emit('call_local', {}, this.subprograms[0]!)
    this.refresh()
  }

  /** Computes with r1 and a number: r2, or for those that functions call what r2 points to in the caller's stack, and writes that. */
  private subprogram(label: Label, next: Label | undefined, first: boolean): void {
    const { code, random } = this
    code.bind(label)
    code.mov(0, { reg: 1 })
    if (first) code.store(8, 10, -8, { reg: 2 })
    else {
      code.load(8, 3, 2, 0)
      code.store(8, 10, -8, { reg: 3 })
      code.store(8, 2, 0, { reg: 1 })
      this.refresh(2)
    }
    for (let i = 0; i < 4; i++)
      code.alu(
        random.pick(ALU_OPS.filter((op) => op !== 'lsh' && op !== 'rsh' && op !== 'arsh')),
        0,
        { reg: 1 + random.below(5) },
        random.below(2) ? 32 : 64,
      )
    if (next) {
      code.mov(6, { reg: 0 })
      code.mov(1, { reg: 0 })
      code.mov(2, { reg: 10 })
      code.alu('add', 2, -8)
      code.emit('call_local', {}, next)
      code.alu('xor', 0, { reg: 6 })
    }
    code.load(8, 2, 10, -8)
    code.alu('xor', 0, { reg: 2 })
    code.exit()
  }

  private skbLoad(): void {
    const { code, random } = this
    code.mov(1, { reg: 6 })
    code.mov(2, random.below(70))
    code.mov(3, { reg: 10 })
    code.alu('add', 3, -STACK)
    code.mov(4, 1 + random.below(32))
    // In a test run of a socket filter the headers' places are not those of a real packet.
    if (this.type !== 'socket_filter' && random.below(2)) {
      code.mov(5, random.below(2))
      code.call(68)
    } else code.call(26)
    this.refresh()
  }

  private helper(): void {
    const { code, random, type } = this
    switch (random.below(5)) {
      case 0:
        if (type === 'cgroup_skb' || type === 'socket_filter') return this.skbLoad()
        return this.checksum()
      case 1:
        return type === 'xdp' ? this.adjust() : this.skbLoad()
      case 2:
        return type === 'sched_cls' ? this.skbStore() : this.mapChange()
      case 3:
        return type === 'sched_cls' ? this.replaceChecksum() : this.alu()
      default:
        if (type !== 'xdp') return this.skbLoad()
        code.mov(1, { reg: 6 })
        code.mov(2, random.below(70))
        code.mov(3, { reg: 10 })
        code.alu('add', 3, -STACK)
        code.mov(4, 1 + random.below(32))
        code.call(random.pick([189, 190]))
        this.bounds()
        return this.refresh()
    }
  }

  private checksum(): void {
    const { code, random } = this
    for (const r of [1, 3]) {
      code.mov(r, { reg: 10 })
      code.alu('add', r, -STACK + random.below(4) * 8)
    }
    code.mov(2, random.below(5) * 4)
    code.mov(4, random.below(5) * 4)
    code.mov(5, random.s32())
    code.call(28)
    this.refresh()
  }

  private adjust(): void {
    const { code, random } = this
    code.mov(1, { reg: 6 })
    const helper = random.pick([44, 54, 65])
    code.mov(2, helper === 54 ? -4 * random.below(9) : random.below(41) - 20)
    code.call(helper)
    this.bounds()
    this.refresh()
  }

  private skbStore(): void {
    const { code, random } = this
    code.mov(1, { reg: 6 })
    code.mov(2, random.below(70))
    code.mov(3, { reg: 10 })
    code.alu('add', 3, -STACK)
    code.mov(4, 1 + random.below(16))
    code.mov(5, random.below(5))
    code.call(9)
    this.bounds()
    this.refresh()
  }

  private replaceChecksum(): void {
    const { code, random } = this
    code.mov(1, { reg: 6 })
    code.mov(2, random.below(60))
    code.mov(3, random.pick([0, random.s32()]))
    code.mov(4, random.s32())
    const size = random.pick([0, 2, 4, 4, 3])
    const layer4 = random.below(2) === 0
    code.mov(5, size | (layer4 ? random.pick([0, 0x10, 0x20, 0x60]) : 0))
    code.call(layer4 ? 11 : 10)
    this.bounds()
    this.refresh()
  }

  private epilogue(): void {
    const { code } = this
    for (const r of [1, 2, 3, 4, 5, 9]) {
      code.alu('mul', 0, 31)
      code.alu('xor', 0, { reg: r })
    }
    code.mov(1, { reg: 0 })
    code.alu('rsh', 1, 32)
    code.alu('xor', 0, { reg: 1 })
    if (this.type === 'cgroup_skb') code.alu('and', 0, 1)
    code.exit()
  }
}

const UNARY = ISA.filter(
  (spec) => spec.kind === 'end' || spec.kind === 'movsx' || (spec.kind === 'alu' && spec.alu === 'neg'),
)

export function randomProgram(seed: number): RandomProgram {
  const type = new Random(seed ^ 0x5bd1e995).pick<RandomType>([
    'xdp',
    'xdp',
    'sched_cls',
    'sched_cls',
    'socket_filter',
    'cgroup_skb',
  ])
  const generator = new Generator(seed, type)
  return { type, program: generator.program(4 + generator.random.below(24)), maps: MAPS }
}

/** Frames of one test: of several protocols and lengths, most of them with an IPv4 header. */
export function randomFrames(seed: number, count: number): Uint8Array[] {
  const random = new Random(seed ^ 0x2545f491)
  return Array.from({ length: count }, () => {
    const length = random.pick([34, 40, 54, 60, 60, 64, 90, 128])
    const frame = Uint8Array.from({ length }, () => random.below(256))
    const type = random.pick([0x0800, 0x0800, 0x0806, 0x8100, 0x88b5, 0x0100])
    frame[12] = type >> 8
    frame[13] = type & 0xff
    if (type === 0x0800) frame[14] = 0x45
    if (random.below(4) === 0) frame[0] = 0x01
    return frame
  })
}

/** Valid encodings that no verifier has seen: any form, any registers, offsets that mostly stay in the program. */
export function hostileProgram(seed: number): Insn[] {
  const random = new Random(seed)
  const code = new Code()
  const length = 4 + random.below(30)
  for (let i = 0; i < length; i++) {
    const spec = random.pick(ISA)
    const register = (): number => (random.below(40) === 0 ? random.below(16) : random.below(11))
    const fields = {
      dst: spec.uses.has('dst') ? register() : 0,
      ...(spec.uses.has('src') && { src: register() }),
      ...(spec.uses.has('off') && {
        off: hostileOffset(random, spec.kind === 'jump' || spec.kind === 'goto' || spec.kind === 'may_goto', length),
      }),
      ...(spec.uses.has('imm') && {
        imm: hostileImmediate(random, spec.kind === 'goto' || spec.kind === 'call', length),
      }),
    }
    if (random.below(3) === 0) code.load(4, random.below(10), 1, random.pick([0, 4, 76, 80]))
    code.emit(spec.name, fields)
  }
  code.exit()
  return code.layout()
}

function hostileOffset(random: Random, jump: boolean, length: number): number {
  if (jump) return random.below(8) === 0 ? (random.s32() << 16) >> 16 : random.below(length) - (length >> 1)
  return random.pick([0, 0, 4, 8, -8, -16, -512, 12, 76, random.below(64), (random.s32() << 16) >> 16])
}

function hostileImmediate(random: Random, target: boolean, length: number): number {
  return target && random.below(4)
    ? random.pick([1, 2, 3, 26, 28, 44, 65, 181, random.below(length) - (length >> 1)])
    : random.s32()
}

/** Short filters that only load, compute and jump forward: at most 64 instructions, every load behind its check. */
export function randomFilter(seed: number): Insn[] {
  const random = new Random(seed)
  for (;;) {
    const code = new Code()
    const drop = code.label('drop')
    const pass = code.label('pass')
    if (random.below(2)) {
      code.mov(9, { reg: 1 })
      code.load(4, 7, 9, 0)
    } else code.load(4, 7, 1, 0)
    code.load(4, 8, 1, 4)
    const pieces = 2 + random.below(5)
    // To the drop directly, or to where nothing is done but going there.
    const hop = code.label('hop')
    for (let i = 0; i < pieces; i++) filterPiece(code, random, random.below(2) ? drop : hop, pass)
    code.goto(random.below(2) ? drop : pass)
    code.bind(hop)
    code.goto(drop)
    code.bind(pass)
    code.mov(0, random.below(3) ? 2 : { reg: 3 })
    code.exit()
    code.bind(drop)
    code.mov(0, 1)
    code.exit()
    const program = code.layout()
    if (program.length <= 64) return program
  }
}

function filterPiece(code: Code, random: Random, drop: Label, pass: Label): void {
  const size = random.pick([1, 2, 4, 8] as const)
  const off = random.below(50)
  let base = 7
  if (random.below(3) === 0) {
    code.alu('and', 3, 0x3c)
    code.mov(4, { reg: 7 })
    code.alu('add', 4, { reg: 3 })
    base = 4
  }
  code.mov(2, { reg: base })
  code.alu('add', 2, off + size)
  code.jump('jgt', 2, { reg: 8 }, random.pick([drop, pass]))
  code.load(size, 3, base, off)
  if (size > 1 && random.below(2)) code.be(3, (size * 8) as 16 | 32 | 64)
  if (random.below(2))
    code.alu(
      random.pick(['add', 'and', 'xor', 'rsh', 'arsh', 'mul', 'sub'] as const),
      random.pick([3, 5]),
      random.below(32),
      random.below(2) ? 32 : 64,
    )
  if (random.below(3) === 0) code.alu(random.pick(['add', 'or', 'mov'] as const), 5, { reg: 3 })
  const test = random.pick(JUMPS)
  const source = random.below(2) ? random.below(256) : random.s32()
  if (random.below(2))
    return code.jump(test, random.pick([3, 5]), source, random.pick([drop, pass]), random.below(2) ? 32 : 64)
  const over = code.label()
  code.jump(test, 3, source, over, random.below(2) ? 32 : 64)
  code.alu('xor', random.pick([3, 5]), random.s32())
  if (random.below(3) === 0) code.goto(random.pick([drop, pass]))
  code.bind(over)
}
