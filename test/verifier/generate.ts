// Random but meaningful programs: arithmetic, branches, packet, stack and map accesses built around plausible checks, loops,
// functions and callbacks. Most are right; some have one plausible mistake. A seed names a program for good.

import { type FunctionDef, type Insn, type ProgTypeName, slotTable } from '@netsieve/asm'
import {
  body,
  callBack,
  callFunction,
  callGlobal,
  checksum,
  direct,
  helper,
  loadBytes,
  locked,
  lookup,
  movePacket,
  nested,
  queue,
  ringbuf,
  socket,
  tailCall,
} from './generate-calls.ts'
import {
  absolute,
  atomic,
  condition,
  constant,
  copyLinked,
  extend,
  fromContext,
  loadStack,
  packetWrite,
  pointerMath,
  readPacket,
  storeStack,
  swap,
  variablePacket,
  variableStack,
} from './generate-data.ts'
import { arithmetic, CTX, DATA, END, merge, narrow, Program, SCRATCH } from './generate-kit.ts'
import { random } from './random.ts'

export { MAPS } from './generate-kit.ts'

/** Comparisons leave out programs that take more than this many instructions, or branches, to process: seconds and more each. */
export const LONG = 100_000

export function takesLong({ message = '' }: { readonly message?: string }): boolean {
  return /^BPF program is too large|jumps is too complex/.test(message)
}

export interface Generated {
  readonly type: ProgTypeName
  readonly program: readonly Insn[]
  /** Types of its functions, where it has callbacks or global functions. */
  readonly functions: readonly FunctionDef[] | undefined
}

/** Builds the program of a seed. */
export function generate(seed: number): Generated {
  const rand = random(seed)
  const type = rand.pick(['xdp', 'xdp', 'sched_cls', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const)
  const p = new Program(rand, type, rand.oneIn(2) ? 0 : 12 + rand.below(60))
  prologue(p)
  statements(p, 3 + rand.below(14))
  epilogue(p)
  // Functions are written in the order in which they were first called: so they are found again.
  for (const planned of p.functions) body(p, planned)
  const program = p.code.layout()
  return { type, program, functions: functionsOf(p, program) }
}

/** Where the functions start, if the program needs types: callbacks and global functions do. */
function functionsOf({ functions }: Program, program: readonly Insn[]): FunctionDef[] | undefined {
  if (functions.every(({ kind }) => kind === 'local')) return undefined
  const slots = slotTable(program)
  const starts = new Set<number>()
  program.forEach(({ spec, imm, imm64 }, i) => {
    if (spec.name === 'call_local') starts.add(slots[i]! + 1 + imm)
    if (spec.name === 'lddw_func') starts.add(slots[i]! + 1 + imm64!.low)
  })
  const sorted = [...starts].sort((a, b) => a - b)
  const proto = (index: number) => ({ global: functions[index]!.kind === 'global', params: functions[index]!.params, returns: 'scalar' as const }) // biome-ignore format: one act
  return [{ name: 'main', slot: 0 }, ...sorted.map((slot, i) => ({ name: `f${i}`, slot, proto: proto(i) }))]
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
  direct, locked, nested, queue, socket, movePacket, checksum, callGlobal, callBack, mayGoto,
] // biome-ignore format: a bag to draw from

function statement(p: Program): void {
  if (p.depth > 2) return arithmetic(p)
  p.rand.pick(MAKERS)(p)
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

/** A loop that the kernel ends after a while, whatever its condition. */
function mayGoto(p: Program): void {
  if (p.depth > 0) return ifElse(p)
  const { rand, code } = p
  const top = code.label('top')
  const out = code.label('out')
  code.mov(9, rand.below(4))
  p.held.set(9, 'number')
  const snapshot = new Map(p.held)
  code.bind(top)
  code.emit('may_goto', {}, out)
  p.depth += 2
  for (const reg of SCRATCH) if (!['number', 'small'].includes(p.held.get(reg) ?? 'none')) p.held.set(reg, 'none')
  for (let n = 1 + rand.below(3); n > 0; n--) arithmetic(p)
  code.alu('add', 9, 1)
  code.goto(top)
  p.depth -= 2
  code.bind(out)
  merge(p, snapshot)
  // A count that is looked at later would keep the rounds apart, up to the verifier's limit: seconds for each such program.
  for (const reg of p.regs('number', 'small')) code.mov(reg, rand.below(16))
  code.mov(9, 1)
  p.held.set(9, 'small')
}
