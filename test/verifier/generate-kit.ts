// What generated programs are made with: the program as it grows, what is believed of its registers, and the small steps that
// many statements share.

import {
  type AluOp,
  type Bytes,
  Code,
  type FunctionProto,
  type JumpOp,
  type Label,
  type MapDef,
  type ProgTypeName,
} from '@netsieve/asm'
import type { Random } from './random.ts'

/** The maps that every generated program is loaded with. */
export const MAPS: readonly MapDef[] = [
  { name: 'm', type: 'array', keySize: 4, valueSize: 16, maxEntries: 4 },
  { name: 'm', type: 'hash', keySize: 8, valueSize: 48, maxEntries: 16 },
  { name: 'm', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 4 },
  { name: 'm', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 },
  { name: 'm', type: 'percpu_array', keySize: 4, valueSize: 8, maxEntries: 2 },
  { name: 'm', type: 'lpm_trie', keySize: 8, valueSize: 8, maxEntries: 16, flags: 1 },
  { name: 'm', type: 'array', keySize: 4, valueSize: 256, maxEntries: 1 },
  { name: 'm', type: 'hash', keySize: 8, valueSize: 24, maxEntries: 16, spinLockAt: 0 },
  { name: 'm', type: 'array_of_maps', keySize: 4, valueSize: 4, maxEntries: 4, inner: { name: 'm', type: 'array', keySize: 4, valueSize: 16, maxEntries: 4 } },
  { name: 'm', type: 'lru_hash', keySize: 4, valueSize: 64, maxEntries: 16 },
  { name: 'm', type: 'queue', keySize: 0, valueSize: 8, maxEntries: 4 },
] // biome-ignore format: one table
export const MAP = { array: 0, hash: 1, programs: 2, records: 3, percpu: 4, lpm: 5, table: 6, locked: 7, nested: 8, lru: 9, queue: 10 } as const // biome-ignore format: one row

/** A function of the program that is still to be written. */
export interface Planned {
  readonly label: Label
  readonly kind: 'local' | 'global' | 'loop' | 'each'
  /** Global functions: what they take. */
  readonly params: FunctionProto['params']
}

export type Held = 'none' | 'number' | 'small' | 'packet' | 'value'

export const ALU: readonly AluOp[] = ['add', 'sub', 'mul', 'div', 'mod', 'or', 'and', 'xor', 'lsh', 'rsh', 'arsh', 'mov', 'neg', 'sdiv', 'smod'] // biome-ignore format: one row
export const JUMPS: readonly JumpOp[] = [
  'jeq',
  'jne',
  'jgt',
  'jge',
  'jlt',
  'jle',
  'jsgt',
  'jsge',
  'jslt',
  'jsle',
  'jset',
]
export const SIZES: readonly Bytes[] = [1, 2, 4, 8]
export const CTX = 6
export const DATA = 7
export const END = 8
export const SCRATCH = [0, 1, 2, 3, 4, 5, 9] as const

export class Program {
  readonly code = new Code()
  readonly held = new Map<number, Held>()
  readonly type: ProgTypeName
  /** Stack slots written, as offsets. */
  written = new Set<number>()
  /** Bytes of packet known to be there; 0 where the program has no packet pointers. */
  checked = 0
  readonly rand: Random
  depth = 0
  readonly functions: Planned[] = []
  /** One mistake in this many chances. */
  readonly carelessness: number

  constructor(rand: Random, type: ProgTypeName, carelessness: number) {
    this.rand = rand
    this.type = type
    this.carelessness = carelessness
  }

  slip(): boolean {
    return this.carelessness > 0 && this.rand.oneIn(this.carelessness)
  }

  regs(...kinds: Held[]): number[] {
    return SCRATCH.filter((r) => kinds.includes(this.held.get(r) ?? 'none'))
  }

  number(): number {
    const found = this.regs('number', 'small')
    if (found.length > 0 && !this.slip()) return this.rand.pick(found)
    if (this.slip()) return this.rand.pick(SCRATCH)
    const reg = this.rand.pick(SCRATCH)
    this.code.mov(reg, this.constant())
    this.held.set(reg, 'number')
    return reg
  }

  constant(): number {
    const { rand } = this
    switch (rand.below(6)) {
      case 0:
        return rand.below(8)
      case 1:
        return rand.below(256)
      case 2:
        return -rand.below(1000)
      case 3:
        return 1 << rand.below(32)
      case 4:
        return (1 << rand.below(31)) - 1
      default:
        return (rand.below(0x10000) << 16) | rand.below(0x10000)
    }
  }

  target(): number {
    return this.rand.pick(SCRATCH)
  }
}

/** A number made small by a mask, a shift, a modulus or a comparison. */
export function narrow(p: Program): void {
  const { rand, code } = p
  const reg = p.number()
  switch (rand.below(5)) {
    case 0:
      code.alu('and', reg, (1 << rand.below(7)) - 1, rand.oneIn(2) ? 32 : 64)
      break
    case 1:
      code.alu('rsh', reg, 58 + rand.below(6))
      break
    case 2: {
      const skip = code.label('small')
      code.jump(rand.pick(['jlt', 'jle'] as const), reg, rand.below(64), skip, rand.oneIn(3) ? 32 : 64)
      code.mov(reg, rand.below(64))
      code.bind(skip)
      break
    }
    case 3: {
      const skip = code.label('small')
      code.jump('jslt', reg, rand.below(64), skip)
      code.mov(reg, rand.below(64))
      code.bind(skip)
      if (rand.oneIn(2)) break
      const positive = code.label('positive')
      code.jump('jsge', reg, 0, positive)
      code.mov(reg, 0)
      code.bind(positive)
      break
    }
    default:
      code.alu('and', reg, rand.pick([0xff, 0xf0, 0x3c, 0xffff, 7, 8]))
  }
  p.held.set(reg, 'small')
}

export function small(p: Program): number {
  const found = p.regs('small')
  if (found.length > 0) return p.rand.pick(found)
  narrow(p)
  return p.rand.pick(p.regs('small'))
}

export function merge(p: Program, other: ReadonlyMap<number, Held>): void {
  for (const reg of SCRATCH) {
    if (p.held.get(reg) === other.get(reg)) continue
    const a = p.held.get(reg) ?? 'none'
    const b = other.get(reg) ?? 'none'
    const numbers = (h: Held) => h === 'number' || h === 'small'
    p.held.set(reg, numbers(a) && numbers(b) ? 'number' : 'none')
  }
}

export function clobber(p: Program): void {
  for (const reg of [1, 2, 3, 4, 5]) p.held.set(reg, 'none')
  p.held.set(0, 'number')
}

export function loadMap(p: Program, dst: number, map: number): void {
  p.code.emit('lddw_map_index', { dst, imm: map })
}

export function arithmetic(p: Program): void {
  const { rand, code } = p
  const dst = p.number()
  const width = rand.oneIn(3) ? 32 : 64
  const op = rand.pick(ALU)
  const shift = op === 'lsh' || op === 'rsh' || op === 'arsh'
  if (rand.oneIn(2) && op !== 'neg') {
    const src = p.number()
    code.alu(op, dst, { reg: src }, width)
  } else {
    let imm = shift ? rand.below(width) : p.constant()
    if ((op === 'div' || op === 'mod' || op === 'sdiv' || op === 'smod') && imm === 0 && !p.slip()) imm = 3
    if (shift && p.slip()) imm = width
    code.alu(op, dst, imm, width)
  }
  p.held.set(dst, 'number')
}
