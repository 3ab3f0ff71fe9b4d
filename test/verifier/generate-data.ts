// Statements on numbers, the stack, the context and the packet.

import type { Label, ProgTypeName } from '@netsieve/asm'
import {
  ALU,
  arithmetic,
  CTX,
  clobber,
  DATA,
  END,
  JUMPS,
  merge,
  narrow,
  type Program,
  SCRATCH,
  SIZES,
  small,
} from './generate-kit.ts'

export function constant(p: Program): void {
  const dst = p.target()
  if (p.rand.oneIn(4)) p.code.lddw(dst, (BigInt(p.rand.below(0x100000000)) << 32n) | BigInt(p.rand.below(0x100000000)))
  else p.code.mov(dst, p.constant(), p.rand.oneIn(3) ? 32 : 64)
  p.held.set(dst, 'number')
}

const FIELDS = {
  xdp: [12, 16],
  sched_cls: [0, 4, 8, 16, 24, 36, 40, 48, 68, 76, 152, 160],
  socket_filter: [0, 4, 8, 16, 24, 36, 40, 48, 68],
  cgroup_skb: [0, 4, 8, 16, 24, 36, 40, 48, 88, 92],
  netfilter: [0, 8],
} as const satisfies Record<ProgTypeName, readonly number[]>

export function fromContext(p: Program): void {
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

export function readPacket(p: Program): void {
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
export function variablePacket(p: Program): void {
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

export function packetWrite(p: Program): void {
  if (p.checked < 4 || (p.type !== 'xdp' && p.type !== 'sched_cls' && !p.slip())) return arithmetic(p)
  const size = p.rand.pick([1, 2, 4] as const)
  p.code.store(size, DATA, p.rand.below(p.checked - size + 1), p.rand.oneIn(2) ? 7 : { reg: p.number() })
}

function slotOffset(p: Program, size: number): number {
  return -size * (1 + p.rand.below(Math.floor(64 / size)))
}

export function storeStack(p: Program): void {
  const { rand, code } = p
  const size = rand.oneIn(2) ? 8 : rand.pick(SIZES)
  const off = slotOffset(p, size) - (p.slip() ? 1 : 0)
  if (rand.oneIn(3)) code.store(size, 10, off, rand.oneIn(2) ? 0 : p.constant())
  else if (rand.oneIn(6))
    code.store(p.slip() ? size : 8, 10, p.slip() ? off : -8 * (1 + rand.below(8)), { reg: rand.pick([CTX, 10]) })
  else code.store(size, 10, off, { reg: p.number() })
  p.written.add(off)
}

export function loadStack(p: Program): void {
  const { rand, code } = p
  const size = rand.oneIn(2) ? 8 : rand.pick(SIZES)
  const dst = p.target()
  const known = [...p.written].filter((off) => off % size === 0)
  code.load(size, dst, 10, known.length > 0 && !rand.oneIn(4) ? rand.pick(known) : slotOffset(p, size))
  p.held.set(dst, 'number')
  if (rand.oneIn(2)) code.alu('and', dst, 0xff, 32)
}

export function variableStack(p: Program): void {
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

export function condition(p: Program, label: Label): void {
  const { rand, code } = p
  const op = rand.pick(JUMPS)
  const width = rand.oneIn(3) ? 32 : 64
  const reg = p.number()
  if (rand.oneIn(3)) {
    const other = p.number()
    code.jump(op, reg, { reg: other }, label, width)
  } else code.jump(op, reg, p.constant(), label, width)
}

export function extend(p: Program): void {
  const dst = p.number()
  p.code.emit(p.rand.pick(['movsx864', 'movsx1664', 'movsx3264', 'movsx832', 'movsx1632']), { dst, src: p.number() })
  p.held.set(dst, 'number')
}

export function swap(p: Program): void {
  p.code.emit(p.rand.pick(['be16', 'be32', 'be64', 'le16', 'bswap32', 'bswap64']), { dst: p.number() })
}

export function atomic(p: Program): void {
  const { rand, code } = p
  const src = p.number()
  const wide = rand.oneIn(2)
  const off = wide ? -8 * (1 + rand.below(8)) : -4 * (1 + rand.below(16))
  code.store(wide ? 8 : 4, 10, off, rand.below(9))
  const op = rand.pick(['add', 'or', 'and', 'xor', 'fetch_add', 'fetch_xor', 'xchg'])
  code.emit(`atomic_${op}_${wide ? 'dw' : 'w'}`, { dst: p.slip() ? DATA : 10, src, off })
}

export function absolute(p: Program): void {
  if (p.type !== 'socket_filter' && p.type !== 'sched_cls' && !p.slip()) return arithmetic(p)
  const { rand, code } = p
  const size = rand.pick(['b', 'h', 'w'])
  if (rand.oneIn(3)) code.emit(`ldind${size}`, { src: p.number(), imm: rand.below(64) })
  else code.emit(`ldabs${size}`, { imm: rand.below(64) })
  clobber(p)
}

/** A copy, a check on one of the two, a use of the other. */
export function copyLinked(p: Program): void {
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

export function pointerMath(p: Program): void {
  if (!p.slip()) return arithmetic(p)
  const { rand, code } = p
  const dst = p.target()
  code.mov(dst, { reg: rand.pick([CTX, 10, DATA, END]) })
  if (rand.oneIn(2))
    code.alu(rand.pick(ALU.filter((op) => op !== 'neg')), dst, { reg: p.number() }, rand.oneIn(3) ? 32 : 64)
  else code.alu(rand.pick(['add', 'sub', 'and', 'mul', 'lsh', 'neg']), dst, rand.below(32), rand.oneIn(3) ? 32 : 64)
  p.held.set(dst, 'none')
}

/** The packet's ends again, after something that may have moved it. */
export function prologue2(p: Program): void {
  p.checked = 0
  const xdp = p.type === 'xdp'
  p.code.load(4, DATA, CTX, xdp ? 0 : 76)
  p.code.load(4, END, CTX, xdp ? 4 : 80)
}
