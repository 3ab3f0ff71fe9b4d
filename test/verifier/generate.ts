// Random but meaningful programs: arithmetic, branches, packet, stack and map accesses built around plausible checks, loops,
// functions. Most are right; some have one plausible mistake. A seed and a size name a program for good.

import {
  type AluOp,
  type Bytes,
  Code,
  type Insn,
  type JumpOp,
  type Label,
  type MapDef,
  type ProgTypeName,
} from '@netsieve/asm'
import { type Random, random } from './random.ts'

/** The maps that every generated program is loaded with. */
export const MAPS: readonly MapDef[] = [
  { name: 'm', type: 'array', keySize: 4, valueSize: 16, maxEntries: 4 },
  { name: 'm', type: 'hash', keySize: 8, valueSize: 48, maxEntries: 16 },
  { name: 'm', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 4 },
  { name: 'm', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 },
  { name: 'm', type: 'percpu_array', keySize: 4, valueSize: 8, maxEntries: 2 },
]

export interface Generated {
  readonly type: ProgTypeName
  readonly program: readonly Insn[]
}

/** What the generator believes a register holds. */
type Held = 'none' | 'number' | 'small' | 'packet' | 'value'

const ALU: readonly AluOp[] = ['add', 'sub', 'mul', 'div', 'mod', 'or', 'and', 'xor', 'lsh', 'rsh', 'arsh', 'mov', 'neg', 'sdiv', 'smod'] // biome-ignore format: one row
const JUMPS: readonly JumpOp[] = ['jeq', 'jne', 'jgt', 'jge', 'jlt', 'jle', 'jsgt', 'jsge', 'jslt', 'jsle', 'jset']
const SIZES: readonly Bytes[] = [1, 2, 4, 8]
const CTX = 6
const DATA = 7
const END = 8
const SCRATCH = [0, 1, 2, 3, 4, 5, 9] as const

class Program {
  readonly code = new Code()
  readonly held = new Map<number, Held>()
  readonly type: ProgTypeName
  /** Stack slots written, as offsets. */
  written = new Set<number>()
  /** Bytes of packet known to be there; 0 where the program has no packet pointers. */
  checked = 0
  readonly rand: Random
  depth = 0
  functions: Label[] = []
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

/** Builds the program of a seed. */
export function generate(seed: number): Generated {
  const rand = random(seed)
  const type = rand.pick(['xdp', 'xdp', 'sched_cls', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const)
  const p = new Program(rand, type, rand.oneIn(2) ? 0 : 12 + rand.below(60))
  prologue(p)
  statements(p, 3 + rand.below(14))
  epilogue(p)
  for (const label of p.functions) body(p, label)
  return { type, program: p.code.layout() }
}

function prologue(p: Program): void {
  p.code.mov(CTX, { reg: 1 })
  if (p.type === 'socket_filter') return
  const xdp = p.type === 'xdp'
  p.code.load(4, DATA, CTX, xdp ? 0 : 76)
  p.code.load(4, END, CTX, xdp ? 4 : 80)
}

function epilogue(p: Program): void {
  if (p.slip()) p.code.mov(0, { reg: p.number() })
  else p.code.mov(0, p.rand.below(2))
  p.code.exit()
}

function statements(p: Program, count: number): void {
  for (let i = 0; i < count; i++) statement(p)
}

type Maker = (p: Program) => void
const MAKERS: readonly Maker[] = [
  arithmetic, arithmetic, arithmetic, arithmetic, constant, fromContext, fromContext, checkPacket, checkPacket, readPacket, readPacket, readPacket,
  variablePacket, storeStack, storeStack, loadStack, loadStack, variableStack, ifElse, ifElse, ifElse, narrow, narrow, loop, lookup, lookup, helper,
  helper, callFunction, extend, swap, atomic, packetWrite, loadBytes, ringbuf, tailCall, absolute, copyLinked, pointerMath,
] // biome-ignore format: a bag to draw from

function statement(p: Program): void {
  if (p.depth > 2) return arithmetic(p)
  p.rand.pick(MAKERS)(p)
}

function arithmetic(p: Program): void {
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

function constant(p: Program): void {
  const dst = p.target()
  if (p.rand.oneIn(4)) p.code.lddw(dst, (BigInt(p.rand.below(0x100000000)) << 32n) | BigInt(p.rand.below(0x100000000)))
  else p.code.mov(dst, p.constant(), p.rand.oneIn(3) ? 32 : 64)
  p.held.set(dst, 'number')
}

/** A number made small by a mask, a shift, a modulus or a comparison. */
function narrow(p: Program): void {
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

function small(p: Program): number {
  const found = p.regs('small')
  if (found.length > 0) return p.rand.pick(found)
  narrow(p)
  return p.rand.pick(p.regs('small'))
}

const FIELDS = {
  xdp: [12, 16],
  sched_cls: [0, 4, 8, 16, 24, 36, 40, 48, 68, 76, 152, 160],
  socket_filter: [0, 4, 8, 16, 24, 36, 40, 48, 68],
  cgroup_skb: [0, 4, 8, 16, 24, 36, 40, 48, 88, 92],
} as const

function fromContext(p: Program): void {
  const { rand, code } = p
  const dst = p.target()
  const off = p.slip() ? rand.below(200) : rand.pick(FIELDS[p.type])
  code.load(p.slip() ? rand.pick(SIZES) : off === 152 ? 8 : 4, dst, CTX, off)
  p.held.set(dst, off === 76 ? 'packet' : 'number')
  if (p.type !== 'xdp' && rand.oneIn(4)) {
    const value = p.number()
    code.store(4, CTX, 48 + 4 * rand.below(p.slip() ? 7 : 5), { reg: value })
  }
}

/** `if (data + n > data_end) goto out`, in one of its forms. */
function checkPacket(p: Program): void {
  if (p.type === 'socket_filter') return arithmetic(p)
  const { rand, code } = p
  const bytes = rand.pick([1, 2, 8, 14, 20, 34, 54, 100])
  const ptr = p.target()
  const out = code.label('short')
  code.mov(ptr, { reg: DATA })
  code.alu('add', ptr, bytes)
  const done = code.label('done')
  switch (rand.below(6)) {
    case 0:
      code.jump('jge', ptr, { reg: END }, out)
      break
    case 1:
      code.jump('jlt', END, { reg: ptr }, out)
      break
    case 2: {
      const good = code.label('good')
      code.jump('jle', ptr, { reg: END }, good)
      code.goto(out)
      code.bind(good)
      break
    }
    case 3: {
      const good = code.label('good')
      code.jump(rand.pick(['jge', 'jgt'] as const), END, { reg: ptr }, good)
      code.goto(out)
      code.bind(good)
      break
    }
    default:
      code.jump('jgt', ptr, { reg: END }, out)
  }
  const before = p.checked
  p.checked = Math.max(p.checked, bytes)
  p.held.set(ptr, 'none')
  const snapshot = new Map(p.held)
  p.depth++
  statements(p, 1 + rand.below(4))
  p.depth--
  if (rand.oneIn(3)) code.goto(done)
  code.bind(out)
  code.bind(done)
  p.checked = before
  merge(p, snapshot)
}

function merge(p: Program, other: ReadonlyMap<number, Held>): void {
  for (const reg of SCRATCH) {
    if (p.held.get(reg) === other.get(reg)) continue
    const a = p.held.get(reg) ?? 'none'
    const b = other.get(reg) ?? 'none'
    const numbers = (h: Held) => h === 'number' || h === 'small'
    p.held.set(reg, numbers(a) && numbers(b) ? 'number' : 'none')
  }
}

function readPacket(p: Program): void {
  if (p.type === 'socket_filter') return arithmetic(p)
  const { rand, code } = p
  const size = rand.pick(SIZES)
  const limit = p.checked - size
  if (limit < 0 && !p.slip()) return arithmetic(p)
  const off = Math.max(0, limit < 0 ? 0 : rand.below(limit + 1)) + (p.slip() ? rand.below(4) : 0)
  const dst = p.target()
  code.load(size, dst, DATA, off)
  p.held.set(dst, size === 1 ? 'small' : 'number')
}

/** A header whose place depends on a number: pointer plus number, checked anew. */
function variablePacket(p: Program): void {
  if (p.type === 'socket_filter') return narrow(p)
  const { rand, code } = p
  const index = small(p)
  const ptr = rand.pick(SCRATCH.filter((r) => r !== index))
  const end = rand.pick(SCRATCH.filter((r) => r !== index && r !== ptr))
  const out = code.label('short')
  code.mov(ptr, { reg: DATA })
  code.alu('add', ptr, { reg: index })
  code.mov(end, { reg: ptr })
  const bytes = 1 + rand.below(20)
  code.alu('add', end, bytes)
  code.jump('jgt', end, { reg: END }, out)
  const snapshot = new Map(p.held)
  snapshot.set(ptr, 'none')
  snapshot.set(end, 'none')
  const size = rand.pick([1, 2, 4] as const)
  code.load(size, end, ptr, Math.max(0, rand.below(Math.max(1, bytes - size + 1 + (p.slip() ? 3 : 0)))))
  if (bytes < size && !p.slip()) code.mov(end, 0)
  p.held.set(ptr, 'none')
  p.held.set(end, 'number')
  code.bind(out)
  merge(p, snapshot)
}

function slotOffset(p: Program, size: number): number {
  return -size * (1 + p.rand.below(Math.floor(64 / size)))
}

function storeStack(p: Program): void {
  const { rand, code } = p
  const size = rand.oneIn(2) ? 8 : rand.pick(SIZES)
  const off = slotOffset(p, size) - (p.slip() ? 1 : 0)
  if (rand.oneIn(3)) code.store(size, 10, off, rand.oneIn(2) ? 0 : p.constant())
  else if (rand.oneIn(6))
    code.store(p.slip() ? size : 8, 10, p.slip() ? off : -8 * (1 + rand.below(8)), { reg: rand.pick([CTX, 10]) })
  else code.store(size, 10, off, { reg: p.number() })
  p.written.add(off)
}

function loadStack(p: Program): void {
  const { rand, code } = p
  const size = rand.oneIn(2) ? 8 : rand.pick(SIZES)
  const dst = p.target()
  const known = [...p.written].filter((off) => off % size === 0)
  code.load(size, dst, 10, known.length > 0 && !rand.oneIn(4) ? rand.pick(known) : slotOffset(p, size))
  p.held.set(dst, 'number')
  if (rand.oneIn(2)) code.alu('and', dst, 0xff, 32)
}

function variableStack(p: Program): void {
  const { rand, code } = p
  const index = small(p)
  const ptr = rand.pick(SCRATCH.filter((r) => r !== index))
  code.alu('and', index, rand.pick([7, 15, 31]))
  code.mov(ptr, { reg: 10 })
  code.alu('add', ptr, { reg: index })
  const off = -64 + rand.below(3) * 8 + (p.slip() ? 40 : 0)
  if (rand.oneIn(2)) code.store(1, ptr, off, rand.oneIn(2) ? 0 : { reg: index })
  else {
    code.load(1, ptr, ptr, off)
    p.held.set(ptr, 'small')
    return
  }
  p.held.set(ptr, 'none')
}

function condition(p: Program, label: Label): void {
  const { rand, code } = p
  const op = rand.pick(JUMPS)
  const width = rand.oneIn(3) ? 32 : 64
  const reg = p.number()
  if (rand.oneIn(3)) {
    const other = p.number()
    code.jump(op, reg, { reg: other }, label, width)
  } else code.jump(op, reg, p.constant(), label, width)
}

function ifElse(p: Program): void {
  const { rand, code } = p
  const otherwise = code.label('else')
  const done = code.label('done')
  condition(p, otherwise)
  const snapshot = new Map(p.held)
  p.depth++
  statements(p, 1 + rand.below(4))
  if (rand.oneIn(6)) {
    code.mov(0, rand.below(2))
    code.exit()
    p.held.clear()
    for (const [r, h] of snapshot) p.held.set(r, h)
    code.bind(otherwise)
    p.depth--
    return
  }
  const both = rand.oneIn(2)
  if (both) code.goto(done)
  code.bind(otherwise)
  const after = new Map(p.held)
  p.held.clear()
  for (const [r, h] of snapshot) p.held.set(r, h)
  if (both) statements(p, 1 + rand.below(3))
  p.depth--
  code.bind(done)
  merge(p, after)
}

/** A loop with a counter that nothing else touches. */
function loop(p: Program): void {
  const { rand, code } = p
  if (p.depth > 0) return ifElse(p)
  const counter = 9
  const rounds = 1 + rand.below(12)
  const top = code.label('top')
  code.mov(counter, 0)
  p.held.set(counter, 'none')
  const snapshot = new Map(p.held)
  code.bind(top)
  p.depth += 2
  for (const reg of SCRATCH)
    if (reg !== counter && p.held.get(reg) !== 'number' && p.held.get(reg) !== 'small') p.held.set(reg, 'none')
  const count = 1 + rand.below(3)
  for (let i = 0; i < count; i++) {
    const reg = rand.pick(SCRATCH.filter((r) => r !== counter))
    if (p.held.get(reg) === 'none' || p.held.get(reg) === undefined) code.mov(reg, rand.below(16))
    else code.alu(rand.pick(['add', 'xor', 'mul', 'and', 'or'] as const), reg, rand.below(64))
    p.held.set(reg, 'number')
  }
  if (rand.oneIn(3)) {
    const out = code.label('break')
    condition(p, out)
    code.alu('add', counter, 1)
    code.jump(rand.pick(['jlt', 'jne', 'jslt'] as const), counter, rounds, top)
    code.bind(out)
  } else {
    if (!p.slip()) code.alu('add', counter, rand.oneIn(4) ? 2 : 1)
    code.jump(rand.pick(['jlt', 'jslt', 'jle'] as const), counter, rounds, top)
  }
  p.depth -= 2
  p.held.set(counter, 'small')
  merge(p, snapshot)
}

function clobber(p: Program): void {
  for (const reg of [1, 2, 3, 4, 5]) p.held.set(reg, 'none')
  p.held.set(0, 'number')
}

function loadMap(p: Program, dst: number, map: number): void {
  p.code.emit('lddw_map_index', { dst, imm: map })
}

function lookup(p: Program): void {
  const { rand, code } = p
  const map = rand.pick([0, 0, 1, 4])
  const def = MAPS[map]!
  const key = def.keySize === 8 ? 8 : 4
  code.store(key, 10, -8, rand.oneIn(2) ? rand.below(6) : { reg: p.number() })
  loadMap(p, 1, map)
  code.mov(2, { reg: 10 })
  code.alu('add', 2, p.slip() ? -4 : -8)
  if (rand.oneIn(5)) {
    code.mov(3, { reg: 10 })
    code.alu('add', 3, p.slip() ? -8 : -64)
    code.mov(4, 0)
    code.call(rand.oneIn(4) ? 3 : 2)
    clobber(p)
    return
  }
  code.call(1)
  clobber(p)
  p.held.set(0, 'value')
  const out = code.label('null')
  const snapshot = new Map(p.held)
  snapshot.set(0, 'none')
  if (rand.oneIn(4)) code.mov(9, { reg: 0 })
  if (!p.slip()) code.jump(rand.pick(['jeq', 'jeq', 'jne'] as const) === 'jeq' ? 'jeq' : 'jeq', 0, 0, out)
  const size = rand.pick(SIZES)
  const limit = def.valueSize - size
  if (rand.oneIn(3) && limit > 8) {
    const index = rand.pick([1, 2, 3])
    code.call(7)
    clobber(p)
    code.mov(index, rand.below(8))
    p.held.set(index, 'small')
  } else {
    const off = rand.below(limit + 1) + (p.slip() ? 4 : 0)
    if (rand.oneIn(2)) {
      code.load(size, 1, 0, off)
      p.held.set(1, 'number')
    } else code.store(size, 0, off, rand.below(100))
  }
  p.held.set(0, 'none')
  code.bind(out)
  merge(p, snapshot)
  p.held.set(0, 'none')
  if (rand.oneIn(2)) {
    code.mov(0, 0)
    p.held.set(0, 'number')
  }
}

function helper(p: Program): void {
  p.code.call(p.rand.pick([5, 7, 7, 7, 8, 118, 125]))
  clobber(p)
}

function callFunction(p: Program): void {
  if (p.functions.length > 2 || p.depth > 1) return helper(p)
  const label = p.rand.oneIn(3) && p.functions.length > 0 ? p.functions[0]! : p.code.label('f')
  if (!p.functions.includes(label)) p.functions.push(label)
  if (p.held.get(1) === undefined || p.held.get(1) === 'none') p.code.mov(1, p.rand.below(100))
  if (p.held.get(2) === undefined || p.held.get(2) === 'none') p.code.mov(2, p.rand.below(100))
  p.code.emit('call_local', {}, label)
  clobber(p)
}

function body(p: Program, label: Label): void {
  const { code, rand } = p
  code.bind(label)
  p.held.clear()
  p.checked = 0
  p.written = new Set()
  p.held.set(1, 'number')
  p.held.set(2, 'number')
  p.depth = 3
  for (let i = rand.below(4); i > 0; i--) arithmetic(p)
  if (rand.oneIn(2)) {
    const out = code.label('out')
    condition(p, out)
    arithmetic(p)
    code.bind(out)
  }
  if (rand.oneIn(2)) {
    storeStack(p)
    loadStack(p)
  }
  if (rand.oneIn(3)) code.mov(0, { reg: 1 })
  else code.mov(0, rand.below(4))
  code.exit()
}

function extend(p: Program): void {
  const dst = p.number()
  p.code.emit(p.rand.pick(['movsx864', 'movsx1664', 'movsx3264', 'movsx832', 'movsx1632']), { dst, src: p.number() })
  p.held.set(dst, 'number')
}

function swap(p: Program): void {
  p.code.emit(p.rand.pick(['be16', 'be32', 'be64', 'le16', 'bswap32', 'bswap64']), { dst: p.number() })
}

function atomic(p: Program): void {
  const { rand, code } = p
  const src = p.number()
  const wide = rand.oneIn(2)
  const off = wide ? -8 * (1 + rand.below(8)) : -4 * (1 + rand.below(16))
  code.store(wide ? 8 : 4, 10, off, rand.below(9))
  const op = rand.pick(['add', 'or', 'and', 'xor', 'fetch_add', 'fetch_xor', 'xchg'])
  code.emit(`atomic_${op}_${wide ? 'dw' : 'w'}`, { dst: p.slip() ? DATA : 10, src, off })
}

function packetWrite(p: Program): void {
  if (p.checked < 4 || (p.type !== 'xdp' && p.type !== 'sched_cls' && !p.slip())) return arithmetic(p)
  const size = p.rand.pick([1, 2, 4] as const)
  p.code.store(size, DATA, p.rand.below(p.checked - size + 1), p.rand.oneIn(2) ? 7 : { reg: p.number() })
}

function loadBytes(p: Program): void {
  if (p.type === 'xdp') return helper(p)
  const { rand, code } = p
  code.mov(1, { reg: CTX })
  code.mov(2, rand.below(64))
  code.mov(3, { reg: 10 })
  const bytes = 8 * (1 + rand.below(4))
  code.alu('add', 3, -bytes)
  if (rand.oneIn(3)) {
    code.mov(4, { reg: p.slip() ? p.number() : rand.pick([2]) })
    code.alu('and', 4, p.slip() ? 63 : 7)
    if (!p.slip()) code.alu('add', 4, 1)
  } else code.mov(4, bytes + (p.slip() ? 8 : 0))
  code.call(26)
  clobber(p)
  p.written.add(-bytes)
}

function ringbuf(p: Program): void {
  const { rand, code } = p
  loadMap(p, 1, 3)
  code.mov(2, 16)
  code.mov(3, 0)
  code.call(131)
  clobber(p)
  p.held.set(0, 'none')
  const out = code.label('full')
  if (!p.slip()) code.jump('jeq', 0, 0, out)
  code.store(8, 0, p.slip() ? 16 : 8 * rand.below(2), 7)
  code.mov(1, { reg: 0 })
  code.mov(2, 0)
  if (!p.slip()) code.call(rand.oneIn(2) ? 132 : 133)
  code.bind(out)
  clobber(p)
  p.held.set(0, 'none')
}

function tailCall(p: Program): void {
  const { rand, code } = p
  if (!rand.oneIn(2)) return arithmetic(p)
  const index = p.number()
  if (index !== 3) code.mov(3, { reg: index })
  code.mov(1, { reg: CTX })
  loadMap(p, 2, p.slip() ? 0 : 2)
  code.call(12)
  clobber(p)
  p.held.set(0, 'none')
  if (p.type !== 'socket_filter' && !p.slip()) prologue2(p)
}

/** The packet's ends again, after something that may have moved it. */
function prologue2(p: Program): void {
  p.checked = 0
  const xdp = p.type === 'xdp'
  p.code.load(4, DATA, CTX, xdp ? 0 : 76)
  p.code.load(4, END, CTX, xdp ? 4 : 80)
}

function absolute(p: Program): void {
  if (p.type !== 'socket_filter' && p.type !== 'sched_cls' && !p.slip()) return arithmetic(p)
  const { rand, code } = p
  const size = rand.pick(['b', 'h', 'w'])
  if (rand.oneIn(3)) code.emit(`ldind${size}`, { src: p.number(), imm: rand.below(64) })
  else code.emit(`ldabs${size}`, { imm: rand.below(64) })
  clobber(p)
}

/** A copy, a check on one of the two, a use of the other. */
function copyLinked(p: Program): void {
  const { rand, code } = p
  const from = p.number()
  const to = rand.pick(SCRATCH.filter((r) => r !== from))
  code.mov(to, { reg: from }, rand.oneIn(4) ? 32 : 64)
  p.held.set(to, 'number')
  if (rand.oneIn(2)) code.alu('add', to, rand.below(20))
  const out = code.label('large')
  code.jump(
    rand.pick(['jgt', 'jge', 'jsgt'] as const),
    rand.oneIn(2) ? from : to,
    rand.below(40),
    out,
    rand.oneIn(4) ? 32 : 64,
  )
  const ptr = rand.pick(SCRATCH.filter((r) => r !== from && r !== to))
  const snapshot = new Map(p.held)
  snapshot.set(ptr, 'none')
  if (rand.oneIn(3)) {
    code.mov(ptr, { reg: 10 })
    code.alu('add', ptr, { reg: rand.oneIn(2) ? from : to })
    code.store(1, ptr, -64, 1)
    p.held.set(ptr, 'none')
  } else arithmetic(p)
  code.bind(out)
  merge(p, snapshot)
}

function pointerMath(p: Program): void {
  if (!p.slip()) return arithmetic(p)
  const { rand, code } = p
  const dst = p.target()
  code.mov(dst, { reg: rand.pick([CTX, 10, DATA, END]) })
  if (rand.oneIn(2))
    code.alu(rand.pick(ALU.filter((op) => op !== 'neg')), dst, { reg: p.number() }, rand.oneIn(3) ? 32 : 64)
  else code.alu(rand.pick(['add', 'sub', 'and', 'mul', 'lsh', 'neg']), dst, rand.below(32), rand.oneIn(3) ? 32 : 64)
  p.held.set(dst, 'none')
}
